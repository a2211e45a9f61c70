"""On what records each score rests: counts month by month, and where in the CRM they are to be found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from kpi_research.kpis.definition import Kpi
from kpi_research.language import say
from kpi_research.policy import MEASURED
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.format import MISSING
from kpi_research.report.page import Section
from kpi_research.report.score_words import Words
from kpi_research.report.words import listed


def build(page: PageData) -> Iterator[Block]:
    """One row a KPI of the scheme that is counted from the person's own records."""
    if page.scheme is None or page.months.empty:
        return
    own = [item.kpi for item in page.scheme.items if item.scope == "person" and not item.raters]
    if not own:
        return
    months = sorted(page.months["period"].unique())
    by_month = page.months.set_index(["kpi", "period"])
    now = page.now()
    rows = [
        {
            "label": page.label(name),
            **{month: _counted(page, page.kpis[name], by_month.loc[(name, month)]) for month in months},
            "quarter": _counted(page, page.kpis[name], now.loc[name]),
            "where": _where(page, page.kpis[name]),
        }
        for name in own
    ]
    columns = (
        ColumnView("label", say("scores.column.label", page.language)),
        *(ColumnView(month, month) for month in months),
        ColumnView("quarter", say("scores.column.value", page.language)),
        ColumnView("where", say("scorecard.column.where", page.language)),
    )
    facts = page.months.loc[page.months["kpi"].isin(own), ["kpi", "period", "numerator", "denominator", "n", "status"]]
    yield Block(
        "score_records",
        say("scorecard.title_records", page.language),
        text=(say("scorecard.records_lead", page.language),),
        table=DataTable(pd.DataFrame(rows), columns, say("scorecard.caption_records", page.language)),
        notes=(say("scorecard.note_records", page.language),),
        facts={"months": facts.to_dict("records")},
    )


SECTION = Section("score_records", build)


def _counted(page: PageData, kpi: Kpi, row: pd.Series) -> str:
    """`14 ÷ 17 = 82.35%` for a ratio, otherwise the value; behind it on how many records it rests."""
    words, records = Words(page.language, page.currency), f"{_whole(row['n']):,}"
    # of few marks that colleagues gave, even their sum would tell what one of them thinks
    of_colleagues = kpi.kind == "collaboration"
    if row["status"] not in MEASURED and (of_colleagues or not _is_ratio(row)):
        return MISSING if not _whole(row["n"]) else say("scorecard.only_records", page.language, n=records)
    value = words.figure(row["value"], kpi) if row["status"] in MEASURED else MISSING
    if _is_ratio(row):
        above, below = words.points(row["numerator"]), words.points(row["denominator"])
        return say("scorecard.ratio", page.language, above=above, below=below, value=value)
    return say("scorecard.value", page.language, value=value, n=records)


def _is_ratio(row: pd.Series) -> bool:
    return bool(pd.notna(row["denominator"]) and row["denominator"] > 0)


def _whole(number: Any) -> int:
    return 0 if pd.isna(number) else int(number)


def _where(page: PageData, kpi: Kpi) -> str:
    tables = listed((say(f"table.{name}", page.language) for name in kpi.needs), page.language)
    return say("scorecard.where", page.language, meaning=kpi.meaning[page.language], tables=tables)
