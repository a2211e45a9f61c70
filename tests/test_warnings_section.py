"""Warnings of a client read plainly, use nothing of the future, and are no more than can be looked into."""

import datetime as dt
import re

import pandas as pd
import pytest
from conftest import small_tables, write_client

import kpi_research as kr
from kpi_research.appraisal.alarm_budget import KINDS, Tuned
from kpi_research.appraisal.early_warning import NOW_COLUMNS, EarlyWarnings
from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import LANGUAGES
from kpi_research.periods import Period
from kpi_research.report.data import PageData
from kpi_research.report.html import block_html
from kpi_research.report.sections.early_warnings import LISTED, shown
from kpi_research.report.sections.warnings_record import record_of
from kpi_research.report.tables import block_json
from kpi_research.run.pace_looks import pace_looks
from kpi_research.run.warnings import warnings_of

BROKEN = re.compile(r"\bnan\b|\bNone\b|NaT|\{[a-z_]+\}")
JARGON = re.compile(r"precision|recall|threshold|bootstrap|confidence|召回|精确率|置信", re.IGNORECASE)
TUNED = {
    "pace": Tuned("pace", 0.9, "measured", 60, 0.5, 20, 14, 30, 15, 21.0),
    "drop": Tuned("drop", 3.0, "default", 3, float("nan"), 2, 1, 9, 1, float("nan")),
    "stall": Tuned("stall", 1.5, "measured", 60, 0.5, 40, 30, 90, 30, 12.0),
    "no_contact": Tuned("no_contact", 2.0, "measured", 60, 0.5, 10, 6, 20, 6, float("nan")),
}
SINCE = pd.Timestamp("2026-05-04")
ROWS = [
    ("pace", "P1", "signed_amount", "P1 2026Q2", SINCE, 0.97, 4050.0, 39_700.0, 299_000.0, 1.3e6, 1.28e6),
    ("drop", "P2", "visits", "P2 visits 3", SINCE, 3.2, 2.0, 8.909, None, None, None),
    ("stall", "P1", "报价", "O1", SINCE, 1.7, 70.4, 42.0, None, None, 137_100.0),
    ("no_contact", "P2", "", "A1", SINCE, 9.0, 27.2, 3.0, None, None, None),
]


def warned(rows=ROWS, silent=("P1",), false_alarms: float = 4.0) -> EarlyWarnings:
    frame = pd.DataFrame(rows, columns=NOW_COLUMNS)
    return EarlyWarnings(dt.date(2026, 5, 20), frame, TUNED, tuple(silent), false_alarms)


def page(language: str, audience: str = "manager") -> PageData:
    empty = pd.DataFrame()
    return PageData(
        client_title="", language=language, audience=audience, currency="CNY", period=Period.parse("2026Q2"),
        level="team", entity_id="T1", entity_name="T1", outcome="signed_amount", kpis=catalogue(), history=empty,
        people=empty, names={"P1": "<b>王芳"}, study=None, quality=None, until=dt.date(2026, 5, 20),
    )  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_reads_plainly(language):
    blocks = [*shown(page(language), warned()), record_of(page(language), warned())]
    for block in blocks:
        words = " ".join([block.title, *block.text, *block.notes])
        assert not BROKEN.search(words)
        assert not JARGON.search(words)
        assert "<b>王芳" not in block_html(block, language, currency="CNY")
        assert block_json(block, language, currency="CNY")["name"] == block.name
    assert len(blocks[0].text) == 1 + len(ROWS) + 2, "the lead, each warning, what is not warned of, who is silent"
    assert blocks[0].status == "warning"


def test_how_sure_is_counted_not_claimed():
    said = next(iter(shown(page("en"), warned()))).text
    assert "of 20 such warnings in the past, 14 came true (the target was missed)" in said[1]
    assert "there were only 2 such warnings" in said[2]
    notes = record_of(page("en"), warned()).notes
    assert "Sudden drop" in notes[0]


def test_no_more_are_told_than_there_may_be_false_alarms():
    many = [("stall", "P1", "报价", f"O{number}", SINCE, 1.7, 70.0, 42.0, None, None, 1.0) for number in range(40)]
    block = next(iter(shown(page("en"), warned(many, silent=(), false_alarms=2.0))))
    assert len(block.text) == 4
    assert "40 things" in block.text[0]
    assert len(block.table.frame) == LISTED


def test_a_quiet_day_says_so():
    blocks = [*shown(page("en"), warned([], silent=()))]
    assert blocks[0].status == "ok"
    assert "nothing to warn of" in blocks[0].text[0]


def test_nobody_reads_warnings_of_colleagues():
    assert [*shown(page("zh", "person"), warned())] == []


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return kr.open_client(write_client(tmp_path_factory.mktemp("warned"), small_tables()))


@pytest.fixture(scope="module")
def mid_quarter():
    return dt.date(2026, 2, 20)


def test_a_clients_warnings_are_its_teams_and_read_plainly(client, mid_quarter):
    team = "T01"
    found = warnings_of(client, mid_quarter, team=team)
    assert "pace" in set(found.rows["kind"])
    roster = client.data.parts.roster
    there = roster[(roster["day"] == pd.Timestamp(mid_quarter)) & (roster["team_id"] == team)]
    assert set(found.rows["person_id"]) <= set(there["person_id"])
    assert set(found.tuned) == set(KINDS)
    assert all(each.came_true <= each.warned and each.foreseen <= each.cases for each in found.tuned.values())
    for language in LANGUAGES:
        text = " ".join(sentence for block in shown(page(language), found) for sentence in block.text)
        assert not BROKEN.search(text)


def test_nothing_after_the_day_is_used(client, mid_quarter):
    past, now = pace_looks(client, mid_quarter)
    assert len(past)
    assert past["day"].max() < pd.Timestamp(mid_quarter)
    assert (now["since"] <= pd.Timestamp(mid_quarter)).all()


def test_a_past_too_thin_gets_the_defaults(client):
    found = warnings_of(client, dt.date(2025, 5, 20))
    assert {each.basis for each in found.tuned.values()} == {"default"}
