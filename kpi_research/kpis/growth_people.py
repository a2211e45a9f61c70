"""Growth KPIs of people: how soon they sell, how much they improve, how many leave."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, Rows
from kpi_research.kpis.headcount import MONTHS_OF_A_YEAR, first_month, months_of_people
from kpi_research.kpis.parts import each_row, valid_contracts
from kpi_research.kpis.result_targets import targets_of_people
from kpi_research.kpis.stacked import stacked
from kpi_research.language import Bilingual
from kpi_research.policy import MIN_PLANS

LEAST_PAIRS = 10
"""Pairs of successive attainments from which a slope is taken: with fewer it is mostly chance itself."""
POINTS = 100.0


def first_contracts_of_joiners(crm: Crm) -> ir.Table:
    """The first valid contract of everybody hired since contracts are on file, with `days` since then."""
    known_from = crm.contracts.signed_at.min().truncate("D").as_scalar()
    joiners = crm.people.filter(crm.people.hired_on >= known_from).select("person_id", "hired_on")
    contracts = valid_contracts(crm).select("owner_id", "signed_at")
    signed = joiners.inner_join(
        contracts, [joiners.person_id == contracts.owner_id, contracts.signed_at >= joiners.hired_on]
    )
    firsts = signed.group_by(["person_id", "hired_on"]).aggregate(signed_at=signed.signed_at.min())
    return firsts.mutate(days=firsts.signed_at.truncate("D").delta(firsts.hired_on.truncate("D"), unit="day"))


def improvements(crm: Crm) -> ir.Table:
    """Each target after a person's first, with `points`: the change of attainment that regression does not explain.

    Where a period's attainment lies above the mean, the next one's is expected to lie above it by `slope` times as much:
    chance does not last (Galton 1886, Regression towards mediocrity in hereditary stature; Barnett, van der Pols & Dobson
    2005, Regression to the mean: what it is and how to deal with it, Int J Epidemiol 34:215-220). The slope and the mean
    are those of all people's pairs up to that day, so that later periods change nothing.
    """
    met = targets_of_people(crm)
    met = met.mutate(now=met.amount / met.base)
    turn = ibis.window(group_by=[met.scope_id, met.length], order_by=met.ends_on)
    pairs = met.mutate(before=met.now.lag().over(turn)).filter(lambda rows: rows.before.notnull())
    of_day = pairs.group_by(["length", "ends_on"]).aggregate(
        n=pairs.now.count().cast("float64"),
        x=pairs.before.sum(),
        y=pairs.now.sum(),
        xx=(pairs.before * pairs.before).sum(),
        xy=(pairs.before * pairs.now).sum(),
    )
    so_far = ibis.window(group_by=of_day.length, order_by=of_day.ends_on, rows=(None, 0))
    sums = of_day.select(
        of_length="length",
        day="ends_on",
        **{name: of_day[name].sum().over(so_far) for name in ("n", "x", "y", "xx", "xy")},
    ).filter(lambda rows: rows.n >= LEAST_PAIRS)
    spread = sums.n * sums.xx - sums.x * sums.x
    # all equal: nobody is above the mean, so the slope does not matter
    slope = ((sums.n * sums.xy - sums.x * sums.y) / (spread > 0).ifelse(spread, ibis.null("float64"))).fill_null(1.0)
    # outside 0 to 1 it is no regression to the mean
    bounded = ibis.greatest(ibis.least(slope, ibis.literal(1.0)), ibis.literal(0.0))
    fitted = sums.select("of_length", "day", slope=bounded, mean=sums.x / sums.n)
    judged = pairs.inner_join(fitted, [pairs.length == fitted.of_length, pairs.ends_on == fitted.day])
    by_chance = (judged.slope - 1.0) * (judged.before - judged["mean"])
    return judged.select(
        person_id="scope_id", ends_on="ends_on", points=(judged.now - judged.before - by_chance) * POINTS
    )


def leavers_and_heads(crm: Crm) -> ir.Table:
    """Who left, on their last day (`left`), and everybody's time in employment (`months`)."""
    gone = crm.people.filter(crm.people.left_on >= first_month(crm))
    left = gone.select("person_id", day="left_on", left=ibis.literal(1.0), months=ibis.literal(0.0))
    heads = months_of_people(crm)
    return stacked(left, heads.select("person_id", "day", "months", left=ibis.literal(0.0)))


def _person(number: int, hired: str | None, left: str | None = None) -> dict[str, object]:
    return {"person_id": f"P{number}", "hired_on": hired, "left_on": left}


def _contract(number: int, person: int, day: str, amount: float, cancelled: str | None = None) -> dict[str, object]:
    return {
        "contract_id": f"K{number}",
        "owner_id": f"P{person}",
        "signed_at": day,
        "amount": amount,
        "cancelled_at": cancelled,
    }


_BEFORE = (50, 50, 50, 50, 50, 150, 150, 150, 150, 150)
_NOW = (80, 70, 75, 75, 75, 125, 125, 125, 125, 125)
_REACHED: Rows = {
    "targets": tuple(
        {"scope": "person", "scope_id": f"P{person}", "kpi": "signed_amount", "period": period, "base": 100}
        for person in range(1, 12)
        for period in (("2026Q2", "2026Q3") if person <= len(_NOW) else ("2026Q3",))
    ),
    "contracts": tuple(
        _contract(10 * person + turn, person, day, amount)
        for turn, (day, amounts) in enumerate({"2026-05-05": _BEFORE, "2026-08-08": (*_NOW, 990)}.items())
        for person, amount in enumerate(amounts, 1)
    ),
}

KPIS = (
    Kpi(
        id="G05",
        name="ramp_days",
        label=Bilingual("新人上手天数", "Ramp time of joiners"),
        meaning=Bilingual(
            "入职后首份有效合同签订于期内的新人,从入职到该合同的天数的中位数。",
            "Median days from hiring to the first valid contract, of those whose first contract since hiring was signed in the period.",
        ),
        kind="growth",
        nature="quality",
        unit="days",
        direction="down",
        needs=("contracts", "people"),
        rows=first_contracts_of_joiners,
        who="person_id",
        when="signed_at",
        aggregation="median",
        numerator=lambda rows: rows.days,
        aliases=("团队成长速度", "新人成长速度", "新人首单周期", "ramp-up time", "time to first deal"),
        why="The other reading, the slope of joiners' attainment by month, needs months of targets for each of them and is lost "
        "in the noise of single deals. A median, since one late starter would move a mean by weeks. Only those hired since "
        "the first contract on file: of others the first contract is not known. Who has not signed yet is not in it, so it looks "
        "good while many still wait: read it beside how many joined.",
        gaming=Bilingual(
            "把现成的客户或快签的合同交给新人。",
            "A joiner is handed an old customer or a contract that is about to be signed.",
        ),
        example=Example(
            {
                "people": (
                    _person(1, "2026-05-31"),
                    _person(2, "2026-01-05"),
                    _person(3, "2025-12-31"),
                ),
                "contracts": (
                    _contract(1, 9, "2026-01-01 10:00", 1_000),
                    _contract(2, 1, "2026-05-30", 1_000),
                    _contract(3, 1, "2026-06-10", 1_000, "2026-06-20"),
                    _contract(4, 1, "2026-07-10 16:00", 1_000),
                    _contract(5, 1, "2026-07-20", 1_000),
                    _contract(6, 2, "2026-07-20", 1_000),
                    _contract(7, 3, "2026-07-20", 1_000),
                ),
            },
            "2026-07",
            "P1",
            40,
            None,
            "31 May to 10 July; the contract of 30 May came before P1 did, that of 10 June was cancelled, the next is P1's second. "
            "P3 was hired a day before the data begin.",
        ),
    ),
    Kpi(
        id="G06",
        name="improvement",
        label=Bilingual("进步幅度", "Improvement"),
        meaning=Bilingual(
            "目标期在期内结束的个人签约额目标:达成率比本人上一个目标期提高的百分点,扣除仅由均值回归就会带来的变化后的平均值。",
            "Over people's targets for the signed amount whose period ends in the period: by how many percentage points attainment rose on the person's target before, less the change that regression to the mean alone would give; the mean of these.",
        ),
        kind="growth",
        nature="quality",
        unit="points",
        direction="up",
        needs=("targets", "contracts"),
        rows=improvements,
        who="person_id",
        when="ends_on",
        numerator=lambda rows: rows.points,
        min_cases=MIN_PLANS,
        denominator=each_row,
        counted_over=Bilingual(
            "期内到期、且本人此前已有目标的个人目标",
            "people's targets that end in the period and follow another of the same person",
        ),
        aliases=("进步奖", "进步幅度(均值回归修正)", "most improved"),
        why="After a poor quarter nearly everybody rises and after an excellent one falls, without having changed: a prize for the "
        "plain rise goes to whoever was unlucky before. How much is to be expected is read from all people's pairs of "
        "successive targets (of the same length, none later than this one): attainment above the mean returns towards it by 1 "
        "less their slope, held between 0 and 1. What lifts everybody, a season or easy targets, is left in. With fewer than ten "
        "pairs there is no value. Targets as in attainment.",
        gaming=Bilingual(
            "本期压低、下期冲高,轮流拿进步奖;或争取更低的目标。",
            "A period is kept low so that the next one rises; or a lower target is negotiated.",
        ),
        example=Example(
            _REACHED,
            "2026Q3",
            "P1",
            5,
            1,
            "Ten people: five had 50 % (mean 75 % now), five 150 % (now 125 %), so the slope is 0.5 and the mean 100 %. From 50 % "
            "chance alone gives 25 points; P1 rose by 30. P11 has no target before.",
        ),
    ),
    Kpi(
        id="G08",
        name="staff_turnover",
        label=Bilingual("员工流失率(年化)", "Staff turnover a year"),
        meaning=Bilingual(
            "期内离职人数乘以 12,除以在岗人月数(每人每月按在岗天数计,整月为 1);即按年计的离职人数占平均在岗人数的比例。",
            "People whose last day lies in the period, times 12, by person-months in employment (each person's months by the days employed, a full one being 1): leavers a year as a share of the average headcount.",
        ),
        kind="growth",
        nature="quality",
        unit="share",
        direction="down",
        needs=("people", "contracts"),
        rows=leavers_and_heads,
        who="person_id",
        when="day",
        numerator=lambda rows: rows.left * MONTHS_OF_A_YEAR,
        levels=("team", "company"),
        min_cases=MIN_PLANS,
        denominator=lambda rows: rows.months,
        counted_over=Bilingual("在岗人月数", "person-months in employment"),
        aliases=("离职率", "人员流失率", "attrition rate", "staff turnover rate"),
        why="Always per year, so that a month's can be held against a quarter's; over a full year it is leavers by average "
        "headcount. By everybody's days rather than by headcount on two days, between which people come and go. All leavers, "
        "whether they resigned or were dismissed: the table does not say. Of single people it means nothing: read it for teams "
        "and the company. A month counts as a whole for the team in which it began, an unfinished one in full; contracts are "
        "needed only to know since when the data are kept.",
        gaming=Bilingual(
            "不登记离职日期,离职的人仍算在岗。", "Leaving dates are not entered, so that those who left count as heads."
        ),
        example=Example(
            {
                "people": (
                    _person(1, "2026-07-17", "2026-09-15"),
                    _person(2, "2020-01-01"),
                    _person(3, "2020-01-01", "2026-06-15"),
                    _person(4, None, "2026-10-01"),
                ),
                "contracts": (_contract(1, 2, "2026-07-20", 1_000),),
            },
            "2026Q3",
            "P1",
            12,
            15 / 31 + 1 + 15 / 30,
            "One leaver, times 12; 15 of July's 31 days, August, 15 of September's 30 days.",
        ),
    ),
)
