"""What a manager should look at now, since when, how sure it is and what to do; what such warnings were worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pandas as pd

from kpi_research.appraisal.alarm_budget import LEAST_CAME_TRUE, Kind
from kpi_research.appraisal.early_warning import EarlyWarnings
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnFormat, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.format import format_day, is_missing
from kpi_research.report.page import Section
from kpi_research.report.words import listed, value_of

LISTED = 10
"""Rows of the table: more is no early warning but a list."""


def build(page: PageData) -> Iterator[Block]:
    """The blocks of `shown`, where the page was given warnings."""
    if page.warnings is not None:
        yield from shown(page, page.warnings)


def shown(page: PageData, found: EarlyWarnings) -> Iterator[Block]:
    """The surest warnings in sentences, more in a table, and how such warnings did in the past; for managers."""
    if page.audience == "person":
        return
    language = page.language
    views = [("label", "text"), ("kind", "text"), ("about", "text"), ("since", "date")]
    columns = tuple(
        ColumnView(key, say(f"warn.column.{key}", language), cast(ColumnFormat, unit)) for key, unit in views
    )
    listed_rows = found.rows.head(LISTED)
    frame = pd.DataFrame([_row(page, row) for _, row in listed_rows.iterrows()], columns=[key for key, _ in views])
    caption = say("warn.caption", language, count=LISTED)
    yield Block(
        "early_warnings",
        say("warn.title", language),
        text=tuple(_sentences(page, found)),
        table=DataTable(frame, columns, caption) if len(found.rows) > found.most else None,
        facts={"day": found.day.isoformat(), "warnings": found.rows.to_dict("records"), "silent": list(found.silent)},
        status="warning" if len(found.rows) or found.silent else "ok",
    )


SECTION = Section("early_warnings", build)


def _sentences(page: PageData, found: EarlyWarnings) -> Iterator[str]:
    language, count, day = page.language, len(found.rows), format_day(found.day, page.language)
    if not count and not found.silent:
        yield say("warn.none", language, day=day)
    if count:
        key = "warn.lead" if count > found.most else "warn.lead_all"
        yield say(key, language, day=day, count=count, **({"most": found.most} if count > found.most else {}))
    for _, row in found.told.iterrows():
        kind = cast(Kind, row["kind"])
        yield " ".join([_said(page, row), _sure(page, found, kind), say(f"warn.do.{kind}", language)])
    cases, foreseen = (sum(getattr(each, name) for each in found.tuned.values()) for name in ("cases", "foreseen"))
    if count and cases:
        yield say("warn.not_all", language, cases=f"{cases:,.0f}", foreseen=f"{foreseen:,.0f}")
    if found.silent:
        names = listed([_name(page, person) for person in found.silent], language)
        yield say("warn.silent", language, names=names)


def _said(page: PageData, row: pd.Series) -> str:
    kind = str(row["kind"])
    about_kpi = kind in ("pace", "drop")
    unit = page.kpis[row["item"]].unit if about_kpi else "days"
    figure, against = (round(float(row[key])) if kind != "pace" else float(row[key]) for key in ("figure", "against"))
    values = {
        "name": _name(page, row["person_id"]),
        "kpi": page.inline(row["item"]) if about_kpi else "",
        "item": row["item"],
        "case": row["case_id"],
        "since": format_day(row["since"], page.language),
        "figure": value_of(page, figure, unit),
        "against": value_of(page, against, unit),
        "target": value_of(page, row["amount"], unit),
        "low": value_of(page, row["low"], unit),
        "high": value_of(page, row["high"], unit),
        "amount": value_of(page, row["amount"], "money"),
    }
    said = say(f"warn.said.{kind}", page.language, **values)
    if kind == "stall" and not is_missing(row["amount"]):
        said += (" " if page.language == "en" else "") + say("warn.amount", page.language, amount=values["amount"])
    return said


def _sure(page: PageData, found: EarlyWarnings, kind: Kind) -> str:
    tuned = found.tuned[kind]
    if tuned.warned < LEAST_CAME_TRUE:
        return say("warn.sure.few", page.language, warned=tuned.warned)
    meaning = say(f"warn.meaning.{kind}", page.language)
    return say("warn.sure.known", page.language, warned=tuned.warned, came_true=tuned.came_true, meaning=meaning)


def _row(page: PageData, row: pd.Series) -> dict[str, Any]:
    about = page.label(row["item"]) if row["kind"] in ("pace", "drop") else row["case_id"]
    return {
        "label": _name(page, row["person_id"]),
        "kind": say(f"warn.kind.{row['kind']}", page.language),
        "about": about,
        "since": row["since"],
    }


def _name(page: PageData, person: str) -> str:
    return page.names.get(person, person)
