"""What readers see of luck and of suggested weights: places only where the scheme allows them, and no false
certainty."""

import datetime as dt
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from luck_worlds import levels, world

import kpi_research as kr
from kpi_research.appraisal.luck import ScoreLuck, score_luck
from kpi_research.appraisal.progress import Progress, progress
from kpi_research.appraisal.rank_intervals import rank_intervals
from kpi_research.appraisal.reliability import Measured, reliability
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.score import SCORE_COLUMNS, TOTAL_COLUMNS, Score
from kpi_research.appraisal.shrinkage import firsts, shrunk
from kpi_research.appraisal.suggested_weights import Comparison, Suggestion
from kpi_research.appraisal.weight_candidates import WeightAdvice
from kpi_research.appraisal.weight_moves import WeightMoves
from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import LANGUAGES
from kpi_research.periods import Period
from kpi_research.report.data import PageData
from kpi_research.report.html import block_html
from kpi_research.report.page import build
from kpi_research.report.sections import score_luck as luck_section
from kpi_research.report.sections import weights_suggested
from kpi_research.report.tables import block_json
from kpi_research.run.luck import luck_of, weights_of

FORBIDDEN = re.compile(
    r"\bnan\b|\bNone\b|\{[a-z_]+\}|reliab|bootstrap|variance|confidence|信度|置信|方差", re.IGNORECASE
)
SIMULATED = """\
client: made-up
title: {zh: 某公司, en: Some company}
source: {kind: simulated, people: 16, teams: 2, months: 27, seed: 7}
scheme: saas_2025
predictors: [visits]
reports:
  - {notebook: appraisal, per: team, every: quarter, audience: manager}
"""


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


def scheme(rankings: str = "team") -> Scheme:
    items = [{"kpi": "signed_amount", "weight": 60}, {"kpi": "visits", "weight": 40}]
    given = {"name": "own", "label": {"zh": "自定", "en": "Own"}, "items": items, "rankings": rankings}
    return Scheme.model_validate(given)


def page(language: str, rankings: str = "team", audience: str = "manager") -> PageData:
    names = {f"P{number:03d}": f"<b>某{number:02d}" for number in range(12)}
    empty = pd.DataFrame()
    return PageData(
        client_title="", language=language, audience=audience, currency="CNY", period=Period.parse("2026Q2"),
        level="team", entity_id="T1", entity_name="T1", outcome="signed_amount", kpis=catalogue(), history=empty,
        people=empty, names=names, study=None, quality=None, until=dt.date(2026, 6, 30), scheme=scheme(rankings),
    )  # fmt: skip


def luck(share: float = 0.9, people: int = 10, stays: float = 0.8, improved: float = 0.0) -> ScoreLuck:
    rng = np.random.default_rng(3)
    true = levels(rng, people, share)
    given, before = world(rng, true), world(rng, true - improved * (np.arange(people) == 1))
    found = reliability(given)
    known = not found.reason
    since = progress(before, given, reliability(before), found) if known else None
    moves = WeightMoves(given.people, np.zeros((people, people)), stays, "P000", np.full(people, np.nan), {})
    kept = shrunk(given, found) if known else np.empty(0)
    top = firsts(given, found, rng) if known else None
    return ScoreLuck(given, found, rank_intervals(given), kept, top, moves, since, same_kpis=True)


def words(block) -> str:
    table = [block.table.caption, *(column.label for column in block.table.columns)] if block.table else []
    figure = [block.figure.alt, block.figure.caption] if block.figure else []
    return "\n".join([block.title, *block.text, *block.notes, *table, *figure])


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
def test_luck_reads_plainly_in_both_languages(language, share):
    block = luck_section.shown(page(language), luck(share))
    html = block_html(block, language, currency="CNY")
    assert not FORBIDDEN.search(words(block)), words(block)
    assert "<b>某" not in html
    assert block_json(block, language, currency="CNY")["facts"]["n_people"] == 10


def test_the_first_sentence_says_how_much_is_luck():
    found = luck(0.9)
    first = luck_section.shown(page("en"), found).text[0]
    assert f"about {luck_section.tenths(1 - found.reliability.share)} parts in 10 are luck" in first


def test_where_all_may_be_luck_nobody_is_called_the_best():
    block = luck_section.shown(page("en"), luck(0.01))
    assert block.status == "warning"
    assert "cannot be ruled out" in block.text[0]
    assert "cannot be said" in block.text[1]


@pytest.mark.parametrize("rankings", ["none", "own_position"])
def test_places_are_hidden_where_the_scheme_hides_them(language, rankings):
    block = luck_section.shown(page(language, rankings), luck())
    assert block.figure is None
    assert [column.key for column in block.table.columns] == ["label", "score", "shrunk"]
    assert not {"place", "side"} & set(block.table.frame)
    assert block.table.frame["label"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("rankings", "audience", "table", "figure"),
    [("all", "manager", False, False), ("team", "analyst", True, False), ("all", "analyst", True, True)],
)
def test_the_companys_people_are_for_analysts_and_in_order_only_where_all_may_see_it(rankings, audience, table, figure):
    company = replace(page("en", rankings, audience), level="company")
    won = Progress(
        (*(f"P{n:03d}" for n in range(10)),), np.full(10, 9.0), np.full(10, 2.0), np.full(10, 0.001), "P001", ""
    )
    block = luck_section.shown(company, replace(luck(), progress=won))
    assert ((block.table is not None), (block.figure is not None)) == (table, figure)
    assert table or "某" not in words(block)


@pytest.mark.parametrize("rankings", ["team", "all"])
def test_places_are_shown_with_their_range(language, rankings):
    found = luck()
    block = luck_section.shown(page(language, rankings), found)
    frame = block.table.frame
    assert frame["place"].is_monotonic_increasing
    assert (frame["place_low"] <= frame["place"]).all()
    assert (frame["place_high"] >= frame["place"]).all()
    assert block.figure is not None


def test_too_few_people_are_told_so(language):
    block = luck_section.shown(page(language), luck(people=4))
    assert (block.status, block.table, block.figure) == ("no_data", None, None)
    assert "4" in block.text[0]


def test_the_prize_is_named_or_refused():
    given = luck()
    refused = luck_section.shown(page("en"), given)
    assert any("No prize for progress" in text for text in refused.text)
    won = Progress(given.given.people, np.full(10, 9.0), np.full(10, 2.0), np.full(10, 0.001), "P001", "")
    text = luck_section.shown(page("en"), replace(given, progress=won)).text[-1]
    assert "某01" in text
    assert "9.0" in text


@pytest.mark.parametrize(("share", "shown"), [(0.0, "0"), (0.01, "1"), (0.38, "4"), (0.99, "9"), (1.0, "10")])
def test_parts_of_ten(share, shown):
    assert luck_section.tenths(share) == shown


def test_pages_without_luck_or_weights_show_nothing(language):
    assert build(luck_section.SECTION, page(language)) == ()
    assert build(weights_suggested.SECTION, page(language)) == ()


# ---- weights


def advice(kind: str, over_results: float = -0.02) -> WeightAdvice:
    made = Suggestion(
        kind, {"signed_amount": 60, "visits": 40}, {"signed_amount": 50, "visits": 30, "demos": 20}, 0.4,
        Comparison(0.3, 0.1, 0.02, 0.18), Comparison(0.42, over_results, -0.1, 0.06), np.zeros((5, 3)), 40,
    )  # fmt: skip
    return WeightAdvice(made, ("nps",), ("visits",))


@pytest.mark.parametrize("kind", ["suggest", "keep", "small", "results_alone", "too_few"])
@pytest.mark.parametrize("audience", ["manager", "analyst"])
def test_weights_read_plainly_and_only_a_real_gain_is_shown_to_managers(language, kind, audience):
    block = weights_suggested.shown(page(language, audience=audience), advice(kind))
    assert not FORBIDDEN.search(words(block)), words(block)
    assert (block.table is not None) == (kind == "suggest" or (audience == "analyst" and kind != "too_few"))
    assert block_json(block, language, currency="CNY")["facts"]["advice"] == kind


def test_a_suggestion_that_is_no_better_than_results_alone_says_so():
    text = " ".join(weights_suggested.shown(page("en"), advice("suggest")).text)
    assert "never applied by itself" in text
    assert "not clearly better" in text


# ---- from scores and clients


def scored(values: dict[str, float], only: dict[str, str]) -> Score:
    rng = np.random.default_rng(1)
    rows = [
        {"entity_id": person, "kpi": kpi, "weight": weight, "points": weight * value / 100, "status": "ok"}
        for person, value in values.items()
        for kpi, weight in (("signed_amount", 60.0), ("visits", 40.0))
        if only.get(person, kpi) == kpi
    ]
    totals = [{"entity_id": person, "score": value, "score_se": 5.0} for person, value in values.items()]
    draws = {person: value + 5 * rng.normal(size=200) for person, value in values.items()}
    return Score(pd.DataFrame(rows, columns=SCORE_COLUMNS), pd.DataFrame(totals, columns=TOTAL_COLUMNS), draws=draws)


def test_who_is_scored_on_other_kpis_than_before_has_made_no_progress():
    before, now = ({f"P{n:03d}": start + 5.0 * n for n in range(8)} for start in (60.0, 61.0))
    now["P000"] = 190.0
    found = [
        score_luck(
            (scored(now, {}), 13), (scored(before, only), 13), scheme(), catalogue(), rng=np.random.default_rng(2)
        )
        for only in ({}, {"P000": "visits"})
    ]
    assert [each.progress.winner for each in found] == ["P000", ""]
    assert "P000" not in found[1].progress.people
    assert found[0].same_kpis
    assert isinstance(found[0].given, Measured)


@pytest.mark.slow
def test_a_client_gets_both(tmp_path):
    (tmp_path / "params").mkdir()
    path = tmp_path / "params" / "made-up.yaml"
    path.write_text(SIMULATED, encoding="utf-8")
    client = kr.open_client(path)
    period = client.known_period("2026Q1")
    found, made = luck_of(client, period), weights_of(client, period)
    assert 0 <= found.reliability.share <= 1
    assert len(found.shrunk) == len(found.given.people) > 10
    assert sum(made.suggestion.weights.values()) == sum(made.suggestion.present.values())
    assert {"peer_rating"} <= set(made.unchanged)
    assert luck_of(client, period, "no such team") is None
