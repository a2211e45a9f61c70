"""Process KPIs of visits that can be proved and led to a next step."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.conversion import within_days
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, Rows
from kpi_research.kpis.parts import activities_of, each_row
from kpi_research.kpis.process import CONTACTS
from kpi_research.kpis.process_progress import advances
from kpi_research.kpis.process_visits import days_with_contact
from kpi_research.language import Bilingual

NEXT_STEP_DAYS = 14
"""Two weeks for what was agreed at a visit: half a month's plan."""


def visits_with_evidence(crm: Crm) -> ir.Table:
    """Visits by customer and day, with `is_effective` 1 where they are proved and led on, otherwise 0."""
    visits = activities_of("visit")(crm)
    located = visits.longitude.notnull() & visits.latitude.notnull()
    # zero and zero is what a telephone sends that does not know where it is
    located = located & ~((visits.longitude == 0) & (visits.latitude == 0)).fill_null(False)
    visits = visits.mutate(
        day=visits.occurred_at.truncate("D"),
        visited=visits.account_id.fill_null(visits.activity_id),
        is_proved=visits.effective.fill_null(located).ifelse(1, 0),
    )
    days = days_with_contact(crm, *CONTACTS)
    rows = visits.left_join(days, [visits.account_id == days.contacted, visits.day == days.on_day])
    led_on = rows.next_day <= rows.day + ibis.interval(days=NEXT_STEP_DAYS)
    rows = rows.mutate(is_continued=led_on.fill_null(False).ifelse(1, 0))
    # without stage history, contacts alone show what followed
    if "stage_changes" in crm and "opportunities" in crm:
        moves = advances(crm)
        about = visits.select(at_visit="activity_id", about="opportunity_id", visited_at="occurred_at")
        found = about.join(
            moves,
            [about.about == moves.advanced, within_days(moves.advanced_at, about.visited_at, NEXT_STEP_DAYS)],
            how="inner",
        )
        found = found.select("at_visit").distinct()
        rows = rows.left_join(found, rows.activity_id == found.at_visit)
        rows = rows.mutate(is_continued=ibis.greatest(rows.is_continued, rows.at_visit.notnull().ifelse(1, 0)))
    by_day = rows.group_by(["person_id", "visited", "day"])
    return by_day.aggregate(
        occurred_at=rows.occurred_at.min(),
        is_effective=(rows.is_proved.max() * rows.is_continued.max()).cast("float64"),
    )


def _visit(number: str, account: str | None, day: str, **others: object) -> dict[str, object]:
    return {
        "activity_id": number,
        "person_id": "P1",
        "kind": "visit",
        "account_id": account,
        "occurred_at": day,
        **others,
    }


_PLACE = {"longitude": 116.4, "latitude": 39.9}
_VISITS: Rows = {
    "activities": (
        _visit("1", "A1", "2026-07-01 10:00", **_PLACE),
        _visit("2", "A1", "2026-07-01 16:00"),
        _visit("3", "A1", "2026-07-15 18:00", kind="call", person_id="P2"),
        _visit("4", "A2", "2026-07-01", effective=True),
        _visit("5", "A2", "2026-07-16", kind="call"),
        _visit("6", "A3", "2026-07-02"),
        _visit("7", "A3", "2026-07-03", kind="call"),
        _visit("8", "A4", "2026-07-03", effective=False, **_PLACE),
        _visit("9", "A4", "2026-07-04", kind="call"),
        _visit("10", "A5", "2026-07-06 10:00", opportunity_id="O5", **_PLACE),
        _visit("11", "A5", "2026-07-06 18:00", kind="message"),
        _visit("12", "A6", "2026-07-07", longitude=0, latitude=0),
        _visit("13", "A6", "2026-07-08", kind="call"),
        _visit("14", "A7", "2026-06-30", **_PLACE),
        _visit("15", "A7", "2026-07-01", kind="call"),
        _visit("16", "A8", "2026-07-08", opportunity_id="O8", **_PLACE),
        _visit("17", "A9", "2026-07-08", person_id="P2", **_PLACE),
        _visit("18", "A9", "2026-07-09", kind="call", person_id="P2"),
        _visit("19", "A9", "2026-07-10", kind="note", **_PLACE),
    ),
    "opportunities": (
        {"opportunity_id": "O5", "created_at": "2026-06-01", "outcome": "open"},
        {"opportunity_id": "O8", "created_at": "2026-06-01", "outcome": "lost", "closed_at": "2026-07-10"},
    ),
    "stage_changes": (
        {"opportunity_id": "O5", "stage": "A", "entered_at": "2026-06-01"},
        {"opportunity_id": "O5", "stage": "B", "entered_at": "2026-07-20 08:00"},
        {"opportunity_id": "O8", "stage": "A", "entered_at": "2026-06-01"},
        {"opportunity_id": "O8", "stage": "输单", "entered_at": "2026-07-10"},
    ),
}
_WORKED = (
    "A1 was called on day 14 and O5 moved on day 14 (A5). A2 only on day 15; A3 has no evidence, A4 was judged not effective, "
    "A6's position is none, A8's deal was only lost. The second to A1 is the same visit, A7 is June's, A9 is P2's."
)
_GAMING = Bilingual(
    "在附近签到而没有见客户;拜访后随手补一条消息当作下一步。",
    "A check-in nearby without seeing anybody; a message sent afterwards so that there is a next step.",
)

KPIS = (
    Kpi(
        id="P02",
        name="effective_visits",
        label=Bilingual("有效拜访数", "Effective visits"),
        meaning=Bilingual(
            "期内的客户拜访(同一人同一天对同一客户只计一次)中,有凭据(CRM 判定有效;未判定的,有签到定位),且拜访后 "
            f"{NEXT_STEP_DAYS} 天内有下一步的次数:之后某天再次联系该客户,或该商机推进到新阶段或赢单。",
            "Visits in the period (one person's to one customer on one day count once) that are proved (marked as effective in "
            f"the CRM, or with a check-in position where they are not marked) and led to a next step within {NEXT_STEP_DAYS} "
            "days: another contact with the customer on a later day, or the opportunity in a new stage or won.",
        ),
        kind="process",
        nature="quality",
        unit="count",
        direction="up",
        needs=("activities",),
        rows=lambda crm: visits_with_evidence(crm).filter(lambda rows: rows.is_effective == 1.0),
        who="person_id",
        when="occurred_at",
        numerator=each_row,
        matures_after_days=NEXT_STEP_DAYS,
        aliases=("有效拜访", "有效拜访次数", "有效拜访量", "productive visits", "quality visits"),
        why="A visit that the CRM itself marks as not effective is none, whatever its position. Any contact of anybody's counts "
        "as the next step, but not one of the same day, which may be the visit's second record. Where no stage history is "
        "kept, only contacts show what followed. Visits whose days are not over yet are left out, so that the last two weeks "
        "show fewer. The seeds' third sign, a rise of intent, is a KPI of its own.",
        gaming=_GAMING,
        example=Example(_VISITS, "2026-07", "P1", 2, None, _WORKED),
    ),
    Kpi(
        id="",
        name="effective_visit_rate",
        label=Bilingual("有效拜访率", "Effective visit rate"),
        meaning=Bilingual(
            f"期内的客户拜访中有效拜访的比例(有凭据,且 {NEXT_STEP_DAYS} 天内有下一步)。",
            f"Of visits in the period, the share that is effective (proved, and followed by a next step within {NEXT_STEP_DAYS} "
            "days).",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("activities",),
        rows=visits_with_evidence,
        who="person_id",
        when="occurred_at",
        numerator=lambda rows: rows.is_effective,
        denominator=each_row,
        counted_over=Bilingual("期内的客户拜访,按客户与日期去重", "visits in the period, once by customer and day"),
        matures_after_days=NEXT_STEP_DAYS,
        aliases=("拜访有效率", "有效拜访占比", "productive call rate"),
        why="effective_visits over the visits of the same days. Who records only visits that went well has a high rate: read "
        "it beside visits.",
        gaming=_GAMING,
        example=Example(_VISITS, "2026-07", "P1", 2, 7, f"{_WORKED} Seven visits: A1 to A6 and A8."),
    ),
)
