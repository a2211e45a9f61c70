"""A closed period as it is kept: `data/closed/<client>/<period>/`, written once and held to its digests when read."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kpi_research.errors import InputError, Problem
from kpi_research.kpis.definition import LEVELS
from kpi_research.periods import Period
from kpi_research.run.client import Client, project_folder
from kpi_research.run.scores import known_score

RECORD = "closed.json"
FIGURES = {"rows": ("actual", "target", "points"), "totals": ("score",)}
"""Part of a score -> the columns by which it is compared."""


@dataclass(frozen=True)
class Closed:
    """A period as it was closed.

    Parameters
    ----------
    at, by, reason
        When, by whom and why; the last two may be empty.
    record
        Everything in `closed.json`.
    """

    folder: Path
    at: dt.datetime
    by: str
    reason: str
    record: Mapping[str, Any]

    def scores(self, part: str) -> pd.DataFrame:
        """Its `rows` or `totals` of all levels, with a column `level`."""
        return pd.read_parquet(self.folder / f"score_{part}.parquet")


def closed_folder(client: Client, period: Period) -> Path:
    """Where a closed period is kept."""
    return project_folder(client.path) / "data" / "closed" / client.settings.client / period.name


def closed_period(client: Client, period: Period) -> Closed | None:
    """The period as it was closed; None if it was not.

    Raises
    ------
    InputError
        If its files are not as they were left.
    """
    folder = closed_folder(client, period)
    return read_closed(folder) if folder.is_dir() else None


def read_closed(folder: Path) -> Closed:
    """What `close_period` left in a folder.

    Raises
    ------
    InputError
        If its files are not as they were left.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        is_whole = record["files"] == digests_of(folder)
    except (OSError, ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise InputError(Problem("closing.broken", values={"folder": folder.as_posix()}))
    at = dt.datetime.fromisoformat(record["closed_at"])
    return Closed(folder, at, record["closed_by"], record["reason"], record)


def scores_of_all(client: Client, period: Period) -> dict[str, pd.DataFrame]:
    """Rows and totals of every level; empty where nothing is scored."""
    scores = {level: known_score(client, period, level) for level in LEVELS}
    of_level = {level: score for level, score in scores.items() if score is not None}
    columns = {"rows": ["level", "entity_id", "kpi"], "totals": ["level", "entity_id"]}
    return {
        part: pd.concat(
            [getattr(score, part).assign(level=level) for level, score in of_level.items()], ignore_index=True
        )
        if of_level
        else pd.DataFrame(columns=[*columns[part], *figures])
        for part, figures in FIGURES.items()
    }


def digests_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a closed period but the record that holds them, by its path in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / RECORD)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
