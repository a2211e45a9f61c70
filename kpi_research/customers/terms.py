"""Contracts that end on a day, and when each was renewed: a query over the contracts, on any engine."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.customers.purchases import is_contractual, valid_contracts
from kpi_research.kpis.customer_value import RENEWAL_AFTER_DAYS, RENEWAL_BEFORE_DAYS

TERM_COLUMNS = (
    "contract_id", "account_id", "signed_on", "ends_on", "amount", "cost", "kind", "renewed_on", "renewed_amount",
)  # fmt: skip


def terms(contracts: ir.Table, *, currency: str) -> ir.Table:
    """One row for each valid contract that ends on a day, or renews one.

    A contract is renewed as the renewal rate counts it: the same account signed a contract of kind `renewal` between
    `RENEWAL_BEFORE_DAYS` before its end and `RENEWAL_AFTER_DAYS` after it.

    Parameters
    ----------
    contracts
        The canonical table.
    currency
        Amounts in another one are null.

    Returns
    ------- `contract_id`; `account_id`; `signed_on` and `ends_on` (null: not known); `amount` and `cost`, money or
    null; `kind`; `renewed_on`, the day of the first such renewal, null without, and `renewed_amount`, the money of
    all of that day.
    """
    rows = valid_contracts(contracts)
    known = rows.currency.isnull() | (rows.currency == currency)
    held = rows.filter(is_contractual(rows)).select(
        "contract_id",
        "account_id",
        signed_on=rows.signed_at.truncate("D"),
        ends_on=rows.ends_on.cast("timestamp").truncate("D"),
        amount=known.ifelse(rows.amount, None).cast("float64"),
        cost=known.ifelse(rows.cost, None).cast("float64"),
        kind=rows.kind,
    )
    renewals = rows.filter(rows.kind == "renewal").select(
        next_id="contract_id",
        next_account="account_id",
        next_at="signed_at",
        next_day=rows.signed_at.truncate("D"),
        next_amount=known.ifelse(rows.amount, None).cast("float64"),
    )
    pairs = held.inner_join(
        renewals,
        [
            held.account_id == renewals.next_account,
            held.contract_id != renewals.next_id,
            renewals.next_at >= held.ends_on - ibis.interval(days=RENEWAL_BEFORE_DAYS),
            renewals.next_at < held.ends_on + ibis.interval(days=RENEWAL_AFTER_DAYS + 1),
        ],
    )
    first = pairs.mutate(renewed_on=pairs.next_day.min().over(ibis.window(group_by=pairs.contract_id)))
    first = first.filter(first.next_day == first.renewed_on).group_by("contract_id")
    found = first.aggregate(
        lambda each: each.renewed_on.min().name("renewed_on"),
        lambda each: each.next_amount.sum().name("renewed_amount"),
    )
    joined = held.left_join(found, "contract_id")
    return joined.select(*TERM_COLUMNS)
