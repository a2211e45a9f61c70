"""The frame of what effects can be trusted, and every sentence that the page can say of it."""

from __future__ import annotations

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from golden.planted_worlds import world
from test_evidence_attrition import CROWDED, draw, seen

from kpi_research.evidence.attrition import fit_leaving, reweighted
from kpi_research.evidence.differences import fit_differences
from kpi_research.evidence.lags import fit_lags
from kpi_research.evidence.outcome import outcome_of
from kpi_research.evidence.study import study
from kpi_research.evidence.trust import COLUMNS, Weekly, trust
from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import LANGUAGES
from kpi_research.language import catalogue as sentences
from kpi_research.report.data import PageData
from kpi_research.report.html import block_html
from kpi_research.report.page import build, sections

BROKEN = re.compile(r"\bnan\b|\bNone\b|<NA>|\binf\b|\{[a-z_]+\}")


@pytest.fixture(scope="module")
def company():
    """Result, KPIs, who left, and weeks of one of the KPIs."""
    rng = np.random.default_rng(1)
    made = world(rng, 40, 24)
    left = np.where(rng.random(40) < 0.4, rng.integers(4, 23, 40), -1)
    known = {
        name: np.where((left[:, None] < 0) | (np.arange(24) <= left[:, None]), values, np.nan)
        for name, values in made.items()
    }
    weeks = np.repeat(known["driver"], 4, axis=1) + rng.standard_normal((40, 96))
    return known.pop("revenue"), known, left, Weekly({"driver": weeks}, np.repeat(np.arange(24), 4))


def test_the_row_of_a_kpi_is_what_the_three_functions_say(company):
    y, kpis, left, weekly = company
    row = trust(y, kpis, 2, left, weekly).set_index("kpi").loc["driver"]
    leaving = fit_leaving(y, kpis["driver"], left, 2)
    assert row["leave_odds"] == np.exp(leaving.kpi.value) and row["n_leavers"] == leaving.n_leavers
    assert row["weighted_ratio"] == reweighted(y, kpis["driver"], leaving, 2).ratio
    changes = fit_differences(y, kpis["driver"], 2)
    assert row["differ_p"] == max(each.p for each in changes.apart)
    assert row["slope_differences"] / row["slope_within"] == pytest.approx(
        changes.by_length[0].value / changes.within.value
    )
    assert 0.7 < row["reliability_low"] < row["reliability"] < row["reliability_high"] < 0.9


def test_the_slope_within_people_is_the_studys_effect(company):
    y, kpis, _, _ = company
    frame = trust(y, kpis, 2).set_index("kpi")
    assert (frame["effect_unit"] == "within_sd").all()
    long = pd.concat(
        pd.DataFrame(
            {
                "level": "person",
                "entity_id": np.repeat([f"u{i:02d}" for i in range(40)], 24),
                "period": np.tile([f"{t:02d}" for t in range(24)], 40),
                "kpi": name,
                "value": values.ravel(),
                "status": "ok",
            }
        )
        for name, values in {"revenue": y, "driver": kpis["driver"]}.items()
    )
    found = study(long.dropna(), outcome="revenue", with_depth=False).verdicts.iloc[0]
    again = trust(y, kpis, found["lags"]).set_index("kpi")
    assert again.loc["driver", "slope_within"] == pytest.approx(found["effect"], rel=1e-9)


def test_money_with_zeros_is_looked_at_in_its_relative_form(company):
    y, kpis, left, _ = company
    money = np.where(y > -0.3, 1000 * np.exp(y), 0.0)
    money[np.isnan(y)] = np.nan
    outcome = outcome_of(money)
    frame = trust(money, kpis, 1, left).set_index("kpi")
    assert outcome.unit == "share" and (frame["effect_unit"] == "share").all()
    tested = fit_lags(outcome.tested, kpis["driver"], 1).total
    sign = np.sign(tested.value)
    assert np.sign(frame.loc["driver", "slope_within"]) == sign
    assert frame.loc["driver", "leave_p"] == fit_leaving(outcome.tested, kpis["driver"], left, 1).kpi.p


def test_what_is_not_known_has_its_reason(company):
    y, kpis, left, weekly = company
    frame = trust(y, kpis, 1).set_index("kpi")
    assert set(frame["leaving_reason"]) == {"not_known"} and set(frame["reliability_reason"]) == {"no_weeks"}
    few = np.where(np.cumsum(left >= 0) <= 3, left, -1)
    frame = trust(y, {"driver": kpis["driver"], "same": np.ones_like(y)}, 1, few, weekly).set_index("kpi")
    assert frame.loc["driver", ["leaving_reason", "n_leavers"]].tolist() == ["few_leavers", 3]
    assert frame.loc["same", "slopes_reason"] == "not_estimable"
    assert trust(y, {"same": np.ones_like(y)}, 1, left)["leaving_reason"].tolist() == ["not_estimable"]
    short = dataclasses.replace(weekly, values={"driver": weekly.values["driver"][:5]})
    assert trust(y, kpis, 1, weekly=short)["reliability_reason"].tolist()[0] == "not_estimable"


def test_the_columns_are_the_same_whatever_there_is_and_can_be_stored(company, tmp_path):
    y, kpis, left, weekly = company
    for frame in (trust(y, {}, 1), trust(y, kpis, 1), trust(y, kpis, 1, left, weekly)):
        assert list(frame.columns) == list(COLUMNS)
        frame.to_parquet(tmp_path / "trust.parquet")
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "trust.parquet"), frame)


def page_of(frame: pd.DataFrame, language: str) -> PageData:
    """A page as far as the section looks at it."""
    blank = {field.name: None for field in dataclasses.fields(PageData)}
    filled = {
        "language": language,
        "currency": "CNY",
        "kpis": catalogue(),
        "study": SimpleNamespace(beside=SimpleNamespace(trust=frame)),
    }
    return PageData(**{**blank, **filled})


def every_case() -> pd.DataFrame:
    """One row for each thing that can be said, whatever the numbers beside it."""
    known = {"n_leavers": 12, "leave_odds": 1.4, "leave_p": 0.2, "weighted_p": 0.5, "moves": False, "weighted_ratio": 0.97,
             "reliability": 0.41, "reliability_low": 0.3, "reliability_high": 0.5, "slope_within": 0.2,
             "slope_differences": 0.1, "slope_long": 0.2, "long_periods": 6, "differ_p": 0.01, "grows": True,
             "leaving_reason": "", "reliability_reason": "", "slopes_reason": "", "effect_unit": "within_sd"}  # fmt: skip
    cases = [
        {},
        {"weighted_p": 0.01, "weighted_ratio": 0.84, "grows": False},
        {"weighted_p": 0.01, "weighted_ratio": 0.55, "moves": True, "grows": None},
        {"weighted_p": 0.01, "weighted_ratio": np.nan, "moves": True, "slopes_reason": "not_estimable"},
        {"weighted_ratio": np.nan, "moves": None, "reliability_reason": "no_weeks"},
        {"leaving_reason": "few_leavers", "n_leavers": 3, "reliability_reason": "not_estimable"},
        {"leaving_reason": "not_known"},
        {"leaving_reason": "not_estimable"},
    ]
    names = list(catalogue())[: len(cases)]
    rows = [{**known, **case, "kpi": name} for name, case in zip(names, cases)]
    return pd.DataFrame(rows, columns=[*COLUMNS]).astype(COLUMNS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_every_sentence_and_no_number_is_broken(language):
    page = page_of(every_case(), language)
    blocks = build(sections()["trust"], page)
    assert [block.name for block in blocks] == ["trust_leaving", "trust_weeks", "trust_changes"]
    told = [sentence for block in blocks for sentence in block.table.frame["sentence"]]
    wanted = [key for key in sentences() if key.startswith(("trust.leaving.", "trust.weeks.", "trust.changes."))]
    for key in wanted:
        begun = getattr(sentences()[key], language).split("{")[0]
        assert any(sentence.startswith(begun) for sentence in told), key
    for block in blocks:
        html = block_html(block, language, currency="CNY")
        assert not BROKEN.search(re.sub(r"<[^>]+>", " ", html)), block.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_any_kpi_the_page_says_so(language):
    (block,) = build(sections()["trust"], page_of(every_case().iloc[:0], language))
    assert block.status == "no_data" and block.text


def test_where_the_intense_leave_the_page_says_that_the_effect_is_that_of_those_who_stayed():
    y, x, left = draw(np.random.default_rng(3), **CROWDED)
    y, x = seen(y, x, left)
    kpi = next(iter(catalogue()))
    frame = trust(y, {kpi: x}, 1, left)
    assert frame["weighted_p"][0] < 0.05 and frame["weighted_ratio"][0] < 0.9
    sentence = build(sections()["trust"], page_of(frame, "en"))[0].table.frame["sentence"][0]
    assert "effect among those who stayed" in sentence or "holds for those who stayed" in sentence


def test_small_panels_full_of_holes_get_a_row_or_a_reason_and_no_warning():
    rng = np.random.default_rng(0)
    for _ in range(150):
        people, periods, lags = rng.integers(2, 25), rng.integers(3, 20), int(rng.integers(1, 4))
        y = (
            rng.poisson(1, (people, periods)).astype(float)
            if rng.random() < 0.5
            else rng.normal(size=(people, periods))
        )
        x = np.round(rng.normal(size=(people, periods)), int(rng.integers(0, 3)))
        for values in (y, x):
            values[rng.random(values.shape) < rng.choice([0, 0.1, 0.5])] = np.nan
        left = np.where(rng.random(people) < rng.choice([0, 0.5, 0.95]), rng.integers(0, periods + 1, people), -1)
        weeks = np.repeat(x, 4, axis=1) + rng.normal(size=(people, 4 * periods))
        row = trust(y, {"x": x}, lags, left, Weekly({"x": weeks}, np.repeat(np.arange(periods), 4))).iloc[0]
        for reason, number in (("leaving", "leave_p"), ("reliability", "reliability"), ("slopes", "differ_p")):
            assert (row[f"{reason}_reason"] == "") == (0 <= row[number] <= 1)
