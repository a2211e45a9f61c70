"""Thirty and more kinds of broken input: each ends with status 2, says where, what was given and what to do, and writes nothing."""

import io
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from kpi_research.cli import WRONG_INPUT, main

CLIENT = """\
client: broken
title: {zh: 坏数据, en: Broken}
source:
  kind: files
  path: exports
  tables:
    people: {file: people.csv, columns: {id: person_id, name: name}}
    contracts:
      file: contracts.csv
      columns: {no: contract_id, who: owner_id, date: signed_at, amount: amount}
reports:
  - {notebook: evidence, per: company, every: quarter, audience: analyst}
"""
PEOPLE = b"id,name\nP1,\xe7\x8e\x8b\nP2,b\n"
CONTRACTS = b"no,who,date,amount\nK1,P1,2025-01-05,10\nK2,P2,2025-02-05,20\n"
TABLE = "people: {file: people.csv, columns: {id: person_id, name: name}}"


def workbook(*rows) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def people(line: str):
    """The client file with another line for people."""
    return {"broken.yaml": CLIENT.replace(TABLE, "people: " + line)}


def text(old: str, new: str):
    return {"broken.yaml": CLIENT.replace(old, new)}


XLSX = "{file: people.xlsx, columns: {id: person_id, name: name}}"
BROKEN = {
    # the client file
    "it is missing": ({"broken.yaml": None}, ["broken.yaml"]),
    "it is no YAML": (text("client: broken", "client: [broken"), ["broken.yaml:"]),
    "a key stands twice": (text("client: broken", "client: broken\nclient: other"), ["broken.yaml:2", "client"]),
    "a key is misspelt": (text("reports:", "raports:"), ["raports", "Did you mean reports?"]),
    "a value has a wrong type": (text("title: {zh: 坏数据, en: Broken}", "title: 5"), ["broken.yaml:2", "title"]),
    "the time zone does not exist": (text("source:", "timezone: Asia/Shangai\nsource:"), ["Shangai", "broken.yaml:3"]),
    "the country does not exist": (text("source:", "calendar: XX\nsource:"), ["XX", "broken.yaml:3"]),
    "the outcome is no KPI": (text("reports:", "outcome: signed_amont\nreports:"), ["Did you mean signed_amount?"]),
    "the scheme is unknown": (text("reports:", "scheme: saas_2024\nreports:"), ["saas_2024", "saas_2025"]),
    # files
    "a file is missing": ({"exports/people.csv": None}, ["people.csv", "contracts.csv"]),
    "a file is empty": ({"exports/people.csv": b""}, ["people.csv"]),
    "a column name stands twice": ({"exports/people.csv": b"id,name,id\n1,a,2\n"}, ["people.csv", "'id'"]),
    "rows are longer than the header": ({"exports/people.csv": b"id,name\nP1,a\nP2,b,c\n"}, ["people.csv", "3 cells"]),
    "bytes are of no encoding": ({"exports/people.csv": b"id,name\nP1,\xff\xff\xff\n"}, ["people.csv"]),
    "the encoding named is not the file's": (people("{file: people.csv, encoding: ascii, columns: {id: person_id, name: name}}"), ["people.csv", "ascii"]),
    "NUL bytes": ({"exports/people.csv": b"id,name\nP1,a\x00b\n"}, ["people.csv"]),
    "a workbook is called CSV": ({"exports/people.csv": workbook(["id", "name"], ["P1", "a"])}, ["people.csv", "xlsx"]),
    "a quote is never closed": ({"exports/people.csv": b'id,name\nP1,"a\nP2,b\n'}, ["people.csv", "quot"]),
    "a workbook is damaged": ({**people(XLSX), "exports/people.xlsx": b"PK\x03\x04 damaged"}, ["people.xlsx"]),
    "a sheet is missing": ({**people(XLSX.replace("columns", "sheet: Shet, columns")), "exports/people.xlsx": workbook(["id", "name"], ["P1", "a"])}, ["Shet", "Did you mean Sheet?"]),
    "a web page is called xls": ({**people(XLSX.replace("xlsx", "xls")), "exports/people.xls": b"<html><table></table></html>"}, ["people.xls"]),
    "the kind of file is unknown": ({**people(XLSX.replace("xlsx", "docx")), "exports/people.docx": b"x"}, ["people.docx", ".xlsx"]),
    "JSON is cut off": ({**people(XLSX.replace("xlsx", "json")), "exports/people.json": b'{"data": [{"id": 1}'}, ["people.json"]),
    "JSON holds no records": ({**people(XLSX.replace("xlsx", "json")), "exports/people.json": b'{"code": 0}'}, ["people.json"]),
    "Parquet is damaged": ({**people(XLSX.replace("xlsx", "parquet")), "exports/people.parquet": b"PAR1xx"}, ["people.parquet"]),
    # the mapping
    "a table is unknown": (text("    people:", "    peple:"), ["peple", "Did you mean people?"]),
    "a column is unknown": (people("{file: people.csv, columns: {id: person_id, nmae: name}}"), ["people.csv", "'nmae'", "Did you mean name?"]),
    "a canonical column is unknown": (people("{file: people.csv, columns: {id: persn_id, name: name}}"), ["persn_id", "Did you mean person_id?"]),
    "a needed column is missing": (people("{file: people.csv, columns: {id: person_id}}"), ["people", "name"]),
    "a column is given twice": (people("{file: people.csv, columns: {id: person_id, name: [name, person_id]}}"), ["person_id", "twice"]),
    "values without a column": (people("{file: people.csv, columns: {id: person_id, name: name}, values: {role: {a: b}}}"), ["role"]),
    "a pattern is none": (people("{file: people.csv, columns: {id: person_id, name: name}, pick: {name: '('}}"), ["regular expression"]),
    "a date form is none": (people("{file: people.csv, columns: {id: person_id, name: name}, dates: dd/mm/yyyy}"), ["dd/mm/yyyy", "epoch_ms"]),
    "a preset is unknown": ({"broken.yaml": CLIENT.replace("  path: exports", "  path: exports\n  preset: salesfroce").replace(TABLE, "people: {file: people.csv}")}, ["salesfroce", "Did you mean salesforce?"]),
    # the rows
    "every id is rounded by a spreadsheet": ({"exports/people.csv": b"id,name\n1.23E+17,a\n1.24E+17,b\n"}, ["people.csv:2", "1.23E+17", "id_rounded_by_a_spreadsheet"]),
    "every date is ambiguous": ({"exports/contracts.csv": b"no,who,date,amount\nK1,P1,03/04/2025,1\n"}, ["contracts.csv:2", "03/04/2025", "dates"]),
    "nothing ever happened": ({"exports/contracts.csv": b"no,who,date,amount\n"}, ["contracts"]),
    # databases
    "the address is not set": (text("  kind: files\n  path: exports\n", "  kind: database\n  address: KPI_NOT_SET\n"), ["KPI_NOT_SET", "not set"]),
}  # fmt: skip


def write(folder: Path, changes: dict) -> Path:
    files = {"broken.yaml": CLIENT, "exports/people.csv": PEOPLE, "exports/contracts.csv": CONTRACTS} | changes
    for name, content in files.items():
        if content is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / "broken.yaml"


def listing(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("changes", "said"), BROKEN.values(), ids=BROKEN)
def test_broken_input(changes, said, tmp_path, capsys):
    path = write(tmp_path, changes)
    before = listing(tmp_path)
    assert main(["check", str(path), "--language", "en"]) == WRONG_INPUT
    told = capsys.readouterr().err
    assert "Traceback" not in told and "Internal error" not in told
    for words in said:
        assert words in told, told
    assert listing(tmp_path) == before
    assert main(["check", str(path), "--language", "zh"]) == WRONG_INPUT
    assert any("\u4e00" <= letter <= "\u9fff" for letter in capsys.readouterr().err)


def test_the_table_is_long_enough():
    assert len(BROKEN) >= 30


def test_the_client_is_in_order_before_it_is_broken(tmp_path, capsys):
    assert main(["check", str(write(tmp_path, {})), "--language", "en"]) == 0
    told = capsys.readouterr().out
    assert "rejected.parquet" not in told and "Kept, but note" not in told


def test_problems_of_several_files_are_said_at_once(tmp_path, capsys):
    path = write(
        tmp_path,
        {"exports/people.csv": b"id,name,id\n1,a,2\n", "exports/contracts.csv": b"no,who,date\nK1,P1,2025-01-05,10\n"},
    )
    assert main(["check", str(path), "--language", "en"]) == WRONG_INPUT
    told = capsys.readouterr().err
    assert "people.csv" in told and "contracts.csv" in told


def test_a_single_bad_row_is_turned_away_and_named(tmp_path, capsys):
    path = write(tmp_path, {"exports/contracts.csv": CONTRACTS + b"K3,P1,2025-02-30,5\n"})
    assert main(["check", str(path), "--language", "en"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "contracts.csv row 4" in told and "2025-02-30" in told
    rejected = next((tmp_path / "data").rglob("rejected.parquet"))
    assert pd.read_parquet(rejected)[["table", "source_row", "record", "rule", "value"]].to_numpy().tolist() == [
        ["contracts", 4, "K3", "not_a_date", "2025-02-30"]
    ]
