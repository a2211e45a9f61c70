"""For analysts: every check with its rows, share and limit, and those that could not be made."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.language import say
from kpi_research.report.block import Block, ColumnFormat, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.faults import found_of, name_of, person_in_charge, table_of
from kpi_research.report.page import Section

FORMATS: dict[str, ColumnFormat] = {"n": "count", "affected": "count", "share": "share", "limit": "share"}
SHOWN = ("name", "table", "column", "grade", "n", "affected", "share", "limit", "who", "effect", "example", "found")


def build(page: PageData) -> Iterator[Block]:
    """The worst grades first; checks that could not be made last, with what they lack."""
    observations = page.quality.observations
    if page.audience != "analyst" or observations.empty:
        return
    rows = observations.sort_values(["grade", "check", "table"], key=lambda column: column.map(_rank))
    columns = tuple(
        ColumnView(key, say(f"data_quality.column.{key}", page.language), FORMATS.get(key, "text")) for key in SHOWN
    )
    yield Block(
        "data_quality_checks",
        say("data_quality.checks.title", page.language),
        table=DataTable(_frame(page, rows), columns, say("data_quality.checks.caption", page.language)),
        notes=(say("data_quality.checks.limits", page.language),),
    )


SECTION = Section("data_quality_checks", build)


def _rank(value: str) -> str:
    """Grades from bad to good to unknown; other words in their own order."""
    return {"D": "0", "C": "1", "B": "2", "A": "3", "N": "4"}.get(value, value)


def _frame(page: PageData, rows: pd.DataFrame) -> pd.DataFrame:
    records = [row for _, row in rows.iterrows()]
    return rows.assign(
        name=[name_of(page, row) for row in records],
        table=[table_of(page, row["table"]) for row in records],
        who=[person_in_charge(page, row["in_charge"]) for row in records],
        effect=[say(f"data_quality.effect.{row['effect']}.name", page.language) for row in records],
        found=[found_of(page, row) for row in records],
    )[[*SHOWN]].reset_index(drop=True)
