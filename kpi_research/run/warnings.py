"""Early warnings of a client: targets off pace, figures that dropped, deals and customers that wait; by its past."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kpi_research.appraisal.alarm_budget import CHECK_COLUMNS, FALSE_ALARMS, KINDS, tune
from kpi_research.appraisal.control_chart import drops
from kpi_research.appraisal.early_warning import NOW_COLUMNS, EarlyWarnings, surest
from kpi_research.crm.roster import UNASSIGNED
from kpi_research.panel import panel
from kpi_research.periods import ONE_DAY, Period, as_intervals, whole_periods
from kpi_research.run.overdue import waiting
from kpi_research.run.pace_looks import pace_looks

if TYPE_CHECKING:
    from kpi_research.run.client import Client

LOOKED_BACK_WEEKS = 104
"""Longer ago than this, people and ways of working were others."""
SILENT_DAYS = 5
"""Working days of a month under which silence tells nothing."""
Looks = tuple[pd.DataFrame, pd.DataFrame]


def warnings_of(
    client: Client, day: dt.date | None = None, *, team: str | None = None, false_alarms: float = FALSE_ALARMS
) -> EarlyWarnings:
    """What the manager of a team is warned of at the end of a day; of everybody, without one.

    Parameters
    ----------
    day
        By default the last that the data cover; nothing after it is used.
    false_alarms
        A manager and month, all kinds together.
    """
    parts = client.data.parts
    day = min(day or parts.until, parts.until)
    past, now = _looks(client, day)
    tuned = {
        kind: tune(
            past, kind, false_alarms=false_alarms / len(KINDS),
            manager_months=_manager_months(parts.roster, past[past["kind"] == kind]),
        )
        for kind in KINDS
    }  # fmt: skip
    there = parts.roster[parts.roster["day"] == pd.Timestamp(day)]
    people = set(there.loc[there["team_id"] == team if team else slice(None), "person_id"])
    rows = surest(now[now["person_id"].isin(people)], tuned)
    return EarlyWarnings(day, rows, tuned, _silent(client, day, people), false_alarms)


def _looks(client: Client, day: dt.date) -> Looks:
    """Everything of the past that could have been warned of, and everything of today; made once for all teams."""
    asked = client.settings.model_dump_json(include={"outcome", "predictors", "negative_controls", "schemes", "scheme"})
    folder = client.data.derived / "warnings" / f"{day}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"
    paths = [folder / f"{name}.parquet" for name in ("past", "now")]
    if not all(path.is_file() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        for frame, path in zip(_made_looks(client, day), paths, strict=True):
            building = path.with_suffix(f".{os.getpid()}.part")
            frame.to_parquet(building)
            building.replace(path)
    past, now = (pd.read_parquet(path) for path in paths)
    return past, now


def _made_looks(client: Client, day: dt.date) -> Looks:
    parts = client.data.parts
    looks = [pace_looks(client, day), _drop_looks(client, day)]
    if client.data.funnel is not None:
        looks.append(waiting(client.data.funnel, parts.roster, day))
    past = pd.concat([pd.DataFrame(columns=CHECK_COLUMNS), *(each for each, _ in looks)], ignore_index=True)
    past["day"] = pd.to_datetime(past["day"])
    past["certain_on"] = pd.to_datetime(past["certain_on"])
    past["strength"] = past["strength"].astype(float)
    past["came_true"] = past["came_true"].astype(bool)
    now = pd.concat([pd.DataFrame(columns=NOW_COLUMNS), *(each for _, each in looks)], ignore_index=True)
    now["since"] = pd.to_datetime(now["since"])
    return past, now


def _drop_looks(client: Client, day: dt.date) -> Looks:
    """Everybody's weekly counts of the predictors against their own usual level."""
    parts = client.data.parts
    weeks = whole_periods(parts.since or day, day, "week")[-LOOKED_BACK_WEEKS:]
    kpis = [kpi.name for kpi in client.predictors() if kpi.denominator is None and kpi.aggregation == "sum"
            and kpi.unit == "count" and kpi.direction == "up" and "person" in kpi.levels]  # fmt: skip
    if not weeks or not kpis:
        return pd.DataFrame(columns=CHECK_COLUMNS), pd.DataFrame(columns=NOW_COLUMNS)
    rows = panel(parts.only(kpis), as_intervals(weeks), "person")
    rows = rows[rows["entity_id"] != UNASSIGNED]
    ends = [pd.Timestamp(week.end - ONE_DAY) for week in weeks]
    teams = _teams_on(parts.roster, ends)
    looks = [_drops_of(rows[rows["kpi"] == kpi], kpi, [week.name for week in weeks], ends, teams) for kpi in kpis]
    past = pd.concat([past for past, _ in looks], ignore_index=True)
    return past, pd.concat([now for _, now in looks], ignore_index=True)


def _drops_of(rows: pd.DataFrame, kpi: str, weeks: list[str], ends: list[pd.Timestamp], teams: pd.DataFrame) -> Looks:
    people = sorted(rows["entity_id"].astype(str).unique())
    keyed = rows.assign(entity_id=rows["entity_id"].astype(str)).set_index(["entity_id", "period"])
    wide = {
        name: keyed[name].astype(float).unstack().reindex(index=people, columns=weeks).to_numpy(dtype=float)
        for name in ("value", "working_days")
    }
    found = drops(wide["value"], wide["working_days"])
    person, week = np.nonzero(~np.isnan(found.strength))
    runs = (np.diff((found.lasted == 1).astype(int), axis=1, prepend=0) != 0).cumsum(axis=1)
    at = (person, week)
    day = pd.to_datetime([ends[each] for each in week])
    frame = pd.DataFrame(
        {
            "kind": "drop", "entity_id": [people[each] for each in person], "item": kpi,
            # lows that overlap are one: a case is a run of weeks after each of which it stayed low
            "case_id": [f"{people[who]} {kpi} {runs[who, when]}" for who, when in zip(person, week, strict=True)],
            "day": day, "strength": found.strength[at], "lasted": found.lasted[at],
            "since": day - pd.to_timedelta(found.weeks[at] * 7 - 1, unit="D"),
            "figure": found.actual[at], "against": found.usual[at],
        }
    )  # fmt: skip
    frame = frame.merge(teams, left_on=["entity_id", "day"], right_on=["person_id", "day"], how="inner")
    past = frame.dropna(subset="lasted").assign(came_true=lambda each: each["lasted"] == 1, certain_on=pd.NaT)
    now = frame[frame["day"] == ends[-1]].assign(low=np.nan, high=np.nan, amount=np.nan)
    return past[CHECK_COLUMNS], now[NOW_COLUMNS]


def _teams_on(roster: pd.DataFrame, days: list[pd.Timestamp]) -> pd.DataFrame:
    """`person_id, day, manager_id`: who was in which team on these days."""
    there = roster.loc[roster["day"].isin(days), ["person_id", "day", "team_id"]]
    return there[there["team_id"] != UNASSIGNED].rename(columns={"team_id": "manager_id"})


def _manager_months(roster: pd.DataFrame, looks: pd.DataFrame) -> int:
    """Teams by months from the first look to the last, those in which nothing was striking included."""
    if looks.empty:
        return 0
    first, last = looks["day"].min().to_period("M"), looks["day"].max().to_period("M")
    months = roster["day"].dt.to_period("M")
    inside = roster.assign(month=months)[(months >= first) & (months <= last) & (roster["team_id"] != UNASSIGNED)]
    return len(inside[["team_id", "month"]].drop_duplicates())


def _silent(client: Client, day: dt.date, people: set[str]) -> tuple[str, ...]:
    """Who worked the last whole month and recorded nothing."""
    coverage = client.data.quality.coverage
    if coverage.empty:
        return ()
    month = Period.containing(day + ONE_DAY, "month").shift(-1).name
    rows = coverage[(coverage["month"] == month) & (coverage["status"] == "silent")]
    return tuple(sorted(set(rows.loc[rows["working_days"] >= SILENT_DAYS, "person_id"]) & people))
