"""How to read the page, for those who are appraised by it."""

from __future__ import annotations

from collections.abc import Iterator

from kpi_research.language import say
from kpi_research.report.block import Block
from kpi_research.report.data import PageData
from kpi_research.report.page import Section


def build(page: PageData) -> Iterator[Block]:
    """What a score, an interval and a missing value mean."""
    scored = page.score is not None
    keys = [*(("score", "interval", "missing") if scored else ("missing",)), "verdicts"]
    text = tuple(say(f"reading.{key}", page.language) for key in keys)
    yield Block("reading", say("reading.title", page.language), text=text)


SECTION = Section("reading", build)
