"""A client's funnel: its stored records, and the questions asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from kpi_research.errors import InputError, Problem
from kpi_research.funnel.cohort import cohort_view, past_of
from kpi_research.funnel.forecast import WEEKS, Forecast, forecast
from kpi_research.funnel.records import BREAKDOWNS, Records
from kpi_research.funnel.snapshot import snapshot_view
from kpi_research.funnel.steps import Windows
from kpi_research.funnel.summary import Summary, summary
from kpi_research.periods import ONE_DAY, Period
from kpi_research.report.data import Audience
from kpi_research.run.customers import team_members

if TYPE_CHECKING:
    from kpi_research.run.client import Client

View = Literal["cohort", "snapshot"]
VIEWS: tuple[View, ...] = ("cohort", "snapshot")
SEED = 20260401
"""Fixed, so that the same data give the same intervals."""


def funnel_of(
    client: Client,
    period: Period,
    *,
    view: View,
    team: str | None,
    person: str | None,
    by: str | None,
    windows: Windows | None,
) -> pd.DataFrame:
    """A view of the funnel of the company, a team or a person; see `Client.funnel`.

    Raises
    ------
    InputError
        If the client has no opportunities, or a view, breakdown, team, person or stage is unknown.
    """
    records = known_records(client)
    asked = [("view", view, VIEWS), ("by", by, tuple(BREAKDOWNS))]
    stages = tuple(stage.name for part in records.parts for stage in records.model.of(part))
    asked += [("windows", stage, stages) for stage in windows or {}]
    problems = [
        Problem("client.not_allowed", values={"name": name, "given": given}, given=given, allowed=allowed)
        for name, given, allowed in asked
        if given is not None and given not in allowed
    ]
    if problems:
        raise InputError(problems)
    own = _narrowed(records, team, person)
    if view == "snapshot":
        day = min(period.end - ONE_DAY, records.until)
        return snapshot_view(own, day=day, windows=windows, by=by, reference=records)
    start, end = pd.Timestamp(period.start), pd.Timestamp(period.end)
    rng = np.random.default_rng(SEED)
    past = past_of(records, windows)
    return cohort_view(own, start=start, end=end, rng=rng, past=past, by=by)


def forecast_of(client: Client, period: Period, team: str | None) -> Forecast:
    """The forecast of the pipeline that is open at a period's end; see `Client.forecast`."""
    records = known_records(client)
    day = min(period.end - ONE_DAY, records.until)
    rng = np.random.default_rng(SEED)
    return forecast(_narrowed(records, team, None), day=day, weeks=WEEKS, rng=rng, reference=records)


def summary_of(client: Client, period: Period, team: str | None, audience: Audience) -> Summary | None:
    """What a page says of the funnel, None where the client has no opportunities.

    A manager's page of the whole company tells of teams, and only that of a team or an analyst's of people.
    """
    records = client.data.funnel
    if records is None:
        return None
    people = ["person"] if team else ["team", "person"] if audience == "analyst" else ["team"]
    kinds = [each for each in ("segment", "industry", "source") if records.cases[BREAKDOWNS[each]].notna().any()]
    breakdowns = (*people, *(each for each in kinds if each != "industry" or "segment" not in kinds))
    found = summary(records, period, team=team, breakdowns=breakdowns, rng=np.random.default_rng(SEED))
    return found if team is None else replace(found, groups=_of_members(found.groups, client, period, team))


def _of_members(
    groups: Mapping[str, pd.DataFrame], client: Client, period: Period, team: str
) -> dict[str, pd.DataFrame]:
    """A team's page names its own people only: of who has left, the deals that were handed over are missing anyway."""
    members = team_members(client, period, team)
    return {by: rows[rows["group"].isin(members)] if by == "person" else rows for by, rows in groups.items()}


def known_records(client: Client) -> Records:
    """The funnel's rows of a client.

    Raises
    ------
    InputError
        If the client has no opportunities.
    """
    if client.data.funnel is None:
        raise InputError(Problem("client.no_opportunities", client.path.name))
    return client.data.funnel


def _narrowed(records: Records, team: str | None, person: str | None) -> Records:
    known = {"team": ("team_id", team), "person": ("owner_id", person)}
    problems = [
        Problem(
            "client.not_allowed",
            values={"name": name, "given": given},
            given=given,
            allowed=tuple(sorted(records.cases[column].dropna().unique())),
        )
        for name, (column, given) in known.items()
        if given is not None and given not in set(records.cases[column])
    ]
    if problems:
        raise InputError(problems)
    return records.of(teams=None if team is None else [team], people=None if person is None else [person])
