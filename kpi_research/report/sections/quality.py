"""How far the data can be trusted: what was read, what was turned away and why, what is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.format import format_day
from kpi_research.report.page import Section
from kpi_research.report.words import listed, value_of


def build(page: PageData) -> Iterator[Block]:
    """Counts by rule; for analysts also by table, and the value met most often."""
    rules = page.quality.rules
    text = [say("quality.fresh", page.language, day=format_day(page.until, page.language)), *_read(page)]
    text += _missing(page)
    yield Block(
        "quality",
        say("quality.title", page.language),
        text=tuple(text),
        table=_rules(page) if len(rules) else None,
        facts={"row_counts": page.quality.row_counts.to_dict("records"), "missing": list(page.quality.missing)},
    )
    if page.audience == "analyst":
        yield _tables(page)


SECTION = Section("quality", build)


def _read(page: PageData) -> Iterator[str]:
    counts = page.quality.row_counts[["read", "left_out", "rejected", "kept"]].sum()
    values = {key: value_of(page, counts[key], "count") for key in ("read", "left_out", "rejected", "kept")}
    yield say("quality.read", page.language, **values)
    yield say("quality.clean" if page.quality.rules.empty else "quality.found", page.language)


def _missing(page: PageData) -> Iterator[str]:
    lacking = [kpi.name for kpi in page.kpis.values() if any(table in page.quality.missing for table in kpi.needs)]
    if lacking:
        tables = {t for name in lacking for t in page.kpis[name].needs if t in page.quality.missing}
        yield say(
            "quality.missing",
            page.language,
            tables=listed((say(f"table.{name}", page.language) for name in sorted(tables)), page.language),
            kpis=listed((page.inline(name) for name in lacking), page.language),
        )


def _rules(page: PageData) -> DataTable:
    rules = page.quality.rules
    frame = pd.DataFrame(
        {
            "table": [say(f"table.{name}", page.language) for name in rules["table"]],
            "rule": [say(f"contract.rule.{name}", page.language) for name in rules["rule"]],
            "rows": rules["rows"],
            "done": [say(f"quality.{severity}", page.language) for severity in rules["severity"]],
            "most_frequent": rules["most_frequent"],
        }
    )
    shown = ["table", "rule", "rows", "done"] + (["most_frequent"] if page.audience == "analyst" else [])
    columns = tuple(
        ColumnView(key, say(f"quality.column.{key}", page.language), "count" if key == "rows" else "text")
        for key in shown
    )
    return DataTable(frame[shown], columns, say("quality.caption", page.language))


def _tables(page: PageData) -> Block:
    counts = page.quality.row_counts
    frame = counts.assign(table=[say(f"table.{name}", page.language) for name in counts["table"]])
    columns = tuple(
        ColumnView(key, say(f"quality.column.{key}", page.language), "text" if key in ("table", "file") else "count")
        for key in ("table", "file", "read", "left_out", "rejected", "kept")
    )
    return Block(
        "quality_tables",
        say("quality.title_tables", page.language),
        table=DataTable(frame, columns, say("quality.caption_tables", page.language)),
    )
