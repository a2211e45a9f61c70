"""Many KPIs are looked at together: the false discovery rate over the family."""

from __future__ import annotations

import numpy as np

from kpi_research.evidence.fixed_effects import FloatArray


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
