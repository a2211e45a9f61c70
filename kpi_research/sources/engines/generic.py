"""Any database that Ibis opens: its rows are copied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import ClassVar

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa


class IbisEngine:
    """A database through Ibis; `connect` says how it is opened for reading only."""

    in_place: ClassVar[bool] = False
    home: str = ""

    def __init__(self, address: str) -> None:
        self.emptied: Counter[str] = Counter()
        self.backend = self.connect(address)

    def connect(self, address: str) -> ibis.BaseBackend:
        """Open the database."""
        return ibis.connect(address)

    def tables(self) -> tuple[str, ...]:
        """Names of tables and views."""
        return tuple(sorted(self.backend.list_tables()))

    def bare(self, name: str) -> str:
        """The name itself: there are no schemas."""
        return name

    def columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of every table and view."""
        return {name: tuple(self.find(name).columns) for name in self.tables()}

    def table(self, name: str) -> ir.Table:
        """A table where it is, what is neither text nor figure nor time as text."""
        return _as_text(self.find(name), lambda type_: not _is_plain(type_))

    def find(self, name: str) -> ir.Table:
        """A table as the engine describes it."""
        return self.backend.table(name)

    def count(self, name: str) -> int | None:
        """Its rows."""
        return int(self.find(name).count().to_pyarrow().as_py())

    def batches(self, name: str, rows: int, most: int | None = None) -> Generator[pa.Table]:
        """Its rows, some at a time."""
        table = _as_text(self.table(name).limit(most), _loses_on_the_way)
        empty = True
        for batch in table.to_pyarrow_batches(chunk_size=rows):
            empty = False
            yield pa.Table.from_batches([batch])
        if empty:
            yield table.schema().to_pyarrow().empty_table()

    def close(self) -> None:
        """Let go of the connection."""
        self.backend.disconnect()


def by_table(rows: Iterable[tuple[str, str, str]], names: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Shown name of a table -> its columns.

    Parameters
    ----------
    rows
        Schema, table and column, as a catalogue lists them.
    names
        Shown name -> schema and table.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for schema, table, column in rows:
        found.setdefault((schema, table), []).append(column)
    return {shown: tuple(found.get(place, ())) for shown, place in names.items()}


def _as_text(table: ir.Table, wanted: Callable[[dt.DataType], bool]) -> ir.Table:
    chosen = [name for name, type_ in table.schema().items() if wanted(type_)]
    return table.mutate(**{name: table[name].cast("string") for name in chosen}) if chosen else table


def _is_plain(type_: dt.DataType) -> bool:
    return type_.is_numeric() or type_.is_boolean() or type_.is_string() or is_time(type_)


def is_time(type_: dt.DataType) -> bool:
    """Whether values are days or moments."""
    return type_.is_timestamp() or type_.is_date()


def _loses_on_the_way(type_: dt.DataType) -> bool:
    """Figures of any number of digits, and moments: a zone of the engine's own would have to be loaded here."""
    return type_.is_decimal() or bool(type_.is_timestamp() and getattr(type_, "timezone", None))


ENGINE = IbisEngine
