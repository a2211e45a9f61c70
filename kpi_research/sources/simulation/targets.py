"""Targets of six KPIs by quarter, for the company, its teams and its people.

Money and new customers are planned desk by desk from the season and a little from what people can do, and summed
upwards; who replaces somebody within a quarter takes over the rest of that plan. Rates are the same for everybody.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpi_research.periods import ONE_DAY, Period, periods_between
from kpi_research.sources.simulation.calendar import RUN_UP, Calendar
from kpi_research.sources.simulation.causes import season
from kpi_research.sources.simulation.company import Company
from kpi_research.sources.simulation.frames import canonical, named
from kpi_research.sources.simulation.roster import Roster, Traits

RATES = {"renewal_rate": 0.85, "nps": 40.0, "crm_completeness": 0.97, "peer_rating": 80.0}
HIGHEST = {"renewal_rate": 1.0, "nps": 100.0, "crm_completeness": 1.0, "peer_rating": 100.0}
AMBITION = 1.08
"""Planned sum over what the company really reaches in an average quarter."""
TALENT_KNOWN = 0.5
"""How much of a person's talent the plan knows of."""
TEAM_PLAN_SD = 0.04
ROUND_TO = {"signed_amount": 1000.0, "new_customers": 1.0}
STRETCH = 1.2


def targets_table(
    company: Company,
    contracts: pd.DataFrame,
    *,
    calendar: Calendar,
    roster: Roster,
    traits: Traits,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Targets as decided before each quarter; a stretch is 1.2 times the base, as far as the scale reaches."""
    shares = _plan_shares(calendar, roster, traits=traits, rng=rng)
    inside = contracts[contracts["signed"] >= calendar.opening]
    reached = {
        "signed_amount": inside["amount"].sum(),
        "new_customers": float((inside["kind"] == "new").sum()),
    }
    first = company.first
    last = first.shift(company.months).start - ONE_DAY
    parts = []
    for quarter in periods_between(first.start, last, "quarter"):
        members = _members(quarter, calendar, roster=roster, shares=shares)
        for kpi, total in reached.items():
            own = members.assign(base=_rounded(members["share"] * total * AMBITION, ROUND_TO[kpi]))
            parts.append(_summed_up(own).assign(kpi=kpi, quarter=quarter.name, since=quarter.start))
        for kpi, rate in RATES.items():
            same = _summed_up(members.assign(base=0.0)).assign(base=rate)
            parts.append(same.assign(kpi=kpi, quarter=quarter.name, since=quarter.start))
    return _table(pd.concat(parts, ignore_index=True), roster)


def _plan_shares(calendar: Calendar, roster: Roster, *, traits: Traits, rng: np.random.Generator) -> np.ndarray:
    """Share of each desk and month of the data in the plan of all of them."""
    kindness = rng.normal(0, TEAM_PLAN_SD, len(roster.team_ids))[roster.team]
    plan = np.exp(season(calendar) + TALENT_KNOWN * traits.talent[roster.occupant] + kindness) * calendar.inside
    return plan / plan.sum()


def _members(quarter: Period, calendar: Calendar, *, roster: Roster, shares: np.ndarray) -> pd.DataFrame:
    """person, team (of the desk when the quarter began), share: what each has to bring in a quarter."""
    start = int((np.datetime64(quarter.start, "M") - calendar.start).astype(int))
    months = np.arange(max(start, 0), min(start + 3, calendar.months))
    desk, column = (index.ravel() for index in np.meshgrid(range(len(shares)), months + RUN_UP, indexing="ij"))
    rows = pd.DataFrame(
        {
            "person": roster.occupant[desk, column],
            "team": roster.team[desk, months[0] + RUN_UP],
            "share": shares[desk, column],
        }
    )
    return rows.groupby(["person", "team"], as_index=False)[["share"]].sum()


def _summed_up(members: pd.DataFrame) -> pd.DataFrame:
    """scope, code, base: people, teams as their sums, the company as theirs."""
    teams = members.groupby("team", as_index=False)["base"].sum()
    return pd.concat(
        [
            pd.DataFrame({"scope": "company", "code": -1, "base": [teams["base"].sum()]}),
            pd.DataFrame({"scope": "team", "code": teams["team"], "base": teams["base"]}),
            pd.DataFrame({"scope": "person", "code": members["person"], "base": members["base"]}),
        ]
    )


def _rounded(values: pd.Series, unit: float) -> pd.Series:
    return (values / unit).round().clip(lower=1) * unit


def _table(rows: pd.DataFrame, roster: Roster) -> pd.DataFrame:
    code = rows["code"].to_numpy()
    of_person = named(roster.person_ids, np.where(rows["scope"] == "person", code, -1))
    of_team = named(roster.team_ids, np.where(rows["scope"] == "team", code, -1))
    highest = rows["kpi"].map(HIGHEST).fillna(np.inf)
    return canonical(
        "targets",
        {
            "scope": rows["scope"],
            "scope_id": of_person.fillna(of_team).fillna("company"),
            "kpi": rows["kpi"],
            "period": rows["quarter"],
            "base": rows["base"],
            "stretch": np.minimum((STRETCH * rows["base"]).round(4), highest),
            "version": ["1"] * len(rows),
            "effective_from": rows["since"],
            "approved_by": ["销售总监"] * len(rows),
        },
    )
