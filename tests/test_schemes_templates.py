"""Every template loads, is lintable and breaks no other rules than those written down here with the reason."""

import re
import sys
from pathlib import Path

import pytest

from kpi_research.appraisal.lint import lint, rules
from kpi_research.appraisal.rules import Checked
from kpi_research.appraisal.scheme import template_names
from kpi_research.kpis.catalogue import catalogue
from kpi_research.run.settings import read_scheme

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "docs")]

import templates  # noqa: E402

NO_CUSTOMER = {"S18"}
"""The article names no KPI of customers for this trade: it is given as it stands, and the rule says what is missing."""

EXPECTED = {
    "b2b": NO_CUSTOMER,
    "b2c": set(),
    "channel_sales": NO_CUSTOMER,
    "composite_attainment": {"S09 process"},  # satisfaction and result at their most leave 35 for process
    "composite_collection": set(),
    "composite_new_customers": NO_CUSTOMER,
    "direct_sales": set(),
    "education": {"S24"},  # rated, and the article says not by whom
    "fast_moving": NO_CUSTOMER,
    "goal_and_execution": {"S08", "S09 result"},  # 60 on the goal, which another article would have at 50 at most
    "growing": NO_CUSTOMER,
    "individual_and_team": set(),
    "it_solutions": set(),
    "large_mature": {"S24"},
    "manufacturing": NO_CUSTOMER,
    "newcomers": NO_CUSTOMER,
    "performance_and_growth": {"S06 process", "S17", "S18", "S24"},  # sharing and feedback, but no process
    "pharma": NO_CUSTOMER,
    "pharma_region": set(),
    "project_sales": {"S18", "S24"},
    "saas_2025": {"S02", "S09 process", "S09 customer_value"},  # breaks its own article's bands, and has six KPIs
    "saas_software": {"S18", "S23"},  # four numbers of things, no quality
    "saas_three_way": NO_CUSTOMER,
    "service": set(),
    "short_and_long_term": {"S09 customer_value", "S17"},  # half for the long term, no process
    "start_up": NO_CUSTOMER,
    "subscription": set(),
}
EVERYWHERE = {"S27"}
"""Who is in charge of a figure only the client can say."""

PRINTED = {
    "goal_and_execution": {"signed_amount": 60, "rest": 40},
    "performance_and_growth": {"signed_amount": 50, "net_customer_growth": 20, "sharing_sessions": 15, "cross_team_feedback": 15},
    "short_and_long_term": {"signed_amount": 50, "repeat_buyers_growth": 20, "nps": 15, "referred_leads": 15},
    "individual_and_team": {"rest": 70, "team_attainment": 20, "customer_satisfaction": 10},
    "saas_2025": {"signed_amount": 35, "new_customers": 15, "renewal_rate": 20, "nps": 10, "crm_completeness": 10, "peer_rating": 10},
}  # fmt: skip


def breaches(name: str) -> set[str]:
    """The rules that a template breaks; with the kind where a rule asks of several."""
    found = [each for each in lint(Checked(read_scheme(name), catalogue())) if each.severity in ("error", "warning")]
    assert not [each for each in found if each.severity == "error"], "a template must be fit for use"
    return {
        " ".join(filter(None, [each.rule.id, each.found.subject * (each.rule.id in ("S06", "S09"))])) for each in found
    }


@pytest.mark.parametrize("name", template_names())
def test_a_template_breaks_the_rules_it_is_known_to_break(name):
    assert breaches(name) - EVERYWHERE == EXPECTED[name]
    assert breaches(name) >= EVERYWHERE


def test_every_template_of_the_articles_is_there():
    schemes = [read_scheme(name) for name in template_names()]
    numbers = {scheme.template for scheme in schemes} - {""}
    assert numbers | {"T21"} == {f"T{n:02d}" for n in range(1, 23)} and "T21" in rules()
    assert set(EXPECTED) == set(template_names())
    for scheme in schemes:
        assert scheme.source[:3] in (scheme.template, "S10", "S12", "S13", "S14", "S15")
        assert {"cycle", "phase"} <= scheme.model_fields_set
        assert set(scheme.kpis) <= set(catalogue())


@pytest.mark.parametrize(("name", "printed"), PRINTED.items())
def test_worked_examples_have_the_weights_that_were_printed(name, printed):
    weights = Checked(read_scheme(name), catalogue()).weights
    rest = sum(weight for kpi, weight in weights.items() if kpi not in printed)
    assert {kpi: weights.get(kpi, rest) for kpi in printed} == pytest.approx(printed)
    rule = read_scheme(name).source[:3]
    assert rules()[rule].applies(Checked(read_scheme(name), catalogue()))
    assert "not_as_printed" not in {each.found.key for each in lint(Checked(read_scheme(name), catalogue()))}


def test_the_saas_example_breaks_its_own_sources_bands():
    """The article advises 20-30 on process and 10-20 on customer value; its example has 15 and 30."""
    found = {
        each.found.subject: each
        for each in lint(Checked(read_scheme("saas_2025"), catalogue()))
        if each.rule.id == "S09"
    }
    assert found["process"].text("en").startswith("Process KPIs have 15 of 100 points; rule S09 asks for 20 to 30")
    assert (
        found["customer_value"].text("en").startswith("Customer value KPIs have 30 of 100 points; rule S09 asks for 10")
    )
    assert set(found) == {"process", "customer_value"}


def rows_of_the_page() -> list[list[str]]:
    lines = [line for line in templates.templates().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_page_has_every_template_with_a_scheme_what_it_is_for_and_a_test():
    rows = [row for row in rows_of_the_page() if re.fullmatch(r"T\d\d", row[0])]
    assert sorted({row[0] for row in rows}) == [f"T{n:02d}" for n in range(1, 23)]
    for number, scheme, purpose, *_, test in rows:
        file, key = re.fullmatch(r"`tests/(\w+\.py) -k (\w+)`", test).groups()
        assert purpose and (ROOT / "tests" / file).is_file()
        assert key in EXPECTED and scheme == f"`{key}`" if number != "T21" else key == "T21" in rules()


def test_a_template_without_scheme_or_rule_is_no_page(monkeypatch):
    monkeypatch.setattr(templates, "template_names", lambda: tuple(set(template_names()) - {"b2b"}))
    with pytest.raises(ValueError, match="T07"):
        templates.templates()


def test_the_page_has_the_worked_examples_as_printed_with_what_the_rules_say():
    found = {row[1].strip("`"): row for row in rows_of_the_page() if row[1].strip("`") in PRINTED and "/" in row[0]}
    assert set(found) == set(PRINTED)
    assert found["saas_2025"][0] == "35/15/20/10/10/10" and "S02 warning: There are 6 KPIs" in found["saas_2025"][3]
    for name, row in found.items():
        told = {(each.rule.id, each.severity) for each in lint(Checked(read_scheme(name), catalogue()))}
        assert all((f"{rule} {severity}:" in row[3]) == (severity != "not_checked") for rule, severity in told)
