"""What readers see of the map of KPIs by lags: a look, with what chance alone would show beside it."""

import datetime as dt
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_evidence_screen import world

from kpi_research.evidence.screen import screen
from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import LANGUAGES
from kpi_research.periods import Period
from kpi_research.report.data import PageData
from kpi_research.report.drawing import WIDTH
from kpi_research.report.html import block_html
from kpi_research.report.page import build, sections
from kpi_research.report.screen_charts import LARGEST, effect_map
from kpi_research.report.tables import block_json

BROKEN = re.compile(r"\bnan\b|\bNone\b|<NA>|\binf\b|\{[a-z_]+\}")
OUTCOME = "signed_amount"


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


def found(effects=(), kpis=6, lags=3, people=30):
    y, x = world(np.random.default_rng(4), people, 20, kpis, effects=effects, together=0.0)
    names = [name for name in catalogue() if name != OUTCOME]
    return screen(y, dict(zip(names, x)), lags, draws=499)


def page(language: str, frame: pd.DataFrame) -> PageData:
    empty = pd.DataFrame()
    return PageData(
        client_title="", language=language, audience="analyst", currency="CNY", period=Period.parse("2026Q2"),
        level="company", entity_id="C", entity_name="C", outcome=OUTCOME, kpis=catalogue(), history=empty, people=empty,
        names={}, study=SimpleNamespace(beside=SimpleNamespace(screen=frame)), quality=None, until=dt.date(2026, 6, 30),
    )  # fmt: skip


def block_of(language: str, frame: pd.DataFrame):
    (block,) = build(sections()["screen"], page(language, frame))
    return block


def words(block) -> str:
    figure = [block.figure.alt, block.figure.caption, block.figure.svg] if block.figure else []
    return "\n".join([block.title, *block.text, *block.notes, *figure])


@pytest.mark.parametrize("effects", [(), (0.4,), (0.4, -0.4)])
def test_the_map_reads_plainly_in_both_languages(language, effects):
    frame = found(effects)
    frame.loc[frame["kpi"] == frame["kpi"].iloc[-1], ["effect", "se", "ci_low", "ci_high", "p", "familywise_p"]] = (
        np.nan
    )
    block = block_of(language, frame)
    assert block.status == "ok"
    assert not BROKEN.search(words(block)), words(block)
    assert not BROKEN.search(block_html(block, language, currency="CNY"))
    stored = block_json(block, language, currency="CNY")
    assert len(stored["facts"]["screen"]) == len(frame)
    assert stored["facts"]["screen"][-1]["effect"] is None
    assert block.figure.svg.count("<text") > 6


def test_without_any_effect_the_page_says_what_chance_shows():
    frame = found()
    frame["familywise_p"] = np.linspace(0.4312, 1, len(frame))
    text = block_of("en", frame).text
    assert "No cell stands out" in text[1] and "43% of such maps" in text[1]
    assert "no verdict" in text[2]


def test_what_stands_out_is_counted_and_the_strongest_named():
    frame = found((0.5,)).assign(familywise_p=0.6)
    frame.loc[0, "familywise_p"] = 0.002
    one = block_of("en", frame)
    first = catalogue()[frame["kpi"].iloc[0]].label.en.lower()
    assert f"one of 18 cells stands out (framed): {first} at lag 1" in one.text[1].lower()
    assert "no more than 5%" in one.text[1]
    assert one.table.frame["kpi"].iloc[0] == frame["kpi"].iloc[0]
    assert one.table.frame["lag_1"].iloc[0] == frame["effect"].iloc[0]
    assert one.table.frame["strict"].iloc[0] == 0.002
    assert "lag 1 (stands out)" in one.figure.alt
    frame.loc[7, "familywise_p"] = 0.05
    several = block_of("en", frame)
    assert f"of 18 cells 2 stand out (framed), the strongest being {first} at lag 1" in several.text[1].lower()


def test_nothing_to_draw(language):
    frame = found(kpis=1).assign(effect=np.nan)
    for nothing in (frame, frame.iloc[:0]):
        block = block_of(language, nothing)
        assert block.status == "no_data" and block.figure is None


def test_many_kpis_are_all_in_the_table_and_the_picture_says_what_it_leaves_out():
    block = block_of("en", found(kpis=23, people=12))
    assert len(block.table.frame) == 23
    assert any("20 KPIs with the smallest p of 23" in note for note in block.notes)


CELLS = pd.DataFrame(
    {
        "kpi": ["a", "a", "b", "b"],
        "label": ["拜访<b>", "拜访<b>", "Calls", "Calls"],
        "lag": [1, 2, 1, 2],
        "effect": [LARGEST, -LARGEST / 5, 9.0, np.nan],
        "stands_out": [True, False, False, False],
    }
)


def stroke_widths(svg: str, colour: str) -> list[float]:
    paths = re.findall(r"<path [^>]*/>", svg)
    found = [re.search(r"stroke-width: ([\d.]+)", path) for path in paths if f"var(--{colour}" in path]
    return [float(one.group(1)) if one else 1.0 for one in found]


def test_squares_grow_with_the_effect_up_to_a_limit_and_signs_differ_in_form(language):
    figure = effect_map(CELLS, language)
    filled = stroke_widths(figure.svg, "accent")
    # two squares as large as any, and the legend's
    assert filled[:2] == [24.0, 24.0] and len(filled) == 3
    # hollow ones are outlines of four strokes: the one cell and the legend's
    assert len(stroke_widths(figure.svg, "fair")) == 8
    assert len(stroke_widths(figure.svg, "ink")) == 8
    assert "<b>" not in figure.svg


def test_no_word_leaves_the_picture():
    """With six lags the numbers have no room and stand in the table alone."""
    wide = pd.concat([CELLS.assign(lag=CELLS["lag"] + 2 * step) for step in range(3)]).sort_values(["kpi", "lag"])
    for frame, numbers in ((CELLS, True), (wide, False)):
        svg = effect_map(frame, "en").svg
        assert (">-0.06<" in svg) == numbers
        assert all(0 <= float(x) <= WIDTH for x in re.findall(r'<text x="([^"]+)"', svg))
