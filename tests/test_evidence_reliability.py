"""What repeats between odd and even weeks: by a second road, where it is known how much does, and what it must not do."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from golden.planted_worlds import autoregressive

from kpi_research.evidence.fixed_effects import NotEstimableError
from kpi_research.evidence.lags import fit_lags
from kpi_research.evidence.reliability import LEAST_PEOPLE, split_half


def weeks_of(periods: int) -> np.ndarray:
    """Months of four, four and five weeks."""
    return np.resize(np.repeat(np.arange(3), [4, 4, 5]), 13 * periods // 3) + 3 * (np.arange(13 * periods // 3) // 13)


def draw(
    rng: np.random.Generator,
    people: int = 40,
    periods: int = 24,
    *,
    sd: float = 0.6,
    rho: float = 0.5,
    noise: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Weeks around what a person does in the month, which moves by `sd`; people and months differ as well."""
    period = weeks_of(periods)
    usual = 0.8 * rng.standard_normal((people, 1)) + 0.5 * np.sin(np.arange(periods) / 2)
    month = usual + sd * autoregressive(rng, (people, periods), rho)
    return month[:, period] + noise * rng.standard_normal((people, len(period))), period


def truth(periods: int, sd: float, rho: float, noise: float) -> float:
    """Share of the variance of a month's mean, within people, that is what the person does in the month."""
    apart = np.abs(np.subtract.outer(np.arange(periods), np.arange(periods)))
    signal = sd**2 * (1 - (rho**apart).mean())
    error = noise**2 * (1 / np.bincount(weeks_of(periods))).mean() * (1 - 1 / periods)
    return signal / (signal + error)


def poisson_visits(rng: np.random.Generator, people: int = 40, periods: int = 24):
    """Visits a week, by a rate that moves a little, and a result that rises by one for each visit of the month before."""
    period = weeks_of(periods)
    rate = 1.5 * np.exp(0.3 * rng.standard_normal((people, 1)) + 0.25 * autoregressive(rng, (people, periods), 0.5))
    weekly = rng.poisson(rate[:, period]).astype(float)
    visits = np.column_stack([weekly[:, period == t].sum(axis=1) for t in range(periods)])
    y = rng.standard_normal((people, 1)) + 2 * rng.standard_normal(visits.shape)
    y[:, 1:] += visits[:, :-1]
    return y, visits, weekly, period


def test_the_halves_correlation_is_that_of_what_dummies_leave():
    rng = np.random.default_rng(1)
    weekly, period = draw(rng, 12, 9)
    weekly[rng.random(weekly.shape) < 0.1] = np.nan
    weekly[3, period == 4] = np.nan
    cells = []
    for i, t in np.ndindex(12, 9):
        halves = [
            [weekly[i, w] for w in np.flatnonzero(period == t) if w % 2 == parity and np.isfinite(weekly[i, w])]
            for parity in (0, 1)
        ]
        if all(halves):
            cells.append((i, t, *(np.mean(half) for half in halves)))
    rows = np.array(cells)
    dummies = np.column_stack([rows[:, :1] == np.arange(12), rows[:, 1:2] == np.arange(1, 9)]).astype(float)
    left = [sm.OLS(rows[:, column], dummies).fit().resid for column in (2, 3)]
    found = split_half(weekly, period)
    r = np.corrcoef(*left)[0, 1]
    assert found.halves == pytest.approx(r, abs=1e-10)
    assert found.value == pytest.approx(2 * r / (1 + r), abs=1e-10)
    assert (found.n_people, found.n_rows) == (12, len(rows))


def covered(seed: int, panels: int, people: int, periods: int, **world) -> tuple[float, float, float]:
    """Mean estimate, truth, and share of intervals that hold it."""
    rng, true = np.random.default_rng(seed), truth(periods, world["sd"], world["rho"], world["noise"])
    made = [split_half(*draw(rng, people, periods, **world)) for _ in range(panels)]
    held = np.mean([each.low <= true <= each.high for each in made])
    return float(np.mean([each.value for each in made])), true, float(held)


@pytest.mark.parametrize("sd, noise", [(0.6, 1.0), (0.3, 1.0), (0.6, 0.5)])
def test_what_repeats_is_found(sd, noise):
    found, true, held = covered(2, 40, 40, 24, sd=sd, rho=0.5, noise=noise)
    assert found == pytest.approx(true, abs=0.02)
    assert held >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("people, periods", [(8, 24), (12, 24), (20, 12), (40, 24), (100, 24)])
@pytest.mark.parametrize("sd, rho, noise", [(0.6, 0.5, 1.0), (0.3, 0.5, 1.0), (0.6, 0.8, 0.5)])
def test_intervals_hold_the_truth(people, periods, sd, rho, noise):
    found, true, held = covered(3, 500, people, periods, sd=sd, rho=rho, noise=noise)
    print(people, periods, sd, rho, noise, found, true, held)
    assert found == pytest.approx(true, abs=0.03)
    assert held >= 0.9


def test_dividing_by_it_would_make_the_effect_of_a_counted_visit_three_times_too_large():
    rng, slopes, repeats = np.random.default_rng(4), [], []
    for _ in range(20):
        y, visits, weekly, period = poisson_visits(rng)
        slopes.append(fit_lags(y, visits, 1).total.value)
        repeats.append(split_half(weekly, period).value)
    assert np.mean(slopes) == pytest.approx(1, abs=0.03)
    assert np.mean(repeats) == pytest.approx(0.31, abs=0.05)
    assert np.mean(slopes) / np.mean(repeats) > 2.8


def test_visits_at_an_unchanging_rate_repeat_next_to_nothing_though_all_are_on_file():
    rng = np.random.default_rng(5)
    period = weeks_of(24)
    found = split_half(rng.poisson(0.7, (40, len(period))).astype(float), period)
    assert found.value < 0.15 and found.low == 0


def test_what_is_forgotten_all_month_repeats():
    rng = np.random.default_rng(6)
    period = weeks_of(24)
    kept = rng.uniform(0.2, 1.0, (40, 24))[:, period]
    assert split_half(10 * kept + rng.standard_normal(kept.shape), period).value > 0.9


def test_halves_that_are_the_same_repeat_all_and_those_that_go_against_each_other_nothing():
    rng = np.random.default_rng(7)
    period = np.repeat(np.arange(12), 4)
    month = rng.standard_normal((20, 12))[:, period]
    same, against = split_half(month, period), split_half(month * np.resize([1, -1], 48), period)
    assert (same.value, same.low, same.high) == pytest.approx((1, 1, 1))
    assert (against.value, against.low, against.high) == (0, 0, 0)
    assert against.halves == pytest.approx(-1)


def test_weeks_of_no_period_say_nothing():
    rng = np.random.default_rng(8)
    weekly, period = draw(rng, 20, 12)
    without = split_half(weekly, np.where(np.arange(len(period)) % 13 == 12, -1, period))
    weekly[:, 12::13] = 1e9
    assert split_half(weekly, np.where(np.arange(len(period)) % 13 == 12, -1, period)) == without


def test_too_little_and_what_does_not_change_within_several_people_is_refused():
    rng = np.random.default_rng(9)
    weekly, period = draw(rng, 20, 12)
    one_alone = np.where(np.arange(20)[:, None] == 0, weekly, 1.0)
    for values in (
        weekly[: LEAST_PEOPLE - 1],
        weekly[:, :8],
        np.ones_like(weekly),
        one_alone,
        np.full_like(weekly, np.nan),
    ):
        with pytest.raises(NotEstimableError):
            split_half(values, period[: values.shape[1]])
