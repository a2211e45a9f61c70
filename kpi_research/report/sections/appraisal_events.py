"""What was said and decided about this appraisal: comments, approvals, appeals and their answers, and the closing."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from kpi_research.appraisal.events import Event, SinceClosing, Told, unanswered
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnFormat, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.format import format_day
from kpi_research.report.page import Section
from kpi_research.report.words import value_of

COLUMNS: dict[str, ColumnFormat] = {"at": "date", "said": "text", "text": "text"}
SAME_POINTS = 0.05
"""Scores are shown with one decimal: what differs by less reads the same."""


def build(page: PageData) -> Iterator[Block]:
    """The block of `shown`, where the page was given events."""
    found = page.told
    if found is not None:
        yield from shown(page, found)


def shown(page: PageData, found: Told) -> Iterator[Block]:
    """One block: how the period stands, and every event that the reader may see; nothing where there is neither."""
    if not found.events and found.since_closing is None:
        return
    yield Block(
        "appraisal_events",
        say("appraisal_events.title", page.language),
        text=tuple(_sentences(page, found)),
        table=_table(page, found) if found.events else None,
        facts=_facts(found),
        status="warning" if unanswered(found.events) or _is_changed(found.since_closing) else "ok",
    )


SECTION = Section("appraisal_events", build)


def _sentences(page: PageData, found: Told) -> Iterator[str]:
    approvals = [event for event in found.events if event.what == "approval" and _is_of_page(page, event)]
    if approvals:
        last = approvals[-1]
        values = {"name": _name(found, last.who), "day": format_day(last.at, page.language)}
        yield say("appraisal_events.approved", page.language, **values)
    elif found.events:
        yield say("appraisal_events.not_approved", page.language)
    if count := len(unanswered(found.events)):
        yield say("appraisal_events.unanswered", page.language, count=count)
    if found.since_closing is not None:
        yield from _closing(page, found.since_closing)


def _closing(page: PageData, since: SinceClosing) -> Iterator[str]:
    day = format_day(since.closed_at, page.language)
    yield (
        say("appraisal_events.closed_by", page.language, day=day, name=since.closed_by)
        if since.closed_by
        else say("appraisal_events.closed", page.language, day=day)
    )
    values = {"count": since.changed_records, "score": value_of(page, since.score, "points")}
    values["now"] = value_of(page, since.score_now, "points")
    if not _is_changed(since):
        yield say("appraisal_events.unchanged", page.language)
    elif _is_moved(since):
        yield say("appraisal_events.moved", page.language, **values)
    else:
        yield say("appraisal_events.not_moved", page.language, **values)


def _is_changed(since: SinceClosing | None) -> bool:
    return since is not None and (since.changed_records > 0 or _is_moved(since))


def _is_moved(since: SinceClosing) -> bool:
    before, now = since.score, since.score_now
    return math.isnan(before) != math.isnan(now) or abs(before - now) >= SAME_POINTS


def _table(page: PageData, found: Told) -> DataTable:
    rows = [
        {"at": event.at.isoformat(timespec="minutes"), "said": _said(page, found, event), "text": event.text}
        for event in found.events
    ]
    columns = tuple(
        ColumnView(key, say(f"appraisal_events.column.{key}", page.language), unit) for key, unit in COLUMNS.items()
    )
    return DataTable(pd.DataFrame(rows), columns, say("appraisal_events.caption", page.language))


def _said(page: PageData, found: Told, event: Event) -> str:
    """Who did what, and whom it is about where that is not the page's own entity."""
    values = {"name": _name(found, event.who), "what": say(f"appraisal_events.what.{event.what}", page.language)}
    if _is_of_page(page, event) or event.level == "company":
        return say("appraisal_events.said", page.language, **values)
    return say("appraisal_events.said_of", page.language, about=_name(found, event.entity_id), **values)


def _is_of_page(page: PageData, event: Event) -> bool:
    return event.level == page.level and event.entity_id in (page.entity_id, "")


def _name(found: Told, identifier: str) -> str:
    return found.names.get(identifier, identifier)


def _facts(found: Told) -> dict[str, object]:
    since = found.since_closing
    events = [{"id": event.id, "at": event.at.isoformat(), "what": event.what} for event in found.events]
    if since is None:
        return {"events": events}
    return {
        "events": events,
        "closed_at": since.closed_at.isoformat(),
        "score_closed": since.score,
        "score_now": since.score_now,
        "changed_records": since.changed_records,
    }
