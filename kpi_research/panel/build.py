"""Computing contributions: where the rows lie, a query for the KPIs that share their rows.

What was computed before is kept: with contributions up to an earlier day, only what later rows can change is computed.
"""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
from pyarrow import parquet

from kpi_research.crm.engine import selections_apart
from kpi_research.crm.roster import roster
from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError, Problem
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Kpi
from kpi_research.panel.contributions import PRESENCE, ROSTER, Contributions, Part, Piece, base_tables
from kpi_research.panel.queries import COUNT, Query, column, queries
from kpi_research.periods import ONE_DAY

NO_WORK = frozenset({"targets", "ratings", "people", "channels"})
"""Tables whose rows are no trace of work: a target ends in a quarter in which nobody recorded anything. Nor is what a
definition that looks back counts long after it happened."""
ROSTER_TABLES = ("people", "assignments")
EVENT_TIMES = {
    "contracts": "signed_at",
    "opportunities": "closed_at",
    "activities": "occurred_at",
    "payments": "paid_at",
}
"""Times of what happens once and is not planned: the last of them is the last day that data cover."""
BEGINNINGS = EVENT_TIMES | {"opportunities": "created_at", "leads": "created_at", "stage_changes": "entered_at"}
"""Times from which on a table's rows are known."""


def contributions(
    tables: Mapping[str, ir.Table] | Mapping[str, pd.DataFrame],
    kpis: Sequence[Kpi],
    *,
    country: str = "CN",
    since: dt.date | None = None,
    until: dt.date | None = None,
    folder: Path | None = None,
    before: Contributions | None = None,
) -> Contributions:
    """Compute what each person's day adds to each KPI.

    Parameters
    ----------
    tables
        Canonical tables, as kept by the contract: on any engine, where the work is then done, or as frames.
    country
        Whose working days count as exposure.
    since
        First day covered; earlier rows are known (who was a customer already) but count in no period.
    until
        Last day covered; by default that of the last signing, closing, payment or activity.
    folder
        Where the contributions are kept; by default for as long as the result lives.
    before
        Contributions of the same client up to an earlier day: where they have a query's very KPIs, only the days are
        computed that later rows can change. The caller knows that the rows up to that day are the same as then.
    """
    keeps = None if folder else tempfile.TemporaryDirectory(prefix="kpi-panel-")
    folder = folder or Path(keeps.name if keeps else "")
    folder.mkdir(parents=True, exist_ok=True)
    rows = on_an_engine(tables)
    until = until or last_day(rows)
    crm = Crm({name: covered(name, table, until) for name, table in rows.items()})
    measured = [kpi for kpi in kpis if all(table in crm for table in kpi.needs)]
    with selections_apart():
        found = queries(crm, measured, until, since=lambda shared: _first_open_day(shared, since, before))
        parts = tuple(_kept(query, number, folder, before) for number, query in enumerate(found))
    made = Contributions(
        folder, parts, tuple(kpis), base_tables(kpis), frozenset(tables), _begins(crm, measured), None, until,
        _keeps=keeps,
    )  # fmt: skip
    first, people = _first_day_and_people(made)
    begun = pd.DataFrame({"person_id": people if first else [], "day": pd.Timestamp(first or until)})
    known = {name: rows[name].to_pandas() for name in ROSTER_TABLES if name in rows}
    roster(known, begun, country=country, until=until).to_parquet(folder / ROSTER)
    write_presence(made)
    return replace(made, since=first)


def last_day(tables: Mapping[str, ir.Table]) -> dt.date:
    """The day of the last signing, closing, payment or activity on file.

    Raises
    ------
    InputError
        If there is none.
    """
    days = [tables[name][column].max().to_pyarrow().as_py() for name, column in EVENT_TIMES.items() if name in tables]
    known = [day for day in days if day is not None]
    if not known:
        raise InputError(Problem("panel.no_events", values={"tables": ", ".join(EVENT_TIMES)}))
    return max(known).date()


def on_an_engine(tables: Mapping[str, ir.Table] | Mapping[str, pd.DataFrame]) -> dict[str, ir.Table]:
    """The tables as they are, or frames in a DuckDB of their own, which lives as long as its tables."""
    engine: ibis.BaseBackend | None = None
    found: dict[str, ir.Table] = {}
    for name, table in tables.items():
        if isinstance(table, pd.DataFrame):
            engine = engine or ibis.duckdb.connect()
            schema = TABLES[name].schema
            found[name] = engine.create_table(name, schema=ibis.schema(schema))
            if len(table):
                engine.insert(name, table[list(schema)])
        else:
            found[name] = table
    return found


def covered(name: str, table: ir.Table, until: dt.date) -> ir.Table:
    """A canonical table without rows of events after the last day. An opportunity is there before it closes."""
    if name not in EVENT_TIMES or name == "opportunities":
        return table
    time = table[EVENT_TIMES[name]]
    return table.filter(time.isnull() | (time < pd.Timestamp(until + ONE_DAY)))


def _first_open_day(kpis: Sequence[Kpi], since: dt.date | None, before: Contributions | None) -> dt.date | None:
    """The first day whose contributions are not known yet."""
    # what holds at a period's end may have begun before the first day
    given = None if kpis[0].aggregation == "at_end" else since
    if before is None or not _same_part(before, tuple(kpi.name for kpi in kpis)):
        return given
    young = max(kpi.matures_after_days for kpi in kpis)
    return max(filter(None, [given, before.until_end - ONE_DAY * young]))


def _same_part(before: Contributions, names: tuple[str, ...]) -> Part | None:
    return next((part for part in before.parts if part.kpis == names), None)


def _kept(query: Query, number: int, folder: Path, before: Contributions | None) -> Part:
    names = tuple(kpi.name for kpi in query.kpis)
    part = Part(f"part_{number}", query.aggregation, names, ())
    earlier = _same_part(before, names) if before else None
    pieces: list[Piece] = []
    first = _first_open_day(query.kpis, None, before)
    if before and earlier and first:
        for old in earlier.pieces:
            last = min(filter(None, [old.last, first - ONE_DAY]))
            pieces.append(replace(old, file=f"{part.name}_{len(pieces)}.parquet", last=last))
            shutil.copyfile(before.folder / old.file, folder / pieces[-1].file)
    new = Piece(f"{part.name}_{len(pieces)}.parquet", first=first)
    _write(query.rows, folder / new.file)
    return replace(part, pieces=(*pieces, new))


def _write(rows: ir.Table, path: Path) -> None:
    # an engine hands rows over in no order; the same rows must give the same bytes
    rows = rows.order_by(rows.columns)
    if rows.get_backend().name == "duckdb":
        rows.to_parquet(path)
    else:
        # other engines' own writers trip over figures of their decimal types; these rows are few
        parquet.write_table(rows.to_pyarrow(), path)


def _begins(crm: Crm, kpis: Sequence[Kpi]) -> dict[str, dt.date]:
    looked_back = {kpi.needs[0] for kpi in kpis if kpi.history_days} & set(BEGINNINGS)
    first = {name: getattr(crm, name)[BEGINNINGS[name]].min().to_pyarrow().as_py() for name in sorted(looked_back)}
    return {name: time.date() for name, time in first.items() if time is not None}


def write_presence(made: Contributions) -> None:
    """Put beside the parts who has rows in which table on which day; what merely holds shows nobody at work."""
    shown = {kpi.name for kpi in made.kpis if not kpi.history_days and kpi.needs[0] not in NO_WORK}
    rows = ["SELECT ''::VARCHAR AS person_id, TIMESTAMP '1970-01-01' AS day, '' AS base WHERE false"]
    for part in (part for part in made.parts if part.aggregation != "at_end"):
        counted: dict[str, list[str]] = {}
        for place, kpi in enumerate(part.kpis):
            if kpi not in shown:
                continue
            is_there = f"{column(COUNT, place)} > 0" if part.aggregation == "sum" else "true"
            counted.setdefault(made.base_tables[kpi], []).append(is_there)
        for base, conditions in counted.items():
            where = " OR ".join(conditions)
            rows.append(f"SELECT person_id, day, '{base}' FROM ({made.rows_of(part)}) WHERE {where}")  # noqa: S608
    with duckdb.connect() as engine:
        found = engine.sql(f"SELECT DISTINCT * FROM ({' UNION ALL '.join(rows)}) ORDER BY ALL")  # noqa: S608
        found.write_parquet(str(made.folder / PRESENCE))


def _first_day_and_people(made: Contributions) -> tuple[dt.date | None, list[str]]:
    """The first day of anything, of what merely holds only where there is nothing else; and everybody who has any."""
    first: list[dt.date] = []
    held: list[dt.date] = []
    people: set[str] = set()
    with duckdb.connect() as engine:
        for part in made.parts:
            rows = engine.sql(made.rows_of(part))
            people |= {person for (person,) in rows.unique("person_id").fetchall()}
            days = held if part.aggregation == "at_end" else first
            days += [day.date() for (day,) in rows.min("day").fetchall() if day is not None]
    return min(first or held, default=None), sorted(people)
