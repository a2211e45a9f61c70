"""The charts of what happened after a change."""

from __future__ import annotations

import itertools

import pandas as pd

from kpi_research.language import Language, say
from kpi_research.report.axes import GAP, TOP, every_nth, legend, scale, upright_axis
from kpi_research.report.block import Figure
from kpi_research.report.charts import described_rows, records_of
from kpi_research.report.drawing import LINE, WIDTH, Colour, Drawing
from kpi_research.report.format import Unit, Writing, is_missing

FOOT = 2.6 * LINE


def half_years(rows: pd.DataFrame, language: Language, *, unit: Unit, currency: str, caption: str = "") -> Figure:
    """The difference of each half-year from the last one before the change, with its range.

    Parameters
    ----------
    rows
        `half_year` (negative before the change, 0 the first one after), `value, low, high`, in order. The reference,
        -1, has the value zero and no range.
    """
    cells, written = records_of(rows), Writing(unit, language, currency)
    for row in cells:
        row["label"] = _named(int(row["half_year"]), language)
    drawing = Drawing(300)
    ends = [0.0, *(row[key] for row in cells for key in ("value", "low", "high"))]
    y, start = upright_axis(drawing, ends, written=written, foot=FOOT)
    places = scale((0, max(len(cells) - 1, 1)), (start + 40, WIDTH - 40))
    drawing.strokes([((start, y(0)), (WIDTH, y(0)))], "unknown")
    for i, row in enumerate(cells):
        is_before = row["half_year"] < 0
        colour: Colour = "unknown" if is_before else "accent"
        if not (is_missing(row["low"]) or is_missing(row["high"])):
            drawing.strokes([((places(i), y(row["low"])), (places(i), y(row["high"])))], colour, width=3)
        drawing.dots([(places(i), y(row["value"]))], colour)
        shown = f"−{-row['half_year']}" if is_before else f"+{row['half_year'] + 1}"
        drawing.words((places(i), drawing.height - FOOT + 4), shown, anchor="middle", colour=colour)
    change = places(sum(row["half_year"] < 0 for row in cells) - 0.5)
    drawing.strokes([((change, TOP), (change, drawing.height - FOOT - 12))], "ink", dashed=True)
    drawing.words((WIDTH / 2, drawing.height - 12), say("changes.chart.axis", language), anchor="middle")
    return drawing.figure(described_rows("changes.chart.half_years", cells, "value", written), caption)


def beside(
    rows: pd.DataFrame, language: Language, *, start: int, unit: Unit, currency: str, caption: str = ""
) -> Figure:
    """What came as a solid line, the comparison as a dashed one, and an upright line at the change.

    Parameters
    ----------
    rows
        `label` (the month), `value`, `compared`, oldest first.
    start
        The row of the first month under the change.
    """
    cells, written = records_of(rows), Writing(unit, language, currency)
    drawing = Drawing(300)
    y, left = upright_axis(drawing, [row[key] for row in cells for key in ("value", "compared")], written=written)
    places = scale((0, max(len(cells) - 1, 1)), (left + 24, WIDTH - 30))
    legend(drawing, say("changes.chart.compared", language))
    lines: tuple[tuple[str, Colour, bool], ...] = (("compared", "unknown", True), ("value", "accent", False))
    for key, colour, dashed in lines:
        points = [(places(i), y(row[key])) for i, row in enumerate(cells)]
        drawing.strokes(itertools.pairwise(points), colour, width=2 if dashed else 3, dashed=dashed)
    change = places(start - 0.5)
    drawing.strokes([((change, TOP), (change, drawing.height - 34 - GAP))], "ink", dashed=True)
    every = every_nth([str(row["label"]) for row in cells], places(1) - places(0))
    for i, row in enumerate(cells):
        if (i - start) % every == 0:
            drawing.words((places(i), drawing.height - 14), str(row["label"]), anchor="middle")
    described = [row for i, row in enumerate(cells) if (i - start) % every == 0]
    return drawing.figure(described_rows("changes.chart.beside", described, "value", written), caption)


def _named(half_year: int, language: Language) -> str:
    if half_year < 0:
        return say("changes.chart.before", language, n=-half_year)
    return say("changes.chart.after", language, n=half_year + 1)
