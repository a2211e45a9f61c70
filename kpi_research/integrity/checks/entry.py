"""When things were typed in: long afterwards, at the end of the month, once the deal was decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ibis
import ibis.expr.types as ir

from kpi_research.integrity.check import Check, Given, Measured, counted

LATE_DAYS = 7
"""After a week people write from memory, and by then they often know how it ended."""
MONTH_END_DAYS = 3
"""The last days of a month, in which diaries are filled up for those who read them."""
_DAY = 86_400
_BOTH = ("activities.occurred_at", "activities.recorded_at")


def measured(given: Given) -> Iterator[Measured]:
    """How long after the event activities came on file."""
    yield from counted(CHECKS, given)


def with_closing(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Activities with `closed_at` of their opportunity."""
    activities, deals = tables["activities"], tables["opportunities"]
    closing = deals.select(closed_id=deals.opportunity_id, closed_at=deals.closed_at)
    return activities.left_join(closing, activities.opportunity_id == closing.closed_id)


def _days_late(rows: ir.Table) -> ir.FloatingValue:
    return (rows.recorded_at.epoch_seconds() - rows.occurred_at.epoch_seconds()) / _DAY


def _at_month_end(rows: ir.Table) -> ir.BooleanValue:
    soon = rows.recorded_at + ibis.interval(days=MONTH_END_DAYS)
    return (soon.month() != rows.recorded_at.month()) & (_days_late(rows) > MONTH_END_DAYS)


def _once_decided(rows: ir.Table) -> ir.BooleanValue:
    decided = rows.closed_at + ibis.interval(days=1)
    return (rows.occurred_at < rows.closed_at) & (rows.recorded_at > decided)


def _both(rows: ir.Table) -> ir.BooleanValue:
    return rows.recorded_at.notnull()


CHECKS = (
    Check("not_recorded_at", "activities", "recorded_at", lambda rows: rows.recorded_at.isnull()),
    Check(
        "late_entry",
        "activities",
        "recorded_at",
        lambda rows: _days_late(rows) > LATE_DAYS,
        needs=_BOTH,
        among=_both,
        value=lambda rows: _days_late(rows).median(),
    ),
    Check("month_end_entry", "activities", "recorded_at", _at_month_end, needs=_BOTH, among=_both),
    Check(
        "entry_after_close",
        "activities",
        "recorded_at",
        _once_decided,
        needs=(*_BOTH, "activities.opportunity_id", "opportunities.closed_at"),
        rows=with_closing,
        among=lambda rows: rows.recorded_at.notnull() & rows.closed_at.notnull(),
    ),
)
