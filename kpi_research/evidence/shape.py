"""Is more always better? A straight line, or a value of the KPI beyond which nothing, or only then something, is added.

The regressors are w_1 g(x_{t-1}) + .. + w_L g(x_{t-L}), where g is what bends and the weights w are the shares of the
lags in the straight line's total, none below zero; beside them stand all lags as they are. Slopes are therefore those
of a lasting change, as the sum of the lags in `lags.fit_lags`, and a break is a value of one period: "six a month".

*Which lags.* Per cent of 200 panels of 40 people x 24 months in which a plateau was seen (in brackets: its break found
within a tenth of the KPI's range, 5 to 95 %), with three lags, KPI normal, slope .6, else as below::

    the KPI works                            largest lag only   mean of the lags   weights
    after one month                          100 (90)           64 (42)            100 (89)
    after two months                         100 (91)           84 (54)            100 (90)
    by each of three months                  55 (45)            74 (46)            80 (61)
    by the mean of three months              57 (40)            94 (76)            84 (53)

*What it finds.* KPI normal, or Poisson about 4 with log-normal differences (.4) between and within people; levels
of people, shared shocks, errors AR(.3); 24 months; the slope in standard deviations of KPI and errors, for the break at
the median on its one side; three lags, `sesoi` .1, 300 panels (100 of 100 and 200 people). Per cent, normal / Poisson::

    truth, slope, people                     break seen    within a tenth   interval holds   plateau said
    plateau .3, 40                           67 / 39       55 / 57          88 / 93          0 / 0
    plateau .6, 40                           100 / 95      86 / 90          88 / 89          0 / 0.3
    plateau .6, 100                          100 / 100     98 / 100         91 / 94          6 / 33
    plateau .3, 200                          100 / 99      91 / 99          90 / 92          40 / 78
    line .3, 40                              4.0 / 4.0
    line .3, 12                              4.0 / 4.7
    line .3 by each of three months, 40      3.7 / 5.3
    line .3, errors uneven, AR(.5), 40       4.0 / 5.0
    log(1 + KPI) .3, 40                      74 / 91                                         0 / 0.3

The slopes' intervals held them in 80-96 %. That nothing is added is seldom sure with few people. A smooth bend is one
too, its break that of the best broken line. Where the total is about zero, as of a hump, weights mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kpi_research.evidence import fixed_effects
from kpi_research.evidence.fixed_effects import TOLERANCE, Estimate, FloatArray, NotEstimableError, Wald, fit, within
from kpi_research.evidence.grid import Rows, lagged, rows_of, within_spread

Kind = Literal["linear", "plateau", "threshold", "bend", "unknown"]
"""linear: no bend is seen, though a plateau from the middle on would have been. plateau, threshold: beyond the break,
or up to it, whatever is added is too small to matter. bend: the slope changes, but not, or not surely, like that.
unknown: no bend is seen, and it would not have been, or it cannot be looked for."""

KNOTS = (0.05, 0.275, 0.5, 0.725, 0.95)
"""Quantiles of the KPI at the spline's knots: Harrell's (2015, section 2.4.6) five. With four, 90 % bands held truths
that were broken or a logarithm in 75-84 % of 200 panels of 40 people x 24 months, with five in 85-90 %."""

SEARCHED = np.linspace(0.15, 0.85, 141)
"""Quantiles of the KPI that are tried as breaks (from 15 to 85 %: Andrews 1993). With half as many the break's interval
was too short by a step where many people made it narrow."""

LEAST_PEOPLE = 8
"""Persons who must have been on both sides of a break: one that nobody crosses shows nothing within people."""

ALPHA, LEVEL, POWER_Z = 0.05, 0.90, 0.84
"""Level of the test for a break, probability of the intervals, and the normal quantile of a power of 80 %."""


@dataclass(frozen=True)
class Kink:
    """The value of the KPI at which the slope changes most.

    Parameters
    ----------
    p
        Of the hypothesis that it changes nowhere.
    at, low, high
        That value, in the KPI's natural unit for one period, and its 90 % interval.
    before, after
        Slopes on both sides, in within-person standard deviations of the outcome for a lasting rise of one of the KPI;
        their errors allow for the break's being estimated.
    visible
        Whether a plateau from the middle on, with the line's slope on the whole, would be seen with 80 % power.
    """

    p: float
    at: float
    low: float
    high: float
    before: Estimate
    after: Estimate
    visible: bool


@dataclass(frozen=True)
class Shape:
    """How the outcome goes with the KPI.

    Parameters
    ----------
    linear
        The straight line's slope, in within-person standard deviations of both, summed over the lags.
    nonlinear, kink
        The test of the spline against the line, and the break; None where the KPI has too few values or persons.
    weights
        Shares (0-1) of lag 1, 2 .. in the effect.
    scale
        A slope in within-person standard deviations for one in natural units; dividing by it gives those.
    """

    kind: Kind
    linear: Estimate
    nonlinear: Wald | None
    kink: Kink | None
    weights: tuple[float, ...]
    scale: float


@dataclass(frozen=True)
class Curve:
    """What the outcome differs by if the KPI lastingly is `at` instead of `usual`, its median, in natural units.

    `at` goes evenly from the KPI's 5 % to its 95 % quantile; `low` and `high` are the pointwise 90 % band of `change`.
    """

    at: FloatArray
    change: FloatArray
    low: FloatArray
    high: FloatArray
    usual: float


@dataclass(frozen=True)
class _Line:
    """The regression on the lags alone, and what effects leave of the outcome (n) and of the lags (n x L)."""

    rows: Rows
    y: FloatArray
    X: FloatArray
    fitted: fixed_effects.FixedEffectsFit
    weights: FloatArray

    def weighted(self, functions: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """The weighted mean (n x m) over the lags of m functions of one lag's n values."""
        return np.asarray(sum(weight * functions(x) for weight, x in zip(self.weights, self.rows.X.T, strict=True)))

    def by_person(self, values: FloatArray) -> FloatArray:
        """Sums (N x m) of n x m values over each person's rows, which stand together."""
        return np.add.reduceat(values, np.flatnonzero(np.diff(self.rows.person, prepend=-1)), axis=0)


def fit_shape(y: FloatArray, x: FloatArray, lags: int, *, sesoi: float, draws: int = 399, seed: int = 0) -> Shape:
    """The shape of the outcome y on the KPI x (N x T each) one to `lags` periods earlier, with two-way fixed effects.

    Whether it bends at all is tested by a restricted cubic spline (`fixed_effects.wald`). The break is that of the
    broken line with the least squares (Hansen 1999, Journal of Econometrics 93). Its p is that of the largest, over all
    breaks, squared score by sum of the persons' squared scores, in `draws` draws that turn the line's residuals round
    for whole persons (wild cluster bootstrap, restricted: Cameron, Gelbach & Miller 2008). As many draws around the
    broken line give the errors of the slopes, and the likelihood ratio that a break inside the interval may have.

    Parameters
    ----------
    sesoi
        Smallest effect of interest, in within-person standard deviations; a slope with its 90 % interval inside
        +-sesoi is too small to matter.

    Raises
    ------
    NotEstimableError
        If the straight line cannot be estimated or leaves nothing to explain, or y or x do not vary within people.
    """
    line = _line(y, x, lags)
    (sd_x, share_x), (sd_y, share_y) = within_spread(rows_of(x, y)), within_spread(rows_of(y, x))
    if min(share_x, share_y) <= TOLERANCE:
        raise NotEstimableError
    scale = sd_x / sd_y
    try:
        bent, _ = _with_spline(line)
        nonlinear = fixed_effects.wald(bent, range(lags, len(bent.coef)))
    except NotEstimableError:
        nonlinear = None
    kink = _kink(line, scale, draws, seed)
    linear = line.fitted.combine(np.ones(lags)).scaled(scale)
    return Shape(_kind(kink, sesoi), linear, nonlinear, kink, tuple(line.weights.tolist()), scale)


def curve(y: FloatArray, x: FloatArray, lags: int, *, points: int = 41) -> Curve:
    """The restricted cubic spline of `fit_shape` at `points` values of the KPI; y and x N x T.

    Raises
    ------
    NotEstimableError
        If the KPI has fewer than three values at its quantiles, or rows or persons are too few.
    """
    line = _line(y, x, lags)
    fitted, knots = _with_spline(line)
    low, usual, high = np.quantile(line.rows.X, [0.05, 0.5, 0.95])
    at = np.linspace(low, high, points)
    straight = np.repeat((at - usual)[:, None], lags, axis=1)
    moved = np.column_stack([straight, _spline(at, knots) - _spline(np.array([usual]), knots)])
    variances = np.einsum("pk,kl,pl->p", moved, fitted.cov_jackknife, moved).clip(min=0.0)
    half = fixed_effects.t_quantile(0.5 + LEVEL / 2, fitted.residual_df) * np.sqrt(variances)
    change = moved @ fitted.coef
    return Curve(at, change, change - half, change + half, float(usual))


def _line(y: FloatArray, x: FloatArray, lags: int) -> _Line:
    rows = rows_of(y, *(lagged(x, lag) for lag in range(1, lags + 1)))
    fitted = fit(rows.y, rows.X, person=rows.person, period=rows.period)
    parts = np.maximum(fitted.coef * np.sign(fitted.coef.sum()), 0.0)
    if not parts.any() or np.linalg.norm(fitted.residuals) <= TOLERANCE * np.linalg.norm(rows.y):
        raise NotEstimableError
    left = within(np.column_stack([rows.y, rows.X]), rows.person, rows.period)
    return _Line(rows, left[:, 0], left[:, 1:], fitted, parts / parts.sum())


def _with_spline(line: _Line) -> tuple[fixed_effects.FixedEffectsFit, FloatArray]:
    """The lags, and after them what bends; and the knots."""
    rows, knots = line.rows, np.unique(np.quantile(line.rows.X, KNOTS))
    if len(knots) < 3:
        raise NotEstimableError
    X = np.column_stack([rows.X, line.weighted(lambda x: _spline(x, knots))])
    return fit(rows.y, X, person=rows.person, period=rows.period), knots


def _spline(x: FloatArray, knots: FloatArray) -> FloatArray:
    """The k - 2 functions that bend in a cubic spline that is straight beyond its k knots (Harrell 2015, 2.4.5)."""
    cubes = np.maximum(x[:, None] - knots, 0.0) ** 3
    first, before_last, last = knots[:-2], knots[-2], knots[-1]
    inner = cubes[:, -2:-1] * (last - first) - cubes[:, -1:] * (before_last - first)
    return np.asarray((cubes[:, :-2] - inner / (last - before_last)) / (last - knots[0]) ** 2)


@dataclass(frozen=True)
class _Bends:
    """Breaks (m); how far the KPI lies above them, less effects and line (Z, n x m); what the line takes of each change
    of slope for its own (shares, m); squares of the errors for one of the line's residuals (inflation)."""

    breaks: FloatArray
    Z: FloatArray
    squares: FloatArray
    shares: FloatArray
    inflation: float


def _bends(line: _Line) -> _Bends | None:
    """All breaks at once; None if there are fewer than two to choose from."""
    rows = line.rows
    breaks = np.unique(np.quantile(rows.X, SEARCHED, method="nearest"))
    beyond = line.by_person(line.weighted(lambda x: (x[:, None] > breaks).astype(float)))
    crossed = (beyond > TOLERANCE) & (beyond < np.bincount(rows.person)[:, None] - TOLERANCE)
    breaks = breaks[crossed.sum(axis=0) >= LEAST_PEOPLE]
    if len(breaks) < 2:
        return None
    above = within(line.weighted(lambda x: np.maximum(x[:, None] - breaks, 0.0)), rows.person, rows.period)
    onto = np.asarray(np.linalg.lstsq(line.X, above, rcond=None)[0])
    Z = above - line.X @ onto
    kept = np.linalg.norm(Z, axis=0) > np.sqrt(TOLERANCE) * np.linalg.norm(above, axis=0)
    n, lags = rows.X.shape
    inflation = (n - 1) / (n - lags - fixed_effects.not_nested(rows.person, rows.period))
    Z, shares = Z[:, kept], onto[:, kept].sum(axis=0)
    return _Bends(breaks[kept], Z, np.sum(Z**2, axis=0), shares, inflation) if kept.sum() > 1 else None


def _kink(line: _Line, scale: float, draws: int, seed: int) -> Kink | None:
    """Breaks are orthogonal to the line, so a draw needs no regression: only signs of the persons' scores change."""
    bends, people = _bends(line), line.rows.n_people
    if bends is None:
        return None
    signs = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), (draws, people))
    p, visible = _tested(line, bends, signs)
    projection = bends.Z.T @ line.fitted.residuals
    gains = projection**2 / bends.squares
    best = int(np.argmax(gains))
    change = float(projection[best] / bends.squares[best])
    before = float(line.fitted.coef.sum() - bends.shares[best] * change)

    errors = (line.fitted.residuals - bends.Z[:, best] * change)[:, None]
    turned = signs * np.sqrt(bends.inflation * people / (people - 1))
    drawn = bends.Z.T @ bends.Z[:, best] * change + turned @ line.by_person(bends.Z * errors)
    drawn_gains = drawn**2 / bends.squares
    chosen = np.argmax(drawn_gains, axis=1)
    short_of_best = drawn_gains.max(axis=1) - drawn_gains[:, best]
    inside = bends.breaks[gains[best] - gains <= np.quantile(short_of_best, LEVEL)]
    changes = drawn[np.arange(draws), chosen] / bends.squares[chosen]
    totals = (turned @ line.by_person(line.X * errors) @ np.linalg.inv(line.X.T @ line.X)).sum(axis=1)
    befores = totals - bends.shares[chosen] * changes
    return Kink(
        p, float(bends.breaks[best]), float(inside.min()), float(inside.max()),
        Estimate(before, float(np.std(befores)), people - 1).scaled(scale),
        Estimate(before + change, float(np.std(befores + changes)), people - 1).scaled(scale), visible,
    )  # fmt: skip


def _tested(line: _Line, bends: _Bends, signs: FloatArray) -> tuple[float, bool]:
    """The p-value of a break anywhere, and whether a plateau from the middle on would have been seen."""
    scores = line.by_person(bends.Z * line.fitted.residuals[:, None])
    squares = np.maximum(np.sum(scores**2, axis=0), np.finfo(float).tiny)
    statistic = float(np.max(np.sum(scores, axis=0) ** 2 / squares))
    by_chance = bends.inflation * np.max((signs @ scores) ** 2 / squares, axis=1)
    p = (1 + int(np.sum(by_chance >= statistic * (1 - TOLERANCE)))) / (len(signs) + 1)
    middle = int(np.argmin(np.abs(bends.breaks - np.median(line.rows.X))))
    full = abs(line.fitted.coef.sum()) / max(TOLERANCE, 1 - bends.shares[middle])
    error = np.sqrt(bends.inflation * squares[middle]) / bends.squares[middle]
    return p, bool(full >= (np.sqrt(np.quantile(by_chance, 1 - ALPHA)) + POWER_Z) * error)


def _kind(kink: Kink | None, sesoi: float) -> Kind:
    if kink is None or kink.p >= ALPHA:
        return "linear" if kink and kink.visible else "unknown"
    nothing_before, nothing_after = (max(map(abs, s.interval(LEVEL))) < sesoi for s in (kink.before, kink.after))
    return "bend" if nothing_before == nothing_after else "plateau" if nothing_after else "threshold"
