"""Who stays: cohorts by their first purchase, and the share still there by time, in both settings.

*contractual*: lost on the day on which the last of a customer's contracts ends, when none was signed until
`RENEWAL_AFTER_DAYS` later. *noncontractual*: lost once so many days have gone by without an order.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from kpi_research.customers.standards import (
    AGES_MONTHS,
    CONTRACTUAL,
    DAYS_A_MONTH,
    LOST_AFTER_DAYS,
    NONCONTRACTUAL,
    Setting,
)
from kpi_research.customers.survival import kaplan_meier
from kpi_research.kpis.customer_value import RENEWAL_AFTER_DAYS
from kpi_research.policy import MIN_DENOMINATOR
from kpi_research.proportion import wilson

Measure = Literal["stays", "buys_again"]
SPELL_TYPES = {
    "account_id": "str", "setting": "str", "measure": "str", "start": "datetime64[us]", "entry_days": "int64",
    "days": "int64", "happened": "bool",
}  # fmt: skip
COHORT_COLUMNS = ["setting", "measure", "cohort", "age_months", "n", "known", "share", "low", "high", "status"]
CURVE_COLUMNS = ["setting", "measure", "months", "at_risk", "events", "share", "low", "high"]


def spells(
    days: pd.DataFrame,
    terms: pd.DataFrame,
    *,
    since: dt.date,
    upto: dt.date,
    lost_after_days: int = LOST_AFTER_DAYS,
) -> pd.DataFrame:
    """How long each customer stayed, and how long until they bought again, as far as it was watched.

    Customers whose first purchase on file is called a renewal or repeat are left out: their start is not known.

    Parameters
    ----------
    days, terms
        As from `purchases.purchase_days` and `terms.terms`.
    since
        First day of the data. Older contracts are on file only where they still ran then, so their customers count
        from that day on (`entry_days`).
    upto
        First day after the data.

    Returns
    -------
    `account_id`; `setting`; `measure`: `stays` (what may happen is that they are lost) or `buys_again` (a second order;
    noncontractual only); `start`, the first purchase; `entry_days` from it until they were watched; `days` until it
    happened or the watching ended; `happened`.
    """
    first = days.sort_values("day").groupby("account_id").first()
    known = days[~days["account_id"].isin(first.index[first["is_later"] & ~first["is_new"]])]
    parts = [
        _orders(known[known["setting"] == NONCONTRACTUAL], since=since, upto=upto, lost_after_days=lost_after_days),
        _under_contract(terms[terms["account_id"].isin(known["account_id"])], since=since, upto=upto),
    ]
    found = pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=[*SPELL_TYPES])])
    return found.astype(SPELL_TYPES).sort_values(["setting", "measure", "account_id"], ignore_index=True)


def cohorts(
    found: pd.DataFrame,
    *,
    upto: dt.date,
    ages: Sequence[int] = AGES_MONTHS,
    lost_after_days: int = LOST_AFTER_DAYS,
) -> pd.DataFrame:
    """Share of each half-year's new customers who still stay, or have bought again, at an age.

    Parameters
    ----------
    found
        As from `spells`; who was first watched later than at the start belongs to no cohort.
    ages
        In months.
    lost_after_days
        As for `spells`: up to this age nobody without a contract can be lost, so nothing is said of who stays.

    Returns
    ------- `setting`, `measure`; `cohort`, the half-year of the first purchase; `age_months`; `n` customers, of whom
    `known` were watched that long; `share` with `low` and `high`; `status`: `ok`, `too_few`, or `immature`: not all
    are that old yet, and a share of those who are would be another group than the cohort.
    """
    new = found[found["entry_days"] == 0]
    halves = new["start"].dt.year.astype(str) + "H" + ((new["start"].dt.month - 1) // 6 + 1).astype(str)
    rows = [
        (*key, age, *_share(group, age, key[1], upto))
        for key, group in new.assign(cohort=halves).groupby(["setting", "measure", "cohort"])
        for age in ages
        if key[:2] != (NONCONTRACTUAL, "stays") or age * DAYS_A_MONTH > lost_after_days
    ]
    return pd.DataFrame(rows, columns=COHORT_COLUMNS)


def curves(found: pd.DataFrame) -> pd.DataFrame:
    """Kaplan-Meier curves by months since the first purchase, one a setting and measure.

    Returns
    -------
    `setting`, `measure`, `months`, `at_risk`, `events`; `share` who stay, or who have bought again, with `low` and
    `high`; a row for each day on which anything changed.
    """
    return pd.concat([*_curves(found)] or [pd.DataFrame(columns=CURVE_COLUMNS)], ignore_index=True)


def _curves(found: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for (setting, measure), group in found.groupby(["setting", "measure"]):
        curve = kaplan_meier(*(group[name].to_numpy() for name in ("days", "happened", "entry_days")))
        shares = curve[["survival", "low", "high"]]
        if measure == "buys_again":
            shares = 1 - curve[["survival", "high", "low"]]
        yield pd.DataFrame(
            {
                "setting": setting, "measure": measure, "months": curve["time"] / DAYS_A_MONTH,
                "at_risk": curve["at_risk"], "events": curve["events"],
                "share": shares.iloc[:, 0], "low": shares.iloc[:, 1], "high": shares.iloc[:, 2],
            }
        )  # fmt: skip


def _share(group: pd.DataFrame, age: int, measure: Measure, upto: dt.date) -> tuple[object, ...]:
    """`n, known, share, low, high, status` of one cohort at one age."""
    until = (group["start"] + pd.DateOffset(months=age) - group["start"]).dt.days
    by_then = group["happened"] & (group["days"] <= until)
    known = int((by_then | (group["days"] >= until)).sum())
    # a cohort is as old as its youngest: whoever was lost early must not be known sooner than whoever stays
    grown = bool((group["start"] + pd.DateOffset(months=age) <= pd.Timestamp(upto)).all()) and known == len(group)
    events = int(by_then.sum()) if measure == "buys_again" else int((~by_then).sum())
    if not grown:
        return len(group), known, np.nan, np.nan, np.nan, "immature"
    if len(group) < MIN_DENOMINATOR:
        return len(group), known, np.nan, np.nan, np.nan, "too_few"
    return len(group), known, events / len(group), *wilson(events, len(group)), "ok"


def _orders(days: pd.DataFrame, *, since: dt.date, upto: dt.date, lost_after_days: int) -> pd.DataFrame:
    """Of orders without an end: until the second, and until the first gap that is too long."""
    if days.empty:
        return pd.DataFrame(columns=[*SPELL_TYPES])
    end = pd.Timestamp(upto)
    rows = days[["account_id", "day"]].sort_values(["account_id", "day"], ignore_index=True)
    by_account = rows.groupby("account_id")["day"]
    start = by_account.transform("first")
    gap = (by_account.shift(-1).fillna(end) - rows["day"]).dt.days
    lost = (
        ((rows["day"] - start).dt.days + lost_after_days).where(gap > lost_after_days).groupby(rows["account_id"]).min()
    )
    again = (rows["day"] - start).dt.days.where(by_account.cumcount() == 1).groupby(rows["account_id"]).min()
    first = by_account.first()
    first = first[first >= pd.Timestamp(since)]
    watched = (end - first).dt.days
    entry = pd.Series(0, first.index)
    return pd.concat(
        [
            _spells(NONCONTRACTUAL, "stays", first, entry, lost.reindex(first.index), watched),
            _spells(NONCONTRACTUAL, "buys_again", first, entry, again.reindex(first.index), watched),
        ]
    )


def _under_contract(terms: pd.DataFrame, *, since: dt.date, upto: dt.date) -> pd.DataFrame:
    """Of contracts that end: until no contract runs and the time to renew is over."""
    if terms.empty:
        return pd.DataFrame(columns=[*SPELL_TYPES])
    begin, room = pd.Timestamp(since), pd.Timedelta(days=RENEWAL_AFTER_DAYS)
    # a renewal is known at once, its absence only later: watched is until nobody can be called lost too late
    end = pd.Timestamp(upto) - room
    rows = terms[["account_id", "signed_on", "ends_on"]].sort_values(
        ["account_id", "signed_on", "ends_on"], ignore_index=True
    )
    # whoever renewed without an end on file is not known to end
    rows["covered"] = (
        rows["ends_on"].fillna(pd.Timestamp.max.floor("D").as_unit("us")).groupby(rows["account_id"]).cummax()
    )
    by_account = rows.groupby("account_id")
    following = by_account["signed_on"].shift(-1).fillna(pd.Timestamp(upto))
    over = rows["covered"].where((rows["covered"] < end) & (rows["covered"] + room < following))
    lost, last = over.groupby(rows["account_id"]).min(), by_account["covered"].last()
    first = by_account["signed_on"].first()
    here = (first < end) & (lost.isna() | (lost >= begin)) & (last >= begin)
    # with nobody there, what is picked has no type
    first, lost, last = (each[here].astype("datetime64[us]") for each in (first, lost, last))
    watched = (last.clip(upper=end) - first).dt.days
    entry = (begin - first).dt.days.clip(lower=0)
    return _spells(CONTRACTUAL, "stays", first, entry, (lost - first).dt.days, watched)


def _spells(
    setting: Setting, measure: Measure, start: pd.Series, entry: pd.Series, event: pd.Series, watched: pd.Series
) -> pd.DataFrame:
    """One row a customer; `event` is null where nothing happened."""
    return pd.DataFrame(
        {
            "account_id": start.index, "setting": setting, "measure": measure, "start": start.to_numpy(),
            "entry_days": np.minimum(entry.to_numpy(), watched.to_numpy()),
            "days": event.fillna(watched).to_numpy(int), "happened": event.notna().to_numpy(),
        }
    )  # fmt: skip
