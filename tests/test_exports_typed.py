"""Parquet files and JSON pages as exports."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kpi_research.errors import InputError
from kpi_research.sources.exports import open_export
from kpi_research.sources.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with Workspace(tmp_path_factory.mktemp("workspace")) as opened:
        yield opened


def read(tmp_path, workspace, content, name="x.json", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(
        (content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)).encode(encoding)
    )
    return open_export(path, workspace)


def records(export):
    """Records in the order of their row numbers, without what is empty."""
    rows = sorted(export.rows.to_pyarrow().to_pylist(), key=lambda row: row["source_row"])
    assert [row.pop("source_row") for row in rows] == list(range(1, len(rows) + 1))
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def test_parquet_keeps_its_types_and_row_order(tmp_path, workspace):
    table = pa.table(
        {" id ": pa.array([2**60, 1], pa.int64()), "名": ["王", None], "d": pa.array([0, 1], pa.timestamp("us"))}
    )
    pq.write_table(table, tmp_path / "a[1].parquet")
    export = open_export(tmp_path / "a[1].parquet", workspace)
    assert export.headers == ("id", "名", "d") and export.first_row == 1
    assert {name: str(type_) for name, type_ in export.rows.schema().items()}["id"] == "int64"
    assert export.rows.to_pyarrow().to_pydict()["id"] == [2**60, 1]


@pytest.mark.parametrize("content", [b"", b"PAR1 broken", b"a,b\n1,2\n"])
def test_what_is_no_parquet_is_said(tmp_path, workspace, content):
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(InputError, match="no valid Parquet"):
        open_export(tmp_path / "x.parquet", workspace)


def test_parquet_columns_that_differ_in_case_only(tmp_path, workspace):
    pq.write_table(pa.table({"Id": [1], "ID": [2]}), tmp_path / "x.parquet")
    export = open_export(tmp_path / "x.parquet", workspace)
    assert export.headers == ("Id", "ID_1") and export.rows.to_pyarrow().to_pylist() == [{"Id": 1, "ID_1": 2}]


ROWS = [{"id": 1, "名": "王"}, {"id": 2, "extra": True}]


@pytest.mark.parametrize(
    "page",
    [
        ROWS,
        {"data": ROWS},
        {"code": 0, "result": {"total": 2, "records": ROWS}},
        {"errorCode": 0, "data": {"dataList": ROWS, "fields": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}},
        {"head": {"ok": True}, "weird": {"deep": {"bag": ROWS}}},
    ],
)
def test_records_are_found_wherever_they_lie(tmp_path, workspace, page):
    assert records(read(tmp_path, workspace, page)) == [{"id": "1", "名": "王"}, {"id": "2", "extra": "true"}]
    assert records(read(tmp_path, workspace, json.dumps(page, indent=2))) == [
        {"id": "1", "名": "王"},
        {"id": "2", "extra": "true"},
    ]


def test_lines_are_records_or_pages(tmp_path, workspace):
    lines = [{"id": 1, "items": [{"x": 1}, {"x": 2}]}, {"id": 2}]
    text = "\n".join(map(json.dumps, lines)) + "\n\n"
    assert records(read(tmp_path, workspace, text, "x.jsonl")) == [
        {"id": "1", "items": '[{"x": 1}, {"x": 2}]'},
        {"id": "2"},
    ]
    pages = "\n".join(json.dumps({"data": [{"id": i}, {"id": i + 1}]}) for i in (1, 3))
    assert [row["id"] for row in records(read(tmp_path, workspace, pages))] == ["1", "2", "3", "4"]
    assert records(read(tmp_path, workspace, '{"id": 7}\n')) == [{"id": "7"}]


def test_nested_values_become_columns(tmp_path, workspace):
    record = {
        "owner": {"name": "王芳", "dept": {"id": 9}, "none": {}}, "tags": ["a", 2, None, True], "lines": [{"q": 1.50}, {"q": 2}],
        "empty": [], "null": None, "no": False, "blank": "",
    }  # fmt: skip
    (row,) = records(read(tmp_path, workspace, [record]))
    assert row == {
        "owner.name": "王芳", "owner.dept.id": "9", "tags": "a;2;;true", "lines": '[{"q": 1.5}, {"q": 2}]', "no": "false",
    }  # fmt: skip


def test_numbers_keep_their_digits(tmp_path, workspace):
    text = '[{"a": 1234567890123456789012, "b": 1.10, "c": 1e5, "d": -0.0, "e": 0.1234567890123456789}]'
    assert records(read(tmp_path, workspace, text)) == [
        {"a": "1234567890123456789012", "b": "1.10", "c": "1e5", "d": "-0.0", "e": "0.1234567890123456789"}
    ]


def test_columns_that_turn_up_late(tmp_path, workspace):
    rows = [{"id": i, **({"late": "x", 'o"dd': "'"} if i > 5500 else {})} for i in range(6000)]
    export = read(tmp_path, workspace, rows)
    assert export.headers == ("id", "late", 'o"dd') and export.first_row == 1
    found = records(export)
    assert (
        len(found) == 6000 and found[5500] == {"id": "5500"} and found[5501] == {"id": "5501", "late": "x", 'o"dd': "'"}
    )


def test_encodings_and_hostile_characters(tmp_path, workspace):
    rows = [{"名": "𠀀\u2028", "b": "\ud800half", "c": "a\nb"}]
    assert records(read(tmp_path, workspace, json.dumps(rows))) == [{"名": "𠀀\u2028", "b": "?half", "c": "a\nb"}]
    for encoding in ("utf-8-sig", "gb18030", "utf-16"):
        assert records(read(tmp_path, workspace, '[{"名": "王芳"}]', encoding=encoding)) == [{"名": "王芳"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Line 1 is no valid JSON"),
        ('{"a": 1', "Line 1 is no valid JSON"),
        ('[\n{"a": 1},\n{"a": }\n]', "Line 3 is no valid JSON"),
        ('{"a": 1}\n{"a": 2}\n{"a"\n', "Line 3 is no valid JSON"),
        ("[" * 100_000, "Line 1 is no valid JSON"),
        ('[{"a": ' + "9" * 5000 + "}]", "Line 1 is no valid JSON"),
        ("[]", "no records"),
        ('{"code": 0, "data": []}', "no records"),
        ("[1, 2]", "no records"),
        ('[{"Id": 1, "ID": 2}]', "stands twice"),
        ('[{"a.b": 1, "a": {"b": 2}}]', "stands twice"),
        ('[{"source_row": 1}]', "used by the program"),
    ],
)
def test_wrong_json_is_said(tmp_path, workspace, text, expected):
    with pytest.raises(InputError, match=expected):
        read(tmp_path, workspace, text)
