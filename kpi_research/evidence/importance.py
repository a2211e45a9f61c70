"""How much of what moves within people does each KPI carry? Shares of the explained variance (LMG, Shapley values).

What a KPI adds to R2 depends on which others are in the regression already. Its share is what it adds on average over
all orders in which they can come in (Lindeman, Merenda & Gold 1980; Groemping 2007), with person and period effects
always there first. The shares sum to the R2 within. They divide up what goes together and say nothing about causes.

Chance has shares too. Twelve KPIs of noise explained 1.6 % of the variance within people together on 200 panels of 40
people x 24 months and 9.3 % on 200 of 15 x 12, of which the largest had a third each time: what has not been found to
go with the result has no place in such a list.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kpi_research.evidence.fixed_effects import TOLERANCE, Codes, FloatArray, NotEstimableError, not_nested, within
from kpi_research.evidence.grid import Rows, lagged, rows_of

MOST_KPIS = 15
"""Twice as many regressions for every one more: 2^15 of them are still exact at once."""

_AT_ONCE = 2**22
"""Numbers that are worked on together; a bound on memory, not on the result."""


@dataclass(frozen=True)
class Importance:
    """Shares of the outcome's variance beyond the effects, 0-1, in the order in which the KPIs were given.

    Parameters
    ----------
    shares, low, high
        One a KPI: its share, and the ends of its interval.
    r2_within
        Their sum: what all KPIs explain together.
    """

    shares: FloatArray
    low: FloatArray
    high: FloatArray
    r2_within: float
    rows: Rows

    @property
    def of_explained(self) -> FloatArray:
        """Each KPI's share of what all of them explain; sums to one."""
        return self.shares / self.r2_within


def fit_importance(
    y: FloatArray,
    kpis: Sequence[Sequence[FloatArray]],
    *,
    rng: np.random.Generator,
    draws: int = 1000,
    level: float = 0.95,
) -> Importance:
    """Shares of the R2 within that each KPI carries, and their intervals from drawing persons again.

    A drawn sample fits better than the whole did by about as much as the whole fits better than the truth, so the ends
    of the percentile interval are moved down by what the drawn shares are higher on average, but not under zero. 95 %
    intervals then covered the truth in 92-98 % of 500 panels of 40 people x 24 months and in 91-97 % of 500 of 15 x 12,
    with five related KPIs (AR(.4)) that had true shares of .005-.06; and a KPI that did nothing in 99 and 98 %, where
    the percentile interval, which never reaches zero, did in 73 % of 300 (40 x 24).

    Parameters
    ----------
    y
        Outcome, N x T.
    kpis
        For each KPI its N x T arrays, such as `lag_block`: they come in together and have one share.
    draws
        Samples of as many persons as there are, drawn with replacement together with all their rows.
    level
        Probability with which an interval is meant to cover the truth.

    Raises
    ------
    NotEstimableError
        If there is no KPI or more than 15, one of them has nothing beyond the effects, nothing is left of the outcome,
        or rows or persons are too few.
    """
    if not 1 <= len(kpis) <= MOST_KPIS or not all(len(block) for block in kpis):
        raise NotEstimableError
    rows = rows_of(y, *(values for block in kpis for values in block))
    absorbed = not_nested(rows.person, rows.period) if len(rows.y) else 0
    if rows.n_people < 2 or len(rows.y) <= rows.X.shape[1] + absorbed + rows.n_people - 1:
        raise NotEstimableError
    columns = within(np.column_stack([rows.X, rows.y]), rows.person, rows.period)
    left, whole = np.linalg.norm(columns, axis=0), np.linalg.norm(np.column_stack([rows.X, rows.y]), axis=0)
    if np.any(left <= TOLERANCE * whole):
        raise NotEstimableError
    columns /= left
    sizes = [len(block) for block in kpis]
    shares = shapley_shares((columns.T @ columns)[None], sizes)[0]
    drawn = _redrawn(columns, rows, sizes, rng, draws)
    tail = (1 - level) / 2
    excess = np.maximum(np.nanmean(drawn, axis=0) - shares, 0.0)
    low, high = np.nanquantile(drawn, [tail, 1 - tail], axis=0) - excess
    return Importance(shares, np.maximum(low, 0.0), high, float(shares.sum()), rows)


def lag_block(x: FloatArray, lags: int) -> list[FloatArray]:
    """A KPI's values one to `lags` periods earlier, N x T each: one entry of `kpis`."""
    return [lagged(x, lag) for lag in range(1, lags + 1)]


def shapley_shares(products: FloatArray, sizes: Sequence[int]) -> FloatArray:
    """Shares of R2 of each block of regressors, averaged over all orders of blocks, for many regressions at once.

    Parameters
    ----------
    products
        Regressions x (k + 1) x (k + 1): products of the k regressors and, last, the outcome, without their means or
        effects.
    sizes
        How many regressors each block has, in the order of the columns; they sum to k.

    Returns
    -------
    Regressions x blocks; NaN where the outcome is constant. A regressor that is nothing beyond those before it adds
    nothing, so that two of the same have the same share.
    """
    explained = explained_by_subset(products, sizes)
    blocks = len(sizes)
    members = (np.arange(2**blocks)[:, None] >> np.arange(blocks)) & 1
    count = members.sum(axis=1)
    # |S|! (p - |S| - 1)! / p!, the share of orders in which exactly S comes before a block
    orders = np.array([1 / (blocks * math.comb(blocks - 1, size)) for size in range(blocks)])
    weights = np.where(members, orders[count - 1][:, None], -orders[np.minimum(count, blocks - 1)][:, None])
    return np.asarray(explained @ weights)


def explained_by_subset(products: FloatArray, sizes: Sequence[int]) -> FloatArray:
    """R2 of every subset of the blocks, regressions x 2^blocks; block j is in subset s where bit j of s is set.

    Every block in turn doubles the matrices: once it is left out, and once it is swept from all that come after it
    (Frisch-Waugh-Lovell). Either way its own rows and columns are needed no more, so the matrices become smaller as
    their number grows.

    Parameters
    ----------
    products, sizes
        As in `shapley_shares`.
    """
    total = products[:, -1, -1]
    kept = products[:, None]
    whole = np.einsum("rkk->rk", products)
    for size in sizes:
        swept = kept
        for column in range(size):
            swept = _swept(swept, column, whole[:, column])
        kept = np.concatenate([kept[..., size:, size:], swept[..., size:, size:]], axis=1)
        whole = whole[:, size:]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - kept[..., 0, 0] / total[:, None])


def _swept(matrices: FloatArray, column: int, whole: FloatArray) -> FloatArray:
    """What a column leaves of all columns: regressions x subsets x k x k."""
    pivot = matrices[..., column, column]
    usable = pivot > TOLERANCE * whole[:, None]
    inverse = np.where(usable, 1 / np.where(usable, pivot, 1.0), 0.0)
    line = matrices[..., column, :]
    swept: FloatArray = matrices - (line * inverse[..., None])[..., :, None] * line[..., None, :]
    return swept


def _redrawn(columns: FloatArray, rows: Rows, sizes: Sequence[int], rng: np.random.Generator, draws: int) -> FloatArray:
    """Shares in samples of persons, draws x blocks; a person drawn twice counts as two, each with their own effect.

    Only the period effects have to be estimated anew. Their normal equations are sums over persons, so that a sample
    is a weighted sum and needs no rows.
    """
    people, periods, k = rows.n_people, rows.n_periods, columns.shape[1]
    cells = np.zeros((people, periods))
    cells[rows.person, rows.period] = 1.0
    placed = np.zeros((people, periods, k))
    placed[rows.person, rows.period] = columns
    share = cells / cells.sum(axis=1, keepdims=True)
    grams = np.einsum("ntj,ntk->njk", placed, placed)
    who = _by_result(rows)
    counts = np.zeros((draws, people))
    np.add.at(counts, (np.arange(draws)[:, None], who[rng.integers(people, size=(draws, people))]), 1.0)
    shares = np.empty((draws, len(sizes)))
    step = max(1, _AT_ONCE // max(people * periods, periods**2, 2 ** len(sizes) * 4))
    for start in range(0, draws, step):
        times = counts[start : start + step]
        right, gram = (np.tensordot(times, each, axes=1) for each in (placed, grams))
        system = np.eye(periods) * (times @ cells)[:, None] - (times[..., None] * share).transpose(0, 2, 1) @ cells
        effects = np.linalg.pinv(system, rcond=TOLERANCE, hermitian=True) @ right
        left = gram - right.transpose(0, 2, 1) @ effects
        # what varied in persons alone who were not drawn is rounding now
        gone = np.einsum("dkk->dk", left) <= TOLERANCE * np.einsum("dkk->dk", gram)
        left[gone[:, :, None] | gone[:, None, :]] = 0.0
        shares[start : start + step] = shapley_shares(left, sizes)
    return shares


def _by_result(rows: Rows) -> Codes:
    """Persons in an order that does not depend on their names or their place, so that neither do the draws."""
    results = np.full((rows.n_people, rows.n_periods), -np.inf)
    results[rows.person, rows.period] = rows.y
    order: npt.NDArray[np.intp] = np.lexsort(results.T)
    return order
