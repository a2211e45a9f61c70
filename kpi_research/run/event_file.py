"""The events of a client: `<client>.events.yaml` beside its client file, read as text and held to the client.

    people: {HR01: 王芳(人事)}            # who may say something and is not in the CRM
    events:
      - id: c1
        at: 2026-10-09T10:00
        who: M001
        what: comment
        about: {level: person, id: P001, period: 2026Q3}
        text: Reached the target with fewer visits.

YAML, since a comment has lines and a client's other file is YAML; one more event is one more item at the end.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from kpi_research.appraisal.events import WHATS, Event, Known, problems_of
from kpi_research.crm.roster import days_in
from kpi_research.errors import InputError, Problem
from kpi_research.kpis.definition import LEVELS
from kpi_research.run.client import Client

KEYS = ("id", "at", "who", "what", "about", "text", "answers")
NEEDED = KEYS[:5]
ABOUT_KEYS = ("level", "id", "period")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
AT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?")
LARGEST_FILE_BYTES = 5_000_000
"""Years of comments on hundreds of people; what is larger is another file."""


@dataclass(frozen=True)
class EventFile:
    """The events of a client.

    Parameters
    ----------
    outsiders
        Id -> name, of those who say something and are not in the CRM.
    """

    events: tuple[Event, ...]
    outsiders: Mapping[str, str]


def event_path(client_file: Path) -> Path:
    """Where a client's events are kept."""
    return client_file.with_name(f"{client_file.stem}.events.yaml")


def read_events(client: Client, now: dt.datetime | None = None) -> EventFile:
    """A client's events; none where there is no file.

    Parameters
    ----------
    now
        The tenant's local time; by default it is looked up.

    Raises
    ------
    InputError
        Everything that is wrong with the file, each with its line.
    """
    path = event_path(client.path)
    if not path.is_file():
        return EventFile((), {})
    written = _Written(path.name)
    events, outsiders = written.read(path)
    now = now or local_time(client)
    found = written.problems + problems_of(events, _known(client, outsiders, now), path.name)
    if found:
        raise InputError(sorted(found, key=_place))
    return EventFile(events, outsiders)


def local_time(client: Client) -> dt.datetime:
    """What the clock shows where the client is, without a zone."""
    return dt.datetime.now(ZoneInfo(client.settings.timezone)).replace(tzinfo=None, microsecond=0)


def names_of(client: Client, outsiders: Mapping[str, str]) -> dict[str, str]:
    """Id -> name of everybody who can stand in an event; those of the CRM win."""
    people = client.data.people
    return {**outsiders, **({} if people.empty else dict(zip(people["person_id"], people["name"], strict=True)))}


def _known(client: Client, outsiders: Mapping[str, str], now: dt.datetime) -> Known:
    periods = {period.name: period for period in client.reported_quarters()}
    roster, teams = client.data.parts.roster, client.data.teams
    members = {}
    for period in periods.values():
        of_team = days_in(roster, period).groupby("team_id")["person_id"].unique()
        for team in () if teams.empty else teams["team_id"]:
            members[str(team), period.name] = frozenset(of_team.get(team, ()))
    people = [] if client.data.people.empty else list(client.data.people["person_id"])
    return Known(people, [*people, *outsiders], members, periods, now)


def _place(problem: Problem) -> int:
    line = problem.where.rpartition(":")[2]
    return int(line) if line.isdigit() else 0


class _Written:
    """Reads the file's nodes: every scalar stays the text it is, so that an id `007` keeps its zeros."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.problems: list[Problem] = []

    def read(self, path: Path) -> tuple[tuple[Event, ...], dict[str, str]]:
        top = self._fields(self._document(path), ("people", "events"), ())
        people = self._fields(top["people"], None, ()) if "people" in top else {}
        outsiders = {name: self._text(node, name) for name, node in people.items()}
        listed = top.get("events")
        if listed is not None and not isinstance(listed, SequenceNode):
            self._say("events.not_a_list", listed)
            return (), outsiders
        made = [self._event(node) for node in (listed.value if listed is not None else ())]
        return tuple(event for event in made if event is not None), outsiders

    def _document(self, path: Path) -> Node:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise InputError(Problem("events.large_file", path.name, {"most": LARGEST_FILE_BYTES}))
        try:
            node = YAML(typ="rt").compose(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            raise InputError(Problem("source.encoding", path.name, {"tried": "utf-8"})) from None
        except YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{path.name}:{mark.line + 1}" if mark else path.name
            reason = getattr(error, "problem", None) or str(error)
            raise InputError(Problem("settings.not_yaml", where, {"reason": reason})) from None
        if not isinstance(node, MappingNode):
            raise InputError(Problem("settings.not_a_mapping", path.name))
        return node

    def _event(self, node: Node) -> Event | None:
        before = len(self.problems)
        fields = self._fields(node, KEYS, NEEDED)
        about = self._fields(fields["about"], ABOUT_KEYS, ("level", "period")) if "about" in fields else {}
        texts = {key: self._text(each, key) for key, each in {**about, **fields}.items() if key != "about"}
        entity = self._text(about["id"], "id") if "id" in about else ""
        if len(self.problems) > before:
            return None
        if not NAME.fullmatch(texts["id"]):
            self._say("events.bad_id", fields["id"], id=texts["id"])
        for key, among, at in (("what", WHATS, fields["what"]), ("level", LEVELS, about["level"])):
            if texts[key] not in among:
                self._say("events.not_allowed", at, given=texts[key], allowed=among, key=key, value=texts[key])
        time = self._time(texts["at"], fields["at"])
        if len(self.problems) > before or time is None:
            return None
        return Event(
            id=texts["id"], at=time, who=texts["who"], what=texts["what"], level=texts["level"],  # type: ignore[arg-type]
            entity_id=entity, period=texts["period"], text=texts.get("text", ""), answers=texts.get("answers", ""),
            line=node.start_mark.line + 1,
        )  # fmt: skip

    def _time(self, text: str, node: Node) -> dt.datetime | None:
        try:
            if AT.fullmatch(text):
                return dt.datetime.fromisoformat(text)
        except ValueError:
            pass  # the form is right and the day is not of the calendar: the same complaint
        self._say("events.bad_time", node, at=text)
        return None

    def _fields(self, node: Node, allowed: tuple[str, ...] | None, needed: tuple[str, ...]) -> dict[str, Node]:
        """The values of a mapping by key; any key may stand in it where `allowed` is None."""
        if not isinstance(node, MappingNode):
            self._say("events.not_a_mapping", node)
            return {}
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = self._text(key, "key")
            if allowed is not None and name not in allowed:
                self._say("settings.unknown_key", key, given=name, allowed=allowed, key=name)
            elif name in found:
                self._say("settings.key_twice", key, key=name)
            else:
                found[name] = value
        for name in needed:
            if name not in found:
                self._say("settings.missing_key", node, key=name)
        return found

    def _text(self, node: Node, key: str) -> str:
        if isinstance(node, ScalarNode):
            return str(node.value)
        self._say("events.not_text", node, key=key)
        return ""

    def _say(self, sentence: str, node: Node, *, given: str = "", allowed: tuple[str, ...] = (), **values: str) -> None:
        where = f"{self._name}:{node.start_mark.line + 1}"
        self.problems.append(Problem(sentence, where, dict(values), given, allowed))
