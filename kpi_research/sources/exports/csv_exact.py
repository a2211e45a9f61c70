"""The exact road through a CSV file: Python's csv module, row by row, every row with its number."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from kpi_research.crm.engine import SPACE
from kpi_research.crm.raw import SOURCE_ROW, Step
from kpi_research.errors import InputError, Problem
from kpi_research.sources.exports import shape
from kpi_research.sources.exports.csv_layout import Layout, reader
from kpi_research.sources.exports.text import TextFile
from kpi_research.sources.workspace import Workspace

BATCH = 1 << 22
"""Characters, cells included, that are in memory at a time."""
RAGGED_SHOWN = 3


@dataclass(frozen=True)
class CsvRows:
    """Rows of a CSV file in the workspace.

    Parameters
    ----------
    table
        Table or view that holds them.
    records
        How many they are.
    steps
        What was cut.
    """

    table: str
    records: int
    steps: tuple[Step, ...] = ()


@dataclass
class _Found:
    """What turned up while the rows passed."""

    records: int = 0
    blank: int = 0
    footer: int = 0
    ragged: int = 0
    problems: list[Problem] = field(default_factory=list)


def read_exactly(text: TextFile, layout: Layout, *, workspace: Workspace) -> CsvRows:
    """Rows as a table with `source_row`; blank rows and the footer are cut.

    Raises
    ------
    InputError
        For the first rows with too many or too few cells, and for a quote that is out of place.
    """
    found, name = _Found(), workspace.new_name("csv")
    schema = pa.schema([(SOURCE_ROW, pa.int64()), *((header, pa.string()) for header in layout.names)])
    batches = pa.RecordBatchReader.from_batches(schema, _batches(text, layout, found, schema))
    connection = workspace.engine.con
    with connection.cursor() as cursor:
        cursor.register("batches", batches)
        cursor.execute(f"CREATE TABLE {name} AS SELECT * FROM batches")  # noqa: S608
    if found.problems:
        connection.execute(f"DROP TABLE {name}")
        more = max(0, found.ragged - RAGGED_SHOWN)
        raise InputError(_with_more(problem, more) for problem in found.problems)
    return CsvRows(name, found.records, tuple(_steps(found)))


def _steps(found: _Found) -> Iterator[Step]:
    table = found.records + found.footer
    if found.blank:
        yield Step("blank_rows", table + found.blank, table)
    if found.footer:
        yield Step("footer", table, found.records)


def _with_more(problem: Problem, more: int) -> Problem:
    if problem.key != "source.ragged":
        return problem
    return Problem(problem.key, problem.where, {**problem.values, "more": more})


def _batches(text: TextFile, layout: Layout, found: _Found, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    rows: list[shape.Row] = []
    size = 0
    for number, cells in _records(text, layout, found):
        rows.append((number, cells))
        size += len(cells) * 8 + sum(map(len, filter(None, cells)))
        if size > BATCH:
            yield _batch(rows, schema)
            rows, size = [], 0
    if rows:
        yield _batch(rows, schema)


def _batch(rows: list[shape.Row], schema: pa.Schema) -> pa.RecordBatch:
    numbers = pa.array([number for number, _ in rows], pa.int64())
    columns = zip(*(cells for _, cells in rows), strict=True)
    texts = [pa.array([cell or None for cell in column], pa.string()) for column in columns]
    return pa.record_batch([numbers, *texts], schema=schema)


def _records(text: TextFile, layout: Layout, found: _Found) -> Iterator[shape.Row]:
    """Rows that fit the header; the last ones are held back until it is seen whether they are a footer."""
    tail: deque[shape.Row] = deque()
    width, before = len(layout.names), layout.header
    for row in _filled_rows(text, layout, found):
        tail.append(row)
        if len(tail) > shape.TAIL_ROWS:
            before = tail[0][0]
            yield from _fitting(tail.popleft(), width, text, found)
    found.footer = shape.footer_rows(tail, width, before=before)
    for row in list(tail)[: len(tail) - found.footer]:
        yield from _fitting(row, width, text, found)


def _filled_rows(text: TextFile, layout: Layout, found: _Found) -> Iterator[shape.Row]:
    number = 0
    with text.path.open(encoding="utf-8-sig", newline="") as file:
        try:
            for number, cells in enumerate(reader(file, layout.delimiter, strict=True), 1):
                if number <= layout.header:
                    continue
                if any(cell.strip(SPACE) for cell in cells):
                    yield number, cells
                else:
                    found.blank += 1
        except csv.Error as error:
            is_open = "end of data" in str(error) or "field limit" in str(error)
            key = "export.open_quote" if is_open else "export.stray_quote"
            found.problems.append(Problem(key, text.name, {"row": number + 1}))


def _fitting(row: shape.Row, width: int, text: TextFile, found: _Found) -> Iterator[shape.Row]:
    number, cells = row
    if len(cells) < width or any(cells[width:]):
        found.ragged += 1
        if found.ragged <= RAGGED_SHOWN:
            values = {"row": number, "cells": len(cells), "columns": width}
            found.problems.append(Problem("source.ragged", text.name, values))
        return
    found.records += 1
    yield number, cells[:width]
