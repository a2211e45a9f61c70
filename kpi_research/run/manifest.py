"""What a run left and from what: `manifest.json`. It also says which reports need not be made again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kpi_research.run.client import Client
from kpi_research.run.code import code_fingerprint
from kpi_research.run.definitions import definitions_of
from kpi_research.run.job import JobResult
from kpi_research.run.reports import Report, package_versions
from kpi_research.run.scores import RESAMPLING_SEED

NAME = "manifest.json"


def read_entries(out: Path) -> dict[str, dict[str, Any]]:
    """The entry of every report of the last run, by job name; empty where there was none, or it cannot be read."""
    try:
        jobs = json.loads((out / NAME).read_text(encoding="utf-8"))["jobs"]
        return {entry["name"]: entry for entry in jobs}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def is_unchanged(report: Report, entries: Mapping[str, Mapping[str, Any]], out: Path) -> bool:
    """Whether the report was made from the same things and all its files are as they were left."""
    entry = entries.get(report.job.name)
    if not entry or entry["status"] != "done" or entry["fingerprint"] != report.fingerprint:
        return False
    return all(_sha256(out / name) == digest for name, digest in entry["files"].items())


def digests(names: Iterable[str], out: Path) -> dict[str, str]:
    """The hash of each file of a run; empty where there is none."""
    return {name: _sha256(out / name) for name in names}


def entry_of(report: Report, result: JobResult, out: Path) -> dict[str, Any]:
    """What the manifest keeps of a report; nothing that differs between two equal runs."""
    files = sorted(_relative(report.job.folder / name, out) for name in result.files)
    return {
        "name": report.job.name,
        "level": report.level,
        "entity_id": report.entity_id,
        "label": report.label,
        "notebook": report.job.notebook.stem,
        "parameters": dict(report.job.parameters),
        "status": result.status,
        "error": vars(result.error) if result.error else None,
        "fingerprint": report.fingerprint,
        "info": dict(result.info),
        "files": digests(files, out),
    }


def write_manifest(client: Client, period: str, out: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Write the manifest in one step, so that an interrupted run leaves the last whole one."""
    data = client.data
    rules = data.rules.groupby(["severity", "table", "rule"], as_index=False)["rows"].sum()
    manifest = {
        "client": client.settings.client,
        "period": period,
        "data_until": data.parts.until.isoformat(),
        "inputs": dict(data.inputs),
        "parameters": client.settings.model_dump(mode="json"),
        "definitions": definitions_of(client, client.known_period(period)),
        "code": {"version": version("kpi-research"), "sha256": code_fingerprint()},
        "packages": package_versions(),
        "seed": RESAMPLING_SEED,
        "row_counts": data.row_counts.to_dict("records"),
        "steps": data.steps.to_dict("records"),
        "rules": rules.to_dict("records"),
        "data_grade": data.quality.grade,
        "jobs": sorted(entries, key=lambda entry: entry["name"]),
    }
    out.mkdir(parents=True, exist_ok=True)
    building = out / f".{NAME}.{os.getpid()}"
    building.write_text(json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    building.replace(out / NAME)


def _relative(path: Path, out: Path) -> str:
    return path.relative_to(out).as_posix()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
