"""Work on deals on the page and in the client's hand: every verdict in both languages, and clients that lack the data."""

import dataclasses
import datetime as dt
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import small_tables, write_client
from golden.deal_worlds import DAYS, START, World, draw

import kpi_research as kr
from kpi_research.crm.contract import hold_to_contract
from kpi_research.errors import InputError
from kpi_research.evidence.deal_study import DealStudy, Status, study_deals
from kpi_research.evidence.deals import known_deals
from kpi_research.language import LANGUAGES
from kpi_research.periods import Period
from kpi_research.report.html import block_html
from kpi_research.report.sections.deals import blocks
from kpi_research.report.tables import block_json
from kpi_research.run import deal_rows
from kpi_research.run.deals import deal_study, deals_of
from kpi_research.run.settings import read_client_file
from kpi_research.sources.read import read_source
from kpi_research.sources.workspace import Workspace

BROKEN = re.compile(r"\bnan\b|\bNone\b|NaT|\{[a-z_]+\}")
CAUSAL = re.compile(r"driv|cause[sd]? |导致|带动|促成|提高了成交")
STATUSES = Status.__args__


def study_of(world: World, seed: int = 1) -> DealStudy:
    deals, touches = draw(world, np.random.default_rng(seed))
    kind = np.random.default_rng(2).choice(["visit", "call", "接洽"], len(touches))
    until = START + np.timedelta64(DAYS, "D")
    return study_deals(known_deals(deals, touches.assign(kind=kind), since=START, until=until), opener="visit")


@pytest.fixture(scope="module")
def found() -> DealStudy:
    return study_of(World(owners=15, last_week=0.3, before=0.4))


def page(language: str, audience: str) -> SimpleNamespace:
    return SimpleNamespace(language=language, audience=audience, currency="CNY")


def shown(study: DealStudy | None, language: str, audience: str) -> dict:
    made = {block.name: block for block in blocks(page(language, audience), study)}
    for block in made.values():
        said = [block.title, *block.text, *block.notes]
        assert not [text for text in said if BROKEN.search(text)], said
        assert not [text for text in block.text[:1] if CAUSAL.search(text)], said
        block_html(block, language, currency="CNY")
        block_json(block, language, currency="CNY")
    return made


@pytest.mark.parametrize("language", LANGUAGES)
def test_managers_read_a_sentence_a_table_and_a_picture(found, language):
    (block,) = shown(found, language, "manager").values()
    every = found.kinds.iloc[0]
    assert f"{every['ratio'] - 1:.1%}" in block.text[0]
    assert f"{every['low'] - 1:.1%}".rstrip("%") in block.text[0] and f"{every['high'] - 1:.1%}" in block.text[0]
    assert str(found.owners) in block.text[0] and f"{found.wins:,}" in block.text[0]
    assert ("试点" if language == "zh" else "trial") in " ".join(block.text)
    assert [view.key for view in block.table.columns] == ["label", "deals", "change", "says"]
    assert block.figure and ("没有" if language == "zh" else "contact") in block.figure.alt + block.notes[-1]
    labels = block.table.frame["label"].tolist()
    assert labels[1:] == (["电话", "拜访", "接洽"] if language == "zh" else ["Call", "Visit", "接洽"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_analysts_see_each_analysis(found, language):
    made = shown(found, language, "analyst")
    assert list(made) == ["deals", "deals_landmark", "deals_second_contact"]
    assert "q" in [view.key for view in made["deals"].table.columns]
    assert len(made["deals_second_contact"].table.frame) == 14 and made["deals_second_contact"].figure


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", STATUSES)
def test_every_verdict_has_its_words(found, status, language):
    frames = {}
    for name in ("kinds", "landmarks", "windows"):
        rows = getattr(found, name).assign(status=status)
        if status in ("few_wins", "few_owners", "rare", "not_estimable"):
            rows[["ratio", "low", "high", "p"]] = np.nan
        if status == "less":
            rows[["ratio", "low", "high"]] = 1 / rows[["ratio", "high", "low"]].to_numpy()
        frames[name] = rows
    study = dataclasses.replace(found, **frames)
    for audience in ("manager", "analyst"):
        made = shown(study, language, audience)
        assert ("less" in status) == any(word in made["deals"].text[0] for word in ("更慢", "won later"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_records_of_entry_the_link_is_doubted(found, language):
    counted = dataclasses.replace(found.counted, timed_share=0.4)
    (block,) = shown(dataclasses.replace(found, counted=counted), language, "manager").values()
    assert any("40.0%" in note for note in block.notes)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("world", [World(owners=3, deals_each=5), World(owners=6, deals_each=40)])
def test_too_few_data_from_end_to_end(world, language):
    study = study_of(world)
    for audience in ("manager", "analyst"):
        block = shown(study, language, audience)["deals"]
        assert block.status == "no_data" and block.figure is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_linked_activities_is_said(language):
    (block,) = shown(None, language, "manager").values()
    assert block.status == "no_data" and ("商机编号" if language == "zh" else "linked") in block.text[0]


def standing_in(path: Path) -> SimpleNamespace:
    """What `run.deals` looks at in a client, without computing every KPI of it first."""
    parts = SimpleNamespace(since=dt.date(2024, 1, 1), until_end=dt.date(2026, 4, 1))
    data = SimpleNamespace(folder=path.parent / "kept", parts=parts)
    return with_rows(SimpleNamespace(path=path, settings=read_client_file(path), data=data))


def with_rows(client: SimpleNamespace | kr.Client) -> SimpleNamespace | kr.Client:
    """The client, its rows kept as the store keeps them."""
    base = client.path.parent
    with Workspace(base / "work") as workspace:
        source = read_source(client.settings.source, base, workspace)
        contract = hold_to_contract(source, timezone=client.settings.timezone)
        deal_rows.write(deal_rows.fetch(contract.tables), client.data.folder / deal_rows.FOLDER)
    return client


def linked_tables() -> dict[str, str]:
    """The small client, its calls naming the opportunity of their month."""
    tables = small_tables()
    head, *lines = tables["activities.csv"].splitlines()
    named = [
        f"{line},O-{line.split(',')[0].removeprefix('C-').rsplit('-', 1)[0]}" if line.startswith("C-P") else f"{line},"
        for line in lines
    ]
    return tables | {"activities.csv": "\n".join([f"{head},opportunity_id", *named]) + "\n"}


def check_small_client(client: SimpleNamespace | kr.Client) -> None:
    period = Period.parse("2025Q2")
    found = deal_study(client, period=period)
    assert (found.counted.deals, found.counted.won + found.counted.lost, found.counted.still_open) == (18, 18, 0)
    assert set(found.kinds["status"]) == {"few_wins"} and found.kinds["kind"].tolist() == ["call"]
    again = deals_of(client, period)
    assert again.counted == found.counted and again.kinds.equals(found.kinds) and again.windows.equals(found.windows)
    assert deal_study(client, period=Period.parse("2026Q1")).counted.deals == 45
    with pytest.raises(InputError, match="how long the deal lived"):
        deal_study(client, period=period, countings=["whole_life"])


def test_rows_of_a_small_client(tmp_path):
    check_small_client(standing_in(write_client(tmp_path, linked_tables())))


@pytest.mark.slow
def test_a_small_client_as_it_is_opened(tmp_path):
    check_small_client(with_rows(kr.open_client(write_client(tmp_path, linked_tables()))))


@pytest.mark.parametrize(
    ("lacking", "said"), [("opportunities", "no opportunities"), ("links", "No activities are linked")]
)
def test_clients_without_the_data(tmp_path, lacking, said):
    tables = small_tables() if lacking == "links" else linked_tables()
    if lacking == "opportunities":
        del tables["opportunities.csv"]
    client = standing_in(write_client(tmp_path, tables))
    assert deals_of(client, Period.parse("2025Q4")) is None
    with pytest.raises(InputError, match=said):
        deal_study(client, period=Period.parse("2025Q4"))
