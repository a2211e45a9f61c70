"""Result KPIs: customers that are kept, lost and gained, and how much of the target list buys."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import valid_contracts
from kpi_research.kpis.stacked import stacked
from kpi_research.language import Bilingual

CUSTOMER_DAYS = 365
"""How long an account is a customer after a contract: one budget year, in which whoever buys yearly has bought once."""
COHORT_DAYS = 365
"""How far back the customers are taken of whom it is asked whether they were kept: a year, so that seasons cancel out."""


def buying_days(crm: Crm) -> ir.Table:
    """The days on which accounts signed valid contracts, each once, with who signed the last one of the day."""
    orders = valid_contracts(crm).filter(lambda rows: rows.account_id.notnull())
    orders = orders.mutate(day=orders.signed_at.truncate("D"))
    backwards = [orders.signed_at.desc(), orders.contract_id.desc()]
    turn = ibis.row_number().over(group_by=[orders.account_id, orders.day], order_by=backwards)
    return orders.mutate(turn=turn).filter(lambda rows: rows.turn == 0).select("account_id", "owner_id", "day")


def customers_of_a_year_ago(crm: Crm) -> ir.Table:
    """When an account was a customer a year before (`had`), and when it is one again or still (`kept`).

    An account's time is cut where it signs and a year after: in between, its latest order and its latest order as known
    a year ago are the same. Each piece belongs to who signed the latest order.
    """
    orders = buying_days(crm)
    signing = orders.select("account_id", since=orders.day, latest=orders.day, known=ibis.null(orders.day.type()))
    ageing = orders.select(
        "account_id",
        since=orders.day + ibis.interval(days=COHORT_DAYS),
        latest=ibis.null(orders.day.type()),
        known=orders.day,
    )
    cuts = stacked(signing, ageing)
    so_far = ibis.window(group_by=cuts.account_id, order_by=cuts.since, rows=(None, 0))
    pieces = cuts.select(
        "account_id",
        "since",
        latest=cuts.latest.max().over(so_far),
        known=cuts.known.max().over(so_far),
        following=cuts.since.lead().over(group_by=cuts.account_id, order_by=cuts.since),
    ).filter(lambda rows: rows.known.notnull())
    signed = orders.select("owner_id", of_account="account_id", signed_on="day")
    owned = pieces.inner_join(signed, [pieces.account_id == signed.of_account, pieces.latest == signed.signed_on])
    had_until = owned.known + ibis.interval(days=COHORT_DAYS + CUSTOMER_DAYS)
    until = ibis.least(had_until, owned.following.fill_null(had_until))
    kept_until = ibis.least(until, owned.latest + ibis.interval(days=CUSTOMER_DAYS))
    had = owned.select("owner_id", "since", until=until, had=ibis.literal(1.0), kept=ibis.literal(0.0))
    kept = owned.select("owner_id", "since", until=kept_until, had=ibis.literal(0.0), kept=ibis.literal(1.0))
    return stacked(had, kept).filter(lambda rows: rows.since < rows.until)


def changes_of_customers(crm: Crm) -> ir.Table:
    """+1 on the day on which an account becomes a customer, first or again; -1 on that on which its year has lapsed."""
    orders = buying_days(crm)
    turn = ibis.window(group_by=orders.account_id, order_by=orders.day)
    orders = orders.mutate(before=orders.day.lag().over(turn), after=orders.day.lead().over(turn))
    year = ibis.interval(days=CUSTOMER_DAYS)
    comes = orders.filter(orders.before.isnull() | (orders.day >= orders.before + year))
    goes = orders.filter(orders.after.isnull() | (orders.after >= orders.day + year))
    return stacked(
        comes.select("owner_id", "day", change=ibis.literal(1.0)),
        goes.select("owner_id", day=goes.day + year, change=ibis.literal(-1.0)),
    )


def _order(
    number: int, account: str | None, day: str, owner: str = "P1", cancelled: str | None = None
) -> dict[str, object]:
    return {
        "contract_id": f"K{number}",
        "account_id": account,
        "owner_id": owner,
        "signed_at": day,
        "amount": 1_000,
        "cancelled_at": cancelled,
    }


_YEARS = {
    "contracts": (
        _order(1, "A1", "2025-07-31 18:00"),
        _order(2, "A1", "2026-07-31 18:00"),
        _order(3, "A2", "2024-08-01 09:00"),
        _order(4, "A3", "2024-07-31 09:00"),
        _order(5, "A3", "2026-03-01"),
        _order(6, "A4", "2025-05-01"),
        _order(7, "A4", "2026-05-01", cancelled="2026-05-09"),
        _order(8, "A5", "2025-05-01"),
        _order(9, "A5", "2025-07-01"),
        _order(10, "A5", "2025-08-01"),
        _order(11, "A6", "2025-05-01", owner="P2"),
        _order(12, "A7", "2025-05-01"),
        _order(13, "A7", "2026-01-10", owner="P2"),
        _order(14, None, "2025-05-01"),
        _order(15, "A8", "2025-08-01"),
        _order(16, "A8", "2026-08-01"),
    )
}
_GAMING = Bilingual(
    "年底前让客户签一份很小的合同,就算保有;应同时看客户的金额。",
    "A very small contract signed before the year is over keeps a customer: look at what customers spend as well.",
)

KPIS = (
    Kpi(
        id="R07",
        name="customer_retention",
        label=Bilingual("客户保有率", "Customer retention"),
        meaning=Bilingual(
            "期末往前 365 天时的客户(当时最近 365 天内签过有效合同)中,期末最近 365 天内又签过有效合同的比例。",
            "Of the accounts that were customers 365 days before the end of the period (a valid contract within the 365 days up to then), the share that signed a valid contract within the last 365 days.",
        ),
        kind="result",
        nature="quality",
        unit="share",
        direction="up",
        needs=("contracts",),
        rows=customers_of_a_year_ago,
        who="owner_id",
        when="since",
        until="until",
        aggregation="at_end",
        numerator=lambda rows: rows.kept,
        denominator=lambda rows: rows.had,
        counted_over=Bilingual("期末 365 天前的客户", "customers 365 days before the end of the period"),
        history_days=COHORT_DAYS + CUSTOMER_DAYS,
        aliases=("客户保留率", "客户留存率", "老客户保有率", "retention rate", "logo retention"),
        why="By orders, since contracts often lack an end (renewal_rate is for those that have one). The cohort is always a "
        "year old, whatever the period: over a month hardly anybody's year lapses and every figure would be near 100 %. "
        "Customers won since then are not in it, so new business cannot hide losses. It needs two years of contracts. Where "
        "customers buy less than yearly it is too low. A customer belongs to who signed their latest order, not to today's "
        "owner of the account: a handover would change past periods.",
        gaming=_GAMING,
        example=Example(
            _YEARS,
            "2026-07",
            "P1",
            2,
            4,
            "A year before 31 July 2026 A1, A2, A4 and A5 were P1's, A2 on the last of its 365 days; A1 signed again that very "
            "day, A5 last on 1 August 2025, 365 days with it; A4's contract was cancelled. A3's order was a day too old then "
            "and A8's a day too young; A6 is P2's, A7 by now.",
        ),
    ),
    Kpi(
        id="R08",
        name="customer_churn",
        label=Bilingual("客户流失率", "Customer churn"),
        meaning=Bilingual(
            "期末往前 365 天时的客户(当时最近 365 天内签过有效合同)中,期末最近 365 天内没有再签有效合同的比例。",
            "Of the accounts that were customers 365 days before the end of the period (a valid contract within the 365 days up to then), the share that signed no valid contract within the last 365 days.",
        ),
        kind="result",
        nature="quality",
        unit="share",
        direction="down",
        needs=("contracts",),
        rows=customers_of_a_year_ago,
        who="owner_id",
        when="since",
        until="until",
        aggregation="at_end",
        numerator=lambda rows: rows.had - rows.kept,
        denominator=lambda rows: rows.had,
        counted_over=Bilingual("期末 365 天前的客户", "customers 365 days before the end of the period"),
        history_days=COHORT_DAYS + CUSTOMER_DAYS,
        aliases=("流失率", "客户流失", "churn rate", "logo churn"),
        why="The rest of customer_retention, over the same customers: the two always add up to 1. Yearly, not monthly; twelve "
        "monthly rates do not add up to it. By number of customers, not by what they spent.",
        gaming=_GAMING,
        example=Example(
            _YEARS,
            "2026-07",
            "P1",
            2,
            4,
            "Of A1, A2, A4 and A5, A2 did not sign again and A4's contract was cancelled.",
        ),
    ),
    Kpi(
        id="R16",
        name="net_customer_growth",
        label=Bilingual("客户净增数", "Net customer growth"),
        meaning=Bilingual(
            "期内成为客户的账户数(首次或中断满 365 天后再次签订有效合同)减去期内流失的客户数(满 365 天没有再签)。",
            "Accounts that became customers in the period (a valid contract, the first or the first after 365 days without) less customers lost in it (365 days without another).",
        ),
        kind="result",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("contracts",),
        rows=changes_of_customers,
        who="owner_id",
        when="day",
        numerator=lambda rows: rows.change,
        history_days=CUSTOMER_DAYS,
        aliases=("客户增长", "客户增长数", "净增客户数", "net new customers"),
        why="By how much the number of customers changed, so who comes back after a lapse counts again, as new_customers "
        "does not. A loss shows a year after the last order, by when others may be in charge; it belongs to who signed that "
        "order. In the data's first year nobody can be lost and everybody is new: no value.",
        gaming=Bilingual(
            "为老客户另立新名称会抬高该指标;快到期时签一份小合同可推迟流失。",
            "A new name for an old customer raises it; a small contract before the year is over puts a loss off.",
        ),
        example=Example(
            {
                "contracts": (
                    _order(1, "A1", "2026-07-03"),
                    _order(2, "A1", "2026-07-20"),
                    _order(3, "A2", "2026-07-31 23:00"),
                    _order(4, "A3", "2025-07-20"),
                    _order(5, "A3", "2026-07-19"),
                    _order(6, "A4", "2025-07-20"),
                    _order(7, "A5", "2024-01-05"),
                    _order(8, "A5", "2026-07-05"),
                    _order(9, "A6", "2026-07-05", cancelled="2026-07-06"),
                    _order(10, "A7", "2026-07-05", owner="P2"),
                    _order(11, "A8", "2025-07-31"),
                    _order(12, "A9", "2025-08-01"),
                    _order(13, "A10", "2025-06-30"),
                )
            },
            "2026-07",
            "P1",
            1,
            None,
            "A1 and A2 are new and A5 is back: +3; A4's year lapsed on 20 July and A8's on 31 July: -2. A3 signed on its last "
            "day, A9 lapses in August and A10 did in June.",
        ),
    ),
)
