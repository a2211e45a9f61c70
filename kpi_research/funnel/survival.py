"""Waiting times with competing ends on a grid of whole days: Kaplan-Meier and Aalen-Johansen, for one sample or many.

Held to `statsmodels.duration` in `tests/test_funnel_survival.py`. That is not called here for two reasons: resampling
needs the same curve under hundreds of weights at once, and light commands must not load it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpi_research.proportion import share_interval

Array = np.ndarray
WAITING, NEXT, LOST = 0, 1, 2
"""How a case ended: not yet, by reaching the next stage, or by being lost."""


@dataclass(frozen=True)
class Curves:
    """What became of cases by the number of days since they entered, on the grid 0, 1 ... of whole days.

    Parameters
    ----------
    at_risk
        Cases observed at least so long and not ended before; the last axis is days.
    ends
        Cases that ended on that day, by kind of end (first axis `NEXT - 1`, `LOST - 1` ...).
    survival
        Kaplan-Meier: share still there after that day.
    incidence
        Aalen-Johansen: share that had ended in each way by that day.
    """

    at_risk: Array
    ends: Array
    survival: Array
    incidence: Array

    @property
    def followed(self) -> int:
        """The last day on which anybody was still observed."""
        seen = np.flatnonzero(np.atleast_2d(self.at_risk)[0] > 0)
        return int(seen[-1]) if len(seen) else -1

    def by(self, day: float, kind: int = NEXT) -> Array:
        """Share that had ended in one way by a day; the last known share after the grid's end."""
        return np.asarray(self.incidence[kind - 1][..., min(int(day), self.survival.shape[-1] - 1)])


def curves(
    days: Array, ended: Array, *, kinds: int = 2, weights: Array | None = None, grid: int | None = None
) -> Curves:
    """Kaplan-Meier and Aalen-Johansen curves of one sample.

    Parameters
    ----------
    days
        Whole days until the end, or until observation stopped.
    ended
        0 where observation stopped first, otherwise the kind of end, 1 to `kinds`.
    weights
        How often each case counts: of shape (n,), or (replicates, n) for as many curves at once.
    grid
        Last day of the grid; by default the longest time.

    Notes
    -----
    E. L. Kaplan and P. Meier (1958), Nonparametric estimation from incomplete observations, JASA 53(282), 457-481.
    O. O. Aalen and S. Johansen (1978), An empirical transition matrix for non-homogeneous Markov chains based on
    censored observations, Scandinavian Journal of Statistics 5(3), 141-150. Ends come before stops of observation on
    the same day.
    """
    cells = _counted(days, ended, kinds, weights, grid)
    found = _curves(cells.reshape(-1, *cells.shape[-2:]))
    if cells.ndim == 3:
        return found
    return Curves(found.at_risk[0], found.ends[:, 0], found.survival[0], found.incidence[:, 0])


def resampled_curves(days: Array, ended: Array, *, kinds: int = 2, replicates: int, rng: np.random.Generator) -> Curves:
    """As many curves, each of a sample in which every case counts as often as chance has it.

    Notes
    -----
    A Poisson bootstrap: cases count 0, 1, 2 ... times independently (J. A. Hanley and B. MacGibbon (2006), Creating
    non-parametric bootstrap samples using Poisson frequencies, Computer Methods and Programs in Biomedicine 83,
    57-62). The sums of a day's cases are then Poisson as well and are drawn at once, however many cases there are.
    """
    return _curves(
        rng.poisson(_counted(days, ended, kinds, None, None), (replicates, *_shape(days, kinds))).astype(float)
    )


def _shape(days: Array, kinds: int) -> tuple[int, int]:
    return kinds + 1, 1 + int(np.max(days, initial=0))


def _counted(days: Array, ended: Array, kinds: int, weights: Array | None, grid: int | None) -> Array:
    """Cases by kind of end and day (last two axes)."""
    size = max(_shape(days, kinds)[1], 1 + (grid or 0))
    cells = np.asarray(ended, dtype=int) * size + np.asarray(days, dtype=int)
    least = (kinds + 1) * size
    if weights is None or np.ndim(weights) == 1:
        return np.bincount(cells, weights=weights, minlength=least).reshape(kinds + 1, size).astype(float)
    counted = [np.bincount(cells, weights=row, minlength=least) for row in weights]
    return np.array(counted).reshape(len(weights), kinds + 1, size)


def _curves(by_end: Array) -> Curves:
    """Curves from counts by replicate, kind of end and day."""
    left = by_end.sum(axis=1)
    at_risk = left[:, ::-1].cumsum(axis=1)[:, ::-1]
    ends = by_end[:, 1:]
    share = np.divide(ends, at_risk[:, None], out=np.zeros_like(ends), where=at_risk[:, None] > 0)
    survival = np.cumprod(1 - np.minimum(share.sum(axis=1), 1.0), axis=1)
    before = np.hstack([np.ones((len(by_end), 1)), survival[:, :-1]])
    incidence = np.cumsum(before[:, None] * share, axis=2)
    return Curves(at_risk, np.moveaxis(ends, 1, 0), survival, np.moveaxis(incidence, 1, 0))


def incidence_errors(found: Curves) -> Array:
    """Standard errors of one sample's incidence, by kind of end and day.

    Notes
    -----
    The delta-method variance of R. J. Gray (1988), A class of K-sample tests for comparing the cumulative incidence of
    a competing risk, Annals of Statistics 16(3), 1141-1154, in the form of statsmodels' `CumIncidenceRight`.
    """
    n, ended = found.at_risk, found.ends.sum(axis=0)
    before = np.concatenate([[1.0], found.survival[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        all_ends = np.where(n > ended, ended / (n * (n - ended)), 0.0)
        errors = []
        for incidence, ends in zip(found.incidence, found.ends, strict=True):
            own = np.where(n > 0, (before / n) ** 2 * (n - ends) * ends / n, 0.0)
            both = np.where(n > 0, before / n * ends / n, 0.0)
            variance = incidence**2 * all_ends.cumsum() - 2 * incidence * (incidence * all_ends).cumsum()
            variance += (incidence**2 * all_ends).cumsum() + own.cumsum()
            variance += 2 * (incidence * both).cumsum() - 2 * incidence * both.cumsum()
            errors.append(np.sqrt(np.maximum(variance, 0.0)))
    return np.array(errors)


def survival_errors(found: Curves) -> Array:
    """Standard errors of one sample's survival: M. Greenwood (1926), The natural duration of cancer."""
    n, ended = found.at_risk, found.ends.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(n > ended, ended / (n * (n - ended)), 0.0)
    return np.asarray(found.survival * np.sqrt(terms.cumsum()))


def median_days(found: Curves) -> float:
    """Days after which half have left; null where fewer than half are known to: then it is later than the data."""
    below = np.flatnonzero(found.survival <= 0.5)
    return float(below[0]) if len(below) else float("nan")


def median_interval(found: Curves) -> tuple[float, float]:
    """Days between which the median lies: where the survival's interval reaches a half.

    Notes
    -----
    R. Brookmeyer and J. Crowley (1982), A confidence interval for the median survival time, Biometrics 38(1), 29-41,
    with the survival's interval on the scale log(-log). An end that the data do not reach is null.
    """
    low, high = share_interval(1 - found.survival, survival_errors(found))
    sooner, later = np.flatnonzero(high >= 0.5), np.flatnonzero(low >= 0.5)
    return (float(sooner[0]) if len(sooner) else float("nan"), float(later[0]) if len(later) else float("nan"))


def restricted_mean(found: Curves, horizon: int) -> float:
    """Mean days until leaving, longer times counted as the horizon; null if nobody was observed so long.

    Notes
    -----
    P. Royston and M. K. B. Parmar (2013), Restricted mean survival time, BMC Medical Research Methodology 13, 152.
    """
    if found.followed < horizon:
        return float("nan")
    return float(1.0 * found.survival[:horizon].sum())


def first_day_at(found: Curves, share: float, kind: int = NEXT) -> float:
    """Days by which a share of all that ever end in one way had done so; null where none is known to."""
    incidence = found.incidence[kind - 1]
    reached = np.flatnonzero(incidence >= share * incidence[-1])
    return float(reached[0]) if incidence[-1] > 0 else float("nan")
