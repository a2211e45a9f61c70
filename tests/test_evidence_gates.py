from __future__ import annotations

import dataclasses
import itertools
import re

import numpy as np
import pytest
from golden import panel_references as reference

from kpi_research.errors import InputError
from kpi_research.evidence.fixed_effects import Estimate, Wald, two_sided_p
from kpi_research.evidence.multiplicity import alpha_within, family_q
from kpi_research.evidence.plan import Plan
from kpi_research.evidence.power import equivalence_p, minimum_detectable_effect, months_needed
from kpi_research.evidence.verdict import CODES, Evidence, Verdict, judge, sentence
from kpi_research.language import LANGUAGES, catalogue, placeholders

ENOUGH = Evidence(
    n_people=40, n_periods=24, lags=3, coverage=0.95, within_share=0.4, same_period_r2=0.1, p=0.5, q=0.6, lead_p=0.5,
    ci_low=-0.1, ci_high=0.15, sign_low=-0.1, sign_high=0.15, ci90_low=-0.08, ci90_high=0.13, mde=0.18, alpha=0.02, has_records=True, late_share=0.05,
    left_on_file=0.95, on_file_p=0.01, granger_p=0.02, gain_p=0.03, r2_oos=0.02, same_sign=True, between_p=0.5, between_q=0.6,
)  # fmt: skip
FOUND = {"q": 0.01, "p": 0.002}


def test_benjamini_and_hochbergs_own_example():
    q = family_q(np.array(reference.BENJAMINI_HOCHBERG_P))
    assert (q <= 0.05).sum() == reference.BENJAMINI_HOCHBERG_DISCOVERIES_AT_5_PERCENT
    assert q[3] == pytest.approx(0.0095 * 15 / 4)


def test_untested_kpis_are_not_in_the_family():
    q = family_q(np.array([0.03, np.nan, 0.02]))
    assert q == pytest.approx([0.03, np.nan, 0.03], nan_ok=True)
    assert np.isnan(family_q(np.array([np.nan]))).all()
    assert len(family_q(np.array([]))) == 0


def test_alpha_is_the_p_at_which_the_family_decides():
    """By search: the largest p that a KPI may have and still be discovered, the others as they are."""
    p = np.array([0.001, 0.03, 0.2, 0.7, 0.9])
    alpha = alpha_within(family_q(p), 0.10)
    for index in (0, 2, 4):
        tried = np.linspace(0, 0.2, 4001)
        found = [value for value in tried if family_q(np.r_[p[:index], value, p[index + 1 :]])[index] <= 0.10]
        assert alpha[index] == pytest.approx(max(found), abs=1e-4)


def test_smallest_visible_effect_is_found_in_four_of_five_samples():
    rng = np.random.default_rng(4)
    mde = minimum_detectable_effect(Wald(np.nan, 1, 24, np.nan), 25.0, 0.05)
    samples = rng.normal(mde, 1, size=(20_000, 25))
    t = samples.mean(axis=1) / (samples.std(axis=1, ddof=1) / 5)
    found = np.mean([two_sided_p(value, 24) < 0.05 for value in t])
    assert found == pytest.approx(0.80, abs=0.02)


def test_four_times_the_periods_halve_the_visible_effect():
    assert months_needed(0.4, 0.2, n_periods=12, lags=0) == 48
    assert months_needed(0.4, 0.2, n_periods=8, lags=0, grain="quarter") == 96
    assert months_needed(0.4, 0.2, n_periods=15, lags=3) == 51


@pytest.mark.parametrize(("value", "se"), [*itertools.product((-0.07, 0.0, 0.04, 0.12), (0.01, 0.03, 0.06))])
def test_equivalence_p_agrees_with_the_interval(value, se):
    estimate = Estimate(value, se, 39)
    low, high = estimate.interval(0.90)
    assert (equivalence_p(estimate, -0.10, 0.10) < 0.05) == (low > -0.10 and high < 0.10)


@pytest.mark.parametrize(
    ("change", "code", "gate"),
    [
        ({"in_lineage": True, "n_people": 2, "q": 0.001}, "H", "lineage"),
        ({"same_period_r2": 0.80, "q": 0.001}, "H", "same_period"),
        ({"same_period_r2": 0.99, "n_people": 3}, "N", "people"),
        ({"n_people": 7}, "N", "people"),
        ({"n_periods": 7}, "N", "periods"),
        ({"coverage": 0.69}, "N", "coverage"),
        ({"within_share": 0.009}, "N", "within_share"),
        ({"p": np.nan, "q": np.nan}, "N", "not_estimable"),
        ({"p": np.nan, "q": np.nan, "whole_teams": True}, "N", "whole_teams"),
        ({"whole_teams": True, "within_share": 0.0}, "N", "within_share"),
        ({"lead_p": 0.0099}, "R", "lead"),
        ({"lead_p": 0.01}, "E", "q"),
        ({"between_q": 0.10}, "D", "between"),
        ({"between_q": 0.101}, "E", "q"),
        ({"between_q": 0.10, "mde": 0.201}, "G", "power"),
        ({"between_q": 0.10, "mde": 0.9, "ci90_low": -0.099, "ci90_high": 0.099}, "D", "between"),
        ({**FOUND, "late_share": 0.31}, "I", "late"),
        ({**FOUND, "on_file_p": 0.051}, "I", "vanishes"),
        ({**FOUND, "on_file_p": np.nan}, "I", "vanishes"),
        ({**FOUND, "on_file_p": 0.07, "alpha": 0.08}, "B", "forecast"),
        ({**FOUND, "left_on_file": 0.49}, "I", "shrinks"),
        ({**FOUND, "left_on_file": -2.0}, "I", "shrinks"),
        ({"q": 0.10, "lead_p": 0.10, "has_records": False}, "C", "records"),
        ({"q": 0.10, "lead_p": 0.0999}, "C", "lead"),
        ({"q": 0.10, "lead_p": np.nan}, "C", "lead_untested"),
        ({**FOUND, "placebo_p": 0.05}, "C", "placebo"),
        ({**FOUND, "placebo_p": 0.051}, "B", "forecast"),
        ({**FOUND, "placebo_p": np.nan}, "B", "forecast"),
        ({**FOUND, "placebo_p": 0.001, "gain_p": 0.5, "granger_p": 0.5, "same_sign": False}, "C", "placebo"),
        ({**FOUND, "placebo_p": 0.001, "has_records": False}, "C", "records"),
        ({**FOUND, "placebo_p": 0.001, "lead_p": 0.01}, "C", "lead"),
        ({**FOUND, "placebo_p": 0.001, "left_on_file": 0.49}, "I", "shrinks"),
        ({"placebo_p": 0.001}, "E", "q"),
        ({**FOUND, "granger_p": 0.051}, "C", "granger"),
        ({**FOUND, "granger_p": np.nan}, "B", "forecast"),
        ({**FOUND, "gain_p": np.nan}, "C", "gain_untested"),
        ({**FOUND, "gain_p": 0.051}, "C", "gain"),
        ({**FOUND, "r2_oos": -0.001}, "C", "gain"),
        ({**FOUND, "same_sign": False}, "C", "stability"),
        ({**FOUND, "same_sign": None}, "C", "stability"),
        ({"q": 0.10, "lead_p": 0.10}, "B", "forecast"),
        ({"q": 0.101, "ci90_low": -0.099, "ci90_high": 0.099, "mde": 0.9}, "F", "equivalence"),
        ({"mde": 0.201}, "G", "power"),
        ({"mde": 0.199}, "E", "q"),
    ],
)
def test_the_ladder(change, code, gate):
    assert judge(dataclasses.replace(ENOUGH, **change), Plan()) == Verdict(code, gate)


def test_every_letter_has_its_gate_and_what_is_only_observed_never_drives():
    values = {"q": (0.0, 0.5), "lead_p": (0.0, 0.9), "mde": (0.0, 1.0), "same_period_r2": (0.0, 1.0)}
    values |= {"between_q": (0.0, 1.0), "on_file_p": (0.0, 1.0), "gain_p": (0.0, 1.0), "n_people": (3, 40)}
    given = (dict(zip(values, each, strict=True)) for each in itertools.product(*values.values()))
    small = {"ci90_low": -0.01, "ci90_high": 0.01}
    found = {judge(dataclasses.replace(ENOUGH, **each, **more), Plan()).code for each in given for more in ({}, small)}
    assert found == set(CODES) - {"A"}, "nothing observational is ever a driver"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_panel_that_counts_no_records_does_not_print_nan(language):
    told = sentence(Verdict("I", "vanishes"), dataclasses.replace(ENOUGH, late_share=np.nan), Plan(), language)
    assert "nan" not in told


@pytest.mark.parametrize("name", ["has_records", "lead_p", "gain_p", "same_sign"])
def test_without_any_one_of_its_gates_nothing_predicts(name):
    nothing = {"has_records": False, "same_sign": None}.get(name, np.nan)
    assert judge(dataclasses.replace(ENOUGH, **FOUND), Plan()).code == "B"
    assert judge(dataclasses.replace(ENOUGH, **FOUND, **{name: nothing}), Plan()).code == "C"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_verdict_has_a_sentence_without_statistics(language):
    keys = [key.split(".") for key in catalogue() if key.split(".")[0] == "verdict" and len(key.split(".")[1]) == 1]
    assert {code for _, code, _ in keys} == set(CODES)
    for _, code, gate in keys:
        text = sentence(Verdict(code, gate), ENOUGH, Plan(), language)
        assert "{" not in text and "nan" not in text
        assert not re.search(r"p-value|\bprove|significan|p ?值|证明它?有效|显著", text.replace("Not proven", ""))


@pytest.mark.parametrize(
    ("interval", "zh", "en"),
    [
        ((0.1, 0.2), "更高", "higher"),
        ((-0.2, -0.1), "更低", "lower"),
        ((-0.1, 0.1), "没有稳定的方向", "nothing can be concluded"),
    ],
)
def test_an_association_is_told_with_its_sign(interval, zh, en):
    evidence = dataclasses.replace(ENOUGH, q=0.01, sign_low=interval[0], sign_high=interval[1])
    assert zh in sentence(judge(evidence, Plan()), evidence, Plan(), "zh")
    assert en in sentence(judge(evidence, Plan()), evidence, Plan(), "en")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lead_p": 0.01}, "先后顺序检验未通过"),
        ({"has_records": False}, "没有录入时间"),
        ({"placebo_p": 0.01, "negative_control": "self_service"}, "“self_service”"),
        ({"granger_p": 0.5}, "过去的业绩"),
        ({"gain_p": 0.5}, "不比只看过去的业绩更准"),
        ({"same_sign": False}, "个别人"),
    ],
)
def test_an_association_says_which_check_failed(change, said):
    evidence = dataclasses.replace(ENOUGH, **FOUND, **change)
    assert said in sentence(judge(evidence, Plan()), evidence, Plan(), "zh")


def test_a_prediction_says_by_how_much_forecasts_improve_and_claims_no_cause():
    evidence = dataclasses.replace(ENOUGH, **FOUND, r2_oos=0.19)
    text = sentence(judge(evidence, Plan()), evidence, Plan(), "en")
    assert "smaller by 10.0%" in text, "a tenth off the error is 19 % off its square"
    assert "Not proven to be the cause" in text


@pytest.mark.parametrize(
    ("lags", "zh", "en"), [(3, "3 个月", "the 3 months after"), (1, "1 个月", "the 1 month after")]
)
def test_no_meaningful_effect_is_said_of_the_range_and_the_time_that_were_seen(lags, zh, en):
    evidence = dataclasses.replace(ENOUGH, lags=lags)
    in_chinese, in_english = (
        sentence(Verdict("F", "equivalence"), evidence, Plan(), language) for language in LANGUAGES
    )
    assert zh in in_chinese and "全公司" in in_chinese and "建议取消" not in in_chinese
    assert en in in_english and "company-wide" in in_english and "Drop" not in in_english


def test_records_shared_by_definition_are_no_evidence_for_or_against():
    assert "must" not in sentence(Verdict("H", "lineage"), ENOUGH, Plan(), "en")
    assert "签单数" not in sentence(Verdict("H", "lineage"), ENOUGH, Plan(), "zh")


def test_late_records_are_told_with_their_share():
    late = dataclasses.replace(ENOUGH, **FOUND, late_share=0.26, on_file_p=0.7, left_on_file=0.06)
    assert "26%" in sentence(judge(late, Plan()), late, Plan(), "en") and "补录" in sentence(
        judge(late, Plan()), late, Plan(), "zh"
    )
    halved = dataclasses.replace(late, on_file_p=0.01, left_on_file=0.41)
    assert "41%" in sentence(judge(halved, Plan()), halved, Plan(), "en")


def test_underpowered_says_how_long_to_wait_or_that_waiting_is_no_way():
    evidence = dataclasses.replace(ENOUGH, mde=0.3, months_needed=51)
    assert "20% of that swing 8 times in 10" in sentence(Verdict("G", "power"), evidence, Plan(), "en")
    assert "八成把握看出相当于平常波动 20% 的影响" in sentence(Verdict("G", "power"), evidence, Plan(), "zh")
    assert "51 months" in sentence(Verdict("G", "power"), evidence, Plan(), "en")
    assert "30%" in sentence(Verdict("G", "power"), evidence, Plan(), "zh")
    hopeless = dataclasses.replace(evidence, months_needed=3000)
    assert "3000" not in sentence(Verdict("G", "power"), hopeless, Plan(), "en")
    assert "24 weeks" in sentence(Verdict("G", "power"), evidence, Plan(grain="week"), "en")


@pytest.mark.parametrize(
    ("grain", "months", "zh", "en"),
    [
        ("month", 3, "第 4 个月", "month 4"), ("quarter", 4, "第 3 个季度", "quarter 3"), ("year", 3, "第 2 年", "year 2"),
        ("half_year", 6, "第 2 个半年", "half-year 2"), ("week", 3, "第 15 周", "week 15"), ("day", 1, "第 32 天", "day 32"),
    ],
)  # fmt: skip
def test_new_people_are_said_to_count_from_the_period_from_which_they_do(grain, months, zh, en):
    plan = Plan(grain=grain, burn_in_months=months)
    in_chinese, in_english = (sentence(Verdict("N", "people"), ENOUGH, plan, language) for language in LANGUAGES)
    assert f"从{zh}起" in in_chinese and f"from their {en} on" in in_english
    at_once = sentence(Verdict("N", "people"), ENOUGH, Plan(grain=grain, burn_in_months=0), "en")
    assert "joined later" not in at_once


def test_languages_agree_on_placeholders():
    for key, both in catalogue().items():
        if key.startswith(("verdict.", "study.")):
            assert placeholders(both.zh) == placeholders(both.en), key


def test_fingerprint_is_of_the_plan_and_the_family_in_any_order():
    plan = Plan()
    assert plan.fingerprint("revenue", ["a", "b"]) == Plan().fingerprint("revenue", ["b", "a"])
    others = [Plan(q=0.05).fingerprint("revenue", ["a", "b"]), plan.fingerprint("revenue", ["a"])]
    assert len({plan.fingerprint("revenue", ["a", "b"]), plan.fingerprint("margin", ["a", "b"]), *others}) == 4


def test_a_plan_out_of_range_names_every_value():
    with pytest.raises(InputError) as raised:
        Plan(lags=0, q=1.5)
    assert [problem.values["name"] for problem in raised.value.problems] == ["lags", "q"]
    assert "1.5" in raised.value.text("zh")
