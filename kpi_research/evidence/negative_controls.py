"""Results that a KPI cannot bring about: where it goes with one of them too, something else moves both.

Renewals that run by themselves, the orders of an account that headquarters keeps, customers' orders without anybody's
help: no visit changes them. Visits that "predict" them still are made, or recorded, when something is on that nobody
wrote down (a good spell in a territory, new energy of a person), and what they say of the real result may come from
the same thing (negative control outcomes: Lipsitch, Tchetgen Tchetgen & Cohen 2010).

Each control is asked what the outcome was asked: lags, person and period effects, its own last value, in the form in
which it moves (`outcome`), of the records that were on file in time. Several are held to 5 % together by Holm's (1979)
rule, not by Simes's: a failure is told with the control's name, and so that one must be found by itself.

A control that is passed clears the KPI only of what moves that control. How often causes are seen, on simulated
panels: `tests/test_evidence_negative_controls.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from kpi_research.errors import Problem
from kpi_research.evidence.examine import Examination, sized
from kpi_research.evidence.finding import Finding
from kpi_research.evidence.fixed_effects import Codes
from kpi_research.evidence.gates import attempted
from kpi_research.evidence.grid import Grid
from kpi_research.evidence.lags import Measured, fit_lags_of
from kpi_research.evidence.multiplicity import aliases
from kpi_research.evidence.plan import Plan
from kpi_research.evidence.verdict import insufficient


def held_against(
    examined: Examination, grid: Grid, kpi: str, controls: Sequence[str], plan: Plan, peers: Codes | None = None
) -> Examination:
    """The examination with a finding for each control and the smallest of their p, after Holm.

    A KPI that does not go with the outcome has nothing to be held against them for: it stays as it is.

    Parameters
    ----------
    grid
        The KPI as it was on file in time where that is known, and the controls.
    peers
        N codes of those whose periods share an effect (`peers.peers_of`); everybody's do if None.
    """
    if not examined.evidence.q <= plan.q:
        return examined
    found = tuple(_tested(grid, kpi, control, plan, peers) for control in controls)
    asked = [each for each in found if each.status == "ok"]
    evidence = examined.evidence
    if asked:
        strongest = min(asked, key=lambda each: each.p)
        p = min(1.0, len(asked) * strongest.p)
        evidence = replace(evidence, placebo_p=p, negative_control=strongest.outcome)
    return replace(examined, findings=(*examined.findings, *found), evidence=evidence)


def _tested(grid: Grid, kpi: str, control: str, plan: Plan, peers: Codes | None) -> Finding:
    """The joint test of the KPI's lags on one control, with the sum of the lags; or why it could not be asked."""
    pair, there = sized(grid, kpi, control, plan, peers)
    nothing = pair.finding("negative_control", None, None)
    # gaps in a control cost rows, and these are counted; they say nothing against the rows that are left
    if shortage := insufficient(replace(there, coverage=1.0), plan):
        return replace(nothing, reason=shortage)
    fitted = attempted(lambda: fit_lags_of(pair.y, pair.x, pair.lags, peers))
    if fitted is None or np.isnan(fitted.joint.p):
        return nothing
    summed = pair.finding("negative_control", None, Measured(fitted.rows, fitted.total))
    return replace(summed, p=fitted.joint.p)


def not_asked(findings: pd.DataFrame) -> pd.DataFrame:
    """The rows of a study's findings on controls that a KPI that goes with the outcome could not be held against."""
    return findings[findings["test"].isin(["negative_control"]) & findings["status"].isin(["not_applicable"])]


def unfit_controls(
    grid: Grid, outcome: str, kpis: Collection[str], controls: Collection[str], lineage: Collection[str]
) -> list[Problem]:
    """What is wrong with controls that the panel has: the result, or what is asked about, is no negative control."""
    problems = []
    for control in controls:
        values = {"given": control, "outcome": outcome}
        names = [name for name in dict.fromkeys((outcome, *kpis)) if name in grid.values and name != control]
        same = aliases({name: grid.values[name] for name in (*names, control)}).get(control)
        if control in (outcome, *lineage) or same == outcome:
            problems.append(Problem("study.control_shares_records", values=values))
        elif control in kpis:
            problems.append(Problem("study.control_in_family", values=values))
        elif same:
            problems.append(Problem("study.control_is_kpi", values={**values, "kpi": same}))
    return problems
