"""Does the effect rest on one person or one team? The sum of the lags with each of them left out in turn.

Leaving somebody out changes the period effects, so that everybody's rows change; but the effects of the others do not
depend on it. Person effects are therefore swept out once, and what is left are the normal equations of period dummies
and regressors, a sum over people from which one person or team at a time is taken off. Every answer is the regression
without them, not an approximation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpi_research.evidence.connected import connected, rank
from kpi_research.evidence.fixed_effects import TOLERANCE, Codes, FloatArray, NotEstimableError, fit, within
from kpi_research.evidence.grid import rows_of
from kpi_research.evidence.lags import history
from kpi_research.evidence.parts import parts_of

_AT_ONCE = 2**22
"""Numbers in the systems that are solved together; a bound on memory, not on the result."""


@dataclass(frozen=True)
class Stability:
    """The sum of the lags, in natural units, with each person or team left out in turn.

    Parameters
    ----------
    lowest, highest
        Of all those sums.
    same_sign
        Whether all of them have the sign of the sum with everybody.
    most_influential
        Who moves the sum most by being left out: index of the person, or code of the team.
    total
        The sum with everybody.
    """

    lowest: float
    highest: float
    same_sign: bool
    most_influential: int
    total: float

    @property
    def share_left(self) -> float:
        """How much of the sum with everybody is left where least is; negative where the sign turns."""
        least = self.lowest if self.total > 0 else self.highest
        return least / self.total if self.total else 0.0


def leave_one_out(
    y: FloatArray, x: FloatArray, lags: int, groups: Codes | None = None, peers: Codes | None = None
) -> Stability:
    """How the sum of the lags of `lags.fit_lags` changes when one person or team is left out.

    Parameters
    ----------
    y, x
        Outcome and KPI, N x T each.
    groups
        N codes of teams, -1 for nobody's; if given, whole teams are left out, and who has none always stays.
    peers
        N codes of those whose periods share an effect, as in `rows_of`; nobody of `groups` may be in two of them.

    Raises
    ------
    NotEstimableError
        If the regression cannot be estimated with everybody, or not without one of them, on whom alone it then rests.
    """
    # rows number people anew: carried along as one more column, the index in y is kept
    index = np.broadcast_to(np.arange(len(y), dtype=float)[:, None], y.shape)
    rows = rows_of(y, *history(y, x, lags), index, peers=peers)
    X = rows.X[:, :lags]
    total = float(fit(rows.y, X, person=rows.person, period=rows.period).coef.sum())
    people = np.zeros(rows.n_people, dtype=np.intp)
    people[rows.person] = rows.X[:, -1].astype(np.intp)
    units = people if groups is None else groups[people]
    left_out = np.unique(units[units >= 0])
    if not left_out.size:
        raise NotEstimableError
    cells = np.zeros((rows.n_people, int(rows.period.max()) + 1))
    cells[rows.person, rows.period] = 1.0
    columns = np.zeros((*cells.shape, lags + 1))
    columns[rows.person, rows.period] = within(np.column_stack([X, rows.y]), rows.person, rows.period)
    sums = _sums_without(cells, columns, [np.flatnonzero(units == code) for code in left_out])
    furthest = int(np.argmax(np.abs(sums - total)))
    return Stability(
        lowest=float(sums.min()),
        highest=float(sums.max()),
        same_sign=bool(np.all(np.sign(sums) == np.sign(total)) and total != 0),
        most_influential=int(left_out[furthest]),
        total=total,
    )


@dataclass(frozen=True)
class _Left:
    """What is left without each of U sets of people.

    Parameters
    ----------
    products
        U x (k + 1) x (k + 1): products of regressors and, last, outcome after all effects.
    n_rows, n_effects
        U: rows, and effects of persons and periods.
    """

    products: FloatArray
    n_rows: FloatArray
    n_effects: FloatArray


def _sums_without(cells: FloatArray, columns: FloatArray, members: list[Codes]) -> FloatArray:
    """The sum of the lags without each of the given sets of people.

    Parameters
    ----------
    cells, columns
        People x periods, 1 where there is a row; and what person and period effects leave of the row's lags and, last,
        its outcome (zero where there is no row).
    members
        The people who are left out together, by position. Only the effects of the parts that they are in change.

    Raises
    ------
    NotEstimableError
        If the rows of the others are no more than their coefficients and effects, or their lags are collinear.
    """
    products = np.tile(np.einsum("ntj,ntk->jk", columns, columns), (len(members), 1, 1))
    n_rows, n_effects = np.full(len(members), cells.sum()), np.zeros(len(members))
    for people, periods in parts_of(cells):
        theirs = [np.flatnonzero(np.isin(people, who)) for who in members]
        own = [place for place, who in enumerate(theirs) if len(who)]
        chosen = [np.empty(0, dtype=np.intp), *(theirs[place] for place in own)]
        left = _without(cells[np.ix_(people, periods)], columns[np.ix_(people, periods)], chosen)
        products[own] += left.products[1:] - left.products[0]
        n_rows[own] += left.n_rows[1:] - left.n_rows[0]
        n_effects += left.n_effects[0]
        n_effects[own] += left.n_effects[1:] - left.n_effects[0]
    if np.any(n_rows <= columns.shape[2] - 1 + n_effects):
        raise NotEstimableError
    return _sum_of_coefficients(products, np.einsum("ntk,ntk->k", columns, columns))


def _without(cells: FloatArray, columns: FloatArray, members: list[Codes]) -> _Left:
    """What is left of one part of the panel; arguments as in `_sums_without`."""
    n_periods = cells.shape[1]
    share = cells / cells.sum(axis=1, keepdims=True)
    all_shared, all_products = cells.T @ cells, np.einsum("ntj,ntk->jk", columns, columns)
    all_system = np.diag(cells.sum(axis=0)) - cells.T @ share
    step = max(1, _AT_ONCE // n_periods**2)
    found = []
    for start in range(0, len(members), step):
        chosen = members[start : start + step]
        system = all_system - np.array([np.diag(cells[who].sum(axis=0)) - cells[who].T @ share[who] for who in chosen])
        shared = all_shared - np.array([cells[who].T @ cells[who] for who in chosen])
        # with everybody, the columns of a period sum to zero: what the others sum to is the negative of those left out
        right = -np.array([columns[who].sum(axis=0) for who in chosen])
        products = all_products - np.array([np.einsum("ntj,ntk->jk", columns[who], columns[who]) for who in chosen])
        joined = connected(shared > 0)
        effects = len(cells) - np.array([len(who) for who in chosen]) + rank(joined)
        explained = right.transpose(0, 2, 1) @ np.linalg.solve(system + joined, right)
        found.append((products - explained, np.trace(shared, axis1=1, axis2=2), effects))
    return _Left(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _sum_of_coefficients(products: FloatArray, whole: FloatArray) -> FloatArray:
    """The sum of the k coefficients of each regression.

    Parameters
    ----------
    products
        Regressions x (k + 1) x (k + 1): products of regressors and, last, outcome after all effects.
    whole
        Squares of the k + 1 columns with everybody: what rounding is measured against.

    Raises
    ------
    NotEstimableError
        If a regressor is nothing without those left out, or nothing beyond the other regressors.
    """
    gram, score = products[:, :-1, :-1], products[:, :-1, -1:]
    squares = np.einsum("ukk->uk", gram)
    if np.any(squares <= TOLERANCE * whole[:-1]):
        raise NotEstimableError
    scale = np.sqrt(squares)
    if np.linalg.eigvalsh(gram / (scale[:, :, None] * scale[:, None, :])).min() < TOLERANCE:
        raise NotEstimableError
    sums: FloatArray = np.linalg.solve(gram, score).sum(axis=(1, 2))
    return sums
