"""One test of one KPI as a record: its numbers, or the reason why it has none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal

import numpy as np
import pandas as pd

from kpi_research.evidence.fixed_effects import Estimate

Test = Literal[
    "lag", "joint_lags", "sum_of_lags", "equivalence", "lead_placebo", "same_period", "between", "on_file", "granger",
    "forecast", "without_one_person", "without_one_team", "negative_control",
]  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What one test found.

    Parameters
    ----------
    lag
        Periods from KPI to outcome; negative when the KPI comes after; None for tests over all lags.
    n_people, n_periods
        Persons and periods in the test's regression.
    effect, ci_low, ci_high
        Within-person standard deviations of the outcome for one of the KPI, with the 95 % interval (90 % for
        `equivalence`; for `without_one_person` and `without_one_team` the lowest and the highest of all sums of lags).
    effect_money
        Change of the outcome for one unit of the KPI, both in their natural units.
    outcome
        The result; of a `negative_control` that control.
    p, q
        p-value, and Benjamini-Hochberg's over the family (only for `joint_lags`).
    status, reason
        `ok`, or `not_applicable`; the reason is a key under `study.reason` in `text/study.toml`. A test that ran
        with a reservation is `ok` and carries its reason.
    """

    kpi: str
    outcome: str
    test: Test
    lag: int | None = None
    n_people: int = 0
    n_periods: int = 0
    effect: float = np.nan
    effect_unit: str = ""
    effect_money: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    p: float = np.nan
    q: float = np.nan
    status: Literal["ok", "not_applicable"] = "ok"
    reason: str = ""
    level: str = "person"

    def measured(self, estimate: Estimate, scale: float, *, confidence: float = 0.95) -> Finding:
        """The same finding with the numbers of an estimate in natural units; `scale` standardises it."""
        low, high = estimate.scaled(scale).interval(confidence)
        return replace(
            self,
            effect=estimate.value * scale,
            effect_unit="within_sd",
            effect_money=estimate.value,
            ci_low=low,
            ci_high=high,
            p=estimate.p,
        )


def as_frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """One row a finding, in the order given."""
    order = ["kpi", "outcome", "level"]
    columns = [*order, *(field.name for field in fields(Finding) if field.name not in order)]
    frame = pd.DataFrame([asdict(finding) for finding in findings], columns=columns)
    return frame.astype({"lag": "Int64"})
