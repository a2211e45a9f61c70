"""Process KPI: how soon a proposal follows the survey of needs."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.language import Bilingual


def proposals_after_survey(crm: Crm) -> ir.Table:
    """The first proposals after each need survey, with `surveyed_at`, the time of that survey.

    A survey belongs to a proposal for the same opportunity, or with the same account where one of the two names no
    opportunity.
    """
    rows = crm.activities.filter(crm.activities.kind.isin(["survey", "proposal"]))
    # at the same time the survey comes first: many CRMs keep no time of day
    is_proposal = (rows.kind == "proposal").ifelse(1, 0)
    surveyed = (rows.kind == "survey").ifelse(rows.occurred_at, ibis.null("timestamp(6)"))
    of_none = rows.opportunity_id.isnull().ifelse(surveyed, ibis.null("timestamp(6)"))
    until_now = {"order_by": [rows.occurred_at, is_proposal, rows.activity_id], "rows": (None, 0)}
    of_deal = surveyed.max().over(group_by=rows.opportunity_id, **until_now)
    of_account = surveyed.max().over(group_by=rows.account_id, **until_now)
    of_account_alone = of_none.max().over(group_by=rows.account_id, **until_now)
    has_deal, has_account = rows.opportunity_id.notnull(), rows.account_id.notnull()
    rows = rows.mutate(
        of_deal=ibis.cases((has_deal, of_deal)),
        of_customer=ibis.cases((has_account & has_deal, of_account_alone), (has_account, of_account)),
    )
    latest = ibis.greatest(rows.of_deal.fill_null(rows.of_customer), rows.of_customer.fill_null(rows.of_deal))
    rows = rows.mutate(surveyed_at=latest)
    rows = rows.filter((rows.kind == "proposal") & rows.surveyed_at.notnull())
    order = ibis.row_number().over(
        group_by=[rows.opportunity_id, rows.account_id, rows.surveyed_at],
        order_by=[rows.occurred_at, rows.activity_id],
    )
    return rows.mutate(nth=order).filter(lambda rows: rows.nth == 0)


def _did(
    number: str, kind: str, day: str, account: str | None = "A1", deal: str | None = None, person: str = "P1"
) -> dict[str, str | None]:
    return {
        "activity_id": number,
        "person_id": person,
        "kind": kind,
        "account_id": account,
        "opportunity_id": deal,
        "occurred_at": day,
    }


KPIS = (
    Kpi(
        id="P07",
        name="proposal_days",
        label=Bilingual("方案递交效率", "Days to proposal"),
        meaning=Bilingual(
            "期内递交的方案(每次需求调研后的第一份),距同一商机或同一客户最近一次需求调研的天数的中位数。",
            "Of proposals delivered in the period (the first after each need survey), the middle one of the days since the latest "
            "need survey of the same opportunity or customer.",
        ),
        kind="process",
        nature="quality",
        unit="days",
        direction="down",
        needs=("activities",),
        rows=proposals_after_survey,
        who="person_id",
        when="occurred_at",
        numerator=lambda rows: rows.occurred_at.truncate("D").delta(rows.surveyed_at.truncate("D"), unit="day"),
        aggregation="median",
        aliases=("方案递交周期", "方案响应天数", "方案制作周期", "proposal turnaround"),
        why="A median, since a survey of last year with the same customer would rule the mean. A share within a fixed number of "
        "days was not chosen: what is soon differs by trade. Later versions after the same survey do not count; proposals "
        "without a survey on file do not either, and surveys without a proposal show up nowhere here.",
        gaming=Bilingual(
            "方案写好才补记需求调研;或先递交空方案。",
            "The survey is entered once the proposal is written; or an empty proposal is delivered first.",
        ),
        example=Example(
            {
                "activities": (
                    _did("1", "survey", "2026-06-20"),
                    _did("2", "survey", "2026-07-01 16:00"),
                    _did("3", "proposal", "2026-07-06 09:00"),
                    _did("4", "proposal", "2026-07-20"),
                    _did("5", "survey", "2026-07-02", "A2", "O2"),
                    _did("6", "survey", "2026-07-10", "A2", "O3"),
                    _did("7", "proposal", "2026-07-11", "A2", "O2"),
                    _did("8", "proposal", "2026-07-12", "A4"),
                    _did("9", "survey", "2026-07-13", "A4"),
                    _did("10", "survey", "2026-06-01", "A5", person="P2"),
                    _did("11", "proposal", "2026-07-21", "A5", "O5"),
                    _did("12", "survey", "2026-07-22", "A6"),
                    _did("13", "proposal", "2026-07-22", "A6"),
                    _did("14", "survey", "2026-07-01", "A7"),
                    _did("15", "proposal", "2026-08-01", "A7"),
                    _did("16", "proposal", "2026-07-30", "A7", person="P2"),
                    _did("17", "survey", "2026-07-01", None),
                    _did("18", "proposal", "2026-07-02", None),
                )
            },
            "2026-07",
            "P1",
            7,
            None,
            "A1: 5 days from the later survey, and the second version not; O2: 9 days, O3's survey being another's; A5: 50; A6: 0. "
            "The middle of 0, 5, 9, 50 is 7. A4 had no survey before, A7's first is P2's, the last two name nobody.",
        ),
    ),
)
