"""Customers on the page: what each reader sees of whose customers, in both languages, with names that want to be markup."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from conftest import small_tables, write_client

import kpi_research as kr
from kpi_research.errors import InputError
from kpi_research.language import LANGUAGES
from kpi_research.report.html import block_html
from kpi_research.report.page import build, sections
from kpi_research.report.tables import block_json
from kpi_research.run import customers as stored_customers
from kpi_research.run.pages import open_page

pytestmark = pytest.mark.slow

SECTIONS = ("customer_retention", "customer_value", "customer_voice")
FORBIDDEN = re.compile(r"\bnan\b|\bNone\b|NaT|\bp\s*[=<]\s*0|\{[a-z_]+\}", re.IGNORECASE)
JARGON = re.compile(r"BG/NBD|gamma|Kaplan|bootstrap|confidence interval|置信", re.IGNORECASE)
SIMULATED = """\
client: made-up
title: {zh: 某公司, en: Some company}
source: {kind: simulated, people: 16, teams: 2, months: 27, seed: 7}
scheme: saas_2025
predictors: [visits]
reports:
  - {notebook: appraisal, per: team, every: quarter, audience: manager}
"""
NASTY = (
    "<script>alert(1)</script>",
    "</td><img src=x onerror=alert(1)>",
    '" onmouseover="x',
    "=1+1",
    "\u202eevil {name}",
)


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("client")
    (folder / "params").mkdir()
    path = folder / "params" / "made-up.yaml"
    path.write_text(SIMULATED, encoding="utf-8")
    return path


def blocks_of(page):
    return {block.name: block for name in SECTIONS for block in build(sections()[name], page.data)}


def opened(path, team, language="zh", audience="manager", period="2026Q1"):
    return open_page(path, period=period, team=team, language=language, audience=audience, report="appraisal")


def words(block):
    return [block.title, *block.text, *block.notes, *([block.figure.caption] if block.figure else [])]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Path of the small client's file; reading it once is most of what these tests cost."""
    return write_client(tmp_path_factory.mktemp("small"), small_tables())


@pytest.fixture(scope="module")
def nasty(tmp_path_factory):
    """Five customers of each person with names that want to be markup, whose contracts end in May."""
    tables = small_tables()
    accounts, contracts = [tables["accounts.csv"].rstrip()], [tables["contracts.csv"].rstrip()]
    for person in ("P1", "P2", "P3"):
        for number, name in enumerate(NASTY):
            quoted = f"{person} {name}".replace('"', '""')
            accounts.append(f'N{person}{number},"{quoted}",{person}')
            contracts.append(f"KN{person}{number},N{person}{number},{person},2025-05-10,{5000 + number},new,2026-05-09")
    contracts.append("KR,A1,P1,2025-07-01,9000,renewal,2026-06-15")
    tables |= {"accounts.csv": "\n".join(accounts) + "\n", "contracts.csv": "\n".join(contracts) + "\n"}
    return write_client(tmp_path_factory.mktemp("nasty"), tables)


@pytest.fixture(scope="module")
def without_orders(tmp_path_factory):
    tables = {k: v for k, v in small_tables().items() if k not in ("contracts.csv", "surveys.csv")}
    return write_client(tmp_path_factory.mktemp("without"), tables)


@pytest.fixture(scope="module")
def without_owners(tmp_path_factory):
    tables = small_tables() | {"accounts.csv": "account_id,name\nA1,x\nA2,y\nA3,z\n"}
    return write_client(tmp_path_factory.mktemp("owners"), tables)


@pytest.mark.parametrize("team", ["T01", "../../x", "T03", None])
def test_every_section_says_something_or_why_not(small, team, language):
    for block in blocks_of(opened(small, team, language)).values():
        assert block.status in ("ok", "no_data", "warning")
        assert block.text and not [text for text in words(block) if FORBIDDEN.search(text) or JARGON.search(text)]
        html = block_html(block, language, currency="CNY")
        assert "<script" not in html
        json.dumps(block_json(block, language, currency="CNY"), allow_nan=False)


def test_a_page_holds_only_its_teams_customers_and_their_names_are_text(nasty, language):
    mine = blocks_of(opened(nasty, "T01", language))["customers_due"]
    html = block_html(mine, language, currency="CNY")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html and "<script" not in html and "<img" not in html
    assert "P1 " in html and "P2 " in html and "P3 " not in html
    assert mine.facts["n"] == 11, "five of each, and the renewal"
    other = opened(nasty, "../../x", language)
    assert set(other.data.customers.customers["owner_id"]) == {"P3"}
    assert "P1 " not in "".join(block_html(block, language, currency="CNY") for block in blocks_of(other).values())


def test_single_customers_of_the_whole_company_are_for_analysts(nasty):
    assert opened(nasty, None).data.customers.customers.empty
    assert "customers_due" not in blocks_of(opened(nasty, None))
    analyst = blocks_of(opened(nasty, None, audience="analyst"))
    assert "customers_due" in analyst and "customer_cohorts" in analyst


def test_the_managers_page_of_a_company_with_customers(simulated, language):
    blocks = blocks_of(opened(simulated, "T01", language, period="2026Q3"))
    assert {"customer_retention", "customer_value", "customer_voice", "customers_due"} <= set(blocks)
    for block in blocks.values():
        assert block.status in ("ok", "warning")
        assert not [text for text in words(block) if FORBIDDEN.search(text) or JARGON.search(text)]
    assert blocks["customer_retention"].figure and blocks["customer_value"].figure
    totals = pd.DataFrame(blocks["customer_value"].facts["totals"])
    assert (totals["value_low"] < totals["value"]).all() and (totals["value"] < totals["value_high"]).all()
    assert blocks["customer_value"].facts["checks"] == [], "sums of the whole company are for analysts"
    shown = block_json(blocks["customer_value"], language, currency="CNY")["table"]["shown"]
    assert all("–" in row[-1] for row in shown), "money with its range"
    assert blocks["customer_voice"].facts["voice"]


def test_the_report_says_where_last_year_was_the_better_forecast(simulated, language):
    page = opened(simulated, "T01", language, period="2026Q3")
    found = page.data.customers
    checks = found.calibration.checks.assign(better="naive", nearer="naive")
    import dataclasses

    worse = dataclasses.replace(found, calibration=dataclasses.replace(found.calibration, checks=checks))
    page = dataclasses.replace(page, data=dataclasses.replace(page.data, customers=worse))
    block = blocks_of(page)["customer_value"]
    assert block.status == "warning"
    said = "请以照搬的数为主" if language == "zh" else "rely on that"
    assert sum(said in text for text in block.text) == 2


def test_a_team_adds_nothing_to_what_it_was_fitted_to(simulated, monkeypatch):
    client = kr.open_client(simulated)
    once = client.customer_value(period="2026Q3", team="T01")
    monkeypatch.setattr(stored_customers, "_make", lambda *_: pytest.fail("fitted again"))
    again = client.customer_value(period="2026Q3", team="T01")
    pd.testing.assert_frame_equal(once.totals, again.totals)
    whole = client.customer_value(period="2026Q3")
    assert len(whole.customers) > len(once.customers) > 0
    fitted, calibration = stored_customers.models_of(client, client.known_period("2026Q3"))
    assert isinstance(fitted.orders.draws, np.ndarray) and fitted.orders.draws.shape[1] == 7
    assert set(calibration.checks["status"]) <= {"ok", "refused"}
    with pytest.raises(InputError, match="T01"):
        client.customer_value(period="2026Q3", team="T1")


def test_a_client_without_contracts_and_surveys_says_so(without_orders, language):
    for block in blocks_of(opened(without_orders, "T01", language)).values():
        assert block.status == "no_data" and block.text
    with pytest.raises(InputError, match="neither contracts nor surveys|既没有合同表"):
        kr.open_client(without_orders).customer_value(period="2026Q1")


def test_accounts_without_owners_cannot_be_told_apart_by_team(without_owners, language):
    for block in blocks_of(opened(without_owners, "T01", language)).values():
        assert block.status == "no_data"
    company = blocks_of(opened(without_owners, None, language))
    assert company["customer_voice"].status == "ok"
