"""Process KPIs of follow-up: how often open opportunities are contacted, and how many are."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import held_after
from kpi_research.kpis.process import CONTACTS
from kpi_research.kpis.process_progress import contacts_while_open, deals
from kpi_research.language import Bilingual

FOLLOWED_UP_DAYS = 30
"""A month without a contact: what no monthly review should find twice."""


def follow_up_intervals(crm: Crm) -> ir.Table:
    """Days on which open opportunities were contacted, but for each one's first: `day`, and `before`, the last one."""
    contacts = contacts_while_open(crm)
    days = contacts.select("opportunity_id", "owner_id", day=contacts.contacted_at.truncate("D")).distinct()
    days = days.mutate(before=days.day.lag().over(group_by=days.opportunity_id, order_by=days.day))
    return days.filter(days.before.notnull())


def open_and_contacted(crm: Crm) -> ir.Table:
    """A row for the time that an opportunity is open, and one for each time that its last contact is recent."""
    opened = deals(crm).filter(lambda rows: rows.created_at.notnull())
    contacts = crm.activities.filter(crm.activities.kind.isin(CONTACTS) & crm.activities.opportunity_id.notnull())
    contacts = contacts.select(about="opportunity_id", contacted_at="occurred_at")
    recent = held_after(contacts, "contacted_at", by="about", days=FOLLOWED_UP_DAYS)
    pairs = opened.join(recent, opened.opportunity_id == recent.about, how="inner")
    contacted = pairs.select(
        "owner_id",
        since=ibis.greatest(pairs.contacted_at.cast("timestamp"), pairs.created_at),
        until=ibis.least(pairs.holds_until.cast("timestamp"), pairs.ended_at.fill_null(pairs.holds_until)),
        is_open=ibis.literal(0.0),
        is_contacted=ibis.literal(1.0),
    )
    held = opened.select(
        "owner_id", since="created_at", until="ended_at", is_open=ibis.literal(1.0), is_contacted=ibis.literal(0.0)
    )
    return held.union(contacted)


def _deal(
    number: str, created: str, closed: str | None = None, outcome: str = "open", owner: str = "P1"
) -> dict[str, str | None]:
    return {"opportunity_id": number, "owner_id": owner, "created_at": created, "closed_at": closed, "outcome": outcome}


def _contact(
    number: str, day: str, opportunity: str, *, kind: str = "call", person: str = "P1"
) -> dict[str, str | None]:
    return {
        "activity_id": number,
        "person_id": person,
        "kind": kind,
        "opportunity_id": opportunity,
        "occurred_at": day,
    }


KPIS = (
    Kpi(
        id="P14",
        name="follow_up_interval_days",
        label=Bilingual("跟进周期", "Follow-up interval"),
        meaning=Bilingual(
            "未关闭商机的相邻两次跟进(同一天只计一次)相隔天数的中位数,计入后一次跟进所在的期间。",
            "The middle one of the days between successive follow-ups of an open opportunity (those of one day are one), in the "
            "period of the later one.",
        ),
        kind="process",
        nature="behaviour",
        unit="days",
        direction="down",
        needs=("activities", "opportunities"),
        rows=follow_up_intervals,
        who="owner_id",
        when="day",
        numerator=lambda rows: rows.day.delta(rows.before, unit="day"),
        aggregation="median",
        aliases=("跟进间隔", "跟进频率", "平均跟进间隔", "follow-up cadence", "days between touches"),
        why="A median, since one deal that was forgotten for a year would rule the mean. It speaks of opportunities that were "
        "contacted again: those that never were have no interval and are found by follow_up_rate. Belongs to the "
        "opportunity's owner, whoever made the contact. Contacts before an opportunity's first day and after its last do not "
        "count.",
        gaming=Bilingual(
            "每隔几天发一条没有内容的消息,间隔就变短。", "A message without content every few days shortens it."
        ),
        example=Example(
            {
                "opportunities": (
                    _deal("O1", "2026-06-01 12:00"),
                    _deal("O2", "2026-07-01", "2026-07-10 09:00", "lost"),
                    _deal("O3", "2026-07-01"),
                    _deal("O4", "2026-07-01", owner="P2"),
                ),
                "activities": (
                    _contact("1", "2026-06-01 09:00", "O1"),
                    _contact("2", "2026-07-01 09:00", "O1"),
                    _contact("3", "2026-07-01 17:00", "O1"),
                    _contact("4", "2026-07-05", "O1", kind="visit", person="P2"),
                    _contact("5", "2026-08-05", "O1"),
                    _contact("6", "2026-06-20", "O2"),
                    _contact("7", "2026-07-04", "O2"),
                    _contact("8", "2026-07-10 20:00", "O2"),
                    _contact("9", "2026-07-11", "O2"),
                    _contact("10", "2026-07-02", "O3"),
                    _contact("11", "2026-07-05", "O3", kind="note"),
                    _contact("12", "2026-07-02", "O4"),
                    _contact("13", "2026-07-03", "O4"),
                ),
            },
            "2026-07",
            "P1",
            6,
            None,
            "O1 after 30 and 4 days, O2 after 6: the middle one of 4, 6, 30. O2 before it began and after its last day, O3's note "
            "and O4 (P2's) do not count; O1's 31 days are August's.",
        ),
    ),
    Kpi(
        id="P16",
        name="follow_up_rate",
        label=Bilingual("跟进率", "Follow-up rate"),
        meaning=Bilingual(
            f"期末未关闭的商机中,最近 {FOLLOWED_UP_DAYS} 天内有联系的比例。",
            f"Of opportunities open at the end of the period, the share with a contact within the last {FOLLOWED_UP_DAYS} days.",
        ),
        kind="process",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("opportunities", "activities"),
        rows=open_and_contacted,
        who="owner_id",
        when="since",
        until="until",
        aggregation="at_end",
        numerator=lambda rows: rows.is_contacted,
        denominator=lambda rows: rows.is_open,
        counted_over=Bilingual("期末未关闭的商机", "opportunities open at the end of the period"),
        history_days=FOLLOWED_UP_DAYS,
        aliases=("商机跟进率", "跟进覆盖率", "active follow-up rate"),
        why="At the period's end, so that nothing is left out by chance of dates; the last day is one of the days. Any contact of "
        "anybody's about the opportunity counts, not one with the account alone, which may concern another. Leads have "
        "first_contact_rate instead. An opportunity closed on the last day is not open at its end.",
        gaming=Bilingual(
            "月底给所有商机群发一条消息;或不登记新商机。",
            "A message to all deals at the end of the month; or new deals are not entered.",
        ),
        example=Example(
            {
                "opportunities": (
                    _deal("O1", "2026-06-01"),
                    _deal("O2", "2026-06-01"),
                    _deal("O3", "2026-06-01"),
                    _deal("O4", "2026-06-01", "2026-07-31", "won"),
                    _deal("O5", "2026-06-01", "2026-08-01", "lost"),
                    _deal("O6", "2026-07-20"),
                    _deal("O7", "2026-06-01", owner="P2"),
                    _deal("O8", "2026-08-01"),
                    _deal("O9", "2026-05-01"),
                ),
                "activities": (
                    _contact("1", "2026-07-02 09:00", "O1"),
                    _contact("2", "2026-07-02 11:00", "O1"),
                    _contact("3", "2026-07-01 23:00", "O2"),
                    _contact("4", "2026-08-01", "O3"),
                    _contact("5", "2026-07-30", "O4"),
                    _contact("6", "2026-07-10", "O5", person="P2"),
                    _contact("7", "2026-07-15", "O6"),
                    _contact("8", "2026-07-15", "O7"),
                    _contact("9", "2026-07-15", "O8"),
                    _contact("10", "2026-07-15", "O9", kind="note"),
                    _contact("11", "2026-06-10", "O9"),
                ),
            },
            "2026-07",
            "P1",
            3,
            6,
            "Contacted: O1 on the first of the 30 days, O5 (closed in August only), O6 (before it was entered). O2 a day too early, "
            "O3 in August, O9 in June. O4 closed on the last day, O7 is P2's, O8 came later.",
        ),
    ),
)
