"""The charts of the section on deals: ratios of chances, shown as changes from no difference."""

from __future__ import annotations

import pandas as pd

from kpi_research.language import Language, say
from kpi_research.report.axes import FOOT, TOP, labelled_rows, legend, scale, upright_axis, value_axis
from kpi_research.report.block import Figure
from kpi_research.report.charts import described_rows, records_of
from kpi_research.report.drawing import LINE, WIDTH, Colour, Drawing
from kpi_research.report.format import Writing, is_missing

FOUND = ("more", "less")
"""Statuses of rows in which a difference is seen: they stand out."""


def change_rows(rows: pd.DataFrame, language: Language, *, caption: str = "") -> Figure:
    """A dot and its interval for each kind of contact, on both sides of no difference.

    Parameters
    ----------
    rows
        `label`; `change, change_low, change_high` as shares; `status`.
    """
    cells, written = records_of(rows), Writing("share", language)
    shown = [signed(row["change"], written) for row in cells]
    drawing, places = labelled_rows([row["label"] for row in cells], shown)
    ends = [row[key] for row in cells for key in ("change", "change_low", "change_high")]
    x = value_axis(drawing, places, values=[0, *ends], written=written)
    drawing.strokes([((x(0), TOP - 6), (x(0), drawing.height - FOOT))], "unknown", dashed=True)
    legend(drawing, say("deals.chart.no_difference", language))
    for row, y, words in zip(cells, places.middles, shown, strict=True):
        stands_out = row["status"] in FOUND
        colour: Colour = "accent" if stands_out else "unknown"
        if not (is_missing(row["change_low"]) or is_missing(row["change_high"])):
            drawing.strokes([((x(row["change_low"]), y), (x(row["change_high"]), y))], colour, width=3)
        if not is_missing(row["change"]):
            drawing.dots([(x(row["change"]), y)], colour, size=12)
        drawing.words((WIDTH, y), words, anchor="end", bold=stands_out)
    return drawing.figure(_described("deals.chart.ratios", rows, written), caption)


def window_changes(rows: pd.DataFrame, language: Language, *, caption: str = "") -> Figure:
    """A dot and its interval for each number of days, that of the house rule in the accent colour.

    Parameters
    ----------
    rows
        `day`, `is_rule`; `change, change_low, change_high` as shares; `status`.
    """
    cells, written = records_of(rows), Writing("share", language)
    drawing, foot = Drawing(300), 3.2 * LINE
    ends = [row[key] for row in cells for key in ("change", "change_low", "change_high")]
    y, start = upright_axis(drawing, [0, *ends], written=written, foot=foot)
    x = scale((cells[0]["day"], cells[-1]["day"]), (start + 24, WIDTH - 24))
    drawing.strokes([((start, y(0)), (WIDTH, y(0)))], "unknown", dashed=True)
    legend(drawing, say("deals.chart.no_difference", language))
    for row in cells:
        colour: Colour = "accent" if row["is_rule"] else "unknown"
        at = x(row["day"])
        if not (is_missing(row["change_low"]) or is_missing(row["change_high"])):
            drawing.strokes([((at, y(row["change_low"])), (at, y(row["change_high"])))], colour, width=3)
        if not is_missing(row["change"]):
            drawing.dots([(at, y(row["change"]))], colour, size=14 if row["status"] in FOUND else 10)
        drawing.words((at, drawing.height - foot + LINE), f"{row['day']}", anchor="middle", bold=bool(row["is_rule"]))
    axis = say("deals.chart.days", language)
    drawing.words((WIDTH / 2, drawing.height - LINE / 2 - 4), axis, anchor="middle")
    labelled = rows.assign(label=[say("deals.chart.day", language, days=day) for day in rows["day"]])
    shown = labelled[labelled["day"].isin([1, 7, 14]) | labelled["is_rule"]]
    return drawing.figure(_described("deals.chart.windows", shown, written), caption)


def signed(value: float, written: Writing) -> str:
    """A change with its sign, since a plus says more here than its absence."""
    shown = written.value(value)
    return f"+{shown}" if not is_missing(value) and value > 0 and shown != written.value(0.0) else shown


def _described(key: str, rows: pd.DataFrame, written: Writing) -> str:
    named = rows.rename(columns={"change_low": "low", "change_high": "high"})[["label", "change", "low", "high"]]
    return described_rows(key, records_of(named), "change", written)
