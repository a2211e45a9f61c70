"""What a study says of its KPIs, one row each: the letter, every number that a gate looked at, and the sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from kpi_research.evidence.examine import Examination
from kpi_research.evidence.plan import Plan
from kpi_research.evidence.verdict import BY_DEFINITION, Evidence, judge, sentence
from kpi_research.language import Bilingual

COLUMNS = [
    "kpi", "outcome", "code", "gate", "effect_unit", "effect", "ci_low", "ci_high", "effect_per_unit",
    "effect_per_unit_low", "effect_per_unit_high", "p", "q", "q_by", "familywise_p", "permutation_p",
    "lead_p", "mde", "on_file_p", "left_on_file", "late_share", "placebo_p", "negative_control",
    "granger_p", "gain_p", "r2_oos", "same_sign", "between_p", "between_q", "between_effect", "apart_q", "apart_lead_p",
    "n_people", "n_periods",
    "lags", "months_needed", "coverage", "within_share", "same_period_r2", "alias_of", "sentence_zh", "sentence_en",
]  # fmt: skip


def verdicts_of(
    examined: Mapping[str, Examination], outcome: str, plan: Plan, labels: Mapping[str, Bilingual]
) -> pd.DataFrame:
    """The rows of `Study.verdicts` but for what stands beside the p of each KPI.

    Parameters
    ----------
    labels
        What KPIs are called in sentences.
    """
    rows = [_row(kpi, outcome, one, plan, labels) for kpi, one in examined.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(kpi: str, outcome: str, examined: Examination, plan: Plan, labels: Mapping[str, Bilingual]) -> dict[str, Any]:
    evidence = examined.evidence
    verdict = judge(evidence, plan)
    numbers = {name: getattr(evidence, name) for name in Evidence.__dataclass_fields__ if name in COLUMNS}
    if verdict.gate in BY_DEFINITION:
        # true by definition, and so no number to tell
        numbers |= dict.fromkeys(("p", "ci_low", "ci_high"), math.nan)
    return {
        "kpi": kpi,
        "outcome": outcome,
        "code": verdict.code,
        "gate": verdict.gate,
        **({} if verdict.gate in BY_DEFINITION else _effects(examined)),
        **numbers,
        "sentence_zh": sentence(verdict, evidence, plan, "zh", labels),
        "sentence_en": sentence(verdict, evidence, plan, "en", labels),
    }


def _effects(examined: Examination) -> dict[str, float]:
    if examined.fitted is None:
        return {}
    total, unit = examined.fitted.total, examined.unit
    low, high = total.interval()
    return {
        "effect": unit.told(total.value * unit.scale),
        "effect_per_unit": total.value * unit.per_unit,
        "effect_per_unit_low": low * unit.per_unit,
        "effect_per_unit_high": high * unit.per_unit,
    }
