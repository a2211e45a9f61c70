"""Poisson fits without one cluster at a time, all at once: what the jackknife of `counts.ppml` is made of.

Each fit is iteratively reweighted least squares from the fit with everybody; as arrays of clusters x persons x periods
a step of all of them costs little more than one of a few. A fit that has settled takes no more part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpi_research.evidence.connected import connected
from kpi_research.evidence.fixed_effects import TOLERANCE, Codes, FloatArray, NotEstimableError
from kpi_research.evidence.separation import BoolArray

MOST_STEPS = 100
SETTLED = 1e-3
"""Largest change of what the regressors do to a log mean in one step at which a fit has settled."""

_AT_ONCE = 2**24
"""Numbers in the arrays of fits that are made together; a bound on memory, not on the result."""


@dataclass(frozen=True)
class Fitted:
    """The fit with everybody, on persons x places: a place is a period, or just the number of a person's row.

    Parameters
    ----------
    y, log_mean, cells
        Outcomes, fitted log means, and where there is a row.
    X
        k regressors, each persons x places.
    groups
        Cluster of each person.
    coef
        k.
    with_periods
        Whether places are periods with effects of their own.
    """

    y: FloatArray
    log_mean: FloatArray
    cells: BoolArray
    X: FloatArray
    groups: Codes
    coef: FloatArray
    with_periods: bool


def fitted_on_grid(
    y: FloatArray,
    X: FloatArray,
    mean: FloatArray,
    coef: FloatArray,
    *,
    person: Codes,
    period: Codes | None,
    groups: Codes,
) -> Fitted:
    """The n rows of a fit by person and place.

    Raises
    ------
    ValueError
        If a person has two rows in a period.
    """
    place = _numbered_rows(person) if period is None else period
    shape = int(person.max()) + 1, int(place.max()) + 1
    cells = np.zeros(shape, dtype=bool)
    cells[person, place] = True
    if cells.sum() < len(y):
        raise ValueError("a person has two rows in a period")
    values = np.zeros((X.shape[1] + 2, *shape))
    values[:, person, place] = np.vstack([y, np.log(mean), X.T])
    of_person = np.zeros(shape[0], dtype=np.intp)
    of_person[person] = groups
    return Fitted(values[0], values[1], cells, values[2:], of_person, coef, period is not None)


def coefficients_without(fitted: Fitted) -> FloatArray:
    """Clusters x k coefficients of the same regression without each cluster.

    Raises
    ------
    NotEstimableError
        If the regressors are collinear without a cluster, nothing is left, or a fit does not settle.
    """
    clusters = np.arange(int(fitted.groups.max()) + 1)
    at_once = max(1, _AT_ONCE // ((len(fitted.X) + 2) * fitted.cells.size))
    return np.vstack(
        [_refitted(fitted, clusters[start : start + at_once]) for start in range(0, len(clusters), at_once)]
    )


def _numbered_rows(person: Codes) -> Codes:
    """Of each row the how manieth it is of its person."""
    order = np.argsort(person, kind="stable")
    starts = np.searchsorted(person[order], person[order])
    place = np.empty(len(person), dtype=np.intp)
    place[order] = np.arange(len(person)) - starts
    return place


def _refitted(fitted: Fitted, clusters: Codes) -> FloatArray:
    """Fits x k: without each of these clusters."""
    y, X = fitted.y, fitted.X
    kept = fitted.cells & (fitted.groups != clusters[:, None])[:, :, None]
    if fitted.with_periods:
        # a period without any sale has no finite effect
        kept &= ((y > 0) & kept).any(axis=1, keepdims=True)
    columns = np.broadcast_to(X, (len(kept), *X.shape))
    _check(X, _within(columns, kept.astype(float), fitted.with_periods), kept)
    found, log_mean = np.tile(fitted.coef, (len(kept), 1)), np.tile(fitted.log_mean, (len(kept), 1, 1))
    deviance, active = _deviance(y, log_mean, kept), np.arange(len(kept))
    for _ in range(MOST_STEPS):
        here, level = kept[active], log_mean[active]
        mean = np.where(here, np.exp(level), 0.0)
        working = level + np.divide(y - mean, mean, out=np.zeros_like(mean), where=here)
        left = _within(np.concatenate([working[:, None], columns[active]], axis=1), mean, fitted.with_periods)
        slopes = _slopes(left, mean)
        moved = np.where(here, np.einsum("ckpt,ck->cpt", left[:, 1:], slopes - found[active]), 0.0)
        step = working - left[:, 0] + np.einsum("ckpt,ck->cpt", left[:, 1:], slopes) - level
        log_mean[active], deviance[active] = _taken(y, level, np.where(here, step, 0.0), here, deviance[active])
        found[active] = slopes
        active = active[np.abs(moved).max(axis=(1, 2)) > SETTLED]
        if not active.size:
            return found
    raise NotEstimableError


def _taken(
    y: FloatArray, level: FloatArray, step: FloatArray, kept: BoolArray, last: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log means after the step, halved where the deviance would rise, and their deviance."""
    deviance = _deviance(y, level + step, kept)
    while np.any(worse := (deviance > last * (1 + TOLERANCE)) & (np.abs(step).max(axis=(1, 2)) > TOLERANCE)):
        step[worse] /= 2
        deviance[worse] = _deviance(y, level[worse] + step[worse], kept[worse])
    return level + step, deviance


def _within(columns: FloatArray, weights: FloatArray, with_periods: bool) -> FloatArray:
    """What weighted effects leave of each column, as `fixed_effects.within`; fits x columns x persons x places."""
    by_person = weights.sum(axis=2, keepdims=True)
    share = np.divide(weights, by_person, out=np.zeros_like(weights), where=by_person > 0)
    left = columns - np.einsum("cpt,ckpt->ckp", share, columns)[..., None]
    if not with_periods:
        return np.asarray(left)
    across = weights.transpose(0, 2, 1)
    system, diagonal = -(across @ share), np.arange(weights.shape[2])
    system[:, diagonal, diagonal] += weights.sum(axis=1)
    # one level of each connected set of periods is free: its ones, in the size of the system, make it regular
    size = np.trace(system, axis1=1, axis2=2)[:, None, None] / len(diagonal) + np.finfo(float).tiny
    right = np.einsum("cpt,ckpt->ctk", weights, left)
    effects = np.linalg.solve(system + size * connected(across @ weights > 0), right).transpose(0, 2, 1)
    left = left - effects[:, :, None, :]
    return np.asarray(left - np.einsum("cpt,ckpt->ckp", share, left)[..., None])


def _slopes(left: FloatArray, weights: FloatArray) -> FloatArray:
    """Fits x k weighted least squares of the first column on the others."""
    weighted = left[:, 1:] * weights[:, None]
    gram, score = np.einsum("cjpt,ckpt->cjk", weighted, left[:, 1:]), np.einsum("cjpt,cpt->cj", weighted, left[:, 0])
    return np.asarray(np.linalg.solve(gram, score[..., None])[..., 0])


def _check(X: FloatArray, left: FloatArray, kept: BoolArray) -> None:
    """Refuse regressors that are nothing beyond the effects, or beyond one another, as `fixed_effects.collinear`."""
    left = np.where(kept[:, None], left, 0.0)
    squares = np.einsum("ckpt,ckpt->ck", left, left)
    if np.any(squares <= TOLERANCE**2 * np.einsum("kpt,cpt->ck", X**2, kept.astype(float))):
        raise NotEstimableError
    shape = left / np.sqrt(squares)[:, :, None, None]
    if np.linalg.eigvalsh(np.einsum("cjpt,ckpt->cjk", shape, shape)).min() < TOLERANCE:
        raise NotEstimableError


def _deviance(y: FloatArray, log_mean: FloatArray, kept: BoolArray) -> FloatArray:
    """Of each fit, without what does not depend on the means; infinite where a mean is too large."""
    most = np.log(np.finfo(float).max) / 2
    own = np.where(y > 0, y * (np.log(np.where(y > 0, y, 1.0)) - log_mean) - y, 0.0)
    own = np.where(kept, own + np.exp(np.minimum(log_mean, most)), 0.0)
    return np.where(np.where(kept, log_mean, 0.0).max(axis=(1, 2)) > most, np.inf, 2 * own.sum(axis=(1, 2)))
