"""What may be expected of customers under a contract that ends: the share that renews, times what they pay.

Every contract that still runs, and is not renewed yet, is renewed with the share seen so far: one for first contracts
and one for those that are renewals themselves, because who renewed once renews more often (Fader & Hardie 2007 show
why such shares rise). When within the time around the end a renewal is signed is taken from the renewals seen; so a
contract whose end has passed is less likely to be renewed than one whose time has not come.

References
---------- Gupta, S. & Lehmann, D. R. (2003). Customers as assets. Journal of Interactive Marketing 17(1), 9-24: value
as the sum of margin x retention, discounted. Fader, P. S. & Hardie, B. G. S. (2007). How to project customer
retention. Journal of Interactive Marketing 21(1), 76-90.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from kpi_research.customers.purchases import Basis
from kpi_research.customers.standards import DAYS_A_MONTH, DISCOUNT_YEARLY, MIN_RENEWALS_DUE
from kpi_research.kpis.customer_value import RENEWAL_AFTER_DAYS
from kpi_research.policy import MIN_DENOMINATOR

FIRST, LATER = 0, 1
DAYS_A_YEAR = 365.25
Refusal = Literal["", "no_terms", "no_renewals_recorded", "too_few_due"]


@dataclass(frozen=True)
class RenewalModel:
    """Shares that renew.

    Parameters
    ----------
    due, renewed
        Contracts that ended and can be judged, and those of them that were renewed: first ones, and renewals.
    lags
        Days from a contract's end to the signing of its renewal, sorted; before the end they are negative.
    term_days
        How long a renewal runs, the median; null where too few are on file, then as long as the contract before it.
    price
        Amount of a renewal ÷ amount of what it renews.
    basis
        Margin or amount.
    reason
        Why nothing is forecast; empty where it is.
    """

    due: tuple[int, int]
    renewed: tuple[int, int]
    lags: np.ndarray
    term_days: float
    price: float
    basis: Basis
    reason: Refusal = ""

    @property
    def shares(self) -> np.ndarray:
        """Share that renews of first contracts and of renewals; where too few renewals ended, both are that of all."""
        due, renewed = np.array(self.due, float), np.array(self.renewed, float)
        each = np.divide(renewed, due, out=np.zeros(2), where=due > 0)
        return np.where(due >= MIN_RENEWALS_DUE, each, renewed.sum() / max(due.sum(), 1.0))

    def signed_by(self, days: np.ndarray) -> np.ndarray:
        """Share of renewals that are signed at most so many days after the end."""
        return np.searchsorted(self.lags, np.floor(days), "right") / max(len(self.lags), 1)


def fit(terms: pd.DataFrame, *, since: dt.date, upto: dt.date, basis: Basis) -> RenewalModel:
    """The shares among contracts that ended in the data long enough ago to be judged.

    Parameters
    ----------
    terms
        As from `terms.terms`, as they were on file before `upto`.
    since, upto
        First day of the data, and first day after them.
    """
    judged = terms[
        (terms["ends_on"] >= pd.Timestamp(since))
        & (terms["ends_on"] + pd.Timedelta(days=RENEWAL_AFTER_DAYS) < pd.Timestamp(upto))
    ]
    again, is_later = judged["renewed_on"].notna(), judged["kind"] == "renewal"
    due = (int((~is_later).sum()), int(is_later.sum()))
    renewed = (int((again & ~is_later).sum()), int((again & is_later).sum()))
    priced = judged[again & (judged["amount"] > 0) & judged["renewed_amount"].notna()]
    price = priced["renewed_amount"].sum() / priced["amount"].sum() if len(priced) else 1.0
    lags = np.sort((judged["renewed_on"] - judged["ends_on"])[again].dt.days.to_numpy(float))
    runs = (terms["ends_on"] - terms["signed_on"]).dt.days[(terms["kind"] == "renewal") & terms["ends_on"].notna()]
    term_days = float(runs.median()) if len(runs) >= MIN_DENOMINATOR else float("nan")
    return RenewalModel(due, renewed, lags, term_days, float(price), basis, _refusal(terms, sum(due)))


def running(terms: pd.DataFrame, *, upto: dt.date, basis: Basis) -> pd.DataFrame:
    """Contracts that are not renewed yet and may still be, one row each.

    Returns
    -------
    `account_id`, `contract_id`, `ends_on`; `days_left` until the end, negative where it has passed; `group` (`FIRST` or
    `LATER`); `length`, days it runs; `worth`, margin or amount, null where it is not known.
    """
    end = pd.Timestamp(upto)
    rows = terms[terms["renewed_on"].isna() & (terms["ends_on"] + pd.Timedelta(days=RENEWAL_AFTER_DAYS) >= end)]
    worth = rows["amount"] - rows["cost"] if basis == "margin" else rows["amount"]
    return pd.DataFrame(
        {
            "account_id": rows["account_id"], "contract_id": rows["contract_id"], "ends_on": rows["ends_on"],
            "days_left": (rows["ends_on"] - end).dt.days.astype(float),
            "group": np.where(rows["kind"] == "renewal", LATER, FIRST),
            "length": (rows["ends_on"] - rows["signed_on"]).dt.days.astype(float), "worth": worth.astype(float),
        }
    ).reset_index(drop=True)  # fmt: skip


def expected(
    model: RenewalModel, rows: pd.DataFrame, *, months: int, discount: float = DISCOUNT_YEARLY
) -> pd.DataFrame:
    """Renewals to be expected of each running contract in the next months.

    Parameters
    ----------
    rows
        As from `running`.

    Returns
    -------
    `account_id`, `contract_id`; `purchases` (renewals) expected; `worth` of the next; `value` of all, discounted to
    today, money. A renewal counts with its whole amount when it is signed; worth of contracts is null where unknown.
    """
    purchases, value = np.zeros(len(rows)), np.zeros(len(rows))
    for signed, days, price in _steps(model, rows, months=months, shares=model.shares):
        purchases += signed
        value += signed * rows["worth"] * price / (1 + discount) ** (np.maximum(days, 0.0) / DAYS_A_YEAR)
    return pd.DataFrame(
        {
            "account_id": rows["account_id"], "contract_id": rows["contract_id"], "purchases": purchases,
            "worth": rows["worth"] * model.price, "value": value,
        }
    )  # fmt: skip


def draw(
    model: RenewalModel,
    rows: pd.DataFrame,
    *,
    months: int,
    draws: int,
    rng: np.random.Generator,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of what may come: renewals and undiscounted money, one row a draw and one column a group of rows.

    The shares are drawn from what the counts leave open (Jeffreys' beta), then for each contract whether it renews.
    """
    place = np.zeros(len(rows), int) if groups is None else groups
    size = int(place.max()) + 1 if len(place) else 1
    counts, money = np.zeros((draws, size)), np.zeros((draws, size))
    due, renewed = np.array(model.due, float), np.array(model.renewed, float)
    pooled = due < MIN_RENEWALS_DUE
    due, renewed = np.where(pooled, due.sum(), due), np.where(pooled, renewed.sum(), renewed)
    for number in range(draws):
        shares = rng.beta(renewed + 0.5, due - renewed + 0.5)
        reached, before = np.ones(len(rows), bool), np.ones(len(rows))
        for signed, _, price in _steps(model, rows, months=months, shares=shares):
            share = np.divide(signed, before, out=np.zeros(len(rows)), where=before > 0)
            reached &= rng.random(len(rows)) < share
            before = signed
            counts[number] += np.bincount(place, reached, size)
            money[number] += np.bincount(place, np.where(reached, rows["worth"].fillna(0.0) * price, 0.0), size)
    return counts, money


def _steps(
    model: RenewalModel, rows: pd.DataFrame, *, months: int, shares: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """For the next renewal, the one after it and so on: its probability, days until it, and its price."""
    horizon = months * DAYS_A_MONTH
    days, group = rows["days_left"].to_numpy(float), rows["group"].to_numpy(int)
    length = np.full(len(rows), model.term_days) if np.isfinite(model.term_days) else rows["length"].to_numpy(float)
    length = np.maximum(length, 1.0)
    earlier = model.signed_by(-days - 1)
    share = shares[group]
    left = share * (1 - earlier) / np.maximum(1 - share * earlier, 1e-12)
    within = np.maximum(model.signed_by(horizon - days) - earlier, 0.0)
    signed = left * np.divide(within, 1 - earlier, out=np.zeros(len(rows)), where=earlier < 1)
    steps, price = [(signed, days, model.price)], model.price
    while True:
        days, price = days + length, price * model.price
        by_then = model.signed_by(horizon - days)
        signed = signed * shares[LATER] * by_then
        if not signed.any() or len(steps) > months:
            return steps
        steps.append((signed, days, price))


def _refusal(terms: pd.DataFrame, due: int) -> Refusal:
    if terms.empty:
        return "no_terms"
    if not (terms["kind"] == "renewal").any():
        return "no_renewals_recorded"
    return "too_few_due" if due < MIN_RENEWALS_DUE else ""
