"""A map in the words of a system, put into the headers that an export really has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kpi_research.sources.mapping import OneOrMore, TableMapping

OF_COLUMNS = ("values", "pick", "prefix", "split", "units")
"""Options that change what a canonical column was filled with."""


class Fitting:
    """A map being fitted to an export.

    Parameters
    ----------
    given
        In field names.
    headers
        Field -> the export's header for it, without those that it lacks.

    Attributes
    ----------
    filled
        Canonical columns that something fills.
    dropped
        Parts of the map that the export lacks a field for.
    """

    def __init__(self, given: TableMapping, headers: Mapping[str, str]) -> None:
        self.given = given
        self.headers = dict(headers)
        self.filled: set[str] = set()
        self.dropped: list[str] = []
        self._parts: dict[str, Any] = {}

    def mapping(self) -> TableMapping:
        """What is left of the map, in the export's headers."""
        self._shape()
        for option in ("where", "unless"):
            said = getattr(self.given, option).items()
            self._parts[option] = {self.headers[name]: words for name, words in said if self._has(option, "", [name])}
        self._columns()
        self._changes()
        return self.given.model_copy(update=self._parts)

    def _shape(self) -> None:
        """Rows first: they make columns that the rest of the map may name."""
        given, headers = self.given, self.headers
        self._parts["fill_down"] = [headers[name] for name in given.fill_down if self._has("fill_down", "", [name])]
        made = False
        if given.unfold:
            made = self._has("unfold", "", [given.unfold.column])
            column = headers.get(given.unfold.column)
            self._parts["unfold"] = given.unfold.model_copy(update={"column": column}) if made else None
        if given.unpivot:
            columns = {headers[name]: text for name, text in given.unpivot.columns.items() if name in headers}
            made = bool(columns)
            self._parts["unpivot"] = given.unpivot.model_copy(update={"columns": columns}) if made else None
        if made:
            self.headers |= {name: name for name in columns_made(given)}

    def _columns(self) -> None:
        """Every canonical column from the first part that the export has the fields for."""
        given, headers = self.given, self.headers
        cases = {}
        for column, those in given.cases.items():
            if self._has("cases", column, [name for case in those for name in case.where]):
                renamed = [{headers[name]: words for name, words in case.where.items()} for case in those]
                cases[column] = [case.model_copy(update={"where": w}) for case, w in zip(those, renamed, strict=True)]
        self.filled |= set(cases)
        join = {}
        for column, names in given.join.items():
            if column not in self.filled and self._has("join", column, names):
                join[column] = [headers[name] for name in names]
        self.filled |= set(join)
        columns: dict[str, OneOrMore] = {}
        for name, targets in given.columns.items():
            left = [column for column in as_list(targets) if column not in self.filled]
            if name in headers and left:
                columns[headers[name]] = left[0] if len(left) == 1 else left
                self.filled |= set(left)
        constants = {column: said for column, said in given.constants.items() if column not in self.filled}
        self.filled |= set(constants)
        self._parts |= {"cases": cases, "join": join, "columns": columns, "constants": constants}

    def _changes(self) -> None:
        """What is said of canonical columns, for those that are filled."""
        given = self.given
        for option in OF_COLUMNS:
            said = getattr(given, option).items()
            self._parts[option] = {column: how for column, how in said if column in self.filled}
        for column in (*self._parts["cases"], *self._parts["constants"]):
            # their values are canonical already
            self._parts["values"].pop(column, None)
        if isinstance(given.dates, dict):
            self._parts["dates"] = {column: form for column, form in given.dates.items() if column in self.filled}
        if given.lines:
            sums = [column for column in given.lines.sum if column in self.filled]
            kept = given.lines.per in self.filled
            self._parts["lines"] = given.lines.model_copy(update={"sum": sums}) if kept else None

    def _has(self, option: str, column: str, names: Sequence[str]) -> bool:
        absent = [name for name in dict.fromkeys(names) if name not in self.headers]
        if absent:
            self.dropped.append(f"{option} {column}".strip() + ": " + ", ".join(absent))
        return not absent


def as_list(given: OneOrMore) -> list[str]:
    """One or several, as a list."""
    return [given] if isinstance(given, str) else list(given)


def columns_made(mapping: TableMapping) -> set[str]:
    """The columns that reshaping an export adds to it."""
    made = {mapping.unpivot.name, mapping.unpivot.value} if mapping.unpivot else set()
    return made | {*re.compile(mapping.unfold.pattern).groupindex, "match"} if mapping.unfold else made
