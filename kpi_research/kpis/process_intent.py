"""Process KPI: follow-ups after which a customer's intent rises; and how levels of intent are told apart."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.conversion import within_days
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi, Rows
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.kpis.process import CONTACTS
from kpi_research.language import Bilingual

INTENT_DAYS = 14
"""Two weeks, as for the next step after a visit: what rises later has other reasons."""
INTENT_FIELDS = (
    "intent", "intent_level", "intention", "interest", "rating", "意向", "意向度", "意向级别", "意向等级", "意向程度", "客户意向",
    "购买意向", "客户意向度", "客户意向级别",
)  # fmt: skip
"""Fields of the change log that hold an intent, of an opportunity, a lead or an account; compared without capitals."""
LEVEL_FIELDS = ("level", "stage", "grade", "级别", "等级", "阶段", "商机级别", "线索级别", "商机阶段", "销售阶段")
"""The same of an opportunity or a lead alone: an account's level is its size."""
RECORDS = (("opportunities", "opportunity_id"), ("leads", "lead_id"), ("accounts", "account_id"))
NUMBER = r"^([0-9]{1,3}(\.[0-9]+)?)([^0-9.]|$)"
"""A number that a level begins with, as in 3, 30%, 2-方案; longer ones are ids."""
LETTER = r"^([a-e])(类|级|$)"
WORDS = (
    (("高", "高意向", "强", "high", "hot"), 3), (("中", "中意向", "一般", "medium", "warm"), 2),
    (("低", "低意向", "弱", "low", "cold"), 1),
)  # fmt: skip


def rises(old: ir.StringValue, new: ir.StringValue) -> ir.BooleanValue:
    """Whether a level is higher than before: the larger number, the earlier letter, or the stronger word.

    Only levels of one kind compare; where there was none before, nothing rises.
    """
    before, after = (text.strip().lower() for text in (old, new))
    numbers = _number(after) > _number(before)
    letters = _letter(after) > _letter(before)
    words = _word(after) > _word(before)
    return ibis.or_(*(rise.fill_null(False) for rise in (numbers, letters, words)))


def _number(text: ir.StringValue) -> ir.NumericValue:
    found = text.re_search(NUMBER).ifelse(text.re_extract(NUMBER, 1), ibis.null("string"))
    return found.cast("float64")


def _letter(text: ir.StringValue) -> ir.NumericValue:
    letter = text.re_search(LETTER).ifelse(text.substr(0, 1), ibis.null("string"))
    return letter.cases(*((each, place) for place, each in enumerate("edcba")))


def _word(text: ir.StringValue) -> ir.NumericValue:
    return text.cases(*((word, place) for words, place in WORDS for word in words))


def rising_levels(crm: Crm) -> ir.Table:
    """Rises of intent: `kind_of_record, record_id, risen_at`."""
    rows = crm.changes.select("record_id", "field", "old", "new", "changed_at", kind_of_record=crm.changes["table"])
    field = rows.field.strip().lower()
    of_intent = field.isin(INTENT_FIELDS) | (field.isin(LEVEL_FIELDS) & (rows.kind_of_record != "accounts"))
    rows = rows.filter(of_intent & rises(rows.old, rows.new))
    return rows.select("kind_of_record", "record_id", risen_at="changed_at")


def follow_ups_with_rise(crm: Crm) -> ir.Table:
    """Contacts with an opportunity, a lead or an account; `rose` where the intent of one of them rose after it."""
    contacts = crm.activities.filter(crm.activities.kind.isin(CONTACTS))
    known = ibis.or_(*(contacts[key].notnull() for _, key in RECORDS))
    contacts = contacts.filter(known)
    risen = rising_levels(crm)
    found = []
    for kind_of_record, key in RECORDS:
        made = contacts.select(rose="activity_id", about=key, made_at="occurred_at")
        of_kind = risen.filter(risen.kind_of_record == kind_of_record)
        pairs = made.join(
            of_kind,
            [made.about == of_kind.record_id, within_days(of_kind.risen_at, made.made_at, INTENT_DAYS)],
            how="inner",
        )
        found.append(pairs.select("rose"))
    rose = ibis.union(*found, distinct=True)
    return contacts.left_join(rose, contacts.activity_id == rose.rose)


def _contact(number: str, day: str, **others: str) -> dict[str, str]:
    return {"activity_id": number, "person_id": "P1", "kind": "call", "occurred_at": day, **others}


def _change(
    record: str, field: str, old: str | None, new: str, day: str, table: str = "opportunities"
) -> dict[str, str | None]:
    return {"table": table, "record_id": record, "field": field, "old": old, "new": new, "changed_at": day}


_FOLLOWED: Rows = {
    "activities": (
        _contact("1", "2026-07-01 15:00", opportunity_id="O1"),
        _contact("2", "2026-07-01", opportunity_id="O2"),
        _contact("3", "2026-07-01", lead_id="L3"),
        _contact("4", "2026-07-02", account_id="A4"),
        _contact("5", "2026-07-02", opportunity_id="O5", account_id="A5"),
        _contact("6", "2026-07-02", opportunity_id="O6"),
        _contact("7", "2026-07-02", opportunity_id="O7"),
        _contact("8", "2026-07-02", account_id="A8"),
        _contact("9", "2026-07-02", opportunity_id="O9"),
        _contact("10", "2026-07-02"),
        _contact("11", "2026-07-02", opportunity_id="O1", person_id="P2"),
        _contact("12", "2026-07-02", opportunity_id="O1", kind="note"),
        _contact("13", "2026-08-01", opportunity_id="O1"),
        _contact("14", "2026-07-14", opportunity_id="O1"),
    ),
    "changes": (
        _change("O1", "意向级别", "C类", "B类", "2026-07-15 20:00"),
        _change("O2", "intent", "低", "高", "2026-07-16"),
        _change("L3", "Rating", "Warm", "Hot", "2026-07-01", "leads"),
        _change("A4", "意向", "9", "10", "2026-07-10", "accounts"),
        _change("O5", "level", "A", "B", "2026-07-10"),
        _change("O6", "intent", None, "高", "2026-07-10"),
        _change("O7", "stage", "2-需求", "3-方案", "2026-07-02"),
        _change("O7", "owner_id", "1", "2", "2026-07-03"),
        _change("A8", "level", "B", "A", "2026-07-10", "accounts"),
        _change("O9", "intent", "B", "高", "2026-07-03"),
        _change("O9", "stage", "1000001", "1000002", "2026-07-03"),
        _change("A5", "intent", "1", "2", "2026-07-10", "leads"),
    ),
}

KPIS = (
    Kpi(
        id="P17",
        name="intent_rise_rate",
        label=Bilingual("跟进后客户意向提升比例", "Follow-ups with rising intent"),
        meaning=Bilingual(
            f"期内的跟进(关联了商机、线索或客户)中,自跟进当天起 {INTENT_DAYS} 天内其意向级别提升的比例。级别的高低:数字大者高,"
            "字母 A 高于 B 高于 C,高于中于低。",
            "Of follow-ups in the period (with an opportunity, a lead or an account), the share after which its level of intent "
            f"rose within {INTENT_DAYS} days. A level is higher by its number (larger), its letter (A over B over C) or its word "
            "(high over medium over low).",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("activities", "changes"),
        rows=follow_ups_with_rise,
        who="person_id",
        when="occurred_at",
        numerator=share_of(lambda rows: rows.rose.notnull()),
        denominator=each_row,
        counted_over=Bilingual(
            "期内关联了商机、线索或客户的跟进", "follow-ups in the period with an opportunity, a lead or an account"
        ),
        matures_after_days=INTENT_DAYS,
        aliases=("意向提升率", "跟进意向提升率", "客户意向提升比例", "intent uplift"),
        why="From the log of changes: the present level does not tell when it rose. Levels that are no number, letter or word of "
        "these, and a change from one kind to another, do not compare, so that stages without numbers are left to "
        "follow_up_success_rate. The first level that is set is no rise. One rise counts for every follow-up of the two weeks "
        "before it, anybody's: it does not show which of them brought it about.",
        gaming=Bilingual(
            "意向由跟进人自己判定:先判低、跟进后再判高。",
            "Who follows up also sets the level: first too low, then higher.",
        ),
        example=Example(
            _FOLLOWED,
            "2026-07",
            "P1",
            5,
            10,
            "O1 from C to B on day 14, also after the call of the 14th; L3 from warm to hot on the day; A4 from 9 to 10; O7 from "
            "stage 2 to 3. O2 on day 15 only, O5 fell, O6 had no level before, A8's level is its size, O9's do not compare. The "
            "10th names nobody, the 11th is P2's, the 12th a note, the 13th August's.",
        ),
    ),
)
