"""For a simulated client: what was planted, beside what the study said."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section


def build(page: PageData) -> Iterator[Block]:
    """One row a planted KPI; nothing at all for a real client."""
    if not page.truth:
        return
    codes = page.study.verdicts.set_index("kpi")["code"]
    frame = pd.DataFrame(
        {
            "label": [page.label(planted["kpi"]) for planted in page.truth],
            "role": [say(f"truth.role.{planted['role']}", page.language) for planted in page.truth],
            "why": [planted["why"][page.language] for planted in page.truth],
            "verdict": [_verdict(page, codes.get(planted["kpi"])) for planted in page.truth],
        }
    )
    columns = tuple(ColumnView(key, say(f"truth.column.{key}", page.language)) for key in frame.columns)
    yield Block(
        "truth",
        say("truth.title", page.language),
        text=(say("truth.lead", page.language), say("truth.seed", page.language)),
        table=DataTable(frame, columns, say("truth.caption", page.language)),
        facts={
            "truth": [{key: planted[key] for key in ("kpi", "role", "lag_months", "effect")} for planted in page.truth]
        },
    )


SECTION = Section("truth", build)


def _verdict(page: PageData, code: str | None) -> str:
    return (
        say("truth.not_asked", page.language)
        if code is None
        else f"{say(f'verdict_name.{code}', page.language)} ({code})"
    )
