"""The KPI dealt out anew among people: what is left is chance."""

import numpy as np
import pytest

from kpi_research.evidence.permuted import _dealt, permutation_p, permutation_ps
from kpi_research.evidence.simulate import autoregressive


def world(seed: int, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """Results of able people in seasons, and a KPI that able people do more of in seasons."""
    rng = np.random.default_rng(seed)
    talent, season = rng.normal(size=(40, 1)), 0.5 * np.sin(2 * np.pi * np.arange(24) / 12)
    x = 0.8 * talent + 1.5 * season + autoregressive(rng, (40, 24), 0.4)
    y = talent + season + autoregressive(rng, (40, 24), 0.3)
    y[:, 1:] += effect * x[:, :-1]
    return y, x


def share_found(effect: float, draws: int) -> float:
    return float(np.mean([permutation_p(*world(seed, effect), 3) <= 0.05 for seed in range(draws)]))


def test_talent_and_season_are_dealt_away():
    assert share_found(0.0, 40) <= 0.2 and share_found(0.15, 12) >= 0.75


@pytest.mark.slow
def test_size_and_power():
    size, power = share_found(0.0, 400), share_found(0.15, 400)
    print(f"without effect {size:.3f}, with one of .15 {power:.3f}")
    assert 0.02 <= size <= 0.085 and power > 0.9


def test_a_deal_keeps_each_period_and_who_has_no_value():
    x = np.array([[1.0, np.nan, 7.0], [2.0, 5.0, np.nan], [3.0, 6.0, np.nan]])
    deals = _dealt(x, 200, np.random.default_rng(1))
    for deal in deals:
        assert np.array_equal(np.isfinite(deal), np.isfinite(x))
        assert np.array_equal(np.sort(deal, axis=0), np.sort(x, axis=0), equal_nan=True)
    firsts = np.array([deal[0, 0] for deal in deals])
    assert all(40 <= np.sum(firsts == value) <= 95 for value in (1, 2, 3)), "every order is as likely"


def test_names_do_not_matter_and_too_little_is_no_number():
    y, x = world(3, 0.1)
    order = np.random.default_rng(2).permutation(len(y))
    assert permutation_ps(y, {"x": x}, 2) == permutation_ps(y[order], {"x": x[order]}, 2)
    assert np.isnan(permutation_p(y, np.ones_like(x), 2))
    assert np.isnan(permutation_p(y[:, :2], x[:, :2], 1))
