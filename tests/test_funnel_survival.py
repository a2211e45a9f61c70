"""Survival curves: held to statsmodels, to theory, and to cases worked by hand."""

import numpy as np
import pytest
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from kpi_research.funnel.survival import (
    LOST,
    NEXT,
    curves,
    incidence_errors,
    median_days,
    median_interval,
    resampled_curves,
    restricted_mean,
    survival_errors,
)
from kpi_research.policy import INTERVAL_LEVEL

SEEDS = range(5)


def sample(seed: int, *, n: int = 400, kinds: int = 2):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 60, n), rng.integers(0, kinds + 1, n)


@pytest.mark.parametrize("seed", SEEDS)
def test_aalen_johansen_and_its_errors_are_those_of_statsmodels(seed):
    days, ended = sample(seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        ours, theirs = curves(days, ended), CumIncidenceRight(days, ended)
    errors = incidence_errors(ours)
    inner = slice(None, -1)  # on the last day all that are left may end, where statsmodels divides by nought
    for kind in (NEXT, LOST):
        assert ours.incidence[kind - 1][theirs.times] == pytest.approx(theirs.cinc[kind - 1])
        assert errors[kind - 1][theirs.times][inner] == pytest.approx(theirs.cinc_se[kind - 1][inner])


@pytest.mark.parametrize("seed", SEEDS)
def test_kaplan_meier_and_its_errors_are_those_of_statsmodels(seed):
    days, ended = sample(seed, kinds=1)
    ours, theirs = curves(days, ended, kinds=1), SurvfuncRight(days, ended)
    assert ours.survival[theirs.surv_times.astype(int)] == pytest.approx(theirs.surv_prob)
    known = np.isfinite(theirs.surv_prob_se)
    assert survival_errors(ours)[theirs.surv_times.astype(int)][known] == pytest.approx(theirs.surv_prob_se[known])
    assert median_days(ours) == theirs.quantile(0.5)
    assert median_interval(ours) == pytest.approx(theirs.quantile_ci(0.5, alpha=1 - INTERVAL_LEVEL), abs=1)


@pytest.mark.parametrize("seed", SEEDS)
def test_incidences_and_survival_add_up_to_one(seed):
    found = curves(*sample(seed))
    assert found.incidence.sum(axis=0) + found.survival == pytest.approx(np.ones(len(found.survival)))


@pytest.mark.parametrize("seed", SEEDS)
def test_without_a_competing_end_aalen_johansen_is_one_minus_kaplan_meier(seed):
    days, ended = sample(seed, kinds=1)
    found, alone = curves(days, ended, kinds=2), SurvfuncRight(days, ended)
    assert found.incidence[NEXT - 1] == pytest.approx(1 - found.survival)
    assert found.incidence[NEXT - 1][alone.surv_times.astype(int)] == pytest.approx(1 - alone.surv_prob)
    assert not found.incidence[LOST - 1].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_curves_know_nothing_of_the_order_of_rows_and_count_weights(seed):
    days, ended = sample(seed)
    rng = np.random.default_rng(seed)
    order, weights = rng.permutation(len(days)), rng.integers(0, 4, (3, len(days)))
    assert np.array_equal(curves(days, ended).incidence, curves(days[order], ended[order]).incidence)
    together = curves(days, ended, weights=weights)
    for replicate, row in enumerate(weights):
        repeated = curves(np.repeat(days, row), np.repeat(ended, row), grid=int(days.max()))
        assert together.incidence[:, replicate] == pytest.approx(repeated.incidence)


def test_resampled_curves_spread_as_the_formula_says():
    days, ended = sample(1, n=2000)
    drawn = resampled_curves(days, ended, replicates=400, rng=np.random.default_rng(2))
    spread, formula = drawn.incidence[0].std(axis=0)[10:50], incidence_errors(curves(days, ended))[0][10:50]
    assert (spread / formula).mean() == pytest.approx(1, abs=0.06)


def test_a_sample_worked_by_hand():
    """Ten cases: on day 2 one goes on, on day 3 one is lost, on day 4 one stops being seen, on day 5 two go on."""
    days = np.array([2, 3, 4, 5, 5, 9, 9, 9, 9, 9])
    ended = np.array([NEXT, LOST, 0, NEXT, NEXT, 0, 0, 0, 0, 0])
    found = curves(days, ended)
    assert found.at_risk[[2, 3, 4, 5, 6]].tolist() == [10, 9, 8, 7, 5]
    assert found.survival[[2, 3, 5]] == pytest.approx([0.9, 0.8, 0.8 * 5 / 7])
    assert found.by(9) == pytest.approx(0.1 + 0.8 * 2 / 7)
    assert found.by(9, LOST) == pytest.approx(0.1)
    # two whole days, then 0.9, then 0.8 twice, then 4/7
    assert restricted_mean(found, 6) == pytest.approx(1 + 1 + 0.9 + 0.8 + 0.8 + 4 / 7)
    assert np.isnan(restricted_mean(found, 30)), "nobody was seen for thirty days"
    assert np.isnan(median_days(found)), "four in seven are still there"
