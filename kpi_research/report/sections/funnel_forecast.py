"""The forecast: what of the open deals will be won in the next quarter, and how such forecasts did before."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.funnel.forecast import LEAST_TESTS, Forecast
from kpi_research.funnel.outlook import LEAST_DAYS, LEAST_WINS
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable, Figure
from kpi_research.report.data import PageData
from kpi_research.report.format import format_day
from kpi_research.report.funnel_charts import forecast_record
from kpi_research.report.funnel_words import labelled
from kpi_research.report.page import Section
from kpi_research.report.words import range_of, value_of

MADE = ("ok", "unproven", "unreliable")


def build(page: PageData) -> Iterator[Block]:
    """A sentence with its range, how often such ranges held, and a row a stage."""
    title = say("funnel_forecast.title", page.language)
    made = page.funnel.forecast if page.funnel is not None else None
    status = made.rows["status"].iloc[-1] if made is not None else "no_opportunities"
    if made is None or status not in MADE:
        text = say(f"funnel_forecast.{status}", page.language, days=LEAST_DAYS, wins=LEAST_WINS)
        yield Block("funnel_forecast", title, text=(text,), status="no_data")
        return
    yield Block(
        "funnel_forecast",
        title,
        text=(_sentence(page, made), _record(page, made, status)),
        table=_table(page, made),
        figure=_picture(page, made) if len(made.tests) else None,
        notes=(*_notes(page, made.rows.iloc[-1]),),
        facts={
            "rows": made.rows.to_dict("records"),
            "tests": made.tests.to_dict("records"),
            "record": made.record,
        },
        status="ok" if status == "ok" else "warning",
    )


SECTION = Section("funnel_forecast", build)


def _sentence(page: PageData, made: Forecast) -> str:
    total = made.rows.iloc[-1]
    return say(
        "funnel_forecast.expected",
        page.language,
        day=format_day(total["as_of"], page.language),
        standing=value_of(page, total["standing"], "count"),
        weeks=int(total["weeks"]),
        wins=value_of(page, total["wins"], "count"),
        wins_range=range_of(page, total["wins_low"], total["wins_high"], "count"),
        money=value_of(page, total["money"], "money"),
        money_range=range_of(page, total["money_low"], total["money_high"], "money"),
    )


def _record(page: PageData, made: Forecast, status: str) -> str:
    record = made.record
    if not record["tests"]:
        return say("funnel_forecast.record.none", page.language)
    bias = record["money_bias"]
    return say(
        f"funnel_forecast.record.{status}",
        page.language,
        tests=record["tests"],
        inside=record["money_inside"],
        bias="" if pd.isna(bias) else f"{bias * 100:+.0f}%",
    )


def _table(page: PageData, made: Forecast) -> DataTable:
    rows = labelled(page, made.rows[made.rows["stage"] != "all"])
    columns = (
        ColumnView("label", say("funnel.column.stage", page.language)),
        ColumnView("standing", say("funnel_open.column.standing", page.language), "count"),
        ColumnView("wins", say("funnel_forecast.column.wins", page.language), "count"),
        ColumnView("money", say("funnel_forecast.column.money", page.language), "money"),
    )
    return DataTable(rows, columns, say("funnel_forecast.caption", page.language))


def _picture(page: PageData, made: Forecast) -> Figure:
    names = {"value": "money", "low": "money_low", "high": "money_high"}
    past = made.tests.rename(columns={old: new for new, old in names.items()}).assign(came=made.tests["signed"])
    now = made.rows.tail(1).rename(columns={old: new for new, old in names.items()}).assign(came=float("nan"))
    keys = ["as_of", "value", "low", "high", "came"]
    rows = pd.concat([past[keys], now[keys]], ignore_index=True)
    rows["label"] = [format_day(day, page.language) for day in rows["as_of"]]
    caption = say("funnel_forecast.figure", page.language)
    return forecast_record(rows, page.language, unit="money", currency=page.currency, caption=caption)


def _notes(page: PageData, total: pd.Series) -> Iterator[str]:
    yield say("funnel_forecast.note.open_only", page.language)
    if total["tests"] >= LEAST_TESTS:
        yield say("funnel_forecast.note.corrected", page.language, tests=int(total["tests"]))
    for name in ("assumed", "undated"):
        if total[name]:
            yield say(f"funnel_forecast.note.{name}", page.language, count=value_of(page, total[name], "count"))
