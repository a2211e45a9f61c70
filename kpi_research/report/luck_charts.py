"""The chart of the places that people may truly have."""

from __future__ import annotations

import pandas as pd

from kpi_research.language import Language, say
from kpi_research.report.axes import FOOT, GAP, TOP, every_nth, labelled_rows, scale
from kpi_research.report.block import Figure
from kpi_research.report.charts import described_rows, records_of
from kpi_research.report.drawing import WIDTH, Colour
from kpi_research.report.format import Writing

COLOURS: dict[int, Colour] = {1: "good", 0: "unknown", -1: "poor"}
MARKS = {1: "▲", 0: "", -1: "▼"}


def place_ranges(rows: pd.DataFrame, language: Language, *, caption: str = "") -> Figure:
    """From which to which place each person may truly stand, with a dot at the place of the score; 1 is the best.

    Parameters
    ----------
    rows
        `label, place, place_low, place_high`, and `side`: 1 clearly above the mean, -1 clearly below, 0 neither.
    """
    cells, written = records_of(rows), Writing("count", language)
    shown = [f"{MARKS[row['side']]} {row['place_low']}–{row['place_high']}".strip() for row in cells]
    drawing, room = labelled_rows([row["label"] for row in cells], shown)
    places = range(1, len(cells) + 1)
    x = scale((1, max(2, len(cells))), (room.start + GAP, room.end - GAP))
    every = every_nth([str(place) for place in places], x(2) - x(1))
    for place in places[::every]:
        drawing.strokes([((x(place), TOP), (x(place), drawing.height - FOOT))], "rule", width=1)
        drawing.words((x(place), drawing.height - 14), str(place), anchor="middle")
    drawing.words((room.start, TOP - 18), say("luck.chart.best", language))
    for row, y, words in zip(cells, room.middles, shown, strict=True):
        colour = COLOURS[row["side"]]
        drawing.strokes([((x(row["place_low"]), y), (x(row["place_high"]), y))], colour, width=4)
        drawing.dots([(x(row["place"]), y)], colour)
        drawing.words((WIDTH, y), words, anchor="end", colour=colour, bold=row["side"] != 0)
    described = [{**row, "low": row["place_low"], "high": row["place_high"]} for row in cells]
    return drawing.figure(described_rows("luck.chart.places", described, "place", written), caption)
