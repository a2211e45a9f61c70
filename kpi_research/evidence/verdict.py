"""The ladder: from the numbers of every gate to one letter and one sentence. Pure; first gate that applies decides.

Without records as they stood at the time the highest letter is C. No observation alone earns more than B: that a KPI
drives results takes a design, such as a scheme that changed for some and not for others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from kpi_research.evidence.outcome import EffectUnit
from kpi_research.evidence.plan import Plan
from kpi_research.language import Bilingual, Language, say

Code = Literal["H", "N", "R", "D", "F", "G", "E", "I", "C", "B", "A"]
CODES: tuple[Code, ...] = get_args(Code)
"""In the order in which the ladder asks; A is given by a change of the scheme alone (see `driven`)."""
LEAD_ALPHA = 0.10
"""A lead placebo under this fails. Looser than 5 %: passing is the claim here, a missed failure the worse error."""

FOLLOWS_ALPHA = 0.01
"""A lead placebo under this says that the KPI follows results. Stricter, for here it is the claim itself."""

APART_ALPHA = 0.01
"""A q under this takes a KPI that shares records with the result out of H. Strict: by definition they go together."""

PASSING_ALPHA = 0.05
"""Level of the gates that an association must pass on its way to a prediction."""

LEAST_SHARE_LEFT = 0.5
"""If less than this share of the effect is left in the records that were made in time, it came with the late ones."""

BY_DEFINITION = ("lineage", "apart", "apart_lead")
"""Gates of verdicts on a KPI that shares records with the result: how much it moves with it says nothing."""

MOST_LATE = 0.30
"""With a larger share of late records, what was on file in time says too little about the KPI."""

TOLD_IN_SHARES = (("F", "equivalence"), ("G", "power"), ("B", "forecast"))
"""Verdicts whose sentence has a number that means another thing where results move by shares (`outcome`)."""

LONGEST_WAIT_MONTHS = 120
"""More months than this are not advice any more; the sentence then says to add people."""

NO_LABELS: Mapping[str, Bilingual] = MappingProxyType({})


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
    effect_unit
        What effects are told in (`outcome.Outcome`): within-person standard deviations of the result, or shares of it.
    ci_low, ci_high
        95 % interval of the effect, summed over the lags, in that unit.
    ci90_low, ci90_high
        90 % interval of the same.
    sign_low, sign_high
        95 % interval of the same in the form of the result that is tested: it tells the direction.
    mde
        Smallest effect that these data would have shown with 80 % probability, in the same unit.
    alpha
        The p at which the KPI is, or would be, called significant in its family.
    has_records
        Whether the KPI's records say when they were made, so that it is known what was on file at each period's end.
    late_share, left_on_file, on_file_p
        Share of the records that were made too late; share of the effect that is left without them, and its joint p.
    placebo_p, negative_control
        p of no association with any negative control, after Holm, and the control with the smallest one; empty where
        there is none that could be asked.
    granger_p, gain_p, r2_oos
        p of panel Granger non-causality and of no better forecasts; share of squared forecast errors saved.
    same_sign
        Whether the effect keeps its sign whichever person is left out, and half of its size whichever team; None where
        that could not be tested.
    between_p, between_q
        p of no difference between people who do more and who do less, alone and in its family.
    between_effect
        Slope of people's average results on their average KPI, in natural units.
    apart_q, apart_lead_p
        Of a KPI that shares records with the result: q of no association with later results from deals begun after it
        was counted, and the lead placebo there (`apart`).
    whole_teams
        Whether the KPI moves for whole teams at once, so that colleagues of a team cannot be compared (`peers`).
    alias_of
        The KPI that tells the very same; it stands in the family for both.
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
    effect_unit: EffectUnit = "within_sd"
    ci_low: float = math.nan
    ci_high: float = math.nan
    ci90_low: float = math.nan
    ci90_high: float = math.nan
    sign_low: float = math.nan
    sign_high: float = math.nan
    mde: float = math.nan
    months_needed: float = math.nan
    alpha: float = math.nan
    has_records: bool = False
    late_share: float = math.nan
    left_on_file: float = math.nan
    on_file_p: float = math.nan
    placebo_p: float = math.nan
    negative_control: str = ""
    granger_p: float = math.nan
    gain_p: float = math.nan
    r2_oos: float = math.nan
    same_sign: bool | None = None
    between_p: float = math.nan
    between_q: float = math.nan
    between_effect: float = math.nan
    apart_q: float = math.nan
    apart_lead_p: float = math.nan
    whole_teams: bool = False
    alias_of: str = ""


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
        return _of_shared_records(evidence)
    if shortage := insufficient(evidence, plan):
        return Verdict("N", shortage)
    if evidence.same_period_r2 >= plan.mechanical_r2:
        return Verdict("H", "same_period")
    if math.isnan(evidence.p):
        return Verdict("N", "whole_teams" if evidence.whole_teams else "not_estimable")
    if evidence.q <= plan.q:
        return _of_association(evidence)
    if evidence.lead_p < FOLLOWS_ALPHA:
        return Verdict("R", "lead")
    is_small = -plan.sesoi < evidence.ci90_low and evidence.ci90_high < plan.sesoi
    if evidence.between_q <= plan.q and (is_small or evidence.mde <= 2 * plan.sesoi):
        return Verdict("D", "between")
    if is_small:
        return Verdict("F", "equivalence")
    if evidence.mde > 2 * plan.sesoi:
        return Verdict("G", "power")
    return Verdict("E", "q")


def _of_shared_records(evidence: Evidence) -> Verdict:
    """No evidence, unless results that share no record with the KPI follow it too."""
    if math.isnan(evidence.apart_q):
        return Verdict("H", "lineage")
    if not evidence.apart_q <= APART_ALPHA:
        return Verdict("H", "apart")
    # a good spell brings more of the KPI now and more new deals later: then the KPI of later months shows as well
    return Verdict("C", "apart") if evidence.apart_lead_p >= LEAD_ALPHA else Verdict("H", "apart_lead")


def _of_association(evidence: Evidence) -> Verdict:
    """What is left of a KPI that goes with later results."""
    if evidence.has_records:
        if evidence.late_share > MOST_LATE:
            return Verdict("I", "late")
        if not evidence.on_file_p <= max(PASSING_ALPHA, evidence.alpha):
            return Verdict("I", "vanishes")
        if evidence.left_on_file < LEAST_SHARE_LEFT:
            return Verdict("I", "shrinks")
    failed = {
        "lead_untested": math.isnan(evidence.lead_p),
        "lead": evidence.lead_p < LEAD_ALPHA,
        "records": not evidence.has_records,
        # after `records`: entries made up after a good month go with every result of that month
        "placebo": evidence.placebo_p <= PASSING_ALPHA,
        "granger": evidence.granger_p > PASSING_ALPHA,
        "gain_untested": math.isnan(evidence.gain_p),
        "gain": evidence.gain_p > PASSING_ALPHA or evidence.r2_oos <= 0,
        "stability": not evidence.same_sign,
    }
    gate = next((name for name, is_so in failed.items() if is_so), "")
    return Verdict("C", gate) if gate else Verdict("B", "forecast")


def insufficient(evidence: Evidence, plan: Plan) -> str:
    """What there is too little of; empty if there is enough of everything."""
    checks = {
        "periods": evidence.n_periods < plan.min_periods,
        "coverage": evidence.coverage < plan.min_coverage,
        "within_share": evidence.within_share < max(plan.min_within_share, 1e-9),
        "people": evidence.n_people < plan.min_people,
    }
    return next((name for name, short in checks.items() if short), "")


def sentence(
    verdict: Verdict, evidence: Evidence, plan: Plan, language: Language, labels: Mapping[str, Bilingual] = NO_LABELS
) -> str:
    """The verdict in a few plain sentences for a manager.

    Parameters
    ----------
    labels
        What KPIs are called; one without a label by its name.
    """
    control = evidence.negative_control
    values = {
        "n_people": str(evidence.n_people),
        "n_periods": str(evidence.n_periods),
        "unit": say(f"verdict.unit.{plan.grain}", language),
        "span": _span(evidence.lags, plan, language),
        "coverage": f"{evidence.coverage:.1%}",
        "same_period_r2": f"{evidence.same_period_r2:.0%}",
        "mde": f"{evidence.mde:.0%}",
        "need": _need(evidence, plan, language),
        "sesoi": f"{plan.sesoi:.0%}",
        "burn_in": _burn_in(plan, language),
        "min_people": str(plan.min_people),
        "min_periods": str(plan.min_periods),
        "min_coverage": f"{plan.min_coverage:.0%}",
        "late_share": _late(evidence, language),
        "left": f"{max(0.0, evidence.left_on_file):.0%}",
        "gain": f"{_less_error(evidence.r2_oos):.1%}",
        "between": say(f"verdict.between.{'up' if evidence.between_effect > 0 else 'down'}", language),
        "direction": say(f"verdict.direction.{_direction(evidence)}", language),
        "control": labels[control][language] if control in labels else control,
    }
    in_shares = evidence.effect_unit == "share" and (verdict.code, verdict.gate) in TOLD_IN_SHARES
    return say(f"verdict.{verdict.code}.{verdict.gate}{'_share' if in_shares else ''}", language, **values)


def _burn_in(plan: Plan, language: Language) -> str:
    """From which of their periods on new people count, where anything is left out of them."""
    if not plan.burn_in:
        return ""
    # whole periods are left out: three months of years are the first year
    unit = say(f"verdict.unit_one.{plan.grain}", language)
    return say("verdict.burn_in", language, first=str(plan.burn_in + 1), unit=unit)


def _late(evidence: Evidence, language: Language) -> str:
    """Share of late records; a panel that does not count its records cannot tell."""
    if math.isnan(evidence.late_share):
        return say("verdict.uncounted", language)
    return f"{evidence.late_share:.0%}"


def _less_error(r2_oos: float) -> float:
    """By what share the usual forecast error is smaller, where its square is smaller by the share `r2_oos`."""
    return 1 - math.sqrt(max(0.0, 1 - r2_oos))


def _direction(evidence: Evidence) -> str:
    if evidence.sign_low > 0:
        return "up"
    return "down" if evidence.sign_high < 0 else "unclear"


def _span(periods: int, plan: Plan, language: Language) -> str:
    unit = "unit_one" if periods == 1 else "unit"
    return f"{periods} " + say(f"verdict.{unit}.{plan.grain}", language)


def _need(evidence: Evidence, plan: Plan, language: Language) -> str:
    target, unit = f"{2 * plan.sesoi:.0%}", evidence.effect_unit
    if not evidence.months_needed <= LONGEST_WAIT_MONTHS:
        return say(f"verdict.need.too_long_{unit}", language, target=target)
    return say(f"verdict.need.months_{unit}", language, target=target, months=f"{evidence.months_needed:.0f}")
