"""The records that a period rests on, as they were when it was closed, and what became of each since.

Numbers, days, choices and ids are kept as they are, so that a change can be told; of text only a digest is kept, which
tells that it changed and not what it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pandas as pd

from kpi_research.crm.contract import Contract, hold_to_contract
from kpi_research.crm.table import Table
from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError
from kpi_research.periods import Period
from kpi_research.run.client import Client
from kpi_research.sources.read import read_source
from kpi_research.sources.workspace import Workspace

SPANS = {
    "people": ("hired_on", "left_on"),
    "assignments": ("since", "until"),
    "opportunities": ("created_at", "closed_at"),
}
"""Tables whose rows hold from one day to another: those that touch the period, however long ago they began."""
BY_NAME = ("targets", "ratings")
"""Tables whose rows name their period."""
TEXT_DIGITS = 16
CHANGE_COLUMNS = ["table", "record", "change", "column", "before", "after", "changed_by", "changed_at"]
Rows = Mapping[str, pd.DataFrame]


def rows_of(client: Client, period: Period, also: Rows | None = None) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Read the client's source again and take the records that a period rests on.

    Parameters
    ----------
    also
        Records as they once were: what became of them is taken too, though they are not of the period any more.

    Returns
    -------
    By canonical table, every cell as text in canonical columns, sorted by key; and the source's log of changes to
    those records, `table, record_id, field, changed_by, changed_at`, as far as it keeps one.
    """
    with Workspace() as workspace:
        raw = read_source(client.settings.source, client.path.parent, workspace)
        contract = hold_to_contract(raw, timezone=client.settings.timezone)
        starts = client.settings.fiscal_year_starts
        found = {}
        for name, rows in contract.tables.items():
            chosen = _resting(TABLES[name], rows, period, starts)
            frame = _as_text(TABLES[name], chosen)
            if also is not None and name in also:
                frame = _with_moved(TABLES[name], rows, frame, also[name])
            found[name] = frame
        return found, _log(contract)


def write_rows(rows: Rows, folder: Path) -> None:
    """A Parquet file a table."""
    folder.mkdir(parents=True)
    for name, frame in rows.items():
        frame.to_parquet(folder / f"{name}.parquet")


def read_rows(folder: Path) -> dict[str, pd.DataFrame]:
    """What `write_rows` wrote."""
    return {path.stem: pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}


def changes_between(before: Rows, after: Rows, log: pd.DataFrame | None = None) -> pd.DataFrame:
    """What became of records.

    Parameters
    ----------
    log
        Who changed what, as `rows_of` returns it; the last who changed a field is named beside it.

    Returns
    -------
    `table, record, change, column, before, after, changed_by, changed_at`: a row a cell that changed; a row a record
    that was `added` or `removed`, its column empty. `record` is the row's key.
    """
    names = [name for name in TABLES if name in before or name in after]
    found = [part for name in names for part in _changes(TABLES[name], before.get(name), after.get(name))]
    changes = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=CHANGE_COLUMNS[:6])
    if log is None or log.empty:
        return changes.assign(changed_by=None, changed_at=None)[CHANGE_COLUMNS]
    last = log.sort_values("changed_at").groupby(["table", "record_id", "field"], as_index=False).last()
    last = last.rename(columns={"record_id": "record", "field": "column"})
    return changes.merge(last, on=["table", "record", "column"], how="left")[CHANGE_COLUMNS]


def _resting(table: Table, rows: ir.Table, period: Period, starts: int) -> ir.Table:
    """Rows with any day in the period, and rows without any day, which may matter in every period."""
    start, end = ibis.timestamp(period.start.isoformat()), ibis.timestamp(period.end.isoformat())
    if table.name in SPANS:
        since, until = (rows[name] for name in SPANS[table.name])
        return rows.filter((since.isnull() | (since < end)) & (until.isnull() | (until >= start)))
    if table.name in BY_NAME:
        names = rows.select("period").distinct().to_pyarrow().to_pydict()["period"]
        touching = [name for name in names if _touches(name, period, starts)]
        return rows.filter(rows["period"].isin(touching) if touching else ibis.literal(False))
    days = [name for name, column in table.columns.items() if column.kind in ("date", "time")]
    if not days:
        return rows
    inside = ibis.or_(*(((rows[name] >= start) & (rows[name] < end)).fill_null(False) for name in days))
    return rows.filter(inside | ibis.and_(*(rows[name].isnull() for name in days)))


def _touches(name: str, period: Period, starts: int) -> bool:
    try:
        other = Period.parse(name, starts)
    except InputError:
        return False  # a target of no period is nobody's
    return other.start < period.end and period.start < other.end


def _with_moved(table: Table, rows: ir.Table, now: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """The rows of now and, of those that were there before and are not of the period any more, what they are now."""
    gone = set(_records(table, before)) - set(_records(table, now))
    if not gone or len(table.key) > 1:
        return now
    ids = sorted(gone)
    moved = _as_text(table, rows.filter(rows[table.key[0]].isin(ids)))
    return pd.concat([now, moved], ignore_index=True)


def _as_text(table: Table, rows: ir.Table) -> pd.DataFrame:
    frame = rows.to_pyarrow().to_pandas()
    key = _records(table, frame)
    made = {}
    for name, column in table.columns.items():
        cells = frame[name]
        if column.kind in ("date", "time"):
            made[name] = cells.dt.strftime("%Y-%m-%d %H:%M:%S").str.removesuffix(" 00:00:00")
        elif column.kind == "text":
            pairs = zip(cells, key, strict=True)
            made[name] = pd.Series([_digest(table.name, record, name, cell) for cell, record in pairs], frame.index)
        elif column.kind in ("number", "share"):
            made[name] = cells.map(lambda number: f"{number:.12g}", na_action="ignore")
        else:
            made[name] = cells.map(str, na_action="ignore")
    # the days of a key are text by now, and so are its texts: a digest beside the record's name
    found = pd.DataFrame({"record": key, **made}, dtype="string")
    return found.sort_values("record", kind="stable").reset_index(drop=True)


def _digest(*parts: object) -> str | None:
    cell = parts[-1]
    if cell is None or cell is pd.NA or cell != cell:
        return None
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:TEXT_DIGITS]


def _records(table: Table, frame: pd.DataFrame) -> list[str]:
    """The keys of rows as one text each, which findings of the contract call a record."""
    if "record" in frame:
        return list(frame["record"])
    columns = [frame[name].map(str, na_action="ignore").fillna("") for name in table.key]
    return [" / ".join(parts) for parts in zip(*columns, strict=True)]


def _changes(table: Table, before: pd.DataFrame | None, after: pd.DataFrame | None) -> list[pd.DataFrame]:
    columns = ["record", *table.columns]
    none = pd.DataFrame(columns=columns, dtype="string")
    old, new = (none if frame is None else frame.reindex(columns=columns) for frame in (before, after))
    both = old.merge(new, on="record", how="outer", suffixes=("", "_now"), indicator=True)
    found = []
    for side, change in (("left_only", "removed"), ("right_only", "added")):
        records = both.loc[both["_merge"] == side, "record"]
        found.append(_rows(table, records, change, "", None, None))
    kept = both[both["_merge"] == "both"]
    for name, column in table.columns.items():
        was, now = kept[name], kept[f"{name}_now"]
        differs = was.fillna("") != now.fillna("")
        if differs.any():
            hidden = column.kind == "text"
            cells = (None, None) if hidden else (was[differs], now[differs])
            found.append(_rows(table, kept.loc[differs, "record"], "changed", name, *cells))
    return [frame for frame in found if len(frame)]


def _rows(
    table: Table, records: pd.Series, change: str, column: str, before: pd.Series | None, after: pd.Series | None
) -> pd.DataFrame:
    made = {
        "table": table.name,
        "record": records,
        "change": change,
        "column": column,
        "before": before,
        "after": after,
    }
    return pd.DataFrame(made, columns=CHANGE_COLUMNS[:6], dtype="object").reset_index(drop=True)


def _log(contract: Contract) -> pd.DataFrame:
    columns = ["table", "record_id", "field", "changed_by", "changed_at"]
    if "changes" not in contract.tables:
        return pd.DataFrame(columns=columns)
    return contract.tables["changes"].select(columns).to_pyarrow().to_pandas()
