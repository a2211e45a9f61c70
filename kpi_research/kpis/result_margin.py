"""Result KPIs: what is left of the contracts once their cost is paid."""

from __future__ import annotations

import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import valid_contracts
from kpi_research.language import Bilingual


def contracts_with_a_cost(crm: Crm) -> ir.Table:
    """Contracts that were not cancelled and whose cost is on file."""
    return valid_contracts(crm).filter(lambda rows: rows.cost.notnull())


def _amount(rows: ir.Table) -> ir.NumericValue:
    return rows.amount.cast("float64")


def _profit(rows: ir.Table) -> ir.NumericValue:
    return rows.amount.cast("float64") - rows.cost.cast("float64")


def _contract(number: int, amount: int, cost: int | None, **others: str) -> dict[str, object]:
    given = {"owner_id": "P1", "account_id": "A1", "signed_at": "2026-07-10", "kind": "new"}
    return {"contract_id": f"K{number}", "amount": amount, "cost": cost, **given, **others}


_CONTRACTS = {
    "contracts": (
        _contract(1, 10_000, 6_000),
        _contract(2, 5_000, 5_500, kind="repeat", signed_at="2026-07-31 20:00"),
        _contract(3, 8_000, 2_000, kind="renewal"),
        _contract(4, 50_000, None),
        _contract(5, 20_000, 1_000, cancelled_at="2026-09-01"),
        _contract(6, 7_000, 1_000, owner_id="P2"),
        _contract(7, 9_000, 1_000, signed_at="2026-08-01"),
    )
}
_GAMING = Bilingual(
    "亏本的合同不填成本,或把成本记到别的合同上;应同时看缺成本的合同占比。",
    "The cost of poor contracts is left empty or booked on others: look at how many contracts lack a cost.",
)

KPIS = (
    Kpi(
        id="R09",
        name="gross_margin",
        label=Bilingual("毛利率", "Gross margin"),
        meaning=Bilingual(
            "期内签订、未取消且已登记成本的合同中,(金额 - 成本)之和占金额之和的比例。",
            "Of contracts signed in the period, not cancelled and with a cost on file: the sum of amount less cost, as a share of the sum of amounts.",
        ),
        kind="result",
        nature="quality",
        unit="share",
        direction="up",
        needs=("contracts",),
        rows=contracts_with_a_cost,
        who="owner_id",
        when="signed_at",
        numerator=_profit,
        denominator=_amount,
        counted_over=Bilingual(
            "期内签订且已登记成本的合同金额", "amount of contracts signed in the period with a cost on file"
        ),
        aliases=("销售毛利率", "gross profit margin"),
        why="A ratio of sums: a mean of the contracts' margins would let a small order weigh as much as a large one. By "
        "signing and the cost on the contract, not by what the accounts recognise; both differ from finance's figure where "
        "delivery takes long. A contract without a cost is left out of both sums, not counted as all profit.",
        gaming=_GAMING,
        example=Example(
            _CONTRACTS,
            "2026-07",
            "P1",
            9_500,
            23_000,
            "4,000 - 500 + 6,000 of 10,000 + 5,000 + 8,000; K4 has no cost, K5 was cancelled, K6 is P2's, K7 is August's.",
        ),
    ),
    Kpi(
        id="R10",
        name="order_profit_rate",
        label=Bilingual("订单利润率", "Order profit rate"),
        meaning=Bilingual(
            "期内签订、未取消且已登记成本的新签与加购订单(不含续约)中,利润之和占订单金额之和的比例。",
            "Of orders signed in the period (new and repeat, not renewals), not cancelled and with a cost on file: the sum of their profits, as a share of the sum of their amounts.",
        ),
        kind="result",
        nature="quality",
        unit="share",
        direction="up",
        needs=("contracts",),
        rows=lambda crm: contracts_with_a_cost(crm).filter(lambda rows: rows.kind.fill_null("new") != "renewal"),
        who="owner_id",
        when="signed_at",
        numerator=_profit,
        denominator=_amount,
        counted_over=Bilingual(
            "期内新签与加购、且已登记成本的订单金额",
            "amount of new and repeat orders signed in the period with a cost on file",
        ),
        aliases=("单笔订单利润率", "订单毛利率", "profit per order"),
        why="gross_margin takes in every contract; this one the orders that somebody had to win, without renewals, which "
        "cost little to serve and would hide what was given away in price for new orders. Where no kinds are on file the two "
        "are the same. A ratio of sums, not a mean over orders.",
        gaming=_GAMING,
        example=Example(
            _CONTRACTS,
            "2026-07",
            "P1",
            3_500,
            15_000,
            "As gross_margin without the renewal K3: 4,000 - 500 of 10,000 + 5,000.",
        ),
    ),
    Kpi(
        id="R11",
        name="profit",
        label=Bilingual("利润", "Profit"),
        meaning=Bilingual(
            "期内签订、未取消且已登记成本的合同,金额减成本之和。",
            "Sum of amount less cost over contracts signed in the period, not cancelled and with a cost on file.",
        ),
        kind="result",
        nature="quantity",
        unit="money",
        direction="up",
        needs=("contracts",),
        rows=contracts_with_a_cost,
        who="owner_id",
        when="signed_at",
        numerator=_profit,
        aliases=("毛利", "毛利额", "合同利润", "gross profit"),
        why="Profit of the contracts, before salaries, rent and tax: what a seller can move. A contract without a cost adds "
        "nothing; counted at zero cost it would be all profit.",
        gaming=_GAMING,
        example=Example(
            _CONTRACTS,
            "2026-07",
            "P1",
            9_500,
            None,
            "4,000 - 500 + 6,000; a loss is taken off, and K4 adds nothing.",
        ),
    ),
)
