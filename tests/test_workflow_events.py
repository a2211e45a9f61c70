"""Events of an appraisal: every wrong one is refused with its line, and a page shows only what its reader may see."""

import dataclasses
import datetime as dt
import json
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import write_client
from hypothesis import given
from hypothesis import strategies as st

from kpi_research.appraisal.events import (
    LONGEST_TEXT,
    Event,
    Known,
    SinceClosing,
    Told,
    edited,
    problems_of,
    seen_by,
    unanswered,
)
from kpi_research.errors import InputError
from kpi_research.language import LANGUAGES
from kpi_research.periods import Period
from kpi_research.report.html import block_bundle, block_html
from kpi_research.report.sections.appraisal_events import shown
from kpi_research.run.client import Client
from kpi_research.run.event_file import event_path, names_of, read_events
from kpi_research.run.settings import read_client_file

NOW = dt.datetime(2026, 5, 1, 12, 0)
KNOWN = Known(
    people=["P1", "P2", "P3"],
    writers=["P1", "P2", "P3", "HR1"],
    members={("T1", "2026Q1"): {"P1", "P2"}, ("T2", "2026Q1"): {"P3"}},
    periods={name: Period.parse(name) for name in ("2025Q4", "2026Q1")},
    now=NOW,
)


def event(**changes) -> Event:
    usual = Event("e1", dt.datetime(2026, 4, 9, 10, 0), "P3", "comment", "person", "P1", "2026Q1", "Well done.", line=7)
    return dataclasses.replace(usual, **changes)


def keys(*events: Event) -> list[str]:
    return [problem.key.removeprefix("events.") for problem in problems_of(events, KNOWN, "small.events.yaml")]


APPEAL = event(id="a1", who="P1", what="appeal", text="Two visits are missing.")
RIGHT = [
    event(),
    event(id="e2", what="approval", text=""),
    event(id="e3", who="P1", what="acknowledgement", text=""),
    APPEAL,
    event(id="e5", who="HR1", what="answer", answers="a1", at=dt.datetime(2026, 4, 10, 9, 0)),
    event(id="e6", what="announcement", level="company", entity_id="", at=dt.datetime(2025, 12, 1, 9, 0)),
    event(id="e7", what="approval", who="P3", level="team", entity_id="T1", text=""),
    event(id="e8", at=dt.datetime(2026, 2, 1, 9, 0)),
]


def test_right_events_are_right():
    assert keys(*RIGHT) == []


@pytest.mark.parametrize(
    "changes, key",
    [
        ({"who": "P9"}, "who"),
        ({"period": "2027Q1"}, "period"),
        ({"entity_id": "P9"}, "about_person"),
        ({"level": "team", "entity_id": "T9"}, "about_team"),
        ({"at": dt.datetime(2026, 5, 1, 12, 1)}, "future"),
        ({"what": "approval", "at": dt.datetime(2026, 3, 31, 23, 59)}, "before_result"),
        ({"at": dt.datetime(2025, 12, 31, 23, 59)}, "before_period"),
        ({"text": " \n"}, "no_text"),
        ({"text": "x" * (LONGEST_TEXT + 1)}, "long_text"),
        ({"text": "a\x00b"}, "unseen"),
        ({"text": "\u202egnp.exe"}, "unseen"),
        ({"text": "a\u200bb"}, "unseen"),
        ({"what": "approval", "who": "P1"}, "own_approval"),
        ({"what": "approval", "who": "P2", "level": "team", "entity_id": "T1"}, "own_approval"),
        ({"what": "appeal", "who": "P2"}, "not_own"),
        ({"what": "acknowledgement", "who": "HR1"}, "not_own"),
        ({"level": "company", "entity_id": ""}, "only_announced"),
        ({"level": "company", "entity_id": "T1", "what": "announcement"}, "about_of_company"),
        ({"answers": "a1"}, "answers_nothing"),
        ({"what": "answer"}, "no_appeal"),
        ({"what": "answer", "answers": "e2"}, "no_appeal"),
    ],
)
def test_each_wrong_event_is_refused_at_its_line(changes, key):
    wrong = event(**changes)
    found = problems_of([wrong], KNOWN, "small.events.yaml")
    assert [problem.key for problem in found] == [f"events.{key}"]
    for language in LANGUAGES:
        assert found[0].text(language).startswith("small.events.yaml:7: ")
    assert keys(*RIGHT, dataclasses.replace(wrong, id="other")) == [key]


def test_the_edges_of_time_are_allowed():
    assert keys(event(at=NOW)) == []
    assert keys(event(what="approval", at=dt.datetime(2026, 4, 1, 0, 0))) == []
    assert keys(event(at=dt.datetime(2026, 1, 1, 0, 0))) == []


def test_answers_go_to_the_appeal_they_name_by_somebody_else_and_later():
    own = event(id="x", who="P1", what="answer", answers="a1", at=dt.datetime(2026, 4, 10))
    early = event(id="x", who="HR1", what="answer", answers="a1", at=dt.datetime(2026, 4, 8))
    elsewhere = event(id="x", who="HR1", what="answer", answers="a1", entity_id="P2")
    assert [keys(APPEAL, each) for each in (own, early, elsewhere)] == [["own_answer"], ["answer_first"], ["no_appeal"]]


def test_two_events_have_two_ids():
    found = problems_of([event(line=3), event(line=9)], KNOWN, "f")
    assert [(problem.key, problem.where, problem.values["line"]) for problem in found] == [
        ("events.id_twice", "f:9", 3)
    ]


def test_appeals_are_open_until_they_are_answered():
    assert unanswered(RIGHT) == ()
    assert unanswered([each for each in RIGHT if each.what != "answer"]) == (APPEAL,)


def test_events_may_be_added_and_moved_but_not_edited_or_removed():
    before = {each.id: each.digest for each in RIGHT}
    assert edited(before, [event(id="new"), *reversed(RIGHT)]) == ()
    assert edited(before, [dataclasses.replace(each, line=each.line + 5) for each in RIGHT]) == ()
    for name in [field.name for field in dataclasses.fields(Event) if field.name not in ("line", "id", "at")]:
        changed = dataclasses.replace(RIGHT[0], **{name: "other"})
        assert edited(before, [changed, *RIGHT[1:]]) == ("e1",), name
    assert edited(before, RIGHT[1:]) == ("e1",)


events_about = st.builds(
    event,
    id=st.uuids().map(str),
    what=st.sampled_from(["comment", "approval", "appeal", "announcement"]),
    level=st.sampled_from(["person", "team", "company"]),
    entity_id=st.sampled_from(["P1", "P2", "P3", "T1", "T2", ""]),
    period=st.sampled_from(["2025Q4", "2026Q1"]),
)


@given(st.lists(events_about, max_size=12))
def test_no_page_shows_what_is_about_somebody_else(events):
    person = seen_by(events, period="2026Q1", person="P1", team="T1")
    team = seen_by(events, period="2026Q1", team="T1", members={"P1", "P2"})
    company = seen_by(events, period="2026Q1")
    assert all(each.period == "2026Q1" for each in (*person, *team, *company))
    assert {(each.level, each.entity_id) for each in person if each.level == "person"} <= {("person", "P1")}
    assert all(each.what == "announcement" and each.entity_id == "T1" for each in person if each.level == "team")
    assert {(each.level, each.entity_id) for each in team if each.level != "company"} <= {
        ("person", "P1"), ("person", "P2"), ("team", "T1"),
    }  # fmt: skip
    assert all(each.level == "company" for each in company)
    own = [each for each in events if each.period == "2026Q1" and each.level == "person" and each.entity_id == "P1"]
    assert set(own) <= set(person) and set(own) <= set(team)


def as_client(folder, text: str) -> Client:
    """A client with three people of whom two are in a team, of which only what events need is there."""
    path = write_client(folder, {})
    event_path(path).write_text(text, encoding="utf-8")
    people = pd.DataFrame({"person_id": ["P1", "P2", "007"], "name": ["王芳", "李雷", "Bond"]})
    days = pd.to_datetime(["2026-01-05", "2026-01-05"])
    roster = pd.DataFrame({"person_id": ["P1", "P2"], "team_id": ["T1", "T1"], "day": days})
    parts = SimpleNamespace(since=dt.date(2025, 10, 1), until=dt.date(2026, 3, 31), roster=roster)
    data = SimpleNamespace(people=people, teams=pd.DataFrame({"team_id": ["T1"]}), parts=parts)
    return Client(path, read_client_file(path), None, data)


GOOD = """\
people: {HR1: 人事}
events:
  - id: c1
    at: 2026-04-09T10:00
    who: 007
    what: comment
    about: {level: person, id: P1, period: 2026Q1}
    text: |
      First line.
      Second line: yes, no, 12:30.
  - {id: c2, at: 2026-04-09 11:00, who: HR1, what: approval, about: {level: team, id: T1, period: 2026Q1}}
"""


def test_a_file_is_read_as_text(tmp_path):
    client = as_client(tmp_path, GOOD)
    file = read_events(client, NOW)
    assert [(each.id, each.who, each.line) for each in file.events] == [("c1", "007", 3), ("c2", "HR1", 11)]
    assert file.events[0].text == "First line.\nSecond line: yes, no, 12:30.\n"
    assert names_of(client, {**file.outsiders, "P1": "Other"}) == {
        "HR1": "人事", "P1": "王芳", "P2": "李雷", "007": "Bond",
    }  # fmt: skip
    event_path(client.path).unlink()
    assert read_events(client, NOW).events == ()


def test_all_that_is_wrong_with_a_file_is_said_at_once_in_order_of_lines(tmp_path):
    text = GOOD + (
        "  - {id: c3, at: 2026-02-30T10:00, who: P1, what: comment, about: {level: person, id: P1, period: 2026Q1}}\n"
        "  - {id: c3, at: 2026-04-09T10:00, who: P1, what: comments, about: {level: person, id: P1, period: 2026Q1}}\n"
        "  - {id: c4, when: 2026-04-09T10:00, who: P1, what: comment, about: P1}\n"
        "  - just a word\n"
        "  - {id: c5, id: c6, at: 2026-04-09T10:00, who: P3, what: comment, about: {level: person, period: 2026Q1}}\n"
        "  - {id: c1, at: 2026-04-09T10:00, who: Wang, what: approval, about: {level: person, id: P2, period: 2026Q9}}\n"
    )
    with pytest.raises(InputError) as caught:
        read_events(as_client(tmp_path, text), NOW)
    found = [(problem.where, problem.key) for problem in caught.value.problems]
    assert found == [
        ("small.events.yaml:12", "events.bad_time"),
        ("small.events.yaml:13", "events.not_allowed"),
        ("small.events.yaml:14", "settings.unknown_key"),
        ("small.events.yaml:14", "settings.missing_key"),
        ("small.events.yaml:14", "events.not_a_mapping"),
        ("small.events.yaml:15", "events.not_a_mapping"),
        ("small.events.yaml:16", "settings.key_twice"),
        ("small.events.yaml:17", "events.id_twice"),
        ("small.events.yaml:17", "events.who"),
        ("small.events.yaml:17", "events.period"),
    ]
    assert "Did you mean comment?" in caught.value.text("en")


@pytest.mark.parametrize(
    "text, key",
    [
        ("- a\n", "settings.not_a_mapping"),
        ("events: {a: b\n", "settings.not_yaml"),
        ("events: soon\n", "events.not_a_list"),
        ("evnts: []\n", "settings.unknown_key"),
        (
            "events:\n  - id: [1]\n    at: x\n    who: x\n    what: x\n    about: {level: team, period: x}\n",
            "events.not_text",
        ),
        ("a: &a [x, x]\nevents: *a\n", "settings.unknown_key"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, text, key):
    with pytest.raises(InputError) as caught:
        read_events(as_client(tmp_path, text), NOW)
    assert caught.value.problems[0].key == key


HOSTILE = "<script>alert(1)</script> ${x} {{7*7}} =cmd|'x'!A0 \"quoted\" & more"


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_text_is_text_on_the_page(language):
    page = SimpleNamespace(language=language, level="person", entity_id="P1", currency="CNY")
    since = SinceClosing(dt.datetime(2026, 4, 20), "<b>HR</b>", 83.24, 84.12, 3)
    told = Told((event(text=HOSTILE), APPEAL), {"P3": "<img src=x onerror=alert(1)>", "P1": "王芳"}, since)
    (block,) = shown(page, told)
    html = block_html(block, language, currency="CNY")
    assert "onerror" in json.dumps(block_bundle(block, language, currency="CNY"))
    assert "<script" not in html and "<img" not in html and "<b>HR" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html and "{{7*7}}" in html
    assert block.status == "warning"
    assert any("83.2" in text and "84.1" in text and "3" in text for text in block.text)
    assert block.facts["score_closed"] == 83.24 and "text" not in block.facts["events"][0]


def test_the_page_says_how_the_result_stands():
    page = SimpleNamespace(language="en", level="person", entity_id="P1", currency="CNY")
    approved = event(id="x", what="approval", text="")

    def texts(*events, **since) -> tuple[str, ...]:
        standing = SinceClosing(**{"closed_at": NOW, "closed_by": "", **since}) if since else None
        return next(iter(shown(page, Told(events, {"P3": "Li"}, standing)))).text

    assert list(shown(page, Told((), {}))) == []
    assert texts(event()) == ("Not approved yet.",)
    assert texts(event(), approved) == ("Approved by Li on Apr 9, 2026.",)
    of_another = dataclasses.replace(approved, entity_id="P2")
    assert texts(of_another) == ("Not approved yet.",), "another's approval is not this page's"
    closed = "This period was closed on May 1, 2026."
    same = "Since then neither the records of the period nor the score changed."
    assert texts(score=80.0, score_now=80.01, changed_records=0) == (closed, same)
    assert "the score here is the same (80.0)" in texts(score=80.0, score_now=80.0, changed_records=2)[1]
    assert "it is —" in texts(score=80.0, score_now=float("nan"), changed_records=0)[1]
