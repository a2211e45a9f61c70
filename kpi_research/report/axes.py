"""Scales, axes and labelled rows: the parts that several charts share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.ticker import MaxNLocator

from kpi_research.report.drawing import FONT, LINE, WIDTH, Drawing, width_of, wrap
from kpi_research.report.format import Writing, is_missing

LABELS = 150
"""Units a row's label may take: nine Chinese characters or about fourteen Latin letters a line."""
GAP = 12
"""Units between words and the strokes beside them."""
TOP = 34
FOOT = 30

Scale = Callable[[float], float]


@dataclass(frozen=True)
class Rows:
    """The rows of a drawing: the middle of each, and from where to where there is room between label and value."""

    middles: list[float]
    start: float
    end: float


def scale(data: tuple[float, float], units: tuple[float, float]) -> Scale:
    """From data to view box: the ends of `data` come to lie at the ends of `units`."""
    (low, high), (start, end) = data, units
    return lambda value: start + (value - low) / (high - low) * (end - start)


def ticks_around(values: Iterable[Any], most: int) -> list[float]:
    """Round numbers around the values that are there."""
    present = [float(value) for value in values if not is_missing(value)] or [0.0]
    low, high = min(present), max(present)
    room = 0.0 if high > low else abs(low) / 10 or 1.0
    return list(MaxNLocator(nbins=most).tick_values(low - room, high + room))


def labelled_rows(
    labels: Sequence[str], values: Sequence[str], *, bold: Sequence[bool] = (), foot: float = FOOT
) -> tuple[Drawing, Rows]:
    """A drawing with its row labels, and where its rows are; `values` are the words that shall stand at their ends."""
    wrapped = [wrap(str(label), LABELS) for label in labels]
    room = max(map(widest, wrapped), default=0)
    heights = [max(34, len(lines) * LINE + 12) for lines in wrapped]
    drawing = Drawing(TOP + sum(heights) + foot)
    middles = [TOP + sum(heights[:i]) + height / 2 for i, height in enumerate(heights)]
    for i, (lines, y) in enumerate(zip(wrapped, middles, strict=True)):
        drawing.words((room, y), lines, anchor="end", bold=bool(bold) and bold[i])
    return drawing, Rows(middles, room + GAP, WIDTH - widest(values) - GAP)


def value_axis(drawing: Drawing, rows: Rows, *, values: Iterable[Any], written: Writing) -> Scale:
    """Grid lines and tick labels below the rows; gives the scale that reaches over all the values."""
    ticks = ticks_around(values, 4)
    x = scale((ticks[0], ticks[-1]), (rows.start + GAP, rows.end - GAP))
    drawing.strokes([((x(tick), TOP), (x(tick), drawing.height - FOOT)) for tick in ticks], "rule", width=1)
    shown = [_tick_text(tick, written) for tick in ticks]
    every = every_nth(shown, x(ticks[1]) - x(ticks[0]))
    for tick, words in list(zip(ticks, shown, strict=True))[::every]:
        drawing.words((x(tick), drawing.height - 14), words, anchor="middle")
    return x


def upright_axis(
    drawing: Drawing, values: Iterable[Any], *, written: Writing, foot: float = 34, end: float = WIDTH
) -> tuple[Scale, float]:
    """Grid lines and tick labels at the left; gives the scale over all the values and where the grid starts."""
    ticks = ticks_around(values, 4)
    y = scale((ticks[0], ticks[-1]), (drawing.height - foot - 12, TOP + 8))
    shown = [_tick_text(tick, written) for tick in ticks]
    start = widest(shown) + GAP
    drawing.strokes([((start, y(tick)), (end, y(tick))) for tick in ticks], "rule", width=1)
    for tick, words in zip(ticks, shown, strict=True):
        drawing.words((start - GAP, y(tick)), words, anchor="end")
    return y, start


def legend(drawing: Drawing, words: str) -> None:
    """What the dashed line of the chart is, at the top left."""
    drawing.strokes([((0, TOP - 18), (24, TOP - 18))], "unknown", dashed=True)
    drawing.words((30, TOP - 18), words)


def widest(words: Iterable[str]) -> float:
    """The width of the widest of them, in units."""
    return max(map(width_of, words), default=0.0)


def every_nth(names: Sequence[str], room: float) -> int:
    """Every how many names one fits without touching the next."""
    needed = widest(names) + FONT / 2
    return next(step for step in range(1, len(names) + 2) if room * step >= needed or step > len(names))


def zone_between(drawing: Drawing, between: tuple[float, float], *, words: str) -> None:
    """A grey band from top to foot, with its meaning above it."""
    middle = sum(between) / 2
    drawing.strokes([((middle, TOP), (middle, drawing.height - FOOT))], "zone", width=abs(between[1] - between[0]))
    drawing.words((WIDTH, TOP - 18), words, anchor="end")


def _tick_text(value: float, written: Writing) -> str:
    """A round number without `.0`."""
    return re.sub(r"\.0(?!\d)", "", written.value(value))
