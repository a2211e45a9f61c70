"""CSV and its relatives as an export.

Two roads lead to the same rows. On the fast one DuckDB reads the file where it lies, lazily; it is taken if it is
proved that DuckDB accepts every row, that none is blank and that its rows are as many as the file's records: by the
bytes of a file without quotes, by a count over the view otherwise. So an error is found before the view is handed out,
at the price of one look that stores nothing. All else takes the exact road. Memory is bounded on both: DuckDB reads by
buffers, the exact road writes batches of `csv_exact.BATCH` characters.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import duckdb

from kpi_research.crm.raw import Step
from kpi_research.sources.export import Export
from kpi_research.sources.exports import shape
from kpi_research.sources.exports.csv_exact import CsvRows, read_exactly
from kpi_research.sources.exports.csv_layout import Layout, find_layout
from kpi_research.sources.exports.csv_plain import plain_records
from kpi_research.sources.exports.text import TextFile, open_text
from kpi_research.sources.workspace import Workspace

TAIL = 1 << 14
"""Bytes in which a footer is looked for."""
PIECE = 1 << 20


def open_csv(
    path: Path,
    workspace: Workspace,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    header_row: int | None = None,
) -> Export:
    """A text file with one record a row.

    Raises
    ------
    InputError
        If bytes, header or rows are wrong; all wrong rows at once.
    """
    text = open_text(path, workspace, encoding=encoding)
    layout = find_layout(text, delimiter=delimiter, header_row=header_row)
    found = read_lazily(text, layout, workspace=workspace) or read_exactly(text, layout, workspace=workspace)
    steps = found.steps
    if layout.titles:
        below = steps[0].before if steps else found.records
        steps = (Step("title_rows", below + layout.titles, below), *steps)
    details = {"encoding": text.encoding, "delimiter": layout.delimiter, "header_row": str(layout.header)}
    return Export(path.name, workspace.engine.table(found.table), layout.names, layout.header + 1, steps, details)


def read_lazily(text: TextFile, layout: Layout, *, workspace: Workspace) -> CsvRows | None:
    """A view over the file, or None if it cannot be trusted to show every row in its place."""
    if layout.lines is None or _may_have_footer(text.path, layout.delimiter, layout.lines):
        return None
    name = workspace.new_name("csv")
    connection = workspace.engine.con
    if (records := plain_records(text.path, layout.lines, layout.delimiter, len(layout.names))) is not None:
        connection.execute(f"CREATE VIEW {name} AS {_select(text.path, layout)}")
        return CsvRows(name, records)
    try:
        connection.execute(f"CREATE VIEW {name} AS {_select(text.path, layout)}")
        # what begins with a space may be blank; that costs a tenth of trimming every cell
        is_filled = " OR ".join(f"{_quoted(name)} >= '!'" for name in layout.names)
        counts = connection.execute(f"SELECT count(*), count(*) FILTER (WHERE {is_filled}) FROM {name}").fetchone()  # noqa: S608
    except (duckdb.Error, UnicodeDecodeError):
        # DuckDB cuts the line that it quotes in its message within a character
        connection.execute(f"DROP VIEW IF EXISTS {name}")
        return None
    rows, filled = counts or (0, 0)
    if rows == filled and _has_records(text.path, layout.lines, rows):
        return CsvRows(name, rows)
    connection.execute(f"DROP VIEW {name}")
    return None


def _select(path: Path, layout: Layout) -> str:
    columns = ", ".join(f"c{i}: 'VARCHAR'" for i in range(len(layout.names)))
    named = ", ".join(f"c{i} AS {_quoted(name)}" for i, name in enumerate(layout.names))
    options = {
        "auto_detect": "false",
        "header": "false",
        "strict_mode": "true",
        "skip": layout.lines,
        "delim": _text(layout.delimiter),
        "quote": _text('"'),
        "escape": _text('"'),
        "columns": f"{{{columns}}}",
    }
    given = ", ".join(f"{name} = {value}" for name, value in options.items())
    # brackets, stars and question marks in a file name are a pattern to DuckDB
    literal = "".join(f"[{mark}]" if mark in "*?[" else mark for mark in path.as_posix())
    return f"SELECT {named} FROM read_csv({_text(literal)}, {given})"  # noqa: S608


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _may_have_footer(path: Path, delimiter: str, skip: int) -> bool:
    with path.open("rb") as file:
        for _ in range(skip):
            file.readline()
        file.seek(max(file.tell(), path.stat().st_size - TAIL))
        lines = file.read().decode("utf-8", "ignore").strip().split("\n")
    rows = ([cell.strip(' "\r') for cell in line.split(delimiter)] for line in lines[-shape.TAIL_ROWS :])
    return any(map(shape.is_footer, rows))


def _has_records(path: Path, skip: int, rows: int) -> bool:
    """Whether as many records as rows follow the skipped lines, none of them blank.

    A line is a record, mostly; where it is not, quotes tell which lines continue a cell.
    """
    with path.open("rb") as file:
        for _ in range(skip):
            file.readline()
        start = file.tell()
        return _lines(file, start) == rows or _records(file, start) == rows


def _lines(file: BinaryIO, start: int) -> int:
    """Lines from `start` on, without blank ones at the end; -1 if they do not all end alike."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(start, size - TAIL))
    tail = file.read()
    left = size - len(tail) + len(tail.rstrip(b"\r\n")) - start
    count, breaks, returns, pairs, last = int(left > 0), 0, 0, 0, b""
    file.seek(start)
    while left > 0 and (piece := file.read(min(left, PIECE))):
        breaks += piece.count(b"\n")
        if b"\r" in piece or last == b"\r":
            returns += piece.count(b"\r")
            pairs += piece.count(b"\r\n") + (last == b"\r" and piece[:1] == b"\n")
        last = piece[-1:]
        left -= len(piece)
    return count + breaks if returns == 0 or returns == pairs == breaks else -1


def _records(file: BinaryIO, start: int) -> int:
    """Records from `start` on, or -1 if blank lines stand between them or a line has two ends."""
    file.seek(start)
    count, is_inside, is_after_blank = 0, False, False
    for line in file:
        if not is_inside and not line.strip(b"\r\n"):
            is_after_blank = True
            continue
        if is_after_blank or (not is_inside and b"\r" in line.rstrip(b"\r\n")):
            return -1
        count += not is_inside
        is_inside ^= line.count(b'"') % 2 == 1
    return count
