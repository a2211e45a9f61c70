"""Time in stage: how long deals take, and how many are lost or stall on the way."""

from __future__ import annotations

from collections.abc import Iterator

from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.funnel_words import labelled
from kpi_research.report.page import Section
from kpi_research.report.words import range_of, value_of


def build(page: PageData) -> Iterator[Block]:
    """The slowest stage in a sentence, and a row a stage."""
    title = say("funnel_time.title", page.language)
    rows = page.funnel.durations if page.funnel is not None else None
    rows = rows[rows["status"] == "ok"] if rows is not None else None
    if rows is None or rows.empty:
        yield Block("funnel_time", title, text=(say("funnel_time.none", page.language),), status="no_data")
        return
    rows = labelled(page, rows)
    open_stages = rows[rows["kind"].isin(["opened", "stage"]) & rows["days_median"].notna()]
    text = []
    if len(open_stages):
        slow = open_stages.loc[open_stages["days_median"].idxmax()]
        text.append(
            say(
                "funnel_time.slowest",
                page.language,
                stage=slow["label"],
                days=value_of(page, slow["days_median"], "days"),
                range=range_of(page, slow["days_low"], slow["days_high"], "days"),
                stalled=value_of(page, slow["stalled_share"], "share"),
                horizon=value_of(page, slow["horizon_days"], "days"),
            )
        )
    table = rows.rename(columns={"days_low": "days_median_low", "days_high": "days_median_high"})
    for name in ("next", "lost", "stalled"):
        table = table.rename(columns={f"{name}_low": f"{name}_share_low", f"{name}_high": f"{name}_share_high"})
    columns = (
        ColumnView("label", say("funnel.column.stage", page.language)),
        ColumnView("n", say("funnel.column.entered", page.language), "count"),
        ColumnView("days_median", say("funnel.column.days", page.language), "days"),
        ColumnView("next_share", say("funnel_time.column.next", page.language), "share"),
        ColumnView("lost_share", say("funnel_time.column.lost", page.language), "share"),
        ColumnView("stalled_share", say("funnel_time.column.stalled", page.language), "share"),
    )
    yield Block(
        "funnel_time",
        title,
        text=tuple(text),
        table=DataTable(table, columns, say("funnel_time.caption", page.language)),
        notes=(say("funnel_time.note", page.language),),
        facts={"stages": rows.to_dict("records")},
    )


SECTION = Section("funnel_time", build)
