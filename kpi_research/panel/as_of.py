"""What was on file at the time: the same definitions over the rows that had been recorded by the end of each period.

A panel by the time of what happened knows what was entered months later, when the result was known; one that predicts
must not. So every period is computed a second time from the rows recorded by its end and a few days of grace; where a
definition waits for a window to close, by the end of that window and the same grace. Rows without a time of recording
are not known to have been there. Tables that keep none at all are taken as they are; the KPIs that rest on such tables
alone are the same in both panels and say nothing of back-dating: `recorded_kpis` names the others.

Source: bitemporal as-of tables, R. T. Snodgrass (1999), Developing Time-Oriented Database Applications in SQL, ch. 10.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from kpi_research.crm.engine import selections_apart
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Kpi
from kpi_research.panel.build import (
    Home,
    completed,
    computed,
    covered,
    last_day,
    measurable,
    on_an_engine,
    write_presence,
)
from kpi_research.panel.contributions import PRESENCE, Contributions, Part, Piece
from kpi_research.panel.presence import first_event, presence
from kpi_research.panel.queries import queries
from kpi_research.panel.replay import Marker, Replay
from kpi_research.periods import ONE_DAY, Period, working_days
from kpi_research.policy import GRACE_WORKING_DAYS

RECORDED_AT = "recorded_at"
RECORDED = ("activities", "stage_changes")
"""Tables whose rows may carry the time at which they were recorded."""
FIRST, LAST, THEN = dt.date(2197, 1, 1), dt.date(2198, 1, 1), dt.date(2199, 1, 1)
"""Markers: a period's first day and its last, and the first day on which a row was recorded too late for it."""


def contributions_as_of(
    tables: Mapping[str, ir.Table] | Mapping[str, pd.DataFrame],
    kpis: Sequence[Kpi],
    periods: Sequence[Period],
    *,
    country: str = "CN",
    until: dt.date | None = None,
    folder: Path | None = None,
) -> Contributions:
    """What each person's day added to each KPI as far as it was on file at the end of its period.

    Parameters
    ----------
    tables, country, until, folder
        As in `contributions`.
    periods
        Of one grain, without gaps. Panels of these periods are right; others would mix what was known when.
    """
    home = Home(folder)
    rows = on_an_engine(tables)
    until = until or last_day(rows)
    recorded, crm = recorded_kpis(rows, kpis), Crm({name: covered(name, each, until) for name, each in rows.items()})
    able = measurable(kpis, crm)
    recorded_in = _timed(rows)
    parts = [*computed(crm, [kpi for kpi in able if kpi.name not in recorded], until, home.folder)]
    timed = [kpi for kpi in able if kpi.name in recorded]
    then = _on_file(rows, recorded_in, until)
    for days in sorted({kpi.matures_after_days for kpi in timed}):
        alike = [kpi for kpi in timed if kpi.matures_after_days == days]
        parts += _as_on_file(alike, then, periods, until=until, country=country, folder=home.folder)
    write_presence(_seen(then, periods, until, country), home.folder / f"{PRESENCE}_000.parquet")
    first = max(filter(None, [first_event(crm, until), periods[0].start]))
    return completed(tuple(parts), kpis, rows, home, country=country, until=until, first=first)


def recorded_kpis(tables: Mapping[str, ir.Table], kpis: Sequence[Kpi]) -> frozenset[str]:
    """The KPIs that rest on rows whose time of recording is on file."""
    timed = _timed(tables)
    able = [kpi for kpi in kpis if all(name in tables for name in kpi.needs)]
    return frozenset(kpi.name for kpi in able if not timed.isdisjoint(_tables_of([kpi])))


def on_file_until(end: dt.date, country: str) -> dt.date:
    """The last day on which a row may have been recorded to be on file at an end: some working days after it.

    Parameters
    ----------
    end
        The day after the last.
    """
    return working_days(country, end, end + ONE_DAY * 30)[GRACE_WORKING_DAYS - 1].astype(dt.date)


def _timed(tables: Mapping[str, ir.Table]) -> frozenset[str]:
    """Tables that keep the time of recording in any row."""
    able = [name for name in RECORDED if name in tables]
    return frozenset(name for name in able if tables[name][RECORDED_AT].count().to_pyarrow().as_py())


def _tables_of(kpis: Sequence[Kpi]) -> set[str]:
    """The tables that definitions read."""
    crm = Crm.unbound()
    return {table.name for kpi in kpis for table in kpi.rows(crm).op().find(ops.UnboundTable)}


def _as_on_file(
    kpis: Sequence[Kpi], crm: Crm, periods: Sequence[Period], *, until: dt.date, country: str, folder: Path
) -> Iterator[Part]:
    """The parts of KPIs that wait for the same window, period by period, each from the rows on file then."""
    window = ONE_DAY * kpis[0].matures_after_days
    with selections_apart():
        asked = [*queries(crm, kpis, until, since=_first_day)]
    for place, query in enumerate(asked):
        name, at_end = f"as_of_{window.days}_{place}", query.aggregation == "at_end"
        rows = query.rows.filter(query.rows.day <= pd.Timestamp(LAST))
        replay = Replay(_held(rows) if at_end else rows)
        pieces: list[Piece] = []
        before: pd.DataFrame | None = None
        for number, period in enumerate(periods):
            last = min(period.end - ONE_DAY, until)
            then = on_file_until(period.end + window, country) + ONE_DAY
            found = replay.at({FIRST: period.start, LAST: last, THEN: then})
            if at_end:
                now = found.to_pandas().set_index("person_id")
                found, before = _changed(before, now, last), now
            pieces.append(Piece(f"{name}_{number}.parquet", period.start, period.end - ONE_DAY))
            order = [(each, "ascending") for each in found.column_names]
            parquet.write_table(found.sort_by(order), folder / pieces[-1].file)
        yield Part(name, query.aggregation, tuple(kpi.name for kpi in query.kpis), tuple(pieces))


def _first_day(kpis: Sequence[Kpi]) -> Marker | None:
    """What holds at a period's end may have begun before it."""
    return None if kpis[0].aggregation == "at_end" else FIRST


def _on_file(tables: Mapping[str, ir.Table], timed: frozenset[str], until: dt.date) -> Crm:
    """The tables as far as they were recorded before a moment."""
    end = pd.Timestamp(THEN)
    known = {name: each.filter(each[RECORDED_AT] < end) if name in timed else each for name, each in tables.items()}
    return Crm({name: covered(name, table, until) for name, table in known.items()})


def _seen(crm: Crm, periods: Sequence[Period], until: dt.date, country: str) -> Iterator[pa.Table]:
    """Who had recorded anything of each period in time."""
    rows = presence(crm, until)
    if rows is None:
        return
    replay = Replay(rows.filter(rows.day >= pd.Timestamp(FIRST), rows.day <= pd.Timestamp(LAST)))
    for period in periods:
        then = on_file_until(period.end, country) + ONE_DAY
        yield replay.at({FIRST: period.start, LAST: period.end - ONE_DAY, THEN: then})


def _held(changes: ir.Table) -> ir.Table:
    """By person, what the changes so far add up to."""
    sums = {name: changes[name].sum() for name in changes.columns if name not in ("person_id", "day")}
    return changes.group_by("person_id").aggregate(**sums)


def _changed(before: pd.DataFrame | None, now: pd.DataFrame, last: dt.date) -> pa.Table:
    """By how much what held differs from what held a period before, as changes of its last day."""
    then = now.iloc[:0] if before is None else before
    change = now.astype(float).sub(then.astype(float), fill_value=0.0)
    change.insert(0, "day", pd.Timestamp(last))
    return pa.Table.from_pandas(change.rename_axis("person_id").reset_index(), preserve_index=False)
