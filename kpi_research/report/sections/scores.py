"""Every appraised KPI: weight, target, actual with its interval, attainment, points, and how many cases it rests on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpi_research.language import say
from kpi_research.report.block import Block, ColumnFormat, ColumnView, DataTable
from kpi_research.report.charts import attainment_bars
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.words import listed, value_of

REACHED, NEAR = 1.0, 0.85
SCORED: dict[str, ColumnFormat] = {
    "label": "text",
    "actual": "number",
    "target": "number",
    "attainment": "share",
    "weight": "share",
    "points": "points",
    "n": "count",
    "state": "status",
}
MEASURED: dict[str, ColumnFormat] = {
    "label": "text", "value": "number", "earlier": "number", "n": "count", "over": "text",
}  # fmt: skip


def build(page: PageData) -> Iterator[Block]:
    """The table of scores with its chart; without a scheme the KPIs that can be measured."""
    yield _scores(page) if page.score is not None and len(page.score.rows) else _measured(page)


SECTION = Section("scores", build)


def shown_rows(page: PageData, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a score with what the table shows of them: names, units and a state each."""
    return rows.assign(
        label=rows["kpi"].map(page.label),
        weight=rows["weight"] / 100,
        **{f"{key}_format": rows["kpi"].map(lambda name: page.kpis[name].unit) for key in ("target", "actual")},
        state=np.where(rows["status"] == "ok", [_tone(value) for value in rows["attainment"]], rows["status"]),
    )


def _scores(page: PageData) -> Block:
    rows = page.score.rows  # type: ignore[union-attr]
    language = page.language
    frame = shown_rows(page, rows)
    table = DataTable(
        frame,
        tuple(ColumnView(key, say(f"scores.column.{key}", language), unit) for key, unit in SCORED.items()),
        say("scores.caption", language),
    )
    bars = frame.assign(low=frame["attainment_low"], high=frame["attainment_high"], status=frame["state"])
    return Block(
        "scores",
        say("scores.title", language),
        text=tuple(_sentences(page)),
        table=table,
        figure=attainment_bars(bars, language, caption=say("scores.figure", language)),
        notes=(say("scores.note.interval", language), say("scores.note.cap", language)),
        facts={"totals": page.score.totals.to_dict("records"), "rows": rows.to_dict("records")},  # type: ignore[union-attr]
    )


def _sentences(page: PageData) -> Iterator[str]:
    total = page.score.totals.iloc[0]  # type: ignore[union-attr]
    left_out = page.score.rows[page.score.rows["status"] != "ok"]  # type: ignore[union-attr]
    for row in left_out.itertuples():
        reason = say(f"status_reason.{row.status}", page.language)
        yield say("scores.left_out", page.language, kpi=page.label(str(row.kpi)), reason=reason)
    if len(left_out) and total["status"] != "not_scored":
        yield say("scores.weight", page.language, share=value_of(page, total["scored_weight"], "share"))


def _tone(attainment: float) -> str:
    if pd.isna(attainment):
        return "unknown"
    return "good" if attainment >= REACHED else "fair" if attainment >= NEAR else "poor"


def _measured(page: PageData) -> Block:
    """What can be measured when nothing is scored: this quarter, the one before, and the cases counted."""
    now = page.now()
    frame = measured_rows(page, now[now["status"].isin(["ok", "partial", "too_few"])].reset_index())
    columns = tuple(ColumnView(key, say(f"scores.column.{key}", page.language), unit) for key, unit in MEASURED.items())
    missing = sorted({table for row in now[now["status"] == "no_data"].index for table in page.kpis[row].needs})
    absent = [table for table in missing if table in page.quality.missing]
    text = [say("scores.not_scored", page.language)]
    if absent:
        tables = listed((say(f"table.{name}", page.language) for name in absent), page.language)
        text.append(say("scores.missing_tables", page.language, tables=tables))
    return Block(
        "scores",
        say("scores.title_measured", page.language),
        text=tuple(text),
        table=DataTable(frame, columns, say("scores.caption_measured", page.language)),
        status="ok" if len(frame) else "no_data",
    )


def measured_rows(page: PageData, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a panel with names, units, what they are counted over, and the value of the period before."""
    return rows.assign(
        label=rows["kpi"].map(page.label),
        earlier=rows["kpi"].map(page.before()["value"]),
        over=[_counted_over(page, kpi) for kpi in rows["kpi"]],
        **{f"{key}_format": rows["kpi"].map(lambda name: page.kpis[name].unit) for key in ("value", "earlier")},
    )


def _counted_over(page: PageData, kpi: str) -> str:
    over = page.kpis[kpi].counted_over
    return over[page.language] if over else say("scores.counted_rows", page.language)
