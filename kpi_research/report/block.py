"""What a reader sees, before it is HTML: blocks of a title, sentences, a table and a figure.

Text in a block is plain text, never markup: it is escaped when the page is written. Numbers stay raw numbers in
`DataTable.frame` and `facts` and are formatted for the page's language at the very end.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

ColumnFormat = Literal[
    "text", "money", "count", "share", "points", "days", "hours", "nps", "number", "probability", "date", "status"
]
BlockStatus = Literal["ok", "no_data", "warning", "failed"]
Tone = Literal["good", "fair", "poor", "unknown", "info"]
"""`info` is neither good nor bad: a page that states findings."""


@dataclass(frozen=True)
class ColumnView:
    """How one column of a table is shown: its header and the format of its cells."""

    key: str
    label: str
    format: ColumnFormat = "text"


@dataclass(frozen=True)
class DataTable:
    """A table with raw values.

    Parameters
    ----------
    frame
        One row a row of the table. A column named `<key>_low` and `<key>_high` beside `<key>` is its interval and is
        shown in the same cell; a column `<key>_format` overrides the format row by row.
    columns
        The columns shown, in order; the first is the row header.
    caption
        What the table shows, in one sentence.
    """

    frame: pd.DataFrame
    columns: tuple[ColumnView, ...]
    caption: str


@dataclass(frozen=True)
class Figure:
    """A chart as SVG with real text, and what it shows in words for those who cannot see it."""

    svg: str
    alt: str
    caption: str = ""

    def _repr_html_(self) -> str:
        """How JupyterLab shows it."""
        return f"<figure>{self.svg}<figcaption>{html.escape(self.caption)}</figcaption></figure>"


@dataclass(frozen=True)
class Callout:
    """The one sentence of a first screen: how things stand (`tone`), why, and what to do next.

    Parameters
    ----------
    figure, figure_label
        The one number, formatted, and what it is; empty where there is none.
    stands, why, next_step
        One plain sentence each.
    """

    tone: Tone
    stands: str
    why: str
    next_step: str
    figure: str = ""
    figure_label: str = ""
    figure_range: str = ""


@dataclass(frozen=True)
class Block:
    """One titled part of a page.

    Parameters
    ----------
    name
        Slug: the anchor in the page and the key in `results.json`.
    text
        Paragraphs of plain text.
    facts
        Every number that the sentences use, raw, for `results.json`.
    status
        `ok`; `no_data` (the text says which table is missing); `warning`; `failed` (the text says where).
    """

    name: str
    title: str
    text: tuple[str, ...] = ()
    callout: Callout | None = None
    table: DataTable | None = None
    figure: Figure | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    status: BlockStatus = "ok"
