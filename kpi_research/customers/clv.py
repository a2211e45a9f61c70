"""What customers are worth: the margin to be expected of them in the next months, in both settings, with its range.

The horizon ends where the forecast can still be checked (`calibration`); what lies beyond is not counted, so this is
the value of the next months and no guess at a lifetime. New customers are in no number: only those already there are
valued.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpi_research.customers import orders, renewals
from kpi_research.customers.facts import Facts
from kpi_research.customers.purchases import Basis, basis_of, history_frame
from kpi_research.customers.standards import (
    CONTRACTUAL,
    DISCOUNT_YEARLY,
    HORIZON_MONTHS,
    NONCONTRACTUAL,
    RESAMPLES,
    SETTINGS,
    Setting,
)
from kpi_research.policy import INTERVAL_LEVEL

MODELS: dict[Setting, str] = {CONTRACTUAL: "renewal_rate_x_margin", NONCONTRACTUAL: "bg_nbd_and_gamma_gamma"}
CUSTOMER_TYPES = {
    "account_id": "str", "setting": "str", "model": "str", "frequency": "float64", "last_day": "datetime64[us]",
    "due_on": "datetime64[us]", "p_active": "float64", "purchases": "float64", "worth": "float64", "value": "float64",
}  # fmt: skip
TOTAL_COLUMNS = [
    "setting", "model", "basis", "customers", "valued", "purchases", "purchases_low", "purchases_high", "value",
    "value_low", "value_high", "status", "reason",
]  # fmt: skip


@dataclass(frozen=True)
class Fitted:
    """The models of one company at one day.

    Parameters
    ----------
    orders, renewals
        The model of each setting.
    basis
        What values are: margins, or amounts where too few costs are known.
    since, upto
        First day of the data, and first day after what the models have seen.
    """

    orders: orders.OrdersModel
    renewals: renewals.RenewalModel
    basis: Basis
    since: dt.date
    upto: dt.date

    def reason(self, setting: Setting) -> str:
        """Why there is no value in a setting; empty where there is one."""
        return self.renewals.reason if setting == CONTRACTUAL else self.orders.reason


def fit(facts: Facts, *, since: dt.date, upto: dt.date, rng: np.random.Generator, resamples: int = RESAMPLES) -> Fitted:
    """Fit to all customers of a company, or say why not: `Fitted.reason`.

    Parameters
    ----------
    facts
        Of the whole company; what lies after `upto` is not looked at.
    since, upto
        First day of the data, and first day after what is looked at.
    resamples
        Refits behind the ranges.
    """
    known = facts.before(upto)
    basis = basis_of(known.days)
    of_orders = orders.fit(known.days, since=since, upto=upto, basis=basis, rng=rng, resamples=resamples)
    return Fitted(of_orders, renewals.fit(known.terms, since=since, upto=upto, basis=basis), basis, since, upto)


def customers(
    fitted: Fitted, facts: Facts, *, months: int = HORIZON_MONTHS, discount: float = DISCOUNT_YEARLY
) -> pd.DataFrame:
    """What is to be expected of each customer.

    Parameters
    ----------
    facts
        Of those customers that are asked for.
    months, discount
        How far ahead, and what a year's wait costs.

    Returns
    -------
    `account_id`; `setting` (a customer may be in both); `model`; `frequency`, days on which it bought again, null under
    a contract; `last_day` of a purchase; `due_on`, the next end of a
    contract; `p_active`, 1 under a contract; `purchases` expected; `worth` of one; `value` of all, discounted, money.
    Where a model was refused its columns are null.
    """
    known = facts.before(fitted.upto)
    found = [_by_orders(fitted, known, months, discount), _by_contract(fitted, known, months, discount)]
    found = [part[[*CUSTOMER_TYPES]] for part in found if len(part)]
    together = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*CUSTOMER_TYPES])
    return together.astype(CUSTOMER_TYPES)


def totals(
    fitted: Fitted,
    facts: Facts,
    *,
    rng: np.random.Generator,
    months: int = HORIZON_MONTHS,
    discount: float = DISCOUNT_YEARLY,
) -> pd.DataFrame:
    """What is to be expected of all these customers together, with the range that chance and few data leave.

    Returns
    ------- A row a setting with customers: `setting`, `model`, `basis`; `customers`, of whom `valued` have a value;
    `purchases` and `value` (discounted, money) with `_low` and `_high` at `policy.INTERVAL_LEVEL`; `status`: `ok`, or
    `refused` with its `reason`.
    """
    each = customers(fitted, facts, months=months, discount=discount)
    rows = [_total(setting, fitted, facts, each[each["setting"] == setting], months, rng) for setting in SETTINGS]
    return pd.DataFrame([row for row in rows if row[3]], columns=TOTAL_COLUMNS)


def ends(draws: np.ndarray) -> tuple[float, float]:
    """The interval of draws at `policy.INTERVAL_LEVEL`; nulls without draws."""
    if not len(draws) or not np.isfinite(draws).all():
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [0.5 - INTERVAL_LEVEL / 2, 0.5 + INTERVAL_LEVEL / 2])
    return float(low), float(high)


def drawn(
    fitted: Fitted, facts: Facts, setting: Setting, *, months: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws of all purchases, and of all undiscounted money, that may come in a setting."""
    known = facts.before(fitted.upto)
    if setting == CONTRACTUAL:
        rows = renewals.running(known.terms, upto=fitted.upto, basis=fitted.basis)
        count, money = renewals.draw(fitted.renewals, rows, months=months, draws=RESAMPLES, rng=rng)
    else:
        rows = history_frame(known.days, NONCONTRACTUAL, upto=fitted.upto, basis=fitted.basis)
        count, money = orders.draw(fitted.orders, rows, months=months, rng=rng)
    return count.sum(axis=1), money.sum(axis=1)


def _by_orders(fitted: Fitted, known: Facts, months: int, discount: float) -> pd.DataFrame:
    rows = history_frame(known.days, NONCONTRACTUAL, upto=fitted.upto, basis=fitted.basis)
    each = orders.expected(fitted.orders, rows, months=months, discount=discount)
    return each.assign(
        setting=NONCONTRACTUAL,
        model=MODELS[NONCONTRACTUAL],
        last_day=rows["last_day"],
        due_on=pd.NaT,
        frequency=rows["frequency"],
    )


def _by_contract(fitted: Fitted, known: Facts, months: int, discount: float) -> pd.DataFrame:
    """A row for each customer with a contract that runs; several contracts of one are added up."""
    rows = renewals.running(known.terms, upto=fitted.upto, basis=fitted.basis)
    if rows.empty:
        return rows
    each = renewals.expected(fitted.renewals, rows, months=months, discount=discount)
    if fitted.renewals.reason:
        each[["purchases", "worth", "value"]] = np.nan
    each = each.assign(due_on=rows["ends_on"].where(rows["days_left"] >= 0))
    found = each.groupby("account_id", as_index=False).agg(
        purchases=("purchases", _sum), worth=("worth", _sum), value=("value", _sum), due_on=("due_on", "min")
    )
    last = known.terms.groupby("account_id")["signed_on"].max()
    return found.assign(
        setting=CONTRACTUAL,
        model=MODELS[CONTRACTUAL],
        p_active=1.0,
        frequency=np.nan,
        last_day=found["account_id"].map(last),
    )


def _sum(values: pd.Series) -> float:
    """A sum that stays null where nothing is known."""
    return float(values.sum(min_count=1))


def _total(
    setting: Setting, fitted: Fitted, facts: Facts, each: pd.DataFrame, months: int, rng: np.random.Generator
) -> tuple[object, ...]:
    head = (setting, MODELS[setting], fitted.basis, len(each), int(each["value"].notna().sum()))
    reason = fitted.reason(setting)
    no_purchases = setting == NONCONTRACTUAL and not fitted.orders.buying.is_fitted
    if not len(each) or (reason and (setting == CONTRACTUAL or no_purchases)):
        return (*head, *[np.nan] * 6, "refused", reason)
    count, money = drawn(fitted, facts, setting, months=months, rng=rng)
    purchases, value = each["purchases"].sum(), each["value"].sum(min_count=1)
    # the draws do not know when in the horizon money comes; all of it is discounted as the expectation is
    plain = (each["purchases"] * each["worth"]).sum()
    factor = value / plain if plain > 0 else np.nan
    return (*head, purchases, *ends(count), value, *ends(money * factor), "refused" if reason else "ok", reason)


def settings_of(facts: Facts) -> Iterator[Setting]:
    """The settings that occur among some customers."""
    yield from (setting for setting in SETTINGS if (facts.days["setting"] == setting).any())
