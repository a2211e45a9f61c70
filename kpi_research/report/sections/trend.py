"""The result over the last quarters, with its targets."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.language import say
from kpi_research.report.block import Block
from kpi_research.report.charts import PERIODS_SHOWN, trend
from kpi_research.report.data import PageData
from kpi_research.report.page import Section


def build(page: PageData) -> Iterator[Block]:
    """One line of the outcome by quarter."""
    rows = page.history[page.history["kpi"] == page.outcome].tail(PERIODS_SHOWN)
    title = say("trend.title", page.language, outcome=page.label(page.outcome))
    if rows["value"].notna().sum() < 2:
        yield Block("trend", title, text=(say("trend.too_short", page.language),), status="no_data")
        return
    target = [page.targets.get((period, page.outcome), float("nan")) for period in rows["period"]]
    points = pd.DataFrame({"period": rows["period"], "value": rows["value"], "target": target})
    yield Block(
        "trend",
        title,
        figure=trend(
            points,
            page.language,
            unit=page.kpis[page.outcome].unit,
            currency=page.currency,
            caption=say("trend.figure" if points["target"].notna().any() else "trend.figure_plain", page.language),
        ),
        facts={"points": points.to_dict("records")},
    )


SECTION = Section("trend", build)
