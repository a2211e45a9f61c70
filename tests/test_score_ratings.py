"""Soft indicators: raters are weighed as the scheme says, and their mildness is taken off where it can be told."""

import numpy as np
import pandas as pd
import pytest

from kpi_research.appraisal.ratings import leniency, on_full_scale, rated
from kpi_research.appraisal.scheme import SchemeItem

SOFT = SchemeItem.model_validate(
    {"kpi": "peer_rating", "weight": 10, "raters": {"self": 10, "superior": 60, "peer": 30}}
)


def given(*rows: tuple[str, str, str | None, float], scale: float = 100.0) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["person_id", "rater", "rater_id", "score"])
    return on_full_scale(frame.assign(kpi="peer_rating", scale_max=scale))


def panel_of_ratings(rng: np.random.Generator, mild: np.ndarray, people: int = 30, each: int = 3) -> pd.DataFrame:
    """People of unequal merit, each rated by `each` of the raters, who differ in mildness."""
    rows = []
    for person in range(people):
        merit = rng.normal(70, 8)
        for rater in rng.choice(len(mild), each, replace=False):
            rows.append((f"P{person}", "peer", f"R{rater}", merit + mild[rater] + rng.normal(0, 3)))
    return given(*rows)


def test_ratings_are_weighed_as_the_scheme_says():
    ratings = given(("A", "self", "A", 100), ("A", "superior", "B", 80), ("A", "peer", "C", 60), ("A", "peer", "D", 70))
    found = rated(ratings, SOFT, leniency(ratings.iloc[:0])).iloc[0]
    assert found["value"] == pytest.approx(0.1 * 100 + 0.6 * 80 + 0.3 * 65)
    assert (found["n"], found["raters_missing"], found["status"]) == (4, "", "ok")


def test_who_gave_nothing_has_no_weight_and_is_named():
    ratings = given(("A", "superior", "B", 4), ("A", "peer", "C", 2), scale=5)
    found = rated(ratings, SOFT, leniency(ratings)).iloc[0]
    assert found["value"] == pytest.approx((60 * 80 + 30 * 40) / 90)
    assert (found["raters_missing"], found["status"]) == ("self", "partial")


def test_without_a_highest_mark_a_rating_says_nothing():
    frame = pd.DataFrame(
        {"person_id": ["A"], "rater": ["peer"], "rater_id": ["C"], "score": [4.0], "kpi": ["peer_rating"]}
    )
    assert on_full_scale(frame.assign(scale_max=np.nan)).empty


def test_mild_raters_are_found():
    rng, mild = np.random.default_rng(5), np.array([-8.0, -3.0, 0.0, 2.0, 9.0])
    found = leniency(panel_of_ratings(rng, mild))
    assert found.reason == "" and found.ratings == 90
    assert found.by_rater.to_numpy() == pytest.approx(mild - mild.mean(), abs=2.0)


def test_where_raters_do_not_differ_next_to_nothing_is_taken_off():
    rng = np.random.default_rng(6)
    largest = [leniency(panel_of_ratings(rng, np.zeros(5))).by_rater.abs().max() for _ in range(40)]
    assert np.mean(largest) < 1.0


def test_taking_mildness_off_brings_people_closer_to_the_truth():
    rng, mild = np.random.default_rng(7), np.array([-10.0, 0.0, 10.0, 0.0, -5.0, 5.0])
    item = SchemeItem.model_validate({"kpi": "peer_rating", "weight": 10, "raters": {"peer": 100}})
    merits, rows = rng.normal(60, 6, 40), []
    for person, merit in enumerate(merits):
        rows += [
            (f"P{person:02d}", "peer", f"R{r}", merit + mild[r] + rng.normal(0, 3))
            for r in rng.choice(6, 2, replace=False)
        ]
    ratings = given(*rows)
    plain, corrected = (rated(ratings, item, by)["value"] for by in (leniency(ratings.iloc[:0]), leniency(ratings)))
    wrong, less = (np.std(values - merits) for values in (plain, corrected))
    assert less < 0.6 * wrong


def test_one_rater_each_cannot_be_told_from_merit():
    ratings = given(("A", "superior", "M", 90), ("B", "superior", "M", 95), ("C", "superior", "N", 50))
    assert leniency(ratings).reason == "no_common_people" and (leniency(ratings).by_rater == 0).all()


def test_rating_oneself_is_no_evidence_of_mildness():
    ratings = given(("A", "self", "A", 100), ("A", "peer", "B", 50), ("B", "self", "B", 100), ("B", "peer", "A", 50))
    assert leniency(ratings).reason == "no_common_people"
