"""Pace: what each working day that is left must bring, what those gone brought, and where that is likely to end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kpi_research.appraisal.attainment import FloatArray
from kpi_research.policy import INTERVAL_LEVEL

LEAST_WEEKS = 13
"""Past weeks without which no end is projected: a quarter of a year."""
LEAST_BUSY = 4
"""Of them, those with any result: of fewer events the end cannot be told."""
DRAWS = 1000
"""A probability then moves by less than two points from seed to seed."""
DAYS_A_WEEK = 5


@dataclass(frozen=True)
class Pace:
    """A sum on its way to a target.

    Parameters
    ----------
    target, made
        In the KPI's unit.
    made_per_day, needed_per_day
        Per working day: so far, and from now on; null without such days.
    low, middle, high
        Where the period may end, at `policy.INTERVAL_LEVEL`; null unless `status` is `ok`.
    miss
        Probability that the target is missed; null unless `status` is `ok`.
    certain
        Whether what is left is more than so many weeks in a row ever brought.
    status
        `ok`, or `too_few` past weeks.
    """

    target: float
    made: float
    made_per_day: float
    needed_per_day: float
    low: float
    middle: float
    high: float
    miss: float
    certain: bool
    status: Literal["ok", "too_few"]


def pace(
    target: float,
    made: float,
    history: FloatArray,
    days: FloatArray,
    *,
    days_done: int,
    days_left: int,
    rng: np.random.Generator,
) -> Pace:
    """Where a sum will end if its weeks go on as they did.

    Parameters
    ----------
    history, days
        Value and working days of the entity's own past weeks, oldest first.
    days_done, days_left
        Working days of the period up to today and after it.

    Notes
    -----
    Weeks to come are drawn from the past ones, whose shares are drawn as well, since so few weeks do not tell exactly
    what is usual: D. B. Rubin (1981), The Bayesian bootstrap, Annals of Statistics 9(1), 130-134. Weeks count alike
    whenever they were: a trend or a season is not carried on.
    """
    worked = days > 0
    rates = history[worked] / days[worked]
    missing = max(0.0, target - made)
    per_day = made / days_done if days_done else math.nan
    needed = missing / days_left if days_left else math.nan
    if len(rates) < LEAST_WEEKS or (rates > 0).sum() < LEAST_BUSY:
        unknown = math.nan
        return Pace(target, made, per_day, needed, unknown, unknown, unknown, unknown, certain=False, status="too_few")
    weeks = math.ceil(days_left / DAYS_A_WEEK)
    lengths = np.full(weeks, float(DAYS_A_WEEK))
    if weeks:
        lengths[-1] = days_left - DAYS_A_WEEK * (weeks - 1)
    ends = made + (_drawn(rates, weeks, rng) * lengths).sum(axis=1)
    tail = (1 - INTERVAL_LEVEL) / 2
    low, middle, high = (float(each) for each in np.quantile(ends, [tail, 0.5, 1 - tail]))
    certain = missing > _most(history[worked], weeks)
    miss = float((ends < target).mean())
    return Pace(target, made, per_day, needed, low, middle, high, miss, certain=certain, status="ok")


def _drawn(rates: FloatArray, weeks: int, rng: np.random.Generator) -> FloatArray:
    """`DRAWS` x weeks, drawn from the past weeks by shares that are drawn anew for each row."""
    shares = np.cumsum(rng.standard_exponential((DRAWS, len(rates))), axis=1)
    shares /= shares[:, -1:]
    row = np.arange(DRAWS)[:, None]
    # each row on its own stretch of the line, so that one search does for all
    at = np.searchsorted((shares + row).ravel(), rng.random((DRAWS, weeks)) + row, side="right")
    return rates[np.clip(at - row * len(rates), 0, len(rates) - 1)]


def _most(history: FloatArray, weeks: int) -> float:
    """The most that so many weeks in a row ever brought."""
    if not weeks:
        return 0.0
    sums = np.convolve(history, np.ones(min(weeks, len(history))), mode="valid")
    return float(sums.max()) * max(1.0, weeks / len(history))
