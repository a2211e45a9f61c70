"""Process KPIs that count what was done: calls, meetings, surveys, proposals, trials, follow-ups."""

from __future__ import annotations

import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import activities_of, each_row
from kpi_research.kpis.process import CONTACTS
from kpi_research.language import Bilingual

MEETINGS = ("appointment", "meeting")
EVERY_RECORD = "Every record counts once, by the time at which it is said to have happened."
_BLANK = Bilingual(
    "没有实质内容的记录也计一次;与后续转化一起看。",
    "A record without substance counts too: read it beside what follows from it.",
)


def booked_meetings(crm: Crm) -> ir.Table:
    """Meetings and appointments, those of one person with one customer on one day being one."""
    met = activities_of(*MEETINGS)(crm)
    met = met.mutate(day=met.occurred_at.truncate("D"), customer=met.account_id.fill_null(met.activity_id))
    return met.group_by(["person_id", "customer", "day"]).aggregate(occurred_at=met.occurred_at.min())


def _logged(
    kind: str, *, person: str = "P1", day: str = "2026-07-06 10:00", number: str = "1", account: str | None = "A1"
) -> dict[str, str | None]:
    return {"activity_id": number, "person_id": person, "kind": kind, "account_id": account, "occurred_at": day}


def _two_of(kind: str) -> Example:
    rows = (
        _logged(kind),
        _logged(kind, number="2", day="2026-07-31 23:30"),
        _logged(kind, number="3", day="2026-08-01 09:00"),
        _logged(kind, number="4", person="P2"),
        _logged("message", number="5"),
    )
    because = "The third is August's, the fourth somebody else's, the fifth of another kind."
    return Example({"activities": rows}, "2026-07", "P1", 2, None, because)


def _count_of(
    kind: str,
    name: str,
    label: Bilingual,
    meaning: Bilingual,
    *,
    id: str,
    aliases: tuple[str, ...],
    why: str = EVERY_RECORD,
    gaming: Bilingual = _BLANK,
) -> Kpi:
    """A KPI that counts the activities of one kind."""
    return Kpi(
        id=id,
        name=name,
        label=label,
        meaning=meaning,
        kind="process",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("activities",),
        rows=activities_of(kind),
        who="person_id",
        when="occurred_at",
        numerator=each_row,
        aliases=aliases,
        why=why,
        gaming=gaming,
        example=_two_of(kind),
    )


KPIS = (
    _count_of(
        "call",
        "calls",
        Bilingual("电话量", "Calls"),
        Bilingual("期内电话次数。", "Calls in the period."),
        id="P03",
        aliases=("通话量",),
        why=f"{EVERY_RECORD} Calls of any length: most CRMs do not keep whether and for how long somebody spoke.",
        gaming=Bilingual(
            "拨通即挂、或没有通话也记一条。", "Calls are hung up at once, or recorded without having been made."
        ),
    ),
    Kpi(
        id="P04",
        name="booked_meetings",
        label=Bilingual("客户约见次数", "Meetings booked"),
        meaning=Bilingual(
            "约在期内的客户约见与会议次数;同一人同一天与同一客户的约见和会议只计一次。",
            "Appointments and meetings with customers dated in the period; one person's with one customer on one day "
            "count once.",
        ),
        kind="process",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("activities",),
        rows=booked_meetings,
        who="person_id",
        when="occurred_at",
        numerator=each_row,
        aliases=("约见次数", "客户约见", "预约次数", "meetings set"),
        why="By the day on which the meeting is to be, since CRMs keep that and not when it was booked. The appointment and "
        "the record of the meeting itself are one, which is why a customer's day counts once. Whether it was held is told "
        "by meetings_held.",
        gaming=Bilingual(
            "约而不见:约见次数上升而已举行的会议不增。",
            "Appointments are made that nobody keeps: the meetings held do not rise with them.",
        ),
        example=Example(
            {
                "activities": (
                    _logged("appointment", day="2026-07-06 09:00"),
                    _logged("meeting", number="2", day="2026-07-06 14:00"),
                    _logged("appointment", number="3", day="2026-07-07"),
                    _logged("meeting", number="4", account="A2", day="2026-07-06"),
                    _logged("meeting", number="5", account=None, day="2026-07-31 22:00"),
                    _logged("appointment", number="6", account=None, day="2026-07-31 09:00"),
                    _logged("appointment", number="7", day="2026-08-01"),
                    _logged("appointment", number="8", person="P2", day="2026-07-06"),
                    _logged("visit", number="9", account="A3"),
                )
            },
            "2026-07",
            "P1",
            5,
            None,
            "A1 on the 6th (booked and held) is one, A1 on the 7th, A2, and two of unknown customers; the 7th is August's, "
            "the 8th P2's, the 9th a visit.",
        ),
    ),
    _count_of(
        "meeting",
        "meetings_held",
        Bilingual("会议次数", "Meetings held"),
        Bilingual(
            "期内已记录的客户会议次数,不含仅预约的。",
            "Meetings with customers on record in the period, without those that are only booked.",
        ),
        id="",
        aliases=("已约见次数", "meetings"),
    ),
    _count_of(
        "survey",
        "need_surveys",
        Bilingual("需求调研数", "Need surveys"),
        Bilingual("期内完成的客户需求调研次数。", "Surveys of customers' needs completed in the period."),
        id="P05",
        aliases=("客户需求调研",),
    ),
    _count_of(
        "proposal",
        "proposals",
        Bilingual("方案递交量", "Proposals delivered"),
        Bilingual("期内递交的方案数。", "Proposals delivered in the period."),
        id="P06",
        aliases=("方案制作", "方案提交", "技术方案递交量"),
        why=f"{EVERY_RECORD} Every version that was delivered is a record of its own.",
        gaming=Bilingual(
            "不问需求就群发同一份方案;或把改版记成新方案。",
            "The same proposal is sent to everybody, or every revision is entered as a new one.",
        ),
    ),
    _count_of(
        "quote",
        "quotes",
        Bilingual("报价次数", "Quotes"),
        Bilingual("期内报价次数。", "Quotes issued in the period."),
        id="P08",
        aliases=(),
        gaming=Bilingual(
            "反复改价,每次都记一次报价。", "The price is changed again and again, and every change is a quote."
        ),
    ),
    _count_of(
        "demo",
        "demos",
        Bilingual("产品演示次数", "Product demos"),
        Bilingual("期内产品演示(DEMO)次数。", "Product demonstrations held in the period."),
        id="P09",
        aliases=("DEMO演示次数",),
        gaming=Bilingual("给没有需求的人演示。", "Demonstrations are given to people without a need."),
    ),
    _count_of(
        "trial",
        "trial_requests",
        Bilingual("试用申请数", "Trial requests"),
        Bilingual("期内提出的试用申请次数。", "Trials requested in the period."),
        id="P10",
        aliases=("试用申请", "试用数", "trials"),
        why=f"{EVERY_RECORD} A customer who asks twice counts twice; trial_conversion_rate counts each customer's first trial.",
        gaming=Bilingual(
            "替没有意愿的客户提交申请:申请数上升而试用转化率下降。",
            "Trials are requested for customers who did not ask: the number rises and the conversion of trials falls.",
        ),
    ),
    _count_of(
        "conference",
        "academic_meetings",
        Bilingual("学术会议参与数", "Academic meetings attended"),
        Bilingual(
            "期内参加的学术会议次数,每人每条记录计一次。",
            "Academic meetings attended in the period, one for every record of a person.",
        ),
        id="P12",
        aliases=("学术会议", "学术会议次数", "学术推广会", "conferences attended"),
        why=f"{EVERY_RECORD} Two colleagues at one meeting attended one each: the team's figure is of attendances, not of "
        "meetings.",
        gaming=Bilingual(
            "一场会议按见到的客户记成几条。", "One meeting is entered once for every customer who was met there."
        ),
    ),
    Kpi(
        id="P13",
        name="follow_ups",
        label=Bilingual("跟进次数", "Follow-ups"),
        meaning=Bilingual(
            "期内与客户的联系次数:拜访、电话、会议、演示、消息、方案、报价、需求调研,每条记录计一次。",
            "Contacts with customers in the period, one for every record: visits, calls, meetings, demos, messages, "
            "proposals, quotes and need surveys.",
        ),
        kind="process",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("activities",),
        rows=activities_of(*CONTACTS),
        who="person_id",
        when="occurred_at",
        numerator=each_row,
        aliases=("客户跟进数", "跟进量", "跟进记录数", "follow-up count", "touches"),
        why="Notes, tasks and appointments are no contacts, so that a CRM's screen that counts all records shows more. Deals "
        "that stay open longer collect more follow-ups: a high number per deal is no cause of success.",
        gaming=Bilingual(
            "同一次联系拆成几条,或复制旧记录凑数。",
            "One contact is entered as several, or old records are copied.",
        ),
        example=Example(
            {
                "activities": (
                    *(_logged(kind, number=kind) for kind in CONTACTS),
                    _logged("call", number="a"),
                    _logged("note", number="b"),
                    _logged("appointment", number="c"),
                    _logged("call", number="d", day="2026-08-01"),
                    _logged("call", number="e", person="P2"),
                    _logged("call", number="f", account=None, day="2026-07-31 23:59"),
                )
            },
            "2026-07",
            "P1",
            10,
            None,
            "One of each of the eight kinds, a second call and one of an unknown customer; notes and appointments are none.",
        ),
    ),
    _count_of(
        "reception",
        "visitors_received",
        Bilingual("访客数", "Visitors received"),
        Bilingual(
            "期内接待客户来访的次数,不是来访人数。",
            "Times that visiting customers were received in the period, not the number of people who came.",
        ),
        id="P37",
        aliases=("来访客户数", "接待次数", "客户来访数", "inbound visits"),
        why=f"{EVERY_RECORD} CRMs do not keep how many people came. Two hosts who both record a visit have received one each.",
        gaming=Bilingual("一次来访由几人各记一条。", "One visit is entered by everybody who was in the room."),
    ),
)
