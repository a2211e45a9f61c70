"""What is asked of the data: the limits of every check, who mends what, and how a grade for all comes about."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Grade = Literal["A", "B", "C", "D", "N"]
"""A good to D bad; N: nothing could be looked at."""
Effect = Literal["caps_at_c", "biases_counts", "biases_amounts", "hides_people", "blocks_kpi", "loses_power"]
InCharge = Literal["crm_admin", "sales_ops", "manager", "salesperson", "it"]
GRADES: tuple[Grade, ...] = ("A", "B", "C", "D")
EFFECTS: tuple[Effect, ...] = get_args(Effect)
IN_CHARGE: tuple[InCharge, ...] = get_args(InCharge)

VALIDITY: frozenset[Effect] = frozenset({"caps_at_c", "biases_counts", "biases_amounts", "hides_people"})
"""These make verdicts wrong. The others make them rare or fuzzy, which the verdicts themselves already say: so they
count one grade milder towards the grade of the data."""

Limits = tuple[float, float, float]
"""The largest share of rows that is still an A, a B and a C."""
ERRORS: Limits = (0.005, 0.02, 0.10)
"""Rows that are certainly wrong. A slip in two hundred is human and moves no KPI; one row in ten moves all of them."""
SINGLE: Limits = (0.0, 0.0001, 0.02)
"""Rows of which one is enough: a single sum in the wrong unit outweighs a year of others, and a single wrong year
moves the last day of the data."""
GAPS: Limits = (0.05, 0.20, 0.50)
"""Cells left empty and habits of typing. Small effects are a few percent: more than every fifth row hides them."""
HABITS: Limits = (0.10, 0.30, 0.60)
"""Hints that have innocent reasons too, so that only many of them tell anything."""
CAPPED: Limits = (0.05, 0.20, 1.0)
"""What the verdicts are told about anyhow: it holds them back, and so it alone never makes the data worthless."""


@dataclass(frozen=True)
class Standard:
    """What one check asks for.

    Parameters
    ----------
    limits
        The largest share that is still an A, a B and a C.
    in_charge
        Who can mend it.
    effect
        What it does to the verdicts.
    """

    limits: Limits
    in_charge: InCharge
    effect: Effect

    def grade(self, share: float) -> Grade:
        """The grade for a share of rows; N where there is none."""
        if math.isnan(share):
            return "N"
        return next((grade for grade, limit in zip(GRADES, self.limits, strict=False) if share <= limit), "D")


STANDARDS: dict[str, Standard] = {
    "silent_months": Standard(GAPS, "manager", "hides_people"),
    "never_recorded": Standard(GAPS, "manager", "hides_people"),
    "not_recorded_at": Standard(CAPPED, "it", "caps_at_c"),
    "late_entry": Standard(GAPS, "salesperson", "caps_at_c"),
    "month_end_entry": Standard(HABITS, "manager", "caps_at_c"),
    "entry_after_close": Standard(GAPS, "manager", "caps_at_c"),
    "exact_duplicate": Standard(ERRORS, "crm_admin", "biases_counts"),
    "near_duplicate": Standard(GAPS, "salesperson", "biases_counts"),
    "same_text": Standard(GAPS, "manager", "biases_counts"),
    "stage_before_creation": Standard(ERRORS, "crm_admin", "caps_at_c"),
    "after_leaving": Standard(ERRORS, "it", "biases_counts"),
    "before_hiring": Standard(ERRORS, "it", "biases_counts"),
    "after_close": Standard(HABITS, "salesperson", "biases_counts"),
    "negative_amount": Standard(ERRORS, "sales_ops", "biases_amounts"),
    "wrong_unit": Standard(SINGLE, "sales_ops", "biases_amounts"),
    "impossible_minutes": Standard(ERRORS, "crm_admin", "biases_counts"),
    "impossible_place": Standard(GAPS, "it", "loses_power"),
    "future_time": Standard(ERRORS, "crm_admin", "biases_counts"),
    "astray_time": Standard(SINGLE, "crm_admin", "hides_people"),
    "mixed_currencies": Standard(ERRORS, "sales_ops", "biases_amounts"),
    "no_time_of_day": Standard(CAPPED, "crm_admin", "loses_power"),
    "whole_hours": Standard(HABITS, "salesperson", "loses_power"),
    "constant_minutes": Standard(HABITS, "salesperson", "loses_power"),
    "night": Standard(GAPS, "it", "biases_counts"),
    "gap_time": Standard(ERRORS, "it", "biases_counts"),
    "rest_days": Standard(HABITS, "sales_ops", "biases_counts"),
    "no_amount": Standard(GAPS, "salesperson", "biases_amounts"),
    "no_owner": Standard(GAPS, "sales_ops", "hides_people"),
    "no_stage": Standard(GAPS, "salesperson", "blocks_kpi"),
    "no_stage_history": Standard(CAPPED, "crm_admin", "blocks_kpi"),
    "stage_backwards": Standard(GAPS, "sales_ops", "loses_power"),
    "untouched": Standard(HABITS, "salesperson", "loses_power"),
    "no_team": Standard(CAPPED, "sales_ops", "hides_people"),
    "same_name": Standard(GAPS, "crm_admin", "biases_counts"),
    "unmatched_reference": Standard(GAPS, "crm_admin", "hides_people"),
    "rejected_rows": Standard(ERRORS, "crm_admin", "biases_counts"),
}


def weight(grade: Grade, effect: Effect) -> int:
    """How much a check counts towards the grade of the data: 0 like an A, 3 like a D."""
    if grade == "N":
        return 0
    return max(GRADES.index(grade) - (effect not in VALIDITY), 0)


def overall(found: Iterable[tuple[Grade, Effect]]) -> Grade:
    """The grade of the data: that of the worst check, those that do not make verdicts wrong one grade milder.

    Parameters
    ----------
    found
        Grade and effect of every check. Checks that could not be made do not count; without any other, N.
    """
    weights = [weight(grade, effect) for grade, effect in found if grade != "N"]
    return GRADES[max(weights)] if weights else "N"
