"""One part of a canonical table, read cell by cell: typed columns, and which cells of which row broke which rule."""

from __future__ import annotations

import functools
import itertools
import operator
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from kpi_research.crm.engine import selections_apart
from kpi_research.crm.raw import COUNTED, LEFT_OUT, SOURCE_ROW, RawTable
from kpi_research.crm.table import ENGINE_TYPES, Column, Table
from kpi_research.crm.typing import Reading

PART, BROKEN, CELLS = "part", "broken", "cells"
"""Columns beside the canonical ones: number of the part, a bit for each broken rule, what a row with such bits says."""
BESIDE = {SOURCE_ROW: "int64", LEFT_OUT: "string", COUNTED: "string"}
TEXT, PARSED, FLAG = "text of ", "parsed ", "flag "
"""Begin the names of columns that exist only while a part is read."""
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Part:
    """A part of a canonical table after reading.

    Parameters
    ----------
    raw
        What it was read from.
    rows
        Canonical columns, typed, with `PART, SOURCE_ROW, LEFT_OUT, COUNTED, BROKEN, CELLS`; rows left out too.
    rules
        Rule and column behind each bit of `BROKEN`.
    read
        Number of rows.
    left_out
        Condition -> rows that it left out, in the order in which they were tried.
    unreadable
        Rows with a cell that broke a rule.
    """

    raw: RawTable
    rows: ir.Table
    rules: tuple[tuple[str, str], ...]
    read: int
    left_out: dict[str, int]
    unreadable: int


def read_part(table: Table, raw: RawTable, number: int, timezone: str) -> Part:
    """Type every cell of a part, in one pass over its rows.

    Parameters
    ----------
    number
        Tells the rows of several parts of one table apart.
    timezone
        The client's.
    """
    expression, rules = _typed_rows(table, raw, timezone)
    rows = _completed(expression if raw.in_place else _written(expression, raw, table.name), table)
    rows = rows.mutate(**{PART: ibis.literal(number, "int64")})
    bad = rows[LEFT_OUT].isnull() & (rows[BROKEN] != 0)
    counts = rows.group_by(LEFT_OUT).aggregate(n=rows.count(), bad=bad.sum()).to_pyarrow().to_pandas()
    left_out = {str(row[LEFT_OUT]): int(row["n"]) for _, row in counts.iterrows() if pd.notna(row[LEFT_OUT])}
    return Part(raw, rows, rules, int(counts["n"].sum()), left_out, int(counts["bad"].fillna(0).sum()))


def _typed_rows(table: Table, raw: RawTable, timezone: str) -> tuple[ir.Table, tuple[tuple[str, str], ...]]:
    """The columns that there are, typed, and the rules; one selection a step, see `engine.selections_apart`."""
    readings = {
        name: Reading(name, column, raw.forms, timezone)
        for name, column in table.columns.items()
        if name in raw.rows.columns
    }
    beside = {name: raw.rows[name].cast(kind) for name, kind in BESIDE.items() if name in raw.rows.columns}
    texts = {TEXT + name: reading.text(raw.rows[name]) for name, reading in readings.items()}
    rows = raw.rows.select(*readings, **beside, **texts)
    parsed = {PARSED + name: reading.parsed(rows[name], rows[TEXT + name]) for name, reading in readings.items()}
    rows = rows.select(*beside, *texts, **parsed)
    typed = {name: reading.typed(rows[PARSED + name], rows[TEXT + name]) for name, reading in readings.items()}
    rules = tuple((rule, name) for name, found in typed.items() for rule in found.broken)
    values = {name: found.value.cast(ENGINE_TYPES[table.columns[name].kind]) for name, found in typed.items()}
    flags = {f"{FLAG}{number}": typed[name].broken[rule].fill_null(False) for number, (rule, name) in enumerate(rules)}
    rows = rows.select(*beside, *texts, **values, **flags)
    needed = [name for name, column in table.columns.items() if not column.nullable]
    absent = {
        f"{FLAG}{len(rules) + number}": rows[name].isnull() & ~_any(rows, rules, name)
        for number, name in enumerate(needed)
    }
    rows, rules = rows.mutate(**absent), (*rules, *(("missing_value", name) for name in needed))
    bits = [
        rows[f"{FLAG}{n}"].ifelse(ibis.literal(1 << n, "int64"), ibis.literal(0, "int64")) for n in range(len(rules))
    ]
    meant = {name: _meant(rows, name, table.columns[name]) for name in readings}
    rows = rows.select(*beside, *texts, **meant, **{BROKEN: functools.reduce(operator.add, bits)})
    said = ibis.array([rows[TEXT + name] for _, name in rules])
    cells = (rows[BROKEN] != 0).ifelse(said, ibis.null("array<string>"))
    return rows.select(*readings, *beside, BROKEN, **{CELLS: cells}), rules


def _completed(rows: ir.Table, table: Table) -> ir.Table:
    """All columns that rows have after reading; those that a source lacks are not stored, they are null."""
    kinds = {name: ENGINE_TYPES[column.kind] for name, column in table.columns.items()} | BESIDE
    every = {name: rows[name] if name in rows.columns else ibis.null(kind) for name, kind in kinds.items()}
    return rows.select(**every, **{name: rows[name] for name in (BROKEN, CELLS)})


def _meant(rows: ir.Table, name: str, column: Column) -> ir.Value:
    """A column where it means something."""
    if column.only_where is None or column.only_where[0] not in rows.columns:
        return rows[name]
    other, values = column.only_where
    return rows[other].isin(values).ifelse(rows[name], ibis.null(ENGINE_TYPES[column.kind]))


def _any(rows: ir.Table, rules: tuple[tuple[str, str], ...], name: str) -> ir.BooleanValue:
    """Whether a column's cell broke any rule yet."""
    flags = [rows[f"{FLAG}{number}"] for number, (_, column) in enumerate(rules) if column == name]
    return functools.reduce(operator.or_, flags, ibis.literal(False))


def _written(rows: ir.Table, raw: RawTable, name: str) -> ir.Table:
    """The rows as a table of the engine; where they bring no numbers, their place in it is their place in the file."""
    engine = raw.rows.get_backend()
    with selections_apart():
        made = engine.create_table(f"{name}_read_{next(_numbers)}", rows)
    if SOURCE_ROW in raw.rows.columns:
        return made
    return made.mutate(**{SOURCE_ROW: made.rowid() + raw.first_row})
