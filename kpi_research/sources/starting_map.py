"""A client's mapping completed by its system's preset: what the client file says wins, the preset says the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kpi_research.errors import InputError, Problem
from kpi_research.sources.mapping import TableMapping


def completed(mapping: TableMapping, preset: str | None, table: str, headers: Sequence[str]) -> list[TableMapping]:
    """The mapping with everything that the preset knows of these headers and the mapping does not say itself.

    A mapping that names columns is taken as it stands: it was written out, by hand or by `init`. Otherwise it becomes
    as many as the preset takes this table out of one object by: activities on customers, on deals and on leads.

    Parameters
    ----------
    preset
        Name of the system, or none.
    table
        Canonical table.

    Raises
    ------
    InputError
        If the preset is unknown, or knows no such object with these headers.
    """
    if preset is None or mapping.columns:
        return [mapping]
    from kpi_research.sources.preset import find_preset, goes_with, resolve

    known = [part for part in find_preset(preset).tables if part.table == table]
    found = [(part, resolved) for part in known if not (resolved := resolve(part, headers)).lacks_needs]
    if not found:
        values = {"preset": preset, "table": table}
        raise InputError(Problem("source.preset_does_not_fit", mapping.export, values))
    best, _ = max(found, key=lambda each: len(each[1].mapping.columns))
    return [_completed(mapping, resolved.mapping) for part, resolved in found if goes_with(part, best)]


def _completed(mapping: TableMapping, known: TableMapping) -> TableMapping:
    """What a mapping says, and what a preset's says besides."""
    said: dict[str, Any] = {name: getattr(mapping, name) for name in mapping.model_fields_set}
    given = {*mapping.join, *mapping.cases, *mapping.constants}
    start = known.model_dump()
    start["columns"] = {header: _without(targets, given) for header, targets in known.columns.items()}
    start["columns"] = {header: targets for header, targets in start["columns"].items() if targets}
    for option in ("join", "cases", "constants"):
        start[option] = {target: value for target, value in start[option].items() if target not in given}
    for name, value in said.items():
        start[name] = {**start[name], **value} if isinstance(value, dict) and isinstance(start[name], dict) else value
    return TableMapping.model_validate(start)


def _without(targets: str | list[str], given: set[str]) -> list[str]:
    return [target for target in ([targets] if isinstance(targets, str) else targets) if target not in given]
