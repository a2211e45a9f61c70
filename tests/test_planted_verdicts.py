"""The whole road on known truth: simulated rows, contract, panel, study. What was planted is found, nothing else is."""

import datetime as dt

import pytest
from conftest import ROOT
from scipy.stats import binomtest

from kpi_research.crm.contract import hold_to_contract
from kpi_research.evidence.study import Plan, Study, study
from kpi_research.kpis.catalogue import find_kpis, sharing_records
from kpi_research.panel import contributions, contributions_as_of, panel, recorded_kpis
from kpi_research.periods import Period, as_intervals, periods_between
from kpi_research.run.settings import read_client_file
from kpi_research.sources.read import raw_frames
from kpi_research.sources.simulated import Company, simulate
from kpi_research.sources.workspace import Workspace

OUTCOME = "signed_amount"
WITHOUT_EFFECT = ("visits", "calls", "need_surveys")


def studied(company: Company, names: list[str], plan: Plan) -> Study:
    """The study of a simulated company's whole months."""
    since = Period.parse(company.first_month).start
    with Workspace() as workspace:
        contract = hold_to_contract(raw_frames(simulate(company).tables, workspace))
        parts = contributions(contract.tables, find_kpis([OUTCOME, *names]), since=since)
        months = periods_between(since, parts.until, "month")
        recorded = [kpi for kpi in find_kpis(names) if kpi.name in recorded_kpis(contract.tables, find_kpis(names))]
        then = contributions_as_of(contract.tables, recorded, months, until=parts.until)
    rows, on_file = (panel(each, as_intervals(months), "person") for each in (parts, then))
    lineage = sharing_records(OUTCOME, names)
    return study(rows, outcome=OUTCOME, kpis=names, plan=plan, lineage=lineage, asof=on_file)


@pytest.fixture(scope="module")
def demo():
    """The demonstration's study, as its client file asks for it."""
    settings = read_client_file(ROOT / "params" / "demo.yaml")
    company = Company(**settings.source.model_dump(exclude={"kind"}))
    assert dt.date.fromisoformat(settings.since) == Period.parse(company.first_month).start
    return studied(company, settings.predictors, Plan(**settings.plan.model_dump())).verdicts.set_index("kpi")


def test_the_demonstration_finds_the_driver(demo):
    assert demo.loc["demos", "code"] == "B" and demo.loc["demos", "ci_low"] > 0.2
    assert 0.03 < demo.loc["demos", "late_share"] < 0.1 and demo.loc["demos", "left_on_file"] > 0.9


@pytest.mark.parametrize("kpi", WITHOUT_EFFECT)
def test_the_demonstration_calls_neither_talent_nor_noise_anything(demo, kpi):
    assert demo.loc[kpi, "code"] in {"D", "E", "F", "G"}


def test_who_calls_more_sells_more_but_calling_more_sells_nothing(demo):
    assert demo.loc["calls", "code"] == "D"


def test_what_is_typed_in_after_the_signing_is_an_unreliable_record(demo):
    assert demo.loc["proposals", "code"] == "I" and demo.loc["proposals", "on_file_p"] > 0.05


def test_what_a_good_month_brings_about_is_stopped_by_the_lead_placebo(demo):
    assert demo.loc["sharing_sessions", "code"] == "R" and demo.loc["sharing_sessions", "gate"] == "lead"
    assert demo.loc["sharing_sessions", "lead_p"] < 0.01


def test_everyone_visits_five_a_week_and_the_study_says_that_it_does_not_matter(demo):
    assert demo.loc["visits", "code"] == "F"


def test_what_is_signed_is_no_evidence_for_what_is_signed(demo):
    assert demo.loc["signed_contracts", "code"] == "H"


def test_only_the_driver_is_called_a_predictor(demo):
    assert set(demo.index[demo["code"].isin(["A", "B"])]) == {"demos"}


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_without_any_effect_five_percent_look_significant():
    """100 companies of 40 people and 24 months in which no KPI does anything: raw joint p < .05 in 5 % of tests."""
    seeds, names = 100, ["demos", *WITHOUT_EFFECT]
    found = dict.fromkeys(names, 0)
    for seed in range(seeds):
        company = Company(people=40, teams=5, first_month="2024-10", months=24, driver_effect=0.0, seed=seed)
        p = studied(company, names, Plan()).verdicts.set_index("kpi")["p"]
        for name in names:
            found[name] += int(p[name] < 0.05)
    print("\nraw joint p < .05 in 100 companies without effect:", found)
    for name, hits in found.items():
        assert binomtest(hits, seeds, 0.05).pvalue > 0.002, (name, hits)
    assert binomtest(sum(found.values()), seeds * len(names), 0.05).pvalue > 0.002, found
