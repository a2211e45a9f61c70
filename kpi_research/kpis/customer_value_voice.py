"""Customer value KPIs of what customers do and say: use, complaints, feedback, success cases."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import activities_of, each_row, held_after, valid_contracts
from kpi_research.kpis.stacked import stacked
from kpi_research.language import Bilingual

ACTIVE_DAYS = 30
"""Who has not used a product for a month has stopped: daily, weekly and monthly habits all show within it."""
USAGE, COMPLAINT, FEEDBACK, CASE = ("usage", "login"), "complaint", "feedback", "case"
"""Kinds of activities, as the mapping must name them: none of these is something that a salesperson does."""
CUSTOMER_SURVEYS = ("csat", "nps", "delivery")


def with_account_owner(rows: ir.Table, crm: Crm) -> ir.Table:
    """Rows with the `account_owner` of their account; null where there is no such account."""
    owners = crm.accounts.select(known_account="account_id", account_owner="owner_id")
    return rows.left_join(owners, rows.account_id == owners.known_account)


def use_by_customers(crm: Crm) -> ir.Table:
    """Customers from their first order on (`customers`), and when they had used the product lately (`active`)."""
    contracts = valid_contracts(crm).filter(lambda rows: rows.account_id.notnull())
    first = contracts.group_by("account_id").aggregate(since=contracts.signed_at.min().truncate("D"))
    customers = with_account_owner(first, crm).select("account_id", "account_owner", "since")
    use = activities_of(*USAGE)(crm).filter(lambda rows: rows.account_id.notnull())
    days = use.select(user="account_id", day=use.occurred_at.truncate("D")).distinct()
    spells = held_after(days, "day", by="user", days=ACTIVE_DAYS)
    lately = spells.inner_join(customers, spells.user == customers.account_id)
    used = lately.select(
        "account_owner",
        since=ibis.greatest(lately.day, lately.since),
        until=lately.holds_until,
        active=ibis.literal(1.0),
        customers=ibis.literal(0.0),
    )
    known = customers.select(
        "account_owner",
        "since",
        until=ibis.null("timestamp(6)"),
        active=ibis.literal(0.0),
        customers=ibis.literal(1.0),
    )
    return stacked(used, known)


def complaints_and_contracts(crm: Crm) -> ir.Table:
    """Complaints, of the account's owner, else of who recorded them; and valid contracts, of who signed them."""
    complaints = with_account_owner(activities_of(COMPLAINT)(crm), crm)
    contracts = valid_contracts(crm)
    one, none = ibis.literal(1.0), ibis.literal(0.0)
    complained = complaints.select(
        who=ibis.coalesce(complaints.account_owner, complaints.person_id),
        time=complaints.occurred_at,
        complaints=one,
        contracts=none,
    )
    return stacked(complained, contracts.select(who="owner_id", time="signed_at", complaints=none, contracts=one))


def feedback_records(crm: Crm) -> ir.Table:
    """Feedback, of who recorded it; and customers' answers to surveys, of the account's owner, else of their subject."""
    feedback = activities_of(FEEDBACK)(crm).select(who="person_id", time="occurred_at")
    answers = crm.surveys.filter(crm.surveys.kind.isin(CUSTOMER_SURVEYS))
    answers = with_account_owner(answers, crm)
    answered = answers.select(who=ibis.coalesce(answers.account_owner, answers.subject_id), time="answered_at")
    return stacked(feedback, answered)


def _activity(number: int, kind: str, account: str | None, day: str, person: str = "P1") -> dict[str, object]:
    given: dict[str, object] = {"activity_id": str(number), "kind": kind, "account_id": account, "person_id": person}
    return given | {"occurred_at": day}


def _contract(number: int, account: str, day: str, owner: str = "P1", **more: object) -> dict[str, object]:
    given: dict[str, object] = {
        "contract_id": f"K{number}",
        "account_id": account,
        "owner_id": owner,
        "signed_at": day,
        "amount": 1,
    }
    return given | more


_ACCOUNTS = (
    {"account_id": "A1", "owner_id": "P1"},
    {"account_id": "A2", "owner_id": "P1"},
    {"account_id": "A3", "owner_id": "P2"},
    {"account_id": "A4", "owner_id": "P1"},
    {"account_id": "A5", "owner_id": "P1"},
)


def _answer(number: int, kind: str, account: str | None, subject: str | None = None) -> dict[str, object]:
    given: dict[str, object] = {"survey_id": str(number), "kind": kind, "account_id": account, "subject_id": subject}
    return given | {"score": 5, "scale_min": 0, "scale_max": 10, "answered_at": "2026-07-08"}


KPIS = (
    Kpi(
        id="V10",
        name="active_account_rate",
        label=Bilingual("用户活跃度", "Active accounts"),
        meaning=Bilingual(
            "期末的客户(签过有效合同)中,最近 30 天内有使用或登录记录的比例;按客户负责人归属。",
            "Of customers at the end of the period (accounts that ever signed a valid contract), the share with a record of use or login within the last 30 days; counted for the account's owner.",
        ),
        kind="customer_value",
        nature="quality",
        unit="share",
        direction="up",
        needs=("activities", "contracts", "accounts"),
        rows=use_by_customers,
        who="account_owner",
        when="since",
        until="until",
        aggregation="at_end",
        numerator=lambda rows: rows.active,
        denominator=lambda rows: rows.customers,
        counted_over=Bilingual("期末的客户", "customers at the end of the period"),
        aliases=("活跃客户占比", "active accounts", "MAU share"),
        why="Over accounts, not over users: a CRM knows who pays, seldom who logs in. Customers who left stay in the "
        "denominator. Needs records of use (kind usage or login) from the product; without them it is zero.",
        gaming=Bilingual(
            "一次登录即算活跃,提醒客户月底登录就能抬高。",
            "One login will do: reminding customers at month's end raises it.",
        ),
        example=Example(
            {
                "activities": (
                    _activity(1, "usage", "A1", "2026-07-02 09:00", person="U1"),
                    _activity(2, "login", "A1", "2026-07-20", person="U1"),
                    _activity(3, "login", "A2", "2026-07-01 23:59", person="U2"),
                    _activity(4, "usage", "A3", "2026-07-20", person="U3"),
                    _activity(5, "login", "A4", "2026-07-20", person="U4"),
                    _activity(6, "visit", "A5", "2026-07-20"),
                ),
                "contracts": (
                    _contract(1, "A1", "2026-07-10"),
                    _contract(2, "A1", "2026-07-12"),
                    _contract(3, "A2", "2025-01-01"),
                    _contract(4, "A3", "2025-01-01"),
                    _contract(5, "A4", "2026-07-01", cancelled_at="2026-07-02"),
                    _contract(6, "A5", "2026-07-31 20:00", owner="P2"),
                ),
                "accounts": _ACCOUNTS,
            },
            "2026-07",
            "P1",
            1,
            3,
            "Customers are A1, A2 and A5; A2's login of 1 July is 31 days back on the 31st, a visit is no use, A4's contract was cancelled, A3 is P2's.",
        ),
    ),
    Kpi(
        id="V11",
        name="complaint_rate",
        label=Bilingual("客户投诉率", "Complaint rate"),
        meaning=Bilingual(
            "期内的客户投诉数,除以期内签订的有效合同数。",
            "Customers' complaints in the period per valid contract signed in it.",
        ),
        kind="customer_value",
        nature="quality",
        unit="share",
        direction="down",
        needs=("activities", "contracts", "accounts"),
        rows=complaints_and_contracts,
        who="who",
        when="time",
        numerator=lambda rows: rows.complaints,
        denominator=lambda rows: rows.contracts,
        counted_over=Bilingual("期内签订的有效合同", "valid contracts signed in the period"),
        aliases=("投诉率", "complaints per order"),
        why="Over orders, since more business brings more complaints; over customers it would fall as old ones pile up. A "
        "complaint may be about an earlier contract, so a month with few contracts can exceed 100 %. It belongs to the "
        "account's owner, where the account is unknown to who recorded it. Where complaints are not kept it is zero.",
        gaming=Bilingual(
            "不登记投诉即可压低;请与服务系统核对。",
            "Not recording complaints lowers it: compare with the service desk.",
        ),
        example=Example(
            {
                "activities": (
                    _activity(1, "complaint", "A1", "2026-07-02", person="P9"),
                    _activity(2, "complaint", None, "2026-07-03"),
                    _activity(3, "complaint", "A3", "2026-07-03"),
                    _activity(4, "complaint", "A1", "2026-08-01"),
                    _activity(5, "call", "A1", "2026-07-03"),
                ),
                "contracts": (
                    _contract(1, "A1", "2026-07-01"),
                    _contract(2, "A3", "2026-07-31 18:00"),
                    _contract(3, "A2", "2026-07-10", cancelled_at="2026-07-20"),
                    _contract(4, "A2", "2026-07-10", owner="P2"),
                    *(_contract(number, "A2", "2026-07-11") for number in (5, 6, 7)),
                ),
                "accounts": _ACCOUNTS,
            },
            "2026-07",
            "P1",
            2,
            5,
            "A1's is P1's though P9 wrote it down, the one without account as well; A3 is P2's customer. K3 was cancelled, K4 is P2's.",
        ),
    ),
    Kpi(
        id="V12",
        name="customer_feedback",
        label=Bilingual("客户反馈次数", "Customer feedback"),
        meaning=Bilingual(
            "期内登记的客户反馈,加上客户对满意度、净推荐值、交付问卷的答复,合计次数。",
            "Feedback by customers on record in the period, and their answers to satisfaction, NPS and delivery surveys.",
        ),
        kind="customer_value",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("activities", "surveys", "accounts"),
        rows=feedback_records,
        who="who",
        when="time",
        numerator=each_row,
        aliases=("客户反馈", "反馈记录数", "feedback records"),
        why="Whether more is better is open: it says that customers are heard, not what they say. Feedback belongs to who "
        "recorded it, an answer to the account's owner, and without one to the person asked about. Complaints are apart.",
        gaming=Bilingual("把一次谈话拆成多条反馈。", "One talk recorded as several pieces of feedback."),
        example=Example(
            {
                "activities": (
                    _activity(1, "feedback", "A3", "2026-07-02"),
                    _activity(2, "complaint", "A1", "2026-07-02"),
                    _activity(3, "feedback", "A1", "2026-07-02", person="P2"),
                ),
                "surveys": (
                    _answer(1, "csat", "A1"),
                    _answer(2, "delivery", None, subject="P1"),
                    _answer(3, "nps", "A3", subject="P1"),
                    _answer(4, "peer", "A1", subject="P1"),
                ),
                "accounts": _ACCOUNTS,
            },
            "2026-07",
            "P1",
            3,
            None,
            "One recorded, one answer of A1, one about P1 without account; A3's answer is P2's, colleagues' ratings are no customers'.",
        ),
    ),
    Kpi(
        id="V13",
        name="success_cases",
        label=Bilingual("客户成功案例数", "Customer success cases"),
        meaning=Bilingual("期内登记的客户成功案例数。", "Customer success cases on record in the period."),
        kind="customer_value",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("activities",),
        rows=activities_of(CASE),
        who="person_id",
        when="occurred_at",
        numerator=each_row,
        aliases=("成功案例", "success stories", "case studies"),
        why="Every record of the kind case counts, by the day that it carries; whether it was published the CRM does not say.",
        gaming=Bilingual("一个客户写成几个案例。", "One customer written up several times."),
        example=Example(
            {
                "activities": (
                    _activity(1, "case", "A1", "2026-07-31 17:00"),
                    _activity(2, "case", "A2", "2026-08-01"),
                    _activity(3, "case", "A3", "2026-07-01", person="P2"),
                    _activity(4, "visit", "A1", "2026-07-01"),
                )
            },
            "2026-07",
            "P1",
            1,
            None,
            "The second is August's, the third P2's, the fourth a visit.",
        ),
    ),
)
