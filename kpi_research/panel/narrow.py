"""Rows that cannot count from a day on are left out before they are joined, numbered or summed up.

What a later month adds is asked for by the time that places a row in a period. An engine takes that condition no
deeper than a join, a window or a sum over groups, and so computes all years again. Here it is taken down to the tables:
as the time itself where only projections, filters and groups by it lie between; where rows are compared with others of
the same opportunity or customer, as the keys of those that have any of the times in question.

Every step keeps all the rows that are asked for, whatever the data are: a row's neighbours in its window, group or join
are those with its key, and with a key all its rows stay. Where a step is not known to do so, it is not taken.

Source: semi-join reduction, P. A. Bernstein and D. W. Chiu (1981), Using semi-joins to solve relational queries,
Journal of the ACM 28 (1).
"""

from __future__ import annotations

import datetime
import functools
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandas as pd

KEY = "key"
PASSED_ON = (ops.Cast, ops.TimestampTruncate, ops.DateTruncate, ops.Min, ops.Max)
"""Never later than what they are made of, or one of it."""
HOURS = {"h": 1, "D": 24, "W": 7 * 24, "M": 31 * 24, "Y": 366 * 24}
"""The most hours in a unit."""
Times = dict[ops.Field, pd.Timestamp]


@dataclass(frozen=True)
class _Since:
    """Rows with any of some times at or after a moment of its own."""

    moments: Mapping[str, pd.Timestamp]

    def of(self, rows: ir.Table) -> ir.Table:
        """Those of a table's rows."""
        return rows.filter(functools.reduce(operator.or_, (rows[name] >= time for name, time in self.moments.items())))

    def below(self, values: Mapping[str, ops.Value]) -> Times | None:
        """The fields of which one must be late for a row to be wanted, by a selection's columns; None if not known."""
        found = [_times(values[name], time) for name, time in self.moments.items()]
        return None if None in found else _earliest(each for each in found if each is not None)


@dataclass(frozen=True)
class _Among:
    """Rows whose key is one of some; no key counts as one."""

    column: str
    keys: ir.Table

    def of(self, rows: ir.Table) -> ir.Table:
        """Those of a table's rows."""
        return rows.semi_join(self.keys, rows[self.column].fill_null("") == self.keys[KEY])


_Wanted = _Since | _Among


def narrowed(rows: ir.Table, columns: Sequence[str], first: datetime.date) -> ir.Table:
    """An expression that has the same rows with any of the times on or after a day, and as few others as may be.

    Parameters
    ----------
    columns
        Times of the rows.
    """
    return _narrow(rows.op(), _Since(dict.fromkeys(columns, pd.Timestamp(first)))).to_expr()


def _narrow(node: ops.Relation, wanted: _Wanted) -> ops.Relation:
    """A relation with the same wanted rows."""
    match node:
        case ops.PhysicalTable():
            return wanted.of(node.to_expr()).op()
        case ops.Distinct():
            return node.copy(parent=_narrow(node.parent, wanted))
        case ops.Union():
            return node.copy(left=_narrow(node.left, wanted), right=_narrow(node.right, wanted))
        case ops.Filter() if not _has(node.predicates, ops.WindowFunction, ops.Subquery):
            parent = _narrow(node.parent, wanted)
            return node.copy(parent=parent, predicates=over(node.predicates, {node.parent: parent}))
        case ops.Project() if not _has(node.values.values(), ops.Subquery):
            return _selection(node, wanted)
        case ops.Aggregate() if node.groups and not _has(node.metrics.values(), ops.Subquery):
            return _groups(node, wanted)
        case ops.JoinChain() if _is_plain(node):
            return _join(node, wanted)
    return node


def _selection(node: ops.Project, wanted: _Wanted) -> ops.Relation:
    below = _below(wanted, node.values)
    windows = [each for value in node.values.values() for each in value.find(ops.WindowFunction, filter=ops.Value)]
    if below and windows:
        shared = set.intersection(*({each.name for each in _fields(window.group_by)} for window in windows))
        is_kept = isinstance(below, _Among) and below.column in shared
        below = below if is_kept else _keys(node.parent, below, shared)
    if not below:
        return node
    parent = _narrow(node.parent, below)
    return node.copy(parent=parent, values=_moved(node.values, {node.parent: parent}))


def _groups(node: ops.Aggregate, wanted: _Wanted) -> ops.Relation:
    below = _below(wanted, {**node.groups, **node.metrics})
    named = wanted.moments if isinstance(wanted, _Since) else (wanted.column,)
    if below and not node.groups.keys() >= set(named):
        below = _keys(node.parent, below, {each.name for each in _fields(node.groups.values())})
    if not below:
        return node
    parent = _narrow(node.parent, below)
    groups, metrics = (
        dict(zip(each, over(each.values(), {node.parent: parent}), strict=True)) for each in (node.groups, node.metrics)
    )
    return node.copy(parent=parent, groups=groups, metrics=metrics)


def _below(wanted: _Wanted, values: Mapping[str, ops.Value]) -> _Wanted | None:
    """What is wanted of the relation that a selection is made from; None where that is not known."""
    if isinstance(wanted, _Among):
        value = values[wanted.column]
        return _Among(value.name, wanted.keys) if isinstance(value, ops.Field) else None
    times = wanted.below(values)
    return _Since({field.name: time for field, time in times.items()}) if times else None


def _keys(node: ops.Relation, wanted: _Wanted, names: Iterable[str]) -> _Among | None:
    """The wanted rows' keys, and maybe more of them, by the first column of these that can be one."""
    name = next((each for each in sorted(names) if node.schema[each].is_string()), None)
    if name is None:
        return None
    # to join only to learn the keys would be work done twice
    if isinstance(node, ops.JoinChain) and isinstance(wanted, _Since) and (known := _unjoined(node, wanted, name)):
        return known
    rows = wanted.of(_narrow(node, wanted).to_expr())
    return _Among(name, rows.select(**{KEY: rows[name].fill_null("")}).distinct())


def _times(value: ops.Value, moment: pd.Timestamp) -> Times | None:
    """The fields of which one is at or after its moment wherever a time is at or after a moment; None if not known."""
    match value:
        case ops.Field():
            return {value: moment}
        case ops.Literal(value=None):
            return {}
        case ops.WindowFunction():
            is_other_row = isinstance(value.func, ops.Lead | ops.Lag) and value.func.default is None
            is_one_of = is_other_row or isinstance(value.func, ops.Min | ops.Max)
            return _times(value.func.arg, moment) if is_one_of else None
        case ops.TimestampAdd(right=ops.Literal() as span) if span.dtype.unit.short in HOURS and span.value >= 0:
            return _times(value.left, moment - pd.Timedelta(hours=HOURS[span.dtype.unit.short] * span.value))
        case ops.Least() | ops.Greatest() | ops.Coalesce():
            return _any_of(value.arg, moment)
        case ops.IfElse():
            return _any_of((value.true_expr, value.false_null_expr), moment)
        case ops.SearchedCase():
            return _any_of((*value.results, value.default), moment)
        case _ if isinstance(value, PASSED_ON) and all(_is_plain_time(each) for each in (value.dtype, value.arg.dtype)):
            return _times(value.arg, moment)
    return None


def _is_plain_time(dtype: dt.DataType) -> bool:
    return dtype.is_date() or (dtype.is_timestamp() and dtype.timezone is None)


def _any_of(values: Iterable[ops.Value], moment: pd.Timestamp) -> Times | None:
    found = [_times(each, moment) for each in values]
    return None if None in found else _earliest(each for each in found if each is not None)


def _earliest(found: Iterable[Times]) -> Times:
    earliest: Times = {}
    for field, time in (item for each in found for item in each.items()):
        earliest[field] = min(time, earliest.get(field, time))
    return earliest


def _join(node: ops.JoinChain, wanted: _Wanted) -> ops.Relation:
    """Each table of a join by what is wanted of it, or by the keys of those that it is joined to."""
    hows, below = _hows(node), dict[ops.JoinReference, _Wanted]()
    if isinstance(wanted, _Among):
        field = node.values[wanted.column]
        if isinstance(field, ops.Field) and hows[field.rel] == "inner":
            below = {each.rel: _Among(each.name, wanted.keys) for each in _equals(field, node)}
    elif (times := wanted.below(node.values)) and all(hows[field.rel] == "inner" for field in times):
        below = _since_in_join(node, times)
    if not below:
        return node
    tables = {ref: ref.copy(parent=_narrow(ref.parent, each)) for ref, each in below.items()}
    rest = [
        link.copy(table=tables.get(link.table, link.table), predicates=over(link.predicates, tables))
        for link in node.rest
    ]
    return node.copy(first=tables.get(node.first, node.first), rest=rest, values=_moved(node.values, tables))


def _is_plain(node: ops.JoinChain) -> bool:
    """Whether each row of a join has its values from one row of each table."""
    tests = [each for link in node.rest for each in link.predicates]
    is_alone = not _has([*node.values.values(), *tests], ops.WindowFunction, ops.Subquery)
    return is_alone and set(_hows(node).values()) <= {"inner", "left", "semi", "anti", "cross"}


def _hows(node: ops.JoinChain) -> dict[ops.JoinReference, str]:
    return {node.first: "inner"} | {link.table: link.how for link in node.rest}


def _since_in_join(node: ops.JoinChain, times: Times) -> dict[ops.JoinReference, _Wanted]:
    wanted = _by_table(times)
    if len(wanted) == 1:
        (ref,) = wanted
        return {**_of_partners(node, ref, wanted[ref]), ref: wanted[ref]}
    for one, _ in _pairs(node):
        same = {each.rel: each for each in _equals(one, node)}
        keys = _keys_of_all(wanted, same)
        if keys is not None:
            return {ref: _Among(field.name, keys) for ref, field in same.items()}
    return {}


def _by_table(times: Times) -> dict[ops.JoinReference, _Since]:
    tables = dict.fromkeys(field.rel for field in times)
    return {ref: _Since({field.name: time for field, time in times.items() if field.rel == ref}) for ref in tables}


def _unjoined(node: ops.JoinChain, wanted: _Since, name: str) -> _Among | None:
    """The keys of all rows that may be wanted of a join, by one of its columns; None if the tables do not tell."""
    field, times = node.values[name], wanted.below(node.values) if _is_plain(node) else None
    inner = {table for table, how in _hows(node).items() if how == "inner"}
    if not (times and isinstance(field, ops.Field) and inner >= {each.rel for each in (field, *times)}):
        return None
    keys = _keys_of_all(_by_table(times), {each.rel: each for each in _equals(field, node)})
    return _Among(name, keys) if keys is not None else None


def _keys_of_all(
    wanted: Mapping[ops.JoinReference, _Since], same: Mapping[ops.JoinReference, ops.Field]
) -> ir.Table | None:
    """The keys of what is wanted of several tables, by a column that is the same in all; None if there is none."""
    if not (same.keys() >= wanted.keys() and all(field.dtype.is_string() for field in same.values())):
        return None
    found = [_keys(ref.parent, each, [same[ref].name]) for ref, each in wanted.items()]
    first, *others = (each.keys for each in found if each)
    return first.union(*others).distinct() if others else first


def _of_partners(node: ops.JoinChain, ref: ops.JoinReference, wanted: _Since) -> dict[ops.JoinReference, _Wanted]:
    """What is wanted of the tables that the one with the times is joined to."""
    found: dict[ops.JoinReference, _Wanted] = {}
    for one, other in _pairs(node):
        if one.rel == ref and other.rel != ref and other.dtype.is_string():
            keys = _keys(ref.parent, wanted, [one.name])
            if keys:
                found[other.rel] = _Among(other.name, keys.keys)
    return found


def _equals(field: ops.Field, node: ops.JoinChain) -> list[ops.Field]:
    """A field of a join and those that equal it in every row where they are there; one a table."""
    found = [field]
    for each in found:
        for one, other in _pairs(node):
            if one == each and other.rel not in {known.rel for known in found}:
                found.append(other)
    return found


def _pairs(node: ops.JoinChain) -> Iterator[tuple[ops.Field, ops.Field]]:
    """Fields that a join sets equal: from the first of a pair it follows which rows of the other's table are needed."""
    hows = _hows(node)
    for link in node.rest:
        for test in link.predicates:
            fields = _fields((test.left, test.right)) if isinstance(test, ops.Equals) else []
            if len(fields) == 2 and link.table in {each.rel for each in fields}:
                sides = (test.left, test.right) if test.right.rel == link.table else (test.right, test.left)
                yield sides
                # a table to which none need be found keeps its rows, whatever is found
                if hows[link.table] == "inner" and hows[sides[0].rel] == "inner":
                    yield sides[1], sides[0]


def over(values: Iterable[ops.Value], relations: Mapping[ops.Relation, ops.Relation]) -> tuple[ops.Value, ...]:
    """Values of relations as the same values of others with the same columns."""

    def is_of_value(node: ops.Node) -> bool:
        # relations below stay as they are: what a join holds twice is one and the same node
        return isinstance(node, ops.Value) or node in relations

    return tuple(each.replace(dict(relations), filter=is_of_value) for each in values)


def _moved(values: Mapping[str, ops.Value], relations: Mapping[ops.Relation, ops.Relation]) -> dict[str, ops.Value]:
    return dict(zip(values, over(values.values(), relations), strict=True))


def _fields(values: Iterable[ops.Value]) -> list[ops.Field]:
    return [each for each in values if isinstance(each, ops.Field)]


def _has(values: Iterable[ops.Value], *kinds: type[ops.Value]) -> bool:
    return any(each.find(kinds, filter=ops.Value) for each in values)
