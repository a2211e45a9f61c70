"""Every rule has a scheme that keeps it and schemes that break it; what is proposed mends it; nothing passes unseen."""

import dataclasses
import datetime as dt
import re

import pandas as pd
import pytest

from kpi_research.appraisal.lint import REMARK_COLUMNS, as_frame, lint, rules
from kpi_research.appraisal.rules import Checked, PayTerms
from kpi_research.appraisal.scheme import Adjustment, Scheme, SchemeItem
from kpi_research.appraisal.season import Season
from kpi_research.appraisal.versions import SchemeVersion
from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import LANGUAGES, Bilingual
from kpi_research.language import catalogue as sentences

LABEL = {"zh": "方案", "en": "Scheme"}
TWO_KINDS = {"signed_amount": 50, "new_customers": 15, "visits": 20, "win_rate": 15}
FOUR_KINDS = {"signed_amount": 50, "effective_visits": 25, "customer_satisfaction": 15, "crm_completeness": 10}
TABLES = frozenset(["contracts", "activities", "opportunities", "surveys", "accounts", "targets", "leads"])


def made(weights: dict, **settings) -> Scheme:
    """A scheme of these weights; a value may be a whole item."""
    items = [
        {"kpi": kpi, **(value if isinstance(value, dict) else {"weight": value})} for kpi, value in weights.items()
    ]
    return Scheme.model_validate({"name": "made", "label": LABEL, "cycle": "quarter", "items": items, **settings})


def checked(weights: dict, *, scheme=None, **known) -> Checked:
    return Checked(made(weights, **(scheme or {})), catalogue(), **known)


def targets(*rows) -> pd.DataFrame:
    """`scope, scope_id, kpi, period, base, stretch` by rows, each the first version."""
    frame = pd.DataFrame(rows, columns=["scope", "scope_id", "kpi", "period", "base", "stretch"])
    return frame.assign(version="1", effective_from=None)


def people_targets(kpi: str, base: float, people: int = 4, stretch: float | None = None) -> list[tuple]:
    return [("person", f"P{n}", kpi, "2026Q1", base, stretch) for n in range(people)]


def past(kpi: str, values: list[float], n: int = 20, people: int = 4) -> pd.DataFrame:
    """The same figures of several people over consecutive quarters before 2026Q1."""
    quarters = [f"{2025 - back // 4}Q{4 - back % 4}" for back in range(len(values))][::-1]
    rows = [
        ("person", f"P{person}", quarter, kpi, value, n, "ok")
        for person in range(people)
        for quarter, value in zip(quarters, values)
    ]
    return pd.DataFrame(rows, columns=["level", "entity_id", "period", "kpi", "value", "n", "status"])


def version(scheme, day: str, **more) -> SchemeVersion:
    return SchemeVersion.model_validate({"scheme": scheme, "effective_from": day, **more})


TOLD = {"reason": "new market", "approved_by": "HR", "approved_at": "2025-12-20 10:00", "announced_on": "2025-12-22"}
WITH_TARGETS = {name: people_targets(name, 100) for name in TWO_KINDS}
ALL_TARGETS = targets(*(row for rows in WITH_TARGETS.values() for row in rows))
CALM = pd.concat([past(name, [80, 90, 110, 120]) for name in TWO_KINDS])
SMART = {"tables": TABLES, "targets": ALL_TARGETS, "history": CALM}
RATED = {"proposal_quality": {"weight": 20, "raters": {"superior": 60, "peer": 40}}, "signed_amount": 50, "visits": 30}
RATINGS = pd.DataFrame({"kpi": ["proposal_quality"] * 2, "scale_max": [5.0, 10.0], "person_id": ["P1", "P2"]})
MANY_RATINGS = past("proposal_quality", [80, 82])
OWNED = {name: {"weight": weight, "owner": "sales operations"} for name, weight in TWO_KINDS.items()}
BANDED = {**TWO_KINDS, "signed_amount": {"weight": 50, "band": 0.1}}
BONUS = {"kpi": "new_customers", "effect": "bonus", "above": 10, "points": 1, "most": 5}
DEDUCTION = {"kpi": "complaint_rate", "effect": "deduction", "above": 0.02, "points": 2, "per": 0.01, "most": 10}
PAY = PayTerms(0.3, 0.1)
GOALS = {"grow": ["signed_amount", "new_customers"], "work": ["visits", "win_rate"]}
TWO_SCHEMES = (
    version(made(TWO_KINDS), "2025-01-01", applies_to={"role": "rep"}),
    version(made(FOUR_KINDS, name="other"), "2025-01-01", applies_to={"role": "manager"}),
)
CHANGED = (version(made(TWO_KINDS), "2025-01-01"), version(made(FOUR_KINDS), "2026-01-01", **TOLD))
ROLES = ("manager", "rep")
ALL_TOLD = {"role": ROLES, "level": (), "region": ("east",), "customer_type": (), "product_line": ("crm",)}


def season(high: float, low: float, status: str, months: tuple[int, ...] = (10, 11, 12)) -> Season:
    """Some months with one weight, all others with another."""
    return Season({month: high if month in months else low for month in range(1, 13)}, 2, 1.0, status)


EVEN = season(1.1, 0.95, "repeated")


def asking(**asked) -> tuple[SchemeVersion, ...]:
    return (version(made(FOUR_KINDS, name="other"), "2025-01-01", applies_to=asked),)


SPLIT = {
    "S12": {"signed_amount": ("goal", 100), "visits": ("execution", 60), "quotes": ("execution", 40)},
    "S13": {"signed_amount": ("performance", 100), "sharing_sessions": ("growth", 100)},
    "S14": {"signed_amount": ("short_term", 100), "repurchase_rate": ("long_term", 100)},
}


def split(rule: str, first: float, **known) -> Checked:
    """A scheme in the two groups of a worked example, the first with this share."""
    items = {kpi: {"group": group, "weight": weight} for kpi, (group, weight) in SPLIT[rule].items()}
    groups = list(dict.fromkeys(group for group, _ in SPLIT[rule].values()))
    return checked(items, scheme={"groups": dict(zip(groups, (first, 100 - first)))}, **known)


def unsummed() -> Checked:
    item = SchemeItem.model_validate({"kpi": "signed_amount", "weight": 90})
    scheme = made(TWO_KINDS).model_copy(update={"items": (item,)})
    return Checked(scheme, catalogue())


def unbounded() -> Checked:
    endless = Adjustment.model_construct(kpi="new_customers", effect="bonus", above=1.0, points=1.0, most=0.0)
    return Checked(made(TWO_KINDS).model_copy(update={"adjustments": (endless,)}), catalogue(), pay=PAY)


EXPANSION, MATURE, SPECIAL = ({"phase": phase} for phase in ("expansion", "mature", "special"))
PROCESS_50 = {"signed_amount": 50, "visits": 30, "demos": 20}
SAAS = {
    "signed_amount": 35,
    "new_customers": 15,
    "renewal_rate": 20,
    "nps": 10,
    "crm_completeness": 10,
    "peer_rating": 10,
}
OWN = {
    **catalogue(),
    "mood": dataclasses.replace(catalogue()["visits"], name="mood", label=Bilingual("提升业绩", "Improve results")),
}

KEEPS = {
    "S01": checked(TWO_KINDS),
    "S02": checked(TWO_KINDS),
    "S03": checked(PROCESS_50, scheme=EXPANSION),
    "S04": checked(TWO_KINDS, scheme=MATURE),
    "S05": checked(PROCESS_50, scheme=SPECIAL, previous=made(TWO_KINDS)),
    "S06": checked(TWO_KINDS),
    "S07": checked(PROCESS_50, scheme=SPECIAL),
    "S08": checked(TWO_KINDS),
    "S09": checked(FOUR_KINDS),
    "S10": checked({"signed_amount": 50, "visits": 20, "team_attainment": 30}),
    "S11": checked(TWO_KINDS),
    "S12": split("S12", 60),
    "S13": split("S13", 70),
    "S14": split("S14", 50, versions=TWO_SCHEMES, day=dt.date(2025, 6, 30)),
    "S15": checked(SAAS, scheme={"name": "saas_2025"}),
    "S16": checked(TWO_KINDS, **SMART),
    "S17": checked(TWO_KINDS, goals=GOALS),
    "S18": checked(FOUR_KINDS),
    "S19": checked(FOUR_KINDS),
    "S20": checked(TWO_KINDS, targets=targets(*people_targets("visits", 100, stretch=120)), pay=PAY),
    "S21": checked(BANDED),
    "S22": checked(TWO_KINDS, attainability=pd.DataFrame({"kpi": ["visits"] * 3, "entity_id": [*"abc"], "probability": [0.2, 0.9, None]})),
    "S23": checked(TWO_KINDS),
    "S24": checked(RATED, ratings=RATINGS, history=MANY_RATINGS),
    "S25": checked(TWO_KINDS, letters={"visits": "B", "win_rate": "A"}),
    "S26": checked(TWO_KINDS, differences=ALL_TOLD, season=EVEN, versions=TWO_SCHEMES),
    "S27": checked(OWNED, targets=ALL_TARGETS),
    "S28": checked(TWO_KINDS, scheme={"adjustments": [BONUS, DEDUCTION]}, pay=PAY),
    "S29": checked(FOUR_KINDS, versions=CHANGED),
    "S30": checked(TWO_KINDS),
    "T21": checked(TWO_KINDS, business="b2b"),
}  # fmt: skip

FOUR_RESULTS = {"signed_amount": 40, "new_customers": 20, "profit": 20, "gross_margin": 20}
NO_RESULT = {"visits": 40, "demos": 30, "win_rate": 30}
BREAKS = [
    ("S01", "sum", unsummed()),
    ("S02", "few_kpis", checked({"signed_amount": 50, "visits": 50})),
    ("S02", "many_kpis", checked({**dict.fromkeys(["visits", "demos", "calls", "quotes", "proposals", "nps"], 10), "signed_amount": 40})),
    ("S03", "share_low", checked(TWO_KINDS, scheme=EXPANSION)),
    ("S03", "share_high", checked(NO_RESULT, scheme=EXPANSION)),
    ("S04", "share_low", checked(PROCESS_50, scheme=MATURE)),
    ("S05", "process_fell", checked(TWO_KINDS, scheme=SPECIAL, previous=made(PROCESS_50))),
    ("S06", "share_low", checked(NO_RESULT)),
    ("S06", "share_high", checked({"signed_contracts": 85, "visits": 10, "demos": 5})),
    ("S07", "share_low", checked({"signed_amount": 50, "new_customers": 20, "visits": 30}, scheme=SPECIAL)),
    ("S08", "kpi_band", checked({"signed_amount": 70, "visits": 30})),
    ("S09", "share_high", checked({**SAAS, "peer_rating": 10})),
    ("S10", "team_none", checked(TWO_KINDS)),
    ("S10", "team_low", checked({"signed_amount": 50, "visits": 30, "team_attainment": 20})),
    ("S10", "team_high", checked({"signed_amount": 30, "visits": 20, "attainment": {"weight": 50, "scope": "team"}})),
    ("S11", "share_low", checked(PROCESS_50)),
    ("S12", "not_as_printed", split("S12", 70)),
    ("S13", "not_as_printed", split("S13", 60)),
    ("S14", "not_as_printed", split("S14", 80)),
    ("S14", "not_reviewed", split("S14", 50, versions=TWO_SCHEMES, day=dt.date(2025, 8, 1))),
    ("S15", "not_as_printed", checked(FOUR_KINDS, scheme={"name": "saas_2025"})),
    ("S16", "vague", Checked(made({"mood": 50, "signed_amount": 50}), OWN)),
    ("S16", "no_data_source", checked(TWO_KINDS, tables={"contracts"})),
    ("S16", "never_recorded", checked(TWO_KINDS, **SMART, not_kept={"visits", "confirmed_help"})),
    ("S16", "not_recorded_of_late", checked(TWO_KINDS, **SMART, not_of_late={"visits"})),
    ("S16", "no_target", checked(TWO_KINDS, targets=targets(*people_targets("visits", 100)))),
    ("S16", "no_target", checked(TWO_KINDS, targets=ALL_TARGETS, period="2026Q2")),
    ("S16", "no_cycle", Checked(Scheme.model_validate({"name": "made", "label": LABEL, "items": [{"kpi": "visits", "weight": 100}]}), catalogue())),
    ("S16", "too_hard", checked(TWO_KINDS, targets=ALL_TARGETS, history=past("visits", [80, 90, 85, 99]))),
    ("S16", "too_easy", checked(TWO_KINDS, targets=ALL_TARGETS, history=past("visits", [180, 190, 110, 101]))),
    ("S16", "too_hard", checked({"won_cycle_days": 10, "signed_amount": 50, "visits": 40}, targets=targets(*people_targets("won_cycle_days", 20)), history=past("won_cycle_days", [30, 31, 32, 33]))),
    ("S16", "short_history", checked(TWO_KINDS, targets=ALL_TARGETS, history=past("visits", [80, 90, 99]))),
    ("S17", "no_result", checked(NO_RESULT)),
    ("S17", "no_process", checked(FOUR_RESULTS)),
    ("S17", "goal_without_kpi", checked(TWO_KINDS, goals={**GOALS, "keep": ["nps"]})),
    ("S17", "kpi_without_goal", checked(TWO_KINDS, goals={"grow": ["signed_amount"]})),
    ("S18", "no_customer_value", checked(TWO_KINDS)),
    ("S19", "only_results", checked({"signed_contracts": 85, "visits": 15})),
    ("S19", "only_process", checked({"signed_amount": 30, "visits": 40, "demos": 30})),
    ("S19", "little_customer", checked({"signed_amount": 50, "profit": 20, "visits": 25, "customer_satisfaction": 5})),
    ("S20", "stretch_not_beyond", checked(TWO_KINDS, targets=targets(*people_targets("visits", 100, stretch=90)), pay=PAY)),
    ("S20", "reward_on_base", checked(TWO_KINDS, targets=targets(*people_targets("visits", 100, stretch=120)), pay=PayTerms(0.3, 0.1, "base"))),
    ("S21", "no_band", checked(TWO_KINDS)),
    ("S21", "wide_band", checked({**TWO_KINDS, "signed_amount": {"weight": 50, "band": 0.2}})),
    ("S22", "hardly_reached", checked(TWO_KINDS, attainability=pd.DataFrame({"kpi": ["visits"] * 2, "entity_id": [*"ab"], "probability": [0.19, 0.5]}))),
    ("S22", "always_reached", checked(TWO_KINDS, attainability=pd.DataFrame({"kpi": ["visits"], "entity_id": ["a"], "probability": [0.91]}))),
    ("S23", "one_nature", checked({"signed_amount": 60, "visits": 40})),
    ("S24", "no_raters", checked({**RATED, "proposal_quality": 20})),
    ("S24", "no_scale", checked(RATED, ratings=RATINGS.assign(scale_max=[5.0, None]), history=MANY_RATINGS)),
    ("S24", "few_raters", checked(RATED, ratings=RATINGS, history=past("proposal_quality", [80, 82], n=2))),
    ("S25", "mechanical", checked(TWO_KINDS, letters={"visits": "B", "win_rate": "H"})),
    ("S25", "unreliable", checked(TWO_KINDS, letters={"visits": "I", "win_rate": "B"})),
    ("S25", "no_effect", checked(TWO_KINDS, letters={"visits": "F", "win_rate": "B"})),
    ("S25", "follows", checked(TWO_KINDS, letters={"visits": "R", "win_rate": "B"})),
    ("S25", "between_only", checked(TWO_KINDS, letters={"visits": "D", "win_rate": "B"})),
    *(("S25", "cannot_tell", checked(TWO_KINDS, letters={"visits": letter, "win_rate": "B"})) for letter in "EGNC"),
    ("S25", "not_studied", checked(TWO_KINDS, letters={"visits": "B"})),
    ("S26", "one_size", checked(TWO_KINDS, differences={"role": ROLES})),
    ("S26", "one_size", checked(TWO_KINDS, differences={"role": ROLES}, versions=CHANGED)),
    ("S26", "one_size", checked(TWO_KINDS, differences={**ALL_TOLD, "region": ("east", "west")}, versions=TWO_SCHEMES)),
    ("S26", "not_told_of_people", checked(TWO_KINDS, versions=asking(level="senior"))),
    ("S26", "for_nobody", checked(TWO_KINDS, differences=ALL_TOLD, versions=asking(role="reps"))),
    ("S26", "one_season", checked(TWO_KINDS, season=season(2, 0.8, "repeated"))),
    ("S26", "differences_unknown", checked(TWO_KINDS, differences=ALL_TOLD, season=season(2, 0.8, "one_year"))),
    ("S27", "no_owner", checked(TWO_KINDS)),
    ("S27", "not_broken_down", checked(OWNED, targets=targets(("team", "T1", "visits", "2026Q1", 100, None)))),
    ("S28", "only_penalties", checked(TWO_KINDS, scheme={"adjustments": [DEDUCTION]})),
    ("S28", "only_rewards", checked(TWO_KINDS, scheme={"adjustments": [BONUS]})),
    ("S28", "veto_takes_all", checked(TWO_KINDS, scheme={"adjustments": [BONUS, {"kpi": "complaint_rate", "effect": "veto", "above": 0.1}]})),
    ("S28", "adjustment_unbounded", unbounded()),
    ("S28", "reward_unbounded", checked(TWO_KINDS, pay=PayTerms(None, 0.1))),
    ("S28", "penalty_unbounded", checked(TWO_KINDS, pay=PayTerms(0.1, None))),
    ("S28", "pay_one_way", checked(TWO_KINDS, pay=PayTerms(0.1, 0.0))),
    ("S29", "change_refused", checked(TWO_KINDS, versions=[CHANGED[0], version(made(FOUR_KINDS), "2026-02-10", **TOLD)])),
    ("S30", "much_by_hand", checked({"signed_amount": 50, "visits": 10, "proposal_quality": 20, "training_participation": 20})),
    ("T21", "fit_results", checked({**PROCESS_50, "signed_amount": 40, "visits": 40}, business="fast_moving")),
    ("T21", "fit_process", checked(FOUR_RESULTS, business="service")),
    ("T21", "fit_both", checked(FOUR_RESULTS, business="mixed")),
]  # fmt: skip
SEVERITY = {
    "few_kpis": "error", "many_kpis": "error", "sum": "error", "no_result": "error", "no_data_source": "error",
    "no_target": "error", "never_recorded": "error", "not_recorded_of_late": "warning", "change_refused": "error", "kpi_band": "warning", "no_process": "warning",
    "no_effect": "warning", "cannot_tell": "note", "team_none": "note", "not_told_of_people": "error",
    "for_nobody": "warning", "one_season": "note", "differences_unknown": "not_checked",
}  # fmt: skip


def remarks_of(rule: str, given: Checked, **options):
    return [remark for remark in lint(given, **options) if remark.rule.id == rule]


def test_there_are_thirty_rules_and_the_table_of_fits():
    assert list(rules()) == [f"S{n:02d}" for n in range(1, 31)] + ["T21"]
    assert set(KEEPS) == set(rules()) == {rule for rule, _, _ in BREAKS}


@pytest.mark.parametrize("rule", rules())
def test_a_scheme_that_keeps_the_rule_passes(rule):
    assert rules()[rule].applies(KEEPS[rule]), "the rule must ask something of the example"
    assert remarks_of(rule, KEEPS[rule]) == []


@pytest.mark.parametrize(("rule", "key", "given"), BREAKS, ids=[f"{rule}-{key}" for rule, key, _ in BREAKS])
def test_a_scheme_that_breaks_the_rule_is_told(rule, key, given):
    found = {remark.found.key: remark for remark in remarks_of(rule, given)}
    assert key in found
    if key in SEVERITY:
        assert found[key].severity == SEVERITY[key]
    for language in LANGUAGES:
        for text in (found[key].text(language), found[key].mend(language)):
            assert text and not re.search(r"\{[a-z]+\}|\bnan\b|\bNone\b", text)


def test_every_sentence_belongs_to_a_case():
    written = {key.split(".")[1] for key in sentences() if re.fullmatch(r"scheme_remark\.\w+\.found", key)}
    assert written == {key for _, key, _ in BREAKS} | {"not_checked"}


def test_six_kpis_are_a_warning_and_seven_an_error():
    six = {**dict.fromkeys(["visits", "demos", "calls", "quotes", "nps"], 10), "signed_amount": 50}
    assert [remark.severity for remark in remarks_of("S02", checked(six))] == ["warning"]
    seven = {**six, "signed_amount": 40, "proposals": 10}
    assert [remark.severity for remark in remarks_of("S02", checked(seven))] == ["error"]


def test_strict_makes_errors_of_warnings_and_of_nothing_else():
    given = checked(SAAS)
    loose, strict = lint(given), lint(given, strict=True)
    assert [r.severity for r in strict].count("error") == sum(r.severity in ("error", "warning") for r in loose)
    for severity in ("note", "not_checked"):
        assert [r.severity for r in strict].count(severity) == [r.severity for r in loose].count(severity) > 0


@pytest.mark.parametrize(
    ("phase", "process", "rule"),
    [("expansion", 55, None), ("general", 55, "S06"), ("expansion", 35, "S03"), ("mature", 45, "S04")],
)
def test_the_phase_decides_and_the_finding_names_the_rule(phase, process, rule):
    """The table would have at most 50 process; in expansion 40 to 60 are right."""
    given = checked(
        {"signed_contracts": 100 - process, "visits": process - 10, "win_rate": 10}, scheme={"phase": phase}
    )
    found = [r for r in lint(given) if r.severity == "warning" and r.found.subject in ("process", "result")]
    assert {r.rule.id for r in found} - {"S07"} == ({rule} if rule else set())
    assert all(r.rule.id in r.text("en") and r.rule.id in r.text("zh") for r in found)


UNKNOWN = {
    "S05": "previous", "S14": "versions", "S16": "tables", "S17": "goals", "S20": "targets", "S22": "attainability",
    "S24": "ratings", "S25": "letters", "S26": "role", "S27": "targets", "S28": "pay", "S29": "versions",
    "T21": "business",
}  # fmt: skip


@pytest.mark.parametrize(("rule", "missing"), UNKNOWN.items())
def test_what_is_not_known_does_not_pass(rule, missing):
    bare = Checked(KEEPS[rule].scheme, catalogue())
    unchecked = [remark for remark in remarks_of(rule, bare) if remark.severity == "not_checked"]
    assert len(unchecked) == 1
    for language in LANGUAGES:
        assert sentences()[f"scheme_input.{missing}"][language] in unchecked[0].text(language)


def test_no_effect_proposes_what_the_same_study_found_to_work():
    given = checked(TWO_KINDS, letters={"visits": "F", "win_rate": "B", "follow_ups": "B"})
    (remark,) = remarks_of("S25", given)
    assert "Follow-ups" in remark.mend("en") and "Effective visits" not in remark.mend("en")


def test_what_the_clients_data_say_comes_before_what_articles_advise():
    found = lint(checked({**SAAS, "new_customers": 10, "visits": 5}, letters={"visits": "F"}))
    warned = [remark.rule.id for remark in found if remark.severity == "warning"]
    assert warned[0] == "S25" and {"S09", "S27"} <= set(warned[1:])


def test_results_are_not_asked_to_bring_results_about():
    assert remarks_of("S25", checked(TWO_KINDS, letters={"signed_amount": "H", "visits": "B", "win_rate": "B"})) == []


def test_the_latest_version_of_a_target_counts():
    """Version 10 follows version 9, and asks for what was reached before."""
    hard = targets(*people_targets("visits", 500)).assign(version="9")
    fair = targets(*people_targets("visits", 100)).assign(version="10")
    history = past("visits", [80, 90, 110, 120])
    for asked, keys in ((hard, {"too_hard"}), (pd.concat([fair, hard]), set())):
        found = remarks_of("S16", checked(TWO_KINDS, targets=asked, history=history))
        assert {remark.found.key for remark in found} & {"too_hard"} == keys


def test_tables_without_rows_are_no_targets_and_no_ratings():
    """A client without the table has a frame without columns."""
    given = checked({**RATED, "proposal_quality": 20}, targets=pd.DataFrame(), ratings=pd.DataFrame(), tables=TABLES)
    found = {(remark.rule.id, remark.found.key) for remark in lint(given)}
    assert {("S16", "no_target"), ("S16", "no_data_source"), ("S24", "no_raters")} <= found
    assert not {("S20", "not_checked"), ("S27", "not_checked")} & found


def test_missing_marks_and_probabilities_are_missing_in_every_kind_of_column():
    marks = RATINGS.assign(scale_max=pd.array([5.0, None], dtype="Float64"))
    chances = pd.DataFrame({"kpi": ["visits"] * 2, "probability": pd.array([None, 0.1], dtype="Float64")})
    assert "no_scale" in {each.found.key for each in remarks_of("S24", checked(RATED, ratings=marks))}
    (remark,) = remarks_of("S22", checked(TWO_KINDS, attainability=chances))
    assert "for 1 of 1 people" in remark.text("en")


def test_cycles_begin_with_the_fiscal_year():
    versions = [CHANGED[0], version(made(FOUR_KINDS), "2026-02-01", **TOLD)]
    assert remarks_of("S29", checked(FOUR_KINDS, versions=versions, fiscal_year_starts=2)) == []
    assert remarks_of("S29", checked(FOUR_KINDS, versions=versions)) != []


def test_names_of_the_catalogue_are_not_vague():
    from kpi_research.appraisal.rules_targets import is_vague

    assert [name for name, kpi in catalogue().items() if is_vague(kpi.label)] == []


def test_weights_on_two_levels_count_multiplied():
    given = split("S12", 60)
    assert given.weights == pytest.approx({"signed_amount": 60, "visits": 24, "quotes": 16})
    assert {remark.found.subject for remark in remarks_of("S08", given)} == {"signed_amount"}


def test_the_frame_says_everything_in_both_languages():
    frame = as_frame(lint(checked(SAAS)))
    assert list(frame.columns) == REMARK_COLUMNS and len(frame) > 5
    assert (frame.drop(columns="subject") != "").all(axis=None)
    assert list(frame["severity"]) == sorted(frame["severity"], key=["error", "warning", "note", "not_checked"].index)


def test_of_roles_one_size_is_a_warning_of_all_else_a_note():
    given = checked(TWO_KINDS, differences=dict.fromkeys(ALL_TOLD, ("a", "b")), season=EVEN)
    found = {each.found.subject: each.severity for each in remarks_of("S26", given)}
    assert found == {"role": "warning", **dict.fromkeys(set(ALL_TOLD) - {"role"}, "note")}


def test_versions_by_team_tell_regions_apart_and_a_version_for_a_season_the_seasons():
    teams = (*asking(teams=["T1"]), version(made(TWO_KINDS), "2025-01-01"))
    by_team = checked(TWO_KINDS, differences={**ALL_TOLD, "region": ("east", "west")}, season=EVEN, versions=teams)
    assert remarks_of("S26", by_team) == []
    uneven = {"differences": {**ALL_TOLD, "role": ()}, "season": season(2, 0.8, "repeated")}
    (told,) = remarks_of("S26", checked(TWO_KINDS, **uneven))
    assert "months 10-12 brought 200%" in told.text("en") and "only 80%" in told.text("en")
    assert remarks_of("S26", checked(TWO_KINDS, **uneven, versions=asking(season=[10, 11, 12]))) == []
    assert remarks_of("S26", checked(TWO_KINDS, scheme={"cycle": "year"}, **uneven)) == []
    straddling = {**uneven, "season": season(2, 0.8, "repeated", months=(9, 10, 11)), "fiscal_year_starts": 6}
    assert "months 9-11" in remarks_of("S26", checked(TWO_KINDS, **straddling))[0].text("en")
