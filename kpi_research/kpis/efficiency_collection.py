"""Efficiency KPIs: how fast the money comes."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.conversion import until_day
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import valid_contracts
from kpi_research.language import Bilingual


def receivables_paid_by_due_date(crm: Crm) -> ir.Table:
    """Instalments of valid contracts with `due_at` and `on_time`: how much of each had come by that day.

    Payments name a contract, not an instalment, so they are set against its instalments in order of due date. Nothing is
    due before the contract is signed.
    """
    signed = valid_contracts(crm).select("contract_id", "owner_id", "signed_at")
    due = crm.receivables.join(signed, "contract_id", how="inner")
    due = due.mutate(owed=due.amount_due.cast("float64"), due_at=ibis.greatest(due.due_on, due.signed_at.truncate("D")))
    so_far = due.owed.sum().over(group_by=due.contract_id, order_by=[due.due_at, due.receivable_id], rows=(None, 0))
    due = due.mutate(owed_before=so_far - due.owed)
    paid = crm.payments.select(paid_for="contract_id", paid_at="paid_at", paid="amount")
    pairs = due.join(paid, [due.contract_id == paid.paid_for, paid.paid_at < until_day(due.due_at, 0)], how="inner")
    sums = pairs.group_by(settled="receivable_id").aggregate(paid=pairs.paid.cast("float64").sum())
    rows = due.left_join(sums, due.receivable_id == sums.settled)
    left = ibis.greatest(rows.paid.fill_null(0.0) - rows.owed_before, ibis.literal(0.0))
    return rows.mutate(on_time=ibis.least(left, rows.owed))


def receipts_of_valid_contracts(crm: Crm) -> ir.Table:
    """Payments of valid contracts, repayments left out, with `money` and, of the contract, `owner_id` and `signed_at`.

    They count at `counted_at`: money that came before the signature when it became a contract's.
    """
    signed = valid_contracts(crm).select("contract_id", "owner_id", "signed_at")
    rows = crm.payments.join(signed, "contract_id", how="inner")
    rows = rows.mutate(money=rows.amount.cast("float64"), counted_at=ibis.greatest(rows.paid_at, rows.signed_at))
    return rows.filter(rows.money > 0)


def days_waited(rows: ir.Table) -> ir.NumericValue:
    """Days from signing to receipt; none for money that came before."""
    return rows.counted_at.truncate("D").delta(rows.signed_at.truncate("D"), unit="day").cast("float64")


def _contract(number: str, signed: str, cancelled: str | None = None, owner: str = "P1") -> dict[str, str | int | None]:
    return {
        "contract_id": number,
        "owner_id": owner,
        "signed_at": signed,
        "amount": 30_000,
        "cancelled_at": cancelled,
    }


def _due(number: str, contract: str, day: str, amount: int) -> dict[str, str | int]:
    return {"receivable_id": number, "contract_id": contract, "due_on": day, "amount_due": amount}


def _payment(number: str, contract: str, day: str, amount: int) -> dict[str, str | int]:
    return {"payment_id": number, "contract_id": contract, "paid_at": day, "amount": amount}


_CONTRACTS = (
    _contract("K1", "2026-06-20 16:00"),
    _contract("K2", "2026-06-20", cancelled="2026-08-05"),
    _contract("K3", "2026-06-20", owner="P2"),
    _contract("K4", "2026-07-15"),
    _contract("K5", "2026-08-02"),
)
_PAYMENTS = (
    _payment("1", "K1", "2026-07-10 09:00", 12_000),
    _payment("2", "K1", "2026-07-31", 5_000),
    _payment("3", "K1", "2026-08-01", 13_000),
    _payment("4", "K2", "2026-07-05", 5_000),
    _payment("5", "K3", "2026-07-05", 5_000),
    _payment("6", "K4", "2026-07-10", 3_000),
    _payment("7", "K4", "2026-07-20", -1_000),
    _payment("8", "K5", "2026-07-28", 2_000),
)

KPIS = (
    Kpi(
        id="E05",
        name="on_time_collection_rate",
        label=Bilingual("回款及时率", "On-time collection rate"),
        meaning=Bilingual(
            "期内到期的应收款(未取消的合同)中,到期日当天及之前已收到的金额比例。",
            "Of the money of valid contracts falling due in the period, the share received on or before its due date.",
        ),
        kind="efficiency",
        nature="quality",
        unit="share",
        direction="up",
        needs=("receivables", "contracts", "payments"),
        rows=receivables_paid_by_due_date,
        who="owner_id",
        when="due_at",
        numerator=lambda rows: rows.on_time,
        denominator=lambda rows: rows.owed,
        counted_over=Bilingual("期内到期的应收金额", "money falling due in the period"),
        aliases=("回款速度", "按期回款率", "on-time payment rate"),
        why="No days of grace: collection_rate allows thirty, so it is higher. By money, not by number of instalments. "
        "Payments are set against a contract's instalments in order of due date; early money for a later instalment is "
        "on time. An instalment that is due before the contract is signed counts on the day of signing. It belongs to the "
        "contract's owner.",
        gaming=Bilingual(
            "签约时把到期日定得很晚,或事后顺延到期日。",
            "Due dates are set late in the contract, or moved afterwards.",
        ),
        example=Example(
            {
                "contracts": _CONTRACTS,
                "receivables": (
                    _due("D1", "K1", "2026-07-10", 10_000),
                    _due("D2", "K1", "2026-07-31", 20_000),
                    _due("D3", "K2", "2026-07-10", 5_000),
                    _due("D4", "K3", "2026-07-10", 5_000),
                    _due("D5", "K4", "2026-08-15", 4_000),
                    _due("D6", "K4", "2026-07-20", 1_000),
                    _due("D7", "K5", "2026-07-28", 2_000),
                ),
                "payments": _PAYMENTS,
            },
            "2026-07",
            "P1",
            18_000,
            31_000,
            "D1 in full on its day; of D2 2,000 with it and 5,000 on its own day, 13,000 a day late; D6 in advance. K2 was "
            "cancelled, D4 is P2's; D5 is August's, and so is D7, which is due when K5 is signed.",
        ),
    ),
    Kpi(
        id="",
        name="collection_days",
        label=Bilingual("回款天数", "Days from signing to receipt"),
        meaning=Bilingual(
            "期内到账的款项(未取消的合同,不含退款),从合同签订到到账的平均天数,按金额加权;签订前到账的计入签订当天,按 0 天计。",
            "Of money received in the period for valid contracts, mean days from signing to receipt, weighted by amount; "
            "repayments do not count, and money that came before the signature counts on the day of signing, with 0 days.",
        ),
        kind="efficiency",
        nature="quality",
        unit="days",
        direction="down",
        needs=("payments", "contracts"),
        rows=receipts_of_valid_contracts,
        who="owner_id",
        when="counted_at",
        numerator=lambda rows: rows.money * days_waited(rows),
        denominator=lambda rows: rows.money,
        counted_over=Bilingual("期内到账的金额", "money received in the period"),
        aliases=("平均回款天数", "回款周期", "days to cash", "days to pay"),
        why="Weighted by money: a late million is not one late hundred. Days of money that has come; what is still owed does "
        "not count yet, so a person who collects old debts looks slow for that month. It is not the DSO of a balance "
        "sheet (receivables ÷ revenue × days), which moves with growth.",
        gaming=Bilingual(
            "签约日期推迟到收款时才登记。",
            "The contract is dated when the money comes.",
        ),
        example=Example(
            {"contracts": _CONTRACTS, "payments": _PAYMENTS},
            "2026-07",
            "P1",
            445_000,
            20_000,
            "12,000 after 20 days, 5,000 after 41, 3,000 before K4 was signed: 445,000 / 20,000 = 22.25 days. The 2,000 for K5 "
            "count in August, when it was signed; the repayment does not count.",
        ),
    ),
)
