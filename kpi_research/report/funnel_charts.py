"""The charts of the funnel's sections."""

from __future__ import annotations

import itertools

import pandas as pd

from kpi_research.language import Language, say
from kpi_research.report.axes import FOOT, GAP, TOP, labelled_rows, legend, scale, upright_axis, value_axis
from kpi_research.report.block import Figure
from kpi_research.report.charts import described_rows, records_of
from kpi_research.report.drawing import WIDTH, Colour, Drawing
from kpi_research.report.format import Unit, Writing, is_missing

BAR = 20
DAY_LABELS = (0, 7, 14, 21, 30)


def funnel_bars(rows: pd.DataFrame, language: Language, *, caption: str = "") -> Figure:
    """How many of a hundred reach each stage, as bars that get shorter, with whiskers for the interval.

    Parameters
    ----------
    rows
        `label`; `value`, `low`, `high` as shares of the first stage; `weak`: the bottleneck is the step to here.
    """
    cells, written = records_of(rows), Writing("share", language)
    shown = ["—" if is_missing(row["value"]) else f"{row['value'] * 100:.0f}" for row in cells]
    drawing, places = labelled_rows([row["label"] for row in cells], shown, foot=10)
    drawing.words((WIDTH, TOP - 18), say("funnel.chart.of_hundred", language), anchor="end")
    x = scale((0, 1), (places.start, places.end))
    for row, y, words in zip(cells, places.middles, shown, strict=True):
        colour: Colour = "poor" if row["weak"] else "accent"
        if not is_missing(row["value"]):
            drawing.strokes([((x(0), y), (x(row["value"]), y))], colour, width=BAR)
        if not (is_missing(row["low"]) or is_missing(row["high"])):
            drawing.strokes([((x(row["low"]), y), (x(row["high"]), y))], "ink", width=3)
        drawing.words((WIDTH, y), f"✕ {words}" if row["weak"] else words, anchor="end", colour=colour, bold=True)
    return drawing.figure(described_rows("funnel.chart.funnel", cells, "value", written), caption)


def contact_curve(rows: pd.DataFrame, language: Language, *, rule: int, caption: str = "") -> Figure:
    """The share that was contacted again by each day, the day of the house rule marked.

    Parameters
    ----------
    rows
        `days`; `value` as a share.
    rule
        The day of the rule.
    """
    cells, written = records_of(rows), Writing("share", language)
    drawing = Drawing(300)
    y, start = upright_axis(drawing, [0, 1], written=written)
    last = max(int(rows["days"].max()), 1)
    x = scale((0, last), (start + GAP, WIDTH - 16))
    known = [row for row in cells if not is_missing(row["value"])]
    points = [(x(row["days"]), y(row["value"])) for row in known]
    flat = [((a[0], a[1]), (b[0], a[1])) for a, b in itertools.pairwise(points)]
    up = [((b[0], a[1]), (b[0], b[1])) for a, b in itertools.pairwise(points)]
    drawing.strokes([*flat, *up], "accent", width=3)
    drawing.strokes([((x(rule), y(0)), (x(rule), y(1)))], "unknown", dashed=True)
    legend(drawing, say("funnel.chart.rule", language, days=rule))
    for day in (day for day in DAY_LABELS if day <= last):
        drawing.words((x(day), drawing.height - 14), f"{day}", anchor="middle")
    at = next((row for row in known if row["days"] == rule), None)
    if at is not None:
        drawing.dots([(x(rule), y(at["value"]))], "accent")
        drawing.words((x(rule) + GAP, y(at["value"]) + 16), written.value(at["value"]), colour="accent", bold=True)
    marked = [{**row, "label": say("funnel.chart.day", language, day=row["days"])} for row in known]
    chosen = [row for row in marked if row["days"] in (1, rule, 7, 14, last)]
    return drawing.figure(described_rows("funnel.chart.contact", chosen, "value", written), caption)


def forecast_record(rows: pd.DataFrame, language: Language, *, unit: Unit, currency: str, caption: str = "") -> Figure:
    """Past forecasts as ranges with a dot where the outcome came to lie, and the new one as a range alone.

    Parameters
    ----------
    rows
        `label`; `value`, the forecast; `low`, `high`; `came`, null for the new one; oldest first.
    """
    cells, written = records_of(rows), Writing(unit, language, currency)
    shown = [written.value(row["value"] if is_missing(row["came"]) else row["came"]) for row in cells]
    new = [is_missing(row["came"]) for row in cells]
    drawing, places = labelled_rows([row["label"] for row in cells], shown, bold=new)
    values = [0, *(row[key] for row in cells for key in ("low", "high", "came"))]
    x = value_axis(drawing, places, values=values, written=written)
    drawing.words((0, TOP - 18), say("funnel.chart.expected", language))
    for row, y, words, is_new in zip(cells, places.middles, shown, new, strict=True):
        colour: Colour = "accent" if is_new else "unknown"
        drawing.strokes([((x(row["low"]), y), (x(row["high"]), y))], colour, width=6 if is_new else 4)
        drawing.strokes([((x(row["value"]), y - 8), (x(row["value"]), y + 8))], colour, width=2)
        if not is_new:
            inside = row["low"] <= row["came"] <= row["high"]
            drawing.dots([(x(row["came"]), y)], "good" if inside else "poor", size=13)
            words = f"{'✓' if inside else '✕'} {words}"
        drawing.words((WIDTH, y), words, anchor="end", colour="accent" if is_new else None, bold=is_new)
    bottom = drawing.height - FOOT
    drawing.strokes([((x(0), TOP), (x(0), bottom))], "unknown")
    return drawing.figure(described_rows("funnel.chart.forecast", cells, "value", written), caption)
