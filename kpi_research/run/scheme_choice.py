"""Which of a client's schemes holds for whom in a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.versions import SchemeVersion, changes, in_force
from kpi_research.errors import InputError
from kpi_research.periods import Period
from kpi_research.run.on_file import latest_teams
from kpi_research.run.settings import ClientFile, read_scheme

if TYPE_CHECKING:
    from kpi_research.run.client import Client


def read_versions(settings: ClientFile, path: Path | None = None) -> tuple[SchemeVersion, ...]:
    """The versions of a client's schemes, held to its own rules for changes.

    Raises
    ------
    InputError
        For every name that is no template; for every change that breaks the rules.
    """
    found = resolved(settings.schemes, path)
    cycles = [version.scheme.cycle for version in found if isinstance(version.scheme, Scheme)]
    if cycles:
        changes(found, settings.window, cycles[0], fiscal_year_starts=settings.fiscal_year_starts)
    return found


def resolved(versions: Sequence[SchemeVersion], path: Path | None = None) -> tuple[SchemeVersion, ...]:
    """The versions with templates read in place of their names.

    Raises
    ------
    InputError
        For every name that is no template.
    """
    found, problems = [], []
    for version in versions:
        try:
            found.append(version.model_copy(update={"scheme": read_scheme(version.scheme, path)}))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return tuple(found)


def scheme_of(client: Client, period: Period, team: str | None = None, person: str | None = None) -> Scheme | None:
    """The scheme by which a person, a team or the company is appraised in a period; None where nothing is scored.

    Raises
    ------
    InputError
        If two versions ask for equally much.
    """
    if client.scheme is not None or not client.versions:
        return client.scheme
    return schemes_of(client, period, [(team, person)])[0]


def schemes_of(
    client: Client, period: Period, whom: Sequence[tuple[str | None, str | None]]
) -> tuple[Scheme | None, ...]:
    """The same for several (team, person).

    A person without a team is looked up in that of their last day in the period.
    """
    if client.scheme is not None or not client.versions:
        return tuple(client.scheme for _ in whom)
    teams = latest_teams(client.data.parts, period)
    people, rooms = (
        _by_id(frame, key) for frame, key in ((client.data.people, "person_id"), (client.data.teams, "team_id"))
    )
    found = []
    for team, person in whom:
        own = team or (teams.get(person) if person else None)
        known = {
            "role": _text(people.get(person or "", {}).get("role")),
            "region": _text(rooms.get(own or "", {}).get("region")),
            "team_id": own or "",
        }
        found.append(_held(client, period, {name: value for name, value in known.items() if value}))
    return tuple(found)


def _held(client: Client, period: Period, known: Mapping[str, str]) -> Scheme | None:
    """The version in force; None where none was yet."""
    try:
        scheme = in_force(client.versions, period, known, window=client.settings.window).scheme
    except InputError as error:
        if all(problem.key == "scheme_version.none" for problem in error.problems):
            return None
        raise
    return scheme if isinstance(scheme, Scheme) else None


def _by_id(frame: pd.DataFrame, key: str) -> dict[str, dict[str, object]]:
    return {} if frame.empty else {str(row[key]): row for row in frame.to_dict("records")}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
