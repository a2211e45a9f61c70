"""The records named behind a score are exactly those that were counted, and nobody else's."""

import dataclasses
import json

import pytest
from random_crm import random_crm
from test_forms_scorecard import own_client, page_of

from kpi_research.kpis.catalogue import catalogue
from kpi_research.kpis.crm import Crm
from kpi_research.language import LANGUAGES, say
from kpi_research.panel import contributions, panel
from kpi_research.panel.build import covered, last_day, on_an_engine
from kpi_research.panel.records import RECORD_COLUMNS, cases, counted_in, records_behind
from kpi_research.periods import Period, as_intervals
from kpi_research.report.html import block_html
from kpi_research.report.page import build, sections
from kpi_research.report.sections.score_records import MOST_NAMED
from kpi_research.run import pages, score_rows
from kpi_research.run.client import open_client

QUARTER = Period.parse("2026Q1")
KPIS = ("signed_amount", "new_customers", "visits", "effective_visits", "win_rate", "won_cycle_days", "nps",
        "collected_amount", "qualified_leads", "sharing_sessions", "entry_timeliness", "proposals",
        "on_time_collection_rate", "median_cycle_days", "response_hours", "selling_partner_rate", "distribution_rate")  # fmt: skip
PEERS = "    - {kpi: peer_rating, weight: 20}\n"
MORE = "    - {kpi: peer_rating, weight: 10}\n    - {kpi: visits, weight: 5}\n    - {kpi: win_rate, weight: 5}\n"


@pytest.mark.parametrize("seed", [5, pytest.param(11, marks=pytest.mark.slow)])
def test_records_come_to_the_very_figures_of_the_panel(seed):
    """Two roads: the sums of the panel, and the records one by one."""
    tables = random_crm(seed)
    rows = on_an_engine(tables)
    until = last_day(rows)
    kpis = [kpi for name, kpi in catalogue().items() if name in KPIS]
    found = records_behind(Crm({name: covered(name, table, until) for name, table in rows.items()}), kpis, until)
    assert list(found.columns) == RECORD_COLUMNS and not found.duplicated().all()
    made = panel(contributions(tables, kpis), as_intervals([QUARTER]), "person")
    made = made[made["status"].isin(["ok", "partial", "too_few"])]
    compared = set()
    for kpi in kpis:
        own = counted_in(found, kpi, QUARTER, until)
        counted = own[cases(own)].groupby("person_id").size()
        sums = own.groupby("person_id")["numerator"].sum()
        for row in made[made["kpi"] == kpi.name].to_dict("records"):
            assert counted.get(row["entity_id"], 0) == row["n"], (kpi.name, row)
            if kpi.aggregation in ("sum", "at_end"):
                assert sums.get(row["entity_id"], 0.0) == pytest.approx(row["numerator"], abs=1e-4), (kpi.name, row)
            compared |= {kpi.name} if row["n"] else set()
    assert len(compared) >= 10, compared


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setattr(pages, "study_of", lambda *_: None)
    path = own_client(tmp_path_factory.mktemp("records"))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(PEERS, MORE), encoding="utf-8")
    yield open_client(path)
    patch.undo()


def block_of(page):
    (block,) = build(sections()["score_records"], page)
    assert block.status != "failed"
    return block


def cell(client, page, kpi: str) -> str:
    frame = block_of(page).table.frame.set_index("label")
    return frame.loc[client.kpis[kpi].label[page.language], "records"]


def test_every_kpi_names_its_records_and_the_file_has_all(client):
    page = page_of(client, "P1", "en")
    assert cell(client, page, "signed_amount") == "K-P1-2026-03 (03-15), K-P1-2026-02 (02-15), K-P1-2026-01 (01-15)"
    assert "In the numerator: O-P1-2026-0" in cell(client, page, "win_rate")
    listed = cell(client, page, "visits")
    assert listed.count("A1 (") == MOST_NAMED and listed.endswith("and 4 more")
    kept = block_of(page).facts["records"]
    assert len(kept["visits"]) == 12 and {row["record_id"] for row in kept["signed_amount"]} == {
        "K-P1-2026-01", "K-P1-2026-02", "K-P1-2026-03"
    }  # fmt: skip
    assert sum(row["numerator"] for row in kept["signed_amount"]) == page.now().loc["signed_amount", "numerator"]
    json.dumps(kept, allow_nan=False)


@pytest.mark.parametrize("person", ["P1", "P2", "P3"])
def test_records_are_a_persons_own_and_not_what_colleagues_said(client, person):
    page = page_of(client, person)
    assert set(page.score.records["person_id"]) == {person}
    assert cell(client, page, "peer_rating") == "—" and not block_of(page).facts["records"]["peer_rating"]
    assert not any(f"R-{person}" in words for words in block_of(page).table.frame["records"])


def test_records_that_do_not_come_to_the_figure_are_not_named(client):
    page = page_of(client, "P1", "en")
    records = page.score.records
    fewer = records[records["record_id"] != "K-P1-2026-03"]
    other = records.assign(numerator=records["numerator"] + 1)
    for changed in (fewer, other, records.assign(person_id="P2")):
        wrong = dataclasses.replace(page, score=dataclasses.replace(page.score, records=changed))
        assert cell(client, wrong, "signed_amount") == "—"


def test_of_a_database_nothing_is_read_anew(client, monkeypatch):
    monkeypatch.setattr(score_rows, "reads_database", lambda _: True)
    monkeypatch.setattr(score_rows, "read_source", None)
    found = score_rows.own_records(client, QUARTER, "P1")
    assert found.empty and list(found.columns) == RECORD_COLUMNS


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_of_records_are_escaped_on_the_page(client, language):
    page = page_of(client, "P1", language)
    records = page.score.records
    marked = records.assign(record_id=records["record_id"].replace("K-P1-2026-03", "<script>alert(1)</script>"))
    html = block_html(
        block_of(dataclasses.replace(page, score=dataclasses.replace(page.score, records=marked))),
        language,
        currency="CNY",
    )
    assert "<script>alert" not in html and "&lt;script&gt;alert(1)&lt;/script&gt; (03-15)" in html
    assert say("scorecard.column.records", language) in html


@pytest.mark.parametrize("name", ["nps", "customer_satisfaction", "customer_feedback"])
def test_what_customers_said_is_not_told_one_by_one(name):
    assert not score_rows.may_be_named(catalogue()[name])
    assert score_rows.may_be_named(catalogue()["signed_amount"])
