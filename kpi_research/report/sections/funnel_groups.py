"""The funnel by team, person, segment and source: of the deals of a year, how many are won."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.crm.roster import UNASSIGNED
from kpi_research.language import say
from kpi_research.policy import MIN_DENOMINATOR
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.funnel_words import stage_label
from kpi_research.report.page import Section

MOST_ROWS = 40


def build(page: PageData) -> Iterator[Block]:
    """A table for each breakdown of which there is more than one value."""
    groups = page.funnel.groups if page.funnel is not None else {}
    tables = {by: _won(page, rows, by) for by, rows in groups.items()}
    shown = {by: rows for by, rows in tables.items() if len(rows) > 1}
    if not shown:
        title, text = (say(f"funnel_groups.{key}", page.language) for key in ("title", "none"))
        yield Block("funnel_groups", title, text=(text,), status="no_data")
        return
    for by, rows in shown.items():
        columns = (
            ColumnView("label", say(f"funnel_groups.column.{by}", page.language)),
            ColumnView("opened", say("funnel_groups.column.opened", page.language), "count"),
            ColumnView("won_share", say("funnel_groups.column.won", page.language), "share"),
            # of one person's few deals the lowest of several rates is mostly chance
            *(() if by == "person" else (ColumnView("weakest", say("funnel_groups.column.weakest", page.language)),)),
        )
        yield Block(
            f"funnel_groups_{by}",
            say(f"funnel_groups.title_{by}", page.language),
            table=DataTable(rows.head(MOST_ROWS), columns, say("funnel_groups.caption", page.language)),
            notes=tuple(_notes(page, by)),
            facts={"rows": groups[by].to_dict("records")},
        )


SECTION = Section("funnel_groups", build)


def _notes(page: PageData, by: str) -> Iterator[str]:
    yield say("funnel_groups.note", page.language, least=MIN_DENOMINATOR)
    if by == "person" and page.level == "team":
        yield say("funnel_groups.members", page.language)


def _won(page: PageData, rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """`label, opened, won_share` with its interval, and the step with the lowest rate."""
    found = []
    for group, own in rows.groupby("group", sort=True):
        won = own[own["kind"] == "won"].iloc[0]
        before = own[own["kind"].isin(["opened", "stage"])]
        rated = before[before["rate"].notna()] if len(before) > 1 else before.iloc[:0]
        weakest = rated.loc[rated["rate"].idxmin()] if len(rated) else None
        found.append(
            {
                "label": _label(page, str(group), by),
                "opened": int(before["entered"].iloc[0]),
                "won_share": won["rate_of_first"],
                "won_share_low": won["first_low"],
                "won_share_high": won["first_high"],
                "weakest": None if weakest is None else stage_label(page, weakest["stage"], weakest["kind"]),
            }
        )
    columns = ["label", "opened", "won_share", "won_share_low", "won_share_high", "weakest"]
    return pd.DataFrame(found, columns=columns).sort_values("label", ignore_index=True)


def _label(page: PageData, group: str, by: str) -> str:
    if group in ("", UNASSIGNED):
        return say("funnel_groups.unknown", page.language)
    return page.names.get(group, group) if by in ("team", "person") else group
