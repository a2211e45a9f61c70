"""Shapes of exports: rows without their parent's cells, columns that are values, records inside a text, equal rows.

All of it happens in DuckDB, on rows that carry their number in the file.
"""

from __future__ import annotations

import re

import ibis
import ibis.expr.types as ir

from kpi_research.crm.engine import extract_all
from kpi_research.crm.raw import SOURCE_ROW, Step
from kpi_research.crm.typing import blank_to_null
from kpi_research.sources.mapping import TableMapping, Unfold, Unpivot

SUFFIXES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
"""The characters that complete a Salesforce id: one for five, which says which of them are capitals."""
COMPLETING = "".join(f"|{format(code, '05b')[::-1]}{letter}" for code, letter in enumerate(SUFFIXES))
"""Each pattern of capitals, the first letter first, and the character that it gives."""
RESHAPING = ("fill_down", "unpivot", "unfold", "split", "lines", "distinct")
"""Options of a mapping that take rows apart or together."""


def needs_numbers(mapping: TableMapping) -> bool:
    """Whether a mapping reshapes the rows, so that their place no longer tells their number."""
    return any(getattr(mapping, option) for option in RESHAPING)


def numbered(rows: ir.Table, first_row: int) -> ir.Table:
    """The rows with their number in the file, as a table of the engine."""
    if SOURCE_ROW in rows.columns:
        return rows
    made = rows.get_backend().create_table(ibis.util.gen_name("numbered"), rows)
    return made.mutate(**{SOURCE_ROW: made.rowid() + first_row})


def count(rows: ir.Table) -> int:
    """How many rows there are."""
    return int(rows.count().to_pyarrow().as_py())


def filled_down(rows: ir.Table, columns: list[str]) -> ir.Table:
    """Empty cells of some columns with what stands above them."""
    so_far = ibis.cumulative_window(order_by=SOURCE_ROW)
    for name in columns:
        text = blank_to_null(rows[name])
        rows = rows.mutate(**{name: text, "_block": text.count().over(so_far)})
        rows = rows.mutate(**{name: rows[name].max().over(group_by="_block")}).drop("_block")
    return rows


def unpivoted(rows: ir.Table, spec: Unpivot, steps: list[Step]) -> ir.Table:
    """Some columns as rows: a name and a value; empty cells are no rows."""
    parts = []
    for column, name in spec.columns.items():
        value = blank_to_null(rows[column])
        others = [other for other in rows.columns if other not in spec.columns]
        parts.append(rows.select(*others, **{spec.name: ibis.literal(name), spec.value: value}))
    long = ibis.union(*parts) if len(parts) > 1 else parts[0]
    long = long.filter(long[spec.value].notnull())
    steps.append(Step("unpivot", count(rows), count(long), ", ".join(spec.columns)))
    return long


def unfolded(rows: ir.Table, spec: Unfold, steps: list[Step]) -> ir.Table:
    """A row for every match of a pattern in a text; its named groups are columns, and `match` is its number."""
    groups = re.compile(spec.pattern).groupindex
    found = {name: extract_all(rows[spec.column], spec.pattern, number) for name, number in groups.items()}
    wide = rows.mutate(**found)
    first = next(iter(groups))
    long = wide.mutate(match=ibis.range(0, wide[first].length()).unnest())
    texts = {name: long[name][long.match].strip() for name in groups}
    long = long.mutate(**texts, match=(long.match + 1).cast("string"))
    steps.append(Step("unfold", count(rows), count(long), spec.column))
    return long


def split(rows: ir.Table, separators: dict[str, str], *, key: str, steps: list[Step]) -> ir.Table:
    """A row for each of the values in a cell; the second and later ones get a key of their own: `A1#2`."""
    before = count(rows)
    for name, separator in separators.items():
        text = blank_to_null(rows[name])
        values = text.fill_null("").split(separator)
        rows = rows.mutate(_values=values, _at=ibis.range(0, values.length()).unnest())
        one = blank_to_null(rows["_values"][rows["_at"]])
        suffix = (rows["_at"] > 0).ifelse(ibis.literal("#") + (rows["_at"] + 1).cast("string"), "")
        rows = rows.mutate(**{name: one, key: blank_to_null(rows[key]) + suffix} if key != name else {name: one})
        rows = rows.filter((rows["_at"] == 0) | rows[name].notnull()).drop("_values", "_at")
    steps.append(Step("split", before, count(rows), ", ".join(separators)))
    return rows


def merged(rows: ir.Table, steps: list[Step]) -> ir.Table:
    """Equal rows as one, with the number of the first."""
    columns = [name for name in rows.columns if name != SOURCE_ROW]
    texts = rows.mutate(**{name: blank_to_null(rows[name]) for name in columns if rows[name].type().is_string()})
    one = texts.group_by(columns).aggregate(**{SOURCE_ROW: texts[SOURCE_ROW].min()})
    before, after = count(rows), count(one)
    if before != after:
        steps.append(Step("merged", before, after))
    return one


def salesforce_18(text: ir.StringValue) -> ir.StringValue:
    """A Salesforce id of 15 characters, in which capitals matter, as the one of 18 in which they do not.

    Each five characters give one more: bit k says whether the k-th of them is a capital letter. Other texts stay.
    """
    capitals = text.re_replace("[^A-Z]", "0").re_replace("[A-Z]", "1")
    table = ibis.literal(COMPLETING)
    suffix: ir.StringValue = ibis.literal("")
    for block in range(0, 15, 5):
        place = table.find(ibis.literal("|") + capitals.substr(block, 5))
        suffix = suffix + table.substr(place + 6, 1)
    return text.re_search("^[A-Za-z0-9]{15}$").ifelse(text + suffix, text)
