"""A SQLite file, opened for reading only.

Its columns have no types, only their cells do: rows are copied, and as text, so that the checks see what is written.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Generator
from contextlib import closing, suppress
from pathlib import Path
from typing import ClassVar

import ibis.expr.types as ir
import pyarrow as pa

from kpi_research.sources.engines.words import text_of


class SQLiteEngine:
    """A SQLite database file: `sqlite:///folder/file.db`."""

    in_place: ClassVar[bool] = False
    home: str = "main"

    def __init__(self, address: str) -> None:
        self.emptied: Counter[str] = Counter()
        path = file_of(address)
        if not path.is_file():
            raise FileNotFoundError("does not exist")
        self.connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        # not every file holds the UTF-8 that it should
        self.connection.text_factory = lambda written: written.decode("utf-8", errors="replace")
        self.tables()

    def tables(self) -> tuple[str, ...]:
        """Names of tables and views."""
        query = "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' order by 1"
        return tuple(row[0] for row in self.connection.execute(query))

    def bare(self, name: str) -> str:
        """The name itself: there are no schemas."""
        return name

    def columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of every table and view; none of a view whose tables are gone."""
        return {name: self._columns_of(name) for name in self.tables()}

    def _columns_of(self, name: str) -> tuple[str, ...]:
        query = "select name from pragma_table_info(?) order by cid"
        with suppress(sqlite3.Error):
            return tuple(row[0] for row in self.connection.execute(query, (name,)))
        return ()

    def table(self, name: str) -> ir.Table:
        """Never asked for: its rows are copied."""
        raise NotImplementedError(name)

    def count(self, name: str) -> int | None:
        """Its rows."""
        return int(self.connection.execute(f"select count(*) from {_quoted(name)}").fetchone()[0])  # noqa: S608

    def batches(self, name: str, rows: int, most: int | None = None) -> Generator[pa.Table]:
        """Its rows, some at a time, every cell as text."""
        query = f"select * from {_quoted(name)} limit ?"  # noqa: S608
        with closing(self.connection.execute(query, (-1 if most is None else most,))) as cursor:
            columns = [column[0] for column in cursor.description]
            found = cursor.fetchmany(rows)
            while True:
                cells = zip(*found, strict=True) if found else [()] * len(columns)
                yield pa.table([pa.array(map(text_of, column), pa.string()) for column in cells], names=columns)
                if not (found := cursor.fetchmany(rows)):
                    return

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()


def file_of(address: str) -> Path:
    """The file that an address names; on Windows its drive follows the third stroke."""
    path = address.split("://", 1)[1]
    return Path(path[1:] if re.match(r"/[A-Za-z]:", path) else path)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


ENGINE = SQLiteEngine
