"""What the client file asks for beyond scores and verdicts stands on the pages of those who may see it, and on no other."""

import pytest
from conftest import small_tables, write_client

from kpi_research import cli
from kpi_research.errors import InputError
from kpi_research.language import LANGUAGES
from kpi_research.report.page import build, sections
from kpi_research.run.pages import open_page

ASKED = """\
goals:
  - name: year
    label: {zh: 全年签约, en: Signings of the year}
    measure: signed_amount
    period: "2026"
    base: 1200000
    indicators: [visits]
changes:
  - {kpi: visits, teams: {T01: 2025-10-01}}
claims:
  - {kpi: signed_amount, change: 0.3, form: relative, before: 2025H1, after: 2025H2, source: 某厂商}
incentives:
  rules:
    - curve: {points: [{score: 60, share: 0.6}, {score: 100, share: 1}]}
bonus_bases: bases.csv
outcome: signed_amount
"""
BASES = "person_id,bonus_base\nP1,9000\nP2,8000\nP3,7000\n"


@pytest.fixture
def asking(tmp_path):
    path = write_client(tmp_path, small_tables())
    path.write_text(path.read_text(encoding="utf-8") + ASKED, encoding="utf-8")
    (path.parent / "bases.csv").write_text(BASES, encoding="utf-8")
    return path


def blocks_of(page, *names):
    return [block for name in names for block in build(sections()[name], page.data)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_managers_page_shows_goals_warnings_and_the_pay_of_its_own_people(asking, language):
    page = open_page(asking, period="2026Q1", team="T01", language=language)
    found = blocks_of(page, "goals", "incentives", "early_warnings", "score_luck", "deals", "appraisal_events")
    assert not [block.name for block in found if block.status == "failed"]
    assert {"goals", "incentives", "early_warnings"} <= {block.name for block in found}
    assert set(page.data.pay.paid.totals["person_id"]) == {"P1", "P2"}
    assert set(page.data.warnings.rows["person_id"]) <= {"P1", "P2"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_analysts_page_answers_changes_and_claims_and_shows_no_pay(asking, language):
    page = open_page(asking, period="2026Q1", language=language, audience="analyst")
    found = {block.name: block for block in blocks_of(page, "bench", "changes", "deals", "weights_suggested")}
    assert not [name for name, block in found.items() if block.status == "failed"]
    assert {"bench", "change_1", "claim_1"} <= set(found)
    assert page.data.pay is None and page.data.warnings is None


def test_a_persons_page_shows_neither_warnings_nor_pay(asking):
    data = open_page(asking, period="2026Q1", person="P1").data
    assert data.pay is None and data.warnings is None and data.luck is None and data.goals is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("person_id,bonus_base\nP1,9000\nP1,8000\n", "P1"),
        ("person,bonus_base\nP1,9000\n", "person_id"),
        ("person_id,bonus_base\nP1,viel\n", "viel"),
        (None, "bases.csv"),
    ],
)
def test_what_is_wrong_with_the_bases_is_said(asking, text, told):
    path = asking.parent / "bases.csv"
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        open_page(asking, period="2026Q1", team="T01")


def test_everything_that_is_asked_for_wrongly_is_said_at_once_and_nothing_is_made(asking, capsys):
    wrong = ASKED.replace("{T01: 2025-10-01}", "{T0l: 2025-10-01, T01: someday}").replace(
        "before: 2025H1", "before: 2025Q1"
    )
    text = asking.read_text(encoding="utf-8").replace(ASKED, wrong)
    asking.write_text(text, encoding="utf-8")
    (asking.parent / "bases.csv").write_text("person_id,bonus_base\nP1,1\nP1,2\n", encoding="utf-8")
    for command in (["check", str(asking)], ["run", str(asking)]):
        assert cli.main(command) == 2
        said = capsys.readouterr().err
        assert all(each in said for each in ("T0l", "someday", "2025Q1", "P1")), said
    assert not list(asking.parent.parent.glob("reports/**/*.html"))


def test_a_change_in_a_team_without_people_leaves_the_other_teams_standing(asking):
    text = asking.read_text(encoding="utf-8").replace("{T01: 2025-10-01}", "{T01: 2025-10-01, T03: 2025-10-01}")
    asking.write_text(text, encoding="utf-8")
    ((effect, _),) = open_page(asking, period="2026Q1", audience="analyst").data.changes
    assert set(effect.change.starts) == {"T01"}


def test_what_a_kpi_weighs_in_the_scheme_stands_beside_its_verdict(asking):
    items = "[{kpi: signed_amount, weight: 70}, {kpi: visits, weight: 30}]"
    own = f"scheme: {{name: own, label: {{zh: 甲, en: A}}, items: {items}}}"
    (plain,) = blocks_of(open_page(asking, period="2026Q1", team="T01"), "activities")
    asking.write_text(asking.read_text(encoding="utf-8").replace("scheme: saas_2025", own), encoding="utf-8")
    (weighed,) = blocks_of(open_page(asking, period="2026Q1", team="T01"), "activities")
    assert "weight" not in [column.key for column in plain.table.columns]
    assert weighed.table.frame.set_index("kpi")["weight"].dropna().to_dict() == {"visits": 0.3}
