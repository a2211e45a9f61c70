"""Result KPIs that compare: with a year or a quarter before, and by head."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.headcount import MONTHS_OF_A_YEAR, months_of_people
from kpi_research.kpis.parts import valid_contracts
from kpi_research.kpis.stacked import stacked
from kpi_research.language import Bilingual
from kpi_research.policy import MIN_PLANS

QUARTER_MONTHS = 3
YEAR_DAYS, QUARTER_DAYS = 366, 92
"""The longest year and quarter: a period is compared only where all of the one before it lies within the data."""


def against_months_before(crm: Crm, months: int) -> ir.Table:
    """Each contract on its day (`amount`), and so many months later as what that time is compared with (`before`)."""
    contracts = valid_contracts(crm)
    worth = contracts.amount.cast("float64")
    now = contracts.select("owner_id", day="signed_at", amount=worth, before=ibis.literal(0.0))
    later = contracts.signed_at + ibis.interval(months=months)
    return stacked(now, contracts.select("owner_id", day=later, amount=ibis.literal(0.0), before=worth))


def contracts_and_heads(crm: Crm) -> ir.Table:
    """Contracts (`amount`), and everybody's time in employment (`months`)."""
    contracts = valid_contracts(crm)
    worth = contracts.amount.cast("float64")
    sold = contracts.select(person_id="owner_id", day="signed_at", amount=worth, months=ibis.literal(0.0))
    heads = months_of_people(crm)
    time = heads.select("person_id", day="day", amount=ibis.literal(0.0), months="months")
    return stacked(sold, time)


def _contract(number: int, day: str, amount: int, owner: str = "P1", cancelled: str | None = None) -> dict[str, object]:
    return {
        "contract_id": f"K{number}",
        "owner_id": owner,
        "signed_at": day,
        "amount": amount,
        "cancelled_at": cancelled,
    }


_GAMING = Bilingual(
    "去年同期(或上期)压低,今年(或本期)就显得增长;应看连续几期。",
    "Signings are put off from a period so that the next looks like growth: look at several in a row.",
)

KPIS = (
    Kpi(
        id="R18",
        name="signed_amount_growth_on_year",
        label=Bilingual("业绩同比增长率", "Growth on the same period last year"),
        meaning=Bilingual(
            "期内签约额(未取消)减去去年同期签约额,再除以去年同期签约额。",
            "Signed amount of the period (not cancelled) less that of the same period a year before, as a share of the latter.",
        ),
        kind="result",
        nature="quantity",
        unit="share",
        direction="up",
        needs=("contracts",),
        rows=lambda crm: against_months_before(crm, MONTHS_OF_A_YEAR),
        who="owner_id",
        when="day",
        numerator=lambda rows: rows.amount - rows.before,
        denominator=lambda rows: rows.before,
        counted_over=Bilingual("去年同期签约额", "signed amount of the same period last year"),
        history_days=YEAR_DAYS,
        aliases=("同比增长", "业绩同比", "销售同比", "YoY growth", "year-on-year growth"),
        why="Against the same season. Each contract counts again a year later by the calendar, so months, quarters and years "
        "are compared exactly, weeks and single days with other weekdays. A group is compared with what its present members "
        "signed a year before, wherever they were then; what was signed by who has left is in the company's figure alone. One "
        "large contract moves it two years running: up, then down.",
        gaming=_GAMING,
        example=Example(
            {
                "contracts": (
                    _contract(1, "2026-07-01", 30_000),
                    _contract(2, "2026-07-31 23:00", 20_000),
                    _contract(3, "2025-07-01", 25_000),
                    _contract(4, "2025-07-31 23:00", 15_000),
                    _contract(5, "2025-06-30 23:00", 90_000),
                    _contract(6, "2025-08-01", 80_000),
                    _contract(7, "2025-07-10", 70_000, "P2"),
                    _contract(8, "2025-07-10", 60_000, cancelled="2025-09-01"),
                    _contract(9, "2024-07-10", 50_000),
                )
            },
            "2026-07",
            "P1",
            10_000,
            40_000,
            "50,000 against 25,000 + 15,000 in July 2025: 25 %.",
        ),
    ),
    Kpi(
        id="",
        name="signed_amount_growth_on_quarter",
        label=Bilingual("业绩季度环比增长率", "Growth on the quarter before"),
        meaning=Bilingual(
            "期内签约额(未取消)减去三个月前同长度期间的签约额,再除以后者;用于季度时即季度环比。",
            "Signed amount of the period (not cancelled) less that of the same stretch three months before, as a share of the latter; of a quarter that is the quarter before.",
        ),
        kind="result",
        nature="quantity",
        unit="share",
        direction="up",
        needs=("contracts",),
        rows=lambda crm: against_months_before(crm, QUARTER_MONTHS),
        who="owner_id",
        when="day",
        numerator=lambda rows: rows.amount - rows.before,
        denominator=lambda rows: rows.before,
        counted_over=Bilingual("三个月前同长度期间的签约额", "signed amount of the same stretch three months before"),
        history_days=QUARTER_DAYS,
        aliases=("环比增长", "季度环比", "QoQ growth", "quarter-on-quarter growth"),
        why="For quarters. A month is compared with the month three months before, not with the last one, and a year with the "
        "year that ended three months earlier: there read signed_amount_growth_on_year. Seasons are in it, so the first "
        "quarter falls every year in which the new year's feast lies in it.",
        gaming=_GAMING,
        example=Example(
            {
                "contracts": (
                    _contract(1, "2026-07-01", 30_000),
                    _contract(2, "2026-09-30 23:00", 6_000),
                    _contract(3, "2026-04-01", 25_000),
                    _contract(4, "2026-06-30 23:00", 15_000),
                    _contract(5, "2026-03-31 23:00", 90_000),
                    _contract(6, "2026-05-10", 70_000, "P2"),
                    _contract(7, "2026-05-10", 60_000, cancelled="2026-06-01"),
                    _contract(8, "2026-10-01", 60_000),
                )
            },
            "2026Q3",
            "P1",
            -4_000,
            40_000,
            "36,000 against 25,000 + 15,000 in the second quarter: -10 %.",
        ),
    ),
    Kpi(
        id="R19",
        name="signed_amount_per_head",
        label=Bilingual("人效", "Signed amount per head and year"),
        meaning=Bilingual(
            "期内签约额(未取消)乘以 12,除以在岗人月数(每人每月按在岗天数计,整月为 1);即每人每年的签约额。",
            "Signed amount of the period (not cancelled) times 12, by person-months in employment (each person's months by the days employed, a full one being 1): money per head and year.",
        ),
        kind="result",
        nature="quantity",
        unit="money",
        direction="up",
        needs=("contracts", "people"),
        rows=contracts_and_heads,
        who="person_id",
        when="day",
        numerator=lambda rows: rows.amount * MONTHS_OF_A_YEAR,
        min_cases=MIN_PLANS,
        denominator=lambda rows: rows.months,
        counted_over=Bilingual("在岗人月数", "person-months in employment"),
        aliases=("人均产出", "人均销售额", "人均效能", "revenue per head", "sales productivity"),
        why="Per year whatever the period: a quarter's amount by its average headcount would be a quarter of it. Over a full "
        "year it is the amount by the average headcount. By days, so that who joined in December does not count as a year. "
        "Everybody in the table of people counts, supporting roles included. A month counts as a whole for the team in which it "
        "began, and an unfinished one is counted in full: for months and longer, and low for a period that is not over.",
        gaming=Bilingual(
            "把做销售的人挂在别的部门,或用外包人员;人头少了,人效就高。",
            "Sellers are kept on another department's list or hired from outside: fewer heads, more per head.",
        ),
        example=Example(
            {
                "people": (
                    {"person_id": "P1", "hired_on": "2026-07-17", "left_on": "2026-09-15"},
                    {"person_id": "P2"},
                ),
                "contracts": (
                    _contract(1, "2026-07-20", 30_000),
                    _contract(2, "2026-09-15 18:00", 20_000),
                    _contract(3, "2026-08-15", 40_000, cancelled="2026-08-16"),
                    _contract(4, "2026-08-15", 50_000, "P2"),
                    _contract(5, "2026-06-15", 60_000, "P2"),
                ),
            },
            "2026Q3",
            "P1",
            600_000,
            15 / 31 + 1 + 15 / 30,
            "50,000 times 12; 15 of July's 31 days, August, and 15 of September's 30 days are 1.98 months.",
        ),
    ),
)
