"""How much people can do on which day: what a goal is shared out by within a month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from kpi_research.periods import ONE_DAY, Period

THURSDAY = ONE_DAY * 3
DAYS_OF_A_MONTH = 365.25 / 12


def weeks_of(period: Period) -> list[Period]:
    """The weeks whose Thursday lies in a period, in order."""
    first = Period.containing(period.start, "week", period.fiscal_year_starts)
    weeks = [first.shift(number) for number in range((period.end - period.start).days // 7 + 2)]
    return [week for week in weeks if period.start <= week.start + THURSDAY < period.end]


def capacity(
    roster: pd.DataFrame,
    days: Sequence[dt.date],
    *,
    hired_on: Mapping[str, dt.date] | None = None,
    ramp_months: int = 0,
    absences: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """How much each person can do on each day: 1 on a working day, less while new, nothing while away.

    Parameters
    ----------
    roster
        `person_id, team_id, day, working` (0 or 1) of those who are expected to be there.
    days
        Days that are planned.
    hired_on
        First days; who has none here counts in full.
    absences
        `person_id, since, until`, both days included.

    Returns
    -------
    `person_id, team_id, day, capacity`; capacity in hundredths of a working day, whole numbers, zero ones left out.
    """
    wanted = pd.DatetimeIndex(pd.to_datetime(list(days)))
    rows = roster[roster["day"].isin(wanted) & (roster["working"] > 0)].reset_index(drop=True)
    share = np.ones(len(rows))
    if ramp_months and hired_on:
        hired = pd.to_datetime(rows["person_id"].map(hired_on))
        tenure = (rows["day"] - hired).dt.days + 1
        share = np.clip((tenure / (ramp_months * DAYS_OF_A_MONTH)).fillna(1.0).to_numpy(), 0.0, 1.0)
    if absences is not None and len(absences):
        away = rows.reset_index().merge(absences, on="person_id")
        inside = (away["day"] >= pd.to_datetime(away["since"])) & (away["day"] <= pd.to_datetime(away["until"]))
        share[away.loc[inside, "index"].unique()] = 0.0
    found = rows[["person_id", "team_id", "day"]].assign(capacity=np.rint(share * 100).astype(int))
    return found[found["capacity"] > 0].reset_index(drop=True)
