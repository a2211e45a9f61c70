"""The chart of every KPI at every lag: a map of squares, read across for the lag and down for the KPI."""

from __future__ import annotations

import math

import pandas as pd

from kpi_research.language import Language, say
from kpi_research.report.axes import GAP, LABELS, TOP, labelled_rows, widest
from kpi_research.report.block import Figure
from kpi_research.report.charts import described_rows, records_of
from kpi_research.report.drawing import FONT, WIDTH, Colour, Drawing, Point, Segment, width_of, wrap
from kpi_research.report.format import Writing, is_missing

LARGEST = 0.3
"""Effect from which a square is as large as there is room. It is the same in every map: one of chance looks pale."""
SIDE = 24.0
"""Side of the largest square, in units."""
LINE_WIDTH = 2.5
LEGEND_FOOT = 44


def effect_map(rows: pd.DataFrame, language: Language, *, caption: str = "") -> Figure:
    """A square a KPI and lag, its area the size of the effect: filled where it is positive, hollow where negative.

    Frames stand around the cells that stand out of the map; the numbers beside the squares are left out where the lags
    are too many for them.

    Parameters
    ----------
    rows
        `kpi`, `label, lag, effect` and `stands_out`, sorted by KPI as the rows shall be; one row a cell.
    """
    cells, written = records_of(rows), Writing("number", language)
    labels = {row["kpi"]: row["label"] for row in cells}
    lags = sorted({int(row["lag"]) for row in cells})
    drawing, places = labelled_rows([*labels.values()], [""], foot=LEGEND_FOOT)
    middles = dict(zip(labels, places.middles, strict=True))
    wide = (WIDTH - places.start) / max(1, len(lags))
    numbers = [_number(row["effect"], written) for row in cells]
    fits = wide >= SIDE + 4 + widest(numbers) + GAP
    taken = SIDE + 4 + widest(numbers) if fits else SIDE
    for lag in lags:
        drawing.words((places.start + (lag - lags[0] + 0.5) * wide, TOP - 14), str(lag), anchor="middle")
    drawing.words((0, TOP - 14), wrap(say("screen.chart.lag", language), LABELS, most=1))
    for row, words in zip(cells, numbers, strict=True):
        start, y = places.start + (int(row["lag"]) - lags[0]) * wide, middles[row["kpi"]]
        if row["stands_out"]:
            _outline(drawing, (start + wide / 2, y), (wide - 6, SIDE + 6), "ink")
        _square(drawing, (start + (wide - taken) / 2 + SIDE / 2, y), row["effect"])
        if fits:
            drawing.words((start + (wide + taken) / 2, y), words, anchor="end", bold=bool(row["stands_out"]))
    _legend(drawing, language)
    described = [{**row, "label": _cell_name(row, language)} for row in cells if not is_missing(row["effect"])]
    described.sort(key=lambda row: -abs(row["effect"]))
    return drawing.figure(described_rows("screen.chart.map", described, "effect", written), caption)


def _number(effect: float, written: Writing) -> str:
    """Two decimals: finer differences are nothing in a picture. Nothing where nothing could be estimated."""
    return "" if is_missing(effect) else written.value(round(effect, 2) or 0.0)


def _square(drawing: Drawing, middle: Point, effect: float) -> None:
    if is_missing(effect):
        return
    side = max(3.0, SIDE * math.sqrt(min(abs(effect), LARGEST) / LARGEST))
    if effect >= 0:
        (x, y) = middle
        drawing.strokes([((x - side / 2, y), (x + side / 2, y))], "accent", width=side)
    else:
        inner = max(0.5, side - LINE_WIDTH)
        _outline(drawing, middle, (inner, inner), "fair")


def _outline(drawing: Drawing, middle: Point, size: Point, colour: Colour) -> None:
    (x, y), (wide, high) = middle, (size[0] / 2, size[1] / 2)
    reach = wide + LINE_WIDTH / 2
    across: list[Segment] = [((x - reach, y + side), (x + reach, y + side)) for side in (-high, high)]
    upright: list[Segment] = [((x + side, y - high), (x + side, y + high)) for side in (-wide, wide)]
    drawing.strokes([*across, *upright], colour, width=LINE_WIDTH)


def _legend(drawing: Drawing, language: Language) -> None:
    """What squares and frames are, below the rows."""
    y, x = drawing.height - 16, 0.0
    for key in ("more", "less", "frame"):
        middle = (x + FONT / 2 + 2, y)
        if key == "frame":
            _outline(drawing, middle, (FONT + 2, FONT + 2), "ink")
        else:
            _square(drawing, middle, LARGEST / 2 if key == "more" else -LARGEST / 2)
        words = say(f"screen.chart.{key}", language)
        drawing.words((x + FONT + 10, y), words)
        x += FONT + 10 + width_of(words) + GAP


def _cell_name(row: dict[str, object], language: Language) -> str:
    key = "screen.chart.framed_cell" if row["stands_out"] else "screen.chart.cell"
    return say(key, language, kpi=row["label"], lag=row["lag"])
