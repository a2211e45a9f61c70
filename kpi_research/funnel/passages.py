"""Through which stages deals and leads passed, and when: queries over canonical tables, on the engine that has them.

A stage counts as reached on the day on which it or any later one was first entered, so that a skipped stage is passed
in no time and a deal that was put back keeps its first entry. Nothing after the last day covered is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

from kpi_research.funnel.stages import Stage, StageModel, place_of
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.parts import valid_contracts

PAID_IN_FULL = 0.999
"""Share of a contract's amount from which on it is paid: cents are lost in bank fees and rounding."""
CONTEXT = ("tier", "industry", "region")


def deal_rows(crm: Crm, model: StageModel, end: pd.Timestamp) -> ir.Table:
    """One row a deal that is not void.

    Parameters
    ----------
    end
        The moment up to which anything is known: the end of the last day covered.

    Returns
    -------
    `case_id, owner_id, account_id, product, source, tier, industry, region, amount, shown_stage, opened_at, closed_at`
    (null while open), `outcome` (`won, lost, open`), `is_undated` (decided without a day), `linked` (has a contract),
    `collected_at`, and for the stage at each place `reached_<place>`, `own_<place>` (entered by name),
    `entries_<place>`.
    """
    deals = crm.opportunities
    known = deals.filter(deals.outcome != "void", deals.created_at.isnull() | (deals.created_at < end))
    decided = known.outcome.isin(["won", "lost"]) & (known.closed_at.isnull() | (known.closed_at < end))
    deals = known.select(
        "owner_id", "account_id", "product", "created_at",
        case_id=known.opportunity_id,
        amount=known.amount.cast("float64"),
        shown_stage=known.stage,
        outcome=decided.ifelse(known.outcome, "open"),
        closed_at=decided.ifelse(known.closed_at, ibis.null("timestamp")),
        is_undated=decided & known.closed_at.isnull(),
    )  # fmt: skip
    places = range(len(model.open))
    if model.order == "none":
        rows = deals.mutate(reached_0=deals.created_at, own_0=deals.created_at, entries_0=ibis.literal(1))
    else:
        entered = _entries(crm.stage_changes, deals, model.open, end)
        rows = deals.join(entered, deals.case_id == entered.opportunity_id, how="left").drop("opportunity_id")
    rows = rows.mutate(opened_at=_earliest(rows.created_at, rows.reached_0, rows.closed_at))
    won_at = (rows.outcome == "won").ifelse(rows.closed_at, ibis.null("timestamp"))
    later = {f"reached_{place}": ibis.coalesce(rows[f"reached_{place}"], won_at) for place in places if place}
    rows = rows.mutate(reached_0=rows.opened_at, **later)
    rows = _with_context(crm, rows.drop("created_at"))
    if "contracts" in crm:
        rows = _with_contracts(crm, rows, end)
    return _with_collection(crm, rows, end) if model.has_collection else rows


def lead_rows(crm: Crm, end: pd.Timestamp) -> ir.Table:
    """One row a lead: `case_id, owner_id, source, tier, industry, region, opened_at, qualified_at, converted_at`.

    A lead that names its opportunity but no day of conversion was converted when that was created.
    """
    leads = crm.leads.filter(crm.leads.created_at < end)
    deals = crm.opportunities.select(deal_id="opportunity_id", deal_at="created_at")
    leads = leads.join(deals, leads.opportunity_id == deals.deal_id, how="left")
    converted = _until(ibis.coalesce(leads.converted_at, leads.deal_at), end)
    rows = leads.select(
        "owner_id", "source", "account_id",
        case_id=leads.lead_id, opened_at=leads.created_at,
        qualified_at=_until(leads.qualified_at, end), converted_at=converted,
    )  # fmt: skip
    rows = rows.mutate(
        qualified_at=_later(ibis.coalesce(_sooner(rows.qualified_at, rows.converted_at), rows.converted_at), rows),
        converted_at=_later(rows.converted_at, rows),
    )
    return _with_account(crm, rows)


def _entries(changes: ir.Table, deals: ir.Table, stages: Sequence[Stage], end: pd.Timestamp) -> ir.Table:
    """Per deal when each stage was reached, entered by name, and how often; entering again in a row is one entry."""
    known = changes.filter(changes.entered_at < end)
    known = known.select("opportunity_id", "entered_at", place=place_of(known.stage, stages))
    known = known.filter(known.place.notnull())
    closing = deals.select("case_id", "closed_at")
    rows = known.join(closing, known.opportunity_id == closing.case_id)
    # a day of closing has no hour in most systems, so that a stage of the same day would come after it
    rows = rows.select("opportunity_id", "place", at=_sooner(rows.entered_at, rows.closed_at))
    before = rows.place.lag().over(group_by=rows.opportunity_id, order_by=[rows.at, rows.place])
    rows = rows.mutate(before=before)
    rows = rows.filter(rows.before.isnull() | (rows.before != rows.place))
    sums = {}
    for place in range(len(stages)):
        sums[f"reached_{place}"] = rows["at"].min(where=rows.place >= place)
        sums[f"own_{place}"] = rows["at"].min(where=rows.place == place)
        sums[f"entries_{place}"] = (rows.place == place).ifelse(1, 0).sum()
    return rows.group_by("opportunity_id").aggregate(**sums)


def _with_context(crm: Crm, rows: ir.Table) -> ir.Table:
    """Deals with the source of their lead and what their account is."""
    if "leads" in crm:
        leads = crm.leads.filter(crm.leads.opportunity_id.notnull())
        sources = leads.group_by(deal_id=leads.opportunity_id).aggregate(source=leads.source.min())
        rows = rows.join(sources, rows.case_id == sources.deal_id, how="left").drop("deal_id")
    else:
        rows = rows.mutate(source=ibis.null("string"))
    return _with_account(crm, rows)


def _with_account(crm: Crm, rows: ir.Table) -> ir.Table:
    if "accounts" not in crm:
        return rows.mutate(**{name: ibis.null("string") for name in CONTEXT})
    accounts = crm.accounts.select(*CONTEXT, of_account="account_id")
    return rows.join(accounts, rows.account_id == accounts.of_account, how="left").drop("of_account")


def _contracts(crm: Crm, end: pd.Timestamp) -> ir.Table:
    contracts = valid_contracts(crm)
    return contracts.filter(contracts.opportunity_id.notnull(), contracts.signed_at < end)


def _with_contracts(crm: Crm, rows: ir.Table, end: pd.Timestamp) -> ir.Table:
    """Won deals with a contract are `linked`, and where their own amount is empty they have that of the contract."""
    contracts = _contracts(crm, end)
    worth = contracts.group_by(deal_id=contracts.opportunity_id).aggregate(worth=contracts.amount.cast("float64").sum())
    joined = rows.join(worth, rows.case_id == worth.deal_id, how="left")
    won = joined.outcome == "won"
    joined = joined.mutate(
        linked=joined.deal_id.notnull() & won,
        amount=ibis.coalesce(joined.amount, won.ifelse(joined.worth, ibis.null("float64"))),
    )
    return joined.drop("deal_id", "worth")


def _with_collection(crm: Crm, rows: ir.Table, end: pd.Timestamp) -> ir.Table:
    """Deals with the day on which payments had added up to what their contracts are worth."""
    contracts = _contracts(crm, end)
    worth = contracts.group_by(deal_id=contracts.opportunity_id).aggregate(worth=contracts.amount.cast("float64").sum())
    payments = crm.payments.filter(crm.payments.paid_at < end)
    paid = payments.select("payment_id", "paid_at", "contract_id", paid=payments.amount.cast("float64"))
    paid = paid.join(contracts.select("contract_id", deal_id="opportunity_id"), "contract_id")
    paid = paid.join(worth, "deal_id")
    in_order = ibis.cumulative_window(group_by=paid.deal_id, order_by=[paid.paid_at, paid.payment_id])
    paid = paid.mutate(so_far=paid.paid.sum().over(in_order))
    full = paid.filter(paid.so_far >= PAID_IN_FULL * paid.worth)
    full = full.group_by("deal_id").aggregate(collected_at=full.paid_at.min())
    joined = rows.join(full, rows.case_id == full.deal_id, how="left").drop("deal_id")
    collected = _later(joined.collected_at, joined, since="closed_at")
    return joined.mutate(collected_at=(joined.outcome == "won").ifelse(collected, ibis.null("timestamp")))


def _until(time: ir.TimestampValue, end: pd.Timestamp) -> ir.TimestampValue:
    return (time < end).ifelse(time, ibis.null("timestamp"))


def _sooner(time: ir.TimestampValue, other: ir.TimestampValue) -> ir.TimestampValue:
    """The sooner of two, `time` where the other is null: engines differ in what LEAST makes of null."""
    return (other < time).fill_null(False).ifelse(other, time)


def _later(time: ir.TimestampValue, rows: ir.Table, since: str = "opened_at") -> ir.TimestampValue:
    """`time`, but not before a row began."""
    return (time < rows[since]).fill_null(False).ifelse(rows[since], time)


def _earliest(created: ir.TimestampValue, entered: ir.TimestampValue, closed: ir.TimestampValue) -> ir.TimestampValue:
    """When a deal was opened; unknown where neither its creation nor any stage is dated."""
    return _sooner(_sooner(ibis.coalesce(created, entered), entered), closed)
