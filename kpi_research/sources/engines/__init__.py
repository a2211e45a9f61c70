"""How each kind of database is spoken to: read-only, its tables by name, its rows in place or in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from importlib import import_module
from typing import ClassVar, Protocol

import ibis.expr.types as ir
import pyarrow as pa

KINDS = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "duckdb": "duckdb",
    "sqlite": "sqlite",
    "mysql": "sqlalchemy",
    "mariadb": "sqlalchemy",
    "mssql": "sqlalchemy",
    "pyspark": "spark",
    "spark": "spark",
}
"""Scheme of an address -> file in this folder; all others go through Ibis as they are."""
EXTRAS = {"postgres": "postgres", "postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql", "mssql": "mssql"}
"""Scheme of an address -> extra of this package that installs its driver; Ibis has extras for all others."""
UNTESTED = ("mssql", "pyspark", "spark")


class Engine(Protocol):
    """A connection that only reads.

    Parameters
    ----------
    in_place
        Whether checks and panels can be computed there.
    home
        The schema whose tables are named without it.
    emptied
        Of the table whose rows were copied last: column -> values that are none (dates of zeros) and became null.
    """

    in_place: ClassVar[bool]
    home: str
    emptied: Counter[str]

    def __init__(self, address: str) -> None: ...

    def tables(self) -> tuple[str, ...]:
        """Names of tables and views."""
        ...

    def bare(self, name: str) -> str:
        """A table's name without its schema."""
        ...

    def columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of every table and view, without a look at any row."""
        ...

    def table(self, name: str) -> ir.Table:
        """A table where it is; only for engines that work in place."""
        ...

    def count(self, name: str) -> int | None:
        """Its rows, if that is quickly known."""
        ...

    def batches(self, name: str, rows: int, most: int | None = None) -> Generator[pa.Table]:
        """Its rows, some at a time; one empty batch if it has none.

        Parameters
        ----------
        rows
            In a batch.
        most
            The server is asked for no more rows than this, in whatever order it has them; None for all.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def engine_of(kind: str) -> type[Engine]:
    """The engine for the scheme of an address."""
    module = import_module(f"kpi_research.sources.engines.{KINDS.get(kind, 'generic')}")
    found: type[Engine] = module.ENGINE
    return found


def requirement_of(kind: str) -> str:
    """What to install for the driver of a kind of database."""
    if kind in EXTRAS:
        return f"kpi-research[{EXTRAS[kind]}]"
    return f"ibis-framework[{'pyspark' if kind == 'spark' else kind}]"
