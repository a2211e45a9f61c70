"""Digital KPIs: how well the CRM is kept."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.language import Bilingual

REQUIRED_FIELDS = ("account_id", "product", "amount", "expected_close_on", "stage")
ENTRY_DAYS = 1


def fields_filled(rows: ir.Table) -> ir.NumericValue:
    """How many of an opportunity's required fields are filled."""
    filled = [rows[name].notnull().ifelse(1.0, 0.0) for name in REQUIRED_FIELDS]
    return sum(filled[1:], start=filled[0])


KPIS = (
    Kpi(
        id="D02",
        name="crm_completeness",
        label=Bilingual("CRM 数据完整率", "CRM completeness"),
        meaning=Bilingual(
            "期内新建商机的必填字段(客户、产品、金额、预计成交日、阶段)中,已填写的比例。",
            "Of the required fields (customer, product, amount, expected close, stage) of opportunities created in the period, the share that is filled.",
        ),
        kind="digital",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("opportunities",),
        rows=lambda crm: crm.opportunities,
        who="owner_id",
        when="created_at",
        numerator=fields_filled,
        denominator=lambda _: ibis.literal(float(len(REQUIRED_FIELDS))),
        counted_over=Bilingual("期内新建商机的必填字段", "required fields of opportunities created in the period"),
        aliases=("CRM完整率", "录入资料完整度"),
        why="Says whether a field is filled, not whether it is right.",
        example=Example(
            {
                "opportunities": (
                    {
                        "opportunity_id": "1",
                        "owner_id": "P1",
                        "created_at": "2026-07-01",
                        "account_id": "A1",
                        "product": "X",
                        "amount": 5,
                        "expected_close_on": "2026-09-01",
                        "stage": "报价",
                        "outcome": "open",
                    },
                    {
                        "opportunity_id": "2",
                        "owner_id": "P1",
                        "created_at": "2026-07-02",
                        "stage": "线索",
                        "outcome": "open",
                    },
                )
            },
            "2026-07",
            "P1",
            6,
            10,
            "Five of five and one of five.",
        ),
    ),
    Kpi(
        id="D05",
        name="entry_timeliness",
        label=Bilingual("录入及时率", "Timely entry"),
        meaning=Bilingual(
            "期内活动记录中,发生后一天内录入的比例。",
            "Of activities in the period, the share entered within a day of happening.",
        ),
        kind="digital",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("activities",),
        rows=lambda crm: crm.activities.filter(crm.activities.recorded_at.notnull()),
        who="person_id",
        when="occurred_at",
        numerator=share_of(lambda rows: rows.recorded_at <= rows.occurred_at + ibis.interval(days=ENTRY_DAYS)),
        denominator=each_row,
        counted_over=Bilingual("期内有录入时间的活动", "activities with a time of entry"),
        aliases=("信息录入及时率",),
        why="Activities without a time of entry do not count, since nothing is known of them.",
        example=Example(
            {
                "activities": (
                    {
                        "activity_id": "1",
                        "person_id": "P1",
                        "kind": "call",
                        "occurred_at": "2026-07-01 10:00",
                        "recorded_at": "2026-07-02 10:00",
                    },
                    {
                        "activity_id": "2",
                        "person_id": "P1",
                        "kind": "call",
                        "occurred_at": "2026-07-01 10:00",
                        "recorded_at": "2026-07-02 10:01",
                    },
                    {"activity_id": "3", "person_id": "P1", "kind": "call", "occurred_at": "2026-07-01 10:00"},
                )
            },
            "2026-07",
            "P1",
            1,
            2,
            "The second is a minute late; of the third nothing is known.",
        ),
    ),
)
