"""Row-wise rules of the canonical tables: true where a row is in order; rows are counted by the name."""

from __future__ import annotations

import pandas as pd


def closed_after_created(rows: pd.DataFrame) -> pd.Series:
    """An opportunity is closed on or after the day it was created."""
    return (
        rows["closed_at"].isna() | rows["created_at"].isna() | (rows["closed_at"] >= rows["created_at"].dt.normalize())
    )


def closed_when_decided(rows: pd.DataFrame) -> pd.Series:
    """A won or lost opportunity has a closing time."""
    return ~rows["outcome"].isin(["won", "lost"]) | rows["closed_at"].notna()


def left_after_hired(rows: pd.DataFrame) -> pd.Series:
    """Nobody leaves before being hired."""
    return rows["left_on"].isna() | rows["hired_on"].isna() | (rows["left_on"] >= rows["hired_on"])


def ends_after_start(rows: pd.DataFrame) -> pd.Series:
    """An assignment ends after it starts."""
    return rows["until"].isna() | rows["since"].isna() | (rows["until"] >= rows["since"])


def recorded_after_occurred(rows: pd.DataFrame) -> pd.Series:
    """Nothing is on file more than a day before it happened."""
    early = rows["occurred_at"] - rows["recorded_at"] > pd.Timedelta(days=1)
    return rows["recorded_at"].isna() | ~early


def score_within_scale(rows: pd.DataFrame) -> pd.Series:
    """A survey score lies on its scale."""
    return rows["score"].between(rows["scale_min"], rows["scale_max"]) & (rows["scale_max"] > rows["scale_min"])
