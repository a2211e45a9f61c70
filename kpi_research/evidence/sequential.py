"""The lags of a KPI one after another, each beside controls that do not come after it.

Sequential g-estimation (Vansteelandt 2009, Epidemiology 20; for panels Blackwell & Glynn 2018, American Political
Science Review 112): what the last lag did is taken off the result before the lag before it is looked at, and so on.
Every coefficient is a weighted sum of the results, so it is known how each person moves it, also by way of the later
lags' coefficients; the covariance is that of these moves, with the factors of `fixed_effects` (CRV1).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from kpi_research.evidence.cluster_lasso import off, select
from kpi_research.evidence.fixed_effects import (
    TOLERANCE,
    Estimate,
    FloatArray,
    NotEstimableError,
    not_nested,
    within,
)
from kpi_research.evidence.grid import Rows


@dataclass(frozen=True)
class Chain:
    """The lags of a KPI.

    Parameters
    ----------
    coef, moves
        L coefficients, and how far each person moves them (G x L).
    chosen
        For each lag the columns beside it, and which lasso chose them: `outcome`, `kpi`.
    """

    coef: FloatArray
    moves: FloatArray
    chosen: Sequence[Mapping[int, Collection[str]]]

    def summed(self, weights: FloatArray) -> Estimate:
        """The weighted sum of the coefficients; `weights` has L entries."""
        se = float(np.linalg.norm(self.moves @ weights))
        return Estimate(float(weights @ self.coef), se, len(self.moves) - 1)

    def less(self, other: Chain) -> Chain:
        """The difference to the same lags beside other controls, on the same rows; zero where only rounding differs."""
        moves = self.moves - other.moves
        differs = np.linalg.norm(moves, axis=0) > TOLERANCE * np.linalg.norm(self.moves, axis=0)
        return Chain(np.where(differs, self.coef - other.coef, 0.0), np.where(differs, moves, 0.0), self.chosen)


def chain(rows: Rows, allowed: Sequence[Sequence[int]], *, selecting: bool = False) -> Chain:
    """The result on L lags of the KPI, each beside the lags before it and controls of its own.

    Parameters
    ----------
    rows
        Columns: lag 1, 2 .. L, then the controls.
    allowed
        For each lag the columns that may stand beside it.
    selecting
        Whether only those do that go with the result or that lag (`cluster_lasso.select`), or all.

    Raises
    ------
    NotEstimableError
        If the rows cannot carry it, or the controls leave nothing of the KPI.
    """
    if rows.n_people < 2:
        raise NotEstimableError
    lags = len(allowed)
    coef, moves = np.empty(lags), np.empty((rows.n_people, lags))
    chosen: list[Mapping[int, Collection[str]]] = []
    left = rows
    for at in range(lags):
        step = _step(left, at, range(at + 1, lags), allowed[at], selecting=selecting)
        coef[at] = step.coef
        # an error in an earlier coefficient was taken off the result along with it
        moves[:, at] = step.moves - moves[:, :at] @ (step.weights @ rows.X[:, :at])
        chosen.append(step.chosen)
        left = replace(left, y=left.y - step.coef * rows.X[:, at])
    return Chain(coef, moves, chosen)


@dataclass(frozen=True)
class _Step:
    """One lag: its coefficient, the weights (n) of the result in it, how each person moves it (G), and its controls."""

    coef: float
    weights: FloatArray
    moves: FloatArray
    chosen: Mapping[int, Collection[str]]


def _step(rows: Rows, at: int, earlier: Sequence[int], allowed: Sequence[int], *, selecting: bool) -> _Step:
    """The coefficient of the column `at` beside the columns `earlier` and those of `allowed` that are selected."""
    swept = within(np.column_stack([rows.y, rows.X]), rows.person, rows.period)
    y, X = swept[:, 0], swept[:, 1:]
    beyond = off(np.column_stack([y, X]), X[:, earlier])
    varies = np.linalg.norm(beyond[:, 1:], axis=0) > TOLERANCE * np.linalg.norm(rows.X, axis=0)
    varying = [i for i in allowed if varies[i]]
    by: dict[int, list[str]] = {i: [] for i in varying if not selecting}
    if selecting:
        columns = beyond[:, [1 + i for i in varying]]
        for what, target in (("outcome", beyond[:, 0]), ("kpi", beyond[:, 1 + at])):
            for i in select(target, columns, rows.person):
                by.setdefault(varying[i], []).append(what)
    kept = _independent(X, sorted(by))
    beside = [*earlier, *kept]
    y, kpi = off(np.column_stack([y, X[:, at]]), X[:, beside]).T
    n, groups = len(y), rows.n_people
    k = at + 1 + len(beside) + not_nested(rows.person, rows.period)
    if n <= k + groups - 1 or not varies[at] or np.linalg.norm(kpi) <= math.sqrt(TOLERANCE) * np.linalg.norm(X[:, at]):
        raise NotEstimableError
    weights = kpi / (kpi @ kpi)
    coef = float(weights @ y)
    factor = groups / (groups - 1) * (n - 1) / (n - k)
    moves = np.bincount(rows.person, weights=weights * (y - coef * kpi)) * math.sqrt(factor)
    return _Step(coef, np.asarray(weights, dtype=float), np.asarray(moves, dtype=float), {i: by[i] for i in kept})


def _independent(X: FloatArray, chosen: Sequence[int]) -> list[int]:
    """The chosen columns without those that others already tell (visits = first visits + later ones)."""
    if not chosen:
        return []
    sized = X[:, chosen] / np.linalg.norm(X[:, chosen], axis=0)
    _, R, order = linalg.qr(sized, mode="economic", pivoting=True)
    telling = np.abs(np.diag(R)) > math.sqrt(TOLERANCE)
    return sorted(chosen[i] for i in order[: len(telling)][telling])
