"""Who was in which team on which day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping

import numpy as np
import pandas as pd

from kpi_research.periods import Period

UNASSIGNED = "unassigned"
"""The team of what somebody did on a day on which they were in no team."""
_NO_TIMES = pd.DataFrame(
    {
        "person_id": pd.Series(dtype="str"),
        "team_id": pd.Series(dtype="str"),
        "start": pd.to_datetime([]),
        "end": pd.to_datetime([]),
    }
)


def days_in(roster: pd.DataFrame, period: Period) -> pd.DataFrame:
    """The rows of a roster that lie in a period."""
    return roster[(roster["day"] >= pd.Timestamp(period.start)) & (roster["day"] < pd.Timestamp(period.end))]


def times_in_teams(
    tables: Mapping[str, pd.DataFrame],
    first: dt.date | None,
    until: dt.date,
    *,
    active: Callable[[], Collection[str]] = tuple,
) -> pd.DataFrame:
    """From when until when who was in which team: dated assignments cut to the time between hiring and leaving.

    Where assignments overlap, the one that began last holds. Without assignments everybody is unassigned.

    Parameters
    ----------
    first, until
        The days that are asked for; None where there is none.
    active
        Gives those who did anything: asked where there is no list of people.

    Returns
    -------
    `person_id, team_id, start, end`, both days included, in order; no day of a person is in two rows.
    """
    if first is None:
        return _NO_TIMES.copy()
    people = tables["people"] if "people" in tables else _everybody(tables, active())
    spans = _spans(people, tables.get("assignments"), pd.Timestamp(first), pd.Timestamp(until))
    spans = spans[spans["end"] >= spans["start"]].sort_values(["person_id", "start", "since"], ignore_index=True)
    if spans.empty:
        return _NO_TIMES.copy()
    before = spans.groupby("person_id")["end"].cummax().groupby(spans["person_id"]).shift()
    if (spans["start"] <= before).any():
        spans = _apart(spans)
    return spans[list(_NO_TIMES)]


def by_day(times: pd.DataFrame, working: np.ndarray) -> pd.DataFrame:
    """Times in teams as a row for every day: `person_id, team_id, day, working`.

    Parameters
    ----------
    working
        datetime64[D], the working days.
    """
    frame = _days_of(times)
    # as numbers, which are looked up in a table instead of being sorted
    days = frame["day"].to_numpy("datetime64[D]").astype(np.int64)
    return frame.assign(working=np.isin(days, working.astype(np.int64)).astype(float))[
        ["person_id", "team_id", "day", "working"]
    ]


def _days_of(spans: pd.DataFrame) -> pd.DataFrame:
    """Every day of every row, with its other columns."""
    lengths = (spans["end"] - spans["start"]).dt.days.to_numpy() + 1
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    starts = spans["start"].to_numpy("datetime64[D]").repeat(lengths)
    frame = spans.drop(columns=["start", "end"]).take(np.arange(len(spans)).repeat(lengths)).reset_index(drop=True)
    return frame.assign(day=(starts + within).astype("datetime64[us]"))


def _apart(spans: pd.DataFrame) -> pd.DataFrame:
    """Overlapping times as such that do not: on each day the one that began last holds."""
    days = _days_of(spans).sort_values(["person_id", "day", "since"], kind="stable", ignore_index=True)
    days = days.drop_duplicates(["person_id", "day"], keep="last", ignore_index=True)
    is_new = days["person_id"].ne(days["person_id"].shift()) | days["team_id"].ne(days["team_id"].shift())
    is_new |= days["day"].diff().ne(pd.Timedelta(days=1))
    runs = days.groupby(is_new.cumsum(), sort=False)
    return runs.agg(
        person_id=("person_id", "first"), team_id=("team_id", "first"), start=("day", "first"), end=("day", "last")
    ).reset_index(drop=True)


def _everybody(tables: Mapping[str, pd.DataFrame], active: Collection[str]) -> pd.DataFrame:
    """Without a list of people: those who were assigned or did anything."""
    assigned = tables["assignments"]["person_id"] if "assignments" in tables else ()
    known = pd.DataFrame({"person_id": pd.Series([*dict.fromkeys([*assigned, *active])], dtype="str")})
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
