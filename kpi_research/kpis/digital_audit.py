"""Digital KPIs of audits and of the change log: whether records are right, who keeps them, and what runs by itself."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row, share_of
from kpi_research.kpis.rated import ratings_of
from kpi_research.kpis.stacked import stacked
from kpi_research.language import Bilingual

RECORDS_AUDITED, VALUES_AUDITED = "crm_accuracy", "kpi_audit"
"""What the two audits are called in the table `ratings`."""


def people_by_login(crm: Crm) -> ir.Table:
    """`login, known_person`: everybody by person id, and by user id where that is nobody's person id."""
    nobody = ibis.null("string")
    by_id = crm.people.select(login="person_id", as_person="person_id", as_user=nobody)
    by_user = crm.people.filter(crm.people.user_id.notnull()).select(
        login="user_id", as_person=nobody, as_user="person_id"
    )
    known = stacked(by_id, by_user)
    found = known.group_by("login").aggregate(as_person=known.as_person.max(), as_user=known.as_user.min())
    return found.select("login", known_person=ibis.coalesce(found.as_person, found.as_user))


def changes_of_sales_records(crm: Crm) -> ir.Table:
    """Changes to opportunities and leads of a known author, with the record's owner and who of the people made them."""
    made = crm.changes.filter(crm.changes.changed_by.notnull())
    owned = []
    for name, key in (("opportunities", "opportunity_id"), ("leads", "lead_id")):
        if name in crm:
            records = getattr(crm, name)
            owners = records.select(of_record=records[key], owner_id=records.owner_id)
            changed = made.filter(made.table == name)
            changed = changed.inner_join(owners, changed.record_id == owners.of_record)
            owned.append(changed.select("owner_id", "changed_by", "changed_at"))
    changes = stacked(*owned)
    people = people_by_login(crm)
    return changes.left_join(people, changes.changed_by == people.login)


def customer_records(crm: Crm) -> ir.Table:
    """Accounts entered by their owners and updated by people, each once a day and person."""
    entered = crm.accounts.filter(crm.accounts.created_at.notnull())
    entered = entered.select(who="owner_id", account_id="account_id", day=entered.created_at.truncate("D"))
    people = people_by_login(crm)
    updates = crm.changes.filter(crm.changes.table == "accounts")
    updates = updates.inner_join(people, updates.changed_by == people.login)
    updated = updates.select(who="known_person", account_id="record_id", day=updates.changed_at.truncate("D"))
    return stacked(entered, updated).distinct()


def _audited(kpi: str, period: str, score: int, of: int | None, **more: object) -> dict[str, object]:
    given: dict[str, object] = {
        "person_id": "P1",
        "kpi": kpi,
        "period": period,
        "rater": "superior",
        "score": score,
        "scale_max": of,
    }
    return given | more


def _audits(kpi: str) -> tuple[dict[str, object], ...]:
    return (
        _audited(kpi, "2026-07", 18, 20),
        _audited(kpi, "2026-07-15", 9, 10, rater="hr"),
        _audited(kpi, "2026-07", 30, 30, rater="self"),
        _audited(kpi, "2026-07", 5, None, rater="peer"),
        _audited(kpi, "2026Q3", 50, 50),
        _audited(kpi, "2026-07", 1, 10, person_id="P2"),
        _audited("other", "2026-07", 1, 10),
    )


def _change(number: int, table: str, record: str, by: str | None, day: str = "2026-07-06") -> dict[str, object]:
    given: dict[str, object] = {"table": table, "record_id": record, "field": f"f{number}", "changed_by": by}
    return given | {"changed_at": day}


_PEOPLE = (
    {"person_id": "P1", "name": "甲", "user_id": "u1"},
    {"person_id": "P2", "name": "乙", "user_id": "P1"},
)

KPIS = (
    Kpi(
        id="D03",
        name="crm_accuracy",
        label=Bilingual("CRM 数据准确率", "CRM accuracy"),
        meaning=Bilingual(
            "考核期结束于期内的抽查中,正确记录占被抽查记录的比例;自查不算。",
            "Of records audited for rating periods that end in the period, the share found right; audits of oneself do not count.",
        ),
        kind="digital",
        nature="quality",
        unit="share",
        direction="up",
        needs=("ratings",),
        rows=ratings_of(RECORDS_AUDITED),
        who="person_id",
        when="rated_on",
        numerator=lambda rows: rows.score,
        denominator=lambda rows: rows.scale_max,
        counted_over=Bilingual("被抽查的记录", "records audited"),
        aliases=("CRM准确率", "数据准确率", "data accuracy"),
        why="Whether a record is right only a look at the customer tells, so it comes from audits: ratings called crm_accuracy, "
        "the score being right records and the highest mark records looked at. Audits add up, large ones weighing more.",
        gaming=Bilingual("由被查的人挑选样本。", "The sample is picked by who is audited."),
        example=Example(
            {"ratings": _audits(RECORDS_AUDITED)},
            "2026-07",
            "P1",
            27,
            30,
            "18 of 20 and 9 of 10; not the audit of oneself, not the one without a number, not the quarter's, not P2's.",
        ),
    ),
    Kpi(
        id="D04",
        name="automation_rate",
        label=Bilingual("流程自动化率", "Automation rate"),
        meaning=Bilingual(
            "期内对商机和线索的修改(写明修改人)中,由系统而非人员名单中的人做出的比例;归记录的负责人。",
            "Of changes to opportunities and leads in the period whose author is on file, the share made by nobody on the list of people; counted for the record's owner.",
        ),
        kind="digital",
        nature="behaviour",
        unit="share",
        direction="up",
        needs=("changes", "opportunities", "people"),
        rows=changes_of_sales_records,
        who="owner_id",
        when="changed_at",
        numerator=share_of(lambda rows: rows.known_person.isnull()),
        denominator=each_row,
        counted_over=Bilingual("期内对商机和线索的修改", "changes to opportunities and leads with a known author"),
        aliases=("自动化执行率", "流程执行率", "workflow automation"),
        why="Who is on no list of people is a flow or an interface. A change without an author is not taken for an automatic "
        "one, since most logs leave the field empty for other reasons. Authors are known by person id or user id. A "
        "person missing from the list looks like a machine.",
        gaming=Bilingual(
            "一个无用的自动流程反复改同一字段,比例就会上升。",
            "A useless flow that changes one field over and over raises it.",
        ),
        example=Example(
            {
                "changes": (
                    _change(1, "opportunities", "O1", "flow"),
                    _change(2, "opportunities", "O1", "P2"),
                    _change(3, "opportunities", "O1", "u1"),
                    _change(4, "opportunities", "O1", None),
                    _change(5, "opportunities", "O2", "flow"),
                    _change(6, "leads", "O1", "flow"),
                    _change(7, "leads", "L1", "flow"),
                    _change(8, "accounts", "O1", "flow"),
                    _change(9, "opportunities", "O1", "flow", "2026-08-01"),
                    _change(10, "leads", "L1", "P1", "2026-07-31 23:00"),
                ),
                "opportunities": (
                    {"opportunity_id": "O1", "owner_id": "P1", "outcome": "open"},
                    {"opportunity_id": "O2", "owner_id": "P2", "outcome": "open"},
                ),
                "leads": ({"lead_id": "L1", "owner_id": "P1", "created_at": "2026-07-01"},),
                "people": _PEOPLE,
            },
            "2026-07",
            "P1",
            2,
            5,
            "The flow changed O1 and L1 once each, people three times (u1 is P1's login); the author of 4 is not known, O2 is P2's, there is no lead O1, 8 is an account, 9 August's.",
        ),
    ),
    Kpi(
        id="D06",
        name="customer_records_entered",
        label=Bilingual("录入客户信息条数", "Customer records entered or updated"),
        meaning=Bilingual(
            "期内新建(归负责人)或由本人修改的客户记录数;同一人同一天对同一客户只计一条。",
            "Customer records created (counted for their owner) or changed by the person in the period; one customer on one day counts once.",
        ),
        kind="digital",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("accounts", "changes", "people"),
        rows=customer_records,
        who="who",
        when="day",
        numerator=each_row,
        aliases=("录入CRM客户信息条数", "客户信息录入量", "customer records kept"),
        why="By customer and day, since a log has a line for every field. Who created a record the CRM does not say, so it is "
        "its owner's; changes by flows are nobody's. Needs the change log: without it only new customers would be seen.",
        gaming=Bilingual(
            "批量导入,或逐日改一个无关字段。", "Bulk imports, or a needless change to one field day after day."
        ),
        example=Example(
            {
                "accounts": (
                    {"account_id": "A1", "owner_id": "P1", "created_at": "2026-07-06 09:00"},
                    {"account_id": "A2", "owner_id": "P1", "created_at": "2026-06-30"},
                    {"account_id": "A3", "owner_id": "P2", "created_at": "2026-07-01"},
                    {"account_id": "A4", "owner_id": "P1"},
                ),
                "changes": (
                    _change(1, "accounts", "A1", "P1"),
                    _change(2, "accounts", "A1", "u1", "2026-07-07 10:00"),
                    _change(3, "accounts", "A1", "P1", "2026-07-07 11:00"),
                    _change(4, "accounts", "A3", "P1", "2026-07-31 23:00"),
                    _change(5, "accounts", "A2", "flow"),
                    _change(6, "accounts", "A2", "P2"),
                    _change(7, "leads", "A2", "P1"),
                    _change(8, "accounts", "A2", None),
                ),
                "people": _PEOPLE,
            },
            "2026-07",
            "P1",
            3,
            None,
            "A1 entered on the 6th (a change that day adds nothing), A1 changed on the 7th, A3 on the 31st; A2 was changed by a flow, by P2 and by nobody known.",
        ),
    ),
    Kpi(
        id="D07",
        name="error_rate",
        label=Bilingual("误差率", "Error rate"),
        meaning=Bilingual(
            "考核期结束于期内的指标复核中,算错的数值占被复核数值的比例;自查不算。",
            "Of KPI values recomputed for rating periods that end in the period, the share found wrong; checks of oneself do not count.",
        ),
        kind="digital",
        nature="quality",
        unit="share",
        direction="down",
        needs=("ratings",),
        rows=ratings_of(VALUES_AUDITED),
        who="person_id",
        when="rated_on",
        numerator=lambda rows: rows.score,
        denominator=lambda rows: rows.scale_max,
        counted_over=Bilingual("被复核的数值", "values checked"),
        aliases=("数据误差率", "KPI误差率"),
        why="From checks of reported values against a recomputation: ratings called kpi_audit, the score being wrong values and "
        "the highest mark values checked. How large an error was is not counted.",
        gaming=Bilingual("只复核容易算的指标。", "Only values that are easy to compute are checked."),
        example=Example(
            {"ratings": _audits(VALUES_AUDITED)},
            "2026-07",
            "P1",
            27,
            30,
            "18 of 20 and 9 of 10 wrong; not the check of oneself, not the one without a number, not the quarter's, not P2's.",
        ),
    ),
)
