"""Charts: their strokes lie where the data say, their words are text and harmless, their bytes repeat."""

import logging
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pandas as pd
import pytest
from matplotlib.ft2font import FT2Font

from kpi_research.report.block import Figure
from kpi_research.report.charts import attainment_bars, lag_profile, people_dots, trend, verdict_overview
from kpi_research.report.drawing import COLOURS, FONT, LINE, WIDTH, Drawing, width_of, wrap

NAN = float("nan")
HOSTILE = '<script>alert("1")</script>{x}\u202e$\\frac{1}{2}$ 张三😀\x00'
SVG = "{http://www.w3.org/2000/svg}"

ATTAINMENT = pd.DataFrame(
    {
        "label": ["签约额", HOSTILE],
        "attainment": [1.1, NAN],
        "low": [0.9, NAN],
        "high": [9.0, NAN],
        "status": ["good", "?"],
    }
)
PEOPLE = pd.DataFrame(
    {
        "label": ["张三", HOSTILE],
        "value": [80.0, NAN],
        "low": [70.0, NAN],
        "high": [90.0, NAN],
        "highlighted": [True, False],
    }
)
TREND = pd.DataFrame({"period": ["2026Q1", "2026Q2", HOSTILE], "value": [1e6, NAN, 2e6], "target": [1e6, 1e6, NAN]})
LAGS = pd.DataFrame({"lag": [1, -1, 0], "effect": [0.2, 0.0, NAN], "low": [0.1, -0.1, NAN], "high": [0.3, 0.1, NAN]})
VERDICTS = pd.DataFrame(
    {"label": ["拜访量", HOSTILE], "effect": [0.2, NAN], "low": [0.1, NAN], "high": [0.3, NAN], "code": ["B·M", "N"]}
)
CHARTS: dict[str, Callable[..., Figure]] = {
    "attainment": lambda language, rows=ATTAINMENT: attainment_bars(rows, language),
    "people": lambda language, rows=PEOPLE: people_dots(rows, language, reference=82.0, band=(78, 86)),
    "trend": lambda language, rows=TREND: trend(rows, language, unit="money", currency="CNY"),
    "lags": lambda language, rows=LAGS: lag_profile(rows, language),
    "verdicts": lambda language, rows=VERDICTS: verdict_overview(rows, language, sesoi=0.1),
}
FRAMES = {"attainment": ATTAINMENT, "people": PEOPLE, "trend": TREND, "lags": LAGS, "verdicts": VERDICTS}


def strokes(figure: Figure, colour: str) -> list[list[float]]:
    """The numbers of each path of this colour: x0, y0, x1, y1."""
    paths = ET.fromstring(figure.svg).iter(f"{SVG}path")
    return [
        [float(number) for number in re.findall(r"-?\d+\.?\d*", path.attrib["d"])]
        for path in paths
        if f"stroke: var(--{colour}, " in path.attrib["style"]
    ]


def words(figure: Figure) -> list[str]:
    return [text.text or "" for text in ET.fromstring(figure.svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_hostile_labels_and_gaps(name: str, language: str, caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        figure = CHARTS[name](language)
    root = ET.fromstring(figure.svg)
    assert not caplog.records
    assert root.attrib["role"] == "img" and root.attrib["aria-label"].replace("\u202e", "") != ""
    assert not re.search(r"<script|\bnan\b|\u202e|\x00", figure.svg)
    assert re.findall(r"https?://[^\"' ]+", figure.svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"\bid=|<style|<defs|clip", figure.svg)
    assert "—" in figure.alt


@pytest.mark.parametrize("name", CHARTS)
def test_same_data_same_bytes(name: str) -> None:
    assert CHARTS[name]("zh").svg == CHARTS[name]("zh").svg != CHARTS[name]("en").svg


@pytest.mark.parametrize("name", CHARTS)
def test_nothing_to_show(name: str) -> None:
    empty = CHARTS[name]("en", FRAMES[name].iloc[:0])
    assert ET.fromstring(empty.svg).tag == f"{SVG}svg"


@pytest.mark.parametrize("name", CHARTS)
def test_every_stroke_stays_in_the_picture(name: str) -> None:
    figure = CHARTS[name]("zh")
    height = float(ET.fromstring(figure.svg).attrib["height"])
    for colour in COLOURS:
        for x0, y0, x1, y1 in strokes(figure, colour):
            assert 0 <= x0 <= WIDTH and 0 <= x1 <= WIDTH and 0 <= y0 <= height and 0 <= y1 <= height


def test_a_bar_is_as_long_as_its_attainment() -> None:
    rows = pd.DataFrame(
        {"label": ["a", "b"], "attainment": [1.0, 0.5], "low": NAN, "high": NAN, "status": ["good", "poor"]}
    )
    figure = attainment_bars(rows, "en")
    (full,), (half,), (target,) = (strokes(figure, colour) for colour in ("good", "poor", "unknown"))
    assert full[2] - full[0] == pytest.approx(2 * (half[2] - half[0]), abs=0.01)
    assert target[0] == pytest.approx(full[2], abs=0.01)
    assert {"✓ 100.0%", "✕ 50.0%"} <= set(words(figure))


def test_a_bar_beyond_the_scale_ends_at_it_and_keeps_its_figure() -> None:
    rows = ATTAINMENT.assign(attainment=[9.0, -0.5], low=[8.0, -1.0], high=[10.0, 0.0], status="good")
    figure = attainment_bars(rows, "en")
    assert "✓ 900.0%" in words(figure) and "✓ -50.0%" in words(figure)
    assert max(stroke[2] for stroke in strokes(figure, "good")) < WIDTH


def test_people_keep_their_order_and_the_highlighted_one_stands_out() -> None:
    rows = pd.DataFrame(
        {
            "label": list("abc"),
            "value": [90.0, 80.0, 70.0],
            "low": 60.0,
            "high": 95.0,
            "highlighted": [False, True, False],
        }
    )
    figure = people_dots(rows, "en", reference=80.0)
    assert [word for word in words(figure) if word in "abc"] == ["a", "b", "c"]
    dots = [stroke for stroke in strokes(figure, "accent") if stroke[0] == stroke[2]]
    dashed = [stroke for stroke in strokes(figure, "unknown") if stroke[0] == stroke[2] and stroke[1] != stroke[3]]
    assert len(dots) == 1 and dots[0][0] == pytest.approx(dashed[0][0], abs=0.01)
    assert re.search(r'font-weight="600">b<', figure.svg)
    assert "Average 80.0; a 90.0 (range 60.0–95.0)" in figure.alt


def test_trend_shows_the_last_eight_and_no_line_over_a_gap() -> None:
    rows = pd.DataFrame({"period": [f"2025-{month:02}" for month in range(1, 13)], "value": range(12), "target": NAN})
    assert (
        len(
            [
                stroke
                for stroke in strokes(trend(rows, "en", unit="count", currency="CNY"), "accent")
                if stroke[0] == stroke[2]
            ]
        )
        == 8
    )
    rows["value"] = rows["value"].astype(float).where(rows["period"] != "2025-10")
    figure = trend(rows, "en", unit="count", currency="CNY")
    lines = [stroke for stroke in strokes(figure, "accent") if stroke[0] != stroke[2]]
    assert len(lines) == 5 and "2025-04" not in figure.alt and "2025-10 —" in figure.alt


def test_money_is_in_the_currency_of_the_client() -> None:
    for language, shown in (("zh", "USD 200.0万"), ("en", "USD 2.0M")):
        figure = trend(TREND, language, unit="money", currency="USD")
        assert "CNY" not in figure.svg + figure.alt and shown in words(figure) and shown in figure.alt
        assert sum(word.startswith("USD ") for word in words(figure)) >= 4


@pytest.mark.parametrize("values", [[1e6, 2e6, 3e6], [3e6, 2e6, 1e6], [1e6, 2e6, NAN]])
def test_the_last_value_stands_clear_of_its_line(values: list[float]) -> None:
    rows = pd.DataFrame({"period": ["Q1 2026", "Q2 2026", "Q3 2026"], "value": values, "target": NAN})
    figure = trend(rows, "en", unit="money", currency="CNY")
    (label,) = (text for text in ET.fromstring(figure.svg).iter(f"{SVG}text") if "accent" in text.get("fill", ""))
    start, end = float(label.attrib["x"]), float(label.attrib["x"]) + width_of(label.text or "")
    assert max(max(stroke[0], stroke[2]) for stroke in strokes(figure, "accent")) + 5 < start and end <= WIDTH


def test_no_target_no_legend_of_it() -> None:
    assert "Target" in words(trend(TREND, "en", unit="money", currency="CNY"))
    without = trend(TREND.assign(target=NAN), "en", unit="money", currency="CNY")
    assert "Target" not in words(without) and not strokes(without, "unknown")


def test_the_lead_is_set_apart_and_comes_first() -> None:
    figure = lag_profile(LAGS, "zh")
    lead, later = strokes(figure, "fair"), strokes(figure, "accent")
    assert lead and later and max(stroke[0] for stroke in lead) < min(stroke[0] for stroke in later)
    assert "−1 检验" in words(figure) and figure.alt.index("检验(晚") < figure.alt.index("同期 —")


def test_the_zone_is_twice_the_smallest_effect_that_matters() -> None:
    rows = VERDICTS.iloc[:1].assign(low=-0.1, high=0.1)
    figure = verdict_overview(rows, "zh", sesoi=0.1)
    (interval,) = (stroke for stroke in strokes(figure, "accent") if stroke[0] != stroke[2])
    (width,) = re.findall(r"var\(--zone[^;]*; stroke-width: ([\d.]+)", figure.svg)
    assert float(width) == pytest.approx(interval[2] - interval[0], abs=0.01)
    assert "B·M  0.2" in words(figure)


def test_long_lists_say_how_many_are_left_out() -> None:
    rows = pd.concat([PEOPLE.iloc[:1]] * 20)
    assert people_dots(rows, "en").alt.endswith("8 more not listed.")


@pytest.mark.parametrize(
    "label", ["客户净推荐值与满意度综合得分(含经销商)" * 4, "An extraordinarily long name " * 9, "x" * 300, ""]
)
def test_long_labels_are_wrapped_and_cut(label: str) -> None:
    lines = wrap(label, 150)
    assert 1 <= len(lines) <= 3 and all(width_of(line) <= 150 for line in lines)
    assert lines[-1].endswith("…") or not label


@pytest.mark.parametrize(
    "text", ["CRM completeness", "CNY 13.5M", "✓ 100.0%", "Net promoter score", "Q3 2026", "C  0.49"]
)
def test_text_takes_no_more_room_than_is_kept_for_it(text: str) -> None:
    """Measured by FreeType in the bold cut of the widest usual fallback font."""
    font = FT2Font(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf")
    font.set_size(FONT, 72)
    font.set_text(text)
    assert 0.95 < width_of(text) / (font.get_width_height()[0] / 64) < 1.2


def test_no_words_reach_beyond_the_picture() -> None:
    people = pd.DataFrame(
        {
            "label": ["Net promoter score", "CRM completeness"],
            "value": [100.0, 1234.5],
            "low": -50.0,
            "high": 2e3,
            "highlighted": True,
        }
    )
    lags, rows = LAGS.assign(effect=-1234.5), TREND.assign(period=["Q1 2026", "Q2 2026", "Q3 2026"])
    for language in ("zh", "en"):
        for figure in (
            people_dots(people, language, reference=80.0, band=(70, 90)),
            lag_profile(lags, language),
            trend(rows, language, unit="money", currency="CNY"),
        ):
            for text in ET.fromstring(figure.svg).iter(f"{SVG}text"):
                share = {"start": 0.0, "middle": 0.5, "end": 1.0}[text.attrib["text-anchor"]]
                left = float(text.attrib["x"]) - share * (width := width_of(text.text or ""))
                assert -1 <= left <= WIDTH + 1 - width, text.text


def test_lines_of_a_label_are_centred_on_their_row() -> None:
    drawing = Drawing(100)
    drawing.words((0, 50), ["a", "b", "c"])
    heights = [float(height) for height in re.findall(r' y="([\d.]+)"', drawing.figure("x").svg)]
    assert heights[1] - heights[0] == heights[2] - heights[1] == LINE
    assert heights[1] == pytest.approx(50, abs=8)
