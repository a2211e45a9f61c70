"""The front door of a run: what is there for whom, how each report stands, and which could not be made."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import quote

from markupsafe import Markup

from kpi_research.language import Language
from kpi_research.report.block import Tone
from kpi_research.report.html import POLICY, TEMPLATES, environment, page_frame

Level = Literal["company", "team", "person"]
FOLDED_FROM = 16
"""A group of so many is shut until one opens it or searches: what stands below it would be out of sight."""
FILTER_FROM = 9
"""With fewer entries everything is in sight; from here on there is a box to filter by name."""


@dataclass(frozen=True)
class IndexEntry:
    """One report.

    Parameters
    ----------
    level
        Whom it is about: the company, a team or a person.
    label, entity_id, report
        The name shown, its id (empty for the company), and what kind of report it is.
    href
        Path from the index to the page; empty when there is none.
    headline
        One sentence: how it stands.
    failed, reason
        Whether it is missing or incomplete, and why.
    """

    level: Level
    label: str
    report: str
    href: str
    entity_id: str = ""
    tone: Tone = "unknown"
    headline: str = ""
    failed: bool = False
    reason: str = ""


def index_html(
    entries: Iterable[IndexEntry], *, title: str, language: Language, subtitle: str = "", freshness: dt.date | str = ""
) -> str:
    """The index page; its only script filters the list and is named by its hash in the page's policy."""
    listed = list(entries)
    page = page_frame(title, language, subtitle=subtitle, freshness=freshness)
    page.folded_from = FOLDED_FROM
    page.count, page.failures = len(listed), sum(entry.failed for entry in listed)
    page.groups = [
        (level, group, _tally(group))
        for level in get_args(Level)
        if (group := [entry for entry in listed if entry.level == level])
    ]
    script = (TEMPLATES / "index.js").read_text(encoding="utf-8") if len(listed) >= FILTER_FROM else ""
    page.script = Markup(script)  # noqa: S704 (our own file)
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        page.policy = f"{POLICY}; script-src 'sha256-{digest}'"
    return environment().get_template("index.html.j2").render(page=page, path=quote)


def _tally(entries: list[IndexEntry]) -> list[tuple[str, int]]:
    counts = Counter("failed" if entry.failed else entry.tone for entry in entries)
    return [(tone, counts[tone]) for tone in (*get_args(Tone), "failed") if counts[tone]]
