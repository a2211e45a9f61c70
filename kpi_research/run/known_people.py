"""What a client's data say of the people and weeks behind a panel: who left when, in which groups people were."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from kpi_research.crm.roster import UNASSIGNED
from kpi_research.evidence.beside import Known
from kpi_research.kpis.definition import Kpi
from kpi_research.panel import panel
from kpi_research.periods import ONE_DAY, Period, weekly_slices
from kpi_research.run.store import Stored

NEW_MONTHS = 12
"""Who has been there for less is compared with the others. Of half a year nothing would be left: the study leaves out
the first three months and then needs as many for the lags."""


def known_of(data: Stored, predictors: Collection[Kpi], periods: Sequence[Period]) -> Known:
    """What is known beside the panel of these periods."""
    if not periods:
        return Known()
    adding = [kpi.name for kpi in predictors if kpi.aggregation == "sum"]
    slices = pd.concat([weekly_slices(period) for period in periods], ignore_index=True)
    weekly = panel(data.parts.only(adding), slices, "person") if adding else None
    return Known(_left(data.people, periods), weekly, _kinds(data, periods))


def _left(people: pd.DataFrame, periods: Sequence[Period]) -> dict[str, str] | None:
    """The last period that each of those who left had worked whole; a broken one would look like a reason to leave.

    Empty for who left before the first of these periods was over.
    """
    if people.empty or people["left_on"].isna().all():
        return None
    found = {}
    for person, day in people.set_index("person_id")["left_on"].dropna().items():
        if periods[0].start <= day.date() < periods[-1].end:
            whole = [period.name for period in periods if period.end <= day.date() + ONE_DAY]
            found[str(person)] = whole[-1] if whole else ""
    return found


def _kinds(data: Stored, periods: Sequence[Period]) -> dict[str, pd.DataFrame]:
    """Kinds of groups with at least two groups."""
    teams = _teams(data.parts.roster, periods)
    found = {"team": teams}
    if not data.teams.empty:
        regions = data.teams.dropna(subset="region").set_index("team_id")["region"]
        if regions.reindex(teams["group"].unique()).dropna().duplicated().any():
            # where every region has one team, it would be the same groups by another name
            found["region"] = teams.assign(group=teams["group"].map(regions)).dropna(subset="group")
    if not data.people.empty:
        people = data.people.rename(columns={"person_id": "entity_id"})
        found["role"] = people.dropna(subset="role")[["entity_id", "role"]].rename(columns={"role": "group"})
        found["tenure"] = _tenure(people.dropna(subset="hired_on"), periods)
    return {kind: groups for kind, groups in found.items() if groups["group"].nunique() > 1}


def _teams(roster: pd.DataFrame, periods: Sequence[Period]) -> pd.DataFrame:
    """In each period the team in which a person spent most of its days."""
    days = roster[roster["team_id"] != UNASSIGNED]
    starts = pd.to_datetime([period.start for period in periods])
    place = starts.searchsorted(days["day"], side="right") - 1
    within = (place >= 0) & (days["day"] < pd.Timestamp(periods[-1].end)).to_numpy()
    names = pd.Series([period.name for period in periods])
    counts = (
        days[within]
        .assign(period=names.iloc[place[within]].to_numpy())
        .groupby(["person_id", "period", "team_id"], as_index=False)["day"]
        .count()
        .sort_values(["day", "team_id"], ascending=[False, True])
        .drop_duplicates(["person_id", "period"])
    )
    return counts.rename(columns={"person_id": "entity_id", "team_id": "group"})[["entity_id", "period", "group"]]


def _tenure(people: pd.DataFrame, periods: Sequence[Period]) -> pd.DataFrame:
    """Whether a person had been there for a year when a period began."""
    rows = people[["entity_id", "hired_on"]].merge(
        pd.DataFrame({"period": [each.name for each in periods], "start": pd.to_datetime([p.start for p in periods])}),
        how="cross",
    )
    is_new = rows["start"] < rows["hired_on"] + pd.DateOffset(months=NEW_MONTHS)
    return rows.assign(group=is_new.map({True: "under_a_year", False: "longer"}))[["entity_id", "period", "group"]]
