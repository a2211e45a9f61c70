"""Digital KPIs: how well the CRM is kept."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, WeightBand
from kpi_research.kpis.parts import each_row, share_of, valid_contracts
from kpi_research.kpis.process import CONTACTS
from kpi_research.language import Bilingual

REQUIRED_FIELDS = ("account_id", "product", "amount", "expected_close_on", "stage")
ENTRY_DAYS = 1
"""A day for entry: what is typed in later is typed in from memory."""
WORKED_ON_DAYS = 30
"""So long before a signing there must have been a contact: nothing is negotiated without a word for a month."""


def fields_filled(rows: ir.Table) -> ir.NumericValue:
    """How many of an opportunity's required fields are filled."""
    filled = [rows[name].notnull().ifelse(1.0, 0.0) for name in REQUIRED_FIELDS]
    return sum(filled[1:], start=filled[0])


def signed_with_work_on_file(crm: Crm) -> ir.Table:
    """Valid contracts that name their account, and whether a contact with it in the weeks before is on file."""
    signed = valid_contracts(crm).filter(lambda rows: rows.account_id.notnull())
    contacts = crm.activities.filter(crm.activities.kind.isin(CONTACTS)).select(met="account_id", met_at="occurred_at")
    filed = signed.semi_join(
        contacts,
        [
            signed.account_id == contacts.met,
            contacts.met_at >= signed.signed_at.truncate("D") - ibis.interval(days=WORKED_ON_DAYS),
            contacts.met_at < signed.signed_at.truncate("D") + ibis.interval(days=1),
        ],
    )
    return signed.mutate(filed=signed.contract_id.isin(filed.contract_id))


def _met(number: int, account: str, day: str, kind: str = "call") -> dict[str, object]:
    given: dict[str, object] = {"activity_id": str(number), "person_id": "P3", "kind": kind, "account_id": account}
    return given | {"occurred_at": day}


def _signed(number: int, account: str | None, day: str, owner: str = "P1", **more: object) -> dict[str, object]:
    given: dict[str, object] = {
        "contract_id": f"K{number}",
        "account_id": account,
        "owner_id": owner,
        "signed_at": day,
        "amount": 1,
    }
    return given | more


KPIS = (
    Kpi(
        id="D01",
        name="crm_filing_rate",
        label=Bilingual("CRM 数据填报率", "CRM filing rate"),
        meaning=Bilingual(
            "期内签订的有效合同(写明客户)中,签约当日及之前 30 天内有客户联系记录的比例。",
            "Of valid contracts signed in the period that name their customer, the share with a contact with it on file on the day of signing or within the 30 days before.",
        ),
        kind="digital",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("contracts", "activities"),
        rows=signed_with_work_on_file,
        who="owner_id",
        when="signed_at",
        numerator=share_of(lambda rows: rows.filed),
        denominator=each_row,
        counted_over=Bilingual("期内签订的有效合同", "valid contracts signed in the period"),
        aliases=("CRM填报率", "填报率", "CRM adoption"),
        why="What was not filed cannot be counted, but a signed contract proves that there was work; whoever did it may have "
        "filed it. One record is enough, so a full rate does not mean that everything is filed. Records typed in "
        "afterwards count too: entry_timeliness tells of those.",
        gaming=Bilingual(
            "签约后补录一条联系记录即可达标;请与录入及时率一起看。",
            "One record dated back after the signing will do: read it beside timely entry.",
        ),
        weight_band=WeightBand(5, 10, "S08 (002)"),
        example=Example(
            {
                "contracts": (
                    _signed(1, "A1", "2026-07-31 10:00"),
                    _signed(2, "A2", "2026-07-31 10:00"),
                    _signed(3, "A3", "2026-07-10 09:00"),
                    _signed(4, "A4", "2026-07-10"),
                    _signed(5, None, "2026-07-10"),
                    _signed(6, "A1", "2026-07-10", cancelled_at="2026-07-11"),
                    _signed(7, "A1", "2026-07-15", owner="P2"),
                    _signed(8, "A1", "2026-07-02"),
                ),
                "activities": (
                    _met(1, "A1", "2026-07-01 08:00"),
                    _met(2, "A2", "2026-06-30 23:59"),
                    _met(3, "A2", "2026-08-01"),
                    _met(4, "A3", "2026-07-10 18:00", "message"),
                    _met(5, "A4", "2026-07-09", "complaint"),
                ),
            },
            "2026-07",
            "P1",
            3,
            5,
            "A1 was called 30 days before K1 and a day before K8, A3 written to on the day; A2's call is 31 days back, A4's complaint is no contact; K5 names nobody.",
        ),
    ),
    Kpi(
        id="D02",
        name="crm_completeness",
        label=Bilingual("CRM 数据完整率", "CRM completeness"),
        meaning=Bilingual(
            "期内新建商机的必填字段(客户、产品、金额、预计成交日、阶段)中,已填写的比例。",
            "Of the required fields (customer, product, amount, expected close, stage) of opportunities created in the period, the share that is filled.",
        ),
        kind="digital",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("opportunities",),
        rows=lambda crm: crm.opportunities,
        who="owner_id",
        when="created_at",
        numerator=fields_filled,
        denominator=lambda _: ibis.literal(float(len(REQUIRED_FIELDS))),
        counted_over=Bilingual("期内新建商机的必填字段", "required fields of opportunities created in the period"),
        aliases=("CRM完整率", "CRM数据完整率", "录入资料完整度", "field completeness"),
        why="Says whether a field is filled, not whether it is right: that is crm_accuracy.",
        gaming=Bilingual(
            "用占位内容(金额 1、日期填月底)填满。",
            "Fields filled with placeholders: an amount of 1, a date at month's end.",
        ),
        example=Example(
            {
                "opportunities": (
                    {
                        "opportunity_id": "1",
                        "owner_id": "P1",
                        "created_at": "2026-07-01",
                        "account_id": "A1",
                        "product": "X",
                        "amount": 5,
                        "expected_close_on": "2026-09-01",
                        "stage": "报价",
                        "outcome": "open",
                    },
                    {
                        "opportunity_id": "2",
                        "owner_id": "P1",
                        "created_at": "2026-07-02",
                        "stage": "线索",
                        "outcome": "open",
                    },
                )
            },
            "2026-07",
            "P1",
            6,
            10,
            "Five of five and one of five.",
        ),
    ),
    Kpi(
        id="D05",
        name="entry_timeliness",
        label=Bilingual("录入及时率", "Timely entry"),
        meaning=Bilingual(
            "期内活动记录中,发生后一天内录入的比例。",
            "Of activities in the period, the share entered within a day of happening.",
        ),
        kind="digital",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("activities",),
        rows=lambda crm: crm.activities.filter(crm.activities.recorded_at.notnull()),
        who="person_id",
        when="occurred_at",
        numerator=share_of(lambda rows: rows.recorded_at <= rows.occurred_at + ibis.interval(days=ENTRY_DAYS)),
        denominator=each_row,
        counted_over=Bilingual("期内有录入时间的活动", "activities with a time of entry"),
        aliases=("信息录入及时率", "timeliness of entry"),
        why="Activities without a time of entry do not count, since nothing is known of them.",
        gaming=Bilingual(
            "把发生时间改成录入时间;难看的活动索性不录。",
            "The time of the event is set to that of entry, or late events are not entered at all.",
        ),
        example=Example(
            {
                "activities": (
                    {
                        "activity_id": "1",
                        "person_id": "P1",
                        "kind": "call",
                        "occurred_at": "2026-07-01 10:00",
                        "recorded_at": "2026-07-02 10:00",
                    },
                    {
                        "activity_id": "2",
                        "person_id": "P1",
                        "kind": "call",
                        "occurred_at": "2026-07-01 10:00",
                        "recorded_at": "2026-07-02 10:01",
                    },
                    {"activity_id": "3", "person_id": "P1", "kind": "call", "occurred_at": "2026-07-01 10:00"},
                )
            },
            "2026-07",
            "P1",
            1,
            2,
            "The second is a minute late; of the third nothing is known.",
        ),
    ),
)
