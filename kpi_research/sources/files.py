"""CSV exports with an explicit mapping, and folders of canonical tables."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from kpi_research.crm.contract import RawTable
from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError, Problem
from kpi_research.sources.mapping import CanonicalSource, FilesSource, apply_mapping

CANONICAL_SUFFIXES = (".csv", ".parquet")
FIRST_ROW = 2
"""The header is row 1, as a spreadsheet counts."""
RAGGED_SHOWN = 3


def read_files(source: FilesSource, folder: Path) -> dict[str, RawTable]:
    """Every mapped table of a folder of CSV files.

    Raises
    ------
    InputError
        All missing files, unreadable files and unknown columns at once.
    """
    exports: dict[tuple[str, str | None], pd.DataFrame] = {}
    tables: dict[str, RawTable] = {}
    problems: list[Problem] = []
    for name, mapping in source.tables.items():
        try:
            wanted = (mapping.file, mapping.encoding)
            if wanted not in exports:
                exports[wanted] = read_csv(folder / mapping.file, mapping.encoding)
            tables[name] = apply_mapping(name, exports[wanted], mapping)
        except InputError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise InputError(problems)
    return tables


def read_canonical(_: CanonicalSource, folder: Path) -> dict[str, RawTable]:
    """Every canonical table of a folder.

    Raises
    ------
    InputError
        If the folder is missing or empty, or holds a table that is not canonical.
    """
    if not folder.is_dir():
        raise InputError(_missing(folder))
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in CANONICAL_SUFFIXES]
    problems = [
        Problem("contract.unknown_table", path.name, {"table": path.stem}, path.stem, tuple(TABLES))
        for path in paths
        if path.stem not in TABLES
    ]
    if problems or not paths:
        raise InputError(problems or Problem("source.empty_folder", values={"folder": folder.name}))
    tables = {}
    for path in paths:
        frame = read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
        frame.index = pd.RangeIndex(FIRST_ROW, len(frame) + FIRST_ROW)
        tables[path.stem] = RawTable(frame, path.name)
    return tables


def read_csv(path: Path, encoding: str | None = None) -> pd.DataFrame:
    """A CSV file with every cell as text, indexed by its row number.

    Parameters
    ----------
    encoding
        Tried alone when given; otherwise UTF-8, UTF-16 with a byte-order mark, then GB18030.

    Raises
    ------
    InputError
        If the file is missing, empty, in another encoding, has a column name twice, or a row with too many cells.
    """
    if not path.is_file():
        raise InputError(_missing(path))
    header, *rows = [*csv.reader(io.StringIO(_decode(path, encoding)))] or [[]]
    if problems := list(_shape_problems(path.name, header, rows)):
        raise InputError(problems)
    frame = pd.DataFrame(rows, columns=header, dtype="string")
    frame.index = pd.RangeIndex(FIRST_ROW, len(frame) + FIRST_ROW)
    return frame[frame.notna().all(axis=1)]


def _shape_problems(file: str, header: list[str], rows: list[list[str]]) -> Iterator[Problem]:
    """A header that is missing or ambiguous, rows that do not fit it; blank lines are no rows."""
    if not any(cell.strip() for cell in header):
        yield Problem("source.no_header", file)
        return
    for column in sorted({cell for cell in header if header.count(cell) > 1}):
        yield Problem("source.column_twice", file, {"column": column})
    wrong = [(number, len(row)) for number, row in enumerate(rows, FIRST_ROW) if row and len(row) != len(header)]
    for number, cells in wrong[:RAGGED_SHOWN]:
        values = {"row": number, "cells": cells, "columns": len(header), "more": max(0, len(wrong) - RAGGED_SHOWN)}
        yield Problem("source.ragged", file, values)


def _decode(path: Path, encoding: str | None) -> str:
    content = path.read_bytes()
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    tried = [encoding] if encoding else ["utf-16"] if marked else ["utf-8-sig", "gb18030"]
    for name in tried:
        try:
            return content.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    raise InputError(Problem("source.encoding", path.name, {"tried": ", ".join(tried)}))


def _missing(path: Path) -> Problem:
    parent = path.parent
    beside: Callable[[Path], bool] = Path.is_dir if path.suffix == "" else Path.is_file
    names = tuple(sorted(other.name for other in parent.iterdir() if beside(other))) if parent.is_dir() else ()
    return Problem("source.missing", values={"path": path.as_posix()}, given=path.name, allowed=names)
