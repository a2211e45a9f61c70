"""Effects of several clients taken together: the interval of the mean, and what the next client will see."""

import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from kpi_research.evidence.fixed_effects import t_quantile
from kpi_research.evidence.pooling import pool

MEAN, CLIENTS, PEOPLE = 0.15, 5, 39


def held(tau: float, draws: int) -> tuple[float, float, float]:
    """How often Hartung & Knapp's, and DerSimonian & Laird's, interval held the mean, and the prediction the next."""
    rng = np.random.default_rng(7)
    own = usual = following = 0
    for _ in range(draws):
        errors = rng.uniform(0.03, 0.12, CLIENTS)
        effects = MEAN + tau * rng.normal(size=CLIENTS) + errors * rng.standard_t(PEOPLE, CLIENTS)
        found = pool(effects, errors, np.full(CLIENTS, PEOPLE))
        own += found.low <= MEAN <= found.high
        following += found.predict_low <= MEAN + tau * rng.normal() <= found.predict_high
        low, high = dersimonian_laird(effects, errors**2)
        usual += low <= MEAN <= high
    return own / draws, usual / draws, following / draws


def dersimonian_laird(effects: np.ndarray, variances: np.ndarray) -> tuple[float, float]:
    weights = 1 / variances
    centre = weights @ effects / weights.sum()
    q, c = weights @ (effects - centre) ** 2, weights.sum() - (weights**2).sum() / weights.sum()
    weights = 1 / (variances + max(0.0, (q - len(effects) + 1) / c))
    mean, error = weights @ effects / weights.sum(), weights.sum() ** -0.5
    return mean - 1.96 * error, mean + 1.96 * error


def test_a_few_clients_are_not_taken_for_many():
    own, usual, following = held(0.2, 150)
    assert own >= 0.88 and following >= 0.88 and usual < own


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.0, 0.1, 0.2])
def test_coverage(tau):
    own, usual, following = held(tau, 2000)
    print(f"tau {tau}: Hartung-Knapp {own:.3f}, DerSimonian-Laird {usual:.3f}, prediction {following:.3f}")
    assert 0.925 <= own <= 0.985 and following >= 0.93
    if tau >= 0.1:
        assert usual < 0.92


def test_the_mean_is_that_of_the_library():
    effects, errors = np.array([0.10, 0.20, 0.05, 0.30]), np.array([0.1, 0.05, 0.02, 0.04])
    found, made = pool(effects, errors, np.full(4, 30)), combine_effects(effects, errors**2, method_re="iterated")
    assert found.mean == pytest.approx(made.mean_effect_re, abs=1e-12)
    # the error worked by hand: weighted squares around the mean over (k - 1) times the weights' sum
    weights = 1 / (errors**2 + made.tau2)
    by_hand = np.sqrt(weights @ (effects - found.mean) ** 2 / (3 * weights.sum()))
    assert found.high - found.mean == pytest.approx(t_quantile(0.975, 3) * by_hand, rel=1e-6)


def test_clients_that_agree_are_not_told_without_error():
    found = pool(np.full(3, 0.2), np.full(3, 0.06), np.full(3, 30.0))
    assert found.high - found.mean == pytest.approx(t_quantile(0.975, 90) * 0.06 / np.sqrt(3))


def test_two_clients_say_nothing_of_a_third():
    found = pool(np.array([0.1, 0.3]), np.array([0.05, 0.05]), np.array([20.0, 20.0]))
    assert np.isnan(found.predict_low) and found.low < 0.1 and found.high > 0.3
    with pytest.raises(ValueError, match="at least two"):
        pool(np.array([0.1]), np.array([0.05]), np.array([20.0]))
