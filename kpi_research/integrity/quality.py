"""How far the data can be trusted: every check, every person's months, and one grade."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass

import ibis.expr.types as ir
import pandas as pd

from kpi_research.integrity.check import Given, Measured
from kpi_research.integrity.checks import clock, contract, coverage, deals, doubles, entry, people, values
from kpi_research.integrity.standards import STANDARDS, overall

FAMILIES = (entry, doubles, values, clock, deals, people, contract)
OBSERVATION_COLUMNS = [
    "check", "table", "column", "grade", "n", "affected", "share", "limit", "in_charge", "effect", "example", "value",
    "detail", "missing",
]  # fmt: skip


@dataclass(frozen=True)
class Quality:
    """How far the data can be trusted.

    Parameters
    ----------
    observations
        A row a finding: `check, table, column`; `grade` (A good to D bad, N not looked at); `n` rows looked at,
        `affected` of them and their `share`; `limit`, the largest share that is an A; `in_charge`; `effect`;
        `example`, the id of one record; `value` and `detail`, which single checks explain; `missing`, what stopped a
        check.
    coverage
        `person_id, month, working_days, activities, opportunities, contracts, status`: `recorded`, `silent` (a
        week of work or more and no record: unknown, not zero) or `absent`.
    grade
        Of the data as a whole.
    """

    observations: pd.DataFrame
    coverage: pd.DataFrame
    grade: str


def observe(
    tables: Mapping[str, ir.Table],
    *,
    row_counts: pd.DataFrame,
    rules: pd.DataFrame,
    roster: pd.DataFrame,
    until: dt.date,
    timezone: str,
) -> Quality:
    """Look at the kept rows of a client from every side.

    Parameters
    ----------
    tables
        Canonical tables by name, typed, on one engine.
    row_counts
        `table, file, read, left_out, rejected, kept`.
    rules
        `table, rule, column, severity, rows`: what the contract rejected or counted.
    roster
        `person_id, team_id, day, working`.
    until
        The last day that the data cover.
    timezone
        IANA name of the zone in which the tables' times are.
    """
    given = Given(tables, row_counts, rules, roster, until, timezone)
    months = coverage.coverage(given)
    found = [*coverage.measured(months, given), *(each for family in FAMILIES for each in family.measured(given))]
    observations = pd.DataFrame([_graded(each) for each in found], columns=OBSERVATION_COLUMNS)
    return Quality(observations, months, overall(zip(observations["grade"], observations["effect"], strict=True)))


def _graded(found: Measured) -> tuple[object, ...]:
    standard = STANDARDS[found.check]
    share = found.affected / found.n if found.n else math.nan
    judged = (standard.grade(share), found.n, found.affected, share, standard.limits[0])
    said = (standard.in_charge, standard.effect, found.example, found.value, found.detail, found.missing)
    return (found.check, found.table, found.column, *judged, *said)
