"""Awards go to who did more than chance brings: where nobody did, hardly ever to anybody; planted feats are found."""

import numpy as np
import pandas as pd
import pytest

from kpi_research.appraisal.awards import breakthroughs, collaborations, decide, mentors
from kpi_research.appraisal.incentives import Award

PEOPLE = [f"P{number}" for number in range(12)]


def award(**more) -> Award:
    given = {"name": "best", "label": {"zh": "奖", "en": "Prize"}, "kind": "progress", "amount": 100.01}
    return Award.model_validate({**given, **more})


def candidates(*beyond: bool) -> pd.DataFrame:
    names = [f"P{number}" for number in range(len(beyond))]
    return pd.DataFrame({"entity_id": names, "expected": 1.0, "actual": 2.0, "beyond_chance": list(beyond)})


def test_the_first_gets_nothing_by_being_first():
    found = decide(award(), candidates(False, False, False))
    assert found.cents == {}
    assert found.reason == "within_chance"
    assert decide(award(), None).reason == "no_candidates"


def test_more_winners_than_places_share_to_the_cent():
    found = decide(award(), candidates(True, True, False, True))
    assert found.is_shared
    assert sorted(found.cents.values()) == [3333, 3334, 3334]
    assert not decide(award(winners=3), candidates(True, True, False)).is_shared
    assert decide(award(winners=3), candidates(True, True)).cents == {"P0": 10_001, "P1": 10_001}


def weeks(rng: np.random.Generator, lifted: float = 1.0) -> pd.DataFrame:
    """Five quarters of lumpy weeks with a season; `lifted` what P0's last quarter is multiplied by."""
    level = dict(zip(PEOPLE, rng.uniform(0.5, 3, len(PEOPLE)), strict=True))
    season = (1.0, 0.7, 1.2, 1.6, 1.3)
    return pd.DataFrame(
        (person, f"Q{quarter}", 1e4 * rng.poisson(level[person] * season[quarter] * factor))
        for person in PEOPLE
        for quarter in range(5)
        for factor in [lifted if person == "P0" and quarter == 4 else 1.0]
        for _ in range(13)
    ).set_axis(["entity_id", "period", "value"], axis=1)


def test_no_breakthrough_without_one_whatever_the_season():
    rng = np.random.default_rng(1)
    given = sum(breakthroughs(weeks(rng), "Q4", rng)["beyond_chance"].any() for _ in range(20))
    assert given <= 3  # 5 % of 20, and three more by chance once in 70


def test_a_planted_breakthrough_is_found():
    rng = np.random.default_rng(2)
    found = [breakthroughs(weeks(rng, 4.0), "Q4", rng) for _ in range(6)]
    assert sum(each.set_index("entity_id").loc["P0", "beyond_chance"] for each in found) >= 5


@pytest.mark.slow
def test_breakthroughs_are_given_by_chance_no_oftener_than_promised():
    rng = np.random.default_rng(3)
    given = sum(breakthroughs(weeks(rng), "Q4", rng)["beyond_chance"].any() for _ in range(300))
    assert given / 300 < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


def acts(rng: np.random.Generator, more: int = 0) -> pd.DataFrame:
    helpers = [*rng.choice(PEOPLE, 90), *["P0"] * more]
    return pd.DataFrame(
        {
            "person_id": helpers,
            "confirmed_by": rng.choice([f"Q{number}" for number in range(40)], len(helpers)),
            "month": rng.choice(["2026-04", "2026-05", "2026-06"], len(helpers)),
        }
    )


def test_help_counts_as_others_confirm_it():
    rng, days = np.random.default_rng(4), pd.Series(60.0, index=PEOPLE)
    nobody = sum(collaborations(acts(rng), days)["beyond_chance"].any() for _ in range(100))
    assert nobody / 100 < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 100)
    assert collaborations(acts(rng, 30), days).set_index("entity_id").loc["P0", "beyond_chance"]


def test_two_friends_cannot_lift_each_other():
    rng, days = np.random.default_rng(5), pd.Series(60.0, index=PEOPLE)
    friends = pd.DataFrame({"person_id": ["P0"] * 60, "confirmed_by": ["P1"] * 60, "month": ["2026-04"] * 60})
    own = friends.assign(confirmed_by="P0")
    found = collaborations(pd.concat([acts(rng), friends, own]), days).set_index("entity_id")
    before = collaborations(acts(np.random.default_rng(5)), days).set_index("entity_id")
    assert found.loc["P0", "actual"] <= before.loc["P0", "actual"] + 1
    assert not found.loc["P0", "beyond_chance"]


def test_mentors_are_judged_by_those_they_guide():
    found = mentors(candidates(True, False, False), {"P0": "M", "P1": "M", "P2": "N"}).set_index("entity_id")
    assert found["beyond_chance"].to_dict() == {"M": True, "N": False}
    assert found.loc["M", "actual"] == 4.0
