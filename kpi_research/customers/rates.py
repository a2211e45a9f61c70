"""Shares and amounts of a stretch of time: renewed of what fell due, bought again of those who were customers."""

from __future__ import annotations

import datetime as dt
from statistics import NormalDist

import numpy as np
import pandas as pd

from kpi_research.customers.standards import CONTRACTUAL, LOST_AFTER_DAYS, NONCONTRACTUAL, Setting
from kpi_research.kpis.customer_value import RENEWAL_AFTER_DAYS
from kpi_research.policy import INTERVAL_LEVEL, MIN_DENOMINATOR
from kpi_research.proportion import wilson

RATE_COLUMNS = ["measure", "setting", "unit", "value", "low", "high", "events", "n", "n_open", "status"]
NOTHING = (float("nan"), float("nan"))


def renewal(terms: pd.DataFrame, *, start: dt.date, end: dt.date, upto: dt.date, recorded: bool) -> pd.DataFrame:
    """Renewed of the contracts that ended in a stretch, by number and by amount.

    Parameters
    ----------
    terms
        As from `terms.terms`.
    start, end
        First day, and first day after the last.
    upto
        First day after what is on file: a contract that ended less than `RENEWAL_AFTER_DAYS` before may still be
        renewed.
    recorded
        Whether the CRM calls any contract a renewal at all; if not, that none was renewed means nothing.

    Returns
    -------
    `measure` (`renewal_rate`, `renewal_amount_rate`: amount of the renewals ÷ amount that ended, above 1 where prices
    rose); `setting`; `unit`; `value` with `low` and `high`; `events` renewed of `n` that can be judged; `n_open` that
    cannot yet; `status`: `ok`, `too_few`, `immature` (all are open), `no_cases`, `no_renewals_recorded`.
    """
    ended = terms[(terms["ends_on"] >= pd.Timestamp(start)) & (terms["ends_on"] < pd.Timestamp(end))]
    judged = ended["ends_on"] + pd.Timedelta(days=RENEWAL_AFTER_DAYS) < pd.Timestamp(upto)
    # one that was renewed already counts only with those of its age, else the young would all look renewed
    due, is_open = ended[judged], int((~judged).sum())
    renewed = due["renewed_on"].notna()
    n, events = len(due), int(renewed.sum())
    status = "ok" if recorded else "no_renewals_recorded"
    status = _status(n, is_open) if recorded else status
    by_number = (events / n, *wilson(events, n)) if status == "ok" else (np.nan, *NOTHING)
    priced = due[due["amount"] > 0]
    money = _status(len(priced), is_open) if recorded else status
    again = priced["renewed_amount"].where(priced["renewed_on"].notna(), 0.0).fillna(0.0)
    by_amount = ratio(again.to_numpy(float), priced["amount"].to_numpy(float)) if money == "ok" else (np.nan, *NOTHING)
    rows = [
        ("renewal_rate", CONTRACTUAL, "share", *by_number, events, n, is_open, status),
        ("renewal_amount_rate", CONTRACTUAL, "share", *by_amount, events, len(priced), is_open, money),
    ]
    return pd.DataFrame(rows, columns=RATE_COLUMNS)


def repurchase(
    days: pd.DataFrame,
    *,
    start: dt.date,
    end: dt.date,
    since: dt.date,
    lost_after_days: int = LOST_AFTER_DAYS,
    setting: Setting = NONCONTRACTUAL,
) -> pd.DataFrame:
    """Customers who bought again in a stretch, of those who were customers when it began; and how much they bought.

    Parameters
    ----------
    days
        As from `purchases.purchase_days`.
    start, end
        First day, and first day after the last.
    since
        First day of the data: what was bought before it is not on file.
    lost_after_days
        A customer at `start` is who bought within so many days before it.

    Returns
    ------- As from `renewal`, of `repurchase_rate` and `repurchase_amount` (money a customer). `no_history`: the data
    begin less than `lost_after_days` before the stretch, so that not all who were customers are known.
    """
    own = days[days["setting"] == setting]
    begin, last = pd.Timestamp(start), pd.Timestamp(end)
    earlier = own[(own["day"] < begin) & (own["day"] >= begin - pd.Timedelta(days=lost_after_days))]
    customers = pd.Index(earlier["account_id"].unique())
    inside = own[(own["day"] >= begin) & (own["day"] < last) & own["account_id"].isin(customers)]
    n, events = len(customers), inside["account_id"].nunique()
    status = _status(n, 0)
    if pd.Timestamp(since) > begin - pd.Timedelta(days=lost_after_days):
        status = "no_history"
    rate = (events / n, *wilson(events, n)) if status == "ok" else (np.nan, *NOTHING)
    spent = inside.groupby("account_id")["amount"].sum().reindex(customers, fill_value=0.0).to_numpy(float)
    amount = ratio(spent, np.ones(n)) if status == "ok" else (np.nan, *NOTHING)
    rows = [
        ("repurchase_rate", setting, "share", *rate, events, n, 0, status),
        ("repurchase_amount", setting, "money", *amount, events, n, 0, status),
    ]
    return pd.DataFrame(rows, columns=RATE_COLUMNS)


def ratio(numerators: np.ndarray, denominators: np.ndarray) -> tuple[float, float, float]:
    """Ratio of two sums with its interval at `policy.INTERVAL_LEVEL`, from how far single rows are off it; never
    under 0.

    Notes
    -----
    W. G. Cochran (1977), Sampling Techniques, 3rd ed., section 6.3: the linearised variance of a ratio.
    """
    value = float(numerators.sum() / denominators.sum())
    n = len(numerators)
    if n < 2:
        return (value, *NOTHING)
    off = numerators - value * denominators
    error = float(np.sqrt(n / (n - 1) * (off**2).sum()) / denominators.sum())
    half = NormalDist().inv_cdf(0.5 + INTERVAL_LEVEL / 2) * error
    return value, max(value - half, 0.0), value + half


def _status(n: int, is_open: int) -> str:
    if n == 0:
        return "immature" if is_open else "no_cases"
    return "ok" if n >= MIN_DENOMINATOR else "too_few"
