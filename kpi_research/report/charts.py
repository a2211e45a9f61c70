"""The charts of the pages: plain frames in, a `Figure` with its description out.

Every chart says with words or marks what it says with colour, and describes its data in the page's language, so that
nothing is lost to a reader who cannot see it. Missing values leave a gap and read `—`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

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
    upright_axis,
    value_axis,
    zone_between,
)
from kpi_research.report.block import Figure
from kpi_research.report.drawing import LINE, WIDTH, Colour, Drawing, Segment, width_of, wrap
from kpi_research.report.format import MISSING, Unit, Writing, is_missing

LARGEST_ATTAINMENT = 2.0
"""A bar ends here: one KPI at 900 % must not flatten all the others."""
PERIODS_SHOWN = 8
ROWS_DESCRIBED = 12
MARKS = {"good": "✓", "fair": "!", "poor": "✕", "unknown": "?"}


def attainment_bars(rows: pd.DataFrame, language: Language, *, caption: str = "") -> Figure:
    """Bars towards the target line at 100 %, with whiskers for the interval.

    Parameters
    ----------
    rows
        `label`; `attainment`, `low`, `high` as shares (1.0 is the target); `status`, a tone.
    """
    cells, written = records_of(rows), Writing("share", language)
    ends = [row[key] for row in cells for key in ("attainment", "high") if not is_missing(row[key])]
    top = min(max([1.2, *ends]), LARGEST_ATTAINMENT)
    tones: list[Colour] = [row["status"] if row["status"] in MARKS else "unknown" for row in cells]
    shown = [f"{MARKS[tone]} {written.value(row['attainment'])}" for tone, row in zip(tones, cells, strict=True)]
    drawing, places = labelled_rows([row["label"] for row in cells], shown, foot=10)
    x = scale((0, top), (places.start, places.end))
    for row, y, tone, words in zip(cells, places.middles, tones, shown, strict=True):
        drawing.words((WIDTH, y), words, anchor="end", colour=tone, bold=True)
        if not is_missing(row["attainment"]):
            drawing.strokes([((x(0), y), (x(min(max(row["attainment"], 0), top)), y))], tone, width=14)
        _whiskers(drawing, [_interval(row, x, y, (0, top))], "ink")
    target = x(1)
    drawing.strokes([((target, TOP - 6), (target, drawing.height))] if cells else [], "unknown", dashed=True)
    drawing.words((target, TOP - 18), say("page.chart.target", language, value="100%"), anchor="middle")
    return drawing.figure(_alt("attainment", cells, "attainment", written), caption)


def people_dots(
    rows: pd.DataFrame,
    language: Language,
    *,
    reference: float | None = None,
    band: tuple[float, float] | None = None,
    caption: str = "",
) -> Figure:
    """A dot and its interval for the score of each person, in the order given.

    Parameters
    ----------
    rows
        `label, value, low, high` and `highlighted` (the person whose page this is; drawn larger and in bold).
    reference
        Where the dashed line stands, usually the team's average.
    band
        From where to where nobody can be told from the reference.
    """
    cells, written = records_of(rows), Writing("points", language)
    ends = [row[key] for row in cells for key in ("value", "low", "high")] + [reference, *(band or ())]
    described, shown = list(cells), [written.value(row["value"]) for row in cells]
    bold = [bool(row["highlighted"]) for row in cells]
    drawing, places = labelled_rows([row["label"] for row in cells], shown, bold=bold)
    x = value_axis(drawing, places, values=ends, written=written)
    if band:
        zone_between(drawing, (x(band[0]), x(band[1])), words=say("page.chart.tied", language))
    if reference is not None:
        line = x(reference)
        drawing.strokes([((line, TOP - 6), (line, drawing.height - FOOT))], "unknown", dashed=True)
        average = {"label": say("page.chart.average", language), "value": reference}
        legend(drawing, _described(average, "value", written))
        described.insert(0, average)
    for row, y, words, stands_out in zip(cells, places.middles, shown, bold, strict=True):
        colour: Colour = "accent" if stands_out else "unknown"
        _dot_with_interval(drawing, (row, x, y), colour, size=16 if stands_out else 11)
        drawing.words((WIDTH, y), words, anchor="end", bold=stands_out)
    return drawing.figure(_alt("people", described, "value", written), caption)


def trend(rows: pd.DataFrame, language: Language, *, unit: Unit, currency: str, caption: str = "") -> Figure:
    """The last eight periods as a line, with the target as a dashed one where there is any.

    Parameters
    ----------
    rows
        `period` (as it shall be shown), `value`, `target`, oldest first.
    currency
        The client's, as in ISO 4217; used where `unit` is money.
    """
    cells, written = records_of(rows.tail(PERIODS_SHOWN)), Writing(unit, language, currency)
    drawing = Drawing(300)
    last, words = _last(cells, written)
    values, end = [row[key] for row in cells for key in ("value", "target")], WIDTH - width_of(words) - 1.5 * GAP
    y, start = upright_axis(drawing, values, written=written, end=end)
    places = scale((0, max(len(cells) - 1, 1)), (start + 20, end))
    if any(not is_missing(row["target"]) for row in cells):
        legend(drawing, say("page.chart.target_line", language))
    lines: tuple[tuple[str, Colour, bool], ...] = (("target", "unknown", True), ("value", "accent", False))
    for key, colour, dashed in lines:
        points = [(i, (places(i), y(row[key]))) for i, row in enumerate(cells) if not is_missing(row[key])]
        joined = [(a, b) for (i, a), (j, b) in itertools.pairwise(points) if j == i + 1]
        drawing.strokes(joined, colour, width=2 if dashed else 3, dashed=dashed)
        if not dashed:
            drawing.dots([point for _, point in points], colour, size=9)
    every = every_nth([str(row["period"]) for row in cells], places(1) - places(0))
    for i, row in enumerate(cells):
        if (len(cells) - 1 - i) % every == 0:
            drawing.words((places(i), drawing.height - 14), str(row["period"]), anchor="middle")
    if words:
        drawing.words((places(last) + GAP, y(cells[last]["value"])), words, colour="accent", bold=True)
    described = [{**row, "label": row["period"], "goal": written.value(row["target"])} for row in cells]
    return drawing.figure(_alt("trend", described, "value", written), caption)


def lag_profile(rows: pd.DataFrame, language: Language, *, caption: str = "") -> Figure:
    """The estimated effect by lag, the lead (-1) set apart: it is a check and should lie at zero.

    Parameters
    ----------
    rows
        `lag` (-1 lead, 0 same period, 1.. later), `effect`, `low`, `high`.
    """
    cells, written = records_of(rows.sort_values("lag")), Writing("number", language)
    axis = wrap(say("page.chart.lag_axis", language), WIDTH)
    drawing, foot = Drawing(300), 2.3 * LINE + len(axis) * LINE
    values = [0, *(row[key] for row in cells for key in ("effect", "low", "high"))]
    y, start = upright_axis(drawing, values, written=written, foot=foot)
    places = scale((0, max(len(cells) - 1, 1)), (start + 40, WIDTH - 50))
    drawing.strokes([((start, y(0)), (WIDTH, y(0)))], "unknown")
    for i, row in enumerate(cells):
        lead = row["lag"] < 0
        colour: Colour = "fair" if lead else "accent"
        if not (is_missing(row["low"]) or is_missing(row["high"])):
            drawing.strokes([((places(i), y(row["low"])), (places(i), y(row["high"])))], colour, width=3, dashed=lead)
        if not is_missing(row["effect"]):
            drawing.dots([(places(i), y(row["effect"]))], colour)
        name = f"−1 {say('page.chart.lead', language)}" if lead else f"{row['lag']:.0f}"
        drawing.words((places(i), drawing.height - foot + LINE), name, anchor="middle", colour=colour if lead else None)
    drawing.words((WIDTH / 2, drawing.height - len(axis) * LINE / 2 - 4), axis, anchor="middle")
    described = [{**row, "label": _lag_name(int(row["lag"]), language)} for row in cells]
    return drawing.figure(_alt("lag", described, "effect", written), caption)


def verdict_overview(
    rows: pd.DataFrame, language: Language, *, sesoi: float | None = None, caption: str = ""
) -> Figure:
    """The effect of each KPI with its interval, its code letter, and the zone that is too small to matter.

    Parameters
    ----------
    rows
        `label, effect, low, high` and `code`, the letter of the verdict (A and B stand out).
    sesoi
        Half the zone's width, in the effects' unit.
    """
    cells, written = records_of(rows), Writing("number", language)
    zone = (-sesoi, sesoi) if sesoi else ()
    shown = [f"{row['code']}  {written.value(row['effect'])}" for row in cells]
    drawing, places = labelled_rows([row["label"] for row in cells], shown)
    values = [0, *zone, *(row[key] for row in cells for key in ("effect", "low", "high"))]
    x = value_axis(drawing, places, values=values, written=written)
    if zone:
        zone_between(drawing, (x(zone[0]), x(zone[1])), words=say("page.chart.zone", language))
    drawing.strokes([((x(0), TOP - 6), (x(0), drawing.height - FOOT))], "unknown")
    for row, y, words in zip(cells, places.middles, shown, strict=True):
        known: Colour = "accent" if str(row["code"])[:1] in ("A", "B") else "unknown"
        _dot_with_interval(drawing, ({**row, "value": row["effect"]}, x, y), known, size=12)
        drawing.words((WIDTH, y), words, anchor="end", bold=known == "accent")
    described = [{**row, "label": f"{row['label']} [{row['code']}]"} for row in cells]
    return drawing.figure(_alt("verdicts", described, "effect", written), caption)


def records_of(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """A chart's rows as dictionaries."""
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def _interval(
    row: dict[str, Any], x: Scale, y: float, shown: tuple[float, float] = (float("-inf"), float("inf"))
) -> Segment | None:
    if is_missing(row["low"]) or is_missing(row["high"]):
        return None
    low, high = (x(min(max(row[key], shown[0]), shown[1])) for key in ("low", "high"))
    return (low, y), (high, y)


def _whiskers(drawing: Drawing, intervals: Iterable[Segment | None], colour: Colour) -> None:
    drawing.strokes([interval for interval in intervals if interval], colour, width=3)


def _dot_with_interval(
    drawing: Drawing, at: tuple[dict[str, Any], Scale, float], colour: Colour, *, size: float
) -> None:
    row, x, y = at
    _whiskers(drawing, [_interval(row, x, y)], colour)
    if not is_missing(row["value"]):
        drawing.dots([(x(row["value"]), y)], colour, size=size)


def _last(cells: list[dict[str, Any]], written: Writing) -> tuple[int, str]:
    """Where the last value stands, and the value as text; empty where there is none."""
    known = [i for i, row in enumerate(cells) if not is_missing(row["value"])]
    return (known[-1], written.value(cells[known[-1]]["value"])) if known else (0, "")


def _lag_name(lag: int, language: Language) -> str:
    if lag == 0:
        return say("page.chart.same_row", language)
    return say("page.chart.lead_row", language) if lag < 0 else say("page.chart.lag_row", language, lag=lag)


def _alt(key: str, cells: list[dict[str, Any]], value: str, written: Writing) -> str:
    return described_rows(f"page.chart.{key}", cells, value, written)


def described_rows(key: str, cells: list[dict[str, Any]], value: str, written: Writing) -> str:
    """What a chart shows in words: the sentence `key` with each row's value and range, the first dozen of them."""
    language = written.language
    rows = [_described(row, value, written) for row in cells[:ROWS_DESCRIBED]]
    if len(cells) > ROWS_DESCRIBED:
        rows.append(say("page.chart.more", language, count=len(cells) - ROWS_DESCRIBED))
    return say(key, language, rows=(";" if language == "zh" else "; ").join(rows))


def _described(row: dict[str, Any], value: str, written: Writing) -> str:
    language, shown = written.language, written.value(row[value])
    if interval := written.interval(row.get("low"), row.get("high")):
        return say("page.chart.row_range", language, label=row["label"], value=shown, range=interval)
    if row.get("goal", MISSING) != MISSING:
        return say("page.chart.row_target", language, label=row["label"], value=shown, target=row["goal"])
    return say("page.chart.row", language, label=row["label"], value=shown)
