"""Process KPIs: whether qualified leads and proposals end in a signature."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.conversion import signing_within, until_day
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, Rows
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.language import Bilingual

LEAD_SIGNED_WITHIN_DAYS = 180
"""Half a year: most sales cycles between companies are shorter, and the verdict still comes in time to matter."""
PROPOSALS = ("proposal", "quote")


def leads_with_signing(crm: Crm) -> ir.Table:
    """Leads with `signed_at`: when their account or their opportunity signed, where it did so within the window."""
    leads = crm.leads
    account, opportunity = (
        signing_within(crm, leads, row="lead_id", by=by, time="qualified_at", days=LEAD_SIGNED_WITHIN_DAYS)
        for by in ("account_id", "opportunity_id")
    )
    account = account.select(account_found="found", account_signed_at="found_at")
    opportunity = opportunity.select(opportunity_found="found", opportunity_signed_at="found_at")
    both = leads.left_join(account, leads.lead_id == account.account_found)
    both = both.left_join(opportunity, both.lead_id == opportunity.opportunity_found)
    first, second = both.account_signed_at, both.opportunity_signed_at
    return both.mutate(signed_at=ibis.least(first.fill_null(second), second.fill_null(first)))


def decided_with_proposal(crm: Crm) -> ir.Table:
    """Opportunities won or lost that had a proposal or a quote by the day of closing."""
    sent = crm.activities.filter(crm.activities.kind.isin(PROPOSALS) & crm.activities.opportunity_id.notnull())
    first = sent.group_by(proposed_for=sent.opportunity_id).aggregate(proposed_at=sent.occurred_at.min())
    rows = crm.opportunities.left_join(first, crm.opportunities.opportunity_id == first.proposed_for)
    return rows.filter(rows.outcome.isin(["won", "lost"]) & (rows.proposed_at < until_day(rows.closed_at, 0)))


def _lead(
    number: str, qualified: str, *, account: str | None = None, opportunity: str | None = None, owner: str = "P1"
) -> dict[str, str | None]:
    return {
        "lead_id": number,
        "owner_id": owner,
        "account_id": account,
        "opportunity_id": opportunity,
        "created_at": "2026-06-01",
        "qualified_at": qualified,
    }


def _contract(number: str, account: str, signed: str, **others: str) -> dict[str, str | int]:
    return {"contract_id": number, "account_id": account, "owner_id": "P9", "signed_at": signed, "amount": 1, **others}


_LEADS_AND_CONTRACTS: Rows = {
    "leads": (
        _lead("L1", "2026-07-01 15:00", account="A1", opportunity="O1"),
        _lead("L2", "2026-07-01", opportunity="O2"),
        _lead("L3", "2026-07-02", account="A3"),
        _lead("L4", "2026-07-03", account="A4"),
        _lead("L5", "2026-07-04", account="A5"),
        _lead("L6", "2026-07-04", account="A1", owner="P2"),
        _lead("L7", "2026-11-30", account="A7"),
    ),
    "contracts": (
        _contract("K1", "A1", "2026-07-01", opportunity_id="O1"),
        _contract("K2", "A2", "2026-12-28", opportunity_id="O2"),
        _contract("K3", "A3", "2026-12-30"),
        _contract("K4", "A4", "2026-07-20", cancelled_at="2026-08-01"),
        _contract("K5", "A5", "2026-07-10", kind="renewal"),
        _contract("K6", "A1", "2026-12-10"),
        _contract("K7", "A7", "2026-12-05"),
    ),
}


def _opportunity(number: str, outcome: str, closed: str | None = None, owner: str = "P1") -> dict[str, str | None]:
    return {"opportunity_id": number, "owner_id": owner, "outcome": outcome, "closed_at": closed}


def _sent(number: str, kind: str, opportunity: str, day: str) -> dict[str, str]:
    return {"activity_id": number, "person_id": "P9", "kind": kind, "opportunity_id": opportunity, "occurred_at": day}


KPIS = (
    Kpi(
        id="P25",
        name="qualified_lead_win_rate",
        label=Bilingual("意向客户转化率", "Qualified lead win rate"),
        meaning=Bilingual(
            f"期内判定为有效的线索中,其客户或商机在判定当天起 {LEAD_SIGNED_WITHIN_DAYS} 天内签订有效合同(不含续签)的比例。",
            f"Of leads qualified in the period, the share whose account or opportunity signed a valid contract (no "
            f"renewal) within {LEAD_SIGNED_WITHIN_DAYS} days.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("leads", "contracts"),
        rows=leads_with_signing,
        who="owner_id",
        when="qualified_at",
        numerator=share_of(lambda rows: rows.signed_at.notnull()),
        denominator=each_row,
        counted_over=Bilingual("期内判定为有效的线索", "leads qualified in the period"),
        matures_after_days=LEAD_SIGNED_WITHIN_DAYS,
        aliases=("意向客户转化数/率", "意向客户签约率", "lead-to-win rate", "SQL-to-customer rate"),
        why="Each lead has the same time to sign and those whose time is not over are left out; signed ÷ qualified of "
        "one period would reward whoever stops finding leads. A renewal is no conversion. A lead without account and "
        "opportunity can never be seen to sign: where many lack both, the rate is too low. Two leads of one account are "
        "two cases, and one contract converts both.",
        gaming=Bilingual(
            "只在即将签约时才把线索判为有效。",
            "Leads are called qualified only when they are about to sign.",
        ),
        example=Example(
            _LEADS_AND_CONTRACTS,
            "2026-07",
            "P1",
            2,
            5,
            "L1 signed on the day itself (twice, counted once), L2's opportunity on day 180; L3 on day 181, L4's contract "
            "was cancelled, L5's is a renewal. L6 is P2's, L7 November's.",
        ),
    ),
    Kpi(
        id="",
        name="qualified_leads_won",
        label=Bilingual("意向客户转化数", "Qualified leads won"),
        meaning=Bilingual(
            f"期内签约的有效线索数:其客户或商机在判定为有效后 {LEAD_SIGNED_WITHIN_DAYS} 天内首次签约(不含续签),按签约日期归属。",
            f"Qualified leads whose account or opportunity first signed within {LEAD_SIGNED_WITHIN_DAYS} days of "
            "qualification (no renewal), by date of signing.",
        ),
        kind="process",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("leads", "contracts"),
        rows=leads_with_signing,
        who="owner_id",
        when="signed_at",
        numerator=each_row,
        aliases=("意向客户签约数", "leads won"),
        why="The numerator of qualified_lead_win_rate, but by the day of signing, as a screen of this month's signings "
        "shows it; so this number over the month's qualified leads is not that rate. The lead's owner counts, whoever "
        "signed the contract.",
        example=Example(
            _LEADS_AND_CONTRACTS,
            "2026-12",
            "P1",
            2,
            None,
            "L2 and L7 signed in December; L1 signed in July already, L3 a day too late.",
        ),
    ),
    Kpi(
        id="",
        name="proposal_win_rate",
        label=Bilingual("方案赢单率", "Proposal win rate"),
        meaning=Bilingual(
            "期内关闭(赢单或输单)且关闭前递交过方案或报价的商机中,赢单的比例。",
            "Of opportunities closed in the period as won or lost that had a proposal or a quote by then, the share won.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("opportunities", "activities"),
        rows=decided_with_proposal,
        who="owner_id",
        when="closed_at",
        numerator=share_of(lambda rows: rows.outcome == "won"),
        denominator=each_row,
        counted_over=Bilingual(
            "期内赢单与输单且有方案或报价的商机", "opportunities won or lost in the period with a proposal or quote"
        ),
        aliases=("方案成交率", "报价成交率", "quote-to-win rate", "proposal-to-win rate"),
        why="The last step of P23 in any sales process: proposals and quotes are activities, while the names and the "
        "order of stages differ from firm to firm. Deals whose proposal was not recorded on the opportunity are left "
        "out, so it stands beside win_rate and does not replace it.",
        gaming=Bilingual(
            "只为赢单补录方案或报价。",
            "Proposals are entered afterwards for deals that were won.",
        ),
        example=Example(
            {
                "opportunities": (
                    _opportunity("O1", "won", "2026-07-10"),
                    _opportunity("O2", "lost", "2026-07-11"),
                    _opportunity("O3", "won", "2026-07-12"),
                    _opportunity("O4", "lost", "2026-07-15"),
                    _opportunity("O5", "open"),
                    _opportunity("O6", "void", "2026-07-16"),
                    _opportunity("O7", "won", "2026-08-01"),
                ),
                "activities": (
                    _sent("1", "proposal", "O1", "2026-07-01"),
                    _sent("2", "quote", "O1", "2026-07-05"),
                    _sent("3", "quote", "O2", "2026-07-11 18:00"),
                    _sent("4", "call", "O3", "2026-07-01"),
                    _sent("5", "proposal", "O4", "2026-07-16"),
                    _sent("6", "proposal", "O5", "2026-07-02"),
                    _sent("7", "proposal", "O6", "2026-07-02"),
                    _sent("8", "proposal", "O7", "2026-07-02"),
                ),
            },
            "2026-07",
            "P1",
            1,
            2,
            "O1 (two papers, one deal) and O2, quoted on the day of closing; O3 had none, O4's came after it was lost, O5 "
            "is open, O6 void, O7 August's.",
        ),
    ),
)
