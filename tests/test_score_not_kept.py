"""What nobody in the company ever recorded is no zero of anybody; what somebody once recorded is."""

import pandas as pd
import pytest
from conftest import small_tables, write_client

from kpi_research.report.page import build, sections
from kpi_research.run import pages
from kpi_research.run.client import open_client
from kpi_research.run.schemes import lint_client
from kpi_research.run.scores import NOT_KEPT, not_kept

SCHEME = """scheme:
  name: own
  label: {zh: 自定, en: Own}
  items:
    - {kpi: signed_amount, weight: 40}
    - {kpi: visits, weight: 20}
    - {kpi: sharing_sessions, weight: 20}
    - {kpi: confirmed_help, weight: 20}
  adjustments:
    - {kpi: cross_team_projects, effect: bonus, above: 0, points: 1, most: 3}
"""
TARGETS = "\n".join(
    f"{scope},{who},{kpi},{quarter},{base},1"
    for scope, who in (("person", "P1"), ("person", "P2"), ("person", "P3"), ("team", "T01"))
    for quarter in ("2025Q1", "2025Q2", "2025Q4", "2026Q1")
    for kpi, base in (("visits", 10), ("sharing_sessions", 1), ("confirmed_help", 1))
)
LEARNING = """record_id,person_id,kind,occurred_at
L1,P1,sharing,2025-05-12 10:00
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    tables = small_tables()
    tables["targets.csv"] += TARGETS + "\n"
    tables["learning.csv"] = LEARNING
    path = write_client(tmp_path_factory.mktemp("kept"), tables)
    path.write_text(path.read_text(encoding="utf-8").replace("scheme: saas_2025\n", SCHEME), encoding="utf-8")
    return open_client(path)


def statuses(client, period, level="person", entity="P2"):
    rows = client.score(period=period, level=level).rows
    return rows[rows["entity_id"] == entity].set_index("kpi")


def test_a_kind_of_record_that_nobody_has_is_not_scored_as_zero(client):
    rows = statuses(client, "2025Q4")
    assert rows.loc["confirmed_help", "status"] == NOT_KEPT and rows["points"].isna()["confirmed_help"]
    total = client.score(period="2025Q4").totals.set_index("entity_id").loc["P2"]
    assert total["status"] == "partial_weight" and total["scored_weight"] == pytest.approx(0.8)
    assert statuses(client, "2025Q4", "team", "T01").loc["confirmed_help", "status"] == NOT_KEPT


def test_of_what_somebody_once_recorded_a_zero_stays_a_zero(client):
    rows = statuses(client, "2025Q4")
    assert rows.loc["sharing_sessions", ["status", "actual", "points"]].tolist() == ["ok", 0.0, 0.0]
    assert statuses(client, "2025Q2", entity="P1").loc["sharing_sessions", "actual"] == 1.0


def test_before_the_first_record_of_a_kind_nobody_has_a_zero(client):
    """Recording began in May: the first quarter knows nothing of it, whatever came later."""
    assert statuses(client, "2025Q1").loc["sharing_sessions", "status"] == NOT_KEPT


def test_of_a_kind_that_was_once_recorded_silence_is_a_zero_however_long_it_lasts(client):
    """Nobody won a new customer since the first quarter, and contracts are kept all the time."""
    last = client.known_period("2026Q1")
    assert not_kept(client, ["sharing_sessions", "new_customers"], last.shift(8)) == frozenset()
    year = pd.Timestamp(last.end) - pd.DateOffset(years=1)
    assert not_kept(client, ["sharing_sessions", "new_customers"], last, since=year) == {"new_customers"}


def test_no_bonus_and_no_deduction_hangs_on_what_is_not_kept(client):
    changes = client.score(period="2026Q1").adjustments
    assert set(changes["status"]) == {NOT_KEPT} and not changes["points"].any()


def test_rates_are_left_alone_and_so_is_what_everybody_has(client):
    asked = ["win_rate", "visits", "signed_amount", "nps", "confirmed_help"]
    assert not_kept(client, asked, client.known_period("2026Q1")) == {"confirmed_help"}
    assert not_kept(client, ["win_rate"], client.known_period("2026Q1")) == frozenset()


def test_the_rules_say_so_before_anybody_is_scored(client):
    found = lint_client(client)
    told = found[found["sentence_en"].str.startswith("Nobody in the company")].set_index("subject")["severity"]
    assert told.to_dict() == {"confirmed_help": "error"}


def test_the_scorecard_says_what_a_zero_rests_on_and_what_is_none(client, monkeypatch):
    monkeypatch.setattr(pages, "study_of", lambda *_: None)
    page = pages.person_data(client, client.known_period("2025Q4"), "P2", "en")
    (block,) = [block for block in build(sections()["score_reason"], page) if block.name == "score_reason"]
    reasons = dict(zip(block.table.frame["label"], block.table.frame["reason"]))
    label = {name: client.kpis[name].label.en for name in ("sharing_sessions", "confirmed_help", "visits")}
    assert "hence zero; the company has had some" in reasons[label["sharing_sessions"]]
    assert "nobody in the company ever had a record of this kind" in reasons[label["confirmed_help"]]
    assert "hence zero" not in reasons[label["visits"]]
