"""Who recorded anything in which month; somebody who was there and recorded nothing is unknown, not idle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpi_research.integrity.check import NO_ROWS, Given, Measured

RECORDS = {
    "activities": ("person_id", "occurred_at"),
    "opportunities": ("owner_id", "created_at"),
    "contracts": ("owner_id", "signed_at"),
}
"""Whose they are and when they came about."""
FEW_DAYS = 5
"""In less than a week of work, a month that begins or ends, silence tells nothing."""
COLUMNS = ["person_id", "month", "working_days", *RECORDS, "status"]


def coverage(given: Given) -> pd.DataFrame:
    """Working days and records of every person and month, from the roster's first month to its last.

    Returns
    -------
    `person_id, month` (`2026-03`), `working_days, activities, opportunities, contracts, status`: `recorded`, `silent`
    (a week of work or more, no record), `absent` (no record, less than a week of work).
    """
    roster = given.roster
    if roster.empty:
        return pd.DataFrame(columns=COLUMNS)
    days = roster.assign(month=pd.to_datetime(roster["day"]).dt.strftime("%Y-%m"))
    frame = days.groupby(["person_id", "month"])["working"].sum().rename("working_days").to_frame()
    for table in RECORDS:
        frame = frame.join(_records(table, given), how="outer")
    frame = frame.fillna(0).astype("int64").reset_index()
    frame = frame[frame["month"].between(days["month"].min(), days["month"].max())]
    kept, there = frame[[*RECORDS]].sum(axis=1) > 0, frame["working_days"] >= FEW_DAYS
    frame["status"] = np.select([kept, there], ["recorded", "silent"], "absent")
    return frame.sort_values(["person_id", "month"], ignore_index=True)[COLUMNS]


def measured(months: pd.DataFrame, given: Given) -> Iterator[Measured]:
    """Months of work without any record, and people who never recorded anything."""
    worked = months[(months["working_days"] > 0) & (months["status"] != "absent")]
    tables = [name for name in RECORDS if name in given.filled]
    missing = "activities" if not tables else "" if len(worked) else NO_ROWS
    silent = worked["status"].eq("silent")
    ever = silent.groupby(worked["person_id"]).all()
    for name, affected in (("silent_months", silent.set_axis(worked["person_id"])), ("never_recorded", ever)):
        examples = sorted(affected.index[affected])
        n, count = (0, 0) if missing else (len(affected), len(examples))
        yield Measured(name, "activities", "person_id", n, count, examples[0] if count else "", missing=missing)


def _records(table: str, given: Given) -> pd.Series:
    """How many records of a table each person has in each month."""
    if table not in given.filled:
        return pd.Series(
            [], name=table, dtype="int64", index=pd.MultiIndex.from_arrays([[], []], names=["person_id", "month"])
        )
    (owner, time), rows = RECORDS[table], given.tables[table]
    rows = rows.select(person_id=rows[owner], year=rows[time].year(), nth=rows[time].month())
    rows = rows.filter(rows.person_id.notnull() & rows.year.notnull())
    found = rows.group_by("person_id", "year", "nth").aggregate(n=rows.count()).to_pyarrow().to_pandas()
    month = [f"{year}-{nth:02d}" for year, nth in zip(found["year"], found["nth"], strict=True)]
    return found.assign(month=month).set_index(["person_id", "month"])["n"].rename(table)
