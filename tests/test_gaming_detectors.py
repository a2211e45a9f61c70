"""Each detector finds what was planted, stays silent in honest rows, and says why where it cannot look."""

import numpy as np
import pytest
from gaming_worlds import SHAPES, attainments, diaries, moved, small_counts, working_days
from scipy import stats

from kpi_research.evidence.multiplicity import family_q
from kpi_research.integrity.bunching import bunching
from kpi_research.integrity.entry_bursts import entry_bursts
from kpi_research.integrity.heaping import heaping
from kpi_research.integrity.period_end import EVEN, LAST_DAYS, SIDE, period_end
from kpi_research.integrity.signs import (
    DETECTORS,
    GamingSigns,
    Sign,
    false_discovery_q,
    gamed,
    one_sided_t,
    people_found,
    together,
)

ALPHA = 0.05


def called(draw, draws: int, seed: int = 1) -> float:
    """Share of draws in which a sign shows; none may be refused."""
    rng = np.random.default_rng(seed)
    found = [draw(rng) for _ in range(draws)]
    assert {sign.reason for sign in found} == {""}
    assert all(0 <= sign.low <= sign.rate <= sign.high <= 1 and 0 <= sign.p <= 1 for sign in found)
    return float(np.mean([sign.p < ALPHA for sign in found]))


def at_target(shape: str, share: float = 0.0):
    def draw(rng):
        actual, target, person = attainments(shape, 500, rng)
        return bunching(moved(actual, target, share, rng), target, person, is_count=False)[0]

    return draw


def counted(size: float, share: float = 0.0):
    def draw(rng):
        actual, target, person = small_counts(size, 500, rng)
        return bunching(moved(actual, target, share, rng, is_count=True), target, person, is_count=True)[0]

    return draw


def heaped(mean: float, share: float = 0.0):
    def draw(rng):
        counts = rng.poisson(np.repeat(mean * np.exp(rng.normal(0, 0.3, 60)), 10)).astype(float)
        return heaping(np.where(rng.random(600) < share, np.round(counts / 5) * 5, counts))

    return draw


def rushed(ends: int, length: int, pulled: float = 0.0):
    def draw(rng):
        counts = working_days(ends, length, rng, pulled=pulled)
        return period_end(counts, np.arange(length, counts.shape[1], length), rng=rng)

    return draw


def stepped(rng):
    """Every other period has half as much again: that is a new level at each end, and no rush."""
    counts = working_days(10, 63, rng)
    level = np.where((np.arange(counts.shape[1]) // 63) % 2, 1.5, 1.0)
    return period_end(
        rng.poisson(counts.mean(axis=1, keepdims=True) * level).astype(float), np.arange(63, 693, 63), rng=rng
    )


def typed(**given):
    return lambda rng: entry_bursts(*diaries(rng, **given), rng=rng)


HONEST = {
    "hill": (at_target("hill"), 80),
    "peaked": (at_target("peaked"), 80),
    "few pieces": (counted(8), 80),
    "many pieces": (counted(60), 50),
    "last digits": (heaped(15), 300),
    "quarters": (rushed(8, 63), 60),
    "months": (rushed(24, 21), 60),
    "quarters of very different levels": (stepped, 60),
    "one month in twenty typed at once": (typed(bursts=0.05), 25),
    "every Friday": (typed(weekly=True), 5),
    "every evening": (typed(), 5),
}
PLANTED = {
    "one in five moved": (at_target("hill", 0.2), 40),
    "one in five of few pieces moved": (counted(8, 0.2), 40),
    "one in seven rounded": (heaped(25, 0.15), 60),
    "half of the first days pulled into the quarter": (rushed(8, 63, 0.5), 30),
    "a third of the first days pulled into the month": (rushed(24, 21, 0.33), 30),
    "one month in five typed at once": (typed(bursts=0.2), 12),
}


@pytest.mark.parametrize("world", HONEST)
def test_honest_rows_are_seldom_called(world):
    """At 5 % of as many draws this fails once in a thousand."""
    draw, draws = HONEST[world]
    assert called(draw, draws) <= stats.binom.isf(0.001, draws, ALPHA) / draws


@pytest.mark.parametrize("world", PLANTED)
def test_what_was_planted_is_found(world):
    draw, draws = PLANTED[world]
    assert called(draw, draws) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_bunching_has_its_size_and_power(shape):
    """AC24: of smooth data 5 % (and the error of 800 draws), of such with one in five moved 90 % at n = 500."""
    limit = 0.06 if shape != "two hills" else 0.08
    assert called(at_target(shape), 800) <= limit + 0.015
    assert called(at_target(shape, 0.2), 200) >= 0.9
    assert called(at_target(shape, 0.05), 200) >= 0.7


@pytest.mark.slow
@pytest.mark.parametrize("size", [5, 8, 12, 20, 60])
def test_bunching_of_counts_has_its_size_and_power(size):
    assert called(counted(size), 800) <= 0.065
    assert called(counted(size, 0.05), 200) >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("mean", [6, 8, 15, 25, 60])
def test_heaping_has_its_size(mean):
    rng = np.random.default_rng(5)
    found = [heaped(mean)(rng) for _ in range(1500)]
    assert np.mean([sign.p < ALPHA for sign in found if not sign.reason]) <= 0.065


@pytest.mark.slow
def test_bursts_and_period_ends_have_their_size():
    assert called(typed(bursts=0.05), 300) <= 0.08
    assert called(rushed(8, 63), 400) <= 0.03
    assert called(rushed(24, 21), 400) <= 0.03


def test_many_results_close_around_a_good_plan_are_no_bunching():
    """A plan that foresees results makes a hill at the target that is as high below it as above."""
    assert called(lambda rng: bunching(*_well_planned(rng), is_count=False)[0], 60) <= 0.15


def _well_planned(rng):
    actual, target, person = attainments("hill", 500, rng)
    close = rng.random(500) < 0.4
    return np.where(close, target * rng.normal(1, 0.06, 500), actual), target, person


def test_the_histogram_holds_every_result_in_reach_and_the_curve_skips_what_was_moved():
    rng = np.random.default_rng(3)
    actual, target, person = attainments("hill", 8000, rng)
    sign, seen = bunching(moved(actual, target, 0.05, rng), target, person, is_count=False)
    ratio = moved(actual, target, 0.0, rng) / target - 1
    assert seen.counts.sum() == ((ratio >= -0.5) & (ratio < 0.5)).sum()
    assert seen.edges[0] == -0.5 and seen.edges[-1] == 0.5 and seen.window == (-0.05, 0.05)
    honest = bunching(actual, target, person, is_count=False)[1]
    above = (seen.edges[:-1] >= -1e-9) & (seen.edges[:-1] < 0.049)
    assert seen.smooth[above].sum() == pytest.approx(honest.counts[above].sum(), rel=0.15)
    assert seen.counts[above].sum() > 1.3 * seen.smooth[above].sum()
    assert (
        sign.n == seen.counts[above].sum() + seen.counts[(seen.edges[:-1] >= -0.051) & (seen.edges[:-1] < -0.001)].sum()
    )


def test_a_result_that_meets_its_target_to_the_cent_has_reached_it():
    target = np.full(200, 33_333.33)
    rng = np.random.default_rng(1)
    actual = target * np.concatenate([np.ones(60), rng.normal(1, 0.25, 140)])
    seen = bunching(actual, target * 1.0, np.arange(200), is_count=False)[1]
    assert seen.counts[20] >= 60


@pytest.mark.parametrize(
    ("actual", "target", "is_count", "reason"),
    [
        (np.linspace(0.5, 1.5, 50), np.ones(50), False, "too_few"),
        (np.linspace(3, 5, 400), np.ones(400), False, "too_few"),
        (np.repeat([0.5, 0.75, 1.0, 1.25], 100), np.ones(400), False, "lumpy"),
        (np.tile(np.arange(6.0), 100), np.full(600, 3.0), True, "small_targets"),
        (np.linspace(0.5, 1.5, 400), np.zeros(400), False, "too_few"),
    ],
)
def test_bunching_says_why_it_cannot_look(actual, target, is_count, reason):
    sign, seen = bunching(actual, target, np.arange(len(actual)) // 10, is_count=is_count)
    assert sign.reason == reason and np.isnan(sign.p) and seen is None


def test_a_rush_without_a_lull_is_none():
    """More work before an end that no later day pays for was not moved."""
    counts = working_days(12, 63, np.random.default_rng(1))
    ends = np.arange(63, counts.shape[1], 63)
    for end in ends:
        counts[:, end - LAST_DAYS : end] *= 2
    sign = period_end(counts, ends, rng=np.random.default_rng(2))
    assert sign.low > EVEN and sign.p > 0.05


def test_days_around_an_end_are_counted_as_by_hand():
    counts = np.ones((2, 7 * 21))
    ends = np.arange(21, 7 * 21, 21)
    counts[0, [*(ends - 1), *(ends - 3)]] = 3
    sign = period_end(counts, ends, rng=np.random.default_rng(1))
    assert sign.n == 6 * (2 * SIDE + 4)
    assert sign.rate == pytest.approx((2 * 3 + 4) / (2 * SIDE + 4)) and sign.expected == 0.3
    assert np.isnan(sign.p), "every end is like the others: there is nothing to measure chance by"


@pytest.mark.parametrize(("ends", "level", "reason"), [(5, 1, "few_periods"), (6, 0.01, "too_few")])
def test_too_few_ends_or_rows_are_said(ends, level, reason):
    counts = np.full((1, 21 * (ends + 1)), level, dtype=float)
    assert period_end(counts, np.arange(21, counts.shape[1], 21), rng=np.random.default_rng(1)).reason == reason


def test_a_filled_system_is_no_burst():
    """Everybody's first half-year came on file in one second, when the system was filled."""
    person, occurred, recorded = diaries(np.random.default_rng(1))
    first = occurred < np.datetime64("2025-07-01")
    recorded = np.where(first, np.datetime64("2025-07-01T09:00:00"), recorded)
    sign = entry_bursts(person, occurred, recorded, rng=np.random.default_rng(1))
    assert sign.rate == 0 and sign.p == 1 and sign.n < 20 * 8


def test_a_months_visits_of_one_day_typed_in_that_evening_are_expected():
    person = np.repeat(np.arange(6), 60)
    day = np.datetime64("2025-01-10", "s") + np.tile(np.repeat(np.arange(4), 15), 6) * 31 * np.timedelta64(1, "D")
    place = np.tile(np.arange(60), 6)
    occurred = day + (place * 60).astype("m8[s]") + np.timedelta64(9, "h")
    sign = entry_bursts(
        person,
        occurred,
        day + np.timedelta64(19, "h") + (place + 60 * person).astype("m8[s]"),
        rng=np.random.default_rng(1),
    )
    assert sign.rate == sign.expected == 1 and sign.p == 1


def test_people_are_counted_and_those_with_few_rows_are_not():
    person, occurred, recorded = diaries(np.random.default_rng(4), people=12, bursts=0.0)
    own = person < 3
    month_end = occurred.astype("M8[M]").astype("M8[s]") + np.timedelta64(40, "D")
    # each at an hour of their own: what many enter in the same second was no typing
    recorded = np.where(own, month_end + person * np.timedelta64(7_200, "s"), recorded)
    few = (person == 11) & (occurred >= np.datetime64("2025-01-20"))
    sign = entry_bursts(person[~few], occurred[~few], recorded[~few], rng=np.random.default_rng(1))
    assert (sign.n_people, sign.n_people_found) == (11, 3)
    assert not hasattr(sign, "people")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda times: np.full(len(times), np.datetime64("NaT"), dtype="M8[s]"), "no_entry_times"),
        (lambda times: times.astype("M8[D]").astype("M8[s]"), "no_time_of_day"),
    ],
)
def test_without_times_of_entry_nothing_is_said_of_bursts(change, reason):
    person, occurred, recorded = diaries(np.random.default_rng(1), people=6, months=2)
    assert entry_bursts(person, occurred, change(recorded), rng=np.random.default_rng(1)).reason == reason


def test_neighbours_of_a_smooth_curve_expect_its_values_exactly():
    """Two roads: a density of third degree is met by its own neighbours without rest."""
    place = np.arange(1, 43)
    density = 60 + 3 * place - 0.05 * place**2
    sign = heaping(np.repeat(place, np.round(density * 20).astype(int)).astype(float))
    assert sign.rate == pytest.approx(sign.expected, abs=2e-4) and sign.p == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("counts", "reason"), [(np.arange(100.0), "too_few"), (np.tile(np.arange(1.0, 9), 60), "few_distinct")]
)
def test_heaping_says_why_it_cannot_look(counts, reason):
    assert heaping(counts).reason == reason


def test_the_t_test_is_the_textbooks():
    sums = np.random.default_rng(1).normal(0.3, 1, (5, 12))
    assert one_sided_t(sums) == pytest.approx(stats.ttest_1samp(sums, 0, axis=1, alternative="greater").pvalue)
    assert list(one_sided_t(np.zeros((1, 5)))) == [1] and np.isnan(one_sided_t(np.ones((1, 5)))[0])


def test_false_discoveries_are_counted_as_elsewhere_in_the_package():
    p = np.array([0.001, np.nan, 0.04, 0.03, 0.5])
    assert false_discovery_q(p) == pytest.approx(family_q(p), nan_ok=True)
    assert people_found(p) == (4, 1)


def test_two_kinds_of_sign_or_dilution_alone_make_an_m():
    seen, chance = 0.0001, 0.6
    signs = [
        *(Sign(name, p=seen, kpi="two") for name in DETECTORS[:2]),
        Sign("bunching", p=seen, kpi="one"), Sign("heaping", p=chance, kpi="one"),
        Sign("dilution", p=0.03, kpi="diluted"), Sign("dilution", p=0.06, kpi="one"),
        Sign("bunching", reason="no_targets", kpi="none"),
    ]  # fmt: skip
    found = GamingSigns(together(signs))
    assert gamed(found) == {"two": ["bunching", "period_end"], "diluted": ["dilution"]}
    assert [sign.detector for sign in found.signs_of("one")] == ["bunching", "heaping", "dilution"]
    assert gamed(GamingSigns()) == {}
