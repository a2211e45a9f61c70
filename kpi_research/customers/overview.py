"""Everything about the customers of some people, or of all, in one stretch of time: what a page is made from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kpi_research.customers import clv, referral, retention, survey
from kpi_research.customers.calibration import Calibration
from kpi_research.customers.facts import Facts
from kpi_research.customers.rates import renewal, repurchase
from kpi_research.customers.standards import HORIZON_MONTHS, LOST_AFTER_DAYS, NONCONTRACTUAL

YEAR_MONTHS = 12
ATTENTION_COLUMNS = ["account_id", "name", "owner_id", "last_day", "due_on", "p_active", "worth", "value"]


@dataclass(frozen=True)
class CustomerValue:
    """What is known of customers at the end of a period.

    Parameters
    ----------
    start, end
        The twelve months that `rates`, `voice` and `referrals` are about: first day, and first day after the last.
    rates
        As from `rates.renewal` and `rates.repurchase`.
    cohorts, curves
        As from `retention.cohorts` and `retention.curves`.
    totals
        As from `clv.totals`.
    customers
        As from `clv.customers`, with `name` and `owner_id`.
    calibration
        Of the company's models (see `calibration.Calibration`).
    voice, referrals
        As from `survey.summarise` and `referral.referrals`.
    missing
        Canonical tables without which something is not said.
    reason
        Why nothing is said at all: `no_owners`, where customers cannot be told apart by team; else empty.
    """

    start: dt.date
    end: dt.date
    rates: pd.DataFrame
    cohorts: pd.DataFrame
    curves: pd.DataFrame
    totals: pd.DataFrame
    customers: pd.DataFrame
    calibration: Calibration
    voice: pd.DataFrame
    referrals: pd.DataFrame
    missing: tuple[str, ...] = ()
    reason: str = ""
    horizon_months: int = field(default=HORIZON_MONTHS)


def overview(
    facts: Facts,
    fitted: clv.Fitted,
    calibration: Calibration,
    *,
    rng: np.random.Generator,
    owners: Collection[str] | None = None,
    lost_after_days: int = LOST_AFTER_DAYS,
) -> CustomerValue:
    """What is known at `fitted.upto`.

    Parameters
    ----------
    facts
        Of the whole company.
    fitted, calibration
        Of the whole company: a team has too few customers, and its customers are taken to be like the others.
    owners
        Whose customers; everybody's if None.
    """
    end = fitted.upto
    start = (pd.Timestamp(end) - pd.DateOffset(months=YEAR_MONTHS)).date()
    known = facts.before(end)
    recorded = known.terms.empty or bool((known.terms["kind"] == "renewal").any())
    mine = known if owners is None else known.of(owners)
    spells = retention.spells(mine.days, mine.terms, since=fitted.since, upto=end, lost_after_days=lost_after_days)
    if not recorded:
        # without renewals on file every contract would look lost at its end
        spells = spells[spells["setting"] == NONCONTRACTUAL]
    rates = pd.concat(
        [
            renewal(mine.terms, start=start, end=end, upto=end, recorded=recorded),
            repurchase(mine.days, start=start, end=end, since=fitted.since, lost_after_days=lost_after_days),
        ],
        ignore_index=True,
    )
    return CustomerValue(
        start, end, rates,
        cohorts=retention.cohorts(spells, upto=end, lost_after_days=lost_after_days),
        curves=retention.curves(spells),
        totals=clv.totals(fitted, mine, rng=rng),
        customers=clv.customers(fitted, mine).merge(known.accounts, on="account_id", how="left"),
        calibration=calibration,
        voice=survey.summarise(mine.answers, start=start, end=end),
        referrals=referral.referrals(mine.leads, start=start, end=end),
        missing=tuple(name for name in ("contracts", "surveys", "leads", "accounts") if name not in facts.tables),
        reason="no_owners" if owners is not None and not facts.has_owners else "",
    )  # fmt: skip
