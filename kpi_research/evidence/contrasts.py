"""Do two estimates of one effect, from the same people, differ by more than chance?

Such estimates go up and down together, so that their own errors do not say how far they may lie apart. What they do
when one person is left out does: the jackknife of their difference, with the moves of `jackknife_moves`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpi_research.evidence.fixed_effects import (
    Codes,
    Estimate,
    FloatArray,
    NotEstimableError,
    collinear,
    jackknife_moves,
)


@dataclass(frozen=True)
class Total:
    """The sum of some coefficients.

    Parameters
    ----------
    moves
        N: by how much `value` is larger with each person than without, zero for who has no rows; scaled so that the
        squares sum to the variance.
    n_people
        Persons with rows.
    """

    value: float
    moves: FloatArray
    n_people: int

    @property
    def estimate(self) -> Estimate:
        """With its error by person; t has persons - 1 degrees of freedom."""
        return Estimate(self.value, float(np.linalg.norm(self.moves)), self.n_people - 1)


def total(y: FloatArray, X: FloatArray, person: Codes, *, people: int, absorbed: int, sizes: FloatArray) -> Total:
    """The sum of the coefficients of y (n) on X (n x k), all effects swept out already, weighted rows times the root.

    Parameters
    ----------
    person
        n indices among all `people`.
    absorbed
        Degrees of freedom of effects that are not nested in persons.
    sizes
        k norms of X before the effects were swept out: what a column that is nothing is measured against.

    Raises
    ------
    NotEstimableError
        If the columns are nothing beyond the effects, collinear, or rest on one person, or the rows are no more than
        coefficients, effects and persons.
    """
    n, k = X.shape
    of_people = np.bincount(person, minlength=people) if n else np.zeros(people)
    n_people = int(np.count_nonzero(of_people))
    if n_people < 2 or n <= k + absorbed + n_people or collinear(X, sizes):
        raise NotEstimableError
    coef = np.asarray(np.linalg.lstsq(X, y, rcond=None)[0], dtype=float)
    moves = jackknife_moves(X, y - X @ coef, person, absorbed=absorbed, groups=people)
    return Total(float(coef.sum()), moves.sum(axis=1), n_people)


def difference(one: Total, other: Total) -> Estimate:
    """`one` less `other`, with the jackknife's error of that difference."""
    error = float(np.linalg.norm(one.moves - other.moves))
    return Estimate(one.value - other.value, error, min(one.n_people, other.n_people) - 1)
