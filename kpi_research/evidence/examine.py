"""One KPI against one outcome: every test run once, or the reason why it could not be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kpi_research.evidence.between import Between, fit_between
from kpi_research.evidence.finding import Finding, Test
from kpi_research.evidence.fixed_effects import Codes, FloatArray
from kpi_research.evidence.forecast import Gain
from kpi_research.evidence.gates import Fitted, Gates, attempted, gates
from kpi_research.evidence.granger import Granger
from kpi_research.evidence.grid import Grid, rows_of, within_spread
from kpi_research.evidence.lags import LagFit, Measured, fit_lags_of, fit_same_period, history, usable_lags
from kpi_research.evidence.outcome import Outcome, Unit, outcome_of, unit_of
from kpi_research.evidence.peers import moves_as_one
from kpi_research.evidence.placebo import fit_lead
from kpi_research.evidence.plan import Plan
from kpi_research.evidence.power import equivalence_p
from kpi_research.evidence.stability import Stability
from kpi_research.evidence.verdict import LEAST_SHARE_LEFT, Evidence, insufficient


@dataclass(frozen=True)
class OnFile:
    """A KPI as it was on file at each period's end (N x T), and the share of its records that were made later."""

    x: FloatArray
    late_share: float


@dataclass(frozen=True)
class Pair:
    """A KPI x (N x T) and an outcome y, the number of lags, and how effects are told.

    `on_file` is x as it was on file at each period's end; None where its records do not say when they were made.
    """

    kpi: str
    outcome: str
    x: FloatArray
    y: Outcome
    lags: int
    unit: Unit
    on_file: OnFile | None = None

    def finding(self, test: Test, lag: int | None, measured: Measured | None, *, confidence: float = 0.95) -> Finding:
        """A finding of this pair; not applicable if nothing was measured."""
        empty = Finding(self.kpi, self.outcome, test, lag)
        if measured is None:
            return replace(empty, status="not_applicable", reason="not_estimable")
        sized = replace(empty, n_people=measured.rows.n_people, n_periods=measured.rows.n_periods)
        found = sized.measured(measured.estimate, self.unit.scale, confidence=confidence)
        return replace(
            found,
            effect=self.unit.told(found.effect),
            effect_unit=self.unit.name,
            effect_money=found.effect_money * self.unit.per_unit,
            ci_low=self.unit.told(found.ci_low),
            ci_high=self.unit.told(found.ci_high),
        )

    def finding_of_tested(self, test: Test, lag: int, measured: Measured | None) -> Finding:
        """A finding from the form of the outcome that is tested."""
        if measured is not None:
            measured = replace(measured, estimate=measured.estimate.scaled(1 / self.y.slope))
        return self.finding(test, lag, measured)


@dataclass(frozen=True)
class Examination:
    """What is known of one KPI before the family is looked at; `fitted` has its lags, if they could be estimated."""

    findings: tuple[Finding, ...]
    evidence: Evidence
    unit: Unit
    fitted: LagFit | None


def examine(
    grid: Grid,
    kpi: str,
    outcome: str,
    *,
    plan: Plan,
    in_lineage: bool,
    on_file: OnFile | None = None,
    teams: Codes | None = None,
    peers: Codes | None = None,
) -> Examination:
    """Run every test of `kpi` against `outcome`; what cannot be run is `not_applicable` with its reason.

    Parameters
    ----------
    teams
        N codes of the persons' teams, -1 for none; None where no teams are known.
    peers
        N codes of those whose periods share an effect (`peers.peers_of`); everybody's do if None.
    """
    pair, known = sized(grid, kpi, outcome, plan, peers)
    pair = replace(pair, on_file=on_file)
    shortage = insufficient(known, plan)

    def attempt(run: Callable[[], Fitted]) -> Fitted | None:
        return None if shortage else attempted(run)

    lags = attempt(lambda: fit_lags_of(pair.y, pair.x, pair.lags, peers))
    lead = attempt(lambda: fit_lead(pair.y.tested, pair.x, pair.lags, peers))
    same = attempt(lambda: fit_same_period(pair.y.tested, pair.x, peers))
    # whether both record the same thing is asked of the values themselves, whatever is tested and whoever is compared
    twice = attempt(lambda: fit_same_period(pair.y.values, pair.x))
    between = attempt(lambda: fit_between(pair.y.values, pair.x))
    then = on_file.x if on_file else None
    passed = gates(pair.y, pair.x, then, lags, teams=teams, peers=peers) if lags else Gates()
    findings = (
        *_lag_findings(pair, plan, lags),
        pair.finding_of_tested("lead_placebo", -1, lead),
        pair.finding_of_tested("same_period", 0, same),
        _between(pair, between),
        *_gate_findings(pair, passed),
    )
    if shortage:
        findings = tuple(replace(finding, reason=shortage) for finding in findings)
    evidence = replace(
        _with_intervals(known, lags, pair.unit),
        in_lineage=in_lineage,
        whole_teams=lags is None and peers is not None and moves_as_one(pair.y.values, pair.x, peers),
        lead_p=lead.estimate.p if lead else np.nan,
        same_period_r2=twice.r2_within if twice else np.nan,
        between_p=between.estimate.p if between else np.nan,
        between_effect=between.estimate.value if between else np.nan,
        **_passed(passed, on_file, lags),
    )
    return Examination(findings, evidence, pair.unit, lags)


def sized(grid: Grid, kpi: str, outcome: str, plan: Plan, peers: Codes | None) -> tuple[Pair, Evidence]:
    """KPI and outcome as a pair, and how much is known of both together."""
    x, result = grid.values[kpi], outcome_of(grid.values[outcome])
    y = result.values
    both = np.isfinite(x) & np.isfinite(y)
    n_periods = int(both.any(axis=0).sum())
    lags = usable_lags(plan.lags, n_periods)
    shares = [within_spread(rows_of(*both_ways))[1] for both_ways in ((x, y), (y, x))]
    evidence = Evidence(
        n_people=rows_of(result.tested, *history(result.tested, x, lags), peers=peers).n_people,
        n_periods=n_periods,
        lags=lags,
        coverage=float(both.sum() / max(1, (grid.active & in_use(x)).sum())),
        within_share=min(shares),
        effect_unit=result.unit,
    )
    return Pair(kpi, outcome, x, result, lags, unit_of(result, x)), evidence


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
        inside = replace(inside, p=equivalence_p(fitted.total.scaled(pair.unit.scale), *pair.unit.margins(plan.sesoi)))
    over_all: tuple[Finding, ...] = (_joint(pair, fitted), summed, inside)
    if fitted and pair.lags < plan.lags:
        over_all = tuple(replace(finding, reason="lags_reduced") for finding in over_all)
    return (*by_lag, *over_all)


def _joint(pair: Pair, fitted: LagFit | None) -> Finding:
    if fitted is None:
        return pair.finding("joint_lags", None, None)
    rows = fitted.rows
    return Finding(pair.kpi, pair.outcome, "joint_lags", None, rows.n_people, rows.n_periods, p=fitted.joint.p)


def _between(pair: Pair, fitted: Between | None) -> Finding:
    if fitted is None:
        return pair.finding("between", None, None)
    # a standard deviation within persons is no unit for what lies between them
    found = Finding(pair.kpi, pair.outcome, "between", None, fitted.n_people)
    return replace(found, effect_money=fitted.estimate.value, p=fitted.estimate.p)


def _gate_findings(pair: Pair, passed: Gates) -> Iterator[Finding]:
    total = Measured(passed.on_file.rows, passed.on_file.total) if passed.on_file else None
    on_file = pair.finding("on_file", None, total)
    yield on_file if pair.on_file else replace(on_file, reason="no_recorded_at")
    tests: tuple[tuple[Test, Granger | Gain | None], ...] = (("granger", passed.granger), ("forecast", passed.gain))
    for test, found in tests:
        if found is None:
            yield pair.finding(test, None, None)
        else:
            n_periods = found.n_origins if isinstance(found, Gain) else found.n_periods
            yield Finding(pair.kpi, pair.outcome, test, None, found.n_people, n_periods, p=found.p)
    stabilities: tuple[tuple[Test, Stability | None], ...] = (
        ("without_one_person", passed.by_person), ("without_one_team", passed.by_team),
    )  # fmt: skip
    for test, stable in stabilities:
        if stable is None:
            yield pair.finding(test, None, None)
        else:
            low, high = (
                pair.unit.told(value / pair.y.slope * pair.unit.scale) for value in (stable.lowest, stable.highest)
            )
            yield Finding(pair.kpi, pair.outcome, test, ci_low=low, ci_high=high, effect_unit=pair.unit.name)


def _passed(passed: Gates, on_file: OnFile | None, full: LagFit | None) -> dict[str, Any]:
    """What the ladder looks at of the gates."""
    left, then = np.nan, passed.on_file
    if then and full and full.total.value:
        left = then.total.value / full.total.value
    stable = [passed.by_person.same_sign] if passed.by_person else []
    if passed.by_team or passed.rests_on_a_team:
        stable.append(passed.by_team is not None and passed.by_team.share_left >= LEAST_SHARE_LEFT)
    if used := then or full:
        stable.append(np.sign(used.total.value) == np.sign(used.tested.value))
    return {
        "has_records": on_file is not None,
        "late_share": on_file.late_share if on_file else np.nan,
        "left_on_file": left,
        "on_file_p": then.joint.p if then else np.nan,
        "granger_p": passed.granger.p if passed.granger else np.nan,
        "gain_p": passed.gain.p if passed.gain else np.nan,
        "r2_oos": passed.gain.r2_oos if passed.gain else np.nan,
        "same_sign": all(stable) if passed.by_person else None,
    }


def _with_intervals(evidence: Evidence, fitted: LagFit | None, unit: Unit) -> Evidence:
    if fitted is None:
        return evidence
    (low, high), (low90, high90) = unit.interval(fitted.total), unit.interval(fitted.total, 0.90)
    sign_low, sign_high = unit.interval(fitted.tested)
    return replace(
        evidence,
        p=fitted.joint.p,
        ci_low=low,
        ci_high=high,
        ci90_low=low90,
        ci90_high=high90,
        sign_low=sign_low,
        sign_high=sign_high,
    )
