"""A total as the sum of its parts: bars that begin where the one before ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kpi_research.language import Language
from kpi_research.report.axes import FOOT, TOP, labelled_rows, value_axis
from kpi_research.report.block import Figure
from kpi_research.report.charts import described_rows
from kpi_research.report.drawing import WIDTH, Colour
from kpi_research.report.format import Writing

SMALLEST_SHOWN = 0.05
"""Points; less reads 0.0."""


@dataclass(frozen=True)
class Step:
    """A row of the chart: a `level` is where the total stands, a `part` moves it by `points`."""

    label: str
    points: float
    kind: Literal["level", "part"] = "part"


def waterfall(
    steps: Sequence[Step], language: Language, *, signed: bool, key: str, start: float = 0.0, caption: str = ""
) -> Figure:
    """Parts one after another, from `start` or from the last level on.

    Parameters
    ----------
    signed
        Whether parts are gains and losses; otherwise they are what a total is made of.
    key
        Sentence that describes the chart, with `{rows}`.
    """
    written, ends, at = Writing("points", language), [], start
    for step in steps:
        begin = at
        at = step.points if step.kind == "level" else at + step.points
        ends.append((begin, at))
    shown = [_shown(step, written, signed=signed) for step in steps]
    bold = [step.kind == "level" for step in steps]
    drawing, places = labelled_rows([step.label for step in steps], shown, bold=bold)
    x = value_axis(drawing, places, values=[start, *(end for _, end in ends)], written=written)
    for step, (begin, end), y, words in zip(steps, ends, places.middles, shown, strict=True):
        colour = _colour(step, signed=signed)
        drawing.words((WIDTH, y), words, anchor="end", colour=colour, bold=step.kind == "level")
        if step.kind == "level":
            drawing.dots([(x(end), y)], colour, size=14)
        elif abs(step.points) >= SMALLEST_SHOWN:
            drawing.strokes([((x(begin), y), (x(end), y))], colour, width=14)
        else:
            drawing.strokes([((x(end), y - 8), (x(end), y + 8))], colour, width=3)
    joins = zip(ends[:-1], places.middles[:-1], places.middles[1:], strict=True)
    drawing.strokes([((x(end), y + 8), (x(end), below - 8)) for (_, end), y, below in joins], "unknown", width=1)
    drawing.strokes([((x(start), TOP), (x(start), drawing.height - FOOT))] if not signed else [], "unknown", width=1)
    rows = [{"label": step.label, "value": step.points} for step in steps]
    return drawing.figure(described_rows(key, rows, "value", written), caption)


def _colour(step: Step, *, signed: bool) -> Colour:
    if step.kind == "level" or not signed:
        return "accent"
    if abs(step.points) < SMALLEST_SHOWN:
        return "unknown"
    return "good" if step.points > 0 else "poor"


def _shown(step: Step, written: Writing, *, signed: bool) -> str:
    words = written.value(step.points)
    return f"+{words}" if signed and step.kind == "part" and step.points >= SMALLEST_SHOWN else words
