"""Who was chosen for being low rises anyway: how much of a rise is that?

A bad half-year is partly bad luck, which does not come twice (regression to the mean; Galton 1886). Teams that had not
changed show how much: those as low before, in the same months, rose by so much. The comparison takes
results before as given (analysis of covariance), where the event study takes differences between teams as lasting.
Where teams were chosen for a bad half-year the event study says too much; where they are low for good this one says
too little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpi_research.evidence.fixed_effects import Codes, FloatArray, NotEstimableError
from kpi_research.evidence.wild_interval import Contrast, Regression, contrast_of

WINDOW_MONTHS = 6
LEAST_MONTHS = 3
"""Months with a value that a mean of half a year needs."""

LOWEST = 0.2
"""Changed teams count as the lowest if on average no more than this share of the unchanged ones was below them."""


@dataclass(frozen=True)
class ChanceRise:
    """A changed team's rise from half a year before the change to half a year after, per person and month.

    Parameters
    ----------
    rise
        Of the changed teams.
    by_chance
        Of unchanged ones that were as low before.
    beyond
        The rest, with its interval.
    carried
        How much of one unit more before is still there after (r in E[after | before] = mean + r (before - mean)).
    were_lowest
        Whether the changed teams had been among the lowest.
    """

    rise: float
    by_chance: float
    beyond: Contrast
    carried: float
    were_lowest: bool


def chance_rise(y: FloatArray, start: Codes, team: Codes) -> ChanceRise:
    """What changed teams did beyond unchanged ones with the same results before.

    Teams are compared, not people, since teams were chosen: how lasting differences within a team are says nothing
    about how lasting a team's low is. For every cohort: its teams, and those that have not changed until half a year
    after, by the means of their people with values on both sides; levels of cohorts are swept out. Arrays are those of
    `event_study.comparison`.

    Raises
    ------
    NotEstimableError
        If there is nobody to compare with.
    """
    rows = [row for cohort in np.unique(start[start < y.shape[1]]) for row in _of_cohort(y, start, team, int(cohort))]
    if not rows:
        raise NotEstimableError
    after, is_changed, before, cohort, teams = np.array(rows).T
    groups, clusters = (np.unique(codes, return_inverse=True)[1] for codes in (cohort, teams))
    beyond = contrast_of(Regression(after, np.column_stack([is_changed, before]), groups, None, clusters))
    regressors = np.column_stack([before, is_changed, np.eye(groups.max() + 1)[groups]])
    changed = is_changed > 0
    below = [
        np.less.outer(before[~changed & (groups == g)], before[changed & (groups == g)]) for g in np.unique(groups)
    ]
    rise = float((after - before)[changed].mean())
    return ChanceRise(
        rise=rise,
        by_chance=rise - beyond.value,
        beyond=beyond,
        carried=float(np.linalg.lstsq(regressors, after, rcond=None)[0][0]),
        were_lowest=bool(np.mean(np.concatenate([each.ravel() for each in below])) <= LOWEST),
    )


def _of_cohort(y: FloatArray, start: Codes, team: Codes, cohort: int) -> list[tuple[float, bool, float, int, int]]:
    """A row a team: after, whether it changed, before, cohort and team; none unless there are both kinds."""
    until = min(cohort + WINDOW_MONTHS, y.shape[1])
    before, after = _means(y[:, max(0, cohort - WINDOW_MONTHS) : cohort]), _means(y[:, cohort:until])
    known = np.isfinite(before) & np.isfinite(after) & ((start == cohort) | (start >= until))
    rows = []
    for code in np.unique(team[known]):
        own = known & (team == code)
        rows.append(
            (float(after[own].mean()), bool(start[own][0] == cohort), float(before[own].mean()), cohort, int(code))
        )
    return rows if len({is_changed for _, is_changed, *_ in rows}) == 2 else []


def _means(values: FloatArray) -> FloatArray:
    known = np.isfinite(values)
    count = known.sum(axis=1)
    sums = np.where(known, values, 0.0).sum(axis=1)
    return np.where(count >= min(LEAST_MONTHS, values.shape[1]), sums / np.maximum(count, 1), np.nan)
