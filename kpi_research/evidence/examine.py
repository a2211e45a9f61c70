"""One KPI against one outcome: every test run once, or the reason why it could not be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from kpi_research.evidence.finding import Finding, Test
from kpi_research.evidence.fixed_effects import FloatArray, NotEstimableError
from kpi_research.evidence.grid import Grid, rows_of, within_spread
from kpi_research.evidence.lags import LagFit, Measured, fit_lags, fit_same_period, history, usable_lags
from kpi_research.evidence.placebo import fit_lead
from kpi_research.evidence.plan import Plan
from kpi_research.evidence.power import equivalence_p
from kpi_research.evidence.verdict import Evidence, insufficient

Fitted = TypeVar("Fitted")


@dataclass(frozen=True)
class Pair:
    """A KPI x and an outcome y (N x T), the number of lags, and the factor that standardises an effect."""

    kpi: str
    outcome: str
    x: FloatArray
    y: FloatArray
    lags: int
    scale: float

    def finding(self, test: Test, lag: int | None, measured: Measured | None, *, confidence: float = 0.95) -> Finding:
        """A finding of this pair; not applicable if nothing was measured."""
        empty = Finding(self.kpi, self.outcome, test, lag)
        if measured is None:
            return replace(empty, status="not_applicable", reason="not_estimable")
        sized = replace(empty, n_people=measured.rows.n_people, n_periods=measured.rows.n_periods)
        return sized.measured(measured.estimate, self.scale, confidence=confidence)


@dataclass(frozen=True)
class Examination:
    """What is known of one KPI before the family is looked at; `fitted` has its lags, if they could be estimated."""

    findings: tuple[Finding, ...]
    evidence: Evidence
    scale: float
    fitted: LagFit | None


def examine(grid: Grid, kpi: str, outcome: str, *, plan: Plan, in_lineage: bool) -> Examination:
    """Run every test of `kpi` against `outcome`; what cannot be run is `not_applicable` with its reason."""
    pair, sized = _sized(grid, kpi, outcome, plan)
    shortage = insufficient(sized, plan)

    def attempt(run: Callable[[], Fitted]) -> Fitted | None:
        try:
            return None if shortage else run()
        except NotEstimableError:
            return None

    lags = attempt(lambda: fit_lags(pair.y, pair.x, pair.lags))
    lead = attempt(lambda: fit_lead(pair.y, pair.x, pair.lags))
    same = attempt(lambda: fit_same_period(pair.y, pair.x))
    findings = (
        *_lag_findings(pair, plan, lags),
        pair.finding("lead_placebo", -1, lead),
        pair.finding("same_period", 0, same),
    )
    if shortage:
        findings = tuple(replace(finding, reason=shortage) for finding in findings)
    evidence = replace(
        _with_intervals(sized, lags, pair.scale),
        in_lineage=in_lineage,
        lead_p=lead.estimate.p if lead else np.nan,
        same_period_r2=same.r2_within if same else np.nan,
    )
    return Examination(findings, evidence, pair.scale, lags)


def _sized(grid: Grid, kpi: str, outcome: str, plan: Plan) -> tuple[Pair, Evidence]:
    x, y = grid.values[kpi], grid.values[outcome]
    both = np.isfinite(x) & np.isfinite(y)
    n_periods = int(both.any(axis=0).sum())
    lags = usable_lags(plan.lags, n_periods)
    sd_x, share_x = within_spread(rows_of(x, y))
    sd_y, share_y = within_spread(rows_of(y, x))
    evidence = Evidence(
        n_people=rows_of(y, *history(y, x, lags)).n_people,
        n_periods=n_periods,
        lags=lags,
        coverage=float(both.sum() / max(1, (grid.active & in_use(x)).sum())),
        within_share=min(share_x, share_y),
    )
    return Pair(kpi, outcome, x, y, lags, sd_x / sd_y if sd_y > 0 else np.nan), evidence


def in_use(x: FloatArray) -> npt.NDArray[np.bool_]:
    """Periods (T) from the first to the last in which anybody has the KPI: before, nobody was asked for it."""
    used = np.flatnonzero(np.isfinite(x).any(axis=0))
    periods = np.arange(x.shape[1])
    return (periods >= used.min(initial=periods.size)) & (periods <= used.max(initial=-1))


def _lag_findings(pair: Pair, plan: Plan, fitted: LagFit | None) -> tuple[Finding, ...]:
    profile = [Measured(fitted.rows, estimate) for estimate in fitted.profile] if fitted else [None] * pair.lags
    total = Measured(fitted.rows, fitted.total) if fitted else None
    by_lag = tuple(pair.finding("lag", lag, measured) for lag, measured in enumerate(profile, start=1))
    summed = pair.finding("sum_of_lags", None, total)
    inside = pair.finding("equivalence", None, total, confidence=0.90)
    if fitted:
        inside = replace(inside, p=equivalence_p(fitted.total.scaled(pair.scale), plan.sesoi))
    over_all: tuple[Finding, ...] = (_joint(pair, fitted), summed, inside)
    if fitted and pair.lags < plan.lags:
        over_all = tuple(replace(finding, reason="lags_reduced") for finding in over_all)
    return (*by_lag, *over_all)


def _joint(pair: Pair, fitted: LagFit | None) -> Finding:
    if fitted is None:
        return pair.finding("joint_lags", None, None)
    rows = fitted.rows
    return Finding(pair.kpi, pair.outcome, "joint_lags", None, rows.n_people, rows.n_periods, p=fitted.joint.p)


def _with_intervals(evidence: Evidence, fitted: LagFit | None, scale: float) -> Evidence:
    if fitted is None:
        return evidence
    total = fitted.total.scaled(scale)
    (low, high), (low90, high90) = total.interval(), total.interval(0.90)
    return replace(evidence, p=fitted.joint.p, ci_low=low, ci_high=high, ci90_low=low90, ci90_high=high90)
