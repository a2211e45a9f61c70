"""The dilution test: found where units lose worth once they count, silent where they do not, whatever the market."""

import numpy as np
import pytest
from gaming_worlds import weighted
from scipy import stats

from kpi_research.evidence.dilution import dilution
from kpi_research.evidence.fixed_effects import fit

ALPHA = 0.05
HONEST = {
    "worth as much": {},
    "worth little": {"before": 0.1, "after": 0.1},
    "worth nothing": {"before": 0.0, "after": 0.0},
    "a growing market": {"trend": 0.03},
    "a shrinking market": {"trend": -0.05},
    "as many effective": {"shares": (0.6, 0.6)},
    "a unit lost worth but the count did not rise": {"after": 0.0, "rise": 0.0},
}
PLANTED = {
    "worth nothing any more": ({"after": 0.0}, 0.9),
    "fewer effective": ({"before": 0.3, "after": 0.3, "shares": (0.6, 0.5)}, 0.9),
    "worth half": ({"after": 0.3}, 0.3),
    "worth nothing any more, 20 people": ({"after": 0.0, "people": 20}, 0.55),
}


def called(given: dict, draws: int, seed: int = 1) -> float:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        results, counts, start, effective = weighted(rng, **given)
        found.append(dilution(results, counts, start, lags=2, effective=effective))
    assert {each.reason for each in found} == {""}
    return float(np.mean([each.p < ALPHA for each in found]))


@pytest.mark.parametrize("world", HONEST)
def test_an_honest_kpi_is_seldom_called_diluted(world):
    assert called(HONEST[world], 40) <= stats.binom.isf(0.001, 40, ALPHA) / 40


@pytest.mark.parametrize("world", PLANTED)
def test_a_diluted_one_is_found(world):
    given, power = PLANTED[world]
    assert called(given, 40) >= power


@pytest.mark.slow
@pytest.mark.parametrize("world", HONEST)
def test_size(world):
    """5 %, and twice the error of 800 draws; a market that falls by 5 % each month through two years costs more."""
    assert called(HONEST[world], 800, seed=7) <= (0.065 if "shrinking" not in world else 0.085)


def test_the_slopes_are_those_of_two_regressions_one_for_each_side():
    """Two roads: with effects of person and side, and of months, the sides have nothing in common but the error."""
    results, counts, start, _ = weighted(np.random.default_rng(3), people=30, after=0.3)
    slopes = []
    for first, last in ((2, 12), (14, 24)):
        past = (counts[:, first - 1 : last - 1] + counts[:, first - 2 : last - 2]) / 2
        person, period = np.indices(past.shape)
        alone = fit(results[:, first:last].ravel(), past.reshape(-1, 1), person=person.ravel(), period=period.ravel())
        slopes.append(alone.coef[0])
    found = dilution(results, counts, start, lags=2)
    before = results[:, 2:12].mean()
    rise = (counts[:, 12:23].mean(axis=0)[:-1] + counts[:, 12:23].mean(axis=0)[1:]).mean() / 2
    rise -= (counts[:, :11].mean(axis=0)[:-1] + counts[:, :11].mean(axis=0)[1:]).mean() / 2
    market = min(1.0, results[:, 14:24].mean() / (before + slopes[0] * rise))
    assert found.worth == pytest.approx(slopes[1] / slopes[0] / market)
    assert found.worth_low < found.worth < found.worth_high
    assert found.n == 30 * 20 and found.n_people == 30


def test_what_a_unit_was_worth_is_not_told_where_it_was_surely_worth_nothing():
    results, counts, start, _ = weighted(np.random.default_rng(2), before=0.0, after=0.0)
    found = dilution(results, counts, start, lags=2)
    assert np.isnan(found.worth) and np.isnan(found.worth_low) and found.p > ALPHA


def test_shares_are_those_of_all_that_was_judged():
    results, counts, start, effective = weighted(np.random.default_rng(2), shares=(0.7, 0.4))
    found = dilution(results, counts, start, lags=2, effective=effective)
    good, all_ = effective
    assert found.share_before == pytest.approx(good[:, :12].sum() / all_[:, :12].sum())
    assert found.share_after == pytest.approx(good[:, 12:].sum() / all_[:, 12:].sum())
    assert found.rise == pytest.approx(counts[:, 12:].mean() - counts[:, :12].mean())


def test_people_may_get_weight_at_different_times():
    results, counts, start, _ = weighted(np.random.default_rng(4), after=0.0)
    staggered = np.where(np.arange(40) < 20, start, 24)
    found = dilution(results, counts, staggered, lags=2)
    assert not found.reason and found.n_people == 20


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda y, x, start: (y, x, np.full(40, 24)), "no_change"),
        (lambda y, x, start: (y, x, np.full(40, 19)), "no_change"),
        (lambda y, x, start: (y, x, np.full(40, 5)), "no_change"),
        (lambda y, x, start: (y[:7], x[:7], start[:7]), "few_people"),
        (lambda y, x, start: (y, np.full_like(x, 4.0), start), "not_estimable"),
        (lambda y, x, start: (np.full_like(y, np.nan), x, start), "not_estimable"),
        (lambda y, x, start: (y, np.full_like(x, np.nan), start), "no_change"),
    ],
)
def test_it_says_why_it_cannot_be_asked(change, reason):
    results, counts, start, _ = weighted(np.random.default_rng(1))
    found = dilution(*change(results, counts, start), lags=2)
    assert found.reason == reason and np.isnan(found.p)
