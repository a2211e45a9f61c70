"""The result that no older record is part of: what was signed from deals that were begun not long before.

A KPI that counts deals moves with the result because both count the same deals. Held against this result, months after
it was counted, it cannot: see `evidence.apart`.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import valid_contracts
from kpi_research.language import Bilingual

RECENT_MONTHS = 3
"""The month of signing and the two before: few deals are signed in the month that they are opened in, most in a quarter."""


def contracts_from_recent_deals(crm: Crm) -> ir.Table:
    """Valid contracts whose opportunity was opened in the month of signing or in the two months before."""
    opened = crm.opportunities.select(of_opportunity="opportunity_id", opened_at="created_at")
    contracts = valid_contracts(crm)
    contracts = contracts.inner_join(opened, contracts.opportunity_id == opened.of_opportunity)
    too_late = contracts.opened_at.truncate("M") + ibis.interval(months=RECENT_MONTHS)
    return contracts.filter(contracts.signed_at < too_late)


KPIS = (
    Kpi(
        id="",
        name="signed_amount_from_recent_deals",
        label=Bilingual("近期商机签约额", "Signed amount from recent deals"),
        meaning=Bilingual(
            "期内签订且未取消的合同中,商机在签约当月或之前两个月内才创建的合同金额之和。",
            "Sum of contracts signed in the period and not cancelled whose opportunity was opened in the month of signing or in the two months before.",
        ),
        kind="result",
        nature="quantity",
        unit="money",
        direction="up",
        needs=("contracts", "opportunities"),
        rows=contracts_from_recent_deals,
        who="owner_id",
        when="signed_at",
        numerator=lambda rows: rows.amount.cast("float64"),
        aliases=("新商机成交额", "bookings from new pipeline"),
        why="What was counted more than three months ago cannot be part of it, so a KPI of deals can be held against it without "
        "being held against itself. A contract without an opportunity on file does not count: when it began is not known.",
        gaming=Bilingual(
            "签约时才补建商机,看起来像是新商机。",
            "An opportunity is entered only when it is signed and so looks recent.",
        ),
        example=Example(
            {
                "opportunities": (
                    {"opportunity_id": "O1", "created_at": "2026-05-01"},
                    {"opportunity_id": "O2", "created_at": "2026-04-30 18:00"},
                    {"opportunity_id": "O3", "created_at": "2026-07-02"},
                    {"opportunity_id": "O4", "created_at": "2026-07-02"},
                ),
                "contracts": (
                    {
                        "contract_id": "K1",
                        "opportunity_id": "O1",
                        "owner_id": "P1",
                        "signed_at": "2026-07-31 18:00",
                        "amount": 30_000,
                    },
                    {
                        "contract_id": "K2",
                        "opportunity_id": "O2",
                        "owner_id": "P1",
                        "signed_at": "2026-07-01",
                        "amount": 12_000,
                    },
                    {
                        "contract_id": "K3",
                        "opportunity_id": "O3",
                        "owner_id": "P1",
                        "signed_at": "2026-07-20",
                        "amount": 8_000,
                    },
                    {
                        "contract_id": "K4",
                        "opportunity_id": "O4",
                        "owner_id": "P1",
                        "signed_at": "2026-07-21",
                        "amount": 99_000,
                        "cancelled_at": "2026-08-01",
                    },
                    {"contract_id": "K5", "owner_id": "P1", "signed_at": "2026-07-09", "amount": 5_000},
                ),
            },
            "2026-07",
            "P1",
            38_000,
            None,
            "30,000 + 8,000: O1 was opened in May, O2 in April; K4 was cancelled, K5 has no opportunity.",
        ),
    ),
)
