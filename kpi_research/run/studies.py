"""A client's study up to a period, kept beside its stored data: every page of a run shows the same one."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from kpi_research.evidence.history import confirmed
from kpi_research.evidence.study import Study
from kpi_research.periods import Period
from kpi_research.run.client import Client

PARTS = ("findings", "verdicts", "depth")


def study_of(client: Client, period: Period) -> Study:
    """The study on all whole months up to the period's end; what passes for the first time does not predict yet."""
    earlier = period.shift(-1)
    known = earlier in client.reported_quarters()
    return confirmed(_study_upto(client, period), _study_upto(client, earlier) if known else None)


def _study_upto(client: Client, period: Period) -> Study:
    """The study by itself, made once."""
    plan, names = client.plan(), [kpi.name for kpi in client.predictors()]
    fingerprint = plan.fingerprint(client.settings.outcome, names)
    folder = client.data.derived / "studies" / f"{period.name}-{fingerprint[:16]}"
    if not all((folder / f"{part}.parquet").is_file() for part in PARTS):
        _write(folder, client.study(upto=period))
    frames = {part: pd.read_parquet(folder / f"{part}.parquet") for part in PARTS}
    return Study(plan, fingerprint, **frames)


def _write(folder: Path, made: Study) -> None:
    """Each file appears whole: several reports may make the same study at once."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        building = folder / f"{part}.{os.getpid()}.part"
        getattr(made, part).to_parquet(building)
        building.replace(folder / f"{part}.parquet")
