"""Many KPIs at many lags in one pass: every pair its own regression, all of them together.

`fixed_effects.fit` answers one question and takes a millisecond, nearly all of it for getting started. A map of KPIs by
lags asks hundreds on the same people and periods. Here the panel stays the person x period grid that it is: pairs that
can use the same cells share all that is not the KPI's (the result beyond its effects, the small system of the
periods), and what is a pair's own are sums over the grid (Frisch-Waugh-Lovell, as in `fixed_effects.within`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kpi_research.evidence.fixed_effects import TOLERANCE, Codes, FloatArray

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.intp]

BLOCK_BYTES = 2**22
"""How large the numbers of one block may get: several passes go over them, and these should find them in the cache."""


@dataclass(frozen=True)
class Batch:
    """The regressions of K KPIs at L lags.

    NaN stands where `fixed_effects.fit` would refuse, and where nothing is left of the result or of the clustered
    error: after a perfect fit, and of two people, who mirror each other once the periods' means are taken out.

    Parameters
    ----------
    coef, se
        K x L: the KPI's coefficient in natural units, and its standard error clustered by person (CRV1, t with
        `n_people` - 1 degrees of freedom).
    sd_x, sd_y
        K x L: standard deviation of KPI and result beyond person and period effects, over the rows of the pair.
    n_rows, n_people, n_periods
        K x L: what the regression rests on.
    left
        K x L: share of people's own variation that effects of periods leave, as `stepdown.beyond_periods`.
    scores
        K x L x N: each person's part of the sum that is zero where the KPI has no effect (KPI times result, both
        beyond the effects); zero for those who do not contribute.
    """

    coef: FloatArray
    se: FloatArray
    sd_x: FloatArray
    sd_y: FloatArray
    n_rows: Counts
    n_people: Counts
    n_periods: Counts
    left: FloatArray
    scores: FloatArray


@dataclass(frozen=True)
class _Cells:
    """B patterns of cells that a regression can use, and all that is the same for every KPI with that pattern.

    Parameters
    ----------
    used
        B x N x T: 1 where a cell is a row of the regression, 0 elsewhere.
    share
        B x 1 x N: one by the rows of a person; 1 for those without any.
    inverse
        B x T x T: an inverse of the normal equations of the periods, persons swept out.
    absorbed, n_rows, n_people, n_periods
        B x 1: degrees of freedom of the constant and the periods, as `fixed_effects.not_nested` counts them, and sizes.
    """

    used: FloatArray
    share: FloatArray
    inverse: FloatArray
    absorbed: Counts
    n_rows: Counts
    n_people: Counts
    n_periods: Counts


@dataclass(frozen=True)
class _Left:
    """What person and period effects leave of a column.

    Parameters
    ----------
    values
        B x C x N x T, zero where a cell is not used.
    squares
        B x C x N: summed by person.
    moves
        B x C: whether that is anything beside the size before.
    """

    values: FloatArray
    squares: FloatArray
    moves: Mask


def fit_each(y: FloatArray, kpis: FloatArray, lags: int, peers: Codes | None = None) -> Batch:
    """The result on each KPI alone, 1 to `lags` periods earlier, with person and period effects.

    The same numbers as `fit` on `rows_of(y, lagged(x, lag))` gives, singletons left out alike.

    Parameters
    ----------
    y
        N x T, NaN where there is no result.
    kpis
        K x N x T, NaN where there is no value. KPIs with the same holes share most of the work.
    lags
        At least 1.
    peers
        N codes of groups whose periods' means are out of y and KPIs already (`peers.beyond_peers`): they count among
        the effects. Where everybody has a value the numbers are those with effects of every group's own periods.

    Raises
    ------
    ValueError
        If the shapes differ or there is no lag.
    """
    if kpis.shape[1:] != y.shape or lags < 1:
        raise ValueError
    count, people, periods = kpis.shape
    found = _nothing_yet(count, lags, people)
    known = np.isfinite(kpis)
    groups = list(_groups(known, max(1, BLOCK_BYTES // (8 * max(1, y.size)))))
    for lag in range(1, min(lags, periods - 1) + 1):
        result = y[:, lag:]
        for patterns, blocks in groups:
            cells = _cells(_without_singletons(known[patterns, :, :-lag] & np.isfinite(result)), peers)
            left = _beyond_effects(np.where(cells.used, result, 0.0)[:, None], cells)
            for block in blocks:
                _fit_block(found, left, kpis[block, :, :-lag], cells, (block, lag - 1))
    return found


def _nothing_yet(count: int, lags: int, people: int) -> Batch:
    coef, se, sd_x, sd_y = np.full((4, count, lags), np.nan)
    n_rows, n_people, n_periods = np.zeros((3, count, lags), dtype=np.intp)
    left, scores = np.ones((count, lags)), np.zeros((count, lags, people))
    return Batch(coef, se, sd_x, sd_y, n_rows, n_people, n_periods, left, scores)


def _groups(known: Mask, most: int) -> Iterator[tuple[Counts, list[Counts]]]:
    """KPIs whose patterns of cells are told from `known` (K x N x T), and in which blocks (B x C of them) they are
    fitted: those of one pattern (B is 1), and those that share theirs with none (C is 1), `most` at once.
    """
    places: dict[bytes, list[int]] = {}
    for place, each in enumerate(known):
        places.setdefault(np.packbits(each).tobytes(), []).append(place)
    alone = [place for same in places.values() if len(same) == 1 for place in same]
    for part in _parts(alone, most):
        yield part, [part[:, None]]
    for same in places.values():
        if len(same) > 1:
            yield np.array(same[:1], dtype=np.intp), [part[None] for part in _parts(same, most)]


def _parts(places: list[int], most: int) -> Iterator[Counts]:
    for start in range(0, len(places), most):
        yield np.array(places[start : start + most], dtype=np.intp)


def _fit_block(found: Batch, y: _Left, x: FloatArray, cells: _Cells, at: tuple[Counts, int]) -> None:
    """Fill in one lag of one block; x (B x C x N x T) is overwritten."""
    np.copyto(x, 0.0, where=cells.used[:, None] == 0)
    own = _beyond_effects(x, cells)
    scores, bread, size = np.vecdot(own.values, y.values), own.squares.sum(axis=-1), y.squares.sum(axis=-1)
    n, groups = cells.n_rows, cells.n_people
    free = n - 1 - cells.absorbed
    told = (groups > 1) & (free >= groups) & own.moves & y.moves
    bread[~told] = np.nan
    coef = scores.sum(axis=-1) / bread
    parts = scores - coef[..., None] * own.squares
    meat = np.vecdot(parts, parts)
    told &= meat > TOLERANCE**2 * bread * size
    factor = groups / np.maximum(groups - 1, 1) * (n - 1) / np.maximum(free, 1)
    numbers = {
        "coef": coef,
        "se": np.sqrt(factor * meat) / bread,
        "sd_x": np.sqrt(bread / np.maximum(n, 1)),
        "sd_y": np.sqrt(size / np.maximum(n, 1)),
    }
    for name, values in numbers.items():
        getattr(found, name)[at] = np.where(told, values, np.nan)
    for name in ("n_rows", "n_people", "n_periods"):
        getattr(found, name)[at] = getattr(cells, name)
    found.left[at] = 1 - (cells.absorbed - 1) / np.maximum(n - groups, 1)
    found.scores[at] = np.where(told[..., None], scores, 0.0)


def _without_singletons(usable: Mask) -> Mask:
    """B x N x T without persons and periods of a single cell, as `grid.rows_of` leaves them out."""
    before = -1
    while (count := int(usable.sum())) != before:
        before = count
        usable = usable & (usable.sum(axis=2, keepdims=True) > 1) & (usable.sum(axis=1, keepdims=True) > 1)
    return usable


def _cells(usable: Mask, peers: Codes | None) -> _Cells:
    used = usable.astype(float)
    per_person, per_period = used.sum(axis=2), used.sum(axis=1)
    share = 1 / np.maximum(per_person, 1.0)
    system = -(used.mT @ (used * share[..., None]))
    first = _islands(system != 0)
    periods = np.arange(used.shape[2])
    system[:, periods, periods] += per_period
    # only the persons tell the level of a whole island; adding it to the equations leaves their solution as it is
    system += first[:, :, None] == first[:, None, :]
    of_everybody = _own_effects(first, per_period)
    return _Cells(
        used=used,
        share=share[:, None],
        inverse=np.linalg.inv(system),
        absorbed=1 + (of_everybody if peers is None else _effects_of_groups(used, peers)),
        n_rows=usable.sum(axis=(1, 2))[:, None],
        n_people=(per_person > 0).sum(axis=1, keepdims=True),
        n_periods=(per_period > 0).sum(axis=1, keepdims=True),
    )


def _own_effects(first: Counts, per_period: FloatArray) -> Counts:
    """B x 1: effects of periods that have rows, but for the level of every island (`first` of `_islands`)."""
    return np.asarray(((first != np.arange(first.shape[1])) & (per_period > 0)).sum(axis=1, keepdims=True))


def _effects_of_groups(used: FloatArray, peers: Codes) -> Counts:
    """B x 1: `_own_effects` of every group by itself, all together."""
    groups = (used[:, peers == group] for group in np.unique(peers))
    counts = [_own_effects(_islands(own.mT @ own > 0), own.sum(axis=1)) for own in groups]
    return np.asarray(np.sum(counts, axis=0))


def _islands(linked: Mask) -> Counts:
    """B x T: the first of the periods that one can get to over persons in common (`linked`, B x T x T)."""
    periods = np.arange(linked.shape[2])
    labels = np.broadcast_to(periods, linked.shape[:2])
    while True:
        nearest = np.minimum(np.where(linked, labels[:, None, :], periods.size).min(axis=2), labels)
        if np.array_equal(nearest, labels):
            return labels
        labels = nearest


def _beyond_effects(x: FloatArray, cells: _Cells) -> _Left:
    """Sweep the effects out of x (B x C x N x T, zero where a cell is not used), which is overwritten."""
    size = np.vecdot(x, x).sum(axis=-1)
    means = x.sum(axis=3) * cells.share
    periods = (x.sum(axis=2) - means @ cells.used) @ cells.inverse
    persons = means - (periods @ cells.used.mT) * cells.share
    x -= periods[:, :, None, :]
    x -= persons[..., None]
    x *= cells.used[:, None]
    squares = np.vecdot(x, x)
    return _Left(x, squares, squares.sum(axis=-1) > TOLERANCE**2 * size)
