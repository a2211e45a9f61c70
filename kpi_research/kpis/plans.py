"""Targets as rows that KPIs can be counted from: which version holds, for which days, and what was reached in them.

A target counts on the last day of its period, when what it asks for has been reached or not. Quarters and years are the
calendar's. Where targets of several lengths overlap, the shortest count, so that no day is measured twice.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.named_periods import last_day_of
from kpi_research.kpis.parts import valid_contracts

EVERYBODY = "company"
"""The `scope_id` of the company's targets, whatever they are filed under."""
ONE_DAY = ibis.interval(days=1)
_DAY, _WEEK, _MONTH, _QUARTER, _HALF, _YEAR = range(6)


def targets_of(crm: Crm, kpi: str) -> ir.Table:
    """Targets of a KPI above zero: `scope, scope_id, starts, ends_on, length, base`, one for each period.

    Of several versions the latest counts, but none that took effect when the period was over.
    """
    named = crm.targets.filter(crm.targets.kpi == kpi)
    scope_id = (named.scope == "company").ifelse(EVERYBODY, named.scope_id)
    named = named.mutate(ends_on=last_day_of(named.period), scope_id=scope_id)
    in_time = named.filter(
        named.ends_on.notnull(), named.effective_from.isnull() | (named.effective_from < named.ends_on + ONE_DAY)
    )
    version = in_time.version.fill_null("")
    # by length first, so that version 10 follows version 9
    order = [in_time.effective_from.desc(nulls_first=False), version.length().desc(), version.desc()]
    turn = ibis.row_number().over(group_by=[in_time.scope, in_time.scope_id, in_time.period], order_by=order)
    held = in_time.mutate(turn=turn, length=_length(in_time.period)).filter(lambda rows: rows.turn == 0)
    held = held.filter(held.base > 0).mutate(starts=_first_day(held.length, held.ends_on))
    shortest = held.length.min().over(group_by=[held.scope, held.scope_id, held.ends_on.year()])
    return (
        held.mutate(shortest=shortest)
        .filter(lambda rows: rows.length == rows.shortest)
        .select("scope", "scope_id", "starts", "ends_on", "length", "base")
    )


def _length(period: ir.StringValue) -> ir.IntegerValue:
    """Orders the forms of a period's name by how long the period is."""
    return ibis.cases(
        (period.length() == len("2026"), _YEAR),
        (period.contains("H"), _HALF),
        (period.contains("Q"), _QUARTER),
        (period.contains("W"), _WEEK),
        (period.length() == len("2026-07"), _MONTH),
        else_=_DAY,
    )


def _first_day(length: ir.IntegerValue, last: ir.TimestampValue) -> ir.TimestampValue:
    return ibis.cases(
        (length == _YEAR, last.truncate("Y")),
        (length == _HALF, last.truncate("Q") - ibis.interval(months=3)),
        (length == _QUARTER, last.truncate("Q")),
        (length == _MONTH, last.truncate("M")),
        (length == _WEEK, last - ibis.interval(days=6)),
        else_=last,
    )


def with_amount(targets: ir.Table, sold: ir.Table) -> ir.Table:
    """Targets with `amount`: what was signed in their days by those whom they are for.

    Parameters
    ----------
    sold
        `seller_id` (a person's or a team's id, as in `scope_id`), `signed_at`, `worth`.
    """
    inside = [
        targets.scope_id == sold.seller_id,
        sold.signed_at >= targets.starts,
        sold.signed_at < targets.ends_on + ONE_DAY,
    ]
    met = targets.left_join(sold, inside)
    return met.group_by(targets.columns).aggregate(amount=met.worth.sum().fill_null(0.0))


def sold_by_person(crm: Crm) -> ir.Table:
    """`seller_id, signed_at, worth` of valid contracts by who signed them."""
    contracts = valid_contracts(crm)
    return contracts.select(seller_id="owner_id", signed_at="signed_at", worth=contracts.amount.cast("float64"))


def sold_by_team(crm: Crm) -> ir.Table:
    """`seller_id, signed_at, worth` of valid contracts by the team that their owner was in when they were signed."""
    contracts = with_team(crm, valid_contracts(crm), key=("contract_id",), person="owner_id", time="signed_at")
    return contracts.select(seller_id="team_id", signed_at="signed_at", worth=contracts.amount.cast("float64"))


def with_team(crm: Crm, rows: ir.Table, *, key: tuple[str, ...], person: str, time: str) -> ir.Table:
    """Rows with the `team_id` of a person at a time, null where there was none; of overlapping teams the last joined.

    Parameters
    ----------
    key
        Columns that tell the rows apart.
    """
    stays = crm.assignments.select("team_id", member_id="person_id", since="since", last="until")
    during = [
        rows[person] == stays.member_id,
        stays.since.isnull() | (stays.since <= rows[time]),
        stays["last"].isnull() | (rows[time] < stays["last"] + ONE_DAY),
    ]
    placed = rows.left_join(stays, during)
    order = [placed.since.desc(nulls_first=False), placed.team_id.desc()]
    turn = ibis.row_number().over(group_by=[placed[column] for column in key], order_by=order)
    return placed.mutate(turn=turn).filter(lambda found: found.turn == 0).select(*rows.columns, "team_id")


def employed_on(crm: Crm, days: ir.Table, day: str) -> ir.Table:
    """`person_id` and the day, for everybody employed on each of some days."""
    people = crm.people.select("person_id", "hired_on", "left_on")
    during = [
        people.hired_on.isnull() | (people.hired_on < days[day] + ONE_DAY),
        people.left_on.isnull() | (people.left_on >= days[day]),
    ]
    return days.inner_join(people, during).select("person_id", day)


def members_on(crm: Crm, days: ir.Table, day: str) -> ir.Table:
    """`person_id, team_id` and the day, for everybody employed and in a team on each of some days."""
    placed = with_team(crm, employed_on(crm, days, day), key=("person_id", day), person="person_id", time=day)
    return placed.filter(placed.team_id.notnull())


def in_equal_parts(met: ir.Table, members: ir.Table) -> ir.Table:
    """Targets of groups and their amounts, in equal parts for each member on the last day: `person_id, ...`.

    Then the ratio is the group's for every member, and the sums over the members are the group's own.

    Parameters
    ----------
    members
        `person_id, group_id, on_day`.
    """
    shared = met.inner_join(members, [met.scope_id == members.group_id, met.ends_on == members.on_day])
    heads = shared.person_id.count().over(group_by=[shared.scope_id, shared.ends_on, shared.length]).cast("float64")
    return shared.select("person_id", "ends_on", amount=shared.amount / heads, base=shared.base / heads)
