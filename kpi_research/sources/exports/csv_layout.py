"""Where the table lies in a text file, seen from its first rows: delimiter, title rows, header."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kpi_research.errors import InputError, Problem
from kpi_research.sources.exports import shape
from kpi_research.sources.exports.text import TextFile

SAMPLE = 1 << 18
"""Bytes from which delimiter and header are seen."""
CELL_LIMIT = 1 << 24
"""Characters of a cell; a longer one is a quote that is never closed."""
DELIMITERS = (",", ";", "\t", "|")
NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t"}


@dataclass(frozen=True)
class Layout:
    """Where the table lies.

    Parameters
    ----------
    header
        Number of the header's row, from 1; blank rows count.
    titles
        Rows above it that hold something.
    names
        Of the columns.
    lines
        Lines down to the header, itself included; None if a line break within a cell makes them more than the rows.
    """

    delimiter: str
    header: int
    titles: int
    names: tuple[str, ...]
    lines: int | None


def find_layout(text: TextFile, *, delimiter: str | None = None, header_row: int | None = None) -> Layout:
    """The layout of a text file.

    Raises
    ------
    InputError
        If there is no header, or it cannot be used.
    """
    with text.path.open("rb") as file:
        content = file.read(SAMPLE + 1)
    sample, is_cut = content[:SAMPLE].decode("utf-8-sig", "ignore"), len(content) > SAMPLE
    count = max(shape.HEAD_ROWS, header_row or 0)
    delimiter = _known(delimiter, text.name) if delimiter else _likeliest(sample, is_cut)
    rows = list(_rows(sample, delimiter, count, is_cut=is_cut))
    cells = [row for row, _ in rows]
    index = header_row - 1 if header_row else shape.header_index(cells)
    if index is None:
        raise InputError(Problem("source.no_header", text.name))
    if index >= len(rows):
        raise InputError(Problem("export.header_row", text.name, {"row": index + 1, "rows": len(rows)}))
    names = shape.headers_of(cells[index], text.name)
    titles = sum(bool(shape.filled(row)) for row in cells[:index])
    lines = rows[index][1]
    return Layout(delimiter, index + 1, titles, names, lines if lines == index + 1 else None)


def reader(lines: Iterable[str], delimiter: str, *, strict: bool) -> Any:
    """A csv reader whose cells may be as long as notes get."""
    csv.field_size_limit(CELL_LIMIT)
    return csv.reader(lines, delimiter=delimiter, strict=strict, skipinitialspace=True)


def _known(delimiter: str, where: str) -> str:
    named = NAMED_DELIMITERS.get(delimiter, delimiter)
    if len(named) != 1 or named in '"\r\n ':
        raise InputError(Problem("export.delimiter", where, {"delimiter": delimiter}))
    return named


def _likeliest(sample: str, is_cut: bool) -> str:
    """The delimiter that cuts most rows into equally many cells, the more the better."""

    def regularity(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row, _ in _rows(sample, delimiter, shape.HEAD_ROWS, is_cut=is_cut) if row]
        width, count = Counter(widths).most_common(1)[0] if widths else (1, 0)
        return (count / len(widths), width) if width > 1 else (0, 0)

    return max(DELIMITERS, key=regularity)


def _rows(sample: str, delimiter: str, count: int, *, is_cut: bool) -> Iterator[tuple[list[str], int]]:
    """The first rows, each with the number of lines down to its end; the last one of a cut sample is no whole row."""
    rows = reader(io.StringIO(sample, newline=""), delimiter, strict=False)
    found = [(row, rows.line_num) for row in islice(rows, count + 1)]
    yield from found[:count] if len(found) > count else found[:-1] if is_cut and len(found) > 1 else found
