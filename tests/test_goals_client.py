"""Goals of a client: split, written, read back, held against its past and its funnel, and shown."""

import dataclasses
import datetime as dt
import json
import re

import numpy as np
import pandas as pd
import pytest
from conftest import small_tables, write_client

import kpi_research as kr
from kpi_research.appraisal.backward_funnel import FunnelPast, needed
from kpi_research.appraisal.decompose import target_rows
from kpi_research.appraisal.goal import Goal
from kpi_research.appraisal.goals import base_targets
from kpi_research.appraisal.reachable import Outlook, chance_of
from kpi_research.appraisal.standing import GoalNeed, GoalView, Standing, due_by
from kpi_research.crm.contract import hold_to_contract
from kpi_research.errors import InputError
from kpi_research.language import LANGUAGES
from kpi_research.periods import Period
from kpi_research.report.html import block_html
from kpi_research.report.sections.goals import shown
from kpi_research.report.tables import block_json
from kpi_research.run.goal_views import goals_of, offers_of, standings_of
from kpi_research.run.goals import need_of, split_goal, write_targets
from kpi_research.run.pages import page_data
from kpi_research.sources.mapping import CanonicalSource
from kpi_research.sources.read import read_source
from kpi_research.sources.workspace import Workspace

BROKEN = re.compile(r"\bnan\b|\bNone\b|NaT|\{[a-z_]+\}")
NEXT = Period.parse("2026Q2")
GOAL = Goal(
    name="q2", label={"zh": "二季度业绩", "en": "Second quarter"}, measure="signed_amount", period="2026Q2", base=120_000,
    stretch=150_000, step=100, indicators=("visits", "nps"), monthly={"visits": {"base": 8}, "nps": {"base": 40, "per": "team"}},
)  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return kr.open_client(write_client(tmp_path_factory.mktemp("goals"), small_tables()))


@pytest.fixture(scope="module")
def pages(client):
    return {language: page_data(client, Period.parse("2026Q1"), "T01", language, "manager") for language in LANGUAGES}


def test_what_is_written_is_read_back(client, tmp_path):
    split = split_goal(client, GOAL)
    rows = target_rows(split, version="1", effective_from=dt.date(2026, 4, 1), approved_by="P9", reason="plan")
    write_targets(rows, tmp_path / "targets.csv")
    with Workspace(tmp_path / "work") as workspace:
        source = CanonicalSource(kind="canonical", path=".")
        contract = hold_to_contract(read_source(source, tmp_path, workspace))
        kept = contract.frame("targets")
    assert contract.rejected.empty and len(kept) == len(rows)
    for level in ("company", "team", "person"):
        held = {who: base for (who, kpi), base in base_targets(kept, NEXT, level).items() if kpi == "signed_amount"}
        own = split.rows[(split.rows["scope"] == level) & (split.rows["grain"] == "quarter")]
        assert held == dict(zip(own["scope_id"], own["base"])) and sum(held.values()) == 120_000
    may = base_targets(kept, Period.parse("2026-05"), "person")
    assert may["P1", "visits"] == 8 and ("P4", "visits") not in may
    assert set(kept["band"]) == {0.1} and set(kept["approved_by"]) == {"P9"} and set(kept["reason"]) == {"plan"}
    planned = dataclasses.replace(client, data=dataclasses.replace(client.data, targets=kept))
    (signed,) = [one for one in standings_of(planned, NEXT, "company", "company") if one.kpi == "signed_amount"]
    assert signed.state == "not_begun" and (signed.base, signed.stretch, signed.band) == (120_000, 150_000, 0.1)
    assert signed.stretch_chance.probability <= signed.base_chance.probability


def test_who_has_left_is_asked_for_nothing(client):
    rows = split_goal(client, GOAL).rows
    assert set(rows.loc[rows["scope"] == "person", "scope_id"]) == {"P1", "P2", "P3"}
    with pytest.raises(InputError, match="Did you mean signed_amount"):
        split_goal(client, GOAL.model_copy(update={"measure": "signed_amout"}))


def test_a_finished_quarter_is_judged_from_what_was_before_it(client):
    period = Period.parse("2026Q1")
    found = {one.kpi: one for one in standings_of(client, period, "team", "T01")}
    one = found["signed_amount"]
    assert one.reached == 73_000 and one.state == "reached" and one.days_left == 0 and one.due == one.base
    assert one.base_chance.periods == 12 and one.base_chance.probability > 0.9 and one.base_chance.flag == "too_low"
    assert found["nps"].spread == "same" and found["nps"].base_chance.flag == "unknown"
    assert goals_of(client, period, team="T03") is None


def test_a_quarter_under_way_counts_what_is_there_and_what_is_left(client):
    parts = dataclasses.replace(client.data.parts, until=dt.date(2026, 1, 31))
    young = dataclasses.replace(client, data=dataclasses.replace(client.data, parts=parts))
    found = standings_of(young, Period.parse("2026Q1"), "company", "company")
    (one,) = [one for one in found if one.kpi == "signed_amount"]
    assert one.as_of == dt.date(2026, 1, 31) and one.days_left == 59 and 0 < one.due < one.base
    assert one.reached == 35_000 and one.to_go == 5_000 and one.per_week == pytest.approx(5_000 / (59 / 7))
    assert one.base_chance.periods == 13 and one.state == "ahead"
    # by hand: 13 months brought 468,000 in some 870 person-days, and three people have 38 working days left
    assert one.outlook.range[1] == pytest.approx(468_000 / 870 * 114, rel=0.1)


def test_the_need_is_read_from_the_clients_own_deals(client):
    need = need_of(client, 300_000, NEXT)
    assert need.status == "ok" and need.days_median == 13
    first = need.rows[need.rows["kind"] == "stage"].iloc[-1]
    # each third deal is lost, and a won one is worth the mean amount: by hand from the table
    assert first["needed"] == pytest.approx(300_000 / need.mean_deal * 1.5, rel=0.06)
    with pytest.raises(InputError, match="Did you mean T01"):
        need_of(client, 300_000, NEXT, team="T1")


def test_people_offer_beside_the_split(client):
    split = split_goal(client, GOAL)
    given = pd.DataFrame({"person_id": ["P1", "P3"], "amount": [50_000.0, 10_000.0]})
    company = offers_of(client, split, given, NEXT)
    assert company.total["people"] == 3 and company.total["silent"] == 1
    team = offers_of(client, split, given, NEXT, team="T01")
    assert set(team.people["person_id"]) == {"P1", "P2"} and team.total["offered"] == 50_000


# ---- the section


def standing(**given) -> Standing:
    period, draws = Period.parse("2026Q1"), Outlook(np.arange(100.0), 20, "ok")
    as_of = given.pop("as_of", dt.date(2026, 2, 15))
    base = given.pop("base", 70.0)
    plain = {"kpi": "signed_amount", "spread": "split", "direction": "up", "reached": 20.0, "due": 30.0, "outlook": draws,
             "base_chance": chance_of(draws, base), "stretch_chance": chance_of(draws, 99.5), "grain": "month"}  # fmt: skip
    return Standing(**{**plain, "period": period, "as_of": as_of, "base": base, "stretch": 99.5, "band": 0.1, **given})


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({}, "behind"), ({"reached": 32.0}, "on_pace"), ({"reached": 40.0}, "ahead"), ({"reached": float("nan")}, "no_data"),
        ({"as_of": dt.date(2026, 3, 31), "reached": 70.0}, "reached"), ({"as_of": dt.date(2026, 3, 31)}, "missed"),
        ({"as_of": dt.date(2025, 12, 31)}, "not_begun"), ({"direction": "down"}, "ahead"),
        ({"direction": "down", "as_of": dt.date(2026, 3, 31)}, "reached"),
    ],
)  # fmt: skip
def test_how_things_stand(given, state):
    assert standing(**given).state == state


def test_what_is_due_follows_the_season_and_the_working_days():
    days = pd.bdate_range("2026-01-01", "2026-03-31")
    weights = {1: 1.0, 2: 1.0, 3: 2.0}
    assert due_by(400.0, Period.parse("2026Q1"), dt.date(2026, 2, 28), weights, days) == 200
    assert due_by(400.0, Period.parse("2026Q1"), dt.date(2026, 3, 31), weights, days) == 400
    half = due_by(400.0, Period.parse("2026Q1"), dt.date(2026, 1, 15), weights, days)
    assert half == pytest.approx(100 * 11 / 22)


def need(wins: int):
    deals = pd.DataFrame({"place": [0] * 80 + [1] * wins, "amount": 150_000.0, "days": [np.nan] * 80 + [30.0] * wins})
    past = FunnelPast(("opened",), deals, 200, 50, 0.5, pd.DataFrame({"opened": [9] * 9, "visits": [30] * 9}))
    return GoalNeed(
        needed(past, 3e6, weeks=13, people=4, end=dt.date(2026, 7, 1), rng=np.random.default_rng(1)), NEXT, 4e6, 0.75
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_of_the_section_can_be_printed(client, pages, language):
    page = pages[language]
    split = split_goal(client, GOAL)
    empty = pd.DataFrame(columns=["goal", "indicator", "per", "monthly", "actual"])
    beside = pd.DataFrame(
        [("q", "visits", "person", 8.0, 6.5), ("q", "nps", "team", 40.0, np.nan)], columns=empty.columns
    )
    unknown = chance_of(Outlook(np.empty(0), 3, "too_few"), 70.0)
    few = standing(
        base_chance=unknown, stretch_chance=unknown, stretch=float("nan"), kpi="nps", spread="same", grain="quarter"
    )
    given = pd.DataFrame({"person_id": ["P1"], "amount": [50_000.0]})
    views = [
        GoalView((standing(),), empty),
        GoalView((standing(as_of=dt.date(2026, 3, 31), base=0.5), few), beside, need(20), offers_of(client, split, given, NEXT, team="T01")),
        GoalView((standing(reached=float("nan")), standing(as_of=dt.date(2025, 12, 31))), empty, need(5),
                 offers_of(client, split, given.head(0), NEXT, team="T01")),
        GoalView((few,), empty),
    ]  # fmt: skip
    for view in views:
        for block in shown(page, view):
            assert not [text for text in (block.title, *block.text, *block.notes) if BROKEN.search(text)], block.text
            html = block_html(block, language, currency="CNY")
            assert not re.search(r">\s*(nan|None)\s*<", html)
            json.dumps(block_json(block, language, currency="CNY"), allow_nan=False)


def test_no_chance_is_named_without_what_it_rests_on(pages):
    page = pages["en"]
    (block,) = shown(page, GoalView((standing(),), pd.DataFrame()))
    assert block.table.frame["chance"].tolist() == ["somewhat unlikely: about 30 in 100 (from 20 past months)"]
    (told,) = block.table.frame["stretch_chance"]
    assert re.fullmatch(r"CNY [\d.,KM]+, hardly: under 1 in 100 \(from 20 past months\)", told), told
    assert "behind the plan" in block.text[0]
    done = dataclasses.replace(
        standing(base=1.0), as_of=dt.date(2026, 3, 31), base_chance=chance_of(standing().outlook, 95.0)
    )
    (block,) = shown(page, GoalView((done,), pd.DataFrame()))
    assert any("may be too high" in note for note in block.notes)


def test_the_command_splits_the_client_files_goals_and_writes_them(small_client, tmp_path, capsys):
    from kpi_research import cli

    out = tmp_path / "made" / "targets.csv"
    assert cli.main(["goals", str(small_client)]) == 2 and "goals" in capsys.readouterr().err
    goal = "goals:\n  - {name: next, label: {zh: 明年, en: Next year}, measure: signed_amount, period: '2027', base: 1200001}\n"
    small_client.write_text(small_client.read_text(encoding="utf-8") + goal, encoding="utf-8")
    assert cli.main(["goals", str(small_client), "--out", str(out)]) == 0
    assert "1,200,001" in capsys.readouterr().out
    written = pd.read_csv(out)
    months = written[(written["scope"] == "person") & written["period"].str.fullmatch(r"2027-\d\d")]
    assert months["base"].sum() == 1200001 and set(written["version"]) == {"next"}
