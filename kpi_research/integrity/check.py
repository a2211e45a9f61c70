"""The vocabulary of the checks: what one looks at, and what was measured."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import ibis.expr.types as ir
import pandas as pd

from kpi_research.crm.tables import TABLES

NO_ROWS = "rows"
"""What is missing where the columns are there and no row of theirs can be judged."""


@dataclass(frozen=True)
class Measured:
    """What one check counted.

    Parameters
    ----------
    n, affected
        Rows looked at, and those of them that are not in order.
    example
        The id of one of them.
    value
        A second number that the sentence about it needs.
    detail
        A rule, a currency or an offset that the sentence about it needs.
    missing
        Why nothing could be counted: the table, `table.column` or `NO_ROWS` that is not there; else empty.
    """

    check: str
    table: str
    column: str
    n: int = 0
    affected: int = 0
    example: str = ""
    value: float = math.nan
    detail: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Check:
    """A question that each row of a table answers with yes or no.

    Parameters
    ----------
    table, column
        What is mended where rows are not in order.
    wrong
        True where a row is not in order; an unknown answer counts as no.
    needs
        `table` or `table.column`: without any of them, or where a column is empty throughout, nothing can be said.
        The check's own table is needed anyhow.
    rows
        The rows with what stands about them elsewhere; the bare table by default. Checks with the same function are
        counted in one query.
    among
        The rows looked at; all by default.
    value
        A second number over the rows looked at.
    """

    name: str
    table: str
    column: str
    wrong: Callable[[ir.Table], ir.BooleanValue]
    needs: tuple[str, ...] = ()
    rows: Callable[[Mapping[str, ir.Table]], ir.Table] | None = None
    among: Callable[[ir.Table], ir.BooleanValue] | None = None
    value: Callable[[ir.Table], ir.Scalar] | None = None


@dataclass(frozen=True)
class Given:
    """Everything that checks may look at; see `quality.observe`."""

    tables: Mapping[str, ir.Table]
    row_counts: pd.DataFrame
    rules: pd.DataFrame
    roster: pd.DataFrame
    until: dt.date
    timezone: str

    @cached_property
    def filled(self) -> frozenset[str]:
        """`table` and `table.column` of everything in which at least one cell is filled."""
        found = set(self.tables)
        for name, rows in self.tables.items():
            counts = rows.aggregate(**{column: rows[column].count() for column in rows.columns})
            found |= {f"{name}.{column}" for column, n in only_row(counts).items() if n}
        return frozenset(found)

    def missing(self, needs: Iterable[str]) -> str:
        """The first of the needs that is not there; empty if all are."""
        for need in needs:
            table = need.partition(".")[0]
            if table not in self.filled or need not in self.filled:
                return table if table not in self.filled else need
        return ""


def only_row(rows: ir.Table) -> dict[str, object]:
    """The one row of an aggregation."""
    return dict(rows.to_pyarrow().to_pylist()[0])


def counted(checks: Iterable[Check], given: Given) -> Iterator[Measured]:
    """What the checks count, in one query for all that look at the same rows."""
    together: dict[object, list[Check]] = {}
    for check in checks:
        if missing := given.missing((check.table, *check.needs)):
            yield Measured(check.name, check.table, check.column, missing=missing)
        else:
            together.setdefault(check.rows or check.table, []).append(check)
    for group in together.values():
        yield from _counted_together(group, given.tables)


def _counted_together(checks: list[Check], tables: Mapping[str, ir.Table]) -> Iterator[Measured]:
    first = checks[0]
    rows = first.rows(tables) if first.rows else tables[first.table]
    key = rows[TABLES[first.table].key[0]]
    values: dict[str, ir.Scalar] = {}
    for number, check in enumerate(checks):
        among = check.among(rows).fill_null(False) if check.among else None
        wrong = check.wrong(rows).fill_null(False)
        wrong = wrong if among is None else wrong & among
        values[f"n{number}"] = rows.count(where=among)
        values[f"affected{number}"] = rows.count(where=wrong)
        values[f"example{number}"] = key.min(where=wrong)
        if check.value:
            values[f"value{number}"] = check.value(rows)
    found = only_row(rows.aggregate(**values))
    for number, check in enumerate(checks):
        n, affected, example, value = (found.get(f"{key}{number}") for key in ("n", "affected", "example", "value"))
        yield Measured(
            check.name,
            check.table,
            check.column,
            n=int(str(n)),
            affected=int(str(affected)),
            example="" if example is None else str(example),
            value=math.nan if value is None else float(str(value)),
            missing="" if n else NO_ROWS,
        )
