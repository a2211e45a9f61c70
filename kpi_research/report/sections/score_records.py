"""On what records each score rests: counts month by month, and where in the CRM they are to be found."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from kpi_research.kpis.definition import Kpi
from kpi_research.language import say
from kpi_research.panel.records import cases, no_records
from kpi_research.policy import MEASURED
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.format import MISSING
from kpi_research.report.page import Section
from kpi_research.report.score_words import Words
from kpi_research.report.words import listed

MOST_NAMED = 8
"""Records that are named in the table; all are in the file beside the page."""


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
    named = {name: _named(page, page.kpis[name], now.loc[name]) for name in own}
    rows = [
        {
            "label": page.label(name),
            **{month: _counted(page, page.kpis[name], by_month.loc[(name, month)]) for month in months},
            "quarter": _counted(page, page.kpis[name], now.loc[name]),
            "where": _where(page, page.kpis[name]),
            "records": _listed(page, page.kpis[name], named[name]),
        }
        for name in own
    ]
    columns = (
        ColumnView("label", say("scores.column.label", page.language)),
        *(ColumnView(month, month) for month in months),
        ColumnView("quarter", say("scores.column.value", page.language)),
        ColumnView("where", say("scorecard.column.where", page.language)),
        ColumnView("records", say("scorecard.column.records", page.language)),
    )
    facts = page.months.loc[page.months["kpi"].isin(own), ["kpi", "period", "numerator", "denominator", "n", "status"]]
    yield Block(
        "score_records",
        say("scorecard.title_records", page.language),
        text=(say("scorecard.records_lead", page.language),),
        table=DataTable(pd.DataFrame(rows), columns, say("scorecard.caption_records", page.language)),
        notes=(
            say("scorecard.note_records", page.language),
            say("scorecard.note_named", page.language, most=MOST_NAMED),
        ),
        facts={"months": facts.to_dict("records"), "records": {name: _all(found) for name, found in named.items()}},
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


def _named(page: PageData, kpi: Kpi, row: pd.Series) -> pd.DataFrame:
    """The records that a figure rests on, latest first; none unless they are as many, and come to as much, as it says.

    They were read apart from the figure: where a source changed in between they would be others.
    """
    records = page.score.records if page.score is not None else no_records()
    own = records[(records["kpi"] == kpi.name) & (records["person_id"] == page.entity_id)]
    counted = int(cases(own).sum()) == _whole(row["n"])
    if kpi.aggregation in ("sum", "at_end"):
        counted &= math.isclose(own["numerator"].sum(), row["numerator"], rel_tol=1e-6, abs_tol=1e-4)
    return (own if counted else own.iloc[:0]).sort_values(["day", "record_id"], ascending=False, kind="stable")


def _listed(page: PageData, kpi: Kpi, records: pd.DataFrame) -> str:
    """The first of them by number and day, those that count above a ratio's line first, and how many more there are."""
    if records.empty:
        return MISSING
    above = records["numerator"].fillna(1.0) != 0
    ratio = kpi.denominator is not None
    parts = [(records[above], "above" if ratio else "plain"), (records[~above], "below" if ratio else "nothing")]
    return "".join(_part(page, rows, kind) for rows, kind in parts if len(rows))


def _part(page: PageData, rows: pd.DataFrame, kind: str) -> str:
    shown = rows.head(MOST_NAMED)
    year = page.period.start.year
    days = [f"{day:%m-%d}" if day.year == year else f"{day:%Y-%m-%d}" for day in shown["day"]]
    ids = say("words.comma", page.language).join(
        f"{record} ({day})" for record, day in zip(shown["record_id"], days, strict=True)
    )
    more = say("scorecard.more_records", page.language, count=len(rows) - MOST_NAMED) if len(rows) > MOST_NAMED else ""
    return say(f"scorecard.named.{kind}", page.language, records=ids, more=more)


def _all(records: pd.DataFrame) -> list[dict[str, Any]]:
    """Every one of them, for the file beside the page."""
    days = records["day"].dt.strftime("%Y-%m-%d")
    shown = records.assign(day=days)[["table", "record_id", "day", "numerator", "denominator"]].astype(object)
    return shown.where(shown.notna(), None).to_dict("records")


def _whole(number: Any) -> int:
    return 0 if pd.isna(number) else int(number)


def _where(page: PageData, kpi: Kpi) -> str:
    tables = listed((say(f"table.{name}", page.language) for name in kpi.needs), page.language)
    return say("scorecard.where", page.language, meaning=kpi.meaning[page.language], tables=tables)
