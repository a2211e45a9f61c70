"""A client's study up to a period, kept beside its stored data: every page of a run shows the same one."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pandas as pd

from kpi_research.evidence import beside
from kpi_research.evidence.driven import driven
from kpi_research.evidence.history import confirmed
from kpi_research.evidence.study import Study
from kpi_research.periods import Period
from kpi_research.run.change_studies import changes_seen
from kpi_research.run.client import Client

PARTS = ("findings", "verdicts", "depth")
"""Tables of a study, beside those of `beside.PARTS`."""


def study_of(client: Client, period: Period) -> Study:
    """The study on all whole months up to the period's end; what passes for the first time does not predict yet."""
    earlier = period.shift(-1)
    known = earlier in client.reported_quarters()
    found = confirmed(_study_upto(client, period), _study_upto(client, earlier) if known else None)
    return driven(found, _driving(client, period, found))


def _driving(client: Client, period: Period, found: Study) -> list[str]:
    """KPIs of which a change that the client file names showed that they drive the outcome; asked once."""
    if not client.settings.changes:
        return []
    asked = client.settings.model_dump_json(include={"changes", "outcome", "plan", "predictors", "negative_controls"})
    path = (
        client.data.derived
        / "studies"
        / f"{period.name}-driving-{hashlib.sha256(asked.encode()).hexdigest()[:16]}.json"
    )
    if not path.is_file():
        kpis = [effect.change.kpi for effect, drive in changes_seen(client, period, found) if drive.code == "A"]
        building = path.with_suffix(f".{os.getpid()}.part")
        building.write_text(json.dumps(kpis), encoding="utf-8")
        building.replace(path)
    return list(json.loads(path.read_text(encoding="utf-8")))


def _study_upto(client: Client, period: Period) -> Study:
    """The study by itself, made once."""
    plan, names = client.plan(), [kpi.name for kpi in client.predictors()]
    fingerprint = plan.fingerprint(client.settings.outcome, names, client.settings.negative_controls)
    folder = client.data.derived / "studies" / f"{period.name}-{fingerprint[:16]}"
    if not all((folder / f"{part}.parquet").is_file() for part in (*PARTS, *beside.PARTS)):
        _write(folder, client.study(upto=period))
    own, more = (
        {part: pd.read_parquet(folder / f"{part}.parquet") for part in parts} for parts in (PARTS, beside.PARTS)
    )
    return Study(plan, fingerprint, **own, beside=beside.Beside(**more))


def _write(folder: Path, made: Study) -> None:
    """Each file appears whole: several reports may make the same study at once."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {part: getattr(made, part) for part in PARTS}
    tables |= {part: getattr(made.beside, part) for part in beside.PARTS}
    for part, table in tables.items():
        building = folder / f"{part}.{os.getpid()}.part"
        table.to_parquet(building)
        building.replace(folder / f"{part}.parquet")
