"""Efficiency KPIs: how long things take."""

from __future__ import annotations

import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, WeightBand
from kpi_research.kpis.parts import each_row
from kpi_research.language import Bilingual


def won_opportunities(crm: Crm) -> ir.Table:
    """Opportunities that were won and whose creation is on file."""
    return crm.opportunities.filter((crm.opportunities.outcome == "won") & crm.opportunities.created_at.notnull())


def days_to_win(rows: ir.Table) -> ir.NumericValue:
    """Days from creation to closing; nothing for won on the day of creation."""
    return rows.closed_at.truncate("D").delta(rows.created_at.truncate("D"), unit="day")


def _opportunity(number: str, created: str, closed: str, outcome: str = "won", owner: str = "P1") -> dict[str, str]:
    return {
        "opportunity_id": number,
        "owner_id": owner,
        "created_at": created,
        "closed_at": closed,
        "outcome": outcome,
    }


_GAMING = Bilingual(
    "商机在即将赢单时才创建,周期因此变短。",
    "Opportunities are created only when they are nearly won, which shortens the cycle.",
)

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
        numerator=days_to_win,
        denominator=each_row,
        counted_over=Bilingual("期内赢单的商机", "opportunities won in the period"),
        aliases=("平均订单周期", "销售周期", "sales cycle"),
        why="Won deals only, so it says how fast wins were, not how fast deals are: slow ones that are still open do not "
        "count yet.",
        gaming=_GAMING,
        weight_band=WeightBand(5, 10, "S08 (002)"),
        example=Example(
            {
                "opportunities": (
                    _opportunity("1", "2026-06-01 15:00", "2026-07-01 09:00"),
                    _opportunity("2", "2026-07-01", "2026-07-11"),
                    _opportunity("3", "2026-01-01", "2026-07-11", "lost"),
                )
            },
            "2026-07",
            "P1",
            40,
            2,
            "30 days and 10 days: 20 on average; the lost one does not count.",
        ),
    ),
    Kpi(
        id="",
        name="median_cycle_days",
        label=Bilingual("成交天数中位数", "Median days to win"),
        meaning=Bilingual(
            "期内赢单的商机,从创建到关闭天数的中位数:一半更快,一半更慢。",
            "Of opportunities won in the period, the middle one of the days from creation to closing: half were faster.",
        ),
        kind="efficiency",
        nature="quality",
        unit="days",
        direction="down",
        needs=("opportunities",),
        rows=won_opportunities,
        who="owner_id",
        when="closed_at",
        aggregation="median",
        numerator=days_to_win,
        aliases=("订单周期中位数", "median sales cycle"),
        why="One deal of three years moves the mean of a month and not this. It still speaks of won deals alone: how long "
        "deals take, the open ones included, is told by the funnel's curve.",
        gaming=_GAMING,
        example=Example(
            {
                "opportunities": (
                    _opportunity("1", "2026-06-01 15:00", "2026-07-01 09:00"),
                    _opportunity("2", "2026-07-01", "2026-07-11"),
                    _opportunity("3", "2025-07-11", "2026-07-11"),
                    _opportunity("4", "2026-07-10", "2026-07-11", "lost"),
                    _opportunity("5", "2026-07-10", "2026-07-11", owner="P2"),
                    _opportunity("6", "2026-07-31", "2026-08-01"),
                )
            },
            "2026-07",
            "P1",
            30,
            None,
            "10, 30 and 365 days; the lost one, P2's and August's do not count. The mean would be 135.",
        ),
    ),
)
