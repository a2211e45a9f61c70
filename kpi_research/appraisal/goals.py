"""Which target holds: of several versions the latest, but none that took effect when its period was over."""

from __future__ import annotations

import pandas as pd

from kpi_research.panel import COMPANY, Level
from kpi_research.periods import Period


def held_targets(targets: pd.DataFrame, period: Period, level: Level) -> pd.DataFrame:
    """The rows of the targets that hold in a period; the KPIs that count targets (`kpis.plans`) take the same version.

    Parameters
    ----------
    targets
        The canonical table, or an empty frame.

    Returns
    -------
    The table's own columns, indexed by (entity_id, kpi): base, stretch, version, reason of one and the same row.
    """
    if targets.empty:
        return targets.set_index(pd.MultiIndex.from_arrays([[], []], names=["entity_id", "kpi"]))
    held = targets[(targets["scope"] == level) & (targets["period"] == period.name)]
    effective = pd.to_datetime(held["effective_from"])
    held = held[effective.isna() | (effective < pd.Timestamp(period.end))].reset_index(drop=True)
    effective, version = pd.to_datetime(held["effective_from"]), held["version"].fillna("")
    # by length first, so that version 10 follows version 9
    order = pd.DataFrame({"day": effective, "length": version.str.len(), "version": version})
    held = held.loc[order.sort_values(["day", "length", "version"], na_position="first", kind="stable").index]
    entity = pd.Series(COMPANY, index=held.index) if level == "company" else held["scope_id"]
    rows = held.set_index(pd.MultiIndex.from_arrays([entity, held["kpi"]], names=["entity_id", "kpi"]))
    return rows[~rows.index.duplicated(keep="last")]


def base_targets(targets: pd.DataFrame, period: Period, level: Level) -> dict[tuple[str, str], float]:
    """(entity_id, kpi) -> base target of a period."""
    held = held_targets(targets, period, level)
    return {} if held.empty else dict(zip(held.index, held["base"], strict=True))
