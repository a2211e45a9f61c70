"""What was read from a client's source, kept on disk by the fingerprint of everything it depends on.

A second run, and every report of a run, start from these files instead of the source. Nothing here is ever edited:
another input, client file or version of the package is another folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kpi_research.crm.contract import Contract, hold_to_contract
from kpi_research.crm.tables import TABLES
from kpi_research.customers import facts as customer_facts
from kpi_research.errors import InputError, Problem
from kpi_research.funnel.records import Records, read_records, records_in, write_records
from kpi_research.integrity.quality import Quality, observe
from kpi_research.panel import Contributions, contributions, contributions_in
from kpi_research.run import deal_rows, entry_rows
from kpi_research.run.code import code_fingerprint, data_code_fingerprint
from kpi_research.run.on_file import compute_on_file, read_on_file
from kpi_research.run.settings import ClientFile, kpis_of
from kpi_research.sources.mapping import SimulatedSource
from kpi_research.sources.read import files_of, read_source, reads_database
from kpi_research.sources.workspace import Progress, Workspace

KEPT_TABLES = ("people", "teams", "targets", "ratings")
PANEL = "panel"
FUNNEL = "funnel"
ON_FILE = "on_file"
CUSTOMERS = "customers"
FRAMES = ("rejected", "counted", "row_counts", "steps", "observations", "coverage", *KEPT_TABLES)


@dataclass(frozen=True)
class Stored:
    """A client's data, ready for panels.

    Parameters
    ----------
    folder
        Where they are kept.
    parts
        What panels are summed from.
    on_file
        The same for the predictors, from what was on file at the end of each period; None where records do not say
        when they were made.
    people, teams, targets, ratings
        Canonical tables, empty where the client has none.
    rejected, counted, row_counts, steps
        What the contract found (see `crm.contract.Contract`).
    quality
        How far the data can be trusted.
    inputs
        File -> SHA-256; for a database, of what was read from it.
    truth
        What a simulated client was made with; empty otherwise.
    """

    folder: Path
    parts: Contributions
    on_file: Contributions | None
    people: pd.DataFrame
    teams: pd.DataFrame
    targets: pd.DataFrame
    ratings: pd.DataFrame
    rejected: pd.DataFrame
    counted: pd.DataFrame
    row_counts: pd.DataFrame
    steps: pd.DataFrame
    quality: Quality
    inputs: Mapping[str, str]
    truth: tuple[Mapping[str, Any], ...]

    @functools.cached_property
    def funnel(self) -> Records | None:
        """What every view of the funnel is made from; None without opportunities."""
        return records_in(self.folder / FUNNEL)

    @functools.cached_property
    def customers(self) -> customer_facts.Facts:
        """What customer value is made from."""
        return customer_facts.read(self.folder / CUSTOMERS, self.parts.tables)

    @property
    def derived(self) -> Path:
        """Where what is made from the stored data is kept: studies, fitted models; by all of the package's code."""
        return self.folder / "derived" / code_fingerprint()[:16]

    @property
    def rules(self) -> pd.DataFrame:
        """What rows broke, by rule (see `rules_of`)."""
        return rules_of(self.rejected, self.counted)


def stored(settings: ClientFile, base: Path, cache: Path, progress: Progress | None = None) -> Stored:
    """The client's data, from disk if they are there already.

    Parameters
    ----------
    base
        Folder of the client file; the source's path is relative to it.
    cache
        Folder under which fingerprints are kept.
    progress
        Called while a database's rows are copied (see `Workspace`).

    Raises
    ------
    InputError
        If the source cannot be read.
    """
    home = cache / settings.client
    inputs = input_hashes(settings, base)
    if reads_database(settings.source):
        if pinned := os.environ.get(_pin(settings)):
            return _load(home / pinned, settings)
        return _load(_build(settings, base, home, inputs, progress), settings)
    folder = home / fingerprint(settings, inputs)
    return _load(folder if (folder / "meta.json").is_file() else _build(settings, base, home, inputs), settings)


@contextlib.contextmanager
def pinned(settings: ClientFile, data: Stored) -> Iterator[None]:
    """As long as this lasts, this process and its children take a database's rows as they were read before."""
    name, before = _pin(settings), os.environ.get(_pin(settings))
    os.environ[name] = data.folder.name
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _pin(settings: ClientFile) -> str:
    return f"KPI_RESEARCH_DATA_{settings.client.upper().replace('-', '_')}"


def input_hashes(settings: ClientFile, base: Path) -> dict[str, str]:
    """SHA-256 of every file that the source reads, by its path from the client file's folder."""
    return {os.path.relpath(path, base): _sha256(path) for path in files_of(settings.source, base)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(settings: ClientFile, inputs: Mapping[str, str]) -> str:
    """What the stored data depend on, in 16 hexadecimal digits."""
    read_from = ("client", "source", "timezone", "calendar", "since", "until", "stages", "currency", "kpis")
    studied = ("predictors", "negative_controls", "fiscal_year_starts")
    included: dict[str, Any] = {**dict.fromkeys(read_from + studied, True), "plan": {"grain"}}
    reading = settings.model_dump_json(include=included)
    text = json.dumps([reading, dict(inputs), data_code_fingerprint()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _truth(settings: ClientFile) -> list[Mapping[str, Any]]:
    """What a made-up client was made with."""
    if not isinstance(settings.source, SimulatedSource):
        return []
    from kpi_research.sources.simulated import Company
    from kpi_research.sources.simulation.company import planted

    return [dataclasses.asdict(each) for each in planted(Company(**settings.source.model_dump(exclude={"kind"})))]


def _build(
    settings: ClientFile, base: Path, home: Path, inputs: Mapping[str, str], progress: Progress | None = None
) -> Path:
    """Read, check and compute; write beside the final folder and rename, so that a folder that is there is whole."""
    home.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix="part-", dir=home))
    try:
        with Workspace(building, progress) as workspace:
            contract = hold_to_contract(read_source(settings.source, base, workspace), timezone=settings.timezone)
            if problems := [*_lost_tables(contract)]:
                raise InputError(problems)
            parts = _contributions(settings, contract, building / PANEL)
            on_file = compute_on_file(settings, contract, parts, building / ON_FILE)
            quality = observe(
                contract.tables,
                row_counts=contract.row_counts,
                rules=rules_of(contract.rejected, contract.counted),
                roster=parts.roster,
                until=parts.until,
                timezone=settings.timezone,
            )
            _write_rows(settings, contract, parts, building)
            kept = {name: contract.frame(name) for name in KEPT_TABLES if name in contract.tables}
        _write(building, contract, quality, kept)
        if reads_database(settings.source):
            inputs = {**inputs, "database": _content(building)}
        meta = {
            PANEL: parts.meta,
            ON_FILE: on_file,
            "inputs": inputs,
            "grade": quality.grade,
            "truth": _truth(settings),
        }
        (building / "meta.json").write_text(json.dumps(meta, ensure_ascii=False, indent=1), encoding="utf-8")
        folder = home / fingerprint(settings, inputs)
        try:
            building.rename(folder)
        except OSError:
            if not (folder / "meta.json").is_file():
                raise
        return folder
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _write_rows(settings: ClientFile, contract: Contract, parts: Contributions, building: Path) -> None:
    """What the funnel, deals, signs of gaming and customers are made from."""
    records = read_records(
        contract.tables,
        stages=settings.stages,
        roster=parts.roster,
        since=parts.since or parts.until,
        until=parts.until,
    )
    if records is not None:
        write_records(records, building / FUNNEL)
    deal_rows.write(deal_rows.fetch(contract.tables), building / deal_rows.FOLDER)
    entry_rows.write(entry_rows.fetch(contract.tables), building)
    customer_facts.write(customer_facts.fetch(contract.tables, currency=settings.currency), building / CUSTOMERS)


def _lost_tables(contract: Contract) -> Iterator[Problem]:
    """Tables of which not one row can be used: a wrong mapping rather than a few wrong rows."""
    cells = contract.rejected[~contract.rejected["rule"].str.startswith("not_in_")]
    for table, counts in contract.row_counts.groupby("table")[["rejected", "kept"]].sum().iterrows():
        found = cells[cells["table"] == table]
        if len(found) and not counts["kept"]:
            first = found.iloc[0]
            values = {
                "table": table, "rows": int(counts["rejected"]), "column": first["column"], "value": first["value"],
                "rule": first["rule"],
            }  # fmt: skip
            place = first["file"] if pd.isna(first["source_row"]) else f"{first['file']}:{first['source_row']}"
            yield Problem("contract.nothing_kept", place, values)


def _contributions(settings: ClientFile, contract: Contract, folder: Path) -> Contributions:
    since, until = (dt.date.fromisoformat(day) if day else None for day in (settings.since, settings.until))
    kpis = tuple(kpis_of(settings).values())
    # what a database gave is known by the bytes of these files; files have fingerprints of their own
    build = functools.partial(contributions, in_order=reads_database(settings.source))
    return build(contract.tables, kpis, country=settings.calendar, since=since, until=until, folder=folder)


def rules_of(rejected: pd.DataFrame, counted: pd.DataFrame) -> pd.DataFrame:
    """Findings by rule: `table, rule, column, severity, rows, file, first_row, value`, of which the last three are of
    the first row that broke it.
    """
    rows = []
    for frame, severity in ((rejected, "reject"), (counted, "count")):
        for (table, rule, column), found in frame.groupby(["table", "rule", "column"], sort=True):
            first = found.iloc[0]
            rows.append((table, rule, column, severity, len(found), first["file"], first["source_row"], first["value"]))
    return pd.DataFrame(rows, columns=["table", "rule", "column", "severity", "rows", "file", "first_row", "value"])


def _write(folder: Path, contract: Contract, quality: Quality, kept: Mapping[str, pd.DataFrame]) -> None:
    frames = {
        "rejected": contract.rejected,
        "counted": contract.counted,
        "row_counts": contract.row_counts,
        "steps": contract.steps,
        "observations": quality.observations,
        "coverage": quality.coverage,
    }
    # an engine hands rows over in no order; the same rows must give the same bytes
    frames |= {name: frame.sort_values(list(TABLES[name].key)) for name, frame in kept.items()}
    for name, frame in frames.items():
        frame.reset_index(drop=True).to_parquet(folder / f"{name}.parquet")


def _content(folder: Path) -> str:
    """SHA-256 of everything that was read from a database."""
    digests = [_sha256(path) for path in sorted(folder.rglob("*.parquet"))]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _load(folder: Path, settings: ClientFile) -> Stored:
    frames = {
        name: pd.read_parquet(path) if (path := folder / f"{name}.parquet").is_file() else pd.DataFrame()
        for name in FRAMES
    }
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    parts = contributions_in(folder / PANEL, meta[PANEL], tuple(kpis_of(settings).values()))
    quality = Quality(frames.pop("observations"), frames.pop("coverage"), meta["grade"])
    on_file = read_on_file(settings, folder / ON_FILE, meta[ON_FILE])
    return Stored(folder, parts, on_file, quality=quality, inputs=meta["inputs"], truth=tuple(meta["truth"]), **frames)
