"""What was on file at the time: the same definitions over the rows that had been recorded by the end of each period.

A panel by the time of what happened knows what was entered months later, when the result was known; one that predicts
must not. So every period is computed a second time from the rows recorded by its end and a few days of grace; where a
definition waits for a window to close, by the end of that window and the same grace. Rows without a time of recording
are not known to have been there. Tables that keep none at all are taken as they are; the
KPIs that rest on such tables alone are the same in both panels and say nothing of back-dating: `recorded_kpis` names
the others.

Source: bitemporal as-of tables, R. T. Snodgrass (1999), Developing Time-Oriented Database Applications in SQL, ch. 10.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from kpi_research.crm.engine import selections_apart
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Kpi
from kpi_research.panel.build import contributions, covered, on_an_engine, write_presence
from kpi_research.panel.contributions import Contributions, Part, Piece
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
    keeps = None if folder else tempfile.TemporaryDirectory(prefix="kpi-as-of-")
    folder = folder or Path(keeps.name if keeps else "")
    rows = on_an_engine(tables)
    full = contributions(rows, kpis, country=country, until=until, folder=folder)
    timed = _timed(rows)
    parts: list[Part] = []
    for part in full.parts:
        shared = [kpi for kpi in kpis if kpi.name in part.kpis]
        if timed.isdisjoint(_tables_of(shared)):
            parts.append(part)
            continue
        for days in sorted({kpi.matures_after_days for kpi in shared}):
            alike = [kpi for kpi in shared if kpi.matures_after_days == days]
            named = replace(part, name=f"{part.name}_after_{days}", kpis=tuple(kpi.name for kpi in alike))
            parts.append(_as_on_file(named, alike, rows, periods, full, country))
    made = replace(full, parts=tuple(parts), _keeps=keeps)
    write_presence(made)
    return made


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
    part: Part,
    kpis: Sequence[Kpi],
    tables: Mapping[str, ir.Table],
    periods: Sequence[Period],
    full: Contributions,
    country: str,
) -> Part:
    """A part whose days are computed period by period, each from the rows on file then."""
    pieces, before = [], None
    timed, window = _timed(tables), ONE_DAY * kpis[0].matures_after_days
    for number, period in enumerate(periods):
        then = pd.Timestamp(on_file_until(period.end + window, country) + ONE_DAY)
        known = {name: _recorded_before(then, table) if name in timed else table for name, table in tables.items()}
        crm = Crm({name: covered(name, table, full.until) for name, table in known.items()})
        last = min(period.end - ONE_DAY, full.until)
        with selections_apart():
            if part.aggregation == "at_end":
                now = _held(crm, kpis, last)
                rows, before = _changed(before, now, last), now
            else:
                (query,) = queries(crm, kpis, full.until, since=lambda _, first=period.start: first)  # type: ignore[misc]
                rows = query.rows.filter(query.rows.day <= pd.Timestamp(last)).to_pyarrow()
        piece = Piece(f"{part.name}_{number}.parquet", period.start, period.end - ONE_DAY)
        parquet.write_table(rows.sort_by([(name, "ascending") for name in rows.column_names]), full.folder / piece.file)
        pieces.append(piece)
    return replace(part, pieces=tuple(pieces))


def _recorded_before(then: pd.Timestamp, table: ir.Table) -> ir.Table:
    return table.filter(table[RECORDED_AT] < then)


def _held(crm: Crm, kpis: Sequence[Kpi], last: dt.date) -> pd.DataFrame:
    """By person, what held at the end of a day as far as the rows tell."""
    (query,) = queries(crm, kpis, last)
    sums = {name: query.rows[name].sum() for name in query.rows.columns if name not in ("person_id", "day")}
    return query.rows.group_by("person_id").aggregate(**sums).to_pyarrow().to_pandas().set_index("person_id")


def _changed(before: pd.DataFrame | None, now: pd.DataFrame, last: dt.date) -> pa.Table:
    """By how much what held differs from what held a period before, as changes of its last day."""
    then = now.iloc[:0] if before is None else before
    change = now.astype(float).sub(then.astype(float), fill_value=0.0)
    change.insert(0, "day", pd.Timestamp(last))
    return pa.Table.from_pandas(change.rename_axis("person_id").reset_index(), preserve_index=False)
