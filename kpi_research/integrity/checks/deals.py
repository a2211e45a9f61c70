"""Opportunities: what they lack, how they moved, whether anybody still works on them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

import ibis
import ibis.expr.types as ir

from kpi_research.integrity.check import Check, Given, Measured, counted
from kpi_research.integrity.checks.entry import with_closing

UNTOUCHED_DAYS = 180
"""Twice the usual sales cycle: nobody counts on such a deal any more, it only fills the funnel."""


def measured(given: Given) -> Iterator[Measured]:
    """What opportunities lack, and what happened around them in the wrong order."""
    yield from counted([*CHECKS, _untouched(given)], given)


def with_creation(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Stage changes with `created_at` of their opportunity."""
    changes, deals = tables["stage_changes"], tables["opportunities"]
    return changes.left_join(deals.select("opportunity_id", "created_at"), "opportunity_id")


def with_usual_order(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Stage changes with the stage before, and how many opportunities passed the two in this order and in the other."""
    changes = tables["stage_changes"]
    entered = changes.group_by("opportunity_id", "stage").aggregate(at=changes.entered_at.min())
    later = entered.select(deal="opportunity_id", after="stage", after_at="at")
    passed = entered.inner_join(later, [entered.opportunity_id == later.deal, entered["at"] < later.after_at])
    order = passed.group_by(before="stage", after="after").aggregate(n=passed.count())
    forth, back = order.rename(forth="n"), order.select(back_before="before", back_after="after", back="n")
    before = changes.stage.lag().over(group_by="opportunity_id", order_by=["entered_at", "stage"])
    moves = changes.mutate(previous=before)
    moves = moves.left_join(forth, [moves.previous == forth.before, moves.stage == forth.after])
    moves = moves.left_join(back, [moves.previous == back.back_after, moves.stage == back.back_before])
    return moves.mutate(forth=moves.forth.fill_null(0), back=moves.back.fill_null(0))


def with_changes(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Opportunities with their own id once more if any stage change of theirs is on file."""
    deals = tables["opportunities"]
    if "stage_changes" not in tables:
        return deals.mutate(changed=ibis.null("string"))
    changed = tables["stage_changes"].select(changed="opportunity_id").distinct()
    return deals.left_join(changed, deals.opportunity_id == changed.changed)


def _empty(name: str, column: str) -> Check:
    return Check(name, "opportunities", column, lambda rows: rows[column].isnull())


def _untouched(given: Given) -> Check:
    """Open opportunities without activity or stage change for long; with neither of the two nothing can be said."""
    sources = {"activities": "occurred_at", "stage_changes": "entered_at"}
    touches = [name for name in sources if f"{name}.opportunity_id" in given.filled]

    def with_last_touch(tables: Mapping[str, ir.Table]) -> ir.Table:
        rows = tables["opportunities"].mutate(touched=lambda t: t.created_at)
        for name in touches:
            events = tables[name]
            last = events.group_by(touched_id="opportunity_id").aggregate(last=events[sources[name]].max())
            joined = rows.left_join(last, rows.opportunity_id == last.touched_id)
            rows = joined.mutate(touched=ibis.greatest(joined.touched, joined.last)).drop("touched_id", "last")
        return rows

    before = dt.datetime.combine(given.until, dt.time()) - dt.timedelta(days=UNTOUCHED_DAYS)
    return Check(
        "untouched",
        "opportunities",
        "outcome",
        lambda rows: rows.touched < before,
        needs=() if touches else ("activities.opportunity_id",),
        rows=with_last_touch,
        among=lambda rows: (rows.outcome == "open") & rows.touched.notnull(),
    )


CHECKS = (
    Check("no_amount", "opportunities", "amount", lambda rows: rows.amount.isnull() | (rows.amount == 0)),
    _empty("no_owner", "owner_id"),
    _empty("no_stage", "stage"),
    Check("no_stage_history", "opportunities", "stage", lambda rows: rows.changed.isnull(), rows=with_changes),
    Check(
        "stage_before_creation",
        "stage_changes",
        "entered_at",
        lambda rows: rows.entered_at < rows.created_at.truncate("D"),
        needs=("opportunities.created_at",),
        rows=with_creation,
        among=lambda rows: rows.created_at.notnull(),
    ),
    Check(
        "stage_backwards",
        "stage_changes",
        "stage",
        lambda rows: rows.back > rows.forth,
        rows=with_usual_order,
        among=lambda rows: rows.previous.notnull() & (rows.previous != rows.stage),
    ),
    Check(
        "after_close",
        "activities",
        "opportunity_id",
        lambda rows: rows.occurred_at >= rows.closed_at + ibis.interval(days=1),
        needs=("activities.opportunity_id", "opportunities.closed_at"),
        rows=with_closing,
        among=lambda rows: rows.closed_at.notnull(),
    ),
)
