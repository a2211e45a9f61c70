"""Where a likelihood is largest: the search that both models share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

FLAT, DONE = 1e-5, 1e-8
"""A maximum has no slope steeper than the first: log-likelihood of one customer by the logarithm of a parameter. At
the second the search stops; between the two it may have to, because steps no longer show in the likelihood's last
digits."""
MOST_STEPS, LONGEST_STEP = 200, 2.0
NUDGE = 1e-4
DAMPING, LEAST_DAMPING, MOST_DAMPING, TENFOLD = 1e-3, 1e-12, 1e9, 10.0

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


def lowest(objective: Objective, start: np.ndarray, bounds: Sequence[tuple[float, float]]) -> np.ndarray | None:
    """Where a smooth function of few variables is lowest between bounds, or None where the search ends on a slope.

    Damped Newton steps (Levenberg 1944) among the variables that are not held at a bound; curvature from differences
    of the exact gradient. With four variables that follows the bent ridges of these likelihoods in a few dozen calls,
    where SciPy's truncated Newton stalls; and its L-BFGS-B calls BLAS for matrices of four rows, whose threads made
    it twenty times slower on two cores and whose last digits depend on their number.

    Parameters
    ----------
    objective
        Value and gradient.
    """
    low, high = np.array(bounds, float).T
    at, damping = np.clip(start, low, high), DAMPING
    value, slope = objective(at)
    for _ in range(MOST_STEPS):
        free = ~(((at <= low) & (slope > 0)) | ((at >= high) & (slope < 0)))
        if not np.isfinite(value) or not np.isfinite(slope).all():
            return None
        if not free.any() or np.abs(slope[free]).max() < DONE:
            return at
        bends, ways = np.linalg.eigh(_curvature(objective, at, slope)[np.ix_(free, free)])
        pushed = ways.T @ slope[free]
        while damping <= MOST_DAMPING:
            step = np.zeros(len(at))
            # upwards bends are taken as downward ones, so that a step goes down from a saddle, too
            step[free] = -ways @ (pushed / (np.abs(bends) + damping))
            step *= min(1.0, LONGEST_STEP / np.abs(step).max())
            there = np.clip(at + step, low, high)
            lower, tilted = objective(there)
            if lower < value:
                at, value, slope, damping = there, lower, tilted, max(damping / TENFOLD, LEAST_DAMPING)
                break
            damping *= TENFOLD
        else:
            return at if np.abs(slope[free]).max() < FLAT else None
    return None


def _curvature(objective: Objective, at: np.ndarray, slope: np.ndarray) -> np.ndarray:
    rows = [(objective(at + nudge)[1] - slope) / NUDGE for nudge in NUDGE * np.eye(len(at))]
    return (np.array(rows) + np.array(rows).T) / 2
