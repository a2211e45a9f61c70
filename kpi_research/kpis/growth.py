"""Growth KPIs: how people and the team learn."""

from __future__ import annotations

from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row
from kpi_research.language import Bilingual

KPIS = (
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
        aliases=("知识分享次数",),
        why="Counts sessions held, not sessions attended.",
        example=Example(
            {
                "learning": (
                    {"record_id": "1", "person_id": "P1", "kind": "sharing", "occurred_at": "2026-07-15"},
                    {"record_id": "2", "person_id": "P1", "kind": "training", "occurred_at": "2026-07-16"},
                )
            },
            "2026-07",
            "P1",
            1,
            None,
            "A training is not a sharing session.",
        ),
    ),
)
