"""Contracts from deals, their renewals, and the money that comes in."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpi_research.sources.simulation.calendar import Calendar, by_day, days_long
from kpi_research.sources.simulation.deals import YEARLY, owner_at
from kpi_research.sources.simulation.frames import blank, canonical, ids, named
from kpi_research.sources.simulation.pipeline import account_ids, deal_ids, on_file
from kpi_research.sources.simulation.roster import Roster, Traits

YEAR = np.timedelta64(365, "D")
RENEWED_FOR = 2 * YEAR
"""So that renewals stay few: yearly ones would pile up from year to year."""
RENEWED_AFTER_DAYS = (-30.0, 8.0)
"""When a renewal is signed, counted from the day on which the contract ends."""
CANCELLED = 0.02
DUE_AFTER_DAYS = np.array([15, 60, 120])
SHARES = np.array([[0.5, 0.5, 0.0], [0.4, 0.4, 0.2]])
"""What falls due with two instalments, and with three."""
LATE, UNPAID = 0.18, 0.04


def draw_contracts(
    deals: pd.DataFrame, calendar: Calendar, *, roster: Roster, traits: Traits, rng: np.random.Generator
) -> pd.DataFrame:
    """Contracts of the data and yearly ones from before that still ran when it began; their codes are 0, 1 ...

    Returns
    -------
    pandas.DataFrame
        desk, account, deal (codes; -1 without), signed, amount, kind, ends (NaT: for good), cancelled.
    """
    won = deals[deals["won"] & (deals["closed"] <= calendar.end)]
    first = _contract_rows(won)
    first = first[(first["signed"] >= calendar.opening) | (first["ends"] >= calendar.opening)].sort_values("signed")
    first["kind"] = np.where(first.groupby("account").cumcount() == 0, "new", "repeat")
    generations = [_some_cancelled(first, calendar, rng=rng)]
    while len(generations[-1]):
        renewed = _renewals(generations[-1], calendar, roster=roster, traits=traits, rng=rng)
        generations.append(_some_cancelled(renewed, calendar, rng=rng))
    return pd.concat(generations[:-1]).sort_values("signed", ignore_index=True)


def contracts_table(
    contracts: pd.DataFrame, deals: pd.DataFrame, *, calendar: Calendar, roster: Roster, rng: np.random.Generator
) -> pd.DataFrame:
    """The contracts."""
    count, signed = len(contracts), contracts["signed"].to_numpy()
    approved = by_day(signed + days_long(rng.exponential(1.0, count).clip(0.05, 4)))
    return canonical(
        "contracts",
        {
            "contract_id": contract_ids(contracts),
            "account_id": named(account_ids(deals), contracts["account"].to_numpy()),
            "opportunity_id": named(deal_ids(deals), on_file(deals, calendar, codes=contracts["deal"].to_numpy())),
            "owner_id": named(
                roster.person_ids, owner_at(contracts["desk"].to_numpy(), signed, calendar=calendar, roster=roster)
            ),
            "signed_at": signed,
            "amount": contracts["amount"],
            "cost": contracts["amount"] * rng.uniform(0.35, 0.55, count),
            "currency": ["CNY"] * count,
            "kind": contracts["kind"],
            "ends_on": contracts["ends"],
            "cancelled_at": contracts["cancelled"],
            "approved_at": blank(approved, approved > calendar.end),
        },
    )


def money_tables(
    contracts: pd.DataFrame, calendar: Calendar, *, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What falls due and what was paid, for contracts signed in the data; most near the due day, some late or never."""
    rows = _instalments(contracts[contracts["signed"] >= calendar.opening], rng)
    names = named(contract_ids(contracts), rows["contract"].to_numpy())
    receivables = canonical(
        "receivables",
        {
            "receivable_id": ids("R", len(rows), 6),
            "contract_id": names,
            "due_on": rows["due"],
            "amount_due": rows["amount"],
        },
    )
    delay = np.where(rng.random(len(rows)) < LATE, rng.uniform(10, 60, len(rows)), rng.normal(0, 4, len(rows)))
    paid = np.maximum(
        calendar.at_work(rows["due"].to_numpy() + days_long(delay), rng),
        calendar.working_day(rows["signed"].to_numpy(), later=1),
    )
    settled = (rng.random(len(rows)) >= UNPAID) & (paid <= calendar.end) & ~(paid >= rows["cancelled"].to_numpy())
    order = np.flatnonzero(settled)[np.argsort(paid[settled], kind="stable")]
    payments = canonical(
        "payments",
        {
            "payment_id": ids("Y", len(order), 6),
            "contract_id": names.iloc[order],
            "paid_at": paid[order],
            "amount": rows["amount"].iloc[order],
            "approved_at": np.minimum(
                calendar.working_day(paid[order], later=1) + np.timedelta64(600, "m"), calendar.end
            ),
        },
    )
    return receivables, payments


def contract_ids(contracts: pd.DataFrame) -> pd.Series:
    """Ids of the contracts, by code."""
    return ids("C", len(contracts), 6)


def _contract_rows(won: pd.DataFrame) -> pd.DataFrame:
    ends = won["closed"].to_numpy().astype("M8[D]") + YEAR
    return pd.DataFrame(
        {
            "desk": won["desk"],
            "account": won["account"],
            "deal": won.index,
            "signed": won["closed"],
            "amount": won["amount"],
            "ends": blank(ends, ~YEARLY[won["product"]]).to_numpy(),
        }
    )


def _renewals(
    contracts: pd.DataFrame, calendar: Calendar, *, roster: Roster, traits: Traits, rng: np.random.Generator
) -> pd.DataFrame:
    due = contracts[contracts["ends"].notna() & contracts["cancelled"].isna()]
    ends = due["ends"].to_numpy()
    signed = calendar.at_work(ends + days_long(rng.uniform(*RENEWED_AFTER_DAYS, len(due))), rng)
    owner = owner_at(due["desk"].to_numpy(), signed, calendar=calendar, roster=roster)
    agreed = (rng.random(len(due)) < traits.keeps[owner]) & (signed <= calendar.end)
    amount = (due["amount"] * rng.uniform(0.95, 1.10, len(due))).round(-2)
    renewed = due.assign(deal=-1, signed=signed, amount=amount, ends=ends + RENEWED_FOR, kind="renewal")
    return renewed[agreed]


def _some_cancelled(contracts: pd.DataFrame, calendar: Calendar, *, rng: np.random.Generator) -> pd.DataFrame:
    at = calendar.at_work(contracts["signed"].to_numpy() + days_long(rng.uniform(5, 60, len(contracts))), rng)
    kept = (rng.random(len(contracts)) >= CANCELLED) | (at > calendar.end) | (at < calendar.opening)
    return contracts.assign(cancelled=blank(at, kept).to_numpy())


def _instalments(contracts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One row an instalment: contract (code), due, amount, signed, cancelled; the last takes the rounding."""
    three = rng.integers(2, size=len(contracts))
    parts = (contracts["amount"].to_numpy()[:, None] * SHARES[three]).round(2)
    last = three + 1
    everyone = np.arange(len(contracts))
    parts[everyone, last] += contracts["amount"].to_numpy() - parts.sum(axis=1)
    row, part = np.nonzero(parts > 0)
    chosen = contracts.iloc[row]
    return pd.DataFrame(
        {
            "contract": chosen.index,
            "due": chosen["signed"].to_numpy().astype("M8[D]") + DUE_AFTER_DAYS[part],
            "amount": parts[row, part],
            "signed": chosen["signed"].to_numpy(),
            "cancelled": chosen["cancelled"].to_numpy(),
        }
    )
