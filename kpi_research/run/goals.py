"""A client's goals: split down to everybody, read back as targets, held against the client's own past and funnel."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kpi_research.appraisal.backward_funnel import FunnelPast, Need, needed
from kpi_research.appraisal.capacity import capacity, weeks_of
from kpi_research.appraisal.decompose import Split, decompose
from kpi_research.appraisal.goal import Goal, check_goals
from kpi_research.appraisal.season import MONTHS, Season, given_season, level_season, season_of
from kpi_research.errors import InputError, Problem
from kpi_research.funnel.records import Records
from kpi_research.funnel.steps import observed_from, steps_from_first, well_observed
from kpi_research.funnel.survival import NEXT, curves, first_day_at
from kpi_research.panel import COMPANY, Level, panel
from kpi_research.periods import ONE_DAY, Grain, Period, as_intervals, whole_periods, working_days
from kpi_research.run.funnels import known_records

if TYPE_CHECKING:
    from kpi_research.run.client import Client

SEED = 20260701
"""Fixed, so that the same data give the same intervals."""
YEAR = pd.DateOffset(years=1)
KNOWN_SHARE = 0.95
"""A deal is old enough when so many of those that get won were won at that age."""
WORK = ("visits", "calls")
"""Kinds of work that are reckoned per deal."""


def split_goal(
    client: Client, goal: Goal, *, as_of: dt.date | None = None, absences: pd.DataFrame | None = None
) -> Split:
    """A goal down to teams and people.

    Parameters
    ----------
    as_of
        Day on which the goal is set: who was there then is expected to stay; by default the last day of the data, and
        then until the day on which they are known to leave.
    absences
        `person_id, since, until` of planned leave.

    Raises
    ------
    InputError
        If the goal names what there is not, or nobody is there to whom it could be given.
    """
    check_goals([goal], client.kpis, client.path.name)
    starts = client.settings.fiscal_year_starts
    period = Period.parse(goal.period, starts)
    weeks = weeks_of(period)
    first, last = weeks[0].start, weeks[-1].end - ONE_DAY
    roster = expected_roster(client, first, last, as_of=as_of)
    known = client.data.people
    hired = {} if known.empty else known.dropna(subset="hired_on").set_index("person_id")["hired_on"].dt.date.to_dict()
    able = capacity(
        roster, list(pd.date_range(first, last).date), hired_on=hired, ramp_months=goal.ramp_months, absences=absences
    )
    before = min(period.start - ONE_DAY, as_of or client.data.parts.until)
    season = season_before(client, goal, before)
    return decompose(goal, kpi=client.kpis[goal.measure], able=able, season=season, fiscal_year_starts=starts)


def expected_roster(client: Client, first: dt.date, last: dt.date, *, as_of: dt.date | None = None) -> pd.DataFrame:
    """`person_id, team_id, day, working` from one day to another: as it was, and after `as_of` as it was then."""
    parts = client.data.parts
    known_until = min(as_of or parts.until, parts.until)
    roster = parts.roster
    past = roster[(roster["day"] >= pd.Timestamp(first)) & (roster["day"] <= pd.Timestamp(min(known_until, last)))]
    start = max(known_until + ONE_DAY, first)
    if start > last or roster.empty:
        return past
    there = roster[roster["day"] == roster.loc[roster["day"] <= pd.Timestamp(known_until), "day"].max()]
    days = pd.DataFrame({"day": pd.date_range(start, last).astype(roster["day"].dtype)})
    ahead = there[["person_id", "team_id"]].merge(days, how="cross")
    people = client.data.people
    if as_of is None and len(people):
        left = pd.to_datetime(ahead["person_id"].map(people.set_index("person_id")["left_on"]))
        ahead = ahead[~(ahead["day"] > left)]
    working = working_days(client.settings.calendar, start, last)
    flags = np.isin(ahead["day"].to_numpy("datetime64[D]"), working).astype(float)
    return pd.concat([past, ahead.assign(working=flags)], ignore_index=True)[["person_id", "team_id", "day", "working"]]


def season_before(client: Client, goal: Goal, last: dt.date) -> Season:
    """How the goal's months are weighted; from the past, only that up to a day."""
    if not isinstance(goal.season, str):
        return given_season(goal.season, client.settings.fiscal_year_starts)
    if goal.season != "history":
        return level_season(goal.season)
    return season_of(history(client, [goal.measure], level="company", entity=COMPANY, last=last)[goal.measure]["value"])


def history(
    client: Client, kpis: Sequence[str], *, level: Level, entity: str, last: dt.date, grain: Grain = "month"
) -> dict[str, pd.DataFrame]:
    """KPI -> `value, working_days` of an entity by whole period up to a day, indexed by name, oldest first.

    Only what follows the last gap: a period without a value is unknown, and neither zero nor to be skipped.
    """
    parts = client.data.parts
    if parts.since is None or last < parts.since:
        return {kpi: pd.DataFrame(columns=["value", "working_days"], dtype=float) for kpi in kpis}
    periods = whole_periods(parts.since, min(last, parts.until), grain, client.settings.fiscal_year_starts)
    rows = panel(parts.only(kpis).of(level, [entity]), as_intervals(periods), level)
    rows = rows[(rows["entity_id"] == entity) & rows["value"].notna() & (rows["working_days"] > 0)]
    names = pd.Index([period.name for period in periods])
    return {kpi: _after_the_last_gap(rows[rows["kpi"] == kpi].set_index("period"), names) for kpi in kpis}


def _after_the_last_gap(rows: pd.DataFrame, names: pd.Index) -> pd.DataFrame:
    known = np.flatnonzero(names.isin(rows.index))
    if not len(known):
        return pd.DataFrame(columns=["value", "working_days"], dtype=float)
    gaps = np.flatnonzero(~names[: known[-1]].isin(rows.index))
    first = gaps[-1] + 1 if len(gaps) else 0
    return rows.loc[names[first : known[-1] + 1], ["value", "working_days"]].astype(float)


def write_targets(rows: pd.DataFrame, path: Path) -> None:
    """Rows of `decompose.target_rows` as a canonical `targets.csv`, which a client file can name as its source."""
    rows.assign(effective_from=rows["effective_from"].dt.strftime("%Y-%m-%d")).to_csv(path, index=False)


def need_of(client: Client, amount: float, period: Period, *, team: str | None = None) -> Need:
    """What it takes to win an amount in a period, from what the client's deals did up to its beginning.

    Amounts of deals are as they stand on the last day of the data.

    Raises
    ------
    InputError
        If the client has no opportunities, there is no such team, or the amount is not above zero.
    """
    last = min(period.start - ONE_DAY, client.data.parts.until)
    records = known_records(client)
    if team is not None and team not in set(records.cases["team_id"]):
        allowed = tuple(sorted(records.cases["team_id"].dropna().unique()))
        values = {"name": "team", "given": team}
        raise InputError(Problem("client.not_allowed", values=values, given=team, allowed=allowed))
    own = records if team is None else records.of(teams=[team])
    past = funnel_past(own.as_of(last))
    past = _with_work(client, past, own, last, team)
    roster = expected_roster(client, period.start, period.end - ONE_DAY, as_of=last)
    there = roster if team is None else roster[roster["team_id"] == team]
    days = max(1, roster.loc[roster["working"] > 0, "day"].nunique())
    people = float(there["working"].sum()) / days
    weeks = (period.end - period.start).days / 7
    return needed(past, amount, weeks=weeks, people=people, end=period.end, rng=np.random.default_rng(SEED))


def funnel_past(records: Records) -> FunnelPast:
    """The deals that were opened in a year and whose end is known, since they are older than most won deals ever were.

    What was won later than that counts as not won.
    """
    stages = records.model.open
    place_won = len(stages)
    ages = observed_from(steps_from_first(records), records)
    ages = ages[(ages["part"] == "deals") & (ages["place"] == place_won)]
    known = _age_known(ages)
    youngest = records.end - pd.Timedelta(days=known)
    cohort = records.cases[
        (records.cases["part"] == "deals")
        & (records.cases["opened_at"] < youngest)
        & (records.cases["opened_at"] >= max(youngest - YEAR, pd.Timestamp(records.since)))
    ]
    won = ages[(ages["ended"] == NEXT) & (ages["days"] <= known)].set_index("case_id")["days"]
    passages = records.passages[(records.passages["part"] == "deals") & (records.passages["place"] < place_won)]
    furthest = passages.groupby("case_id")["place"].max().reindex(cohort["case_id"]).fillna(0).astype(int)
    days = won.reindex(cohort["case_id"]).to_numpy(dtype=float)
    deals = pd.DataFrame(
        {
            "place": np.where(np.isnan(days), furthest.to_numpy(), place_won),
            "amount": cohort["amount"].to_numpy(dtype=float),
            "days": days,
        }
    )
    leads, converted = _leads(records, youngest)
    from_leads = min(1.0, converted / len(cohort)) if len(cohort) else 1.0
    return FunnelPast(tuple(stage.name for stage in stages), deals, leads, converted, from_leads)


def _age_known(ages: pd.DataFrame) -> float:
    """Days by which nearly all of the deals that are ever won have been won."""
    if ages.empty:
        return 0.0
    found = first_day_at(well_observed(curves(ages["days"].to_numpy(), ages["ended"].to_numpy())), KNOWN_SHARE)
    return 0.0 if np.isnan(found) else float(found)


def _leads(records: Records, youngest: pd.Timestamp) -> tuple[int, int]:
    """Leads of the same year, and how many of them became deals."""
    leads = records.cases[records.cases["part"] == "leads"]
    leads = leads[(leads["opened_at"] < youngest) & (leads["opened_at"] >= youngest - YEAR)]
    last = len(records.model.leads) - 1
    became = records.passages[(records.passages["part"] == "leads") & (records.passages["place"] == last)]
    return len(leads), int(leads["case_id"].isin(became["case_id"]).sum())


def _with_work(client: Client, past: FunnelPast, own: Records, last: dt.date, team: str | None) -> FunnelPast:
    """With visits and calls beside the deals opened, by month of the last year; without those that nobody records."""
    level: Level = "team" if team else "company"
    entity = team or COMPANY
    found = history(client, [kpi for kpi in WORK if kpi in client.kpis], level=level, entity=entity, last=last)
    done = {kpi: rows["value"].tail(MONTHS) for kpi, rows in found.items() if rows["value"].sum() > 0}
    if not done:
        return past
    deals = own.cases[own.cases["part"] == "deals"]
    opened = deals["opened_at"].dropna().dt.strftime("%Y-%m").value_counts()
    table = pd.DataFrame(done).dropna()
    return replace(past, work=table.assign(opened=opened.reindex(table.index, fill_value=0)))
