"""Pace: arithmetic by hand, and probabilities that come true as often as they say."""

import numpy as np
import pytest

from kpi_research.appraisal.pace import pace

FIVES = np.full(52, 5.0)


def test_what_each_day_must_bring_worked_by_hand():
    found = pace(1000.0, 300.0, np.full(52, 50.0), FIVES, days_done=30, days_left=35, rng=np.random.default_rng(1))
    assert found.made_per_day == 10
    assert found.needed_per_day == 20
    # every past week brought 50, so seven more bring 350: the end is 650, whatever is drawn
    assert (found.low, found.middle, found.high) == (650, 650, 650)
    assert found.miss == 1.0
    assert found.certain


def test_a_short_last_week_counts_its_days():
    found = pace(1000.0, 0.0, np.full(52, 50.0), FIVES, days_done=30, days_left=7, rng=np.random.default_rng(1))
    assert found.middle == 70


def test_a_reached_target_is_not_missed():
    found = pace(100.0, 120.0, np.full(52, 50.0), FIVES, days_done=30, days_left=0, rng=np.random.default_rng(1))
    assert found.miss == 0.0
    assert np.isnan(found.needed_per_day)
    assert not found.certain


@pytest.mark.parametrize("weeks", [np.full(10, 5.0), np.r_[np.zeros(30), 100.0]])
def test_too_thin_a_past_projects_nothing(weeks):
    found = pace(1000.0, 0.0, weeks, np.full(len(weeks), 5.0), days_done=5, days_left=30, rng=np.random.default_rng(1))
    assert found.status == "too_few"
    assert np.isnan(found.miss)
    assert found.needed_per_day == pytest.approx(1000 / 30)


def lumpy(rng: np.random.Generator, weeks: int) -> np.ndarray:
    deals = rng.poisson(1.0, weeks)
    return np.array([rng.gamma(2.0, 25_000, count).sum() for count in deals])


def said_and_missed(rng: np.random.Generator, worlds: int) -> tuple[np.ndarray, np.ndarray]:
    said, missed = np.empty(worlds), np.empty(worlds)
    for number in range(worlds):
        past, ahead = lumpy(rng, 52), lumpy(rng, 7)
        target = rng.uniform(150_000, 600_000)
        said[number] = pace(target, 0.0, past, FIVES, days_done=30, days_left=35, rng=rng).miss
        missed[number] = ahead.sum() < target
    return said, missed


def test_misses_happen_as_often_as_said():
    said, missed = said_and_missed(np.random.default_rng(2), 400)
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        inside = (said >= low) & (said < high)
        error = np.sqrt(0.25 / inside.sum())
        assert abs(missed[inside].mean() - said[inside].mean()) < 2.6 * error


@pytest.mark.slow
def test_misses_happen_as_often_as_said_in_many_worlds():
    said, missed = said_and_missed(np.random.default_rng(3), 6000)
    for low in np.arange(0, 1, 0.2):
        inside = (said >= low) & (said < low + 0.2)
        assert abs(missed[inside].mean() - said[inside].mean()) < 0.05
