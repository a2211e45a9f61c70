"""From a panel and a change to what happened after it, by the design that the change allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.chance_rise import ChanceRise, chance_rise
from kpi_research.evidence.changes import STRONG_F, Change, ChangeEffect, Timing, design_of, timing_of
from kpi_research.evidence.event_study import AFTER, Comparison, comparison, effect_of, event_study
from kpi_research.evidence.fixed_effects import FloatArray, NotEstimableError
from kpi_research.evidence.gates import attempted
from kpi_research.evidence.grid import grid_of
from kpi_research.evidence.interrupted import interrupted
from kpi_research.evidence.synthetic_control import SyntheticControl, synthetic_control
from kpi_research.evidence.synthetic_differences import synthetic_differences
from kpi_research.evidence.wild_interval import Contrast, ratio_ends


def change_effect(
    panel: pd.DataFrame, change: Change, *, teams: Mapping[str, str], outcome: str, others: Sequence[Change] = ()
) -> ChangeEffect:
    """What happened to an outcome after a KPI was given weight.

    Parameters
    ----------
    panel
        Long, monthly, as for `study`; its person level counts.
    teams
        Team of each person, by `entity_id`. Who is in none is left out.
    others
        All changes of the client: a KPI that changed at the same time takes a share in what happened.

    Raises
    ------
    InputError
        If outcome, KPI or a team is not in the data, all at once; too little data is no error but a `reason`.
    """
    grid = grid_of(panel)
    known = sorted(set(teams.values()))
    problems = [_unknown("changes.unknown_kpi", kpi, sorted(grid.values))
                for kpi in (change.kpi, outcome) if kpi not in grid.values]  # fmt: skip
    problems += [_unknown("changes.unknown_team", team, known) for team in change.starts if team not in known]
    if problems:
        raise InputError(problems)
    timing = timing_of(change, grid, teams)
    design, reason = design_of(timing)
    y, x = (np.where(timing.usable, grid.values[name], np.nan) for name in (outcome, change.kpi))
    found = ChangeEffect(change, outcome, design, reason, together=change.together_with(others), periods=grid.periods)
    starts = timing.team_starts()
    found = replace(found, n_teams=len(starts), n_changed_teams=int((starts < timing.length).sum()))
    try:
        return _JUDGED[design](found, y, x, timing)
    except NotEstimableError:
        return replace(found, design="none", reason="not_estimable")


def _unknown(key: str, given: str, allowed: list[str]) -> Problem:
    return Problem(key, values={"given": given}, given=given, allowed=allowed)


def _not_judged(found: ChangeEffect, y: FloatArray, x: FloatArray, timing: Timing) -> ChangeEffect:
    return replace(found, n_people=int((np.isfinite(y) & np.isfinite(x) & timing.usable).any(axis=1).sum()))


def _staggered(found: ChangeEffect, y: FloatArray, x: FloatArray, timing: Timing) -> ChangeEffect:
    """Outcome and KPI on the same rows, so that one may be divided by the other."""
    made = comparison(np.isfinite(y) & np.isfinite(x), timing.start, timing.team)
    seen = event_study(y, made)
    first = effect_of(x, made)
    value, (low, high) = np.nan, (np.nan, np.nan)
    if first.sign and (first.value / first.se) ** 2 >= STRONG_F:
        value, (low, high) = seen.effect.value / first.value, _ratio(y, x, made)
    return replace(
        found,
        effect=seen.effect,
        first_stage=first,
        honest_low=seen.honest_low,
        honest_high=seen.honest_high,
        per_unit=value,
        per_unit_low=low,
        per_unit_high=high,
        chance=_chance(y, timing),
        event=seen,
        n_teams=seen.n_teams,
        n_changed_teams=seen.n_changed_teams,
        n_people=seen.n_people,
    )


def _ratio(y: FloatArray, x: FloatArray, made: Comparison) -> tuple[float, float]:
    after = made.weights_of(AFTER)
    return ratio_ends(made.regression(y, after), made.regression(x, after).y)


def _chance(y: FloatArray, timing: Timing) -> ChanceRise | None:
    try:
        return chance_rise(y, timing.start, timing.team)
    except NotEstimableError:
        return None


def _synthetic(found: ChangeEffect, y: FloatArray, x: FloatArray, timing: Timing) -> ChangeEffect:
    """Monthly means of the people of each team; the month in which the change came midway is left out for all."""
    (treated,) = np.unique(timing.team[timing.usable.any(axis=1) & (timing.start < timing.length)])
    start = int(timing.start[timing.team == treated][0])
    midway = ~timing.usable[timing.team == treated].any(axis=0)
    kept, at = ~midway, start - int(midway[:start].sum())
    means = {name: _team_means(values[:, kept], timing) for name, values in (("y", y), ("x", x))}
    others = [
        t for t in range(len(timing.names)) if t != treated and all(np.isfinite(m[t]).all() for m in means.values())
    ]
    made, of_kpi = (synthetic_control(m[treated], m[others], at) for m in means.values())
    low, high = made.honest
    return replace(
        found,
        effect=_as_contrast(made),
        first_stage=_as_contrast(of_kpi),
        honest_low=low,
        honest_high=high,
        chance=_chance(y, timing),
        synthetic=made,
        differences=attempted(lambda: synthetic_differences(means["y"][treated], means["y"][others], at)),
        periods=tuple(np.array(found.periods)[kept]),
        n_people=int((np.isfinite(y) & np.isfinite(x)).any(axis=1).sum()),
        donors={timing.names[t]: float(share) for t, share in zip(others, made.weights, strict=True)},
    )


def _team_means(values: FloatArray, timing: Timing) -> FloatArray:
    """Teams x months: means over people; NaN where nobody has a value, so that the team is no donor."""
    return np.array([_mean_of(values[timing.team == team]) for team in range(len(timing.names))])


def _mean_of(values: FloatArray) -> FloatArray:
    known: npt.NDArray[np.bool_] = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _as_contrast(made: SyntheticControl) -> Contrast:
    return Contrast(made.effect, np.nan, made.low, made.high, made.p)


def _interrupted(found: ChangeEffect, y: FloatArray, x: FloatArray, timing: Timing) -> ChangeEffect:
    start = int(timing.team_starts().min())
    whole = np.where(np.isfinite(y) & np.isfinite(x), y, np.nan)
    series, of_kpi = interrupted(whole, start), interrupted(np.where(np.isfinite(whole), x, np.nan), start)
    return replace(
        found,
        effect=Contrast(series.step, np.nan, series.low, series.high, np.nan),
        first_stage=Contrast(of_kpi.step, np.nan, of_kpi.low, of_kpi.high, np.nan),
        series=series,
        periods=tuple(np.array(found.periods)[series.months]),
        n_people=int(np.isfinite(whole).any(axis=1).sum()),
    )


_JUDGED: dict[str, Callable[[ChangeEffect, FloatArray, FloatArray, Timing], ChangeEffect]] = {
    "staggered": _staggered, "synthetic": _synthetic, "interrupted": _interrupted, "none": _not_judged,
}  # fmt: skip
