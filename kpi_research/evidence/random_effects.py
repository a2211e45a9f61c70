"""Effects of the same thing in several groups: whether they differ, by how much, and what each is likely to be.

Estimates of groups are noisy and the largest is the luckiest: what is shown is drawn to the common effect by as much as
their spread is error (random effects, empirical Bayes). How much of it is error is itself uncertain with few groups,
and so is each group's error with few people. Both are therefore drawn many times: the variance of each error from its
chi-squared distribution, and tau2, that of the true effects, from the distribution of Cochran's Q (the intervals of
Viechtbauer 2007 as a distribution; Nagashima, Noma & Furukawa 2019). A plug-in tau of zero would make all groups the
same, and their intervals too short.

In 200-400 simulated panels each of 24 months, with 2, 3, 5, 8 and 20 groups of 5-25 people and true effects around .15
that differ by a standard deviation of 0, .1 and .3, 95 % intervals held the groups' true effects in 91-98 %, and that
of another group in 93-100 %. Squared errors were 16-72 % of those of the raw estimates where there was no difference,
28-83 % at .1, and 73-101 % at .3, the larger figures with two groups (`tests/test_evidence_heterogeneity.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from kpi_research.evidence.fixed_effects import FloatArray

LEAST_PREDICTED = 3
"""Groups from which something can be said of another one."""

_HALVINGS = 40
_DRAWS, _P_DRAWS, _AT_ONCE = 2000, 9999, 1_000_000


@dataclass(frozen=True)
class Effects:
    """k independent estimates, their variances, and the degrees of freedom that these have (k each)."""

    values: FloatArray
    variances: FloatArray
    df: FloatArray


@dataclass(frozen=True)
class Spread:
    """What k estimates say of their true values; 95 % intervals.

    Parameters
    ----------
    tau, i2
        Standard deviation of the true values, and the share (0-1) of the estimates' variance that it makes up; medians.
    shrunk, low, high
        k: the true values.
    predict_low, predict_high
        The true value of another group; missing with fewer than `LEAST_PREDICTED`.
    above, above_low, above_high
        Share (0-1) of all true values above zero, were they spread normally.
    """

    tau: float
    i2: float
    shrunk: FloatArray
    low: FloatArray
    high: FloatArray
    predict_low: float
    predict_high: float
    above: float
    above_low: float
    above_high: float


def differ_p(effects: Effects, rng: np.random.Generator) -> float:
    """p-value of the hypothesis that the true values are the same, each estimate with an error of its own size.

    The parametric bootstrap of Welch's (1951) statistic: estimates and variances are drawn where there is no difference
    (Krishnamoorthy, Lu & Mathew 2007). With two groups it is Welch's t test.
    """
    k = len(effects.values)
    draws = max(1, min(_P_DRAWS, _AT_ONCE // k))
    values = np.sqrt(effects.variances) * rng.standard_normal((draws, k))
    variances = effects.variances * rng.chisquare(effects.df, (draws, k)) / effects.df
    seen = _q(effects.values, effects.variances[None, :], np.zeros(1))[0]
    return float((1 + np.sum(_q(values, variances, np.zeros(draws)) >= seen)) / (1 + draws))


def spread(effects: Effects, rng: np.random.Generator) -> Spread:
    """The true values behind k >= 2 estimates, taken as drawn from one normal distribution.

    The interval for another group has Hartung and Knapp's error of the mean, not under the usual one (Röver, Knapp &
    Friede 2015), and t with k - 1. The groups' own have the usual one in each draw: with k = 2 the other has no end.
    """
    k = len(effects.values)
    draws = max(1, min(_DRAWS, _AT_ONCE // k))
    variances = effects.variances * effects.df / rng.chisquare(effects.df, (draws, k))
    tau2 = tau2_at(effects.values, variances, rng.chisquare(k - 1, draws))
    weights = 1 / (variances + tau2[:, None])
    total = weights.sum(axis=1)
    centre = weights @ effects.values / total
    scale = np.sum(weights * (effects.values - centre[:, None]) ** 2, axis=1) / (k - 1)
    mean = centre + rng.standard_normal(draws) / np.sqrt(total)
    kept = tau2[:, None] * weights
    expected = centre[:, None] + kept * (effects.values - centre[:, None])
    moved = kept * effects.values + (1 - kept) * mean[:, None]
    true = moved + np.sqrt(kept * variances) * rng.standard_normal((draws, k))
    other = centre + np.sqrt(np.maximum(1.0, scale) / total) * rng.standard_t(k - 1, draws)
    other = other + np.sqrt(tau2) * rng.standard_normal(draws)
    share = _share_above(mean, np.sqrt(tau2))
    low, high = np.quantile(true, [0.025, 0.975], axis=0)
    predicted = np.quantile(other, [0.025, 0.975]) if k >= LEAST_PREDICTED else (np.nan, np.nan)
    above_low, above_high = np.quantile(share, [0.025, 0.975])
    return Spread(
        tau=float(np.median(np.sqrt(tau2))),
        i2=float(np.median(tau2 / (tau2 + k / np.sum(1 / variances, axis=1)))),
        shrunk=expected.mean(axis=0),
        low=low,
        high=high,
        predict_low=float(predicted[0]),
        predict_high=float(predicted[1]),
        above=float(share.mean()),
        above_low=float(above_low),
        above_high=float(above_high),
    )


def tau2_at(values: FloatArray, variances: FloatArray, q: FloatArray) -> FloatArray:
    """The variance of the true values at which Cochran's Q of k estimates is `q`; zero where it is less at any.

    At q = k - 1 this is the estimate of Paule & Mandel (1982).

    Parameters
    ----------
    values, variances, q
        k; draws x k; draws.
    """
    # Q is at most the squares around the plain mean over tau2, so that the root lies under this
    low, high = np.zeros(len(q)), float(np.sum((values - values.mean()) ** 2)) / q
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        more = _q(values, variances, middle) > q
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.where(_q(values, variances, np.zeros(len(q))) > q, high, 0.0)


def _q(values: FloatArray, variances: FloatArray, tau2: FloatArray) -> FloatArray:
    """Cochran's Q of k, or draws x k, estimates; one a draw."""
    weights = 1 / (variances + tau2[:, None])
    centre = np.sum(weights * values, axis=1) / weights.sum(axis=1)
    return np.asarray(np.sum(weights * (values - centre[:, None]) ** 2, axis=1))


def _share_above(mean: FloatArray, tau: FloatArray) -> FloatArray:
    """Which share of a normal distribution lies above zero."""
    alike = np.where(mean > 0, 1.0, 0.0)
    return np.where(tau > 0, special.ndtr(np.divide(mean, tau, out=np.zeros_like(mean), where=tau > 0)), alike)
