"""Which KPIs predict a result? A panel goes in; findings (one row a test) and verdicts (one row a KPI) come out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.apart import seen_apart
from kpi_research.evidence.beside import NOTHING_KNOWN, Beside, Known, beside
from kpi_research.evidence.depth import depth
from kpi_research.evidence.examine import Examination, OnFile, examine
from kpi_research.evidence.finding import as_frame
from kpi_research.evidence.fixed_effects import Codes, FloatArray
from kpi_research.evidence.grid import Grid, after_burn_in, grid_of, late_shares, placed
from kpi_research.evidence.multiplicity import aliases, alpha_within, family_q, in_view_of_all
from kpi_research.evidence.negative_controls import held_against, unfit_controls
from kpi_research.evidence.peers import peers_of
from kpi_research.evidence.permuted import permutation_ps
from kpi_research.evidence.plan import DEFAULT_PLAN, Plan
from kpi_research.evidence.power import minimum_detectable_effect, months_needed
from kpi_research.evidence.verdict import BY_DEFINITION, NO_LABELS, judge
from kpi_research.evidence.verdict_rows import verdicts_of
from kpi_research.language import Bilingual

__all__ = ["Plan", "Study", "study"]


@dataclass(frozen=True)
class Study:
    """The result of a study.

    Parameters
    ----------
    fingerprint
        SHA-256 of the plan with outcome, family and negative controls.
    findings
        One row a test; columns as in `Finding`.
    verdicts
        One row a KPI: `kpi, outcome, code, gate`; `effect, ci_low, ci_high` summed over the lags (95 %), for one
        within-person standard deviation of the KPI in `effect_unit`, those of the outcome or shares of it (`outcome`);
        the same per natural unit as `effect_per_unit, _low, _high`; `p, q, lead_p`, and beside q
        `q_by` and `familywise_p` (`multiplicity.in_view_of_all`), and `permutation_p` (`permuted`); `mde`
        (smallest visible effect); the gates `on_file_p, left_on_file, late_share, placebo_p, negative_control,
        granger_p, gain_p, r2_oos, same_sign, between_p, between_q, between_effect` (see `verdict.Evidence`);
        `n_people, n_periods, lags` (really used), `months_needed`; the sentence in both languages.
    depth
        One row a KPI that goes with the outcome (B or C): see `depth.depth`.
    beside
        Tables that decide no verdict: see `beside.Beside`.
    """

    plan: Plan
    fingerprint: str
    findings: pd.DataFrame
    verdicts: pd.DataFrame
    depth: pd.DataFrame
    beside: Beside = field(default_factory=Beside)


def study(
    panel: pd.DataFrame,
    *,
    outcome: str,
    kpis: Sequence[str] | None = None,
    plan: Plan = DEFAULT_PLAN,
    lineage: Collection[str] = (),
    asof: pd.DataFrame | None = None,
    teams: Mapping[str, str] | None = None,
    recent: tuple[str, int] | None = None,
    negative_controls: Sequence[str] = (),
    labels: Mapping[str, Bilingual] = NO_LABELS,
    known: Known = NOTHING_KNOWN,
    with_depth: bool = True,
) -> Study:
    """Test every KPI of the panel's person level against one outcome, as one family.

    Parameters
    ----------
    panel
        Long, one row a person, period and KPI: `level, entity_id, period, kpi, value, status`. Periods next to each
        other in the sorted names are consecutive; a person's missing period breaks the lags that reach across it. With
        `working_days` and `additive`, as `Client.panel` has them, KPIs that are sums over days are told per full period
        (`grid_of`). The first months of who came later are left out (`Plan.burn_in_months`).
    kpis
        The family; all KPIs but the outcome and the negative controls if None.
    lineage
        KPIs that share records with the outcome: mechanical, and not counted in the family.
    asof
        The same panel as it was on file at each period's end, for the KPIs whose records say when they were made.
        Other KPIs cannot be more than associated.
    teams
        Team of each person, by `entity_id`. People are then compared with those of their team in the same period
        (`peers`), and an effect that rests on one team predicts nothing for the others.
    recent
        The panel's KPI that is the outcome from deals begun in its own period or the K - 1 before, and K: what KPIs of
        `lineage` are held against, since they share no record with it (`apart`).
    negative_controls
        KPIs of the panel that those of the family cannot bring about, such as renewals that run by themselves: where a
        KPI goes with one of them as it does with the outcome, something else moves both (`negative_controls`).
    labels
        What KPIs are called in sentences; by their names where not given.
    known
        What is known of people and weeks beside the panel.
    with_depth
        Whether `Study.depth` and `Study.beside` are wanted; they take longer than all verdicts.

    Raises
    ------
    InputError
        If a column is missing, a row is repeated, outcome or a KPI is not in the panel, or a negative control is one of
        the family or shares records with the outcome; too little data is no error but a verdict.
    """
    controls = [*dict.fromkeys(negative_controls)]
    grid = after_burn_in(grid_of(_as_they_come(panel, controls)), plan.burn_in)
    names = _named(grid, outcome, kpis, controls, lineage)
    mechanical = {*lineage, outcome}
    on_file = _on_file(grid, panel, asof) if asof is not None else {}
    codes = _codes(grid, teams) if teams else None
    peers = None if codes is None else peers_of(codes, grid.active)
    asked = partial(examine, grid, outcome=outcome, plan=plan, teams=codes, peers=peers)
    used = {kpi: on_file[kpi].x if kpi in on_file else grid.values[kpi] for kpi in names}
    alone = [asked(kpi, in_lineage=kpi in mechanical, on_file=on_file.get(kpi)) for kpi in names]
    same = aliases({kpi: grid.values[kpi] for kpi in names if kpi not in mechanical})
    alone = [
        replace(one, evidence=replace(one.evidence, alias_of=same.get(kpi, "")))
        for kpi, one in zip(names, alone, strict=True)
    ]
    shared = {kpi: used[kpi] for kpi in names if kpi in mechanical}
    told = _told_apart(grid, outcome, recent, shared, peers) if recent else {}
    then = replace(grid, values={**grid.values, **used})
    together = [
        replace(one, evidence=replace(one.evidence, **told.get(kpi, {})))
        for kpi, one in zip(names, _with_aliases(_with_family(alone, plan), names), strict=True)
    ]
    examined = {
        kpi: held_against(one, then, kpi, controls, plan, peers) for kpi, one in zip(names, together, strict=True)
    }
    found = _gathered(examined, grid, outcome, plan, controls, labels)
    return _deepened(found, grid, outcome, used, known, peers) if with_depth else found


def _as_they_come(panel: pd.DataFrame, controls: Sequence[str]) -> pd.DataFrame:
    """The panel, with negative controls as sums that come in whether or not somebody is there."""
    if "additive" not in panel.columns:
        return panel
    return panel.assign(additive=panel["additive"].isin([True]) & ~panel["kpi"].isin(controls))


def _gathered(
    examined: Mapping[str, Examination],
    grid: Grid,
    outcome: str,
    plan: Plan,
    controls: Sequence[str],
    labels: Mapping[str, Bilingual],
) -> Study:
    """The study of what was found of each KPI."""
    findings = [finding for one in examined.values() for finding in one.findings]
    fingerprint = plan.fingerprint(outcome, list(examined), controls)
    nothing = depth(grid.values[outcome], {}, plan.lags, plan)
    return Study(plan, fingerprint, as_frame(findings), verdicts_of(examined, outcome, plan, labels), nothing)


def _deepened(
    found: Study,
    grid: Grid,
    outcome: str,
    used: Mapping[str, FloatArray],
    known: Known,
    peers: Codes | None,
) -> Study:
    """The study with what more can be said of the KPIs that go with the outcome, and beside all."""
    verdicts = found.verdicts[found.verdicts["alias_of"].eq("")]
    going = verdicts[verdicts["code"].isin(["B", "C"]) & ~verdicts["gate"].isin(BY_DEFINITION)]
    lags = int(going["lags"].min()) if len(going) else found.plan.lags
    family = {kpi: used[kpi] for kpi in verdicts.loc[verdicts["q"].notna(), "kpi"]}
    # p and q are of the whole record, whenever it was made; so is what stands beside them
    whole = {kpi: grid.values[kpi] for kpi in family}
    q_by, strict = in_view_of_all(found.verdicts, grid.values[outcome], whole, peers)
    shuffled = permutation_ps(grid.values[outcome], whole, found.plan.lags, peers)
    told = found.verdicts.assign(q_by=q_by, familywise_p=strict, permutation_p=found.verdicts["kpi"].map(shuffled))
    deep = depth(grid.values[outcome], {kpi: used[kpi] for kpi in going["kpi"]}, lags, found.plan)
    return replace(
        found, verdicts=told, depth=deep, beside=beside(grid, outcome, family, list(going["kpi"]), lags, known, peers)
    )


def _named(
    grid: Grid, outcome: str, kpis: Sequence[str] | None, controls: Sequence[str], lineage: Collection[str]
) -> list[str]:
    """The family."""
    allowed = sorted(grid.values)
    problems = [] if outcome in grid.values else [_unknown("study.unknown_outcome", outcome, allowed)]
    others = [kpi for kpi in allowed if kpi not in (outcome, *controls)]
    names = list(dict.fromkeys(kpis)) if kpis is not None else others
    problems += [_unknown("study.unknown_kpi", kpi, allowed) for kpi in (*names, *controls) if kpi not in grid.values]
    if not problems:
        problems = unfit_controls(grid, outcome, names, controls, lineage)
    if problems:
        raise InputError(problems)
    return names


def _unknown(key: str, given: str, allowed: list[str]) -> Problem:
    return Problem(key, values={"given": given}, given=given, allowed=allowed)


def _on_file(grid: Grid, panel: pd.DataFrame, asof: pd.DataFrame) -> dict[str, OnFile]:
    """Every KPI of the as-of panel, and the share of its records in the full panel that it lacks.

    Persons and periods are those of the grid: who is left out as new there had records on file here.
    """
    then = grid_of(asof)
    late = late_shares(panel, asof, grid)
    return {
        kpi: OnFile(np.where(grid.active, placed(values, then, grid), np.nan), late.get(kpi, np.nan))
        for kpi, values in then.values.items()
    }


def _told_apart(
    grid: Grid, outcome: str, recent: tuple[str, int], kpis: Mapping[str, FloatArray], peers: Codes | None
) -> dict[str, dict[str, Any]]:
    name, periods = recent
    others = {kpi: x for kpi, x in kpis.items() if kpi not in (outcome, name)}
    if name not in grid.values:
        return {}
    return seen_apart(grid.values[name], grid.values[outcome], others, periods, peers)


def _codes(grid: Grid, teams: Mapping[str, str]) -> Codes:
    names = sorted(set(teams.values()))
    return np.array([names.index(teams[person]) if person in teams else -1 for person in grid.people], dtype=np.intp)


def _with_family(examined: list[Examination], plan: Plan) -> list[Examination]:
    """Fill in what depends on the other KPIs: q, and the level at which power is judged.

    A mechanical KPI is no discovery: left in the family, its tiny p would loosen the threshold for all others.
    """
    judged = [one.evidence for one in examined]
    tested = np.array([judge(one, plan).code not in "HN" and not one.alias_of for one in judged])
    q, between_q = (
        family_q(np.where(tested, [getattr(evidence, name) for evidence in judged], np.nan))
        for name in ("p", "between_p")
    )
    return [
        _completed(one, float(value), float(between), float(alpha), plan)
        for one, value, between, alpha in zip(examined, q, between_q, alpha_within(q, plan.q), strict=True)
    ]


def _with_aliases(examined: list[Examination], names: list[str]) -> list[Examination]:
    """An alias has the q of the KPI that it repeats: it is no second discovery."""
    of = dict(zip(names, examined, strict=True))
    together = []
    for one in examined:
        first = of.get(one.evidence.alias_of)
        if first is not None:
            told = {name: getattr(first.evidence, name) for name in ("q", "between_q", "alpha", "mde", "months_needed")}
            one = replace(one, evidence=replace(one.evidence, **told))
        together.append(one)
    return together


def _completed(examined: Examination, q: float, between_q: float, alpha: float, plan: Plan) -> Examination:
    fitted, evidence = examined.fitted, examined.evidence
    if np.isnan(q) or fitted is None:
        return examined
    unit = examined.unit
    visible = minimum_detectable_effect(fitted.joint, fitted.visibility, alpha) * unit.scale
    _, target = unit.margins(2 * plan.sesoi)
    need = np.nan
    if visible > target:
        need = months_needed(visible, target, n_periods=evidence.n_periods, lags=evidence.lags, grain=plan.grain)
    of_test = {"joint_lags": q, "between": between_q}
    findings = tuple(replace(each, q=of_test.get(each.test, np.nan)) for each in examined.findings)
    judged = replace(evidence, q=q, between_q=between_q, alpha=alpha, mde=unit.told(visible), months_needed=need)
    return replace(examined, findings=findings, evidence=judged)
