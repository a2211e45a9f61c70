"""Process KPIs: what salespeople do."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import activities_of, each_row, share_of
from kpi_research.language import Bilingual

SECOND_CONTACT_DAYS = 3
CONTACTS = ("visit", "call", "meeting", "demo", "message", "proposal", "quote", "survey")


def visits_by_customer_day(crm: Crm) -> ir.Table:
    """Visits, those of one person to one customer on one day being one."""
    visits = activities_of("visit")(crm)
    visits = visits.mutate(
        day=visits.occurred_at.truncate("D"), visited=visits.account_id.fill_null(visits.activity_id)
    )
    return visits.group_by(["person_id", "visited", "day"]).aggregate(occurred_at=visits.occurred_at.min())


def first_visits(crm: Crm) -> ir.Table:
    """The first visit to every account, with the time of the next contact of any kind."""
    contacts = crm.activities.filter(crm.activities.kind.isin(CONTACTS) & crm.activities.account_id.notnull())
    in_order = ibis.window(group_by=contacts.account_id, order_by=[contacts.occurred_at, contacts.activity_id])
    contacts = contacts.mutate(next_contact=contacts.occurred_at.lead().over(in_order))
    visits = contacts.filter(contacts.kind == "visit")
    first = ibis.row_number().over(group_by=visits.account_id, order_by=[visits.occurred_at, visits.activity_id])
    return visits.mutate(nth=first).filter(lambda rows: rows.nth == 0)


def decided_opportunities(crm: Crm) -> ir.Table:
    """Opportunities that were won or lost."""
    return crm.opportunities.filter(crm.opportunities.outcome.isin(["won", "lost"]))


def _logged(
    kind: str, *, person: str = "P1", day: str = "2026-07-06 10:00", number: str = "1", account: str = "A1"
) -> dict[str, str]:
    return {"activity_id": number, "person_id": person, "kind": kind, "account_id": account, "occurred_at": day}


KPIS = (
    Kpi(
        id="P01",
        name="visits",
        label=Bilingual("客户拜访量", "Customer visits"),
        meaning=Bilingual(
            "期内拜访客户的次数;同一人同一天对同一客户只计一次。",
            "Visits in the period; one person's visits to one customer on one day count once.",
        ),
        kind="process",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("activities",),
        rows=visits_by_customer_day,
        who="person_id",
        when="occurred_at",
        numerator=each_row,
        aliases=("拜访次数", "客户拜访次数"),
        why="Deduplicated by customer and day: two records of one call at the door are one visit.",
        gaming=Bilingual(
            "路过打卡也记一次拜访;与有效拜访数一起看。",
            "A check-in while passing by is entered as a visit: read it beside effective_visits.",
        ),
        example=Example(
            {
                "activities": (
                    _logged("visit"),
                    _logged("visit", number="2", day="2026-07-06 16:00"),
                    _logged("visit", number="3", account="A2"),
                    _logged("visit", number="4", day="2026-07-07"),
                    _logged("call", number="5"),
                )
            },
            "2026-07",
            "P1",
            3,
            None,
            "Two visits to A1 on 6 July are one; A2 on the 6th and A1 on the 7th are two more.",
        ),
    ),
    Kpi(
        id="P15",
        name="second_contact_rate",
        label=Bilingual("三日内二次跟进率", "Second contact within 3 days"),
        meaning=Bilingual(
            "期内首次拜访的客户中,三天内有第二次联系的比例。",
            "Of customers first visited in the period, the share contacted again within three days.",
        ),
        kind="process",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("activities",),
        rows=first_visits,
        who="person_id",
        when="occurred_at",
        numerator=share_of(
            lambda rows: rows.next_contact <= rows.occurred_at + ibis.interval(days=SECOND_CONTACT_DAYS)
        ),
        denominator=each_row,
        counted_over=Bilingual("期内首次拜访的客户", "customers first visited in the period"),
        matures_after_days=SECOND_CONTACT_DAYS,
        aliases=("跟进及时率",),
        why="Any kind of contact counts as the second, by anyone; visits whose three days are not over yet are left out.",
        gaming=Bilingual(
            "首次拜访后补发一条消息即算达标。",
            "One message after the first visit is enough.",
        ),
        example=Example(
            {
                "activities": (
                    _logged("visit"),
                    _logged("call", number="2", day="2026-07-09 09:59"),
                    _logged("visit", number="3", account="A2"),
                    _logged("call", number="4", account="A2", day="2026-07-12"),
                    _logged("visit", number="5", account="A1", day="2026-07-20"),
                )
            },
            "2026-07",
            "P1",
            1,
            2,
            "A1 was called just within three days, A2 after six; the visit of 20 July is not A1's first.",
        ),
    ),
    Kpi(
        id="P20",
        name="new_leads",
        label=Bilingual("新增线索量", "New leads"),
        meaning=Bilingual("期内新增的线索数。", "Leads created in the period."),
        kind="process",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("leads",),
        rows=lambda crm: crm.leads,
        who="owner_id",
        when="created_at",
        numerator=each_row,
        aliases=("线索量",),
        why="All leads, whatever became of them.",
        gaming=Bilingual(
            "录入重复或无效的线索凑数;与线索有效率一起看。",
            "Leads are entered twice or without substance: read it beside lead_qualification_rate.",
        ),
        example=Example(
            {
                "leads": (
                    {"lead_id": "L1", "owner_id": "P1", "created_at": "2026-07-01"},
                    {"lead_id": "L2", "owner_id": "P1", "created_at": "2026-06-30"},
                )
            },
            "2026-07",
            "P1",
            1,
            None,
            "L2 came in June.",
        ),
    ),
    Kpi(
        id="P23",
        name="win_rate",
        label=Bilingual("赢单率", "Win rate"),
        meaning=Bilingual(
            "期内关闭(赢单或输单)的商机中,赢单的比例。",
            "Of opportunities closed in the period as won or lost, the share that was won.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("opportunities",),
        rows=decided_opportunities,
        who="owner_id",
        when="closed_at",
        numerator=share_of(lambda rows: rows.outcome == "won"),
        denominator=each_row,
        counted_over=Bilingual("期内赢单与输单的商机", "opportunities won or lost in the period"),
        aliases=("商机转化率", "成交率", "close rate"),
        why="Over closed opportunities, not over all: open ones have not been decided. Over all opportunities the same "
        "won deals give a lower figure that is also called win rate.",
        gaming=Bilingual(
            "把要输的商机判为作废,或一直不关闭。",
            "Deals that are being lost are declared void, or never closed.",
        ),
        example=Example(
            {
                "opportunities": (
                    {"opportunity_id": "1", "owner_id": "P1", "closed_at": "2026-07-02", "outcome": "won"},
                    {"opportunity_id": "2", "owner_id": "P1", "closed_at": "2026-07-03", "outcome": "lost"},
                    {"opportunity_id": "3", "owner_id": "P1", "closed_at": "2026-07-03", "outcome": "lost"},
                    {"opportunity_id": "4", "owner_id": "P1", "closed_at": "2026-07-03", "outcome": "void"},
                    {"opportunity_id": "5", "owner_id": "P1", "outcome": "open"},
                )
            },
            "2026-07",
            "P1",
            1,
            3,
            "One won of three decided; void and open ones do not count.",
        ),
    ),
)
