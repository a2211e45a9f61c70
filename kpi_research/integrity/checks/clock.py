"""Clock and calendar: times that nobody works at, that do not exist, or that were typed from memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from kpi_research.integrity.check import NO_ROWS, Check, Given, Measured, counted
from kpi_research.integrity.standards import STANDARDS

NIGHT = range(5)
"""Hours in which next to nobody sells; times in another zone often lie there."""
NOON = 13
"""The middle of a working day, around which the diaries of an office lie."""
SHIFTS = range(-14, 15)
"""Hours between any two zones of the world."""
FEW_MINUTES, MOST = 10, 0.9
"""So many activities of one kind of which nearly all last the same: a default that few people change."""
ZONES_SINCE = 2000
"""No diary of today begins earlier."""


def has_time_of_day(time: ir.TimestampValue) -> ir.BooleanValue:
    """Whether more than the day was noted: midnight to the second is a date that became a time."""
    return time != time.truncate("D")


def measured(given: Given) -> Iterator[Measured]:
    """When activities are said to have taken place."""
    yield from counted(_checks(given), given)
    yield _night(given)


def gaps(timezone: str, until: dt.date) -> list[tuple[dt.datetime, dt.datetime]]:
    """Local times that never were, as the clock was put forward: from (included) and to (excluded)."""
    zone, half = ZoneInfo(timezone), dt.timedelta(minutes=30)
    found: list[tuple[dt.datetime, dt.datetime]] = []
    day, last = dt.datetime(ZONES_SINCE, 1, 1), dt.datetime.combine(until, dt.time())
    while day <= last:
        tomorrow = day + dt.timedelta(days=1)
        if _offset(tomorrow, zone) > _offset(day, zone):
            missing = [time for i in range(48) if not _exists(time := day + i * half, zone)]
            found += [(missing[0], missing[-1] + half)] if missing else []
        day = tomorrow
    return found


def _offset(time: dt.datetime, zone: ZoneInfo) -> dt.timedelta:
    return time.replace(tzinfo=zone).utcoffset() or dt.timedelta()


def _exists(time: dt.datetime, zone: ZoneInfo) -> bool:
    there = time.replace(tzinfo=zone).astimezone(dt.UTC)
    return there.astimezone(zone).replace(tzinfo=None) == time


def _checks(given: Given) -> Iterator[Check]:
    yield Check("no_time_of_day", "activities", "occurred_at", lambda rows: ~has_time_of_day(rows.occurred_at))
    yield Check(
        "whole_hours",
        "activities",
        "occurred_at",
        lambda rows: rows.occurred_at == rows.occurred_at.truncate("h"),
        among=lambda rows: has_time_of_day(rows.occurred_at),
    )
    never = gaps(given.timezone, given.until)
    yield Check(
        "gap_time",
        "activities",
        "occurred_at",
        lambda rows: ibis.or_(*((rows.occurred_at >= start) & (rows.occurred_at < end) for start, end in never)),
    )
    rest = given.roster.loc[given.roster["working"] == 0, "day"].drop_duplicates()
    work = given.roster.loc[given.roster["working"] > 0, "day"].drop_duplicates()
    free, known = ([day.date() for day in days] for days in (rest, [*rest, *work]))
    yield Check(
        "rest_days",
        "activities",
        "occurred_at",
        lambda rows: rows.occurred_at.date().isin(free),
        among=lambda rows: rows.occurred_at.date().isin(known),
    )
    yield Check(
        "constant_minutes",
        "activities",
        "minutes",
        lambda rows: (rows.same >= FEW_MINUTES) & (rows.same >= rows.alike * MOST),
        needs=("activities.minutes",),
        rows=_with_usual_minutes,
        among=lambda rows: rows.minutes.notnull(),
    )


def _with_usual_minutes(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Activities with how many of their person and kind have minutes, and how many of these the same."""
    rows = tables["activities"]
    return rows.mutate(
        alike=rows.minutes.count().over(group_by=["person_id", "kind"]),
        same=rows.minutes.count().over(group_by=["person_id", "kind", "minutes"]),
    )


def _night(given: Given) -> Measured:
    """How many take place at night; where a shift by whole hours brings them into the day, `detail` names it."""
    name = ("night", "activities", "occurred_at")
    if missing := given.missing(["activities"]):
        return Measured(*name, missing=missing)
    rows = given.tables["activities"]
    timed = rows.filter(has_time_of_day(rows.occurred_at)).mutate(hour=lambda t: t.occurred_at.hour())
    found = timed.group_by("hour").aggregate(n=timed.count(), example=timed.activity_id.min()).to_pyarrow().to_pylist()
    hours = {int(row["hour"]): int(row["n"]) for row in found}
    n, affected = sum(hours.values()), _within(hours, NIGHT)
    example = min((str(row["example"]) for row in found if row["hour"] in NIGHT), default="")
    return Measured(*name, n, affected, example, detail=_repair(hours), missing="" if n else NO_ROWS)


def _repair(hours: Mapping[int, int]) -> str:
    """The shift that brings activities closest to the middle of the day, if one is needed and empties the night."""
    n, limit = sum(hours.values()), STANDARDS["night"].limits[0]
    if not n or _within(hours, NIGHT) <= limit * n:
        return ""
    moved = {shift: {(hour + shift) % 24: count for hour, count in hours.items()} for shift in SHIFTS}
    distance = {shift: sum(abs(hour - NOON) * count for hour, count in moved[shift].items()) for shift in SHIFTS}
    best = min(SHIFTS, key=lambda shift: (distance[shift], abs(shift)))
    return f"{best:+d}" if best and _within(moved[best], NIGHT) <= limit * n else ""


def _within(hours: Mapping[int, int], between: range) -> int:
    return sum(count for hour, count in hours.items() if hour in between)
