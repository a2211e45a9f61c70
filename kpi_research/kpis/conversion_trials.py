"""Process KPIs: whether those who try something buy it."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.conversion import signing_within
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, Rows
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.language import Bilingual

TRIAL_SIGNED_WITHIN_DAYS = 30
"""Trials run two weeks to a month: who has not signed a month after the first one did not buy because of it."""


def with_customer(crm: Crm, activities: ir.Table) -> ir.Table:
    """Activities with `customer`: their account, or the one that their lead has become; and `prospect`: else the lead."""
    if "leads" in crm:
        leads = crm.leads.select(of_lead="lead_id", became="account_id")
        activities = activities.left_join(leads, activities.lead_id == leads.of_lead)
        activities = activities.mutate(customer=activities.account_id.coalesce(activities.became))
    else:
        activities = activities.mutate(customer=activities.account_id)
    return activities.mutate(prospect=activities.customer.isnull().ifelse(activities.lead_id, ibis.null("string")))


def first_trials(crm: Crm, kind: str) -> ir.Table:
    """The first activity of a kind with every customer, with `found` where the customer signed within the window.

    One of which neither customer nor lead is known stands for itself.
    """
    trials = with_customer(crm, crm.activities.filter(crm.activities.kind == kind))
    known = trials.customer.notnull() | trials.prospect.notnull()
    trials = trials.mutate(unknown=known.ifelse(ibis.null("string"), trials.activity_id))
    first = ibis.row_number().over(
        group_by=[trials.customer, trials.prospect, trials.unknown],
        order_by=[trials.occurred_at, trials.activity_id],
    )
    trials = trials.mutate(nth=first).filter(lambda rows: rows.nth == 0)
    trials = trials.select("activity_id", "person_id", "occurred_at", account_id="customer")
    found = signing_within(
        crm, trials, row="activity_id", by="account_id", time="occurred_at", days=TRIAL_SIGNED_WITHIN_DAYS
    )
    return trials.left_join(found, trials.activity_id == found.found)


def _example(kind: str, other_kind: str) -> Example:
    def tried(
        number: str, day: str, account: str | None, *, lead: str | None = None, person: str = "P1", of: str = kind
    ) -> dict[str, str | None]:
        return {
            "activity_id": number,
            "person_id": person,
            "kind": of,
            "account_id": account,
            "lead_id": lead,
            "occurred_at": day,
        }

    def signed(number: str, account: str, day: str, **others: str) -> dict[str, str | int]:
        return {"contract_id": number, "account_id": account, "owner_id": "P9", "signed_at": day, "amount": 1, **others}

    given: Rows = {
        "activities": (
            tried("1", "2026-07-01 15:00", "A1"),
            tried("2", "2026-07-01 10:00", None, lead="L2"),
            tried("3", "2026-07-01", "A3"),
            tried("4", "2026-07-20", "A1"),
            tried("5", "2026-07-08", None),
            tried("6", "2026-07-10", "A6"),
            tried("7", "2026-07-10", "A7", person="P2"),
            tried("8", "2026-07-10", "A8", of=other_kind),
            tried("9", "2026-06-30", "A9"),
            tried("10", "2026-07-02", "A9"),
        ),
        "leads": ({"lead_id": "L2", "account_id": "A2", "created_at": "2026-06-01"},),
        "contracts": (
            signed("K1", "A1", "2026-07-01"),
            signed("K2", "A2", "2026-07-31"),
            signed("K3", "A3", "2026-08-01"),
            signed("K5", "A1", "2026-07-25"),
            signed("K6", "A6", "2026-07-15", kind="renewal"),
            signed("K7", "A7", "2026-07-15"),
            signed("K8", "A8", "2026-07-15"),
            signed("K9", "A9", "2026-07-05"),
        ),
    }
    because = (
        "A1 signed on the day itself, A2 (known through its lead) on day 30, A3 on day 31; the 5th has no customer, A6 only "
        "renewed. A1's second does not count again, A7 is P2's, A8's is of another kind, A9's first was June's."
    )
    return Example(given, "2026-07", "P1", 2, 5, because)


KPIS = (
    Kpi(
        id="P26",
        name="trial_conversion_rate",
        label=Bilingual("试用客户转化率", "Trial conversion rate"),
        meaning=Bilingual(
            f"期内首次试用的客户中,试用当天起 {TRIAL_SIGNED_WITHIN_DAYS} 天内签订有效合同(不含续签)的比例。",
            f"Of customers whose first trial was in the period, the share that signed a valid contract (no renewal) "
            f"within {TRIAL_SIGNED_WITHIN_DAYS} days.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("activities", "contracts"),
        rows=lambda crm: first_trials(crm, "trial"),
        who="person_id",
        when="occurred_at",
        numerator=share_of(lambda rows: rows.found_at.notnull()),
        denominator=each_row,
        counted_over=Bilingual("期内首次试用的客户", "customers whose first trial was in the period"),
        matures_after_days=TRIAL_SIGNED_WITHIN_DAYS,
        aliases=("试用转化率", "试用付费转化率", "trial-to-paid rate"),
        why="One case a customer, at the first trial: several trials of one customer would count one contract several "
        "times. Paid means signed; waiting for the money would judge accounting. It belongs to who recorded the trial, and "
        "a trial whose customer is not known counts as not converted.",
        gaming=Bilingual(
            "签约后才补录试用,或不登记没有希望的试用。",
            "Trials are entered after the signature, or hopeless ones not at all.",
        ),
        example=_example("trial", "trial_lesson"),
    ),
    Kpi(
        id="P27",
        name="trial_lesson_conversion_rate",
        label=Bilingual("试听转化率", "Trial lesson conversion rate"),
        meaning=Bilingual(
            f"期内首次试听的学员(客户)中,试听当天起 {TRIAL_SIGNED_WITHIN_DAYS} 天内报名(签订有效合同,不含续签)的比例。",
            f"Of students (customers) whose first trial lesson was in the period, the share that enrolled (signed a valid "
            f"contract, no renewal) within {TRIAL_SIGNED_WITHIN_DAYS} days.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("activities", "contracts"),
        rows=lambda crm: first_trials(crm, "trial_lesson"),
        who="person_id",
        when="occurred_at",
        numerator=share_of(lambda rows: rows.found_at.notnull()),
        denominator=each_row,
        counted_over=Bilingual("期内首次试听的学员", "students whose first trial lesson was in the period"),
        matures_after_days=TRIAL_SIGNED_WITHIN_DAYS,
        aliases=("试听报名率", "trial class enrolment rate"),
        why="Built like trial_conversion_rate, over lessons that were held: a lesson that was booked and missed is of "
        "another kind. A student who already pays and tries another course counts too, if it is the first trial lesson.",
        gaming=Bilingual(
            "只登记当场报名的试听。",
            "Only lessons that ended in an enrolment are recorded.",
        ),
        example=_example("trial_lesson", "trial"),
    ),
)
