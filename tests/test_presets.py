"""Starting maps of systems: what a preset file may say, how it is fitted to headers, and what small exports become."""

import csv
import itertools
import json
import re
import shutil
import sys
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from pydantic import TypeAdapter

from kpi_research.crm.contract import Contract, hold_to_contract
from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError
from kpi_research.sources import preset as presets
from kpi_research.sources.exports import open_export
from kpi_research.sources.fitting import as_list
from kpi_research.sources.mapping import Source, TableMapping, parts_of
from kpi_research.sources.preset import PresetTable, find_preset, load_presets, normalise, preset_rows, resolve
from kpi_research.sources.read import read_source
from kpi_research.sources.starting_map import completed
from kpi_research.sources.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from systems import systems

FILES = sorted(presets.FOLDER.glob("*.yaml"))
EXPORTS = Path(__file__).with_name("exports")
FOLDERS = sorted(path.parent for path in EXPORTS.glob("*/expected.json"))
SEEDS = Path(__file__).parents[2] / "shared" / "data"
DAY = re.compile(r"^(\d{4})[-/](\d{1,2})[-/](\d{1,2})$")


def part(**given) -> PresetTable:
    """A small object; `given` replaces parts of it."""
    plain = {
        "table": "opportunities",
        "names": ["Deal"],
        "confidence": "D",
        "fields": {"Id": {"编号": "I"}, "Stage": {"阶段": "S"}, "Won": {}, "Owner Id": {}, "Owner": {"负责人": "I"}, "Day": {}, "Time": {}},
        "needs": ["Id"],
        "map": {"columns": {"Id": "opportunity_id", "Stage": ["stage", "outcome"], "Owner Id": "owner_id", "Owner": "owner_id", "Day": "created_at"}},
    }  # fmt: skip
    return PresetTable.model_validate({**plain, **given})


def written(tmp_path: Path, **given) -> Path:
    """A preset file with one object."""
    content = {
        "system": "small",
        "label": {"zh": "小", "en": "small"},
        "role": "crm",
        "checked": "2026-11",
        "confidence": dict.fromkeys(("objects", "fields", "labels", "formats", "stage_history"), "D"),
        "ask": {"zh": ["一"], "en": ["one"]},
        "tables": [part(**given).model_dump(exclude_unset=True)],
    }
    path = tmp_path / "small.yaml"
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


# ---------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_preset_is_in_order(path: Path):
    preset = presets.read_preset(path)
    assert preset.system == path.stem
    assert preset.label.zh and preset.label.en and preset.ask.zh and len(preset.ask.zh) == len(preset.ask.en)
    for each in preset.tables:
        whole = resolve(each, list(each.fields))
        assert not whole.lacks_needs and not whole.missing and not whole.dropped and not whole.unmatched
        assert set(whole.grades.values()) or whole.mapping.join


def test_a_preset_that_names_what_there_is_not_says_all_of_it(tmp_path: Path):
    wrong = {
        "columns": {"Id": "oportunity_id", "Stagee": "stage"},
        "constants": {"outcome": "lots"},
        "join": {"created_at": ["Day", "Tim"]},
        "lines": {"per": "order_id", "sum": []},
    }
    path = written(tmp_path, map=wrong, needs=["Idd"], fields={"Id": {"编号": "I"}, "No": {"编 号": "I"}, "Day": {}})
    with pytest.raises(InputError) as raised:
        presets.read_preset(path)
    found = {(problem.key, problem.given) for problem in raised.value.problems}
    assert found == {
        ("preset.no_such_field", "Idd"),
        ("preset.no_such_field", "Stagee"),
        ("preset.no_such_field", "Tim"),
        ("preset.spelling_twice", None),
        ("contract.unknown_column", "oportunity_id"),
        ("contract.unknown_column", "order_id"),
        ("contract.missing_column", None),
        ("preset.no_choice", "lots"),
    }
    assert "Did you mean" in raised.value.text("en") or "opportunity_id" in raised.value.text("en")


def test_a_malformed_preset_names_every_key(tmp_path: Path):
    path = written(tmp_path)
    given = json.loads(path.read_text(encoding="utf-8"))
    given["role"], given["tables"][0]["colour"] = "shop", "red"
    path.write_text(json.dumps(given), encoding="utf-8")
    with pytest.raises(InputError) as raised:
        presets.read_preset(path)
    assert {problem.values["key"] for problem in raised.value.problems} == {"role", "tables.0.colour"}


def test_a_preset_bears_the_name_of_its_file(tmp_path: Path):
    path = written(tmp_path).rename(tmp_path / "other.yaml")
    with pytest.raises(InputError) as raised:
        presets.read_preset(path)
    assert [problem.key for problem in raised.value.problems] == ["preset.other_system"]


def test_an_unknown_system_is_answered_with_the_nearest():
    assert find_preset("salesforce").label.en == "Salesforce"
    with pytest.raises(InputError, match="salesforce"):
        find_preset("salesforse")


def test_the_listing_has_a_row_for_every_preset():
    rows = {row["system"]: row for row in preset_rows()}
    assert set(rows) == {path.stem for path in FILES}
    salesforce = rows["salesforce"]
    assert salesforce["role"] == "crm" and salesforce["confidence"] == "D"
    assert "opportunities D" in salesforce["tables"].split(", ")
    assert set(rows["zoho"]) == {"system", "label_zh", "label_en", "role", "tables", "confidence"}


def test_the_page_of_systems_has_every_grade():
    page = systems()
    header = next(line for line in page.splitlines() if line.startswith("| table"))
    columns = [cell.strip(" `") for cell in header.split("|")]
    for name, preset in load_presets().items():
        for table in {each.table for each in preset.tables}:
            row = next(line for line in page.splitlines() if line.startswith(f"| `{table}`"))
            best = min((each.confidence for each in preset.tables if each.table == table), key="DSIN".index)
            assert row.split("|")[columns.index(name)].strip() == best
        assert all(question in page for question in (*preset.ask.zh, *preset.ask.en))


# -------------------------------------------------------------------------------------------------------------- fitting


@pytest.mark.parametrize(
    "header", ["StageName", "stage_name", "Stage Name", " STAGE-NAME", "ＳｔａｇｅＮａｍｅ", "Stage (Name)"]
)
def test_spellings_of_one_name_are_one(header: str):
    assert normalise(header) == "stagename"


def test_brackets_and_blanks_of_any_width_are_the_same():
    assert normalise("可能性（%）") == normalise("可能性 (%)") == "可能性"


def test_a_map_is_put_into_the_headers_that_stand_in_the_export():
    found = resolve(part(), ["编号", "STAGE", "owner", "remark"])
    assert found.mapping.columns == {"编号": "opportunity_id", "STAGE": ["stage", "outcome"], "owner": "owner_id"}
    assert found.grades["opportunity_id"] == ("编号", "I") and found.grades["stage"] == ("STAGE", "D")
    assert found.missing == ("Day",) and found.unmatched == ("remark",) and not found.lacks_needs


def test_the_first_field_that_is_there_fills_a_column():
    both = resolve(part(), ["Id", "Owner", "Owner Id", "Stage"])
    assert both.mapping.columns["Owner Id"] == "owner_id" and "Owner" not in both.mapping.columns
    assert resolve(part(), ["Id", "负责人", "Stage"]).grades["owner_id"] == ("负责人", "I")


CASES = {"outcome": [{"value": "won", "where": {"Won": "1"}}, {"value": "open"}]}
VALUES = {"outcome": {"Closed Won": "won", "*": "open"}}
WITH_CASES = {
    "columns": {"Id": "opportunity_id", "Stage": ["stage", "outcome"]},
    "cases": CASES,
    "values": VALUES,
    "constants": {"currency": "CNY", "stage": "new"},
}


def test_cases_come_first_and_copied_columns_stand_in_for_them():
    marked = resolve(part(map=WITH_CASES), ["id", "stage", "won"])
    assert marked.mapping.columns == {"id": "opportunity_id", "stage": "stage"} and marked.mapping.values == {}
    assert marked.mapping.cases["outcome"][0].where == {"won": "1"} and marked.dropped == ()
    bare = resolve(part(map=WITH_CASES), ["id", "stage"])
    assert bare.mapping.columns == {"id": "opportunity_id", "stage": ["stage", "outcome"]}
    assert bare.mapping.cases == {} and bare.mapping.values == VALUES and bare.dropped == ("cases outcome: Won",)
    assert bare.mapping.constants == {"currency": "CNY"}
    assert resolve(part(map=WITH_CASES), ["id"]).mapping.constants == {"currency": "CNY", "stage": "new"}


def test_what_needs_an_absent_field_is_dropped_and_named():
    given = {
        "columns": {"Id": "opportunity_id", "Stage": ["stage", "outcome"], "Day": "created_at"},
        "join": {"created_at": ["Day", "Time"]},
        "where": {"Won": "1"},
        "unless": {"Stage": "x"},
        "fill_down": ["Id", "Owner"],
        "pick": {"owner_id": "(.+)"},
        "dates": {"created_at": "%d.%m.%Y", "closed_at": "%d.%m.%Y"},
    }
    found = resolve(part(map=given), ["Id", "Stage", "Day"])
    assert found.dropped == ("fill_down: Owner", "where: Won", "join created_at: Time")
    assert found.mapping.where == {} and found.mapping.unless == {"Stage": "x"} and found.mapping.fill_down == ["Id"]
    assert found.mapping.columns["Day"] == "created_at" and found.mapping.join == {} and found.mapping.pick == {}
    assert found.mapping.dates == {"created_at": "%d.%m.%Y"}
    assert resolve(part(map=given), ["Id", "Day", "Time"]).mapping.join == {"created_at": ["Day", "Time"]}


def test_months_that_an_export_lacks_are_not_turned_into_rows():
    months = {"columns": {"Won": "01", "Owner": "02"}, "name": "month", "value": "figure"}
    given = {
        "columns": {"Id": "opportunity_id", "month": "stage", "figure": "amount"},
        "constants": {"outcome": "open"},
        "unpivot": months,
    }
    found = resolve(part(map=given), ["id", "负责人"])
    assert found.mapping.unpivot.columns == {"负责人": "02"}
    assert found.mapping.columns == {"id": "opportunity_id", "month": "stage", "figure": "amount"}
    assert set(found.grades) == {"opportunity_id"}
    assert resolve(part(map=given), ["id"]).mapping.unpivot is None


def test_lines_are_summed_only_where_their_record_is_known():
    given = {
        "columns": {"Id": "opportunity_id", "Won": "amount"},
        "constants": {"outcome": "open"},
        "lines": {"per": "opportunity_id", "sum": ["amount"]},
    }
    assert resolve(part(map=given), ["Id"]).mapping.lines.sum == []
    assert resolve(part(map=given), ["Won"]).mapping.lines is None
    assert resolve(part(map=given), ["Won"]).lacks_needs


def test_a_preset_takes_every_part_of_one_object_and_no_other_object():
    (wukong,) = {tuple(each.fields) for each in find_preset("wukong").tables if each.table == "activities"}
    found = completed(TableMapping(file="a.csv", dates="excel"), "wukong", "activities", wukong)
    targets = [as_list(each.columns.get("activity_type_id", [])) for each in found]
    assert targets == [["account_id"], ["opportunity_id"], ["lead_id"], []]
    assert {each.file for each in found} == {"a.csv"} and {each.dates for each in found} == {"excel"}
    # an export that has the fields of several objects is one of them
    headers = ["engagement_id", "property_hs_timestamp", "property_hubspot_owner_id", "property_hs_call_status", "id"]
    for part in find_preset("hubspot").tables:
        fitting = completed(TableMapping(file="x"), "hubspot", part.table, [*part.fields, *headers])
        assert len(fitting) == 1, part.names
    written = TableMapping(file="a.csv", columns={"activity_id": "activity_id"})
    assert completed(written, "wukong", "activities", wukong) == [written]


# -------------------------------------------------------------------------------------------------------------- exports


def contract_of(folder: Path, workspace: Workspace) -> Contract:
    source = TypeAdapter(Source).validate_json((folder / "source.json").read_text(encoding="utf-8"))
    return hold_to_contract(read_source(source, folder, workspace), timezone="Asia/Shanghai")


def readable(value: object, kind: str) -> object:
    """A value of either side in one form."""
    if value is None or pd.isna(value):
        return None
    if kind in ("date", "time"):
        return pd.Timestamp(value).isoformat()
    if kind in ("money", "number", "share"):
        return round(float(value), 4)
    return bool(value) if kind == "flag" else str(value)


def rows_of(name: str, rows: list[dict]) -> list[tuple]:
    columns = TABLES[name].columns
    assert not [key for row in rows for key in row if key not in columns]
    found = [tuple(readable(row.get(key), column.kind) for key, column in columns.items()) for row in rows]
    return sorted(found, key=str)


def assert_as_expected(folder: Path, expected: Path, workspace: Workspace) -> None:
    wanted = json.loads(expected.read_text(encoding="utf-8"))
    contract = contract_of(folder, workspace)
    assert set(contract.tables) == set(wanted)
    for name, rows in wanted.items():
        assert rows_of(name, contract.frame(name).to_dict("records")) == rows_of(name, rows), name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_an_export_has_every_field_that_its_object_needs(folder: Path):
    source = TypeAdapter(Source).validate_json((folder / "source.json").read_text(encoding="utf-8"))
    preset = find_preset(source.preset)
    with Workspace() as workspace:
        for table, mapping in parts_of(source.tables):
            headers = open_export(folder / mapping.file, workspace, sheet=mapping.sheet).headers
            fitting = [
                found
                for each in preset.tables
                if each.table == table and not (found := resolve(each, headers)).lacks_needs
            ]
            assert fitting, (table, mapping.file)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_an_export_becomes_what_its_system_means(folder: Path):
    with Workspace() as workspace:
        assert_as_expected(folder, folder / "expected.json", workspace)


def test_every_system_has_an_export():
    covered = {json.loads((folder / "source.json").read_text(encoding="utf-8"))["preset"] for folder in FOLDERS}
    assert covered == set(load_presets())


# ------------------------------------------------------------------------------------------- the same in other clothes

ENCODINGS = ["utf-8-sig", "gb18030", "utf-16"]
DAYS = ["{:04d}-{:02d}-{:02d}", "{}/{}/{}", "{}年{}月{}日", "{:04d}-{:02d}-{:02d} 00:00:00"]
BOOK = "xlsx"
WITH_TEXT = [folder for folder in FOLDERS if list(folder.glob("*.csv"))]


def written_anew(folder: Path, target: Path, encoding: str, day: str) -> Path:
    """A copy of a folder with its texts in another encoding, or as workbooks, and its days in another form."""
    shutil.copytree(folder, target)
    # days that are joined to a time or make up a key are not free to be written otherwise
    free = not any(
        each.map.join for each in find_preset(json.loads((folder / "source.json").read_text("utf-8"))["preset"]).tables
    )
    for path in target.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = [[in_form(cell, day) if free else cell for cell in row] for row in csv.reader(file)]
        if encoding == BOOK:
            book = openpyxl.Workbook()
            for row in rows:
                book.active.append(row)
            book.save(path.with_suffix(".xlsx"))
            path.unlink()
        else:
            with path.open("w", encoding=encoding, newline="") as file:
                csv.writer(file, lineterminator="\r\n").writerows(rows)
    if encoding == BOOK:
        source = target / "source.json"
        source.write_text(source.read_text(encoding="utf-8").replace(".csv", ".xlsx"), encoding="utf-8")
    return target


def in_form(cell: str, form: str) -> str:
    found = DAY.match(cell)
    return form.format(*(int(number) for number in found.groups())) if found else cell


CLOTHES = list(itertools.product([*ENCODINGS, BOOK], DAYS))


@pytest.mark.parametrize(("number", "folder"), list(enumerate(WITH_TEXT)), ids=lambda value: getattr(value, "name", ""))
def test_encoding_and_form_of_days_do_not_matter(number: int, folder: Path, tmp_path: Path):
    again = written_anew(folder, tmp_path / "again", *CLOTHES[number * 5 % len(CLOTHES)])
    with Workspace() as workspace:
        assert_as_expected(again, folder / "expected.json", workspace)


@pytest.mark.slow
@pytest.mark.parametrize(("encoding", "day"), CLOTHES)
@pytest.mark.parametrize("folder", WITH_TEXT, ids=lambda path: path.name)
def test_no_encoding_and_no_form_of_days_matters(folder: Path, encoding: str, day: str, tmp_path: Path):
    again = written_anew(folder, tmp_path / "again", encoding, day)
    with Workspace() as workspace:
        assert_as_expected(again, folder / "expected.json", workspace)


# ---------------------------------------------------------------------------------------------------------------- seeds


@pytest.mark.parametrize(
    ("file", "system", "table", "columns"),
    [
        ("salesforce_seeds/sf_opportunity_data.csv", "salesforce", "opportunities", {"opportunity_id", "account_id", "owner_id", "amount", "created_at", "stage", "closed_at"}),
        ("salesforce_seeds/sf_opportunity_history_data.csv", "salesforce", "stage_changes", {"opportunity_id", "stage", "entered_at"}),
        ("salesforce_seeds/sf_user_data.csv", "salesforce", "people", {"person_id", "name", "email", "employee_no", "role"}),
        ("salesforce_seeds/sf_user_data.csv", "salesforce", "assignments", {"person_id", "team_id"}),
        ("salesforce_seeds/sf_user_role_data.csv", "salesforce", "teams", {"team_id", "name", "parent_id"}),
        ("salesforce_seeds/sf_account_data.csv", "salesforce", "accounts", {"account_id", "name", "industry", "owner_id"}),
        ("salesforce_seeds/sf_task_data.csv", "salesforce", "activities", {"activity_id", "person_id", "occurred_at", "minutes"}),
        ("salesforce_seeds/sf_event_data.csv", "salesforce", "activities", {"activity_id", "person_id", "occurred_at", "minutes"}),
        ("hubspot_seeds/deal_data.csv", "hubspot", "opportunities", {"opportunity_id", "owner_id", "amount", "created_at", "stage", "closed_at"}),
        ("hubspot_seeds/deal_stage_data.csv", "hubspot", "stage_changes", {"opportunity_id", "stage", "entered_at"}),
        ("hubspot_seeds/owner_data.csv", "hubspot", "people", {"person_id", "email", "user_id"}),
        ("hubspot_seeds/team_data.csv", "hubspot", "teams", {"team_id", "name"}),
        ("hubspot_seeds/owner_team_data.csv", "hubspot", "assignments", {"person_id", "team_id"}),
        ("hubspot_seeds/engagement_task_data.csv", "hubspot", "activities", {"activity_id", "person_id", "kind", "occurred_at"}),
    ],
)  # fmt: skip
def test_warehouse_copies_are_recognised_by_their_headers(file: str, system: str, table: str, columns: set[str]):
    path = SEEDS / file
    if not path.is_file():
        pytest.skip("shared data are not here")
    with path.open(encoding="utf-8", newline="") as lines:
        headers = next(csv.reader(lines))
    found = [resolve(each, headers) for each in find_preset(system).tables if each.table == table]
    best = max((each for each in found if not each.lacks_needs), key=lambda each: len(each.grades))
    assert columns <= set(best.grades)
