"""Looks at targets of the client's outcome: everybody's pace at the ends of weeks, past quarters' and this one's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kpi_research.appraisal.alarm_budget import CHECK_COLUMNS
from kpi_research.appraisal.early_warning import NOW_COLUMNS
from kpi_research.appraisal.pace import Pace, pace
from kpi_research.crm.roster import UNASSIGNED
from kpi_research.panel import panel
from kpi_research.periods import ONE_DAY, Period, weekly_slices, whole_periods, working_days
from kpi_research.run.on_file import latest_teams

if TYPE_CHECKING:
    from kpi_research.run.client import Client

SEED = 20261101
"""Fixed, so that the same data give the same warnings."""
FIRST_WEEK = 3
"""Weeks of a quarter after which its pace is looked at first: earlier the target alone would speak."""
HISTORY_WEEKS = 52
LOOKED_BACK_QUARTERS = 6
"""Longer ago than this, people and targets were others."""


def pace_looks(client: Client, day: dt.date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Looks of the past quarters in `CHECK_COLUMNS`, and those of the quarter that `day` is in in `NOW_COLUMNS`.

    None where the client's outcome is no sum of which more is better.
    """
    kpi, starts = client.kpis[client.settings.outcome], client.settings.fiscal_year_starts
    this = Period.containing(day, "quarter", starts)
    quarters = [*whole_periods(client.data.parts.since or day, this.start - ONE_DAY, "quarter", starts), this]
    past: list[dict[str, object]] = []
    now: list[dict[str, object]] = []
    if kpi.denominator is None and kpi.aggregation == "sum" and kpi.direction == "up":
        weeks = _weeks(client, quarters, day)
        for quarter in quarters[-LOOKED_BACK_QUARTERS - 1 :]:
            for person, target, looks in _quarter(client, weeks, quarter):
                if quarter != this:
                    past += _past(looks, person, kpi.name, quarter)
                elif day < quarter.end - ONE_DAY:  # when it is over there is nothing left to warn of
                    now += _now(looks, person, kpi.name, target, quarter)
    checks = pd.DataFrame(past, columns=CHECK_COLUMNS)
    teams = {quarter.name: latest_teams(client.data.parts, quarter) for quarter in quarters}
    checks["manager_id"] = [
        teams[str(case).rsplit(" ", 1)[1]].get(str(person))
        for case, person in zip(checks["case_id"], checks["entity_id"], strict=True)
    ]
    return checks.dropna(subset="manager_id"), pd.DataFrame(now, columns=NOW_COLUMNS)


def _weeks(client: Client, quarters: list[Period], day: dt.date) -> pd.DataFrame:
    """`entity_id, quarter, start, end, value, working_days` of all weeks that were over by the end of `day`."""
    slices = pd.concat([weekly_slices(each).assign(quarter=each.name) for each in quarters], ignore_index=True)
    slices = slices[slices["end"] <= pd.Timestamp(day + ONE_DAY)]
    outcome = client.settings.outcome
    rows = panel(client.data.parts.only([outcome]), slices, "person")
    rows = rows.loc[rows["entity_id"] != UNASSIGNED, ["entity_id", "period", "value", "working_days"]]
    rows = rows.merge(slices, on="period").astype({"value": float, "working_days": float, "entity_id": str})
    return rows.sort_values(["entity_id", "start"], ignore_index=True)


def _quarter(
    client: Client, weeks: pd.DataFrame, quarter: Period
) -> Iterator[tuple[str, float, list[tuple[pd.Timestamp, Pace, bool]]]]:
    """Each person with a target, and their looks: the last day counted, the pace, and whether the target was missed.

    A week without any record counts as nothing, as it does in the quarter's own sum; of whom nothing at all is on file
    in the quarter, nothing is said.
    """
    targets: Mapping[tuple[str, str], float] = client.targets(quarter, "person")
    rng = np.random.default_rng([SEED, quarter.start.toordinal()])
    calendar = working_days(client.settings.calendar, quarter.start, quarter.end - ONE_DAY)
    before = weeks[weeks["end"] <= pd.Timestamp(quarter.end)]
    for person, own in before.groupby("entity_id", sort=True):
        target = targets.get((str(person), client.settings.outcome), np.nan)
        inside = own[own["quarter"] == quarter.name]
        if not target > 0 or inside.empty or inside["value"].isna().all():
            continue
        missed = bool(inside["value"].sum() < target)
        looks = []
        for number in range(FIRST_WEEK, len(inside) + 1):
            end = inside["end"].iloc[number - 1]
            known = own[own["end"] <= end].tail(HISTORY_WEEKS)
            done = int((calendar < end.to_datetime64()).sum())
            found = pace(
                float(target), float(inside["value"].head(number).sum()), known["value"].fillna(0.0).to_numpy(),
                known["working_days"].to_numpy(), days_done=done, days_left=len(calendar) - done, rng=rng,
            )  # fmt: skip
            if found.status == "ok" and len(calendar) > done:
                looks.append((end - pd.Timedelta(days=1), found, missed))
        yield str(person), float(target), looks


def _past(
    looks: list[tuple[pd.Timestamp, Pace, bool]], person: str, kpi: str, quarter: Period
) -> Iterator[dict[str, object]]:
    """Looks of a quarter that is over; certain was a miss when the rest was more than the person ever brought."""
    last = pd.Timestamp(quarter.end - ONE_DAY)
    certain = next((day for day, found, _ in looks if found.certain), last)
    for day, found, missed in looks:
        yield {
            "kind": "pace", "entity_id": person, "item": kpi, "case_id": f"{person} {quarter.name}", "day": day,
            "strength": found.miss, "came_true": missed, "certain_on": certain if missed else pd.NaT,
        }  # fmt: skip


def _now(
    looks: list[tuple[pd.Timestamp, Pace, bool]], person: str, kpi: str, target: float, quarter: Period
) -> Iterator[dict[str, object]]:
    for day, found, _ in looks:
        yield {
            "kind": "pace", "person_id": person, "item": kpi, "case_id": f"{person} {quarter.name}", "since": day,
            "strength": found.miss, "figure": found.made_per_day, "against": found.needed_per_day, "low": found.low,
            "high": found.high, "amount": target,
        }  # fmt: skip
