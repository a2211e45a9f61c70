"""Least squares with person and period effects and clustered errors, on plain arrays.

The small-sample convention is the conventional one (Stata, Petersen, pyfixest's default for one grouping): every
grouping has its own factor G/(G-1) * (n-1)/(n-k), k counts the constant and the effects that are not nested in the
clusters, and t has G-1 degrees of freedom. Joint tests go two steps further than that convention: see `wald`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from kpi_research.evidence.parts import cells_of, parts_of, period_effects

FloatArray = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

TOLERANCE = 1e-9
"""Relative size under which a column, or what other columns leave of it, counts as nothing."""


class NotEstimableError(ValueError):
    """The regressors do not vary beyond the effects and one another, or the clusters are too few for the test."""


@dataclass(frozen=True)
class Estimate:
    """A coefficient or a combination of coefficients: `value`, standard error `se`, and the t distribution's `df`."""

    value: float
    se: float
    df: int

    @property
    def p(self) -> float:
        """Two-sided p-value of the hypothesis that the value is zero."""
        return two_sided_p(self.value / self.se, self.df) if self.se > 0 else float(self.value == 0)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval that covers the truth with probability `level`."""
        half = t_quantile(0.5 + level / 2, self.df) * self.se
        return self.value - half, self.value + half

    def scaled(self, factor: float) -> Estimate:
        """The same estimate in another unit."""
        return Estimate(self.value * factor, self.se * abs(factor), self.df)


@dataclass(frozen=True)
class Wald:
    """A joint test: F `statistic` with `df1` and `df2` degrees of freedom and its p-value."""

    statistic: float
    df1: int
    df2: int
    p: float


@dataclass(frozen=True)
class FixedEffectsFit:
    """A fitted regression.

    Parameters
    ----------
    coef, cov
        k coefficients and their k x k clustered covariance.
    cov_jackknife
        The same from leaving out one cluster at a time (`jackknife_covariance`).
    residuals
        n residuals.
    residual_df
        Degrees of freedom of t: clusters - 1.
    r2_within
        Share of the outcome's variance beyond the effects that the regressors explain.
    """

    coef: FloatArray
    cov: FloatArray
    cov_jackknife: FloatArray
    residuals: FloatArray
    residual_df: int
    n_clusters: int
    r2_within: float

    def combine(self, weights: Sequence[float] | FloatArray) -> Estimate:
        """The weighted sum of the coefficients; `weights` has k entries."""
        w = np.asarray(weights, dtype=float)
        return Estimate(float(w @ self.coef), float(np.sqrt(max(0.0, w @ self.cov @ w))), self.residual_df)

    def at(self, index: int) -> Estimate:
        """One coefficient."""
        return self.combine(np.eye(len(self.coef))[index])


def fit(
    y: FloatArray, X: FloatArray, *, person: Codes, period: Codes | None = None, cluster: Codes | None = None
) -> FixedEffectsFit:
    """Least squares of y on X with person effects and, if given, period effects.

    Parameters
    ----------
    y, X
        n values and n x k regressors, without constant.
    person, period
        n codes 0, 1, 2 ... without gaps.
    cluster
        n codes of groups of whole persons; the persons themselves if None.

    Raises
    ------
    NotEstimableError
        If the regressors are collinear with the effects or with one another, or rows or clusters are too few.
    """
    clusters = person if cluster is None else cluster
    groups = int(clusters.max(initial=-1)) + 1
    if groups < 2:
        raise NotEstimableError
    demeaned = within(np.column_stack([y, X]), person, period)
    yw, Xw = demeaned[:, 0], demeaned[:, 1:]
    absorbed = not_nested(person, period)
    if len(y) <= X.shape[1] + absorbed + person.max() or collinear(Xw, np.linalg.norm(X, axis=0)):
        raise NotEstimableError
    coef = np.asarray(np.linalg.lstsq(Xw, yw, rcond=None)[0], dtype=float)
    residuals = yw - Xw @ coef
    total = float(yw @ yw)
    return FixedEffectsFit(
        coef=coef,
        cov=cluster_covariance(Xw, residuals, clusters, absorbed=absorbed),
        cov_jackknife=jackknife_covariance(Xw, residuals, clusters, absorbed=absorbed),
        residuals=residuals,
        residual_df=groups - 1,
        n_clusters=groups,
        r2_within=1 - float(residuals @ residuals) / total if total > 0 else float("nan"),
    )


def wald(fitted: FixedEffectsFit, indices: Sequence[int]) -> Wald:
    """F test that the coefficients at `indices` are all zero: jackknife covariance, Hotelling's correction.

    The covariance comes from G clusters, so W = b' V^-1 b is taken as Hotelling's T^2 with G-1 degrees of freedom:
    W (G-q) / (q (G-1)) against F(q, G-q) (the simplest of the tests in Pustejovsky & Tipton 2018). V is the
    jackknife's, since CRV1 is too small with few people; figures in `docs/decisions/0012-joint-test-jackknife.md`.

    Raises
    ------
    NotEstimableError
        If the clusters are too few for so many coefficients.
    """
    q, df = len(indices), fitted.n_clusters - len(indices)
    if df < 1:
        raise NotEstimableError
    b, V = fitted.coef[list(indices)], fitted.cov_jackknife[np.ix_(indices, indices)]
    try:
        statistic = float(b @ np.linalg.solve(V, b)) * df / (q * fitted.residual_df)
    except np.linalg.LinAlgError as singular:
        raise NotEstimableError from singular
    return Wald(statistic, q, df, float(special.fdtrc(q, df, statistic)))


def within(
    values: FloatArray, person: Codes, period: Codes | None = None, weights: FloatArray | None = None
) -> FloatArray:
    """What person and period effects leave of each column, exactly, holes or not.

    Persons are swept out first; the period effects then solve small systems of as many equations as periods, one for
    each part of the panel (Frisch-Waugh-Lovell), so there is nothing to iterate and no tolerance to choose.

    Parameters
    ----------
    values
        n x k values, or n.
    weights
        n positive weights; all one if None.
    """
    columns = values.reshape(len(values), -1)
    w = np.ones(len(columns)) if weights is None else weights
    left = _minus_person_means(columns, person, w)
    if period is not None and len(columns):
        effects = period_effects(cells_of(person, period, w), _sums(left * w[:, None], period), TOLERANCE)
        left = _minus_person_means(left - effects[period], person, w)
    return left.reshape(values.shape)


def not_nested(person: Codes, period: Codes | None) -> int:
    """Degrees of freedom of the effects that are not nested in persons: the constant, and the other periods'."""
    if period is None:
        return 1
    cells = cells_of(person, period, np.ones(len(person)))
    return 1 + cells.shape[1] - len(parts_of(cells))


def collinear(X: FloatArray, sizes: FloatArray) -> bool:
    """Whether a demeaned column is nothing beside its size before (`sizes`, k), or beside the other columns."""
    left = np.linalg.norm(X, axis=0)
    if np.any(left <= TOLERANCE * sizes):
        return True
    return bool(np.linalg.svd(X / left, compute_uv=False)[-1] < np.sqrt(TOLERANCE))


def cluster_covariance(
    X: FloatArray, residuals: FloatArray, *groups: Codes, absorbed: int = 0, small_sample: bool = True
) -> FloatArray:
    """Covariance of the coefficients, k x k, that allows errors to be related within groups.

    With several groupings (person and period) the terms of each are added and those of their intersections taken off
    (Cameron, Gelbach & Miller 2011). With every row its own group this is White's HC1.

    Parameters
    ----------
    X, residuals
        n x k regressors without the effects, and n residuals.
    groups
        n codes a grouping.
    absorbed
        Degrees of freedom of effects swept out that are not nested in the groups.
    small_sample
        Whether to apply the factors G/(G-1) * (n-1)/(n-k); without them it is CR0.
    """
    n, k = X.shape
    scores = X * residuals[:, None]
    meat = np.zeros((k, k))
    for size in range(1, len(groups) + 1):
        for chosen in itertools.combinations(groups, size):
            codes = np.unique(np.column_stack(chosen), axis=0, return_inverse=True)[1].ravel()
            sums = _sums(scores, codes)
            factor = len(sums) / (len(sums) - 1) * (n - 1) / (n - k - absorbed) if small_sample else 1.0
            meat += (-1) ** (size + 1) * factor * sums.T @ sums
    bread = np.linalg.inv(X.T @ X)
    return bread @ meat @ bread


def jackknife_covariance(X: FloatArray, residuals: FloatArray, cluster: Codes, *, absorbed: int = 0) -> FloatArray:
    """Covariance of the coefficients, k x k, from how they move when one cluster at a time is left out (CRV3).

    (G-1)/G times the summed squares of the moves (MacKinnon, Nielsen & Webb 2023). Effects that are not nested in the
    clusters are not estimated anew without the cluster; the factor (n-1)/(n-k) of `cluster_covariance` stands for that.
    Without such effects it is CRV3 times that factor.

    Raises
    ------
    NotEstimableError
        If the coefficients rest on one cluster alone.
    """
    moves = jackknife_moves(X, residuals, cluster, absorbed=absorbed)
    return moves.T @ moves


def jackknife_moves(
    X: FloatArray, residuals: FloatArray, cluster: Codes, *, absorbed: int = 0, groups: int = 0
) -> FloatArray:
    """By how much coefficients are larger with each cluster than without, clusters x k; products sum to the covariance.

    `groups` is how many codes there may be; those without rows do not move anything.

    Raises
    ------
    NotEstimableError
        If the coefficients rest on one cluster alone.
    """
    n, k = X.shape
    products = (X[:, :, None] * X[:, None, :]).reshape(n, k * k)
    grams = _sums(products, cluster, groups).reshape(-1, k, k)
    scores = _sums(X * residuals[:, None], cluster, groups)
    try:
        moves = np.linalg.solve(grams.sum(axis=0) - grams, scores[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError as singular:
        raise NotEstimableError from singular
    there = np.count_nonzero(np.bincount(cluster))
    found: FloatArray = moves * np.sqrt((there - 1) / there * (n - 1) / (n - k - absorbed))
    return found


def iid_covariance(X: FloatArray, residuals: FloatArray, absorbed: int = 0) -> FloatArray:
    """Textbook covariance of the coefficients, k x k; `absorbed` counts all effects swept out."""
    n, k = X.shape
    return float(residuals @ residuals) / (n - k - absorbed) * np.linalg.inv(X.T @ X)


def two_sided_p(t: float, df: int) -> float:
    """Probability of a t statistic at least this far from zero."""
    return float(2 * special.stdtr(df, -abs(t)))


def t_quantile(probability: float, df: int) -> float:
    """The value below which a t statistic falls with this probability."""
    return float(special.stdtrit(df, probability))


def _sums(columns: FloatArray, codes: Codes, groups: int = 0) -> FloatArray:
    return np.column_stack([np.bincount(codes, weights=column, minlength=groups) for column in columns.T])


def _minus_person_means(columns: FloatArray, person: Codes, w: FloatArray) -> FloatArray:
    if not len(columns):
        return columns
    return columns - (_sums(columns * w[:, None], person) / np.bincount(person, weights=w)[:, None])[person]
