"""A person's own page: nobody else's name or number, arithmetic that anybody can do again, and where the records are."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from conftest import small_tables, write_client
from test_forms_workbook import CASES, scored
from test_score import KPIS

from kpi_research.appraisal.attainment import attainment, share_earned
from kpi_research.appraisal.scheme import SchemeItem
from kpi_research.errors import InputError
from kpi_research.language import say
from kpi_research.report.index import FOLDED_FROM, IndexEntry, index_html
from kpi_research.report.page import build, sections
from kpi_research.report.score_words import Words, arithmetic, rule_words
from kpi_research.report.sections.score_waterfall import TOTAL, parts_of
from kpi_research.report.tables import block_json
from kpi_research.run import pages
from kpi_research.run.client import open_client
from kpi_research.run.person_scores import SMALLEST_RANKED, own_position, own_score, people_in, person_scores
from kpi_research.run.reports import reports
from kpi_research.run.settings import read_client_file

SHOWN = ("scorecard_headline", "score_waterfall", "score_reason", "score_records", "trend")
SCORECARD = "  - {notebook: scorecard, per: person, every: quarter, audience: person}\n"
SCHEME = """scheme:
  name: own
  label: {zh: 自定, en: Own}
  rankings: RANKINGS
  items:
    - {kpi: signed_amount, weight: 60}
    - {kpi: nps, weight: 20}
    - {kpi: peer_rating, weight: 20}
"""
NUMBER = r"-?[\d,]+(?:\.\d+)?"
SHARE_TIMES_WEIGHT = re.compile(rf"= ({NUMBER})% × ({NUMBER})(?: 分)? = ({NUMBER})")


def own_client(folder: Path, *, rankings: str = "own_position", tables=None, language: str = "zh") -> Path:
    path = write_client(folder, tables or small_tables(), language)
    text = path.read_text(encoding="utf-8").replace("scheme: saas_2025\n", SCHEME.replace("RANKINGS", rankings))
    path.write_text(text + SCORECARD, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return open_client(own_client(tmp_path_factory.mktemp("own")))


@pytest.fixture(autouse=True, scope="module")
def without_study():
    """No section of a person's page looks at the study, and it takes longer than all the rest."""
    patch = pytest.MonkeyPatch()
    patch.setattr(pages, "study_of", lambda *_: None)
    yield
    patch.undo()


def page_of(client, person: str, language="zh"):
    return pages.person_data(client, client.periods("quarter")[-1], person, language)


def all_said(page) -> str:
    """Everything that stands on the page and in the numbers beside it."""
    blocks = [block for name in SHOWN for block in build(sections()[name], page)]
    assert not [block for block in blocks if block.status == "failed"], [block.text for block in blocks]
    pictures = "".join(block.figure.svg for block in blocks if block.figure)
    return (
        json.dumps([block_json(b, page.language, currency=page.currency) for b in blocks], ensure_ascii=False)
        + pictures
    )


def test_nobody_elses_name_or_number_is_on_a_persons_page(client):
    names = {"P1": "王芳", "P2": "李雷", "P3": "alert(1)", "P4": "赵敏"}
    scores = person_scores(client, client.periods("quarter")[-1])
    for person in ("P1", "P2", "P3"):
        page = page_of(client, person)
        said = all_said(page)
        for other, name in names.items():
            if other != person:
                assert not re.search(rf"\b{other}\b", said) and name not in said, (person, other)
        assert page.people.empty and page.people_score is None and set(page.names) == {person}
        assert set(page.history["entity_id"]) | set(page.months["entity_id"]) == {person}
        assert set(page.score.rows["entity_id"]) == {person} and not page.score.draws
        mine = scores.rows[scores.rows["entity_id"] == person]["actual"].to_numpy()
        assert np.array_equal(page.score.rows["actual"].to_numpy(), mine, equal_nan=True)


def test_of_few_marks_of_colleagues_not_even_the_sum_is_told(client):
    (block,) = build(sections()["score_records"], page_of(client, "P1"))
    peers = block.table.frame[block.table.frame["label"] == client.kpis["peer_rating"].label.zh].iloc[0]
    assert all("÷" not in str(peers[month]) for month in ("2026-01", "2026-02", "2026-03", "quarter"))
    nps = block.table.frame[block.table.frame["label"] == client.kpis["nps"].label.zh].iloc[0]
    assert "÷" in nps["quarter"]


def test_a_person_of_another_time_has_no_page_and_nobody_is_named(client):
    with pytest.raises(InputError) as raised:
        page_of(client, "P4")
    assert "P4" in raised.value.text("en") and "P1" not in raised.value.text("en")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_arithmetic_can_be_done_again_by_hand(name, language):
    """From the printed numbers alone: the quotient, and share times weight."""
    _, form = scored(*CASES[name])
    words = Words(language, "CNY")
    for item in (each for each in form.items if each.status == "ok"):
        figures = {"actual": item.actual, "target": item.target, "attainment": item.attainment, "points": item.points}
        sentence = arithmetic(item.item, item.kpi, **figures, words=words)
        share, weight, points = map(number, SHARE_TIMES_WEIGHT.search(sentence).groups())
        assert abs(share / 100 * weight - points) <= 0.011, sentence
        assert abs(points - item.points) <= 0.0051
        quotient = re.search(rf"({NUMBER})%? ?\w* ÷ \D*?({NUMBER})%?[^=÷]* = ({NUMBER})%", sentence)
        if quotient and item.kpi.direction == "up":
            above, below, reached = map(number, quotient.groups())
            assert abs(above / below * 100 - reached) <= 0.011, sentence


def number(text: str) -> float:
    return float(text.replace(",", ""))


def test_sentences_say_which_limit_decided():
    def said(name: str, place: int) -> str:
        item = scored(*CASES[name])[1].items[place]
        figures = {"actual": item.actual, "target": item.target, "attainment": item.attainment, "points": item.points}
        return arithmetic(item.item, item.kpi, **figures, words=Words("en", "CNY"))

    assert "above the most that counts, 100%" in said("over the cap", 0) and "= 25." in said("over the cap", 0)
    assert "under the least that counts, 50%" in said("at the floor", 0)
    assert "Under 60% there are no points" not in said("in proportion", 1)
    assert "within 15% of the target and counts as 100%" in said("in a band", 0)
    assert "115.5% − 10% = 105.5%" in said("over a band", 0) and "÷ (100% − 5%)" in said("under a band", 0)
    assert "reaches the step from 80% on" in said("steps", 0) and "under the first step (60%)" in said(
        "under the first step", 0
    )
    assert "target 30 days ÷ actual 37.5 days = 80%" in said("inverse", 2)


def test_rules_in_words_name_every_number_of_the_rule():
    item = SchemeItem.model_validate(
        {"kpi": "nps", "weight": 10, "band": 0.1, "cap": 1.5, "zero_below": 0.6, "raters": {"self": 20, "superior": 80}, "scope": "team"}
    )  # fmt: skip
    text = rule_words(item, KPIS["nps"], Words("en", "CNY"))
    assert all(part in text for part in ("10%", "150%", "60%", "self 20%", "superior 80%", "team's figure"))


def test_parts_add_up_to_the_total_and_changes_to_the_change():
    for name, case in CASES.items():
        found, form = scored(*case)
        parts = parts_of(found)
        if not np.isnan(form.total) and name not in ("a veto", "a deduction to nothing"):
            assert parts.drop(TOTAL).sum() == pytest.approx(form.total), name
        assert np.isnan(form.total) or parts.drop(TOTAL).sum() == pytest.approx(parts[TOTAL]), name


def test_the_change_chart_starts_and_ends_at_the_totals(client):
    page = page_of(client, "P1")
    now, before = parts_of(page.score), parts_of(page.previous_score)
    change = (now.fillna(0) - before.fillna(0)).drop(TOTAL).sum()
    assert change == pytest.approx(now[TOTAL] - before[TOTAL])
    blocks = {block.name: block for block in build(sections()["score_waterfall"], page)}
    frame = blocks["score_waterfall"].table.frame.set_index("kpi")
    assert frame.loc[TOTAL, "change"] == pytest.approx(frame.drop(index=TOTAL)["change"].sum())
    assert set(blocks) == {"score_waterfall", "score_change"}


def test_the_sum_can_be_done_again_by_hand(client):
    page = page_of(client, "P1")
    (sentence, *_) = next(iter(build(sections()["score_waterfall"], page))).text
    points, weight, total = re.fullmatch(rf"\(([^)]*)\) ÷ \D*({NUMBER}) × 100 = ({NUMBER}) 分。", sentence).groups()
    by_hand = sum(map(number, points.split(" + "))) / number(weight) * 100
    assert abs(by_hand - number(total)) <= 0.1 and number(total) == pytest.approx(
        page.score.totals["score"][0], abs=0.051
    )


def test_without_an_earlier_quarter_there_is_no_change(client):
    page = dataclasses.replace(page_of(client, "P1"), previous_score=None)
    (block,) = build(sections()["score_waterfall"], page)
    assert block.name == "score_waterfall" and "change" not in [column.key for column in block.table.columns]
    alone = dataclasses.replace(page, score=None)
    assert all_said(alone)


def test_months_counted_are_the_quarters_records(client):
    page = page_of(client, "P2")
    months = page.months[page.months["kpi"] == "signed_amount"]
    assert months["numerator"].sum() == page.now().loc["signed_amount", "numerator"]
    assert months["n"].sum() == page.now().loc["signed_amount", "n"] == 3


def big_team(people: int) -> dict[str, str]:
    """The small client with a team of many, whose signings differ a lot."""
    tables = small_tables()
    for number in range(10, 10 + people):
        person = f"P{number}"
        tables["people.csv"] += f"{person},人{number},2024-01-01,\n"
        tables["assignments.csv"] += f"{person},T01,2024-01-01,\n"
        for week in range(1, 12):
            day = pd.Timestamp("2026-01-01") + pd.Timedelta(days=7 * week)
            tables["contracts.csv"] += f"K-{person}-{week},A2,{person},{day:%Y-%m-%d} 10:00,{(number - 8) * 900},new,\n"
        tables["targets.csv"] += f"person,{person},signed_amount,2026Q1,40000,1\n"
    return tables


def test_a_place_is_told_only_where_the_scheme_says_so_and_scores_tell_people_apart(tmp_path):
    period = "2026Q1"
    told = open_client(own_client(tmp_path / "a", tables=big_team(8)))
    quarter = told.known_period(period)
    place = own_position(told, quarter, "P17")
    assert place is not None and place.place == 1 and place.of >= SMALLEST_RANKED
    assert own_position(told, quarter, "P3").reason == "few"
    silent = open_client(own_client(tmp_path / "b", tables=big_team(8), rankings="none"))
    assert own_position(silent, quarter, "P17") is None
    page = pages.person_data(told, quarter, "P17", "en")
    (headline,) = build(sections()["scorecard_headline"], page)
    assert any("place 1" in note for note in headline.notes)


def test_everybody_is_scored_once_as_alone(client):
    quarter = client.periods("quarter")[-1]
    kept = own_score(client, quarter, "P1")
    alone = client.score(period=quarter, level="person", entities=["P1"])
    pd.testing.assert_frame_equal(kept.rows, alone.rows, check_dtype=False)
    pd.testing.assert_frame_equal(kept.totals, alone.totals, check_dtype=False)


def test_reports_of_people_follow_their_team(client, tmp_path):
    quarter = client.periods("quarter")[-1]
    every = [each for each in reports(client, quarter, tmp_path) if each.level == "person"]
    assert [each.entity_id for each in every] == people_in(client, quarter) == ["P1", "P2", "P3"]
    assert {each.job.folder.parent for each in every} == {tmp_path / "people"}
    of_team = reports(client, quarter, tmp_path, teams=["T01"], notebooks=["scorecard"])
    assert [each.entity_id for each in of_team] == ["P1", "P2"]


@pytest.mark.parametrize(
    "line",
    [
        "{notebook: scorecard, per: team, audience: person}",
        "{notebook: scorecard, per: person, audience: manager}",
        "{notebook: appraisal, per: person, audience: person}",
        "{notebook: appraisal, per: team, audience: person}",
    ],
)
def test_a_page_for_a_person_can_only_be_their_own(tmp_path, line):
    path = own_client(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + f"  - {line}\n", encoding="utf-8")
    with pytest.raises(InputError) as raised:
        read_client_file(path)
    assert "per person and for the audience person" in raised.value.text("en")


def test_many_people_are_folded_in_the_index_but_not_their_failures():
    def entries(count: int, failed: bool = False) -> list[IndexEntry]:
        return [IndexEntry("person", f"人{i}", "记分卡", "x.html", failed=failed and i == 1) for i in range(count)]

    assert "<details" not in index_html(entries(FOLDED_FROM - 1), title="x", language="zh")
    folded = index_html(entries(60), title="x", language="zh")
    assert '<details class="folded"><summary>' in folded and say("page.index.open", "zh", count=60) in folded
    assert '<details class="folded" open>' in index_html(entries(60, failed=True), title="x", language="zh")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The scorecards and the form, made by the command."""
    path = own_client(tmp_path_factory.mktemp("run"), language="en")
    command = [sys.executable, "-m", "kpi_research", "run", str(path), "--notebook", "scorecard", "--jobs", "1"]
    done = subprocess.run(
        [*command, "--language", "en"], capture_output=True, text=True, encoding="utf-8", timeout=400, check=False
    )
    return path, path.parents[1] / "reports" / "small" / "2026Q1", done


def test_a_run_leaves_scorecards_and_the_form(ran):
    _, out, done = ran
    assert done.returncode == 0, done.stderr
    for person in ("P1", "P2", "P3"):
        assert {each.name for each in (out / "people" / person).iterdir()} >= {"scorecard.html", "results.json"}
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    entry = next(each for each in manifest["jobs"] if each["name"] == "appraisal.xlsx")
    assert entry["status"] == "done" and list(entry["files"]) == ["appraisal.xlsx"]
    assert 'href="appraisal.xlsx"' in (out / "index.html").read_text(encoding="utf-8")
    book = openpyxl.load_workbook(out / "appraisal.xlsx", data_only=True)
    assert len(book.sheetnames) == 4
    shown = {row[1].value: row[4].value for row in book.worksheets[0].iter_rows(min_row=4)}
    results = json.loads((out / "people" / "P1" / "results.json").read_text(encoding="utf-8"))
    assert shown["P1"] == pytest.approx(results["blocks"]["scorecard_headline"]["facts"]["score"], abs=1e-9)


def test_delivered_files_of_a_person_name_nobody_else(ran):
    path, out, _ = ran
    names = {"P1": "王芳", "P2": "李雷", "P3": "alert(1)"}
    for person in names:
        for file in (out / "people" / person).iterdir():
            text = file.read_text(encoding="utf-8")
            for other, name in names.items():
                if other != person:
                    assert name not in text and not re.search(rf"\b{other}\b", text), (file, other)
            assert str(path.parents[1]) not in text and "manager" not in file.name


@pytest.mark.slow
def test_every_person_page_of_the_demonstration_is_private(tmp_path):
    """All people of the made-up company: html, notebook and numbers name nobody else by name or id."""
    root = Path(__file__).parents[1]
    command = [
        sys.executable,
        "-m",
        "kpi_research",
        "run",
        "params/demo.yaml",
        "--notebook",
        "scorecard",
        "--jobs",
        "2",
    ]
    done = subprocess.run([*command, "--out", str(tmp_path)], cwd=root, capture_output=True, timeout=3000, check=False)
    assert done.returncode == 0, done.stderr
    people = open_client(root / "params" / "demo.yaml").data.people.set_index("person_id")["name"]
    folders = [folder for folder in tmp_path.rglob("people/*") if folder.is_dir()]
    assert len(folders) >= 50
    for folder in folders:
        own = folder.name
        mine = {own, people[own]}
        others = {*people.index, *people} - mine
        # 王芳 stands in 王芳芳: who has such a name sees no more of the other by it
        foreign = re.compile("|".join(re.escape(each) for each in others if each not in people[own]))
        for file in folder.iterdir():
            assert not foreign.search(file.read_text(encoding="utf-8")), file


def test_shares_earned_are_what_the_sentence_says():
    """The second road: the share in the sentence is that of `share_earned`, whatever the rule."""
    for name, case in CASES.items():
        for item in scored(*case)[1].items:
            if item.status == "ok":
                figure = np.array([item.actual])
                reached = attainment(figure, item.target, item.kpi.direction, item.item)
                assert item.points == pytest.approx(
                    item.item.weight * float(share_earned(figure, reached, item.item)[0])
                ), name
