"""Result KPIs: what the company earns."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, WeightBand
from kpi_research.kpis.parts import each_row, valid_contracts
from kpi_research.language import Bilingual

PAYMENT_DAYS = 30
_SIGNED = (
    {"contract_id": "K1", "account_id": "A1", "owner_id": "P1", "signed_at": "2026-07-03", "amount": 30_000},
    {"contract_id": "K2", "account_id": "A1", "owner_id": "P1", "signed_at": "2026-07-20", "amount": 12_000},
    {"contract_id": "K3", "account_id": "A2", "owner_id": "P1", "signed_at": "2026-07-31 18:00", "amount": 8_000},
    {
        "contract_id": "K4",
        "account_id": "A3",
        "owner_id": "P1",
        "signed_at": "2026-07-09",
        "amount": 99_000,
        "cancelled_at": "2026-08-01",
    },
    {"contract_id": "K5", "account_id": "A4", "owner_id": "P2", "signed_at": "2026-07-09", "amount": 5_000},
    {"contract_id": "K6", "account_id": "A2", "owner_id": "P1", "signed_at": "2026-08-01", "amount": 7_000},
)


def first_contracts(crm: Crm) -> ir.Table:
    """The first valid contract of every account."""
    contracts = valid_contracts(crm).filter(lambda rows: rows.account_id.notnull())
    order = ibis.row_number().over(group_by=contracts.account_id, order_by=[contracts.signed_at, contracts.contract_id])
    return contracts.mutate(nth=order).filter(lambda rows: rows.nth == 0)


def receivables_with_receipts(crm: Crm) -> ir.Table:
    """What was due, and how much of it came within thirty days of its due date.

    Payments name a contract, not an instalment, so they are set against a contract's instalments in order of due date.
    """
    due = crm.receivables.join(crm.contracts.select("contract_id", "owner_id"), "contract_id", how="inner")
    running = (
        due.amount_due.cast("float64")
        .sum()
        .over(group_by=due.contract_id, order_by=[due.due_on, due.receivable_id], rows=(None, 0))
    )
    due = due.mutate(
        due_before=running - due.amount_due.cast("float64"),
        counted_until=due.due_on + ibis.interval(days=PAYMENT_DAYS + 1),
    )
    paid = crm.payments.select(paid_contract="contract_id", paid_at="paid_at", paid="amount")
    within = due.join(paid, [due.contract_id == paid.paid_contract, paid.paid_at < due.counted_until], how="left")
    columns = ["receivable_id", "owner_id", "due_on", "amount_due", "due_before"]
    totals = within.group_by(columns).aggregate(paid=within.paid.cast("float64").sum().fill_null(0.0))
    zero, most = ibis.literal(0.0), totals.amount_due.cast("float64")
    return totals.mutate(received=ibis.least(ibis.greatest(totals.paid - totals.due_before, zero), most))


KPIS = (
    Kpi(
        id="R01",
        name="signed_amount",
        label=Bilingual("签约额", "Signed amount"),
        meaning=Bilingual(
            "期内签订且未取消的合同金额之和,按签订日期归属。",
            "Sum of contracts signed in the period and not cancelled, by date of signing.",
        ),
        kind="result",
        nature="quantity",
        unit="money",
        direction="up",
        needs=("contracts",),
        rows=valid_contracts,
        who="owner_id",
        when="signed_at",
        numerator=lambda rows: rows.amount,
        aliases=("销售额", "成交额", "签单额", "GMV", "revenue", "bookings"),
        why="By signing, not by payment (that is collected_amount); a later cancellation takes the contract out again.",
        gaming=Bilingual(
            "期末让客户提前签字、下期再取消,会抬高当期;按取消日期回看即可发现。",
            "Customers are made to sign before the period ends and cancel in the next: seen in cancellations soon after signing.",
        ),
        weight_band=WeightBand(30, 50, "S08 (002)"),
        example=Example(
            {"contracts": _SIGNED},
            "2026-07",
            "P1",
            50_000,
            None,
            "30,000 + 12,000 + 8,000; K4 was cancelled, K5 is somebody else's, K6 is August's.",
        ),
    ),
    Kpi(
        id="R02",
        name="collected_amount",
        label=Bilingual("回款额", "Collected amount"),
        meaning=Bilingual("期内实际到账的金额,按到账日期归属。", "Money received in the period, by date of receipt."),
        kind="result",
        nature="quantity",
        unit="money",
        direction="up",
        needs=("payments", "contracts"),
        rows=lambda crm: crm.payments.join(crm.contracts.select("contract_id", "owner_id"), "contract_id", how="inner"),
        who="owner_id",
        when="paid_at",
        numerator=lambda rows: rows.amount,
        aliases=("回款金额", "月度回款", "receipts"),
        why="Belongs to the contract's owner, whoever collected it.",
        gaming=Bilingual(
            "为赶期末以折扣换取客户提前付款,下期的回款就少了。",
            "Customers are given a discount for paying before the period ends; the next period is short of that money.",
        ),
        example=Example(
            {
                "contracts": _SIGNED[:1],
                "payments": (
                    {"payment_id": "1", "contract_id": "K1", "paid_at": "2026-07-30", "amount": 9_000},
                    {"payment_id": "2", "contract_id": "K1", "paid_at": "2026-08-02", "amount": 21_000},
                ),
            },
            "2026-07",
            "P1",
            9_000,
            None,
            "Only the first payment arrived in July.",
        ),
    ),
    Kpi(
        id="R03",
        name="collection_rate",
        label=Bilingual("回款率", "Collection rate"),
        meaning=Bilingual(
            "期内到期的应收款中,到期后 30 天内收到的比例。",
            "Of the money falling due in the period, the share received within 30 days of its due date.",
        ),
        kind="result",
        nature="quality",
        unit="share",
        direction="up",
        needs=("receivables", "contracts", "payments"),
        rows=receivables_with_receipts,
        who="owner_id",
        when="due_on",
        numerator=lambda rows: rows.received,
        denominator=lambda rows: rows.amount_due,
        counted_over=Bilingual("期内到期的应收金额", "money falling due in the period"),
        matures_after_days=PAYMENT_DAYS,
        aliases=("回款及时率",),
        why="Against what was due, not against what was signed; the fixed window makes young and old periods comparable.",
        gaming=Bilingual(
            "把到期日约得很晚,或在逾期前改期,就显得及时。",
            "Due dates are agreed late, or moved before they pass.",
        ),
        example=Example(
            {
                "contracts": _SIGNED[:1],
                "receivables": (
                    {"receivable_id": "D1", "contract_id": "K1", "due_on": "2026-07-10", "amount_due": 10_000},
                    {"receivable_id": "D2", "contract_id": "K1", "due_on": "2026-07-31", "amount_due": 20_000},
                ),
                "payments": (
                    {"payment_id": "1", "contract_id": "K1", "paid_at": "2026-07-20", "amount": 15_000},
                    {"payment_id": "2", "contract_id": "K1", "paid_at": "2026-09-15", "amount": 15_000},
                ),
            },
            "2026-07",
            "P1",
            15_000,
            30_000,
            "All of D1 (10,000) and 5,000 of D2 came in time; the second payment is 46 days late.",
        ),
    ),
    Kpi(
        id="R05",
        name="signed_contracts",
        label=Bilingual("签约单数", "Signed contracts"),
        meaning=Bilingual(
            "期内签订且未取消的合同份数。", "Number of contracts signed in the period and not cancelled."
        ),
        kind="result",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("contracts",),
        rows=valid_contracts,
        who="owner_id",
        when="signed_at",
        numerator=each_row,
        aliases=("订单数", "签单数", "deals won"),
        why="Counts the very records that signed_amount adds up: the two must move together.",
        gaming=Bilingual(
            "把一份合同拆成几份签。",
            "One contract is split into several.",
        ),
        example=Example({"contracts": _SIGNED}, "2026-07", "P1", 3, None, "K1, K2 and K3."),
    ),
    Kpi(
        id="R06",
        name="new_customers",
        label=Bilingual("新增客户数", "New customers"),
        meaning=Bilingual(
            "首份有效合同签订于期内的客户数。", "Customers whose first valid contract was signed in the period."
        ),
        kind="result",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("contracts",),
        rows=first_contracts,
        who="owner_id",
        when="signed_at",
        numerator=each_row,
        aliases=("新客户开发数", "新客户数", "new logos"),
        why="By first contract, not by first registration. Before the data begin nobody is known to be a customer, so "
        "the first months count too many.",
        gaming=Bilingual(
            "把老客户的分公司或新名称登记为新客户。",
            "A branch or a new name of an old customer is registered as a new one.",
        ),
        weight_band=WeightBand(10, 20, "S08 (002)"),
        example=Example(
            {"contracts": _SIGNED},
            "2026-07",
            "P1",
            2,
            None,
            "A1 (K1) and A2 (K3); K2 is A1's second contract, A3 was cancelled.",
        ),
    ),
    Kpi(
        id="R15",
        name="enrolments",
        label=Bilingual("招生人数", "Enrolments"),
        meaning=Bilingual(
            "期内新签(非续费、非加购)且未取消的报名合同份数,一份合同计一名学员。",
            "Enrolment contracts signed new in the period (no renewals, no repeat purchases) and not cancelled; each is one student.",
        ),
        kind="result",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("contracts",),
        rows=lambda crm: valid_contracts(crm).filter(lambda rows: rows.kind.fill_null("new") == "new"),
        who="owner_id",
        when="signed_at",
        numerator=each_row,
        aliases=("报名人数", "新生人数", "招生数", "new students"),
        why="By contract, since contracts name no students: a contract for two siblings is one. Contracts without a kind "
        "count as new, so that a school that keeps no kinds is not without figures. Unlike new_customers, a family that "
        "enrols a second child anew counts again.",
        gaming=Bilingual(
            "把续费登记为新签;或先报名再退费,因此退费的合同要补登取消日期。",
            "Renewals are entered as new; or students enrol and are refunded: such contracts need a date of cancellation.",
        ),
        example=Example(
            {
                "contracts": (
                    {**_SIGNED[0], "kind": "new"},
                    {**_SIGNED[1], "kind": "renewal"},
                    {**_SIGNED[2], "kind": "repeat"},
                    {**_SIGNED[3], "kind": "new"},
                    {**_SIGNED[4], "kind": "new"},
                    {**_SIGNED[5], "kind": "new"},
                    {**_SIGNED[2], "contract_id": "K7"},
                )
            },
            "2026-07",
            "P1",
            2,
            None,
            "K1 is new and K7 has no kind; K2 and K3 are not new, K4 was cancelled, K5 is P2's, K6 is August's.",
        ),
    ),
)
