"""Process KPIs: how accounts become customers, and where the new customers come from."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.conversion import first_signings, within_days
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.kpis.process import CONTACTS
from kpi_research.kpis.result import first_contracts
from kpi_research.language import Bilingual

CONTACT_SIGNED_WITHIN_DAYS = 180
"""Half a year from the first contact: longer than most sales cycles, and as long as for qualified leads."""
ACCOUNT_SIGNED_WITHIN_DAYS = 90
"""A quarter from registration to the first order: what a first order is planned in."""
FIRST_CONTACT_HISTORY_DAYS = 90
"""In the first weeks of the data old acquaintances look like new ones; most have been spoken to after a quarter."""
SELF_SOURCED = (
    "自主开发", "主动开发", "自行开发", "自开发", "自主开拓", "自主拓展", "主动拓展", "自拓", "自拓客户", "主动开发客户", "陌拜",
    "陌生拜访", "电话陌拜", "电话陌生拜访", "扫街", "地推", "self", "self-sourced", "self sourced", "self-generated",
    "self generated", "sales generated", "sales-generated", "outbound", "prospecting", "cold call", "cold calling",
    "cold visit", "cold email",
)  # fmt: skip
"""Sources of leads that a salesperson found without marketing, a partner or a customer; compared without capitals."""


def first_contacts(crm: Crm) -> ir.Table:
    """The first contact with every account that had not signed anything before, with `first_signed_at`."""
    contacts = crm.activities.filter(crm.activities.kind.isin(CONTACTS) & crm.activities.account_id.notnull())
    order = ibis.row_number().over(group_by=contacts.account_id, order_by=[contacts.occurred_at, contacts.activity_id])
    contacts = contacts.mutate(nth=order).filter(lambda rows: rows.nth == 0)
    signings = first_signings(crm)
    rows = contacts.left_join(signings, contacts.account_id == signings.signed_by)
    return rows.filter(rows.first_signed_at.isnull() | (rows.first_signed_at >= rows.occurred_at.truncate("D")))


def new_accounts(crm: Crm) -> ir.Table:
    """Accounts that had not signed anything before they were created, with `first_signed_at`."""
    signings = first_signings(crm)
    rows = crm.accounts.left_join(signings, crm.accounts.account_id == signings.signed_by)
    return rows.filter(rows.first_signed_at.isnull() | (rows.first_signed_at >= rows.created_at.truncate("D")))


def new_customers_with_source(crm: Crm) -> ir.Table:
    """First valid contracts, with `source` and `lead_at` of the account's first lead."""
    leads = crm.leads.filter(crm.leads.account_id.notnull())
    order = ibis.row_number().over(group_by=leads.account_id, order_by=[leads.created_at, leads.lead_id])
    leads = leads.mutate(lead_nth=order).filter(lambda rows: rows.lead_nth == 0)
    leads = leads.select(led_to="account_id", source="source", lead_at="created_at")
    contracts = first_contracts(crm)
    return contracts.left_join(leads, contracts.account_id == leads.led_to)


def is_self_sourced(rows: ir.Table) -> ir.BooleanValue:
    """Whether the first lead was there by the day of signing, and its source says that sales found it."""
    in_time = rows.lead_at.truncate("D") <= rows.signed_at
    return in_time & rows.source.strip().lower().isin(SELF_SOURCED)


def _contact(number: str, account: str, day: str, person: str = "P1", kind: str = "call") -> dict[str, str]:
    return {"activity_id": number, "person_id": person, "kind": kind, "account_id": account, "occurred_at": day}


def _contract(number: str, account: str, signed: str, **others: str) -> dict[str, str | int]:
    return {"contract_id": number, "account_id": account, "owner_id": "P1", "signed_at": signed, "amount": 1, **others}


def _account(number: str, created: str, owner: str = "P1") -> dict[str, str]:
    return {"account_id": number, "owner_id": owner, "created_at": created}


def _lead(number: str, account: str, created: str, source: str) -> dict[str, str]:
    return {"lead_id": number, "account_id": account, "created_at": created, "source": source}


KPIS = (
    Kpi(
        id="P24",
        name="customer_conversion_rate",
        label=Bilingual("客户转化率", "Customer conversion rate"),
        meaning=Bilingual(
            f"期内首次联系、此前未签约的客户中,首次联系当天起 {CONTACT_SIGNED_WITHIN_DAYS} 天内签订首份有效合同的比例。",
            f"Of accounts first contacted in the period that had not signed before, the share that signed their first valid "
            f"contract within {CONTACT_SIGNED_WITHIN_DAYS} days.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("activities", "contracts"),
        rows=first_contacts,
        who="person_id",
        when="occurred_at",
        numerator=share_of(
            lambda rows: within_days(rows.first_signed_at, rows.occurred_at, CONTACT_SIGNED_WITHIN_DAYS)
        ),
        denominator=each_row,
        counted_over=Bilingual(
            "期内首次联系的未签约客户", "accounts first contacted in the period that had not signed before"
        ),
        matures_after_days=CONTACT_SIGNED_WITHIN_DAYS,
        history_days=FIRST_CONTACT_HISTORY_DAYS,
        aliases=("个人转化率", "新客户转化率", "成交转化率", "customer win rate", "prospect-to-customer rate"),
        why="A cohort: customers won ÷ customers worked of one month would put this month's signatures over prospects who "
        "cannot have decided yet. It belongs to who made the first contact, whoever signs. An account that was spoken to "
        "before the data begin looks new, so the first quarter has no value.",
        gaming=Bilingual(
            "与没有希望的客户的联系不登记。",
            "Contacts with accounts that promise nothing are not recorded.",
        ),
        example=Example(
            {
                "activities": (
                    _contact("1", "A1", "2026-07-01 10:00"),
                    _contact("2", "A1", "2026-07-02", "P2", "visit"),
                    _contact("3", "A2", "2026-07-01 10:00"),
                    _contact("4", "A3", "2026-07-05"),
                    _contact("5", "A4", "2026-07-05"),
                    _contact("6", "A5", "2026-07-04", "P2"),
                    _contact("7", "A5", "2026-07-05"),
                    _contact("8", "A6", "2026-07-05", "P1", "complaint"),
                    _contact("9", "A7", "2026-06-30"),
                    _contact("10", "A7", "2026-07-05"),
                ),
                "contracts": (
                    _contract("K1", "A1", "2026-12-28"),
                    _contract("K2", "A2", "2026-12-29"),
                    _contract("K3", "A3", "2026-07-20", cancelled_at="2026-07-30"),
                    _contract("K4", "A4", "2026-05-01"),
                    _contract("K5", "A4", "2026-08-01"),
                    _contract("K6", "A5", "2026-08-01"),
                    _contract("K7", "A7", "2026-08-01"),
                ),
            },
            "2026-07",
            "P1",
            1,
            3,
            "A1 signed on day 180, A2 on day 181, A3's contract was cancelled; A4 was a customer already, A5 was P2's first, "
            "A6 was not contacted by us, A7 was June's.",
        ),
    ),
    Kpi(
        id="P28",
        name="first_order_conversion_rate",
        label=Bilingual("首单转化率", "First order conversion rate"),
        meaning=Bilingual(
            f"期内新建的客户中,新建当天起 {ACCOUNT_SIGNED_WITHIN_DAYS} 天内签订首份有效合同的比例。",
            f"Of accounts created in the period, the share that signed their first valid contract within "
            f"{ACCOUNT_SIGNED_WITHIN_DAYS} days.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("accounts", "contracts"),
        rows=new_accounts,
        who="owner_id",
        when="created_at",
        numerator=share_of(lambda rows: within_days(rows.first_signed_at, rows.created_at, ACCOUNT_SIGNED_WITHIN_DAYS)),
        denominator=each_row,
        counted_over=Bilingual(
            "期内新建且此前未签约的客户", "accounts created in the period that had not signed before"
        ),
        matures_after_days=ACCOUNT_SIGNED_WITHIN_DAYS,
        aliases=("首单率", "首次成交率", "first purchase rate"),
        why="From the account's creation, which every CRM keeps, and not from the first contact, which is "
        "customer_conversion_rate. Accounts entered after they had signed are left out: they were not there to be won. It "
        "belongs to the account's present owner.",
        gaming=Bilingual(
            "成交有把握后才建客户档案,转化率接近 100%。",
            "Accounts are created only when the order is sure: the rate nears 100 %.",
        ),
        example=Example(
            {
                "accounts": (
                    _account("A1", "2026-07-01 14:00"),
                    _account("A2", "2026-07-01 14:00"),
                    _account("A3", "2026-07-05 09:00"),
                    _account("A4", "2026-07-10"),
                    _account("A5", "2026-07-20"),
                    _account("A6", "2026-07-20", "P2"),
                    _account("A7", "2026-08-01"),
                ),
                "contracts": (
                    _contract("K1", "A1", "2026-09-29"),
                    _contract("K2", "A2", "2026-09-30"),
                    _contract("K3", "A3", "2026-07-05"),
                    _contract("K4", "A4", "2026-07-03"),
                    _contract("K5", "A5", "2026-07-25", cancelled_at="2026-07-26"),
                    _contract("K6", "A6", "2026-07-25"),
                    _contract("K7", "A3", "2026-07-30"),
                ),
            },
            "2026-07",
            "P1",
            2,
            4,
            "A1 signed on day 90, A3 on the day it was created (its second contract adds nothing); A2 on day 91, A5's was "
            "cancelled. A4 had signed before, A6 is P2's, A7 August's.",
        ),
    ),
    Kpi(
        id="P34",
        name="self_sourced_share",
        label=Bilingual("主动开发客户比例", "Self-sourced customers"),
        meaning=Bilingual(
            "期内新增客户(首份有效合同签订于期内)中,其首条线索来源为自主开发(如自拓、陌拜、outbound)的比例。",
            "Of new customers (first valid contract signed in the period), the share whose first lead came from our own "
            "prospecting (self-sourced, cold call, outbound ...).",
        ),
        kind="process",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("contracts", "leads"),
        rows=new_customers_with_source,
        who="owner_id",
        when="signed_at",
        numerator=share_of(is_self_sourced),
        denominator=each_row,
        counted_over=Bilingual("期内新增的客户", "new customers of the period"),
        aliases=("主动开发比例", "自拓客户占比", "self-generated share", "outbound share"),
        why="Over the very customers that new_customers counts; like there, before the data begin nobody is known to be a "
        "customer. The account's first lead decides, if it was there by the day of signing: later ones found nobody. A new "
        "customer without a lead on file counts as not self-sourced, so where leads are not kept the share is too low. "
        "Sources are compared with a list of words; a client's own words for it must be mapped to one of them.",
        gaming=Bilingual(
            "把市场部分配的线索改记为自拓。",
            "Leads handed over by marketing are recorded as self-sourced.",
        ),
        example=Example(
            {
                "contracts": (
                    _contract("K1", "A1", "2026-07-03"),
                    _contract("K2", "A2", "2026-07-04"),
                    _contract("K3", "A3", "2026-07-05"),
                    _contract("K4", "A4", "2026-07-06"),
                    _contract("K5", "A5", "2026-07-07"),
                    _contract("K6", "A1", "2026-07-20"),
                    _contract("K7", "A6", "2026-06-30"),
                    _contract("K8", "A6", "2026-07-20"),
                ),
                "leads": (
                    _lead("L1", "A1", "2026-06-01", "自主开发"),
                    _lead("L2", "A2", "2026-07-04 16:00", "Outbound"),
                    _lead("L3", "A2", "2026-07-09", "展会"),
                    _lead("L4", "A3", "2026-06-01", "展会"),
                    _lead("L5", "A3", "2026-06-02", "自拓"),
                    _lead("L6", "A5", "2026-08-01", "自拓"),
                    _lead("L7", "A6", "2026-06-01", "自拓"),
                ),
            },
            "2026-07",
            "P1",
            2,
            5,
            "A1 and A2; A3 came from a fair first, A4 has no lead, A5's came after signing. A1 is new once, A6 since June.",
        ),
    ),
)
