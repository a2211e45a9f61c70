"""What the client file asks for beyond scores and verdicts stands on the pages of those who may see it, and on no other."""

import pytest
from conftest import small_tables, write_client

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
