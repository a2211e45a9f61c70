"""How strong must an unseen factor be? Held to published figures, and to factors built to be just that strong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from golden import panel_references as reference
from golden.planted_worlds import autoregressive, world

from kpi_research.evidence.fixed_effects import Codes, Estimate, NotEstimableError, fit, t_quantile, within
from kpi_research.evidence.grid import lagged, rows_of
from kpi_research.evidence.lags import fit_lags, history
from kpi_research.evidence.sensitivity import (
    Exposure,
    Strength,
    bound,
    bounds,
    expose,
    robustness,
    unseen_factor,
)

DARFUR = Estimate(0.09731581928495525, 0.023256537809811125, 783)
"""Effect of exposure to violence on attitudes towards peace (Cinelli & Hazlett 2020), regression
`peacefactor ~ directlyharmed + age + farmer_dar + herder_dar + pastvoted + hhsize_darfur + female + village` on
sensemakr's own data. All figures on it here were printed by PySensemakr 0.0.8 with statsmodels 0.14.6:
`Sensemakr(model, "directlyharmed", benchmark_covariates=["female", "pastvoted"], kd=[1, 2, 3])`."""

FEMALE = Strength(0.009081065190329713, 0.10903391542784036)
"""`partial_r2` of the covariate in the regression of `directlyharmed` on the covariates, and in that of the outcome."""

PAST_VOTED = Strength(0.0014897406029036277, 0.005068412524614867)

DARFUR_BOUNDS = [
    # times, r2dz_x, r2yz_dx, adjusted_estimate, adjusted_se
    (FEMALE, 1, 0.00916428667505, 0.12464092303637, 0.07522027121445, 0.02187332774376),
    (FEMALE, 2, 0.01832857335010, 0.24932406419997, 0.05291517238445, 0.02035006207796),
    (FEMALE, 3, 0.02749286002515, 0.37405047103809, 0.03039602346416, 0.01867006481709),
    (PAST_VOTED, 1, 0.00149196324112, 0.00510945572217, 0.09551770810137, 0.02322920976176),
    (PAST_VOTED, 3, 0.00447588972337, 0.01532850400589, 0.09191338333691, 0.02314420984548),
]

GRUNFELD = [
    # times, r2dz_x, r2yz_dx, adjusted_estimate, adjusted_se
    (0.25, 0.02250118049908, 0.43472144161272, 0.09983300919324, 0.01048829917439),
    (0.50, 0.04500236099816, 0.87266584088873, 0.08146426494341, 0.00503620320228),
    (1.00, 0.09000472199632, 1.0, 0.06149471472462, 0.0),
]
"""The same version on `invest ~ value + capital + firm + year` of Grunfeld's ten firms, treatment `value`, benchmark
`capital`: partial R2 .30245900308790824, RV .47645764548041475, RV at 5 % .3940291560027545, se .01375128300364845."""


def test_darfur_robustness():
    """The paper prints 2.2 %, 13.9 % and 7.6 %."""
    found = robustness(DARFUR.value / DARFUR.se, DARFUR.df)
    assert found.partial_r2 == pytest.approx(0.021873093341109283, abs=1e-12)
    assert found.rv_q == pytest.approx(0.13877635389358697, abs=1e-12)
    assert found.rv_q_alpha == pytest.approx(0.07625796554485585, abs=1e-12)


@pytest.mark.parametrize(
    ("t", "df", "q", "alpha", "golden"),
    [
        (4.1844499848081895, 783, 1, 0.10, 0.08663475044777924),
        (4.1844499848081895, 783, 0.5, 0.05, 0.0045627608143882035),
        (4.1844499848081895, 783, 1, 0.01, 0.055591),
        (-40.0, 20, 1, 0.05, 0.984808),
        (2.0, 30, 1, 0.05, 0.0),
        (3.0, 9, 1, 0.05, 0.168433),
        (25.0, 9, 1, 0.001, 0.940707),
    ],
)
def test_equals_sensemakr_at_other_sizes_and_levels(t, df, q, alpha, golden):
    """PySensemakr 0.0.8: robustness_value(t_statistic=|t|, dof=df, q=q, alpha=alpha); six digits where it prints six.
    The fourth and the last are its case of a critical value that is large beside the effect."""
    assert robustness(t, df, q=q, alpha=alpha).rv_q_alpha == pytest.approx(golden, abs=5.1e-7)


@pytest.mark.parametrize(("benchmark", "times", "r2_kpi", "r2_outcome", "value", "se"), DARFUR_BOUNDS)
def test_darfur_bounds(benchmark, times, r2_kpi, r2_outcome, value, se):
    strength = bound(benchmark, times)
    assert (strength.r2_kpi, strength.r2_outcome) == pytest.approx((r2_kpi, r2_outcome), abs=1e-12)
    left = Exposure(DARFUR, DARFUR.value / DARFUR.se, DARFUR.df).adjusted(strength)
    assert (left.value, left.se) == pytest.approx((value, se), abs=1e-12)


def test_equals_sensemakr_on_grunfelds_investment():
    invest, X, firm, year = reference.grunfeld()
    value, capital, nothing = X[:, :1], X[:, 1:], np.empty((200, 0))
    fitted = fit(invest, X, person=firm, period=year)
    strength = Strength(
        _partial_r2(value[:, 0], capital, nothing, firm, year), _partial_r2(invest, capital, value, firm, year)
    )
    t = 8.560354335765508
    exposure = Exposure(fitted.at(0), t, 169, strength)
    assert exposure.estimate.value == pytest.approx(0.11771585508262053, abs=1e-10)
    found = robustness(t, 169)
    assert (found.partial_r2, found.rv_q, found.rv_q_alpha) == pytest.approx(
        (0.30245900308790824, 0.47645764548041475, 0.3940291560027545), abs=1e-10
    )
    for each, (times, r2_kpi, r2_outcome, left, se) in zip(bounds(exposure, [0.25, 0.5, 1]), GRUNFELD):
        assert each.times == times
        assert (each.strength.r2_kpi, each.strength.r2_outcome) == pytest.approx((r2_kpi, r2_outcome), abs=1e-10)
        assert each.adjusted.value == pytest.approx(left, abs=1e-10)
        assert each.adjusted.se / exposure.estimate.se == pytest.approx(se / 0.01375128300364845, abs=1e-10)


def _partial_r2(target: np.ndarray, columns: np.ndarray, given: np.ndarray, person: Codes, period: Codes) -> float:
    """Partial R2 by regressions on dummies, as nobody would compute it."""
    dummies = [np.equal.outer(codes, np.unique(codes)).astype(float) for codes in (person, period)]
    squares = []
    for X in (np.column_stack([*dummies, given]), np.column_stack([*dummies, given, columns])):
        squares.append(np.sum((target - X @ np.linalg.lstsq(X, target, rcond=None)[0]) ** 2))
    return 1 - squares[1] / squares[0]


def panel(seed: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, KPI, benchmark and control, 15 x 18, with holes."""
    rng = np.random.default_rng(seed)
    w, c = (autoregressive(rng, (15, 18), 0.5) for _ in range(2))
    x = 0.5 * lagged(np.nan_to_num(w), -1) + autoregressive(rng, (15, 18), 0.4) + rng.normal(size=(15, 1))
    y = 0.5 * w + 0.3 * c + 2 * rng.normal(size=(15, 18))
    y[:, 1:] += 0.6 * np.nan_to_num(x[:, :-1])
    return tuple(np.where(rng.random(values.shape) < 0.05, np.nan, values) for values in (y, x, w, c))


@pytest.mark.parametrize("lags", [1, 3])
def test_exposure_equals_dummy_regressions(lags):
    y, x, w, c = panel()
    found = expose(y, x, lags, benchmark=[w, lagged(w, 1)], controls=[c])
    rows = rows_of(y, *history(y, x, lags), w, lagged(w, 1), c)
    # the sum of the lags is the coefficient of any of them beside the others' differences from it: here of the last
    kpi = rows.X[:, lags - 1]
    held = np.column_stack([rows.X[:, : lags - 1] - kpi[:, None], rows.X[:, -1]])
    shares = (
        _partial_r2(kpi, rows.X[:, lags + 1 : lags + 3], held, rows.person, rows.period),
        _partial_r2(rows.y, rows.X[:, lags + 1 : lags + 3], np.column_stack([kpi, held]), rows.person, rows.period),
    )
    assert (found.benchmark.r2_kpi, found.benchmark.r2_outcome) == pytest.approx(shares, abs=1e-10)
    everything = np.column_stack([held, rows.X[:, lags + 1 : lags + 3]])
    explained = _partial_r2(rows.y, kpi[:, None], everything, rows.person, rows.period)
    assert found.robustness().partial_r2 == pytest.approx(explained, abs=1e-10)
    assert found.residual_df == len(rows.y) - 15 - (17 - lags) - lags - 3


def test_without_controls_it_is_the_sum_of_the_lags():
    arrays = world(np.random.default_rng(1))
    ours, total = (run(arrays["revenue"], arrays["driver"], 3) for run in (expose, fit_lags))
    assert ours.benchmark is None
    assert (ours.estimate.value, ours.estimate.se) == pytest.approx((total.total.value, total.total.se), abs=1e-10)
    assert ours.estimate.df == total.total.df


class Unseen:
    """The rows of one lag as directions: of the KPI, of what it leaves of the outcome, and one of noise."""

    def __init__(self, seed: int, beta: float = 0.4):
        rng = np.random.default_rng(seed)
        x = autoregressive(rng, (14, 16), 0.4)
        y = autoregressive(rng, (14, 16), 0.3)
        y[:, 1:] += beta * x[:, :-1]
        self.y, self.x = (np.where(rng.random(values.shape) < 0.1, np.nan, values) for values in (y, x))
        self.rows = rows_of(self.y, *history(self.y, self.x, 1))
        self.kpi = self._direction(self.rows.X[:, 0])
        self.outcome = self._direction(self.rows.y, self.kpi)
        self.noise = self._direction(rng.normal(size=len(self.rows.y)), self.kpi, self.outcome)

    def _direction(self, values: np.ndarray, *taken: np.ndarray) -> np.ndarray:
        left = within(values, self.rows.person, self.rows.period)
        for direction in taken:
            left = left - direction * (direction @ left)
        return left / np.linalg.norm(left)

    def factor(self, strength: Strength, sign: float) -> np.ndarray:
        """What explains exactly these shares of what the effects, and the KPI, leave; against a positive effect if +."""
        a, b = strength.r2_kpi, strength.r2_outcome
        return (
            sign * math.sqrt(a) * self.kpi
            + np.sqrt((1 - a) * b) * self.outcome
            + np.sqrt((1 - a) * (1 - b)) * self.noise
        )

    def with_factor(self, factor: np.ndarray) -> tuple[float, float]:
        """The coefficient and its textbook t with the factor in the regression, effects as dummies."""
        rows = self.rows
        dummies = [np.equal.outer(codes, np.unique(codes)).astype(float) for codes in (rows.person, rows.period)]
        X = np.column_stack([rows.X[:, 0], factor, dummies[0], dummies[1][:, 1:]])
        coef = np.linalg.lstsq(X, rows.y, rcond=None)[0]
        residuals = rows.y - X @ coef
        variance = residuals @ residuals / (len(rows.y) - X.shape[1]) * np.linalg.inv(X.T @ X)[0, 0]
        return float(coef[0]), float(coef[0] / math.sqrt(variance))


@pytest.mark.parametrize("beta", [0.4, -0.6])
@pytest.mark.parametrize("q", [1.0, 0.5])
def test_a_factor_of_exactly_the_robustness_value_takes_that_part_away(beta, q):
    unseen = Unseen(3, beta)
    exposure = expose(unseen.y, unseen.x, 1)
    share = exposure.robustness(q=q).rv_q
    left, _ = unseen.with_factor(unseen.factor(Strength(share, share), np.sign(beta)))
    assert left == pytest.approx((1 - q) * exposure.estimate.value, abs=1e-10)


def test_a_factor_of_exactly_the_robustness_value_at_5_percent_makes_it_just_significant():
    unseen = Unseen(4)
    exposure = expose(unseen.y, unseen.x, 1)
    share = robustness(exposure.t, exposure.residual_df).rv_q_alpha
    _, t = unseen.with_factor(unseen.factor(Strength(share, share), 1))
    assert t == pytest.approx(t_quantile(0.975, exposure.residual_df - 1), abs=1e-9)


def test_what_explains_all_the_rest_of_the_outcome_needs_the_partial_r2_of_the_kpi():
    unseen = Unseen(5)
    exposure = expose(unseen.y, unseen.x, 1)
    left, _ = unseen.with_factor(unseen.factor(Strength(exposure.robustness().partial_r2, 1 - 1e-13), 1))
    assert left == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("strength", [Strength(0.1, 0.3), Strength(0.5, 0.05), Strength(0.02, 0.9)])
@pytest.mark.parametrize("sign", [1, -1])
def test_adjusted_equals_the_regression_with_such_a_factor(strength, sign):
    unseen = Unseen(6)
    exposure = expose(unseen.y, unseen.x, 1)
    value, se = exposure.estimate.value, exposure.estimate.value / exposure.t
    textbook = Estimate(value, se, exposure.residual_df)
    expected = Exposure(textbook, exposure.t, exposure.residual_df).adjusted(strength)
    left, t = unseen.with_factor(unseen.factor(strength, sign))
    assert left == pytest.approx(expected.value if sign > 0 else 2 * value - expected.value, abs=1e-10)
    assert left / t == pytest.approx(expected.se, abs=1e-10)


@pytest.mark.parametrize(("t", "df", "clustered"), [
    (3.0, 9, None), (4.0, 500, None), (12.0, 400, Estimate(1.0, 0.3, 11)), (9.0, 30, Estimate(-2.0, 0.4, 7)),
])  # fmt: skip
def test_no_weaker_factor_makes_it_insignificant_and_the_robustness_value_does(t, df, clustered):
    """Over all factors that explain at most a share of either, by search."""
    errors = clustered or Estimate(t, 1.0, df - 1)
    critical = t_quantile(0.975, errors.df)

    def least_t(share: float) -> float:
        found = []
        for r2_outcome in np.linspace(0, share * (1 - 1e-12), 2001):
            left = Exposure(errors, t, df).adjusted(Strength(share, r2_outcome))
            found.append(left.value * np.sign(errors.value) / left.se)
        return min(found)

    share = robustness(t, df, clustered=clustered).rv_q_alpha
    assert least_t(share * 0.999) > critical > least_t(share * 1.001)


def test_larger_clustered_errors_make_it_easier_to_doubt_and_change_nothing_else():
    plain, doubled = (robustness(6.0, 400, clustered=Estimate(6.0, se, 39)) for se in (1.0, 2.0))
    assert (plain.partial_r2, plain.rv_q) == (doubled.partial_r2, doubled.rv_q)
    assert plain.rv_q_alpha > doubled.rv_q_alpha > 0
    assert robustness(6.0, 400, clustered=Estimate(6.0, 3.0, 39)).rv_q_alpha == 0


def test_bounds_hold_and_are_met_by_the_worst_factor():
    """200 factors unrelated to the benchmark: how strong each is beside it is measured, and so is what it explains."""
    rng = np.random.default_rng(11)
    rows = 80
    gaps = []
    for _ in range(200):
        x_j, d, y = rng.normal(size=(3, rows))
        d, y = d + 0.4 * x_j, y + 0.5 * x_j + 0.3 * d
        d_left = _left(d, x_j)
        y_left = _left(y, np.column_stack([d, x_j]))
        # the worst factors lie in the plane of what is left of KPI and outcome; others have noise of their own
        noise = _left(rng.normal(size=rows), np.column_stack([x_j, d, y])) * rng.choice([0, 0.5])
        z = rng.normal() * d_left / np.linalg.norm(d_left) + rng.normal() * y_left / np.linalg.norm(y_left) + noise
        of_kpi, of_outcome = _share(d, z, None) / _share(d, x_j, None), _share(y, z, d) / _share(y, x_j, d)
        benchmark = Strength(_share(d, x_j, None), _share(y, x_j, d))
        if of_kpi * benchmark.r2_kpi >= 1 - benchmark.r2_kpi:
            continue
        found = bound(benchmark, of_kpi, of_outcome)
        assert _share(d, z, x_j) == pytest.approx(found.r2_kpi, abs=1e-9)
        gaps.append(found.r2_outcome - _share(y, z, np.column_stack([d, x_j])))
    assert len(gaps) > 100
    assert min(gaps) > -1e-9
    assert min(gaps) < 1e-9


def _left(target: np.ndarray, given: np.ndarray) -> np.ndarray:
    X = given.reshape(len(target), -1)
    return target - X @ np.linalg.lstsq(X, target, rcond=None)[0]


def _share(target: np.ndarray, by: np.ndarray, given: np.ndarray | None) -> float:
    """Partial R2 of one column."""
    if given is not None:
        target, by = _left(target, given), _left(by, given)
    return float((target @ by) ** 2 / ((target @ target) * (by @ by)))


def test_times_benchmark_is_where_the_bound_reaches_zero():
    y, x, w, _ = panel()
    exposure = expose(y, x, 2, benchmark=[w])
    numbers = unseen_factor(exposure)
    assert exposure.adjusted(bound(exposure.benchmark, numbers.times_benchmark)).value == pytest.approx(0, abs=1e-6)
    assert (numbers.to_erase, numbers.to_doubt) == (exposure.robustness().rv_q, exposure.robustness().rv_q_alpha)
    assert numbers.to_doubt < numbers.to_erase
    below, above = bounds(exposure, [0.9 * numbers.times_benchmark, 1.1 * numbers.times_benchmark])
    assert below.adjusted.value * exposure.estimate.value > 0 > above.adjusted.value * exposure.estimate.value


def test_times_benchmark_without_a_benchmark_and_with_one_that_has_nothing_to_do_with_it():
    assert math.isnan(unseen_factor(Exposure(DARFUR, 4.18, 783)).times_benchmark)
    assert unseen_factor(Exposure(DARFUR, 4.18, 783, Strength(0.0, 0.2))).times_benchmark == math.inf
    assert unseen_factor(Exposure(DARFUR, 4.18, 783, Strength(0.2, 0.0))).times_benchmark == math.inf


def test_multiples_that_cannot_be_are_left_out():
    exposure = Exposure(DARFUR, 4.18, 783, Strength(0.3, 0.1))
    assert [each.times for each in bounds(exposure, [1, 2, 3])] == [1, 2]
    assert bounds(exposure, [0])[0].adjusted.value == DARFUR.value


def test_an_unseen_factor_as_strong_as_the_benchmark_is_taken_out_on_average():
    """Nothing but an unseen factor and a benchmark, equally strong, make the KPI go with the outcome."""
    found, left = [], []
    for seed in range(60):
        rng = np.random.default_rng(5000 + seed)
        z, w = (autoregressive(rng, (40, 25), 0.7) for _ in range(2))
        x = 0.6 * z + 0.6 * w + autoregressive(rng, (40, 25), 0.4)
        y = 0.4 * (lagged(z, 1) + lagged(w, 1)) + autoregressive(rng, (40, 25), 0.3)
        exposure = expose(y, x, 1, benchmark=[lagged(w, 1)])
        found.append(exposure.estimate.value)
        left.append(bounds(exposure, [1])[0].adjusted.value)
    assert np.mean(found) > 0.13
    assert abs(np.mean(left)) < 0.03


def test_order_units_and_constants_change_nothing():
    y, x, w, c = panel()
    base = expose(y, x, 2, benchmark=[w], controls=[c])
    order, market = np.random.default_rng(1).permutation(15), np.linspace(-3, 3, 18)
    again = expose(
        (1e5 * (y + market))[order], (10 * x)[order] + 7, 2, benchmark=[0.01 * w[order]], controls=[c[order]]
    )
    assert again.t == pytest.approx(base.t, abs=1e-8)
    assert again.benchmark.r2_kpi == pytest.approx(base.benchmark.r2_kpi, abs=1e-10)
    assert again.benchmark.r2_outcome == pytest.approx(base.benchmark.r2_outcome, abs=1e-10)
    assert again.estimate.value == pytest.approx(1e4 * base.estimate.value)


def test_what_cannot_be_computed_is_said():
    y, x = panel()[:2]
    for wrong in (lambda: robustness(2.0, 1), lambda: robustness(math.inf, 50), lambda: robustness(math.nan, 50)):
        with pytest.raises(NotEstimableError):
            wrong()
    with pytest.raises(NotEstimableError):
        Exposure(DARFUR, 4.18, 783).adjusted(Strength(1.0, 0.2))
    with pytest.raises(NotEstimableError):
        Exposure(Estimate(0.0, 1.0, 30), 0.0, 30).adjusted(Strength(0.1, 0.2))
    with pytest.raises(NotEstimableError):
        bound(Strength(0.4, 0.2), 2)
    with pytest.raises(NotEstimableError):
        bounds(expose(y, x, 1))
    with pytest.raises(NotEstimableError):
        expose(y, np.ones_like(x), 1)
    with pytest.raises(NotEstimableError):
        expose(y, x, 1, benchmark=[lagged(x, 1)])
    with pytest.raises(NotEstimableError):
        expose(3 * lagged(x, 1), x, 1)


def test_no_effect_has_no_robustness():
    found = robustness(0.0, 100, clustered=Estimate(0.0, 1.0, 9))
    assert (found.partial_r2, found.rv_q, found.rv_q_alpha) == (0, 0, 0)
