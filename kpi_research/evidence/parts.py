"""Period effects once persons are swept out, part by part.

A part of a panel is a set of persons and periods that share no row with the others: the whole panel, as a rule, or a
team with the periods that are its own (`peers`). The system of the period effects falls apart into those of the parts,
and is singular in exactly one direction for each: its common level.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import bmat, csr_array
from scipy.sparse.csgraph import connected_components

FloatArray = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


def cells_of(person: Codes, period: Codes, weights: FloatArray) -> FloatArray:
    """Persons x periods: the weight of the rows of each."""
    people, periods = person.max() + 1, period.max() + 1
    sums = np.bincount(person * periods + period, weights=weights, minlength=people * periods)
    return np.asarray(sums.reshape(people, periods))


def parts_of(cells: FloatArray) -> list[tuple[Codes, Codes]]:
    """The persons and the periods of each part.

    Parameters
    ----------
    cells
        Persons x periods, positive where there is a row.
    """
    there = cells > 0
    if there.all(axis=1).any():
        return [(np.arange(cells.shape[0]), np.arange(cells.shape[1]))]
    links = csr_array(there)
    count, label = connected_components(bmat([[None, links], [links.T, None]]), directed=False)
    of_person, of_period = np.split(label, [len(cells)])
    return [(np.flatnonzero(of_person == part), np.flatnonzero(of_period == part)) for part in range(count)]


def period_effects(cells: FloatArray, sums: FloatArray, tolerance: float) -> FloatArray:
    """Effects of the periods (periods x k) from the sums by period of what persons leave of k columns.

    The normal equations are D'WD - D'WP (P'WP)^-1 P'WD, D the dummies of periods and P those of persons.
    """
    effects = np.zeros_like(sums)
    for people, periods in parts_of(cells):
        own = cells[np.ix_(people, periods)]
        system = np.diag(own.sum(axis=0)) - own.T @ (own / own.sum(axis=1, keepdims=True))
        effects[periods] = np.linalg.pinv(system, rcond=tolerance, hermitian=True) @ sums[periods]
    return effects
