"""In what those who are appraised differ, as far as a client's data say: role, region, customers, products, months."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import TYPE_CHECKING

import pandas as pd

from kpi_research.appraisal.season import Season, season_of
from kpi_research.panel import COMPANY
from kpi_research.periods import ONE_DAY
from kpi_research.run.goals import history
from kpi_research.run.on_file import latest_teams

if TYPE_CHECKING:
    from kpi_research.run.client import Client

DAYS_LOOKED_AT = 365
LEAST_DEALS = 10
"""Of fewer deals that say it, nobody is said to serve one kind of customers."""

MOSTLY = 0.8
"""Share of a person's deals from which on they are said to be of one kind."""

OF_DEALS = {"customer_type": "tier", "product_line": "product"}
"""What no table says of people, and the column of their deals that shows it."""


def differences(client: Client, day: dt.date) -> dict[str, tuple[str, ...]]:
    """What those who have not left differ in.

    Returns
    -------
    Field of `AppliesTo` -> its different values, in order: roles, regions of the teams that people were in last, and
    the kinds of customers (tiers) and products that somebody's deals of the year before `day` are mostly of. A field
    that the data say nothing of is left out; a level they never say.
    """
    people, teams = client.data.people, client.data.teams
    # without a list of people nobody is known to have left
    gone = set() if people.empty else set(people.loc[people["left_on"].notna(), "person_id"].astype(str))
    found: dict[str, Collection[str]] = {}
    if roles := _said(people if people.empty else people[~people["person_id"].isin(gone)], "role"):
        found["role"] = roles
    own = {team for person, team in latest_teams(client.data.parts, None).items() if person not in gone}
    if regions := _said(teams[teams["team_id"].isin(own)] if len(teams) else teams, "region"):
        found["region"] = regions
    if client.data.funnel is not None:
        cases = client.data.funnel.cases
        opened = cases["opened_at"].between(pd.Timestamp(day) - DAYS_LOOKED_AT * ONE_DAY, pd.Timestamp(day))
        deals = cases[(cases["part"] == "deals") & ~cases["owner_id"].isin(gone) & opened]
        found |= {name: _mostly(deals, column) for name, column in OF_DEALS.items() if _said(deals, column)}
    return {name: tuple(sorted(values)) for name, values in found.items()}


def season_before(client: Client, day: dt.date) -> Season:
    """How the client's outcome fell on the months of the years before a day."""
    outcome = client.settings.outcome
    months = history(client, [outcome], level="company", entity=COMPANY, last=day - ONE_DAY)[outcome]
    return season_of(months["value"])


def _said(rows: pd.DataFrame, column: str) -> set[str]:
    return set() if rows.empty else set(rows[column].dropna().astype(str)) - {""}


def _mostly(deals: pd.DataFrame, column: str) -> set[str]:
    """The values that nearly all deals of somebody have; none where everybody's are mixed."""
    known = deals[deals[column].notna()]
    share = known.groupby("owner_id")[column].value_counts(normalize=True).rename("share").reset_index()
    many = known["owner_id"].value_counts()
    one = share[(share["share"] >= MOSTLY) & (share["owner_id"].map(many) >= LEAST_DEALS)]
    return set(one[column].astype(str))
