"""Customer value KPIs: whether customers stay and are content."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, WeightBand
from kpi_research.kpis.parts import (
    each_row,
    on_scale_of_100,
    share_of,
    surveys_of_customers,
    valid_contracts,
)
from kpi_research.language import Bilingual

RENEWAL_BEFORE_DAYS = 90
"""Talks on a renewal begin a quarter before the end; what was signed earlier is another sale."""
RENEWAL_AFTER_DAYS = 30
"""A month for signatures that come late: the customer never stopped."""
PROMOTER, DETRACTOR = 9, 6
_OWNED = ({"account_id": "A1", "owner_id": "P1"}, {"account_id": "A2", "owner_id": "P2"})


def ending_contracts(crm: Crm) -> ir.Table:
    """Contracts with an end, and whether the same account signed again around it."""
    ending = valid_contracts(crm).filter(lambda rows: rows.ends_on.notnull() & rows.account_id.notnull())
    later = valid_contracts(crm).select(
        next_id="contract_id", next_account="account_id", next_signed="signed_at", next_kind="kind"
    )
    again = ending.join(
        later,
        [
            ending.account_id == later.next_account,
            ending.contract_id != later.next_id,
            later.next_kind == "renewal",
            later.next_signed >= ending.ends_on - ibis.interval(days=RENEWAL_BEFORE_DAYS),
            later.next_signed < ending.ends_on + ibis.interval(days=RENEWAL_AFTER_DAYS + 1),
        ],
        how="semi",
    )
    return ending.mutate(renewed=ending.contract_id.isin(again.contract_id))


def _answers(*scores: int) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            "survey_id": str(number),
            "kind": "nps",
            "account_id": "A1",
            "score": score,
            "scale_min": 0,
            "scale_max": 10,
            "answered_at": "2026-07-08",
        }
        for number, score in enumerate(scores)
    )


KPIS = (
    Kpi(
        id="V01",
        name="customer_satisfaction",
        label=Bilingual("客户满意度", "Customer satisfaction"),
        meaning=Bilingual(
            "期内客户满意度评分的平均值,换算为 0-100 分。",
            "Mean of customers' satisfaction scores in the period, on a scale of 0-100.",
        ),
        kind="customer_value",
        nature="quality",
        unit="points",
        direction="up",
        needs=("surveys", "accounts"),
        rows=surveys_of_customers("csat"),
        who="owner_id",
        when="answered_at",
        numerator=on_scale_of_100,
        denominator=each_row,
        counted_over=Bilingual("收到的评分", "answers received"),
        aliases=("满意度", "售前服务满意度", "沟通质量", "CSAT"),
        why="Belongs to the account's owner. Only those who answered count; the response rate is not known from answers.",
        gaming=Bilingual(
            "只请满意的客户评分,或当面索要满分;请看答复数是否突然变少。",
            "Only content customers are asked, or full marks are begged for: see whether answers become few.",
        ),
        weight_band=WeightBand(5, 15, "S08 (002)"),
        example=Example(
            {
                "accounts": _OWNED,
                "surveys": (
                    {
                        "survey_id": "1",
                        "kind": "csat",
                        "account_id": "A1",
                        "score": 4,
                        "scale_min": 1,
                        "scale_max": 5,
                        "answered_at": "2026-07-02",
                    },
                    {
                        "survey_id": "2",
                        "kind": "csat",
                        "account_id": "A1",
                        "score": 5,
                        "scale_min": 1,
                        "scale_max": 5,
                        "answered_at": "2026-07-03",
                    },
                    {
                        "survey_id": "3",
                        "kind": "csat",
                        "account_id": "A2",
                        "score": 1,
                        "scale_min": 1,
                        "scale_max": 5,
                        "answered_at": "2026-07-03",
                    },
                ),
            },
            "2026-07",
            "P1",
            175,
            2,
            "4 of 1-5 is 75, 5 is 100; A2 is P2's customer.",
        ),
    ),
    Kpi(
        id="V02",
        name="nps",
        label=Bilingual("客户净推荐值(NPS)", "Net promoter score"),
        meaning=Bilingual(
            "打 9-10 分的客户比例减去打 0-6 分的比例,-100 到 100。",
            "Share of 9-10 answers less share of 0-6 answers, from -100 to 100.",
        ),
        kind="customer_value",
        nature="quality",
        unit="nps",
        direction="up",
        needs=("surveys", "accounts"),
        rows=lambda crm: surveys_of_customers("nps")(crm).filter(
            lambda rows: (rows.scale_min == 0) & (rows.scale_max == 10)
        ),
        who="owner_id",
        when="answered_at",
        numerator=lambda rows: ibis.cases(
            (rows.score >= PROMOTER, 100.0), (rows.score <= DETRACTOR, -100.0), else_=0.0
        ),
        denominator=each_row,
        counted_over=Bilingual("收到的评分", "answers received"),
        aliases=("NPS", "净推荐值", "客户NPS"),
        why="Defined on a 0-10 scale only; answers on another scale do not count.",
        gaming=Bilingual(
            "只向关系好的客户发问卷,或提示“9 分以上才算满意”。",
            "The question goes to friendly customers, or comes with the hint that only 9 and 10 are good.",
        ),
        example=Example(
            {"accounts": _OWNED, "surveys": _answers(10, 9, 8, 3)},
            "2026-07",
            "P1",
            100,
            4,
            "Two promoters, one passive, one detractor: (2 - 1) / 4 = 25.",
        ),
    ),
    Kpi(
        id="V05",
        name="renewal_rate",
        label=Bilingual("续签率", "Renewal rate"),
        meaning=Bilingual(
            "期内到期的合同中,到期前 90 天至到期后 30 天内续签的比例。",
            "Of contracts ending in the period, the share renewed between 90 days before and 30 days after the end.",
        ),
        kind="customer_value",
        nature="quality",
        unit="share",
        direction="up",
        needs=("contracts",),
        rows=ending_contracts,
        who="owner_id",
        when="ends_on",
        numerator=share_of(lambda rows: rows.renewed),
        denominator=each_row,
        counted_over=Bilingual("期内到期的合同", "contracts ending in the period"),
        matures_after_days=RENEWAL_AFTER_DAYS,
        aliases=("续约率", "老客户续签率", "学员续费率", "retention of contracts"),
        why="By number of contracts; renewed_amount_rate goes by amount. A contract whose 30 days are not over yet is left out, "
        "not counted as lost.",
        gaming=Bilingual(
            "降价或缩短合同期换取续签;请与按金额的续签率一起看。",
            "Renewals bought with discounts or short terms: read it beside the rate by amount.",
        ),
        example=Example(
            {
                "contracts": (
                    {
                        "contract_id": "K1",
                        "account_id": "A1",
                        "owner_id": "P1",
                        "signed_at": "2025-07-10",
                        "amount": 1,
                        "ends_on": "2026-07-09",
                        "kind": "new",
                    },
                    {
                        "contract_id": "K2",
                        "account_id": "A2",
                        "owner_id": "P1",
                        "signed_at": "2025-07-10",
                        "amount": 1,
                        "ends_on": "2026-07-10",
                        "kind": "new",
                    },
                    {
                        "contract_id": "K3",
                        "account_id": "A1",
                        "owner_id": "P1",
                        "signed_at": "2026-08-08",
                        "amount": 1,
                        "kind": "renewal",
                    },
                    {
                        "contract_id": "K4",
                        "account_id": "A2",
                        "owner_id": "P1",
                        "signed_at": "2026-03-01",
                        "amount": 1,
                        "kind": "repeat",
                    },
                )
            },
            "2026-07",
            "P1",
            1,
            2,
            "A1 renewed on day 30; A2 bought something else in March.",
        ),
    ),
)
