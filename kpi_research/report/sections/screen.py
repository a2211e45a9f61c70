"""Every KPI at every lag in one map: a look at what may be worth a study, with what chance alone would show in it."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.screen_charts import effect_map

ALPHA = 0.05
"""Family-wise p up to which a cell stands out: of maps in which nothing is real no more than this share has one."""

ROWS_DRAWN = 20
"""The table has all KPIs; more rows than these are no picture."""


def build(page: PageData) -> Iterator[Block]:
    """The map, in how many maps of chance there is a cell as strong, and a table of all cells."""
    found = page.study.beside.screen
    title = say("screen.title", page.language)
    known = found[found["effect"].notna()]
    if known.empty:
        yield Block("screen", title, text=(say("screen.none", page.language),), status="no_data")
        return
    ordered = _ordered(page, found)
    drawn = ordered["kpi"].drop_duplicates().head(ROWS_DRAWN)
    lead = say("screen.lead", page.language, outcome=page.inline(page.outcome), lags=int(found["lag"].max()))
    yield Block(
        "screen",
        title,
        text=(lead, _outstanding(page, known), say("screen.no_verdict", page.language)),
        table=_table(page, ordered),
        figure=effect_map(
            ordered[ordered["kpi"].isin(drawn)], page.language, caption=say("screen.figure", page.language)
        ),
        notes=tuple(_notes(page, ordered, len(drawn))),
        facts={"screen": found.to_dict("records")},
    )


SECTION = Section("screen", build)


def _ordered(page: PageData, found: pd.DataFrame) -> pd.DataFrame:
    """The KPI with the smallest p first; with its name, and which cells stand out."""
    smallest = found.groupby("kpi", sort=False)["p"].min().sort_values(kind="stable")
    place = found["kpi"].map({kpi: place for place, kpi in enumerate(smallest.index)})
    named = found.assign(label=found["kpi"].map(page.label), stands_out=found["familywise_p"] <= ALPHA, place=place)
    return named.sort_values(["place", "lag"]).drop(columns="place")


def _outstanding(page: PageData, known: pd.DataFrame) -> str:
    """Whether anything stands out, and how often chance alone would show as much."""
    first = known.sort_values(["familywise_p", "p"]).iloc[0]
    count = int((known["familywise_p"] <= ALPHA).sum())
    values = {"kpi": page.inline(first["kpi"]), "lag": int(first["lag"]), "cells": len(known)}
    if not count:
        return say("screen.chance", page.language, **values, share=f"{first['familywise_p']:.0%}")
    if count == 1:
        return say("screen.one", page.language, **values, share=f"{ALPHA:.0%}")
    return say("screen.several", page.language, **values, count=count, share=f"{ALPHA:.0%}")


def _table(page: PageData, ordered: pd.DataFrame) -> DataTable:
    """A row a KPI: its effects by lag with their intervals, and its smallest p over the whole map."""
    rows = []
    for kpi, cells in ordered.groupby("kpi", sort=False):
        row = {"kpi": kpi, "label": cells["label"].iloc[0], "strict": cells["familywise_p"].min()}
        for cell in cells.to_dict("records"):
            name = f"lag_{cell['lag']}"
            row |= {name: cell["effect"], f"{name}_low": cell["ci_low"], f"{name}_high": cell["ci_high"]}
        rows.append({**row, "people": cells["n_people"].max()})
    lags = sorted(ordered["lag"].unique())
    columns = (
        ColumnView("label", say("screen.column.label", page.language)),
        *(ColumnView(f"lag_{lag}", say("screen.column.lag", page.language, lag=lag), "number") for lag in lags),
        ColumnView("strict", say("screen.column.strict", page.language), "probability"),
        ColumnView("people", say("screen.column.people", page.language), "count"),
    )
    return DataTable(pd.DataFrame(rows), columns, say("screen.caption", page.language))


def _notes(page: PageData, ordered: pd.DataFrame, drawn: int) -> Iterator[str]:
    kpis = ordered["kpi"].nunique()
    if kpis > drawn:
        yield say("screen.note.drawn", page.language, drawn=drawn, kpis=kpis)
    if missing := int(ordered["effect"].isna().sum()):
        yield say("screen.note.missing", page.language, count=missing)
    yield say("screen.note.unit", page.language)
    yield say("screen.note.together", page.language)
    yield say("screen.note.method", page.language)
