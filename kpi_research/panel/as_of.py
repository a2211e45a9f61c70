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
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from kpi_research.crm.engine import selections_apart
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Kpi
from kpi_research.panel.build import Home, completed, computed, covered, last_day, measurable, on_an_engine
from kpi_research.panel.contributions import Contributions, Part, Piece
from kpi_research.panel.presence import first_event, presence
from kpi_research.panel.queries import queries
from kpi_research.periods import ONE_DAY, Period, working_days
from kpi_research.policy import GRACE_WORKING_DAYS

RECORDED_AT = "recorded_at"
RECORDED = ("activities", "stage_changes")
"""Tables whose rows may carry the time at which they were recorded."""


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
    for days in sorted({kpi.matures_after_days for kpi in timed}):
        alike = [kpi for kpi in timed if kpi.matures_after_days == days]
        parts += _as_on_file(alike, rows, recorded_in, periods, until=until, country=country, folder=home.folder)
    seen = [_seen(rows, recorded_in, period, until, country) for period in periods]
    first = max(filter(None, [first_event(crm, until), periods[0].start]))
    return completed(tuple(parts), kpis, rows, home, seen, country=country, since=None, until=until, first=first)


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
    kpis: Sequence[Kpi],
    tables: Mapping[str, ir.Table],
    timed: frozenset[str],
    periods: Sequence[Period],
    *,
    until: dt.date,
    country: str,
    folder: Path,
) -> list[Part]:
    """The parts of KPIs that wait for the same window, period by period, each from the rows on file then."""
    window = ONE_DAY * kpis[0].matures_after_days
    parts: dict[str, Part] = {}
    held: dict[str, pd.DataFrame] = {}
    for number, period in enumerate(periods):
        crm = _on_file(tables, timed, on_file_until(period.end + window, country), until)
        last = min(period.end - ONE_DAY, until)
        for place, query in enumerate(queries(crm, kpis, until, since=functools.partial(_first_day, period))):
            name = f"as_of_{window.days}_{place}"
            rows = query.rows.filter(query.rows.day <= pd.Timestamp(last))
            with selections_apart():
                if query.aggregation == "at_end":
                    now = _held(rows)
                    found, held[name] = _changed(held.get(name), now, last), now
                else:
                    found = rows.to_pyarrow()
            piece = Piece(f"{name}_{number}.parquet", period.start, period.end - ONE_DAY)
            parquet.write_table(
                found.sort_by([(each, "ascending") for each in found.column_names]), folder / piece.file
            )
            before = parts[name].pieces if name in parts else ()
            parts[name] = Part(name, query.aggregation, tuple(kpi.name for kpi in query.kpis), (*before, piece))
    return [*parts.values()]


def _first_day(period: Period, kpis: Sequence[Kpi]) -> dt.date | None:
    """What holds at a period's end may have begun before it."""
    return None if kpis[0].aggregation == "at_end" else period.start


def _on_file(tables: Mapping[str, ir.Table], timed: frozenset[str], then: dt.date, until: dt.date) -> Crm:
    """The tables as far as they were recorded on a day."""
    end = pd.Timestamp(then + ONE_DAY)
    known = {name: each.filter(each[RECORDED_AT] < end) if name in timed else each for name, each in tables.items()}
    return Crm({name: covered(name, table, until) for name, table in known.items()})


def _seen(
    tables: Mapping[str, ir.Table], timed: frozenset[str], period: Period, until: dt.date, country: str
) -> ir.Table | None:
    """Who had recorded anything of a period in time."""
    rows = presence(_on_file(tables, timed, on_file_until(period.end, country), until), until)
    if rows is None:
        return None
    return rows.filter(rows.day >= pd.Timestamp(period.start), rows.day < pd.Timestamp(period.end))


def _held(changes: ir.Table) -> pd.DataFrame:
    """By person, what the changes so far add up to."""
    sums = {name: changes[name].sum() for name in changes.columns if name not in ("person_id", "day")}
    return changes.group_by("person_id").aggregate(**sums).to_pyarrow().to_pandas().set_index("person_id")


def _changed(before: pd.DataFrame | None, now: pd.DataFrame, last: dt.date) -> pa.Table:
    """By how much what held differs from what held a period before, as changes of its last day."""
    then = now.iloc[:0] if before is None else before
    change = now.astype(float).sub(then.astype(float), fill_value=0.0)
    change.insert(0, "day", pd.Timestamp(last))
    return pa.Table.from_pandas(change.rename_axis("person_id").reset_index(), preserve_index=False)
