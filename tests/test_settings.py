"""The client file: everything that is wrong is said at once, with its line and the nearest valid name."""

from pathlib import Path

import pytest

from kpi_research.appraisal.scheme import TEMPLATES, template_names
from kpi_research.errors import InputError
from kpi_research.evidence.plan import Plan
from kpi_research.kpis.catalogue import catalogue
from kpi_research.run.client import open_client
from kpi_research.run.kpi_names import problems_of_names
from kpi_research.run.on_file import predictors_of
from kpi_research.run.settings import read_client_file, read_scheme
from kpi_research.run.store import fingerprint

GOOD = """\
client: acme
title: {zh: 安科, en: Acme}
source:
  kind: files
  path: data
  tables:
    people: {file: p.csv, columns: {工号: person_id, 姓名: name}}
reports:
  - {notebook: appraisal, per: team, every: quarter, audience: manager}
"""


def read(tmp_path: Path, text: str):
    path = tmp_path / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    return read_client_file(path)


def problems(tmp_path: Path, text: str, language: str = "en") -> str:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    return caught.value.text(language)


def test_a_good_file(tmp_path):
    settings = read(tmp_path, GOOD)
    assert settings.client == "acme" and settings.plan.lags == 3 and settings.scheme is None
    shorter = read(tmp_path, GOOD + "plan: {burn_in_months: 1}\n").plan
    assert settings.plan.burn_in_months == 3 and Plan(**shorter.model_dump()).burn_in == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("client: acme", "clent: acme", ["acme.yaml:1: Unknown key clent.", "Did you mean client?", "key client is missing"]),
        ("client: acme", "client: ../../x", ["acme.yaml:1", "../../x"]),
        ("client: acme", "client: acme\nclient: other", ["acme.yaml:2", "stands twice", "client"]),
        ("  path: data", "  pth: data", ["acme.yaml:5: Unknown key source.pth", "Did you mean path?"]),
        ("{file: p.csv,", "{fle: p.csv,", ["acme.yaml:7", "source.tables.people.fle", "Did you mean file?"]),
        ("notebook: appraisal", "notebook: apraisal", ["acme.yaml:9", "reports.0.notebook", "appraisal"]),
        ("per: team", "per: team, evry: x", ["acme.yaml:9", "reports.0.evry", "Did you mean every?"]),
        ("kind: files", "kind: file", ["acme.yaml:3", "files"]),
        ("title: {zh: 安科, en: Acme}", "title: {zh: 安科}", ["acme.yaml:2", "title.en"]),
        ("source:", "timezone: Mars/Olympus\nsource:", ["acme.yaml:3", "Mars/Olympus", "Asia/Shanghai"]),
        ("source:", "calendar: XX\nsource:", ["acme.yaml:3", "XX"]),
        ("source:", "plan: {lags: 0, q: 2, burn_in_months: -1}\nsource:", ["plan.lags", "plan.q", "plan.burn_in_months"]),
        ("source:", "until: 2026-13-01\nsource:", ["until"]),
        ("source:", "source: [\n", ["Not valid YAML"]),
        (GOOD, "", ["empty"]),
        (GOOD, "- a\n- b\n", ["key: value"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(tmp_path, old, new, said):
    text = problems(tmp_path, GOOD.replace(old, new, 1))
    assert all(part in text for part in said), text


def test_all_problems_at_once(tmp_path):
    text = problems(tmp_path, GOOD.replace("client: acme", "clint: x").replace("per: team", "per: nobody"))
    assert "clint" in text and "reports.0.per" in text


def test_problems_are_said_in_chinese(tmp_path):
    assert "不认识的键 clent" in problems(tmp_path, GOOD.replace("client: acme", "clent: acme"), "zh")


def test_a_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "acme.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(InputError, match="Did you mean acme.yaml"):
        read_client_file(tmp_path / "acne.yaml")


def test_a_file_in_another_encoding_is_said(tmp_path):
    (tmp_path / "acme.yaml").write_bytes(GOOD.encode("gbk"))
    with pytest.raises(InputError, match="encoding"):
        read_client_file(tmp_path / "acme.yaml")


def test_names_of_kpis_and_schemes_are_checked(tmp_path):
    path = tmp_path / "acme.yaml"
    path.write_text(GOOD + "scheme: saas_2024\noutcome: sined_amount\npredictors: [visit]\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        open_client(path)
    text = str(caught.value)
    for said in ("Did you mean saas_2025?", "Did you mean signed_amount?", "Did you mean visits?"):
        assert said in text


OWN = """\
outcome: signed_amount
kpis:
  own_orders:
    {label: {zh: 自助下单, en: Own orders}, meaning: {zh: 无, en: None}, table: leads, where: {source: [自助]}, kind: process}
  meetings_held:
    {label: {zh: 会议, en: Meetings}, meaning: {zh: 无, en: None}, table: activities, where: {kind: [meeting]}}
  renewals:
    {label: {zh: 续约, en: Renewals}, meaning: {zh: 无, en: None}, table: contracts, where: {kind: [renewal]}}
"""


@pytest.mark.parametrize(
    ("study", "said"),
    [
        ("predictors: [visits]\nnegative_controls: [own_order]\n", ["acme.yaml", "Did you mean own_orders?"]),
        ("predictors: [visits]\nnegative_controls: [signed_amount]\n", ["'signed_amount' is the outcome"]),
        ("predictors: [visits]\nnegative_controls: [renewals]\n", ["'renewals'", "counted from the same records"]),
        ("predictors: [visits]\nnegative_controls: [visits]\n", ["'visits' is among the KPIs that are tested"]),
        ("predictors: [visits, calls]\nnegative_controls: [meetings_held]\n", ["'meetings_held'", "visits, calls"]),
    ],
)
def test_a_negative_control_is_recorded_apart_from_what_it_is_held_against(tmp_path, study, said):
    settings = read(tmp_path, GOOD + OWN + study)
    text = "\n".join(problem.text("en") for problem in problems_of_names(settings, "acme.yaml"))
    assert all(part in text for part in said), text
    assert all(problem.text("zh") for problem in problems_of_names(settings, "acme.yaml"))


def test_a_negative_control_is_not_asked_about(tmp_path):
    settings = read(tmp_path, GOOD + OWN + "predictors: [visits]\nnegative_controls: [own_orders]\n")
    assert problems_of_names(settings, "acme.yaml") == []
    of_kind = read(tmp_path, GOOD + OWN + "predictors: process\nnegative_controls: [own_orders]\n")
    names = {kpi.name for kpi in predictors_of(of_kind)}
    assert "visits" in names and "own_orders" not in names
    without = read(tmp_path, GOOD + OWN + "predictors: process\n")
    assert "own_orders" in {kpi.name for kpi in predictors_of(without)}
    assert fingerprint(of_kind, {}) != fingerprint(without, {}), "what is on file is kept for the family only"


@pytest.mark.parametrize("name", template_names())
def test_templates_load_and_name_known_kpis(name):
    scheme = read_scheme(name)
    assert scheme.name == name == (TEMPLATES / f"{name}.yaml").stem
    assert {item.kpi for item in scheme.items} <= set(catalogue())


def test_the_saas_scheme_weighs_as_its_source_says():
    weights = {item.kpi: item.weight for item in read_scheme("saas_2025").items}
    assert weights == {
        "signed_amount": 35, "new_customers": 15, "renewal_rate": 20, "nps": 10, "crm_completeness": 10, "peer_rating": 10,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("items", "said"),
    [("[{kpi: nps, weight: 60}]", "sum to 60"), ("[{kpi: nps, weight: 50}, {kpi: nps, weight: 50}]", "stands twice")],
)
def test_a_scheme_must_add_up(tmp_path, items, said):
    scheme = f"scheme:\n  name: own\n  label: {{zh: 自定, en: Own}}\n  items: {items}\n"
    assert said in problems(tmp_path, GOOD + scheme)
