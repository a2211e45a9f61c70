"""From above and from below: what the goal asks of each person beside what each says they can bring.

Nothing is changed here. A gap is a reason to talk, and who gives way is decided by people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from kpi_research.appraisal.decompose import Split
from kpi_research.errors import InputError, Problem

PERSON_COLUMNS = ["person_id", "team_id", "asked", "offered", "gap", "gap_share", "side"]
TEAM_COLUMNS = ["team_id", "people", "silent", "asked", "asked_of_speakers", "offered", "gap", "gap_share", "side"]
ROUNDING = 1e-9
"""An offer on the edge of the band is inside it, whatever its last digit."""
Side = Literal["above", "within", "below", "silent", "not_asked"]


@dataclass(frozen=True)
class Reconciliation:
    """The goal from above and from below in one period.

    Parameters
    ----------
    people
        In `PERSON_COLUMNS`, a row a person; `gap` is offered - asked, `gap_share` that over what was asked (null where
        nothing was). `side`: `above`, `within` (the goal's band), `below`, `silent` (said nothing) or `not_asked` (said
        something, though the goal asks nothing of them).
    teams
        In `TEAM_COLUMNS`; a gap compares those who said something with what is asked of these, and the rest is counted
        as `silent`.
    total
        The same over everybody.
    """

    people: pd.DataFrame
    teams: pd.DataFrame
    total: pd.Series


def reconcile(split: Split, offers: pd.DataFrame, *, period: str, teams: dict[str, str]) -> Reconciliation:
    """Hold people's own numbers beside the split of the goal.

    Parameters
    ----------
    offers
        `person_id, amount`, one row a person: what each says they can bring in the period, in the goal's unit.
    period
        Name of a quarter, month or week of the goal.
    teams
        Person -> team in which they are counted.

    Raises
    ------
    InputError
        If the goal has no parts in that period, or a person offers twice or an amount that is no number.
    """
    rows = split.rows[(split.rows["scope"] == "person") & (split.rows["period"] == period)]
    problems = _problems(split, rows, offers, period)
    if problems:
        raise InputError(problems)
    asked = rows.set_index("scope_id")["base"]
    offered = offers.set_index("person_id")["amount"].astype(float)
    everybody = asked.index.union(offered.index)
    people = pd.DataFrame({"asked": asked.reindex(everybody), "offered": offered.reindex(everybody)})
    people["team_id"] = [teams.get(person, "") for person in everybody]
    people = _compared(people.rename_axis("person_id").reset_index(), split.goal.band)
    return Reconciliation(
        people[PERSON_COLUMNS],
        _summed(people, people["team_id"], split.goal.band),
        _summed(people, pd.Series("", index=people.index), split.goal.band).iloc[0],
    )


def _problems(split: Split, rows: pd.DataFrame, offers: pd.DataFrame, period: str) -> list[Problem]:
    known = split.rows.loc[split.rows["scope"] == "person", "period"].unique()
    problems = []
    if split.spread != "split" or rows.empty:
        problems.append(Problem("goals.no_parts", values={"period": period}, given=period, allowed=tuple(known)))
    twice = offers.loc[offers["person_id"].duplicated(), "person_id"].unique()
    wrong = offers.loc[~np.isfinite(pd.to_numeric(offers["amount"], errors="coerce")), "person_id"].unique()
    problems += [Problem("goals.offer_twice", values={"person": person}) for person in twice]
    return problems + [Problem("goals.offer_no_number", values={"person": person}) for person in wrong]


def _compared(rows: pd.DataFrame, band: float) -> pd.DataFrame:
    """With the gap and its side."""
    gap = rows["offered"] - rows["asked"]
    size = rows["asked"].abs()
    outside = gap.abs() > band * size * (1 + ROUNDING)
    side = np.select(
        [rows["offered"].isna(), rows["asked"].isna(), outside & (gap > 0), outside & (gap < 0)],
        ["silent", "not_asked", "above", "below"],
        "within",
    )
    return rows.assign(gap=gap, gap_share=(gap / size).where(size > 0), side=side)


def _summed(people: pd.DataFrame, by: pd.Series, band: float) -> pd.DataFrame:
    spoke = people["offered"].notna()
    parts = pd.DataFrame(
        {
            "team_id": by,
            "people": 1,
            "silent": ~spoke,
            "asked_of_all": people["asked"].fillna(0.0),
            "asked": people["asked"].fillna(0.0).where(spoke, 0.0),
            "offered": people["offered"].fillna(0.0),
        }
    )
    sums = parts.groupby("team_id", as_index=False).sum()
    sums["offered"] = sums["offered"].where(sums["silent"] < sums["people"])
    found = _compared(sums, band).rename(columns={"asked": "asked_of_speakers", "asked_of_all": "asked"})
    return found[TEAM_COLUMNS]
