"""A clean client, ways to plant faults in it, and what is then found."""

import datetime as dt

import ibis
import pandas as pd
import pytest

from kpi_research.crm.roster import by_day, times_in_teams
from kpi_research.integrity.check import Given
from kpi_research.integrity.checks import clock, deals, doubles, entry, people, values
from kpi_research.integrity.quality import Quality, observe
from kpi_research.periods import working_days
from kpi_research.sources.simulated import Company, simulate

SINCE, UNTIL = dt.date(2024, 7, 1), dt.date(2025, 3, 31)
LONG_AGO = pd.Timestamp("2020-01-01")
RULES = ["table", "rule", "column", "severity", "rows", "file", "first_row", "value"]


@pytest.fixture(scope="module")
def clean():
    return simulate(Company(people=8, teams=2, months=9)).tables


@pytest.fixture
def frames(clean):
    return {name: frame.copy() for name, frame in clean.items()}


def given_of(frames, *, rules=(), timezone="Asia/Shanghai", rejected=0) -> Given:
    engine = ibis.duckdb.connect()
    tables = {name: engine.create_table(name, frame) for name, frame in frames.items()}
    counts = [(name, f"{name}.csv", len(frame) + rejected, 0, rejected, len(frame)) for name, frame in frames.items()]
    return Given(
        tables,
        row_counts=pd.DataFrame(counts, columns=["table", "file", "read", "left_out", "rejected", "kept"]),
        rules=pd.DataFrame([*rules], columns=RULES),
        roster=by_day(times_in_teams(frames, SINCE, UNTIL), working_days("CN", SINCE, UNTIL)),
        until=UNTIL,
        timezone=timezone,
    )


def quality_of(frames, **settings) -> Quality:
    return observe(**vars(given_of(frames, **settings)))


@pytest.fixture(scope="module")
def quality(clean) -> Quality:
    return quality_of(clean)


def found(quality: Quality, check: str, table: str | None = None) -> pd.Series:
    rows = quality.observations[quality.observations["check"] == check]
    rows = rows if table is None else rows[rows["table"] == table]
    assert len(rows) == 1, f"{check}: {len(rows)} rows"
    return rows.iloc[0]


def setting(table, column, value, *, rows=slice(0, 30)):
    def plant(frames):
        frame = frames[table]
        frame[column] = frame[column].astype("object") if isinstance(value, str) else frame[column]
        frame.loc[frame.index[rows], column] = value

    return plant


def moving(column, to, *, rows=slice(0, 30)):
    """Activities whose time is replaced, while the time of entry follows."""

    def plant(frames):
        frame = frames["activities"]
        index = frame.index[rows]
        frame.loc[index, column] = to(frame.loc[index, column])

    return plant


def copies(of, *, changed=lambda rows: rows, key="activity_id"):
    def plant(frames):
        more = frames[of].iloc[100:130].copy()
        more[key] = "copy-" + more[key]
        frames[of] = pd.concat([frames[of], changed(more)], ignore_index=True)

    return plant


def same_words(frames):
    frame = frames["activities"]
    frame["note_hash"] = [f"h{i}" for i in range(len(frame))]
    index = frame.index[frame["person_id"] == "E0002"][:31]
    frame.loc[index, "note_hash"] = "again"


def places(frames):
    frame = frames["activities"]
    frame["latitude"], frame["longitude"] = 31.2, 121.5
    frame.loc[:9, ["latitude", "longitude"]] = 0.0
    frame.loc[10:19, "latitude"] = 121.5
    frame.loc[20:29, "longitude"] = -181.0


def backwards(frames):
    """Each of thirty opportunities returns to the first stage from a later one."""
    changes = frames["stage_changes"]
    later = changes[changes["stage"] != changes["stage"].iloc[0]].drop_duplicates("opportunity_id").head(30)
    last = changes.groupby("opportunity_id")["entered_at"].max()
    back = later.assign(
        stage=changes["stage"].iloc[0], entered_at=later["opportunity_id"].map(last) + pd.Timedelta(minutes=1)
    )
    frames["stage_changes"] = pd.concat([changes, back], ignore_index=True)


def untouched(frames):
    deals = frames["opportunities"]
    chosen = deals.index[deals["outcome"] == "open"][-30:]
    ids = set(deals.loc[chosen, "opportunity_id"])
    deals.loc[chosen, "created_at"] = pd.Timestamp(UNTIL) - pd.Timedelta(days=181)
    for name in ("activities", "stage_changes"):
        frames[name] = frames[name][~frames[name]["opportunity_id"].isin(ids)].reset_index(drop=True)


def departed(frames):
    """Somebody leaves on the evening before the thirtieth-last activity."""
    mine = frames["activities"].query("person_id == 'E0004'").sort_values("occurred_at")
    day = mine["occurred_at"].iloc[-30].normalize()
    frames["activities"] = frames["activities"].drop(
        mine.index[mine["occurred_at"].between(day, mine["occurred_at"].iloc[-31])]
    )
    frames["people"].loc[frames["people"]["person_id"] == "E0004", "left_on"] = day - pd.Timedelta(days=1)


def hired_late(frames):
    mine = frames["activities"].query("person_id == 'E0004'").sort_values("occurred_at")
    day = mine["occurred_at"].iloc[29].normalize() + pd.Timedelta(days=1)
    frames["activities"] = frames["activities"].drop(mine.index[30:][mine["occurred_at"].iloc[30:] < day])
    frames["people"].loc[frames["people"]["person_id"] == "E0004", "hired_on"] = day


def constant(frames):
    frame = frames["activities"]
    kind = frame[(frame["person_id"] == "E0001")].groupby("kind").size().idxmax()
    rest = frame.index[(frame["person_id"] == "E0001") & (frame["kind"] == kind)][30:]
    frames["activities"] = frame.drop(rest)
    chosen = (frames["activities"]["person_id"] == "E0001") & (frames["activities"]["kind"] == kind)
    frames["activities"].loc[chosen, "minutes"] = 30.0


def without_history(frames):
    gone = frames["opportunities"]["opportunity_id"].iloc[:30]
    frames["stage_changes"] = frames["stage_changes"][~frames["stage_changes"]["opportunity_id"].isin(gone)]


def after_close(frames):
    done = frames["activities"]
    closed = frames["opportunities"].dropna(subset="closed_at").head(30)
    done.loc[done.index[:30], "opportunity_id"] = closed["opportunity_id"].to_numpy()
    done.loc[done.index[:30], "occurred_at"] = (closed["closed_at"] + pd.Timedelta(days=2)).to_numpy()


def midnight(times):
    return times.dt.normalize()


NEVER = pd.NaT
PLANTED = [
    (entry, "not_recorded_at", "activities", setting("activities", "recorded_at", NEVER), 30),
    (doubles, "exact_duplicate", "activities", copies("activities"), 30),
    (doubles, "same_text", "activities", same_words, 30),
    (deals, "stage_before_creation", "stage_changes", setting("stage_changes", "entered_at", LONG_AGO), 30),
    (people, "before_hiring", "activities", hired_late, 30),
    (people, "after_leaving", "activities", departed, 30),
    (deals, "after_close", "activities", after_close, 30),
    (values, "negative_amount", "contracts", setting("contracts", "amount", -5.0), 30),
    (values, "negative_amount", "payments", setting("payments", "amount", -0.01), 30),
    (values, "wrong_unit", "contracts", setting("contracts", "amount", 9e8), 30),
    (values, "wrong_unit", "opportunities", setting("opportunities", "amount", 3.5), 30),
    (values, "impossible_minutes", "activities", setting("activities", "minutes", 1441.0), 30),
    (values, "impossible_minutes", "activities", setting("activities", "minutes", -1.0), 30),
    (values, "impossible_place", "activities", places, 30),
    (values, "future_time", "contracts", setting("contracts", "signed_at", pd.Timestamp("2025-04-01")), 30),
    (values, "future_time", "stage_changes", setting("stage_changes", "entered_at", pd.Timestamp("2031-01-01")), 30),
    (values, "mixed_currencies", "contracts", setting("contracts", "currency", "USD"), 30),
    (clock, "no_time_of_day", "activities", moving("occurred_at", midnight), 30),
    (clock, "constant_minutes", "activities", constant, 30),
    (clock, "night", "activities", setting("activities", "occurred_at", pd.Timestamp("2024-12-02 04:59")), 30),
    (clock, "rest_days", "activities", setting("activities", "occurred_at", pd.Timestamp("2024-10-01 10:01")), 30),
    (deals, "no_owner", "opportunities", setting("opportunities", "owner_id", None), 30),
    (deals, "no_stage_history", "opportunities", without_history, 30),
    (deals, "stage_backwards", "stage_changes", backwards, 30),
    (deals, "untouched", "opportunities", untouched, 31),
    (people, "no_team", "people", lambda frames: frames.update(assignments=frames["assignments"].iloc[3:]), 3),
    (people, "same_name", "people", setting("people", "name", "王芳", rows=slice(0, 3)), 3),
]
"""Family, check, table, how it is planted, and how many are then there; one deal of the clean client lies untouched."""
