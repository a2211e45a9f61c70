"""The pipeline as the CRM shows it: accounts, products, leads, opportunities and their stages."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpi_research.sources.simulation.calendar import Calendar, by_day, days_long, spread
from kpi_research.sources.simulation.causes import USUAL_WORKING_DAYS
from kpi_research.sources.simulation.deals import PRODUCTS, owner_at
from kpi_research.sources.simulation.frames import blank, canonical, choose, ids, named
from kpi_research.sources.simulation.roster import Roster, Traits
from kpi_research.sources.simulation.words import SOURCES, TIERS, company_names, team_region

STAGES = ("线索", "需求", "方案", "报价", "签约")
VOID = 0.05
LOST_AT = (0.2, 0.3, 0.3, 0.2)
"""Share of the lost deals by the last stage they reached."""
FROM_A_LEAD = 0.6
"""Share of the new accounts that were a lead before."""
IDLE_LEADS = 4.0
"""Leads a month at each desk that come to nothing."""
QUALIFIED = 0.4


def accounts_table(
    deals: pd.DataFrame, calendar: Calendar, *, roster: Roster, rng: np.random.Generator
) -> pd.DataFrame:
    """The accounts, in the region of the team that found them, owned by who sits at that desk on the last day."""
    found = deals[deals["first_contact"]]
    desk = found["desk"].to_numpy()
    home = roster.team[desk, 0]
    regions = choose([team_region(team) for team in range(len(roster.team_ids))], home)
    names, industries = company_names(regions, rng)
    return canonical(
        "accounts",
        {
            "account_id": account_ids(deals),
            "name": names,
            "industry": industries,
            "tier": choose(TIERS, rng.choice(len(TIERS), len(found), p=(0.15, 0.35, 0.5))),
            "region": regions,
            "owner_id": named(roster.person_ids, roster.person(desk, np.full(len(desk), calendar.months - 1))),
            "created_at": found["created"],
        },
    )


def products_table() -> pd.DataFrame:
    """What is sold."""
    names, series, prices, _, _ = zip(*PRODUCTS, strict=True)
    return canonical("products", {"product_id": product_ids(), "name": names, "series": series, "list_price": prices})


def leads_table(deals: pd.DataFrame, calendar: Calendar, *, roster: Roster, rng: np.random.Generator) -> pd.DataFrame:
    """Leads: those that became an account with an opportunity, and idle ones."""
    found = deals[deals["first_contact"] & (rng.random(len(deals)) < FROM_A_LEAD)]
    converted = found["created"].to_numpy()
    kept = pd.DataFrame(
        {"desk": found["desk"], "converted": converted, "deal": found.index, "account": found["account"]}
    )
    kept["created"] = calendar.at_work(converted - days_long(rng.uniform(5, 25, len(kept))), rng)
    kept["qualified"] = kept["created"] + (kept["converted"] - kept["created"]) / 2
    busy = calendar.inside * calendar.working_days_in(calendar.span) / USUAL_WORKING_DAYS
    desk, month = spread(rng.poisson(IDLE_LEADS * busy, roster.occupant.shape))
    idle = pd.DataFrame({"desk": desk, "created": calendar.moments(month, rng), "deal": -1, "account": -1})
    later = calendar.at_work(idle["created"].to_numpy() + days_long(rng.uniform(1, 6, len(idle))), rng)
    idle["qualified"] = blank(later, (rng.random(len(idle)) > QUALIFIED) | (later > calendar.end))
    rows = pd.concat([kept[kept["created"] >= calendar.opening], idle]).sort_values("created", ignore_index=True)
    return canonical(
        "leads",
        {
            "lead_id": ids("L", len(rows), 6),
            "source": choose(SOURCES, rng.integers(len(SOURCES), size=len(rows))),
            "owner_id": named(
                roster.person_ids,
                owner_at(rows["desk"].to_numpy(), rows["created"].to_numpy(), calendar=calendar, roster=roster),
            ),
            "account_id": named(account_ids(deals), rows["account"].to_numpy()),
            "created_at": rows["created"],
            "qualified_at": rows["qualified"].astype("M8[s]").dt.floor("min"),
            "converted_at": rows["converted"],
            "opportunity_id": named(deal_ids(deals), on_file(deals, calendar, codes=rows["deal"].to_numpy())),
        },
    )


def entered_stages(deals: pd.DataFrame, calendar: Calendar, *, rng: np.random.Generator) -> np.ndarray:
    """When each deal entered each stage (datetime64[m], one column a stage); NaT where it never did, or not yet."""
    created, closed = deals["created"].to_numpy()[:, None], deals["closed"].to_numpy()[:, None]
    won = deals["won"].to_numpy()
    share = np.sort(rng.random((len(deals), len(STAGES) - 1)), axis=1)
    between = calendar.at_work(created + (share * (closed - created).astype("m8[m]").astype(int)).astype("m8[m]"), rng)
    entered = np.hstack([created.astype("M8[m]"), np.sort(np.clip(between, created, closed), axis=1)])
    entered[won, -1] = closed[won, 0]
    furthest = np.where(won, len(STAGES) - 1, rng.choice(len(STAGES) - 1, len(deals), p=LOST_AT))
    entered[(np.arange(len(STAGES)) > furthest[:, None]) | (entered > calendar.end)] = np.datetime64("NaT")
    return entered


def stage_changes_table(
    deals: pd.DataFrame, entered: np.ndarray, *, calendar: Calendar, rng: np.random.Generator
) -> pd.DataFrame:
    """Every stage of every opportunity on file, on file within a day and a half."""
    shown = on_file(deals, calendar, codes=np.arange(len(deals))) >= 0
    deal, stage = np.nonzero(~np.isnat(entered) & shown[:, None])
    times = entered[deal, stage]
    recorded = np.minimum(by_day(times + days_long(rng.exponential(0.3, len(deal)).clip(0, 1.5))), calendar.end)
    return canonical(
        "stage_changes",
        {
            "opportunity_id": named(deal_ids(deals), deal),
            "stage": choose(STAGES, stage),
            "entered_at": times,
            "recorded_at": recorded,
        },
    )


def opportunities_table(
    deals: pd.DataFrame,
    entered: np.ndarray,
    *,
    calendar: Calendar,
    roster: Roster,
    traits: Traits,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Opportunities that were not closed before the data begin; the careless leave fields empty more often."""
    count, won, closed = len(deals), deals["won"].to_numpy(), deals["closed"].to_numpy()
    is_open = closed > calendar.end
    owner = owner_at(deals["desk"].to_numpy(), np.minimum(closed, calendar.end), calendar=calendar, roster=roster)
    expected = calendar.working_day(deals["created"].to_numpy() + days_long(rng.uniform(40, 80, count)))
    void = rng.random(count) < VOID
    forgotten = rng.random((5, count)) < traits.careless[owner]
    stage = (~np.isnat(entered)).sum(axis=1) - 1
    table = canonical(
        "opportunities",
        {
            "opportunity_id": deal_ids(deals),
            "account_id": blank(named(account_ids(deals), deals["account"].to_numpy()), forgotten[0] & ~won),
            "owner_id": named(roster.person_ids, owner),
            "product": blank(named(product_ids(), deals["product"].to_numpy()), forgotten[1]),
            "amount": blank(deals["amount"], forgotten[2]),
            "currency": ["CNY"] * count,
            "created_at": deals["created"],
            "stage": blank(choose(STAGES, stage), forgotten[3] & ~won),
            "expected_close_on": blank(expected, forgotten[4]),
            "closed_at": blank(closed, is_open),
            "outcome": np.select([is_open, won, void], ["open", "won", "void"], "lost"),
        },
    )
    return table[on_file(deals, calendar, codes=np.arange(count)) >= 0].reset_index(drop=True)


def on_file(deals: pd.DataFrame, calendar: Calendar, *, codes: np.ndarray) -> np.ndarray:
    """The codes, and -1 for deals that were closed before the data begin: those were never moved to this CRM."""
    return np.where((codes >= 0) & (deals["closed"].to_numpy() >= calendar.opening)[codes], codes, -1)


def deal_ids(deals: pd.DataFrame) -> pd.Series:
    """Ids of the opportunities, by code."""
    return ids("O", len(deals), 6)


def account_ids(deals: pd.DataFrame) -> pd.Series:
    """Ids of the accounts, by code."""
    return ids("A", int(deals["first_contact"].sum()), 6)


def product_ids() -> pd.Series:
    """Ids of the products, by code."""
    return ids("P", len(PRODUCTS), 2)
