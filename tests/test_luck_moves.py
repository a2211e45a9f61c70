"""Weights moved within their bands, against the naive road; the prize for progress, against regression to the mean."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from luck_worlds import KINDS, levels, world

from kpi_research.appraisal.progress import progress
from kpi_research.appraisal.reliability import reliability
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.score import SCORE_COLUMNS, TOTAL_COLUMNS, Score
from kpi_research.appraisal.weight_moves import bands_of, drawn_weights, weight_moves
from kpi_research.kpis.catalogue import catalogue

KPIS = catalogue()


def scheme(**weights: float) -> Scheme:
    items = [{"kpi": kpi, "weight": weight} for kpi, weight in weights.items()]
    return Scheme.model_validate({"name": "own", "label": {"zh": "自定", "en": "Own"}, "items": items})


def scored(own: Scheme, shares: dict[str, dict[str, float]]) -> Score:
    rows = [
        {
            "entity_id": person,
            "kpi": item.kpi,
            "weight": item.weight,
            "status": "ok" if item.kpi in each else "no_cases",
        }
        | {"points": item.weight * each.get(item.kpi, np.nan)}
        for person, each in shares.items()
        for item in own.items
    ]
    totals = [{"entity_id": person, "score": 1.0} for person in shares]
    return Score(pd.DataFrame(rows, columns=SCORE_COLUMNS), pd.DataFrame(totals, columns=TOTAL_COLUMNS))


# ---- weights


def test_weights_stay_within_their_bands_and_sum_to_what_they_did():
    bands = np.array([[30.0, 50.0], [10.0, 20.0], [10.0, 25.0], [15.0, 25.0], [7.0, 7.0]])
    start = np.array([40.0, 15.0, 18.0, 20.0, 7.0])
    drawn = drawn_weights(bands, start, np.random.default_rng(1))
    assert np.allclose(drawn.sum(axis=1), 100)
    assert (drawn >= bands[:, 0] - 1e-9).all()
    assert (drawn <= bands[:, 1] + 1e-9).all()
    assert np.ptp(drawn[:, 0]) > 15


def test_two_roads_the_walk_and_plain_rejection():
    bands, rng = np.array([[30.0, 50.0], [10.0, 35.0], [10.0, 25.0], [5.0, 30.0]]), np.random.default_rng(2)
    walked = drawn_weights(bands, np.array([45.0, 15.0, 20.0, 20.0]), rng)
    tried = rng.uniform(bands[:3, 0], bands[:3, 1], size=(40000, 3))
    last = 100 - tried.sum(axis=1)
    kept = np.column_stack([tried, last])[(last >= 5) & (last <= 30)]
    assert walked.mean(axis=0) == pytest.approx(kept.mean(axis=0), abs=0.8)
    assert walked.std(axis=0) == pytest.approx(kept.std(axis=0), abs=0.5)


def test_bands_are_the_usual_ones_widened_to_what_is_there():
    own = scheme(signed_amount=60, new_customers=15, visits=25)
    assert bands_of(own, KPIS) == {"signed_amount": (30, 60), "new_customers": (10, 20), "visits": (20, 30)}


def test_who_is_better_at_everything_stays_first():
    own = scheme(signed_amount=50, visits=50)
    best, other = {"signed_amount": 1.0, "visits": 1.1}, {"signed_amount": 0.9, "visits": 1.0}
    found = weight_moves(scored(own, {"A": other, "B": best}), own, KPIS, np.random.default_rng(3))
    assert (found.first, found.stays_first) == ("B", 1.0)
    assert not found.flips.any()


def test_a_flip_by_hand():
    """Both are equal at w * .2 = (100 - w) * .138, w = 40.83; the amount may have 35 to 45, the visits 55 to 65."""
    own = scheme(signed_amount=40, visits=60)
    shares = {"A": {"signed_amount": 1.0, "visits": 0.8}, "B": {"signed_amount": 0.8, "visits": 0.938}}
    found = weight_moves(scored(own, shares), own, KPIS, np.random.default_rng(4), class_edges=[88.0])
    assert found.first == "B"
    assert found.flips[0, 1] == pytest.approx((45 - 100 * 0.138 / 0.338) / 10, abs=0.05)
    assert found.stays_first == pytest.approx(1 - found.flips[0, 1])
    assert found.class_changes[0] == pytest.approx(0.5, abs=0.06)


def test_what_was_not_scored_is_left_out_of_the_total():
    own = scheme(signed_amount=40, new_customers=20, visits=40)
    shares = {
        "A": {"signed_amount": 1.0, "visits": 1.0},
        "B": dict.fromkeys(("signed_amount", "new_customers", "visits"), 0.9),
    }
    found = weight_moves(scored(own, shares), own, KPIS, np.random.default_rng(5))
    assert (found.first, found.stays_first) == ("A", 1.0)


def test_one_kpi_has_no_other_weight():
    own = scheme(signed_amount=100)
    found = weight_moves(scored(own, {"A": {"signed_amount": 1.0}}), own, KPIS, np.random.default_rng(6))
    assert np.isnan(found.stays_first)


# ---- progress


def prizes(reps: int, people: int, share: float, kind: str, seed: int, better: float = 0.0):
    """Winners, where in the order before (0 lowest, 1 highest) the most likely winner was, and that of the largest
    rise."""
    rng, winners, starts, plain = np.random.default_rng(seed), [], [], []
    for _ in range(reps):
        true = levels(rng, people, share)
        now_true = true + better * np.sqrt(13) * (np.arange(people) == 0)
        before, now = world(rng, true, kind, 150), world(rng, now_true, kind, 150)
        found = progress(before, now, reliability(before), reliability(now))
        place = np.argsort(np.argsort(before.scores)) / (people - 1)
        winners.append(found.winner)
        starts.append(place[found.p.argmin()])
        plain.append(place[found.change.argmax()])
    return winners, float(np.mean(starts)), float(np.mean(plain))


def test_where_nobody_improves_the_largest_rise_is_of_a_low_starter_and_no_prize_is_given():
    winners, start, plain = prizes(120, 12, 0.5, "even", seed=7)
    assert np.mean([bool(winner) for winner in winners]) <= 0.05
    assert plain < 0.35
    assert 0.4 < start < 0.65


def test_who_truly_improved_much_gets_the_prize():
    winners, *_ = prizes(40, 10, 0.5, "even", seed=8, better=6.0)
    assert np.mean([winner == "P000" for winner in winners]) > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("people", [6, 12, 40])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.8])
def test_the_prize_is_not_won_by_regression_to_the_mean(people, kind, share):
    winners, start, _ = prizes(300, people, share, kind, seed=9)
    assert np.mean([bool(winner) for winner in winners]) <= 0.05
    assert 0.33 < start < 0.67


def test_the_expected_change_is_towards_the_middle():
    rng = np.random.default_rng(10)
    true = levels(rng, 12, 0.5)
    before, now = world(rng, true), world(rng, true)
    found = progress(before, now, reliability(before), reliability(now))
    apart = before.scores - before.scores.mean()
    towards = found.expected_change - (now.scores.mean() - before.scores.mean())
    assert (towards * apart < 0).all()
    assert (np.abs(towards) < np.abs(apart)).all()


def test_whose_score_fell_gets_no_prize_for_falling_less_than_expected():
    rng = np.random.default_rng(12)
    true = levels(rng, 12, 0.5)
    before, now = world(rng, true), world(rng, true + 60 * (np.arange(12) == 0))
    found = [
        progress(before, replace(now, scores=now.scores - fall), reliability(before), reliability(now))
        for fall in (0.0, 1000.0)
    ]
    assert found[0].p == pytest.approx(found[1].p)
    assert [each.winner for each in found] == ["P000", ""]


def test_only_people_of_both_periods_are_compared():
    rng = np.random.default_rng(11)
    before, now = world(rng, np.zeros(4)), world(rng, np.zeros(9))
    found = progress(before, now, reliability(now), reliability(now))
    assert (found.reason, len(found.people), found.winner) == ("too_few", 4, "")
    six = progress(now, now, reliability(now), reliability(now), among=now.people[3:])
    assert (six.people, six.reason) == (now.people[3:], "within_chance")
