"""A drawing: matplotlib makes the strokes, the page's own font makes the text, and style sheets choose the colours.

Coordinates are those of the SVG's view box: x to the right, y downwards, `WIDTH` units wide. Text never passes through
matplotlib: so no font is looked for, no glyph can be missing, formulas in hostile names stay text, and the bytes are
the same on every machine. Colours become CSS variables with the light theme's value as fallback.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

import matplotlib as mpl
from markupsafe import escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure as MplFigure

from kpi_research.report.block import Figure

WIDTH = 470
FONT = 16
"""At the width of a phone's screen (341 px beside its margins) this is 11.6 px; on a desktop about 17 px."""
LINE = 20

Colour = Literal["ink", "accent", "good", "fair", "poor", "unknown", "rule", "zone"]
Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]
Segment = tuple[Point, Point]

COLOURS: dict[str, str] = {
    "ink": "#1a2430",
    "accent": "#1f5f9e",
    "good": "#1d7a4a",
    "fair": "#8f5a08",
    "poor": "#b3362b",
    "unknown": "#5b6673",
    "rule": "#dbe1e8",
    "zone": "#e6eaef",
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


class Drawing:
    """Strokes and words on a view box `WIDTH` units wide and `height` high."""

    def __init__(self, height: float) -> None:
        self.height = height
        self._figure = MplFigure(figsize=(WIDTH / 72, height / 72), dpi=72)
        FigureCanvasSVG(self._figure)
        self._axes = self._figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
        self._axes.set_axis_off()
        self._figure.patch.set_visible(False)
        self._words: list[str] = []

    def strokes(
        self,
        segments: Iterable[Segment],
        colour: Colour,
        *,
        width: float = 2,
        round_ends: bool = False,
        dashed: bool = False,
    ) -> None:
        """Straight strokes of one colour and width; a bar is a wide one, a dot one of no length with round ends."""
        self._axes.add_collection(
            LineCollection(
                list(segments),
                colors=COLOURS[colour],
                linewidths=width,
                linestyles=[(0, (4, 3))] if dashed else "solid",
                capstyle="round" if round_ends else "butt",
                clip_on=False,
            ),
            autolim=False,
        )

    def dots(self, centres: Iterable[Point], colour: Colour, *, size: float = 12) -> None:
        """Filled circles of diameter `size`."""
        self.strokes([(centre, centre) for centre in centres], colour, width=size, round_ends=True)

    def words(
        self,
        at: Point,
        lines: str | Sequence[str],
        *,
        anchor: Anchor = "start",
        colour: Colour | None = None,
        bold: bool = False,
    ) -> None:
        """Text whose lines are centred around the height `at[1]`; without `colour` it has that of the page's text."""
        shown = [lines] if isinstance(lines, str) else list(lines)
        style = (f' fill="{_themed(colour)}"' if colour else "") + (' font-weight="600"' if bold else "")
        top = at[1] + FONT * 0.36 - (len(shown) - 1) * LINE / 2
        for row, line in enumerate(shown):
            where = f'x="{at[0]:.1f}" y="{top + row * LINE:.1f}" text-anchor="{anchor}"'
            self._words.append(f"<text {where}{style}>{escape(harmless(line))}</text>")

    def figure(self, alt: str, caption: str = "") -> Figure:
        """The drawing as a record of the page; the picture's name for screen readers is `alt`."""
        buffer = io.StringIO()
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kpi_research"}):
            self._figure.savefig(buffer, format="svg", metadata=_NO_METADATA, transparent=True)
        strokes = "".join(re.findall(r"<path [^>]*/>", buffer.getvalue()))
        size = f'viewBox="0 0 {WIDTH} {self.height:g}" width="{WIDTH}" height="{self.height:g}"'
        look = f'fill="currentColor" font-size="{FONT}"'
        name = f'role="img" aria-label="{escape(harmless(alt))}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look} {name}>'
        return Figure(f"{head}{_with_variables(strokes)}{''.join(self._words)}</svg>", alt, caption)


def wrap(words: str, width: float, *, most: int = 3) -> list[str]:
    """The words as lines at most `width` units wide, broken at spaces where there are any, cut after `most` lines."""
    lines: list[str] = []
    rest = harmless(words).strip()
    while rest and len(lines) < most:
        fits = _fitting(rest, width)
        if fits < len(rest) and (space := rest.rfind(" ", 1, fits + 1)) > 0:
            fits = space
        lines.append(rest[:fits].rstrip())
        rest = rest[fits:].lstrip()
    if rest:
        lines[-1] = lines[-1][: _fitting(lines[-1], width - FONT)] + "…"
    return lines or [""]


def width_of(words: str) -> float:
    """How wide the words are at most, in units: a Chinese character is one em wide.

    Latin letters are measured as in bold Verdana or DejaVu Sans, the widest fonts that a page falls back on.
    """
    return FONT * sum(map(_ems, words))


def harmless(words: str) -> str:
    """The words without control characters and without those that turn the direction of what follows them."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "", words)


def _fitting(words: str, width: float) -> int:
    count = len(words)
    while count > 1 and width_of(words[:count]) > width:
        count -= 1
    return count


def _ems(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    return 0.85 if letter.isupper() or letter in "%mw✓✕–" else 0.4 if letter in " .,:;'|()ijlt" else 0.7


def _with_variables(strokes: str) -> str:
    for name, code in COLOURS.items():
        strokes = strokes.replace(code, _themed(name))
    return re.sub(r"\s+", " ", strokes)


def _themed(colour: str) -> str:
    return f"var(--{colour}, {COLOURS[colour]})"
