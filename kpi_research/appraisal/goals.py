"""Which target holds: of several versions the latest, but none that took effect when its period was over."""

from __future__ import annotations

import pandas as pd

from kpi_research.panel import COMPANY, Level
from kpi_research.periods import Period


def base_targets(targets: pd.DataFrame, period: Period, level: Level) -> dict[tuple[str, str], float]:
    """(entity_id, kpi) -> base target of a period; the KPIs that count targets (`kpis.plans`) take the same version.

    Parameters
    ----------
    targets
        The canonical table, or an empty frame.
    """
    if targets.empty:
        return {}
    held = targets[(targets["scope"] == level) & (targets["period"] == period.name)]
    effective = pd.to_datetime(held["effective_from"])
    held = held[effective.isna() | (effective < pd.Timestamp(period.end))]
    version = held["version"].fillna("")
    # by length first, so that version 10 follows version 9
    held = held.assign(effective=pd.to_datetime(held["effective_from"]), length=version.str.len(), version=version)
    held = held.sort_values(["effective", "length", "version"], na_position="first")
    entity = pd.Series(COMPANY, index=held.index) if level == "company" else held["scope_id"]
    return dict(zip(zip(entity, held["kpi"], strict=True), held["base"], strict=True))
