"""People: in no team, on file twice, at work before they came or after they left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ibis
import ibis.expr.types as ir

from kpi_research.integrity.check import Check, Given, Measured, counted


def measured(given: Given) -> Iterator[Measured]:
    """Who cannot be told apart or placed, and activities outside of somebody's time with the company."""
    yield from counted(CHECKS, given)


def with_team(tables: Mapping[str, ir.Table]) -> ir.Table:
    """People with how many have their name, and with their own id once more if they were ever in a team."""
    people = tables["people"]
    people = people.mutate(namesakes=people.count().over(group_by="name"))
    if "assignments" not in tables:
        return people.mutate(assigned=ibis.null("string"))
    assigned = tables["assignments"].select(assigned="person_id").distinct()
    return people.left_join(assigned, people.person_id == assigned.assigned)


def with_employment(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Activities with the days on which their person came and left."""
    activities = tables["activities"]
    return activities.left_join(tables["people"].select("person_id", "hired_on", "left_on"), "person_id")


CHECKS = (
    Check("no_team", "people", "person_id", lambda rows: rows.assigned.isnull(), rows=with_team),
    Check("same_name", "people", "name", lambda rows: rows.namesakes > 1, rows=with_team),
    Check(
        "before_hiring",
        "activities",
        "occurred_at",
        lambda rows: rows.occurred_at < rows.hired_on,
        needs=("people.hired_on",),
        rows=with_employment,
        among=lambda rows: rows.hired_on.notnull(),
    ),
    Check(
        "after_leaving",
        "activities",
        "occurred_at",
        lambda rows: rows.occurred_at >= rows.left_on + ibis.interval(days=1),
        needs=("people.left_on",),
        rows=with_employment,
        among=lambda rows: rows.left_on.notnull(),
    ),
)
