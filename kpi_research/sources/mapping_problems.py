"""Everything in a mapping that its export or its canonical table does not have, each with the nearest name."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable, Iterator

from kpi_research.crm.tables import TABLES
from kpi_research.errors import Problem
from kpi_research.sources.export import Export
from kpi_research.sources.mapping import DATE_FORMS, TableMapping


def mapping_problems(name: str, export: Export, mapping: TableMapping) -> Iterator[Problem]:
    """What is wrong with a mapping of this export to the canonical table `name`."""
    if name not in TABLES:
        yield Problem("contract.unknown_table", values={"table": name}, given=name, allowed=tuple(TABLES))
        return
    patterns = list(_pattern_problems(export, mapping))
    yield from patterns
    if not patterns:
        yield from _unknown_headers(name, export, mapping)
    yield from _unknown_columns(name, export, mapping)
    yield from _unknown_forms(export, mapping)


def _pattern_problems(export: Export, mapping: TableMapping) -> Iterator[Problem]:
    patterns = {**mapping.pick, **({"unfold": mapping.unfold.pattern} if mapping.unfold else {})}
    for where, pattern in patterns.items():
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            yield Problem("source.no_pattern", export.name, {"pattern": pattern, "reason": str(error)})
            continue
        if not (compiled.groupindex if where == "unfold" else compiled.groups):
            yield Problem("source.pattern_without_group", export.name, {"pattern": pattern})


def _unknown_headers(name: str, export: Export, mapping: TableMapping) -> Iterator[Problem]:
    headers = set(export.headers)
    shape: list[str] = list(mapping.fill_down)
    if mapping.unpivot:
        shape += list(mapping.unpivot.columns)
        headers |= {mapping.unpivot.name, mapping.unpivot.value}
    if mapping.unfold:
        shape.append(mapping.unfold.column)
        headers |= {*re.compile(mapping.unfold.pattern).groupindex, "match"}
    named: Iterable[str] = [
        *shape,
        *mapping.columns,
        *(header for parts in mapping.join.values() for header in parts),
        *(header for cases in mapping.cases.values() for case in cases for header in case.where),
        *mapping.where,
        *mapping.unless,
    ]
    for header in dict.fromkeys(named):
        if header not in headers:
            values = {"column": header, "table": name}
            yield Problem("source.no_such_column", export.name, values, header, export.headers)


def _unknown_columns(name: str, export: Export, mapping: TableMapping) -> Iterator[Problem]:
    canonical = tuple(TABLES[name].columns)
    targets = [t for given in mapping.columns.values() for t in ([given] if isinstance(given, str) else given)]
    given = [*targets, *mapping.join, *mapping.cases, *mapping.constants]
    dates = list(mapping.dates) if isinstance(mapping.dates, dict) else []
    lines = [mapping.lines.per, *mapping.lines.sum] if mapping.lines else []
    changed = [*mapping.values, *mapping.pick, *mapping.prefix, *mapping.split, *mapping.units, *dates, *lines]
    for column in dict.fromkeys([*given, *changed]):
        if column not in canonical:
            values = {"table": name, "column": column}
            yield Problem("contract.unknown_column", export.name, values, column, canonical)
        elif given.count(column) > 1:
            yield Problem("source.mapped_twice", export.name, {"column": column, "table": name})
        elif column not in given:
            yield Problem("source.values_without_column", export.name, {"column": column, "table": name})


def _unknown_forms(export: Export, mapping: TableMapping) -> Iterator[Problem]:
    if mapping.zone and mapping.zone not in zoneinfo.available_timezones():
        yield Problem("source.no_zone", export.name, {"zone": mapping.zone}, mapping.zone, COMMON_ZONES)
    dates = mapping.dates if isinstance(mapping.dates, dict) else {"": mapping.dates} if mapping.dates else {}
    for form in dates.values():
        if form not in DATE_FORMS and "%" not in form:
            yield Problem("source.no_date_form", export.name, {"form": form}, form, (*DATE_FORMS, "%d/%m/%Y"))


COMMON_ZONES = ("UTC", "Asia/Shanghai", "Asia/Hong_Kong", "Asia/Tokyo", "Europe/London", "America/New_York")
