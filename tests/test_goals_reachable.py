"""A probability that is named must come true that often: worlds of many kinds, in which the truth is known."""

import numpy as np
import pytest

from kpi_research.appraisal import reachable
from kpi_research.appraisal.reachable import LEAST_PERIODS, Outlook, chance_of, outlook
from kpi_research.appraisal.standing import words_of

NAMED = (0.1, 0.2, 0.5, 0.8, 0.9)
DEALS = {"one_deal": 1.0, "three_deals": 3.0}
GROWING = ("growth", "season_and_growth")
"""Steady growth of 1.5 and 1 % a month is expected too carefully, since it could be chance as well."""


def world(kind: str, periods: int, rng: np.random.Generator) -> np.ndarray:
    """Sums of chance events: as of 25 deals of unequal size a period with a mean that moves, or of one or three."""
    t = np.arange(periods)
    if kind in DEALS:
        return np.array([rng.gamma(2, 50, deals).sum() for deals in rng.poisson(DEALS[kind], periods)])
    mean = {
        "stable": lambda: np.full(periods, 100.0),
        "season": lambda: 100 * np.exp(rng.normal(0, 0.2, 12)[t % 12]),
        "growth": lambda: 100 * 1.015**t,
        "wandering": lambda: 100 * np.exp(np.cumsum(rng.normal(0, 0.06, periods))),
        "season_and_growth": lambda: 100 * np.exp(rng.normal(0, 0.15, 12)[t % 12]) * 1.01**t,
        "shocks": lambda: 100 * np.exp(rng.normal(0, 0.25, periods)),
    }[kind]()
    return rng.gamma(25, mean / 25)


def how_often(kind: str, past: int, ahead: int, worlds: int, seed: int) -> dict[float, float]:
    """Named probability -> how often the target at which it is named was reached."""
    rng = np.random.default_rng(seed)
    reached = dict.fromkeys(NAMED, 0)
    made = 0
    while made < worlds:
        y = world(kind, past + ahead, rng)
        found = outlook(y[:past], ahead=ahead, rng=rng)
        if found.status != "ok":
            continue
        made += 1
        for p in NAMED:
            reached[p] += y[past:].sum() >= np.quantile(found.draws, 1 - p)
    return {p: count / worlds for p, count in reached.items()}


@pytest.mark.parametrize("kind", ["stable", "season_and_growth"])
def test_probabilities_come_true_smoke(kind):
    found = how_often(kind, past=24, ahead=3, worlds=50, seed=3)
    for p, share in found.items():
        assert abs(share - p) < 0.05 + 3 * (p * (1 - p) / 50) ** 0.5, found


@pytest.mark.slow
@pytest.mark.parametrize("past", [9, 18, 33])
@pytest.mark.parametrize(
    "kind", ["stable", "season", "growth", "wandering", "season_and_growth", "shocks", "one_deal", "three_deals"]
)
def test_probabilities_come_true(kind, past):
    """Beyond Monte-Carlo error a probability may be off by six points, by ten with nine months behind it, by 15 with growth."""
    found = how_often(kind, past=past, ahead=3, worlds=500, seed=past)
    allowed = 0.15 if kind in GROWING else 0.10 if past < 12 else 0.06
    for p, share in found.items():
        assert abs(share - p) < allowed + 2 * (p * (1 - p) / 500) ** 0.5, found


def test_a_level_world_has_the_textbooks_answer(monkeypatch):
    """Two roads: without wandering, growth and season the next value is Student's t around the mean (scipy)."""
    from scipy import stats

    for name in ("WANDERING", "GROWTH", "SEASON"):
        monkeypatch.setattr(reachable, name, (0.0,))
    rng = np.random.default_rng(7)
    y = 1000 + 20 * rng.standard_normal(9)
    found = outlook(y, ahead=1, rng=rng, positive=False)
    scale = y.std(ddof=1) * (1 + 1 / 9) ** 0.5
    for target in (960, 1000, 1030):
        expected = stats.t.sf((target - y.mean()) / scale, 8)
        assert abs(chance_of(found, target).probability - expected) < 0.025


def test_few_periods_are_not_enough_and_more_make_it_narrower():
    rng = np.random.default_rng(1)
    y = rng.gamma(25, 4, 40)
    assert outlook(y[: LEAST_PERIODS - 1], ahead=1, rng=rng).status == "too_few"
    assert outlook(np.zeros(30), ahead=1, rng=rng).status == "too_few"
    assert outlook(np.full(30, 5.0), ahead=1, rng=rng).status == "no_spread"
    widths = [np.ptp(np.quantile(outlook(y[-n:], ahead=3, rng=rng).draws, [0.05, 0.95])) for n in (8, 40)]
    assert widths[1] < widths[0]


def test_a_season_that_repeats_is_expected_again():
    shape = np.tile([50, 50, 100, 100, 100, 150, 100, 100, 100, 100, 100, 250.0], 3)
    rng = np.random.default_rng(2)
    y = shape * rng.gamma(100, 0.01, 36)
    january, december = (outlook(past, ahead=1, rng=rng).range[1] for past in (y, y[:-1]))
    assert abs(january - 50) < 15 and abs(december - 250) < 75


def test_twice_the_people_are_expected_to_bring_twice_as_much():
    rng = np.random.default_rng(4)
    y, days = rng.gamma(50, 2, 24), np.full(24, 200.0)
    one = outlook(y, ahead=1, rng=rng, exposure=days, exposure_ahead=np.array([200.0])).range[1]
    two = outlook(y, ahead=1, rng=rng, exposure=days, exposure_ahead=np.array([400.0])).range[1]
    assert two == pytest.approx(2 * one, rel=0.03)


def drawn(values) -> Outlook:
    return Outlook(np.asarray(values, dtype=float), 20, "ok")


@pytest.mark.parametrize(
    ("target", "given", "probability", "flag"),
    [
        (90.5, {}, 0.1, "too_high"),
        (5.5, {}, 0.95, "too_low"),
        (50.5, {}, 0.5, "fair"),
        (50, {"whole": True}, 0.51, "fair"),
        (150.5, {"so_far": 100}, 0.5, "fair"),
        (20.5, {"direction": "down"}, 0.2, "fair"),
        (float("nan"), {}, float("nan"), "unknown"),
    ],
)
def test_the_chance_of_a_target(target, given, probability, flag):
    found = chance_of(drawn(range(1, 101)), target, **given)
    assert found.probability == pytest.approx(probability, nan_ok=True)
    assert found.flag == flag and found.periods == 20


def test_words_and_flags_part_at_the_same_places():
    for target in range(101):
        found = chance_of(drawn(range(100)), target)
        assert (found.flag == "too_high") == (words_of(found) in ("almost_none", "unlikely"))
        if found.flag == "too_low":
            assert words_of(found) == "almost_sure"
    assert words_of(chance_of(Outlook(np.empty(0), 3, "too_few"), 5)) == "unknown"


def test_the_same_data_give_the_same_answer():
    y = np.random.default_rng(9).gamma(25, 4, 20)
    first, second = (outlook(y, ahead=2, rng=np.random.default_rng(1)).draws for _ in range(2))
    assert (first == second).all()
