"""Customer value KPIs of customers whom customers bring."""

from __future__ import annotations

import functools
import operator

import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row
from kpi_research.language import Bilingual

REFERRAL_WORDS = (
    "转介绍", "客户推荐", "客户介绍", "朋友介绍", "熟人介绍", "老带新", "口碑",
    "referral", "referred", "word of mouth", "recommend",
)  # fmt: skip
"""Words in a lead's source, in lower case, by which it came from a customer."""
NOT_BY_CUSTOMERS = ("员工", "内部", "渠道", "伙伴", "employee", "internal", "partner", "agent")
"""Words of referrals by others than customers."""


def referred_leads(crm: Crm) -> ir.Table:
    """Leads whose source says that a customer brought them."""
    source = crm.leads.source.lower()
    said, by_others = (
        functools.reduce(operator.or_, [source.contains(word) for word in words])
        for words in (REFERRAL_WORDS, NOT_BY_CUSTOMERS)
    )
    return crm.leads.filter(said & ~by_others)


def referred_wins(crm: Crm) -> ir.Table:
    """Opportunities won that came of a referred lead, each once."""
    won = crm.opportunities.filter(crm.opportunities.outcome == "won")
    referred = referred_leads(crm).select(came_of="opportunity_id")
    return won.semi_join(referred, won.opportunity_id == referred.came_of)


def _lead(number: int, source: str | None, day: str, owner: str = "P1", deal: str | None = None) -> dict[str, object]:
    return {"lead_id": f"L{number}", "source": source, "owner_id": owner, "created_at": day, "opportunity_id": deal}


def _deal(number: int, outcome: str, day: str | None, owner: str = "P1") -> dict[str, object]:
    return {"opportunity_id": f"O{number}", "owner_id": owner, "outcome": outcome, "closed_at": day}


_REFERRED = (
    _lead(1, "老客户转介绍", "2026-07-01", deal="O1"),
    _lead(2, "Customer Referral", "2026-07-31 23:00", deal="O1"),
    _lead(3, "Employee referral", "2026-07-02", deal="O2"),
    _lead(4, "展会", "2026-07-02", deal="O3"),
    _lead(5, None, "2026-07-03"),
    _lead(6, "口碑", "2026-08-01", deal="O4"),
    _lead(7, "转介绍", "2026-07-05", owner="P2", deal="O5"),
    _lead(8, "转介绍", "2026-07-05", deal="O6"),
)
_DEALS = (
    _deal(1, "won", "2026-07-10"),
    _deal(2, "won", "2026-07-10"),
    _deal(3, "won", "2026-07-10"),
    _deal(4, "won", "2026-07-31"),
    _deal(5, "won", "2026-07-10", owner="P2"),
    _deal(6, "lost", "2026-07-10"),
)


KPIS = (
    Kpi(
        id="V09",
        name="referred_leads",
        label=Bilingual("老客户转介绍数", "Referred leads"),
        meaning=Bilingual(
            "期内新增的线索中,来源写明由客户介绍(转介绍、老客户推荐、口碑等)的数量;员工、渠道介绍的不算。",
            "Leads created in the period whose source says that a customer brought them; referrals by employees, partners and channels do not count.",
        ),
        kind="customer_value",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("leads",),
        rows=referred_leads,
        who="owner_id",
        when="created_at",
        numerator=each_row,
        aliases=("老客户转介绍", "转介绍", "口碑裂变", "referrals"),
        why="By the words of the lead's source, the only place where a CRM says it. Leads without a source are not guessed at. "
        "Second orders of the referring customer are second_purchases.",
        gaming=Bilingual(
            "来源由销售自己填写,可把其他线索写成转介绍;请看 referred_wins。",
            "The source is typed in by the salesperson, who may call any lead a referral: see referred_wins.",
        ),
        example=Example(
            {"leads": _REFERRED},
            "2026-07",
            "P1",
            3,
            None,
            "L1, L2 and L8; L3 is an employee's, L4 of a fair, L5 has no source, L6 is August's, L7 P2's.",
        ),
    ),
    Kpi(
        id="",
        name="referred_wins",
        label=Bilingual("转介绍赢单数", "Referred wins"),
        meaning=Bilingual(
            "期内赢单的商机中,来自客户转介绍线索的数量。",
            "Opportunities won in the period that came of a lead referred by a customer.",
        ),
        kind="customer_value",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("opportunities", "leads"),
        rows=referred_wins,
        who="owner_id",
        when="closed_at",
        numerator=each_row,
        aliases=("转介绍成交数", "won referrals"),
        why="By the opportunity that the lead names, counted once however many leads name it, for the opportunity's owner.",
        example=Example(
            {"opportunities": _DEALS, "leads": _REFERRED},
            "2026-07",
            "P1",
            2,
            None,
            "O1, named by two leads, is one; O4's lead came later. O2 came of an employee, O3 of a fair, O5 is P2's, O6 was lost.",
        ),
    ),
)
