"""Counts that end in 0 or 5 too often: a month's calls made up to a round number.

Only counts are looked at. People round amounts, prices and minutes without any intent, so that a heap there tells
nothing; and whether they round more since a KPI has weight would take a second field of the same habit to be compared
with. A count that is really counted, by a system that adds up rows, has no reason to end in 0 or 5 rather than beside
it: what lies beside it is the comparison. A plan of five a week is one innocent reason.
"""

from __future__ import annotations

import numpy as np

from kpi_research.integrity.signs import FloatArray, Sign
from kpi_research.proportion import wilson

BASE = 5
LEAST_VALUES, LEAST_DISTINCT = 200, 15
"""Counts of a person and period, and different ones among them: fewer do not spread over last digits."""
BESIDE = {-2: -1 / 6, -1: 4 / 6, 1: 4 / 6, 2: -1 / 6}
"""The value in the middle of five by its neighbours: exact where the counts follow a curve of third degree."""


def heaping(counts: FloatArray) -> Sign:
    """Whether counts stand on multiples of five more often than their neighbours let expect.

    Parameters
    ----------
    counts
        n whole numbers, of a person and period each; periods with a target of their own are left out, since `bunching`
        looks at those.

    Notes
    -----
    `rate` is the share on multiples of five, of five values around each; `expected` what the neighbours on both sides
    let expect, by interpolation. Its variance is that of independent counts in each value.
    """
    from scipy.special import ndtr

    values = np.round(counts[np.isfinite(counts) & (counts > 0)]).astype(np.intp)
    if len(values) < LEAST_VALUES:
        return Sign("heaping", n=len(values), reason="too_few")
    if len(np.unique(values)) < LEAST_DISTINCT:
        return Sign("heaping", n=len(values), reason="few_distinct")
    density = np.bincount(values, minlength=values.max() + BASE).astype(float)
    heaps = np.arange(BASE, values.max() + 3, BASE)
    heaps = heaps[heaps + 2 < len(density)]
    on, usual = density[heaps], sum(weight * density[heaps + step] for step, weight in BESIDE.items())
    variance = on.sum() + sum(weight**2 * density[heaps + step].sum() for step, weight in BESIDE.items())
    n = int(sum(density[heaps + step].sum() for step in range(-2, 3)))
    z = float((on - usual).sum() / np.sqrt(variance)) if variance > 0 else 0.0
    low, high = wilson(float(on.sum()), float(n))
    return Sign("heaping", float(on.sum() / n), low, high, float(np.sum(usual) / n), float(ndtr(-z)), n)
