"""Text files as exports: encodings, delimiters, titles, footers, what is wrong with a file."""

import csv
import io
import sys

import pytest

from kpi_research.errors import InputError
from kpi_research.language import LANGUAGES
from kpi_research.sources.exports import find_exports, open_export, text
from kpi_research.sources.exports.transcode import CHUNK
from kpi_research.sources.workspace import Workspace

PLAIN = "编号,负责人,备注\n0012,王芳,好\n0013,李雷,\n"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with Workspace(tmp_path_factory.mktemp("workspace")) as opened:
        yield opened


def write(tmp_path, content, name="x.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def cells(export):
    """Row number -> cells, None where empty."""
    rows = export.rows.to_pyarrow().to_pylist()
    numbers = [row.pop("source_row", i) for i, row in enumerate(rows, export.first_row)]
    return {number: tuple(row[name] for name in export.headers) for number, row in zip(numbers, rows)}


def is_lazy(export):
    return "source_row" not in export.rows.columns


def said(error):
    """The message in both languages, which must differ."""
    texts = [error.value.text(language) for language in LANGUAGES]
    assert texts[0] != texts[1]
    return texts[1]


@pytest.mark.parametrize(
    ("encoding", "seen"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("gbk", "gb18030"), ("gb18030", "gb18030"), ("utf-16", "utf-16"),
     ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be")],
)  # fmt: skip
def test_encodings_are_seen(tmp_path, workspace, encoding, seen):
    content = (PLAIN + "0014,韩梅梅,x\n" * 20).encode(encoding)
    export = open_export(write(tmp_path, content), workspace)
    assert export.headers == ("编号", "负责人", "备注") and export.details["encoding"] == seen
    found = cells(export)
    assert found[2] == ("0012", "王芳", "好") and found[3] == ("0013", "李雷", None) and len(found) == 22
    assert is_lazy(export)


def test_characters_beyond_gbk_and_a_named_encoding(tmp_path, workspace):
    path = write(tmp_path, "名,b\n𠀀㐀,1\n".encode("gb18030"))
    assert cells(open_export(path, workspace)) == {2: ("𠀀㐀", "1")}
    big5 = write(tmp_path, "名稱,b\n臺灣,1\n".encode("big5"))
    assert cells(open_export(big5, workspace, encoding="big5")) == {2: ("臺灣", "1")}
    for encoding, expected in (("utf-8", "Line 1 holds bytes that are no utf-8"), ("klingon", "no encoding 'klingon'")):
        with pytest.raises(InputError) as error:
            open_export(big5, workspace, encoding=encoding)
        assert expected in said(error)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_seen(tmp_path, workspace, delimiter):
    rows = [["编号", "金额", "备注"], ["1", "1.5", "a b"], ["2", "2", "c"]]
    path = write(tmp_path, "\n".join(map(delimiter.join, rows)))
    export = open_export(path, workspace)
    assert export.details["delimiter"] == delimiter and is_lazy(export)
    assert cells(export) == {2: tuple(rows[1]), 3: tuple(rows[2])}


def test_a_decimal_comma_is_no_delimiter(tmp_path, workspace):
    export = open_export(write(tmp_path, "a;b;c\n1,5;2,3;x\n1,6;2,4;y\n"), workspace)
    assert cells(export) == {2: ("1,5", "2,3", "x"), 3: ("1,6", "2,4", "y")}
    named = open_export(write(tmp_path, "a\tb,c\n1\t2,3\n"), workspace, delimiter="tab")
    assert named.headers == ("a", "b,c") and cells(named) == {2: ("1", "2,3")}
    with pytest.raises(InputError, match="no delimiter"):
        open_export(write(tmp_path, "a,b\n"), workspace, delimiter='"')


def test_large_files_are_written_anew_by_several_processes(tmp_path, workspace, monkeypatch):
    monkeypatch.setattr(text, "LARGE", 1000)
    monkeypatch.setattr(text.os, "cpu_count", lambda: 3)
    rows = [(f"{i:05d}", "王芳𠀀" * (i % 7), f"多行\n第{i}行" if i % 5 == 0 else "x") for i in range(9000)]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([("编号", "名", "备注"), *rows])
    content = out.getvalue().encode("gb18030")
    assert len(content) > CHUNK
    export = open_export(write(tmp_path, content), workspace)
    assert is_lazy(export)
    assert list(cells(export).values()) == [tuple(cell or None for cell in row) for row in rows]
    broken = content[:-40] + b"\xff" + content[-39:]
    with pytest.raises(InputError, match="none of utf-8, gb18030"):
        open_export(write(tmp_path, broken), workspace)


def test_a_bad_byte_in_utf8_is_no_reason_to_read_it_as_chinese(tmp_path, workspace):
    content = PLAIN.encode() + "0014,韩梅梅的客户反馈良好继续跟进,好好好好好\n".encode() * 3 + b"0015,\xe7\x8e,x\n"
    with pytest.raises(InputError) as error:
        open_export(write(tmp_path, content), workspace)
    assert "Line 7 holds bytes that are no utf-8" in said(error)


def test_characters_across_the_borders_of_pieces(tmp_path, workspace):
    for encoding in ("utf-8", "gb18030", "utf-16"):
        body = "x" * (CHUNK - 6) + "客户" * 8
        export = open_export(write(tmp_path, f"a,b\n{body},1\n".encode(encoding)), workspace)
        assert cells(export) == {2: (body, "1")}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "no column names"),
        (b"\n \n", "no column names"),
        (b",,\n", "no column names"),
        (b"a,b,a\n1,2,3\n", "'a' stands twice"),
        (b"Id,b,ID\n1,2,3\n", "'ID' stands twice"),
        (b"a,source_row\n1,2\n", "used by the program"),
        (b"a,b\n1,2\n3,4,5\n\n6,7\n", "Row 3 has 3 cells where the header has 2 (0 more"),
        (b"a,b\n1,2\n" + b"3\n4,5,6\n" * 4 + b"9,9\n", "Row 3 has 1 cells where the header has 2 (5 more"),
        (b'a,b\n1,2\n"3,4\n5,6\n', "A quote in the record at row 3 is never closed"),
        (b'a,b\n1,2\n"3"x,4\n5,6\n', "A quote in row 3 is out of place"),
        (b"a,b\n1,2\n3,4\0\n", "Line 3 holds a zero character"),
        (b"a,b\n\xff\xff\xff,1\n", "none of utf-8, gb18030"),
        (b"PK\x03\x04\x14\0\0\0", "no text but xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "no text but xls"),
        (b"PAR1\x15\0", "no text but parquet"),
    ],
)
def test_wrong_files_say_where_and_what(tmp_path, workspace, content, expected):
    with pytest.raises(InputError) as error:
        open_export(write(tmp_path, content), workspace)
    assert expected in said(error)


def test_three_ragged_rows_are_shown(tmp_path, workspace):
    with pytest.raises(InputError) as error:
        open_export(write(tmp_path, "a,b\n" + "1\n" * 9 + "1,2\n"), workspace)
    assert [problem.values["row"] for problem in error.value.problems] == [2, 3, 4]


def test_missing_files_and_foreign_kinds(tmp_path, workspace):
    write(tmp_path, "a\n", "deals.csv")
    with pytest.raises(InputError, match=r"Did you mean deals\.csv\?"):
        open_export(tmp_path / "dael.csv", workspace)
    with pytest.raises(InputError, match=r"'\.cvs' cannot be read.*Did you mean \.csv"):
        open_export(write(tmp_path, "a\n", "deals.cvs"), workspace)
    with pytest.raises(InputError, match="web page"):
        open_export(write(tmp_path, "<html><table><tr><td>1", "old.xls"), workspace)


def test_a_text_named_xls_is_read_as_text(tmp_path, workspace):
    export = open_export(write(tmp_path, "编号\t名\n1\t王\n".encode("gbk"), "old.xls"), workspace)
    assert cells(export) == {2: ("1", "王")}


def test_titles_are_cut_on_the_fast_road(tmp_path, workspace):
    export = open_export(
        write(tmp_path, "销售报表,,,\n\n导出时间: 2024-03-01\n编号,名,额,注\n1,王,3,\n2,李,4,\n"), workspace
    )
    assert export.headers == ("编号", "名", "额", "注") and is_lazy(export)
    assert cells(export) == {5: ("1", "王", "3", None), 6: ("2", "李", "4", None)}
    (step,) = export.steps
    assert (step.name, step.before, step.after) == ("title_rows", 4, 2)


def test_a_named_header_row(tmp_path, workspace):
    path = write(tmp_path, "x,y\na,b\n1,2\n")
    assert open_export(path, workspace, header_row=2).headers == ("a", "b")
    assert cells(open_export(path, workspace, header_row=2)) == {3: ("1", "2")}
    with pytest.raises(InputError, match="Row 9 cannot be the header: only 3 rows"):
        open_export(path, workspace, header_row=9)


SALESFORCE = (
    '"Id","Name","Amount"\n"1","A","2"\n"2","B","3"\n\n\n"Won deals"\n'
    '"Copyright (c) 2000-2024 salesforce.com, inc. All rights reserved."\n'
    '"Confidential Information - Do Not Distribute"\n"Generated By:  X  2024-03-01"\n"Acme"\n'
)


@pytest.mark.parametrize(
    ("content", "kept", "footer"),
    [
        (SALESFORCE, {2: ("1", "A", "2"), 3: ("2", "B", "3")}, 5),
        ("a,b,c\n1,,2\n合计,,2\n", {2: ("1", None, "2")}, 1),
        ("a,b,c\n1,x,2\n总计：,5,2\n制表人：张三,,\n", {2: ("1", "x", "2")}, 2),
        ("a,b,c\n1,x,2\n\n没有说明的一行,,\n", {2: ("1", "x", "2")}, 1),
        ("a,b,c\n,,3\nTotal Energies,,4\n", {2: (None, None, "3"), 3: ("Total Energies", None, "4")}, 0),
        ("a,b,c\n1,x,3\n,,4\n合计,,7\n", {2: ("1", "x", "3"), 3: (None, None, "4")}, 1),
        ("a,b,c\n合计,x,3\n1,y,4\n", {2: ("合计", "x", "3"), 3: ("1", "y", "4")}, 0),
        ("a,b,c\n\n\nReport\nCopyright (c) 2024\n", {}, 2),
    ],
)
def test_footers_are_cut_and_counted(tmp_path, workspace, content, kept, footer):
    export = open_export(write(tmp_path, content), workspace)
    assert cells(export) == kept
    steps = [step for step in export.steps if step.name == "footer"]
    assert [step.before - step.after for step in steps] == ([footer] if footer else [])
    assert all(step.after == len(kept) for step in steps)


@pytest.mark.parametrize(
    ("content", "numbers", "lazy"),
    [
        ("a,b\n1,2\n3,4\n\n\n", [2, 3], True),
        ("a,b\n1,2\n\n3,4\n", [2, 4], False),
        ('a,b\n1,"x\n\ny"\n3,4\n', [2, 3], True),
        ('a,b\n1,"x\n\ny"\n\n3,4\n', [2, 4], False),
        ("a,b\n1,2\n,\n3,4\n,\n", [2, 4], False),
        ("a\n1\n\n3\n", [2, 4], False),
        ("a,b\r1,2\r3,4\r", [2, 3], False),
        ("a,b\r\n1,2\n3,4\r\n", [2, 3], False),
        ("a,b\n1,2,,\n3,4,,\n", [2, 3], True),
        ('a, b\n1, "x, y"\n', [2], True),
        ("a,b\nx\u2028y,\x85\n1,2", [2, 3], True),
    ],
)
def test_row_numbers_are_those_of_the_file(tmp_path, workspace, content, numbers, lazy):
    export = open_export(write(tmp_path, content), workspace)
    assert list(cells(export)) == numbers
    assert is_lazy(export) is lazy


def test_hostile_cells_stay_as_they_are(tmp_path, workspace):
    huge = "长" * 1_500_000
    row = ["=1+1", "@SUM(A1)", 'say ""hi""', "a,b", "l\r\nl", "\u2028", huge, "NULL", "'; DROP TABLE x; --"]
    out = io.StringIO()
    csv.writer(out).writerows([[f"c{i}" for i in range(len(row))], row])
    export = open_export(write(tmp_path, out.getvalue()), workspace)
    assert cells(export) == {2: tuple(row)}


def test_many_columns_with_hostile_names(tmp_path, workspace):
    names = ['a"b', "x'y", "多\n行", "{x}: *", "select", " padded ", "", *(f"c{i}" for i in range(493))]
    out = io.StringIO()
    csv.writer(out).writerows([names, [str(i) for i in range(500)]])
    export = open_export(write(tmp_path, out.getvalue()), workspace)
    assert export.headers[:7] == ('a"b', "x'y", "多\n行", "{x}: *", "select", "padded", "column_7")
    assert cells(export) == {2: tuple(str(i) for i in range(500))}
    assert export.rows.select('a"b', "padded").to_pyarrow().to_pylist() == [{'a"b': "0", "padded": "5"}]


def test_file_names_are_no_patterns(tmp_path, workspace):
    write(tmp_path, "a,b\n9,9\n", "o1.csv")
    export = open_export(write(tmp_path, "a,b\n1,2\n", "o[1]'s.csv"), workspace)
    assert cells(export) == {2: ("1", "2")} and is_lazy(export)


def test_the_view_stores_nothing(tmp_path, workspace):
    export = open_export(write(tmp_path, PLAIN), workspace)
    kind = workspace.engine.con.execute(
        "SELECT table_type FROM information_schema.tables WHERE table_name = ?", [export.rows.get_name()]
    ).fetchone()
    assert kind == ("VIEW",)


def test_find_exports_lists_what_can_be_read(tmp_path):
    for name in ("b.csv", "sub/a.TSV", "c.json", ".hidden.csv", "~$x.xlsx", "notes.docx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path, "a,b\n", name)
    write(tmp_path, b"PK\x03\x04 broken", "d.xlsx")
    found = [(path.relative_to(tmp_path).as_posix(), sheet) for path, sheet in find_exports(tmp_path)]
    assert found == [("b.csv", None), ("c.json", None), ("d.xlsx", None), ("sub/a.TSV", None)]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are kept elsewhere there")
def test_an_unreadable_file_is_said(tmp_path, workspace, monkeypatch):
    path = write(tmp_path, PLAIN)

    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr("kpi_research.sources.exports.open_csv", refuse)
    with pytest.raises(InputError, match="cannot be opened"):
        open_export(path, workspace)
