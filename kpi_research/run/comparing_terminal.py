"""What `diff` found, for the terminal: a table for each kind of thing that differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kpi_research.language import Language, say
from kpi_research.report.format import MISSING, format_value
from kpi_research.run.comparing import CATALOGUE, Row

SHOWN = 40
NUMERIC = ("before", "after")
COLUMNS: dict[str, tuple[str, ...]] = {
    "figures": ("level", "entity", "kpi", "before", "after", "moved"),
    "weights": ("level", "entity", "kpi", "before", "after"),
    "targets": ("level", "entity", "kpi", "before", "after"),
    "scheme": ("part", "before", "after"),
    "kpis": ("kpi", "change"),
    "verdicts": ("kpi", "before", "gate_before", "after", "gate_after"),
    "rows": ("table", "file", "what", "before", "after"),
    "records": ("table", "record", "change", "column", "before", "after"),
}


def print_comparison(found: dict[str, Any], language: Language) -> None:
    """Print it; of long tables the beginning, and how much more there is."""
    console = Console()
    for side in ("before", "after"):
        key = "diff.head_closed" if found[side]["closed_at"] else "diff.head"
        console.print(say(key, language, side=say(f"diff.side.{side}", language), **found[side]), **_PLAIN)
    if found["is_same"]:
        console.print(say("diff.same", language), **_PLAIN)
        return
    for part, columns in COLUMNS.items():
        rows = found[part]
        if found["same_period"]:
            columns = tuple(name for name in columns if name != "moved")
        if part == "kpis":
            rows, code_differs = [row for row in rows if row["kpi"] != CATALOGUE], len(rows)
            if len(rows) < code_differs:
                console.print(say("diff.code_differs", language), **_PLAIN)
        if rows:
            console.print(_table(part, columns, rows[:SHOWN], language))
        if len(rows) > SHOWN:
            console.print(say("diff.more", language, more=len(rows) - SHOWN), **_PLAIN)
    if found["figures"]:
        note = "diff.same_period_note" if found["same_period"] else "diff.chance_note"
        console.print(say(note, language), **_PLAIN)


_PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "soft_wrap": True}


def _table(part: str, columns: tuple[str, ...], rows: list[Row], language: Language) -> Table:
    # text of the files is text: cells are never read as the console's markup
    table = Table(title=Text(say(f"diff.title.{part}", language)), title_justify="left")
    for name in columns:
        numeric = name in NUMERIC and all(isinstance(row[name], int | float | None) for row in rows)
        header = Text(say(f"diff.column.{name}", language))
        table.add_column(header, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(name, row[name], language)) for name in columns))
    return table


def _cell(name: str, value: Any, language: Language) -> str:
    if value is None:
        return MISSING
    if words := _WORDS.get(name):
        return words(str(value), language)
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | float):
        return format_value(value, "number", language, currency="")
    return str(value)


_WORDS: dict[str, Callable[[str, Language], str]] = {
    "moved": lambda value, language: say(f"diff.moved.{value}", language),
    "change": lambda value, language: say(f"diff.change.{value}", language),
    "level": lambda value, language: say(f"diff.level.{value}", language),
    "what": lambda value, language: say(f"diff.what.{value}", language),
}
