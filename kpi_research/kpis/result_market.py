"""Result KPIs of markets and territories."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, Rows
from kpi_research.kpis.parts import valid_contracts
from kpi_research.kpis.plans import (
    EVERYBODY,
    employed_on,
    in_equal_parts,
    members_on,
    sold_by_person,
    sold_by_team,
    targets_of,
    with_amount,
    with_team,
)
from kpi_research.kpis.stacked import stacked
from kpi_research.language import Bilingual
from kpi_research.policy import MIN_PLANS

MARKET = "market_sales"
"""The name under which the table of targets keeps what a market buys from all its sellers in a period."""
_FINENESS = {"person": 0, "team": 1, "company": 2}


def markets_of_people(crm: Crm) -> ir.Table:
    """The market figures of the finest areas on file, and what was signed there, in equal parts for their people."""
    figures = targets_of(crm, MARKET)
    fineness = figures.scope.cases(*_FINENESS.items(), else_=len(_FINENESS))
    figures = figures.mutate(fineness=fineness)
    finest = figures.fineness.min().over(group_by=figures.ends_on.year())
    figures = figures.mutate(finest=finest).filter(lambda rows: rows.fineness == rows.finest)
    own, of_teams, of_all = (figures.filter(figures.scope == scope) for scope in _FINENESS)
    days = figures.select("ends_on").distinct()
    in_teams = members_on(crm, days, "ends_on").select("person_id", group_id="team_id", on_day="ends_on")
    everybody = employed_on(crm, days, "ends_on")
    everybody = everybody.select("person_id", group_id=ibis.literal(EVERYBODY), on_day="ends_on")
    sold = sold_by_person(crm)
    whole = with_amount(of_all, sold.mutate(seller_id=ibis.literal(EVERYBODY)))
    alone = with_amount(own, sold)
    return stacked(
        alone.select("ends_on", "amount", "base", person_id="scope_id"),
        in_equal_parts(with_amount(of_teams, sold_by_team(crm)), in_teams),
        in_equal_parts(whole, everybody),
    )


def contracts_in_own_territory(crm: Crm) -> ir.Table:
    """Valid contracts with accounts in the region of the team that their owner was in when they were signed."""
    regions = crm.accounts.select(of_account="account_id", region="region")
    contracts = valid_contracts(crm)
    contracts = contracts.inner_join(regions, contracts.account_id == regions.of_account)
    placed = with_team(crm, contracts, key=("contract_id",), person="owner_id", time="signed_at")
    territories = crm.teams.select(of_team="team_id", territory="region")
    return placed.inner_join(
        territories, [placed.team_id == territories.of_team, placed.region == territories.territory]
    )


def _figure(scope: str, scope_id: str, period: str, base: float, kpi: str = MARKET) -> dict[str, object]:
    return {"scope": scope, "scope_id": scope_id, "kpi": kpi, "period": period, "base": base}


def _contract(
    number: int, day: str, amount: int, owner: str, account: str, cancelled: str | None = None
) -> dict[str, object]:
    return {
        "contract_id": f"K{number}",
        "owner_id": owner,
        "account_id": account,
        "signed_at": day,
        "amount": amount,
        "cancelled_at": cancelled,
    }


_PEOPLE: Rows = {
    "people": ({"person_id": "P1"}, {"person_id": "P2"}, {"person_id": "P3", "left_on": "2026-06-30"}),
    "assignments": (
        {"person_id": "P1", "team_id": "T1", "until": "2026-07-15"},
        {"person_id": "P1", "team_id": "T2", "since": "2026-07-16"},
        {"person_id": "P2", "team_id": "T1"},
    ),
    "contracts": (
        _contract(1, "2026-07-02", 10_000, "P1", "A1"),
        _contract(2, "2026-07-31 20:00", 30_000, "P1", "A2"),
        _contract(3, "2026-07-15 20:00", 4_000, "P1", "A1"),
        _contract(4, "2026-07-20", 5_000, "P1", "A1"),
        _contract(5, "2026-07-20", 6_000, "P2", "A1"),
        _contract(6, "2026-07-20", 7_000, "P1", "A3"),
        _contract(7, "2026-07-20", 8_000, "P1", "A2", "2026-07-25"),
        _contract(8, "2026-08-01", 9_000, "P1", "A2"),
    ),
}

KPIS = (
    Kpi(
        id="R12",
        name="market_share",
        label=Bilingual("市场份额", "Market share"),
        meaning=Bilingual(
            "统计期在期内结束的市场销售额(由外部数据填入目标表,指标名 market_sales):同一范围、同一时间内本公司签约额(未取消)占市场销售额的比例。",
            "Over the market's sales in periods that end in the period (an outside figure, kept in the table of targets as market_sales): what was signed in the same area and days (not cancelled), as a share of them.",
        ),
        kind="result",
        nature="quality",
        unit="share",
        direction="up",
        needs=("targets", "contracts", "assignments", "people"),
        rows=markets_of_people,
        who="person_id",
        when="ends_on",
        numerator=lambda rows: rows.amount,
        min_cases=MIN_PLANS,
        denominator=lambda rows: rows.base,
        counted_over=Bilingual("同期市场销售额", "the market's sales in the same days"),
        aliases=("市场占有率", "市占率", "share of market"),
        why="What a market buys is in no CRM: somebody has to enter it, for people's areas, teams' or the company's. In a "
        "calendar year only the finest of these on file counts, since areas lie within each other. A team's or the company's "
        "figure gives the same ratio to each of its people on the last day: where only the company's is on file, every person "
        "and team shows the company's share. Counted on the last day of the figure's period, by calendar quarters and years. "
        "By value, not by units; own sales by signing, while market figures are often by delivery.",
        gaming=Bilingual(
            "把市场划得很窄,或沿用去年偏小的市场数据。",
            "The market is drawn narrowly, or last year's smaller figure is kept.",
        ),
        example=Example(
            {
                **_PEOPLE,
                "targets": (
                    _figure("company", "all", "2026-07", 1_000_000),
                    _figure("company", "all", "2026Q3", 9_000_000),
                    _figure("company", "all", "2026-08", 500_000),
                    _figure("person", "P1", "2027-07", 5_000),
                    _figure("person", "P1", "2026-07", 3_000, "signed_amount"),
                ),
            },
            "2026-07",
            "P1",
            31_000,
            500_000,
            "62,000 was signed in July in all (K7 was cancelled) of a market of 1,000,000; P1 and P2 carry half each, P3 has "
            "left. The quarter's figure does not count beside months', nor people's of another year.",
        ),
    ),
    Kpi(
        id="R14",
        name="signed_amount_in_own_territory",
        label=Bilingual("区域销售额", "Signed amount in own territory"),
        meaning=Bilingual(
            "期内签订且未取消的合同中,客户所在区域与签约当天所在团队的区域相同的合同金额之和。",
            "Sum of contracts signed in the period and not cancelled whose account lies in the region of the team that their owner was in on that day.",
        ),
        kind="result",
        nature="quantity",
        unit="money",
        direction="up",
        needs=("contracts", "accounts", "assignments", "teams"),
        rows=contracts_in_own_territory,
        who="owner_id",
        when="signed_at",
        numerator=lambda rows: rows.amount.cast("float64"),
        aliases=("区域业绩", "辖区销售额", "territory sales"),
        why="The signed amount of a team is already its territory's where teams sell at home; this leaves out what was sold "
        "elsewhere, so that the difference from signed_amount is selling into others' regions. Regions must be written the "
        "same for teams and accounts (华东 and 华东区 are two); an account or a team without one does not count.",
        gaming=Bilingual(
            "为了计入本区,修改客户的所在区域。", "An account's region is changed so that a contract counts at home."
        ),
        example=Example(
            {
                **_PEOPLE,
                "accounts": (
                    {"account_id": "A1", "region": "华东"},
                    {"account_id": "A2", "region": "华南"},
                    {"account_id": "A3"},
                ),
                "teams": (
                    {"team_id": "T1", "name": "一组", "region": "华东"},
                    {"team_id": "T2", "name": "二组", "region": "华南"},
                ),
            },
            "2026-07",
            "P1",
            44_000,
            None,
            "K1 and K3, on the last day in T1, are in the east, K2 is in T2's south; K4 is in the east when P1 had gone south, A3 "
            "has no region, K5 is P2's, K7 was cancelled, K8 is August's.",
        ),
    ),
)
