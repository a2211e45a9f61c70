"""How likely it is that a target is reached, from the entity's own past.

What a past says of the future depends on what it is taken for: chance around a level, a level that wanders, growth
that goes on, a season. None of these is known, so all of them are weighed by how well they fit, and what is not known
makes the answer wider: with few periods it comes nearer to fifty-fifty, as it should.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import linalg

from kpi_research.kpis.definition import Direction
from kpi_research.policy import INTERVAL_LEVEL, LEAST_LIKELY, MOST_LIKELY

LEAST_PERIODS = 8
"""Past periods under which no probability is named."""
LEAST_BUSY = 6
"""Of them, those with any result."""
DRAWS = 4000
"""A probability then moves by less than one point from seed to seed."""
WANDERING = (0.0, 0.01, 0.05, 0.2, 1.0)
GROWTH = (0.001, 0.01, 0.1)
SEASON = (0.0, 0.3, 1.0, 4.0)
"""Variances that are weighed, in units of the variance of chance: of a step of the level, of the growth in a period, of
a season's effect. They reach from next to nothing to what would drown all chance. On 250 made-up companies each with
24 months behind them, a quarter's target named as likely as .2 / .5 / .8 was reached in .19 / .51 / .83 (level),
.18 / .48 / .86 (three deals a month), .24 / .56 / .90 (season, and growth of 1 % a month) and .30 / .65 / .90 (growth
of 1.5 % a month): steady growth, which could be chance as well, is expected too carefully. With nine months and one
deal a month it was .12 / .41 / .76. See `tests/test_goals_reachable.py`."""

LARGEST_LOG = 20.0
"""Beyond e^20 times the usual a value is infinite for every purpose, and its sum must not overflow."""
SAME = 1e-9
"""Values that differ by less than this share of the largest are one value."""

FloatArray = npt.NDArray[np.float64]
OutlookStatus = Literal["ok", "too_few", "no_spread"]
Flag = Literal["too_high", "fair", "too_low", "unknown"]


@dataclass(frozen=True)
class Outlook:
    """What the next periods may bring together.

    Parameters
    ----------
    draws
        Possible totals of the periods ahead; empty unless `status` is `ok`.
    periods
        Past periods that it rests on.
    status
        `ok`; `too_few` (under `LEAST_PERIODS`, or under `LEAST_BUSY` with a result); `no_spread`: all past values are
        the same.
    """

    draws: FloatArray
    periods: int
    status: OutlookStatus

    @property
    def range(self) -> tuple[float, float, float]:
        """Lower end, middle and upper end at `policy.INTERVAL_LEVEL`; nulls without an outlook."""
        if not self.draws.size:
            return float("nan"), float("nan"), float("nan")
        tail = (1 - INTERVAL_LEVEL) / 2
        low, middle, high = np.quantile(self.draws, [tail, 0.5, 1 - tail])
        return float(low), float(middle), float(high)


@dataclass(frozen=True)
class Chance:
    """How likely a target is reached.

    Parameters
    ----------
    probability
        Null where `periods` are too few.
    periods
        Past periods that it rests on.
    flag
        `too_high` (under `LEAST_LIKELY`), `too_low` (over `MOST_LIKELY`), `fair`, `unknown`.
    """

    target: float
    probability: float
    periods: int
    flag: Flag


def outlook(
    values: FloatArray,
    *,
    ahead: int,
    rng: np.random.Generator,
    cycle: int = 12,
    exposure: FloatArray | None = None,
    exposure_ahead: FloatArray | None = None,
    positive: bool = True,
) -> Outlook:
    """The total of the next `ahead` periods.

    Parameters
    ----------
    values
        Past periods of equal length, oldest first, without a gap.
    cycle
        Periods in a year.
    exposure, exposure_ahead
        Person-days worked and to be worked, by period: values are taken to be in proportion. One where not given.
    positive
        Whether values cannot be negative (money, counts). They then are modelled on two scales, weighed like all
        else: the square root, which steadies sums of ever more chance events, and the logarithm, which steadies events
        that grow; the latter only where no period is without a result, since of few events it hopes for too much
        (G. E. P. Box and D. R. Cox (1964), An analysis of transformations, JRSS B 26(2), 211-252). Periods without any
        result are a chance of their own (a hurdle: J. Mullahy (1986), Specification and testing of some modified count
        data models, J. Econometrics 33, 341-365).

    Notes
    -----
    A structural time series with a level that wanders, growth and season as random effects (A. C. Harvey (1989),
    Forecasting, Structural Time Series Models and the Kalman Filter, ch. 2 and 4), flat priors on the level and on the
    logarithm of the variance of chance, and the ratios of the other variances to it averaged over a grid by marginal
    likelihood: given the ratios the forecast is Student's t with n - 1 degrees of freedom.
    """
    y = np.asarray(values, dtype=float)
    n = len(y)
    busy = y > 0 if positive else np.ones(n, dtype=bool)
    if n < LEAST_PERIODS or busy.sum() < LEAST_BUSY:
        return Outlook(np.empty(0), n, "too_few")
    worked = np.ones(n) if exposure is None else np.asarray(exposure, dtype=float)
    to_work = np.full(ahead, 1.0 if exposure is None else worked[-1]) if exposure_ahead is None else exposure_ahead
    rates = y[busy] / worked[busy]
    if np.ptp(rates) <= SAME * float(np.abs(rates).max()):
        return Outlook(np.empty(0), n, "no_spread")
    noise = worked.mean() / np.concatenate([worked, to_work])
    kept = np.flatnonzero(np.concatenate([busy, np.ones(ahead, dtype=bool)]))
    shapes = [covariance[np.ix_(kept, kept)] for covariance in _covariances(noise, cycle)]
    scales = _scales(rates, with_log=bool(busy.all())) if positive else [(rates, _as_it_is)]
    found = [(_fitted(z, shape), back) for z, back in scales for shape in shapes]
    best = max(fitted.evidence for fitted, _ in found)
    weights = np.exp([fitted.evidence - best for fitted, _ in found])
    counts = rng.multinomial(DRAWS, weights / weights.sum())
    future = np.concatenate(
        [back(fitted.draw(count, rng)) for (fitted, back), count in zip(found, counts, strict=True) if count]
    )
    if idle := n - int(busy.sum()):
        future = future * (rng.random(future.shape) >= rng.beta(idle, n - idle, size=(DRAWS, 1)))
    return Outlook((future * to_work).sum(axis=1), n, "ok")


def chance_of(
    found: Outlook, target: float, *, direction: Direction = "up", so_far: float = 0.0, whole: bool = False
) -> Chance:
    """How likely `so_far` and what the outlook brings reach a target.

    Parameters
    ----------
    target
        Null where there is none: its chance is unknown.
    direction
        `down`: the target is reached by staying at or below it.
    so_far
        What the period has brought already.
    whole
        Whether only whole numbers occur; half of one is then allowed for.
    """
    if found.status != "ok" or np.isnan(target):
        return Chance(target, float("nan"), found.periods, "unknown")
    total, half = so_far + found.draws, 0.5 if whole else 0.0
    reached = total >= target - half if direction == "up" else total <= target + half
    probability = float(reached.mean())
    flag: Flag = "too_high" if probability < LEAST_LIKELY else "too_low" if probability > MOST_LIKELY else "fair"
    return Chance(target, probability, found.periods, flag)


@dataclass(frozen=True)
class _Fitted:
    """The forecast under one set of ratios: Student's t around `middle` with the shape `spread`."""

    evidence: float
    middle: FloatArray
    root: FloatArray
    squares: float
    free: int

    def draw(self, count: int, rng: np.random.Generator) -> FloatArray:
        scale = np.sqrt(self.squares / rng.chisquare(self.free, size=(count, 1)))
        return self.middle + scale * (rng.standard_normal((count, len(self.middle))) @ self.root.T)


def _scales(rates: FloatArray, *, with_log: bool) -> list[tuple[FloatArray, Callable[[FloatArray], FloatArray]]]:
    """Values above zero on each scale, with the way back; the evidence of both is comparable as it stands.

    Over their geometric mean both have slope one at one, and their Jacobians are one.
    """
    middle = float(np.exp(np.log(rates).mean()))

    def from_root(z: FloatArray) -> FloatArray:
        return middle * np.maximum(z / 2, 0.0) ** 2

    def from_log(z: FloatArray) -> FloatArray:
        return middle * np.exp(np.minimum(z, LARGEST_LOG))

    root, log = (2 * np.sqrt(rates / middle), from_root), (np.log(rates / middle), from_log)
    return [root, log] if with_log else [root]


def _as_it_is(z: FloatArray) -> FloatArray:
    return z


def _covariances(noise: FloatArray, cycle: int) -> Iterator[FloatArray]:
    """Covariances of past and future under each set of ratios, in units of the variance of chance."""
    time = np.arange(1.0, len(noise) + 1)
    level = np.minimum.outer(time, time)
    centred = time - time.mean()
    growth = np.outer(centred, centred)
    season = (np.subtract.outer(time, time) % cycle == 0).astype(float)
    for wander, grow, vary in itertools.product(WANDERING, GROWTH, SEASON):
        yield np.diag(noise) + wander * level + grow * growth + vary * season


def _fitted(z: FloatArray, covariance: FloatArray) -> _Fitted:
    """Generalised least squares of a level, and the forecast of what follows."""
    n = len(z)
    past, across, future = covariance[:n, :n], covariance[:n, n:], covariance[n:, n:]
    factor = linalg.cho_factor(past, lower=True)
    ones = np.ones(n)
    weighted = linalg.cho_solve(factor, ones)
    precision = float(ones @ weighted)
    level = float(weighted @ z) / precision
    away = z - level
    solved = linalg.cho_solve(factor, away)
    squares = float(away @ solved)
    log_det = 2 * float(np.log(np.diag(factor[0])).sum())
    evidence = -0.5 * (log_det + np.log(precision) + (n - 1) * np.log(squares))
    rest = 1 - across.T @ weighted
    spread = future - across.T @ linalg.cho_solve(factor, across) + np.outer(rest, rest) / precision
    return _Fitted(evidence, level + across.T @ solved, np.linalg.cholesky(spread), squares, n - 1)
