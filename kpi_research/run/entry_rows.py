"""When activities were entered: what burst entry is looked for in, fetched once, kept beside the stored data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import ibis.expr.types as ir
import pandas as pd

from kpi_research.crm.engine import selections_apart

FILE = "entries.parquet"
"""Where in a client's stored data they lie."""
TYPES = {"person_id": "str", "kind": "str", "occurred_at": "datetime64[us]", "recorded_at": "datetime64[us]"}


def fetch(tables: Mapping[str, ir.Table]) -> pd.DataFrame:
    """`person_id, kind, occurred_at, recorded_at` of all activities that say when they were entered.

    Parameters
    ----------
    tables
        Canonical tables by name, typed, on one engine; without activities there is no row.
    """
    if "activities" not in tables:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in TYPES.items()})
    activities = tables["activities"]
    with selections_apart():
        rows = activities.filter(activities.recorded_at.notnull()).select(*TYPES).to_pandas()
    # an engine hands rows over in no order; the same rows must give the same bytes
    return rows.astype(TYPES).sort_values([*TYPES], ignore_index=True)


def write(rows: pd.DataFrame, folder: Path) -> None:
    """Keep them in a folder."""
    rows.to_parquet(folder / FILE)


def read(folder: Path) -> pd.DataFrame:
    """What was kept in a folder."""
    return pd.read_parquet(folder / FILE)
