"""Process KPIs of visits: which led on, to whom they were made, and whether customers are visited again."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.conversion import first_signings
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import activities_of, each_row, share_of
from kpi_research.kpis.process import visits_by_customer_day
from kpi_research.language import Bilingual

REVISIT_DAYS = 90
"""A quarter: the rhythm in which customers are usually planned to be seen."""
HOSPITALS = ("医院", "卫生院", "hospital")
"""Parts of the industry's name by which a hospital is known; compared without capitals."""
NO_HOSPITAL = "hospitality"
"""Hotels, whose trade begins with the same letters."""


def days_with_contact(crm: Crm, *kinds: str) -> ir.Table:
    """Days on which an account was contacted by anybody: `contacted, on_day`, and `next_day`, the next such day."""
    rows = activities_of(*kinds)(crm)
    days = rows.filter(rows.account_id.notnull()).select(contacted="account_id", on_day=rows.occurred_at.truncate("D"))
    days = days.distinct()
    return days.mutate(next_day=days.on_day.lead().over(group_by=days.contacted, order_by=days.on_day))


def visits_with_industry(crm: Crm) -> ir.Table:
    """Visits by customer and day, with the customer's `industry` in small letters."""
    accounts = crm.accounts.select(of_account="account_id", industry=crm.accounts.industry.lower())
    visits = visits_by_customer_day(crm)
    return visits.left_join(accounts, visits.visited == accounts.of_account)


def is_hospital(rows: ir.Table) -> ir.BooleanValue:
    """Whether the industry is named as a hospital's is."""
    named = ibis.or_(*(rows.industry.contains(word) for word in HOSPITALS))
    return named & ~rows.industry.contains(NO_HOSPITAL)


def visited_accounts(crm: Crm) -> ir.Table:
    """Days on which a person visited an account."""
    visits = crm.activities.filter((crm.activities.kind == "visit") & crm.activities.account_id.notnull())
    return visits.select("person_id", "account_id", day=visits.occurred_at.truncate("D")).distinct()


def visits_with_next(crm: Crm) -> ir.Table:
    """Visits by customer and day: `nth` of the person in that calendar month, and anybody's `next_day` there."""
    visits = visited_accounts(crm)
    in_month = ibis.window(
        group_by=[visits.person_id, visits.account_id, visits.day.truncate("M")], order_by=visits.day
    )
    visits = visits.mutate(nth=ibis.row_number().over(in_month))
    days = days_with_contact(crm, "visit")
    return visits.left_join(days, [visits.account_id == days.contacted, visits.day == days.on_day])


def visits_with_first_order(crm: Crm) -> ir.Table:
    """Visits by customer and day, with `first_signed_at` of the customer's first valid contract."""
    visits, signings = visited_accounts(crm), first_signings(crm)
    return visits.left_join(signings, visits.account_id == signings.signed_by)


def _visit(number: str, account: str | None, day: str, **others: object) -> dict[str, object]:
    return {
        "activity_id": number,
        "person_id": "P1",
        "kind": "visit",
        "account_id": account,
        "occurred_at": day,
        **others,
    }


_JULY = {
    "activities": (
        _visit("1", "A1", "2026-07-01"),
        _visit("2", "A1", "2026-07-20"),
        _visit("3", "A2", "2026-07-02 10:00"),
        _visit("4", "A2", "2026-09-30 18:00", person_id="P2"),
        _visit("5", "A3", "2026-07-02"),
        _visit("6", "A3", "2026-10-01"),
        _visit("7", "A4", "2026-07-03 09:00"),
        _visit("8", "A4", "2026-07-03 15:00"),
        _visit("9", "A4", "2026-07-10", kind="call"),
        _visit("10", None, "2026-07-04"),
        _visit("11", "A5", "2026-07-04", person_id="P2"),
        _visit("12", "A6", "2026-06-30"),
    )
}

KPIS = (
    Kpi(
        id="P11",
        name="hospital_visits",
        label=Bilingual("医院拜访量", "Hospital visits"),
        meaning=Bilingual(
            "期内对医院客户(客户行业含“医院”“卫生院”或 hospital)的拜访次数;同一人同一天对同一客户只计一次。",
            "Visits in the period to hospitals (customers whose industry contains 医院, 卫生院 or hospital); one person's to one "
            "customer on one day count once.",
        ),
        kind="process",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("activities", "accounts"),
        rows=lambda crm: visits_with_industry(crm).filter(is_hospital),
        who="person_id",
        when="occurred_at",
        numerator=each_row,
        aliases=("医院拜访次数", "医院拜访数", "hospital calls"),
        why="By the customer's industry as it is now, not by the name: a supplier may be named after the hospital next door. "
        "Hotels (hospitality) are none. A hospital whose industry is not filled in does not count.",
        gaming=Bilingual(
            "同一医院按科室拆成几个客户,一次拜访计几次。",
            "One hospital is kept as several customers by department, so that one visit counts several times.",
        ),
        example=Example(
            {
                "accounts": (
                    {"account_id": "A1", "industry": "三甲医院"},
                    {"account_id": "A2", "industry": "Hospital & Health Care"},
                    {"account_id": "A3", "industry": "Hospitality"},
                    {"account_id": "A4", "name": "市医院后勤公司", "industry": "物业"},
                    {"account_id": "A5", "name": "人民医院"},
                ),
                "activities": (
                    _visit("1", "A1", "2026-07-01 09:00"),
                    _visit("2", "A1", "2026-07-01 15:00"),
                    _visit("3", "A2", "2026-07-31 20:00"),
                    _visit("4", "A3", "2026-07-02"),
                    _visit("5", "A4", "2026-07-02"),
                    _visit("6", "A5", "2026-07-02"),
                    _visit("7", "A1", "2026-08-01"),
                    _visit("8", "A1", "2026-07-02", person_id="P2"),
                    _visit("9", "A1", "2026-07-02", kind="call"),
                    _visit("10", "A9", "2026-07-02"),
                    _visit("11", None, "2026-07-02"),
                    _visit("12", "A1", "2026-07-03"),
                ),
            },
            "2026-07",
            "P1",
            3,
            None,
            "A1 on the 1st (twice, once counted) and the 3rd, A2 on the 31st. A3 is a hotel, A4 and A5 are hospitals by name "
            "only, A9 is not on file.",
        ),
    ),
    Kpi(
        id="P31",
        name="revisit_rate",
        label=Bilingual("客户回访率", "Revisit rate"),
        meaning=Bilingual(
            f"期内拜访过的客户(每人每个客户每个自然月计一次)中,自当月首次拜访起 {REVISIT_DAYS} 天内再次被拜访的比例。",
            "Of customers visited in the period (each once a person and calendar month), the share visited again within "
            f"{REVISIT_DAYS} days of that month's first visit.",
        ),
        kind="process",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("activities",),
        rows=lambda crm: visits_with_next(crm).filter(lambda rows: rows.nth == 0),
        who="person_id",
        when="day",
        numerator=share_of(lambda rows: rows.next_day <= rows.day + ibis.interval(days=REVISIT_DAYS)),
        denominator=each_row,
        counted_over=Bilingual(
            "期内拜访过的客户,按人与自然月计", "customers visited in the period, by person and calendar month"
        ),
        matures_after_days=REVISIT_DAYS,
        aliases=("回访率", "客户再访率", "repeat visit rate"),
        why="A second visit on another day, by anybody; a call is none. CRMs do not keep which customers are due for a visit, so "
        "all that were visited are. Once a month, so that customers who are seen every week do not weigh most.",
        gaming=Bilingual(
            "只反复拜访容易见到的客户,新客户不去。", "The same easy customers are seen again, and no new ones."
        ),
        example=Example(
            _JULY,
            "2026-07",
            "P1",
            2,
            4,
            "A1 again in July, A2 on day 90 by P2, A3 on day 91, A4 only twice on one day and called. The 10th has no customer, "
            "A5 is P2's, A6 June's.",
        ),
    ),
    Kpi(
        id="",
        name="visits_per_customer",
        label=Bilingual("客户回访频率", "Visits per customer and month"),
        meaning=Bilingual(
            "期内拜访次数除以拜访过的客户数:每人每个客户每个自然月平均拜访几次,同一天只计一次。",
            "Visits in the period per customer visited: how often, on average, a person sees a customer in a calendar month; "
            "those of one day count once.",
        ),
        kind="process",
        nature="behaviour",
        unit="count",
        direction="up",
        needs=("activities",),
        rows=visits_with_next,
        who="person_id",
        when="day",
        numerator=each_row,
        denominator=lambda rows: (rows.nth == 0).ifelse(1.0, 0.0),
        counted_over=Bilingual(
            "期内拜访过的客户,按人与自然月计", "customers visited in the period, by person and calendar month"
        ),
        aliases=("回访频率", "拜访频率", "客均拜访次数", "call frequency"),
        why="Visits over different customers is no ratio of sums and could not be added up over people and months. Counting "
        "a customer once a person and month makes it one: in a month it is visits over different customers, in a quarter "
        "the mean of its months. In weeks it misleads, since a customer counts in the first week of the month alone.",
        gaming=Bilingual("只拜访少数几个客户。", "Few customers are visited, and those often."),
        example=Example(_JULY, "2026-07", "P1", 5, 4, "A1 twice, A2, A3 and A4 once: five visits to four customers."),
    ),
    Kpi(
        id="P35",
        name="prospect_visits",
        label=Bilingual("新客户拜访数", "Visits to prospects"),
        meaning=Bilingual(
            "期内对当天之前没有签过有效合同的客户的拜访次数;同一人同一天对同一客户只计一次。",
            "Visits in the period to customers who had not signed a valid contract before that day; one person's to one customer "
            "on one day count once.",
        ),
        kind="process",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("activities", "contracts"),
        rows=lambda crm: visits_with_first_order(crm).filter(
            lambda rows: rows.first_signed_at.isnull() | (rows.first_signed_at >= rows.day)
        ),
        who="person_id",
        when="day",
        numerator=each_row,
        aliases=("新客户拜访量", "新客拜访数", "潜在客户拜访数", "new business visits"),
        why="The visit at which the first contract is signed counts. Visits without a customer on file are not known to be to "
        "new ones and do not count. Orders from before the data begin are unknown, so that old customers look new at first.",
        gaming=Bilingual(
            "把老客户的分公司或新名称登记为新客户再拜访。",
            "A branch or a new name of an old customer is registered as a new one.",
        ),
        example=Example(
            {
                "contracts": (
                    {"contract_id": "K1", "account_id": "A1", "signed_at": "2026-07-05 11:00", "amount": 1},
                    {
                        "contract_id": "K2",
                        "account_id": "A2",
                        "signed_at": "2026-06-01",
                        "amount": 1,
                        "cancelled_at": "2026-08-01",
                    },
                    {"contract_id": "K3", "account_id": "A3", "signed_at": "2026-07-01", "amount": 1},
                ),
                "activities": (
                    _visit("1", "A1", "2026-07-01"),
                    _visit("2", "A1", "2026-07-05 15:00"),
                    _visit("3", "A1", "2026-07-06"),
                    _visit("4", "A2", "2026-07-02"),
                    _visit("5", "A3", "2026-07-02"),
                    _visit("6", "A4", "2026-07-02 09:00"),
                    _visit("7", "A4", "2026-07-02 16:00"),
                    _visit("8", None, "2026-07-02"),
                    _visit("9", "A4", "2026-07-03", person_id="P2"),
                    _visit("10", "A4", "2026-07-03", kind="call"),
                ),
            },
            "2026-07",
            "P1",
            4,
            None,
            "A1 before and on the day of its contract, but not after; A2, whose contract was cancelled; A4 once. A3 had signed "
            "the day before, the 8th has no customer.",
        ),
    ),
)
