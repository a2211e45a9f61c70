"""What every CRM must become: the canonical tables, as data.

Ids are text. Times are the tenant's local time without a zone. Money stands beside its `currency`. Durations end in
`_hours` or `_days`, shares are 0 to 1. A column may be null only where it says `nullable`.
"""

from __future__ import annotations

from kpi_research.crm.rules import (
    closed_after_created,
    closed_when_decided,
    ends_after_start,
    left_after_hired,
    rating_within_scale,
    recorded_after_occurred,
    score_within_scale,
)
from kpi_research.crm.table import Column, Rule, Table

_ID = Column("id")
_ID_OR_NULL = Column("id", nullable=True)
_TEXT = Column("text", nullable=True)
_DATE = Column("date", nullable=True)
_TIME = Column("time", nullable=True)
_NUMBER = Column("number", nullable=True)
_CURRENCY = Column("text", nullable=True)
_OWNER = Column("id", nullable=True, refers="people", unmatched="count")
_ACCOUNT = Column("id", nullable=True, refers="accounts", unmatched="count")

_TABLES = (
    Table(
        "people",
        ("person_id",),
        {
            "person_id": _ID,
            "name": Column("text"),
            "role": _TEXT,
            "employee_no": _ID_OR_NULL,
            "user_id": _ID_OR_NULL,
            "email": _TEXT,
            "hired_on": _DATE,
            "left_on": _DATE,
        },
        (Rule(left_after_hired),),
    ),
    Table(
        "teams",
        ("team_id",),
        {"team_id": _ID, "name": Column("text"), "parent_id": _ID_OR_NULL, "sales_model": _TEXT, "region": _TEXT},
    ),
    Table(
        "assignments",
        ("person_id", "team_id", "since"),
        {
            "person_id": Column("id", refers="people", unmatched="reject"),
            "team_id": Column("id", refers="teams", unmatched="reject"),
            "since": _DATE,
            "until": _DATE,
        },
        (Rule(ends_after_start),),
    ),
    Table(
        "accounts",
        ("account_id",),
        {
            "account_id": _ID,
            "name": _TEXT,
            "industry": _TEXT,
            "tier": _TEXT,
            "region": _TEXT,
            "owner_id": _OWNER,
            "created_at": _TIME,
        },
    ),
    Table(
        "products",
        ("product_id",),
        {"product_id": _ID, "name": _TEXT, "series": _TEXT, "list_price": Column("money", nullable=True)},
    ),
    Table(
        "leads",
        ("lead_id",),
        {
            "lead_id": _ID,
            "source": _TEXT,
            "owner_id": _OWNER,
            "account_id": _ACCOUNT,
            "created_at": Column("time"),
            "qualified_at": _TIME,
            "converted_at": _TIME,
            "opportunity_id": _ID_OR_NULL,
        },
    ),
    Table(
        "opportunities",
        ("opportunity_id",),
        {
            "opportunity_id": _ID,
            "account_id": _ACCOUNT,
            "owner_id": _OWNER,
            "product": Column("text", nullable=True, refers="products", unmatched="count"),
            "amount": Column("money", nullable=True),
            "currency": _CURRENCY,
            "created_at": _TIME,
            "stage": _TEXT,
            "expected_close_on": _DATE,
            "closed_at": Column("time", nullable=True, only_where=("outcome", ("won", "lost", "void"))),
            "outcome": Column("choice", choices=("won", "lost", "void", "open")),
        },
        (Rule(closed_after_created), Rule(closed_when_decided)),
    ),
    Table(
        "stage_changes",
        ("opportunity_id", "stage", "entered_at"),
        {
            "opportunity_id": Column("id", refers="opportunities", unmatched="reject"),
            "stage": Column("text"),
            "entered_at": Column("time"),
            "recorded_at": _TIME,
        },
    ),
    Table(
        "activities",
        ("activity_id",),
        {
            "activity_id": _ID,
            "person_id": Column("id", refers="people", unmatched="count"),
            "kind": Column("text"),
            "account_id": _ACCOUNT,
            "lead_id": _ID_OR_NULL,
            "opportunity_id": _ID_OR_NULL,
            "occurred_at": Column("time"),
            "recorded_at": _TIME,
            "minutes": _NUMBER,
            "effective": Column("flag", nullable=True),
            "longitude": _NUMBER,
            "latitude": _NUMBER,
            "note_hash": _TEXT,
        },
        (Rule(recorded_after_occurred),),
    ),
    Table(
        "contracts",
        ("contract_id",),
        {
            "contract_id": _ID,
            "account_id": _ACCOUNT,
            "opportunity_id": _ID_OR_NULL,
            "owner_id": _OWNER,
            "signed_at": Column("time"),
            "amount": Column("money"),
            "cost": Column("money", nullable=True),
            "currency": _CURRENCY,
            "kind": Column("choice", nullable=True, choices=("new", "renewal", "repeat")),
            "ends_on": _DATE,
            "cancelled_at": _TIME,
            "approved_at": _TIME,
        },
    ),
    Table(
        "receivables",
        ("receivable_id",),
        {
            "receivable_id": _ID,
            "contract_id": Column("id", refers="contracts", unmatched="reject"),
            "due_on": Column("date"),
            "amount_due": Column("money"),
        },
    ),
    Table(
        "payments",
        ("payment_id",),
        {
            "payment_id": _ID,
            "contract_id": Column("id", refers="contracts", unmatched="reject"),
            "paid_at": Column("time"),
            "amount": Column("money"),
            "approved_at": _TIME,
        },
    ),
    Table(
        "surveys",
        ("survey_id",),
        {
            "survey_id": _ID,
            "kind": Column("choice", choices=("csat", "nps", "peer", "delivery", "employee")),
            "account_id": _ACCOUNT,
            "subject_id": Column("id", nullable=True, refers="people", unmatched="count"),
            "rater_id": _ID_OR_NULL,
            "score": Column("number"),
            "scale_min": Column("number"),
            "scale_max": Column("number"),
            "answered_at": Column("time"),
        },
        (Rule(score_within_scale),),
    ),
    Table(
        "learning",
        ("record_id",),
        {
            "record_id": _ID,
            "person_id": Column("id", refers="people", unmatched="count"),
            "kind": Column("choice", choices=("training", "sharing", "cross_team", "help")),
            "occurred_at": Column("time"),
            "offered": _NUMBER,
            "confirmed_by": _ID_OR_NULL,
        },
    ),
    Table(
        "channels",
        ("channel_id",),
        {
            "channel_id": _ID,
            "name": _TEXT,
            "owner_id": _OWNER,
            "opened_at": _TIME,
            "stores_target": _NUMBER,
            "stores_stocked": _NUMBER,
            "stores_selling": _NUMBER,
        },
    ),
    Table(
        "targets",
        ("scope", "scope_id", "kpi", "period", "version"),
        {
            "scope": Column("choice", choices=("company", "team", "person")),
            "scope_id": _ID,
            "kpi": Column("text"),
            "period": Column("text"),
            "base": Column("number"),
            "stretch": _NUMBER,
            "band": _NUMBER,
            "version": Column("text", nullable=True),
            "effective_from": _DATE,
            "approved_by": _TEXT,
            "reason": _TEXT,
        },
    ),
    Table(
        "ratings",
        ("person_id", "kpi", "period", "rater"),
        {
            "person_id": Column("id", refers="people", unmatched="count"),
            "kpi": Column("text"),
            "period": Column("text"),
            "rater": Column("choice", choices=("self", "superior", "peer", "hr")),
            "rater_id": _ID_OR_NULL,
            "score": Column("number"),
            "scale_max": _NUMBER,
            "weight": Column("share", nullable=True),
            "comment": _TEXT,
        },
        (Rule(rating_within_scale),),
    ),
    Table(
        "changes",
        ("table", "record_id", "field", "changed_at"),
        {
            "table": Column("text"),
            "record_id": _ID,
            "field": Column("text"),
            "old": _TEXT,
            "new": _TEXT,
            "changed_by": _ID_OR_NULL,
            "changed_at": Column("time"),
        },
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}
