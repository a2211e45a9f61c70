"""What people did all day, and when they typed it in."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpi_research.sources.simulation.calendar import Calendar, by_day, days_long, spread
from kpi_research.sources.simulation.causes import Causes
from kpi_research.sources.simulation.deals import on_one_line, owner_at
from kpi_research.sources.simulation.frames import canonical, ids, named
from kpi_research.sources.simulation.pipeline import account_ids, deal_ids
from kpi_research.sources.simulation.roster import Roster, Traits

MINUTES = {"visit": 75, "call": 9, "demo": 60, "proposal": 120, "quote": 30, "survey": 40, "message": 4, "meeting": 50}
KINDS = tuple(MINUTES)
IN_HAND = 30
"""How many of a desk's latest opportunities are worked on."""
EFFECTIVE = 0.65
BACK_DATED = 0.85
"""Share of the unexpected wins whose proposal is typed in after the signing."""
TYPED_IN_AFTER_DAYS = (1.0, 7.0)
USUAL_DELAY_DAYS, LATE_DELAY_DAYS = 0.5, (3.0, 25.0)


def activities_table(
    deals: pd.DataFrame, causes: Causes, *, calendar: Calendar, roster: Roster, traits: Traits, rng: np.random.Generator
) -> pd.DataFrame:
    """All activities: what `causes` counts, second contacts after first visits, and proposals typed in afterwards."""
    planned = _planned(deals, causes, calendar=calendar, rng=rng)
    desks, times = planned["desk"].to_numpy(), planned["occurred"].to_numpy()
    planned["person"] = owner_at(desks, times, calendar=calendar, roster=roster)
    leaves = calendar.evening(np.minimum(roster.last, calendar.months - 1))
    rows = pd.concat([planned, _second_contacts(planned, calendar, leaves=leaves, traits=traits, rng=rng)])
    rows["recorded"] = by_day(rows["occurred"].to_numpy() + _delay(traits.late[rows["person"]], rng))
    rows["recorded"] = np.minimum(rows["recorded"].to_numpy(), leaves[rows["person"]])
    rows = pd.concat([rows, _back_dated(deals, calendar, roster=roster, leaves=leaves, rng=rng)])
    rows = rows.sort_values("occurred", kind="stable", ignore_index=True)
    usual = np.array(list(MINUTES.values()))[rows["kind"]]
    return canonical(
        "activities",
        {
            "activity_id": ids("X", len(rows), 7),
            "person_id": named(roster.person_ids, rows["person"].to_numpy()),
            "kind": named(pd.Series(KINDS), rows["kind"].to_numpy()),
            "account_id": named(account_ids(deals), deals["account"].to_numpy()[rows["deal"]]),
            "opportunity_id": named(deal_ids(deals), _while_open(deals, rows)),
            "occurred_at": rows["occurred"],
            "recorded_at": rows["recorded"],
            "minutes": (usual * rng.uniform(0.6, 1.5, len(rows))).round(),
            "effective": rng.random(len(rows)) < EFFECTIVE,
        },
    )


def deal_in_hand(deals: pd.DataFrame, desks: np.ndarray, *, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Code of one of the latest opportunities of each desk at each time."""
    order = np.lexsort((deals["created"], deals["desk"]))
    line = on_one_line(deals["desk"].to_numpy()[order], deals["created"].to_numpy()[order])
    latest = np.searchsorted(line, on_one_line(desks, times))
    start = np.searchsorted(deals["desk"].to_numpy()[order], desks)
    return order[np.maximum(latest - 1 - rng.integers(IN_HAND, size=len(desks)), start)]


def _planned(deals: pd.DataFrame, causes: Causes, *, calendar: Calendar, rng: np.random.Generator) -> pd.DataFrame:
    """desk, kind (code), occurred, deal (code)."""
    parts = []
    for kind in KINDS:
        desk, month = spread(causes.counts[kind])
        parts.append(pd.DataFrame({"desk": desk, "kind": KINDS.index(kind), "occurred": calendar.moments(month, rng)}))
    planned = pd.concat(parts, ignore_index=True)
    planned["deal"] = deal_in_hand(deals, planned["desk"].to_numpy(), times=planned["occurred"].to_numpy(), rng=rng)
    return planned


def _second_contacts(
    planned: pd.DataFrame, calendar: Calendar, *, leaves: np.ndarray, traits: Traits, rng: np.random.Generator
) -> pd.DataFrame:
    """A message on the next working day, at an earlier hour, after some first visits to an account."""
    visits = planned[planned["kind"] == KINDS.index("visit")].sort_values("occurred", kind="stable")
    first = visits[~visits.duplicated("deal")]
    first = first[rng.random(len(first)) < traits.follows_up[first["person"]]]
    visited = first["occurred"].to_numpy().astype("M8[m]")
    since_nine = visited - visited.astype("M8[D]") - np.timedelta64(9, "h")
    hour = np.timedelta64(9, "h") + (since_nine.astype(int) * rng.random(len(first))).astype("m8[m]")
    second = first.assign(
        kind=KINDS.index("message"), occurred=calendar.working_day(visited, later=1).astype("M8[m]") + hour
    )
    return second[second["occurred"].to_numpy() <= leaves[second["person"]]]


def _back_dated(
    deals: pd.DataFrame, calendar: Calendar, *, roster: Roster, leaves: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """Proposals for unexpected wins, typed in days after the signing and dated in the month before it."""
    won = deals[deals["won"] & deals["unexpected"] & (rng.random(len(deals)) < BACK_DATED)]
    desk, signed = won["desk"].to_numpy(), won["closed"].to_numpy()
    month = calendar.month_of(signed)
    person = roster.person(desk, month)
    recorded = calendar.at_work(signed + days_long(rng.uniform(*TYPED_IN_AFTER_DAYS, len(won))), rng)
    rows = pd.DataFrame({"desk": desk, "kind": KINDS.index("proposal"), "deal": won.index, "person": person})
    rows["occurred"], rows["recorded"] = calendar.moments(month - 1, rng), recorded
    return rows[(month > np.maximum(roster.first[person], 0)) & (recorded <= leaves[person])]


def _delay(late: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    usual = rng.exponential(USUAL_DELAY_DAYS, len(late)).clip(0.01, 2)
    return days_long(np.where(rng.random(len(late)) < late, rng.uniform(*LATE_DELAY_DAYS, len(late)), usual))


def _while_open(deals: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """The opportunities, and -1 where they were closed already: the account is worked on, not the deal."""
    return np.where(deals["closed"].to_numpy()[rows["deal"]] >= rows["occurred"].to_numpy(), rows["deal"], -1)
