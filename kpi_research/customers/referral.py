"""Leads that customers brought: how many, which share of all, and how they end beside the others."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from kpi_research.policy import MIN_DENOMINATOR
from kpi_research.proportion import wilson

REFERRAL_COLUMNS = ["measure", "value", "low", "high", "events", "n", "status"]


def referrals(leads: pd.DataFrame, *, start: dt.date, end: dt.date) -> pd.DataFrame:
    """Referred leads of those that came in a stretch, by what their source says.

    Parameters
    ----------
    leads
        `owner_id, day, is_referral, leads, won`, as in `facts.Facts.leads`.
    start, end
        First day, and first day after the last.

    Returns
    ------- `measure`: `referred_leads` of all leads, and of referred and other leads how many were won
    (`referred_won`, `others_won`; those still open count as not won yet); `value` with `low` and `high`; `events` of
    `n`; `status`: `ok`, `too_few` or `no_cases`.
    """
    inside = leads[(leads["day"] >= pd.Timestamp(start)) & (leads["day"] < pd.Timestamp(end))]
    referred = inside["is_referral"].astype(bool)
    total, came = int(inside["leads"].sum()), int(inside.loc[referred, "leads"].sum())
    won = int(inside.loc[referred, "won"].sum()), int(inside.loc[~referred, "won"].sum())
    counts = [("referred_leads", came, total), ("referred_won", won[0], came), ("others_won", won[1], total - came)]
    return pd.DataFrame([_row(*each) for each in counts], columns=REFERRAL_COLUMNS)


def _row(measure: str, events: int, n: int) -> tuple[object, ...]:
    if n < MIN_DENOMINATOR:
        return (measure, np.nan, np.nan, np.nan, events, n, "too_few" if n else "no_cases")
    return (measure, events / n, *wilson(events, n), events, n, "ok")
