"""What happened after KPIs were given weight, and what the client's own history says to claims."""

from __future__ import annotations

from collections.abc import Iterator

from kpi_research.report.block import Block
from kpi_research.report.changes import change_blocks, claim_blocks
from kpi_research.report.data import PageData
from kpi_research.report.page import Section


def build(page: PageData) -> Iterator[Block]:
    """A block a change and a block a claim; nothing where the client file names none."""
    yield from change_blocks(page, page.changes)
    yield from claim_blocks(page, page.claims)


SECTION = Section("changes", build)
