"""The ladder: from the numbers of every gate to one letter and one sentence. Pure; first gate that applies decides.

Without records as they stood at the time, and before forecasts are tested, the highest letter is C.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from kpi_research.evidence.plan import Plan
from kpi_research.language import Language, say

Code = Literal["H", "N", "F", "G", "E", "C"]
LEAD_ALPHA = 0.10
"""A lead placebo under this fails. Looser than 5 %: passing is the claim here, a missed failure the worse error."""

FOLLOWS_ALPHA = 0.01
"""A lead placebo under this is told beside E, F and G. Stricter, for here it is the claim itself."""

LONGEST_WAIT_MONTHS = 120
"""More months than this are not advice any more; the sentence then says to add people."""


@dataclass(frozen=True)
class Evidence:
    """Every number that a gate or a sentence looks at; NaN where it could not be computed.

    Parameters
    ----------
    n_people, n_periods
        Persons in the lag regression; periods with KPI and outcome.
    lags
        Lags really used.
    coverage, within_share, same_period_r2
        Shares, 0-1; `within_share` is the smaller one of KPI and outcome.
    ci_low, ci_high
        95 % interval of the effect, summed over the lags, in within-person standard deviations.
    ci90_low, ci90_high
        90 % interval of the same.
    mde
        Smallest effect that these data would have shown with 80 % probability, in the same unit.
    """

    in_lineage: bool = False
    n_people: int = 0
    n_periods: int = 0
    lags: int = 0
    coverage: float = 0.0
    within_share: float = 0.0
    same_period_r2: float = math.nan
    p: float = math.nan
    q: float = math.nan
    lead_p: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    ci90_low: float = math.nan
    ci90_high: float = math.nan
    mde: float = math.nan
    months_needed: float = math.nan


@dataclass(frozen=True)
class Verdict:
    """The letter, and the gate that decided; together the key of the sentence."""

    code: Code
    gate: str


def judge(evidence: Evidence, plan: Plan) -> Verdict:
    """The first verdict on the ladder that the evidence meets.

    A high same-period R2 makes a KPI mechanical only where the data are sufficient otherwise: from a handful of rows it
    is chance.
    """
    if evidence.in_lineage:
        return Verdict("H", "lineage")
    if shortage := insufficient(evidence, plan):
        return Verdict("N", shortage)
    if evidence.same_period_r2 >= plan.mechanical_r2:
        return Verdict("H", "same_period")
    if math.isnan(evidence.p):
        return Verdict("N", "not_estimable")
    if evidence.q <= plan.q:
        return Verdict("C", _open_check(evidence))
    if -plan.sesoi < evidence.ci90_low and evidence.ci90_high < plan.sesoi:
        return Verdict("F", "equivalence")
    if evidence.mde > 2 * plan.sesoi:
        return Verdict("G", "power")
    return Verdict("E", "q")


def insufficient(evidence: Evidence, plan: Plan) -> str:
    """What there is too little of; empty if there is enough of everything."""
    checks = {
        "periods": evidence.n_periods < plan.min_periods,
        "coverage": evidence.coverage < plan.min_coverage,
        "within_share": evidence.within_share < max(plan.min_within_share, 1e-9),
        "people": evidence.n_people < plan.min_people,
    }
    return next((name for name, short in checks.items() if short), "")


def sentence(verdict: Verdict, evidence: Evidence, plan: Plan, language: Language) -> str:
    """The verdict in a few plain sentences for a manager."""
    values = {
        "n_people": str(evidence.n_people),
        "n_periods": str(evidence.n_periods),
        "unit": say(f"verdict.unit.{plan.grain}", language),
        "span": _span(evidence.lags, plan, language),
        "coverage": f"{evidence.coverage:.1%}",
        "same_period_r2": f"{evidence.same_period_r2:.0%}",
        "mde": f"{evidence.mde:.0%}",
        "need": _need(evidence.months_needed, plan, language),
        "sesoi": f"{plan.sesoi:.0%}",
        "min_people": str(plan.min_people),
        "min_periods": str(plan.min_periods),
        "min_coverage": f"{plan.min_coverage:.0%}",
        "direction": say(f"verdict.direction.{_direction(evidence)}", language),
    }
    text = say(f"verdict.{verdict.code}.{verdict.gate}", language, **values)
    follows = verdict.code in "EFG" and evidence.lead_p < FOLLOWS_ALPHA
    return text + say("verdict.follows", language) if follows else text


def _open_check(evidence: Evidence) -> str:
    if math.isnan(evidence.lead_p):
        return "lead_untested"
    return "lead" if evidence.lead_p < LEAD_ALPHA else "asof"


def _direction(evidence: Evidence) -> str:
    if evidence.ci_low > 0:
        return "up"
    return "down" if evidence.ci_high < 0 else "unclear"


def _span(periods: int, plan: Plan, language: Language) -> str:
    unit = "unit_one" if periods == 1 else "unit"
    return f"{periods} " + say(f"verdict.{unit}.{plan.grain}", language)


def _need(months: float, plan: Plan, language: Language) -> str:
    target = f"{2 * plan.sesoi:.0%}"
    if not months <= LONGEST_WAIT_MONTHS:
        return say("verdict.need.too_long", language, target=target)
    return say("verdict.need.months", language, target=target, months=f"{months:.0f}")
