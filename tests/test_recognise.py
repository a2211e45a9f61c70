"""Exports are recognised by their headers and by what their cells hold; what cannot be told is listed, never guessed."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import ibis
import pandas as pd
import pytest

from kpi_research.crm.tables import TABLES
from kpi_research.language import LANGUAGES, placeholders, sentence
from kpi_research.sources.derive import derive
from kpi_research.sources.exports import find_exports, open_export
from kpi_research.sources.mapping import TableMapping
from kpi_research.sources.preset import Preset
from kpi_research.sources.profile import NULLS, profile
from kpi_research.sources.proposal import Look, Proposal, Reason, Topic, depends_on, is_key, mentioned
from kpi_research.sources.propose import propose
from kpi_research.sources.recognise import likeness, look_at, recognise
from kpi_research.sources.synonyms import factor_of, in_order, kind_of, outcome_of, plain, synonyms
from kpi_research.sources.together import taken_once
from kpi_research.sources.workspace import Workspace

NO_EXPORT = ("expected", "source")
PSEUDO = {"people": {"team", "manager", "region"}, "opportunities": {"name", "probability"}}
"""What the words know besides canonical columns: what tables are derived or ordered by."""


@pytest.fixture(scope="module")
def engine():
    return ibis.duckdb.connect()


@pytest.fixture
def no_presets(monkeypatch):
    """Nobody knows the system: headers are read by their words alone."""
    monkeypatch.setattr("kpi_research.sources.recognise.load_presets", dict)


@pytest.fixture
def look(engine):
    """Makes an export that lies in memory, every cell text."""

    def made(file: str, columns: dict[str, list], sheet: str | None = None) -> Look:
        frame = pd.DataFrame(columns, dtype="string")
        rows = engine.create_table(ibis.util.gen_name("export"), ibis.memtable(frame))
        return Look(file, sheet, rows, tuple(columns), profile(rows, tuple(columns)))

    return made


def topics(proposals) -> set[str]:
    return {doubt.topic for each in proposals for doubt in each.doubts}


def named(proposals, table: str):
    (found,) = [each for each in proposals if each.table == table]
    return found


DEALS = {
    "商机编号": ["O1", "O2", "O3", "O4"],
    "客户名称": ["甲", "乙", "甲", "丙"],
    "负责人": ["王芳", "李雷", "王芳", "李雷"],
    "销售阶段": ["赢单", "输单", "报价", "需求"],
    "商机金额(万元)": ["1.5", "2", "3", "4"],
    "创建时间": ["2025-01-02", "2025-01-03", "2025-02-01", "2025-02-02"],
    "结单日期": ["2025-03-01", "2025-03-02", None, None],
}


# --- what cells look like ---


@pytest.mark.parametrize(
    ("cells", "dates", "is_date"),
    [
        (["2024-03-01", "2024-12-31 08:00", "2024-03-01T02:00:00.000+0000"], (), True),
        (["2024/3/1", "2024/12/31 8:00"], (), True),
        (["2024年3月1日", "2024年12月31日"], (), True),
        (["20240301", "20241231"], (), True),
        (["01/03/2024", "31/12/2024"], ("%d/%m/%Y",), True),
        (["03/01/2024", "12/31/2024"], ("%m/%d/%Y",), True),
        (["03.01.2024 08:00", "31.12.2024 09:30"], ("%d.%m.%Y %H:%M",), True),
        (["03/01/2024 08:00:00", "05/02/2024 09:30:00"], ("%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S"), True),
        (["31/12/2024", "12/31/2024"], ("%d/%m/%Y", "%m/%d/%Y"), True),
        (["1709251200", "1735603200"], ("epoch_s",), False),
        (["1709251200000", "1735603200000"], ("epoch_ms",), False),
        (["45352", "45657.5"], ("excel",), False),
        (["900", "12"], (), False),
        (["tomorrow", "2024-03-01"], (), False),
    ],
)
def test_the_form_of_dates_is_told_or_both_are_named(look, cells, dates, is_date):
    found = look("x.csv", {"day": [*cells, None, "--"]}).profiles["day"]
    assert (found.dates, found.is_date, found.filled, found.rows) == (
        dates,
        is_date,
        2 + (len(cells) == 3),
        len(cells) + 2,
    )
    assert found.fits("time") == bool(dates or is_date)


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["¥1,234.00", "￥5"], "signed"),
        (["1.2万", "30 万"], "tenthousands"),
        (["30%", "5 %"], "percent"),
        (["是", "否"], "flag"),
        (["a@b.cn", "x.y@z"], "email"),
        (["王芳(0012)", "李雷（A-7）"], "name_and_number"),
        (["1.23E+17", "4E+18"], "rounded"),
        (["006q000000HddohAAB"], "salesforce_18"),
        (["006q000000Hddoh"], "salesforce_15"),
    ],
)
def test_other_forms(look, cells, form):
    found = look("x.csv", {"cell": cells}).profiles["cell"]
    assert found.is_form(form) and not look("y.csv", {"cell": ["plain words", "7"]}).profiles["cell"].is_form(form)


def test_figures_of_a_column_are_those_of_counting(look):
    cells = ["a", "b", "a", "", " a ", *NULLS, None, "c;d"]
    found = look("x.csv", {"cell": cells, "id": [str(n) for n in range(len(cells))]}).profiles
    said = [cell.strip() for cell in cells if cell and cell.strip() not in NULLS]
    assert (found["cell"].rows, found["cell"].filled) == (len(cells), len(said))
    assert dict(found["cell"].top) == Counter(said) and found["cell"].values[0] == "a"
    assert found["cell"].separator == ";" and found["cell"].separators[";"] == pytest.approx(1 / len(said))
    assert found["id"].unique and not found["cell"].unique


def test_columns_with_the_strangest_names_are_profiled(look):
    headers = ['a"b', "c'd; drop table x", "e\nf", "g" * 10_000, "日期", "0", "1"]
    found = look("x.csv", {header: [header[:5], "x"] for header in headers}).profiles
    assert list(found) == headers and all(each.distinct == 2 for each in found.values())


# --- words ---


def test_words_name_canonical_columns_and_everything_that_is_needed():
    words = synonyms().tables
    assert set(words) <= set(TABLES)
    for table, given in words.items():
        assert set(given.columns) <= set(TABLES[table].columns) | PSEUDO.get(table, set())
        assert {name for name, column in TABLES[table].columns.items() if not column.nullable} <= set(given.columns)
        for spellings in given.columns.values():
            assert len({plain(spelling) for spelling in spellings}) == len(spellings)
    assert all(re.compile(form) for form in synonyms().forms.values())


def test_spellings_are_one_whatever_their_width_case_and_punctuation():
    assert plain("Stage_Name") == plain("stage name") == plain("ＳtageName") == "stagename"
    assert plain("收入(折后)") == plain("收入（折后）")


@pytest.mark.parametrize(
    ("value", "outcome"), [("Closed Won", "won"), ("已成交", "won"), ("输单", "lost"), ("作废", "void"), ("报价", None)]
)
def test_outcomes_by_word(value, outcome):
    assert outcome_of(value) == outcome


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Had a call.", "call"),
        ("Met in person", "visit"),
        ("现场拜访", "visit"),
        ("calendar_events", "meeting"),
        ("xyz", None),
    ],
)
def test_kinds_by_word(text, kind):
    assert kind_of(text) == kind


def test_stages_are_ordered_only_if_all_are_known():
    assert in_order(["签约", "需求", "方案"]) == ["需求", "方案", "签约"]
    assert in_order(["签约", "第三步"]) is None


@pytest.mark.parametrize(
    ("header", "factor"), [("金额(万元)", 10_000), ("金额（单位:万元）", 10_000), ("金额(元)", None), ("金额", None)]
)
def test_units_in_headers(header, factor):
    assert factor_of(header) == factor


# --- one export ---


def test_deals_with_chinese_headers(look):
    found = propose(look("商机.xlsx", DEALS, sheet="Sheet1"))
    assert (found.table, found.missing) == ("opportunities", ())
    assert found.mapping.columns == {
        "商机编号": "opportunity_id", "客户名称": "account_id", "负责人": "owner_id", "商机金额(万元)": "amount",
        "创建时间": "created_at", "销售阶段": ["stage", "outcome"], "结单日期": "closed_at",
    }  # fmt: skip
    assert found.mapping.values == {"outcome": {"赢单": "won", "输单": "lost", "报价": "open", "需求": "open"}}
    assert found.mapping.units == {"amount": 10_000} and found.mapping.sheet == "Sheet1"
    assert {guess.column: guess.reason for guess in found.guesses}["outcome"] == "content"
    (doubt,) = found.doubts
    assert (doubt.topic, set(doubt.candidates)) == ("taken_as_open", {"报价", "需求"})


def test_a_column_of_the_right_name_and_the_wrong_content_is_not_taken(look):
    found = propose(
        look("deals.csv", {**{k: v for k, v in DEALS.items() if k != "结单日期"}, "结单日期": ["soon"] * 4})
    )
    assert "结单日期" not in found.mapping.columns
    assert {"misfit", "no_closing"} <= topics([found])


def test_ambiguous_days_are_listed_with_both_forms(look):
    found = propose(look("deals.csv", {**DEALS, "创建时间": ["01/02/2025", "03/04/2025", "05/06/2025", "07/08/2025"]}))
    (doubt,) = [doubt for doubt in found.doubts if doubt.topic == "day_or_month"]
    assert doubt.candidates == ("%d/%m/%Y", "%m/%d/%Y") and doubt.essential and not found.mapping.dates


def test_proven_days_and_numbers_of_days_are_written(look):
    cells = {
        "创建时间": ["31/01/2025", "03/04/2025", "05/06/2025", "07/08/2025"],
        "结单日期": ["1740787200000"] * 2 + [None] * 2,
    }
    found = propose(look("deals.csv", {**DEALS, **cells}))
    assert found.mapping.dates == {"created_at": "%d/%m/%Y", "closed_at": "epoch_ms"}


def test_deals_of_which_nobody_says_whether_they_are_won_are_not_written(look):
    found = propose(look("deals.csv", {**DEALS, "销售阶段": ["一", "二", "三", "四"]}))
    assert found.missing == ("outcome",)
    (doubt,) = [doubt for doubt in found.doubts if doubt.topic == "missing"]
    assert "销售阶段" in doubt.candidates and doubt.essential


def test_order_lines_are_added_up_and_head_amounts_are_not(look):
    orders = {
        "订单编号": ["A", "A", "B"],
        "订单日期": ["2025-01-01", "2025-01-01", "2025-01-02"],
        "销售员": ["王", "王", "李"],
    }
    lines = propose(look("orders.csv", {**orders, "订单金额": ["10", "20", "5"]}))
    heads = propose(look("orders.csv", {**orders, "订单金额": ["30", "30", "5"]}))
    assert (lines.mapping.lines.per, lines.mapping.lines.sum) == ("contract_id", ["amount"])
    assert (heads.mapping.lines.per, heads.mapping.lines.sum) == ("contract_id", [])
    assert "lines" in topics([lines])


def test_rows_without_an_id_are_told_apart_by_several_columns_if_they_can_be(look):
    visits = {
        "拜访人": ["王", "王", "李"],
        "拜访时间": ["2025-01-01 09:00", "2025-01-01 10:00", "2025-01-01 09:00"],
        "拜访类型": ["现场拜访", "电话", "演示"],
    }
    found = propose(look("拜访记录.csv", visits))
    assert found.table == "activities" and not found.missing
    assert set(found.mapping.join["activity_id"]) == set(visits)
    assert found.mapping.values["kind"] == {"现场拜访": "visit", "电话": "call", "演示": "demo"}
    twice = propose(look("拜访记录.csv", {name: [cells[0]] * 2 for name, cells in visits.items()}))
    assert twice.missing == ("activity_id",)


def test_numbers_in_names_are_picked_and_several_people_in_a_cell_are_asked(look):
    picked = propose(look("deals.csv", {**DEALS, "负责人": ["王芳(0012)", "李雷(0013)", "王芳(0012)", "李雷(0013)"]}))
    assert re.search(picked.mapping.pick["owner_id"], "王芳(0012)")[1] == "0012"
    several = propose(look("deals.csv", {**DEALS, "负责人": ["王芳;李雷", "李雷", "王芳", "李雷"]}))
    (doubt,) = [doubt for doubt in several.doubts if doubt.topic == "several_values"]
    assert doubt.candidates == (";",)


@pytest.mark.parametrize("headers", [["Table", "Field", "Description"], ["x", "y"], ["name"], ["数量", "备注"]])
def test_what_resembles_nothing_is_nothing(look, headers):
    assert propose(look("notes.csv", {header: ["a", "b"] for header in headers})) is None


# --- tables inside others ---


def test_won_deals_are_sales_where_nobody_keeps_contracts(look):
    found = derive([propose(look("商机.csv", DEALS))])
    contracts = named(found, "contracts")
    assert contracts.mapping.where == {"销售阶段": "赢单"} and contracts.mapping.units == {"amount": 10_000}
    assert contracts.mapping.columns["结单日期"] == "signed_at"
    assert (
        named(found, "people").mapping.columns == {"负责人": ["person_id", "name"]}
        and named(found, "people").mapping.distinct
    )
    orders = {
        "合同编号": ["K1", "K2"],
        "签订日期": ["2025-01-01"] * 2,
        "合同金额": ["1", "2"],
        "负责人": ["王芳", "李雷"],
    }
    kept = derive([propose(look("商机.csv", DEALS)), propose(look("合同.csv", orders))])
    assert named(kept, "contracts").look.file == "合同.csv"


def test_dates_of_a_won_deal_keep_their_form(look):
    cells = {"结单日期": ["31/03/2025", "30/03/2025", None, None]}
    contracts = named(derive([propose(look("商机.csv", {**DEALS, **cells}))]), "contracts")
    assert contracts.mapping.dates == {"signed_at": "%d/%m/%Y"}


STAFF = {"工号": ["1", "2", "3"], "姓名": ["王", "李", "赵"], "部门": ["东", "东", "西"], "大区": ["南", "南", "北"]}


def test_teams_come_from_what_stands_beside_people(look):
    found = derive([propose(look("员工.csv", STAFF))])
    teams, members = named(found, "teams"), named(found, "assignments")
    assert teams.mapping.columns == {"部门": ["team_id", "name"], "大区": "region"} and teams.mapping.distinct
    assert members.mapping.columns == {"工号": "person_id", "部门": "team_id"}
    (doubt,) = teams.doubts
    assert (doubt.topic, doubt.candidates) == ("teams", ("大区",))


def test_people_in_several_teams_without_dates_are_put_into_none(look):
    moved = {name: [*cells, cells[0]] for name, cells in STAFF.items()} | {
        "部门": ["东", "东", "西", "西"],
        "大区": ["南", "南", "北", "北"],
    }
    found = derive([propose(look("员工.csv", moved))])
    assert named(found, "assignments").missing and "moves" in topics(found)
    assert not [each for each in found if each.table == "teams"]


def test_dated_notes_become_activities_and_customers_with_outcomes_become_deals(look):
    customers = {
        "customer_id": ["1", "2"], "customer_name": ["A", "B"], "assigned_to": ["ann", "bob"], "state": ["Won", "Lost"],
        "remarks": ["2023-11-07: Had a call. 2023-11-25: Saw the demo. ", "2023-10-27: On holiday."],
    }  # fmt: skip
    found = derive([propose(look("customers.csv", customers))])
    assert [each.table for each in found] == ["accounts", "opportunities", "activities", "people"]
    diary = named(found, "activities").mapping
    notes = [match for text in customers["remarks"] for match in re.finditer(diary.unfold.pattern, text)]
    assert [(note["note_date"], note["note_text"]) for note in notes] == [
        ("2023-11-07", "Had a call"), ("2023-11-25", "Saw the demo"), ("2023-10-27", "On holiday"),
    ]  # fmt: skip
    assert diary.values == {"kind": {"Had a call": "call", "Saw the demo": "demo"}}
    assert diary.columns["note_date"] == "occurred_at" and diary.join == {
        "activity_id": ["customer_id", "note_date", "note_text"]
    }
    assert {"unknown_kinds", "no_closing"} <= topics(found)


def test_what_depends_on_what(look):
    pairs = look("x.csv", {"agent": ["a", "a", "b", None], "boss": ["x", "x", "x", "y"], "day": ["1", "2", "1", "1"]})
    assert depends_on(pairs, "boss", "agent") and not depends_on(pairs, "agent", "boss")
    assert is_key(pairs, ["agent", "day"]) and not is_key(pairs, ["agent", "boss"])


# --- the folder ---


def test_people_named_otherwise_than_by_their_ids_are_matched_by_what_they_are_named_by(look, no_presets):
    deals = look("商机.csv", DEALS)
    staff = look("员工.csv", {"员工id": ["7", "8"], "姓名": ["王芳", "李雷"], "工号": ["0012", "0013"]})
    found = recognise([deals, staff])
    assert named(found.proposals, "people").mapping.columns == {"姓名": ["person_id", "name"], "工号": "employee_no"}
    assert not found.doubts
    by_id = recognise([look("商机.csv", {**DEALS, "负责人": ["7", "8", "7", "8"]}), staff])
    assert named(by_id.proposals, "people").header("person_id") == "员工id"
    namesakes = recognise([deals, look("员工.csv", {"员工id": ["7", "8", "9"], "姓名": ["王芳", "李雷", "李雷"]})])
    assert named(namesakes.proposals, "people").header("person_id") == "员工id", "a name that two bear is no key"
    nobody = recognise([look("商机.csv", {**DEALS, "负责人": ["x", "y", "z", "x"]}), staff])
    (doubt,) = [doubt for doubt in nobody.doubts if doubt.topic == "strangers"]
    assert (doubt.values["n"], doubt.values["all"]) == (3, 3)


def test_the_same_records_twice_are_taken_once_and_parts_are_put_together(look, no_presets):
    first, again = look("商机.csv", DEALS), look("商机-备份.csv", DEALS)
    more = look("商机-2.csv", {**DEALS, "商机编号": ["O5", "O6", "O7", "O8"]})
    found = recognise([first, again, more])
    assert [each.look.file for each in found.proposals if each.table == "opportunities"] == ["商机.csv", "商机-2.csv"]
    (doubt,) = [doubt for doubt in found.doubts if doubt.topic == "again"]
    assert (doubt.export, doubt.values["other"]) == ("商机-备份.csv", "商机.csv")


def test_records_that_a_map_numbers_apart_are_not_the_same(look):
    """Call 1 and visit 1 of a system are two, if its map says so."""
    cells = {"id": ["1", "2"], "who": ["a", "b"], "at": ["2025-01-01", "2025-01-02"]}
    columns = {"id": "activity_id", "who": "person_id", "at": "occurred_at"}

    def part(file: str, prefix: str) -> Proposal:
        mapping = TableMapping(file=file, columns=columns, prefix={"activity_id": prefix} if prefix else {})
        return Proposal(look(file, cells), "activities", mapping, ())

    calls, visits, again = part("calls.csv", "call-"), part("visits.csv", "visit-"), part("calls (1).csv", "call-")
    kept, doubts = taken_once([calls, visits, again])
    assert kept == [calls, visits] and [doubt.export for doubt in doubts] == ["calls (1).csv"]
    assert taken_once([part("a.csv", ""), part("b.csv", "")])[1]


def test_ids_of_several_exports_of_activities_are_kept_apart(look, no_presets):
    calls = {"record id": ["1", "2"], "owner": ["a", "b"], "start time": ["2025-01-01 09:00", "2025-01-02 09:00"]}
    found = recognise([look("calls.csv", calls), look("meetings.csv", calls | {"record id": ["1", "3"]})])
    prefixes = [each.mapping.prefix["activity_id"] for each in found.proposals if each.table == "activities"]
    assert prefixes == ["calls-", "meetings-"]


def test_a_folder_without_anybody_says_so(look, no_presets):
    found = recognise([look("products.csv", {"product": ["a"], "series": ["b"], "sales_price": ["3"]})])
    assert [doubt.topic for doubt in found.doubts] == ["no_people"]


# --- systems ---

ALPHA = {
    "system": "alpha", "label": {"zh": "甲系统", "en": "Alpha"}, "role": "crm", "checked": "2026-01",
    "confidence": dict.fromkeys(("objects", "fields", "labels", "formats", "stage_history"), "D"),
    "ask": {"zh": ["问"], "en": ["ask"]},
    "tables": [
        {
            "table": "people", "names": ["User"], "confidence": "D",
            "fields": {"UserKey": {"用户": "S"}, "FullName": {"用户姓名": "I"}, "Unit": {}}, "needs": ["UserKey", "FullName"],
            "map": {"columns": {"UserKey": "person_id", "FullName": "name"}},
        },
        {
            "table": "assignments", "names": ["User"], "confidence": "D",
            "fields": {"UserKey": {}, "Unit": {}}, "needs": ["UserKey", "Unit"],
            "map": {"columns": {"UserKey": "person_id", "Unit": "team_id"}},
        },
        {
            "table": "opportunities", "names": ["Deal"], "confidence": "D",
            "fields": {"DealKey": {}, "OwnerKey": {"跟进者": "I"}, "Step": {}, "Sum": {}, "Won": {}, "Closed": {}, "Day": {}, "Gone": {}},
            "needs": ["DealKey", "Step"],
            "map": {
                "columns": {"DealKey": "opportunity_id", "OwnerKey": "owner_id", "Step": "stage", "Sum": "amount", "Day": "closed_at"},
                "cases": {"outcome": [{"value": "won", "where": {"Won": "1"}}, {"value": "lost", "where": {"Closed": "1"}}, {"value": "open"}]},
                "unless": {"Gone": "1"}, "dates": "epoch_ms", "zone": "UTC",
            },
        },
        {
            "table": "stage_changes", "names": ["DealHistory"], "confidence": "D",
            "fields": {"DealKey": {}, "Step": {}, "EnteredOn": {}}, "needs": ["DealKey", "Step", "EnteredOn"],
            "map": {"columns": {"DealKey": "opportunity_id", "Step": "stage", "EnteredOn": "entered_at"}},
        },
    ],
}  # fmt: skip
ALPHA_DEALS = {
    "deal_key": ["1", "2", "3"], "跟进者": ["u1", "u2", "u1"], "STEP": ["a", "b", "c"], "sum": ["5", "6", "7"], "won": ["1", "0", "0"],
    "closed": ["1", "1", "0"], "Day": ["1740787200000", "1740787200000", "1740787200000"], "gone": ["0", "0", "1"], "Mood": ["x", "y", "z"],
}  # fmt: skip
ALPHA_USERS = {"User Key": ["u1", "u2"], "FullName": ["王芳", "李雷"], "Unit": ["T1", "T1"]}


@pytest.fixture
def presets(monkeypatch):
    """Two systems of the same words; a third has other ones."""
    beta = {**ALPHA, "system": "beta"}
    made = {given["system"]: Preset.model_validate(given) for given in (ALPHA, beta)}
    known = {"alpha": made["alpha"]}
    monkeypatch.setattr("kpi_research.sources.recognise.load_presets", lambda: known)
    return known, made


def test_a_known_system_is_recognised_by_its_headers(look, presets):
    found = recognise([look("export_deal.csv", ALPHA_DEALS), look("users.csv", ALPHA_USERS)])
    assert found.systems == ("alpha",) and not found.unused
    deals, contracts = named(found.proposals, "opportunities"), named(found.proposals, "contracts")
    assert deals.mapping.columns == {
        "deal_key": "opportunity_id", "跟进者": "owner_id", "STEP": "stage", "sum": "amount", "Day": "closed_at",
    }  # fmt: skip
    assert (deals.mapping.dates, deals.mapping.zone, deals.mapping.unless) == ("epoch_ms", "UTC", {"gone": "1"})
    reasons = {guess.column: guess.reason for guess in deals.guesses}
    assert (reasons["opportunity_id"], reasons["owner_id"], reasons["outcome"]) == ("documented", "inferred", "derived")
    assert (
        contracts.mapping.where == {"won": "1"}
        and contracts.mapping.unless == {"gone": "1"}
        and contracts.mapping.zone == "UTC"
    )
    assert named(found.proposals, "assignments").look.file == named(found.proposals, "people").look.file == "users.csv"
    assert deals.leftover == ("Mood",)


def test_cells_decide_where_a_preset_knows_another_form_of_dates(look, presets):
    iso = recognise([look("deal.csv", {**ALPHA_DEALS, "Day": ["2025-03-01"] * 3})])
    assert named(iso.proposals, "opportunities").mapping.dates is None
    turned = recognise([look("deal.csv", {**ALPHA_DEALS, "Day": ["31/03/2025"] * 3})])
    assert named(turned.proposals, "opportunities").mapping.dates == {"closed_at": "%d/%m/%Y"}
    unclear = recognise([look("deal.csv", {**ALPHA_DEALS, "Day": ["01/03/2025"] * 3})])
    assert "day_or_month" in topics(unclear.proposals)


def test_a_history_of_deals_is_not_a_list_of_deals(look, presets):
    history = {name: cells for name, cells in ALPHA_DEALS.items() if name not in ("Mood",)}
    found = recognise([look("deal.csv", ALPHA_DEALS), look("deal_history.csv", history)])
    assert [each.look.file for each in found.proposals if each.table == "opportunities"] == ["deal.csv"]
    assert [each.file for each in found.unused] == ["deal_history.csv"]


def test_an_export_that_the_system_does_not_know_is_read_by_its_words(look, presets):
    calls = {"call id": ["1"], "owner": ["u1"], "start time": ["2025-01-01 09:00"]}
    found = recognise([look("deal.csv", ALPHA_DEALS), look("users.csv", ALPHA_USERS), look("calls.csv", calls)])
    assert (named(found.proposals, "activities").system, named(found.proposals, "opportunities").system) == (
        "",
        "alpha",
    )


def test_what_of_a_preset_is_not_used_is_said(look, presets):
    found = recognise([look("deal.csv", {name: cells for name, cells in ALPHA_DEALS.items() if name != "gone"})])
    assert named(found.proposals, "opportunities").dropped == ("unless: Gone",)
    (doubt,) = [doubt for doubt in found.doubts if doubt.topic == "dropped"]
    assert (doubt.values["system"], doubt.candidates) == ("alpha", ("opportunities unless: Gone",))
    assert "dropped" not in {doubt.topic for doubt in recognise([look("deal.csv", ALPHA_DEALS)]).doubts}


def test_of_a_database_an_object_is_the_table_that_bears_its_name(look, presets):
    copy = {**ALPHA_DEALS, "deal_key": ["7", "8", "9"]}
    looks = [look("deal.csv", ALPHA_DEALS), look("deal_2024.csv", copy), look("users.csv", ALPHA_USERS)]
    taken = {
        picked: [
            each.look.file
            for each in recognise(looks, picked=picked).proposals
            if each.table == "opportunities"
        ]
        for picked in (True, False)
    }  # fmt: skip
    assert taken == {True: ["deal.csv", "deal_2024.csv"], False: ["deal.csv"]}


def test_of_a_database_nothing_else_is_taken_for_what_the_system_gives(look, presets):
    staff = {"employee id": ["7", "8"], "full name": ["a", "b"], "email": ["a@b.cn", "b@b.cn"]}
    calls = {"call id": ["1"], "owner": ["u1"], "start time": ["2025-01-01 09:00"]}
    visits = {"visit id": ["1"], "owner": ["u1"], "visit reason": ["x"]}
    files = {"deal": ALPHA_DEALS, "users": ALPHA_USERS, "staff": staff, "calls": calls, "visits": visits}
    found = recognise([look(f"{name}.csv", cells) for name, cells in files.items()], picked=False)
    (doubt,) = [doubt for doubt in found.doubts if doubt.topic == "beside"]
    assert (doubt.table, doubt.candidates) == ("people", ("staff.csv",))
    assert {each.look.file for each in found.proposals} == {"deal.csv", "users.csv", "calls.csv"}
    assert {each.file for each in found.unused} == {"staff.csv", "visits.csv"}


def test_what_a_table_resembles_is_told_by_its_columns_alone(presets):
    assert likeness("deal", tuple(ALPHA_DEALS)) > likeness("x", tuple(ALPHA_DEALS)) > 0
    assert likeness("sales_orders", ("order id", "order date", "sales rep", "order amount")) > 0
    assert likeness("sys_log", ("id", "level", "message")) == 0


def test_two_systems_that_fit_alike_are_both_named(look, presets):
    known, made = presets
    known |= made
    (doubt,) = [doubt for doubt in recognise([look("deal.csv", ALPHA_DEALS)]).doubts if doubt.topic == "systems"]
    assert {doubt.values["chosen"], *doubt.candidates} == {"alpha", "beta"}


def test_no_row_kept_is_said_before_anything_runs(look, presets):
    gone = recognise([look("deal.csv", {**ALPHA_DEALS, "gone": ["1"] * 3, "deal_key": [None] * 3})])
    said = {doubt.topic: doubt.candidates for doubt in gone.doubts if doubt.table == "opportunities"}
    assert said["left_out"] == ("gone",) and said["empty"] == ("deal_key",)


# --- sentences ---


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_topic_and_every_reason_has_a_sentence(language):
    for topic in get_args(Topic):
        assert sentence(f"init.doubt.{topic}")[language]
    for reason in get_args(Reason):
        assert not placeholders(sentence(f"init.reason.{reason}")[language])


def test_headers_that_a_mapping_uses_are_not_left_over(look):
    found = derive([propose(look("商机.csv", DEALS))])
    contracts = named(found, "contracts")
    assert mentioned(contracts.mapping) == {"商机编号", "客户名称", "负责人", "结单日期", "商机金额(万元)", "销售阶段"}


# --- what systems export ---

RECORDED = sorted(path.parent for path in (Path(__file__).parent / "exports").glob("*/expected.json"))


@pytest.mark.parametrize("folder", RECORDED, ids=lambda folder: folder.name)
def test_every_recorded_export_is_recognised_as_its_system_with_all_its_tables(folder):
    with Workspace() as workspace:
        there = [
            (path, sheet)
            for path, sheet in find_exports(folder)
            if path.suffix != ".json" or path.stem not in NO_EXPORT
        ]
        found = recognise(
            [look_at(open_export(path, workspace, sheet=sheet), path.name, sheet) for path, sheet in there]
        )
    assert len(found.systems) == 1 and folder.name.startswith(found.systems[0])
    assert not found.unused
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    given = {each.table for each in found.proposals if not each.missing}
    assert set(expected) & set(TABLES) <= given
