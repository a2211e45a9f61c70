"""Process KPIs: whether what was due in an opportunity was done in time."""

from __future__ import annotations

import ibis.expr.types as ir

from kpi_research.kpis.conversion import until_day
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.kpis.process_progress import nodes
from kpi_research.language import Bilingual

NODE_DAYS = 30
"""A month for every stage, as long as until an opportunity counts as stalled."""


def due_nodes(crm: Crm) -> ir.Table:
    """Stages that were entered before the opportunity's last day, but for those that it was given up in too early."""
    rows = nodes(crm)
    rows = rows.mutate(in_time=(rows.done_at < until_day(rows.entered_at, NODE_DAYS)).fill_null(False))
    rows = rows.filter(rows.ended_at.isnull() | (rows.entered_at < rows.ended_at.truncate("D")))
    given_up = rows.outcome.isin(["lost", "void"]) & (rows.ended_at < until_day(rows.entered_at, NODE_DAYS))
    return rows.filter(rows.in_time | ~given_up.fill_null(False))


def _deal(
    number: str,
    created: str | None,
    closed: str | None = None,
    outcome: str = "open",
    *,
    owner: str = "P1",
    due: str | None = None,
) -> dict[str, str | None]:
    return {
        "opportunity_id": number,
        "owner_id": owner,
        "created_at": created,
        "closed_at": closed,
        "outcome": outcome,
        "expected_close_on": due,
    }


def _entered(opportunity: str, stage: str, day: str) -> dict[str, str]:
    return {"opportunity_id": opportunity, "stage": stage, "entered_at": day}


KPIS = (
    Kpi(
        id="P29",
        name="key_nodes_on_time_rate",
        label=Bilingual("关键销售节点完成率", "Key nodes completed on time"),
        meaning=Bilingual(
            f"期内商机首次进入的阶段中,{NODE_DAYS} 天内推进到新阶段或赢单的比例。",
            f"Of the stages that opportunities entered for the first time in the period, the share that was left for a new "
            f"stage, or by winning, within {NODE_DAYS} days.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("stage_changes", "opportunities"),
        rows=due_nodes,
        who="owner_id",
        when="entered_at",
        numerator=share_of(lambda rows: rows.in_time),
        denominator=each_row,
        counted_over=Bilingual(
            f"期内首次进入、{NODE_DAYS} 天已满的阶段",
            f"stages first entered in the period whose {NODE_DAYS} days are over",
        ),
        matures_after_days=NODE_DAYS,
        aliases=("关键节点推进率", "跟进节点完成率", "节点完成率", "stage completion rate"),
        why="CRMs do not say which nodes are mandatory, nor their dates: every stage is one and has the same days. A stage "
        "that is entered on the opportunity's last day is its end, not a node. One in which the opportunity was lost or "
        "void before its days were over fell due for nobody and is left out; lost later, it was late.",
        gaming=Bilingual(
            "到期前把阶段点到下一步,或把将要逾期的商机判输。",
            "The stage is moved on just before it is due, or a deal about to be late is declared lost.",
        ),
        example=Example(
            {
                "opportunities": (
                    _deal("O1", "2026-06-01"),
                    _deal("O2", "2026-06-01", "2026-07-31", "won"),
                    _deal("O3", "2026-06-01", "2026-07-20", "lost"),
                    _deal("O4", "2026-06-01", "2026-09-20", "lost"),
                    _deal("O5", "2026-06-01"),
                    _deal("O6", "2026-06-01", owner="P2"),
                ),
                "stage_changes": (
                    _entered("O1", "A", "2026-06-30"),
                    _entered("O1", "B", "2026-07-01 09:00"),
                    _entered("O1", "C", "2026-07-31 21:00"),
                    _entered("O2", "B", "2026-07-01"),
                    _entered("O2", "赢单", "2026-07-31"),
                    _entered("O3", "B", "2026-07-01"),
                    _entered("O3", "输单", "2026-07-20"),
                    _entered("O4", "B", "2026-07-01"),
                    _entered("O4", "输单", "2026-09-20"),
                    _entered("O5", "A", "2026-06-01"),
                    _entered("O5", "B", "2026-07-02"),
                    _entered("O5", "A", "2026-07-10"),
                    _entered("O5", "C", "2026-08-02"),
                    _entered("O6", "B", "2026-07-01"),
                ),
            },
            "2026-07",
            "P1",
            2,
            5,
            "O1's B was left on day 30, its C never; O2's B was won on day 30; O4's was lost too late; O5's B was left for a "
            "new stage on day 31, the return to A being none. O3 was lost in time, O2's last stage is its end, O6 is P2's.",
        ),
    ),
    Kpi(
        id="P30",
        name="closed_as_expected_rate",
        label=Bilingual("项目进度(按期关闭率)", "Milestones met (closed by the expected date)"),
        meaning=Bilingual(
            "预计成交日在期内的商机(作废除外)中,到该日为止已赢单或输单的比例。",
            "Of opportunities whose expected date of closing is in the period (void ones left out), the share that was won or "
            "lost by that date.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("opportunities",),
        rows=lambda crm: crm.opportunities.filter(crm.opportunities.outcome != "void"),
        who="owner_id",
        when="expected_close_on",
        numerator=share_of(
            lambda rows: (rows.outcome != "open") & (rows.closed_at < until_day(rows.expected_close_on, 0))
        ),
        denominator=each_row,
        counted_over=Bilingual("预计在期内关闭的商机", "opportunities expected to close in the period"),
        aliases=("项目进度", "项目节点达成率", "里程碑达成率", "milestones met"),
        why="The only milestone with a date that every CRM keeps is the expected closing. Lost counts as closed, since the "
        "question is whether the plan was kept; how it ended is win_rate's. Only the latest expected date is on file: one "
        "that was moved counts where it was moved to.",
        gaming=Bilingual(
            "到期前把预计成交日往后改,或把要逾期的商机作废。",
            "The expected date is moved before it comes, or a deal about to be late is made void.",
        ),
        example=Example(
            {
                "opportunities": (
                    _deal("O1", "2026-06-01", "2026-07-10 18:00", "won", due="2026-07-10"),
                    _deal("O2", "2026-06-01", "2026-06-20", "lost", due="2026-07-31"),
                    _deal("O3", "2026-06-01", "2026-07-11", "won", due="2026-07-10"),
                    _deal("O4", "2026-06-01", due="2026-07-20"),
                    _deal("O5", "2026-06-01", "2026-07-02", "void", due="2026-07-20"),
                    _deal("O6", "2026-06-01", "2026-07-02", "won", due="2026-08-01"),
                    _deal("O7", "2026-06-01", "2026-07-02", "won"),
                    _deal("O8", "2026-06-01", "2026-07-02", "won", due="2026-07-20", owner="P2"),
                )
            },
            "2026-07",
            "P1",
            2,
            4,
            "O1 on the day, O2 before it; O3 a day late, O4 still open. O5 is void, O6 due in August, O7 has no date, O8 is P2's.",
        ),
    ),
)
