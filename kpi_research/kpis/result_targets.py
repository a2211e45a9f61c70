"""KPIs of what was reached of a target: a person's, how often one is reached, a team's."""

from __future__ import annotations

import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, Rows
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.kpis.plans import in_equal_parts, members_on, sold_by_person, sold_by_team, targets_of, with_amount
from kpi_research.language import Bilingual
from kpi_research.policy import MIN_PLANS

PLANNED = "signed_amount"
"""The KPI whose targets are measured: the one that every source sets them for."""
HALF_A_CENT = 0.005
"""Sums of cents in floating point may miss a target that they reach by less than this."""


def targets_of_people(crm: Crm) -> ir.Table:
    """People's targets for the signed amount, with what they signed in their days."""
    targets = targets_of(crm, PLANNED)
    return with_amount(targets.filter(targets.scope == "person"), sold_by_person(crm))


def team_targets_of_members(crm: Crm) -> ir.Table:
    """Teams' targets for the signed amount and what was signed for the team, in equal parts for each member."""
    targets = targets_of(crm, PLANNED)
    met = with_amount(targets.filter(targets.scope == "team"), sold_by_team(crm))
    members = members_on(crm, met.select("ends_on").distinct(), "ends_on")
    return in_equal_parts(met, members.select("person_id", group_id="team_id", on_day="ends_on"))


def _target(scope_id: str, period: str, base: float, scope: str = "person", **others: str) -> dict[str, object]:
    return {"scope": scope, "scope_id": scope_id, "kpi": PLANNED, "period": period, "base": base, **others}


def _contract(number: int, day: str, amount: int, owner: str = "P1", cancelled: str | None = None) -> dict[str, object]:
    return {
        "contract_id": f"K{number}",
        "owner_id": owner,
        "signed_at": day,
        "amount": amount,
        "cancelled_at": cancelled,
    }


_PLANS: Rows = {
    "targets": (
        _target("P1", "2026-07", 90_000, version="1", effective_from="2026-06-20"),
        _target("P1", "2026-07", 100_000, version="10", effective_from="2026-07-10"),
        _target("P1", "2026-07", 70_000, version="9", effective_from="2026-07-10"),
        _target("P1", "2026-07", 50_000, version="11", effective_from="2026-08-01"),
        _target("P1", "2026-08", 20_000),
        _target("P1", "2026-09", 30_000),
        _target("P1", "2026Q3", 400_000),
        _target("P1", "2026", 999_000),
        _target("P1", "FY26Q3", 1_000),
        {**_target("P1", "2026-07", 5), "kpi": "new_customers"},
        _target("P2", "2026-07", 10_000),
        _target("T1", "2026-07", 500_000, "team"),
    ),
    "contracts": (
        _contract(1, "2026-07-01", 60_000),
        _contract(2, "2026-07-31 22:00", 20_000),
        _contract(3, "2026-06-30 23:00", 7_000),
        _contract(4, "2026-08-31 10:00", 20_000),
        _contract(5, "2026-07-10", 90_000, cancelled="2026-07-11"),
        _contract(6, "2026-07-10", 11_000, "P2"),
        _contract(7, "2026-09-10", 29_999),
    ),
}
_TEAM_PLANS: Rows = {
    "people": (
        {"person_id": "P1"},
        {"person_id": "P2", "left_on": "2026-07-20"},
        {"person_id": "P3", "hired_on": "2026-07-31"},
        {"person_id": "P4"},
        {"person_id": "P5"},
    ),
    "assignments": (
        {"person_id": "P1", "team_id": "T1", "since": "2026-01-01"},
        {"person_id": "P2", "team_id": "T1"},
        {"person_id": "P3", "team_id": "T1", "since": "2026-07-31"},
        {"person_id": "P4", "team_id": "T1", "since": "2026-01-01", "until": "2026-07-15"},
        {"person_id": "P4", "team_id": "T2", "since": "2026-07-16"},
        {"person_id": "P5", "team_id": "T1", "since": "2026-08-01"},
    ),
    "targets": (
        _target("T1", "2026-07", 100_000, "team"),
        _target("T2", "2026-07", 40_000, "team"),
        _target("P1", "2026-07", 1_000),
    ),
    "contracts": (
        _contract(1, "2026-07-02", 10_000),
        _contract(2, "2026-07-19", 30_000, "P2"),
        _contract(3, "2026-07-15 18:00", 20_000, "P4"),
        _contract(4, "2026-07-16 09:00", 50_000, "P4"),
        _contract(5, "2026-07-20", 70_000, "P5"),
        _contract(6, "2026-08-01", 80_000),
        _contract(7, "2026-07-20", 90_000, cancelled="2026-07-30"),
    ),
}
_PERIODS = (
    "A target counts on the last day of its period, so a quarter's shows in its last month and in the quarter, not before. "
    "Where somebody has targets of several lengths in a year only the shortest count, so that no day counts twice. Quarters "
    "and years are the calendar's: a client whose fiscal year begins elsewhere writes months, other names of periods are "
    "left out. The latest version counts by the day from which it holds, then by its number, but none that took effect when "
    "the period was over. "
)
_GAMING = Bilingual(
    "在期内调低目标,或把签约推到目标更低的下一期;应同时看目标的版本和调整原因。",
    "Targets are lowered within the period, or signings put off to one with a lower target: look at the targets' versions and their reasons.",
)

KPIS = (
    Kpi(
        id="R04",
        name="attainment",
        label=Bilingual("业绩达成率", "Target attainment"),
        meaning=Bilingual(
            "目标期在期内结束的个人签约额目标:目标期内本人签约额(未取消)之和占目标值之和的比例。",
            "Over people's targets for the signed amount whose period ends in the period: what they signed in the targets' days (not cancelled), as a share of the targets.",
        ),
        kind="result",
        nature="quantity",
        unit="share",
        direction="up",
        needs=("targets", "contracts"),
        rows=targets_of_people,
        who="scope_id",
        when="ends_on",
        numerator=lambda rows: rows.amount,
        min_cases=MIN_PLANS,
        denominator=lambda rows: rows.base,
        counted_over=Bilingual(
            "期内到期的个人签约额目标", "people's targets for the signed amount that end in the period"
        ),
        aliases=("季度达成率", "KPI达成率", "目标完成度", "目标完成率", "quota attainment"),
        why="The base target, not the stretch. "
        + _PERIODS
        + "Of a group it is the sum over its people, not the team's own "
        "target (team_attainment). Who has no target is in neither sum.",
        gaming=_GAMING,
        example=Example(
            _PLANS,
            "2026-07",
            "P1",
            80_000,
            100_000,
            "60,000 + 20,000 of July's target in version 10 of 10 July (version 11 came when July was over); June's and August's "
            "contracts, the cancelled one and P2's do not count, nor do the quarter's and the year's target.",
        ),
    ),
    Kpi(
        id="R17",
        name="target_hit_rate",
        label=Bilingual("达标率", "Share of targets reached"),
        meaning=Bilingual(
            "目标期在期内结束的个人签约额目标(每人每个目标期算一个)中,达到 100% 的比例。",
            "Of people's targets for the signed amount whose period ends in the period (one for each person and target period), the share that was reached in full.",
        ),
        kind="result",
        nature="quantity",
        unit="share",
        direction="up",
        needs=("targets", "contracts"),
        rows=targets_of_people,
        who="scope_id",
        when="ends_on",
        numerator=share_of(lambda rows: rows.amount >= rows.base - HALF_A_CENT),
        denominator=each_row,
        counted_over=Bilingual(
            "期内到期的个人签约额目标", "people's targets for the signed amount that end in the period"
        ),
        aliases=("季度达标率", "达标人数占比", "quota achievement rate"),
        why="Each target weighs the same, however large; exactly 100 % is reached. "
        + _PERIODS
        + "It says how many reach theirs, not by how much: 99 % counts as 10 % does.",
        gaming=_GAMING,
        example=Example(
            _PLANS,
            "2026Q3",
            "P1",
            1,
            3,
            "July 80,000 of 100,000, August 20,000 of 20,000, September 29,999 of 30,000; the quarter's own target does not "
            "count beside its months'.",
        ),
    ),
    Kpi(
        id="C02",
        name="team_attainment",
        label=Bilingual("团队业绩达成率", "Team's attainment"),
        meaning=Bilingual(
            "目标期在期内结束的团队签约额目标:团队成员在目标期内的签约额(未取消,按签约当天所在团队)占团队目标的比例,计给目标期最后一天在队的每位成员。",
            "Over team targets for the signed amount whose period ends in the period: what those in the team on the day signed in the targets' days (not cancelled), as a share of the targets; credited to each member who is in the team on the last day.",
        ),
        kind="collaboration",
        nature="quantity",
        unit="share",
        direction="up",
        needs=("targets", "contracts", "assignments", "people"),
        rows=team_targets_of_members,
        who="person_id",
        when="ends_on",
        numerator=lambda rows: rows.amount,
        min_cases=MIN_PLANS,
        denominator=lambda rows: rows.base,
        counted_over=Bilingual(
            "期内到期的团队签约额目标(在队成员平分)",
            "team targets for the signed amount that end in the period, in equal parts for each member",
        ),
        aliases=("团队总业绩", "团队总业绩目标", "团队达成率", "team quota attainment"),
        why="The same ratio for every member; amount and target are shared out in equal parts, so that the parts of a team add "
        "up to its own. A contract belongs to the team that its owner was in when it was signed, wherever they are now. Only "
        "direct members: the target of a department whose people are in its teams is nobody's. " + _PERIODS,
        gaming=Bilingual(
            "签约前把销售调入要达标的团队;也有人只靠队友就拿到达成率。",
            "Sellers are moved to the team that is to reach its target before they sign; and members profit who did nothing for it.",
        ),
        example=Example(
            _TEAM_PLANS,
            "2026-07",
            "P1",
            30_000,
            50_000,
            "In T1 on 31 July are P1 and P3, new that day; P2 has left, P4 is in T2, P5 comes in August. For T1 were signed 10,000 "
            "+ 30,000 + 20,000 on P4's last day: 60,000 of 100,000, half of each is P1's.",
        ),
    ),
)
