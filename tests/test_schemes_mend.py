"""One proposal of weights mends all at once, moves least, and says so where no weights will do."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_schemes_rules import BREAKS, FOUR_KINDS, NO_RESULT, SAAS, TWO_KINDS, checked, made, split

from kpi_research.appraisal.lint import lint, rules
from kpi_research.appraisal.mend import (
    STEP,
    as_mended_frame,
    mended_by_weights,
    proposal,
    with_weights,
)
from kpi_research.appraisal.rules import Checked
from kpi_research.language import LANGUAGES

KPIS = ("signed_amount", "new_customers", "attainment", "visits", "win_rate", "response_hours", "nps",
        "customer_satisfaction", "repurchase_rate", "crm_completeness", "peer_rating", "team_attainment",
        "training_participation")  # fmt: skip
SCHEMES = {
    "names": st.lists(st.sampled_from(KPIS), min_size=1, max_size=8, unique=True),
    "parts": st.lists(st.integers(1, 12), min_size=8, max_size=8),
    "phase": st.sampled_from(["general", "expansion", "mature", "special"]),
}


def any_scheme(names, parts, phase) -> Checked:
    parts = parts[: len(names)]
    weights = [100 * part / sum(parts) for part in parts]
    weights[0] += 100 - sum(weights)
    return checked(dict(zip(names, weights)), scheme={"phase": phase}, previous=made(TWO_KINDS))


def breaches(given: Checked) -> set[str]:
    """The rules on weights that the linter itself finds broken."""
    return {remark.rule.id for remark in lint(given) if mended_by_weights(given, remark)}


def assert_mends(given: Checked) -> None:
    found = proposal(given)
    if found is None:
        assert not breaches(given)
    elif found.weights:
        assert sum(found.weights.values()) == 100 and all(weight % STEP == 0 for weight in found.weights.values())
        assert set(found.heals) == breaches(given) and not breaches(with_weights(given, found.weights))
    else:
        assert found.contradict


@pytest.mark.parametrize("given", [given for rule, _, given in BREAKS if rule != "S01"])
def test_the_proposal_mends_the_examples(given):
    assert_mends(given)


@settings(max_examples=80, deadline=None)
@given(**SCHEMES)
def test_the_proposal_mends_any_scheme(names, parts, phase):
    assert_mends(any_scheme(names, parts, phase))


def all_weights(names):
    """Every way to give the names whole steps, written down anew."""
    for parts in itertools.product(range(1, 21), repeat=len(names) - 1):
        if sum(parts) < 20:
            yield dict(zip(names, [STEP * part for part in (*parts, 20 - sum(parts))]))


ONE_OF_EACH = st.tuples(
    st.sampled_from(["signed_amount", "attainment"]),
    st.sampled_from(["visits", "win_rate"]),
    st.sampled_from(["nps", "customer_satisfaction", "repurchase_rate"]),
)


@settings(max_examples=12, deadline=None)
@given(**{**SCHEMES, "names": ONE_OF_EACH})
def test_no_weights_that_the_linter_accepts_move_less(names, parts, phase):
    given = any_scheme(names, parts, phase)
    found = proposal(given)
    assume(found is not None)
    moved = [
        sum(abs(weights[name] - given.weights[name]) for name in names) / 2
        for weights in all_weights(names)
        if not breaches(with_weights(given, weights))
    ]
    assert (min(moved) == pytest.approx(found.moved)) if moved else bool(found.contradict)


CONTRADICTING = [
    ({"signed_amount": 50, "visits": 35, "customer_satisfaction": 15}, {}, ("S08", "S09")),
    ({"signed_amount": 60, "visits": 30, "customer_satisfaction": 10}, {"phase": "mature"}, ("S04", "S08")),
]


@pytest.mark.parametrize(("weights", "written", "expected"), CONTRADICTING)
def test_rules_that_contradict_each_other_are_named(weights, written, expected):
    """By the linter alone: no weights keep both of them, and each of them can be kept."""
    given = checked(weights, scheme=written)
    found = proposal(given)
    assert found.weights == {} and found.contradict == expected
    broken = [{*expected} & breaches(with_weights(given, each)) for each in all_weights(list(weights))]
    assert all(broken) and {*expected} == {rule for one in broken if len(one) == 1 for rule in one}


def test_two_rules_that_pull_one_kpi_both_ways_get_one_answer():
    """By the band of process the signed amount would give 10 points, by its own band 10 others."""
    given = checked({"signed_amount": 60, "visits": 15, "customer_satisfaction": 15, "crm_completeness": 10})
    found = proposal(given)
    assert found.heals == ("S08", "S09") and found.moved == 10
    assert found.weights == {"signed_amount": 50, "visits": 25, "customer_satisfaction": 15, "crm_completeness": 10}


def test_what_is_missing_is_taken_in_and_what_is_too_much_left_out():
    found = proposal(checked(NO_RESULT))
    assert set(found.taken_in) == {"signed_amount", "repurchase_rate"}
    saas = proposal(checked({**SAAS, "new_customers": {"weight": 15, "kind": "process"}}))
    assert [name for name, weight in saas.weights.items() if not weight] == ["nps"] and saas.moved == 10


def test_of_what_the_client_has_no_data_for_nothing_is_proposed_where_there_is_else():
    given = checked(TWO_KINDS, tables=frozenset(["contracts", "activities", "opportunities", "accounts"]))
    assert proposal(given).taken_in == ("repurchase_rate",)


def test_a_scheme_that_keeps_the_rules_is_left_as_it_is():
    assert proposal(checked(FOUR_KINDS)) is None


def test_weights_on_two_levels_are_proposed_as_parts_of_the_total():
    found = proposal(split("S12", 60))
    assert sum(found.now.values()) == pytest.approx(100) and found.now["quotes"] == pytest.approx(16)


def test_every_rule_says_the_same_of_weights_in_its_check_and_in_its_bounds():
    """For each rule and any weights: within the bounds exactly where the check finds nothing to hold against them."""
    rng = np.random.default_rng(5)
    seen = {rule.id: set() for rule in rules().values()}
    for _ in range(400):
        names = [str(name) for name in rng.choice(KPIS, size=rng.integers(3, 7), replace=False)]
        phase = str(rng.choice(["general", "expansion", "mature", "special"]))
        cuts = np.sort(rng.choice(np.arange(1, 20), size=len(names) - 1, replace=False))
        weights = dict(zip(names, STEP * np.diff([0, *cuts, 20])))
        given = checked(weights, scheme={"phase": phase}, previous=made(TWO_KINDS))
        for rule in rules().values():
            bounds = list(rule.bounds(given)) if rule.applies(given) else []
            if not bounds:
                continue
            inside = all(b.low <= sum(given.weights[name] for name in b.kpis) <= b.high for b in bounds)
            told = [each for each in rule.check(given) if (each.severity or rule.severity) in ("error", "warning")]
            told = [each for each in told if each.key != "little_customer"]
            assert inside == (not told), (rule.id, weights, phase)
            seen[rule.id].add(inside)
    assert {rule for rule, both in seen.items() if both == {True, False}} == {
        "S03", "S04", "S05", "S06", "S07", "S08", "S09", "S10", "S19", "S30"
    }  # fmt: skip


def test_the_first_breach_carries_the_weights_and_the_others_point_to_it():
    given = checked({**SAAS, "new_customers": {"weight": 15, "kind": "process"}})
    frame = as_mended_frame(given, lint(given))
    mended = frame[[mended_by_weights(given, each) for each in lint(given)]]
    assert "New customers 15 → 20" in mended["mend_en"].iloc[0] and "Signed amount 35," in mended["mend_en"].iloc[0]
    assert all("proposed under S02" in words for words in mended["mend_en"].iloc[1:])
    assert "新增客户数 15 → 20" in mended["mend_zh"].iloc[0]
    against = checked(CONTRADICTING[0][0])
    words = as_mended_frame(against, lint(against))
    said = [w for language in LANGUAGES for w in words[f"mend_{language}"]]
    assert not [w for w in said if re.search(r"\{[a-z]+\}", w)]
    assert any("no weights in steps of 5 points keep S08, S09 at once" in w for w in said)


def test_items_keep_their_rules_and_new_ones_have_the_usual():
    given = checked({**TWO_KINDS, "signed_amount": {"weight": 50, "band": 0.1, "cap": 1.5}})
    items = {item.kpi: item for item in with_weights(given, {"signed_amount": 60, "nps": 40}).scheme.items}
    assert set(items) == {"signed_amount", "nps"} and items["nps"].cap == 1.2
    assert (items["signed_amount"].band, items["signed_amount"].cap, items["signed_amount"].weight) == (0.1, 1.5, 60)
