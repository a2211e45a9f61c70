"""The little that customer value needs of a client's rows: fetched once, kept beside the stored data, cut at will."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pandas as pd

from kpi_research.customers.purchases import purchase_days
from kpi_research.customers.terms import terms
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.customer_value_referrals import referred_leads
from kpi_research.kpis.customer_value_voice import CUSTOMER_SURVEYS

TEXT, TIME = "str", "datetime64[us]"
TYPES: dict[str, dict[str, str]] = {
    "days": {
        "account_id": TEXT, "setting": TEXT, "day": TIME, "orders": "int64", "priced": "int64", "amount": "float64",
        "costed": "int64", "costed_amount": "float64", "cost": "float64", "is_new": "bool", "is_later": "bool",
    },
    "terms": {
        "contract_id": TEXT, "account_id": TEXT, "signed_on": TIME, "ends_on": TIME, "amount": "float64",
        "cost": "float64", "kind": TEXT, "renewed_on": TIME, "renewed_amount": "float64",
    },
    "accounts": {"account_id": TEXT, "name": TEXT, "owner_id": TEXT},
    "answers": {
        "survey_id": TEXT, "account_id": TEXT, "kind": TEXT, "day": TIME, "score": "float64", "scale_min": "float64",
        "scale_max": "float64",
    },
    "leads": {"owner_id": TEXT, "day": TIME, "is_referral": "bool", "leads": "int64", "won": "int64"},
}  # fmt: skip
"""What the facts hold, with the types that they have also where there is no row."""
KEYS = {
    "days": ["account_id", "setting", "day"], "terms": ["contract_id"], "accounts": ["account_id"],
    "answers": ["survey_id"], "leads": ["owner_id", "day", "is_referral"],
}  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What is known of customers; empty frames where the client lacks a table.

    Parameters
    ----------
    days
        As from `purchases.purchase_days`.
    terms
        As from `terms.terms`.
    accounts
        `account_id, name, owner_id` of every account that bought or answered.
    answers
        `survey_id, account_id, kind, day, score, scale_min, scale_max` of customers' surveys.
    leads
        `owner_id, day, is_referral, leads, won`: leads by who works on them and the day they came.
    tables
        Canonical tables that the client has.
    """

    days: pd.DataFrame
    terms: pd.DataFrame
    accounts: pd.DataFrame
    answers: pd.DataFrame
    leads: pd.DataFrame
    tables: frozenset[str]

    def of(self, owners: Collection[str]) -> Facts:
        """Only the customers and leads of some people."""
        mine = self.accounts[self.accounts["owner_id"].isin([*owners])]
        ids = set(mine["account_id"])
        cut = {name: frame[frame["account_id"].isin(ids)] for name, frame in self._by_account().items()}
        return replace(self, accounts=mine, leads=self.leads[self.leads["owner_id"].isin([*owners])], **cut)

    def before(self, end: dt.date) -> Facts:
        """What was on file when a period ended: nothing that was signed, answered or renewed later."""
        last = pd.Timestamp(end)
        held = self.terms[self.terms["signed_on"] < last]
        late = held["renewed_on"] >= last
        held = held.assign(
            renewed_on=held["renewed_on"].where(~late), renewed_amount=held["renewed_amount"].where(~late)
        )
        return replace(
            self, terms=held, days=self.days[self.days["day"] < last], answers=self.answers[self.answers["day"] < last],
            leads=self.leads[self.leads["day"] < last],
        )  # fmt: skip

    @property
    def has_owners(self) -> bool:
        """Whether accounts have an owner at all: without, customers cannot be told apart by team."""
        return bool(self.accounts["owner_id"].notna().any())

    def _by_account(self) -> dict[str, pd.DataFrame]:
        return {"days": self.days, "terms": self.terms, "answers": self.answers}


def fetch(tables: Mapping[str, ir.Table], *, currency: str) -> Facts:
    """The facts, computed where the rows lie.

    Parameters
    ----------
    tables
        Canonical tables by name, on one engine.
    currency
        The client's.
    """
    found: dict[str, ir.Table] = {}
    if "contracts" in tables:
        found["days"] = purchase_days(tables["contracts"], currency=currency)
        found["terms"] = terms(tables["contracts"], currency=currency)
    if "surveys" in tables:
        found["answers"] = _answers(tables["surveys"])
    if "leads" in tables:
        found["leads"] = _leads(tables)
    if "accounts" in tables:
        found["accounts"] = _accounts(tables)
    frames = {name: _in_order(name, found[name]) if name in found else _empty(name) for name in TYPES}
    return Facts(**frames, tables=frozenset(tables))


def write(facts: Facts, folder: Path) -> None:
    """Keep the facts as files of a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in KEYS:
        getattr(facts, name).to_parquet(folder / f"{name}.parquet")


def read(folder: Path, tables: frozenset[str]) -> Facts:
    """The facts that `write` kept."""
    return Facts(**{name: pd.read_parquet(folder / f"{name}.parquet") for name in KEYS}, tables=tables)


def _in_order(name: str, rows: ir.Table) -> pd.DataFrame:
    """An engine hands rows over in no order; the same rows must give the same bytes."""
    frame = rows.to_pyarrow().to_pandas()[[*TYPES[name]]].astype(TYPES[name])
    return frame.sort_values(KEYS[name], ignore_index=True)


def _empty(name: str) -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in TYPES[name].items()})


def _answers(surveys: ir.Table) -> ir.Table:
    rows = surveys.filter(surveys.kind.isin(CUSTOMER_SURVEYS) & surveys.account_id.notnull())
    return rows.select(
        "survey_id", "account_id", "kind", day=rows.answered_at.truncate("D"),
        score=rows.score.cast("float64"), scale_min=rows.scale_min.cast("float64"),
        scale_max=rows.scale_max.cast("float64"),
    )  # fmt: skip


def _accounts(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Accounts that bought or answered: the others are prospects."""
    rows = tables["accounts"].select("account_id", "name", "owner_id")
    seen = [tables[name].select("account_id") for name in ("contracts", "surveys") if name in tables]
    if not seen:
        return rows.limit(0)
    ids = seen[0].union(seen[1]) if len(seen) > 1 else seen[0]
    return rows.semi_join(ids, "account_id")


def _leads(tables: Mapping[str, ir.Table]) -> ir.Table:
    rows = tables["leads"]
    referred = referred_leads(Crm({**tables}))
    rows = rows.select(
        "owner_id", "opportunity_id", day=rows.created_at.truncate("D"), is_referral=rows.lead_id.isin(referred.lead_id)
    )
    won = ibis.literal(False)
    if "opportunities" in tables:
        deals = tables["opportunities"].select("opportunity_id", "outcome")
        rows = rows.left_join(deals, "opportunity_id")
        won = (rows.outcome == "won").fill_null(False)
    return rows.group_by(["owner_id", "day", "is_referral"]).aggregate(leads=rows.count(), won=won.sum())
