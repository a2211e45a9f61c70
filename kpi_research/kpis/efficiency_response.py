"""Efficiency KPI: how soon somebody answers a customer."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.conversion_trials import with_customer
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.process import CONTACTS
from kpi_research.language import Bilingual

ANSWERED_WITHIN_DAYS = 7
"""After a week a customer has asked elsewhere: later answers and none at all are the same."""
HOURS_A_DAY = 24
SECONDS_AN_HOUR = 3600


def enquiries_with_answer(crm: Crm) -> ir.Table:
    """Enquiries with `answered_at`: the time of the next contact with the same account, or else the same lead."""
    kinds = crm.activities.kind
    rows = with_customer(crm, crm.activities.filter((kinds == "enquiry") | kinds.isin(CONTACTS)))
    rows = rows.filter(rows.customer.notnull() | rows.prospect.notnull())
    rows = rows.mutate(contacted_at=(rows.kind == "enquiry").ifelse(ibis.null("timestamp"), rows.occurred_at))
    # at the same time the enquiry comes first, so that a contact of that very moment is its answer
    is_contact = rows.contacted_at.notnull().ifelse(1, 0)
    onwards = ibis.window(
        group_by=[rows.customer, rows.prospect],
        order_by=[rows.occurred_at, is_contact, rows.activity_id],
        rows=(0, None),
    )
    rows = rows.mutate(answered_at=rows.contacted_at.min().over(onwards))
    return rows.filter(rows.kind == "enquiry")


def hours_to_answer(rows: ir.Table) -> ir.NumericValue:
    """Hours by the clock until the answer, at most the limit, which is also what an unanswered enquiry has."""
    limit = float(ANSWERED_WITHIN_DAYS * HOURS_A_DAY)
    answered, asked = (time.truncate("s").epoch_seconds() for time in (rows.answered_at, rows.occurred_at))
    hours = (answered - asked).cast("float64") / SECONDS_AN_HOUR
    return ibis.least(hours.fill_null(limit), ibis.literal(limit))


def _activity(
    number: str, kind: str, account: str | None, time: str, person: str = "P1", lead: str | None = None
) -> dict[str, str | None]:
    return {
        "activity_id": number,
        "person_id": person,
        "kind": kind,
        "account_id": account,
        "lead_id": lead,
        "occurred_at": time,
    }


KPIS = (
    Kpi(
        id="E04",
        name="response_hours",
        label=Bilingual("客户响应时间", "Response time"),
        meaning=Bilingual(
            f"期内客户咨询到我方下一次联系该客户的小时数的中位数(自然小时);{ANSWERED_WITHIN_DAYS} 天内未联系的按 "
            f"{ANSWERED_WITHIN_DAYS * HOURS_A_DAY} 小时计。",
            f"Median of the clock hours from an enquiry of the period to our next contact with that customer; without one "
            f"within {ANSWERED_WITHIN_DAYS} days it counts {ANSWERED_WITHIN_DAYS * HOURS_A_DAY} hours.",
        ),
        kind="efficiency",
        nature="behaviour",
        unit="hours",
        direction="down",
        needs=("activities",),
        rows=enquiries_with_answer,
        who="person_id",
        when="occurred_at",
        aggregation="median",
        numerator=hours_to_answer,
        matures_after_days=ANSWERED_WITHIN_DAYS,
        aliases=("客户反馈响应时间", "服务响应时间", "服务响应速度", "first response time", "lead response time"),
        why="A median, since one forgotten enquiry would rule a mean. Enquiries that nobody answered count with the limit: "
        "without them, not answering would make the figure better. By the clock, not by business hours, which a CRM does "
        "not know. It belongs to who received the enquiry, whoever answered; enquiries without customer and lead are left "
        "out. Where records carry no time of day it says nothing.",
        gaming=Bilingual(
            "咨询在答复时才登记,或以自动回复充当联系。",
            "Enquiries are entered when they are answered, or an automatic reply is called a contact.",
        ),
        example=Example(
            {
                "activities": (
                    _activity("1", "enquiry", "A1", "2026-07-06 10:00"),
                    _activity("2", "call", "A1", "2026-07-06 12:00", "P2"),
                    _activity("3", "message", "A1", "2026-07-06 13:00"),
                    _activity("4", "call", "A2", "2026-07-07 08:00"),
                    _activity("5", "enquiry", "A2", "2026-07-07 09:00"),
                    _activity("6", "call", "A2", "2026-07-07 14:00"),
                    _activity("7", "enquiry", "A3", "2026-07-08 09:00"),
                    _activity("8", "enquiry", "A4", "2026-07-09 09:00"),
                    _activity("9", "complaint", "A4", "2026-07-09 10:00"),
                    _activity("10", "call", "A4", "2026-07-19 09:00"),
                    _activity("11", "enquiry", None, "2026-07-10 10:00", lead="L5"),
                    _activity("12", "call", None, "2026-07-10 10:30", lead="L5"),
                    _activity("13", "enquiry", None, "2026-07-10 10:00"),
                    _activity("14", "enquiry", "A6", "2026-07-10 10:00", "P2"),
                )
            },
            "2026-07",
            "P1",
            5,
            None,
            "0.5 (a lead), 2 (a colleague's call), 5, and twice 168: A3 has no answer, A4's came after ten days. The 13th has "
            "no customer, A6 is P2's.",
        ),
    ),
)
