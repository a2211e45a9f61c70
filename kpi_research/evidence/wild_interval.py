"""From the wild cluster bootstrap's p to an interval: every value that the test does not reject.

Used whatever the number of teams: where few of them changed, the usual interval is far too short even with a dozen (see
the table in `few_teams`), and this one is too long rather than too short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kpi_research.evidence.few_teams import LEAST_TEAMS, wild_bootstrap
from kpi_research.evidence.fixed_effects import Codes, FloatArray, fit

ALPHA = 0.05
DRAWS = 1999
SEED = 20260801
"""Fixed, so that the same data give the same interval."""

FARTHEST = 64.0
"""Standard errors after which an end counts as unbounded: with few changed teams the test may reject nothing at all."""

PRECISION = 0.01
"""Standard errors to which an end is found."""


@dataclass(frozen=True)
class Contrast:
    """One comparison in natural units.

    Parameters
    ----------
    value, se
        The difference and its standard error, clustered by team.
    low, high
        95 % interval; infinite where the test rejects nothing on that side, NaN with fewer than six teams.
    p
        Of no difference; NaN with fewer than six teams.
    """

    value: float
    se: float
    low: float
    high: float
    p: float

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies on one side of zero, otherwise 0 (also without an interval)."""
        return int(self.low > 0) - int(self.high < 0)


@dataclass(frozen=True)
class Regression:
    """n rows: y (n), X (n x k) whose first column is asked about, and codes (n) of persons, periods and teams."""

    y: FloatArray
    X: FloatArray
    person: Codes
    period: Codes | None
    team: Codes

    def p_of(self, value: float) -> float:
        """The bootstrapped p of the hypothesis that the first coefficient is `value`."""
        left = self.y - value * self.X[:, 0]
        found = wild_bootstrap(
            left, self.X, 0, person=self.person, period=self.period, cluster=self.team, seed=SEED, draws=DRAWS
        )
        return found.p


def contrast_of(asked: Regression) -> Contrast:
    """The first coefficient with the interval that inverts the bootstrap's test.

    Raises
    ------
    NotEstimableError
        If the regressors are collinear or the rows too few.
    """
    value, se, n_teams = _fitted(asked)
    if n_teams < LEAST_TEAMS:
        return Contrast(value, se, np.nan, np.nan, np.nan)
    ends = {side: _end(asked.p_of, value, side * se) for side in (-1, 1)}
    return Contrast(value, se, ends[-1], ends[1], asked.p_of(0.0))


def end_of(asked: Regression, side: int) -> float:
    """One end of the same interval: the lower one for side -1, the upper one for 1; NaN with fewer than six teams."""
    value, se, n_teams = _fitted(asked)
    return _end(asked.p_of, value, side * se) if n_teams >= LEAST_TEAMS else np.nan


def ratio_ends(asked: Regression, other: FloatArray) -> tuple[float, float]:
    """95 % interval of the first coefficient by that of another outcome: every ratio b at which y - b * other has none.

    Anderson & Rubin (1949): right however weakly the other outcome moved, and then unbounded.

    Parameters
    ----------
    other
        n values of the other outcome.
    """
    moved, _, n_teams = _fitted(replace(asked, y=other))
    value = _fitted(asked)[0] / moved
    _, se, _ = _fitted(replace(asked, y=asked.y - value * other))
    if n_teams < LEAST_TEAMS:
        return np.nan, np.nan

    def p_of(ratio: float) -> float:
        return replace(asked, y=asked.y - ratio * other).p_of(0.0)

    return _end(p_of, value, -se / abs(moved)), _end(p_of, value, se / abs(moved))


def _fitted(asked: Regression) -> tuple[float, float, int]:
    fitted = fit(asked.y, asked.X, person=asked.person, period=asked.period, cluster=asked.team)
    first = fitted.at(0)
    return first.value, first.se, fitted.n_clusters


def _end(p_of: Callable[[float], float], value: float, step: float) -> float:
    """The value farthest in the step's direction that is not rejected, by doubling and then halving."""
    inside, outside = 0.0, 2.0
    while p_of(value + outside * step) > ALPHA:
        inside, outside = outside, 2 * outside
        if outside > FARTHEST:
            return float(np.copysign(np.inf, step))
    while outside - inside > PRECISION:
        middle = (inside + outside) / 2
        if p_of(value + middle * step) > ALPHA:
            inside = middle
        else:
            outside = middle
    return value + outside * step
