"""The open deals: what stands in which stage, and what has stood there for longer than usual."""

from __future__ import annotations

from collections.abc import Iterator

from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.format import format_day
from kpi_research.report.funnel_words import labelled
from kpi_research.report.page import Section
from kpi_research.report.words import value_of


def build(page: PageData) -> Iterator[Block]:
    """A sentence, and a row a stage."""
    title = say("funnel_open.title", page.language)
    rows = page.funnel.standing if page.funnel is not None else None
    rows = rows[rows["part"] == "deals"] if rows is not None else None
    if rows is None or not rows["standing"].sum():
        yield Block("funnel_open", title, text=(say("funnel_open.none", page.language),), status="no_data")
        return
    sums = rows[["standing", "amount", "amount_unknown", "stalled", "stalled_amount", "undated"]].sum()
    day = page.funnel.forecast.rows["as_of"].iloc[0]  # type: ignore[union-attr]
    values = {
        "day": format_day(day, page.language),
        "standing": value_of(page, sums["standing"], "count"),
        "stalled": value_of(page, sums["stalled"], "count"),
        "amount": value_of(page, sums["amount"], "money"),
        "stalled_amount": value_of(page, sums["stalled_amount"], "money"),
    }
    priced = "" if sums["amount"] > 0 else "_unpriced"
    kind = "stalled" if sums["stalled"] else "fresh"
    columns = (
        ColumnView("label", say("funnel.column.stage", page.language)),
        ColumnView("standing", say("funnel_open.column.standing", page.language), "count"),
        *([ColumnView("amount", say("funnel_open.column.amount", page.language), "money")] if not priced else []),
        ColumnView("days_median", say("funnel_open.column.days", page.language), "days"),
        ColumnView("limit_days", say("funnel_open.column.limit", page.language), "days"),
        ColumnView("stalled", say("funnel_open.column.stalled", page.language), "count"),
    )
    notes = [say("funnel_open.note.limit", page.language)]
    for name in ("amount_unknown", "undated"):
        if sums[name] and not (priced and name == "amount_unknown"):
            notes.append(say(f"funnel_open.note.{name}", page.language, count=value_of(page, sums[name], "count")))
    yield Block(
        "funnel_open",
        title,
        text=(say(f"funnel_open.{kind}{priced}", page.language, **values),),
        table=DataTable(labelled(page, rows), columns, say("funnel_open.caption", page.language)),
        notes=tuple(notes),
        facts={"standing": rows.to_dict("records"), "total": sums.to_dict()},
    )


SECTION = Section("funnel_open", build)
