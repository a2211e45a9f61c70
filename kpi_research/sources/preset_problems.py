"""Everything in a preset's object that its own fields or its canonical table do not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from kpi_research.crm.tables import TABLES
from kpi_research.errors import Problem
from kpi_research.sources.fitting import as_list, columns_made
from kpi_research.sources.mapping import TableMapping

if TYPE_CHECKING:
    from kpi_research.sources.preset import PresetTable


def preset_problems(file: str, part: PresetTable, normalise: Callable[[str], str]) -> Iterator[Problem]:
    """What is wrong with one object of a preset file.

    Parameters
    ----------
    normalise
        How spellings are compared.
    """
    where = f"{file}[{part.names[0]}]"
    if part.table not in TABLES:
        yield Problem("contract.unknown_table", where, {"table": part.table}, part.table, tuple(TABLES))
        return
    fields = tuple(part.fields)
    for name in dict.fromkeys([*part.needs, *_fields(part.map)]):
        if name not in {*fields, *columns_made(part.map)}:
            yield Problem("preset.no_such_field", where, {"field": name}, name, fields)
    owners: dict[str, str] = {}
    for name, others in part.fields.items():
        for spelling in (name, *others):
            if owners.setdefault(normalise(spelling), name) != name:
                values = {"spelling": spelling, "one": owners[normalise(spelling)], "other": name}
                yield Problem("preset.spelling_twice", where, values)
    yield from _columns(where, part)


def _fields(given: TableMapping) -> Iterator[str]:
    """The fields that a map names."""
    yield from given.columns
    yield from (name for names in given.join.values() for name in names)
    yield from (name for cases in given.cases.values() for case in cases for name in case.where)
    yield from (*given.where, *given.unless, *given.fill_down)
    yield from given.unpivot.columns if given.unpivot else ()
    yield from [given.unfold.column] if given.unfold else ()


def _columns(where: str, part: PresetTable) -> Iterator[Problem]:
    given, canonical = part.map, TABLES[part.table].columns
    filled = {column for targets in given.columns.values() for column in as_list(targets)}
    filled |= {*given.join, *given.cases, *given.constants}
    dates = given.dates if isinstance(given.dates, dict) else ()
    lines = (given.lines.per, *given.lines.sum) if given.lines else ()
    changed = {*given.values, *given.pick, *given.prefix, *given.split, *given.units, *dates, *lines}
    for column in sorted(filled | changed):
        if column not in canonical:
            values = {"table": part.table, "column": column}
            yield Problem("contract.unknown_column", where, values, column, tuple(canonical))
    for column, spec in canonical.items():
        if not spec.nullable and column not in filled:
            yield Problem("contract.missing_column", where, {"table": part.table, "column": column})
        if spec.choices:
            for value in sorted(_said(given, column) - set(spec.choices)):
                yield Problem("preset.no_choice", where, {"column": column, "value": value}, value, spec.choices)


def _said(given: TableMapping, column: str) -> set[str]:
    """The canonical values that a map writes into a column itself."""
    said = {case.value for case in given.cases.get(column, [])} | set(given.values.get(column, {}).values())
    return said | ({given.constants[column]} if column in given.constants else set())
