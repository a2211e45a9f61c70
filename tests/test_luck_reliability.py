"""The share of luck against textbooks, a second road and worlds of known truth; places that hold for all at once."""

import numpy as np
import pandas as pd
import pytest
from luck_worlds import KINDS, WEEKS, levels, measured_of, weekly, world

from kpi_research.appraisal.rank_intervals import rank_intervals
from kpi_research.appraisal.reliability import Measured, Reliability, deviations, measured, reliability
from kpi_research.appraisal.score import Score
from kpi_research.appraisal.shrinkage import firsts, shrunk

JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)
"""Six targets rated by four judges: P. E. Shrout and J. L. Fleiss (1979), Intraclass correlations: uses in assessing
rater reliability, Psychological Bulletin 86(2), 420-428, table 2; their ICC(3,4) is .91."""


def fixed(scores, variances, weeks=WEEKS) -> Measured:
    """People with luck of given variances, the same for each pair of resamples."""
    scale = np.sqrt(np.asarray(variances) * (len(scores) - 1) / len(scores))
    chance = np.column_stack([scale, -scale])
    return Measured(tuple(f"P{n}" for n in range(len(scores))), np.asarray(scores, float), chance, weeks)


# ---- reliability


def test_the_judges_of_shrout_and_fleiss():
    found = reliability(measured_of(JUDGES, np.random.default_rng(1), 20000))
    assert found.share == pytest.approx(0.91, abs=0.01)
    assert found.low < 0.91 < found.high


def test_two_roads_the_odd_weeks_against_the_even_ones():
    rng = np.random.default_rng(2)
    weeks = rng.normal(size=(400, 1)) * np.sqrt(1 / 12) + rng.normal(size=(400, 12)) + rng.normal(size=12)
    halves = weeks[:, ::2].sum(axis=1), weeks[:, 1::2].sum(axis=1)
    r = np.corrcoef(*halves)[0, 1]
    assert reliability(measured_of(weeks, rng)).share == pytest.approx(2 * r / (1 + r), abs=0.07)


def test_what_moves_everybody_alike_is_no_luck():
    rng = np.random.default_rng(3)
    weeks = weekly(rng, levels(rng, 20, 0.7))
    calm = measured_of(weeks, np.random.default_rng(4))
    stormy = measured_of(weeks + 50 * rng.normal(size=WEEKS), np.random.default_rng(4))
    assert reliability(stormy).share == pytest.approx(reliability(calm).share)


@pytest.mark.parametrize(
    ("given", "reason"),
    [(fixed([1, 2, 3, 4], [1] * 4), "too_few"), (fixed([5] * 6, [1] * 6), "alike"), (fixed([], []), "too_few")],
)
def test_what_cannot_be_said_has_a_reason(given, reason):
    found = reliability(given)
    assert found.reason == reason
    assert np.isnan(found.share)


def test_more_luck_than_differences_is_all_luck():
    found = reliability(fixed([1.0, 2.0, 3.0, 4.0, 5.0], [100.0] * 5))
    assert (found.share, found.low) == (0.0, 0.0)


def test_people_whose_luck_is_not_known_do_not_enter():
    totals = pd.DataFrame(
        {"entity_id": ["A", "B", "C"], "score": [90.0, 80.0, np.nan], "score_se": [2.0, np.nan, np.nan]}
    )
    score = Score(pd.DataFrame(), totals, draws={"A": np.array([1.0, 2.0]), "B": np.array([3.0, 3.0])})
    assert measured(score, 13).people == ("A",)


def covered(reps: int, people: tuple[int, ...], shares: tuple[float, ...], seed: int) -> list[float]:
    rng, found = np.random.default_rng(seed), []
    for n in people:
        for kind in KINDS:
            for share in shares:
                held = [reliability(world(rng, levels(rng, n, share), kind, 200)) for _ in range(reps)]
                found.append(float(np.mean([each.low <= share <= each.high for each in held])))
    return found


def test_its_interval_holds_the_truth():
    assert np.mean(covered(60, (10,), (0.0, 0.5), seed=5)) > 0.82


@pytest.mark.slow
def test_its_interval_holds_the_truth_in_many_worlds():
    found = covered(400, (6, 12, 40), (0.0, 0.3, 0.5, 0.8), seed=6)
    assert min(found) > 0.79
    assert np.mean(found) > 0.87


# ---- luck taken off, and the first


def test_shrinking_by_hand():
    given = fixed([60.0, 80.0, 100.0, 80.0, 80.0], [100.0, 100.0, 300.0, 100.0, 100.0])
    found = Reliability(0.5, 0.2, 0.7, observed=240.0, luck=140.0, n_people=5)
    assert shrunk(given, found) == pytest.approx([70.0, 80.0, 85.0, 80.0, 80.0])


def test_shrunk_scores_are_nearer_to_the_truth():
    rng = np.random.default_rng(7)
    raw, kept = [], []
    for _ in range(40):
        true = levels(rng, 20, 0.4)
        given = world(rng, true, resamples=100)
        apart = true - true.mean()
        raw.append(np.mean((given.scores - given.scores.mean() - apart) ** 2))
        kept.append(np.mean((shrunk(given, reliability(given)) - given.scores.mean() - apart) ** 2))
    assert np.mean(kept) < 0.65 * np.mean(raw)


def said_and_true(share: float, reps: int, seed: int) -> tuple[float, float]:
    """How often the report says that the first of 40 is truly the best, and how often that is so."""
    rng, said, true = np.random.default_rng(seed), [], []
    for _ in range(reps):
        level = levels(rng, 40, share)
        given = world(rng, level, resamples=100)
        best = given.scores.argmax()
        said.append(firsts(given, reliability(given), rng).is_first[best])
        true.append(level.argmax() == best)
    return float(np.mean(said)), float(np.mean(true))


def test_with_reliability_one_half_the_first_of_forty_is_the_best_three_times_in_ten():
    said, _ = said_and_true(0.5, 60, seed=8)
    assert said == pytest.approx(0.29, abs=0.07)


@pytest.mark.slow
@pytest.mark.parametrize(("share", "known"), [(0.3, 0.18), (0.5, 0.29), (0.7, 0.43), (0.9, 0.64)])
def test_the_first_is_the_best_as_often_as_said(share, known):
    """The known shares are those of an earlier simulation of 40 people with equal luck (methodology, section 13)."""
    said, true = said_and_true(share, 600, seed=9)
    assert true == pytest.approx(known, abs=0.06)
    assert said == pytest.approx(true, abs=0.06)


def test_probabilities_of_places_add_up_and_luck_alone_leaves_the_first_open():
    rng = np.random.default_rng(10)
    given = world(rng, levels(rng, 12, 0.6))
    found = firsts(given, reliability(given), rng)
    assert found.is_first.sum() == pytest.approx(1)
    assert found.in_top.sum() == pytest.approx(3)
    alike = Reliability(0.0, 0.0, 0.0, observed=1e-6, luck=100.0, n_people=12)
    assert firsts(given, alike, rng).is_first == pytest.approx(np.full(12, 1 / 12), abs=0.03)


# ---- places


def wrong(given: Measured, true: np.ndarray) -> bool:
    """Whether anything said of places, pairs or sides is wrong."""
    said = rank_intervals(given)
    above, below = (true[None, :] > true[:, None]).sum(axis=1), (true[None, :] < true[:, None]).sum(axis=1)
    outside = (said.high < 1 + above) | (said.low > len(true) - below)
    swapped = said.told_apart & ((true[:, None] - true) * (given.scores[:, None] - given.scores) <= 0)
    return bool(outside.any() or swapped.any() or ((said.side != 0) & (said.side * (true - true.mean()) <= 0)).any())


def share_wrong(reps: int, people: int, kind: str, spread: float, seed: int) -> float:
    rng = np.random.default_rng(seed)
    truths = (rng.normal(size=people) * spread * np.sqrt(WEEKS) for _ in range(reps))
    return float(np.mean([wrong(world(rng, true, kind, 400), true) for true in truths]))


@pytest.mark.parametrize("kind", KINDS)
def test_all_places_hold_at_once(kind):
    assert share_wrong(60, 10, kind, 0.0, seed=11) <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize("people", [6, 12, 40])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spread", [0.0, 0.3, 3.0])
def test_all_places_hold_at_once_in_95_of_100_worlds(people, kind, spread):
    """Where nobody differs everything that is said is wrong: there it is hardest. Two standard errors are 2.2 points."""
    assert share_wrong(400, people, kind, spread, seed=12) <= 0.05 + 0.022


def apart_by(scores: list[float], size: float) -> Measured:
    """People with independent luck of one standard error."""
    draws = size * np.random.default_rng(14).normal(size=(len(scores), 400))
    return Measured(tuple(f"P{n}" for n in range(len(scores))), np.array(scores), deviations(draws), WEEKS)


def test_places_by_hand():
    found = rank_intervals(apart_by([100.0, 99.0, 50.0, 49.0, 0.0], 0.01))
    assert found.low.tolist() == found.high.tolist() == [1, 2, 3, 4, 5]
    assert found.side.tolist() == [1, 1, -1, -1, -1]


def test_people_with_equal_scores_are_never_told_apart():
    found = rank_intervals(apart_by([80.0] * 6, 2.0))
    assert not found.told_apart.any()
    assert set(found.low) == {1}
    assert set(found.high) == {6}


def test_whoever_is_above_can_be_told_from_whoever_is_below():
    rng = np.random.default_rng(13)
    for _ in range(20):
        found = rank_intervals(world(rng, levels(rng, 12, 0.9)))
        upper, lower = np.flatnonzero(found.side == 1), np.flatnonzero(found.side == -1)
        assert not len(upper) or not len(lower) or found.low[lower].min() > found.low[upper].min()


def test_too_few_people_have_all_places():
    found = rank_intervals(apart_by([1.0, 2.0, 3.0], 0.1))
    assert found.reason == "too_few"
    assert (found.low.tolist(), found.high.tolist()) == ([1, 1, 1], [3, 3, 3])


def test_a_resample_with_an_empty_score_is_left_out():
    draws = np.array([[1.0, 2.0, np.nan], [3.0, 1.0, 2.0]])
    assert deviations(draws).shape == (2, 2)
