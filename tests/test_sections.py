"""Every section on a normal, a one-person and an empty team, in both languages; and that a failing one shows."""

import dataclasses
import json
import re

import pytest
from conftest import small_tables, write_client

from kpi_research.errors import InputError
from kpi_research.language import LANGUAGES
from kpi_research.report.block import Block
from kpi_research.report.html import block_html
from kpi_research.report.page import Section, build, sections
from kpi_research.run.pages import open_page

MANAGER = ("headline", "scores", "people", "trend", "activities", "quality", "reading")
ANALYST = ("evidence_headline", "findings", "truth", "league", "quality", "plan")
FORBIDDEN = re.compile(r"\bnan\b|\bNone\b|\bNaT\b|\bp\s*[=<]\s*0|\{[a-z_]+\}", re.IGNORECASE)


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


def blocks_of(page, names):
    return [block for name in names for block in build(sections()[name], page.data)]


def words(block: Block) -> list[str]:
    callout = [v for v in vars(block.callout).values() if isinstance(v, str)] if block.callout else []
    return [block.title, *block.text, *block.notes, *callout]


@pytest.mark.parametrize("team", ["T01", "../../x"])
def test_the_managers_page_of_a_normal_and_a_one_person_team(small_client, team, language):
    page = open_page(small_client, period="2026Q1", team=team, language=language)
    blocks = blocks_of(page, MANAGER)
    assert [block.name for block in blocks] == list(MANAGER)
    assert not [block.name for block in blocks if block.status == "failed"]
    for block in blocks:
        assert not [text for text in words(block) if FORBIDDEN.search(text)]
        html = block_html(block, language, currency="CNY")
        assert "<script" not in html and "alert(1)</script>" not in html
    people = next(block for block in blocks if block.name == "people")
    assert (people.status == "no_data") == (team == "../../x")


def test_a_quarter_without_data_is_no_quarter_of_zeros(tmp_path, language):
    tables = small_tables()
    for name in ("contracts.csv", "activities.csv", "opportunities.csv", "surveys.csv"):
        head, *lines = tables[name].splitlines()
        kept = [line for line in lines if not re.search(r",2025-0[789]-", line)]
        tables[name] = "\n".join([head, *kept]) + "\n"
    page = open_page(write_client(tmp_path, tables), period="2025Q3", team="T01", language=language)
    callout = blocks_of(page, ["headline"])[0].callout
    assert callout.tone == "unknown" and callout.figure == "" and "100" not in callout.stands
    assert {block.status for block in blocks_of(page, MANAGER)} <= {"ok", "no_data", "warning"}


def test_an_empty_team_says_so(small_client, language):
    page = open_page(small_client, period="2026Q1", team="T03", language=language)
    blocks = {block.name: block for block in blocks_of(page, MANAGER)}
    assert {block.status for block in blocks.values()} <= {"ok", "no_data", "warning"}
    assert blocks["people"].status == "no_data"


def test_the_analysts_page(small_client, language):
    page = open_page(small_client, period="2026Q1", language=language, audience="analyst")
    blocks = blocks_of(page, ANALYST)
    assert not [block.name for block in blocks if block.status == "failed"]
    assert {"evidence_headline", "findings", "league_person", "quality_tables", "plan"} <= {
        block.name for block in blocks
    }
    codes = dict(zip(page.data.study.verdicts["kpi"], page.data.study.verdicts["code"]))
    assert codes == {"visits": "N", "calls": "N", "signed_contracts": "H"}, "three people are too few for anything else"


def test_a_manager_is_given_nothing_of_other_teams(small_client):
    data = open_page(small_client, period="2026Q1", team="T01", language="zh").data
    assert data.whole == {} and data.truth == ()
    assert set(data.names) == {"P1", "P2"} and set(data.people["entity_id"]) <= {"P1", "P2"}
    assert set(data.history["entity_id"]) == {"T01"} and set(data.score.rows["entity_id"]) == {"T01"}
    assert set(data.people_score.rows["entity_id"]) <= {"P1", "P2"}
    assert (data.quality.rules["most_frequent"] == "").all()


def test_everything_a_page_says_is_in_its_json(small_client):
    from kpi_research.report.tables import block_json

    page = open_page(small_client, period="2026Q1", team="T01", language="zh")
    for block in blocks_of(page, MANAGER):
        json.dumps(block_json(block, "zh", currency="CNY"), allow_nan=False)


def test_a_section_that_fails_becomes_a_block_that_says_where(small_client, language):
    page = open_page(small_client, period="2026Q1", team="T01", language=language)
    broken = dataclasses.replace(page.data, history=page.data.history.drop(columns="value"))
    (block,) = build(sections()["trend"], broken)
    assert block.status == "failed" and block.facts["error"] == "KeyError" and block.text


def test_a_failing_section_does_not_tell_data(small_client):
    def leaks(data):
        raise ValueError(f"customer {data.names}")

    page = open_page(small_client, period="2026Q1", team="T01")
    (block,) = build(Section("leaks", leaks), page.data)
    assert "王芳" not in "".join(words(block))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"period": "2026Q2", "team": "T01"}, "2026Q1"),
        ({"period": "quarter 1", "team": "T01"}, "2026Q3"),
        ({"period": "2026Q1", "team": "T1"}, "Did you mean T01?"),
    ],
)
def test_wrong_periods_and_teams_name_the_right_ones(small_client, arguments, said):
    with pytest.raises(InputError) as caught:
        open_page(small_client, **arguments)
    assert said in caught.value.text("en")


def test_an_unknown_section_names_the_nearest(small_client):
    with pytest.raises(InputError, match="Did you mean headline"):
        open_page(small_client, period="2026Q1", team="T01").show("headlines")


def test_beside_the_scheme_stand_three_kpis_of_each_kind_at_most(small_client, language):
    page = open_page(small_client, period="2026Q1", team="T01", language=language)
    (block,) = blocks_of(page, ["indicators"])
    rows = block.table.frame
    kinds = rows["kpi"].map(lambda kpi: page.data.kpis[kpi].kind)
    assert (
        kinds.value_counts().max() == 3
        and kinds.nunique() > 2
        and not set(rows["kpi"]) & set(page.data.score.rows["kpi"])
    )
    assert set(rows["status"]) <= {"ok", "partial"}
    now = page.data.now()["value"]
    assert (rows["value"].to_numpy() == now[rows["kpi"]].to_numpy()).all()


def test_without_a_scheme_nothing_stands_beside_it(small_client, language):
    page = open_page(small_client, period="2026Q1", team="T01", language=language)
    assert not [*build(sections()["indicators"], dataclasses.replace(page.data, score=None))]
