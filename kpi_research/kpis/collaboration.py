"""Collaboration KPIs of surveys: what colleagues and customers say of working with a person or a team."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.customer_value_voice import with_account_owner
from kpi_research.kpis.definition import Example, Kpi, WeightBand
from kpi_research.kpis.parts import each_row, on_scale_of_100, surveys_of, surveys_of_customers
from kpi_research.kpis.rated import rating_on_scale_of_100, ratings_of
from kpi_research.language import Bilingual

CROSS_TEAM_FEEDBACK = "cross_team_feedback"
"""What the rating of a person by their partners of other departments is called in the table `ratings`."""


def delivery_surveys(crm: Crm) -> ir.Table:
    """Answers on delivery, of the person asked about, and where none is named of the account's owner."""
    answers = with_account_owner(surveys_of("delivery")(crm), crm)
    return answers.mutate(delivered_by=ibis.coalesce(answers.subject_id, answers.account_owner))


def _rating(number: str, subject: str, score: int) -> dict[str, object]:
    return {
        "survey_id": number,
        "kind": "peer",
        "subject_id": subject,
        "rater_id": "P9",
        "score": score,
        "scale_min": 1,
        "scale_max": 10,
        "answered_at": "2026-07-28",
    }


def _answer(number: int, kind: str, account: str | None, score: int, **more: object) -> dict[str, object]:
    given: dict[str, object] = {"survey_id": str(number), "kind": kind, "account_id": account, "score": score}
    return given | {"scale_min": 1, "scale_max": 5, "answered_at": "2026-07-31 21:00"} | more


def _rated(
    period: str, score: int, *, rater: str = "peer", person: str = "P1", scale: int | None = 5
) -> dict[str, object]:
    given: dict[str, object] = {"person_id": person, "kpi": CROSS_TEAM_FEEDBACK, "period": period, "rater": rater}
    return given | {"score": score, "scale_max": scale}


_ACCOUNTS = ({"account_id": "A1", "owner_id": "P1"}, {"account_id": "A2", "owner_id": "P2"})
_ANSWERS = Bilingual("收到的评分", "answers received")

KPIS = (
    Kpi(
        id="C01",
        name="peer_rating",
        label=Bilingual("团队协作评分", "Peer rating"),
        meaning=Bilingual(
            "期内同事对其协作的评分平均值,换算为 0-100 分。",
            "Mean of colleagues' ratings of working together in the period, on a scale of 0-100.",
        ),
        kind="collaboration",
        nature="quality",
        unit="points",
        direction="up",
        needs=("surveys",),
        rows=surveys_of("peer"),
        who="subject_id",
        when="answered_at",
        numerator=on_scale_of_100,
        denominator=each_row,
        counted_over=Bilingual("收到的评分", "ratings received"),
        aliases=("协作评分", "团队配合度", "协作配合度", "peer review score"),
        why="Belongs to the person rated, not to the rater. Lenient and strict raters are not evened out.",
        gaming=Bilingual(
            "同事之间互打高分;评分几乎都是满分时,它分不出高低。",
            "Colleagues give each other full marks; where nearly all are, it tells nobody apart.",
        ),
        weight_band=WeightBand(5, 10, "S08 (002)"),
        example=Example(
            {"surveys": (_rating("1", "P1", 10), _rating("2", "P1", 1), _rating("3", "P2", 1))},
            "2026-07",
            "P1",
            100,
            2,
            "10 of 1-10 is 100, 1 is 0; the third is about P2.",
        ),
    ),
    Kpi(
        id="",
        name="cross_team_feedback",
        label=Bilingual("跨部门协作反馈", "Cross-department feedback"),
        meaning=Bilingual(
            "考核期结束于期内的跨部门协作评分(自评除外)的平均值,换算为 0-100 分。",
            "Mean rating by partners of other departments, on a scale of 0-100, for rating periods that end in the period; self-ratings do not count.",
        ),
        kind="collaboration",
        nature="quality",
        unit="points",
        direction="up",
        needs=("ratings",),
        rows=ratings_of(CROSS_TEAM_FEEDBACK),
        who="person_id",
        when="rated_on",
        numerator=rating_on_scale_of_100,
        denominator=each_row,
        counted_over=Bilingual("收到的评分(自评除外)", "ratings received, one's own left out"),
        aliases=("跨部门协作项目反馈",),
        why="From the ratings called cross_team_feedback. A rating for a quarter counts on its last day, so a month within it "
        "shows it only where the quarter ends.",
        gaming=Bilingual("由本人挑选评分的同事。", "The person picks who rates."),
        example=Example(
            {
                "ratings": (
                    _rated("2026Q3", 4),
                    _rated("2026-09", 5, rater="superior"),
                    _rated("2026Q3", 5, rater="self"),
                    _rated("2026-08", 1),
                    _rated("2026Q3", 1, person="P2"),
                    _rated("2026Q3", 1, rater="hr", scale=None),
                )
            },
            "2026-09",
            "P1",
            180,
            2,
            "4 of 5 is 80, 5 of 5 is 100; the self-rating, August's, P2's and the one without a highest mark do not count.",
        ),
    ),
    Kpi(
        id="C04",
        name="team_customer_satisfaction",
        label=Bilingual("团队客户满意度", "Team customer satisfaction"),
        meaning=Bilingual(
            "期内团队成员所负责客户的满意度评分平均值,换算为 0-100 分;只按团队和公司给出。",
            "Mean of the satisfaction scores in the period of customers owned by the team's members, on a scale of 0-100; for teams and the company only.",
        ),
        kind="collaboration",
        nature="quality",
        unit="points",
        direction="up",
        needs=("surveys", "accounts"),
        rows=surveys_of_customers("csat"),
        who="owner_id",
        when="answered_at",
        numerator=on_scale_of_100,
        denominator=each_row,
        counted_over=_ANSWERS,
        levels=("team", "company"),
        aliases=("团队满意度", "team CSAT"),
        why="The answers of customer_satisfaction added up for the team in which the account's owner was on the day of the "
        "answer, so that a large account weighs by its answers, not each member alike.",
        gaming=Bilingual("只请满意的客户评分。", "Only content customers are asked."),
        example=Example(
            {
                "accounts": _ACCOUNTS,
                "surveys": (
                    _answer(1, "csat", "A1", 4),
                    _answer(2, "csat", "A1", 1),
                    _answer(3, "csat", "A2", 5),
                    _answer(4, "delivery", "A1", 5),
                    _answer(5, "csat", "A1", 5, answered_at="2026-08-01"),
                ),
            },
            "2026-07",
            "P1",
            75,
            2,
            "What P1 adds to the team: 4 of 1-5 is 75, 1 is 0; the others are P2's, on delivery, and August's.",
        ),
    ),
    Kpi(
        id="C05",
        name="delivery_satisfaction",
        label=Bilingual("团队交付满意度", "Delivery satisfaction"),
        meaning=Bilingual(
            "期内客户对交付的评分平均值,换算为 0-100 分;归被评的人,未写明则归客户负责人。",
            "Mean of customers' scores for delivery in the period, on a scale of 0-100; counted for the person asked about, else for the account's owner.",
        ),
        kind="collaboration",
        nature="quality",
        unit="points",
        direction="up",
        needs=("surveys", "accounts"),
        rows=delivery_surveys,
        who="delivered_by",
        when="answered_at",
        numerator=on_scale_of_100,
        denominator=each_row,
        counted_over=_ANSWERS,
        aliases=("交付满意度", "delivery CSAT"),
        why="Delivery is seldom the salesperson's, so it goes to the account's owner only where the answer names nobody.",
        gaming=Bilingual("只在顺利的项目后发问卷。", "Only smooth projects are followed by a survey."),
        example=Example(
            {
                "accounts": _ACCOUNTS,
                "surveys": (
                    _answer(1, "delivery", "A1", 5),
                    _answer(2, "delivery", "A2", 3, subject_id="P1"),
                    _answer(3, "delivery", "A1", 1, subject_id="P2"),
                    _answer(4, "delivery", None, 2, subject_id="P1"),
                    _answer(5, "csat", "A1", 1),
                ),
            },
            "2026-07",
            "P1",
            175,
            3,
            "5 is 100, 3 is 50, 2 (without an account) is 25; the third is about P2, the fifth not on delivery.",
        ),
    ),
)
