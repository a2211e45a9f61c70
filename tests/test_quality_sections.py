"""The pages about the data: in both languages, for managers without codes or ids, for analysts whole."""

import dataclasses
import json
import re

import pandas as pd
import pytest
from conftest import small_tables, write_client
from planted_faults import clean, quality, quality_of, setting  # noqa: F401 - fixtures

from kpi_research.integrity.quality import Quality
from kpi_research.language import LANGUAGES
from kpi_research.report.block import Block
from kpi_research.report.data import Quality as PageQuality
from kpi_research.report.html import block_html
from kpi_research.report.page import build, sections
from kpi_research.report.tables import block_json
from kpi_research.run.pages import open_page

SECTIONS = ("data_quality_headline", "data_quality_coverage", "data_quality_mend", "data_quality_checks")
FORBIDDEN = re.compile(r"\b(nan|NaN|None|NaT)\b|\{[a-z_]+\}")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client whose pages are there; what they say of the data is then replaced."""
    return write_client(tmp_path_factory.mktemp("client"), small_tables())


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def faulty(clean):  # noqa: F811
    frames = {name: frame.copy() for name, frame in clean.items()}
    frames["activities"]["occurred_at"] -= pd.Timedelta(hours=8)
    setting("contracts", "currency", "USD", rows=slice(0, 20))(frames)
    setting("opportunities", "owner_id", None, rows=slice(0, 900))(frames)
    frames["activities"] = frames["activities"][frames["activities"]["person_id"] != "E0001"]
    rules = [("opportunities", "closed_after_created", "", "reject", 400, "o.csv", 3, "")]
    return quality_of(frames, rules=rules, rejected=400)


def shown(page, quality: Quality, audience: str) -> list[Block]:  # noqa: F811
    counts = (page.quality.row_counts, page.quality.rules, ())
    given = PageQuality(*counts, quality.observations, quality.coverage, quality.grade)
    data = dataclasses.replace(page, quality=given, audience=audience)
    return [block for name in SECTIONS for block in build(sections()[name], data)]


def all_words(block: Block, language) -> str:
    written = json.dumps(block_json(block, language, currency="CNY"), ensure_ascii=False, allow_nan=False)
    return block_html(block, language, currency="CNY") + written


@pytest.mark.parametrize("audience", ["manager", "analyst"])
def test_the_sections_in_both_languages(client, faulty, language, audience):
    page = open_page(client, period="2026Q1", language=language, audience=audience).data
    blocks = shown(page, faulty, audience)
    names = [block.name for block in blocks]
    assert not [block.name for block in blocks if block.status == "failed"]
    assert names[:2] == ["data_quality_headline", "data_quality_coverage"]
    assert len(set(names)) == len(names)
    assert ("data_quality_checks" in names) == ("data_quality_people" in names) == (audience == "analyst")
    assert blocks[0].callout.figure == faulty.grade == "D" and len(blocks[0].text) == 3
    assert not [text for block in blocks for text in FORBIDDEN.findall(all_words(block, language))]
    mended = [check for block in blocks for check in block.facts.get("checks", ())]
    bad = faulty.observations[~faulty.observations["grade"].isin(["A", "N"])]
    assert sorted(mended) == sorted(bad["check"])
    if audience == "manager":
        assert not re.search(r"\bE\d{4}\b|\b[XO]\d{6,7}\b", "".join(all_words(block, language) for block in blocks))


def test_the_worst_comes_first_and_checks_are_listed_whole(client, faulty):
    page = open_page(client, period="2026Q1", language="en", audience="analyst").data
    blocks = {block.name: block for block in shown(page, faulty, "analyst")}
    assert blocks["data_quality_headline"].facts["points"] == ["rejected_rows", "no_owner", "night"]
    table = blocks["data_quality_checks"].table.frame
    assert len(table) == len(faulty.observations) and table["grade"].iloc[0] == "D" and table["grade"].iloc[-1] == "N"
    assert "moved by about +8 hours" in " ".join(table["found"])
    months = pd.DataFrame(blocks["data_quality_coverage"].facts["months"])
    assert (months["worked"] == months["recorded"] + months["silent"]).all() and months["worked"].sum() == 72


def test_a_good_client_is_told_so(client, quality, language):  # noqa: F811
    page = open_page(client, period="2026Q1", language=language).data
    only_good = quality.observations[quality.observations["grade"] == "A"]
    blocks = shown(page, Quality(only_good, quality.coverage, "A"), "manager")
    assert [block.name for block in blocks] == ["data_quality_headline", "data_quality_coverage", "data_quality_mend"]
    assert blocks[0].callout.tone == "good" and blocks[0].text == ()
    empty = shown(page, Quality(pd.DataFrame(), pd.DataFrame(), "N"), "analyst")
    assert [block.status for block in empty] == ["no_data", "no_data", "ok"]
