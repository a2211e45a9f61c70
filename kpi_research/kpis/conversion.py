"""Process KPIs: how many leads become what they should; and how a signing is found that follows something."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row, share_of, valid_contracts
from kpi_research.language import Bilingual

QUALIFIED_WITHIN_DAYS = 30
"""A lead that nobody has judged within a month has gone cold in most trades; shorter windows are a matter of response."""
CONVERTED_WITHIN_DAYS = 60
"""Two months from a qualified lead to an opportunity: the slow half of firms still fits, and a quarter is known in time."""


def until_day(time: ir.TimestampValue, days: int) -> ir.TimestampValue:
    """The end of the day that is so many days later: what lies before it came within these days.

    Whole days are compared, since many CRMs keep no time of day for a signing or a payment: one of the same day would
    otherwise lie before what led to it.
    """
    return time.truncate("D") + ibis.interval(days=days + 1)


def within_days(event: ir.TimestampValue, start: ir.TimestampValue, days: int) -> ir.BooleanValue:
    """Whether an event came on the day of the start, or at most so many days later."""
    return (event >= start.truncate("D")) & (event < until_day(start, days))


def signing_within(crm: Crm, rows: ir.Table, *, row: str, by: str, time: str, days: int) -> ir.Table:
    """For rows that a signing followed, their id as `found` and `found_at`, the time of the first one.

    Counted are valid contracts that are no renewals, with the same `by` (an account or an opportunity), signed from the
    day of `time` to so many days later.
    """
    contracts = valid_contracts(crm)
    contracts = contracts.filter(contracts.kind.fill_null("new") != "renewal")
    signings = contracts.select(signing_of=by, signed_at="signed_at")
    begun = rows.select(found=rows[row], found_by=rows[by], begun_at=rows[time])
    pairs = begun.join(
        signings,
        [
            begun.found_by == signings.signing_of,
            signings.signed_at >= begun.begun_at.truncate("D"),
            signings.signed_at < until_day(begun.begun_at, days),
        ],
        how="inner",
    )
    return pairs.group_by("found").aggregate(found_at=pairs.signed_at.min())


def first_signings(crm: Crm) -> ir.Table:
    """When each account signed its first valid contract: `signed_by, first_signed_at`."""
    contracts = valid_contracts(crm).filter(lambda rows: rows.account_id.notnull())
    return contracts.group_by(signed_by=contracts.account_id).aggregate(first_signed_at=contracts.signed_at.min())


def _lead(
    number: str, created: str, qualified: str | None = None, converted: str | None = None, *, owner: str = "P1"
) -> dict[str, str | None]:
    return {
        "lead_id": number,
        "owner_id": owner,
        "created_at": created,
        "qualified_at": qualified,
        "converted_at": converted,
    }


KPIS = (
    Kpi(
        id="P21",
        name="qualified_leads",
        label=Bilingual("有效线索数", "Qualified leads"),
        meaning=Bilingual(
            "期内被判定为有效的线索数,按判定时间归属,与线索何时新增无关。",
            "Leads that were qualified in the period, by the time of qualification, whenever they were created.",
        ),
        kind="process",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("leads",),
        rows=lambda crm: crm.leads,
        who="owner_id",
        when="qualified_at",
        numerator=each_row,
        aliases=("有效商机数", "有效线索", "意向客户", "意向客户数", "MQL", "SQL"),
        why="By the day of qualification, so that the figure of a past period is final; a CRM's screen that counts the "
        "leads created in the period and qualified since shows a different number. A lead belongs to its present owner. "
        "Leads converted without a date of qualification do not count here.",
        gaming=Bilingual(
            "为凑数把未核实的线索判为有效:数量上升而有效线索转化率下降。",
            "Leads are called qualified without a check: their number rises while their conversion rate falls.",
        ),
        example=Example(
            {
                "leads": (
                    _lead("L1", "2026-07-01", "2026-07-01"),
                    _lead("L2", "2026-05-01", "2026-07-31 22:00"),
                    _lead("L3", "2026-07-01", "2026-08-01"),
                    _lead("L4", "2026-07-01", "2026-07-02", owner="P2"),
                    _lead("L5", "2026-07-01"),
                    _lead("L6", "2026-07-01", None, "2026-07-09"),
                )
            },
            "2026-07",
            "P1",
            2,
            None,
            "L1 and the old L2; L3 is August's, L4 is P2's, L5 and L6 have no date of qualification.",
        ),
    ),
    Kpi(
        id="",
        name="lead_qualification_rate",
        label=Bilingual("线索有效率", "Lead qualification rate"),
        meaning=Bilingual(
            f"期内新增的线索中,{QUALIFIED_WITHIN_DAYS} 天内被判定为有效的比例。",
            f"Of leads created in the period, the share qualified within {QUALIFIED_WITHIN_DAYS} days.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("leads",),
        rows=lambda crm: crm.leads,
        who="owner_id",
        when="created_at",
        numerator=share_of(lambda rows: rows.qualified_at < until_day(rows.created_at, QUALIFIED_WITHIN_DAYS)),
        denominator=each_row,
        counted_over=Bilingual("期内新增的线索", "leads created in the period"),
        matures_after_days=QUALIFIED_WITHIN_DAYS,
        aliases=("线索转化率(初步→有效)", "有效线索率", "lead acceptance rate"),
        why="The first step of P22. A cohort with a fixed window: qualified ÷ created of one and the same period mixes "
        "the old leads' qualifications with the new leads' number and jumps with every campaign. Leads whose window is "
        "not over yet are left out.",
        gaming=Bilingual(
            "线索在有把握之后才录入,录入即有效。",
            "Leads are entered only once they are sure to qualify.",
        ),
        example=Example(
            {
                "leads": (
                    _lead("L1", "2026-07-01 09:00", "2026-07-31 23:00"),
                    _lead("L2", "2026-07-01 09:00", "2026-08-01 08:00"),
                    _lead("L3", "2026-07-10"),
                    _lead("L4", "2026-06-30", "2026-07-02"),
                    _lead("L5", "2026-07-10", "2026-07-11", owner="P2"),
                )
            },
            "2026-07",
            "P1",
            1,
            3,
            "L1 was qualified on its 30th day, L2 on its 31st, L3 never; L4 is June's cohort, L5 is P2's.",
        ),
    ),
    Kpi(
        id="P22",
        name="lead_conversion_rate",
        label=Bilingual("线索转化率", "Lead conversion rate"),
        meaning=Bilingual(
            f"期内判定为有效的线索中,{CONVERTED_WITHIN_DAYS} 天内转为商机的比例。",
            f"Of leads qualified in the period, the share converted to an opportunity within {CONVERTED_WITHIN_DAYS} days.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("leads",),
        rows=lambda crm: crm.leads,
        who="owner_id",
        when="qualified_at",
        numerator=share_of(lambda rows: rows.converted_at < until_day(rows.qualified_at, CONVERTED_WITHIN_DAYS)),
        denominator=each_row,
        counted_over=Bilingual("期内判定为有效的线索", "leads qualified in the period"),
        matures_after_days=CONVERTED_WITHIN_DAYS,
        aliases=("线索转化率(有效→意向)", "有效线索转化率", "线索转商机率", "SQL conversion rate"),
        why="The second step of P22, over qualified leads and not over all that were created: that one figure mixes how "
        "good the leads were with how well they were worked. Leads that skipped qualification are in neither part; "
        "those whose window is not over yet are left out.",
        gaming=Bilingual(
            "把线索先转为商机而无实质进展,随后的赢单率会下降。",
            "Leads are converted without any progress behind it; the win rate falls later.",
        ),
        example=Example(
            {
                "leads": (
                    _lead("L1", "2026-06-20", "2026-07-01 18:00", "2026-08-30 19:00"),
                    _lead("L2", "2026-06-20", "2026-07-01", "2026-08-31"),
                    _lead("L3", "2026-07-01", "2026-07-20"),
                    _lead("L4", "2026-07-01", None, "2026-07-20"),
                    _lead("L5", "2026-06-20", "2026-06-30", "2026-07-02"),
                )
            },
            "2026-07",
            "P1",
            1,
            3,
            "L1 was converted on the 60th day, L2 on the 61st, L3 not at all; L4 was never qualified, L5 is June's cohort.",
        ),
    ),
)
