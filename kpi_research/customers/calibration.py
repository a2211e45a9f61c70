"""How good the forecast is: made once more on older data, and held against what really came in the months held back.

Beside it stands what anybody would have said without a model: the same as in the same months a year before. Where that
was nearer, the model is of no use for this client, and the report says so.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from kpi_research.customers import clv, orders, renewals
from kpi_research.customers.facts import Facts
from kpi_research.customers.purchases import Basis, history_frame
from kpi_research.customers.standards import (
    CONTRACTUAL,
    HELD_BACK_MONTHS,
    NONCONTRACTUAL,
    RESAMPLES,
    SETTINGS,
    Setting,
)
from kpi_research.policy import INTERVAL_LEVEL

GROUP_COLUMNS = [
    "setting", "group", "customers", "predicted", "low", "high", "actual", "naive", "inside",
]  # fmt: skip
CHECK_COLUMNS = [
    "setting", "model", "cut", "months", "customers", "purchases", "purchases_low", "purchases_high",
    "purchases_actual", "purchases_naive", "bias", "value", "value_low", "value_high", "value_actual", "value_naive",
    "naive", "groups", "groups_inside", "nearer", "gain", "gain_low", "gain_high", "better", "status", "reason",
]  # fmt: skip
MOST_APART = 3
"""Customers who bought again so often, or more, are one group."""


@dataclass(frozen=True)
class Calibration:
    """A forecast made on older data, and what came.

    Parameters
    ----------
    groups
        `setting`; `group`: how often customers had bought again before the cut, or `first` and `later` renewals;
        `customers` (contracts in the contractual setting); `predicted` purchases with the range `low` to `high`,
        `actual`, `naive`; `inside`: whether what came lies in the range.
    checks
        A row a setting: `model`, `cut` (first day held back), `months`, `customers`; purchases and money predicted
        with their range, `_actual` and `_naive`; `bias`, predicted ÷ actual - 1; which `naive` forecast: `last_year`,
        or `months_before` where the data do not reach back a year; `groups` and `groups_inside` their ranges;
        `nearer`: whose sum of purchases was nearer; `gain`, by how much the model's squared error a customer is
        smaller than the naive one's, as a share of it, with its range; `better`: `model`, `naive`, or `neither` where
        the range has zero in it; `status`: `ok`, or `refused` with its `reason`.
    """

    groups: pd.DataFrame
    checks: pd.DataFrame


@dataclass(frozen=True)
class _Tried:
    """Of each unit: its group, and purchases and money predicted, come and naive; and draws of the sums.

    `naive` are purchases and money of all customers of that time, also of those who are none any more.
    """

    units: pd.DataFrame
    naive: tuple[float, float]
    drawn_groups: np.ndarray
    drawn_money: np.ndarray


def calibrate(
    facts: Facts,
    *,
    since: dt.date,
    upto: dt.date,
    rng: np.random.Generator,
    months: int = HELD_BACK_MONTHS,
    resamples: int = RESAMPLES,
) -> Calibration:
    """Fit to what was on file `months` before the end, forecast these months, and compare.

    Parameters
    ----------
    facts
        Of the whole company.
    since, upto
        First day of the data, and first day after them.
    months
        Held back.
    """
    cut = (pd.Timestamp(upto) - pd.DateOffset(months=months)).date()
    fitted = clv.fit(facts, since=since, upto=cut, rng=rng, resamples=resamples)
    kind, begin = _naive_window(since, cut, months)
    groups, checks = [], []
    for setting in SETTINGS:
        reason = fitted.reason(setting)
        if reason:
            checks.append(
                [setting, clv.MODELS[setting], cut, months, *[np.nan] * (len(CHECK_COLUMNS) - 7), "", "refused", reason]
            )
            continue
        tried = (_contracts if setting == CONTRACTUAL else _orders)(fitted, facts, cut, upto, begin, months, rng)
        if tried.units.empty:
            checks.append(
                [
                    setting,
                    clv.MODELS[setting],
                    cut,
                    months,
                    *[np.nan] * (len(CHECK_COLUMNS) - 7),
                    "",
                    "refused",
                    "nobody_left",
                ]
            )
            continue
        by_group = _groups(setting, tried)
        groups.append(by_group)
        checks.append(_check(setting, tried, by_group, kind, cut, months))
    empty = pd.DataFrame(columns=GROUP_COLUMNS)
    return Calibration(
        pd.concat(groups, ignore_index=True) if groups else empty, pd.DataFrame(checks, columns=CHECK_COLUMNS)
    )


def _naive_window(since: dt.date, cut: dt.date, months: int) -> tuple[str, pd.Timestamp]:
    """The same months a year before; where the data begin later, the months just before."""
    last_year = pd.Timestamp(cut) - pd.DateOffset(years=1)
    if last_year >= pd.Timestamp(since):
        return "last_year", last_year
    return "months_before", pd.Timestamp(cut) - pd.DateOffset(months=months)


def _orders(
    fitted: clv.Fitted,
    facts: Facts,
    cut: dt.date,
    upto: dt.date,
    begin: pd.Timestamp,
    months: int,
    rng: np.random.Generator,
) -> _Tried:
    """Every customer who had bought before the cut."""
    rows = history_frame(facts.before(cut).days, NONCONTRACTUAL, upto=cut, basis=fitted.basis)
    each = orders.expected(fitted.orders, rows, months=months, discount=0.0)
    days = facts.days[facts.days["setting"] == NONCONTRACTUAL].assign(money=lambda frame: _worth(frame, fitted.basis))
    firsts = days.groupby("account_id")["day"].transform("min")
    again = days[days["day"] > firsts]
    number = np.minimum(rows["frequency"].to_numpy(int), MOST_APART)
    units = pd.DataFrame(
        {
            "account_id": rows["account_id"], "group": number.astype(str), "place": number,
            "predicted": each["purchases"], "predicted_money": each["value"],
        }
    )  # fmt: skip
    units["group"] = np.where(number == MOST_APART, f"{MOST_APART}+", units["group"])
    come = _inside(days, pd.Timestamp(cut), pd.Timestamp(upto))
    before = _inside(again, begin, begin + (pd.Timestamp(upto) - pd.Timestamp(cut)))
    count, money = orders.draw(fitted.orders, rows, months=months, rng=rng, groups=number)
    return _Tried(_joined(units, come, before), _sums(before), count, money.sum(axis=1))


def _contracts(
    fitted: clv.Fitted,
    facts: Facts,
    cut: dt.date,
    upto: dt.date,
    begin: pd.Timestamp,
    months: int,
    rng: np.random.Generator,
) -> _Tried:
    """Every contract that ran at the cut; what came are renewals signed in the months held back."""
    rows = renewals.running(facts.before(cut).terms, upto=cut, basis=fitted.basis)
    each = renewals.expected(fitted.renewals, rows, months=months, discount=0.0)
    terms = facts.terms.assign(money=lambda frame: frame["renewed_amount"] * _margin_share(frame, fitted.basis))
    signed = terms[terms["renewed_on"].notna()].assign(day=lambda frame: frame["renewed_on"])
    units = pd.DataFrame(
        {
            "contract_id": rows["contract_id"], "account_id": rows["account_id"],
            "group": np.where(rows["group"] == renewals.LATER, "later", "first"), "place": rows["group"],
            "predicted": each["purchases"], "predicted_money": each["value"],
        }
    )  # fmt: skip
    come = _inside(signed, pd.Timestamp(cut), pd.Timestamp(upto), key="contract_id")
    before = _inside(signed, begin, begin + (pd.Timestamp(upto) - pd.Timestamp(cut)))
    count, money = renewals.draw(
        fitted.renewals, rows, months=months, draws=RESAMPLES, rng=rng, groups=rows["group"].to_numpy(int)
    )
    return _Tried(_joined(units, come, before, key="contract_id"), _sums(before), count, money.sum(axis=1))


def _worth(days: pd.DataFrame, basis: Basis) -> pd.Series:
    return days["costed_amount"] - days["cost"] if basis == "margin" else days["amount"]


def _margin_share(terms: pd.DataFrame, basis: Basis) -> pd.Series:
    """Margin ÷ amount of a contract, for its renewal, whose cost is not on the same row."""
    if basis == "amount":
        return pd.Series(1.0, terms.index)
    return ((terms["amount"] - terms["cost"]) / terms["amount"].where(terms["amount"] > 0)).astype(float)


def _inside(rows: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp, key: str = "account_id") -> pd.DataFrame:
    """Purchases and money from a day on until before another, by account or contract."""
    found = rows[(rows["day"] >= start) & (rows["day"] < end)]
    return found.groupby(key).agg(count=("day", "size"), money=("money", "sum"))


def _sums(before: pd.DataFrame) -> tuple[float, float]:
    return float(before["count"].sum()), float(before["money"].sum())


def _joined(units: pd.DataFrame, come: pd.DataFrame, before: pd.DataFrame, key: str = "account_id") -> pd.DataFrame:
    """What came and what the naive forecast says; of an account's several contracts the naive goes to the first."""
    first = ~units["account_id"].duplicated()
    joined = units.assign(
        actual=units[key].map(come["count"]).fillna(0.0), actual_money=units[key].map(come["money"]).fillna(0.0),
        naive=units["account_id"].map(before["count"]).where(first).fillna(0.0),
        naive_money=units["account_id"].map(before["money"]).where(first).fillna(0.0),
    )  # fmt: skip
    return joined.astype(dict.fromkeys(("actual", "actual_money", "naive", "naive_money"), float))


def _groups(setting: Setting, tried: _Tried) -> pd.DataFrame:
    found = tried.units.groupby(["place", "group"], as_index=False).agg(
        customers=("predicted", "size"),
        predicted=("predicted", "sum"),
        actual=("actual", "sum"),
        naive=("naive", "sum"),
    )
    ranges = [clv.ends(tried.drawn_groups[:, int(place)]) for place in found["place"]]
    found = found.assign(setting=setting, low=[low for low, _ in ranges], high=[high for _, high in ranges])
    found["inside"] = (found["low"] <= found["actual"]) & (found["actual"] <= found["high"])
    return found[GROUP_COLUMNS]


def _check(
    setting: Setting, tried: _Tried, groups: pd.DataFrame, naive: str, cut: dt.date, months: int
) -> list[object]:
    units, sums = tried.units, tried.units.sum(numeric_only=True)
    bias = sums["predicted"] / sums["actual"] - 1 if sums["actual"] > 0 else np.nan
    gain, low, high = _gain(units)
    better = "neither" if not (low > 0 or high < 0) else "model" if low > 0 else "naive"
    off, naive_off = abs(sums["predicted"] - sums["actual"]), abs(tried.naive[0] - sums["actual"])
    nearer = "neither" if off == naive_off else "model" if off < naive_off else "naive"
    return [
        setting, clv.MODELS[setting], cut, months, len(units), sums["predicted"],
        *clv.ends(tried.drawn_groups.sum(axis=1)), sums["actual"], tried.naive[0], bias, sums["predicted_money"],
        *clv.ends(tried.drawn_money), sums["actual_money"], tried.naive[1],
        naive, len(groups), int(groups["inside"].sum()), nearer, gain, low, high, better, "ok", "",
    ]  # fmt: skip


def _gain(units: pd.DataFrame) -> tuple[float, float, float]:
    """By how much smaller the model's squared error is, as a share of the naive one's, from the customers'
    differences."""
    ours, naive = (units["predicted"] - units["actual"]) ** 2, (units["naive"] - units["actual"]) ** 2
    if not naive.sum() > 0 or len(units) < 2:
        return float("nan"), float("nan"), float("nan")
    gained = (naive - ours) / naive.mean()
    half = NormalDist().inv_cdf(0.5 + INTERVAL_LEVEL / 2) * float(gained.std(ddof=1)) / len(units) ** 0.5
    return float(gained.mean()), float(gained.mean()) - half, float(gained.mean()) + half
