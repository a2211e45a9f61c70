"""What customers say and whom they bring: recommendation, satisfaction, and leads that came from customers."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.customers.overview import CustomerValue
from kpi_research.language import say
from kpi_research.policy import MIN_DENOMINATOR
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.words import range_of, value_of


def build(page: PageData) -> Iterator[Block]:
    """A sentence and a row for each kind of survey, and what is known of referrals."""
    found, title = page.customers, say("customer_voice.title", page.language)
    if found is None or found.reason:
        reason = "no_tables" if found is None else found.reason
        yield Block("customer_voice", title, text=(say(f"customers.again.{reason}", page.language),), status="no_data")
        return
    voice = found.voice
    referred = found.referrals.set_index("measure")
    brought = referred.loc["referred_leads"]
    told = voice["status"].eq("ok").any() or brought["status"] == "ok"
    yield Block(
        "customer_voice",
        title,
        text=(*_answers(page, found), *_referrals(page, found)),
        table=_table(page, voice) if len(voice) else None,
        notes=(say("customer_voice.note", page.language),) if len(voice) else (),
        facts={"voice": voice.to_dict("records"), "referrals": found.referrals.to_dict("records")},
        status="ok" if told else "no_data",
    )


SECTION = Section("customer_voice", build)


def _answers(page: PageData, found: CustomerValue) -> Iterator[str]:
    if "surveys" in found.missing:
        yield say("customer_voice.no_surveys", page.language)
        return
    if found.voice.empty:
        yield say("customer_voice.no_answers", page.language)
        return
    for _, row in found.voice.iterrows():
        values = {
            "kind": say(f"customer_voice.kind.{row['kind']}", page.language),
            "n": value_of(page, row["n"], "count"),
            "customers": value_of(page, row["customers"], "count"),
            "scale": _scale(row),
            "least": MIN_DENOMINATOR,
        }
        if row["status"] != "ok":
            yield say(f"customer_voice.{row['status']}", page.language, **values)
            continue
        values |= {
            "value": value_of(page, row["value"], row["unit"]),
            "range": range_of(page, row["low"], row["high"], row["unit"]) or value_of(page, row["value"], row["unit"]),
        }
        if row["kind"] == "nps":
            values |= {name: value_of(page, row[name], "count") for name in ("promoters", "detractors")}
        yield say(f"customer_voice.said.{row['unit']}", page.language, **values)
    if found.voice["response_rate"].isna().all():
        yield say("customer_voice.response_unknown", page.language)


def _referrals(page: PageData, found: CustomerValue) -> Iterator[str]:
    rows = found.referrals.set_index("measure")
    brought, won, others = (rows.loc[name] for name in ("referred_leads", "referred_won", "others_won"))
    if "leads" in found.missing:
        yield say("customer_voice.no_leads", page.language)
    elif brought["status"] != "ok":
        yield say("customer_voice.few_leads", page.language, n=value_of(page, brought["n"], "count"))
    else:
        yield say(
            "customer_voice.referred",
            page.language,
            events=value_of(page, brought["events"], "count"),
            n=value_of(page, brought["n"], "count"),
            value=value_of(page, brought["value"], "share"),
            range=range_of(page, brought["low"], brought["high"], "share"),
        )
        if won["status"] == others["status"] == "ok":
            apart = won["low"] > others["high"] or won["high"] < others["low"]
            yield say(
                f"customer_voice.won_{'apart' if apart else 'alike'}",
                page.language,
                won=value_of(page, won["value"], "share"),
                others=value_of(page, others["value"], "share"),
            )


def _scale(row: pd.Series) -> str:
    return f"{row['scale_min']:g}-{row['scale_max']:g}"


def _table(page: PageData, voice: pd.DataFrame) -> DataTable:
    rows = voice.rename(columns={"low": "value_low", "high": "value_high"}).assign(
        label=[say(f"customer_voice.kind.{kind}", page.language) for kind in voice["kind"]],
        value_format=voice["unit"],
        scale=[_scale(row) for _, row in voice.iterrows()],
    )
    columns = (
        ColumnView("label", say("customers.column.label", page.language)),
        ColumnView("value", say("customers.column.value", page.language), "points"),
        ColumnView("n", say("customer_voice.column.n", page.language), "count"),
        ColumnView("customers", say("customer_voice.column.customers", page.language), "count"),
        ColumnView("response_rate", say("customer_voice.column.response_rate", page.language), "share"),
        ColumnView("scale", say("customer_voice.column.scale", page.language)),
    )
    return DataTable(rows, columns, say("customer_voice.caption", page.language))
