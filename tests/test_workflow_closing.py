"""A closed quarter: what is written, that it is written once, and that every later difference is told."""

import csv
import dataclasses
import datetime as dt
import json
import shutil

import pandas as pd
import pytest
from conftest import small_tables, write_client

from kpi_research.cli import main
from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError
from kpi_research.language import LANGUAGES
from kpi_research.periods import Period
from kpi_research.report.page import build, sections
from kpi_research.run.after_closing import FILE, changed_closings, changes_since, hold_closed, since_closing_of, told
from kpi_research.run.client import Client, open_client
from kpi_research.run.closed import closed_folder, closed_period
from kpi_research.run.closed_rows import changes_between, read_rows, rows_of, write_rows
from kpi_research.run.closing import close_period
from kpi_research.run.event_file import event_path, read_events
from kpi_research.run.pages import page_data
from kpi_research.run.settings import read_client_file
from kpi_research.run.told import told_fingerprint, told_of

PERIOD = "2026Q1"
QUARTER = Period.parse(PERIOD)
CLOSED_AT = dt.datetime(2026, 4, 10, 9, 0)
SCHEME = "{name: own, label: {zh: 自定, en: Own}, items: [{kpi: signed_amount, weight: 60}, {kpi: signed_contracts, weight: 40}]}"
EVENTS = """\
people: {HR1: 人事}
events:
  - {id: c1, at: 2026-04-09T10:00, who: HR1, what: comment, text: Fine., about: {level: person, id: P1, period: 2026Q1}}
  - {id: c2, at: 2026-04-09T10:00, who: P1, what: appeal, text: "No.", about: {level: person, id: P1, period: 2026Q1}}
"""


@pytest.fixture(scope="module")
def closed_client(tmp_path_factory) -> Client:
    """The small client with few tables and a scheme that they can score, its last quarter closed."""
    kept = ("people.csv", "teams.csv", "assignments.csv", "contracts.csv")
    tables = {name: text for name, text in small_tables().items() if name in kept}
    tables["targets.csv"] = "scope,scope_id,kpi,period,base,version\n" + "".join(
        f"{scope},{scope_id},{kpi},{PERIOD},{base},1\n"
        for scope, scope_id in (
            ("team", "T01"),
            ("team", "../../x"),
            ("person", "P1"),
            ("person", "P2"),
            ("person", "P3"),
        )
        for kpi, base in (("signed_amount", 40_000), ("signed_contracts", 3))
    )
    path = write_client(tmp_path_factory.mktemp("closed"), tables)
    text = path.read_text(encoding="utf-8").replace("saas_2025", SCHEME)
    path.write_text(text + 'since: "2025-01-01"\nuntil: "2026-03-31"\n', encoding="utf-8")
    event_path(path).write_text(EVENTS, encoding="utf-8")
    client = open_client(path)
    done = close_period(client, PERIOD, by="HR1", reason="signed off", now=CLOSED_AT)
    assert done.is_new and done.appeals == 1
    return client


@pytest.fixture
def moved(closed_client, tmp_path):
    """A copy of the closed client, free to be changed; its path."""
    folder = tmp_path / "copy"
    shutil.copytree(closed_client.path.parents[1], folder)
    return folder / "params" / "small.yaml"


def test_what_was_closed_is_kept_without_anybodys_words(closed_client):
    closed = closed_period(closed_client, QUARTER)
    assert (closed.at, closed.by, closed.reason) == (CLOSED_AT, "HR1", "signed off")
    assert closed.record["rows"]["contracts"] == 9
    assert closed.record["definitions"]["scheme"]["name"] == "own"
    assert set(closed.record["events"]) == {"c1", "c2"}
    score = closed_client.score(period=PERIOD)
    kept = closed.scores("rows").query("level == 'person'").drop(columns="level").reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, score.rows, check_dtype=False)
    assert set(closed.scores("totals")["level"]) == {"person", "team", "company"}
    written = b"".join(path.read_bytes() for path in closed.folder.rglob("*") if path.is_file())
    for words in ("王芳", "alert(1)", "大客户", "Fine.", "No."):
        assert words.encode() not in written


def test_a_second_closing_changes_nothing(closed_client):
    before = {path: path.read_bytes() for path in closed_folder(closed_client, QUARTER).rglob("*.*")}
    again = close_period(closed_client, PERIOD, by="P2", now=dt.datetime(2026, 5, 1))
    assert not again.is_new and again.closed.by == "HR1"
    assert {path: path.read_bytes() for path in closed_folder(closed_client, QUARTER).rglob("*.*")} == before
    assert hold_closed(closed_client, [PERIOD, "2025Q4"]) == changed_closings(closed_client) == []


def test_what_cannot_be_closed(closed_client):
    for given, key in (
        ({"name": "2026Q2"}, "report.no_such_period"),
        ({"name": "2025Q4", "by": "P99"}, "closing.by"),
        ({"name": "2025Q4", "reason": "a\x1b[31mb"}, "events.unseen"),
    ):
        with pytest.raises(InputError) as caught:
            close_period(closed_client, **given, now=CLOSED_AT)
        assert [problem.key for problem in caught.value.problems] == [key]
    assert not closed_folder(closed_client, Period.parse("2025Q4")).exists()


def test_data_that_change_while_they_are_read_are_not_closed(closed_client, monkeypatch):
    other = dataclasses.replace(closed_client.data, folder=closed_client.data.folder / "other")
    monkeypatch.setattr("kpi_research.run.closing.stored", lambda *_: other)
    monkeypatch.setattr("kpi_research.run.closing.rows_of", lambda *_: ({}, None))
    with pytest.raises(InputError) as caught:
        close_period(closed_client, "2025Q4", now=CLOSED_AT)
    assert caught.value.problems[0].key == "closing.moving"
    assert [path.name for path in closed_folder(closed_client, QUARTER).parent.iterdir()] == [PERIOD]


def spoilt(text: str) -> str:
    """Contracts of which one has another amount, one is gone, one left the quarter, one is new, one is of 2025Q2."""
    lines = [line for line in text.splitlines() if not line.startswith("K-P3-2026-03")]
    swaps = {
        "K-P1-2026-01,A1,P1,2026-01-15 10:00,12000": "K-P1-2026-01,A1,P1,2026-01-15 10:00,99000",
        "K-P2-2026-02,A2,P2,2026-02-15": "K-P2-2026-02,A2,P2,2025-11-15",
        "K-P1-2025-06,A1,P1,2025-06-15": "K-P1-2025-06,A1,P1,2025-06-16",
    }
    made = "\n".join([*lines, "=cmd|x,A1,P1,2026-03-31 23:59,5000,new,2026-12-28"]) + "\n"
    for before, after in swaps.items():
        assert before in made
        made = made.replace(before, after)
    return made


def test_every_changed_record_is_told(moved, capsys):
    for table, change in (("contracts.csv", spoilt), ("people.csv", lambda text: text.replace("李雷", "李四"))):
        file = moved.parent / "data" / table
        file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")
    client = open_client(moved)
    closed = closed_period(client, QUARTER)
    found = changes_since(client, QUARTER, closed)
    records = {
        (row.table, row.record, row.change, row.column): (row.before, row.after) if pd.notna(row.before) else None
        for row in found.records.itertuples()
    }
    assert records == {
        ("contracts", "K-P1-2026-01", "changed", "amount"): ("12000.00", "99000.00"),
        ("contracts", "K-P2-2026-02", "changed", "signed_at"): ("2026-02-15 10:00:00", "2025-11-15 10:00:00"),
        ("contracts", "K-P3-2026-03", "removed", ""): None,
        ("contracts", "=cmd|x", "added", ""): None,
        ("people", "P2", "changed", "name"): None,
    }
    assert found.n_records == 5
    now = client.score(period=PERIOD).rows.set_index(["entity_id", "kpi"])
    amounts = found.figures.query("level == 'person' and figure == 'actual' and kpi == 'signed_amount'")
    assert {(row.entity_id, row.after) for row in amounts.itertuples()} == {
        (person, now.loc[(person, "signed_amount"), "actual"]) for person in ("P1", "P2", "P3")
    }
    said = [problem.text("en") for problem in told(found, closed)]
    assert "contracts K-P1-2026-01: amount 12000.00 -> 99000.00 (changed after closing on 2026-04-10)" in said
    _check_refusal(moved, client, capsys)


def _check_refusal(path, client: Client, capsys) -> None:
    """The command refuses, lists everything in a file without formulas, and a page says what stands and what would be."""
    assert main(["run", str(path), "--period", PERIOD, "--language", "en"]) == 2
    said = capsys.readouterr().err
    assert "K-P1-2026-01: amount 12000.00 -> 99000.00" in said and "--force" in said
    listed = path.parents[1] / "reports" / "small" / PERIOD / FILE
    rows = list(csv.DictReader(listed.open(encoding="utf-8-sig")))
    assert {row["record"] for row in rows if row["table"] == "contracts"} >= {"'=cmd|x", "K-P1-2026-01"}
    assert not [path for path in listed.parent.iterdir() if path != listed], "no report was made"
    assert main(["close", str(path), "--period", PERIOD, "--language", "zh"]) == 2
    assert "不能再次关账" in capsys.readouterr().err
    assert hold_closed(client, [PERIOD], force=True)[0].key == "closing.changed"
    assert changed_closings(client)[0].key == "closing.changed_since"
    since = since_closing_of(client, QUARTER, "team", "../../x")
    assert since.changed_records == 5 and since.closed_by == "人事"
    score = client.score(period=PERIOD, level="team", entities=["../../x"]).totals["score"].iloc[0]
    assert since.score_now == pytest.approx(score) and since.score > since.score_now


def test_events_only_grow_and_pages_follow_them(moved):
    client = open_client(moved)
    before = told_fingerprint(client, QUARTER)
    about = "about: {level: person, id: P1, period: 2026Q1}"
    more = f"  - {{id: c3, at: 2026-04-12T10:00, who: HR1, what: answer, answers: c2, text: Yes, {about}}}\n"
    event_path(moved).write_text(EVENTS + more, encoding="utf-8")
    assert changed_closings(client) == []
    assert told_fingerprint(client, QUARTER) != before
    own = told_of(client, QUARTER, "person", "P1")
    assert [event.id for event in own.events] == ["c1", "c2", "c3"] and own.names == {"HR1": "人事", "P1": "王芳"}
    assert told_of(client, QUARTER, "person", "P2").events == ()
    assert len(told_of(client, QUARTER, "team", "T01").events) == 3
    assert (
        told_of(client, QUARTER, "team", "../../x").events
        == told_of(client, QUARTER, "company", "company").events
        == ()
    )
    event_path(moved).write_text((EVENTS + more).replace("Fine.", "Bad."), encoding="utf-8")
    assert [problem.key for problem in changed_closings(client)][1:] == ["closing.event"]
    event_path(moved).unlink()
    assert len(changed_closings(client)) == 3
    assert read_events(client).events == ()


def test_another_scheme_is_told_though_no_record_changed(moved):
    text = moved.read_text(encoding="utf-8")
    moved.write_text(text.replace("weight: 60", "weight: 70").replace("weight: 40", "weight: 30"), encoding="utf-8")
    client = open_client(moved)
    found = changes_since(client, QUARTER, closed_period(client, QUARTER))
    assert found.definitions == ("scheme",) and found.records.empty and len(found.figures)
    assert "The scheme is not the one of the closing." in [problem.text("en") for problem in changed_closings(client)]


def test_figures_of_another_version_of_the_program_are_told(moved, monkeypatch):
    client = open_client(moved)
    closed = closed_period(client, QUARTER)
    monkeypatch.setattr("kpi_research.run.after_closing.code_fingerprint", lambda: "another")
    assert not changes_since(client, QUARTER, closed), "other code, the same figures"
    monkeypatch.setattr("kpi_research.run.after_closing.code_fingerprint", lambda: "a third")
    parts = {part: closed.scores(part) for part in ("rows", "totals")}
    parts["totals"] = parts["totals"].assign(score=parts["totals"]["score"] + 1)
    monkeypatch.setattr("kpi_research.run.after_closing.scores_of_all", lambda *_: parts)
    found = changes_since(client, QUARTER, closed)
    assert found.records.empty and len(found.figures) == closed.scores("totals")["score"].notna().sum() > 0
    assert [problem.key for problem in told(found, closed)][-1] == "closing.other_cause"


def test_an_edited_closing_is_refused(moved):
    client = open_client(moved)
    folder = closed_folder(client, QUARTER)
    (folder / "extra.txt").write_text("x", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        hold_closed(client, [PERIOD])
    assert caught.value.problems[0].key == "closing.broken"
    (folder / "extra.txt").unlink()
    (folder / "closed.json").write_text(json.dumps({"files": {}}), encoding="utf-8")
    with pytest.raises(InputError):
        closed_period(client, QUARTER)


ROWS = {
    "people.csv": "person_id,name,hired_on,left_on\nP1,A,2020-01-01,\nP2,B,2020-01-01,2025-12-31\nP3,C,2026-04-01,\n",
    "teams.csv": "team_id,name\nT1,Team\n",
    "contracts.csv": "contract_id,owner_id,signed_at,amount,ends_on\n"
    "first,P1,2026-01-01 00:00,1,\nlast,P1,2026-03-31 23:59,1,\nbefore,P1,2025-12-31 23:59,1,\n"
    "after,P1,2026-04-01 00:00,1,\nending,P1,2024-01-01 00:00,1,2026-02-01\n",
    "opportunities.csv": "opportunity_id,owner_id,created_at,closed_at,outcome\n"
    "long,P1,2024-01-01,,open\nover,P1,2024-01-01,2025-12-31,won\nspan,P1,2024-01-01,2026-05-01,won\n"
    "new,P1,2026-04-02,,open\nin,P1,2026-02-01,2026-02-02,lost\n",
    "targets.csv": "scope,scope_id,kpi,period,base,version\n"
    + "".join(f"person,P1,signed_amount,{p},5,1\n" for p in ("2026Q1", "2026-02", "2026", "2026Q2", "2025")),
    "changes.csv": "table,record_id,field,old,new,changed_by,changed_at\n"
    "contracts,first,amount,1,2,P1,2026-04-05\ncontracts,first,amount,2,7,P2,2026-04-06\n",
}


@pytest.fixture(scope="module")
def rows_client(tmp_path_factory) -> Client:
    path = write_client(tmp_path_factory.mktemp("rows"), ROWS)
    return Client(path, read_client_file(path), None, None)


@pytest.fixture(scope="module")
def rows_and_log(rows_client):
    return rows_of(rows_client, QUARTER)


def test_a_period_rests_on_what_touches_it(rows_and_log, tmp_path):
    found, log = rows_and_log
    records = {name: set(frame["record"]) for name, frame in found.items()}
    assert records["people"] == {"P1"} and records["teams"] == {"T1"}
    assert records["contracts"] == {"first", "last", "ending"}
    assert records["opportunities"] == {"long", "span", "in"}
    assert {record.split(" / ")[3] for record in records["targets"]} == {"2026Q1", "2026-02", "2026"}
    assert len(log) == 2
    later = found | {"contracts": found["contracts"].assign(amount="7.00")}
    changes = changes_between(found, later, log)
    assert dict(changes.set_index("record")["changed_by"].dropna()) == {"first": "P2"}
    write_rows(found, tmp_path / "rows")
    kept = read_rows(tmp_path / "rows")
    assert set(kept) == set(found) <= set(TABLES)
    for name, frame in found.items():
        pd.testing.assert_frame_equal(kept[name], frame)


def test_changes_are_those_of_a_plain_comparison(rows_client, rows_and_log):
    before, _ = rows_and_log
    after, _ = rows_of(rows_client, QUARTER.shift(1), before)
    found = changes_between(before, after)
    plain = set()
    for name in before:
        old, new = (frame.set_index("record").fillna("").to_dict("index") for frame in (before[name], after[name]))
        plain |= {(name, record, "removed") for record in {*old} - {*new}}
        plain |= {(name, record, "added") for record in {*new} - {*old}}
        plain |= {(name, record, "changed") for record in {*old} & {*new} if old[record] != new[record]}
    assert set(found[["table", "record", "change"]].itertuples(index=False, name=None)) == plain
    assert ("contracts", "after", "added") in plain and ("people", "P3", "added") in plain
    assert ("contracts", "last", "removed") not in plain, "a record that is of another period now is still there"
    assert changes_between(before, before).empty and changes_between({}, {}).empty


def test_pages_leave_what_runs_are_compared_by(closed_client):
    page = page_data(closed_client, QUARTER, "T01", "en", "manager")
    facts = {block.name: block.facts for name in ("scores", "people_detail") for block in build(sections()[name], page)}
    named = {"entity_id", "kpi", "actual", "actual_low", "actual_high", "weight", "target", "points"}
    assert named <= set(facts["scores"]["rows"][0]) and named <= set(facts["people_detail"]["rows"][0])
    assert {"entity_id", "score", "score_low", "score_high"} <= set(facts["scores"]["totals"][0])
    (found,) = (block for block in build(sections()["findings"], page) if block.name == "findings")
    assert {"kpi", "code", "gate", "effect"} <= set(found.facts["verdicts"][0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_close_says_what_it_did(closed_client, language, capsys):
    words = {"en": "nothing changed since", "zh": "没有任何变化"}
    assert main(["close", str(closed_client.path), "--period", PERIOD, "--language", language]) == 0
    said = capsys.readouterr().out
    assert words[language] in said and "2026-04-10" in said
    assert main(["close", str(closed_client.path), "--period", PERIOD, "--json", "--language", language]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["is_new"] is False and made["unanswered_appeals"] == 1
