"""The charts of whom a KPI works for: a forest of groups, and how people compare against each person's own periods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kpi_research.language import Language, say
from kpi_research.report.axes import (
    FOOT,
    GAP,
    TOP,
    Scale,
    every_nth,
    labelled_rows,
    legend,
    scale,
    ticks_around,
    upright_axis,
    value_axis,
)
from kpi_research.report.block import Figure
from kpi_research.report.charts import described_rows, records_of
from kpi_research.report.drawing import LINE, WIDTH, Colour, Drawing, Segment, wrap
from kpi_research.report.format import Unit, Writing

USUAL_SWINGS = 2.0
"""Standard deviations to either side in which nearly all of a person's own periods lie: how long a short line is."""


def group_forest(rows: pd.DataFrame, language: Language, *, unit: Unit, caption: str = "") -> Figure:
    """A dot and its interval for each group, kinds of groups set apart by a heading.

    Where groups differ, those in which a link is seen stand out. Elsewhere none does: that one interval leaves out zero
    and another does not is no difference.

    Parameters
    ----------
    rows
        `kind` and `label` as they shall be shown, rows of a kind together; `effect, low, high`; `differs`, of the kind.
    unit
        Of the effects: `number` or `share`.
    """
    cells, written = records_of(rows), Writing(unit, language)
    lines: list[tuple[str, dict[str, Any] | None]] = []
    for index, row in enumerate(cells):
        if not index or row["kind"] != cells[index - 1]["kind"]:
            lines.append((str(row["kind"]), None))
        lines.append((str(row["label"]), row))
    shown = [written.value(row["effect"]) if row else "" for _, row in lines]
    drawing, places = labelled_rows([label for label, _ in lines], shown, bold=[row is None for _, row in lines])
    values = [0, *(row[key] for row in cells for key in ("effect", "low", "high"))]
    x = value_axis(drawing, places, values=values, written=written)
    drawing.strokes([((x(0), TOP - 6), (x(0), drawing.height - FOOT))], "unknown", dashed=True)
    legend(drawing, say("segments.chart.no_link", language))
    for (_, cell), y, words in zip(lines, places.middles, shown, strict=True):
        if cell is None:
            continue
        seen = cell["differs"] and (cell["low"] > 0 or cell["high"] < 0)
        colour: Colour = "accent" if seen else "unknown"
        drawing.strokes([((x(cell["low"]), y), (x(cell["high"]), y))], colour, width=3)
        drawing.dots([(x(cell["effect"]), y)], colour, size=12)
        drawing.words((WIDTH, y), words, anchor="end", bold=seen)
    return drawing.figure(described_rows("segments.chart.forest", cells, "effect", written), caption)


@dataclass(frozen=True)
class Views:
    """How people compare, and each person's own periods, in natural units.

    Parameters
    ----------
    x, y
        Means of KPI and outcome in equal groups of people.
    between, within
        Slopes.
    swing
        Standard deviation of the KPI within people.
    x_name, y_name, x_unit, y_unit
        What the axes are called and how they are written.
    currency
        The client's, for units of money.
    """

    x: Sequence[float]
    y: Sequence[float]
    between: float
    within: float
    swing: float
    x_name: str
    y_name: str
    x_unit: Unit
    y_unit: Unit
    currency: str


def views_picture(views: Views, language: Language, *, caption: str = "") -> Figure:
    """Groups of people as dots on their dashed line, and through each a short line as each person's own periods go."""
    reach, (between, *own) = USUAL_SWINGS * views.swing, _lines(views)
    points = [end for line in (between, *own) for end in line]
    across, upwards = (Writing(unit, language, views.currency) for unit in (views.x_unit, views.y_unit))
    below = wrap(views.x_name, WIDTH - 120, most=2)
    foot = (1.6 + len(below)) * LINE
    drawing = Drawing(TOP + LINE + 300 + foot)
    y, start = upright_axis(drawing, [at for _, at in points], written=upwards, foot=foot)
    x = _across(drawing, [at for at, _ in points], start, foot=foot, written=across)
    placed = [tuple((x(a), y(b)) for a, b in line) for line in (between, *own)]
    drawing.strokes([(placed[0][0], placed[0][1])], "unknown", dashed=True)
    drawing.strokes([(line[0], line[1]) for line in placed[1:]] if reach > 0 else [], "accent", width=4)
    drawing.dots([(x(a), y(b)) for a, b in zip(views.x, views.y, strict=True)], "ink", size=11)
    drawing.words(((start + WIDTH) / 2, drawing.height - LINE * len(below) / 2 - 4), below, anchor="middle")
    drawing.words((0, TOP - 18), wrap(views.y_name, WIDTH, most=1))
    return drawing.figure(_described(views, across, upwards), caption)


def _lines(views: Views) -> list[Segment]:
    """The line of the groups, over all that is shown, and the short line of each; in natural units."""
    reach = USUAL_SWINGS * views.swing
    own: list[Segment] = [
        ((x - reach, y - views.within * reach), (x + reach, y + views.within * reach))
        for x, y in zip(views.x, views.y, strict=True)
    ]
    middle = float(np.mean(views.x)), float(np.mean(views.y))
    first, last = min(views.x), max(views.x)
    at = [(end, middle[1] + views.between * (end - middle[0])) for end in (first, last)]
    return [(at[0], at[1]), *own]


def _across(drawing: Drawing, values: Sequence[float], start: float, *, foot: float, written: Writing) -> Scale:
    """Tick labels under the grid, and the scale over all the values."""
    ticks = ticks_around(values, 5)
    x = scale((ticks[0], ticks[-1]), (start + GAP, WIDTH - 2 * GAP))
    shown = [written.value(tick) for tick in ticks]
    every = every_nth(shown, x(ticks[1]) - x(ticks[0]))
    for tick, words in list(zip(ticks, shown, strict=True))[::every]:
        drawing.words((x(tick), drawing.height - foot + LINE / 2), words, anchor="middle")
    return x


def _described(views: Views, across: Writing, upwards: Writing) -> str:
    language = across.language
    rows = [
        say("segments.chart.point", language, x=across.value(a), y=upwards.value(b))
        for a, b in zip(views.x, views.y, strict=True)
    ]
    return say(
        "segments.chart.views",
        language,
        kpi=views.x_name,
        outcome=views.y_name,
        rows=(";" if language == "zh" else "; ").join(rows),
        between=direction(views.between, language),
        within=direction(views.within, language),
    )


def direction(slope: float, language: Language) -> str:
    """Whether more of one goes with more or with less of the other, as a word."""
    return say(f"segments.direction.{'up' if slope > 0 else 'down'}", language)
