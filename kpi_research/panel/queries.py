"""KPIs as queries: those over the same rows share one scan, and what a day of a person adds to each is one table.

A definition's filters are taken off its rows and become conditions of its sums, so that all KPIs that count activities
read the activities once. Rows that a definition joins, windows or aggregates are read by themselves.
"""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandas as pd

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Aggregation, Kpi
from kpi_research.panel.narrow import narrowed, over
from kpi_research.periods import ONE_DAY

SUM_DECIMALS = 6
NUMERATOR, DENOMINATOR, COUNT = "numerator", "denominator", "n"
COUNTS = "counts"
"""Begins the names of columns that say of a row whether it counts."""


@dataclass(frozen=True)
class Query:
    """What some KPIs add up to by person and day.

    Parameters
    ----------
    kpis
        In the order of their columns.
    rows
        `person_id, day`, and for `sum` and `at_end` three columns a KPI, named by `column`: its sums of that day, or by
        how much they change on it. For `median` and `distinct`, which have one KPI, a row for each `value`.
    since
        The first day that it covers; None for all.
    """

    kpis: tuple[Kpi, ...]
    aggregation: Aggregation
    rows: ir.Table
    since: dt.date | None


@dataclass(frozen=True)
class _Source:
    """A definition's rows; the same without its filters, and the filters."""

    kpi: Kpi
    rows: ir.Table
    base: ir.Table
    conditions: tuple[ir.BooleanValue, ...]

    @property
    def key(self) -> tuple[object, ...]:
        """What KPIs have in common that share a query."""
        alone = self.kpi.name if self.kpi.aggregation in ("median", "distinct") else ""
        return (self.base.op(), self.kpi.who, self.kpi.when, self.kpi.until, self.kpi.aggregation, alone)


def column(part: str, number: int) -> str:
    """The name of a part's column of the KPI with this place in a query."""
    return f"{part}_{number}"


def queries(
    crm: Crm,
    kpis: Sequence[Kpi],
    until: dt.date,
    *,
    since: Callable[[Sequence[Kpi]], dt.date | None] = lambda _: None,
    are_few: bool = False,
) -> Iterator[Query]:
    """The queries that give what every day adds to each KPI.

    Parameters
    ----------
    until
        The last day covered.
    since
        From the KPIs of a query to the first day that it covers; None for all.
    are_few
        Whether the rows since that day are so few among all that it pays to look for them before they are joined.
    """
    groups: dict[tuple[object, ...], list[_Source]] = {}
    for kpi in kpis:
        source = _without_filters(kpi, kpi.rows(crm))
        groups.setdefault(source.key, []).append(source)
    for sources in groups.values():
        shared, aggregation = tuple(source.kpi for source in sources), sources[0].kpi.aggregation
        make = {"sum": _sums, "at_end": _changes}.get(aggregation, _values)
        first = since(shared)
        if first and are_few:
            times = [name for name in (sources[0].kpi.when, sources[0].kpi.until) if name]
            sources = _upon(narrowed(sources[0].base, times, first), sources)
        yield Query(shared, aggregation, make(sources, until, first), first)


def _without_filters(kpi: Kpi, rows: ir.Table) -> _Source:
    node, conditions = rows.op(), []
    while isinstance(node, ops.Filter):
        conditions += [predicate.to_expr() for predicate in node.predicates]
        node = node.parent
    if not conditions:
        return _Source(kpi, rows, rows, ())
    base = node.to_expr()
    # filters upon filters name the inner selection's columns
    conditions = [_over(base, condition) for condition in conditions]
    return _Source(kpi, rows, base, tuple(conditions))


def _upon(base: ir.Table, sources: Sequence[_Source]) -> list[_Source]:
    """The same sources with other rows for those that they share without their filters."""
    moved = {sources[0].base.op(): base.op()}
    found = []
    for source in sources:
        conditions = tuple(each.to_expr() for each in over([each.op() for each in source.conditions], moved))
        found.append(_Source(source.kpi, base.filter(*conditions) if conditions else base, base, conditions))
    return found


def _over(base: ir.Table, condition: ir.BooleanValue) -> ir.BooleanValue:
    fields = condition.op().find(ops.Field, filter=ops.Value)
    of_base = {field: base[field.name].op() for field in fields if isinstance(field.rel, ops.Filter)}
    return condition.op().replace(of_base, filter=ops.Value).to_expr()


def _of_day(source: _Source, number: int, base: ir.Table) -> dict[str, ir.Value]:
    """A row's condition, numerator and denominator."""
    kpi = source.kpi
    condition = functools.reduce(operator.and_, source.conditions, ibis.literal(True))
    denominator = kpi.denominator(base) if kpi.denominator else ibis.null("float64")
    return {
        column(COUNTS, number): condition,
        column(NUMERATOR, number): kpi.numerator(base).cast("float64"),
        column(DENOMINATOR, number): denominator.cast("float64"),
    }


def _of_all(sources: Sequence[_Source], base: ir.Table) -> dict[str, ir.Value]:
    return {
        name: value for number, source in enumerate(sources) for name, value in _of_day(source, number, base).items()
    }


def _from(rows: ir.Table, time: str, first: dt.date | None) -> ir.Table:
    """Rows from a day on: asked of the time as it lies, so that an engine may skip what is older."""
    return rows.filter(rows[time] >= pd.Timestamp(first)) if first else rows


def _sums(sources: Sequence[_Source], until: dt.date, since: dt.date | None) -> ir.Table:
    base, first = _from(sources[0].base, sources[0].kpi.when, since), sources[0].kpi
    parts = base.select(person_id=base[first.who], day=base[first.when].truncate("D"), **_of_all(sources, base))
    mature = {
        name: parts[name] & (parts.day <= _last(until, source.kpi.matures_after_days))
        for number, source in enumerate(sources)
        if source.kpi.matures_after_days
        for name in [column(COUNTS, number)]
    }
    return _by_day(parts.mutate(**mature) if mature else parts, _constants(sources, base), len(sources), until)


def _changes(sources: Sequence[_Source], until: dt.date, since: dt.date | None) -> ir.Table:
    """By how much the sums over the rows that hold change from day to day: each row comes, and goes."""
    base, first = sources[0].base, sources[0].kpi
    comes, goes = base[first.when].truncate("D"), base[first.until or ""].truncate("D")
    rows = base.select(person_id=base[first.who], comes=comes, goes=goes, **_of_all(sources, base))
    rows = rows.filter(rows.goes.isnull() | (rows.goes > rows.comes))
    signed = [name for name in rows.columns if name.startswith((NUMERATOR, DENOMINATOR))]
    plain = [name for name in rows.columns if name.startswith(COUNTS)]
    coming, going = (
        rows.select(
            "person_id",
            *plain,
            day=rows[time],
            weight=ibis.literal(sign, "int64"),
            **{n: rows[n] * sign for n in signed},
        )
        for time, sign in (("comes", 1), ("goes", -1))
    )
    changes = _from(coming.union(going), "day", since)
    return _by_day(changes, _constants(sources, base), len(sources), until)


def _constants(sources: Sequence[_Source], base: ir.Table) -> dict[str, float | None]:
    """Columns that are the same in every row, with what they are there: their sums follow from the number of rows."""
    values = {name: value.op() for name, value in _of_all(sources, base).items() if not name.startswith(COUNTS)}
    return {
        name: None if value.value is None else float(value.value)
        for name, value in values.items()
        if isinstance(value, ops.Literal) and value.value != 0
    }


def _by_day(parts: ir.Table, constants: Mapping[str, float | None], kpis: int, until: dt.date) -> ir.Table:
    """Sums of `person_id, day` and each KPI's three columns; its rows count where it says so, and as `weight` says."""
    counts = [parts[column(COUNTS, number)] for number in range(kpis)]
    known = parts.person_id.notnull() & parts.day.notnull() & (parts.day <= _last(until, 0))
    parts = parts.filter(known & functools.reduce(operator.or_, counts))
    sums: dict[str, ir.Value] = {}
    for number in range(kpis):
        sums |= _sums_of(parts, number, constants)
    days = parts.group_by(["person_id", "day"]).aggregate(**sums)
    columns = [column(part, number) for number in range(kpis) for part in (NUMERATOR, DENOMINATOR, COUNT)]
    cases = {name: days[column(COUNT, number)] for number in range(kpis) for name in _names(number)}
    found = {name: days[name] if name in sums else _times(cases[name], constants[name]) for name in columns}
    return days.select("person_id", "day", **found)


def _sums_of(parts: ir.Table, number: int, constants: Mapping[str, float | None]) -> dict[str, ir.Value]:
    """The sums of a KPI that do not follow from its number of cases, and that number."""
    where, (numerator, denominator) = parts[column(COUNTS, number)], _names(number)
    # a ratio's cases are the rows that it is divided by; others may add to the numerator alone
    every_row_is_case = denominator in constants
    is_case = where if every_row_is_case else where & (parts[denominator].isnull() | (parts[denominator] != 0))
    n = parts.weight.sum(where=is_case).fill_null(0) if "weight" in parts.columns else parts.count(where=is_case)
    # rounded, since the engine's threads add in no fixed order: the last bits would differ from run to run
    summed = {
        name: parts[name].sum(where=where).round(SUM_DECIMALS)
        for name in (numerator, denominator)
        if name not in constants or not every_row_is_case
    }
    return {**summed, column(COUNT, number): n.cast("float64")}


def _names(number: int) -> tuple[str, str]:
    return column(NUMERATOR, number), column(DENOMINATOR, number)


def _times(cases: ir.Value, constant: float | None) -> ir.Value:
    """What the same number adds up to over all cases."""
    return ibis.null("float64") if constant is None else cases * constant


def _values(sources: Sequence[_Source], until: dt.date, since: dt.date | None) -> ir.Table:
    (source,) = sources
    kpi, rows = source.kpi, _from(source.rows, source.kpi.when, since)
    value = kpi.numerator(rows)
    value = value.cast("float64").round(SUM_DECIMALS) if kpi.aggregation == "median" else value.cast("string")
    parts = rows.select(person_id=rows[kpi.who], day=rows[kpi.when].truncate("D"), value=value)
    last = _last(until, kpi.matures_after_days)
    return parts.filter(parts.person_id.notnull(), parts.day.notnull(), parts.day <= last, parts.value.notnull())


def _last(until: dt.date, days_before: int) -> pd.Timestamp:
    return pd.Timestamp(until - ONE_DAY * days_before)
