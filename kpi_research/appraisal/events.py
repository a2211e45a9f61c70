"""What people say and decide about an appraisal: each is an event with a person and a time, and none is ever edited.

A manager comments, somebody else approves, the person appraised acknowledges or appeals, an appeal is answered, a
scheme is announced. A mistake is put right by a further event.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from kpi_research.errors import Problem
from kpi_research.kpis.definition import Level
from kpi_research.periods import Period

What = Literal["announcement", "comment", "approval", "acknowledgement", "appeal", "answer"]
WHATS: tuple[What, ...] = get_args(What)
NEEDS_TEXT: tuple[What, ...] = ("announcement", "comment", "appeal", "answer")
OF_A_RESULT: tuple[What, ...] = ("approval", "acknowledgement", "appeal", "answer")
"""What can only be said of a result that is there: not before the period is over."""
LONGEST_TEXT = 2000
LAYOUT = "\n\t"
UNSEEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
"""Kinds of characters that a reader does not see, and that can turn the order of what is seen around."""


@dataclass(frozen=True)
class Event:
    """One event.

    Parameters
    ----------
    at
        The tenant's local time, without a zone.
    who
        Id of who said or decided it.
    level, entity_id, period
        Whose appraisal of which period it is about; `entity_id` is empty for the company.
    answers
        Id of the appeal that an answer is to; empty for all others.
    line
        Where it stands in its file.
    """

    id: str
    at: dt.datetime
    who: str
    what: What
    level: Level
    entity_id: str
    period: str
    text: str = ""
    answers: str = ""
    line: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 of all that it says, its place in the file apart."""
        said = {name: str(value) for name, value in asdict(self).items() if name != "line"}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def about(self) -> tuple[str, str, str]:
        """Level, id and period: what two events must share to belong together."""
        return self.level, self.entity_id, self.period


@dataclass(frozen=True)
class Known:
    """What events are held to.

    Parameters
    ----------
    people
        Ids of those who can be appraised.
    writers
        Ids of those who may say something: the people, and those that the events file itself introduces.
    members
        (team, period) -> ids of who was in it then; every known team in every known period.
    periods
        Known periods by name.
    now
        The tenant's local time.
    """

    people: Collection[str]
    writers: Collection[str]
    members: Mapping[tuple[str, str], Collection[str]]
    periods: Mapping[str, Period]
    now: dt.datetime

    def appraised(self, event: Event) -> Collection[str]:
        """Whose result it is: the person, or everybody in the team."""
        if event.level == "team":
            return self.members.get((event.entity_id, event.period), ())
        return (event.entity_id,) if event.level == "person" else ()


@dataclass(frozen=True)
class SinceClosing:
    """A closed period as one page says it.

    Parameters
    ----------
    closed_at, closed_by
        When, and by whom; empty where nobody was named.
    score, score_now
        Of the page's entity as closed, and by today's records; null where there is none.
    changed_records
        How many records changed since.
    """

    closed_at: dt.datetime
    closed_by: str
    score: float
    score_now: float
    changed_records: int


@dataclass(frozen=True)
class Told:
    """What a page shows of events: only what its reader may see.

    Parameters
    ----------
    names
        Id -> name, of those who wrote these events and of those whom they are about.
    since_closing
        None where the period is not closed.
    """

    events: tuple[Event, ...]
    names: Mapping[str, str]
    since_closing: SinceClosing | None = None


def problems_of(events: Sequence[Event], known: Known, file: str) -> list[Problem]:
    """Everything that is wrong with events, each at its line."""
    found: list[Problem] = []
    by_id: dict[str, Event] = {}
    for event in events:
        where = f"{file}:{event.line}"
        if first := by_id.get(event.id):
            found.append(Problem("events.id_twice", where, {"id": event.id, "line": first.line}))
        by_id.setdefault(event.id, event)
        found += _names(event, known, where)
        found += _times(event, known, where)
        found += _text(event, where)
    for event in events:
        found += _roles(event, known, by_id, f"{file}:{event.line}")
    return found


def seen_by(
    events: Sequence[Event],
    *,
    period: str,
    person: str | None = None,
    team: str | None = None,
    members: Collection[str] = (),
) -> tuple[Event, ...]:
    """The events that a page's reader may see, oldest first.

    Parameters
    ----------
    person
        A person's page shows what is about them, and what was announced to all or to their `team`; nothing else.
    team, members
        A team's page shows what is about the team and about each of its `members`. Without person and team it is the
        company's page: what is about the company.
    """

    def shown(event: Event) -> bool:
        if event.level == "company":
            return True
        if event.level == "team":
            return event.entity_id == team and (person is None or event.what == "announcement")
        return event.entity_id == person if person is not None else team is not None and event.entity_id in members

    return tuple(sorted((e for e in events if e.period == period and shown(e)), key=lambda e: (e.at, e.line)))


def unanswered(events: Sequence[Event]) -> tuple[Event, ...]:
    """Appeals without an answer."""
    answered = {event.answers for event in events}
    return tuple(event for event in events if event.what == "appeal" and event.id not in answered)


def edited(before: Mapping[str, str], events: Sequence[Event]) -> tuple[str, ...]:
    """Ids of events that are gone or say something else.

    Parameters
    ----------
    before
        Id -> digest, as they once were.
    """
    now = {event.id: event.digest for event in events}
    return tuple(sorted(name for name, digest in before.items() if now.get(name) != digest))


def flaws_of(text: str, where: str) -> Iterator[Problem]:
    """What no text may have that somebody wrote: endless length, and characters that cannot be seen."""
    if len(text) > LONGEST_TEXT:
        yield Problem("events.long_text", where, {"length": len(text), "most": LONGEST_TEXT})
    unseen = sorted({c for c in text if c not in LAYOUT and unicodedata.category(c) in UNSEEN})
    if unseen:
        yield Problem("events.unseen", where, {"characters": ", ".join(f"U+{ord(c):04X}" for c in unseen)})


def _names(event: Event, known: Known, where: str) -> Iterator[Problem]:
    """Unknown people, teams and periods."""
    if event.who not in known.writers:
        yield Problem("events.who", where, {"who": event.who}, event.who, sorted(known.writers))
    if event.period not in known.periods:
        newest_first = tuple(reversed(list(known.periods)))
        yield Problem("events.period", where, {"period": event.period}, event.period, newest_first)
    among = {"person": sorted(known.people), "team": sorted({team for team, _ in known.members}), "company": [""]}
    if event.entity_id not in among[event.level]:
        kind = "of_company" if event.level == "company" else event.level
        allowed = () if event.level == "company" else among[event.level]
        yield Problem(f"events.about_{kind}", where, {"id": event.entity_id}, event.entity_id, allowed)


def _times(event: Event, known: Known, where: str) -> Iterator[Problem]:
    """What has not happened yet, and what was said before there was anything to say it of."""
    at = event.at.isoformat(timespec="minutes")
    if event.at > known.now:
        yield Problem("events.future", where, {"at": at, "now": known.now.isoformat(timespec="minutes")})
    period = known.periods.get(event.period)
    if period is None or event.what == "announcement":
        return
    over = event.what in OF_A_RESULT
    earliest = period.end if over else period.start
    if event.at.date() < earliest:
        values = {"at": at, "period": event.period, "day": earliest.isoformat(), "what": event.what}
        yield Problem("events.before_result" if over else "events.before_period", where, values)


def _text(event: Event, where: str) -> Iterator[Problem]:
    """Something must be said where saying it is the event."""
    if event.what in NEEDS_TEXT and not event.text.strip():
        yield Problem("events.no_text", where, {"what": event.what})
    yield from flaws_of(event.text, where)


def _roles(event: Event, known: Known, by_id: Mapping[str, Event], where: str) -> Iterator[Problem]:
    """Nobody approves or answers in their own case; only those appraised acknowledge and appeal."""
    values = {"who": event.who, "what": event.what, "id": event.entity_id}
    appraised = known.appraised(event)
    if event.what != "announcement" and event.level == "company":
        yield Problem("events.only_announced", where, values)
    elif event.what == "approval" and event.who in appraised:
        yield Problem("events.own_approval", where, values)
    elif event.what in ("acknowledgement", "appeal") and event.who not in appraised:
        yield Problem("events.not_own", where, values)
    if event.what != "answer":
        if event.answers:
            yield Problem("events.answers_nothing", where, {**values, "answers": event.answers})
        return
    appeals = [other.id for other in by_id.values() if other.what == "appeal" and other.about == event.about]
    if event.answers not in appeals:
        yield Problem("events.no_appeal", where, {"answers": event.answers}, event.answers, appeals)
        return
    appeal = by_id[event.answers]
    if event.who == appeal.who:
        yield Problem("events.own_answer", where, values)
    if event.at < appeal.at:
        yield Problem("events.answer_first", where, {"answers": appeal.id, "line": appeal.line})
