"""Databases as sources: only read, by the engine's own means, and computed in where the engine can.

PostgreSQL, DuckDB and Spark keep their rows: the checks and the panel run there. From all others rows are copied into
the workspace in batches. The address stands in an environment variable and is never part of a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import ibis.expr.types as ir

from kpi_research.crm.raw import SOURCE_ROW, Step
from kpi_research.errors import InputError, Problem
from kpi_research.sources.engines import UNTESTED, Engine, engine_of, requirement_of
from kpi_research.sources.export import Export
from kpi_research.sources.mapping import DatabaseSource
from kpi_research.sources.workspace import Progress, Workspace

BATCH_ROWS = 50_000
SAMPLE_BATCH_ROWS = 2_000
SAMPLE_BYTES = 64_000_000
"""A sample ends with the batch that makes it larger than this: pictures and documents may stand in any table."""
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Database:
    """An open database.

    Parameters
    ----------
    engine
        How it is spoken to.
    workspace
        Where rows go that are copied.
    in_place
        Whether rows stay where they are.
    progress
        Called with the table, the rows copied so far and how many there are, if that is known.
    """

    engine: Engine
    workspace: Workspace
    in_place: bool
    progress: Progress | None = None

    def tables(self) -> tuple[str, ...]:
        """Names of all tables and views that may be read, those of other schemas as `schema.table`."""
        return self.engine.tables()

    def columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of each of these, without a look at any row.

        Raises
        ------
        InputError
            If the server does not say.
        """
        try:
            return self.engine.columns()
        except Exception as error:
            problem = Problem("database.unlisted", values={"error": type(error).__name__})
        raise InputError(problem)

    def export(self, table: str) -> Export:
        """A table's rows, where they are or copied.

        Raises
        ------
        InputError
            If there is no such table, or the server does not hand it over.
        """
        name = self._known(table)
        if self.in_place:
            rows = _asked(table, lambda: self._there(name))
            return Export(table, rows, tuple(rows.columns), first_row=1)
        rows, steps = self._copied(name)
        return Export(table, rows, tuple(rows.columns), first_row=1, steps=steps)

    def sample(self, table: str, most: int) -> Export:
        """Some of a table's rows, copied: the first that the server has, since any other choice reads all of them.

        Parameters
        ----------
        most
            No more rows than this; fewer where they are large.

        Raises
        ------
        InputError
            As for `export`.
        """
        rows, steps = self._copied(self._known(table), most)
        return Export(table, rows, tuple(rows.columns), first_row=1, steps=steps)

    def _known(self, table: str) -> str:
        """The engine's name for a table."""
        known = self.tables()
        name = table if table in known else table.removeprefix(f"{self.engine.home}.")
        if name not in known:
            raise InputError(Problem("database.no_table", values={"table": table}, given=table, allowed=known))
        return name

    def _there(self, table: str) -> ir.Table:
        """The rows where they are, after a look at whether they may be read at all."""
        rows = self.engine.table(table)
        rows[[rows.columns[0]]].limit(0).to_pyarrow()
        return rows.rename(dict(zip(distinct(rows.columns), rows.columns, strict=True)))

    def _copied(self, table: str, most: int | None = None) -> tuple[ir.Table, tuple[Step, ...]]:
        """The rows as a table of the workspace, a batch at a time; half a table never stays."""
        name, target = self.workspace.new_name("copy"), self.workspace.engine
        # to count the rows of a large table takes the server longer than to hand some of them over
        total = None if most else _asked(table, lambda: self.engine.count(table))
        done = size = 0
        with closing(self.engine.batches(table, SAMPLE_BATCH_ROWS if most else BATCH_ROWS, most)) as batches:
            try:
                batch = _asked(table, lambda: next(batches))
                headers = distinct(batch.column_names)
                target.create_table(name, batch.rename_columns(headers))
                while True:
                    done, size = done + batch.num_rows, size + batch.nbytes
                    if self.progress:
                        self.progress(table, done, total)
                    if most and size > SAMPLE_BYTES:
                        break
                    following = _asked(table, lambda: next(batches, None))
                    if following is None:
                        break
                    batch = following
                    target.insert(name, batch.rename_columns(headers))
            except BaseException:
                target.drop_table(name, force=True)
                raise
        if self.progress and total is None:
            self.progress(table, done, done)
        emptied = self.engine.emptied.items()
        return target.table(name), tuple(Step("zero_dates", done, done, f"{column}: {n}") for column, n in emptied)


@contextmanager
def open_database(source: DatabaseSource, workspace: Workspace, progress: Progress | None = None) -> Iterator[Database]:
    """Connect to a client's database, for reading only.

    Raises
    ------
    InputError
        If the variable is not set, the address is none, the driver is not installed, the server cannot be reached or
        refuses, or the engine cannot do what `stage: false` asks for. The address is in none of the messages.
    """
    address = os.environ.get(source.address, "").strip()
    if not address:
        raise InputError(Problem("database.no_address", source.address, {"variable": source.address}))
    kind = kind_of(address)
    if not kind:
        raise InputError(Problem("database.not_an_address", source.address, {"variable": source.address}))
    maker = engine_of(kind)
    if source.stage is False and not maker.in_place:
        raise InputError(Problem("database.cannot_stay", source.address, {"kind": kind}))
    engine = _connected(maker, address, variable=source.address, kind=kind)
    try:
        yield Database(engine, workspace, maker.in_place and not source.stage, progress)
    finally:
        engine.close()


def untested(source: DatabaseSource) -> Problem | None:
    """What its user should know of an engine that is written for but that no test has run against."""
    kind = kind_of(os.environ.get(source.address, ""))
    return Problem("database.untested", source.address, {"kind": kind}) if kind in UNTESTED else None


def kind_of(address: str) -> str:
    """The kind of database that an address is of, in lower case; empty if it is no address."""
    found = re.match(r"\s*([A-Za-z][\w.-]*)(\+\w+)?://.", address)
    return found[1].lower() if found else ""


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Column names that differ in more than capitals, as the workspace needs them, and none that is kept for itself."""
    taken = {SOURCE_ROW}
    found = []
    for name in names:
        shown, number = name, 1
        while shown.casefold() in taken:
            number += 1
            shown = f"{name}_{number}"
        taken.add(shown.casefold())
        found.append(shown)
    return tuple(found)


def _connected(maker: type[Engine], address: str, *, variable: str, kind: str) -> Engine:
    """The engine; what a driver says of a failure may repeat the address and is dropped, chain and all."""
    try:
        return maker(address)
    except ModuleNotFoundError as error:
        values = {"module": (error.name or kind).split(".")[0], "requirement": requirement_of(kind)}
        problem = Problem("database.no_driver", variable, values)
    except Exception as error:
        values = {"variable": variable, "kind": kind, "error": type(error).__name__}
        problem = Problem(f"database.failed.{reason(error)}", variable, values)
    raise InputError(problem)


def _asked(table: str, question: Callable[[], Answer]) -> Answer:
    """The server's answer about a table; what a driver says of a failure is dropped like that of connecting."""
    try:
        return question()
    except Exception as error:
        problem = Problem("database.unreadable", values={"table": table, "error": type(error).__name__})
    raise InputError(problem)


REASONS: dict[str, tuple[str, ...]] = {
    "password": ("password authentication", "no password", "pg_hba.conf", 'role "', "access denied", "login failed"),
    "no_database": ("does not exist", "unknown database", "cannot open database"),
    "no_server": (
        "refused",
        "could not connect",
        "can't connect",
        "timeout",
        "timed out",
        "name or service",
        "resolve",
    ),
}


def reason(error: Exception) -> str:
    """Which of the known reasons a driver's message means: a sentence under `[database.failed]`."""
    text = str(error).lower()
    return next((name for name, signs in REASONS.items() if any(sign in text for sign in signs)), "other")
