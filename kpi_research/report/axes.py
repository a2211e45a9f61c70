"""Scales, axes and labelled rows: the parts that several charts share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from matplotlib.ticker import MaxNLocator

from kpi_research.language import Language
from kpi_research.report.drawing import FONT, LINE, WIDTH, Drawing, width_of, wrap
from kpi_research.report.format import Unit, format_value, is_missing

LABELS = 150
"""Units kept for row labels: nine Chinese characters or seventeen Latin letters a line."""
VALUES = 104
"""Units kept at the right end for the value of each row."""
TOP = 34
FOOT = 30

Scale = Callable[[float], float]


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
    labels: Sequence[str], *, bold: Sequence[bool] = (), foot: float = FOOT
) -> tuple[Drawing, list[float]]:
    """A drawing with its row labels, and the middle of each row."""
    wrapped = [wrap(str(label), LABELS) for label in labels]
    heights = [max(34, len(lines) * LINE + 12) for lines in wrapped]
    drawing = Drawing(TOP + sum(heights) + foot)
    middles = [TOP + sum(heights[:i]) + height / 2 for i, height in enumerate(heights)]
    for i, (lines, y) in enumerate(zip(wrapped, middles, strict=True)):
        drawing.words((LABELS, y), lines, anchor="end", bold=bool(bold) and bold[i])
    return drawing, middles


def value_axis(drawing: Drawing, values: Iterable[Any], *, unit: Unit, language: Language) -> Scale:
    """Grid lines and tick labels below the rows; gives the scale that reaches over all the values."""
    ticks = ticks_around(values, 4)
    x = scale((ticks[0], ticks[-1]), (LABELS + 24, WIDTH - VALUES))
    drawing.strokes([((x(tick), TOP), (x(tick), drawing.height - FOOT)) for tick in ticks], "rule", width=1)
    shown = [_tick_text(tick, unit, language) for tick in ticks]
    every = every_nth(shown, x(ticks[1]) - x(ticks[0]))
    for tick, words in list(zip(ticks, shown, strict=True))[::every]:
        drawing.words((x(tick), drawing.height - 14), words, anchor="middle")
    return x


def upright_axis(drawing: Drawing, values: Iterable[Any], *, unit: Unit, language: Language, foot: float = 34) -> Scale:
    """Grid lines and tick labels at the left; gives the scale that reaches over all the values."""
    ticks = ticks_around(values, 4)
    y = scale((ticks[0], ticks[-1]), (drawing.height - foot - 12, TOP + 8))
    drawing.strokes([((92, y(tick)), (WIDTH, y(tick))) for tick in ticks], "rule", width=1)
    for tick in ticks:
        drawing.words((84, y(tick)), _tick_text(tick, unit, language), anchor="end")
    return y


def legend(drawing: Drawing, words: str) -> None:
    """What the dashed line of the chart is, at the top left."""
    drawing.strokes([((0, TOP - 18), (24, TOP - 18))], "unknown", dashed=True)
    drawing.words((30, TOP - 18), words)


def every_nth(names: Sequence[str], room: float) -> int:
    """Every how many names one fits without touching the next."""
    widest = max((width_of(name) for name in names), default=0) + FONT / 2
    return next(step for step in range(1, len(names) + 2) if room * step >= widest or step > len(names))


def zone_between(drawing: Drawing, between: tuple[float, float], *, words: str) -> None:
    """A grey band from top to foot, with its meaning above it."""
    middle = sum(between) / 2
    drawing.strokes([((middle, TOP), (middle, drawing.height - FOOT))], "zone", width=abs(between[1] - between[0]))
    drawing.words((WIDTH, TOP - 18), words, anchor="end")


def _tick_text(value: float, unit: Unit, language: Language) -> str:
    """A round number without `.0`."""
    return re.sub(r"\.0(?!\d)", "", format_value(value, unit, language))
