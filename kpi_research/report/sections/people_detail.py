"""Every person's score, KPI by KPI: what the one appraised needs to check it."""

from __future__ import annotations

from collections.abc import Iterator

from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.sections.scores import SCORED, shown_rows


def build(page: PageData) -> Iterator[Block]:
    """One table of people and KPIs; nothing where nobody is scored."""
    if page.people_score is None or page.people_score.rows.empty:
        return
    rows = page.people_score.rows
    frame = shown_rows(page, rows).assign(person=rows["entity_id"].map(page.names))
    order = frame.groupby("person", sort=True).ngroup()
    frame = frame.assign(order=order).sort_values("order", kind="stable")
    columns = (
        ColumnView("person", say("people.column.label", page.language)),
        *(ColumnView(key, say(f"scores.column.{key}", page.language), unit) for key, unit in SCORED.items()),
    )
    yield Block(
        "people_detail",
        say("people.title_detail", page.language),
        table=DataTable(frame, columns, say("people.caption_detail", page.language)),
        facts={"rows": rows.to_dict("records")},
    )


SECTION = Section("people_detail", build)
