"""What every panel is summed from: each person's days, in files beside each other, computed once.

The work is done where the rows lie; what comes out is small and is read by DuckDB from then on.
"""

from __future__ import annotations

import datetime as dt
import functools
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

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
from kpi_research.kpis.definition import Aggregation, Kpi, Level
from kpi_research.panel.queries import COUNT, DENOMINATOR, NUMERATOR, Query, column, queries
from kpi_research.periods import ONE_DAY

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
ROSTER = "roster"


@dataclass(frozen=True)
class Part:
    """A file of contributions.

    Parameters
    ----------
    name
        Of the file, without `.parquet`.
    aggregation
        How its KPIs are read.
    kpis
        Their names, in the order of their columns.
    """

    name: str
    aggregation: Aggregation
    kpis: tuple[str, ...]


@dataclass(frozen=True)
class Contributions:
    """What every panel is summed from.

    Parameters
    ----------
    folder
        Holds a Parquet file for every part, and the roster: `person_id, team_id, day, working`, who was in which team
        on which day; `working` is 1.0 on working days.
    parts
        Of all KPIs that could be measured, asked for or not.
    kpis
        The definitions that panels are asked for, those without data included.
    base_tables
        For every KPI in `parts` the table whose rows it counts: it tells who recorded anything.
    tables
        Canonical tables that the client has.
    begins
        For tables that KPIs look back in, the day of the first row: nothing is known of what was before.
    since, until
        The first day with a contribution, None where there is none, and the last day that the data cover.
    only_level, only_entities
        What the contributions are narrowed to; see `of`.
    """

    folder: Path
    parts: tuple[Part, ...]
    kpis: tuple[Kpi, ...]
    base_tables: Mapping[str, str]
    tables: frozenset[str]
    begins: Mapping[str, dt.date]
    since: dt.date | None
    until: dt.date
    only_level: Level = "company"
    only_entities: tuple[str, ...] = ()
    _keeps: object = field(default=None, repr=False, compare=False)

    def only(self, names: Collection[str]) -> Contributions:
        """The same, asked for some of the KPIs."""
        return replace(self, kpis=tuple(kpi for kpi in self.kpis if kpi.name in names))

    def of(self, level: Level, entity_ids: Collection[str]) -> Contributions:
        """What some of the people did, or what was done by those who were in some of the teams on the day."""
        return self if level == "company" else replace(self, only_level=level, only_entities=tuple(entity_ids))

    def path(self, name: str) -> Path:
        """The file of a part."""
        return self.folder / f"{name}.parquet"

    @property
    def meta(self) -> dict[str, Any]:
        """What `contributions_in` needs beside the files, for JSON."""
        return {
            "parts": [asdict(part) for part in self.parts],
            "tables": sorted(self.tables),
            "begins": {name: day.isoformat() for name, day in self.begins.items()},
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat(),
        }

    @functools.cached_property
    def roster(self) -> pd.DataFrame:
        """`person_id, team_id, day, working`."""
        return pd.read_parquet(self.path(ROSTER))

    @property
    def daily(self) -> pd.DataFrame:
        """`kpi, person_id, day, numerator, denominator, n` of all KPIs that are sums, one row for each day with any."""
        frames = [
            _long(pd.read_parquet(self.path(part.name)), part) for part in self.parts if part.aggregation == "sum"
        ]
        rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*DAILY])
        return rows.sort_values(["kpi", "person_id", "day"], ignore_index=True)

    @property
    def until_end(self) -> dt.date:
        """The day after the last that the data cover."""
        return self.until + ONE_DAY


DAILY = ("kpi", "person_id", "day", NUMERATOR, DENOMINATOR, COUNT)


def contributions(
    tables: Mapping[str, ir.Table] | Mapping[str, pd.DataFrame],
    kpis: Sequence[Kpi],
    *,
    country: str = "CN",
    since: dt.date | None = None,
    until: dt.date | None = None,
    folder: Path | None = None,
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
    """
    keeps = None if folder else tempfile.TemporaryDirectory(prefix="kpi-panel-")
    folder = folder or Path(keeps.name if keeps else "")
    folder.mkdir(parents=True, exist_ok=True)
    rows = on_an_engine(tables)
    until = until or last_day(rows)
    crm = Crm({name: covered(name, table, until) for name, table in rows.items()})
    measured = [kpi for kpi in kpis if all(table in crm for table in kpi.needs)]
    with selections_apart():
        parts = [_kept(query, number, folder, since) for number, query in enumerate(queries(crm, measured, until))]
    first, people = _first_day_and_people(folder, parts)
    begun = pd.DataFrame({"person_id": people if first else [], "day": pd.Timestamp(first or until)})
    known = {name: rows[name].to_pandas() for name in ROSTER_TABLES if name in rows}
    roster(known, begun, country=country, until=until).to_parquet(folder / f"{ROSTER}.parquet")
    return Contributions(
        folder, tuple(parts), tuple(kpis), base_tables(kpis), frozenset(tables), _begins(crm, measured), first, until,
        _keeps=keeps,
    )  # fmt: skip


def contributions_in(folder: Path, meta: Mapping[str, Any], kpis: Sequence[Kpi]) -> Contributions:
    """Contributions that were kept in a folder, with the definitions that they were computed from."""
    return Contributions(
        folder,
        tuple(Part(part["name"], part["aggregation"], tuple(part["kpis"])) for part in meta["parts"]),
        tuple(kpis),
        base_tables(kpis),
        frozenset(meta["tables"]),
        {name: dt.date.fromisoformat(day) for name, day in meta["begins"].items()},
        dt.date.fromisoformat(meta["since"]) if meta["since"] else None,
        dt.date.fromisoformat(meta["until"]),
    )


def base_tables(kpis: Sequence[Kpi]) -> dict[str, str]:
    """KPI -> the table whose rows it counts."""
    return {kpi.name: kpi.needs[0] for kpi in kpis}


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
    """A canonical table without rows of events after the last day."""
    if name not in EVENT_TIMES:
        return table
    time = table[EVENT_TIMES[name]]
    return table.filter(time.isnull() | (time < pd.Timestamp(until + ONE_DAY)))


def _kept(query: Query, number: int, folder: Path, since: dt.date | None) -> Part:
    part = Part(f"part_{number}", query.aggregation, tuple(kpi.name for kpi in query.kpis))
    rows = query.rows
    # what holds at a period's end may have begun before the first day
    if since and query.aggregation != "at_end":
        rows = rows.filter(rows.day >= pd.Timestamp(since))
    _write(rows, folder / f"{part.name}.parquet")
    return part


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


def _first_day_and_people(folder: Path, parts: Sequence[Part]) -> tuple[dt.date | None, list[str]]:
    """The first day of anything, of what merely holds only where there is nothing else; and everybody who has any."""
    first: list[dt.date] = []
    held: list[dt.date] = []
    people: set[str] = set()
    with duckdb.connect() as engine:
        for part in parts:
            rows = engine.read_parquet(str(folder / f"{part.name}.parquet"))
            people |= {person for (person,) in rows.unique("person_id").fetchall()}
            days = held if part.aggregation == "at_end" else first
            days += [day.date() for (day,) in rows.min("day").fetchall() if day is not None]
    return min(first or held, default=None), sorted(people)


def _long(rows: pd.DataFrame, part: Part) -> pd.DataFrame:
    frames = []
    for number, kpi in enumerate(part.kpis):
        names = {column(each, number): each for each in (NUMERATOR, DENOMINATOR, COUNT)}
        of_kpi = rows[["person_id", "day", *names]].rename(columns=names).assign(kpi=kpi)
        frames.append(of_kpi[of_kpi[COUNT] > 0])
    return pd.concat(frames, ignore_index=True)[[*DAILY]]
