"""Teams and people over the whole history, with denominators named and the question whether they differ at all."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.appraisal.ranking import rates_differ
from kpi_research.crm.roster import UNASSIGNED
from kpi_research.language import say
from kpi_research.panel import Level
from kpi_research.proportion import wilson
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import RATE, PageData
from kpi_research.report.format import format_money
from kpi_research.report.page import Section
from kpi_research.report.words import value_of


def build(page: PageData) -> Iterator[Block]:
    """The company, then a table of teams and one of people."""
    company = page.whole["company"].set_index("kpi")
    if pd.isna(company["numerator"].get(RATE, float("nan"))):
        yield Block(
            "league", say("league.title", page.language), text=(say("league.no_rate", page.language),), status="no_data"
        )
        return
    yield _company(page, company)
    for level in ("team", "person"):
        yield _table(page, level)


SECTION = Section("league", build)


def _company(page: PageData, company: pd.DataFrame) -> Block:
    rate, outcome = company.loc[RATE], company.loc[page.outcome]
    text = say(
        "league.company",
        page.language,
        outcome=page.label(page.outcome),
        amount=_exact(page, outcome["value"]),
        rate=f"{rate['value']:.3%}",
        won=value_of(page, rate["numerator"], "count"),
        closed=value_of(page, rate["denominator"], "count"),
    )
    facts = {
        "won": rate["numerator"],
        "closed": rate["denominator"],
        RATE: rate["value"],
        page.outcome: outcome["value"],
    }
    return Block("league", say("league.title", page.language), text=(text,), facts=facts)


def _exact(page: PageData, value: float) -> str:
    """The outcome in full: this sentence is held against the CRM's own screen."""
    unit = page.kpis[page.outcome].unit
    if unit != "money":
        return value_of(page, value, unit)
    return format_money(value, page.language, currency=page.currency, exact=True)


def _table(page: PageData, level: Level) -> Block:
    rows = page.whole[level]
    rows = rows[rows["entity_id"] != UNASSIGNED]
    rates = rows[rows["kpi"] == RATE].set_index("entity_id")
    outcome = rows[rows["kpi"] == page.outcome].set_index("entity_id")["value"]
    apart = rates_differ(rates["numerator"].fillna(0), rates["denominator"].fillna(0))
    frame = rates.reset_index().assign(
        label=lambda table: table["entity_id"].map(page.names).fillna(table["entity_id"]),
        outcome=lambda table: table["entity_id"].map(outcome),
    )
    frame = with_intervals(frame)
    by = "value" if apart.distinguishable else "label"
    frame = frame.sort_values([by, "entity_id"], ascending=[by == "label", True])
    columns = (
        ColumnView("label", say(f"league.column.{level}", page.language)),
        ColumnView("value", page.label(RATE), "share"),
        ColumnView("numerator", say("people.column.won", page.language), "count"),
        ColumnView("denominator", say("people.column.closed", page.language), "count"),
        ColumnView("outcome", page.label(page.outcome), page.kpis[page.outcome].unit),
    )
    kind = "unknown" if apart.reason else "apart" if apart.distinguishable else "alike"
    p_value = value_of(page, apart.p, "probability")
    test = f"chi2 {apart.statistic:.2f}, df {apart.df}, p {p_value}"
    return Block(
        f"league_{level}",
        say(f"league.title_{level}", page.language),
        text=(say(f"league.{kind}", page.language, test=test, n=apart.n_entities),),
        table=DataTable(frame, columns, say("league.caption", page.language)),
        status="ok" if kind == "apart" else "warning",
        facts={"chi2": apart.statistic, "df": apart.df, "p": apart.p, "distinguishable": apart.distinguishable},
    )


def with_intervals(rates: pd.DataFrame) -> pd.DataFrame:
    """A table of rates with the interval of each."""
    ends = [wilson(won, closed) for won, closed in zip(rates["numerator"], rates["denominator"], strict=True)]
    return rates.assign(value_low=[low for low, _ in ends], value_high=[high for _, high in ends])
