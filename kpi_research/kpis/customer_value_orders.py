"""Customer value KPIs: which customers buy again, at a period's end, within a year back from it."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, WeightBand
from kpi_research.kpis.parts import each_row, valid_contracts
from kpi_research.kpis.stacked import stacked
from kpi_research.language import Bilingual

BUYING_DAYS = 365
"""How far back an order is recent: one budget year, in which whoever buys yearly has bought once."""


def orders_in_turn(crm: Crm) -> ir.Table:
    """Valid contracts by account, with the days of its first one and of the ones before and after."""
    orders = valid_contracts(crm).filter(lambda rows: rows.account_id.notnull())
    orders = orders.mutate(day=orders.signed_at.truncate("D"), worth=orders.amount.cast("float64"))
    turn = ibis.window(group_by=orders.account_id, order_by=[orders.signed_at, orders.contract_id])
    of_account = ibis.window(group_by=orders.account_id)
    return orders.mutate(
        nth=ibis.row_number().over(turn),
        first_day=orders.day.min().over(of_account),
        day_before=orders.day.lag().over(turn),
        day_after=orders.day.lead().over(turn),
    )


def buyers(crm: Crm) -> ir.Table:
    """When accounts had ordered within the year (`since`, `until`), and whether twice or more (`repeats`).

    From each order to the next an account belongs to who signed the former.
    """
    orders = orders_in_turn(crm)
    lapses = orders.day + ibis.interval(days=BUYING_DAYS)
    until = ibis.least(lapses, orders.day_after.fill_null(lapses))
    alone_from = (orders.day_before + ibis.interval(days=BUYING_DAYS)).fill_null(orders.day)
    twice = orders.select("owner_id", since=orders.day, until=ibis.least(until, alone_from), repeats=ibis.literal(1.0))
    once = orders.select(
        "owner_id", since=ibis.greatest(orders.day, alone_from), until=until, repeats=ibis.literal(0.0)
    )
    return stacked(twice, once).filter(lambda rows: rows.since < rows.until)


def changes_of_repeat_buyers(crm: Crm) -> ir.Table:
    """+1 on the day from which a customer has two orders within the year, -1 on that from which no longer."""
    repeats = buyers(crm).filter(lambda rows: rows.repeats == 1.0)
    comes = repeats.select("owner_id", day=repeats.since, change=ibis.literal(1.0))
    goes = repeats.select("owner_id", day=repeats.until, change=ibis.literal(-1.0))
    return stacked(comes, goes)


def existing_customers(crm: Crm) -> ir.Table:
    """When accounts with an order more than a year old were customers, and whether they had bought within the year."""
    orders = orders_in_turn(crm)
    existing_from = orders.first_day + ibis.interval(days=BUYING_DAYS)
    lapses = orders.day + ibis.interval(days=BUYING_DAYS)
    lately = orders.select(
        "owner_id",
        since=ibis.greatest(orders.day, existing_from),
        until=ibis.least(lapses, orders.day_after.fill_null(lapses)),
        bought=ibis.literal(1.0),
    )
    not_lately = orders.select("owner_id", since=lapses, until=orders.day_after, bought=ibis.literal(0.0))
    return stacked(lately, not_lately)


def repurchases(crm: Crm) -> ir.Table:
    """Orders of existing customers for a year each (`amount`), and existing customers (`customers`)."""
    orders = orders_in_turn(crm)
    existing_from = orders.first_day + ibis.interval(days=BUYING_DAYS)
    since = ibis.greatest(orders.day, existing_from)
    bought = orders.select(
        "owner_id",
        since=since,
        until=orders.day + ibis.interval(days=BUYING_DAYS),
        amount=orders.worth,
        customers=ibis.literal(0.0),
    )
    held = orders.select(
        "owner_id", since=since, until=orders.day_after, amount=ibis.literal(0.0), customers=ibis.literal(1.0)
    )
    return stacked(bought, held)


def _order(
    number: int, account: str, owner: str, day: str, amount: int, cancelled: str | None = None
) -> dict[str, object]:
    return {
        "contract_id": f"K{number}",
        "account_id": account,
        "owner_id": owner,
        "signed_at": day,
        "amount": amount,
        "cancelled_at": cancelled,
    }


_ORDERS = (
    _order(1, "A1", "P1", "2025-08-01", 1_000),
    _order(2, "A1", "P1", "2026-07-31 18:00", 2_000),
    _order(3, "A2", "P1", "2025-07-31", 3_000),
    _order(4, "A2", "P1", "2026-07-01", 4_000),
    _order(5, "A3", "P1", "2026-07-05", 5_000),
    _order(6, "A3", "P1", "2026-07-06", 6_000, "2026-07-20"),
    _order(7, "A4", "P1", "2025-07-31 23:00", 7_000),
    _order(8, "A5", "P1", "2024-05-01", 8_000),
    _order(9, "A5", "P2", "2026-07-10", 9_000),
    _order(10, "A6", "P1", "2026-06-01", 1_000),
    _order(11, "A6", "P1", "2026-08-02", 1_000),
)
_GAMING = Bilingual(
    "把一份订单拆成几份签,或把别人的新客户并到老客户名下,都会抬高该指标。",
    "One order signed in several parts raises it, as does booking a new customer under an old one's name.",
)

KPIS = (
    Kpi(
        id="V04",
        name="repurchase_rate",
        label=Bilingual("老客户续购率", "Repurchase rate of existing customers"),
        meaning=Bilingual(
            "期末的老客户(首份有效合同签于 365 天前或更早)中,最近 365 天内又签过有效合同的比例。",
            "Of existing customers at the end of the period (first valid contract 365 or more days ago), the share that signed another within the last 365 days.",
        ),
        kind="customer_value",
        nature="quality",
        unit="share",
        direction="up",
        needs=("contracts",),
        rows=existing_customers,
        who="owner_id",
        when="since",
        until="until",
        aggregation="at_end",
        numerator=lambda rows: rows.bought,
        denominator=each_row,
        counted_over=Bilingual("期末的老客户", "existing customers at the end of the period"),
        history_days=BUYING_DAYS,
        aliases=("续购率", "老客续购率", "老客户复购率", "repurchase rate"),
        why="By number of customers; the amount is repurchase_amount_per_customer. A customer stays in the denominator "
        "however long ago they bought, so an old client base lowers it; those who never came back are what it is for. A "
        "customer belongs to who signed their latest order.",
        gaming=_GAMING,
        weight_band=WeightBand(10, 25, "S08 (002)"),
        example=Example(
            {"contracts": _ORDERS},
            "2026-07",
            "P1",
            1,
            2,
            "Existing on 31 July are A2, who bought on 1 July, and A4, who did not; A1 is a day too new and A5 is P2's by now.",
        ),
    ),
    Kpi(
        id="",
        name="repurchase_amount_per_customer",
        label=Bilingual("老客户人均复购金额", "Repurchase amount per existing customer"),
        meaning=Bilingual(
            "期末的老客户(首份有效合同签于 365 天前或更早)最近 365 天内所签有效合同的金额,除以老客户数。",
            "Amount of valid contracts signed within the last 365 days by existing customers (first valid contract 365 or more days ago at the end of the period), per existing customer.",
        ),
        kind="customer_value",
        nature="quality",
        unit="money",
        direction="up",
        needs=("contracts",),
        rows=repurchases,
        who="owner_id",
        when="since",
        until="until",
        aggregation="at_end",
        numerator=lambda rows: rows.amount,
        denominator=lambda rows: rows.customers,
        counted_over=Bilingual("期末的老客户", "existing customers at the end of the period"),
        history_days=BUYING_DAYS,
        aliases=("老客复购金额/总客户数", "人均复购金额", "repeat revenue per customer"),
        why="Money a customer, since an amount over a number of customers is no rate. The amount belongs to who signed it, "
        "the customer to who signed their latest order: the two differ only in a year in which customers changed hands.",
        gaming=_GAMING,
        example=Example(
            {"contracts": _ORDERS},
            "2026-07",
            "P1",
            4_000,
            2,
            "A2 bought for 4,000, A4 for nothing; K2 is of a customer not a year old, K9 is P2's.",
        ),
    ),
    Kpi(
        id="V06",
        name="repeat_purchase_rate",
        label=Bilingual("复购率", "Repeat purchase rate"),
        meaning=Bilingual(
            "最近 365 天内(截至期末)签过有效合同的客户中,签过两份或以上的比例。",
            "Of customers with a valid contract within the last 365 days at the end of the period, the share with two or more.",
        ),
        kind="customer_value",
        nature="quality",
        unit="share",
        direction="up",
        needs=("contracts",),
        rows=buyers,
        who="owner_id",
        when="since",
        until="until",
        aggregation="at_end",
        numerator=lambda rows: rows.repeats,
        denominator=each_row,
        counted_over=Bilingual("最近 365 天内签过合同的客户", "customers with a contract within the last 365 days"),
        history_days=BUYING_DAYS,
        aliases=("留存复购率", "重复购买率", "repeat customer rate"),
        why="Unlike repurchase_rate it leaves out customers who stopped buying, and counts a new customer's second order. "
        "Where contracts run for a year, a customer signs one a year and the rate says little: use renewal_rate.",
        gaming=_GAMING,
        example=Example(
            {"contracts": _ORDERS},
            "2026-07",
            "P1",
            1,
            4,
            "A1 ordered on the first and on the last day of the 365; A2, A3 (one cancelled) and A6 once within them, A4 the day before they began; A5 is P2's.",
        ),
    ),
    Kpi(
        id="V08",
        name="repeat_buyers_growth",
        label=Bilingual("复购客户增长数", "Growth of repeat customers"),
        meaning=Bilingual(
            "复购客户(最近 365 天内签过两份或以上有效合同)在期内增加的数量减去减少的数量。",
            "Customers who became repeat customers in the period (two or more valid contracts within 365 days), less those who ceased to be.",
        ),
        kind="customer_value",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("contracts",),
        rows=changes_of_repeat_buyers,
        who="owner_id",
        when="day",
        numerator=lambda rows: rows.change,
        history_days=BUYING_DAYS,
        aliases=("复购客户增长", "net new repeat customers"),
        why="The change of repeat_purchase_rate's numerator, so that it may be negative: a gain in one month is taken back "
        "when the earlier order is a year old. Who signs a customer away from somebody gains one, the other loses one.",
        gaming=_GAMING,
        example=Example(
            {"contracts": _ORDERS},
            "2026-07",
            "P1",
            1,
            None,
            "A1 comes on the 31st; A2 comes on the 1st and goes on the 31st, when the order of 31 July 2025 is a year old.",
        ),
    ),
)
