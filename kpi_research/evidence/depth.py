"""What more can be said of the KPIs that go with results: how much they carry, what could undo it, where it ends.

Of a KPI that was not found to go with results none of this means anything: shares of noise look like importance, and
the shape of nothing is chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from kpi_research.evidence.fixed_effects import FloatArray
from kpi_research.evidence.gates import attempted
from kpi_research.evidence.importance import MOST_KPIS, Importance, fit_importance, lag_block
from kpi_research.evidence.plan import Plan
from kpi_research.evidence.sensitivity import UnseenFactor, expose, unseen_factor
from kpi_research.evidence.shape import Shape, fit_shape

COLUMNS = {
    "kpi": "str", "share": float, "share_low": float, "share_high": float, "to_erase": float, "to_doubt": float,
    "shape": "str", "break_at": float, "break_low": float, "break_high": float,
}  # fmt: skip
SEED = 20260101
"""Fixed, so that the same data give the same intervals."""


def depth(y: FloatArray, kpis: Mapping[str, FloatArray], lags: int, plan: Plan) -> pd.DataFrame:
    """One row a KPI (N x T each, as the outcome y), all of which go with the outcome.

    Returns
    -------
    `kpi`; `share, share_low, share_high` of the outcome's changes within people (0-1; `importance.fit_importance`);
    `to_erase, to_doubt`, what an unseen factor would have to explain of both (0-1; `sensitivity.unseen_factor`);
    `shape` (`shape.Shape.kind`), and `break_at, break_low, break_high`, its break in the KPI's natural unit.
    What cannot be estimated is missing.
    """
    shares = _shares(y, kpis, lags)
    rows = [
        {"kpi": kpi, **shares.get(kpi, {}), **_unseen(y, x, lags), **_shape(y, x, lags, plan)}
        for kpi, x in kpis.items()
    ]
    return pd.DataFrame(rows, columns=[*COLUMNS]).astype(COLUMNS)


def _shares(y: FloatArray, kpis: Mapping[str, FloatArray], lags: int) -> dict[str, dict[str, float]]:
    names = list(kpis)
    if len(names) > MOST_KPIS:
        return {}
    blocks = [lag_block(x, lags) for x in kpis.values()]
    found: Importance | None = attempted(lambda: fit_importance(y, blocks, rng=np.random.default_rng(SEED)))
    if found is None:
        return {}
    parts = zip(names, found.shares, found.low, found.high, strict=True)
    return {kpi: {"share": share, "share_low": low, "share_high": high} for kpi, share, low, high in parts}


def _unseen(y: FloatArray, x: FloatArray, lags: int) -> dict[str, float]:
    found: UnseenFactor | None = attempted(lambda: unseen_factor(expose(y, x, lags)))
    return {} if found is None else {"to_erase": found.to_erase, "to_doubt": found.to_doubt}


def _shape(y: FloatArray, x: FloatArray, lags: int, plan: Plan) -> dict[str, Any]:
    found: Shape | None = attempted(lambda: fit_shape(y, x, lags, sesoi=plan.sesoi, seed=SEED))
    if found is None:
        return {"shape": "unknown"}
    if found.kink is None:
        return {"shape": found.kind}
    kink = found.kink
    return {"shape": found.kind, "break_at": kink.at, "break_low": kink.low, "break_high": kink.high}
