"""Who records: the share of the people at work by month, and for analysts person by person."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.charts import trend
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.words import value_of

COUNTS = ("worked", "recorded", "silent")
RECORDS = ["activities", "opportunities", "contracts"]


def build(page: PageData) -> Iterator[Block]:
    """Managers see how many, not who."""
    months, title = page.quality.coverage, say("data_quality.coverage.title", page.language)
    worked = months[(months["working_days"] > 0) & (months["status"] != "absent")] if len(months) else months
    if worked.empty:
        text = (say("data_quality.coverage.none", page.language),)
        yield Block("data_quality_coverage", title, text=text, status="no_data")
        return
    frame = _counts(worked, "month")
    shares = pd.DataFrame({"period": frame["month"], "value": frame["recorded"] / frame["worked"], "target": None})
    chart = say("data_quality.coverage.chart", page.language)
    line = trend(shares, page.language, unit="share", currency=page.currency, caption=chart)
    yield Block(
        "data_quality_coverage",
        title,
        text=(_lead(page, frame), say("data_quality.coverage.silent", page.language)),
        table=_table(page, frame, ("month", *COUNTS), "data_quality.coverage.caption"),
        figure=line if frame["silent"].any() else None,
        facts={"months": frame.to_dict("records")},
    )
    if page.audience == "analyst":
        people = _counts(worked, "person_id").sort_values(["silent", "person_id"], ascending=[False, True])
        yield Block(
            "data_quality_people",
            say("data_quality.coverage.title_people", page.language),
            table=_table(page, people, ("person_id", *COUNTS, "records"), "data_quality.coverage.caption_people"),
        )


SECTION = Section("data_quality_coverage", build)


def _counts(worked: pd.DataFrame, key: str) -> pd.DataFrame:
    silent = worked["status"].eq("silent")
    rows = worked.assign(silent=silent, recorded=~silent, records=worked[RECORDS].sum(axis=1))
    return rows.groupby(key, as_index=False).agg(
        worked=("status", "size"), recorded=("recorded", "sum"), silent=("silent", "sum"), records=("records", "sum")
    )


def _lead(page: PageData, frame: pd.DataFrame) -> str:
    worked, recorded = frame["worked"].sum(), frame["recorded"].sum()
    counts = {"months": len(frame), "worked": worked, "recorded": recorded}
    shown = {key: value_of(page, count, "count") for key, count in counts.items()}
    return say("data_quality.coverage.lead", page.language, share=value_of(page, recorded / worked, "share"), **shown)


def _table(page: PageData, frame: pd.DataFrame, shown: tuple[str, ...], caption: str) -> DataTable:
    columns = tuple(
        ColumnView(key, say(f"data_quality.column.{key}", page.language), "text" if key == shown[0] else "count")
        for key in shown
    )
    return DataTable(frame[[*shown]], columns, say(caption, page.language))
