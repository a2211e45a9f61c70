"""What is taken off, put on or forbidden outside the weights: deductions, bonus points, vetoes.

Bonus and deductions move the total, which never falls under zero by them; then the strictest veto holds. What has no
figure changes nothing: nobody loses points for what was not recorded.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from kpi_research.appraisal.attainment import FloatArray
from kpi_research.appraisal.scheme import Adjustment, Scheme
from kpi_research.policy import MEASURED

ADJUSTMENT_COLUMNS = ["entity_id", "kpi", "effect", "value", "limit", "points", "score_at_most", "status"]
WHOLE = 1e-9
"""Of a step of `per`; sums of decimals fall short of a whole step by less."""


def adjustments_of(panel: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """What each adjustment of a scheme does to each entity of a panel; see `Score.adjustments`."""
    figures = panel.set_index(["entity_id", "kpi"])
    rows = [
        {"entity_id": str(entity), **_row(change, figures.loc[(entity, change.kpi)])}
        for entity in sorted(panel["entity_id"].unique())
        for change in scheme.adjustments
    ]
    return pd.DataFrame(rows, columns=ADJUSTMENT_COLUMNS)


def adjusted(totals: FloatArray, changes: pd.DataFrame) -> FloatArray:
    """Totals of one entity after its adjustments."""
    applied = changes[changes["status"] == "applied"]
    if applied.empty:
        return totals
    moved = np.maximum(0.0, totals + applied["points"].sum())
    return np.fmin(moved, applied["score_at_most"].min())


def _row(change: Adjustment, figure: pd.Series) -> dict[str, object]:
    """`points` is negative for a deduction; `score_at_most` is null where nothing is forbidden."""
    limit = change.above if change.above is not None else change.below
    row = {"kpi": change.kpi, "effect": change.effect, "value": figure["value"], "limit": limit}
    if figure["status"] not in MEASURED:
        return {**row, "points": 0.0, "score_at_most": math.nan, "status": figure["status"]}
    beyond = _beyond(change, float(figure["value"]))
    if not beyond > 0:
        return {**row, "points": 0.0, "score_at_most": math.nan, "status": "harmless"}
    if change.effect == "veto":
        return {**row, "points": 0.0, "score_at_most": change.score_at_most, "status": "applied"}
    points = min(change.most, change.points * math.floor(beyond / change.per + WHOLE))
    signed = -points if change.effect == "deduction" else points
    return {**row, "points": signed, "score_at_most": math.nan, "status": "applied" if points else "harmless"}


def _beyond(change: Adjustment, value: float) -> float:
    return value - change.above if change.above is not None else float(change.below or 0.0) - value
