"""Rules on a client: from its file to what `check`, `list` and the report say."""

import dataclasses
import json

import pandas as pd
import pytest
from conftest import small_tables, write_client

from kpi_research.appraisal.lint import Remark, rules
from kpi_research.appraisal.rules import Found
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.versions import SchemeVersion
from kpi_research.cli import main
from kpi_research.errors import InputError
from kpi_research.language import LANGUAGES, say
from kpi_research.report.html import block_html
from kpi_research.report.page import build, sections
from kpi_research.report.sections.scheme_rules import MOST_SHOWN, block_of
from kpi_research.run.checkup import checkup, print_checkup
from kpi_research.run.client import open_client
from kpi_research.run.pages import open_page
from kpi_research.run.scheme_choice import resolved
from kpi_research.run.schemes import LINT_COLUMNS, Supplied, lint_client
from kpi_research.run.settings import read_scheme


@pytest.fixture(scope="module")
def client_path(tmp_path_factory):
    return write_client(tmp_path_factory.mktemp("rules"), small_tables())


@pytest.fixture(scope="module")
def client(client_path):
    return open_client(client_path)


def test_lint_knows_the_clients_tables_targets_and_verdicts(client):
    found = lint_client(client, period="2026Q1")
    assert list(found.columns) == LINT_COLUMNS and set(found["scheme"]) == {"saas_2025"}
    errors = found[found["severity"] == "error"]
    assert list(errors["rule"]) == ["S16"]
    assert errors["sentence_en"].item() == "No target for 2026Q1: New customers, Renewal rate."
    late = found.loc[found["sentence_en"].str.contains("everybody stands at zero"), "subject"]
    assert list(late) == ["new_customers"], "nobody new since the first quarter on file"
    unchecked = set(found.loc[found["severity"] == "not_checked", "rule"])
    assert {"S17", "S22", "S29"} <= unchecked and "S25" not in unchecked, "the study was looked at"
    assert found.loc[found["rule"] == "S25", "sentence_en"].item().startswith("The study did not ask about")


def test_without_a_period_no_study_is_made(client, monkeypatch):
    monkeypatch.setattr("kpi_research.run.schemes.study_of", None)
    found = lint_client(client, strict=True)
    assert "S25" in set(found.loc[found["severity"] == "not_checked", "rule"])
    assert "warning" not in set(found["severity"])


def test_what_others_compute_is_taken_in(client):
    chances = pd.DataFrame({"kpi": ["nps"], "entity_id": ["P1"], "probability": [0.95]})
    goals = {"keep": ["nps", "renewal_rate"]}
    told = {"reason": "r", "approved_by": "HR", "approved_at": "2025-12-01", "announced_on": "2025-12-02"}
    old, new = (
        {"scheme": name, "effective_from": day} for name, day in (("b2c", "2025-01-01"), ("saas_2025", "2026-01-01"))
    )
    versions = resolved([SchemeVersion.model_validate(each) for each in (old, {**new, **told})])
    assert all(isinstance(each.scheme, Scheme) for each in versions)
    found = lint_client(client, supplied=Supplied(versions, attainability=chances, goals=goals))
    assert {"S22", "S17"} <= set(found.loc[found["severity"] == "warning", "rule"])
    assert "S29" not in set(found["rule"])


def test_rules_that_cannot_be_kept_together_stand_on_the_page(page_data):
    scheme = read_scheme("composite_attainment")
    block, against = build(sections()["scheme_rules"], dataclasses.replace(page_data, scheme=scheme, language="en"))
    assert "keep S08, S09 at once" in against.text[0] and against.table is None
    assert not any(say("scheme_proposal.in_table", "en") in words for words in block.table.frame["mend"])


def test_versions_name_templates_that_there_are():
    wrong = [
        SchemeVersion.model_validate({"scheme": name, "effective_from": "2025-01-01"}) for name in ("saas_2024", "b2d")
    ]
    with pytest.raises(InputError) as caught:
        resolved(wrong)
    assert len(caught.value.problems) == 2 and "Did you mean saas_2025?" in caught.value.text("en")


def test_without_a_scheme_lint_says_so(client):
    with pytest.raises(InputError, match="no scheme"):
        lint_client(dataclasses.replace(client, scheme=None))


def test_check_prints_what_is_wrong_and_counts_the_rest(client_path, capsys):
    found = checkup(client_path)
    assert {"S16", "S29"} <= {row["rule"] for row in found["scheme"]} and json.dumps(found)
    for language, said in (("zh", "错误 S16:任何周期没有目标值"), ("en", "error S16: No target for any period")):
        print_checkup(found, language)
        printed = capsys.readouterr().out.replace("\n", " ")
        assert said in printed and "S09" in printed and "S29" not in printed and "--json" in printed


def test_lists_of_rules_and_schemes(capsys):
    assert main(["list", "rules", "--json"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == list(rules())
    assert main(["list", "schemes", "--json"]) == 0
    (saas,) = [row for row in json.loads(capsys.readouterr().out) if row["name"] == "saas_2025"]
    assert saas["not_kept"] == "S02, S09, S27" and "renewal_rate 20" in saas["weights"]


@pytest.fixture(scope="module")
def page_data(client_path):
    return open_page(client_path, period="2026Q1", team="T01").data


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_section_shows_at_most_five_and_one_line_where_all_is_well(page_data, language):
    page = dataclasses.replace(page_data, language=language)
    block, proposed = build(sections()["scheme_rules"], page)
    assert block.status in ("ok", "warning") and 0 < len(block.table.frame) <= MOST_SHOWN
    assert "<script" not in block_html(block, language, currency="CNY")
    mended = say("scheme_proposal.in_table", language)
    assert any(mended in words for words in block.table.frame["mend"])
    assert proposed.table.frame["proposed"].sum() == pytest.approx(1) == proposed.table.frame["now"].sum()
    assert set(proposed.facts["heals"]) <= {each["rule"] for each in block.facts["rules"]} and proposed.notes
    assert "35.0%" in block_html(proposed, language, currency="CNY")
    many = [Remark(rules()["S21"], "warning", Found("only_penalties"))] * (MOST_SHOWN + 2)
    full = block_of(page, many)
    assert len(full.table.frame) == MOST_SHOWN and "2" in full.notes[0]
    clean = block_of(page, [Remark(rules()["S21"], "note", Found("only_penalties"))])
    assert clean.table is None and len(clean.text) == 1 and clean.notes == () and clean.status == "ok"
