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
    LABELS,
    TOP,
    VALUES,
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
from kpi_research.report.drawing import WIDTH, Colour, Drawing, Segment
from kpi_research.report.format import MISSING, Unit, format_interval, format_value, is_missing

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
    cells = _records(rows)
    ends = [row[key] for row in cells for key in ("attainment", "high") if not is_missing(row[key])]
    top = min(max([1.2, *ends]), LARGEST_ATTAINMENT)
    drawing, middles = labelled_rows([row["label"] for row in cells], foot=10)
    x = scale((0, top), (LABELS + 12, WIDTH - VALUES))
    for row, y in zip(cells, middles, strict=True):
        tone: Colour = row["status"] if row["status"] in MARKS else "unknown"
        shown = format_value(row["attainment"], "share", language)
        drawing.words((WIDTH, y), f"{MARKS[tone]} {shown}", anchor="end", colour=tone, bold=True)
        if not is_missing(row["attainment"]):
            drawing.strokes([((x(0), y), (x(min(max(row["attainment"], 0), top)), y))], tone, width=14)
        _whiskers(drawing, [_interval(row, x, y, (0, top))], "ink")
    target = x(1)
    drawing.strokes([((target, TOP - 6), (target, drawing.height))] if middles else [], "unknown", dashed=True)
    drawing.words((target, TOP - 18), say("page.chart.target", language, value="100%"), anchor="middle")
    return drawing.figure(_alt("attainment", cells, "attainment", "share", language), caption)


def people_dots(
    rows: pd.DataFrame,
    language: Language,
    *,
    unit: Unit = "points",
    reference: float | None = None,
    band: tuple[float, float] | None = None,
    caption: str = "",
) -> Figure:
    """A dot and its interval for each person, in the order given.

    Parameters
    ----------
    rows
        `label, value, low, high` and `highlighted` (the person whose page this is; drawn larger and in bold).
    reference
        Where the dashed line stands, usually the team's average.
    band
        From where to where nobody can be told from the reference.
    """
    cells = _records(rows)
    ends = [row[key] for row in cells for key in ("value", "low", "high")] + [reference, *(band or ())]
    described = list(cells)
    drawing, middles = labelled_rows([row["label"] for row in cells], bold=[bool(row["highlighted"]) for row in cells])
    x = value_axis(drawing, ends, unit=unit, language=language)
    if band:
        zone_between(drawing, (x(band[0]), x(band[1])), words=say("page.chart.tied", language))
    if reference is not None:
        line = x(reference)
        drawing.strokes([((line, TOP - 6), (line, drawing.height - FOOT))], "unknown", dashed=True)
        average = {"label": say("page.chart.average", language), "value": reference}
        legend(drawing, _described(average, "value", unit, language))
        described.insert(0, average)
    for row, y in zip(cells, middles, strict=True):
        colour: Colour = "accent" if row["highlighted"] else "unknown"
        _dot_with_interval(drawing, (row, x, y), colour, size=16 if row["highlighted"] else 11)
        drawing.words(
            (WIDTH, y), format_value(row["value"], unit, language), anchor="end", bold=bool(row["highlighted"])
        )
    return drawing.figure(_alt("people", described, "value", unit, language), caption)


def trend(rows: pd.DataFrame, language: Language, *, unit: Unit, caption: str = "") -> Figure:
    """The last eight periods as a line, with the target as a dashed one.

    Parameters
    ----------
    rows
        `period` (name), `value`, `target`, oldest first.
    """
    cells = _records(rows.tail(PERIODS_SHOWN))
    drawing = Drawing(300)
    places = scale((0, max(len(cells) - 1, 1)), (110, WIDTH - 60))
    y = upright_axis(drawing, [row[key] for row in cells for key in ("value", "target")], unit=unit, language=language)
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
    _name_last(drawing, cells, (places, y), unit, language)
    described = [{**row, "label": row["period"], "goal": format_value(row["target"], unit, language)} for row in cells]
    return drawing.figure(_alt("trend", described, "value", unit, language), caption)


def lag_profile(rows: pd.DataFrame, language: Language, *, unit: Unit = "number", caption: str = "") -> Figure:
    """The estimated effect by lag, the lead (-1) set apart: it is a check and should lie at zero.

    Parameters
    ----------
    rows
        `lag` (-1 lead, 0 same period, 1.. later), `effect`, `low`, `high`.
    """
    cells = _records(rows.sort_values("lag"))
    drawing = Drawing(300)
    places = scale((0, max(len(cells) - 1, 1)), (130, WIDTH - 50))
    values = [0, *(row[key] for row in cells for key in ("effect", "low", "high"))]
    y = upright_axis(drawing, values, unit=unit, language=language, foot=66)
    drawing.strokes([((92, y(0)), (WIDTH, y(0)))], "unknown")
    for i, row in enumerate(cells):
        lead = row["lag"] < 0
        colour: Colour = "fair" if lead else "accent"
        if not (is_missing(row["low"]) or is_missing(row["high"])):
            drawing.strokes([((places(i), y(row["low"])), (places(i), y(row["high"])))], colour, width=3, dashed=lead)
        if not is_missing(row["effect"]):
            drawing.dots([(places(i), y(row["effect"]))], colour)
        name = f"−1 {say('page.chart.lead', language)}" if lead else f"{row['lag']:.0f}"
        drawing.words((places(i), drawing.height - 46), name, anchor="middle", colour=colour if lead else None)
    drawing.words((WIDTH / 2, drawing.height - 14), say("page.chart.lag_axis", language), anchor="middle")
    described = [{**row, "label": _lag_name(int(row["lag"]), language)} for row in cells]
    return drawing.figure(_alt("lag", described, "effect", unit, language), caption)


def verdict_overview(
    rows: pd.DataFrame, language: Language, *, sesoi: float | None = None, unit: Unit = "number", caption: str = ""
) -> Figure:
    """The effect of each KPI with its interval, its code letter, and the zone that is too small to matter.

    Parameters
    ----------
    rows
        `label, effect, low, high` and `code`, the letter of the verdict (A and B stand out).
    sesoi
        Half the zone's width, in the effects' unit.
    """
    cells = _records(rows)
    zone = (-sesoi, sesoi) if sesoi else ()
    drawing, middles = labelled_rows([row["label"] for row in cells])
    values = [0, *zone, *(row[key] for row in cells for key in ("effect", "low", "high"))]
    x = value_axis(drawing, values, unit=unit, language=language)
    if zone:
        zone_between(drawing, (x(zone[0]), x(zone[1])), words=say("page.chart.zone", language))
    drawing.strokes([((x(0), TOP - 6), (x(0), drawing.height - FOOT))], "unknown")
    for row, y in zip(cells, middles, strict=True):
        known: Colour = "accent" if str(row["code"])[:1] in ("A", "B") else "unknown"
        _dot_with_interval(drawing, ({**row, "value": row["effect"]}, x, y), known, size=12)
        shown = f"{row['code']}  {format_value(row['effect'], unit=unit, language=language)}"
        drawing.words((WIDTH, y), shown, anchor="end", bold=known == "accent")
    described = [{**row, "label": f"{row['label']} [{row['code']}]"} for row in cells]
    return drawing.figure(_alt("verdicts", described, "effect", unit, language), caption)


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
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


def _name_last(
    drawing: Drawing, cells: list[dict[str, Any]], at: tuple[Scale, Scale], unit: Unit, language: Language
) -> None:
    last = next((i for i in reversed(range(len(cells))) if not is_missing(cells[i]["value"])), None)
    if last is not None:
        value = cells[last]["value"]
        place = (min(at[0](last) + 30, WIDTH), at[1](value) - 20)
        drawing.words(place, format_value(value, unit, language), anchor="end", colour="accent", bold=True)


def _lag_name(lag: int, language: Language) -> str:
    if lag == 0:
        return say("page.chart.same_row", language)
    return say("page.chart.lead_row", language) if lag < 0 else say("page.chart.lag_row", language, lag=lag)


def _alt(key: str, cells: list[dict[str, Any]], value: str, unit: Unit, language: Language) -> str:
    """What the chart shows in words: each row's value and range, the first dozen of them."""
    rows = [_described(row, value, unit, language) for row in cells[:ROWS_DESCRIBED]]
    if len(cells) > ROWS_DESCRIBED:
        rows.append(say("page.chart.more", language, count=len(cells) - ROWS_DESCRIBED))
    return say(f"page.chart.{key}", language, rows=(";" if language == "zh" else "; ").join(rows))


def _described(row: dict[str, Any], value: str, unit: Unit, language: Language) -> str:
    shown = format_value(row[value], unit, language)
    if interval := format_interval(row.get("low"), row.get("high"), unit, language):
        return say("page.chart.row_range", language, label=row["label"], value=shown, range=interval)
    if row.get("goal", MISSING) != MISSING:
        return say("page.chart.row_target", language, label=row["label"], value=shown, target=row["goal"])
    return say("page.chart.row", language, label=row["label"], value=shown)
