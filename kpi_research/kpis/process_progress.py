"""Process KPIs: whether opportunities move on, in time; and which of their stage changes are progress."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.conversion import until_day
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.kpis.process import CONTACTS
from kpi_research.language import Bilingual

ADVANCED_WITHIN_DAYS = 30
"""A month after the contact: later moves have other reasons."""


def deals(crm: Crm) -> ir.Table:
    """Opportunities with `ended_at`, null while they are open."""
    rows = crm.opportunities
    rows = rows.filter((rows.outcome == "open") | rows.closed_at.notnull())
    return rows.select(
        "opportunity_id",
        "owner_id",
        "outcome",
        created_at=rows.created_at.cast("timestamp"),
        ended_at=(rows.outcome == "open").ifelse(ibis.null("timestamp"), rows.closed_at.cast("timestamp")),
    )


def nodes(crm: Crm) -> ir.Table:
    """The first entry of every opportunity into each of its stages: `entered_at`, and `done_at`, when it went on.

    Stages have no order that every CRM keeps, so a stage counts as progress where the opportunity has not been in it
    before. What a lost or void opportunity enters on its last day is its end and none; winning is progress.
    """
    changes = crm.stage_changes
    opened = deals(crm)
    entries = changes.group_by(of="opportunity_id", node="stage").aggregate(
        entered_at=changes.entered_at.min().cast("timestamp")
    )
    rows = entries.join(opened, entries.of == opened.opportunity_id, how="inner")
    given_up = rows.outcome.isin(["lost", "void"]) & (rows.entered_at >= rows.ended_at.truncate("D"))
    rows = rows.filter(~given_up.fill_null(False))
    order = ibis.window(group_by=rows.of, order_by=[rows.entered_at, rows.node])
    rows = rows.mutate(nth=ibis.row_number().over(order), following=rows.entered_at.lead().over(order))
    won_at = (rows.outcome == "won").ifelse(rows.ended_at, ibis.null("timestamp"))
    done_at = ibis.least(rows.following.fill_null(won_at), won_at.fill_null(rows.following))
    return rows.mutate(done_at=done_at)


def advances(crm: Crm) -> ir.Table:
    """When opportunities went on to a stage that they had not been in, or were won: `advanced, advanced_at`.

    The first recorded stage is progress only if the opportunity had been there on an earlier day, without a stage.
    """
    entries = nodes(crm)
    entries = entries.filter((entries.nth > 0) | (entries.created_at < entries.entered_at.truncate("D")))
    won = deals(crm).filter(lambda rows: rows.outcome == "won")
    return entries.select(advanced="of", advanced_at="entered_at").union(
        won.select(advanced="opportunity_id", advanced_at="ended_at")
    )


def contacts_while_open(crm: Crm) -> ir.Table:
    """Contacts about opportunities that were open on that day, with their `owner_id`; `contacted_at`."""
    contacts = crm.activities.filter(crm.activities.kind.isin(CONTACTS) & crm.activities.opportunity_id.notnull())
    contacts = contacts.select(about="opportunity_id", contacted_at="occurred_at")
    opened = deals(crm)
    rows = contacts.join(opened, contacts.about == opened.opportunity_id, how="inner")
    begun = rows.created_at.isnull() | (rows.contacted_at >= rows.created_at.truncate("D"))
    return rows.filter(begun, rows.ended_at.isnull() | (rows.contacted_at < until_day(rows.ended_at, 0)))


def followed_opportunities(crm: Crm) -> ir.Table:
    """Opportunities by calendar month with a contact: its first, and `moved` where they advanced after it."""
    contacts = contacts_while_open(crm)
    contacts = contacts.mutate(month=contacts.contacted_at.truncate("M"))
    followed = contacts.group_by(["opportunity_id", "owner_id", "month"]).aggregate(
        contacted_at=contacts.contacted_at.min()
    )
    moves = advances(crm)
    pairs = followed.join(
        moves,
        [
            followed.opportunity_id == moves.advanced,
            moves.advanced_at >= followed.contacted_at.truncate("D"),
            moves.advanced_at < until_day(followed.contacted_at, ADVANCED_WITHIN_DAYS),
        ],
        how="inner",
    )
    moved = pairs.select(moved="opportunity_id", moved_in="month").distinct()
    return followed.left_join(moved, [followed.opportunity_id == moved.moved, followed.month == moved.moved_in])


def _deal(
    number: str,
    created: str | None,
    closed: str | None = None,
    outcome: str = "open",
    *,
    owner: str = "P1",
) -> dict[str, str | None]:
    return {
        "opportunity_id": number,
        "owner_id": owner,
        "created_at": created,
        "closed_at": closed,
        "outcome": outcome,
    }


def _entered(opportunity: str, stage: str, day: str) -> dict[str, str]:
    return {"opportunity_id": opportunity, "stage": stage, "entered_at": day}


def _contact(
    number: str, opportunity: str | None, day: str, kind: str = "call", person: str = "P1"
) -> dict[str, str | None]:
    return {
        "activity_id": number,
        "person_id": person,
        "kind": kind,
        "opportunity_id": opportunity,
        "occurred_at": day,
    }


KPIS = (
    Kpi(
        id="P18",
        name="follow_up_success_rate",
        label=Bilingual("客户跟进成功率", "Follow-up success rate"),
        meaning=Bilingual(
            f"期内有跟进的未关闭商机(每个商机每个自然月计一次)中,自当月首次跟进起 {ADVANCED_WITHIN_DAYS} 天内推进到新阶段"
            "或赢单的比例。",
            f"Of open opportunities followed up in the period (each once a calendar month), the share that moved on to a new "
            f"stage or was won within {ADVANCED_WITHIN_DAYS} days of that month's first follow-up.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("activities", "opportunities", "stage_changes"),
        rows=followed_opportunities,
        who="owner_id",
        when="contacted_at",
        numerator=share_of(lambda rows: rows.moved.notnull()),
        denominator=each_row,
        counted_over=Bilingual("有跟进的商机,按自然月计", "opportunities followed up, once a calendar month"),
        matures_after_days=ADVANCED_WITHIN_DAYS,
        aliases=("跟进成功率", "跟进推进率", "follow-up conversion"),
        why="Over opportunities and not over follow-ups: otherwise ten calls about a stuck deal weigh ten times. A new stage "
        "is one that the opportunity has not been in before, so that a step back and forth is no success; whether it was the "
        "next one or several are skipped does not matter. It belongs to the opportunity's owner, whoever made the contact. "
        "That a deal moves after a contact does not show that it moved because of it.",
        gaming=Bilingual(
            "先推进阶段再补一条跟进;只跟进本来就要推进的商机。",
            "The stage is moved first and the contact entered afterwards; only deals that move anyway are followed up.",
        ),
        example=Example(
            {
                "opportunities": (
                    _deal("O1", "2026-06-01"),
                    _deal("O2", "2026-06-01"),
                    _deal("O3", "2026-06-01"),
                    _deal("O4", "2026-06-01", "2026-07-20", "lost"),
                    _deal("O5", "2026-06-01", "2026-07-25", "won"),
                    _deal("O6", "2026-06-01", "2026-07-05", "lost"),
                    _deal("O7", "2026-06-01", owner="P2"),
                    _deal("O8", "2026-06-20"),
                    _deal("O9", "2026-06-01"),
                ),
                "stage_changes": (
                    *(_entered(f"O{number}", "A", "2026-06-01") for number in (1, 2, 3, 4, 5, 6, 7, 9)),
                    _entered("O1", "B", "2026-07-31 20:00"),
                    _entered("O2", "B", "2026-08-01"),
                    _entered("O3", "B", "2026-06-10"),
                    _entered("O3", "A", "2026-07-10"),
                    _entered("O3", "B", "2026-07-12"),
                    _entered("O4", "输单", "2026-07-20"),
                    _entered("O8", "B", "2026-07-10"),
                    _entered("O9", "B", "2026-07-30"),
                ),
                "activities": (
                    _contact("1", "O1", "2026-07-01 10:00"),
                    _contact("2", "O1", "2026-07-20"),
                    _contact("3", "O2", "2026-07-02 10:00", person="P2"),
                    _contact("4", "O3", "2026-07-02"),
                    _contact("5", "O4", "2026-07-02"),
                    _contact("6", "O5", "2026-07-02"),
                    _contact("7", "O6", "2026-07-06"),
                    _contact("8", "O7", "2026-07-06"),
                    _contact("9", "O8", "2026-07-02"),
                    _contact("10", "O9", "2026-07-02", kind="note"),
                    _contact("11", None, "2026-07-02"),
                    _contact("12", "O2", "2026-06-30"),
                ),
            },
            "2026-07",
            "P1",
            4,
            6,
            "O1 moved on day 30, O2 on day 30 of P2's contact of 2 July, O5 was won, O8 got its first stage. O3 only went "
            "back and forth, O4 was lost. O6 had ended the day before, O7 is P2's, O9 has a note only; O2's June is June's.",
        ),
    ),
)
