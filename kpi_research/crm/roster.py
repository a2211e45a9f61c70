"""Who was in which team on which day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd

from kpi_research.periods import Period, working_days

UNASSIGNED = "unassigned"
"""The team of what somebody did on a day on which they were in no team."""
_NO_ROSTER = pd.DataFrame(
    {
        "person_id": pd.Series(dtype="str"),
        "team_id": pd.Series(dtype="str"),
        "day": pd.to_datetime([]),
        "working": pd.Series(dtype="float64"),
    }
)


def days_in(roster: pd.DataFrame, period: Period) -> pd.DataFrame:
    """The rows of a roster that lie in a period."""
    return roster[(roster["day"] >= pd.Timestamp(period.start)) & (roster["day"] < pd.Timestamp(period.end))]


def roster(
    tables: Mapping[str, pd.DataFrame],
    daily: pd.DataFrame,
    *,
    country: str,
    until: dt.date,
    lead: dt.timedelta = dt.timedelta(0),
) -> pd.DataFrame:
    """Who was in which team on which day, from dated assignments cut to the time between hiring and leaving.

    Where assignments overlap, the one that began last holds. Without assignments everybody is unassigned.

    Parameters
    ----------
    daily
        `person_id, day` of what people did: the roster begins with its first day.
    country
        Whose working days count.
    lead
        Time before that first day for which the teams are known too, without working days.

    Returns
    -------
    `person_id, team_id, day, working`; `working` is 1.0 on working days from the first day of `daily`.
    """
    if daily.empty:
        return _NO_ROSTER.copy()
    people = tables["people"] if "people" in tables else _everybody(tables, daily)
    first = pd.Timestamp(daily["day"].min())
    spans = _spans(people, tables.get("assignments"), first - lead, pd.Timestamp(until))
    spans = spans[spans["end"] >= spans["start"]].sort_values(["person_id", "start", "since"], ignore_index=True)
    if spans.empty:
        return _NO_ROSTER.copy()
    lengths = (spans["end"] - spans["start"]).dt.days.to_numpy() + 1
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places = np.arange(len(spans)).repeat(lengths)
    frame = spans[["person_id", "team_id", "since"]].take(places).reset_index(drop=True)
    starts = spans["start"].to_numpy("datetime64[D]").repeat(lengths)
    frame.insert(2, "day", (starts + within).astype("datetime64[us]"))
    if (spans["start"] <= spans.groupby("person_id")["end"].shift()).any():
        frame = frame.sort_values(["person_id", "day", "since"], kind="stable", ignore_index=True)
        frame = frame.drop_duplicates(["person_id", "day"], keep="last", ignore_index=True)
    frame = frame.drop(columns="since")
    days, working = frame["day"].to_numpy("datetime64[D]"), working_days(country, first.date(), until)
    # as numbers, which are looked up in a table instead of being sorted
    is_working = np.isin(days.astype(np.int64), working.astype("datetime64[D]").astype(np.int64))
    return frame.assign(working=is_working.astype(float))


def _everybody(tables: Mapping[str, pd.DataFrame], daily: pd.DataFrame) -> pd.DataFrame:
    """Without a list of people: those who were assigned or did anything."""
    assigned = tables["assignments"]["person_id"] if "assignments" in tables else daily["person_id"]
    known = pd.DataFrame({"person_id": pd.concat([assigned, daily["person_id"]]).unique()})
    return known.assign(hired_on=_never(known), left_on=_never(known))


def _never(rows: pd.DataFrame) -> pd.Series:
    """A date for each row that is not known."""
    return pd.Series(pd.NaT, index=rows.index, dtype="datetime64[us]")


def _spans(
    people: pd.DataFrame, assignments: pd.DataFrame | None, first: pd.Timestamp, last: pd.Timestamp
) -> pd.DataFrame:
    """`person_id, team_id, since, start, end`: both days included."""
    if assignments is None:
        assignments = people[["person_id"]].assign(team_id=UNASSIGNED, since=_never(people), until=_never(people))
    spans = assignments.merge(people[["person_id", "hired_on", "left_on"]], on="person_id")
    since, until = spans["since"].fillna(first), spans["until"].fillna(last)
    spans["start"] = np.maximum(np.maximum(since, spans["hired_on"].fillna(first)), first)
    spans["end"] = np.minimum(np.minimum(until, spans["left_on"].fillna(last)), last)
    spans["since"] = since
    return spans[["person_id", "team_id", "since", "start", "end"]]
