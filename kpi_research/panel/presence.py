"""Who recorded anything on which day: where there is no record at all, a KPI is missing rather than zero.

Read from the tables themselves and not from KPIs: a target that ends in a quarter, a customer who lapses in it or a
month on the payroll is no trace of work done in it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import ibis
import ibis.expr.types as ir
import pandas as pd

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.stacked import stacked
from kpi_research.periods import ONE_DAY

OWN = (
    ("activities", "person_id", "occurred_at"),
    ("contracts", "owner_id", "signed_at"),
    ("opportunities", "owner_id", "created_at"),
    ("opportunities", "owner_id", "closed_at"),
    ("leads", "owner_id", "created_at"),
    ("learning", "person_id", "occurred_at"),
    ("surveys", "subject_id", "answered_at"),
)
"""Tables whose rows name the person whose they are, with their time."""
OF_THE_OWNER = (
    ("payments", "contracts", "contract_id", "paid_at"),
    ("surveys", "accounts", "account_id", "answered_at"),
)
"""Tables whose rows belong to whoever owns a row of another table, with the key that leads there."""
EVENT_TIMES = {
    "contracts": "signed_at",
    "opportunities": "closed_at",
    "activities": "occurred_at",
    "payments": "paid_at",
}
"""Times of what happens once and is not planned: from the first to the last of them the data cover every day."""


def presence(crm: Crm, until: dt.date, since: dt.date | None = None) -> ir.Table | None:
    """`person_id, day, base`: who has rows in which table on which day; None where the client has none of the tables.

    Parameters
    ----------
    until, since
        The last day covered, and the first; None for all.
    """
    found = [*_rows(crm, since)]
    if not found:
        return None
    rows = stacked(*found)
    known = rows.person_id.notnull() & rows.day.notnull() & (rows.day < pd.Timestamp(until + ONE_DAY))
    return rows.filter(known).distinct()


def first_event(crm: Crm, until: dt.date) -> dt.date | None:
    """The first day on which anybody has any of the events."""
    rows = presence(crm, until)
    if rows is None:
        return None
    day = rows.filter(rows.base.isin(list(EVENT_TIMES))).day.min().to_pyarrow().as_py()
    return day.date() if day else None


def _rows(crm: Crm, since: dt.date | None) -> Iterator[ir.Table]:
    for name, who, time in OWN:
        if name in crm:
            rows = _from(getattr(crm, name), time, since)
            yield rows.select(person_id=rows[who], day=rows[time].truncate("D"), base=ibis.literal(name))
    for name, other, key, time in OF_THE_OWNER:
        if name in crm and other in crm:
            owners = getattr(crm, other).select(key, owner="owner_id")
            rows = _from(getattr(crm, name), time, since).join(owners, key)
            yield rows.select(person_id=rows.owner, day=rows[time].truncate("D"), base=ibis.literal(name))


def _from(rows: ir.Table, time: str, since: dt.date | None) -> ir.Table:
    return rows.filter(rows[time] >= pd.Timestamp(since)) if since else rows
