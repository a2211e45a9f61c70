"""Efficiency KPIs of stages: deals that stand still, and how long the last step to the signature takes."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row, valid_contracts
from kpi_research.language import Bilingual

STALLED_AFTER_DAYS = 30
"""A month in one stage: longer than a step takes in most sales processes, and a month's review finds it."""


def opened_opportunities(crm: Crm) -> ir.Table:
    """Opportunities with `opened_at` and `ended_at`: open from the one to the other, null where they still are."""
    changes = crm.stage_changes
    first = changes.group_by(begun="opportunity_id").aggregate(first_entered_at=changes.entered_at.min())
    rows = crm.opportunities.left_join(first, crm.opportunities.opportunity_id == first.begun)
    rows = rows.filter((rows.outcome == "open") | rows.closed_at.notnull())
    # one type of time for all columns, since rows of different origin are put under each other
    return rows.select(
        "opportunity_id",
        "owner_id",
        opened_at=rows.created_at.coalesce(rows.first_entered_at).cast("timestamp"),
        ended_at=(rows.outcome == "open").ifelse(ibis.null("timestamp"), rows.closed_at.cast("timestamp")),
    )


def stays(crm: Crm) -> ir.Table:
    """Every stay of an opportunity in a stage: `entered_at` and `left_at`, null where it is still in it.

    A record of the stage that it is in already does not begin a new stay. Before the first recorded stage it is in one
    that has no record, from its opening on.
    """
    changes = crm.stage_changes
    before = changes.stage.lag().over(group_by=changes.opportunity_id, order_by=[changes.entered_at, changes.stage])
    changes = changes.mutate(before=before)
    changes = changes.filter(changes.before.isnull() | (changes.before != changes.stage))
    changes = changes.select(of="opportunity_id", at=changes.entered_at.cast("timestamp"))
    opened = opened_opportunities(crm)
    recorded = opened.join(changes, opened.opportunity_id == changes.of, how="inner")
    columns = ["opportunity_id", "owner_id", "ended_at"]
    entries = opened.select(*columns, entered_at="opened_at").union(
        recorded.select(*columns, entered_at=ibis.greatest(recorded.at, recorded.opened_at))
    )
    following = entries.entered_at.lead().over(group_by=entries.opportunity_id, order_by=entries.entered_at)
    entries = entries.mutate(following=following)
    earliest = ibis.least(entries.following.fill_null(entries.ended_at), entries.ended_at.fill_null(entries.following))
    return entries.mutate(left_at=earliest)


def open_and_stalled(crm: Crm) -> ir.Table:
    """A row for the time that an opportunity is open, and one for each time that it is stalled; `is_open` and `is_stalled`."""
    opened = opened_opportunities(crm)
    stalled = stays(crm)
    after = stalled.entered_at.truncate("D") + ibis.interval(days=STALLED_AFTER_DAYS + 1)
    return opened.select(
        "owner_id", since="opened_at", until="ended_at", is_open=ibis.literal(1.0), is_stalled=ibis.literal(0.0)
    ).union(
        stalled.select(
            "owner_id", since=after, until="left_at", is_open=ibis.literal(0.0), is_stalled=ibis.literal(1.0)
        )
    )


def signings_with_last_stage(crm: Crm) -> ir.Table:
    """The first valid contract of every opportunity with `agreed_at`, when the last stage before that day was entered."""
    contracts = valid_contracts(crm).filter(lambda rows: rows.opportunity_id.notnull())
    order = ibis.row_number().over(
        group_by=contracts.opportunity_id, order_by=[contracts.signed_at, contracts.contract_id]
    )
    contracts = contracts.mutate(nth=order).filter(lambda rows: rows.nth == 0)
    changes = crm.stage_changes.select(of="opportunity_id", at="entered_at")
    signed = contracts.select(agreed_for="contract_id", through="opportunity_id", on="signed_at")
    before = signed.join(changes, [signed.through == changes.of, changes.at < signed.on.truncate("D")], how="inner")
    last = before.group_by("agreed_for").aggregate(agreed_at=before.at.max())
    rows = contracts.left_join(last, contracts.contract_id == last.agreed_for)
    return rows.filter(rows.agreed_at.notnull())


def _opportunity(
    number: str, created: str | None, closed: str | None = None, owner: str = "P1"
) -> dict[str, str | None]:
    outcome = "won" if closed else "open"
    return {"opportunity_id": number, "owner_id": owner, "created_at": created, "closed_at": closed, "outcome": outcome}


def _entered(opportunity: str, stage: str, day: str) -> dict[str, str]:
    return {"opportunity_id": opportunity, "stage": stage, "entered_at": day}


def _contract(
    number: str, opportunity: str | None, signed: str, cancelled: str | None = None, owner: str = "P1"
) -> dict[str, str | int | None]:
    return {
        "contract_id": number,
        "opportunity_id": opportunity,
        "owner_id": owner,
        "signed_at": signed,
        "amount": 1,
        "cancelled_at": cancelled,
    }


KPIS = (
    Kpi(
        id="E02",
        name="signing_cycle_days",
        label=Bilingual("合同签约周期", "Days to signature"),
        meaning=Bilingual(
            "期内签订的商机首份有效合同,从签订日之前进入的最后一个阶段(条件谈定)到签订的平均天数。",
            "Of opportunities' first valid contracts signed in the period, mean days from entering the last stage before the "
            "day of signing (terms agreed) to signing.",
        ),
        kind="efficiency",
        nature="quality",
        unit="days",
        direction="down",
        needs=("contracts", "stage_changes"),
        rows=signings_with_last_stage,
        who="owner_id",
        when="signed_at",
        numerator=lambda rows: rows.signed_at.truncate("D").delta(rows.agreed_at.truncate("D"), unit="day"),
        denominator=each_row,
        counted_over=Bilingual("期内签订且有阶段记录的合同", "contracts signed in the period whose stages are on file"),
        aliases=("签约周期", "合同签订周期", "contract turnaround"),
        why="No CRM keeps when terms were agreed; the last stage before the signature is the nearest record. A stage of the "
        "very day of signing is taken for the signing itself (won). Contracts without an opportunity or an earlier stage "
        "are left out, and an opportunity's later contracts too: its stages do not lead to them.",
        gaming=Bilingual(
            "签约前一天才补推阶段,周期变成一天。",
            "The stage is moved on the eve of the signature, so that it seems to take a day.",
        ),
        example=Example(
            {
                "contracts": (
                    _contract("K1", "O1", "2026-07-20"),
                    _contract("K2", "O1", "2026-07-30"),
                    _contract("K3", "O3", "2026-07-05 09:00"),
                    _contract("K4", "O3", "2026-07-03", cancelled="2026-07-04"),
                    _contract("K5", None, "2026-07-20"),
                    _contract("K6", "O6", "2026-07-06"),
                    _contract("K7", "O7", "2026-07-20", owner="P2"),
                ),
                "stage_changes": (
                    _entered("O1", "方案", "2026-06-20"),
                    _entered("O1", "谈判", "2026-07-10 18:00"),
                    _entered("O1", "赢单", "2026-07-20"),
                    _entered("O3", "谈判", "2026-07-01 20:00"),
                    _entered("O6", "谈判", "2026-07-06"),
                    _entered("O7", "谈判", "2026-07-01"),
                ),
            },
            "2026-07",
            "P1",
            14,
            2,
            "K1: 10 to 20 July, 10 days; K3: 4 days, K4 being cancelled. K2 is O1's second, K5 has no opportunity, K6 no stage "
            "before its day, K7 is P2's.",
        ),
    ),
    Kpi(
        id="E03",
        name="stalled_share",
        label=Bilingual("阶段停滞商机占比", "Stalled opportunities"),
        meaning=Bilingual(
            f"期末未关闭的商机中,在当前阶段停留超过 {STALLED_AFTER_DAYS} 天的比例。",
            f"Of opportunities open at the end of the period, the share that has been in its stage for more than "
            f"{STALLED_AFTER_DAYS} days.",
        ),
        kind="efficiency",
        nature="quality",
        unit="share",
        direction="down",
        needs=("opportunities", "stage_changes"),
        rows=open_and_stalled,
        who="owner_id",
        when="since",
        until="until",
        aggregation="at_end",
        numerator=lambda rows: rows.is_stalled,
        denominator=lambda rows: rows.is_open,
        counted_over=Bilingual("期末未关闭的商机", "opportunities open at the end of the period"),
        aliases=("阶段停滞天数", "停滞商机比例", "stage stagnation", "stale deals"),
        why="A share over a limit, since the mean of days in stage is ruled by a few forgotten deals. One limit for all "
        "stages: a limit of its own for each would need the client's stage model. A stage that is recorded again while in "
        "it does not restart the clock, and without any record the days run from creation. An opportunity closed on the "
        "last day is not open at its end.",
        gaming=Bilingual(
            "来回改阶段,或把停滞的商机关闭后重新创建。",
            "Stages are moved to and fro, or stalled deals are closed and created anew.",
        ),
        example=Example(
            {
                "opportunities": (
                    _opportunity("O1", "2026-06-01"),
                    _opportunity("O2", "2026-07-01"),
                    _opportunity("O3", "2026-05-01"),
                    _opportunity("O4", "2026-05-01", "2026-07-31"),
                    _opportunity("O5", "2026-05-01"),
                    _opportunity("O6", "2026-05-01"),
                    _opportunity("O7", "2026-05-01", owner="P2"),
                    _opportunity("O8", "2026-08-01"),
                    _opportunity("O9", None),
                    _opportunity("O10", "2026-05-01", "2026-08-03"),
                ),
                "stage_changes": (
                    _entered("O1", "A", "2026-06-01"),
                    _entered("O1", "B", "2026-06-30 20:00"),
                    _entered("O2", "A", "2026-07-01"),
                    _entered("O5", "A", "2026-05-01"),
                    _entered("O5", "A", "2026-07-20"),
                    _entered("O6", "A", "2026-05-01"),
                    _entered("O6", "B", "2026-07-20"),
                    _entered("O9", "A", "2026-07-25"),
                    _entered("O10", "B", "2026-08-01"),
                ),
            },
            "2026-07",
            "P1",
            4,
            7,
            "Stalled: O1 (31 days in B), O3 (no stage on file), O5 (A again is no move), O10 (moved in August only). Open too: "
            "O2 (30 days), O6 and O9. O4 closed on the last day, O7 is P2's, O8 came later.",
        ),
    ),
)
