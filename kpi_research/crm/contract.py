"""Holding a client's tables to the canonical form: what is kept, and every row that is not, by the rule it broke.

Nothing is repaired and nothing disappears: `read = left out + rejected + kept` for every file, and every step that
takes rows away or adds some is listed with the rows before and after. The work is done by the engine that holds the
rows; only counts, and the rows that broke a rule, come out of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from kpi_research.crm.engine import selections_apart
from kpi_research.crm.raw import COUNTED, LEFT_OUT, SOURCE_ROW, RawTable
from kpi_research.crm.reading import BROKEN, CELLS, PART, Part, read_part
from kpi_research.crm.table import Table
from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError, Problem

FINDING_COLUMNS = ["table", "file", "source_row", "record", "rule", "column", "value"]
COUNT_COLUMNS = ["table", "file", "read", "left_out", "rejected", "kept"]
STEP_COLUMNS = ["table", "file", "step", "detail", "before", "after"]
BESIDE = (PART, SOURCE_ROW, LEFT_OUT, COUNTED, BROKEN, CELLS)
LAYOUT = ("title_rows", "footer", "blank_rows", "unfold", "unpivot", "split", "match")
"""Steps that take away what is no record, or make records: they leave none out."""


@dataclass(frozen=True)
class Contract:
    """A client's tables after the check.

    Parameters
    ----------
    tables
        Kept rows by canonical name, all canonical columns in canonical order, typed; on the engine that held them.
    rejected
        One row a broken rule: `table, file, source_row, record, rule, column, value`; `record` is the row's key. A row
        may break several. `source_row` is null where the rows of a database have no numbers.
    counted
        Same columns: rows that are kept although a reference finds no partner.
    row_counts
        `table, file, read, left_out, rejected, kept`, one row a file.
    steps
        `table, file, step, detail, before, after`: every filter, merging and join, with the rows before and after it.
    """

    tables: Mapping[str, ir.Table]
    rejected: pd.DataFrame
    counted: pd.DataFrame
    row_counts: pd.DataFrame
    steps: pd.DataFrame

    @property
    def missing(self) -> tuple[str, ...]:
        """Canonical tables that this client does not have."""
        return tuple(name for name in TABLES if name not in self.tables)

    def frame(self, table: str) -> pd.DataFrame:
        """The kept rows of a table, money as floating point."""
        rows = self.tables[table]
        money = [name for name, column in TABLES[table].columns.items() if column.kind == "money"]
        return rows.mutate(**{name: rows[name].cast("float64") for name in money}).to_pyarrow().to_pandas()


def hold_to_contract(raw: Mapping[str, RawTable | Sequence[RawTable]], *, timezone: str = "Asia/Shanghai") -> Contract:
    """Check every table, then every reference between tables.

    Parameters
    ----------
    raw
        Canonical name -> its rows, or the several parts that they come in; all on one engine.
    timezone
        The client's.

    Raises
    ------
    InputError
        If a table or column is not canonical, or a needed column is missing: all of them at once.
    """
    parts = {name: [given] if isinstance(given, RawTable) else list(given) for name, given in raw.items()}
    if problems := [p for name, tables in parts.items() for table in tables for p in _shape_problems(name, table)]:
        raise InputError(problems)
    checks: dict[str, _Check] = {}
    with selections_apart():
        for name in (name for name in TABLES if name in parts):
            read = [read_part(TABLES[name], part, number, timezone) for number, part in enumerate(parts[name])]
            checks[name] = _check(TABLES[name], read, {other: check.rows for other, check in checks.items()})
    return Contract(
        {name: check.rows.select(list(TABLES[name].columns)) for name, check in checks.items()},
        _together([found for check in checks.values() for found in check.rejected], FINDING_COLUMNS),
        _together([found for check in checks.values() for found in check.counted], FINDING_COLUMNS),
        _together([check.row_counts for check in checks.values()], COUNT_COLUMNS),
        _together([check.steps for check in checks.values()], STEP_COLUMNS),
    )


@dataclass(frozen=True)
class _Check:
    """`rows` are the kept ones, with the columns of `BESIDE` that still tell something."""

    rows: ir.Table
    rejected: list[pd.DataFrame]
    counted: list[pd.DataFrame]
    row_counts: pd.DataFrame
    steps: pd.DataFrame


def _shape_problems(name: str, raw: RawTable) -> Iterator[Problem]:
    if name not in TABLES:
        yield Problem("contract.unknown_table", raw.file, {"table": name}, given=name, allowed=tuple(TABLES))
        return
    columns = TABLES[name].columns
    given = [column for column in raw.rows.columns if column not in BESIDE]
    for column in given:
        if column not in columns:
            values = {"table": name, "column": column}
            yield Problem("contract.unknown_column", raw.file, values, column, tuple(columns))
    for column, spec in columns.items():
        if not spec.nullable and column not in given:
            yield Problem("contract.missing_column", raw.file, {"table": name, "column": column})


def _check(table: Table, read: list[Part], kept: Mapping[str, ir.Table]) -> _Check:
    """One canonical table: cells, then keys and rows, then references."""
    rejected = [found for part in read if part.unreadable for found in _unreadable(table, part)]
    rows = ibis.union(*(part.rows for part in read)) if len(read) > 1 else read[0].rows
    rows = rows.filter(rows[LEFT_OUT].isnull() & (rows[BROKEN] == 0)).drop(LEFT_OUT, BROKEN, CELLS)
    rows, found = _keys_and_rules(table, read, rows)
    rejected += found
    counted = list(_noted(table, read, rows))
    joins: list[tuple[object, ...]] = []
    rows = rows.drop(COUNTED)
    for name, column in table.columns.items():
        if column.refers is None or column.refers not in kept:
            continue
        partners = kept[column.refers].select(**{name: TABLES[column.refers].key[0]})
        orphans = rows.filter(rows[name].notnull()).anti_join(partners, name)
        finding = _finding(table, read, orphans, rule=f"not_in_{column.refers}", column=name, value=orphans[name])
        given = int(rows[name].count().to_pyarrow().as_py())
        joins.append((table.name, "", "join", f"{name} = {column.refers}", given, given - len(finding)))
        if len(finding):
            (rejected if column.unmatched == "reject" else counted).append(finding)
            rows = rows.semi_join(partners, name) if column.unmatched == "reject" else rows
    if rejected or any(part.left_out for part in read):
        rows = _settled(rows, table, read)
    counts = _row_counts(table, read, rows)
    return _Check(rows, rejected, counted, counts, _steps(table, read, counts, joins))


def _noted(table: Table, read: list[Part], rows: ir.Table) -> Iterator[pd.DataFrame]:
    """What the source notes of rows that it hands over all the same."""
    if any(COUNTED in part.raw.rows.columns for part in read):
        noted = rows.filter(rows[COUNTED].notnull())
        found = _finding(table, read, noted, rule="", column=table.key[0], value=None, noted=noted[COUNTED])
        for rule, group in found.groupby("noted"):
            yield group.assign(rule=rule)[FINDING_COLUMNS]


def _unreadable(table: Table, part: Part) -> Iterator[pd.DataFrame]:
    """Cells of one part that could not be read or are missing."""
    rows = part.rows.filter(part.rows[LEFT_OUT].isnull() & (part.rows[BROKEN] != 0))
    found = _finding(table, [part], rows, rule="", column="", value=rows[CELLS], bits=rows[BROKEN])
    for bit, (rule, column) in enumerate(part.rules):
        broken = found[found["bits"].astype("int64") // (1 << bit) % 2 == 1]
        if len(broken):
            texts = [cells[bit] or "" for cells in broken["value"]]
            yield broken.assign(rule=rule, column=column, value=texts)[FINDING_COLUMNS]


def _keys_and_rules(table: Table, read: list[Part], rows: ir.Table) -> tuple[ir.Table, list[pd.DataFrame]]:
    """Rows that repeat a key or break a rule of their table, among those of which every cell could be read."""
    found = []
    key = list(table.key)
    some = rows.filter(ibis.or_(*(rows[name].notnull() for name in key)))
    groups = some.group_by(key).aggregate(n=some.count())
    after = rows
    if int(groups.filter(groups.n > 1).count().to_pyarrow().as_py()):
        # without numbers of rows the order of all columns decides which one is the first
        order = list(table.columns) if read[0].raw.in_place else [PART, SOURCE_ROW]
        again = rows.mutate(nth=ibis.row_number().over(group_by=key, order_by=order))
        again = again.mutate(nth=ibis.or_(*(again[name].notnull() for name in key)).ifelse(again.nth, 0))
        repeats = again.filter(again.nth > 0)
        found.append(_finding(table, read, repeats, rule="duplicate_key", column=", ".join(key), value=None))
        after = again.filter(again.nth == 0).drop("nth")
    for rule in table.rules:
        breaking = rows.filter(~rule.passes(rows).fill_null(False))
        found.append(_finding(table, read, breaking, rule=rule.name, column="", value=ibis.literal("")))
        if len(found[-1]):
            after = after.filter(rule.passes(after).fill_null(False))
    return after, [each for each in found if len(each)]


def _settled(rows: ir.Table, table: Table, read: list[Part]) -> ir.Table:
    """The kept rows as a table of their own, so that nobody who reads them filters again."""
    if read[0].raw.in_place:
        return rows
    engine = rows.get_backend()
    return engine.create_table(ibis.util.gen_name(f"{table.name}_kept"), rows)


def _finding(
    table: Table, read: list[Part], rows: ir.Table, *, rule: str, column: str, value: ir.Value | None, **more: ir.Value
) -> pd.DataFrame:
    """What is said of rows that break one rule; without `value` their key is what is shown."""
    keys = [rows[name].cast("string").fill_null("") for name in table.key]
    record = ibis.literal(" / ").join(keys) if len(keys) > 1 else keys[0]
    shown = record if value is None else value
    out = rows.select(PART, SOURCE_ROW, record=record, value=shown, **more)
    found = out.order_by([PART, SOURCE_ROW, "record"]).to_pyarrow().to_pandas()
    files = {number: part.raw.file for number, part in enumerate(read)} if len(read) > 1 else {}
    found = found.assign(
        table=table.name,
        file=found[PART].map(files) if files else read[0].raw.file,
        source_row=found[SOURCE_ROW].astype("Int64"),
        rule=rule,
        column=column,
    )
    return found[[*FINDING_COLUMNS, *more]]


def _row_counts(table: Table, read: list[Part], kept: ir.Table) -> pd.DataFrame:
    after = kept.group_by(PART).aggregate(n=kept.count()).to_pyarrow().to_pandas().set_index(PART)["n"]
    rows = []
    for number, part in enumerate(read):
        left_out, left = sum(part.left_out.values()), int(after.get(number, 0))
        before = sum(step.before - step.after for step in part.raw.steps if step.name not in LAYOUT)
        rows.append(
            (table.name, part.raw.file, part.read + before, left_out + before, part.read - left_out - left, left)
        )
    return pd.DataFrame(rows, columns=COUNT_COLUMNS)


def _steps(table: Table, read: list[Part], counts: pd.DataFrame, joins: list[tuple[object, ...]]) -> pd.DataFrame:
    rows: list[tuple[object, ...]] = []
    for part, kept in zip(read, counts["kept"], strict=True):
        name, file = table.name, part.raw.file
        rows += [(name, file, step.name, step.detail, step.before, step.after) for step in part.raw.steps]
        before = part.read
        for reason, count in part.left_out.items():
            step, _, detail = reason.partition(" ")
            rows.append((name, file, step, detail, before, before - count))
            before -= count
        rows.append((name, file, "contract", "", before, kept))
    return pd.DataFrame([*rows, *joins], columns=STEP_COLUMNS)


def _together(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)
