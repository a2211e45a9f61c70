"""What a database holds that `init` can use: every table by its columns, some rows of those worth a look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kpi_research.errors import InputError, Problem
from kpi_research.sources.database import Database
from kpi_research.sources.export import Export
from kpi_research.sources.profile import PROFILED_CELLS
from kpi_research.sources.proposal import Doubt, Look
from kpi_research.sources.recognise import likeness, look_at

MOST_TABLES = 200
"""More tables than these likeliest ones are not looked at: a consultant has a system of which few tables count."""


@dataclass(frozen=True)
class Seen:
    """What was seen of a database.

    Parameters
    ----------
    columns
        Every table and view that may be read -> its columns.
    schemas
        Schema -> how many of them it has.
    looks
        Those that were looked at and have rows.
    empty
        Those that were looked at and have none.
    passed_over
        How many more resemble something and were not looked at.
    doubts
        Tables of one name in several schemas.
    problems
        Why others could not be read.
    """

    columns: Mapping[str, tuple[str, ...]]
    schemas: Mapping[str, int]
    looks: tuple[Look, ...]
    empty: tuple[str, ...]
    passed_over: int
    doubts: tuple[Doubt, ...]
    problems: tuple[Problem, ...]


def look_around(database: Database, preset: str | None = None) -> Seen:
    """Look at a database as at a folder of exports: only at some rows, and only of tables that may be of use.

    Parameters
    ----------
    preset
        The only system to be looked for, where its user knows it.

    Raises
    ------
    InputError
        If the account sees no table, none of those worth a look may be read, or none of them has a row.
    """
    columns = {table: headers for table, headers in database.columns().items() if headers}
    if not columns:
        raise InputError(Problem("database.no_tables"))
    looks: dict[str, Look] = {}
    empty: list[str] = []
    problems: list[Problem] = []
    again: dict[str, list[str]] = {}
    points = {table: likeness(database.engine.bare(table), headers, preset) for table, headers in columns.items()}
    # the order is stable: of two schemas the first comes first where their tables are alike
    likely = sorted((table for table in points if points[table]), key=lambda table: -points[table])
    for table in likely[:MOST_TABLES]:
        bare = database.engine.bare(table)
        if bare in looks:
            again.setdefault(bare, []).append(table)
            continue
        try:
            export = database.sample(table, max(1, PROFILED_CELLS // len(columns[table])))
        except InputError as error:
            problems += error.problems
            continue
        if _has_rows(export):
            looks[bare] = look_at(export, bare=bare)
        else:
            empty.append(table)
    if not looks and (problems or empty):
        raise InputError(problems or Problem("database.no_rows", values={"tables": _listed(empty)}))
    doubts = [Doubt("elsewhere", looks[name].name, candidates=tuple(others)) for name, others in again.items()]
    schemas = Counter(table.removesuffix(database.engine.bare(table))[:-1] or database.engine.home for table in columns)
    passed_over = len(likely[MOST_TABLES:])
    return Seen(columns, schemas, tuple(looks.values()), tuple(empty), passed_over, tuple(doubts), tuple(problems))


def _has_rows(export: Export) -> bool:
    return bool(export.rows.limit(1).count().to_pyarrow().as_py())


def _listed(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")
