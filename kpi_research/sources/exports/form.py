"""The appraisal form (one sheet a person, merged cells, a head block above a table) as flat rows.

A sheet is a form if it has a table head with an indicator and two more kinds of its columns, and a labelled head block
above it. Every row of the table then carries the head block, and cells that are merged over several rows, which stand
to the left of the indicator, are filled down; weights of groups and of items stay in columns of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from kpi_research.crm.raw import SOURCE_ROW, Step
from kpi_research.sources.exports import shape

LARGEST = 5000
"""Rows; longer sheets are no forms."""
OTHER_KINDS = ("weight", "target", "actual", "score", "rule")


def flat_form(cells: pa.Table, where: str) -> tuple[pa.Table, tuple[str, ...], tuple[Step, ...]] | None:
    """Rows with head block and table of every form on a sheet, or None if there is none."""
    if cells.num_rows > LARGEST:
        return None
    rows = list(zip(*(column.to_pylist() for column in cells.columns), strict=True))
    heads = [i for i, row in enumerate(rows) if _is_table_head(row)]
    blocks = [_head_block(rows[above:head]) for above, head in zip([0, *heads], heads, strict=False)]
    if not heads or not all(blocks):
        return None
    flat: list[dict[str, str | int]] = []
    for head, end, block in zip(heads, [*heads[1:], len(rows)], blocks, strict=True):
        flat += [{SOURCE_ROW: number, **block, **row} for number, row in _table(rows[:end], head, where)]
    names = tuple(dict.fromkeys(name for row in flat for name in row if name != SOURCE_ROW))
    below = sum(bool(shape.filled(row)) for row in rows[heads[0] + 1 :])
    columns = {SOURCE_ROW: pa.array([row[SOURCE_ROW] for row in flat], pa.int64())}
    columns |= {name: pa.array([row.get(name) for row in flat], pa.string()) for name in names}
    return pa.table(columns), names, (Step("footer", below, len(flat)),) if below > len(flat) else ()


def _kind(cell: str | None) -> str | None:
    """What a column of the table is by its header: its unit, in brackets, does not count."""
    text = shape.plain(cell).split("(")[0].rstrip(":%")
    known = shape.words()["form"]
    return next((kind for kind in ("indicator", "number", *OTHER_KINDS) if text and text in known[kind]), None)


def _is_table_head(row: shape.Cells) -> bool:
    kinds = {_kind(cell) for cell in row}
    return "indicator" in kinds and len(kinds & set(OTHER_KINDS)) >= 2


def _head_block(rows: Sequence[shape.Cells]) -> dict[str, str]:
    """Labels above the table with their values, and the form's title; empty if there is no label."""
    found: dict[str, str] = {}
    labels = shape.words()["form"]["labels"]
    for row in rows:
        cells = iter(shape.filled(row))
        for cell in cells:
            label, _, value = cell.replace("：", ":").partition(":")
            if shape.plain(label) not in labels:
                continue
            found["".join(label.split())] = value.strip() or next(cells, "").strip()
    title = next((filled[0].strip() for row in rows if len(filled := shape.filled(row)) == 1), None)
    return {shape.words()["form"]["title"]: title, **found} if found and title else found


def _table(rows: Sequence[shape.Cells], head: int, where: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows below a table head that have an indicator, with their numbers."""
    kinds = [_kind(cell) for cell in rows[head]]
    indicator = kinds.index("indicator")
    names, first = _names(rows, head, indicator)
    used = [i for i, name in enumerate(names) if name or any(row[i] for row in rows[first:])]
    headers = dict(zip(used, shape.headers_of([names[i] for i in used], where), strict=True))
    down = [i for i in used if i < indicator and kinds[i] != "number"]
    last: dict[int, str] = {}
    for number, row in enumerate(rows[first:], first + 1):
        start = shape.plain(next(iter(shape.filled(row)), None))
        if _is_end(start):
            return
        last |= {i: cell for i in down if (cell := row[i])}
        if row[indicator] and not shape.is_footer(row):
            cells = {i: last.get(i) if i in down else row[i] for i in used}
            yield number, {headers[i]: cell.strip() for i, cell in cells.items() if cell}


def _names(rows: Sequence[shape.Cells], head: int, indicator: int) -> tuple[list[str | None], int]:
    """Headers of the table and the index of its first row: a second row of headers stands below merged ones."""
    names = list(rows[head])
    below = rows[head + 1] if head + 1 < len(rows) else ()
    is_second = (
        bool(shape.filled(below)) and not below[indicator] and sum(_kind(cell) is not None for cell in below) >= 2
    )
    if is_second:
        names = [lower or upper for upper, lower in zip(names, below, strict=True)]
    return ["".join(name.split()) if name else None for name in names], head + 1 + is_second


def _is_end(start: str) -> bool:
    ends = shape.words()["form"]["ends"]
    return start.rstrip(":") in ends or any(start.startswith(end) for end in ends if end.endswith(":") or len(end) > 3)
