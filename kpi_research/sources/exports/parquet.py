"""A Parquet file as an export: a view that keeps the engine's types and reads nothing before it is asked."""

from __future__ import annotations

from pathlib import Path

import duckdb
import ibis

from kpi_research.errors import InputError, Problem
from kpi_research.sources.export import Export
from kpi_research.sources.exports import shape
from kpi_research.sources.workspace import Workspace


def open_parquet(path: Path, workspace: Workspace) -> Export:
    """A Parquet file; its first row is row 1.

    Raises
    ------
    InputError
        If the file is no Parquet, or its columns cannot be told apart.
    """
    try:
        # brackets, stars and question marks in a file name are a pattern to DuckDB
        literal = "".join(f"[{mark}]" if mark in "*?[" else mark for mark in path.as_posix())
        rows = workspace.engine.read_parquet(literal, table_name=workspace.new_name("parquet"))
    except (duckdb.Error, ibis.IbisError):
        raise InputError(Problem("export.not_parquet", path.name)) from None
    names = shape.headers_of(rows.columns, path.name)
    renamed = rows.rename(dict(zip(names, rows.columns, strict=True)))
    return Export(path.name, renamed, names, first_row=1)
