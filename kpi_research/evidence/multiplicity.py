"""Many KPIs are looked at together: the false discovery rate over the family, in which nothing is counted twice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kpi_research.evidence.fixed_effects import TOLERANCE, FloatArray

SAME_R = 1 - 1e-9
"""Correlation from which two KPIs are one: no more than rounding lies between them."""


def family_q(p: FloatArray) -> FloatArray:
    """Adjusted p-values of Benjamini & Hochberg (1995), one a KPI; NaN stays NaN and is not counted in the family."""
    from statsmodels.stats.multitest import multipletests

    q = np.full(len(p), np.nan)
    tested = np.isfinite(p)
    if tested.any():
        q[tested] = multipletests(p[tested], method="fdr_bh")[1]
    return q


def alpha_within(q_values: FloatArray, q: float) -> FloatArray:
    """The p-value at which each KPI is, or would be, called significant in this family.

    With R discoveries among m tests the procedure rejects at q R / m. A KPI that was not discovered would have been the
    next one: q (R + 1) / m. This is the level at which its power has to be judged, stricter than q itself.
    """
    tested = np.isfinite(q_values)
    discovered = np.where(tested, q_values, np.inf) <= q
    alpha = q * (discovered.sum() + ~discovered) / max(1, tested.sum())
    return np.where(tested, alpha, np.nan)


def aliases(values: Mapping[str, FloatArray]) -> dict[str, str]:
    """KPIs that always tell the same as one named before them, whatever the unit: alias -> that one.

    Parameters
    ----------
    values
        By KPI, N x T. Two are the same where both have values in the same cells and are perfectly correlated
        (|r| at least `SAME_R`).
    """
    found: dict[str, str] = {}
    seen: list[tuple[str, FloatArray, FloatArray]] = []
    for kpi, each in values.items():
        known = np.isfinite(each)
        if not known.any():
            continue
        shape = each[known] - each[known].mean()
        size = float(np.linalg.norm(shape))
        if size <= TOLERANCE * float(np.linalg.norm(each[known])):
            continue
        shape = shape / size
        same = (name for name, cells, other in seen if np.array_equal(cells, known) and abs(shape @ other) >= SAME_R)
        if first := next(same, None):
            found[kpi] = first
        else:
            seen.append((kpi, known, shape))
    return found
