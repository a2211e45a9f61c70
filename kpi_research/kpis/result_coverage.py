"""Result KPIs: how much of the target list buys, and how much of it is seen."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import held_after, valid_contracts
from kpi_research.kpis.process import CONTACTS
from kpi_research.kpis.stacked import stacked
from kpi_research.language import Bilingual

ORDERED_WITHIN_DAYS = 365
"""How far back an order covers an account: one budget year, in which whoever buys yearly has bought once."""
SEEN_WITHIN_DAYS = 90
"""How far back a contact covers an account: a quarter, the longest round in which a list is worked through."""


def orders_on_the_list(crm: Crm) -> ir.Table:
    """Accounts with a tier (`listed`), and when they had ordered within the year (`covered`)."""
    return _covered(crm, valid_contracts(crm).select("account_id", at="signed_at"), days=ORDERED_WITHIN_DAYS)


def contacts_on_the_list(crm: Crm) -> ir.Table:
    """Accounts with a tier (`listed`), and when they had been contacted within the quarter (`covered`)."""
    contacts = crm.activities.filter(crm.activities.kind.isin(CONTACTS)).select("account_id", at="occurred_at")
    return _covered(crm, contacts, days=SEEN_WITHIN_DAYS)


def _covered(crm: Crm, events: ir.Table, *, days: int) -> ir.Table:
    """An account is on the list from its creation or first event; without either, from the first event of any account."""
    firsts = events.group_by(of_account=events.account_id).aggregate(first_at=events["at"].min())
    accounts = crm.accounts.filter(crm.accounts.tier.notnull()).select("account_id", "owner_id", "created_at")
    listed = accounts.left_join(firsts, accounts.account_id == firsts.of_account)
    created = ibis.coalesce(listed.created_at, events["at"].min().as_scalar())
    since = ibis.least(created, listed.first_at.fill_null(created))
    on_list = listed.select(
        "owner_id",
        since=since,
        until=ibis.null(listed.created_at.type()),
        listed=ibis.literal(1.0),
        covered=ibis.literal(0.0),
    )
    of_list = events.inner_join(accounts, "account_id").select("account_id", "owner_id", "at")
    held = held_after(of_list, "at", by="account_id", days=days)
    covered = held.select(
        "owner_id",
        since="at",
        until=held.holds_until,
        listed=ibis.literal(0.0),
        covered=ibis.literal(1.0),
    )
    return stacked(on_list, covered)


def _account(number: int, tier: str | None, created: str | None = "2024-02-01", owner: str = "P1") -> dict[str, object]:
    return {"account_id": f"A{number}", "tier": tier, "owner_id": owner, "created_at": created}


def _order(number: int, account: int, day: str, cancelled: str | None = None) -> dict[str, object]:
    return {
        "contract_id": f"K{number}",
        "account_id": f"A{account}",
        "owner_id": "P9",
        "signed_at": day,
        "amount": 1_000,
        "cancelled_at": cancelled,
    }


def _contact(number: int, account: int, day: str, kind: str = "visit") -> dict[str, object]:
    return {
        "activity_id": str(number),
        "person_id": "P1",
        "kind": kind,
        "account_id": f"A{account}",
        "occurred_at": day,
    }


_LIST = (
    _account(1, "A"),
    _account(2, "B"),
    _account(3, "C", None),
    _account(4, None),
    _account(5, "A", owner="P2"),
    _account(6, "A", "2026-08-01"),
    _account(7, "A", "2026-07-31 17:00"),
    _account(8, "B"),
)
_GAMING = Bilingual(
    "把不买的客户从名单(等级)中去掉,覆盖率就上升;名单应在期初锁定。",
    "Accounts that do not buy are taken off the list by emptying their tier: fix the list before the period.",
)
_LIST_TODAY = (
    "The list is the accounts that have a tier today: earlier lists are not on file, so that past periods are seen through "
    "today's list and today's owners. An account is on it from its creation, or from its first {event} where that came first. "
)
_COUNTED_OVER = Bilingual("期末名单上的客户(已定等级)", "accounts on the list (with a tier) at the end of the period")

KPIS = (
    Kpi(
        id="R13",
        name="market_coverage",
        label=Bilingual("市场覆盖率", "Market coverage"),
        meaning=Bilingual(
            "期末目标名单上的客户(已定等级)中,最近 365 天内签过有效合同的比例。",
            "Of the accounts on the target list (those with a tier) at the end of the period, the share that signed a valid contract within the last 365 days.",
        ),
        kind="result",
        nature="quality",
        unit="share",
        direction="up",
        # contracts first: the history that the definition looks back in is theirs
        needs=("contracts", "accounts"),
        rows=orders_on_the_list,
        who="owner_id",
        when="since",
        until="until",
        aggregation="at_end",
        numerator=lambda rows: rows.covered,
        denominator=lambda rows: rows.listed,
        counted_over=_COUNTED_OVER,
        history_days=ORDERED_WITHIN_DAYS,
        aliases=("客户覆盖率", "目标客户覆盖率", "account coverage", "penetration"),
        why=_LIST_TODAY.format(event="order") + "Belongs to the account's owner, whoever signed.",
        gaming=_GAMING,
        example=Example(
            {
                "accounts": _LIST,
                "contracts": (
                    _order(1, 1, "2025-08-01 09:00"),
                    _order(2, 1, "2026-02-01"),
                    _order(3, 2, "2025-07-31 09:00"),
                    _order(4, 3, "2026-07-31 18:00"),
                    _order(5, 4, "2026-07-01"),
                    _order(6, 5, "2026-07-01"),
                    _order(7, 8, "2026-07-01", cancelled="2026-07-09"),
                    _order(8, 3, "2025-06-01"),
                ),
            },
            "2026-07",
            "P1",
            2,
            5,
            "On P1's list are A1, A2, A3, A7 and A8 (A4 has no tier, A5 is P2's, A6 comes in August). A1 and A3 ordered; A2's "
            "order is 365 days old, A8's was cancelled.",
        ),
    ),
    Kpi(
        id="",
        name="contact_coverage",
        label=Bilingual("客户触达覆盖率", "Contact coverage"),
        meaning=Bilingual(
            "期末目标名单上的客户(已定等级)中,最近 90 天内被联系过(拜访、电话、会议、消息等)的比例。",
            "Of the accounts on the target list (those with a tier) at the end of the period, the share that was contacted (visit, call, meeting, message ...) within the last 90 days.",
        ),
        kind="process",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("activities", "accounts"),
        rows=contacts_on_the_list,
        who="owner_id",
        when="since",
        until="until",
        aggregation="at_end",
        numerator=lambda rows: rows.covered,
        denominator=lambda rows: rows.listed,
        counted_over=_COUNTED_OVER,
        history_days=SEEN_WITHIN_DAYS,
        aliases=("名单触达率", "目标客户触达率", "contacted accounts"),
        why=_LIST_TODAY.format(event="contact") + "Belongs to the account's owner, whoever made the contact. The other "
        "reading of coverage: what was done rather than what came of it, so it is a process KPI.",
        gaming=Bilingual(
            "给整个名单群发消息就能达到 100%;应同时看有效拜访。",
            "A message sent to the whole list gives 100 %: look at effective visits as well.",
        ),
        example=Example(
            {
                "accounts": _LIST,
                "activities": (
                    _contact(1, 1, "2026-05-03 08:00"),
                    _contact(2, 2, "2026-05-02 20:00"),
                    _contact(3, 3, "2026-06-20", "call"),
                    _contact(4, 3, "2026-07-20", "message"),
                    _contact(5, 4, "2026-07-20"),
                    _contact(6, 5, "2026-07-20"),
                    _contact(7, 7, "2026-08-01"),
                    _contact(8, 8, "2026-07-20", "plan"),
                    _contact(9, 8, "2026-01-05"),
                ),
            },
            "2026-07",
            "P1",
            2,
            5,
            "Of A1, A2, A3, A7 and A8 P1 saw A1 on the first of the last 90 days and A3; A2 a day before them, A7 in August; "
            "a plan is no contact.",
        ),
    ),
)
