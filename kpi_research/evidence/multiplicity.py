"""Many KPIs are looked at together: the false discovery rate over the family, in which nothing is counted twice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kpi_research.evidence.fixed_effects import TOLERANCE, Codes, FloatArray
from kpi_research.evidence.outcome import outcome_of
from kpi_research.evidence.stepdown import by_results, familywise_p, joint_scores

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


def in_view_of_all(
    verdicts: pd.DataFrame, y: FloatArray, family: Mapping[str, FloatArray], peers: Codes | None = None
) -> tuple[FloatArray, FloatArray]:
    """Two stricter views of the family, one value a row of verdicts (`kpi, p, q, lags`); NaN outside the family.

    Benjamini & Yekutieli's (2001) q, which holds whatever the tests have to do with one another; and how often chance
    alone would give a family without any effect a joint test as strong (Romano & Wolf 2005; `stepdown`).

    Parameters
    ----------
    y, family
        The outcome, and the family's KPIs by name: N x T each.
    peers
        N codes of those whose periods share an effect, as in `grid.rows_of`.
    """
    tested = outcome_of(y).tested
    q_by = np.minimum(1.0, verdicts["q"].to_numpy(dtype=float) * np.sum(1 / np.arange(1, len(family) + 1)))
    rows = verdicts.set_index("kpi").loc[list(family)]
    order = by_results(tested)
    made = [joint_scores(tested, x, int(rows.loc[kpi, "lags"]), peers) for kpi, x in family.items()]
    strict = familywise_p([scores[order] for scores, _ in made], np.array([left for _, left in made]))
    found = dict(zip(family, np.maximum(strict, rows["p"].to_numpy(dtype=float)), strict=True))
    return q_by, np.array([found.get(kpi, np.nan) for kpi in verdicts["kpi"]])


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
