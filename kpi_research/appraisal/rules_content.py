"""Rules on what a scheme is made of: how many KPIs, of which kinds, and how it follows an article's worked example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from kpi_research.appraisal.rules import PROCESS, Checked, Found, Rule, listed, not_known, percent
from kpi_research.appraisal.scheme import WEIGHTS_AGREE
from kpi_research.kpis.definition import Kind
from kpi_research.language import LANGUAGES, Bilingual, sentence

FEWEST, MOST_WITHOUT_REMARK, MOST = 3, 5, 6
GOAL_AND_EXECUTION = {"goal": 60.0, "execution": 40.0}
PERFORMANCE_AND_GROWTH = {"performance": 70.0, "growth": 30.0}
SHORT_AND_LONG = {"short_term": 50.0, "long_term": 50.0}
SAAS = "saas_2025"
SAAS_WEIGHTS = {
    "signed_amount": 35.0,
    "new_customers": 15.0,
    "renewal_rate": 20.0,
    "nps": 10.0,
    "crm_completeness": 10.0,
    "peer_rating": 10.0,
}
REVIEWED_AFTER_MONTHS = 6
LONG_TERM = frozenset({"customer_retention", "customer_churn"})
"""Results that only come about over a customer's life."""

EXAMPLES: Mapping[Kind, tuple[str, ...]] = {
    "result": ("signed_amount", "signed_contracts"),
    "process": ("effective_visits", "follow_ups", "first_contact_rate"),
    "customer_value": ("customer_satisfaction", "repurchase_rate", "renewal_rate"),
}
"""What to take in where a kind is missing: the first for which the client has data."""


def number_of_kpis(checked: Checked) -> Iterator[Found]:
    """Three to five; six are many, fewer or more are wrong."""
    count, weights = len(checked.scheme.items), checked.weights
    if FEWEST <= count <= MOST_WITHOUT_REMARK:
        return
    values: dict[str, Bilingual | str] = {"count": str(count), "fewest": str(FEWEST), "most": str(MOST_WITHOUT_REMARK)}
    if count < FEWEST:
        yield Found("few_kpis", values=values)
        return
    values["kpis"] = checked.labels(sorted(weights, key=lambda name: weights[name])[: count - MOST_WITHOUT_REMARK])
    yield Found("many_kpis", values=values, severity="warning" if count <= MOST else None)


def result_and_process(checked: Checked) -> Iterator[Found]:
    """At least one of each; and every goal has KPIs, every KPI a goal."""
    kinds = {checked.kind(item) for item in checked.scheme.items}
    if "result" not in kinds:
        yield Found("no_result", "result", _example(checked, "result"), severity="error")
    if not kinds & {*PROCESS}:
        yield Found("no_process", "process", _example(checked, "process"))
    yield from not_known(checked, "goals")
    goals = checked.goals or {}
    followed = {kpi for kpis in goals.values() for kpi in kpis}
    for goal, kpis in goals.items():
        if not set(kpis) & set(checked.weights):
            yield Found("goal_without_kpi", goal, {"goal": goal})
    if goals and (loose := [name for name in checked.weights if name not in followed]):
        yield Found("kpi_without_goal", values={"kpis": checked.labels(loose)})


def customers_life(checked: Checked) -> Iterator[Found]:
    """Something that only pays when customers stay."""
    if not checked.of_kinds("customer_value") and not LONG_TERM & set(checked.weights):
        yield Found("no_customer_value", "customer_value", _example(checked, "customer_value"))


def examples_of(checked: Checked, kind: Kind) -> list[str]:
    """KPIs of a kind to take in that the scheme has not: those that the client has data for, if there are any."""
    new = [name for name in EXAMPLES[kind] if name not in checked.weights]
    with_data = [name for name in new if checked.tables is None or set(checked.kpis[name].needs) <= {*checked.tables}]
    return with_data or new or list(EXAMPLES[kind])


def _example(checked: Checked, kind: Kind) -> dict[str, Bilingual | str]:
    return {"example": checked.label(examples_of(checked, kind)[0])}


def natures(checked: Checked) -> Iterator[Found]:
    """Quantity, quality and behaviour: at least two of the three."""
    found = {checked.kpis[item.kpi].nature for item in checked.scheme.items}
    if len(found) == 1:
        (nature,) = found
        yield Found("one_nature", nature, {"nature": sentence(f"scheme_nature.{nature}")})


def fit_to_business(checked: Checked) -> Iterator[Found]:
    """Where results alone fit, where process does, and where both."""
    business, result, process = checked.business or "", checked.share("result"), checked.share(*PROCESS)
    values: dict[str, Bilingual | str] = {"result": percent(result), "process": percent(process)}
    if business in ("fast_moving", "project", "short_cycle") and process > result:
        yield Found("fit_results", business, values)
    if business in ("b2b", "service") and process == 0:
        yield Found("fit_process", business, values)
    if business == "mixed" and not (result and process):
        yield Found("fit_both", business, values)


def like_example(printed: Mapping[str, float]) -> Callable[[Checked], Iterator[Found]]:
    """Whether the groups of a scheme divide it as the article's example does."""

    def check(checked: Checked) -> Iterator[Found]:
        yield from _not_as_printed(checked.scheme.groups, printed, {name: _group(name) for name in printed})

    return check


def has_groups(printed: Mapping[str, float]) -> Callable[[Checked], bool]:
    """Whether a scheme is divided as the example is; its groups then have the example's names."""
    return lambda checked: set(checked.scheme.groups) == set(printed)


def short_and_long(checked: Checked) -> Iterator[Found]:
    """Half for the short term, half for the long; set anew every half-year."""
    yield from like_example(SHORT_AND_LONG)(checked)
    yield from not_known(checked, "versions", "day")
    if checked.versions and checked.day:
        latest = max(version.effective_from for version in checked.versions)
        months = (checked.day.year - latest.year) * 12 + checked.day.month - latest.month
        if months > REVIEWED_AFTER_MONTHS:
            yield Found("not_reviewed", values={"months": str(months), "since": latest.isoformat()})


def saas_as_printed(checked: Checked) -> Iterator[Found]:
    """The example of a SaaS company has the weights that were printed."""
    yield from _not_as_printed(checked.weights, SAAS_WEIGHTS, {name: checked.label(name) for name in SAAS_WEIGHTS})


def _not_as_printed(
    given: Mapping[str, float], printed: Mapping[str, float], names: Mapping[str, Bilingual]
) -> Iterator[Found]:
    off = [name for name in printed if abs(given.get(name, 0.0) - printed[name]) > WEIGHTS_AGREE]
    if off:
        differs = (
            Bilingual(
                *(
                    f"{names[name][each]} {percent(given.get(name, 0.0))} / {percent(printed[name])}"
                    for each in LANGUAGES
                )
            )
            for name in off
        )
        yield Found("not_as_printed", values={"differs": listed(differs)})


def _group(name: str) -> Bilingual:
    return sentence(f"scheme_group.{name}")


RULES = (
    Rule("S02", "error", number_of_kpis),
    Rule("S12", "note", like_example(GOAL_AND_EXECUTION), applies=has_groups(GOAL_AND_EXECUTION)),
    Rule("S13", "note", like_example(PERFORMANCE_AND_GROWTH), applies=has_groups(PERFORMANCE_AND_GROWTH)),
    Rule("S14", "note", short_and_long, applies=has_groups(SHORT_AND_LONG)),
    Rule("S15", "note", saas_as_printed, applies=lambda checked: checked.scheme.name == SAAS),
    Rule("S17", "warning", result_and_process),
    Rule("S18", "warning", customers_life),
    Rule("S23", "warning", natures),
    Rule("T21", "note", fit_to_business, needs=("business",)),
)
