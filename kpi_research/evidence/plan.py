"""The plan of a study: every threshold, fixed and fingerprinted before the data are looked at."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.power import MONTHS_PER
from kpi_research.periods import Grain

_RANGES: dict[str, tuple[float, float]] = {
    "lags": (1, 24),
    "q": (0.001, 0.5),
    "sesoi": (0.001, 1),
    "min_people": (2, 1_000_000),
    "min_periods": (3, 10_000),
    "min_coverage": (0, 1),
    "min_within_share": (0, 1),
    "mechanical_r2": (0, 1),
    "burn_in_months": (0, 24),
}


@dataclass(frozen=True)
class Plan:
    """What a study asks and how strict it is.

    Parameters
    ----------
    lags
        Periods after which a KPI may still work; tested jointly, never the best one.
    q
        False discovery rate allowed in the family of KPIs.
    sesoi
        Smallest effect of interest, for one within-person standard deviation of the KPI: standard deviations of the
        outcome, or its share where it moves by shares (`outcome.Outcome`; 0.1: 10 % more or less).
    min_people, min_periods, min_coverage, min_within_share
        Under these the data are insufficient: persons, periods, share of active person-periods with KPI and outcome,
        share of the variance that lies within persons and periods.
    mechanical_r2
        Same-period share explained within persons from which KPI and outcome count as the same thing.
    burn_in_months
        So long is left out of who came after the panel's first period, whatever the grain; see `burn_in`.
    grain
        Length of the panel's periods.

    Raises
    ------
    InputError
        If a value is out of its range; all of them at once.
    """

    lags: int = 3
    q: float = 0.10
    sesoi: float = 0.10
    min_people: int = 8
    min_periods: int = 8
    min_coverage: float = 0.70
    min_within_share: float = 0.01
    mechanical_r2: float = 0.80
    burn_in_months: int = 3
    grain: Grain = "month"

    def __post_init__(self) -> None:
        problems = [
            Problem("study.out_of_range", values={"name": name, "low": low, "high": high, "given": getattr(self, name)})
            for name, (low, high) in _RANGES.items()
            if not low <= getattr(self, name) <= high
        ]
        if problems:
            raise InputError(problems)

    @property
    def burn_in(self) -> int:
        """`burn_in_months` in periods, rounded up: three months are 14 weeks, 3 months, a quarter, and a whole year."""
        return math.ceil(self.burn_in_months / MONTHS_PER[self.grain])

    def fingerprint(self, outcome: str, kpis: Iterable[str], negative_controls: Iterable[str] = ()) -> str:
        """SHA-256 of the plan with its outcome, its family of KPIs and its negative controls, whatever their order."""
        family = {"kpis": sorted(kpis), "negative_controls": sorted(negative_controls)}
        frozen = {"plan": asdict(self), "outcome": outcome, **family}
        return hashlib.sha256(json.dumps(frozen, sort_keys=True).encode()).hexdigest()


DEFAULT_PLAN = Plan()
