"""Synthetic difference in differences: the paper's objective, and how near it comes beside the synthetic control."""

from __future__ import annotations

import numpy as np
import pytest
from golden.planted_worlds import autoregressive
from scipy.optimize import minimize
from test_evidence_changes_alone import factor_panel

from kpi_research.evidence.fixed_effects import NotEstimableError
from kpi_research.evidence.synthetic_control import synthetic_control
from kpi_research.evidence.synthetic_differences import synthetic_differences


def by_hand(y, start, end):
    """Synthetic difference in differences by a general optimiser: weights of teams, of months, and the effect on y[0]."""
    donors, months = len(y) - 1, end - start
    noise = np.diff(y[1:, :start], axis=1).std(ddof=1)
    after = y[:, start:end].mean(axis=1)

    def of_teams(v):
        left = y[0, :start] - v[:-1] @ y[1:, :start] - v[-1]
        return np.mean(left**2) + np.sqrt(months) * noise**2 * np.sum(v[:-1] ** 2)

    def of_months(v):
        return np.mean((after[1:] - y[1:, :start] @ v[:-1] - v[-1]) ** 2) + (1e-6 * noise) ** 2 * np.sum(v[:-1] ** 2)

    found = []
    for loss, count in ((of_teams, donors), (of_months, start)):
        sums = {"type": "eq", "fun": lambda v: v[:-1].sum() - 1}
        begin, bounds = np.r_[np.full(count, 1 / count), 0.0], [(0, 1)] * count + [(None, None)]
        tight = {"ftol": 1e-14, "maxiter": 2000}
        found.append(minimize(loss, begin, method="SLSQP", bounds=bounds, constraints=sums, options=tight).x[:-1])
    change = after - y[:, :start] @ found[1]
    return found[0], found[1], change[0] - found[0] @ change[1:]


@pytest.mark.parametrize("seed", [7, 8])
def test_synthetic_differences_are_the_papers_objective(seed):
    """Against a general optimiser with intercepts of its own, as in the paper's equations 4 to 6."""
    target, donors = factor_panel(seed, donors=7, months=18, start=13, effect=1.0)
    found = synthetic_differences(target, donors, 13)
    of_teams, of_months, effect = by_hand(np.vstack([target, donors]), 13, 18)
    assert found.team_weights == pytest.approx(of_teams, abs=2e-3) and found.team_weights.sum() == pytest.approx(1)
    assert found.month_weights == pytest.approx(of_months, abs=2e-2) and found.month_weights.min() >= 0
    assert found.effect == pytest.approx(effect, abs=5e-3)
    assert found.placebos[0] == pytest.approx(by_hand(donors, 13, 18)[2], abs=2e-2)
    assert found.se == pytest.approx(np.std(found.placebos, ddof=1))


def test_levels_of_teams_change_no_weights_and_an_effect_moves_the_estimate_by_itself():
    target, donors = factor_panel(9)
    rng = np.random.default_rng(9)
    one = synthetic_differences(target, donors, 24)
    assert one.placebos.shape == (20,)
    moved = synthetic_differences(target + 2.0 * (np.arange(36) >= 24), donors, 24)
    assert moved.effect == pytest.approx(one.effect + 2.0) and moved.se == pytest.approx(one.se)
    levels = synthetic_differences(target + 50, donors + 10 * rng.normal(size=(20, 1)), 24)
    assert levels.team_weights == pytest.approx(one.team_weights, abs=1e-6)


@pytest.mark.parametrize("wrong", ["donors", "before", "after", "hole", "still"])
def test_too_little_for_synthetic_differences_is_refused(wrong):
    target, donors = factor_panel(6, donors=5 if wrong == "donors" else 8)
    if wrong == "hole":
        donors[2, 3] = np.nan
    if wrong == "still":
        donors = np.zeros_like(donors)
    with pytest.raises(NotEstimableError):
        synthetic_differences(target, donors, {"before": 11, "after": 34}.get(wrong, 24))


COMPARED = [("trends", 11, 24, 15), ("trends", 20, 36, 24), ("shocks", 11, 36, 24), ("nothing", 11, 36, 24)]
"""What teams have in common, other teams, months, and months before the change."""


def unlike_teams(rng, common, *, donors, months):
    """Teams of 3 to 12 people that load on two common factors, drifting or not, and have a season in common."""
    factors = autoregressive(rng, (2, months), 0.5 if common == "trends" else 0.7)
    if common == "trends":
        factors = 0.5 * factors.cumsum(axis=1)
    own = autoregressive(rng, (donors + 1, months), 0.3) / np.sqrt(rng.integers(3, 13, (donors + 1, 1)))
    season = np.sin(2 * np.pi * np.arange(months) / 12)
    loaded = rng.dirichlet(np.ones(2), donors + 1) @ factors * (common != "nothing")
    return rng.normal(size=(donors + 1, 1)) + loaded + season + own


def errors_of_both(common, donors, months, start, draws):
    """Root mean squared error of synthetic control and synthetic differences, and cover of the latter's interval."""
    made = [unlike_teams(np.random.default_rng([2, n]), common, donors=donors, months=months) for n in range(draws)]
    control = [synthetic_control(y[0], y[1:], start).effect for y in made]
    other = [synthetic_differences(y[0], y[1:], start) for y in made]
    sizes = [float(np.sqrt(np.mean(np.square(each)))) for each in (control, [one.effect for one in other])]
    return *sizes, float(np.mean([one.low <= 0 <= one.high for one in other]))


def test_synthetic_differences_hold_where_nothing_happened():
    _, _, cover = errors_of_both("shocks", 8, 24, 15, 40)
    assert cover >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize(("common", "donors", "months", "start"), COMPARED)
def test_synthetic_control_is_as_near_as_synthetic_differences(common, donors, months, start):
    """Why the synthetic control is told, and the other stands beside it."""
    control, other, cover = errors_of_both(common, donors, months, start, 400)
    print(f"\n{common:8s} {donors} others, {months} months: {control:.3f} {other:.3f}, cover {cover:.1%}")
    assert control <= 1.05 * other and 0.90 <= cover <= 0.98
