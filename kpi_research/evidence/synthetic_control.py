"""One team changed: it is compared with the mixture of other teams that moved as it did before.

Synthetic control (Abadie, Diamond & Hainmueller 2010) on deviations from each team's mean before the change (Doudchenko
& Imbens 2016; Ferman & Pinto 2021): a team with the highest or the lowest results is no mixture of the others, but it
may well move like one. Inference by placebos: every other team is treated as if it had changed. With J others the
smallest p is 1 / (J + 1), so that under nineteen of them nothing can be said at 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from kpi_research.evidence.fixed_effects import FloatArray, NotEstimableError
from kpi_research.evidence.wild_interval import ALPHA

LEAST_DONORS = 6
LEAST_BEFORE = 12
"""Months before the change without which a mixture that fits means nothing."""

LEAST_AFTER = 3
ENOUGH_DONORS = 19
"""With fewer no p can be as small as 5 %."""

BACKDATED_MONTHS = 6
EFFECT_MONTHS = 6
"""The effect is the mean of the first half-year after, as in an event study."""

POOR_FIT = 2.0
"""A misfit this many times that of a usual team is bad: most of it is months' noise, which no mixture follows."""


@dataclass(frozen=True)
class SyntheticControl:
    """A team and its mixture of others.

    Parameters
    ----------
    effect
        Mean over the first half-year after the change of the team less its mixture.
    low, high
        95 % interval from the placebos; NaN with fewer than nineteen others.
    p
        Rank of the effect by its misfit before, among those of all teams, by their number.
    weights
        J shares of the others, 1 in all.
    actual, mixture
        T values of the team, and of its mixture moved to the team's level before the change.
    misfit, usual_misfit
        Root mean squared difference of the two before the change, and the median of the others' own.
    placebos
        J effects of the others, as if each had changed.
    backdated
        What the same comparison shows in the last six months before the change, from the months before those: a change
        that had not come. NaN with fewer than eighteen months before.
    """

    effect: float
    low: float
    high: float
    p: float
    weights: FloatArray
    actual: FloatArray
    mixture: FloatArray
    misfit: float
    usual_misfit: float
    placebos: FloatArray
    backdated: float

    @property
    def is_poor_fit(self) -> bool:
        """Whether the mixture had not moved like the team before the change."""
        return self.misfit > POOR_FIT * self.usual_misfit

    @property
    def honest(self) -> tuple[float, float]:
        """The interval with the backdated effect added on both sides: what the method may get wrong without a cause."""
        return self.low - abs(self.backdated), self.high + abs(self.backdated)


def synthetic_control(treated: FloatArray, donors: FloatArray, start: int) -> SyntheticControl:
    """Compare a team's results (T) with those of J others (J x T), the change coming in month `start`.

    Raises
    ------
    NotEstimableError
        If there are fewer than 6 others, 12 months before or 3 after, a value is missing, or results do not vary.
    """
    length = donors.shape[1]
    short = len(donors) < LEAST_DONORS or start < LEAST_BEFORE or length - start < LEAST_AFTER
    own = treated - treated[:start].mean()
    if short or not np.isfinite(donors).all() or not np.isfinite(treated).all() or not own[:start].any():
        raise NotEstimableError
    weights = _fitted(treated, donors, start)
    effect, misfit = _gap(treated, donors, start, weights)
    placebos = [_gap(each, np.delete(donors, i, axis=0), start) for i, each in enumerate(donors)]
    sizes = np.sort([_size(*each) for each in placebos])[::-1]
    mixture = weights @ (donors - donors[:, :start].mean(axis=1, keepdims=True))
    allowed = int(ALPHA * (len(donors) + 1)) - 1
    reach = float(sizes[allowed]) * misfit if allowed >= 0 else np.nan
    earlier = start - BACKDATED_MONTHS
    backdated = _gap(treated[:start], donors[:, :start], earlier)[0] if earlier >= LEAST_BEFORE else np.nan
    return SyntheticControl(
        effect=effect,
        low=effect - reach,
        high=effect + reach,
        p=float(1 + np.sum(sizes >= _size(effect, misfit))) / (len(donors) + 1),
        weights=weights,
        actual=treated,
        mixture=mixture + treated[:start].mean(),
        misfit=misfit,
        usual_misfit=float(np.median([before for _, before in placebos])),
        placebos=np.array([each for each, _ in placebos]),
        backdated=backdated,
    )


def simplex_weights(target: FloatArray, donors: FloatArray) -> FloatArray:
    """The J shares, none negative and 1 in all, whose mixture of donors (J x S) comes closest to the target (S).

    With 1'w = 1 the difference is C w, C the donors less the target. Least squares of (0, 1) on (C; 1') without
    negative coefficients gives some u = s w; for any w the best s leaves |Cw|^2 / (1 + |Cw|^2), which grows with |Cw|:
    so w = u / sum(u) is exact.
    """
    C = (donors - target).T
    scale = float(np.sqrt(np.mean(C**2))) * np.sqrt(len(C))
    stacked = np.vstack([C / scale if scale > 0 else C, np.ones(len(donors))])
    u = np.asarray(nnls(stacked, np.append(np.zeros(len(C)), 1.0))[0])
    return np.asarray(u / u.sum())


def _fitted(target: FloatArray, donors: FloatArray, start: int) -> FloatArray:
    before = donors[:, :start] - donors[:, :start].mean(axis=1, keepdims=True)
    return simplex_weights(target[:start] - target[:start].mean(), before)


def _gap(target: FloatArray, donors: FloatArray, start: int, weights: FloatArray | None = None) -> tuple[float, float]:
    """Mean difference in the first half-year from `start` on, and root mean squared one before."""
    shares = _fitted(target, donors, start) if weights is None else weights
    difference = target - shares @ donors
    difference = difference - difference[:start].mean()
    return float(difference[start : start + EFFECT_MONTHS].mean()), float(np.sqrt(np.mean(difference[:start] ** 2)))


def _size(effect: float, misfit: float) -> float:
    return abs(effect) / misfit if misfit > 0 else np.inf
