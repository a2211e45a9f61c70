"""How many customers stayed: renewals, orders of old customers, and the share still there by month."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.customers.overview import CustomerValue
from kpi_research.customers.standards import LOST_AFTER_DAYS, SETTINGS
from kpi_research.kpis.customer_value import RENEWAL_AFTER_DAYS, RENEWAL_BEFORE_DAYS
from kpi_research.language import say
from kpi_research.policy import MIN_DENOMINATOR
from kpi_research.report.block import Block, ColumnView, DataTable, Figure
from kpi_research.report.customer_charts import month_curves
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.words import range_of, value_of

FEWEST_AT_RISK = 10
"""A curve ends where fewer are still watched: one customer more or less would move it by ten points."""
SHORTEST_MONTHS = 3
CURVES = {("contractual", "stays"): "stays", ("noncontractual", "buys_again"): "buys_again"}


def build(page: PageData) -> Iterator[Block]:
    """What the last twelve months say, and the curve; cohort by cohort for analysts."""
    title = say("customer_retention.title", page.language)
    found = page.customers
    if reason := absence(found):
        yield Block("customer_retention", title, text=(say(f"customers.{reason}", page.language),), status="no_data")
        return
    assert found is not None  # noqa: S101 - `absence` has a reason otherwise
    curves = drawable(page, found)
    told = found.rates["status"].eq("ok").any() or len(curves)
    yield Block(
        "customer_retention",
        title,
        text=tuple(sentences(page, found)),
        table=_table(page, found) if told else None,
        figure=_figure(page, curves) if len(curves) else None,
        notes=(*_definitions(page),) if told else (),
        facts={"rates": found.rates.to_dict("records"), "curves": curves.to_dict("records")},
        status="ok" if told else "no_data",
    )
    if page.audience == "analyst" and len(found.cohorts):
        yield _cohorts(page, found)


SECTION = Section("customer_retention", build)


def _definitions(page: PageData) -> Iterator[str]:
    yield say("customer_retention.lost_contract", page.language, before=RENEWAL_BEFORE_DAYS, after=RENEWAL_AFTER_DAYS)
    yield say("customer_retention.lost_orders", page.language, days=LOST_AFTER_DAYS)


def absence(found: CustomerValue | None) -> str:
    """Why nothing can be said of customers at all; empty where something can."""
    if found is None:
        return "no_tables"
    return found.reason or ("no_contracts" if "contracts" in found.missing else "")


def sentences(page: PageData, found: CustomerValue) -> Iterator[str]:
    """A sentence for renewals and one for old customers' orders, or why there is none."""
    rates = found.rates.set_index("measure")
    renewal, amount = rates.loc["renewal_rate"], rates.loc["repurchase_amount"]
    again = rates.loc["repurchase_rate"]
    yield _said(page, "renewal", renewal)
    if renewal["n_open"]:
        yield say(
            "customer_retention.open",
            page.language,
            open=value_of(page, renewal["n_open"], "count"),
            after=RENEWAL_AFTER_DAYS,
        )
    yield _said(page, "repurchase", again) + (
        say(
            "customer_retention.amount",
            page.language,
            value=value_of(page, amount["value"], "money"),
            range=range_of(page, amount["low"], amount["high"], "money"),
        )
        if again["status"] == "ok"
        else ""
    )


def drawable(page: PageData, found: CustomerValue) -> pd.DataFrame:
    """The curves that a manager is shown, each as far as enough customers were watched."""
    parts = []
    for key, name in CURVES.items():
        own = found.curves[(found.curves["setting"] == key[0]) & (found.curves["measure"] == key[1])]
        own = own[(own["at_risk"] >= FEWEST_AT_RISK) & own["share"].notna()]
        if len(own) > 1 and own["months"].iloc[-1] >= SHORTEST_MONTHS:
            parts.append(own.assign(series=say(f"customer_retention.curve.{name}", page.language)))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*found.curves.columns, "series"])


def _said(page: PageData, name: str, row: pd.Series) -> str:
    if row["status"] != "ok":
        return say(
            f"customer_retention.{name}_{row['status']}",
            page.language,
            n=value_of(page, row["n"], "count"),
            open=value_of(page, row["n_open"], "count"),
            least=MIN_DENOMINATOR,
            days=LOST_AFTER_DAYS,
        )
    return say(
        f"customer_retention.{name}",
        page.language,
        n=value_of(page, row["n"], "count"),
        events=value_of(page, row["events"], "count"),
        value=value_of(page, row["value"], "share"),
        range=range_of(page, row["low"], row["high"], "share"),
        days=LOST_AFTER_DAYS,
    )


def _table(page: PageData, found: CustomerValue) -> DataTable:
    rows = found.rates.rename(columns={"low": "value_low", "high": "value_high"}).assign(
        label=[say(f"customer_retention.measure.{measure}", page.language) for measure in found.rates["measure"]],
        value_format=found.rates["unit"],
    )
    columns = (
        ColumnView("label", say("customers.column.label", page.language)),
        ColumnView("value", say("customers.column.value", page.language), "share"),
        ColumnView("events", say("customer_retention.column.events", page.language), "count"),
        ColumnView("n", say("customer_retention.column.n", page.language), "count"),
    )
    return DataTable(rows, columns, say("customer_retention.caption", page.language))


def _figure(page: PageData, curves: pd.DataFrame) -> Figure:
    colours = dict(zip(curves["series"].unique(), ("blue", "green"), strict=False))
    named = [
        say(f"customer_retention.figure.{colour}", page.language, series=series) for series, colour in colours.items()
    ]
    caption = "".join(named) + say("customer_retention.figure.range", page.language)
    return month_curves(curves, page.language, caption=caption)


def _cohorts(page: PageData, found: CustomerValue) -> Block:
    """A row a cohort; what is not old enough yet says so."""
    cells = found.cohorts.assign(cell=[_cell(page, row) for _, row in found.cohorts.iterrows()])
    wide = cells.pivot_table(
        index=["setting", "measure", "cohort", "n"], columns="age_months", values="cell", aggfunc="first", sort=True
    ).reset_index()
    ages = [column for column in wide.columns if isinstance(column, int)]
    kinds = zip(wide["setting"], wide["measure"], strict=True)
    wide = wide.assign(
        label=[say(f"customer_retention.cohort.{setting}.{measure}", page.language) for setting, measure in kinds]
    )
    wide = wide.sort_values(["setting", "measure", "cohort"], key=lambda values: values.map(_order)).fillna("")
    wide = wide.rename(columns={age: f"month_{age}" for age in ages})
    columns = (
        ColumnView("label", say("customers.column.label", page.language)),
        ColumnView("cohort", say("customer_retention.column.cohort", page.language)),
        ColumnView("n", say("customers.column.customers", page.language), "count"),
        *(ColumnView(f"month_{age}", say("customer_retention.column.age", page.language, months=age)) for age in ages),
    )
    return Block(
        "customer_cohorts",
        say("customer_retention.cohorts_title", page.language),
        text=(say("customer_retention.cohorts_text", page.language),),
        table=DataTable(wide, columns, say("customer_retention.cohorts_caption", page.language)),
        facts={"cohorts": found.cohorts.to_dict("records")},
    )


def _cell(page: PageData, row: pd.Series) -> str:
    if row["status"] != "ok":
        return say(f"customer_retention.cell.{row['status']}", page.language)
    return f"{value_of(page, row['share'], 'share')} ({range_of(page, row['low'], row['high'], 'share')})"


def _order(value: object) -> object:
    return SETTINGS.index(value) if value in SETTINGS else value
