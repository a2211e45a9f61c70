"""Where a table begins and ends among the rows of a file: titles above its header, totals and notes below it."""

from __future__ import annotations

import functools
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kpi_research.crm.engine import SPACE
from kpi_research.crm.raw import SOURCE_ROW
from kpi_research.errors import InputError, Problem

HEAD_ROWS = 60
"""Rows in which a header is looked for."""
TAIL_ROWS = 20
"""Rows in which a footer is looked for."""
Cells = Sequence[str | None]
Row = tuple[int, Cells]
"""A row with its number in the file, from 1."""


@functools.cache
def words() -> dict[str, dict[str, Any]]:
    """Words that mark footers and forms, as `plain` writes them."""
    groups = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
    return {
        group: {name: value if isinstance(value, str) else tuple(map(plain, value)) for name, value in entries.items()}
        for group, entries in groups.items()
    }


def plain(text: str | None) -> str:
    """Text for comparison: no space, case or width of characters."""
    return "".join(unicodedata.normalize("NFKC", text or "").casefold().split())


def filled(cells: Cells) -> list[str]:
    """The cells that hold something."""
    return [cell for cell in cells if cell and cell.strip(SPACE)]


def header_index(rows: Sequence[Cells]) -> int | None:
    """The first row that fills more than half as many cells as the fullest, as no title does; None if all are blank."""
    counts = [len(filled(cells)) for cells in rows[:HEAD_ROWS]]
    widest = max(counts, default=0)
    return next((i for i, count in enumerate(counts) if count * 2 > widest), None)


def headers_of(cells: Cells, where: str) -> tuple[str, ...]:
    """Column names without the space around them; a column without a name gets `column_` and its number.

    Raises
    ------
    InputError
        If there is no name, or columns cannot be told apart.
    """
    if not filled(cells):
        raise InputError(Problem("source.no_header", where))
    names = tuple((cell or "").strip(SPACE) or f"column_{i}" for i, cell in enumerate(cells, 1))
    # the engine's names know no case
    same = Counter(name.lower() for name in names)
    doubled = sorted({name for name in names if same[name.lower()] > 1})
    problems = [Problem("source.column_twice", where, {"column": name}) for name in doubled]
    if SOURCE_ROW in map(str.lower, names):
        problems.append(Problem("export.reserved_column", where, {"column": SOURCE_ROW}))
    if problems:
        raise InputError(problems)
    return names


def footer_rows(tail: Sequence[Row], width: int, *, before: int) -> int:
    """How many of a table's last rows are no records.

    A footer begins with a row of totals or a note. A row with its first cell alone is one too where a blank row parts
    it from the table, as in Salesforce's reports.

    Parameters
    ----------
    tail
        The last rows that are not blank.
    width
        Number of columns.
    before
        Number of the row before them.
    """
    numbers = [before, *(number for number, _ in tail)]
    marked = [is_footer(cells) for _, cells in tail]
    lone = [len(filled(cells)) == 1 and bool(filled(cells[:1])) and width > 2 for _, cells in tail]
    sparse = [len(filled(cells)) * 2 <= max(width, 2) for _, cells in tail]
    cut = 0
    for i in range(len(tail) - 1, -1, -1):
        if not (marked[i] or sparse[i]):
            break
        is_apart = numbers[i + 1] - numbers[i] > 1
        if marked[i] or (is_apart and all(a or b for a, b in zip(marked[i:], lone[i:], strict=True))):
            cut = len(tail) - i
    return cut


def is_footer(cells: Cells) -> bool:
    """Whether a row says itself that it is a row of totals, or a note below the table."""
    first = plain(next(iter(filled(cells)), None))
    known = words()["footer"]
    return first.rstrip(":.") in known["totals"] or first.startswith(known["notes"])
