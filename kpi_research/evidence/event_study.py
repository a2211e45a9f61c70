"""Teams that changed, compared in the same months with teams that had not yet: an event study.

Person and month effects, and a coefficient for every cohort (teams that changed in the same month) in every half-year
before its change, the last one being the reference, and in every month after it (Sun & Abraham 2021). Averages weigh
by person-months. One coefficient for "after the change" would compare late teams with early ones that are changed
already, and goes wrong where effects grow or differ (Goodman-Bacon 2021); here nobody is compared with a team that has
changed. Half-years before, not months: one month of one team is mostly noise, and schemes are set by the half-year.
Months after: an effect that grows within half a year would else pass for a month effect (.16 standard errors of bias).

Every average is a sum v'y of outcomes, and v is orthogonal to person and month effects. So it is also the coefficient
of the regressor v / v'v, and the wild cluster bootstrap of `few_teams` can test it as it stands. Errors are what
half-years before and after, shared by all cohorts, do not explain: with a coefficient of its own a cohort of a single
team would fit itself, and its error would be taken for zero. Where effects differ by cohort the errors are therefore
too large rather than too small (the idea of Borusyak, Jaravel & Spiess 2024 for their own estimator).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kpi_research.evidence.fixed_effects import (
    Codes,
    FloatArray,
    NotEstimableError,
    collinear,
    t_quantile,
    within,
)
from kpi_research.evidence.grid import rows_of
from kpi_research.evidence.wild_interval import ALPHA, Contrast, Regression, contrast_of, end_of

BIN_MONTHS = 6
BINS_BEFORE = 3
"""Half-years before a change that are looked at, the reference included: older ones say little about now."""

BINS_AFTER = 2
"""Half-years after it that are shown: later, too few teams are left that had not changed."""

REFERENCE = -1
AFTER = range(1)
"""Half-years whose mean is the effect. The first alone: every further one lets the teams drift apart for longer, so
that the honest interval grows faster than the ordinary one shrinks."""

POWER = 0.80


@dataclass(frozen=True)
class Trend:
    """How differently the teams that changed later were moving already before.

    Parameters
    ----------
    slope
        Change per month beyond that of the teams compared with.
    visible_slope
        The slope that these data would have shown four times out of five (Roth 2022).
    visible_bias
        What a trend that steep, had it gone on, would have made of the effect.
    """

    slope: Contrast
    visible_slope: float
    visible_bias: float


@dataclass(frozen=True)
class EventStudy:
    """What happened after a change, in natural units per person and month.

    Parameters
    ----------
    effect
        Mean over the changed teams' person-months of the first half-year after.
    by_half_year
        Half-years from the change (0 is the first one after, -1 the reference) -> difference from the reference.
    honest_low, honest_high
        Interval of the effect if, after the change, the teams had drifted apart from one half-year to the next by as
        much as they ever did before it; NaN with fewer than two half-years before.
    trend
        None with fewer than two half-years before.
    """

    effect: Contrast
    by_half_year: Mapping[int, Contrast]
    honest_low: float
    honest_high: float
    trend: Trend | None
    n_teams: int
    n_changed_teams: int
    n_people: int
    n_periods: int


@dataclass(frozen=True)
class Comparison:
    """The rows and regressors of an event study.

    Parameters
    ----------
    kept
        Places of the n rows in the flattened N x T arrays.
    person, period, team
        n codes.
    is_after
        n: rows under a change.
    cells, counts
        Cohort and time of each of the K columns of `X`, and its person-months. Times before the change are half-years
        (-2, -3 ...), times after it months (0, 1 ...).
    half_years
        K: the half-year of each cell.
    X, pooled
        n x K indicators of cells, and n x B of half-years, without person and month effects.
    """

    kept: Codes
    person: Codes
    period: Codes
    team: Codes
    cells: tuple[tuple[int, int], ...]
    counts: FloatArray
    half_years: Codes
    is_after: npt.NDArray[np.bool_]
    X: FloatArray
    pooled: FloatArray
    bin_months: int

    def weights_of(self, half_years: range) -> FloatArray:
        """K weights: person-months of these half-years, 1 in all."""
        chosen = np.isin(self.half_years, half_years) * self.counts
        if not chosen.any():
            raise NotEstimableError
        return np.asarray(chosen / chosen.sum())

    def regression(self, y: FloatArray, weights: FloatArray) -> Regression:
        """The regression whose first coefficient is the weighted sum of the cells' coefficients; y is N x T."""
        v = self.X @ np.linalg.solve(self.X.T @ self.X, weights)
        z = v / (v @ v)
        rest = self.pooled - np.outer(z, z @ self.pooled) / (z @ z)
        basis, sizes, _ = np.linalg.svd(rest, full_matrices=False)
        others = basis[:, sizes > 1e-6 * max(1.0, sizes.max(initial=0.0))]
        own = y.ravel()[self.kept]
        return Regression(own, np.column_stack([z, others]), self.person, self.period, self.team)


def comparison(
    known: npt.NDArray[np.bool_],
    start: Codes,
    team: Codes,
    *,
    bin_months: int = BIN_MONTHS,
    before: int = BINS_BEFORE,
    after: int = BINS_AFTER,
) -> Comparison:
    """Who is compared with whom.

    Parameters
    ----------
    known
        N x T: person-periods with a value of everything that is to be compared.
    start
        N: the first period under the change; T or later for people whose team has not changed in these data.
    team
        N codes.

    Raises
    ------
    NotEstimableError
        If nobody changed, or nobody is left who had not changed yet.
    """
    length = known.shape[1]
    usable, first = _compared(known, start, bin_months, before, after)
    rows = rows_of(np.where(usable, np.arange(usable.size, dtype=float).reshape(usable.shape), np.nan))
    kept = rows.y.astype(np.intp)
    cohort = first.repeat(length)[kept]
    since = np.tile(np.arange(length), len(first))[kept] - cohort
    half_year = np.where(cohort < length, np.floor_divide(since, bin_months), REFERENCE)
    time = np.where(half_year >= 0, since, half_year)
    own = half_year != REFERENCE
    cells = sorted({*zip(cohort[own].tolist(), time[own].tolist(), strict=True)})
    if not any(at >= 0 for _, at in cells):
        raise NotEstimableError
    X = np.column_stack([(cohort == c) & (time == at) for c, at in cells]).astype(float)
    left = within(X, rows.person, rows.period)
    if collinear(left, np.linalg.norm(X, axis=0)):
        raise NotEstimableError
    pooled = np.column_stack([half_year == b for b in np.unique(half_year[own])]).astype(float)
    return Comparison(
        kept=kept,
        person=rows.person,
        period=rows.period,
        team=np.unique(team.repeat(length)[kept], return_inverse=True)[1],
        is_after=half_year >= 0,
        cells=tuple(cells),
        counts=X.sum(axis=0),
        half_years=np.array([at // bin_months if at >= 0 else at for _, at in cells], dtype=np.intp),
        X=left,
        pooled=within(pooled, rows.person, rows.period),
        bin_months=bin_months,
    )


def _compared(
    known: npt.NDArray[np.bool_], start: Codes, bin_months: int, before: int, after: int
) -> tuple[npt.NDArray[np.bool_], Codes]:
    """The person-periods compared (N x T), and each person's start, T for those who serve as unchanged (N)."""
    length, there = known.shape[1], known.any(axis=1)
    usable, first = known.copy(), np.minimum(start, length)
    if (first[there] < length).all():
        # the teams that changed last are compared with until then, and nobody after
        last = int(first[there].max(initial=0))
        usable[:, last:] = False
        first = np.where(first == last, length, first)
    bins = np.floor_divide(np.arange(length) - first[:, None], bin_months)
    changed = first < length
    usable &= ~changed[:, None] | ((bins >= -before) & (bins < after))
    for cohort in np.unique(first[changed]):
        of = first == cohort
        if not (usable[of] & (bins[of] == REFERENCE)).any() or not (usable[of] & (bins[of] >= 0)).any():
            usable[of] = False
    return usable, first


def event_study(y: FloatArray, made: Comparison) -> EventStudy:
    """The effect of a change on y (N x T), its course by half-years, and how far the comparison can be trusted.

    Raises
    ------
    NotEstimableError
        If the rows are too few or y does not vary.
    """
    bins = np.unique(made.half_years).tolist()
    low, high = honest_ends(y, made)
    return EventStudy(
        effect=effect_of(y, made),
        by_half_year={b: contrast_of(made.regression(y, made.weights_of(range(b, b + 1)))) for b in bins},
        honest_low=low,
        honest_high=high,
        trend=_trend(y, made),
        n_teams=int(made.team.max()) + 1,
        n_changed_teams=len(np.unique(made.team[made.is_after])),
        n_people=int(made.person.max()) + 1,
        n_periods=int(made.period.max()) + 1,
    )


def effect_of(y: FloatArray, made: Comparison) -> Contrast:
    """The mean effect on y (N x T) over the changed teams' person-months after the change."""
    return contrast_of(made.regression(y, made.weights_of(AFTER)))


def honest_ends(y: FloatArray, made: Comparison, m_bar: float = 1.0) -> tuple[float, float]:
    """Interval of the effect when trends after the change may differ as much as they did before it.

    Relative magnitudes (Rambachan & Roth 2023): from one half-year to the next the teams drift apart by at most `m_bar`
    times the largest such step before the change. The bias of a mean over half-years 0, 1, ... is then at most
    c * m_bar * |largest step|, c being the mean of 1, 2, ... A step s with its sign makes that bound linear, so that
    effect -+ c * m_bar * s has an ordinary interval; the ends returned are the outermost over all steps and signs. That
    covers whichever step is truly the largest, and is wider than the authors' own hybrid intervals.

    Returns
    -------
    The two ends; NaN with fewer than two half-years before the change or fewer than six teams.
    """
    after = made.weights_of(AFTER)
    reach = m_bar * float(after @ (made.half_years + 1))
    asked = [made.regression(y, after + reach * sign * step) for step in _steps(made) for sign in (-1, 1)]
    if not asked:
        return np.nan, np.nan
    return min(end_of(each, -1) for each in asked), max(end_of(each, 1) for each in asked)


def _steps(made: Comparison) -> list[FloatArray]:
    """K weights of each step from one half-year before the change to the next, within cohorts that have both."""
    place = {cell: i for i, cell in enumerate(made.cells)}
    after = made.weights_of(AFTER)
    size = {c: sum(after[i] for (d, _), i in place.items() if d == c) for c, _ in place}
    steps = []
    for b in sorted({b for _, b in place if b < REFERENCE}):
        both = [c for c in size if (c, b) in place and ((c, b + 1) in place or b + 1 == REFERENCE)]
        weights = np.zeros(len(place))
        for c in both:
            weights[place[c, b]] -= size[c]
            if b + 1 != REFERENCE:
                weights[place[c, b + 1]] += size[c]
        if any(size[c] for c in both):
            steps.append(weights / sum(size[c] for c in both))
    return steps


def _trend(y: FloatArray, made: Comparison) -> Trend | None:
    before = [*np.unique(made.half_years[made.half_years < REFERENCE]).tolist(), REFERENCE]
    if len(before) < 2:
        return None
    months = made.bin_months * (np.array(before) - np.mean(before))
    line = months / (months @ months)
    weights = [made.weights_of(range(b, b + 1)) * k for b, k in zip(before[:-1], line[:-1], strict=True)]
    slope = contrast_of(made.regression(y, np.sum(weights, axis=0)))
    df = int(made.team.max())
    visible = (t_quantile(1 - ALPHA / 2, df) + t_quantile(POWER, df)) * slope.se
    apart = made.bin_months * float(made.weights_of(AFTER) @ (made.half_years - REFERENCE))
    return Trend(slope, visible, visible * apart)
