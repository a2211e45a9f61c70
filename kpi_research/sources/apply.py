"""Carrying out a mapping: an export's rows with canonical column names.

The order is that of `apply_mapping`: shape of the export first, then which rows, then columns and values, then records.
Nothing is typed here; that is the contract's work.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from kpi_research.crm.engine import one_of
from kpi_research.crm.raw import LEFT_OUT, SOURCE_ROW, Forms, RawTable, Step
from kpi_research.crm.tables import TABLES
from kpi_research.crm.typing import blank_to_null, number_of
from kpi_research.errors import InputError
from kpi_research.sources import reshape
from kpi_research.sources.export import Export
from kpi_research.sources.mapping import OTHERS, Case, OneOrMore, TableMapping
from kpi_research.sources.mapping_problems import mapping_problems

BETWEEN = {"id": "/", "period": "-"}
"""What stands between joined texts, by kind or name of the column; otherwise a space, as between a date and a time."""
ALL = ""
"""In `Forms.dates`: the form of all columns that are not named."""


def apply_mapping(name: str, export: Export, mapping: TableMapping, *, in_place: bool = False) -> RawTable:
    """A canonical table, or a part of one, out of an export's rows.

    Parameters
    ----------
    name
        Canonical table.
    in_place
        Whether the rows stay on the engine that they are on, to which nothing may be written.

    Raises
    ------
    InputError
        For everything that the export or the canonical table does not have.
    """
    if problems := list(mapping_problems(name, export, mapping)):
        raise InputError(problems)
    steps = list(export.steps)
    rows = export.rows
    if reshape.needs_numbers(mapping):
        rows = reshape.numbered(rows, export.first_row)
    if mapping.fill_down:
        rows = reshape.filled_down(rows, mapping.fill_down)
    if mapping.unpivot:
        rows = reshape.unpivoted(rows, mapping.unpivot, steps)
    if mapping.unfold:
        rows = reshape.unfolded(rows, mapping.unfold, steps)
    rows = _canonical(name, rows, mapping)
    if mapping.split:
        rows = reshape.split(rows, mapping.split, key=TABLES[name].key[0], steps=steps)
    if mapping.lines:
        rows = _one_row_a_record(rows, mapping, steps)
    if mapping.distinct:
        rows = reshape.merged(rows, steps)
    return RawTable(rows, export.name, export.first_row, _forms(mapping), tuple(steps), in_place)


def _canonical(name: str, rows: ir.Table, mapping: TableMapping) -> ir.Table:
    """Canonical columns, with the rows that a condition leaves out marked."""
    columns: dict[str, ir.Value] = {}
    for source, targets in mapping.columns.items():
        for target in [targets] if isinstance(targets, str) else targets:
            columns[target] = rows[source]
    for target, sources in mapping.join.items():
        between = BETWEEN.get(target) or BETWEEN.get(TABLES[name].columns[target].kind, " ")
        columns[target] = _joined([blank_to_null(rows[source]) for source in sources], between)
    for target, cases in mapping.cases.items():
        columns[target] = _first_case(rows, cases)
    for target, value in mapping.constants.items():
        columns[target] = ibis.literal(value)
    for target, pattern in mapping.pick.items():
        columns[target] = _picked(blank_to_null(columns[target]), pattern)
    for target, renamed in mapping.values.items():
        columns[target] = _renamed(blank_to_null(columns[target]), renamed)
    for target, before in mapping.prefix.items():
        columns[target] = ibis.literal(before) + blank_to_null(columns[target])
    ids = [target for target in columns if mapping.ids and TABLES[name].columns[target].kind == "id"]
    columns |= {target: blank_to_null(columns[target]) for target in ids}
    if SOURCE_ROW in rows.columns:
        columns[SOURCE_ROW] = rows[SOURCE_ROW]
    if mapping.where or mapping.unless:
        columns[LEFT_OUT] = _left_out(rows, mapping)
    named = rows.select(**columns)
    return named.mutate(**{target: reshape.salesforce_18(named[target]) for target in ids}) if ids else named


def _left_out(rows: ir.Table, mapping: TableMapping) -> ir.StringValue:
    """The first condition that a row does not meet."""
    failed = [(~_is_one_of(rows[name], wanted), f"where {name}") for name, wanted in mapping.where.items()]
    failed += [(_is_one_of(rows[name], barred), f"unless {name}") for name, barred in mapping.unless.items()]
    return ibis.cases(*failed, else_=ibis.null("string"))


def _is_one_of(value: ir.Value, wanted: OneOrMore) -> ir.BooleanValue:
    """Whether a cell says one of some words, in capitals or not; an empty cell says the empty word."""
    words = [word.strip().lower() for word in ([wanted] if isinstance(wanted, str) else wanted)]
    return one_of(blank_to_null(value).lower().fill_null(""), words)


def _joined(texts: list[ir.StringValue], between: str) -> ir.StringValue:
    """Texts with something between them; empty ones are passed over."""
    result = texts[0]
    for text in texts[1:]:
        result = ibis.coalesce(result + between + text, result, text)
    return result


def _first_case(rows: ir.Table, cases: list[Case]) -> ir.StringValue:
    found = []
    for case in cases:
        met = [_is_one_of(rows[name], wanted) for name, wanted in case.where.items()]
        found.append((ibis.and_(*met) if met else ibis.literal(True), ibis.literal(case.value)))
    return ibis.cases(*found, else_=ibis.null("string"))


def _picked(text: ir.StringValue, pattern: str) -> ir.StringValue:
    """The first group of a pattern; the whole text where it is not met."""
    return ibis.coalesce(text.re_extract(pattern, 1).nullif(""), text)


def _renamed(text: ir.StringValue, renamed: Mapping[str, str]) -> ir.StringValue:
    """Values by their names, in capitals or not, empty cells by the empty name; others as they are or `OTHERS` says."""
    folded: dict[str, str] = {}
    for given, value in renamed.items():
        folded.setdefault(given.strip().lower(), value)
    otherwise, empty = folded.pop(OTHERS, None), folded.pop("", None)
    pairs = [(word, ibis.literal(value)) for word, value in folded.items()]
    rest = text if otherwise is None else text.isnull().ifelse(ibis.null("string"), ibis.literal(otherwise))
    found = text.lower().cases(*pairs, else_=rest) if pairs else rest
    return found if empty is None else ibis.coalesce(found, ibis.literal(empty))


def _one_row_a_record(rows: ir.Table, mapping: TableMapping, steps: list[Step]) -> ir.Table:
    """Lines of one record as one row: some columns added up, the others as they stand on the first line.

    A line whose figure cannot be read hands its text on, so that the contract rejects the record instead of a sum that
    lacks a line.
    """
    lines = mapping.lines
    assert lines is not None  # noqa: S101 - asked by the caller
    taken = rows.filter(rows[LEFT_OUT].isnull()) if LEFT_OUT in rows.columns else rows
    group = blank_to_null(taken[lines.per])
    totals: dict[str, ir.Value] = {}
    for name in [name for name in taken.columns if name not in (lines.per, SOURCE_ROW)]:
        first = taken[name].argmin(taken[SOURCE_ROW])
        if name in lines.sum:
            text = blank_to_null(taken[name], tuple(mapping.nulls))
            figure = number_of(taken[name], text)
            unreadable = (text.notnull() & figure.isnull()).ifelse(text, ibis.null("string")).max()
            total = figure.cast("decimal(38, 6)").sum().cast("float64").cast("string")
            totals[name] = ibis.coalesce(unreadable, total)
        else:
            totals[name] = first
    merged = taken.group_by(**{lines.per: group}).aggregate(**{SOURCE_ROW: taken[SOURCE_ROW].min()}, **totals)
    left_out = rows.filter(rows[LEFT_OUT].notnull()).select(merged.columns) if LEFT_OUT in rows.columns else None
    before, after = reshape.count(taken), reshape.count(merged)
    steps.append(Step("lines", before, after, lines.per))
    if left_out is None:
        return merged
    return merged.union(left_out.cast(dict(merged.schema())))


def _forms(mapping: TableMapping) -> Forms:
    dates = {ALL: mapping.dates} if isinstance(mapping.dates, str) else dict(mapping.dates or {})
    return Forms(dates, mapping.zone, dict(mapping.units), tuple(mapping.nulls))
