"""From a client's source to raw canonical tables: every kind of source has one reader here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ibis

from kpi_research.crm.engine import one_of, selections_apart
from kpi_research.crm.raw import RawTable
from kpi_research.crm.tables import TABLES
from kpi_research.crm.typing import blank_to_null, is_native
from kpi_research.errors import InputError, Problem
from kpi_research.sources.apply import apply_mapping
from kpi_research.sources.export import Export
from kpi_research.sources.exports import missing, open_export
from kpi_research.sources.mapping import (
    CanonicalSource,
    DatabaseSource,
    FilesSource,
    MergedSource,
    SimulatedSource,
    Source,
    TableMapping,
    parts_of,
)
from kpi_research.sources.mapping_problems import mapping_problems
from kpi_research.sources.period_words import with_periods
from kpi_research.sources.proposal import mentioned
from kpi_research.sources.reshape import RESHAPING
from kpi_research.sources.starting_map import completed
from kpi_research.sources.workspace import Workspace

CANONICAL_SUFFIXES = (".csv", ".parquet")
Raw = dict[str, list[RawTable]]
Plan = list[tuple[str, Export, TableMapping]]
"""Canonical table, what it is taken out of, and how."""


def read_source(source: Source, folder: Path, workspace: Workspace) -> Raw:
    """Every canonical table that a source gives, each as the parts that it comes in.

    Parameters
    ----------
    folder
        Folder of the client file: a source's path is relative to it.
    workspace
        Where rows are put that are not left where they are; it must stay open as long as the tables are used.

    Raises
    ------
    InputError
        All missing files, unreadable files, unknown columns and unknown tables at once.
    """
    with selections_apart():
        return _READERS[type(source)](source, folder, workspace)


def files_of(source: Source, folder: Path) -> list[Path]:
    """Every file that a source reads; those that are missing are left to the reader to complain of."""
    if isinstance(source, MergedSource):
        return [path for part in source.sources.values() for path in files_of(part, folder)]
    if isinstance(source, CanonicalSource):
        return [path for path in sorted((folder / source.path).glob("*.*")) if path.is_file()]
    if isinstance(source, FilesSource):
        wanted = dict.fromkeys(mapping.file for _, mapping in parts_of(source.tables) if mapping.file)
        return [path for name in wanted for path in _matching(folder / source.path, name) if path.is_file()]
    return []


def reads_database(source: Source) -> bool:
    """Whether a source reads anything that no file's content tells of."""
    if isinstance(source, MergedSource):
        return any(reads_database(part) for part in source.sources.values())
    return isinstance(source, DatabaseSource)


def _read_files(source: FilesSource, base: Path, workspace: Workspace) -> Raw:
    opened: dict[tuple[Any, ...], Export] = {}

    def exports(mapping: TableMapping) -> Iterable[Export]:
        if mapping.file is None:
            raise InputError(Problem("source.no_file", values={"where": mapping.export or "tables"}))
        for path in _matching(base / source.path, mapping.file):
            how = {name: getattr(mapping, name) for name in ("sheet", "encoding", "delimiter", "header_row")}
            wanted = (path, *how.values())
            if wanted not in opened:
                opened[wanted] = open_export(path, workspace, **how)
            yield opened[wanted]

    return _carried_out(_plan(source, exports), in_place=False)


def _read_database(source: DatabaseSource, _: Path, workspace: Workspace) -> Raw:
    from kpi_research.sources.database import open_database

    database = workspace.enter(open_database(source, workspace, workspace.progress))

    def plan(in_place: bool) -> Plan:
        opened = dataclasses.replace(database, in_place=in_place)
        # copied once, however many canonical tables are taken out of it
        copied: dict[str, Export] = {}

        def exports(mapping: TableMapping) -> Iterable[Export]:
            if mapping.table is None:
                raise InputError(Problem("source.no_table", values={"where": mapping.export or "tables"}))
            if mapping.table not in copied:
                copied[mapping.table] = opened.export(mapping.table)
            yield copied[mapping.table]

        return _plan(source, exports)

    if database.in_place:
        there = plan(in_place=True)
        problems = [problem for name, _, mapping in there for problem in _reshaped(name, mapping)]
        if not problems:
            raw = _carried_out(there, in_place=True)
            problems = [problem for name, parts in raw.items() for part in parts for problem in _not_native(name, part)]
            if not problems:
                return raw
        if source.stage is False:
            raise InputError(problems)
    return _carried_out(plan(in_place=False), in_place=False)


def _reshaped(name: str, mapping: TableMapping) -> Iterator[Problem]:
    """What a mapping asks for that only the workspace can do."""
    options = [option for option in (*RESHAPING, "dates", "pick") if getattr(mapping, option)]
    if options:
        yield Problem("database.must_be_copied", mapping.export, {"table": name, "what": ", ".join(options)})


def _not_native(name: str, part: RawTable) -> Iterator[Problem]:
    """Columns whose values only the workspace can read."""
    columns = TABLES[name].columns
    foreign = [c for c, type_ in part.rows.schema().items() if c in columns and not is_native(columns[c].kind, type_)]
    if foreign:
        yield Problem("database.must_be_copied", part.file, {"table": name, "what": ", ".join(foreign)})


def _plan(source: FilesSource | DatabaseSource, exports: Callable[[TableMapping], Iterable[Export]]) -> Plan:
    """What is taken out of which export; all that is wrong with any mapping is said at once."""
    found: Plan = []
    problems: list[Problem] = []
    for name, mapping in parts_of(source.tables):
        try:
            for export in exports(mapping):
                for full in completed(mapping, source.preset, name, export.headers):
                    problems += [each for each in mapping_problems(name, export, full) if each not in problems]
                    found.append((name, export, full))
        except InputError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise InputError(problems)
    return found


def _carried_out(plan: Plan, *, in_place: bool) -> Raw:
    """Every mapping of a plan, once all of them are known to be possible."""
    tables: Raw = {}
    for name, export, mapping in plan:
        raw = apply_mapping(name, _emptied(export, mapping), mapping, in_place=in_place)
        tables.setdefault(name, []).append(with_periods(raw, export))
    return tables


def _emptied(export: Export, mapping: TableMapping) -> Export:
    """An export whose figures are null where the mapping says that they mean nothing, as texts will be: parent 0."""
    schema = export.rows.schema()
    figures = [name for name in export.headers if schema[name].is_numeric() and name in mentioned(mapping)]
    if not mapping.nulls or not figures:
        return export
    rows = export.rows
    emptied = {
        name: one_of(blank_to_null(rows[name]), mapping.nulls).ifelse(ibis.null(schema[name]), rows[name])
        for name in figures
    }
    return dataclasses.replace(export, rows=rows.mutate(**emptied))


def _read_canonical(source: CanonicalSource, base: Path, workspace: Workspace) -> Raw:
    folder = base / source.path
    if not folder.is_dir():
        raise InputError(missing(folder))
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in CANONICAL_SUFFIXES]
    problems = [
        Problem("contract.unknown_table", path.name, {"table": path.stem}, path.stem, tuple(TABLES))
        for path in paths
        if path.stem not in TABLES
    ]
    if problems or not paths:
        raise InputError(problems or Problem("source.empty_folder", values={"folder": folder.name}))
    tables: Raw = {}
    for path in paths:
        try:
            export = open_export(path, workspace)
            same = TableMapping(file=path.name, columns={header: header for header in export.headers})
            tables[path.stem] = [with_periods(apply_mapping(path.stem, export, same), export)]
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return tables


def _read_simulated(source: SimulatedSource, _: Path, workspace: Workspace) -> Raw:
    from kpi_research.sources.simulated import Company, simulate

    return raw_frames(simulate(Company(**source.model_dump(exclude={"kind"}))).tables, workspace)


def raw_frames(frames: Mapping[str, Any], workspace: Workspace) -> Raw:
    """Canonical tables that were made as frames."""
    return {
        name: [RawTable(workspace.engine.create_table(workspace.new_name(name), ibis.memtable(frame)), "simulated")]
        for name, frame in frames.items()
    }


def _read_merged(source: MergedSource, base: Path, workspace: Workspace) -> Raw:
    from kpi_research.sources.merge import merge

    raws: dict[str, Raw] = {}
    problems: list[Problem] = []
    for name, part in source.sources.items():
        # rows of several systems can only be joined where all of them are
        staged = part.model_copy(update={"stage": True}) if isinstance(part, DatabaseSource) else part
        try:
            raws[name] = read_source(staged, base, workspace)
        except InputError as error:
            problems += [dataclasses.replace(problem, where=f"{name}: {problem.where}") for problem in error.problems]
    if problems:
        raise InputError(problems)
    return merge(source, raws)


def _matching(folder: Path, name: str) -> list[Path]:
    """The file of this name, or the files that a pattern with `*` or `?` means, in the order of their names."""
    if not any(mark in name for mark in "*?"):
        return [folder / name]
    found = sorted(path for path in folder.glob(name) if path.is_file())
    if not found:
        raise InputError(missing(folder / name))
    return found


_READERS: dict[type, Callable[[Any, Path, Workspace], Raw]] = {
    FilesSource: _read_files,
    DatabaseSource: _read_database,
    CanonicalSource: _read_canonical,
    SimulatedSource: _read_simulated,
    MergedSource: _read_merged,
}
