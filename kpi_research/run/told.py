"""What one page tells of events and of its period's closing: cut to its reader before any section sees it."""

from __future__ import annotations

import hashlib

from kpi_research.appraisal.events import Told, seen_by
from kpi_research.kpis.definition import Level
from kpi_research.periods import Period
from kpi_research.run.after_closing import since_closing_of
from kpi_research.run.client import Client
from kpi_research.run.closed import RECORD, closed_folder
from kpi_research.run.customers import team_members
from kpi_research.run.event_file import event_path, names_of, read_events
from kpi_research.run.on_file import latest_teams


def told_of(client: Client, period: Period, level: Level, entity: str) -> Told:
    """What the reader of an entity's page may see: of a person's page that person, of a team's page its manager.

    Raises
    ------
    InputError
        If the events file is wrong, or the closed period's files are not as they were left.
    """
    file = read_events(client)
    person = entity if level == "person" else None
    team = entity if level == "team" else latest_teams(client.data.parts, period).get(entity)
    members = team_members(client, period, entity) if level == "team" else ()
    events = seen_by(file.events, period=period.name, person=person, team=team, members=members)
    known = names_of(client, file.outsiders)
    named = {*(event.who for event in events), *(event.entity_id for event in events)}
    names = {each: known[each] for each in sorted(named & set(known))}
    return Told(events, names, since_closing_of(client, period, level, entity))


def told_fingerprint(client: Client, period: Period) -> str:
    """Of what `told_of` rests on beside the client's data: a report is made again when this is another."""
    digest = hashlib.sha256()
    for path in (event_path(client.path), closed_folder(client, period) / RECORD):
        digest.update(path.read_bytes() if path.is_file() else b"")
        digest.update(b"\0")
    return digest.hexdigest()
