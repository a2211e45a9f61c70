"""The funnel: how many of a hundred reach each stage, which step is weakest, and what one point more would bring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from kpi_research.funnel.summary import Summary
from kpi_research.language import say
from kpi_research.policy import MIN_DENOMINATOR
from kpi_research.report.block import Block, Callout, ColumnView, DataTable, Tone
from kpi_research.report.data import PageData
from kpi_research.report.funnel_charts import funnel_bars
from kpi_research.report.funnel_words import caveats, labelled, out_of_hundred, step_label
from kpi_research.report.page import Section
from kpi_research.report.words import period_title, range_of, value_of


def build(page: PageData) -> Iterator[Block]:
    """One callout, the funnel of a year as a picture, and the period's own as a table."""
    title = say("funnel.title", page.language)
    funnel = page.funnel
    if funnel is None:
        yield Block("funnel", title, text=(say("funnel.no_opportunities", page.language),), status="no_data")
        return
    year = funnel.year_cohort[funnel.year_cohort["part"] == "deals"]
    if year["entered"].iloc[0] < MIN_DENOMINATOR:
        text = say("funnel.too_few", page.language, name=page.entity_name, n=int(year["entered"].iloc[0]))
        yield Block("funnel", title, text=(text, *caveats(page, funnel)), status="no_data")
        return
    yield Block(
        "funnel",
        title,
        callout=_callout(page, funnel, year),
        figure=funnel_bars(_bars(page, funnel, year), page.language, caption=say("funnel.figure", page.language)),
        table=_table(page, funnel),
        notes=(*_notes(page, funnel), *caveats(page, funnel)),
        facts=_facts(funnel),
    )


SECTION = Section("funnel", build)


def _bars(page: PageData, funnel: Summary, year: pd.DataFrame) -> pd.DataFrame:
    weak = funnel.worth.loc[funnel.worth["is_bottleneck"] & (funnel.worth["part"] == "deals"), "place"] + 1
    ends = {"value": year["rate_of_first"], "low": year["first_low"], "high": year["first_high"]}
    return labelled(page, year).assign(**ends, weak=year["place"].isin(weak))


def _callout(page: PageData, funnel: Summary, year: pd.DataFrame) -> Callout:
    won = year[year["kind"] == "won"].iloc[0]
    known = pd.notna(won["rate_of_first"])
    figure = value_of(page, won["rate_of_first"], "share") if known else ""
    return Callout(
        tone=_tone(funnel),
        stands=_stands(page, year, won) if known else say("funnel.stands.unknown", page.language),
        why=_why(page, funnel),
        next_step=_next(page, funnel),
        figure=figure,
        figure_label=say("funnel.figure_label", page.language) if known else "",
        figure_range=range_of(page, won["first_low"], won["first_high"], "share") if known else "",
    )


def _tone(funnel: Summary) -> Tone:
    if funnel.worth["is_bottleneck"].any():
        return "fair"
    return "unknown" if (funnel.worth["standing"] == "cannot_tell").all() else "info"


def _stands(page: PageData, year: pd.DataFrame, won: pd.Series) -> str:
    values = {"name": page.entity_name, "won": out_of_hundred(won["rate_of_first"])}
    collected = year[year["kind"] == "collected"]
    if len(collected) and pd.notna(collected["rate_of_first"].iloc[0]):
        share = collected["rate_of_first"].iloc[0]
        return say("funnel.stands.collected", page.language, collected=out_of_hundred(share), **values)
    return say("funnel.stands.won", page.language, **values)


def _why(page: PageData, funnel: Summary) -> str:
    against = say(f"funnel.against.{funnel.against}", page.language)
    weak = funnel.worth[funnel.worth["is_bottleneck"]]
    if weak.empty:
        told = (funnel.worth["standing"] != "cannot_tell").any()
        return say(f"funnel.why.{'none' if told else 'cannot_tell'}", page.language, against=against)
    row = weak.iloc[0]
    return say(
        "funnel.why.behind",
        page.language,
        step=step_label(page, row, funnel),
        rate=value_of(page, row["rate"], "share"),
        usual=value_of(page, row["usual"], "share"),
        against=against,
        money=value_of(page, row["at_stake"], "money"),
        range=range_of(page, row["at_stake_low"], row["at_stake_high"], "money"),
    )


def _next(page: PageData, funnel: Summary) -> str:
    priced = funnel.worth[(funnel.worth["status"] == "ok") & (funnel.worth["worth"] > 0)]
    if priced.empty:
        return say("funnel.next.nothing", page.language)
    weak = priced[priced["is_bottleneck"]]
    row = weak.iloc[0] if len(weak) else priced.loc[priced["worth"].idxmax()]
    return say(
        "funnel.next.weak" if len(weak) else "funnel.next.dearest",
        page.language,
        step=step_label(page, row, funnel),
        worth=value_of(page, row["worth"], "money"),
        range=range_of(page, row["worth_low"], row["worth_high"], "money"),
    )


def _table(page: PageData, funnel: Summary) -> DataTable:
    money = funnel.worth[["part", "place", "worth", "worth_low", "worth_high"]]
    shown = funnel.period_cohort[funnel.period_cohort["kind"] != "converted"]
    rows = labelled(page, shown).merge(money, on=["part", "place"], how="left")
    state = rows["status"].where(rows["status"] != "last")
    rows = rows.assign(rate_low=rows["ci_low"], rate_high=rows["ci_high"], state=state)
    columns = (
        ColumnView("label", say("funnel.column.stage", page.language)),
        ColumnView("entered", say("funnel.column.entered", page.language), "count"),
        ColumnView("rate", say("funnel.column.rate", page.language), "share"),
        ColumnView("days_median", say("funnel.column.days", page.language), "days"),
        ColumnView("worth", say("funnel.column.worth", page.language), "money"),
        ColumnView("state", say("funnel.column.status", page.language), "status"),
    )
    caption = say("funnel.caption", page.language, period=period_title(page.period, page.language))
    return DataTable(rows, columns, caption)


def _notes(page: PageData, funnel: Summary) -> Iterator[str]:
    statuses = {*funnel.period_cohort["status"]}
    for status in ("immature", "too_few", "no_window"):
        if status in statuses:
            yield say(f"funnel.note.{status}", page.language, least=MIN_DENOMINATOR)
    yield say("funnel.note.windows", page.language)
    yield say("funnel.note.worth", page.language)
    moved = {name: int(funnel.year_cohort[name].sum()) for name in ("skipped", "reopened")}
    if any(moved.values()):
        yield say("funnel.note.moved", page.language, **{name: f"{count:,}" for name, count in moved.items()})


def _facts(funnel: Summary) -> dict[str, Any]:
    frames = {"year": funnel.year_cohort, "period": funnel.period_cohort, "worth": funnel.worth}
    return {
        "order": funnel.model.order,
        "against": funnel.against,
        **{name: frame.to_dict("records") for name, frame in frames.items()},
    }
