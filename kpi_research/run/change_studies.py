"""Changes of KPIs and claims that a client file names, held against the client's data up to a period's end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pandas as pd

from kpi_research.evidence.changes import Change, ChangeEffect, Drive
from kpi_research.evidence.claims import Answer, Claim
from kpi_research.evidence.study import Study
from kpi_research.panel import panel
from kpi_research.periods import Period, as_intervals
from kpi_research.run.changes import answers_of, changes_of, claims_of, effects_of
from kpi_research.run.on_file import latest_teams

if TYPE_CHECKING:
    from kpi_research.run.client import Client


def changes_asked(client: Client) -> list[Change]:
    """The changes that the client file names.

    Raises
    ------
    InputError
        If it names a KPI or a team that there is not, or no day.
    """
    written, outcome = client.settings.changes, client.settings.outcome
    return changes_of(written, kpis=client.kpis, teams=_teams(client), outcome=outcome, where=client.path.name)


def claims_asked(client: Client) -> list[Claim]:
    """The claims that the client file names.

    Raises
    ------
    InputError
        If it names a KPI or a team that there is not, or periods that cannot be compared.
    """
    written, starts = client.settings.claims, client.settings.fiscal_year_starts
    return claims_of(written, kpis=client.kpis, teams=_teams(client), fiscal_year_starts=starts, where=client.path.name)


def changes_seen(client: Client, period: Period, study: Study) -> tuple[tuple[ChangeEffect, Drive], ...]:
    """What happened after each change that had begun by the period's end.

    Raises
    ------
    InputError
        If the client file names a KPI or a team that there is not.
    """
    changes, outcome = changes_asked(client), client.settings.outcome
    if not changes:
        return ()
    teams = latest_teams(client.data.parts, period)
    # of a team that nobody ended up in, nothing can be compared
    there = [_in_teams(change, set(teams.values())) for change in changes]
    begun = [change for change in there if change.starts and min(change.starts.values()) < period.end]
    kpis = {outcome, *(change.kpi for change in begun)}
    rows = _months(client, period, kpis, "person")
    return tuple(effects_of(begun, rows, teams=teams, outcome=outcome, study=study))


def _in_teams(change: Change, teams: set[str]) -> Change:
    return replace(change, starts={team: day for team, day in change.starts.items() if team in teams})


def claims_answered(client: Client, period: Period) -> tuple[Answer, ...]:
    """What the client's months up to the period's end say to each claim.

    Raises
    ------
    InputError
        If the client file names a KPI or a team that there is not, or periods that cannot be compared.
    """
    claims = claims_asked(client)
    if not claims:
        return ()
    kpis = {claim.kpi for claim in claims}
    levels: tuple[Literal["company", "team"], ...] = ("company", "team")
    return tuple(answers_of(claims, {level: _months(client, period, kpis, level) for level in levels}))


def _teams(client: Client) -> list[str]:
    return [] if client.data.teams.empty else sorted(client.data.teams["team_id"].astype(str))


def _months(
    client: Client, period: Period, kpis: set[str], level: Literal["person", "team", "company"]
) -> pd.DataFrame:
    months = [month for month in client.periods("month") if month.end <= period.end]
    return panel(client.data.parts.only(kpis), as_intervals(months), level)
