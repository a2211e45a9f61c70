"""Pay of a client: reckoned from its own data, shown to the manager only, in both languages."""

import dataclasses
import datetime as dt
import re

import pandas as pd
import pytest
from conftest import small_tables, write_client

import kpi_research as kr
from kpi_research.appraisal.incentives import IncentivePlan
from kpi_research.appraisal.scheme import Scheme
from kpi_research.errors import InputError
from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import LANGUAGES
from kpi_research.periods import Period
from kpi_research.report.data import PageData
from kpi_research.report.html import block_html
from kpi_research.report.sections.incentives import shown
from kpi_research.report.tables import block_json
from kpi_research.run.incentives import pay_of

BROKEN = re.compile(r"\bnan\b|\bNone\b|<NA>|\{[a-z_]+\}", re.IGNORECASE)
QUARTER = Period.parse("2026Q1")
CURVE = {"points": [{"score": 60, "share": 0.3}, {"score": 100, "share": 1}]}
KINDS = ("progress", "breakthrough", "collaboration", "mentor")
PLAN = IncentivePlan.model_validate(
    {
        "rules": [{"curve": CURVE, "process": [{"kpi": "signed_amount", "from_attainment": 0.9, "share": 0.05}],
                   "penalties": [{"kpi": "nps", "below_attainment": 0.5, "share": 0.1}]}],
        "team_pot": {"amount": 1000, "curve": CURVE},
        "awards": [{"name": kind, "label": {"zh": "某奖", "en": "Prize"}, "kind": kind, "amount": 50} for kind in KINDS],
    }
)  # fmt: skip
SCHEME = Scheme.model_validate(
    {
        "name": "own", "label": {"zh": "自定", "en": "Own"},
        "items": [{"kpi": "signed_amount", "weight": 60}, {"kpi": "crm_completeness", "weight": 20},
                  {"kpi": "nps", "weight": 20}],
    }
)  # fmt: skip
BASES = pd.DataFrame({"person_id": ["P1", "P2"], "bonus_base": [5000.0, None]})


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    found = kr.open_client(write_client(tmp_path_factory.mktemp("pay"), small_tables()))
    return dataclasses.replace(found, scheme=SCHEME)


@pytest.fixture(scope="module")
def view(client):
    confirmed = pd.DataFrame({"entity_id": ["P1", "P3"], "expected": 1.0, "actual": 9.0, "beyond_chance": True})
    scores = client.score(period=QUARTER, entities=["P1", "P2"])
    return pay_of(client, PLAN, QUARTER, BASES, team="T01", candidates={"collaboration": confirmed}, other_score=scores)


def page(language: str, audience: str = "manager") -> PageData:
    empty = pd.DataFrame()
    return PageData(
        client_title="", language=language, audience=audience, currency="CNY", period=QUARTER, level="team",
        entity_id="T01", entity_name="T01", outcome="signed_amount", kpis=catalogue(), history=empty, people=empty,
        names={"P1": "<b>王芳", "P2": "李雷"}, study=None, quality=None, until=dt.date(2026, 3, 31),
    )  # fmt: skip


def test_only_the_teams_people_are_in_its_pay(view):
    assert set(view.paid.totals["person_id"]) == {"P1", "P2"}
    status = view.paid.totals.set_index("person_id")["status"]
    assert status["P2"] == "open"
    team = view.paid.rows[view.paid.rows["component"] == "team"]["cents"]
    assert team.max() - team.min() <= 1


def test_an_award_shared_with_another_team_is_not_counted_twice(view):
    rows = view.paid.rows[view.paid.rows["component"] == "award"]
    assert rows[["person_id", "cents"]].values.tolist() == [["P1", 2500]]


def test_the_same_weights_move_nothing(view):
    assert view.moved == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_pay_reads_plainly_and_adds_up(view, language):
    blocks = [*shown(page(language), view)]
    for block in blocks:
        html = block_html(block, language, currency="CNY")
        assert not BROKEN.search(" ".join([*block.text, *block.notes, block.table.frame.to_string()]))
        assert "<b>王芳" not in html
        assert block_json(block, language, currency="CNY")["name"].startswith("incentives")
    first = blocks[0].table.frame.set_index("label").loc["<b>王芳"].map(lambda text: float(text.replace(",", "")))
    assert first["total"] == pytest.approx(first.drop("total").sum())
    assert blocks[0].table.frame.set_index("label").loc["李雷", "total"] == ""


@pytest.mark.parametrize("audience", ["person", "analyst"])
def test_nobody_but_the_manager_sees_pay(view, audience):
    assert [*shown(page("zh", audience), view)] == []


def test_every_mistake_of_the_bases_is_said(client):
    wrong = pd.DataFrame({"person_id": ["P1", "P1", "P2"], "bonus_base": [-5, "many", 3]})
    with pytest.raises(InputError) as caught:
        pay_of(client, PLAN, QUARTER, wrong)
    assert len(caught.value.problems) == 3
    with pytest.raises(InputError, match="bonus_base"):
        pay_of(client, PLAN, QUARTER, pd.DataFrame({"person_id": ["P1"]}))
    with pytest.raises(InputError, match="scheme"):
        pay_of(dataclasses.replace(client, scheme=None), PLAN, QUARTER, BASES)
