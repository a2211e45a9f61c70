"""Customer value KPIs of customers a year after their first contract, and of contracts that end."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.customer_value import RENEWAL_AFTER_DAYS, ending_contracts
from kpi_research.kpis.customer_value_orders import orders_in_turn
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.language import Bilingual

FIRST_YEAR_DAYS = 365
"""How long a new customer is followed: one budget year, after which whoever buys yearly has had to decide again."""
LATE_RENEWAL_DAYS = RENEWAL_AFTER_DAYS
"""How much later than a year after a customer may still sign again: contracts are renewed after they ended, too."""
KNOWN_TO_BE_NEW_DAYS = 365
"""So long after the data begin, a first contract on file may be an old customer's next one."""


def first_years(crm: Crm) -> ir.Table:
    """New customers on the day on which their first year is over, with what they signed in it and whether they stayed.

    Customers whose first contract on file is called a renewal or a repeat are left out: their start is not known.
    """
    orders = orders_in_turn(crm)
    year_over = orders.first_day + ibis.interval(days=FIRST_YEAR_DAYS)
    last_chance = year_over + ibis.interval(days=LATE_RENEWAL_DAYS)
    in_year = orders.day < year_over
    signed_again = (orders.day > orders.first_day) & (orders.ends_on.isnull() | (orders.ends_on > year_over))
    stays = (orders.day <= last_chance) & (signed_again | (orders.ends_on > last_chance).fill_null(False))
    amount, cost = orders.worth, orders.cost.cast("float64")
    of_account = ibis.window(group_by=orders.account_id)
    orders = orders.mutate(
        year_over=year_over,
        year_amount=in_year.ifelse(amount, 0.0).sum().over(of_account),
        year_margin=in_year.ifelse(amount - cost.fill_null(0.0), 0.0).sum().over(of_account),
        without_cost=(in_year & cost.isnull()).ifelse(1, 0).sum().over(of_account),
        stayed=stays.ifelse(1, 0).max().over(of_account),
    )
    return orders.filter(lambda rows: (rows.nth == 0) & (rows.kind.fill_null("new") == "new"))


def _signed(number: int, account: str, day: str, amount: int = 1_000, **more: object) -> dict[str, object]:
    given: dict[str, object] = {
        "contract_id": f"K{number:02}",
        "account_id": account,
        "owner_id": "P1",
        "signed_at": day,
    }
    return given | {"amount": amount} | more


_VALUES = (
    _signed(1, "A1", "2025-07-10", 10_000, cost=6_000),
    _signed(2, "A1", "2026-07-09", 5_000, cost=5_500, owner_id="P2"),
    _signed(3, "A1", "2026-07-10", 7_000, cost=1_000),
    _signed(4, "A2", "2025-07-20", 2_000),
    _signed(5, "A2", "2025-08-20", 9_000, cost=1_000, cancelled_at="2025-09-01"),
    _signed(6, "A3", "2025-06-30", 4_000, cost=1_000),
    _signed(7, "A4", "2025-07-05", 4_000, cost=1_000, owner_id="P2"),
    _signed(8, "A5", "2025-05-01", 4_000, cost=1_000, cancelled_at="2025-05-02"),
    _signed(9, "A5", "2025-07-31 23:00", 1_000, cost=400),
    _signed(10, "A6", "2025-07-15", 6_000, cost=1_000, kind="renewal"),
)
_STAYING = (
    _signed(1, "A1", "2025-07-10"),
    _signed(2, "A1", "2026-07-09"),
    _signed(3, "A2", "2025-07-20", ends_on="2026-07-19"),
    _signed(4, "A3", "2025-07-15", ends_on="2027-07-14"),
    _signed(5, "A4", "2025-07-01", ends_on="2026-06-30"),
    _signed(6, "A4", "2026-07-31 20:00", kind="renewal"),
    _signed(7, "A5", "2025-07-02", ends_on="2026-07-01"),
    _signed(8, "A5", "2026-08-02", kind="renewal"),
    _signed(9, "A6", "2025-07-03"),
    _signed(10, "A6", "2025-07-03"),
    _signed(11, "A7", "2025-07-04", ends_on="2026-01-03"),
    _signed(12, "A7", "2026-01-04", ends_on="2026-06-30"),
    _signed(13, "A8", "2025-07-04", owner_id="P2"),
)
_ENDING = (
    _signed(1, "A1", "2025-07-10", 30_000, ends_on="2026-07-09", kind="new"),
    _signed(2, "A2", "2025-07-10", 10_000, ends_on="2026-07-10", kind="new"),
    _signed(3, "A1", "2026-08-08", 50_000, kind="renewal"),
    _signed(4, "A2", "2026-08-10", 10_000, kind="renewal"),
    _signed(5, "A3", "2025-07-10", 99_000, ends_on="2026-07-10", kind="new", cancelled_at="2026-01-01"),
)
_SECOND = (
    _signed(1, "A1", "2026-01-05"),
    _signed(2, "A1", "2026-07-05"),
    _signed(3, "A1", "2026-07-25"),
    _signed(4, "A2", "2026-06-05"),
    _signed(5, "A2", "2026-06-20", cancelled_at="2026-06-21"),
    _signed(6, "A2", "2026-07-31 22:00"),
    _signed(7, "A3", "2026-07-05"),
    _signed(8, "A4", "2026-03-01"),
    _signed(9, "A4", "2026-07-15", owner_id="P2"),
)
_YEAR_OVER = Bilingual(
    "首份合同满一年的新客户", "new customers whose first contract was a year ago (in the period the year was over)"
)

KPIS = (
    Kpi(
        id="V03",
        name="first_year_customer_value",
        label=Bilingual("客户首年价值", "First-year customer value"),
        meaning=Bilingual(
            "期内首份有效合同满 365 天的新客户,在这 365 天内所签有效合同的金额,平均到每个客户。",
            "Of new customers whose first valid contract turned 365 days old in the period: amount of the valid contracts signed within those 365 days, per customer.",
        ),
        kind="customer_value",
        nature="quality",
        unit="money",
        direction="up",
        needs=("contracts",),
        rows=first_years,
        who="owner_id",
        when="year_over",
        numerator=lambda rows: rows.year_amount,
        denominator=each_row,
        counted_over=_YEAR_OVER,
        history_days=FIRST_YEAR_DAYS + KNOWN_TO_BE_NEW_DAYS,
        aliases=("客户生命周期价值", "CLV", "LTV", "customer lifetime value"),
        why="What was realised, not a forecast: what customers will still bring is modelled apart, with its uncertainty. By "
        "amount, since costs are on file in few CRMs and a sum of margins and amounts is neither; the margin is "
        "first_year_customer_margin. Belongs to who signed the first contract, whoever signed the later ones.",
        gaming=Bilingual(
            "用多年合同一次签足首年金额会抬高它,但续约要几年后才到期。",
            "A contract over several years puts the amount of all of them into the first.",
        ),
        example=Example(
            {"contracts": _VALUES},
            "2026-07",
            "P1",
            18_000,
            3,
            "A1 10,000 + 5,000 (7,000 came on day 365), A2 2,000, A5 1,000; A3's year was over in June, A4 is P2's, A6 was no new customer.",
        ),
    ),
    Kpi(
        id="",
        name="first_year_customer_margin",
        label=Bilingual("客户首年毛利", "First-year customer margin"),
        meaning=Bilingual(
            "期内首份有效合同满 365 天、且这 365 天内所签有效合同都有成本记录的新客户:合同金额减成本,平均到每个客户。",
            "Of new customers whose first valid contract turned 365 days old in the period, and whose contracts of those 365 days all have a cost on file: amount less cost, per customer.",
        ),
        kind="customer_value",
        nature="quality",
        unit="money",
        direction="up",
        needs=("contracts",),
        rows=lambda crm: first_years(crm).filter(lambda rows: rows.without_cost == 0),
        who="owner_id",
        when="year_over",
        numerator=lambda rows: rows.year_margin,
        denominator=each_row,
        counted_over=_YEAR_OVER,
        history_days=FIRST_YEAR_DAYS + KNOWN_TO_BE_NEW_DAYS,
        aliases=("客户首年毛利贡献",),
        why="Customers with a contract of unknown cost are left out whole: with the cost missing their margin would be their "
        "amount. Costs of winning and serving a customer are not in it.",
        example=Example(
            {"contracts": _VALUES},
            "2026-07",
            "P1",
            4_100,
            2,
            "A1 earns 4,000 on the first and loses 500 on the second, A5 earns 600; A2 has no cost on file.",
        ),
    ),
    Kpi(
        id="V07",
        name="first_year_retention_rate",
        label=Bilingual("新客户首年留存率", "First-year retention rate"),
        meaning=Bilingual(
            "期内首份有效合同满 365 天的新客户中留存的比例:首签之后另签过有效合同(至满一年后 30 天为止,合同无到期日或到期日在满一年之后),或已有合同的到期日在此之后。",
            "Of new customers whose first valid contract turned 365 days old in the period, the share that stays: signed another after the first day and up to 30 days after the year (without an end, or ending after the year), or has a contract that ends still later.",
        ),
        kind="customer_value",
        nature="quality",
        unit="share",
        direction="up",
        needs=("contracts",),
        rows=first_years,
        who="owner_id",
        when="year_over",
        numerator=share_of(lambda rows: rows.stayed == 1),
        denominator=each_row,
        counted_over=_YEAR_OVER,
        matures_after_days=LATE_RENEWAL_DAYS,
        history_days=FIRST_YEAR_DAYS + KNOWN_TO_BE_NEW_DAYS,
        aliases=("客户留存率", "留存率", "customer retention", "cohort retention"),
        why="By cohort, so that new customers do not hide lost ones. A contract for exactly a year is no proof of staying, so "
        "the thirty days in which renewal_rate still takes a renewal are waited for. Belongs to who signed the first "
        "contract, since the CRM keeps only today's owner of an account.",
        gaming=Bilingual(
            "首年内用一份小额补充合同可“留住”客户;请与续签金额一起看。",
            "A small further contract within the year keeps a customer on paper: read it beside the amount renewed.",
        ),
        example=Example(
            {"contracts": _STAYING},
            "2026-07",
            "P1",
            3,
            7,
            "A1 bought again, A3's contract runs on, A4 renewed on the thirtieth day; A5 a day later; A2 never; A6 signed twice on the first day; A7's second contract ended before the year; A8 is P2's.",
        ),
    ),
    Kpi(
        id="",
        name="renewed_amount_rate",
        label=Bilingual("续签率(按金额)", "Renewal rate by amount"),
        meaning=Bilingual(
            "期内到期合同的金额中,属于到期前 90 天至到期后 30 天内续签的合同的比例(按到期合同的金额计)。",
            "Of the amount of contracts ending in the period, the share belonging to those renewed between 90 days before and 30 days after the end (at the amount that ended).",
        ),
        kind="customer_value",
        nature="quality",
        unit="share",
        direction="up",
        needs=("contracts",),
        rows=ending_contracts,
        who="owner_id",
        when="ends_on",
        numerator=lambda rows: rows.renewed.ifelse(rows.amount.cast("float64"), 0.0),
        denominator=lambda rows: rows.amount.cast("float64"),
        counted_over=Bilingual("期内到期合同的金额", "amount of contracts ending in the period"),
        matures_after_days=RENEWAL_AFTER_DAYS,
        aliases=("金额续约率", "gross revenue retention"),
        why="At the amount that ended, not that of the new contract: a price rise would hide lost customers.",
        gaming=Bilingual(
            "续签时大幅降价仍按原金额计入。", "A renewal at a steep discount still counts at the amount that ended."
        ),
        example=Example(
            {"contracts": _ENDING},
            "2026-07",
            "P1",
            30_000,
            40_000,
            "A1 renewed on day 30, though for 50,000; A2 on day 31; A3's contract was cancelled.",
        ),
    ),
    Kpi(
        id="",
        name="second_purchases",
        label=Bilingual("二次合作数", "Second purchases"),
        meaning=Bilingual(
            "期内签下第二份有效合同的客户数,归签这份合同的人。",
            "Customers who signed their second valid contract in the period; counted for who signed it.",
        ),
        kind="customer_value",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("contracts",),
        rows=lambda crm: orders_in_turn(crm).filter(lambda rows: rows.nth == 1),
        who="owner_id",
        when="signed_at",
        numerator=each_row,
        history_days=KNOWN_TO_BE_NEW_DAYS,
        aliases=("二次合作", "first repeat purchases"),
        why="The second contract only, however many follow. The sources name it beside referrals; it is kept apart, since one "
        "is an order and the other a lead.",
        gaming=Bilingual("把第一份订单拆成两份即可得到。", "Signing the first order in two parts gives it away."),
        example=Example(
            {"contracts": _SECOND},
            "2026-07",
            "P1",
            2,
            None,
            "A1 on 5 July (the 25th is the third), A2 on the 31st (the cancelled one does not count); A3's is the first, A4's P2's.",
        ),
    ),
)
