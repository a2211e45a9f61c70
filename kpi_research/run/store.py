"""What was read from a client's source, kept on disk by the fingerprint of everything it depends on.

A second run, and every report of a run, start from these files instead of the source. Nothing here is ever edited:
another input, client file or version of the package is another folder.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kpi_research.crm.contract import Contract, RawTable, hold_to_contract
from kpi_research.kpis.catalogue import catalogue
from kpi_research.panel import Contributions, base_tables, contributions
from kpi_research.run.settings import ClientFile
from kpi_research.sources.files import read_canonical, read_files
from kpi_research.sources.mapping import CanonicalSource, FilesSource, SimulatedSource

PACKAGE = Path(__file__).parent.parent
KEPT_TABLES = ("people", "teams", "targets")
FRAMES = ("daily", "roster", "rejected", "counted", "row_counts", *KEPT_TABLES)


@dataclass(frozen=True)
class Stored:
    """A client's data, ready for panels.

    Parameters
    ----------
    folder
        Where they are kept.
    parts
        What panels are summed from.
    people, teams, targets
        Canonical tables, empty where the client has none.
    rejected, counted, row_counts
        What the contract found (see `crm.contract.Contract`).
    inputs
        File -> SHA-256.
    truth
        What a simulated client was made with; empty otherwise.
    """

    folder: Path
    parts: Contributions
    people: pd.DataFrame
    teams: pd.DataFrame
    targets: pd.DataFrame
    rejected: pd.DataFrame
    counted: pd.DataFrame
    row_counts: pd.DataFrame
    inputs: Mapping[str, str]
    truth: tuple[Mapping[str, Any], ...]


def stored(settings: ClientFile, base: Path, cache: Path) -> Stored:
    """The client's data, from disk if they are there already.

    Parameters
    ----------
    base
        Folder of the client file; the source's path is relative to it.
    cache
        Folder under which fingerprints are kept.

    Raises
    ------
    InputError
        If the source cannot be read.
    """
    inputs = input_hashes(settings, base)
    folder = cache / settings.client / fingerprint(settings, inputs)
    if not (folder / "meta.json").is_file():
        _write(folder, *_read_source(settings, base), inputs)
    return _load(folder)


def input_hashes(settings: ClientFile, base: Path) -> dict[str, str]:
    """SHA-256 of every file that the source reads; missing files are left to the reader to complain of."""
    source = settings.source
    if isinstance(source, SimulatedSource):
        return {}
    folder = base / source.path
    names = {m.file for m in source.tables.values()} if isinstance(source, FilesSource) else None
    paths = [folder / name for name in sorted(names)] if names else sorted(folder.glob("*.*"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()}


def fingerprint(settings: ClientFile, inputs: Mapping[str, str]) -> str:
    """What the stored data depend on, in 16 hexadecimal digits."""
    reading = settings.model_dump_json(include={"client", "source", "timezone", "calendar", "since", "until"})
    text = json.dumps([reading, dict(inputs), code_fingerprint()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def code_fingerprint() -> str:
    """SHA-256 of the package's own files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def read_contract(settings: ClientFile, base: Path) -> tuple[Contract, tuple[Mapping[str, Any], ...]]:
    """The client's tables held to the contract, and the truth if it was made up."""
    source = settings.source
    truth: tuple[Mapping[str, Any], ...] = ()
    if isinstance(source, SimulatedSource):
        from kpi_research.sources.simulated import Company, simulate

        company = Company(**source.model_dump(exclude={"kind"}))
        made = simulate(company)
        raw = {name: RawTable(frame, "simulated") for name, frame in made.tables.items()}
        truth = tuple(dataclasses.asdict(planted) for planted in made.truth)
    elif isinstance(source, CanonicalSource):
        raw = read_canonical(source, base / source.path)
    else:
        raw = read_files(source, base / source.path)
    return hold_to_contract(raw, timezone=settings.timezone), truth


def _read_source(settings: ClientFile, base: Path) -> tuple[Contract, Contributions, tuple[Mapping[str, Any], ...]]:
    contract, truth = read_contract(settings, base)
    since, until = (dt.date.fromisoformat(day) if day else None for day in (settings.since, settings.until))
    kpis = tuple(catalogue().values())
    return contract, contributions(contract.tables, kpis, country=settings.calendar, since=since, until=until), truth


def _write(folder: Path, contract: Contract, parts: Contributions, truth: Any, inputs: Mapping[str, str]) -> None:
    """Write beside the final folder and rename, so that a folder that is there is whole, whoever else writes it."""
    building = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    building.mkdir(parents=True)
    frames = {
        "daily": parts.daily,
        "roster": parts.roster,
        "rejected": contract.rejected,
        "counted": contract.counted,
        "row_counts": contract.row_counts,
    }
    frames |= {name: contract.tables[name] for name in KEPT_TABLES if name in contract.tables}
    for name, frame in frames.items():
        frame.reset_index(drop=True).to_parquet(building / f"{name}.parquet")
    meta = {"until": parts.until.isoformat(), "tables": sorted(parts.tables), "inputs": inputs, "truth": truth}
    (building / "meta.json").write_text(json.dumps(meta, ensure_ascii=False, indent=1), encoding="utf-8")
    try:
        building.rename(folder)
    except OSError:
        if not (folder / "meta.json").is_file():
            raise
        shutil.rmtree(building)


def _load(folder: Path) -> Stored:
    frames = {
        name: pd.read_parquet(path) if (path := folder / f"{name}.parquet").is_file() else pd.DataFrame()
        for name in FRAMES
    }
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    parts = Contributions(
        frames.pop("daily"),
        frames.pop("roster"),
        tuple(catalogue().values()),
        base_tables(tuple(catalogue().values())),
        frozenset(meta["tables"]),
        dt.date.fromisoformat(meta["until"]),
    )
    return Stored(folder, parts, inputs=meta["inputs"], truth=tuple(meta["truth"]), **frames)
