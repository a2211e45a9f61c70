"""How strong would an unseen factor have to be to take an effect away? (Cinelli & Hazlett 2020.)

A factor that is in no system can move both KPI and outcome: demand in a territory, a new product. What it does to the
coefficient depends on two shares alone: how much it explains of what effects, KPI's lags and controls leave of the
outcome, and how much of what they leave of the KPI. The robustness value is the share of both at which the effect is
gone; a benchmark, such as inbound leads, says how much a factor that is seen explains.

The bias is a matter of least squares and not of errors, so shares come from the textbook t with the regression's
residual degrees of freedom. The clustered t with clusters - 1 must not be put in their place: on 300 panels of 40
people x 24 months of `tests/golden/planted_worlds.py`, one lag, the share that wipes the driver's effect out was .12 on
average, and .44 by t and degrees of freedom of the clusters. Clustered errors count where the question is when the
effect could be chance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from kpi_research.evidence.fixed_effects import (
    TOLERANCE,
    Estimate,
    FloatArray,
    NotEstimableError,
    fit,
    not_nested,
    t_quantile,
    within,
)
from kpi_research.evidence.grid import rows_of
from kpi_research.evidence.lags import history


@dataclass(frozen=True)
class Robustness:
    """Shares, 0-1, of what is left of KPI and outcome.

    Parameters
    ----------
    partial_r2
        Share of what is left of the outcome that the KPI explains; also what a factor that explains all the rest of the
        outcome would have to explain of the KPI to take the whole effect away.
    rv_q
        Share of both that a factor has to explain to take the part q of the effect away.
    rv_q_alpha
        Share of both with which the effect is no longer significantly more than 1 - q of what it was; 0 where it is not
        as it stands.
    """

    partial_r2: float
    rv_q: float
    rv_q_alpha: float


@dataclass(frozen=True)
class Strength:
    """Shares, 0-1, that a factor explains of what everything else leaves of the KPI and of the outcome.

    For the outcome, everything else includes the KPI.
    """

    r2_kpi: float
    r2_outcome: float


@dataclass(frozen=True)
class Bound:
    """A factor `times` as strong as the benchmark, at worst: its strength, and the effect with it in the regression."""

    times: float
    strength: Strength
    adjusted: Estimate


@dataclass(frozen=True)
class Exposure:
    """An effect in natural units, and how open it is to factors that are not in the regression.

    Parameters
    ----------
    estimate
        With clustered errors.
    t, residual_df
        Textbook t statistic, and rows less all coefficients and effects.
    benchmark
        What the benchmark explains; None where there is none.
    """

    estimate: Estimate
    t: float
    residual_df: int
    benchmark: Strength | None = None

    def robustness(self, *, q: float = 1.0, alpha: float = 0.05) -> Robustness:
        """As the function of that name, significance by the clustered errors."""
        return robustness(self.t, self.residual_df, q=q, alpha=alpha, clustered=self.estimate)

    def adjusted(self, strength: Strength) -> Estimate:
        """The effect and its error with a factor of this strength in the regression, where it works against the effect.

        The bias is se sqrt(df) sqrt(R2_outcome R2_kpi / (1 - R2_kpi)) with the textbook's se, and errors change by
        sqrt((1 - R2_outcome) / (1 - R2_kpi) df / (df - 1)): exact for the value and textbook errors. Clustered errors
        are taken to change by the same factor. In 299 panels of 40 people x 24 months in which KPI, error and factor
        were AR(.7), a factor as strong as rv_q_alpha, with which t should be 2.02, made it 2.01 on average, and
        1.67-2.30 in nine of ten.

        Raises
        ------
        NotEstimableError
            If t is zero, there are less than 2 degrees of freedom, or the factor leaves nothing of the KPI.
        """
        left, df = 1 - strength.r2_kpi, self.residual_df
        if df < 2 or not self.t or left <= 0:
            raise NotEstimableError
        relative = math.sqrt(strength.r2_outcome * strength.r2_kpi / left * df) / abs(self.t)
        change = math.sqrt((1 - strength.r2_outcome) / left * df / (df - 1))
        return Estimate(self.estimate.value * (1 - relative), self.estimate.se * change, self.estimate.df)


@dataclass(frozen=True)
class UnseenFactor:
    """Numbers for words: what an unseen factor would have to explain.

    Parameters
    ----------
    to_erase
        Share, 0-1, of what is left of both KPI and outcome with which the effect is gone.
    to_doubt
        The same for an effect that could be chance.
    times_benchmark
        How many times as strong as the benchmark it would have to be for the effect to be gone; infinite where the
        benchmark has nothing to do with KPI or outcome, NaN without benchmark.
    """

    to_erase: float
    to_doubt: float
    times_benchmark: float


def robustness(
    t: float, df: int, *, q: float = 1.0, alpha: float = 0.05, clustered: Estimate | None = None
) -> Robustness:
    """Partial R2 and robustness values of a coefficient (Cinelli & Hazlett 2020).

    With f = q |t| / sqrt(df), rv_q solves R2 / sqrt(1 - R2) = f. For rv_q_alpha the distance that is left after the
    critical value is taken off stands in the place of f; where the critical value is so large that the worst factor
    explains less of the outcome than of the KPI, it is (f^2 - f_c^2) / (1 + f^2), as in their package sensemakr.

    Parameters
    ----------
    t, df
        Textbook t statistic and the regression's residual degrees of freedom, not those of the clusters (module).
    q
        Part of the effect that the factor takes away.
    alpha
        Two-sided level of significance.
    clustered
        The same coefficient with the errors that count for significance; the textbook's if None. The factor is taken to
        change them as it changes the textbook's.

    Raises
    ------
    NotEstimableError
        If df is less than 2 or the statistic is not finite.
    """
    if df < 2 or not math.isfinite(t):
        raise NotEstimableError
    f, errors, critical = q * abs(t) / math.sqrt(df), clustered or Estimate(t, 1.0, df - 1), math.inf
    if errors.value:
        # on the scale of f; the factor takes one degree of freedom
        wider = abs(t / errors.value) * errors.se / math.sqrt(df - 1)
        critical = t_quantile(1 - alpha / 2, errors.df) * wider
    doubt = (f**2 - critical**2) / (1 + f**2) if f * critical > 1 else _robustness_value(max(0.0, f - critical))
    return Robustness(t**2 / (t**2 + df), _robustness_value(f), doubt if f > critical else 0.0)


def bound(benchmark: Strength, times: float, times_outcome: float | None = None) -> Strength:
    """The most that a factor can explain which is `times` as strong as the benchmark.

    As strong means: of what everything but the benchmark leaves of the KPI it explains `times` the share that the
    benchmark explains, and of the outcome `times_outcome` the share, the same if None. The factor is unrelated to the
    benchmark (Cinelli & Hazlett 2020). No factor explains more than all of the outcome.

    Raises
    ------
    NotEstimableError
        If the factor would have to explain all of the KPI or more.
    """
    a, b = benchmark.r2_kpi, benchmark.r2_outcome
    if times * a >= 1 - a or b >= 1:
        raise NotEstimableError
    related = times * a**2 / ((1 - times * a) * (1 - a))
    root = math.sqrt(times if times_outcome is None else times_outcome) + math.sqrt(related)
    return Strength(times * a / (1 - a), min(1.0, root**2 / (1 - related) * b / (1 - b)))


def expose(
    y: FloatArray,
    x: FloatArray,
    lags: int,
    *,
    benchmark: Sequence[FloatArray] = (),
    controls: Sequence[FloatArray] = (),
) -> Exposure:
    """How open the sum of the lags of `lags.fit_lags` is to factors that are not in the regression.

    The sum of lags is the coefficient of x_{t-1} beside the differences of the other lags from it; "what is left of the
    KPI" is what they, the effects and the controls leave of it. The rows are those of `fit_lags` in which benchmark and
    controls have a value, so that without them the estimate is the same.

    Parameters
    ----------
    y, x
        Outcome and KPI, N x T each.
    benchmark
        N x T each: what is taken together as the factor to compare with. It stays in the regression.
    controls
        N x T each: what is held fixed as well.

    Raises
    ------
    NotEstimableError
        If the rows that are left cannot carry the regression, or nothing is left of the outcome to explain.
    """
    rows = rows_of(y, *history(y, x, lags), *benchmark, *controls)
    first, others, beside = rows.X[:, :1], rows.X[:, 1:lags] - rows.X[:, :1], rows.X[:, lags + 1 :]
    X = np.column_stack([first, beside, others])
    fitted = fit(rows.y, X, person=rows.person, period=rows.period)
    residual_df = len(rows.y) - X.shape[1] - not_nested(rows.person, rows.period) - int(rows.person.max())
    left = within(np.column_stack([rows.y, X]), rows.person, rows.period)
    outcome, kpi, rest = left[:, 0], left[:, 1], left[:, 2:]
    squares = float(fitted.residuals @ fitted.residuals)
    if residual_df < 2 or squares <= TOLERANCE**2 * float(outcome @ outcome):
        raise NotEstimableError
    kpi_left, without = _squares_left(kpi, rest), rest[:, len(benchmark) :]
    explained = Strength(
        r2_kpi=max(0.0, 1 - kpi_left / _squares_left(kpi, without)),
        r2_outcome=max(0.0, 1 - squares / _squares_left(outcome, np.column_stack([kpi, without]))),
    )
    t = float(fitted.coef[0]) * math.sqrt(kpi_left * residual_df / squares)
    return Exposure(fitted.at(0), t, residual_df, explained if benchmark else None)


def bounds(exposure: Exposure, multiples: Sequence[float] = (1.0, 2.0, 3.0)) -> tuple[Bound, ...]:
    """The effect with an unseen factor one, two ... times as strong as the benchmark, at worst.

    What the benchmark explains is measured, and its error is not in that of the adjusted effect. On 500 panels of 40
    people x 25 months without effect, but with an unseen factor truly as strong as the benchmark, the effect was .158
    on average and significant at 5 % in 99 %; the bound of 1 left -.005, and its interval lay above zero in 10 %.

    Parameters
    ----------
    multiples
        Those with which the factor would explain all of the KPI or more are left out.

    Raises
    ------
    NotEstimableError
        If there is no benchmark, or it explains all that is left of the outcome.
    """
    if exposure.benchmark is None or exposure.benchmark.r2_outcome >= 1:
        raise NotEstimableError
    a = exposure.benchmark.r2_kpi
    possible = [(times, bound(exposure.benchmark, times)) for times in multiples if times * a < 1 - a]
    return tuple(Bound(times, strength, exposure.adjusted(strength)) for times, strength in possible)


def unseen_factor(exposure: Exposure, *, alpha: float = 0.05) -> UnseenFactor:
    """What an unseen factor would have to explain, in shares of both and in multiples of the benchmark.

    "An unseen factor would have to explain `to_erase` of what is left of both visits and revenue, about
    `times_benchmark` times what inbound leads explain, to wipe this out."
    """
    found = exposure.robustness(alpha=alpha)
    return UnseenFactor(found.rv_q, found.rv_q_alpha, _times_to_erase(exposure))


def _times_to_erase(exposure: Exposure) -> float:
    benchmark = exposure.benchmark
    if benchmark is None:
        return math.nan
    a, b = benchmark.r2_kpi, benchmark.r2_outcome
    if min(a, b) <= TOLERANCE or b >= 1:
        return math.inf
    target = exposure.t**2 / exposure.residual_df

    def excess(times: float) -> float:
        strength = bound(benchmark, times)
        return strength.r2_outcome * strength.r2_kpi - target * (1 - strength.r2_kpi)

    # the bias grows with the multiple, without limit where the factor comes to explain all of the KPI
    most = (1 - a) / a * (1 - TOLERANCE)
    return float(optimize.brentq(excess, 0.0, most, xtol=TOLERANCE)) if excess(most) > 0 else most


def _robustness_value(f: float) -> float:
    """The share R2 with R2 / sqrt(1 - R2) = f: (sqrt(f^4 + 4 f^2) - f^2) / 2, without its cancellation."""
    return 2 * f / (f + math.hypot(f, 2))


def _squares_left(target: FloatArray, columns: FloatArray) -> float:
    """Sum of squares that least squares on the columns (n x k) leaves of the target (n)."""
    scaled = columns / np.linalg.norm(columns, axis=0)
    left = target - scaled @ np.linalg.lstsq(scaled, target, rcond=None)[0]
    return float(left @ left)
