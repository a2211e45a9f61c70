"""From where a deal stands and how old it is to the chance that it is won within a number of weeks.

Deals move between the open stages, won and lost from week to week of their age. The matrix of a week's moves, estimated
from all deals that were seen at that age, is the Aalen-Johansen estimator on a weekly grid; products of matrices are
the chances over several weeks. The clock is the age of the deal, not the time in its stage: what has been open for
long is rarely won, wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpi_research.funnel.records import Records
from kpi_research.funnel.survival import Array

WEEK = pd.Timedelta(days=7)
NEIGHBOURS = 2
"""Moves at an age are pooled with those so many weeks younger and older: a single week has few of them."""
LEAST_AT_AGE = 20
"""Older than the last week at which so many deals were seen, all ages are one."""


@dataclass(frozen=True)
class Moves:
    """Seen moves: `case` (code), `age` (weeks), `origin` and `target`: the open stages first, then won, then lost."""

    case: Array
    age: Array
    origin: Array
    target: Array
    cases: int
    open_states: int

    @property
    def oldest(self) -> int:
        """The age from which on all ages are one."""
        seen = np.bincount(self.age) if len(self.age) else np.zeros(1)
        enough = np.flatnonzero(seen >= LEAST_AT_AGE)
        return int(enough[-1]) if len(enough) else 0


def moves(records: Records) -> Moves:
    """Every whole week of a dated deal that lies inside the data: where it stood at its beginning and at its end."""
    model = records.model
    states = len(model.open)
    deals = records.cases[(records.cases["part"] == "deals") & records.cases["opened_at"].notna()]
    opened = deals["opened_at"].to_numpy("datetime64[s]")
    known = ((records.end.to_numpy() - opened) / WEEK.to_numpy()).astype(int)
    first = np.maximum(np.ceil((pd.Timestamp(records.since).to_numpy() - opened) / WEEK.to_numpy()), 0).astype(int)
    reached = _reached(records, deals["case_id"], states)
    closed = np.nan_to_num(((deals["closed_at"].to_numpy("datetime64[s]") - opened) / WEEK.to_numpy()), nan=np.inf)
    last = np.minimum(known, np.where(np.isinf(closed), known, np.floor(closed) + 1)).astype(int)
    length = np.maximum(last - first, 0)
    case = np.repeat(np.arange(len(deals)), length)
    age = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length) + np.repeat(first, length)
    origin = _place(reached, case, age, opened)
    target = _place(reached, case, age + 1, opened)
    done = (age + 1) > closed[case]
    won = (deals["outcome"] == "won").to_numpy()
    target = np.where(done, np.where(won[case], states, states + 1), target)
    alive = age <= closed[case]
    return Moves(case[alive], age[alive], origin[alive], target[alive], len(deals), states)


def win_odds(seen: Moves, *, weeks: int, weights: Array | None = None) -> Array:
    """Chance to be won within some weeks, by age in weeks up to `seen.oldest` and open stage.

    Parameters
    ----------
    weights
        (replicates, cases): how often each case counts in each resample.

    Returns
    -------
    numpy.ndarray of shape (replicates, ages, stages); one replicate without weights.

    Notes
    -----
    O. O. Aalen and S. Johansen (1978), see `survival.curves`. If the deals do not forget how they came to a stage, the
    estimate still is consistent for what deals do on the whole: S. Datta and G. A. Satten (2001), Validity of the
    Aalen-Johansen estimators of stage occupation probabilities when the Markov assumption fails, Statistics &
    Probability Letters 55(4), 403-411.
    """
    matrices = _matrices(seen, np.ones((1, seen.cases)) if weights is None else weights)
    ages, states = matrices.shape[1], seen.open_states + 2
    chance = np.zeros((len(matrices), ages, states))
    chance[..., seen.open_states] = 1.0
    following = np.minimum(np.arange(ages) + 1, ages - 1)
    for _ in range(weeks):
        ahead = chance[:, following]
        chance[..., : seen.open_states] = np.einsum("bast,bat->bas", matrices, ahead)
    return chance[..., : seen.open_states]


def _matrices(seen: Moves, weights: Array) -> Array:
    """(replicates, ages, open stages, states): shares of the moves at and around each age."""
    ages, states = seen.oldest + 1, seen.open_states + 2
    cell = (np.minimum(seen.age, ages - 1) * seen.open_states + seen.origin) * states + seen.target
    size = ages * seen.open_states * states
    counts = np.array([np.bincount(cell, weights=row[seen.case], minlength=size) for row in weights])
    counts = counts.reshape(len(weights), ages, seen.open_states, states)
    total = np.concatenate([np.zeros_like(counts[:, :1]), counts.cumsum(axis=1)], axis=1)
    age = np.arange(ages)
    # the last age stands for all older ones, whose chances are smaller: it lends to no other and borrows from none
    high = np.where(age == ages - 1, ages, np.minimum(age + NEIGHBOURS + 1, max(ages - 1, 1)))
    low = np.where(age == ages - 1, ages - 1, np.maximum(age - NEIGHBOURS, 0))
    pooled = total[:, high] - total[:, low]
    seen_at = pooled.sum(axis=3, keepdims=True)
    overall = counts.sum(axis=1, keepdims=True)
    # a stage in which no deal of this age was seen: what deals in that stage did at any age
    pooled = np.where(seen_at > 0, pooled, overall)
    seen_at = np.where(seen_at > 0, seen_at, overall.sum(axis=3, keepdims=True))
    return np.divide(pooled, seen_at, out=np.zeros_like(pooled), where=seen_at > 0)


def _reached(records: Records, case_ids: pd.Series, states: int) -> Array:
    """(cases, open stages): when each stage was reached, as datetime64; NaT where it never was."""
    rows = records.passages[(records.passages["part"] == "deals") & (records.passages["place"] < states)]
    table = np.full((len(case_ids), states), np.datetime64("NaT"), dtype="datetime64[s]")
    table[pd.Index(case_ids).get_indexer(rows["case_id"]), rows["place"].to_numpy()] = rows["entered_at"].to_numpy(
        "datetime64[s]"
    )
    return table


def _place(reached: Array, case: Array, age: Array, opened: Array) -> Array:
    """The open stage at an age: the last one reached by then."""
    at = opened[case] + age * WEEK.to_numpy().astype("timedelta64[s]")
    place = np.zeros(len(case), dtype=int)
    for stage in range(1, reached.shape[1]):
        place = np.where(reached[case, stage] <= at, stage, place)
    return place
