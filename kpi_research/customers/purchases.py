"""Who bought on which day, and each customer's history as the models take it: queries over contracts, on any engine."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from kpi_research.customers.standards import CONTRACTUAL, DAYS_A_WEEK, MIN_COST_SHARE, NONCONTRACTUAL, Setting

Basis = Literal["margin", "amount"]
DAY_COLUMNS = (
    "account_id", "setting", "day", "orders", "priced", "amount", "costed", "costed_amount", "cost", "is_new",
    "is_later",
)  # fmt: skip
HISTORY_COLUMNS = (
    "account_id", "first_day", "last_day", "frequency", "recency_weeks", "age_weeks", "value_days", "mean_value",
    "begins_later",
)  # fmt: skip
SECONDS_A_DAY = 86_400


def is_contractual(rows: ir.Table) -> ir.BooleanValue:
    """Whether a contract belongs to a customer who must say so when leaving: it ends on a day, or renews one that
    does."""
    return rows.ends_on.notnull() | (rows.kind == "renewal").fill_null(False)


def valid_contracts(contracts: ir.Table) -> ir.Table:
    """Contracts of known accounts that were not cancelled."""
    return contracts.filter(contracts.cancelled_at.isnull() & contracts.account_id.notnull())


def purchase_days(contracts: ir.Table, *, currency: str) -> ir.Table:
    """One row for each account, setting and day on which a valid contract was signed: two on a day are one purchase.

    Parameters
    ----------
    contracts
        The canonical table.
    currency
        Amounts in another one are not added up: they count as orders without a price.

    Returns
    ------- `account_id`; `setting`; `day`; `orders` (contracts); `priced` (of them with an amount in the currency)
    and their `amount`; `costed` (of those with a cost too), their `costed_amount` and `cost`; `is_new`, `is_later`:
    whether the CRM calls one of them new, or a renewal or repeat.
    """
    rows = valid_contracts(contracts)
    known = rows.amount.notnull() & (rows.currency.isnull() | (rows.currency == currency))
    rows = rows.select(
        "account_id",
        setting=is_contractual(rows).ifelse(CONTRACTUAL, NONCONTRACTUAL),
        day=rows.signed_at.truncate("D"),
        price=known.ifelse(rows.amount, None),
        cost=known.ifelse(rows.cost, None),
        kind=rows.kind,
    )
    both = rows.price.notnull() & rows.cost.notnull()
    days = rows.group_by(["account_id", "setting", "day"]).aggregate(
        orders=rows.count(),
        priced=rows.price.count(),
        amount=rows.price.sum().cast("float64"),
        costed=rows.count(where=both),
        costed_amount=rows.price.sum(where=both).cast("float64"),
        cost=rows.cost.sum(where=both).cast("float64"),
        is_new=(rows.kind == "new").fill_null(False).any(),
        is_later=rows.kind.isin(["renewal", "repeat"]).fill_null(False).any(),
    )
    return days.select(*DAY_COLUMNS)


def basis_of(days: pd.DataFrame) -> Basis:
    """Whether values are margins, or amounts because too few costs are known.

    Parameters
    ----------
    days
        As from `purchase_days`.
    """
    priced = days["priced"].sum()
    return "margin" if priced and days["costed"].sum() >= MIN_COST_SHARE * priced else "amount"


def histories(days: ir.Table, setting: Setting, *, upto: dt.date, basis: Basis) -> ir.Table:
    """What the models take of each account in one setting, from the purchases before a day.

    Parameters
    ----------
    days
        As from `purchase_days`, of both settings.
    upto
        First day after what is observed.
    basis
        What a purchase is worth: amount less cost, or the amount.

    Returns
    -------
    `account_id`; `first_day` and `last_day` of a purchase; `frequency`, days on which it bought again; `recency_weeks`
    from the first to the last; `age_weeks` from the first to `upto`; `value_days`, days whose whole worth is known, and
    `mean_value` of these, in money; `begins_later`: the CRM calls the very first purchase of the account, in either
    setting, a renewal or repeat, so that what came before it is not on file.
    """
    end = ibis.literal(pd.Timestamp(upto).to_pydatetime())
    value = days.costed_amount - days.cost if basis == "margin" else days.amount
    whole = (days.costed if basis == "margin" else days.priced) == days.orders
    rows = days.filter(days.day < end).mutate(value=whole.ifelse(value, None))
    is_first = rows.day == rows.day.min().over(ibis.window(group_by=rows.account_id))
    rows = rows.mutate(news=is_first & rows.is_new, laters=is_first & rows.is_later)
    known = rows.group_by("account_id").aggregate(begins_later=rows.laters.any() & ~rows.news.any())
    rows = rows.filter(rows.setting == setting)
    found = rows.group_by("account_id").aggregate(
        first_day=rows.day.min(),
        last_day=rows.day.max(),
        frequency=rows.count() - 1,
        value_days=rows.value.count(),
        mean_value=rows.value.mean(),
    )
    found = found.inner_join(known, "account_id")
    return found.mutate(
        recency_weeks=_weeks(found.last_day, found.first_day), age_weeks=_weeks(end, found.first_day)
    ).select(*HISTORY_COLUMNS)


def history_frame(days: pd.DataFrame, setting: Setting, *, upto: dt.date, basis: Basis) -> pd.DataFrame:
    """The same of purchases that were fetched already, in order of the accounts."""
    if days.empty:
        return pd.DataFrame(columns=[*HISTORY_COLUMNS])
    found = histories(ibis.memtable(days), setting, upto=upto, basis=basis).to_pyarrow().to_pandas()
    return found.sort_values("account_id", ignore_index=True)


def _weeks(later: ir.Value, earlier: ir.Value) -> ir.NumericValue:
    """Weeks between two midnights."""
    return (later.epoch_seconds() - earlier.epoch_seconds()) / (SECONDS_A_DAY * DAYS_A_WEEK)
