"""Rows of counts or money that have no finite fit, and those that stand alone: they are left out, and counted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse

from kpi_research.evidence.fixed_effects import (
    TOLERANCE,
    Codes,
    FloatArray,
    NotEstimableError,
    collinear,
    not_nested,
    within,
)

BoolArray = npt.NDArray[np.bool_]


def usable(y: FloatArray, X: FloatArray, person: Codes, period: Codes | None) -> tuple[BoolArray, int, int]:
    """The rows to use, and how many are separated and how many single: leaving out some can make others so."""
    used = np.ones(len(y), dtype=bool)
    counts = {"separated": 0, "single": 0}
    while used.any():
        who, when = numbered(person[used]), None if period is None else numbered(period[used])
        kind, out = "single", _single(who) if when is None else _single(who) | _single(when)
        if not out.any():
            kind, out = "separated", separated(y[used], X[used], person=who, period=when)
        if not out.any():
            break
        counts[kind] += int(out.sum())
        used[used] = ~out
    return used, counts["separated"], counts["single"]


def separated(y: FloatArray, X: FloatArray, *, person: Codes, period: Codes | None = None) -> BoolArray:
    """Which rows (n) have no finite fit: their mean can be brought to zero, and the likelihood only gains by it.

    That is so where some combination of regressors and effects is zero in all rows with a positive outcome, not
    negative in those without, and positive in the row (Correia, Guimaraes & Zylkin 2019). Persons and periods without
    any positive outcome are their own such combination. Others can exist only if regressors and effects vary less
    freely among the positive outcomes than among all; where they do, a linear program finds every such row, since its
    bounds let combinations be added up and scaled until each of their rows counts as one.

    Parameters
    ----------
    y, X, person, period
        As in `ppml`.
    """
    positive = y > 0
    found = ~has_positive(positive, person)
    if period is not None:
        found |= ~has_positive(positive, period)
    rest = ~found
    zero = rest & ~positive
    if not zero.any():
        return found
    who, when = numbered(person[rest]), None if period is None else numbered(period[rest])
    if _is_as_free(X[rest], who, when, positive[rest]):
        return found
    found[zero] = _separating(X[rest], who, when, positive[rest])
    return found


def _is_as_free(X: FloatArray, person: Codes, period: Codes | None, positive: BoolArray) -> bool:
    """Whether nothing but zero everywhere is zero in all rows with a positive outcome."""
    who, when = numbered(person[positive]), None if period is None else numbered(period[positive])
    if not_nested(who, when) < not_nested(person, period):
        return False
    some = X[positive]
    return not X.shape[1] or not collinear(within(some, who, when), np.linalg.norm(some, axis=0))


def _separating(X: FloatArray, person: Codes, period: Codes | None, positive: BoolArray) -> BoolArray:
    """Which of the rows without positive outcome are separated."""
    left = within(X, person, period) if X.shape[1] else X
    size = np.abs(left).max(axis=0, initial=0.0)
    varies = size > TOLERANCE * np.abs(X).max(axis=0, initial=0.0)
    effects = [_indicators(codes) for codes in (person, period) if codes is not None]
    design = sparse.hstack([sparse.csr_array(left[:, varies] / size[varies]), *effects], format="csr")
    zeros = int((~positive).sum())
    # the largest number of rows, each counted up to one, on which a combination is at least that much above zero
    result = optimize.linprog(
        np.concatenate([np.zeros(design.shape[1]), -np.ones(zeros)]),
        A_ub=sparse.hstack([-design[~positive], sparse.eye_array(zeros)], format="csr"),
        b_ub=np.zeros(zeros),
        A_eq=sparse.hstack([design[positive], sparse.csr_array((int(positive.sum()), zeros))], format="csr"),
        b_eq=np.zeros(int(positive.sum())),
        bounds=[(None, None)] * design.shape[1] + [(0, 1)] * zeros,
        method="highs",
    )
    if not result.success:
        raise NotEstimableError
    return np.asarray(result.x[design.shape[1] :] > 0.5)


def numbered(values: Codes) -> Codes:
    """Codes 0, 1, 2 ... without gaps."""
    return np.unique(values, return_inverse=True)[1]


def _single(codes: Codes) -> BoolArray:
    return np.bincount(codes)[codes] == 1


def has_positive(positive: BoolArray, codes: Codes) -> BoolArray:
    """Whether the group of each row has a positive outcome."""
    return (np.bincount(codes, weights=positive) > 0)[codes]


def _indicators(codes: Codes) -> sparse.csr_array:
    n = len(codes)
    return sparse.csr_array((np.ones(n), (np.arange(n), codes)), shape=(n, int(codes.max()) + 1))
