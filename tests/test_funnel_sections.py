"""The funnel on the page and in the client's hand: a client with everything, one with deals only, one without deals."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from conftest import small_tables, write_client

import kpi_research as kr
from kpi_research.errors import InputError
from kpi_research.funnel.cohort import COHORT_COLUMNS
from kpi_research.funnel.forecast import FORECAST_COLUMNS
from kpi_research.funnel.snapshot import SNAPSHOT_COLUMNS
from kpi_research.language import LANGUAGES
from kpi_research.report.funnel_charts import contact_curve, forecast_record, funnel_bars
from kpi_research.report.html import block_html
from kpi_research.report.page import build, sections
from kpi_research.report.tables import block_json
from kpi_research.run.pages import open_page

pytestmark = pytest.mark.slow

NAMES = ("funnel", "funnel_open", "funnel_forecast", "funnel_time", "funnel_contact", "funnel_groups")
BROKEN = re.compile(r"\bnan\b|\bNone\b|NaT|\{[a-z_]+\}")
SIMULATED = """\
client: simulated
title: {zh: 模拟, en: Simulated}
source: {kind: simulated, people: 8, teams: 2, first_month: "2024-01", months: 24, seed: 1}
stages: [线索, 需求, 方案, 报价, 签约, 回款]
predictors: [visits]
reports:
  - {notebook: appraisal, per: team, every: quarter, audience: manager}
"""


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    path = tmp_path_factory.mktemp("client") / "params" / "simulated.yaml"
    path.parent.mkdir()
    path.write_text(SIMULATED, encoding="utf-8")
    return path


def blocks_of(page):
    return {block.name: block for name in NAMES for block in build(sections()[name], page.data)}


def assert_fit_to_print(blocks, language):
    for block in blocks.values():
        callout = [value for value in vars(block.callout).values() if isinstance(value, str)] if block.callout else []
        assert block.status != "failed", block.text
        assert not [text for text in (block.title, *block.text, *block.notes, *callout) if BROKEN.search(text)]
        html = block_html(block, language, currency="CNY")
        assert "alert(1)</script>" not in html
        block_json(block, language, currency="CNY")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("team", ["T01", ""])
def test_a_client_with_everything(simulated, language, team):
    page = open_page(simulated, period="2025Q4", team=team or None, language=language, report="appraisal")
    blocks = blocks_of(page)
    assert_fit_to_print(blocks, language)
    assert {block.status for block in blocks.values()} <= {"ok", "warning"}
    funnel = blocks["funnel"]
    assert funnel.callout.figure.endswith("%") and funnel.figure and funnel.table.frame["entered"].max() > 0
    labels = funnel.table.frame["label"].tolist()
    assert labels[-2:] == ["签约", "回款"]
    people = blocks["funnel_groups_person" if team else "funnel_groups_team"]
    opened = page.data.funnel.year_cohort.query("part == 'deals'")["entered"].iloc[0]
    if team:
        assert {row["group"] for row in people.facts["rows"]} <= set(page.data.names), "nobody else's id on this page"
        assert 0 < people.table.frame["opened"].sum() <= opened
    else:
        assert people.table.frame["opened"].sum() == opened


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("team", ["T01", "T03", "../../x"])
def test_a_client_without_history_of_stages_says_what_cannot_be_seen(small_client, language, team):
    blocks = blocks_of(open_page(small_client, period="2026Q1", team=team, language=language))
    assert_fit_to_print(blocks, language)
    assert blocks["funnel_open"].status == "no_data"
    if team == "T01":
        said = " ".join(blocks["funnel"].notes)
        assert ("阶段变化" if language == "zh" else "history of stages") in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_client_without_deals_says_so(tmp_path, language):
    tables = {name: text for name, text in small_tables().items() if name != "opportunities.csv"}
    path = write_client(tmp_path, tables)
    page = open_page(path, period="2026Q1", team="T01", language=language)
    blocks = blocks_of(page)
    assert_fit_to_print(blocks, language)
    assert {block.status for block in blocks.values()} == {"no_data"}
    with pytest.raises(InputError, match="no opportunities"):
        kr.open_client(path).funnel(period="2026Q1")


def test_the_clients_own_views(simulated):
    client = kr.open_client(simulated)
    cohort = client.funnel(period="2025Q3", team="T01")
    assert cohort.columns.tolist() == COHORT_COLUMNS and set(cohort["view"]) == {"cohort"}
    assert client.funnel(period="2025Q3", view="snapshot").columns.tolist() == SNAPSHOT_COLUMNS
    by = client.funnel(period="2025Q3", by="team")
    whole = client.funnel(period="2025Q3")
    sums = by.groupby(["part", "place"])["entered"].sum()
    assert sums.tolist() == whole.set_index(["part", "place"])["entered"].sort_index().tolist()
    assert client.funnel(period="2025Q3", windows={"报价": 7}).set_index("stage").loc["报价", "window_days"] == 7
    made = client.forecast(period="2025Q4", team="T02")
    assert made.rows.columns.tolist() == FORECAST_COLUMNS


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"view": "cohorts"}, "Did you mean cohort"),
        ({"by": "teams"}, "Did you mean team"),
        ({"team": "T1"}, "Did you mean T01"),
        ({"person": "X"}, "E0001"),
        ({"windows": {"报": 3}}, "报价"),
    ],
)
def test_a_wrong_argument_names_the_right_ones(simulated, arguments, said):
    with pytest.raises(InputError) as caught:
        kr.open_client(simulated).funnel(period="2025Q3", **arguments)
    assert said in caught.value.text("en")


def test_a_manager_is_given_nothing_of_other_teams_deals(simulated):
    client = kr.open_client(simulated)
    funnel = open_page(simulated, period="2025Q4", team="T01").data.funnel
    owners = set(client.data.funnel.of(teams=["T01"]).cases["owner_id"].dropna())
    assert set(funnel.groups["person"]["group"]) <= owners | {""}
    assert "team" not in funnel.groups


def test_hostile_names_stay_text(simulated):
    page = open_page(simulated, period="2025Q4", team="T01", language="zh")
    evil = "<script>alert(1)</script>"
    cohort = page.data.funnel.year_cohort.replace({"stage": {"报价": evil}})
    own = page.data.funnel.period_cohort.replace({"stage": {"报价": evil}})
    funnel = dataclasses.replace(page.data.funnel, year_cohort=cohort, period_cohort=own)
    (block,) = build(sections()["funnel"], dataclasses.replace(page.data, funnel=funnel))
    html = block_html(block, "zh", currency="CNY")
    assert evil not in html and "&lt;script&gt;" in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_charts_describe_themselves_and_take_gaps(language):
    rows = pd.DataFrame(
        {
            "label": ["a", "b"],
            "value": [1.0, np.nan],
            "low": [np.nan, 0.2],
            "high": [np.nan, 0.4],
            "weak": [False, True],
        }
    )
    assert "100" in funnel_bars(rows, language).alt and "nan" not in funnel_bars(rows, language).svg
    curve = pd.DataFrame({"days": range(31), "value": np.r_[np.linspace(0, 0.9, 20), np.full(11, np.nan)]})
    assert "nan" not in contact_curve(curve, language, rule=3).svg
    tests = pd.DataFrame(
        {"label": ["x", "y"], "value": [5.0, 6.0], "low": [3, 4], "high": [8, 9], "came": [9.0, np.nan]}
    )
    drawn = forecast_record(tests, language, unit="count", currency="")
    assert "✕" in drawn.svg and "nan" not in drawn.svg
