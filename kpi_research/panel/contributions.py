"""What every panel is summed from: each person's days, in files beside each other, computed once.

The work is done where the rows lie; what comes out is small and is read by DuckDB from then on.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from kpi_research.crm.roster import by_day
from kpi_research.kpis.definition import Aggregation, Kpi, Level
from kpi_research.panel.queries import COUNT, DENOMINATOR, NUMERATOR, column
from kpi_research.periods import ONE_DAY

ROSTER = "roster.parquet"
WORKING_DAYS = "working_days.parquet"
PRESENCE = "presence"
"""Begins the names of the files with the rows of `presence.presence`."""


@dataclass(frozen=True)
class Piece:
    """A file of contributions, and the days for which it holds.

    Parameters
    ----------
    file
        Its name.
    first, last
        Days; None where it is not limited.
    """

    file: str
    first: dt.date | None = None
    last: dt.date | None = None


@dataclass(frozen=True)
class Part:
    """Contributions that one query gave.

    Parameters
    ----------
    name
        Of the part among the others.
    aggregation
        How its KPIs are read.
    kpis
        Their names, in the order of their columns.
    pieces
        Its files; no day is in two of them.
    """

    name: str
    aggregation: Aggregation
    kpis: tuple[str, ...]
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Contributions:
    """What every panel is summed from.

    Parameters
    ----------
    folder
        Holds the Parquet files of the parts and of the presence, and the roster: `person_id, team_id, start, end`, from
        which day until which who was in which team, a year before the first event included; and the working days
        since that.
    parts
        Of all KPIs that could be measured, asked for or not.
    kpis
        The definitions that panels are asked for, those without data included.
    tables
        Canonical tables that the client has.
    begins
        For tables that KPIs look back in, the day of the first row: nothing is known of what was before.
    since, until
        The first day with a signing, a deal, a payment or an activity that counts, None where nothing counts; and the
        last day that the data cover.
    only_level, only_entities
        What the contributions are narrowed to; see `of`.
    """

    folder: Path
    parts: tuple[Part, ...]
    kpis: tuple[Kpi, ...]
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

    def rows_of(self, part: Part) -> str:
        """SQL that gives a part's rows."""
        return " UNION ALL ".join(_rows_of(self.folder / piece.file, piece) for piece in part.pieces)

    @property
    def presence(self) -> str:
        """SQL that gives `person_id, day, base`: who recorded anything in which table on which day."""
        files = sorted(self.folder.glob(f"{PRESENCE}_*.parquet"))
        return " UNION ALL ".join(_rows_of(path, Piece(path.name)) for path in files)

    @property
    def meta(self) -> dict[str, Any]:
        """What `contributions_in` needs beside the files, for JSON."""
        return {
            "parts": json.loads(json.dumps([asdict(part) for part in self.parts], default=str)),
            "tables": sorted(self.tables),
            "begins": {name: day.isoformat() for name, day in self.begins.items()},
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat(),
        }

    @functools.cached_property
    def roster(self) -> pd.DataFrame:
        """`person_id, team_id, day, working`, from the first day of an event."""
        times, working = (pd.read_parquet(self.folder / name) for name in (ROSTER, WORKING_DAYS))
        if self.since:
            since = pd.Timestamp(self.since)
            times = times[times["end"] >= since].assign(start=lambda rows: rows["start"].clip(lower=since))
        return by_day(times, working["day"].to_numpy("datetime64[D]"))

    @property
    def daily(self) -> pd.DataFrame:
        """`kpi, person_id, day, numerator, denominator, n` of all KPIs that are sums, one row for each day with any."""
        sums = [part for part in self.parts if part.aggregation == "sum"]
        frames = [_long(duckdb.sql(self.rows_of(part)).df(), part) for part in sums]
        rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*DAILY])
        return rows.sort_values(["kpi", "person_id", "day"], ignore_index=True)

    @property
    def until_end(self) -> dt.date:
        """The day after the last that the data cover."""
        return self.until + ONE_DAY


DAILY = ("kpi", "person_id", "day", NUMERATOR, DENOMINATOR, COUNT)


def contributions_in(folder: Path, meta: Mapping[str, Any], kpis: Sequence[Kpi]) -> Contributions:
    """Contributions that were kept in a folder, with the definitions that they were computed from."""
    return Contributions(
        folder,
        tuple(_part(part) for part in meta["parts"]),
        tuple(kpis),
        frozenset(meta["tables"]),
        {name: dt.date.fromisoformat(day) for name, day in meta["begins"].items()},
        dt.date.fromisoformat(meta["since"]) if meta["since"] else None,
        dt.date.fromisoformat(meta["until"]),
    )


def _part(meta: Mapping[str, Any]) -> Part:
    pieces = (Piece(each["file"], _day(each["first"]), _day(each["last"])) for each in meta["pieces"])
    return Part(meta["name"], meta["aggregation"], tuple(meta["kpis"]), tuple(pieces))


def _day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _rows_of(path: Path, piece: Piece) -> str:
    name = str(path).replace("'", "''")
    limits = [(">=", piece.first), ("<=", piece.last)]
    where = " AND ".join(f"day {sign} DATE '{day}'" for sign, day in limits if day)
    return f"SELECT * FROM read_parquet('{name}')" + (f" WHERE {where}" if where else "")  # noqa: S608


def _long(rows: pd.DataFrame, part: Part) -> pd.DataFrame:
    frames = []
    for number, kpi in enumerate(part.kpis):
        names = {column(each, number): each for each in (NUMERATOR, DENOMINATOR, COUNT)}
        of_kpi = rows[["person_id", "day", *names]].rename(columns=names).assign(kpi=kpi)
        frames.append(of_kpi[of_kpi[COUNT] > 0])
    return pd.concat(frames, ignore_index=True)[[*DAILY]]
