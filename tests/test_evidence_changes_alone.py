"""One changed team beside a mixture of others; everybody at once; and what chance alone gives after a low."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from golden.planted_worlds import autoregressive
from golden.scheme_changes import errors, starts_of, teams_of, under_change
from scipy.optimize import minimize

from kpi_research.evidence.chance_rise import chance_rise
from kpi_research.evidence.fixed_effects import NotEstimableError
from kpi_research.evidence.interrupted import interrupted
from kpi_research.evidence.synthetic_control import simplex_weights, synthetic_control


def factor_panel(seed, *, donors=20, months=36, effect=0.0, start=24):
    """Teams that load on two common factors; the first one comes under the change."""
    rng = np.random.default_rng(seed)
    factors = 0.5 * autoregressive(rng, (2, months), 0.5).cumsum(axis=1)
    loadings = rng.dirichlet(np.ones(2), donors + 1)
    y = loadings @ factors + rng.normal(size=(donors + 1, 1)) + 0.3 * rng.normal(size=(donors + 1, months))
    y[0, start:] += effect
    return y[0], y[1:]


def distance(weights, target, donors):
    return float(np.sum((target - weights @ donors) ** 2))


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_the_best_of_the_simplex(seed):
    """Against a general optimiser from several starts, and against every pair of donors mixed on a fine grid."""
    rng = np.random.default_rng(seed)
    donors, target = rng.normal(size=(5, 15)), rng.normal(size=15)
    ours = simplex_weights(target, donors)
    assert ours.min() >= 0 and ours.sum() == pytest.approx(1)
    sums = {"type": "eq", "fun": lambda w: w.sum() - 1}
    theirs = min(
        minimize(distance, start, (target, donors), method="SLSQP", bounds=[(0, 1)] * 5, constraints=sums).fun
        for start in rng.dirichlet(np.ones(5), 5)
    )
    assert distance(ours, target, donors) <= theirs + 1e-6
    for one, other in itertools.combinations(range(5), 2):
        for share in np.linspace(0, 1, 21):
            mixed = share * np.eye(5)[one] + (1 - share) * np.eye(5)[other]
            assert distance(ours, target, donors) <= distance(mixed, target, donors) + 1e-9


def test_a_team_that_is_a_mixture_gets_its_shares_back():
    """And its level makes no difference: it lies above all the others."""
    _, donors = factor_panel(1, donors=6)
    donors = donors + np.random.default_rng(2).normal(size=donors.shape)
    shares = np.array([0.5, 0.0, 0.3, 0.2, 0.0, 0.0])
    found = synthetic_control(shares @ donors + 100.0 + 2.0 * (np.arange(36) >= 24), donors, 24)
    assert found.weights == pytest.approx(shares, abs=1e-6)
    assert found.effect == pytest.approx(2.0, abs=1e-6) and found.misfit < 1e-9 < found.usual_misfit
    assert np.isnan([found.low, found.high]).all(), "with six others nothing can be as rare as 5 %"
    assert found.p == pytest.approx(1 / 7)


def test_the_rank_counts_all_teams():
    target, donors = factor_panel(3, effect=3.0)
    found = synthetic_control(target, donors, 24)
    assert found.p == pytest.approx(1 / 21) and found.low > 0
    none = synthetic_control(donors[0], np.vstack([target - 3.0 * (np.arange(36) >= 24), donors[1:]]), 24)
    assert none.p > 0.05 and none.low < 0 < none.high


def test_the_interval_is_what_the_placebos_do_not_reject():
    """Taking an end off the months after leaves a team that is just not unusual, a little more one that is."""
    target, donors = factor_panel(4, effect=1.0)
    found = synthetic_control(target, donors, 24)
    after = np.arange(36) >= 24
    for end, out in ((found.low, -1e-6), (found.high, 1e-6)):
        assert synthetic_control(target - (end - out) * after, donors, 24).p > 0.05
        assert synthetic_control(target - (end + out) * after, donors, 24).p <= 0.05


def test_a_backdated_change_shows_what_the_method_gets_wrong():
    target, donors = factor_panel(5)
    drifting = target + np.where(np.arange(36) >= 18, 2.0, 0.0)
    found = synthetic_control(drifting, donors, 24)
    assert found.backdated == pytest.approx(2.0, abs=0.6)
    low, high = found.honest
    assert (low, high) == (
        pytest.approx(found.low - abs(found.backdated)),
        pytest.approx(found.high + abs(found.backdated)),
    )
    assert np.isnan(synthetic_control(target, donors, 15).backdated)


@pytest.mark.parametrize("wrong", ["donors", "before", "after", "hole", "still"])
def test_too_little_is_refused(wrong):
    target, donors = factor_panel(6, donors=8)
    start = {"before": 11, "after": 34}.get(wrong, 24)
    if wrong == "donors":
        donors = donors[:5]
    if wrong == "hole":
        donors[2, 3] = np.nan
    if wrong == "still":
        target = np.zeros(36)
    with pytest.raises(NotEstimableError):
        synthetic_control(target, donors, start)


def test_placebos_cover_a_known_effect():
    found = [synthetic_control(*factor_panel(seed, effect=0.5), 24) for seed in range(60)]
    assert np.mean([each.low <= 0.5 <= each.high for each in found]) >= 0.88
    assert np.mean([each.effect for each in found]) == pytest.approx(0.5, abs=0.1)


@pytest.mark.slow
def test_placebos_cover_a_known_effect_in_95_percent():
    found = [synthetic_control(*factor_panel(seed, effect=0.5), 24) for seed in range(1000, 2500)]
    assert 0.93 <= np.mean([each.low <= 0.5 <= each.high for each in found]) <= 0.97
    assert np.mean([each.effect for each in found]) == pytest.approx(0.5, abs=0.03)


def series_of(seed, *, months=36, rho=0.4, step=0.0, start=24):
    rng = np.random.default_rng(seed)
    line = 0.05 * np.arange(months) + 0.8 * np.sin(2 * np.pi * np.arange(months) / 12)
    return (line + autoregressive(rng, (1, months), rho)[0] + step * (np.arange(months) >= start))[None]


def test_a_step_on_a_line_with_a_season_is_found_without_noise():
    clean = 3 + 0.1 * np.arange(36) + np.cos(2 * np.pi * np.arange(36) / 12) + 2 * (np.arange(36) >= 24)
    people = clean + np.random.default_rng(1).normal(size=(1, 36)) * 1e-3 + np.array([[-1.0], [1.0]])
    found = interrupted(people, 24)
    assert found.step == pytest.approx(2, abs=0.01) and found.low < found.step < found.high < 2.02
    assert found.expected[30] == pytest.approx(clean[30] - 2, abs=0.01)


def test_a_step_by_least_squares_where_errors_are_unrelated(monkeypatch):
    """With no autocorrelation thought possible it is the textbook regression: value and t interval."""
    monkeypatch.setattr("kpi_research.evidence.interrupted.RHOS", np.array([0.0]))
    y = series_of(2, rho=0.0, step=1.0)[0]
    months = np.arange(36)
    X = np.column_stack(
        [months >= 24, np.ones(36), months, np.sin(2 * np.pi * months / 12), np.cos(2 * np.pi * months / 12)]
    )
    coef = np.linalg.lstsq(X, y, rcond=None)[0]
    error = np.sqrt(np.sum((y - X @ coef) ** 2) / 31 * np.linalg.inv(X.T @ X)[0, 0])
    found = interrupted(y[None], 24)
    assert found.step == pytest.approx(coef[0])
    assert (found.low, found.high) == (
        pytest.approx(coef[0] - 2.039513 * error),
        pytest.approx(coef[0] + 2.039513 * error),
    )


def test_only_people_with_values_on_both_sides_count():
    y = np.vstack([series_of(3), series_of(4)])
    joined = np.vstack([y, np.where(np.arange(36) >= 26, 50.0, np.nan)])
    assert interrupted(joined, 24).step == pytest.approx(interrupted(y, 24).step)


@pytest.mark.parametrize("start", [11, 34])
def test_a_short_series_is_refused(start):
    with pytest.raises(NotEstimableError):
        interrupted(series_of(1), start)


def left_out(draws, first_seed, **options):
    found = [
        interrupted(series_of(seed, **options), options.get("start", 24))
        for seed in range(first_seed, first_seed + draws)
    ]
    return np.mean([each.low > 0 or each.high < 0 for each in found])


def test_no_step_is_seldom_seen():
    assert left_out(100, 1) <= 0.13


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.4, 0.7])
@pytest.mark.parametrize(
    "size", [{"months": 24, "start": 16}, {"months": 36, "start": 24}, {"months": 48, "start": 36}]
)
def test_no_step_is_seen_in_about_five_percent(rho, size):
    assert 0.01 <= left_out(1000, 1, rho=rho, **size) <= 0.09


def lowest_chosen(seed, *, effect=0.0, talent=0.3):
    """The four teams of twelve with the worst half-year, mostly by bad luck, come under the change after it."""
    rng = np.random.default_rng(seed)
    team = teams_of(60, 12)
    y = errors(rng, team, shock=0.0) * 0.5 + talent * rng.normal(size=(60, 1))
    luck = np.repeat(rng.normal(size=(12, 6)), 6, axis=1)[team]
    y = y - y.mean(axis=1, keepdims=True) + luck + talent * rng.normal(size=(60, 1))
    level = np.array([y[team == t, 18:24].mean() for t in range(12)])
    start = np.where(np.isin(team, np.argsort(level)[:4]), 24, 36)
    return y + under_change(start, lambda since, _: effect + 0 * since), start, team


def test_a_rise_after_a_low_is_told_from_an_effect():
    rises, beyond = [], []
    for seed in range(25):
        y, start, team = lowest_chosen(seed)
        found = chance_rise(y, start, team)
        assert found.were_lowest and found.rise == pytest.approx(found.by_chance + found.beyond.value)
        rises.append(found.rise)
        beyond.append(found.beyond.value)
    assert np.mean(rises) > 0.7, "teams chosen for a low rise"
    assert abs(np.mean(beyond)) < 0.35 * np.mean(rises), "and so do others as low"


def test_what_is_beyond_chance_is_a_regression_on_what_was_before():
    y, start, team = lowest_chosen(3, effect=1.0)
    found = chance_rise(y, start, team)
    before, after = y[:, 18:24].mean(axis=1), y[:, 24:30].mean(axis=1)
    before, after, changed = (
        np.array([each[team == t].mean() for t in range(12)]) for each in (before, after, start < 36)
    )
    coef = np.linalg.lstsq(np.column_stack([changed, before, np.ones(12)]), after, rcond=None)[0]
    assert (found.beyond.value, found.carried) == (pytest.approx(coef[0]), pytest.approx(coef[1]))
    assert found.rise == pytest.approx((after - before)[changed > 0].mean())


def test_teams_chosen_by_lot_were_not_the_lowest():
    rng = np.random.default_rng(1)
    team = teams_of(60, 12)
    start = starts_of(12, 8, (24,))[team]
    y = errors(rng, team) + 2.0 * (start < 36)[:, None]
    assert not chance_rise(y, start, team).were_lowest
    with pytest.raises(NotEstimableError):
        chance_rise(y, np.full(60, 24), team)
