"""Every sum without one person or team is that of the regression without them."""

from __future__ import annotations

import numpy as np
import pytest
from golden.planted_worlds import autoregressive, world

from kpi_research.evidence.fixed_effects import NotEstimableError, fit
from kpi_research.evidence.grid import rows_of
from kpi_research.evidence.lags import fit_lags, history
from kpi_research.evidence.stability import Stability, leave_one_out


def refitted(y: np.ndarray, x: np.ndarray, lags: int, kept: np.ndarray) -> float:
    rows = rows_of(y[kept], *history(y[kept], x[kept], lags))
    return float(fit(rows.y, rows.X[:, :lags], person=rows.person, period=rows.period).coef.sum())


def by_refitting(y: np.ndarray, x: np.ndarray, lags: int, units: np.ndarray) -> tuple[dict[int, float], float]:
    everybody = refitted(y, x, lags, np.ones(len(y), dtype=bool))
    return {int(code): refitted(y, x, lags, units != code) for code in np.unique(units[units >= 0])}, everybody


def assert_as_refitted(found: Stability, y: np.ndarray, x: np.ndarray, lags: int, units: np.ndarray) -> None:
    sums, everybody = by_refitting(y, x, lags, units)
    assert found.lowest == pytest.approx(min(sums.values()), abs=1e-9)
    assert found.highest == pytest.approx(max(sums.values()), abs=1e-9)
    assert found.most_influential == max(sums, key=lambda code: abs(sums[code] - everybody))
    assert found.same_sign == all(np.sign(one) == np.sign(everybody) for one in sums.values())


def with_holes(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """15 % holes, a quarter of the people join late, a quarter leave early."""
    people, periods = values.shape
    at = np.arange(periods)
    joins = np.where(np.arange(people) % 4 == 1, rng.integers(0, periods // 2, people), 0)
    leaves = np.where(np.arange(people) % 4 == 2, rng.integers(periods // 2, periods, people), periods)
    present = (at >= joins[:, None]) & (at < leaves[:, None]) & (rng.random(values.shape) > 0.15)
    return np.where(present, values, np.nan)


@pytest.mark.parametrize("lags", [1, 3])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("kpi", ["driver", "noise"])
def test_equals_refitting_without_each_person(lags, holes, kpi):
    rng = np.random.default_rng(4)
    arrays = world(rng, 20, 16)
    y, x = arrays["revenue"], arrays[kpi]
    if holes:
        y, x = with_holes(rng, y), with_holes(rng, x)
    assert_as_refitted(leave_one_out(y, x, lags), y, x, lags, np.arange(20))


@pytest.mark.parametrize("holes", [False, True])
def test_equals_refitting_without_each_team_and_who_has_no_team_stays(holes):
    rng = np.random.default_rng(8)
    arrays = world(rng, 24, 14)
    y, x = arrays["revenue"], arrays["driver"]
    if holes:
        y, x = with_holes(rng, y), with_holes(rng, x)
    teams = np.array([7, 3, -1, 0, 3, 7] * 4)
    assert_as_refitted(leave_one_out(y, x, 2, teams), y, x, 2, teams)


def test_small_panels_full_of_holes_give_the_same_answer_or_the_same_refusal():
    rng, answered = np.random.default_rng(0), 0
    for _ in range(250):
        people, periods, lags = rng.integers(3, 12), rng.integers(4, 18), rng.integers(1, 4)
        y, x = rng.normal(size=(2, people, periods))
        y[rng.random(y.shape) < rng.choice([0, 0.1, 0.3, 0.5])] = np.nan
        x[rng.random(x.shape) < rng.choice([0, 0.1, 0.3])] = np.nan
        index = np.broadcast_to(np.arange(people)[:, None], y.shape)
        with_rows = np.unique(rows_of(y, *history(y, x, lags), index).X[:, -1]).astype(int)
        units = np.where(np.isin(np.arange(people), with_rows), np.arange(people), -1)
        try:
            found = leave_one_out(y, x, lags)
        except NotEstimableError:
            with pytest.raises(NotEstimableError):
                by_refitting(y, x, lags, units)
        else:
            assert_as_refitted(found, y, x, lags, units)
            answered += 1
    assert 100 < answered < 200


def test_equals_refitting_where_one_person_connects_the_periods_or_has_a_period_alone():
    """Without person 0 the early and the late periods are islands; person 1 is the only one in the last periods."""
    rng = np.random.default_rng(6)
    y, x = rng.normal(size=(13, 22)), rng.normal(size=(13, 22))
    y[2:7, 10:] = y[7:, :10] = y[2:, 20:] = np.nan
    y[1, :12] = y[0, 20:] = np.nan
    assert_as_refitted(leave_one_out(y, x, 1), y, x, 1, np.arange(13))


def test_equals_refitting_with_results_in_small_money_and_a_large_level():
    rng = np.random.default_rng(9)
    arrays = world(rng, 12, 14)
    y, x = 1e6 + 1e5 * arrays["revenue"], 200 + 30 * arrays["driver"]
    found, (sums, _) = leave_one_out(y, x, 3), by_refitting(y, x, 3, np.arange(12))
    assert found.lowest == pytest.approx(min(sums.values()), rel=1e-9)
    assert found.highest == pytest.approx(max(sums.values()), rel=1e-9)


def star(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """30 people whose results fall a little with the KPI, and one, with index 11, whose large swings carry a rise."""
    x = autoregressive(rng, (30, 20), 0.4)
    x[11] *= 12
    effect = np.full((30, 1), -0.3)
    effect[11] = 0.8
    y = rng.standard_normal((30, 20))
    y[:, 1:] += effect * x[:, :-1]
    return y, x


def test_a_star_who_carries_the_effect_alone_is_named_and_takes_its_sign_away():
    y, x = star(np.random.default_rng(3))
    total = fit_lags(y, x, 1).total
    found = leave_one_out(y, x, 1)
    assert total.value > 0.5
    assert (found.same_sign, found.most_influential) == (False, 11)
    assert found.lowest == pytest.approx(-0.3, abs=0.1)
    assert found.highest > 0.5


def test_a_star_takes_their_team_along():
    y, x = star(np.random.default_rng(3))
    found = leave_one_out(y, x, 1, np.repeat(np.arange(6), 5))
    assert (found.same_sign, found.most_influential) == (False, 2)


def test_an_effect_of_all_keeps_its_sign():
    arrays = world(np.random.default_rng(2), 40, 24, beta=0.3)
    found = leave_one_out(arrays["revenue"], arrays["driver"], 3)
    assert found.same_sign
    assert 0 < found.lowest < fit_lags(arrays["revenue"], arrays["driver"], 3).total.value < found.highest


def test_order_of_people_and_people_without_data_do_not_matter():
    rng = np.random.default_rng(5)
    arrays = world(rng, 15, 16)
    y, x = with_holes(rng, arrays["revenue"]), with_holes(rng, arrays["driver"])
    base, order = leave_one_out(y, x, 2), rng.permutation(15)
    nobody = np.full((1, 16), np.nan)
    again = leave_one_out(np.vstack([nobody, y[order]]), np.vstack([nobody, x[order]]), 2)
    assert (again.lowest, again.highest) == pytest.approx((base.lowest, base.highest), abs=1e-10)
    assert order[again.most_influential - 1] == base.most_influential


def test_what_rests_on_one_person_alone_or_on_nobody_is_said():
    rng = np.random.default_rng(1)
    y, x = rng.normal(size=(10, 12)), np.full((10, 12), 4.0)
    with pytest.raises(NotEstimableError):
        leave_one_out(y, x, 1)
    x[3] = rng.normal(size=12)
    assert np.isfinite(refitted(y, x, 1, np.ones(10, dtype=bool)))
    with pytest.raises(NotEstimableError):
        leave_one_out(y, x, 1)
    with pytest.raises(NotEstimableError):
        leave_one_out(y[:2], rng.normal(size=(2, 12)), 1)
    with pytest.raises(NotEstimableError):
        leave_one_out(y, rng.normal(size=(10, 12)), 1, np.full(10, -1))
    with pytest.raises(NotEstimableError):
        leave_one_out(y, rng.normal(size=(10, 12)), 1, np.zeros(10, dtype=int))
