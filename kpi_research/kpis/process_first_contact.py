"""Process KPIs of new leads: how many are visited and contacted at once."""

from __future__ import annotations

import ibis.expr.types as ir

from kpi_research.kpis.conversion import within_days
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, Rows
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.kpis.process import CONTACTS
from kpi_research.language import Bilingual

FIRST_CONTACT_DAYS = 3
"""The house rule for second contacts (三天), here for first ones."""


def leads_with_first_contact(crm: Crm) -> ir.Table:
    """Leads with `contacted` and `visited`: when the lead or its account was first contacted, and visited, in time."""
    contacts = crm.activities.filter(crm.activities.kind.isin(CONTACTS))
    pieces = []
    for key in ("lead_id", "account_id"):
        came = crm.leads.select(new_lead="lead_id", known_by=key, came_at="created_at")
        made = contacts.select(made_with=key, made_at="occurred_at", made_by="kind")
        pairs = came.join(
            made,
            [came.known_by == made.made_with, within_days(made.made_at, came.came_at, FIRST_CONTACT_DAYS)],
            how="inner",
        )
        pieces.append(pairs.select("new_lead", "made_at", "made_by"))
    pairs = pieces[0].union(pieces[1])
    found = pairs.group_by("new_lead").aggregate(
        contacted=pairs.made_at.min(), visited=pairs.made_at.min(where=pairs.made_by == "visit")
    )
    return crm.leads.left_join(found, crm.leads.lead_id == found.new_lead)


def _contact(
    number: str,
    day: str,
    *,
    kind: str = "call",
    person: str = "P1",
    lead: str | None = None,
    account: str | None = None,
) -> dict[str, str | None]:
    return {
        "activity_id": number,
        "person_id": person,
        "kind": kind,
        "account_id": account,
        "lead_id": lead,
        "occurred_at": day,
    }


def _lead(number: str, created: str, account: str | None = None, owner: str = "P1") -> dict[str, str | None]:
    return {"lead_id": number, "owner_id": owner, "created_at": created, "account_id": account}


_LEADS: Rows = {
    "leads": (
        _lead("L1", "2026-07-01 15:00"),
        _lead("L2", "2026-07-01 15:00", "A2"),
        _lead("L3", "2026-07-01 15:00"),
        _lead("L4", "2026-07-02", "A4"),
        _lead("L5", "2026-07-06"),
        _lead("L6", "2026-06-30"),
        _lead("L7", "2026-07-01", owner="P2"),
        _lead("L8", "2026-07-08"),
    ),
    "activities": (
        _contact("1", "2026-07-01 09:00", lead="L1", kind="visit"),
        _contact("2", "2026-07-04 23:00", account="A2", kind="visit", person="P2"),
        _contact("3", "2026-07-02", account="A2", lead="L2"),
        _contact("4", "2026-07-05", lead="L3", kind="visit"),
        _contact("5", "2026-07-01", account="A4", kind="visit"),
        _contact("6", "2026-07-09", lead="L5"),
        _contact("7", "2026-07-02", lead="L6", kind="visit"),
        _contact("8", "2026-07-02", lead="L7", kind="visit"),
        _contact("9", "2026-07-08", lead="L8", kind="note"),
    ),
}
_LATE = "L3 was contacted on day 4, L4's account only before the lead came, L8 has a note; L6 is June's, L7 is P2's."
_IN_TIME = Bilingual(
    "线索联系上之后才录入;或只发一条消息就算联系。",
    "Leads are entered only after they were reached; or one message counts as contact.",
)

KPIS = (
    Kpi(
        id="P19",
        name="first_visit_rate",
        label=Bilingual("客户首访率", "First visit rate"),
        meaning=Bilingual(
            f"期内新增的线索中,自新增当天起 {FIRST_CONTACT_DAYS} 天内被拜访(线索本身或其客户)的比例。",
            f"Of leads created in the period, the share that was visited (the lead itself or its account) within "
            f"{FIRST_CONTACT_DAYS} days.",
        ),
        kind="process",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("leads", "activities"),
        rows=leads_with_first_contact,
        who="owner_id",
        when="created_at",
        numerator=share_of(lambda rows: rows.visited.notnull()),
        denominator=each_row,
        counted_over=Bilingual("期内新增的线索", "leads created in the period"),
        matures_after_days=FIRST_CONTACT_DAYS,
        aliases=("首访率", "新客户首访率", "首访及时率"),
        why="Over new leads, visited or not; whole days, so that a visit of the very day counts. By anybody, while the lead belongs "
        "to its owner. A visit before the lead came is none. Where selling is done by telephone, use first_contact_rate.",
        gaming=_IN_TIME,
        example=Example(
            _LEADS,
            "2026-07",
            "P1",
            2,
            6,
            f"L1 on its day, L2 through its account on day 3; L5 was only called. {_LATE}",
        ),
    ),
    Kpi(
        id="",
        name="first_contact_rate",
        label=Bilingual("线索首次联系及时率", "First contact rate"),
        meaning=Bilingual(
            f"期内新增的线索中,自新增当天起 {FIRST_CONTACT_DAYS} 天内有任何联系(线索本身或其客户)的比例。",
            f"Of leads created in the period, the share that was contacted in any way (the lead itself or its account) within "
            f"{FIRST_CONTACT_DAYS} days.",
        ),
        kind="process",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("leads", "activities"),
        rows=leads_with_first_contact,
        who="owner_id",
        when="created_at",
        numerator=share_of(lambda rows: rows.contacted.notnull()),
        denominator=each_row,
        counted_over=Bilingual("期内新增的线索", "leads created in the period"),
        matures_after_days=FIRST_CONTACT_DAYS,
        aliases=("线索跟进及时率", "首次联系率", "线索首次跟进率", "speed to lead"),
        why="As first_visit_rate, with any kind of contact. How many hours it takes is not known where the times of day are not kept.",
        gaming=_IN_TIME,
        example=Example(_LEADS, "2026-07", "P1", 3, 6, f"L1, L2, and L5, which was called on day 3. {_LATE}"),
    ),
)
