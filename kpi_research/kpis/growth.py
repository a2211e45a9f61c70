"""Growth KPIs of learning: what people learn and pass on."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.language import Bilingual


def trainings_of_months(crm: Crm) -> ir.Table:
    """Each person's months with a training whose invitations are on file: sessions attended, and offered."""
    trainings = crm.learning.filter(crm.learning.kind == "training")
    trainings = trainings.mutate(month=trainings.occurred_at.truncate("M"))
    months = trainings.group_by(["person_id", "month"]).aggregate(
        attended=trainings.count().cast("float64"), invited=trainings.offered.max()
    )
    months = months.filter(months.invited.notnull())
    return months.mutate(
        offered=ibis.greatest(months.invited, months.attended),
        last_day=months.month + ibis.interval(months=1) - ibis.interval(days=1),
    )


def quarters_of_people(crm: Crm) -> ir.Table:
    """Everybody at work on the last day of a quarter in which anybody learned anything, and whether they shared in it."""
    learning = crm.learning.mutate(quarter=crm.learning.occurred_at.truncate("Q"))
    quarters = learning.select("quarter").distinct()
    quarters = quarters.mutate(last_day=quarters.quarter + ibis.interval(months=3) - ibis.interval(days=1))
    there = crm.people.select("person_id", "hired_on", "left_on").cross_join(quarters)
    there = there.filter(
        there.hired_on.isnull() | (there.hired_on <= there.last_day),
        there.left_on.isnull() | (there.left_on >= there.last_day),
    )
    sharing = learning.filter(learning.kind == "sharing")
    sharing = sharing.select(sharer="person_id", in_quarter="quarter").distinct()
    return there.left_join(sharing, [there.person_id == sharing.sharer, there.quarter == sharing.in_quarter])


def _learned(number: int, kind: str, day: str, person: str = "P1", offered: int | None = None) -> dict[str, object]:
    given: dict[str, object] = {"record_id": str(number), "person_id": person, "kind": kind, "occurred_at": day}
    return given if offered is None else given | {"offered": offered}


_RECORDS = (
    _learned(1, "sharing", "2026-07-15"),
    _learned(2, "training", "2026-07-16"),
    _learned(3, "sharing", "2026-09-30 18:00", "P2"),
    _learned(4, "help", "2026-07-17"),
    _learned(5, "training", "2026-10-01"),
)
_PEOPLE = (
    {"person_id": "P1", "name": "甲"},
    {"person_id": "P2", "name": "乙", "hired_on": "2026-09-30", "left_on": "2026-12-30"},
    {"person_id": "P3", "name": "丙", "hired_on": "2026-10-01"},
)

KPIS = (
    Kpi(
        id="G01",
        name="training_participation",
        label=Bilingual("培训参与率", "Training participation"),
        meaning=Bilingual(
            "当月有应到次数记录的人,参加培训的次数占应到次数的比例;按月计,记在月末。",
            "Of training sessions offered to people in months in which they attended at least one and the number offered is on file, the share attended; counted by month, on its last day.",
        ),
        kind="growth",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("learning",),
        rows=trainings_of_months,
        who="person_id",
        when="last_day",
        numerator=lambda rows: rows.attended,
        denominator=lambda rows: rows.offered,
        counted_over=Bilingual("应到的培训次数", "training sessions offered"),
        aliases=("培训参与度", "培训出勤率", "training attendance"),
        why="A record is a session attended, `offered` how many its month offered to the person: the largest on file, and never "
        "fewer than were attended, so that sheets with the month's number in every row and sheets with 1 a session both "
        "come out right. Who attended none in a month has no record and is missed: then the rate is too high. Without "
        "numbers offered there is no rate, since attending often is no share of anything.",
        gaming=Bilingual("签到后离场。", "Signing in and leaving."),
        example=Example(
            {
                "learning": (
                    _learned(1, "training", "2026-07-01", offered=4),
                    _learned(2, "training", "2026-07-31 20:00", offered=4),
                    _learned(3, "training", "2026-07-15"),
                    _learned(4, "training", "2026-08-03", offered=1),
                    _learned(5, "training", "2026-08-04", offered=1),
                    _learned(6, "training", "2026-09-01"),
                    _learned(7, "sharing", "2026-08-05", offered=9),
                    _learned(8, "training", "2026-07-01", "P2", offered=9),
                )
            },
            "2026Q3",
            "P1",
            5,
            6,
            "Three of four in July, two of two in August; what September offered is not on file, and 7 is no training.",
        ),
    ),
    Kpi(
        id="G03",
        name="skill_records",
        label=Bilingual("技能提升记录", "Training and sharing records"),
        meaning=Bilingual(
            "期内参加培训和分享经验的记录数。", "Records in the period of training attended and of experience shared."
        ),
        kind="growth",
        nature="behaviour",
        unit="count",
        direction="up",
        needs=("learning",),
        rows=lambda crm: crm.learning.filter(crm.learning.kind.isin(["training", "sharing"])),
        who="person_id",
        when="occurred_at",
        numerator=each_row,
        aliases=("内部培训·经验分享", "内部培训/分享", "skill development records"),
        why="Both sides of learning in one number; sharing alone is sharing_sessions, and the sources' target of one case a "
        "quarter is quarterly_sharing_rate. Whether a training was attended or given the record does not say.",
        gaming=Bilingual("把一次培训拆成多条记录。", "One training recorded as several."),
        example=Example(
            {"learning": (*_RECORDS, _learned(6, "sharing", "2026-07-31 21:00"))},
            "2026-07",
            "P1",
            3,
            None,
            "Two sharing sessions and a training; help is neither, the rest is P2's or October's.",
        ),
    ),
    Kpi(
        id="",
        name="quarterly_sharing_rate",
        label=Bilingual("季度分享达标率", "Quarters with a sharing session"),
        meaning=Bilingual(
            "季度末在岗的人中,该季度至少分享过一次经验的比例;记在自然季度的最后一天。",
            "Of people at work on the last day of a calendar quarter, the share that held at least one sharing session in it; counted on that day.",
        ),
        kind="growth",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("learning", "people"),
        rows=quarters_of_people,
        who="person_id",
        when="last_day",
        numerator=share_of(lambda rows: rows.sharer.notnull()),
        denominator=each_row,
        counted_over=Bilingual("季度末在岗的人", "people at work at the end of a quarter"),
        aliases=("每季度分享一次",),
        why="The sources ask for one case a quarter from everybody, so that one keen speaker does not make up for the others. "
        "Quarters of which no learning at all is on file do not count. Without a hiring date a person was always there.",
        gaming=Bilingual("季末走过场的分享。", "A token session at the quarter's end."),
        example=Example(
            {"learning": _RECORDS, "people": _PEOPLE},
            "2026",
            "P1",
            1,
            2,
            "P1 shared in the third quarter, not in the fourth, and of the first two nothing is on file.",
        ),
    ),
    Kpi(
        id="G04",
        name="sharing_sessions",
        label=Bilingual("经验分享次数", "Sharing sessions"),
        meaning=Bilingual(
            "期内在团队内分享经验的次数。", "Times that experience was shared with the team in the period."
        ),
        kind="growth",
        nature="behaviour",
        unit="count",
        direction="up",
        needs=("learning",),
        rows=lambda crm: crm.learning.filter(crm.learning.kind == "sharing"),
        who="person_id",
        when="occurred_at",
        numerator=each_row,
        aliases=("知识分享次数", "经验分享"),
        why="Counts sessions held, not sessions attended.",
        gaming=Bilingual(
            "把例会发言都记成分享;请看是否有人确认。",
            "Every word at a meeting is recorded as sharing: see whether anybody confirmed it.",
        ),
        example=Example({"learning": _RECORDS[:2]}, "2026-07", "P1", 1, None, "A training is not a sharing session."),
    ),
)
