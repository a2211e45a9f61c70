"""The same thing twice: equal activities, activities minutes apart, the same text again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ibis
import ibis.expr.types as ir

from kpi_research.integrity.check import Check, Given, Measured, counted
from kpi_research.integrity.checks.clock import has_time_of_day

NEAR_SECONDS = 600
"""Within ten minutes nobody visits or calls the same customer twice; a form sent twice looks like that."""


def with_neighbours(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Activities with what the same person noted before: the same at that time, shortly before, in these words."""
    rows = tables["activities"]
    rows = rows.mutate(
        subject=ibis.coalesce(rows.account_id, rows.lead_id, rows.opportunity_id),
        second=rows.occurred_at.epoch_seconds(),
    )
    alike = ["person_id", "kind", "subject"]
    return rows.mutate(
        nth=ibis.row_number().over(group_by=[*alike, "occurred_at"], order_by="activity_id"),
        since=rows.second - rows.second.lag().over(group_by=alike, order_by=["occurred_at", "activity_id"]),
        nth_text=ibis.row_number().over(group_by=["person_id", "note_hash"], order_by=["occurred_at", "activity_id"]),
    )


def measured(given: Given) -> Iterator[Measured]:
    """Activities that repeat another one; the first of each is in order."""
    yield from counted(CHECKS, given)


def _comparable(rows: ir.Table) -> ir.BooleanValue:
    """Without customer or time of day two calls on one day look the same."""
    return rows.subject.notnull() & has_time_of_day(rows.occurred_at)


CHECKS = (
    Check(
        "exact_duplicate",
        "activities",
        "activity_id",
        lambda rows: rows.nth > 0,
        rows=with_neighbours,
        among=_comparable,
    ),
    Check(
        "near_duplicate",
        "activities",
        "occurred_at",
        lambda rows: (rows.since > 0) & (rows.since <= NEAR_SECONDS),
        rows=with_neighbours,
        among=_comparable,
    ),
    Check(
        "same_text",
        "activities",
        "note_hash",
        lambda rows: rows.nth_text > 0,
        needs=("activities.note_hash",),
        rows=with_neighbours,
        among=lambda rows: rows.note_hash.notnull(),
    ),
)
