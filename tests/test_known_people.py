"""Who left, and who was in which group: what the study is told beside the panel."""

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kpi_research.evidence.beside import Known, beside
from kpi_research.evidence.grid import Grid
from kpi_research.evidence.study import study
from kpi_research.periods import Period, periods_between
from kpi_research.run.known_people import _kinds, _left

MONTHS = periods_between(dt.date(2026, 1, 1), dt.date(2026, 6, 30), "month")


def people(**left) -> pd.DataFrame:
    rows = [
        {"person_id": person, "role": "rep", "hired_on": pd.Timestamp("2020-01-01"), "left_on": pd.Timestamp(day) if day else pd.NaT}
        for person, day in left.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_last_month_worked_whole():
    found = _left(
        people(A="2026-03-31", B="2026-03-30", C=None, D="2025-12-31", E="2026-07-15", F="2026-01-20"), MONTHS
    )
    assert found == {"A": "2026-03", "B": "2026-02", "F": ""}, "D left before, E after; a broken month is none"
    assert _left(people(A=None), MONTHS) is None, "not known is not nobody"


def test_a_person_is_in_the_team_of_most_days():
    days = pd.date_range("2026-01-01", "2026-06-30")
    roster = pd.DataFrame(
        {"person_id": "A", "day": days, "team_id": np.where(days < "2026-03-20", "T1", "T2"), "working": 1.0}
    )
    other = roster.assign(person_id="B", team_id="T2")
    teams = pd.DataFrame({"team_id": ["T1", "T2"], "region": ["east", "west"]})
    hired = people(A=None, B=None).assign(hired_on=pd.to_datetime(["2025-04-15", "2020-01-01"]))
    data = SimpleNamespace(parts=SimpleNamespace(roster=pd.concat([roster, other])), teams=teams, people=hired)
    found = _kinds(data, MONTHS)
    own = found["team"][found["team"]["entity_id"].eq("A")].set_index("period")["group"]
    assert own.to_dict() == {m.name: "T1" if m.start < dt.date(2026, 4, 1) else "T2" for m in MONTHS}
    assert "region" not in found, "the teams by another name"
    assert "role" not in found, "one role is no comparison"
    two_in_one = pd.DataFrame({"team_id": ["T1", "T2", "T3"], "region": ["east", "west", "west"]})
    third = other.assign(person_id="C", team_id="T3")
    data = SimpleNamespace(
        parts=SimpleNamespace(roster=pd.concat([roster, other, third])), teams=two_in_one, people=hired
    )
    assert set(_kinds(data, MONTHS)["region"]["group"]) == {"east", "west"}
    tenure = found["tenure"].set_index(["entity_id", "period"])["group"]
    assert tenure[("A", "2026-04")] == "under_a_year" and tenure[("A", "2026-05")] == "longer"


def test_the_tables_beside_a_study_follow_the_grid():
    rng = np.random.default_rng(1)
    names = [f"P{n:02d}" for n in range(30)]
    periods = tuple(Period.parse(f"{2024 + m // 12}-{m % 12 + 1:02d}").name for m in range(18))
    x = rng.normal(size=(30, 18))
    y = np.roll(x, 1, axis=1) + rng.normal(size=(30, 18))
    grid = Grid(tuple(names), periods, {"y": y, "x": x}, np.isfinite(x))
    teams = pd.DataFrame({"entity_id": names[::-1], "group": ["a"] * 15 + ["b"] * 15})
    weeks = pd.DataFrame(
        [("person", person, f"{period}/{week:02d}", "x", rng.normal(), "ok") for person in names[:20] for period in periods for week in (1, 2, 3, 4)],
        columns=["level", "entity_id", "period", "kpi", "value", "status"],
    )  # fmt: skip
    found = beside(grid, "y", {"x": x}, ["x"], 1, Known({"P00": periods[5]}, weeks, {"team": teams}))
    by_team = found.segments[found.segments["kind"].eq("team")].set_index("group")
    assert by_team.loc["a", "n_people"] == 15 and by_team.loc["b", "status"] == "ok"
    assert found.trust["n_leavers"].iloc[0] == 1 and found.trust["reliability"].iloc[0] < 0.3, (
        "weeks of noise do not repeat"
    )
    assert found.screen["familywise_p"].iloc[0] < 0.01 and list(found.simpson["kpi"]) == ["x"]


@pytest.mark.parametrize("with_depth", [True, False])
def test_a_study_without_what_is_known_beside(with_depth):
    rng = np.random.default_rng(2)
    rows = [
        ("person", f"P{p}", f"2025-{m + 1:02d}", kpi, rng.normal(), "ok") for p in range(10) for m in range(12) for kpi in "xy"
    ]  # fmt: skip
    panel = pd.DataFrame(rows, columns=["level", "entity_id", "period", "kpi", "value", "status"])
    found = study(panel, outcome="y", with_depth=with_depth).beside
    assert len(found.screen) == 3 * with_depth
    if with_depth:
        assert found.trust["leaving_reason"].tolist() == ["not_known"]
