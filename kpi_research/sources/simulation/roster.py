"""Who sits at which desk and in which team, month by month, and what each person is like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpi_research.sources.simulation.calendar import AHEAD, RUN_UP, Calendar
from kpi_research.sources.simulation.company import Company
from kpi_research.sources.simulation.frames import canonical, choose, ids, named
from kpi_research.sources.simulation.words import people_names, team_name, team_region

LEAVING = 0.009
"""Chance to leave at a month's end: about one in ten leaves in a year."""
SHORTEST_STAY = 4
"""Months before somebody leaves."""
PEOPLE_A_MOVE = 12
"""One in so many changes places with somebody of another team, once."""
TALENT_SD, TEAM_TALENT_SD = 0.22, 0.08


@dataclass(frozen=True, eq=False)
class Roster:
    """Desks and their people; matrices have one row a desk and one column a month of `Calendar.span`.

    Parameters
    ----------
    occupant
        Code of the person at each desk in each month.
    team
        Code of the team each desk belongs to on the first day of each month.
    moved_on
        Monday on which a desk changed its team (datetime64[D], NaT where never), one for each desk.
    desk, first, last
        For each person: the desk, and the first and last month there, by number.
    """

    occupant: np.ndarray
    team: np.ndarray
    moved_on: np.ndarray
    desk: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @property
    def person_ids(self) -> pd.Series:
        """Ids of the people, by code."""
        return ids("E", len(self.desk), 4)

    @property
    def team_ids(self) -> pd.Series:
        """Ids of the teams, by code."""
        return ids("T", int(self.team.max()) + 1, 2)

    def person(self, desk: np.ndarray, month: np.ndarray) -> np.ndarray:
        """Who sits at each desk in each month; outside the simulated months, in the nearest of them."""
        return self.occupant[desk, np.clip(month + RUN_UP, 0, self.occupant.shape[1] - 1)]

    def stayed(self, lag: int) -> np.ndarray:
        """Whether the same person sat at the desk `lag` months before, by desk and month."""
        earlier = np.roll(self.occupant, lag, axis=1)
        earlier[:, :lag] = -1
        return earlier == self.occupant


@dataclass(frozen=True, eq=False)
class Traits:
    """What people are like, one value a person.

    Parameters
    ----------
    talent
        Log points above or below the others in wins.
    liked
        Standard scores: how customers and colleagues rate them.
    follows_up
        Chance of a second contact on the next working day after a first visit.
    keeps
        Chance that a customer whose contract ends signs again.
    late, careless
        Share of records typed in late, and of fields left empty.
    """

    talent: np.ndarray
    liked: np.ndarray
    follows_up: np.ndarray
    keeps: np.ndarray
    late: np.ndarray
    careless: np.ndarray


def draw_roster(company: Company, rng: np.random.Generator) -> Roster:
    """Desks dealt out to the teams in turn; some people leave and are replaced, a few change places."""
    months = company.months
    leaving = rng.random((company.people, months - 1)) < LEAVING
    leaving[:, : SHORTEST_STAY - 1] = False
    occupant = np.tile(np.arange(company.people)[:, None], RUN_UP + months + AHEAD)
    desk, first = list(range(company.people)), [-RUN_UP] * company.people
    for month, place in np.argwhere(leaving.T):
        if month + 1 - max(first[occupant[place, RUN_UP + month]], 0) < SHORTEST_STAY:
            continue
        occupant[place, RUN_UP + month + 1 :] = len(desk)
        desk.append(int(place))
        first.append(int(month) + 1)
    present = occupant == np.arange(len(desk))[:, None, None]
    last = present.any(axis=1).cumsum(axis=1).argmax(axis=1) - RUN_UP
    team, moved_on = _teams(company, rng)
    return Roster(occupant, team, moved_on, np.array(desk), np.array(first), last)


def _teams(company: Company, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    home = np.arange(company.people) % company.teams
    team = np.tile(home[:, None], RUN_UP + company.months + AHEAD)
    moved_on = np.full(company.people, np.datetime64("NaT"), "M8[D]")
    start = np.datetime64(company.first_month, "M")
    middles = [month for month in range(1, company.months - 1) if (start + month).astype(int) % 3 == 1]
    order = rng.permutation(company.people)
    for one, other in zip(order[::2], order[1::2], strict=False):
        if (~np.isnat(moved_on)).sum() >= company.people // PEOPLE_A_MOVE or not middles:
            break
        if home[one] != home[other]:
            month = int(rng.choice(middles))
            moved_on[[one, other]] = np.busday_offset((start + month).astype("M8[D]") + 9, 0, "forward", "Mon")
            team[one, RUN_UP + month + 1 :], team[other, RUN_UP + month + 1 :] = home[other], home[one]
    return team, moved_on


def draw_traits(roster: Roster, rng: np.random.Generator) -> Traits:
    """What the people are like; those of one team are a little alike in talent."""
    count = len(roster.desk)
    shared = rng.normal(0, TEAM_TALENT_SD, len(roster.team_ids))[roster.team[roster.desk, 0]]
    return Traits(
        talent=shared + rng.normal(0, TALENT_SD, count),
        liked=rng.normal(size=count),
        follows_up=rng.uniform(0.35, 0.60, count),
        keeps=rng.uniform(0.68, 0.90, count),
        late=rng.beta(2, 12, count),
        careless=rng.beta(2, 30, count),
    )


def people_table(roster: Roster, calendar: Calendar, *, rng: np.random.Generator) -> pd.DataFrame:
    """The people; who was there from the start had been hired one to eight years before."""
    count = len(roster.desk)
    founders = roster.first < 0
    hired = calendar.first_day(np.maximum(roster.first, 0))
    hired = np.where(founders, hired - rng.integers(400, 2900, count), hired)
    heads = roster.desk < len(roster.team_ids)
    senior = (hired < calendar.start.astype("M8[D]") - 1200).astype(int)
    return canonical(
        "people",
        {
            "person_id": roster.person_ids,
            "name": people_names(count, rng),
            "role": choose(("销售代表", "高级销售", "销售经理"), np.where(heads, 2, senior)),
            "employee_no": ids("1", count, 5),
            "hired_on": hired,
            "left_on": _last_day(roster, calendar),
        },
    )


def teams_table(roster: Roster) -> pd.DataFrame:
    """The teams and their regions."""
    numbers = range(len(roster.team_ids))
    return canonical(
        "teams",
        {
            "team_id": roster.team_ids,
            "name": [team_name(number) for number in numbers],
            "sales_model": ["直销"] * len(numbers),
            "region": [team_region(number) for number in numbers],
        },
    )


def assignments_table(roster: Roster, calendar: Calendar) -> pd.DataFrame:
    """Who was in which team from when until when, both days included; it starts with the data."""
    since = calendar.first_day(np.maximum(roster.first, 0))
    until = _last_day(roster, calendar)
    moved = roster.moved_on[roster.desk]
    before, after = roster.team[roster.desk, 0], roster.team[roster.desk, -1]
    stays = pd.DataFrame({"person": np.arange(len(since)), "since": since, "until": until})
    splits = (moved > since) & ~(moved > until)
    stays["team"] = np.where(moved <= since, after, before)
    second = stays[splits].assign(since=moved[splits], team=after[splits])
    stays.loc[splits, "until"] = moved[splits] - 1
    rows = pd.concat([stays, second]).sort_values(["person", "since"])
    return canonical(
        "assignments",
        {
            "person_id": named(roster.person_ids, rows["person"].to_numpy()),
            "team_id": named(roster.team_ids, rows["team"].to_numpy()),
            "since": rows["since"],
            "until": rows["until"],
        },
    )


def _last_day(roster: Roster, calendar: Calendar) -> np.ndarray:
    """The day on which each person left (datetime64[D]); NaT for those who are there."""
    there = roster.last >= calendar.months - 1
    return np.where(there, np.datetime64("NaT", "D"), calendar.first_day(roster.last + 1) - 1)
