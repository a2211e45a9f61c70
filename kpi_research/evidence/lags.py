"""Does the result follow the KPI? Lags of the KPI with person and period effects, and the same-period association.

Two regressions on the same rows answer two questions.

*How much* (profile and sum of the lags): y_t on x_{t-1} .. x_{t-L}. Its errors may be serially correlated, which the
clusters allow for. With y_{t-1} in the model the lags would only show what y_{t-1} does not already carry: under
AR(.5) errors and a true sum of .15 the mean estimate over 300 panels of 40 people x 24 months was .159 without it and
.090 with it.

*Whether at all* (joint test, one p a KPI into the family): the same with y_{t-1}, which is Granger's question. A KPI
that merely copies the result of its own month then says nothing new: it was "significant" at 5 % in 24 % of 300 such
panels without y_{t-1} and in 7 % with it, while noise and talent-with-season stayed at 4-8 % either way. A KPI that
reacts to past results carries a bias of order 1/T into either regression (Nickell 1981): a 5 % test then rejected in
5 % at 24 months and 9 % at 12; the lead placebo caught that KPI in every one of those panels.

Results that move by shares (`outcome`) are sized by Poisson pseudo-maximum likelihood, in log points, and tested in
their relative form by the second regression.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from kpi_research.evidence.counts import ppml
from kpi_research.evidence.fixed_effects import (
    Codes,
    Estimate,
    FixedEffectsFit,
    FloatArray,
    NotEstimableError,
    Wald,
    fit,
    wald,
)
from kpi_research.evidence.grid import Rows, lagged, rows_of
from kpi_research.evidence.outcome import Outcome


@dataclass(frozen=True)
class Measured:
    """One coefficient in natural units, the rows it comes from, and the share explained beyond the effects (0-1)."""

    rows: Rows
    estimate: Estimate
    r2_within: float = math.nan


@dataclass(frozen=True)
class LagFit:
    """The lags of one KPI.

    Parameters
    ----------
    profile, total
        Lag 1, 2 ... and their sum, in natural units; log points of a result that moves by shares.
    tested
        Their sum in the form of the result that is tested, in about the same unit; `total` where that is the result.
    joint
        The test that all are zero.
    visibility
        Noncentrality of the joint test for a total effect of one such unit; it grows with the effect's square.
    """

    rows: Rows
    profile: tuple[Estimate, ...]
    total: Estimate
    tested: Estimate
    joint: Wald
    visibility: float


def usable_lags(wanted: int, n_periods: int) -> int:
    """The lags that so many periods can carry: at least two thirds of the periods must be left for the regression."""
    return min(wanted, max(1, n_periods // 3))


def fit_lags(y: FloatArray, x: FloatArray, lags: int, peers: Codes | None = None) -> LagFit:
    """Outcome y on the KPI x (N x T each) one to `lags` periods earlier.

    Parameters
    ----------
    peers
        N codes of those whose periods share an effect, as in `rows_of`.

    Raises
    ------
    NotEstimableError
        If the rows that are left cannot carry the regression.
    """
    rows = rows_of(y, *history(y, x, lags), peers=peers)
    plain = fit(rows.y, rows.X[:, :lags], person=rows.person, period=rows.period)
    dynamic = fit(rows.y, rows.X, person=rows.person, period=rows.period)
    profile = tuple(plain.at(index) for index in range(lags))
    joint = wald(dynamic, range(lags))
    total = plain.combine([1.0] * lags)
    return LagFit(rows, profile, total, total, joint, _visibility(dynamic, _persistence(x, lags, peers)))


def fit_lags_of(outcome: Outcome, x: FloatArray, lags: int, peers: Codes | None = None) -> LagFit:
    """`fit_lags`, where a result that moves by shares is sized in log points and tested in its relative form.

    Raises
    ------
    NotEstimableError
        If the rows that are left cannot carry one of the regressions.
    """
    tested = fit_lags(outcome.tested, x, lags, peers)
    if outcome.unit == "within_sd":
        return tested
    rows = rows_of(outcome.values, *history(outcome.values, x, lags), peers=peers)
    sized = ppml(rows.y, rows.X[:, :lags], person=rows.person, period=rows.period)
    return replace(
        tested,
        profile=tuple(sized.at(index) for index in range(lags)),
        total=sized.combine([1.0] * lags),
        tested=tested.total.scaled(1 / outcome.slope),
        visibility=tested.visibility * outcome.slope**2,
    )


def _visibility(dynamic: FixedEffectsFit, persistence: FloatArray) -> float:
    """Noncentrality c' V^-1 c of the joint test, for a total effect of one unit that falls in equal parts on L lags.

    With y_{t-1}, whose coefficient is rho, in the regression, the lags only show what y_{t-1} does not carry already:
    c = (1, 1 - rho, .., 1 - rho) / L, less rho / L times what the lags tell of x_{t-L-1} (`persistence`, L). V^-1 from
    G clusters is too large on average, by (G-1) / (G-L-2) (the mean of an inverted Wishart matrix).
    """
    lags, clusters = len(persistence), dynamic.n_clusters
    rho = float(dynamic.coef[lags])
    carried = np.r_[0.0, np.ones(lags - 1)] + persistence
    shown = (1 - rho * carried) / lags
    found = float(shown @ np.linalg.solve(dynamic.cov_jackknife[:lags, :lags], shown))
    return found * max(1, clusters - lags - 2) / (clusters - 1)


def _persistence(x: FloatArray, lags: int, peers: Codes | None) -> FloatArray:
    """Coefficients of x_{t-lags-1} on x_{t-1} .. x_{t-lags}; zero where too few periods reach back so far."""
    rows = rows_of(lagged(x, lags + 1), *(lagged(x, lag) for lag in range(1, lags + 1)), peers=peers)
    try:
        return fit(rows.y, rows.X, person=rows.person, period=rows.period).coef
    except NotEstimableError:
        return np.zeros(lags)


def history(y: FloatArray, x: FloatArray, lags: int) -> list[FloatArray]:
    """The regressors x_{t-1} .. x_{t-lags} and y_{t-1}, N x T each."""
    return [*(lagged(x, lag) for lag in range(1, lags + 1)), lagged(y, 1)]


def fit_same_period(y: FloatArray, x: FloatArray, peers: Codes | None = None) -> Measured:
    """Outcome on the KPI of the same period.

    Raises
    ------
    NotEstimableError
        If the rows that are left cannot carry the regression.
    """
    rows = rows_of(y, x, peers=peers)
    fitted = fit(rows.y, rows.X, person=rows.person, period=rows.period)
    return Measured(rows, fitted.at(0), fitted.r2_within)
