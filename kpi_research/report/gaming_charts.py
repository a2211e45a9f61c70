"""The chart of results around their targets."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from kpi_research.integrity.signs import FloatArray, Histogram
from kpi_research.language import Language, say
from kpi_research.report.axes import FOOT, TOP, Scale, scale, upright_axis
from kpi_research.report.block import Figure
from kpi_research.report.drawing import WIDTH, Anchor, Colour, Drawing
from kpi_research.report.format import Writing

HEIGHT = 300
TICKS = 5


def around_target(seen: Histogram, language: Language, *, caption: str = "") -> Figure:
    """How many results lie how far from their targets, and the smooth curve; what was compared has another colour."""
    drawing = Drawing(HEIGHT)
    y, start = upright_axis(drawing, [0, *seen.counts, *seen.smooth], written=Writing("count", language))
    x = scale((float(seen.edges[0]), float(seen.edges[-1])), (start + 4, WIDTH - 4))
    middles = (seen.edges[:-1] + seen.edges[1:]) / 2
    is_close = (middles > seen.window[0]) & (middles < seen.window[1])
    width = 0.8 * (x(float(seen.edges[1])) - x(float(seen.edges[0])))
    colours: tuple[tuple[npt.NDArray[np.bool_], Colour], ...] = ((~is_close, "unknown"), (is_close, "accent"))
    for chosen, colour in colours:
        bars = [((x(at), y(0)), (x(at), y(n))) for at, n in zip(middles[chosen], seen.counts[chosen], strict=True) if n]
        drawing.strokes(bars, colour, width=width)
    curve = [(x(at), y(n)) for at, n in zip(middles, seen.smooth, strict=True)]
    drawing.strokes(itertools.pairwise(curve), "ink")
    drawing.strokes([((x(0), TOP), (x(0), y(0)))], "ink", width=1, dashed=True)
    drawing.strokes([((0, TOP - 18), (24, TOP - 18))], "ink")
    drawing.words((30, TOP - 18), say("gaming.chart.smooth", language))
    _ticks(drawing, seen, x, language)
    return drawing.figure(_described(seen, middles, is_close, language), caption)


def _described(seen: Histogram, middles: FloatArray, is_close: npt.NDArray[np.bool_], language: Language) -> str:
    sides = {"above": is_close & (middles > 0), "below": is_close & (middles < 0)}
    counts = {name: f"{seen.counts[side].sum():.0f}" for name, side in sides.items()}
    smooth = {f"smooth_{name}": f"{seen.smooth[side].sum():.0f}" for name, side in sides.items()}
    return say("gaming.chart.alt", language, **counts, **smooth)


def _ticks(drawing: Drawing, seen: Histogram, x: Scale, language: Language) -> None:
    ends: dict[float, Anchor] = {float(seen.edges[0]): "start", float(seen.edges[-1]): "end"}
    for place in np.linspace(seen.edges[0], seen.edges[-1], TICKS):
        signed = f"{place:+.0%}" if seen.unit == "share" else f"{place:+.0f}"
        words = signed if abs(place) > 1e-9 else say("gaming.chart.target", language)
        drawing.words((x(place), drawing.height - FOOT / 2), words, anchor=ends.get(float(place), "middle"))
