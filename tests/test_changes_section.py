"""What a page says after a change of the scheme, and of a claim; and what the client file may say of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from golden.scheme_changes import MONTHS, days_of, long_panel, membership
from pydantic import ValidationError
from test_evidence_changes import company
from test_evidence_changes_claims import claim, monthly

from kpi_research.errors import InputError
from kpi_research.evidence.change_effects import change_effect
from kpi_research.evidence.changes import Change, Drive
from kpi_research.evidence.claims import answer
from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import LANGUAGES
from kpi_research.language import catalogue as sentences
from kpi_research.report.changes import change_blocks, claim_blocks
from kpi_research.report.data import PageData
from kpi_research.report.html import block_html
from kpi_research.report.tables import block_json
from kpi_research.run.changes import ChangeSettings, ClaimSettings, answers_of, changes_of, claims_of, effects_of

BROKEN = re.compile(r"\bnan\b|\bNone\b|NaT|\binf\b|\{[a-z_]+\}")
PROVE = re.compile(r"证明|prove|proof", re.IGNORECASE)
NOTE = "<script>alert(1)</script>"


def page_in(language):
    """A page as far as these blocks look at it."""
    blank = {field.name: None for field in dataclasses.fields(PageData)}
    return PageData(**{**blank, "language": language, "currency": "CNY", "kpis": catalogue()})


def found_in(seed, *, outcome="signed_amount", reason="routine", starts=None, **options):
    x, y, team, usual = company(seed, **options)
    starts = usual if starts is None else np.full(len(usual), starts)
    change = Change("visits", days_of(starts), reason, NOTE)
    scaled = {"signed_amount": 50_000 + 20_000 * y, "win_rate": 0.3 + 0.05 * y}[outcome]
    panel = long_panel({"visits": 10 + x, outcome: scaled})
    return change_effect(panel, change, teams=membership(team), outcome=outcome)


@pytest.fixture(scope="module")
def all_designs():
    return {
        "staggered": found_in(2, beta=1.0, own=0.3, lift=1.5),
        "share": found_in(3, beta=0.0, outcome="win_rate"),
        "poor": found_in(4, beta=0.0, reason="poor_results"),
        "few": found_in(5, beta=1.0, teams=5, unchanged=2),
        "synthetic": found_in(
            6, beta=1.0, lift=2.0, own=0.2, teams=21, people=42, unchanged=20, dates=(20,), shock=0.1
        ),
        "interrupted": found_in(7, beta=1.0, lift=2.0, own=0.3, starts=20),
        "none": found_in(8, beta=1.0, starts=35),
    }


def words(block):
    return [block.title, *block.text, *block.notes]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_design_is_fit_to_print(all_designs, language):
    page = page_in(language)
    pairs = [(found, Drive("", "honest")) for found in all_designs.values()]
    blocks = list(change_blocks(page, pairs))
    assert [block.name for block in blocks] == [f"change_{n}" for n in range(1, len(pairs) + 1)]
    for block in blocks:
        assert not [text for text in words(block) if BROKEN.search(text) or PROVE.search(text)]
        html = block_html(block, language, currency="CNY")
        assert NOTE not in html
        block_json(block, language, currency="CNY")
    assert [block.status for block in blocks] == ["warning"] * 6 + ["no_data"]
    assert all(block.figure and block.figure.alt and len(block.table.frame) == 2 for block in blocks[:-1])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sentence_has_the_numbers(all_designs, language):
    found = all_designs["staggered"]
    (block,) = change_blocks(page_in(language), [(found, Drive("A", "change"))])
    assert block.status == "ok" and block.facts["code"] == "A"
    assert block.facts["effect"]["value"] == found.effect.value
    shown = f"{found.effect.value / 1e4:.1f}万" if language == "zh" else f"CNY {found.effect.value / 1e3:.1f}K"
    assert shown in block.text[1]
    assert [row["half_year"] for row in [{"half_year": b} for b in sorted(found.event.by_half_year)]] == [-3, -2, 0, 1]


def test_shares_change_by_points_and_poor_teams_rise_anyway(all_designs):
    page = page_in("en")
    share, poor = (
        next(iter(change_blocks(page, [(all_designs[name], Drive("", "effect"))]))) for name in ("share", "poor")
    )
    assert "percentage points" in share.text[1] and "person and month" not in share.text[1]
    row = share.table.frame.iloc[1]
    assert row["change"] == pytest.approx(100 * all_designs["share"].effect.value)
    assert "other teams that were as low" in poor.text[2]
    assert poor.facts["chance"]["by_chance"] == all_designs["poor"].chance.by_chance


def test_every_gate_and_reason_has_its_sentence():
    assert {key.rsplit(".", 1)[1] for key in sentences() if key.startswith("changes.gate.")} == {
        "change", "verdict", "design", "donors", "teams", "fit", "together", "first_stage", "effect", "sign", "honest",
        "chance",
    }  # fmt: skip
    assert {key.rsplit(".", 1)[1] for key in sentences() if key.startswith("changes.reason.")} == {
        "not_seen", "too_short", "one_team", "not_estimable",
    }  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_claims_are_answered(language):
    values = np.random.default_rng(1).lognormal(3, 0.3, 48)
    rows = monthly(values, 10 * values.mean() * np.ones(48))
    given = [
        answer(claim(0.3, "2024H2", "2025H1", source="a vendor"), rows),
        answer(claim(0.05, "2022H2", "2023H1", "points"), rows),
        answer(claim(0.3, "2022H1", "2022H2"), rows),
        answer(claim(0.3), rows.assign(status="no_data")),
    ]
    blocks = list(claim_blocks(page_in(language), given))
    assert [block.status for block in blocks] == ["ok", "no_data", "no_data", "no_data"]
    for block in blocks:
        assert not [text for text in words(block) if BROKEN.search(text) or PROVE.search(text)]
        block_html(block, language, currency="CNY")
        block_json(block, language, currency="CNY")
    first = blocks[0]
    assert f"{given[0].as_claimed} " in first.text[1] and str(given[0].comparables) in first.text[1]
    assert "+30.0%" in first.text[0]


def test_changes_as_a_client_file_has_them():
    written = [
        ChangeSettings(kpi="visits", teams={"T00": "2025-07-01"}, reason="poor_results", note="after a bad year")
    ]
    (made,) = changes_of(written, kpis=["visits"], teams=["T00"], outcome="signed_amount", where="x.yaml")
    assert made == Change("visits", {"T00": dt.date(2025, 7, 1)}, "poor_results", "after a bad year")
    wrong = [
        ChangeSettings(kpi="visit", teams={"T0": "2025-07-01"}),
        ChangeSettings(kpi="signed_amount", teams={"T00": "2025-02-30"}),
    ]
    with pytest.raises(InputError) as refused:
        changes_of(wrong, kpis=["visits", "signed_amount"], teams=["T00"], outcome="signed_amount", where="x.yaml")
    assert [each.key.split(".")[1] for each in refused.value.problems] == [
        "unknown_kpi", "unknown_team", "outcome_itself", "no_day",
    ]  # fmt: skip
    assert "x.yaml: changes[0]" in refused.value.text("en") and "Did you mean visits?" in refused.value.text("en")


def test_claims_as_a_client_file_has_them():
    said = {"kpi": "win_rate", "change": 0.3, "before": "2024H2", "after": "2025H1"}
    with pytest.raises(ValidationError, match="form"):
        ClaimSettings(**said)
    known = {"kpis": ["win_rate"], "teams": ["T1"], "fiscal_year_starts": 1, "where": "x.yaml"}
    (made,) = claims_of([ClaimSettings(**said, form="points")], **known)
    assert made == claim(0.3, form="points")
    wrong = [ClaimSettings(**{**said, "kpi": "winrate", "after": "2024H1", "who": "T2"}, form="points"),
             ClaimSettings(**{**said, "before": "last year"}, form="relative")]  # fmt: skip
    with pytest.raises(InputError) as refused:
        claims_of(wrong, **known)
    assert [each.key for each in refused.value.problems] == [
        "claims.unknown_kpi", "claims.unknown_who", "claims.order", "period.unknown",
    ]  # fmt: skip


def test_changes_meet_the_study_and_claims_their_panels():
    x, y, team, starts = company(2, beta=1.0, own=0.3, lift=1.5)
    panel = long_panel({"visits": x, "signed_amount": y, "calls": x})
    changes = [Change("visits", days_of(starts)), Change("calls", {"T00": dt.date(2025, 9, 1)})]
    verdicts = pd.DataFrame({"kpi": ["visits"], "code": ["B"], "effect": [0.2]})
    (first, drive), (_, other) = effects_of(
        changes, panel, teams=membership(team), outcome="signed_amount", study=SimpleNamespace(verdicts=verdicts)
    )
    assert (drive.code, other.code) == ("A", "") and other.gate == "verdict"
    assert first.outcome == "signed_amount" and len(first.periods) == MONTHS
    company_rows = monthly(np.random.default_rng(1).lognormal(3, 0.3, 48))
    team_rows = company_rows.assign(level="team", entity_id="T1")
    told = answers_of([claim(), claim(who="T1")], {"company": company_rows, "team": team_rows})
    assert [each.status for each in told] == ["ok", "ok"]
