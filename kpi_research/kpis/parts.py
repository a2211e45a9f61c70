"""Pieces that several KPI definitions are built from."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm


def each_row(_: ir.Table) -> ir.NumericValue:
    """One for every row: what a count adds up, and what a share is a share of."""
    return ibis.literal(1.0)


def share_of(condition: Callable[[ir.Table], ir.BooleanValue]) -> Callable[[ir.Table], ir.NumericValue]:
    """One for every row that meets the condition, otherwise zero."""
    return lambda rows: condition(rows).fill_null(False).ifelse(1.0, 0.0)


def activities_of(*kinds: str) -> Callable[[Crm], ir.Table]:
    """Activities of these kinds, each counted once."""
    return lambda crm: crm.activities.filter(crm.activities.kind.isin(kinds))


def held_after(rows: ir.Table, time: str, *, by: str, days: int) -> ir.Table:
    """Rows with `holds_until`: from each event for so many days, but no longer than to the next one of the same `by`.

    Together they are the time in which the last event was at most so many days ago, and no moment is in two of them.
    """
    following = rows[time].lead().over(group_by=rows[by], order_by=rows[time])
    latest = rows[time].truncate("D") + ibis.interval(days=days)
    return rows.mutate(holds_until=ibis.least(latest, following.fill_null(latest)))


def valid_contracts(crm: Crm) -> ir.Table:
    """Contracts that were not cancelled."""
    return crm.contracts.filter(crm.contracts.cancelled_at.isnull())


def surveys_of(kind: str) -> Callable[[Crm], ir.Table]:
    """Answers to surveys of one kind."""
    return lambda crm: crm.surveys.filter(crm.surveys.kind == kind)


def surveys_of_customers(kind: str) -> Callable[[Crm], ir.Table]:
    """Customers' answers, each with the account's `owner_id`: the person they are about."""

    def rows(crm: Crm) -> ir.Table:
        owners = crm.accounts.select("account_id", "owner_id")
        return surveys_of(kind)(crm).join(owners, "account_id", how="inner")

    return rows


def on_scale_of_100(rows: ir.Table) -> ir.NumericValue:
    """A score moved from its own scale to 0-100."""
    return (rows.score - rows.scale_min) / (rows.scale_max - rows.scale_min) * 100.0
