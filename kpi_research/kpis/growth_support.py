"""Growth KPIs of those who support sales, and of how content employees are."""

from __future__ import annotations

import functools
import operator

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import activities_of, each_row, on_scale_of_100, surveys_of
from kpi_research.kpis.rated import rating_on_scale_of_100, ratings_of
from kpi_research.language import Bilingual

SUPPORT_ROLES = ("售前", "方案", "支持", "presales", "pre-sales", "presale", "solution", "support", "sales engineer")
"""Words in a role, in lower case, of those who write proposals for the sales of others."""
PROPOSAL_QUALITY = "proposal_quality"
"""What the rating of somebody's proposals is called in the table `ratings`."""


def proposals_of_support(crm: Crm) -> ir.Table:
    """Proposals of people in a supporting role."""
    role = crm.people.role.lower()
    supports = functools.reduce(operator.or_, [role.contains(word) for word in SUPPORT_ROLES])
    people = crm.people.filter(supports).select(supporter="person_id")
    proposals = activities_of("proposal")(crm)
    return proposals.semi_join(people, proposals.person_id == people.supporter)


def answers_of_employees(crm: Crm) -> ir.Table:
    """Employees' answers, of who gave them; of unsigned ones, of the person whose team was asked."""
    answers = surveys_of("employee")(crm)
    return answers.mutate(of_team_of=ibis.coalesce(answers.rater_id, answers.subject_id))


def _proposal(number: int, person: str, day: str, kind: str = "proposal") -> dict[str, str]:
    return {"activity_id": str(number), "person_id": person, "kind": kind, "occurred_at": day}


def _answer(
    number: int, rater: str | None, score: int, subject: str | None = None, kind: str = "employee"
) -> dict[str, object]:
    given: dict[str, object] = {
        "survey_id": str(number),
        "kind": kind,
        "rater_id": rater,
        "subject_id": subject,
        "score": score,
    }
    return given | {"scale_min": 1, "scale_max": 5, "answered_at": "2026-07-31 18:00"}


def _rated(period: str, score: int, rater: str = "superior", person: str = "P1") -> dict[str, object]:
    given: dict[str, object] = {"person_id": person, "kpi": PROPOSAL_QUALITY, "period": period, "rater": rater}
    return given | {"score": score, "scale_max": 10}


KPIS = (
    Kpi(
        id="G02",
        name="support_proposals",
        label=Bilingual("方案数(支持岗)", "Proposals by support"),
        meaning=Bilingual(
            "期内支持类岗位(售前、方案、支持等)的人递交的方案数。",
            "Proposals delivered in the period by people in a supporting role (presales, solution, support).",
        ),
        kind="growth",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("activities", "people"),
        rows=proposals_of_support,
        who="person_id",
        when="occurred_at",
        numerator=each_row,
        aliases=("方案数", "方案创新能力", "proposals authored"),
        why="Those who do not sign are measured by what they write; the salespeople's own count is proposals. Support is told "
        "by words of the role, so a client with other titles names them in its roster. How good they are is "
        "proposal_quality.",
        gaming=Bilingual("套用模板批量出方案。", "Templates sent out in bulk."),
        example=Example(
            {
                "activities": (
                    _proposal(1, "P1", "2026-07-31 18:00"),
                    _proposal(2, "P1", "2026-08-01"),
                    _proposal(3, "P2", "2026-07-01"),
                    _proposal(4, "P1", "2026-07-01", "demo"),
                    _proposal(5, "P3", "2026-07-01"),
                ),
                "people": (
                    {"person_id": "P1", "name": "甲", "role": "售前工程师"},
                    {"person_id": "P2", "name": "乙", "role": "销售代表"},
                    {"person_id": "P3", "name": "丙"},
                ),
            },
            "2026-07",
            "P1",
            1,
            None,
            "The second is August's, the fourth a demo; P2 sells, of P3 no role is known.",
        ),
    ),
    Kpi(
        id="",
        name="proposal_quality",
        label=Bilingual("方案质量评分", "Proposal quality"),
        meaning=Bilingual(
            "考核期结束于期内的方案评分(自评除外)的平均值,换算为 0-100 分。",
            "Mean rating of a person's proposals, on a scale of 0-100, for rating periods that end in the period; self-ratings do not count.",
        ),
        kind="growth",
        nature="quality",
        unit="points",
        direction="up",
        needs=("ratings",),
        rows=ratings_of(PROPOSAL_QUALITY),
        who="person_id",
        when="rated_on",
        numerator=rating_on_scale_of_100,
        denominator=each_row,
        counted_over=Bilingual("收到的评分(自评除外)", "ratings received, one's own left out"),
        aliases=("方案创新评分", "方案评分"),
        why="From the ratings called proposal_quality; by rating, not by proposal, as forms give one mark a period.",
        gaming=Bilingual("由关系好的同事评分。", "Rated by friends."),
        example=Example(
            {
                "ratings": (
                    _rated("2026-07", 8),
                    _rated("2026-07", 6, rater="peer"),
                    _rated("2026-07", 10, rater="self"),
                    _rated("2026-06", 1),
                    _rated("2026-07", 1, person="P2"),
                )
            },
            "2026-07",
            "P1",
            140,
            2,
            "8 and 6 of 10; not the self-rating, June's or P2's.",
        ),
    ),
    Kpi(
        id="G07",
        name="employee_satisfaction",
        label=Bilingual("员工满意度", "Employee satisfaction"),
        meaning=Bilingual(
            "期内员工问卷评分的平均值,换算为 0-100 分;归答卷人所在团队,只按团队和公司给出。",
            "Mean of employees' answers in the period, on a scale of 0-100; counted for the team of who answered, and given for teams and the company only.",
        ),
        kind="growth",
        nature="quality",
        unit="points",
        direction="up",
        needs=("surveys",),
        rows=answers_of_employees,
        who="of_team_of",
        when="answered_at",
        numerator=on_scale_of_100,
        denominator=each_row,
        counted_over=Bilingual("收到的答卷", "answers received"),
        levels=("team", "company"),
        aliases=("员工满意度调查", "ESAT", "employee engagement"),
        why="Never by person: what somebody answered is theirs. Unsigned answers count where they name whose team was asked "
        "(the subject); those that name nobody are in no team and are not counted. Only who answered is known of.",
        gaming=Bilingual(
            "当面填写、领导在场,分数就高。", "Filled in with the manager in the room, the answers are kinder."
        ),
        example=Example(
            {
                "surveys": (
                    _answer(1, "P1", 5),
                    _answer(2, None, 3, subject="P1"),
                    _answer(3, "P2", 1, subject="P1"),
                    _answer(4, None, 1),
                    _answer(5, "P1", 1, kind="peer"),
                )
            },
            "2026-07",
            "P1",
            150,
            2,
            "What P1 adds to the team: 5 of 1-5 is 100, the unsigned 3 is 50; the third is P2's, the fourth nobody's, the fifth of a colleague.",
        ),
    ),
)
