"""What is kept and said of whom a KPI works for: rows, units, and every sentence in both languages."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_evidence_heterogeneity import panel, sized

from kpi_research.evidence.heterogeneity import TOO_FEW, Grouping
from kpi_research.evidence.multiplicity import family_q
from kpi_research.evidence.plan import DEFAULT_PLAN
from kpi_research.evidence.segments import COLUMNS, PERSON, SIMPSON_COLUMNS, segments
from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import LANGUAGES
from kpi_research.report.html import block_html
from kpi_research.report.sections.segments import SECTION
from kpi_research.report.tables import block_json

BROKEN = re.compile(r"\bnan\b|\bNone\b|\{[a-z_]+\}")


@pytest.fixture(scope="module")
def kinds() -> dict[str, Grouping]:
    since = np.add.outer(np.arange(40) % 10 - 4, np.arange(24))
    tenure = Grouping((since >= 6).astype(np.intp), ("under_a_year", "longer"))
    return {"role": Grouping(np.arange(40) % 2, ("hunter", "farmer")), "team": sized(12, 12, 12, 4), "tenure": tenure}


@pytest.fixture(scope="module")
def made(kinds) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(16)
    y, x = panel(rng, np.array([0.7, 0.0])[np.arange(40) % 2])
    return segments(y, {"visits": x, "proposals": x + rng.standard_normal(x.shape)}, 2, kinds, n_tested=8)


def test_a_row_a_kpi_kind_and_group(made, kinds):
    groups, views = made
    assert [*groups.columns] == [*COLUMNS] and [*views.columns] == [*SIMPSON_COLUMNS]
    visits = groups[groups["kpi"] == "visits"]
    assert list(visits["kind"].unique()) == [*kinds, PERSON]
    assert list(visits.loc[visits["kind"] == "team", "group"]) == ["g0", "g1", "g2", TOO_FEW]
    hidden = visits[visits["status"] == "too_few"]
    assert hidden[["effect", "low", "high", "raw"]].isna().all(axis=None) and list(hidden["n_people"]) == [4]
    shown = visits[(visits["status"] == "ok") & (visits["kind"] != PERSON)]
    assert ((shown["low"] < shown["effect"]) & (shown["effect"] < shown["high"])).all()
    (people,) = visits[visits["kind"] == PERSON].to_dict("records")
    assert np.isnan(people["effect"]) and people["group"] == "" and people["n_people"] == 40
    assert people["above_low"] < people["above"] < people["above_high"]


def test_the_rate_is_held_over_both_steps(made):
    groups, _ = made
    for _, rows in groups[groups["p_differ"].notna()].drop_duplicates(["kpi", "kind"]).groupby("kpi"):
        expected = np.minimum(1, family_q(rows["p_differ"].to_numpy()) * 8 / 2)
        assert rows["q_differ"].to_numpy() == pytest.approx(expected)


def test_units_do_not_matter_and_the_same_data_give_the_same(kinds):
    y, x = panel(np.random.default_rng(17), np.full(40, 0.3))
    plain, again = (segments(y, {"k": x}, 2, kinds, n_tested=1) for _ in range(2))
    scaled, _ = segments(1000 + 50 * y, {"k": 7 * x - 2}, 2, kinds, n_tested=1)
    pd.testing.assert_frame_equal(plain[0], again[0])
    pd.testing.assert_frame_equal(plain[0], scaled, rtol=1e-6)


def test_money_is_told_in_shares(kinds):
    rng = np.random.default_rng(18)
    y, x = panel(rng, np.full(40, 0.5))
    money = 1e4 * rng.poisson(np.exp(0.4 * y - 0.3)) * rng.lognormal(0, 1, y.shape)
    groups, views = segments(money, {"k": x}, 2, kinds, n_tested=1)
    assert set(groups["effect_unit"]) == {"share"}
    role = groups[groups["kind"] == "role"]
    assert role["effect"].between(0.05, 0.6).all()
    assert views["within"].iloc[0] > 1000


def test_too_little_is_said_and_is_no_error(kinds):
    y, x = panel(np.random.default_rng(19), np.full(6, 0.3), periods=6)
    groups, views = segments(y, {"k": x}, 2, {"team": sized(3, 3)}, n_tested=1)
    assert list(groups["status"]) == ["too_few", "too_few"] and list(groups["n_people"]) == [6, 0]
    assert list(views["n_rows"]) == [24]
    with pytest.raises(ValueError, match="2 KPIs cannot have been selected from 1"):
        segments(y, {"k": x, "same": x}, 2, kinds, n_tested=1)
    nothing = segments(y, {}, 2, kinds, n_tested=3)
    assert all(frame.empty for frame in nothing) and [*nothing[0].columns] == [*COLUMNS]


def page(made: tuple[pd.DataFrame, pd.DataFrame], language: str, audience: str) -> SimpleNamespace:
    kpis = catalogue()
    letters = pd.DataFrame({"kpi": made[0]["kpi"].unique()}).assign(code="B")
    beside = SimpleNamespace(segments=made[0], simpson=made[1])
    study = SimpleNamespace(beside=beside, plan=DEFAULT_PLAN, verdicts=letters)
    label = lambda kpi: kpis[kpi].label[language]  # noqa: E731
    return SimpleNamespace(
        language=language, audience=audience, level="company", currency="CNY", study=study, kpis=kpis, outcome="signed_amount",
        label=label, inline=label, names={"g0": "<b>华东"},
    )  # fmt: skip


def shown(made: tuple[pd.DataFrame, pd.DataFrame], language: str, audience: str) -> dict:
    blocks = {block.name: block for block in SECTION.build(page(made, language, audience))}
    for block in blocks.values():
        said = [block.title, *block.text, *block.notes, block.figure.alt if block.figure else ""]
        assert not [text for text in said if BROKEN.search(text)], said
        assert "<b>" not in block_html(block, language, currency="CNY")
        block_json(block, language, currency="CNY")
    return blocks


@pytest.mark.parametrize("language", LANGUAGES)
def test_analysts_see_groups_people_and_points_of_view(made, language):
    blocks = shown(made, language, "analyst")
    assert list(blocks) == [
        "segments", "segments_visits", "segments_proposals", "simpson", "simpson_visits", "simpson_proposals",
    ]  # fmt: skip
    assert len(blocks["segments"].table.frame) == 6
    assert any("hunter" in text and "farmer" in text for text in blocks["segments"].text)
    assert ("没有看出" if language == "zh" else "no difference is seen") in blocks["segments_visits"].text[0]
    assert "10" in blocks["segments_visits"].text[1] or "十" in blocks["segments_visits"].text[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_managers_read_a_sentence_only_where_there_is_something(made, language):
    (block,) = shown(made, language, "manager").values()
    assert block.table is None and block.figure is None
    assert not re.search(r"\d", "".join(block.text)), "sizes of what is only associated are not for managers"
    alike = made[0].assign(q_differ=1.0), made[1].assign(alert="")
    assert shown(alike, language, "manager") == {}
    assert shown((alike[0].iloc[:0], alike[1].iloc[:0]), language, "manager") == {}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        ((0.1, 0.3), (0.4, 0.9), {"zh": "最强", "en": "strongest"}),
        ((-0.1, 0.3), (0.4, 0.9), {"zh": "看不出", "en": "not in"}),
        ((-0.6, 0.3), (-0.1, 0.9), {"zh": "方向相反", "en": "opposite"}),
        ((-0.2, -0.3), (0.4, 0.9), {"zh": "说不清", "en": "cannot be said"}),
    ],
)
def test_every_difference_has_its_words(made, language, low, high, words):
    role = made[0][(made[0]["kpi"] == "visits") & (made[0]["kind"] == "role")].assign(q_differ=0.01)
    role = role.assign(low=low, high=high, effect=[sum(ends) / 2 for ends in zip(low, high)])
    (block,) = shown((role, made[1].iloc[:0]), language, "manager").values()
    assert words[language] in block.text[0]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("above", "words"),
    [
        ((0.9, 0.6, 1.0), {"zh": "更高,哪怕很弱", "en": "higher"}),
        ((0.1, 0.0, 0.4), {"zh": "更低,哪怕很弱", "en": "lower"}),
        ((0.6, 0.3, 0.9), {"zh": "说不准", "en": "cannot say;"}),
    ],
)
def test_for_how_many_people_has_its_words(made, language, above, words):
    people = made[0][(made[0]["kpi"] == "visits") & (made[0]["kind"] == PERSON)]
    people = people.assign(above=above[0], above_low=above[1], above_high=above[2])
    text = shown((people, made[1].iloc[:0]), language, "analyst")["segments_visits"].text
    assert words[language] in text[0]
    few = people.assign(status="too_few")
    assert "8" in shown((few, made[1].iloc[:0]), language, "analyst")["segments_visits"].text[0]


def test_without_kpis_that_go_with_results_there_is_nothing_to_ask(made):
    empty = made[0].iloc[:0], made[1].iloc[:0]
    untyped = pd.DataFrame(columns=[*COLUMNS]), pd.DataFrame(columns=[*SIMPSON_COLUMNS])
    for nothing in (empty, untyped):
        (block,) = shown(nothing, "en", "analyst").values()
        assert block.status == "no_data"
        assert shown(nothing, "en", "manager") == {}


def test_no_group_stands_out_where_none_differs(made):
    groups, views = made
    alike = groups[groups["kind"] == "role"].assign(q_differ=1.0)
    pictures = [
        shown((rows, views.iloc[:0]), "en", "analyst")["segments_visits"].figure.svg
        for rows in (alike, alike.assign(q_differ=0.01))
    ]
    assert ["--accent" in picture for picture in pictures] == [False, True]


def test_a_team_s_manager_is_told_nothing_of_other_teams(made):
    role = made[0][(made[0]["kpi"] == "visits") & (made[0]["kind"] == "role")].assign(
        q_differ=0.01, low=[0.1, 0.4], high=[0.3, 0.9]
    )
    told = role.assign(kind="team"), made[1].iloc[:0]
    company, team = page(told, "en", "manager"), page(told, "en", "manager")
    team.level = "team"
    assert [*SECTION.build(company)] and not [*SECTION.build(team)]
