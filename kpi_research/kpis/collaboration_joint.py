"""Collaboration KPIs of what people do together: projects, joint calls, tasks, help, partners."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import activities_of, each_row, share_of
from kpi_research.kpis.rated import ratings_of
from kpi_research.language import Bilingual

IN_PERSON = ("visit", "meeting", "demo")
"""Kinds of activities at which two can be together; two phone calls on one day are not a joint one."""
JOINT_TASKS = "joint_tasks_on_time"
"""What the count of joint tasks done on time, of those due, is called in the table `ratings`."""


def calls_by_customer_day(crm: Crm) -> ir.Table:
    """Each person's days in person with each customer (`day`), and how many people had that customer that day."""
    meetings = activities_of(*IN_PERSON)(crm).filter(lambda rows: rows.account_id.notnull())
    calls = meetings.select("person_id", "account_id", day=meetings.occurred_at.truncate("D")).distinct()
    together = ibis.window(group_by=[calls.account_id, calls.day])
    return calls.mutate(people=calls.count().over(together))


def partners(crm: Crm) -> ir.Table:
    """Channels of which it is known whether they sell, from their opening on."""
    known = crm.channels.filter(crm.channels.stores_selling.notnull())
    return known.mutate(closed_at=ibis.null("timestamp(6)"))


def _learned(number: int, kind: str, day: str, confirmed: str | None = None, person: str = "P1") -> dict[str, object]:
    given: dict[str, object] = {"record_id": str(number), "person_id": person, "kind": kind, "occurred_at": day}
    return given | {"confirmed_by": confirmed}


def _met(number: int, account: str | None, day: str, person: str = "P1", kind: str = "visit") -> dict[str, object]:
    given: dict[str, object] = {"activity_id": str(number), "person_id": person, "kind": kind, "account_id": account}
    return given | {"occurred_at": day}


def _tasks(period: str, on_time: int, due: int, *, rater: str = "superior", person: str = "P1") -> dict[str, object]:
    given: dict[str, object] = {"person_id": person, "kpi": JOINT_TASKS, "period": period, "rater": rater}
    return given | {"score": on_time, "scale_max": due}


def _channel(number: int, selling: int | None, opened: str | None, owner: str = "P1") -> dict[str, object]:
    given: dict[str, object] = {"channel_id": f"D{number}", "owner_id": owner, "opened_at": opened}
    return given | {"stores_stocked": 9, "stores_selling": selling}


KPIS = (
    Kpi(
        id="C03",
        name="cross_team_projects",
        label=Bilingual("跨部门协作项目数", "Cross-department projects"),
        meaning=Bilingual(
            "期内登记的参与跨部门协作项目的次数。",
            "Records in the period of taking part in a project across departments.",
        ),
        kind="collaboration",
        nature="behaviour",
        unit="count",
        direction="up",
        needs=("learning",),
        rows=lambda crm: crm.learning.filter(crm.learning.kind == "cross_team"),
        who="person_id",
        when="occurred_at",
        numerator=each_row,
        aliases=("团队协作项目", "跨部门协作项目参与", "joint projects"),
        why="Counts records, one for each person who took part; what the partners thought is cross_team_feedback.",
        gaming=Bilingual("挂名参与。", "Names on the list of people who did not work on it."),
        example=Example(
            {
                "learning": (
                    _learned(1, "cross_team", "2026-07-31 18:00"),
                    _learned(2, "cross_team", "2026-07-01", person="P2"),
                    _learned(3, "cross_team", "2026-08-01"),
                    _learned(4, "help", "2026-07-01", "P2"),
                )
            },
            "2026-07",
            "P1",
            1,
            None,
            "The second is P2's, the third August's, the fourth help.",
        ),
    ),
    Kpi(
        id="C06",
        name="joint_call_rate",
        label=Bilingual("协同拜访率", "Joint call rate"),
        meaning=Bilingual(
            "期内与客户的当面接触(拜访、会议、演示;同一人同一天同一客户计一次)中,当天另有同事也当面接触该客户的比例。",
            "Of a person's calls on customers in person (visits, meetings, demos; one customer on one day is one), the share on days when a colleague saw the same customer.",
        ),
        kind="collaboration",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("activities",),
        rows=calls_by_customer_day,
        who="person_id",
        when="day",
        numerator=share_of(lambda rows: rows.people > 1),
        denominator=each_row,
        counted_over=Bilingual("期内当面接触客户的人次日", "calls in person, by person, customer and day"),
        aliases=("医药代表协同度", "协同度", "joint visits"),
        why="CRMs record who went, not with whom, so the same customer on the same day stands for together; two who came apart "
        "count too. Records without a customer are left out, as nothing can be said of them. More is not always better: "
        "two people cost two days.",
        gaming=Bilingual(
            "互相在对方的拜访日补录一条。", "Each adds a record of their own on the day of the other's visit."
        ),
        example=Example(
            {
                "activities": (
                    _met(1, "A1", "2026-07-06 10:00"),
                    _met(2, "A1", "2026-07-06 16:00"),
                    _met(3, "A1", "2026-07-06 10:00", person="P2", kind="meeting"),
                    _met(4, "A2", "2026-07-06"),
                    _met(5, "A2", "2026-07-07", person="P2"),
                    _met(6, "A3", "2026-07-08"),
                    _met(7, "A3", "2026-07-08", person="P2", kind="call"),
                    _met(8, None, "2026-07-09"),
                    _met(9, None, "2026-07-09", person="P2"),
                    _met(10, "A4", "2026-07-10"),
                    _met(11, "A5", "2026-07-10"),
                )
            },
            "2026-07",
            "P1",
            1,
            5,
            "A1 with P2 (twice on one day is one); A2 the day before P2; P2 only phoned A3; the calls without a customer do not count.",
        ),
    ),
    Kpi(
        id="C07",
        name="joint_tasks_on_time_rate",
        label=Bilingual("协同任务按时完成率", "Joint tasks on time"),
        meaning=Bilingual(
            "考核期结束于期内的协同任务中,按时完成的比例(由他人登记)。",
            "Of joint tasks due in rating periods that end in the period, the share done on time, as recorded by somebody else.",
        ),
        kind="collaboration",
        nature="quality",
        unit="share",
        direction="up",
        needs=("ratings",),
        rows=ratings_of(JOINT_TASKS),
        who="person_id",
        when="rated_on",
        numerator=lambda rows: rows.score,
        denominator=lambda rows: rows.scale_max,
        counted_over=Bilingual("到期的协同任务", "joint tasks due"),
        aliases=("教研协同效率", "协同效率"),
        why="CRMs keep no joint tasks, so they are counted by hand: ratings called joint_tasks_on_time, the score being tasks on "
        "time and the highest mark tasks due. Several raters' counts add up.",
        gaming=Bilingual("推迟到期日,或不登记难做的任务。", "Due dates are moved, hard tasks not listed."),
        example=Example(
            {
                "ratings": (
                    _tasks("2026-07", 7, 8),
                    _tasks("2026-07", 2, 4, rater="peer"),
                    _tasks("2026-07", 9, 9, rater="self"),
                    _tasks("2026Q2", 5, 5),
                    _tasks("2026-07", 1, 9, person="P2"),
                    _tasks("2026-07-31", 0, 0),
                )
            },
            "2026-07",
            "P1",
            9,
            12,
            "7 of 8 and 2 of 4; not the self-rating, not what ended in June, not P2's.",
        ),
    ),
    Kpi(
        id="C08",
        name="confirmed_help",
        label=Bilingual("帮助同事次数", "Help given"),
        meaning=Bilingual(
            "期内登记的帮助同事、共享资料的次数,须经本人以外的人确认。",
            "Records in the period of helping colleagues or sharing material, confirmed by somebody other than the helper.",
        ),
        kind="collaboration",
        nature="behaviour",
        unit="count",
        direction="up",
        needs=("learning",),
        rows=lambda crm: crm.learning.filter(
            crm.learning.kind == "help", crm.learning.confirmed_by != crm.learning.person_id
        ),
        who="person_id",
        when="occurred_at",
        numerator=each_row,
        aliases=("资料共享次数", "合作次数", "help given"),
        why="Only what the other side confirms: what one says of oneself is not counted.",
        gaming=Bilingual(
            "两人互相确认;请看次数是否集中在少数几对人之间。",
            "Two confirm each other: see whether a few pairs make up most.",
        ),
        example=Example(
            {
                "learning": (
                    _learned(1, "help", "2026-07-31 18:00", "P2"),
                    _learned(2, "help", "2026-07-02", "P1"),
                    _learned(3, "help", "2026-07-02"),
                    _learned(4, "help", "2026-07-02", "P1", person="P2"),
                    _learned(5, "sharing", "2026-07-02", "P2"),
                    _learned(6, "help", "2026-08-01", "P2"),
                )
            },
            "2026-07",
            "P1",
            1,
            None,
            "The second P1 confirms alone, the third nobody, the fourth is P2's help, the fifth a sharing session, the sixth August's.",
        ),
    ),
    Kpi(
        id="C09",
        name="selling_partner_rate",
        label=Bilingual("渠道支持度", "Partners that sell"),
        meaning=Bilingual(
            "期末已开户且有动销数据的渠道中,有门店动销的渠道所占比例。",
            "Of partners opened by the end of the period whose selling stores are on file, the share with any store that sells.",
        ),
        kind="collaboration",
        nature="quality",
        unit="share",
        direction="up",
        needs=("channels",),
        rows=partners,
        who="owner_id",
        when="opened_at",
        until="closed_at",
        aggregation="at_end",
        numerator=share_of(lambda rows: rows.stores_selling > 0),
        denominator=each_row,
        counted_over=Bilingual("期末的渠道", "partners at the end of the period"),
        aliases=("合作伙伴管理", "渠道动销率", "partner activation"),
        why="By partners, not by stores, so that one large chain does not hide idle ones. The CRM keeps only today's number of "
        "selling stores: earlier periods show today's state of the partners that were open then.",
        gaming=Bilingual("不给停滞的渠道填动销数。", "Leaving the stores of idle partners unfilled."),
        example=Example(
            {
                "channels": (
                    _channel(1, 3, "2025-01-01"),
                    _channel(2, 0, "2026-07-31 12:00"),
                    _channel(3, None, "2025-01-01"),
                    _channel(4, 2, "2026-08-01"),
                    _channel(5, 2, "2025-01-01", owner="P2"),
                    _channel(6, 2, None),
                )
            },
            "2026-07",
            "P1",
            1,
            2,
            "D1 sells, D2 does not; of D3 nothing is known, D4 opens in August, D5 is P2's, D6 has no day of opening.",
        ),
    ),
)
