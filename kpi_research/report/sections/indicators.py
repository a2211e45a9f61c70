"""What is measured beside the scheme: a few KPIs of every kind, so that a score is not taken for the whole picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pandas as pd

from kpi_research.kpis.definition import Kind
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.sections.scores import MEASURED, measured_rows

OF_EACH_KIND = 3
KINDS: tuple[Kind, ...] = get_args(Kind)


def build(page: PageData) -> Iterator[Block]:
    """Up to three KPIs a kind that are not appraised, studied ones first; nothing where all are shown anyway."""
    if page.score is None or not len(page.score.rows):
        return
    now = page.now()
    rows = now[now["status"].isin(["ok", "partial"]) & ~now.index.isin(page.score.rows["kpi"])].reset_index()
    if rows.empty:
        return
    frame = _chosen(page, rows)
    frame = measured_rows(page, frame).assign(label=[_with_kind(page, kpi) for kpi in frame["kpi"]])
    # what each is counted over would leave a phone no room for the figures
    short = [(key, unit) for key, unit in MEASURED.items() if key != "over"]
    columns = tuple(ColumnView(key, say(f"scores.column.{key}", page.language), unit) for key, unit in short)
    yield Block(
        "indicators",
        say("indicators.title", page.language),
        text=(say("indicators.lead", page.language),),
        table=DataTable(frame, columns, say("indicators.caption", page.language)),
        facts={"indicators": frame[["kpi", "value", "n", "status"]].to_dict("records")},
    )


SECTION = Section("indicators", build)


def _chosen(page: PageData, rows: pd.DataFrame) -> pd.DataFrame:
    """The first of each kind: those that the study asks about, then in the catalogue's order."""
    order = {kpi: place for place, kpi in enumerate(page.kpis)}
    studied = set(page.study.verdicts["kpi"])
    kinds = rows["kpi"].map(lambda kpi: KINDS.index(page.kpis[kpi].kind))
    ranked = rows.assign(kind=kinds, later=~rows["kpi"].isin(studied), place=rows["kpi"].map(order))
    return ranked.sort_values(["kind", "later", "place"]).groupby("kind").head(OF_EACH_KIND).reset_index(drop=True)


def _with_kind(page: PageData, kpi: str) -> str:
    kind = say(f"indicators.kind.{page.kpis[kpi].kind}", page.language)
    return say("indicators.label", page.language, kpi=page.label(kpi), kind=kind)
