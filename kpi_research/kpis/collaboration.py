"""Collaboration KPIs: how people work together."""

from __future__ import annotations

from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row, on_scale_of_100, surveys_of
from kpi_research.language import Bilingual


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
        aliases=("协作评分", "团队配合度"),
        why="Belongs to the person rated, not to the rater. Lenient and strict raters are not evened out.",
        example=Example(
            {"surveys": (_rating("1", "P1", 10), _rating("2", "P1", 1), _rating("3", "P2", 1))},
            "2026-07",
            "P1",
            100,
            2,
            "10 of 1-10 is 100, 1 is 0; the third is about P2.",
        ),
    ),
)
