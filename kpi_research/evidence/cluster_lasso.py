"""Which of many columns go with a result by more than noise: the lasso with a penalty by cluster.

The penalty is that of Belloni, Chernozhukov, Hansen & Kozbur (2016, Journal of Business & Economic Statistics 34): the
level that noise in all columns together stays under. It needs no cross-validation, and so leaves nothing to chance.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from kpi_research.evidence.fixed_effects import TOLERANCE, Codes, FloatArray, NotEstimableError

SLACK = 1.1
"""Factor by which a control must exceed the noise (c of Belloni et al. 2016)."""

MISTAKE = 0.1
"""Probability, before it is divided by the log of rows or controls, that noise alone gets in (their gamma)."""

ROUNDS = 15
"""Times the noise is measured anew from what the selected controls leave; nearly always the second changes nothing."""

FIRST = 5
"""Columns closest to y that the noise is first measured without. What a column explains looks like noise that lasts:
measured with it in, as y itself, the penalty was so large that with 12 people strong controls were never selected."""

SWEEPS = 10_000
"""Sweeps of coordinate descent after which the lasso counts as unsolved; a dozen is usual."""


def lasso(gram: FloatArray, score: FloatArray, penalty: FloatArray) -> FloatArray:
    """The b that minimises b'Gb / 2 - s'b + sum of penalty_j |b_j|, by coordinate descent.

    Parameters
    ----------
    gram, score
        X'X (p x p, positive diagonal) and X'y (p).
    penalty
        p positive numbers.

    Raises
    ------
    NotEstimableError
        If it does not settle.
    """
    sizes = np.sqrt(np.diag(gram))
    scale = sizes[:, None] * sizes
    correlation, slopes, limits = gram / scale, score / sizes, penalty / sizes
    b, left = np.zeros(len(score)), slopes.copy()
    precise = TOLERANCE * float(np.abs(slopes).max(initial=0.0))
    for _ in range(SWEEPS):
        largest = 0.0
        for j in range(len(b)):
            aim = left[j] + b[j]
            new = math.copysign(max(0.0, abs(aim) - limits[j]), aim)
            if (change := new - b[j]) != 0.0:
                left -= change * correlation[j]
                b[j] = new
                largest = max(largest, abs(change))
        if largest <= precise:
            return np.asarray(b / sizes, dtype=float)
    raise NotEstimableError


def select(y: FloatArray, X: FloatArray, cluster: Codes) -> npt.NDArray[np.intp]:
    """Columns of X that go with y by more than noise: lasso with Belloni et al.'s (2016) penalty by cluster.

    With e the residuals of y, the penalty of column j is c Phi^-1(1 - gamma / 2p) times the root of the sum over
    clusters of (X_j'e)^2: what pure noise stays under for all columns at once, clusters being independent. The first
    e is what least squares on the five columns closest to y leaves (as in lassopack: Ahrens, Hansen & Schaffer 2020),
    every further one what it leaves on the selected columns, until these stay the same.

    Parameters
    ----------
    y, X
        n values and n x p columns, effects swept out.
    cluster
        n codes 0, 1, 2 ... without gaps.

    Raises
    ------
    NotEstimableError
        If the lasso does not settle.
    """
    n, p = X.shape
    gamma = MISTAKE / math.log(max(n, p))
    noise = SLACK * float(special.ndtri(1 - gamma / (2 * max(1, p))))
    gram, score = X.T @ X, X.T @ y
    closest = np.argsort(-np.abs(score) / np.sqrt(np.diag(gram)), kind="stable")[:FIRST]
    chosen = np.sort(closest)
    for _ in range(ROUNDS):
        residuals = off(y[:, None], X[:, chosen])[:, 0]
        by_cluster = np.zeros((int(cluster.max(initial=-1)) + 1, p))
        np.add.at(by_cluster, cluster, X * residuals[:, None])
        before, chosen = chosen, np.flatnonzero(lasso(gram, score, noise * np.linalg.norm(by_cluster, axis=0)))
        if np.array_equal(before, chosen):
            break
    return chosen


def off(columns: FloatArray, others: FloatArray) -> FloatArray:
    """What least squares on other columns leaves."""
    return np.asarray(columns - others @ np.linalg.lstsq(others, columns, rcond=None)[0], dtype=float)
