"""A bend is found where one was planted, at its place, and hardly ever where there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from golden.planted_worlds import autoregressive
from scipy.interpolate import CubicSpline

from kpi_research.evidence.fixed_effects import NotEstimableError, fit, not_nested, within
from kpi_research.evidence.grid import lagged, rows_of, within_spread
from kpi_research.evidence.shape import KNOTS, SEARCHED, Shape, _spline, curve, fit_shape

Form = Callable[[np.ndarray, float], np.ndarray]


def line(x: np.ndarray, at: float) -> np.ndarray:
    return x


def plateau(x: np.ndarray, at: float) -> np.ndarray:
    return np.minimum(x, at)


def threshold(x: np.ndarray, at: float) -> np.ndarray:
    return np.maximum(x, at)


def logarithm(x: np.ndarray, at: float) -> np.ndarray:
    return np.log1p(np.maximum(x, 0.0))


def kpi(rng: np.random.Generator, people: int, periods: int, counts: bool) -> np.ndarray:
    own = autoregressive(rng, (people, periods), 0.4)
    level = rng.standard_normal((people, 1))
    return rng.poisson(4 * np.exp(0.4 * (level + own))).astype(float) if counts else 8 + 3 * (0.7 * level + own)


def world(
    rng: np.random.Generator, form: Form, slope: float, *, people: int = 40, counts: bool = False, lag: int = 1
) -> tuple[np.ndarray, np.ndarray, float]:
    """Result and KPI of 24 months, and the KPI's median, where `form` breaks.

    `slope`, on the side that has one, is in standard deviations of the errors for one of the KPI within people.
    """
    x = kpi(rng, people, 24 + lag, counts)
    at = float(np.median(x))
    means = form(x, at) if form is logarithm else x
    effect = slope / np.std(means - means.mean(axis=1, keepdims=True)) * form(x, at)
    y = rng.standard_normal((people, 1)) + 0.3 * rng.standard_normal(24 + lag)
    y = y + autoregressive(rng, (people, 24 + lag), 0.3)
    y[:, lag:] += effect[:, :-lag]
    return y[:, lag:], x[:, lag:], at


def with_holes(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """10 % holes; a quarter of the people join after eight periods."""
    late = (np.arange(len(values)) % 4 == 1)[:, None] & (np.arange(values.shape[1]) < 8)
    return np.where(late | (rng.random(values.shape) < 0.1), np.nan, values)


def natural(found: Shape) -> tuple[float, float]:
    return found.kink.before.value / found.scale, found.kink.after.value / found.scale


class ByRegressions:
    """The same from a regression a break, with everything that `fit_shape` gets from products of columns."""

    def __init__(self, y: np.ndarray, x: np.ndarray, lags: int):
        self.rows = rows_of(y, *(lagged(x, lag) for lag in range(1, lags + 1)))
        self.lags = lags
        self.straight = self._fit(self.rows.y, self.rows.X)
        parts = np.maximum(self.straight.coef * np.sign(self.straight.coef.sum()), 0)
        self.weights = parts / parts.sum()
        self.breaks = np.unique(np.quantile(self.rows.X, SEARCHED, method="nearest"))
        self.hinges = [np.maximum(self.rows.X - at, 0) @ self.weights for at in self.breaks]

    def _fit(self, y: np.ndarray, X: np.ndarray):
        return fit(y, X, person=self.rows.person, period=self.rows.period)

    def broken(self, y: np.ndarray, hinge: np.ndarray):
        return self._fit(y, np.column_stack([self.rows.X, hinge]))

    def best(self, y: np.ndarray) -> tuple[int, float, float, np.ndarray]:
        """Number of the best break, the slopes on both sides, and every break's sum of squares."""
        fits = [self.broken(y, hinge) for hinge in self.hinges]
        squares = np.array([fitted.residuals @ fitted.residuals for fitted in fits])
        coef = fits[int(np.argmin(squares))].coef
        return int(np.argmin(squares)), coef[: self.lags].sum(), coef.sum(), squares

    def factor(self) -> float:
        n = len(self.rows.y)
        return (n - 1) / (n - self.lags - not_nested(self.rows.person, self.rows.period))

    def signs(self, draws: int, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), (draws, self.rows.n_people))

    def redrawn(self, draws: int, seed: int) -> tuple[float, float, float, float]:
        """Errors of both slopes and the break's interval, from results drawn around the best broken line."""
        rows, (best, _, _, squares) = self.rows, self.best(self.rows.y)
        errors = self.broken(rows.y, self.hinges[best]).residuals
        size = np.sqrt(self.factor() * rows.n_people / (rows.n_people - 1))
        drawn = [self.best(rows.y - errors + size * sign[rows.person] * errors) for sign in self.signs(draws, seed)]
        lost = np.quantile([of[best] - of.min() for _, _, _, of in drawn], 0.9)
        inside = self.breaks[squares - squares.min() <= lost]
        return np.std([one[1] for one in drawn]), np.std([one[2] for one in drawn]), inside.min(), inside.max()

    def p(self, draws: int, seed: int) -> float:
        rows, residuals = self.rows, self.straight.residuals
        signs = self.signs(draws, seed)
        samples = [rows.y, *(rows.y + (sign[rows.person] - 1) * residuals for sign in signs)]
        statistics = np.zeros(draws + 1)
        for hinge in self.hinges:
            alone = self._fit(hinge, rows.X).residuals
            scores = np.array([(alone * residuals)[rows.person == one].sum() for one in range(rows.n_people)])
            coefs = np.array([self.broken(sample, hinge).coef[-1] for sample in samples])
            statistics = np.maximum(statistics, (coefs * (alone @ alone)) ** 2 / (scores @ scores))
        return (1 + np.sum(self.factor() * statistics[1:] >= statistics[0] * (1 - 1e-9))) / (draws + 1)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize(("lags", "counts"), [(1, True), (3, False)])
def test_break_and_slopes_are_those_of_the_best_of_all_broken_lines(holes, lags, counts):
    rng = np.random.default_rng(3)
    y, x, _ = world(rng, plateau, 0.5, people=30, counts=counts)
    if holes:
        y, x = with_holes(rng, y), with_holes(rng, x)
    found, slowly = fit_shape(y, x, lags, sesoi=0.1), ByRegressions(y, x, lags)
    best, before, after, _ = slowly.best(slowly.rows.y)
    assert found.kink.at == slowly.breaks[best]
    assert natural(found) == pytest.approx((before, after), rel=1e-8)


def test_errors_and_interval_are_those_of_regressions_on_redrawn_results():
    rng = np.random.default_rng(4)
    y, x, _ = world(rng, plateau, 0.5, people=20, counts=True)
    y, x = with_holes(rng, y), with_holes(rng, x)
    found = fit_shape(y, x, 2, sesoi=0.1, draws=39, seed=3)
    before, after, low, high = ByRegressions(y, x, 2).redrawn(39, 3)
    assert found.kink.before.se / found.scale == pytest.approx(before, rel=1e-8)
    assert found.kink.after.se / found.scale == pytest.approx(after, rel=1e-8)
    assert (found.kink.low, found.kink.high) == (low, high)


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_p_is_that_of_regressions_on_results_with_residuals_turned_round(slope):
    rng = np.random.default_rng(5)
    y, x, _ = world(rng, plateau, slope, people=16, counts=True)
    y, x = with_holes(rng, y), with_holes(rng, x)
    assert fit_shape(y, x, 2, sesoi=0.1, draws=19, seed=7).kink.p == pytest.approx(ByRegressions(y, x, 2).p(19, 7))


def test_scale_is_that_of_all_effects_in_within_person_standard_deviations():
    y, x, _ = world(np.random.default_rng(6), line, 0.4)
    found = fit_shape(y, x, 1, sesoi=0.1)
    assert found.scale == pytest.approx(within_spread(rows_of(x, y))[0] / within_spread(rows_of(y, x))[0])
    rows = rows_of(y, lagged(x, 1))
    straight = fit(rows.y, rows.X, person=rows.person, period=rows.period).at(0)
    assert found.linear.value == pytest.approx(straight.value * found.scale)


def test_spline_by_hand():
    """Knots 0, 1, 2: at 3 it is (27 - 2 * 8 + 1) / 4."""
    x, knots = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 2.0])
    assert _spline(x, knots).ravel() == pytest.approx([0, 0, 0.03125, 0.25, 1.5, 3.0, 4.5])


def test_spline_spans_the_natural_splines_of_scipy():
    knots, inside = np.array([1.0, 2.0, 4.0, 7.0, 8.0]), np.linspace(1, 8, 50)
    columns = np.column_stack([np.ones(50), inside, _spline(inside, knots)])
    for heights in np.eye(5):
        wanted = CubicSpline(knots, heights, bc_type="natural")(inside)
        assert columns @ np.linalg.lstsq(columns, wanted, rcond=None)[0] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("counts", [False, True])
def test_units_and_constants_of_people_and_periods_do_not_matter(counts):
    rng = np.random.default_rng(8)
    y, x, _ = world(rng, plateau, 0.6, counts=counts)
    found = fit_shape(y, x, 2, sesoi=0.1)
    moved = 1e5 * (y + rng.normal(size=(40, 1)) + rng.normal(size=24)) + 1e6
    again = fit_shape(moved, 7 * x + 50, 2, sesoi=0.1)
    assert (again.kind, again.kink.p) == (found.kind, found.kink.p)
    assert [again.kink.at, again.kink.low, again.kink.high] == pytest.approx(
        [7 * value + 50 for value in (found.kink.at, found.kink.low, found.kink.high)]
    )
    slopes = [found.kink.before, found.kink.after, found.linear]
    # the unit itself comes from one period more, whose constants do matter little
    for one, other in zip(slopes, [again.kink.before, again.kink.after, again.linear]):
        assert other.value / again.scale == pytest.approx(one.value / found.scale * 1e5 / 7, rel=1e-6)
        assert other.se / again.scale == pytest.approx(one.se / found.scale * 1e5 / 7, rel=1e-6)
    assert again.nonlinear.statistic == pytest.approx(found.nonlinear.statistic, rel=1e-6)


def test_same_seed_same_answer():
    y, x, _ = world(np.random.default_rng(9), plateau, 0.3)
    assert fit_shape(y, x, 3, sesoi=0.1) == fit_shape(y, x, 3, sesoi=0.1)


def test_the_lag_that_works_has_the_weight():
    y, x, _ = world(np.random.default_rng(10), plateau, 0.6, lag=2)
    weights = fit_shape(y, x, 3, sesoi=0.1).weights
    assert weights[1] > 0.8
    assert sum(weights) == pytest.approx(1)


@pytest.mark.parametrize(("form", "kind"), [(plateau, "plateau"), (threshold, "threshold"), (line, "linear")])
def test_kinds_with_many_people(form, kind):
    y, x, at = world(np.random.default_rng(11), form, 0.6, people=300)
    found = fit_shape(y, x, 1, sesoi=0.1)
    assert found.kind == kind
    assert (found.nonlinear.p < 0.01) == (form is not line)
    if form is not line:
        assert found.kink.low <= at <= found.kink.high
        flat, steep = found.kink.before, found.kink.after
        flat, steep = (flat, steep) if form is threshold else (steep, flat)
        assert flat.interval(0.9)[0] <= 0 <= flat.interval(0.9)[1]
        assert steep.value > 0.3


def test_half_a_slope_is_a_bend_and_a_wider_notion_of_nothing_makes_it_a_plateau():
    rng = np.random.default_rng(12)
    y, x, _ = world(rng, lambda x, at: np.minimum(x, at) + 0.4 * np.maximum(x - at, 0), 0.6, people=200)
    assert fit_shape(y, x, 1, sesoi=0.1).kind == "bend"
    assert fit_shape(y, x, 1, sesoi=0.4).kind == "plateau"


def test_without_effect_no_shape_is_known():
    y, x, _ = world(np.random.default_rng(14), line, 0.0)
    assert fit_shape(y, x, 3, sesoi=0.1).kind == "unknown"


def test_two_values_have_neither_break_nor_spline():
    rng = np.random.default_rng(15)
    y, x, _ = world(rng, line, 0.5)
    found = fit_shape(y, (x > 8).astype(float), 1, sesoi=0.1)
    assert (found.kind, found.kink, found.nonlinear) == ("unknown", None, None)
    with pytest.raises(NotEstimableError):
        curve(y, (x > 8).astype(float), 1)


def test_breaks_that_few_people_have_crossed_are_not_tried():
    rng = np.random.default_rng(16)
    y, x, _ = world(rng, plateau, 0.5)
    own_range = 100 * np.arange(40)[:, None]
    found = fit_shape(y, x + own_range, 1, sesoi=0.1)
    assert (found.kind, found.kink) == ("unknown", None)
    assert fit_shape(y[:7], x[:7], 1, sesoi=0.1).kink is None


@pytest.mark.parametrize(
    "what", ["constant KPI", "constant people", "no result", "perfect line", "empty", "one person"]
)
def test_refuses(what):
    rng = np.random.default_rng(17)
    y, x, _ = world(rng, line, 0.5)
    if what == "constant KPI":
        x = np.full_like(x, 3.0)
    elif what == "constant people":
        x = np.repeat(x[:, :1], 24, axis=1)
    elif what == "no result":
        y = np.repeat(y[:, :1], 24, axis=1)
    elif what == "perfect line":
        y = 2 * np.nan_to_num(lagged(x, 1))
    elif what == "empty":
        y = np.full_like(y, np.nan)
    else:
        y, x = y[:1], x[:1]
    with pytest.raises(NotEstimableError):
        fit_shape(y, x, 1, sesoi=0.1)


def test_small_panels_full_of_holes_give_an_answer_or_a_refusal():
    rng, kinds = np.random.default_rng(21), Counter()
    for _ in range(150):
        people, periods, lags = rng.integers(2, 20), rng.integers(4, 18), int(rng.integers(1, 4))
        y, x = (
            rng.normal(size=(people, periods)),
            rng.poisson(rng.choice([0.3, 2, 30]), (people, periods)).astype(float),
        )
        y[rng.random(y.shape) < rng.choice([0, 0.1, 0.4])] = np.nan
        x[rng.random(x.shape) < rng.choice([0, 0.1, 0.3])] = np.nan
        try:
            found = fit_shape(y, x, lags, sesoi=0.1, draws=39)
        except NotEstimableError:
            kinds["refused"] += 1
            continue
        kinds[found.kind if found.kink else "nowhere to look"] += 1
        if found.kink:
            numbers = [*natural(found), found.kink.before.se, found.kink.after.se, found.kink.low, found.kink.high]
            assert np.all(np.isfinite(numbers))
            assert 0 < found.kink.p <= 1
            assert found.kink.low <= found.kink.at <= found.kink.high
    assert kinds["refused"] > 5
    assert kinds["nowhere to look"] > 20
    assert kinds["unknown"] > 20


def test_curve_follows_a_plateau_in_natural_units():
    y, x, at = world(np.random.default_rng(18), plateau, 0.6, people=300)
    found = curve(1000 * y, x, 3, points=21)
    assert found.at[[0, -1]] == pytest.approx(
        np.quantile(rows_of(y, *(lagged(x, h) for h in (1, 2, 3))).X, [0.05, 0.95])
    )
    slope = 600 / np.std(x - x.mean(axis=1, keepdims=True))
    truth = slope * (np.minimum(found.at, at) - np.minimum(found.usual, at))
    assert np.max(np.abs(found.change - truth)) < 0.1 * np.ptp(truth)
    assert np.all((found.low <= found.change) & (found.change <= found.high))
    nearest = int(np.argmin(np.abs(found.at - found.usual)))
    assert np.argmin(found.high - found.low) == nearest


def test_curve_is_the_spline_of_a_regression():
    y, x, _ = world(np.random.default_rng(19), logarithm, 0.6, counts=True)
    rows, found = rows_of(y, lagged(x, 1)), curve(y, x, 1, points=5)
    knots = np.unique(np.quantile(rows.X, KNOTS))
    columns = within(np.column_stack([rows.X, _spline(rows.X[:, 0], knots)]), rows.person, rows.period)
    coef = np.linalg.lstsq(columns, within(rows.y, rows.person, rows.period), rcond=None)[0]
    at = (
        np.column_stack([found.at, _spline(found.at, knots)])
        - np.r_[found.usual, _spline(np.array([found.usual]), knots)[0]]
    )
    assert found.change == pytest.approx(at @ coef)


def rates(form: Form, slope: float, draws: int, **size) -> tuple[Counter, float, float, float]:
    """Kinds; shares of breaks seen, of those found within a tenth of the KPI's range, and of intervals that hold them."""
    kinds, seen, near, held = Counter(), 0, 0, 0
    for number in range(draws):
        y, x, at = world(np.random.default_rng([20, number]), form, slope, **size)
        found = fit_shape(y, x, 3, sesoi=0.1, draws=199, seed=number)
        kinds[found.kind] += 1
        seen += found.kink.p < 0.05
        near += abs(found.kink.at - at) <= 0.1 * np.subtract(*np.quantile(x, [0.95, 0.05]))
        held += found.kink.low <= at <= found.kink.high
    return kinds, seen / draws, near / draws, held / draws


@pytest.mark.parametrize("counts", [False, True])
def test_a_planted_break_is_seen_at_its_place(counts):
    _, seen, near, held = rates(plateau, 0.6, 40, counts=counts)
    assert seen > 0.85
    assert near > 0.75
    assert held > 0.75


def test_a_line_seldom_looks_broken():
    kinds, seen, _, _ = rates(line, 0.3, 60, counts=True)
    assert seen <= 0.12
    assert kinds["linear"] >= 50


def test_a_plateau_that_is_not_seen_is_seldom_called_a_line():
    """At most the 20 % that the power leaves, and two standard errors more."""
    kinds, seen, _, _ = rates(plateau, 0.3, 60, counts=True)
    assert seen < 0.6
    assert kinds["linear"] <= 18


def test_band_holds_the_truth():
    held = []
    for number in range(100):
        y, x, _ = world(np.random.default_rng([22, number]), line, 0.3)
        found = curve(y, x, 3, points=5)
        slope = 0.3 / np.std(x - x.mean(axis=1, keepdims=True))
        held.append(np.abs(slope * (found.at - found.usual) - found.change) <= found.high - found.change)
    assert 0.8 < np.mean(held) < 0.97


@pytest.mark.slow
@pytest.mark.parametrize("people", [12, 40])
@pytest.mark.parametrize("counts", [False, True])
def test_false_breaks(people, counts):
    """5 % of 300 panels, and two standard errors more."""
    kinds, seen, _, _ = rates(line, 0.3, 300, people=people, counts=counts)
    assert seen <= 0.075
    assert kinds["plateau"] + kinds["threshold"] <= 3


@pytest.mark.slow
@pytest.mark.parametrize("counts", [False, True])
def test_a_logarithm_is_no_plateau(counts):
    kinds, seen, _, _ = rates(logarithm, 0.3, 300, counts=counts)
    assert seen > 0.6
    assert kinds["plateau"] + kinds["threshold"] <= 3


@pytest.mark.slow
@pytest.mark.parametrize("form", [plateau, threshold])
@pytest.mark.parametrize("counts", [False, True])
def test_breaks_are_recovered(form, counts):
    _, seen, near, held = rates(form, 0.6, 300, counts=counts)
    assert seen > 0.9
    assert near > 0.82
    assert held > 0.83
