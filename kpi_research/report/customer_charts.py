"""The charts of the customers' sections."""

from __future__ import annotations

import itertools

import pandas as pd

from kpi_research.language import Language, say
from kpi_research.report.axes import FOOT, GAP, TOP, labelled_rows, scale, upright_axis, value_axis
from kpi_research.report.block import Figure
from kpi_research.report.charts import described_rows, records_of
from kpi_research.report.drawing import WIDTH, Colour, Drawing, width_of
from kpi_research.report.format import Writing, is_missing

MONTH_TICKS = (0, 6, 12, 18, 24, 30, 36)
RANGE_AT = (12, 24, 36)
"""Months at which a curve carries its range: drawn everywhere, two ranges would cover both curves."""


def month_curves(rows: pd.DataFrame, language: Language, *, caption: str = "") -> Figure:
    """Shares by month as steps, with whiskers at each year and the last share in words at the right.

    Parameters
    ----------
    rows
        `series` (its name), `months`; `share`, `low`, `high`; the points of a series one after another.
    """
    written = Writing("share", language)
    groups = [(str(name), group) for name, group in rows.groupby("series", sort=False)]
    drawing = Drawing(320)
    ends = [written.value(group["share"].iloc[-1]) for _, group in groups]
    right = WIDTH - max(map(width_of, ends), default=0) - 1.5 * GAP
    y, start = upright_axis(drawing, [0, 1], written=written, end=right, foot=52)
    last = max(float(rows["months"].max()), 1.0)
    x = scale((0, last), (start + GAP / 2, right))

    colours: tuple[Colour, ...] = ("accent", "good", "fair")
    described = []
    for (name, group), colour, words in zip(groups, itertools.cycle(colours), ends, strict=False):
        # one stroke from change to change: many short ones in a row look like a dotted line
        moves = group["share"].ne(group["share"].shift()) | (group["months"] == group["months"].max())
        cells = records_of(group[moves])
        points = [(x(row["months"]), y(row["share"])) for row in cells]
        flat = [((a[0], a[1]), (b[0], a[1])) for a, b in itertools.pairwise(points)]
        up = [((b[0], a[1]), (b[0], b[1])) for a, b in itertools.pairwise(points)]
        drawing.strokes([*flat, *up], colour, width=3)
        for month in (month for month in RANGE_AT if month <= cells[-1]["months"]):
            row = next(row for row in reversed(cells) if row["months"] <= month)
            if not (is_missing(row["low"]) or is_missing(row["high"])):
                drawing.strokes([((x(month), y(row["low"])), (x(month), y(row["high"])))], "ink")
            described.append({**row, "label": say("customers.chart.at", language, series=name, months=month)})
        drawing.words((right + GAP, points[-1][1]), words, colour=colour, bold=True)
    for month in (month for month in MONTH_TICKS if month <= last):
        drawing.words((x(month), drawing.height - 32), f"{month}", anchor="middle")
    middle = (start + right) / 2
    drawing.words((middle, drawing.height - 10), say("customers.chart.months", language), anchor="middle")
    return drawing.figure(described_rows("customers.chart.curves", described, "share", written), caption)


def forecast_checks(rows: pd.DataFrame, language: Language, *, caption: str = "") -> Figure:
    """Forecasts and last year's number as shares of what really came, which is the line at 100 %.

    Parameters
    ----------
    rows
        `label`; `value`, `low`, `high` of the forecast and `naive`, the same as last year; shares of what came.
    """
    cells, written = records_of(rows), Writing("share", language)
    shown = [f"{row['value'] * 100:.0f}%" for row in cells]
    drawing, places = labelled_rows([row["label"] for row in cells], shown)
    x = value_axis(
        drawing, places, values=[1, *(row[key] for row in cells for key in ("low", "high", "naive"))], written=written
    )
    drawing.strokes([((x(1), TOP - 6), (x(1), drawing.height - FOOT))], "ink", dashed=True)
    drawing.words((0, TOP - 18), say("customers.chart.legend", language))
    for row, y, words in zip(cells, places.middles, shown, strict=True):
        if not (is_missing(row["low"]) or is_missing(row["high"])):
            drawing.strokes([((x(row["low"]), y), (x(row["high"]), y))], "accent", width=3)
        drawing.dots([(x(row["value"]), y)], "accent", size=12)
        if not is_missing(row["naive"]):
            drawing.words((x(row["naive"]), y), "✕", anchor="middle", colour="fair", bold=True)
        drawing.words((WIDTH, y), words, anchor="end", colour="accent", bold=True)
    return drawing.figure(described_rows("customers.chart.checks", cells, "value", written), caption)
