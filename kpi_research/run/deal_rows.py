"""What the study of deals needs of a client's rows: fetched once, kept beside the stored data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ibis.expr.types as ir
import pandas as pd

from kpi_research.crm.engine import selections_apart
from kpi_research.evidence.deals import DEAL_COLUMNS, TOUCH_COLUMNS

FOLDER = "deals"
"""Where in a client's stored data they lie."""
_TIMES = ("created_at", "closed_at", "occurred_at", "recorded_at")
_NAMES = ("deals", "touches")


@dataclass(frozen=True)
class DealRows:
    """All deals and the activities that name one, in `DEAL_COLUMNS` and `TOUCH_COLUMNS` of `evidence.deals`."""

    deals: pd.DataFrame
    touches: pd.DataFrame


def fetch(tables: Mapping[str, ir.Table]) -> DealRows:
    """The rows of a client, empty where it has no opportunities or no activities.

    Parameters
    ----------
    tables
        Canonical tables by name, typed, on one engine.
    """
    found = {"deals": pd.DataFrame(columns=DEAL_COLUMNS), "touches": pd.DataFrame(columns=TOUCH_COLUMNS)}
    with selections_apart():
        if "opportunities" in tables:
            found["deals"] = tables["opportunities"].select(*DEAL_COLUMNS).to_pandas()
        if "activities" in tables:
            activities = tables["activities"]
            linked = activities.filter(activities.opportunity_id.notnull())
            found["touches"] = linked.select(*TOUCH_COLUMNS).to_pandas()
    # an engine hands rows over in no order; the same rows must give the same bytes
    return DealRows(**{name: _typed(frame).sort_values([*frame], ignore_index=True) for name, frame in found.items()})


def write(rows: DealRows, folder: Path) -> None:
    """Keep them in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _NAMES:
        getattr(rows, name).to_parquet(folder / f"{name}.parquet")


def read(folder: Path) -> DealRows:
    """What was kept in a folder."""
    return DealRows(**{name: pd.read_parquet(folder / f"{name}.parquet") for name in _NAMES})


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({name: "datetime64[us]" if name in _TIMES else "str" for name in frame})
