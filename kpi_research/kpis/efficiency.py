"""Efficiency KPIs: how long things take."""

from __future__ import annotations

import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row
from kpi_research.language import Bilingual


def won_opportunities(crm: Crm) -> ir.Table:
    """Opportunities that were won and whose creation is on file."""
    return crm.opportunities.filter((crm.opportunities.outcome == "won") & crm.opportunities.created_at.notnull())


KPIS = (
    Kpi(
        id="E01",
        name="won_cycle_days",
        label=Bilingual("平均成交天数", "Days to win"),
        meaning=Bilingual(
            "期内赢单的商机,从创建到关闭的平均天数。",
            "Of opportunities won in the period, mean days from creation to closing.",
        ),
        kind="efficiency",
        nature="quality",
        unit="days",
        direction="down",
        needs=("opportunities",),
        rows=won_opportunities,
        who="owner_id",
        when="closed_at",
        numerator=lambda rows: rows.closed_at.truncate("D").delta(rows.created_at.truncate("D"), unit="day"),
        denominator=each_row,
        counted_over=Bilingual("期内赢单的商机", "opportunities won in the period"),
        aliases=("平均订单周期", "销售周期", "sales cycle"),
        why="Won deals only, so it says how fast wins were, not how fast deals are: slow ones that are still open do not "
        "count yet.",
        example=Example(
            {
                "opportunities": (
                    {
                        "opportunity_id": "1",
                        "owner_id": "P1",
                        "created_at": "2026-06-01 15:00",
                        "closed_at": "2026-07-01 09:00",
                        "outcome": "won",
                    },
                    {
                        "opportunity_id": "2",
                        "owner_id": "P1",
                        "created_at": "2026-07-01",
                        "closed_at": "2026-07-11",
                        "outcome": "won",
                    },
                    {
                        "opportunity_id": "3",
                        "owner_id": "P1",
                        "created_at": "2026-01-01",
                        "closed_at": "2026-07-11",
                        "outcome": "lost",
                    },
                )
            },
            "2026-07",
            "P1",
            40,
            2,
            "30 days and 10 days: 20 on average; the lost one does not count.",
        ),
    ),
)
