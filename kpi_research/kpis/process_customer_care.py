"""Process KPI: existing customers who are looked after."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import held_after, valid_contracts
from kpi_research.kpis.process import CONTACTS
from kpi_research.language import Bilingual

CUSTOMER_DAYS = 365
"""A budget year: who buys yearly has bought once in it."""
CONTACTED_DAYS = 90
"""A quarter without a word is when a customer begins to be somebody else's."""


def customer_times(crm: Crm) -> ir.Table:
    """When accounts were customers: from each valid contract to the next, or until none is recent or runs any longer."""
    contracts = valid_contracts(crm).filter(lambda rows: rows.account_id.notnull())
    bought = contracts.signed_at.truncate("D") + ibis.interval(days=CUSTOMER_DAYS)
    runs = (contracts.ends_on.truncate("D") + ibis.interval(days=1)).fill_null(bought)
    contracts = contracts.mutate(lapses=ibis.greatest(bought, runs))
    in_turn = ibis.window(group_by=contracts.account_id, order_by=[contracts.signed_at, contracts.contract_id])
    following = contracts.signed_at.lead().over(in_turn)
    # an earlier contract may run longer than the latest
    so_far = contracts.lapses.max().over(
        group_by=contracts.account_id, order_by=[contracts.signed_at, contracts.contract_id], rows=(None, 0)
    )
    rows = contracts.mutate(following=following, so_far=so_far)
    return rows.select(
        customer="account_id",
        owner_id="owner_id",
        since=rows.signed_at.cast("timestamp"),
        until=ibis.least(rows.so_far, rows.following.fill_null(rows.so_far)).cast("timestamp"),
    )


def customers_and_contacted(crm: Crm) -> ir.Table:
    """A row for the time that an account is a customer, and one for each time that its last contact is recent."""
    customers = customer_times(crm)
    contacts = crm.activities.filter(crm.activities.kind.isin(CONTACTS) & crm.activities.account_id.notnull())
    contacts = contacts.select(contacted="account_id", contacted_at=contacts.occurred_at.cast("timestamp"))
    recent = held_after(contacts, "contacted_at", by="contacted", days=CONTACTED_DAYS)
    pairs = customers.join(
        recent,
        [
            customers.customer == recent.contacted,
            recent.contacted_at < customers.until,
            recent.holds_until > customers.since,
        ],
        how="inner",
    )
    contacted = pairs.select(
        "owner_id",
        since=ibis.greatest(pairs.since, pairs.contacted_at),
        until=ibis.least(pairs.until, pairs.holds_until.cast("timestamp")),
        is_customer=ibis.literal(0.0),
        is_contacted=ibis.literal(1.0),
    )
    held = customers.select("owner_id", "since", "until", is_customer=ibis.literal(1.0), is_contacted=ibis.literal(0.0))
    return held.union(contacted)


def _contract(number: str, account: str, signed: str, owner: str = "P1", **others: str) -> dict[str, str | int]:
    return {"contract_id": number, "account_id": account, "owner_id": owner, "signed_at": signed, "amount": 1, **others}


def _contact(number: str, account: str, day: str, kind: str = "call", person: str = "P1") -> dict[str, str]:
    return {"activity_id": number, "person_id": person, "kind": kind, "account_id": account, "occurred_at": day}


KPIS = (
    Kpi(
        id="P36",
        name="existing_customer_contact_rate",
        label=Bilingual("老客户维护率", "Existing customers contacted"),
        meaning=Bilingual(
            f"期末的老客户(最近 {CUSTOMER_DAYS} 天内签过有效合同,或合同尚未到期)中,最近 {CONTACTED_DAYS} 天内有联系的比例。",
            f"Of existing customers at the end of the period (a valid contract within the last {CUSTOMER_DAYS} days, or one that "
            f"has not ended), the share with a contact within the last {CONTACTED_DAYS} days.",
        ),
        kind="process",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("contracts", "activities"),
        rows=customers_and_contacted,
        who="owner_id",
        when="since",
        until="until",
        aggregation="at_end",
        numerator=lambda rows: rows.is_contacted,
        denominator=lambda rows: rows.is_customer,
        counted_over=Bilingual("期末的老客户", "existing customers at the end of the period"),
        history_days=CUSTOMER_DAYS,
        aliases=("老客户回访率", "老客户跟进率", "客户维护率", "account coverage"),
        why="Whoever has ever bought would fill the denominator with customers long gone; so a customer is one who bought within a "
        "year or whose contract runs. repurchase_rate's existing customers are others: those whose first contract is older "
        "than a year. A customer belongs to who signed their latest contract; the contact may be anybody's.",
        gaming=Bilingual(
            "群发一条节日祝福就算联系过所有老客户。",
            "One season's greeting to all counts as having contacted everybody.",
        ),
        example=Example(
            {
                "contracts": (
                    _contract("K1", "A1", "2025-08-01"),
                    _contract("K2", "A2", "2025-07-31 18:00"),
                    _contract("K3", "A3", "2024-01-01", ends_on="2026-07-31"),
                    _contract("K4", "A4", "2024-01-01", ends_on="2026-07-30"),
                    _contract("K5", "A5", "2026-01-01"),
                    _contract("K6", "A6", "2026-01-01", cancelled_at="2026-02-01"),
                    _contract("K7", "A7", "2026-01-01"),
                    _contract("K8", "A7", "2026-07-01", "P2"),
                    _contract("K9", "A8", "2026-01-01"),
                    _contract("K10", "A8", "2026-07-01 10:00"),
                    _contract("K11", "A9", "2024-01-01", "P2", ends_on="2027-01-01"),
                    _contract("K12", "A9", "2025-06-01"),
                    _contract("K13", "A10", "2026-08-01"),
                ),
                "activities": (
                    _contact("1", "A1", "2026-05-03 09:00"),
                    _contact("2", "A2", "2026-07-01"),
                    _contact("3", "A3", "2026-05-02 23:00"),
                    _contact("4", "A4", "2026-07-01"),
                    _contact("5", "A5", "2026-07-01", kind="note"),
                    _contact("6", "A6", "2026-07-01"),
                    _contact("7", "A7", "2026-07-01"),
                    _contact("8", "A8", "2026-06-20", person="P2"),
                    _contact("9", "A8", "2026-07-10"),
                    _contact("10", "A9", "2026-08-01"),
                    _contact("11", "A10", "2026-07-30"),
                ),
            },
            "2026-07",
            "P1",
            2,
            5,
            "Customers: A1 (signed on the first of the 365 days), A3 (ends on the last day), A5, A8 and A9 (the older contract still "
            "runs; P1 signed the latest). Contacted within 90 days: A1, on their first, and A8. A3 was a day earlier, A5 has a note, "
            "A9 is August's. A2 and A4 have lapsed by a day, A6 was cancelled, A7 is P2's now, A10 comes later.",
        ),
    ),
)
