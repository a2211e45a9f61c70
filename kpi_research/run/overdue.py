"""Looks at what waits too long: deals in a stage, and customers who were visited once and not contacted again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pandas as pd

from kpi_research.appraisal.alarm_budget import CHECK_COLUMNS
from kpi_research.appraisal.early_warning import NOW_COLUMNS
from kpi_research.funnel.records import Records
from kpi_research.funnel.steps import DAY, windows
from kpi_research.kpis.process import SECOND_CONTACT_DAYS
from kpi_research.periods import ONE_DAY

AHEAD = pd.Timedelta(days=60)
"""A warning of something that waits came true if it still has not gone on after so long."""
FRESH = pd.Timedelta(days=31)
"""Each is warned of once, in the month in which it becomes overdue: what has lain for a year is a backlog, which the
funnel shows, and no early warning."""
LOOKED_BACK_MONTHS = 18
"""Longer ago than this, people and ways of working were others."""

WAIT_COLUMNS = ["kind", "person_id", "item", "case_id", "since", "left_at", "went_on", "limit", "amount"]


def waiting(records: Records, roster: pd.DataFrame, day: dt.date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Looks of the past in `CHECK_COLUMNS` and those of the day in `NOW_COLUMNS`, both kinds.

    A look at each month's end, at what had become overdue in that month. The limit is a stage's usual window
    (`funnel.steps.windows`), and for customers `kpis.process.SECOND_CONTACT_DAYS`. Nothing after `day` is used.
    """
    known = records.as_of(day)
    rows = pd.concat([_deals(known), _customers(known)], ignore_index=True)
    # an empty frame among them would leave its columns untyped
    rows = rows.astype({"limit": float, "went_on": bool, "amount": float})
    rows = rows.assign(since=pd.to_datetime(rows["since"]), left_at=pd.to_datetime(rows["left_at"]))
    end = pd.Timestamp(day + ONE_DAY)
    since = max(pd.Timestamp(known.since), end - pd.DateOffset(months=LOOKED_BACK_MONTHS))
    teams = roster[roster["day"].isin(pd.date_range(since, end, freq="ME"))]
    past = pd.concat([*_looks(rows, teams, since, end), pd.DataFrame(columns=CHECK_COLUMNS)], ignore_index=True)
    open_ = rows[rows["left_at"].isna()]
    days = (end - open_["since"]) / DAY
    now = open_.assign(strength=days / open_["limit"], figure=days, against=open_["limit"], low=None, high=None)
    return past[CHECK_COLUMNS], now.loc[_is_fresh(end - now["since"], now["limit"]), NOW_COLUMNS]


def _is_fresh(waited: pd.Series, limit_days: pd.Series) -> pd.Series:
    over = waited - pd.to_timedelta(limit_days, unit="D")
    return (over >= pd.Timedelta(0)) & (over < FRESH)


def _deals(records: Records) -> pd.DataFrame:
    """Stages that deals stand or stood in, until they went on or were lost, in `WAIT_COLUMNS`."""
    rows = records.passages
    rows = rows[(rows["part"] == "deals") & ~rows["kind"].isin(["won", "collected"])]
    cases = records.cases.loc[records.cases["part"] == "deals", ["case_id", "owner_id", "amount"]]
    rows = rows.merge(cases, on="case_id").rename(
        columns={"owner_id": "person_id", "stage": "item", "entered_at": "since"}
    )
    limits = rows["item"].map(windows(records))
    rows = rows.drop(columns="kind").assign(kind="stall", went_on=rows["to"].eq("next"), limit=limits)
    return rows[WAIT_COLUMNS].dropna(subset=["since", "limit", "person_id"])


def _customers(records: Records) -> pd.DataFrame:
    """First visits, until the next contact, in `WAIT_COLUMNS`."""
    rows = records.contacts.rename(
        columns={"owner_id": "person_id", "account_id": "case_id", "visited_at": "since", "next_at": "left_at"}
    )
    rows = rows.assign(kind="no_contact", item="", went_on=rows["left_at"].notna(), limit=SECOND_CONTACT_DAYS)
    return rows.assign(amount=float("nan"))[WAIT_COLUMNS].dropna(subset=["since", "person_id"])


def _looks(rows: pd.DataFrame, teams: pd.DataFrame, since: pd.Timestamp, end: pd.Timestamp) -> Iterator[pd.DataFrame]:
    """One look a month end, at what was overdue then and is old enough to know how it went."""
    for day in pd.date_range(since, end - AHEAD, freq="ME"):
        at = day + DAY
        here = rows[(rows["since"] < at) & ~(rows["left_at"] < at)]
        strength = (at - here["since"]) / DAY / here["limit"]
        is_fresh = _is_fresh(at - here["since"], here["limit"])
        here, strength = here[is_fresh], strength[is_fresh]
        on = here["went_on"] & (here["left_at"] <= at + AHEAD)
        in_team = teams[teams["day"] == day].set_index("person_id")["team_id"]
        looks = here.assign(
            entity_id=here["person_id"], manager_id=here["person_id"].map(in_team), day=day, strength=strength,
            # a case is its own item: each waiting deal is a warning of its own
            item=here["case_id"], came_true=~on,
            certain_on=here["left_at"].where(~here["went_on"] & (here["left_at"] <= at + AHEAD)),
        )  # fmt: skip
        yield looks.dropna(subset="manager_id")[CHECK_COLUMNS]
