"""The analysis plan, fixed before the data were looked at, and its fingerprint."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pandas as pd

from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section


def build(page: PageData) -> Iterator[Block]:
    """Every parameter of the plan with its value."""
    plan = dataclasses.asdict(page.study.plan)
    frame = pd.DataFrame({"parameter": list(plan), "value": [str(value) for value in plan.values()]})
    columns = tuple(ColumnView(key, say(f"plan.column.{key}", page.language)) for key in frame.columns)
    yield Block(
        "plan",
        say("plan.title", page.language),
        text=(
            say("plan.lead", page.language, fingerprint=page.study.fingerprint[:16]),
            say("plan.gates", page.language),
        ),
        table=DataTable(frame, columns, say("plan.caption", page.language)),
        facts={"plan": plan, "fingerprint": page.study.fingerprint},
    )


SECTION = Section("plan", build)
