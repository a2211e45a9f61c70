"""What customers may still bring: the next twelve months, how good such forecasts were, and whom to see."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.customers.overview import CustomerValue
from kpi_research.customers.standards import (
    CONTRACTUAL,
    DISCOUNT_YEARLY,
    MIN_AGE_WEEKS,
    MIN_BUYING_AGAIN,
    MIN_CUSTOMERS,
    MIN_RENEWALS_DUE,
)
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable, Figure
from kpi_research.report.customer_charts import forecast_checks
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.sections.customer_retention import absence
from kpi_research.report.words import range_of, value_of

SHOWN = 10
DUE_WITHIN_DAYS = 90
SILENT_DAYS = 180
LIKELY_GONE = 0.5
"""Customers who are more likely gone than not are those whom a call may bring back."""


def build(page: PageData) -> Iterator[Block]:
    """The forecast and its record; then the contracts that end soon and the customers who fell silent."""
    found = page.customers
    title = say("customer_value.title", page.language)
    if reason := absence(found):
        # the section before has told at length
        text = say(f"customers.again.{reason}", page.language)
        yield Block("customer_value", title, text=(text,), status="no_data")
        return
    assert found is not None  # noqa: S101 - `absence` has a reason otherwise
    valued = found.totals[found.totals["status"] == "ok"]
    checks = _checked(found)
    yield Block(
        "customer_value",
        title,
        text=(*_sentences(page, found), *(_check(page, row) for _, row in checks.iterrows())),
        table=_table(page, found, valued) if len(valued) else None,
        figure=_figure(page, checks) if len(checks) else None,
        notes=(*_notes(page, found),) if len(valued) else (),
        facts={
            "totals": found.totals.to_dict("records"),
            "checks": found.calibration.checks.to_dict("records") if page.audience == "analyst" else [],
        },
        status="no_data" if valued.empty else "warning" if (checks["better"] == "naive").any() else "ok",
    )
    yield from _to_be_seen(page, found)


SECTION = Section("customer_value", build)


def _sentences(page: PageData, found: CustomerValue) -> Iterator[str]:
    if found.totals.empty:
        yield say("customer_value.nobody", page.language)
    for _, row in found.totals.iterrows():
        if row["status"] == "ok":
            yield say(
                f"customer_value.{row['setting']}.{row['basis']}",
                page.language,
                customers=value_of(page, row["customers"], "count"),
                months=found.horizon_months,
                purchases=value_of(page, row["purchases"], "count"),
                value=value_of(page, row["value"], "money"),
                range=range_of(page, row["value_low"], row["value_high"], "money"),
            )
        else:
            reason = say(
                f"customer_value.refused.{row['reason']}",
                page.language,
                customers=MIN_CUSTOMERS,
                again=MIN_BUYING_AGAIN,
                weeks=int(MIN_AGE_WEEKS),
                due=MIN_RENEWALS_DUE,
            )
            kind = say(f"customers.setting.{row['setting']}", page.language)
            yield say("customer_value.not_valued", page.language, kind=kind, reason=reason)


def _checked(found: CustomerValue) -> pd.DataFrame:
    """The record of those forecasts that are shown."""
    checks = found.calibration.checks
    shown = found.totals.loc[found.totals["status"] == "ok", "setting"]
    return checks[(checks["status"] == "ok") & checks["setting"].isin(shown) & (checks["purchases_actual"] > 0)]


def _check(page: PageData, row: pd.Series) -> str:
    came = row["purchases_actual"]
    return say(
        f"customer_value.check.{row['better']}",
        page.language,
        kind=say(f"customers.inline.{row['setting']}", page.language),
        months=int(row["months"]),
        share=_percent(row["purchases"] / came),
        naive=say(f"customer_value.naive.{row['naive']}", page.language),
        naive_share=_percent(row["purchases_naive"] / came),
    ) + say(f"customer_value.nearer.{row['nearer']}", page.language)


def _percent(share: float) -> str:
    return f"{share * 100:.0f}%"


def _table(page: PageData, found: CustomerValue, valued: pd.DataFrame) -> DataTable:
    rows = valued.assign(label=[say(f"customers.setting.{setting}", page.language) for setting in valued["setting"]])
    columns = (
        ColumnView("label", say("customers.column.kind", page.language)),
        ColumnView("customers", say("customers.column.customers", page.language), "count"),
        ColumnView("purchases", say("customer_value.column.purchases", page.language), "count"),
        ColumnView("value", say(f"customer_value.column.{valued['basis'].iloc[0]}", page.language), "money"),
    )
    return DataTable(rows, columns, say("customer_value.caption", page.language, months=found.horizon_months))


def _figure(page: PageData, checks: pd.DataFrame) -> Figure:
    came = checks["purchases_actual"]
    rows = pd.DataFrame(
        {
            "label": [say(f"customers.setting.{setting}", page.language) for setting in checks["setting"]],
            "value": checks["purchases"] / came, "low": checks["purchases_low"] / came,
            "high": checks["purchases_high"] / came, "naive": checks["purchases_naive"] / came,
        }
    )  # fmt: skip
    return forecast_checks(rows.astype(dict.fromkeys(("value", "low", "high", "naive"), float)), page.language,
                           caption=say("customer_value.figure", page.language))  # fmt: skip


def _notes(page: PageData, found: CustomerValue) -> Iterator[str]:
    yield say("customer_value.whole_company", page.language)
    yield say(
        "customer_value.horizon", page.language, months=found.horizon_months, discount=f"{DISCOUNT_YEARLY * 100:.0f}%"
    )


def _to_be_seen(page: PageData, found: CustomerValue) -> Iterator[Block]:
    if found.customers.empty:
        return
    named = found.customers.assign(label=found.customers["name"].fillna(found.customers["account_id"]))
    end = pd.Timestamp(found.end)
    due = named[(named["due_on"] >= end) & (named["due_on"] < end + pd.Timedelta(days=DUE_WITHIN_DAYS))]
    yield from _listed(page, "due", due, ("due_on", "worth"))
    quiet = named["last_day"] < end - pd.Timedelta(days=SILENT_DAYS)
    # whoever still has a contract is no silent customer
    held = named["account_id"].isin(named.loc[named["setting"] == CONTRACTUAL, "account_id"])
    silent = named[quiet & ~held & (named["frequency"] > 0) & (named["p_active"] < LIKELY_GONE)]
    yield from _listed(page, "silent", silent, ("last_day", "frequency", "p_active", "worth"))


FORMATS = {"due_on": "date", "last_day": "date", "frequency": "count", "p_active": "share", "worth": "money"}


def _listed(page: PageData, kind: str, rows: pd.DataFrame, keys: tuple[str, ...]) -> Iterator[Block]:
    """The ten whose next order is worth most; nothing where there is nobody."""
    if rows.empty:
        return
    most = rows.sort_values(["worth", "account_id"], ascending=[False, True]).head(SHOWN)
    columns = (
        ColumnView("label", say("customer_value.column.customer", page.language)),
        *(ColumnView(key, say(f"customer_value.{kind}.{key}", page.language), FORMATS[key]) for key in keys),  # type: ignore[arg-type]
    )
    sums = {
        "n": value_of(page, len(rows), "count"), "shown": len(most),
        "days": DUE_WITHIN_DAYS if kind == "due" else SILENT_DAYS,
        "worth": value_of(page, rows["worth"].sum(), "money"),
    }  # fmt: skip
    yield Block(
        f"customers_{kind}",
        say(f"customer_value.{kind}_title", page.language, days=DUE_WITHIN_DAYS),
        text=(say(f"customer_value.{kind}_text", page.language, **sums),),
        table=DataTable(most[["label", *keys]], columns, say(f"customer_value.{kind}_caption", page.language, **sums)),
        facts={"n": len(rows), "worth": float(rows["worth"].sum())},
    )
