"""From the company's year to a person's week: parts that add up at every level, with the reason for each weight.

The chain is period, team, month, person, week. Each link shares out in whole steps what the link above was given
(`largest_remainder`), so that all levels add up to the unit; sums over other levels (a person's quarter, the company's
month) are sums of these parts. A week belongs to the month that its Thursday lies in, as in the numbering of ISO weeks:
then every week is in one month, one quarter and one year.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd

from kpi_research.appraisal.capacity import weeks_of
from kpi_research.appraisal.goal import Goal, Spread, spread_of, steps_of
from kpi_research.appraisal.largest_remainder import apportion, exact
from kpi_research.appraisal.season import Season
from kpi_research.errors import InputError, Problem
from kpi_research.kpis.definition import Kpi
from kpi_research.panel import COMPANY
from kpi_research.periods import ONE_DAY, Grain, Period

SPLIT_COLUMNS = ["scope", "scope_id", "grain", "period", "base", "stretch"]
TARGET_COLUMNS = [
    "scope", "scope_id", "kpi", "period", "base", "stretch", "band", "version", "effective_from", "approved_by",
    "reason",
]  # fmt: skip
_CHAIN = ("quarter", "team", "month", "person", "week")
_PEOPLE = ("team", "person")
_GRAINS_OF: dict[str, tuple[Grain, ...]] = {
    "company": ("year", "half_year", "quarter", "month"),
    "team": ("year", "half_year", "quarter", "month"),
    "person": ("quarter", "month", "week"),
}


@dataclass(frozen=True)
class Split:
    """A goal down to everybody.

    Parameters
    ----------
    rows
        In `SPLIT_COLUMNS`, a row an entity and period; `stretch` is null without one. Rows of one scope and grain add
        up to the goal where `spread` is `split`.
    spread
        See `goal.Spread`.
    season
        How the months were weighted.
    """

    goal: Goal
    rows: pd.DataFrame
    spread: Spread
    season: Season


@dataclass(frozen=True)
class _Leaf:
    """A person's week in a team, with its weight in the whole."""

    quarter: str
    team: str
    month: str
    person: str
    week: str
    weight: Fraction


def decompose(goal: Goal, *, kpi: Kpi, able: pd.DataFrame, season: Season, fiscal_year_starts: int = 1) -> Split:
    """A goal from the company's period down to each person's weeks.

    Parameters
    ----------
    kpi
        What the goal is counted by.
    able
        What people can do: `capacity` over the days of `weeks_of` the goal's period.
    season
        Weights of months; for `working_days` the weight of a month is the capacity in it.

    Notes
    -----
    A month's weight is the season's. Within it, teams and people count by capacity; where the goal gives shares of
    teams, these take the place of the teams' capacity, and people share within their team.

    Raises
    ------
    InputError
        If nobody is there in a month that has weight, or a team with a given share has nobody.
    """
    period, spread = Period.parse(goal.period, fiscal_year_starts), spread_of(kpi)
    if spread == "whole":
        rows = pd.DataFrame([("company", COMPANY, period.grain, period.name, goal.base, goal.stretch)])
        return Split(goal, rows.set_axis(SPLIT_COLUMNS, axis=1).astype({"stretch": float}), spread, season)
    leaves = _leaves(goal, period, able, season)
    steps = steps_of(goal)
    if spread == "same":
        return Split(goal, _same_for_all(goal, period, leaves), spread, season)
    base, more = ({id(leaf): part for leaf, part in _shared(leaves, total, _CHAIN)} for total in steps)
    frame = pd.DataFrame([(leaf.team, leaf.person, leaf.week, leaf.month) for leaf in leaves])
    frame = frame.set_axis(["team", "person", "week", "month"], axis=1)
    frame = frame.assign(base=[base[id(leaf)] for leaf in leaves], more=[more[id(leaf)] for leaf in leaves])
    return Split(goal, _summed(goal, period, frame), spread, season)


def _leaves(goal: Goal, period: Period, able: pd.DataFrame, season: Season) -> list[_Leaf]:
    """Persons' weeks with their weights: the month's, times the team's part of it, times the person's of the team."""
    months = period.split("month")
    cells = _cells(months, able)
    by_team = cells.groupby(["month", "team_id"])["capacity"].sum()
    by_month = by_team.groupby(level=0).sum()
    weights = {month.name: _weight_of(month, season, int(by_month.get(month.name, 0))) for month in months}
    empty = [name for name, weight in weights.items() if name not in by_month.index and (weight or by_month.empty)]
    if empty:
        raise InputError(Problem("goals.nobody_there", values={"periods": ", ".join(empty[:6])}))
    shares, quarter = _team_shares(goal, by_team), _names(months, "month" if period.grain == "month" else "quarter")
    return [
        _Leaf(
            quarter[month], team, month, person, week,
            weights[month] * shares[month, team] * Fraction(int(days), int(by_team[month, team])),
        )
        for month, team, person, week, days in cells.itertuples(index=False, name=None)
    ]  # fmt: skip


def _cells(months: Sequence[Period], able: pd.DataFrame) -> pd.DataFrame:
    """`month, team_id, person_id, week, capacity`."""
    days = [
        {"day": day, "month": month.name, "week": week.name}
        for month in months
        for week in weeks_of(month)
        for day in pd.date_range(week.start, week.end - ONE_DAY)
    ]
    placed = able.merge(pd.DataFrame(days).astype({"day": able["day"].dtype}), on="day")
    return placed.groupby(["month", "team_id", "person_id", "week"], as_index=False)["capacity"].sum()


def _weight_of(month: Period, season: Season, days: int) -> Fraction:
    if season.status == "working_days":
        return Fraction(days)
    return exact(round(season.weights[month.start.month], 6))


def _team_shares(goal: Goal, by_team: pd.Series) -> dict[tuple[str, str], Fraction]:
    """(month, team) -> its part of the month: as given, or by its people's days."""
    by_month = by_team.groupby(level=0).sum()
    given = goal.shares.get("team")
    if given is None:
        return {(month, team): Fraction(int(days), int(by_month[month])) for (month, team), days in by_team.items()}
    there = by_team.groupby(level=1).sum()
    problems = [
        Problem("goals.no_such_team", f"goals.{goal.name}.shares.team", {"team": team}, team, tuple(there.index))
        for team in given
        if team not in there.index
    ]
    if problems:
        raise InputError(problems)
    found: dict[tuple[str, str], Fraction] = {}
    for month, teams in by_team.groupby(level=0):
        here = {team: exact(given.get(team, 0)) for _, team in teams.index}
        whole = sum(here.values(), Fraction(0))
        if not whole:
            raise InputError(Problem("goals.nobody_there", values={"periods": str(month)}))
        found |= {(str(month), team): share / whole for team, share in here.items()}
    return found


def _shared(leaves: Sequence[_Leaf], total: int, chain: Sequence[str]) -> list[tuple[_Leaf, int]]:
    """Each leaf with its steps, link by link of the chain."""
    owed: defaultdict[tuple[str, ...], Fraction] = defaultdict(Fraction)

    def share(leaves: Sequence[_Leaf], total: int, chain: Sequence[str], group: str) -> list[tuple[_Leaf, int]]:
        if not chain or not total:
            return [(leaf, total) for leaf in leaves]
        link = chain[0]
        inside: defaultdict[str, list[_Leaf]] = defaultdict(list)
        for leaf in leaves:
            inside[getattr(leaf, link)].append(leaf)
        weights = {name: sum((leaf.weight for leaf in own), Fraction(0)) for name, own in inside.items()}
        whole = sum(weights.values(), Fraction(0))
        # only people are owed anything: in time, the odd step goes first to what comes first
        debts = {name: owed[link, group, name] for name in weights} if link in _PEOPLE else {}
        parts = apportion(total, weights, debts)
        for name in debts:
            owed[link, group, name] += total * weights[name] / whole - parts[name]
        found: list[tuple[_Leaf, int]] = []
        for name in sorted(inside):
            within = name if link == "team" else group
            found += share(inside[name], parts[name], chain[1:], within)
        return found

    return share(leaves, total, chain, "")


def _summed(goal: Goal, period: Period, frame: pd.DataFrame) -> pd.DataFrame:
    """Leaves summed to every scope and every grain that it has."""
    months = period.split("month")
    parts = []
    for scope, grains in _GRAINS_OF.items():
        who = frame[scope] if scope != "company" else pd.Series(COMPANY, index=frame.index)
        for grain in _inside(period, grains):
            when = frame["week"] if grain == "week" else frame["month"].map(_names(months, grain))
            sums = frame.groupby([who.rename("scope_id"), when.rename("period")])[["base", "more"]].sum().reset_index()
            parts.append(sums.assign(scope=scope, grain=grain))
    rows, step = pd.concat(parts, ignore_index=True), exact(goal.step)
    amounts = [[float(int(count) * step) for count in rows[name]] for name in ("base", "more")]
    stretch = [float(int(base + more) * step) for base, more in zip(rows["base"], rows["more"], strict=True)]
    rows = rows.assign(base=amounts[0], stretch=np.nan if goal.stretch is None else stretch)
    return rows[SPLIT_COLUMNS]


def _names(months: Sequence[Period], grain: Grain) -> dict[str, str]:
    """Month -> the longer period that it lies in."""
    return {each.name: Period.containing(each.start, grain, each.fiscal_year_starts).name for each in months}


def _inside(period: Period, grains: Sequence[Grain]) -> list[Grain]:
    """Those that are no longer than the period."""
    order: tuple[Grain, ...] = ("year", "half_year", "quarter", "month", "week")
    return [grain for grain in grains if order.index(grain) >= order.index(period.grain)]


def _same_for_all(goal: Goal, period: Period, leaves: Sequence[_Leaf]) -> pd.DataFrame:
    """A goal that is no sum: everybody's in every period, as it is."""
    frame = pd.DataFrame([(leaf.team, leaf.person, leaf.week, leaf.month) for leaf in leaves])
    frame = frame.set_axis(["team", "person", "week", "month"], axis=1).assign(base=0, more=0)
    rows = _summed(goal, period, frame)
    rows = rows[rows["grain"] != "week"].reset_index(drop=True)
    return rows.assign(base=goal.base, stretch=np.nan if goal.stretch is None else goal.stretch)


def target_rows(
    split: Split, *, version: str, effective_from: dt.date, approved_by: str = "", reason: str = ""
) -> pd.DataFrame:
    """The split, and the monthly targets of the goal's indicators, as rows of the canonical table `targets`.

    Parameters
    ----------
    approved_by
        Empty until somebody has approved it.
    """
    goal, rows = split.goal, split.rows
    own = rows.assign(kpi=goal.measure, band=goal.band)
    parts = [own]
    months = rows[rows["grain"] == "month"]
    for indicator, target in goal.monthly.items():
        there = months[months["scope"] == target.per]
        parts.append(there.assign(kpi=indicator, base=target.base, stretch=np.nan, band=goal.band))
    made = pd.concat(parts, ignore_index=True).assign(
        version=version,
        effective_from=pd.Timestamp(effective_from),
        approved_by=approved_by or None,
        reason=reason or None,
    )
    return made[TARGET_COLUMNS]
