"""What to mend in the CRM, by the person in charge."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.integrity.standards import IN_CHARGE
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.faults import fix_of, found_of, meaning_of, person_in_charge, to_mend
from kpi_research.report.page import Section

SHOWN = {"found": found_of, "meaning": meaning_of, "fix": fix_of}


def build(page: PageData) -> Iterator[Block]:
    """A list for each person in charge, the worst first; who has nothing to mend gets none."""
    faults = to_mend(page)
    if faults.empty:
        title = say("data_quality.mend.none_title", page.language)
        yield Block("data_quality_mend", title, text=(say("data_quality.mend.none", page.language),))
        return
    for who in IN_CHARGE:
        if len(rows := faults[faults["in_charge"] == who]):
            yield _list(page, who, rows)


SECTION = Section("data_quality_mend", build)


def _list(page: PageData, who: str, rows: pd.DataFrame) -> Block:
    records = [row for _, row in rows.iterrows()]
    frame = pd.DataFrame({key: [words(page, row) for row in records] for key, words in SHOWN.items()})
    columns = tuple(ColumnView(key, say(f"data_quality.column.{key}", page.language)) for key in SHOWN)
    return Block(
        f"data_quality_mend_{who}",
        say("data_quality.mend.title", page.language, who=person_in_charge(page, who)),
        table=DataTable(frame, columns, say("data_quality.mend.caption", page.language)),
        facts={"checks": [*rows["check"]]},
    )
