"""A result as it is: how much an effect is of it, and in which form it is asked whether there is one.

Most results move by amounts around a person's usual one: effects are told in within-person standard deviations, and the
values themselves are tested. Money and counts move by shares, with many zeros and now and then a huge value. One such
month decides a least-squares slope, and the usual swing of the result is so large that 24 % more of it for one usual
swing of the KPI is a tenth of a standard deviation: true drivers were called too small to matter. For them

- *how much* is a share of the result, by Poisson pseudo-maximum likelihood (`counts`), whose errors allow for the tail;
- *whether at all* is asked of log(1 + y / the person's usual y). One huge month weighs little there, nothing depends on
  the currency, and what moves everybody in proportion (a good season lifts the able by more) is swept out with the
  effects. That logarithm has no meaning as a size (Chen & Roth 2024) and is used for none.

Why, and what else was tried: `docs/decisions/0022-results-that-move-by-shares.md`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kpi_research.evidence.fixed_effects import Estimate, FloatArray
from kpi_research.evidence.grid import rows_of, within_spread

EffectUnit = Literal["within_sd", "share"]

LEAST_ZEROS = 0.05
"""Share of zeros from which a result without negative values is one that moves by shares."""

TAIL = 4.0
"""So is one without zeros if one value in a hundred is more than this many times the mean; an exponential
distribution's is 4.6, a normal one's of mean three standard deviations 1.8."""

COMPANY_MONTHS = 3
"""How many periods of the average person a person's usual result starts from, while their own periods are few."""


MOST = 1000.0
"""Times the result beyond which a change is told as this: an interval that reaches there has no end."""


@dataclass(frozen=True)
class Outcome:
    """A result, N x T each, NaN where there is none.

    Parameters
    ----------
    values
        In its natural unit.
    tested
        What is asked whether the KPI moves it: `values`, or their relative form.
    as_known
        The same as it could be written down at the time: nothing later is in it. What is forecast.
    unit
        What effects are told in: within-person standard deviations of `values`, or shares of them.
    slope
        How much `tested` rises with the logarithm of the expected result; 1 where it is `values`.
    """

    values: FloatArray
    tested: FloatArray
    as_known: FloatArray
    unit: EffectUnit
    slope: float


@dataclass(frozen=True)
class Unit:
    """How estimates are told: within-person standard deviations of the result for one of the KPI, or shares of it.

    Parameters
    ----------
    scale
        Factor to one within-person standard deviation of the KPI (and of the result, unless it goes by shares).
    per_unit
        Factor to the result's natural unit for one unit of the KPI: its mean where estimates are log points.
    """

    name: EffectUnit
    scale: float
    per_unit: float

    def told(self, scaled: float) -> float:
        """A scaled number as it is told; log points become a share (0.1: 10 % more)."""
        return float(np.expm1(np.minimum(scaled, math.log(MOST)))) if self.name == "share" else scaled

    def interval(self, estimate: Estimate, level: float = 0.95) -> tuple[float, float]:
        """The interval of an estimate as it is told."""
        low, high = estimate.scaled(self.scale).interval(level)
        return self.told(low), self.told(high)

    def margins(self, sesoi: float) -> tuple[float, float]:
        """The scaled numbers that are told as -`sesoi` and `sesoi`."""
        if self.name == "within_sd":
            return -sesoi, sesoi
        return math.log1p(-sesoi) if sesoi < 1 else -math.inf, math.log1p(sesoi)


def unit_of(outcome: Outcome, x: FloatArray) -> Unit:
    """How effects of the KPI x (N x T) on a result are told; its scale is NaN where the result does not vary."""
    sd_x, sd_y = (within_spread(rows_of(*pair))[0] for pair in ((x, outcome.values), (outcome.values, x)))
    if outcome.unit == "within_sd":
        return Unit("within_sd", sd_x / sd_y if sd_y > 0 else math.nan, 1.0)
    known = np.isfinite(x) & np.isfinite(outcome.values)
    return Unit("share", sd_x, float(np.mean(outcome.values[known])) if known.any() else math.nan)


def outcome_of(y: FloatArray) -> Outcome:
    """The result y (N x T) as it is, judged by itself alone: no KPI has a say in it."""
    if not goes_by_shares(y):
        return Outcome(y, y, y, "within_sd", 1.0)
    usual = _usual(y)
    relative = y / usual
    tested = np.log1p(relative)
    return Outcome(y, tested, np.log1p(y / _usual_so_far(y)), "share", _slope(relative[np.isfinite(relative)]))


def goes_by_shares(y: FloatArray) -> bool:
    """Whether a result has no negative values, and zeros (`LEAST_ZEROS`) or a heavy tail (`TAIL`)."""
    known = y[np.isfinite(y)]
    if not known.size or known.min() < 0 or known.max() <= 0:
        return False
    return bool(np.mean(known == 0) >= LEAST_ZEROS or np.quantile(known, 0.99) > TAIL * known.mean())


def _usual(y: FloatArray) -> FloatArray:
    """Each person's mean, N x 1; NaN for whoever has none or never had a result, of whom nothing can be said."""
    known = np.isfinite(y)
    mean = np.where(known, y, 0.0).sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    return np.where(mean > 0, mean, np.nan)


def _usual_so_far(y: FloatArray) -> FloatArray:
    """The mean of a person's earlier periods and `COMPANY_MONTHS` average ones, N x T; NaN before any result."""
    known = np.isfinite(y)
    filled = np.where(known, y, 0.0)
    total, count = (np.cumsum(each, axis=1) - each for each in (filled, known.astype(float)))
    average = total.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
    mean = (total + COMPANY_MONTHS * average) / (count + COMPANY_MONTHS)
    return np.where(mean > 0, mean, np.nan)


def _slope(relative: FloatArray) -> float:
    """Rise of log(1 + u) with the logarithm of the expected u, where results rise by more sales, not by larger ones.

    A sale less takes the whole month away where it is the only one, in a share of the sales as large as that of months
    without any (Poisson counts), and otherwise about as much as if all had become smaller. At 1-68 % zeros and amounts
    spread by .5-1.5 in logs it was 1-7 % too low, so that effects told by it are too large by as much.
    """
    alone = float(np.mean(relative == 0))
    return float((1 - alone) * np.mean(relative / (1 + relative)) + alone * np.mean(np.log1p(relative)))
