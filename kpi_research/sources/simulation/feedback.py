"""What customers and colleagues say, and what people learn and share."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpi_research.sources.simulation.calendar import RUN_UP, Calendar, spread
from kpi_research.sources.simulation.causes import Causes
from kpi_research.sources.simulation.diary import deal_in_hand
from kpi_research.sources.simulation.frames import canonical, ids, named
from kpi_research.sources.simulation.pipeline import account_ids
from kpi_research.sources.simulation.roster import Roster, Traits

# kind: answers a month and person, lowest and highest score, mean, what being liked adds, scatter
CUSTOMERS = {"csat": (2.0, 1, 5, 4.2, 0.2, 0.8), "nps": (3.0, 0, 10, 8.6, 0.4, 1.9)}
PEERS = (1, 10, 7.9, 0.5, 0.9)
RATERS = 4
TRAININGS = 1.0
"""Trainings a month and person."""


def surveys_table(
    deals: pd.DataFrame, calendar: Calendar, *, roster: Roster, traits: Traits, rng: np.random.Generator
) -> pd.DataFrame:
    """Answers of customers all the time, of colleagues of the same team in the last month of each quarter."""
    parts = [_from_customers(kind, deals, calendar, roster=roster, traits=traits, rng=rng) for kind in CUSTOMERS]
    parts += [
        _from_colleagues(month, calendar, roster=roster, traits=traits, rng=rng)
        for month in range(calendar.months)
        if (calendar.start + month).astype(int) % 3 == 2
    ]
    rows = pd.concat(parts).sort_values("answered", kind="stable", ignore_index=True)
    return canonical(
        "surveys",
        {
            "survey_id": ids("S", len(rows), 6),
            "kind": rows["kind"],
            "account_id": named(account_ids(deals), rows["account"].to_numpy()),
            "subject_id": named(roster.person_ids, rows["subject"].to_numpy()),
            "rater_id": named(roster.person_ids, rows["rater"].to_numpy()),
            "score": rows["score"],
            "scale_min": rows["low"],
            "scale_max": rows["high"],
            "answered_at": rows["answered"],
        },
    )


def learning_table(causes: Causes, calendar: Calendar, *, roster: Roster, rng: np.random.Generator) -> pd.DataFrame:
    """Sharing sessions as `causes` counts them, and trainings, each confirmed by the first of the desk's team."""
    trainings = rng.poisson(TRAININGS * calendar.inside, roster.occupant.shape)
    parts = []
    for kind, counts in (("sharing", causes.counts["sharing"]), ("training", trainings)):
        desk, month = spread(counts)
        parts.append(
            pd.DataFrame({"kind": kind, "desk": desk, "month": month, "occurred": calendar.moments(month, rng)})
        )
    rows = pd.concat(parts).sort_values("occurred", kind="stable", ignore_index=True)
    desk, month = rows["desk"].to_numpy(), rows["month"].to_numpy()
    return canonical(
        "learning",
        {
            "record_id": ids("G", len(rows), 6),
            "person_id": named(roster.person_ids, roster.person(desk, month)),
            "kind": rows["kind"],
            "occurred_at": rows["occurred"],
            "confirmed_by": named(roster.person_ids, roster.person(roster.team[desk, 0], month)),
        },
    )


def _from_customers(
    kind: str, deals: pd.DataFrame, calendar: Calendar, *, roster: Roster, traits: Traits, rng: np.random.Generator
) -> pd.DataFrame:
    usual, *scale = CUSTOMERS[kind]
    desk, month = spread(rng.poisson(usual * calendar.inside, roster.occupant.shape))
    answered = calendar.moments(month, rng)
    account = deals["account"].to_numpy()[deal_in_hand(deals, desk, times=answered, rng=rng)]
    rows = pd.DataFrame({"kind": kind, "subject": roster.person(desk, month), "answered": answered, "account": account})
    return _scored(rows.assign(rater=-1), tuple(scale), traits=traits, rng=rng)


def _from_colleagues(
    month: int, calendar: Calendar, *, roster: Roster, traits: Traits, rng: np.random.Generator
) -> pd.DataFrame:
    """Each is rated by those who come next in a shuffled circle of the team."""
    people, team = roster.occupant[:, RUN_UP + month], roster.team[:, RUN_UP + month]
    order = rng.permutation(len(people))
    order = order[np.argsort(team[order], kind="stable")]
    size = np.bincount(team)[team[order]]
    start = np.searchsorted(team[order], team[order])
    place = np.arange(len(order))
    circles = []
    for step in range(1, RATERS + 1):
        rated = size > step
        rater = start + (place - start + step) % size
        circles.append(pd.DataFrame({"subject": people[order][rated], "rater": people[order][rater][rated]}))
    rows = pd.concat(circles, ignore_index=True).assign(kind="peer", account=-1)
    rows["answered"] = calendar.moments(np.full(len(rows), month), rng)
    return _scored(rows, PEERS, traits=traits, rng=rng)


def _scored(rows: pd.DataFrame, scale: tuple[float, ...], *, traits: Traits, rng: np.random.Generator) -> pd.DataFrame:
    low, high, mean, liking, scatter = scale
    felt = mean + liking * traits.liked[rows["subject"]] + rng.normal(0, scatter, len(rows))
    return rows.assign(score=felt.round().clip(low, high), low=float(low), high=float(high))
