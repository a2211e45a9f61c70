"""Values that cannot be: negative sums, a wrong unit, days of 25 hours, places in the sea, times to come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

import ibis.expr.types as ir

from kpi_research.crm.tables import TABLES
from kpi_research.integrity.check import Check, Given, Measured, counted
from kpi_research.periods import ONE_DAY

UNIT = 1000.0
"""A sum so many times the usual one is in another unit: 万 counts ten thousands."""
MINUTES_A_DAY = 1440
LATITUDES, LONGITUDES = 90, 180
AMOUNTS = {"opportunities": "amount", "contracts": "amount", "payments": "amount"}
TIMES = {
    "activities": "occurred_at",
    "opportunities": "created_at",
    "stage_changes": "entered_at",
    "contracts": "signed_at",
    "payments": "paid_at",
}
CURRENCIES = ("opportunities", "contracts")
ASTRAY_DAYS = 92
"""A quarter in which next to nothing happens and then something does: a wrong year rather than a sale."""
_DAY = 86_400


def measured(given: Given) -> Iterator[Measured]:
    """What lies outside of what can be."""
    yield from counted(_checks(given), given)
    for table in CURRENCIES:
        yield _currencies(table, given)


def _checks(given: Given) -> Iterator[Check]:
    yield from (_negative(table, column) for table, column in AMOUNTS.items())
    yield from (_wrong_unit(table) for table in CURRENCIES)
    end = dt.datetime.combine(given.until + ONE_DAY, dt.time())
    yield from (_future(table, column, end) for table, column in TIMES.items())
    yield from (_astray(table, column) for table, column in TIMES.items())
    yield Check(
        "impossible_minutes",
        "activities",
        "minutes",
        lambda rows: ~rows.minutes.between(0, MINUTES_A_DAY),
        needs=("activities.minutes",),
        among=lambda rows: rows.minutes.notnull(),
    )
    yield Check(
        "impossible_place",
        "activities",
        "latitude",
        _nowhere,
        needs=("activities.latitude", "activities.longitude"),
        among=lambda rows: rows.latitude.notnull() & rows.longitude.notnull(),
    )


def _negative(table: str, column: str) -> Check:
    return Check(
        "negative_amount",
        table,
        column,
        lambda rows: rows[column] < 0,
        needs=(f"{table}.{column}",),
        among=lambda rows: rows[column].notnull(),
    )


def _wrong_unit(table: str) -> Check:
    def with_usual(tables: Mapping[str, ir.Table]) -> ir.Table:
        rows = tables[table]
        # a sum of thirteen digits times a thousand is more than a decimal holds
        rows = rows.mutate(sum=rows.amount.cast("float64"))
        return rows.cross_join(rows.filter(rows["sum"] > 0).aggregate(usual=rows["sum"].median()))

    return Check(
        "wrong_unit",
        table,
        "amount",
        lambda rows: (rows["sum"] >= rows.usual * UNIT) | (rows["sum"] * UNIT <= rows.usual),
        needs=(f"{table}.amount",),
        rows=with_usual,
        among=lambda rows: rows.amount > 0,
    )


def _future(table: str, column: str, end: dt.datetime) -> Check:
    return Check(
        "future_time",
        table,
        column,
        lambda rows: rows[column] >= end,
        needs=(f"{table}.{column}",),
        among=lambda rows: rows[column].notnull(),
    )


def _astray(table: str, column: str) -> Check:
    """Times so late that the data would be taken to reach that far, and every month before it to be silent."""

    def with_last(tables: Mapping[str, ir.Table]) -> ir.Table:
        rows = tables[table].mutate(second=lambda t: t[column].epoch_seconds())
        return rows.cross_join(rows.aggregate(last=rows.second.quantile(0.99)))

    return Check(
        "astray_time",
        table,
        column,
        lambda rows: rows.second > rows["last"] + ASTRAY_DAYS * _DAY,
        needs=(f"{table}.{column}",),
        rows=with_last,
        among=lambda rows: rows.second.notnull(),
    )


def _nowhere(rows: ir.Table) -> ir.BooleanValue:
    """Off the map, or where both are zero: what a telephone without reception sends."""
    on_the_map = rows.latitude.between(-LATITUDES, LATITUDES) & rows.longitude.between(-LONGITUDES, LONGITUDES)
    return ~on_the_map | ((rows.latitude == 0) & (rows.longitude == 0))


def _currencies(table: str, given: Given) -> Measured:
    """Rows in another currency than most; `detail` names the others."""
    name = ("mixed_currencies", table, "currency")
    if missing := given.missing([f"{table}.currency"]):
        return Measured(*name, missing=missing)
    rows = given.tables[table].filter(given.tables[table].currency.notnull())
    key = rows[TABLES[table].key[0]]
    found = rows.group_by("currency").aggregate(n=rows.count(), example=key.min()).to_pyarrow().to_pylist()
    _, *others = sorted(found, key=lambda row: (-row["n"], row["currency"]))
    return Measured(
        *name,
        n=sum(row["n"] for row in found),
        affected=sum(row["n"] for row in others),
        example=others[0]["example"] if others else "",
        detail=", ".join(row["currency"] for row in others),
    )
