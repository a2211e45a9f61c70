"""Where `init` looks: a folder of exports, or a database whose address an environment variable holds."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kpi_research.errors import InputError, Problem
from kpi_research.sources.catalogue import MOST_TABLES, look_around
from kpi_research.sources.database import kind_of, open_database, untested
from kpi_research.sources.engines import KINDS
from kpi_research.sources.exports import find_exports, open_export
from kpi_research.sources.mapping import DatabaseSource
from kpi_research.sources.profile import PROFILED_CELLS
from kpi_research.sources.proposal import Doubt, Look
from kpi_research.sources.recognise import look_at
from kpi_research.sources.workspace import Workspace

VARIABLE = re.compile(DatabaseSource.model_json_schema()["properties"]["address"]["pattern"])
ADDRESS = re.compile(r"[A-Za-z][\w.-]+(\+\w+)?:/+.", re.ASCII)
"""What begins like this is no folder; a path has lost one of its strokes by then."""
SCHEMAS_SHOWN = 8


@dataclass(frozen=True)
class InDatabase:
    """A database as a place to look.

    Parameters
    ----------
    variable
        Name of the environment variable that holds its address; never the address itself.
    """

    variable: str


@dataclass(frozen=True)
class Found:
    """What there is to be recognised, and how a client file names where it lies.

    Parameters
    ----------
    looks
        Every export, or every table of a database that is worth a look.
    source
        The keys of the client file's `source` before its tables.
    place
        What the sentences `init.head.files` and `init.head.database` say of it.
    problems
        Why some could not be read.
    doubts
        What is doubtful of the place itself.
    notes
        What else its user should know.
    columns
        Of a database: every table and view -> its columns.
    empty
        Of a database: tables that were looked at and have no rows.
    """

    looks: tuple[Look, ...]
    source: Mapping[str, str]
    place: Mapping[str, object]
    problems: tuple[Problem, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[Problem, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    empty: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`files` or `database`."""
        return self.source["kind"]


def problems_of_place(source: Path | InDatabase) -> list[Problem]:
    """What is wrong with a place before anything is opened; an address is never repeated."""
    if isinstance(source, InDatabase):
        return [] if VARIABLE.fullmatch(source.variable) else [Problem("init.no_variable")]
    if source.exists():
        return []
    if ADDRESS.match(source.as_posix()):
        return [Problem("init.address_given")]
    beside = tuple(sorted(other.name for other in source.parent.iterdir())) if source.parent.is_dir() else ()
    return [Problem("source.missing", values={"path": source.as_posix()}, given=source.name, allowed=beside)]


def look(source: Path | InDatabase, workspace: Workspace, preset: str | None, params_folder: Path) -> Found:
    """Everything in a place that may be of use.

    Parameters
    ----------
    preset
        The only system to be looked for, where its user knows it.
    params_folder
        Where the client file will lie: it names a folder from there.

    Raises
    ------
    InputError
        If there is nothing, or nothing that can be read; or if a database cannot be opened.
    """
    if isinstance(source, InDatabase):
        return _look_at_database(source.variable, workspace, preset)
    return _look_at_files(source, workspace, params_folder)


def _look_at_files(source: Path, workspace: Workspace, params_folder: Path) -> Found:
    """Every export with its profile, and why others cannot be read; one that can is enough to go on."""
    folder = source if source.is_dir() else source.parent
    there = [(path, sheet) for path, sheet in find_exports(folder) if source.is_dir() or path == source]
    looks: list[Look] = []
    problems: list[Problem] = []
    for path, sheet in there:
        try:
            export = open_export(path, workspace, sheet=sheet)
            looks.append(look_at(export, path.relative_to(folder).as_posix(), sheet))
        except InputError as error:
            problems += error.problems
    if problems and not looks:
        raise InputError(problems)
    if not looks:
        raise InputError(Problem("init.no_exports", values={"path": source.as_posix()}))
    place = {"path": folder.name, "n": len(looks)}
    named = {"kind": "files", "path": _relative(folder, params_folder)}
    return Found(tuple(looks), named, place, tuple(problems))


def _look_at_database(variable: str, workspace: Workspace, preset: str | None) -> Found:
    """Every table that is worth a look, with the profile of some of its rows."""
    if not os.environ.get(variable, "").strip():
        # names alone: what they hold is nobody's business
        like = tuple(sorted(name for name, value in os.environ.items() if kind_of(value) in KINDS))
        raise InputError(Problem("database.no_address", variable, {"variable": variable}, variable, like))
    source = DatabaseSource(kind="database", address=variable, tables={})
    with open_database(source, workspace, workspace.progress) as database:
        try:
            seen = look_around(database, preset)
        except InputError as error:
            raise InputError(replace(problem, where=variable) for problem in error.problems) from None
    schemas = [f"{name} ({n})" for name, n in seen.schemas.items()]
    place = {
        "variable": variable,
        "n": len(seen.looks),
        "all": len(seen.columns),
        "schemas": ", ".join(schemas[:SCHEMAS_SHOWN]) + (" …" if len(schemas) > SCHEMAS_SHOWN else ""),
        "cells": f"{PROFILED_CELLS:,}",
    }
    named = {"kind": "database", "address": variable}
    notes = [note] if (note := untested(source)) else []
    if seen.passed_over:
        notes.append(Problem("database.passed_over", variable, {"n": seen.passed_over, "most": MOST_TABLES}))
    return Found(seen.looks, named, place, seen.problems, seen.doubts, tuple(notes), seen.columns, seen.empty)


def _relative(folder: Path, params_folder: Path) -> str:
    try:
        return Path(os.path.relpath(folder.resolve(), params_folder.resolve())).as_posix()
    except ValueError:
        # on Windows nothing leads from one drive to another
        return folder.resolve().as_posix()
