"""Computing contributions: where the rows lie, a query for the KPIs that share their rows.

What was computed before is kept: with contributions up to an earlier day, only what later rows can change is computed.
"""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from kpi_research.crm.engine import selections_apart
from kpi_research.crm.roster import times_in_teams
from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError, Problem
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Kpi
from kpi_research.panel.contributions import PRESENCE, ROSTER, WORKING_DAYS, Contributions, Part, Piece
from kpi_research.panel.presence import EVENT_TIMES, presence
from kpi_research.panel.queries import Query, queries
from kpi_research.periods import ONE_DAY, working_days

ROSTER_TABLES = ("people", "assignments")
LONGEST_PERIOD = ONE_DAY * 366
"""What happened before the first event in the period that has it still belongs to the team of its day."""
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
    in_order: bool = True,
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
    in_order
        Whether the same rows give the same bytes in the files; sorting them takes a quarter of the time.
    """
    home = Home(folder)
    rows = on_an_engine(tables)
    until = until or last_day(rows)
    crm = Crm({name: covered(name, table, until) for name, table in rows.items()})
    parts = computed(crm, measurable(kpis, crm), until, home.folder, since=since, before=before, in_order=in_order)
    found = presence(crm, until, _latest(since, before.until_end if before else None))
    _keep_presence(found, home.folder, before, in_order)
    return completed(parts, kpis, rows, home, country=country, until=until)


class Home:
    """The folder of contributions: a given one, or a temporary one that is there as long as this object is."""

    def __init__(self, folder: Path | None) -> None:
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="kpi-panel-")
        self.folder = Path(self._temporary.name) if self._temporary else folder or Path()
        self.folder.mkdir(parents=True, exist_ok=True)


def measurable(kpis: Sequence[Kpi], crm: Crm) -> list[Kpi]:
    """The KPIs whose tables are there."""
    return [kpi for kpi in kpis if all(table in crm for table in kpi.needs)]


def computed(
    crm: Crm,
    kpis: Sequence[Kpi],
    until: dt.date,
    folder: Path,
    *,
    since: dt.date | None = None,
    before: Contributions | None = None,
    in_order: bool = True,
) -> tuple[Part, ...]:
    """The parts of some KPIs, written to a folder; see `contributions`."""
    with selections_apart():
        found = queries(
            crm, kpis, until, since=lambda shared: _first_open_day(shared, since, before), are_few=before is not None
        )
        return tuple(_kept(query, number, folder, before, in_order) for number, query in enumerate(found))


def completed(
    parts: tuple[Part, ...],
    kpis: Sequence[Kpi],
    tables: Mapping[str, ir.Table],
    home: Home,
    *,
    country: str,
    until: dt.date,
    first: dt.date | None = None,
) -> Contributions:
    """Parts with what panels need beside them and beside the presence, which is there: who was in which team when.

    Parameters
    ----------
    first
        The first day of an event; by default that of the presence.
    """
    made = Contributions(
        home.folder, parts, tuple(kpis), frozenset(tables), _begins(tables, kpis), None, until, _keeps=home
    )
    first = first or _first_day(made)
    known = {name: tables[name].to_pyarrow().to_pandas() for name in ROSTER_TABLES if name in tables}
    early = first - LONGEST_PERIOD if first else None
    times_in_teams(known, early, until, active=lambda: _people(made)).to_parquet(home.folder / ROSTER)
    days = pd.DatetimeIndex(working_days(country, first, until) if first else [], dtype="datetime64[us]")
    pd.DataFrame({"day": days}).to_parquet(home.folder / WORKING_DAYS)
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
    return _latest(given, before.until_end - ONE_DAY * young)


def _latest(*days: dt.date | None) -> dt.date | None:
    return max((day for day in days if day), default=None)


def _same_part(before: Contributions, names: tuple[str, ...]) -> Part | None:
    return next((part for part in before.parts if part.kpis == names), None)


def _kept(query: Query, number: int, folder: Path, before: Contributions | None, in_order: bool) -> Part:
    names = tuple(kpi.name for kpi in query.kpis)
    earlier = _same_part(before, names) if before else None
    pieces: list[Piece] = []
    if before and earlier and query.since:
        for old in earlier.pieces:
            last = min(filter(None, [old.last, query.since - ONE_DAY]))
            pieces.append(replace(old, file=f"part_{number}_{len(pieces)}.parquet", last=last))
            shutil.copyfile(before.folder / old.file, folder / pieces[-1].file)
    new = Piece(f"part_{number}_{len(pieces)}.parquet", first=query.since)
    _write(query.rows, folder / new.file, in_order)
    return Part(f"part_{number}", query.aggregation, names, (*pieces, new))


def _write(rows: ir.Table, path: Path, in_order: bool) -> None:
    if in_order:
        # an engine hands rows over in no order; the same rows are to give the same bytes
        rows = rows.order_by(rows.columns)
    if rows.get_backend().name == "duckdb":
        rows.to_parquet(path)
    else:
        # other engines' own writers trip over figures of their decimal types; these rows are few
        parquet.write_table(rows.to_pyarrow(), path)


def _begins(tables: Mapping[str, ir.Table], kpis: Sequence[Kpi]) -> dict[str, dt.date]:
    looked_back = sorted({kpi.needs[0] for kpi in kpis if kpi.history_days} & set(BEGINNINGS) & set(tables))
    first = {name: tables[name][BEGINNINGS[name]].min().to_pyarrow().as_py() for name in looked_back}
    return {name: time.date() for name, time in first.items() if time is not None}


def _keep_presence(found: ir.Table | None, folder: Path, before: Contributions | None, in_order: bool) -> None:
    """Who recorded anything, beside what is known of earlier days."""
    earlier = sorted(before.folder.glob(f"{PRESENCE}_*.parquet")) if before else []
    for number, path in enumerate(earlier):
        shutil.copyfile(path, folder / f"{PRESENCE}_{number:03d}.parquet")
    for path in folder.glob(f"{PRESENCE}_*.parquet"):
        if path.name >= f"{PRESENCE}_{len(earlier):03d}":
            path.unlink()
    path = folder / f"{PRESENCE}_{len(earlier):03d}.parquet"
    if found is None:
        write_presence([], path)
    else:
        _write(found, path, in_order)


def write_presence(seen: Iterable[pa.Table], path: Path) -> None:
    """Pieces of the presence as one file."""
    schema = pa.schema([("person_id", pa.string()), ("day", pa.timestamp("us")), ("base", pa.string())])
    known = [rows.cast(schema) for rows in seen]
    found = pa.concat_tables(known) if known else schema.empty_table()
    parquet.write_table(found.sort_by([(name, "ascending") for name in schema.names]), path)


def _first_day(made: Contributions) -> dt.date | None:
    """The first day of an event; where there is none, of anything that counts.

    An account that was entered years before the first visit says nothing of when the record of work begins.
    """
    seen = duckdb.sql(made.presence)
    found = [seen.filter(f"base IN ({', '.join(map(repr, EVENT_TIMES))})").min("day").fetchone()]
    if not any(row and row[0] for row in found):
        found = [duckdb.sql(made.rows_of(part)).min("day").fetchone() for part in made.parts]
    return min((row[0].date() for row in found if row and row[0]), default=None)


def _people(made: Contributions) -> list[str]:
    """Everybody who has any contribution."""
    rows = [f"SELECT person_id FROM ({made.rows_of(part)})" for part in made.parts]  # noqa: S608
    found = duckdb.sql(" UNION ".join(rows)).fetchall() if rows else []
    return sorted({person for (person,) in found})
