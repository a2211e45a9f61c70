"""Workbooks as exports: what cells become, titles and footers, hostile books, the appraisal form."""

import datetime as dt

import openpyxl
import pytest
import xlwt

from kpi_research.errors import InputError
from kpi_research.sources.exports import find_exports, open_export
from kpi_research.sources.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with Workspace(tmp_path_factory.mktemp("workspace")) as opened:
        yield opened


def xlsx(tmp_path, *rows, name="x.xlsx", title="表1"):
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / name)
    return tmp_path / name


def cells(export):
    return {
        row["source_row"]: tuple(row[name] for name in export.headers) for row in export.rows.to_pyarrow().to_pylist()
    }


def steps(export):
    return [(step.name, step.before, step.after) for step in export.steps]


WRITTEN = [
    (12, "12"), (12.0, "12"), (1.5, "1.5"), (0.1 + 0.2, "0.3"), (-5, "-5"), (999_999_999_999_999, "999999999999999"),
    (123_456_789_012_345_678, "1.23456789012346E+17"), (120_000_000_000_000_000, "1.2E+17"),
    ("123456789012345678", "123456789012345678"), (1e20, "1E+20"), ("0012", "0012"), (True, "true"), (False, "false"),
    (dt.date(2024, 3, 1), "2024-03-01"), (dt.datetime(2024, 3, 1, 8, 30, 15), "2024-03-01 08:30:15"),
    (dt.time(8, 30), "08:30:00"), ("2024年3月1日", "2024年3月1日"), ("#N/A", None), ("=1+1", None), ("", None),
    ("a\nb", "a\nb"), ("\u2028x", "\u2028x"), ("'; DROP TABLE x", "'; DROP TABLE x"), ("长" * 32_000, "长" * 32_000),
]  # fmt: skip


def test_what_cells_of_xlsx_become(tmp_path, workspace):
    export = open_export(
        xlsx(tmp_path, ["键", "值"], *([f"k{i}", value] for i, (value, _) in enumerate(WRITTEN))), workspace
    )
    assert list(cells(export).values()) == [(f"k{i}", text) for i, (_, text) in enumerate(WRITTEN)]
    assert export.name == "x.xlsx[表1]" and export.details["sheet"] == "表1"


def test_number_formats_do_not_change_values(tmp_path, workspace):
    book = openpyxl.Workbook()
    book.active.append(["a", "b", "c", "d"])
    for column, (value, shape) in enumerate(
        [(0.3, "0%"), (45352.5, 'yyyy"年"m"月"d"日"'), (1234.5, "¥#,##0.00"), (12, "00000")], 1
    ):
        book.active.cell(2, column, value).number_format = shape
    book.save(tmp_path / "f.xlsx")
    assert cells(open_export(tmp_path / "f.xlsx", workspace)) == {2: ("0.3", "2024-03-01 12:00:00", "1234.5", "12")}


def test_what_cells_of_xls_become(tmp_path, workspace):
    book = xlwt.Workbook()
    sheet = book.add_sheet("表1")
    for column, name in enumerate("abcdefg"):
        sheet.write(0, column, name)
    for column, value in enumerate([12, 1.5, 123_456_789_012_345_678, "123456789012345678", True, "0012"]):
        sheet.write(1, column, value)
    sheet.write(1, 6, dt.datetime(2024, 3, 1, 8, 30), xlwt.easyxf(num_format_str="yyyy-mm-dd hh:mm"))
    book.save(str(tmp_path / "x.xls"))
    row = ("12", "1.5", "1.23456789012346E+17", "123456789012345678", "true", "0012", "2024-03-01 08:30:00")
    assert cells(open_export(tmp_path / "x.xls", workspace)) == {2: row}


def test_an_xlsx_named_xls_is_opened(tmp_path, workspace):
    path = xlsx(tmp_path, ["a", "b"], [1, 2]).rename(tmp_path / "y.xls")
    assert cells(open_export(path, workspace)) == {2: ("1", "2")}


def test_titles_blank_rows_and_footers(tmp_path, workspace):
    book = openpyxl.Workbook()
    sheet = book.active
    rows = [
        [], ["销售明细表"], ["导出人", "张三", None, None, None], ["编号", "客户", "金额", "日期", "备注"], ["1", "甲", 5, None, None],
        [None] * 5, ["2", "乙", 7, None, "x"], [None, "丙", None, None, None], ["合计", None, 12, None, None],
        ["制表人：王芳", None, None, "打印时间", "2024-03-01"],
    ]  # fmt: skip
    for number, row in enumerate(rows, 1):
        for column, value in enumerate(row, 3):
            sheet.cell(number, column, value)
    sheet.merge_cells("C2:G2")
    book.save(tmp_path / "t.xlsx")
    export = open_export(tmp_path / "t.xlsx", workspace)
    assert export.headers == ("编号", "客户", "金额", "日期", "备注")
    assert cells(export) == {
        5: ("1", "甲", "5", None, None),
        7: ("2", "乙", "7", None, "x"),
        8: (None, "丙", None, None, None),
    }
    assert steps(export) == [("title_rows", 8, 6), ("blank_rows", 6, 5), ("footer", 5, 3)]


def test_a_named_header_row_and_nameless_columns(tmp_path, workspace):
    path = xlsx(tmp_path, ["x", "y", "z"], ["a", None, None], [1, 2, None])
    export = open_export(path, workspace, header_row=2)
    assert export.headers == ("a", "column_2") and cells(export) == {3: ("1", "2")}
    with pytest.raises(InputError, match="Row 8 cannot be the header"):
        open_export(path, workspace, header_row=8)
    with pytest.raises(InputError, match="'a' stands twice"):
        open_export(xlsx(tmp_path, ["a", "b", "a"], [1, 2, 3]), workspace)


def test_a_header_alone_is_a_table_without_rows(tmp_path, workspace):
    export = open_export(xlsx(tmp_path, ["a", "b"]), workspace)
    assert export.headers == ("a", "b") and cells(export) == {}


def test_sheets_are_found_and_named(tmp_path, workspace):
    book = openpyxl.Workbook()
    book.active.title = "空"
    for name in ("商机", "客户 (1)"):
        book.create_sheet(name).append(["编号", name])
        book[name].append([1, 2])
    book.save(tmp_path / "b.xlsx")
    assert find_exports(tmp_path) == [(tmp_path / "b.xlsx", "商机"), (tmp_path / "b.xlsx", "客户 (1)")]
    assert open_export(tmp_path / "b.xlsx", workspace).name == "b.xlsx[商机]"
    assert open_export(tmp_path / "b.xlsx", workspace, sheet="客户 (1)").headers == ("编号", "客户 (1)")
    with pytest.raises(InputError, match="no column names"):
        open_export(tmp_path / "b.xlsx", workspace, sheet="空")
    with pytest.raises(InputError, match=r"no sheet '商机表'.*Did you mean 商机\?"):
        open_export(tmp_path / "b.xlsx", workspace, sheet="商机表")
    with pytest.raises(InputError, match="no column names"):
        open_export(xlsx(tmp_path, name="empty.xlsx"), workspace)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"PK\x03\x04 broken", "cannot be opened"),
        (b"", "cannot be opened"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "cannot be opened"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "by a password"),
    ],
)
@pytest.mark.parametrize("name", ["x.xlsx", "x.xls"])
def test_broken_workbooks_are_said(tmp_path, workspace, content, expected, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=expected):
        open_export(tmp_path / name, workspace)


def test_a_wide_sheet(tmp_path, workspace):
    export = open_export(xlsx(tmp_path, [f"c{i}" for i in range(500)], list(range(500))), workspace)
    assert cells(export) == {2: tuple(str(i) for i in range(500))}


def form_sheet(sheet, person, top=0, score=90):
    """A form as published templates have it: merged title, head block, merged groups, totals, signatures."""
    rows = [
        ["销售部绩效考核评分表"],
        ["姓 名：", person, "部门：销售一部", None, "岗位", "客户经理", "考核期", "2024年第1季度"],
        ["序号", "考核类别", "类别权重(%)", "考核指标", "权重\n(%)", "目标值", "实际完成", "上级评分"],
        [1, "业绩指标", 70, "销售额", 60, 100, 95, score],
        [2, None, None, "回款率", 40, 0.9, 0.8, 80],
        [3, "能力态度", 30, "客户满意度", 100, "≥95%", "96%", 88],
        ["合计", None, None, None, None, None, None, 86],
        ["被考核人签字：", None, None, "直属上级签字：", None, None, "日期：", None],
    ]
    for number, row in enumerate(rows, top + 1):
        for column, value in enumerate(row, 1):
            sheet.cell(number, column, value)
    sheet.merge_cells(start_row=top + 1, end_row=top + 1, start_column=1, end_column=8)
    for column in (2, 3):
        sheet.merge_cells(start_row=top + 4, end_row=top + 5, start_column=column, end_column=column)


HEAD = ("销售部绩效考核评分表", "王芳", "销售一部", "客户经理", "2024年第1季度")


def test_an_appraisal_form_becomes_flat_rows(tmp_path, workspace):
    book = openpyxl.Workbook()
    form_sheet(book.active, "王芳")
    book.save(tmp_path / "form.xlsx")
    export = open_export(tmp_path / "form.xlsx", workspace)
    assert export.headers == (
        "标题", "姓名", "部门", "岗位", "考核期", "序号", "考核类别", "类别权重(%)", "考核指标", "权重(%)", "目标值", "实际完成", "上级评分",
    )  # fmt: skip
    assert cells(export) == {
        4: (*HEAD, "1", "业绩指标", "70", "销售额", "60", "100", "95", "90"),
        5: (*HEAD, "2", "业绩指标", "70", "回款率", "40", "0.9", "0.8", "80"),
        6: (*HEAD, "3", "能力态度", "30", "客户满意度", "100", "≥95%", "96%", "88"),
    }
    assert steps(export) == [("footer", 5, 3)] and export.details["form"] == "appraisal"


def test_several_forms_below_each_other(tmp_path, workspace):
    book = openpyxl.Workbook()
    form_sheet(book.active, "王芳")
    form_sheet(book.active, "李雷", top=10, score=70)
    book.save(tmp_path / "forms.xlsx")
    export = open_export(tmp_path / "forms.xlsx", workspace)
    names = [(row[1], row[-1]) for row in cells(export).values()]
    assert names == [("王芳", "90"), ("王芳", "80"), ("王芳", "88"), ("李雷", "70"), ("李雷", "80"), ("李雷", "88")]
    assert list(cells(export)) == [4, 5, 6, 14, 15, 16]


def test_a_form_with_two_rows_of_headers(tmp_path, workspace):
    path = xlsx(
        tmp_path,
        ["绩效考核表"],
        ["姓名", "王芳", "考核月份", "2024-03"],
        ["考核指标", "分值", "评分", None],
        [None, None, "自评", "上级评分"],
        ["销售额", 60, 55, 50],
        ["总分", None, 55, 50],
    )
    export = open_export(path, workspace)
    assert export.headers == ("标题", "姓名", "考核月份", "考核指标", "分值", "自评", "上级评分")
    assert cells(export) == {5: ("绩效考核表", "王芳", "2024-03", "销售额", "60", "55", "50")}


def test_a_list_of_indicators_without_a_head_block_is_a_plain_table(tmp_path, workspace):
    path = xlsx(tmp_path, ["姓名", "考核指标", "权重", "得分"], ["王芳", "销售额", 60, 50], ["李雷", "销售额", 60, 40])
    export = open_export(path, workspace)
    assert export.headers == ("姓名", "考核指标", "权重", "得分") and len(cells(export)) == 2
