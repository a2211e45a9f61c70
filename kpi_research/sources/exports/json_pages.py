"""JSON as interfaces deliver it: a page of records wherever they lie in it, or one record or page a line.

A nested object becomes columns `owner.name`; values in a list are joined by `;`; a list of objects stays JSON. Numbers
keep the digits that they have. One page is in memory at a time: a file, or a line of a file of lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from kpi_research.crm.raw import SOURCE_ROW
from kpi_research.errors import InputError, Problem
from kpi_research.sources.export import Export
from kpi_research.sources.exports import shape
from kpi_research.sources.exports.text import TextFile, open_text
from kpi_research.sources.workspace import Workspace

PAGE_WORDS = {"data", "result", "results", "records", "datalist"}
WRAPPERS = PAGE_WORDS | {
    "list",
    "items",
    "rows",
    "value",
    "values",
    "d",
    "content",
    "page",
    "response",
    "body",
    "objects",
}
"""Names that hold the records, or what holds them, in a page."""
BATCH = 5000
Record = dict[str, Any]


class _Decimal(float):
    """A number with a point, as it is written."""

    def __new__(cls, text: str) -> _Decimal:
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str


def open_json(path: Path, workspace: Workspace, *, encoding: str | None = None) -> Export:
    """The records of a JSON file, every value as text; the first record is row 1.

    Raises
    ------
    InputError
        If the file is no JSON, or there are no records in it.
    """
    text = open_text(path, workspace, encoding=encoding)
    table = workspace.new_name("json")
    columns: dict[str, str] = {}
    records = _records(text)
    first = 1
    while batch := [_flat(record, path.name) for record in islice(records, BATCH)]:
        _store(batch, table, columns, workspace=workspace, first=first)
        first += len(batch)
    if not columns:
        raise InputError(Problem("export.no_records", path.name))
    names = shape.headers_of(list(columns), path.name)
    rows = workspace.engine.table(table).rename(dict(zip(names, columns.values(), strict=True)))
    return Export(path.name, rows, names, first_row=1, details={"encoding": text.encoding})


def _store(
    batch: list[dict[str, str | None]], table: str, columns: dict[str, str], *, workspace: Workspace, first: int
) -> None:
    """Add records to the table; what is new in them becomes a column, under a plain name of the engine."""
    connection = workspace.engine.con
    if not columns:
        connection.execute(f"CREATE TABLE {table} ({SOURCE_ROW} BIGINT)")
    for name in dict.fromkeys(name for record in batch for name in record):
        if name not in columns:
            columns[name] = f"c{len(columns)}"
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {columns[name]} VARCHAR")
    numbers = pa.array(range(first, first + len(batch)), pa.int64())
    texts = {column: pa.array([record.get(name) for record in batch], pa.string()) for name, column in columns.items()}
    with connection.cursor() as cursor:
        cursor.register("batch", pa.table({SOURCE_ROW: numbers, **texts}))
        cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM batch")  # noqa: S608


def _records(text: TextFile) -> Iterator[Record]:
    with text.path.open(encoding="utf-8-sig") as file:
        lines = ((number, line) for number, line in enumerate(file, 1) if line.strip())
        first, second = next(lines, None), next(lines, None)
        if first and second and _is_complete(first[1]):
            for number, line in chain([first, second], lines):
                # a record may hold a list of its own: only what is named like a page is opened
                yield from _of_page(_parsed(line.rstrip(), text.name, number), (PAGE_WORDS,))
            return
        file.seek(0)
        yield from _of_page(_parsed(file.read().lstrip("\ufeff"), text.name, 1), (WRAPPERS, None))


def _is_complete(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _parsed(text: str, where: str, line: int) -> Any:
    try:
        return json.loads(text, parse_float=_Decimal)
    except json.JSONDecodeError as error:
        raise InputError(Problem("export.bad_json", where, {"row": line + error.lineno - 1})) from None
    except (ValueError, RecursionError):
        raise InputError(Problem("export.bad_json", where, {"row": line})) from None


def _of_page(page: Any, names: tuple[set[str] | None, ...]) -> Iterator[Record]:
    """The records of a page: the longest list of objects in it; a page without such a list is a record itself."""
    if isinstance(page, list):
        yield from (record for record in page if isinstance(record, dict))
    elif isinstance(page, dict):
        found = [lists for allowed in names if (lists := list(_lists(page, allowed)))]
        yield from max(found[0], key=len) if found else [page]


def _lists(page: Record, allowed: set[str] | None) -> Iterator[list[Record]]:
    for name, value in page.items():
        if allowed is not None and shape.plain(name).replace("_", "") not in allowed:
            continue
        if isinstance(value, dict):
            yield from _lists(value, allowed)
        elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
            yield value


def _flat(record: Record, where: str) -> dict[str, str | None]:
    flat: dict[str, str | None] = {}
    for name, value in _leaves(record, ""):
        if name in flat:
            raise InputError(Problem("source.column_twice", where, {"column": name}))
        flat[name] = value
    return flat


def _leaves(record: Record, prefix: str) -> Iterator[tuple[str, str | None]]:
    for name, value in record.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield _encodable(prefix + name), _encodable(_text(value)) or None


def _text(value: Any) -> str:
    if isinstance(value, list):
        if any(isinstance(item, dict | list) for item in value):
            return json.dumps(value, ensure_ascii=False)
        return ";".join(map(_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return value.text if isinstance(value, _Decimal) else "" if value is None or value == {} else str(value)


def _encodable(text: str) -> str:
    """Half of a surrogate pair is allowed in JSON, but it is no text."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
