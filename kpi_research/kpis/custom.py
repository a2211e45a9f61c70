"""KPIs that a client file defines, from the same parts as the catalogue's: rows, filter, figure, time. No code in it.

key_account_visits:
  label: {zh: 大客户拜访量, en: Key account visits}
  meaning: {zh: 期内时长半小时以上的拜访次数。, en: Visits of half an hour and more in the period.}
  table: activities
  where: {kind: [visit], minutes: {at_least: 30}}
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Mapping

import ibis
import ibis.expr.types as ir
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError, Problem
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Aggregation, Direction, Kind, Kpi, Nature, Unit
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.language import LANGUAGES, Bilingual, say

WHO_WHEN = {
    "activities": ("person_id", "occurred_at"),
    "leads": ("owner_id", "created_at"),
    "accounts": ("owner_id", "created_at"),
    "opportunities": ("owner_id", "closed_at"),
    "contracts": ("owner_id", "signed_at"),
    "surveys": ("subject_id", "answered_at"),
    "learning": ("person_id", "occurred_at"),
    "channels": ("owner_id", "opened_at"),
}
"""Tables that a client's KPI may count: whose a row is, and its time, where the file names no others."""
FIGURES = ("sum", "mean", "share", "median", "distinct")


class Label(BaseModel):
    """A text in both languages, as a client file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Condition(BaseModel):
    """What must be true of a column; of several all.

    Parameters
    ----------
    at_least, at_most
        Limits of a figure, both included.
    filled
        Whether there is anything.
    none_of
        Values that it must not have; an empty cell has none of them.
    within_days, of
        At most so many days after the time in another column.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    at_least: float | None = None
    at_most: float | None = None
    filled: bool | None = None
    none_of: list[str] = []
    within_days: int | None = Field(None, ge=0)
    of: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Condition:
        if (self.within_days is None) != (self.of is None):
            raise ValueError("within_days and of go together")
        if self == Condition.model_construct():
            raise ValueError("a condition needs at_least, at_most, filled, none_of, or within_days with of")
        return self


Conditions = dict[str, list[str] | Condition]


class CustomKpi(BaseModel):
    """A KPI in a client file.

    Parameters
    ----------
    table
        Whose rows are counted.
    where
        Column -> values of which it has one, or a condition.
    sum, mean, median, distinct
        A column: its sum, its mean over the rows that have it, its median, how many different values; without any of
        them and without `share` the rows are counted.
    share
        Of the rows, the share that meets these conditions too.
    who, when, until
        Columns: whose a row is, its time, and for what is counted as it stands at a period's end, until when it holds.
    matures_after_days
        Rows younger than this are left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    label: Label
    meaning: Label
    table: str
    where: Conditions = {}
    sum: str | None = None
    mean: str | None = None
    share: Conditions | None = None
    median: str | None = None
    distinct: str | None = None
    who: str | None = None
    when: str | None = None
    until: str | None = None
    matures_after_days: int = Field(0, ge=0)
    kind: Kind = "process"
    nature: Nature = "quantity"
    unit: Unit = "count"
    direction: Direction = "up"

    @model_validator(mode="after")
    def _one_figure(self) -> CustomKpi:
        given = [name for name in FIGURES if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"only one of {', '.join(FIGURES)} may be given, not {' and '.join(given)}")
        if self.until and given and given[0] in ("median", "distinct"):
            raise ValueError(f"what holds until a time has no {given[0]}")
        return self


def custom_kpis(given: Mapping[str, CustomKpi], where: str = "") -> dict[str, Kpi]:
    """The client's own KPIs by name.

    Raises
    ------
    InputError
        For every table and column that there is not, and every column of a kind that cannot be used so.
    """
    problems = [problem for name, kpi in given.items() for problem in _problems(name, kpi, where)]
    if problems:
        raise InputError(problems)
    return {name: _kpi(name, kpi) for name, kpi in given.items()}


def _problems(name: str, given: CustomKpi, where: str) -> Iterator[Problem]:
    if given.table not in WHO_WHEN:
        values = {"kpi": name, "table": given.table}
        yield Problem("kpi.custom_table", where, values, given.table, tuple(WHO_WHEN))
        return
    columns = TABLES[given.table].columns
    kinds = {column: spec.kind for column, spec in columns.items()}
    who, when = WHO_WHEN[given.table]
    times, figures = ("date", "time"), ("money", "number", "share")
    asked: list[tuple[str | None, tuple[str, ...]]] = [
        (given.who or who, ("id",)), (given.when or when, times), (given.until, times),
        (given.sum, figures), (given.mean, figures), (given.median, figures), (given.distinct, ()),
    ]  # fmt: skip
    for column, condition in [*given.where.items(), *(given.share or {}).items()]:
        is_limit = isinstance(condition, Condition) and (condition.at_least, condition.at_most) != (None, None)
        is_window = isinstance(condition, Condition) and condition.of is not None
        asked.append((column, figures if is_limit else times if is_window else ()))
        if isinstance(condition, Condition) and condition.of:
            asked.append((condition.of, times))
    for named, allowed in asked:
        fitting = tuple(each for each, kind in kinds.items() if not allowed or kind in allowed)
        if named is not None and named not in fitting:
            values = {"kpi": name, "table": given.table, "column": named}
            yield Problem("kpi.custom_kind" if named in kinds else "kpi.custom_column", where, values, named, fitting)


def _kpi(name: str, given: CustomKpi) -> Kpi:
    who, when = WHO_WHEN[given.table]
    numerator, denominator, aggregation = _figure(given)
    # on every page, also where it takes the place of a KPI of the catalogue
    label = Bilingual(*(say("kpi.own", each, label=getattr(given.label, each)) for each in LANGUAGES))
    return Kpi(
        id="",
        name=name,
        label=label,
        meaning=Bilingual(given.meaning.zh, given.meaning.en),
        kind=given.kind,
        nature=given.nature,
        unit=given.unit,
        direction=given.direction,
        needs=(given.table,),
        rows=lambda crm: _rows(crm, given),
        who=given.who or who,
        when=given.when or when,
        until=given.until,
        numerator=numerator,
        denominator=denominator,
        counted_over=label if denominator else None,
        aggregation=aggregation,
        matures_after_days=given.matures_after_days,
        example=None,
        why="Defined in the client file.",
        is_custom=True,
    )


def _rows(crm: Crm, given: CustomKpi) -> ir.Table:
    rows = getattr(crm, given.table)
    column = given.mean or given.median or given.distinct
    conditions = [_holds(rows, given.where)] if given.where else []
    conditions += [rows[column].notnull()] if column else []
    return rows.filter(*conditions) if conditions else rows


def _figure(
    given: CustomKpi,
) -> tuple[Callable[[ir.Table], ir.Value], Callable[[ir.Table], ir.NumericValue] | None, Aggregation]:
    """Numerator, denominator and how they are read."""
    aggregation: Aggregation = "at_end" if given.until else "sum"
    if share := given.share:
        return share_of(lambda rows: _holds(rows, share)), each_row, aggregation
    if mean := given.mean:
        return lambda rows: rows[mean], each_row, aggregation
    if median := given.median:
        return lambda rows: rows[median], None, "median"
    if distinct := given.distinct:
        return lambda rows: rows[distinct], None, "distinct"
    if total := given.sum:
        return lambda rows: rows[total], None, aggregation
    return each_row, None, aggregation


def _holds(rows: ir.Table, conditions: Conditions) -> ir.BooleanValue:
    found = [each for column, condition in conditions.items() for each in _parts(rows, column, condition)]
    return functools.reduce(operator.and_, found)


def _parts(rows: ir.Table, column: str, condition: list[str] | Condition) -> Iterator[ir.BooleanValue]:
    value = rows[column]
    if isinstance(condition, list):
        yield value.cast("string").isin(condition)
        return
    if condition.at_least is not None:
        yield value.cast("float64") >= condition.at_least
    if condition.at_most is not None:
        yield value.cast("float64") <= condition.at_most
    if condition.filled is not None:
        yield value.notnull() if condition.filled else value.isnull()
    if condition.none_of:
        yield ~value.cast("string").isin(condition.none_of).fill_null(False)
    if condition.within_days is not None and condition.of:
        yield value <= rows[condition.of] + ibis.interval(days=condition.within_days)
