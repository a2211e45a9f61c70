"""A claim such as "+30 % in half a year", held against what the client's own half-years did without the product."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.fixed_effects import FloatArray
from kpi_research.periods import MONTHS_IN, ONE_DAY, Period, periods_between

Form = Literal["relative", "points"]
"""`relative`: 20 % becomes 26 % is +30 %. `points`: 20 % becomes 50 % is +30 points."""
FORMS: tuple[Form, ...] = get_args(Form)

LEAST_COMPARABLES = 6
"""Fewer earlier half-years are no distribution."""

SEASON_MONTHS = 36
"""Months of history from which only the same season of other years is compared."""

SEASON_SLACK = 1
"""Months by which the same season may be earlier or later."""

LEAST_OF_SEASON = 3
LEAST_SEPARATE = 5
"""Separate periods of history from which it can be said what usually follows a low one."""

LEFT = (-0.5, 0.95)
"""Between these lies the share of a deviation that is left in the next period."""


@dataclass(frozen=True)
class Claim:
    """What somebody says a product or a scheme has done.

    Parameters
    ----------
    kpi
        Which.
    size
        0.30 for +30 % as for +30 points; negative for a fall.
    form
        Whether `size` is a share of the value before, or a difference of shares.
    before, after
        The periods compared; the product came with the second.
    who
        Team, or the company.
    source
        Who says so, in the client's own words.

    Raises
    ------
    InputError
        If `form` is not said, `size` is nothing, or the periods are not of whole months, equally long, one after the
        other; all at once.
    """

    kpi: str
    size: float
    form: Form
    before: Period
    after: Period
    who: str = "company"
    source: str = ""

    def __post_init__(self) -> None:
        problems = []
        if self.form not in FORMS:
            problems.append(Problem("claims.form", values={"given": self.form}, given=self.form, allowed=FORMS))
        if not np.isfinite(self.size) or self.size == 0:
            problems.append(Problem("claims.size", values={"given": self.size}))
        problems += [
            Problem("claims.months", values={"given": period.name})
            for period in (self.before, self.after)
            if period.grain not in MONTHS_IN
        ]
        values = {"before": self.before.name, "after": self.after.name}
        if self.before.grain != self.after.grain:
            problems.append(Problem("claims.length", values=values))
        if self.after.start < self.before.end:
            problems.append(Problem("claims.order", values=values))
        if problems:
            raise InputError(problems)


@dataclass(frozen=True)
class Answer:
    """What the client's own history says to a claim.

    Parameters
    ----------
    status
        `ok`; `too_short` (too few earlier half-years); `no_values` (the KPI has none, or is zero or less where a share
        of it is asked for).
    observed
        Change in the client's own data between the two periods, in the claim's form; NaN if they are not in them.
    comparables
        Pairs of periods before the product, as long and as far apart; they overlap, so that they are fewer than they
        look (`distinct`: how many would fit without overlapping, or years of the same season).
    as_claimed, as_observed
        In how many of them the change was at least as large, in the claim's direction.
    same_season
        Whether they are of the same season only.
    expected, as_claimed_then
        What usually followed a period as low or high as the claim's own, and the share of changes around it that were
        at least as large as claimed; NaN with too few pairs or without the period in the data.
    changes
        The comparable changes.
    """

    claim: Claim
    status: Literal["ok", "too_short", "no_values"]
    observed: float = np.nan
    comparables: int = 0
    distinct: int = 0
    as_claimed: int = 0
    as_observed: int = 0
    same_season: bool = False
    expected: float = np.nan
    as_claimed_then: float = np.nan
    changes: FloatArray = field(default_factory=lambda: np.array([]))


def answer(claim: Claim, panel: pd.DataFrame) -> Answer:
    """Hold a claim against the months before the product came.

    Parameters
    ----------
    panel
        Long and monthly, with the company or the team of the claim: `entity_id, period, kpi, value, numerator,
        denominator, status`. A ratio over several months is that of the sums.

    Raises
    ------
    InputError
        If KPI or entity is not in the panel.
    """
    rows = panel[panel["level"].isin(["company", "team"])]
    problems = [
        Problem(key, values={"given": given}, given=given, allowed=allowed)
        for key, given, column in (
            ("claims.unknown_kpi", claim.kpi, "kpi"),
            ("claims.unknown_who", claim.who, "entity_id"),
        )
        if given not in (allowed := sorted(rows[column].unique()))
    ]
    if problems:
        raise InputError(problems)
    own = rows[rows["kpi"].eq(claim.kpi) & rows["entity_id"].eq(claim.who)]
    if own.empty:
        return Answer(claim, "no_values")
    series = _series(own, claim)
    starts = np.arange(series.product - series.apart - series.after + 1)
    changes = np.array([series.change(int(start)) for start in starts])
    starts, changes = starts[np.isfinite(changes)], changes[np.isfinite(changes)]
    if series.is_empty or (len(changes) == 0 and series.product - series.apart >= LEAST_COMPARABLES + series.after):
        return Answer(claim, "no_values")
    observed = series.change(series.own)
    in_season = np.isin((series.own - starts) % 12, [*range(SEASON_SLACK + 1), *range(12 - SEASON_SLACK, 12)])
    by_season = series.product >= SEASON_MONTHS and int(in_season.sum()) >= LEAST_OF_SEASON
    compared = changes[in_season] if by_season else changes
    years = np.unique(np.round((series.own - starts[in_season]) / 12))
    if len(changes) < LEAST_COMPARABLES:
        return Answer(claim, "too_short", observed, len(changes))
    side = np.sign(claim.size)
    expected, around = _after_such_a_start(series, starts)
    return Answer(
        claim,
        "ok",
        observed,
        comparables=len(compared),
        distinct=len(years) if by_season else (series.product - series.apart) // series.after,
        as_claimed=int(np.sum(side * compared >= side * claim.size)),
        as_observed=int(np.sum(side * compared >= side * observed)),
        same_season=by_season,
        expected=expected,
        as_claimed_then=float(np.mean(side * around >= side * claim.size)) if len(around) else np.nan,
        changes=compared,
    )


@dataclass(frozen=True)
class _Series:
    """A KPI by month: numerators and denominators; where `own` and `product` (places of months) are the claim's start
    of the first period and of the second; lengths of both, and months from one to the other.
    """

    numerator: FloatArray
    denominator: FloatArray
    form: Form
    own: int
    product: int
    before: int
    after: int
    apart: int

    @property
    def is_empty(self) -> bool:
        """Whether no month has a value."""
        return not np.isfinite(self.numerator).any()

    def value(self, months: npt.NDArray[np.intp]) -> float:
        """The KPI over some months; NaN unless at least half of them have a value and all are in the data."""
        inside = (months >= 0) & (months < len(self.numerator))
        top, bottom = self.numerator[months[inside]], self.denominator[months[inside]]
        known = np.isfinite(top) & np.isfinite(bottom)
        if not inside.all() or 2 * known.sum() < len(months) or bottom[known].sum() == 0:
            return np.nan
        return float(top[known].sum() / bottom[known].sum())

    def windows(self, start: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The months of the two periods when the first one begins at `start`."""
        return start + np.arange(self.before), start + self.apart + np.arange(self.after)

    def change(self, start: int) -> float:
        """From the one to the other in the claim's form; NaN where there is none."""
        return self.difference(*(self.value(months) for months in self.windows(start)))

    def difference(self, earlier: float, later: float) -> float:
        """Between two values in the claim's form."""
        if self.form == "points":
            return later - earlier
        return later / earlier - 1 if earlier > 0 and later >= 0 else np.nan

    def deviation(self, months: npt.NDArray[np.intp], usual: float) -> float:
        """How far the KPI over some months lies from the usual value, in the claim's form."""
        return self.difference(usual, self.value(months))

    def moved(self, before: float, after: float | FloatArray) -> FloatArray:
        """The change between two deviations from the same usual value, in the claim's form."""
        start, end = np.asarray(before), np.asarray(after)
        return end - start if self.form == "points" else (1 + end) / (1 + start) - 1


def _series(rows: pd.DataFrame, claim: Claim) -> _Series:
    """The claim's KPI, from the first month in the data to the last one, or to the end of the claim's second period."""
    given = rows[rows["status"].isin(["ok"])].set_index("period")
    names = [month.name for month in _months(rows, claim)]
    top = given["numerator"].where(given["numerator"].notna(), given["value"]).reindex(names).to_numpy(dtype=float)
    bottom = given["denominator"].reindex(names).to_numpy(dtype=float)
    is_ratio = np.isfinite(bottom).any()
    return _Series(
        top,
        bottom if is_ratio else np.where(np.isfinite(top), 1.0, np.nan),
        claim.form,
        own=_place(claim.before, names),
        product=_place(claim.after, names),
        before=len(claim.before.split("month")),
        after=len(claim.after.split("month")),
        apart=_place(claim.after, names) - _place(claim.before, names),
    )


def _months(rows: pd.DataFrame, claim: Claim) -> list[Period]:
    first = min(Period.parse(str(rows["period"].min())).start, claim.before.start)
    return periods_between(first, claim.after.end - ONE_DAY, "month")


def _place(period: Period, names: list[str]) -> int:
    return names.index(Period.containing(period.start, "month").name)


def _after_such_a_start(series: _Series, starts: npt.NDArray[np.intp]) -> tuple[float, FloatArray]:
    """What usually followed a first period as high as the claim's own, and the changes around that; none if too few.

    Of a deviation from the usual value the share r is left in the second period (regression to the mean): r is the
    slope of second on first periods, put right for the short history that the usual value comes from, which makes it
    too low by about (1 + 3 r) / K with K separate periods (Kendall 1954). The claim's own first period is held against
    the other months before the product.

    Where nothing but chance was at work and the product came after the worst of the last four half-years (300 series of
    eight half-years, monthly rho 0, .5 and .8), the mean rise was 18, 25 and 23 % and the mean of what was expected
    18, 24 and 19 %.
    """
    history, own = np.arange(series.product), series.windows(series.own)[0]
    separate = series.product / series.before
    usual, others = series.value(history), series.value(np.setdiff1d(history, own))
    pairs = np.array(
        [[series.deviation(months, usual) for months in series.windows(int(start))] for start in starts]
    ).reshape(-1, 2)
    first, second = pairs[np.isfinite(pairs).all(axis=1)].T
    height = series.deviation(own, others)
    if separate < LEAST_SEPARATE or not np.isfinite(height) or not first.any():
        return np.nan, np.array([])
    found = float(first @ second / (first @ first))
    left = float(np.clip((separate * found + 1) / (separate - 3), *LEFT))
    around = second - left * first
    return float(series.moved(height, left * height)), series.moved(height, left * height + around - around.mean())
