"""Forecasts of the next result with and without the KPI: what they know, what they find, how often they are wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from golden.planted_worlds import autoregressive, world
from scipy import stats

from kpi_research.evidence.fixed_effects import NotEstimableError
from kpi_research.evidence.forecast import Forecasts, fit_gain, forecasts


def with_holes(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """15 % holes, a quarter of the people join late, a quarter leave early."""
    people, periods = values.shape
    at = np.arange(periods)
    joins = np.where(np.arange(people) % 4 == 1, rng.integers(0, periods // 2, people), 0)
    leaves = np.where(np.arange(people) % 4 == 2, rng.integers(periods // 2, periods, people), periods)
    present = (at >= joins[:, None]) & (at < leaves[:, None]) & (rng.random(values.shape) > 0.15)
    return np.where(present, values, np.nan)


def panel(seed: int, *, holes: bool, people: int = 20, periods: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = world(rng, people, periods, beta=0.4)
    y, x = arrays["revenue"], arrays["driver"]
    return (with_holes(rng, y), with_holes(rng, x)) if holes else (y, x)


# --- numbers by another road


def by_hand(y: np.ndarray, x: np.ndarray, lags: int, t: int) -> tuple[np.ndarray, np.ndarray]:
    """The two forecasts of period t, person by person and row by row, from a panel that ends before it."""

    def less_mean(values: np.ndarray) -> np.ndarray:
        out = np.full(values.shape, np.nan)
        for s in range(values.shape[1]):
            present = values[np.isfinite(values[:, s]), s]
            if len(present) > 1:
                out[:, s] = values[:, s] - present.mean()
        return out

    dy, dx = less_mean(y[:, :t]), less_mean(x[:, :t])

    def row(i: int, s: int) -> list[float]:
        earlier = dy[i, :s][np.isfinite(dy[i, :s])], dx[i, :s][np.isfinite(dx[i, :s])]
        if min(len(part) for part in earlier) < 3:
            return [np.nan] * (lags + 2)
        own, own_x = earlier[0].mean(), earlier[1].mean()
        return [own, dy[i, s - 1] - own, *(dx[i, s - lag] - own_x for lag in range(1, lags + 1))]

    X, target = [], []
    for i in range(len(y)):
        for s in range(lags, t):
            regressors = row(i, s)
            if np.isfinite([*regressors, dy[i, s]]).all():
                X.append(regressors[1:])
                target.append(dy[i, s] - regressors[0])
    forecast = []
    for known in range(1, lags + 2):
        coef = np.linalg.lstsq(np.array(X)[:, :known], np.array(target), rcond=None)[0]
        rows = np.array([row(i, t) for i in range(len(y))])
        forecast.append(np.where(np.isfinite(rows).all(axis=1), rows[:, 0] + rows[:, 1 : known + 1] @ coef, np.nan))
    return forecast[0], np.mean(forecast[1:], axis=0)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("lags", [1, 3])
def test_every_forecast_is_the_one_made_from_a_panel_that_ends_before_it(holes, lags):
    y, x = panel(3, holes=holes)
    made = forecasts(y, x, lags)
    assert np.flatnonzero(np.isfinite(made.plain).any(axis=0)).tolist() == list(range(12, 24))
    for t in (12, 17, 23):
        plain, informed = by_hand(y, x, lags, t)
        assert made.plain[:, t] == pytest.approx(plain, abs=1e-10, nan_ok=True)
        assert made.informed[:, t] == pytest.approx(informed, abs=1e-10, nan_ok=True)


@pytest.mark.parametrize("holes", [False, True])
def test_the_statistic_is_clark_and_wests(holes):
    y, x = panel(4, holes=holes)
    made, found = forecasts(y, x, 2), fit_gain(y, x, 2)
    adjusted, squares = [], []
    for t in range(12, 24):
        errors = np.array([made.actual[:, t] - made.plain[:, t], made.actual[:, t] - made.informed[:, t]])
        errors = errors[:, np.isfinite(errors).all(axis=0)]
        adjusted.append(np.mean(errors[0] ** 2 - (errors[1] ** 2 - (errors[0] - errors[1]) ** 2)))
        squares.append((errors**2).sum(axis=1))
    theirs = stats.ttest_1samp(adjusted, 0, alternative="greater")
    assert (found.statistic, found.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    lost = np.sum(squares, axis=0)
    assert found.r2_oos == pytest.approx(1 - lost[1] / lost[0])
    assert found.n_origins == 12
    assert found.n_people == np.isfinite(made.actual - made.informed).any(axis=1).sum()


# --- nothing of the future


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("which", ["y", "x", "both"])
def test_what_comes_later_changes_no_forecast(holes, which):
    y, x = panel(5, holes=holes)
    before = forecasts(y, x, 3)
    for t in (12, 16, 23):
        later = np.arange(24) >= t
        changed = [
            np.where(later, 1e3 * np.random.default_rng(t).standard_normal(values.shape) + values, values)
            if which in (name, "both")
            else values
            for name, values in (("y", y), ("x", x))
        ]
        after = forecasts(*changed, 3)
        for one, other in ((before.plain, after.plain), (before.informed, after.informed)):
            np.testing.assert_array_equal(one[:, : t + 1], other[:, : t + 1])
        if t < 23:
            assert np.nanmax(np.abs(after.informed[:, t + 1 :] - before.informed[:, t + 1 :])) > 1


def test_a_kpi_that_holds_the_result_of_its_own_month_forecasts_nothing():
    """Same-period knowledge is never used; the same values one month earlier, as if known then, forecast everything."""
    rng = np.random.default_rng(6)
    y = rng.standard_normal((40, 1)) + rng.standard_normal((40, 24))
    leak = y + 0.1 * rng.standard_normal(y.shape)
    ahead = np.column_stack([leak[:, 1:], leak[:, -1]])
    assert fit_gain(y, leak, 1).r2_oos < 0.01
    assert fit_gain(y, ahead, 1).r2_oos > 0.9


# --- what must not matter


def assert_same(left: Forecasts, right: Forecasts, factor: float = 1.0) -> None:
    for name in ("actual", "plain", "informed"):
        assert getattr(left, name) * factor == pytest.approx(getattr(right, name), abs=1e-8 * factor, nan_ok=True)


def test_season_common_shocks_and_levels_of_the_kpi_change_nothing():
    y, x = panel(7, holes=True)
    rng = np.random.default_rng(8)
    shifted = forecasts(y, x + rng.normal(0, 10, 24), 2)
    assert_same(forecasts(y, x, 2), shifted)
    assert_same(forecasts(y, x, 2), forecasts(y + rng.normal(0, 10, 24), x, 2))


def test_order_of_people_and_units():
    y, x = panel(9, holes=True)
    base, order = forecasts(y, x, 3), np.random.default_rng(0).permutation(20)
    again = forecasts(y[order], x[order], 3)
    assert again.informed == pytest.approx(base.informed[order], abs=1e-10, nan_ok=True)
    assert_same(base, forecasts(1e6 + 1e5 * y, 40 + 7 * x, 3), 1e5)
    assert fit_gain(1e6 + 1e5 * y, 40 + 7 * x, 3).p == pytest.approx(fit_gain(y, x, 3).p)


def test_empty_periods_before_and_after_only_move_the_origins():
    y, x = panel(10, holes=False)
    nothing = np.full((20, 9), np.nan)
    wide = [np.column_stack([nothing, values, nothing]) for values in (y, x)]
    assert dataclasses.asdict(fit_gain(*wide, 2)) == pytest.approx(dataclasses.asdict(fit_gain(y, x, 2)))


def test_people_who_come_go_and_pause_are_forecast_when_they_have_a_past():
    y, x = panel(11, holes=False)
    y[0, :15] = np.nan  # joins in period 15
    y[1, 18:] = np.nan  # is gone from 18 on
    y[2, 14] = np.nan  # pauses in 14
    x[3, 16] = np.nan  # nothing recorded in 16
    made = forecasts(y, x, 2)
    known = np.isfinite(made.actual - made.informed)
    forecast = [(np.flatnonzero(known[person])).tolist() for person in range(5)]
    everything = list(range(12, 24))
    assert forecast[0] == list(range(18, 24))
    assert forecast[1] == list(range(12, 18))
    assert forecast[2] == [t for t in everything if t not in (14, 15)]
    assert forecast[3] == [t for t in everything if t not in (17, 18)]
    assert forecast[4] == everything


# --- too little


@pytest.mark.parametrize(("periods", "enough"), [(13, False), (14, True)])
def test_six_forecast_periods_are_needed(periods, enough):
    y, x = panel(12, holes=False, periods=periods)
    if enough:
        assert fit_gain(y, x, 1).n_origins == 6
    else:
        with pytest.raises(NotEstimableError):
            fit_gain(y, x, 1)


@pytest.mark.parametrize("spoil", ["constant", "fixed", "company", "copy", "missing", "alone", "result"])
def test_what_cannot_be_estimated_is_said(spoil):
    y, x = panel(13, holes=False)
    rng = np.random.default_rng(1)
    if spoil == "constant":
        x = np.full_like(x, 0.1)
    elif spoil == "fixed":
        x = np.repeat(rng.normal(size=(20, 1)), 24, axis=1)
    elif spoil == "company":
        x = np.tile(rng.normal(size=24), (20, 1))
    elif spoil == "copy":
        x = 3 * y + 1
    elif spoil == "missing":
        x = np.full_like(x, np.nan)
    elif spoil == "alone":
        y[1:] = np.nan
    else:
        y = rng.normal(size=(20, 1)) + rng.normal(size=24)
    with pytest.raises(NotEstimableError):
        fit_gain(y, x, 2)


def test_a_kpi_that_came_late_is_tested_on_what_there_is():
    y, x = panel(14, holes=False, periods=36)
    x[:, :12] = np.nan
    found = fit_gain(y, x, 1)
    assert found.n_origins == 12


# --- known truth


def unrelated(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """40 people x 24 months, 12 of which are forecast; the KPI does nothing."""
    shape, talent = (40, 24), rng.standard_normal((40, 1))
    if kind == "noise":
        return talent + rng.standard_normal(shape), rng.standard_normal(shape)
    y, x = talent + autoregressive(rng, shape, 0.5), 0.8 * talent + autoregressive(rng, shape, 0.5)
    if kind == "shocks":
        shock = rng.standard_normal(24)
        return y + shock, x + shock
    return (with_holes(rng, y), with_holes(rng, x)) if kind == "holes" else (y, x)


def rejections(kind: str, draws: int, lags: int) -> int:
    rng = np.random.default_rng(2026)
    return sum(fit_gain(*unrelated(rng, kind), lags).p < 0.05 for _ in range(draws))


@pytest.mark.parametrize("kind", ["noise", "lasting", "shocks", "holes"])
def test_a_kpi_that_does_nothing_is_seldom_found(kind):
    low, high = stats.binom.ppf([0.001, 0.999], 400, [0.03, 0.08])
    assert low <= rejections(kind, 400, 3) <= high


@pytest.mark.slow
@pytest.mark.parametrize("lags", [1, 3])
@pytest.mark.parametrize("kind", ["noise", "lasting", "shocks", "holes"])
def test_a_kpi_that_does_nothing_is_found_in_three_to_eight_percent(kind, lags):
    assert 0.03 <= rejections(kind, 4000, lags) / 4000 <= 0.08


def test_a_driver_is_found():
    """Three lags find it as often as one: forecasts with one, two and three are averaged."""
    rng = np.random.default_rng(42)
    found = []
    for _ in range(200):
        arrays = world(rng)
        found.append([fit_gain(arrays["revenue"], arrays["driver"], lags).p <= 0.05 for lags in (1, 3)])
    assert np.mean(found, axis=0) == pytest.approx([0.77, 0.78], abs=0.10)


def test_talent_season_and_reaction_to_results_are_no_gain():
    rng = np.random.default_rng(43)
    arrays = [world(rng) for _ in range(200)]
    for kpi in ("talent", "feedback", "noise"):
        gains = [fit_gain(one["revenue"], one[kpi], 3) for one in arrays]
        assert sum(gain.p <= 0.05 and gain.r2_oos > 0 for gain in gains) <= stats.binom.ppf(0.999, 200, 0.05)
        assert np.median([gain.r2_oos for gain in gains]) < 0


def test_a_strong_driver_takes_the_share_of_the_error_that_it_makes():
    """x_{t-1} has variance .25 of the error's; half of the mean's noise aside, knowing it takes away a fifth."""
    rng = np.random.default_rng(44)
    y, x = rng.standard_normal((400, 60)), rng.standard_normal((400, 60))
    y[:, 1:] += 0.5 * x[:, :-1]
    assert fit_gain(y, x, 1).r2_oos == pytest.approx(0.2, abs=0.02)
