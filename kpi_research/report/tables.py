"""What a block's table looks like in a page and in `results.json`, from the same raw values."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kpi_research.language import Language, catalogue, say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.format import format_interval, format_money, format_value, is_missing

NARROW_COLUMNS, STACKING_COLUMNS = 5, 3
"""More columns than these: the table scrolls sideways in its own region; on a phone its rows are shown as cards."""
STACKED_ROWS = 12
"""With more rows than these a phone scrolls sideways, too: a card for each would bury the rest of the page."""
SENTENCE = 40
"""A cell with more characters than these has no room beside others on a phone: its row becomes a card in any case."""

LONG_WORD = re.compile(r"[^\s\u2e80-\uffef]{21}")
"""More letters without a space than any column has room for; Chinese may be broken anywhere."""


@dataclass(frozen=True)
class CellView:
    """A cell as it is printed: `text` and `range`, or the word for what is `missing`; `status` makes it a badge.

    Only in a `long` cell may a word be broken: its words would not fit otherwise.
    """

    text: str
    range: str = ""
    exact: str = ""
    missing: str = ""
    status: str = ""
    long: bool = False


@dataclass(frozen=True)
class HeaderView:
    """A column's header; numbers are set flush right."""

    label: str
    numeric: bool


@dataclass(frozen=True)
class TableView:
    """A table as it is printed."""

    caption: str
    columns: list[HeaderView]
    rows: list[list[tuple[HeaderView, CellView]]]
    wide: bool
    stacks: bool


def table_view(table: DataTable, language: Language, *, currency: str) -> TableView:
    """The table with every value formatted for the page's language."""
    columns = [HeaderView(column.label, column.format not in ("text", "status", "date")) for column in table.columns]
    rows = [
        [(head, _cell(row, column, language, currency)) for head, column in zip(columns, table.columns, strict=True)]
        for row in table.frame.to_dict("records")
    ]
    many = len(rows) > STACKED_ROWS
    several = len(columns) > STACKING_COLUMNS
    wide = len(columns) > NARROW_COLUMNS or (several and many)
    sentences = any(len(cell.text) > SENTENCE for row in rows for _, cell in row)
    return TableView(table.caption, columns, rows, wide, stacks=sentences or (several and not many))


def block_json(block: Block, language: Language, *, currency: str) -> dict[str, Any]:
    """Everything a block says, ready for JSON: raw numbers, null for what is missing, and the cells as shown."""
    return {
        "name": block.name,
        "title": block.title,
        "status": block.status,
        "text": list(block.text),
        "notes": list(block.notes),
        "facts": plain(block.facts),
        "callout": dataclasses.asdict(block.callout) if block.callout else None,
        "table": _table_json(block.table, language, currency) if block.table else None,
        "figure": {"alt": block.figure.alt, "caption": block.figure.caption} if block.figure else None,
    }


def plain(value: Any) -> Any:
    """A value as JSON can hold it: numpy's numbers as Python's, dates as ISO text, what is missing as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(part) for part in (sorted(value) if isinstance(value, set) else value)]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, str | bool | int):
        return value
    if is_missing(value):
        return None
    if isinstance(value, dt.date):
        return value.isoformat()
    return float(value) if isinstance(value, float | decimal.Decimal) else str(value)


def _table_json(table: DataTable, language: Language, currency: str) -> dict[str, Any]:
    keys = [f"{column.key}{end}" for column in table.columns for end in ("", "_low", "_high")]
    shown = table_view(table, language, currency=currency)
    return {
        "caption": table.caption,
        "columns": [dataclasses.asdict(column) for column in table.columns],
        "rows": plain(table.frame[[key for key in keys if key in table.frame]].to_dict("records")),
        "shown": [[f"{cell.text} {cell.range}".strip() for _, cell in row] for row in shown.rows],
    }


def _cell(row: Mapping[Any, Any], column: ColumnView, language: Language, currency: str) -> CellView:
    value = row[column.key]
    own = row.get(f"{column.key}_format")
    unit: Any = column.format if is_missing(own) else own
    text = format_value(value, unit, language, currency=currency)
    if is_missing(value):
        return CellView(text, missing=say("page.missing", language))
    if unit == "status":
        return CellView(_status_word(text, language), status=text)
    ends = (row.get(f"{column.key}_low"), row.get(f"{column.key}_high"))
    exact = format_money(value, language, currency=currency, exact=True) if unit == "money" else ""
    shown = format_interval(*ends, unit, language, currency=currency)
    return CellView(text, shown, exact, long=bool(LONG_WORD.search(text)))


def _status_word(status: str, language: Language) -> str:
    found = (key for key in (f"page.tone.{status}", f"page.status.{status}") if key in catalogue())
    key = next(found, None)
    return say(key, language) if key else status
