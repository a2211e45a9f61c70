"""From above and from below: only those who spoke are compared, and nothing is changed."""

import numpy as np
import pandas as pd
import pytest

from kpi_research.appraisal.decompose import SPLIT_COLUMNS, Split
from kpi_research.appraisal.goal import Goal
from kpi_research.appraisal.reconcile import reconcile
from kpi_research.appraisal.season import level_season
from kpi_research.errors import InputError

TEAMS = {"A": "T1", "B": "T1", "C": "T2", "D": "T2"}


def split(asked: dict[str, float], spread="split") -> Split:
    goal = Goal(
        name="g", label={"zh": "业绩", "en": "g"}, measure="signed_amount", period="2026Q1", base=sum(asked.values())
    )
    rows = [("person", who, "quarter", "2026Q1", base, np.nan) for who, base in asked.items()]
    return Split(goal, pd.DataFrame(rows, columns=SPLIT_COLUMNS), spread, level_season("flat"))


def offers(**given: float) -> pd.DataFrame:
    return pd.DataFrame({"person_id": list(given), "amount": list(given.values())})


def test_sides_gaps_and_sums():
    made = split({"A": 100, "B": 100, "C": 200, "D": 50})
    before = made.rows.copy()
    found = reconcile(made, offers(A=120, B=95, C=100, X=30), period="2026Q1", teams=TEAMS)
    people = found.people.set_index("person_id")
    assert people["side"].to_dict() == {"A": "above", "B": "within", "C": "below", "D": "silent", "X": "not_asked"}
    assert people.loc["C", "gap"] == -100 and people.loc["C", "gap_share"] == -0.5 and np.isnan(people.loc["X", "gap"])
    teams = found.teams.set_index("team_id")
    assert teams.loc["T1", ["asked", "asked_of_speakers", "offered", "gap", "silent"]].tolist() == [
        200,
        200,
        215,
        15,
        0,
    ]
    assert teams.loc["T2", ["asked", "asked_of_speakers", "offered", "gap", "silent"]].tolist() == [
        250,
        200,
        100,
        -100,
        1,
    ]
    assert teams["side"].to_dict() == {"": "above", "T1": "within", "T2": "below"}
    assert found.total[["asked", "asked_of_speakers", "offered", "people", "silent"]].tolist() == [450, 400, 345, 5, 1]
    assert found.total["side"] == "below"
    pd.testing.assert_frame_equal(made.rows, before)


def test_a_team_that_said_nothing_has_no_gap():
    found = reconcile(split({"A": 100, "C": 50}), offers(A=100), period="2026Q1", teams=TEAMS)
    silent = found.teams.set_index("team_id").loc["T2"]
    assert silent["side"] == "silent" and np.isnan(silent["gap"]) and np.isnan(silent["offered"])
    nobody = reconcile(split({"A": 100}), offers(), period="2026Q1", teams=TEAMS)
    assert nobody.total["side"] == "silent"


@pytest.mark.parametrize("share", [1.1, 0.9])
def test_the_goals_band_is_its_own(share):
    assert reconcile(split({"A": 100}), offers(A=100 * share), period="2026Q1", teams=TEAMS).total["side"] == "within"


def test_what_cannot_be_compared_is_said_at_once():
    twice = pd.DataFrame({"person_id": ["A", "A", "B"], "amount": [1.0, 2.0, np.nan]})
    with pytest.raises(InputError) as caught:
        reconcile(split({"A": 100}), twice, period="2026Q2", teams=TEAMS)
    assert len(caught.value.problems) == 3 and "2026Q1" in caught.value.text("en")
    with pytest.raises(InputError, match="no parts"):
        reconcile(split({"A": 100}, spread="same"), offers(A=1), period="2026Q1", teams=TEAMS)
