"""The dilution test: since a KPI has weight its count rises, and each unit of it is worth less.

Two roads to the second half, each asked of months before and after within the same person: the slope of later results
on the count, and the share of the counted that is effective. Both halves must show, since the claim has both. That
more of anything brings less each time (falling returns) looks the same. A market in which everything is worth less does
not: so much of the fall as the average result lags behind what the count lets expect is taken off first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from kpi_research.evidence.fixed_effects import (
    Codes,
    Estimate,
    FixedEffectsFit,
    FloatArray,
    NotEstimableError,
    fit,
    t_quantile,
)
from kpi_research.evidence.grid import Rows, lagged, rows_of
from kpi_research.policy import INTERVAL_LEVEL

LEAST_MONTHS = 6
"""Months on each side of the day on which the KPI got weight."""
LEAST_PEOPLE = 8
"""People with such months: the error is clustered by person, and fewer clusters do not tell it."""
LEAST_OWN_MONTHS = 3
LEAST_OWN_CASES = 20
"""Cases of one person on each side without which their share of effective ones is not compared."""

Reason = Literal["", "no_change", "few_people", "not_estimable"]
Cells = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Dilution:
    """Whether units of a KPI lost worth once it had weight.

    Parameters
    ----------
    worth, worth_low, worth_high
        What a unit was worth after, in shares of what it would have been worth then, with an interval of
        `policy.INTERVAL_LEVEL` (Fieller 1954); NaN where it was not surely worth anything before.
    share_before, share_after
        Of the effective ones among the counted, over the people compared; NaN where that is not recorded.
    rise
        Change of the count per person and month.
    p_rise, p_slope, p_share
        One-sided: the count did not rise; a unit was worth nothing before or as much after; as many were effective.
    p
        Of the whole claim: the larger one of `p_rise` and of the smaller one of the other two, that one doubled where
        both were asked.
    n, n_people
        Person-months and people in the regression.
    reason
        Why nothing could be tested.
    """

    worth: float = np.nan
    worth_low: float = np.nan
    worth_high: float = np.nan
    share_before: float = np.nan
    share_after: float = np.nan
    rise: float = np.nan
    p_rise: float = np.nan
    p_slope: float = np.nan
    p_share: float = np.nan
    p: float = np.nan
    n: int = 0
    n_people: int = 0
    reason: Reason = ""


def dilution(
    y: FloatArray,
    x: FloatArray,
    start: Codes,
    *,
    lags: int,
    effective: tuple[FloatArray, FloatArray] | None = None,
) -> Dilution:
    """Test whether a KPI's units lost worth once it had weight.

    Where nothing was lost no more than one KPI in twenty is called diluted, whatever its slope and however much the
    count rose; power is in `tests/test_gaming_dilution.py`.

    Parameters
    ----------
    y, x
        N persons x T months of results and of the KPI; NaN where there is no value.
    start
        N: the first month in which the KPI had (more) weight for the person, T where there is none.
    lags
        Months in which results follow: the KPI counts as its mean over so many months before each result.
    effective
        N x T counts of effective ones and of all that were judged.
    """
    months = np.arange(x.shape[1])
    after = months[None, :] >= start[:, None]
    compared = _compared(np.isfinite(x), after)
    if not (compared & after).any():
        return Dilution(reason="no_change")
    if compared.any(axis=1).sum() < LEAST_PEOPLE:
        return Dilution(reason="few_people")
    rise, p_rise = _change(_means(x, compared & after) - _means(x, compared & ~after))
    try:
        fitted, rows = _slopes(y, x, after, compared, lags)
    except NotEstimableError:
        return Dilution(rise=rise, p_rise=p_rise, reason="not_estimable")
    market, slack = _market(rows, float(fitted.coef[0]))
    fall = replace(_combined(fitted, (market, -1)), se=_combined(fitted, (slack, -1)).se)
    p_slope = max(_upper(_combined(fitted, (1, 0))), _upper(fall))
    before, later, p_share = _shares(effective, compared, after)
    asked = [p for p in (p_slope, p_share) if np.isfinite(p)]
    p = max(p_rise, min(1.0, len(asked) * min(asked)))
    worth = _ratio(fitted, market)
    return Dilution(*worth, before, later, rise, p_rise, p_slope, p_share, p, len(rows.y), rows.n_people)


def _compared(known: Cells, after: Cells) -> Cells:
    """Months of the people who have enough of them on both sides."""
    both = [(known & side).sum(axis=1) >= LEAST_MONTHS for side in (after, ~after)]
    return known & (both[0] & both[1])[:, None]


def _means(x: FloatArray, cells: Cells) -> FloatArray:
    """Each person's mean over some cells, those with any."""
    there = cells.any(axis=1)
    return np.asarray(np.where(cells, x, 0.0).sum(axis=1)[there] / cells.sum(axis=1)[there], dtype=float)


def _change(moves: FloatArray) -> tuple[float, float]:
    """The mean over people, and the chance of one as large or larger if nothing moved."""
    error = float(moves.std(ddof=1)) / np.sqrt(len(moves)) if len(moves) > 1 else np.nan
    return float(moves.mean()), _upper(Estimate(float(moves.mean()), float(error), max(1, len(moves) - 1)))


def _upper(found: Estimate) -> float:
    """One-sided p of the hypothesis that the value is not above zero."""
    if not found.se > 0:
        return 0.0 if found.value > 0 else 1.0
    return found.p / 2 if found.value > 0 else 1 - found.p / 2


def _slopes(y: FloatArray, x: FloatArray, after: Cells, compared: Cells, lags: int) -> tuple[FixedEffectsFit, Rows]:
    """Slopes of later results on the count, before and after, and the rows behind them (the last column: after).

    Each person has an effect of their own on either side, so that only months of one person on one side are compared;
    months whose lags reach over the start are left out.
    """
    x = np.where(compared, x, np.nan)
    past = np.mean([lagged(x, lag) for lag in range(1, lags + 1)], axis=0)
    since = np.mean([lagged(after.astype(float), lag) for lag in range(1, lags + 1)], axis=0)
    pure = (since == 1) | (since == 0)
    usable = compared & pure & (after == (since == 1))
    usable &= _enough(usable & after)[:, None] & _enough(usable & ~after)[:, None]
    side = (since == 1).astype(float)
    rows = rows_of(np.where(usable, y, np.nan), past * (1 - side), past * side, side)
    if not len(rows.y):
        raise NotEstimableError
    own = np.unique(2 * rows.person + rows.X[:, 2].astype(np.intp), return_inverse=True)[1]
    fitted = fit(rows.y, rows.X[:, :2], person=own, period=rows.period, cluster=rows.person)
    return fitted, rows


def _enough(cells: Cells) -> Cells:
    return np.asarray(cells.sum(axis=1) >= LEAST_OWN_MONTHS)


def _combined(fitted: FixedEffectsFit, weights: tuple[float, float]) -> Estimate:
    """With the jackknife's error: that of CRV1 is too small with few people."""
    w = np.array(weights, dtype=float)
    error = float(np.sqrt(max(0.0, w @ fitted.cov_jackknife @ w)))
    return Estimate(float(w @ fitted.coef), error, fitted.residual_df)


def _market(rows: Rows, slope: float) -> tuple[float, float]:
    """How much of its worth a unit would have kept in the market after, at most 1, and how that moves with the slope.

    If all is worth the share m of before, the average result is m times what it was and what the larger count adds. The
    second number is the derivative of m times slope with regard to the slope.
    """
    is_after = rows.X[:, 2] == 1
    counted = rows.X[:, 0] + rows.X[:, 1]
    before, after, added = (
        float(rows.y[~is_after].mean()),
        float(rows.y[is_after].mean()),
        max(0.0, slope) * float(counted[is_after].mean() - counted[~is_after].mean()),
    )
    if not (before > 0 and before + added > 0) or after >= before + added:
        return 1.0, 1.0
    market = max(0.0, after / (before + added))
    return market, market * (1 - added / (before + added))


def _ratio(fitted: FixedEffectsFit, market: float) -> tuple[float, float, float]:
    """The later slope over the earlier with Fieller's interval: all ratios r at which later - r earlier may be 0."""
    (b0, b1), V = fitted.coef * np.array([market, 1.0]), fitted.cov_jackknife * np.outer([market, 1], [market, 1])
    square = t_quantile(0.5 + INTERVAL_LEVEL / 2, fitted.residual_df) ** 2
    a, b, c = b0**2 - square * V[0, 0], b0 * b1 - square * V[0, 1], b1**2 - square * V[1, 1]
    if a <= 0 or b0 <= 0:
        return np.nan, np.nan, np.nan
    half = float(np.sqrt(max(0.0, b**2 - a * c)))
    return float(b1 / b0), float((b - half) / a), float((b + half) / a)


def _shares(
    effective: tuple[FloatArray, FloatArray] | None, compared: Cells, after: Cells
) -> tuple[float, float, float]:
    """The share of effective ones before and after, and the chance of such a fall within people without one."""
    if effective is None:
        return np.nan, np.nan, np.nan
    good, all_ = (np.where(compared & np.isfinite(part), part, 0.0) for part in effective)
    sums = [[np.where(side, part, 0.0).sum(axis=1) for part in (good, all_)] for side in (~after, after)]
    enough = (sums[0][1] >= LEAST_OWN_CASES) & (sums[1][1] >= LEAST_OWN_CASES)
    if enough.sum() < LEAST_PEOPLE:
        return np.nan, np.nan, np.nan
    (good0, all0), (good1, all1) = ([part[enough] for part in side] for side in sums)
    fall, p = _change(good0 / all0 - good1 / all1)
    return float(good0.sum() / all0.sum()), float(good1.sum() / all1.sum()), p if np.isfinite(fall) else np.nan
