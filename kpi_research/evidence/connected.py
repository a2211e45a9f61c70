"""Which periods are connected by people, so that their effects can be told apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kpi_research.evidence.fixed_effects import FloatArray


def connected(shared: npt.NDArray[np.bool_]) -> FloatArray:
    """Which periods are connected by people, directly or over other periods; systems x periods x periods of 0 and 1.

    The system of period effects is singular in exactly one direction for each set of connected periods, their common
    level, in which the right-hand side is zero. Added to the system, these sets' ones make it regular and leave the
    rest of the solution as it is.

    Parameters
    ----------
    shared
        Whether two periods have a person in common.
    """
    reached = shared | np.eye(shared.shape[-1], dtype=bool)
    reached[reached.all(axis=-1).any(axis=-1)] = True
    apart = np.flatnonzero(~reached.all(axis=(-1, -2)))
    while apart.size:
        steps = reached[apart].astype(np.float32)
        further = steps @ steps > 0
        grown = (further != reached[apart]).any(axis=(-1, -2))
        reached[apart] = further
        apart = apart[grown]
    return reached.astype(float)


def rank(sets: FloatArray) -> FloatArray:
    """Period effects of each system that person effects leave to be estimated: all but one of each connected set."""
    return sets.shape[-1] - np.sum(1 / sets.sum(axis=-1), axis=-1).round()
