"""An appraisal form as it is filled in: a workbook with merged cells becomes people, targets and ratings."""

from pathlib import Path

import openpyxl
import pytest

from kpi_research.crm.contract import Contract, hold_to_contract
from kpi_research.language import say
from kpi_research.sources.mapping import FilesSource
from kpi_research.sources.period_words import period_named
from kpi_research.sources.read import read_source
from kpi_research.sources.workspace import Workspace

HEADS = [
    "序号",
    "考核类别",
    "考核指标",
    "权重（%）",
    "目标值",
    "实际完成",
    "评分标准",
    "自我评分",
    "直属上级评分",
    "备注",
]
ROWS = [
    [1, "业绩指标", "销售额目标达成率", 0.6, 500000, 460000, "完成率×分值", 95, 92, None],
    [2, None, "回款及时率", 0.25, 0.9, 0.81, "完成率×分值", 90, 88.5, "有两笔逾期"],
    [3, "能力态度", "团队协作", 0.15, "按制度执行", None, "主管评定", None, 85, None],
]


def form(path: Path, *, name: str, period: str, title: str = "销售部绩效考核评分表") -> None:
    """A form with a merged title, a head block in pairs of cells, a group over two rows, totals and signatures."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"] = title
    sheet.merge_cells("A1:J1")
    head = ["姓名", name, None, "部门", "华南销售部", None, "岗位", "销售代表"]
    sheet.append(head)
    sheet.append(["考核期", period, None, "直属上级", "王芳", None, "填表日期", "2026-08-03"])
    sheet.append(HEADS)
    for row in ROWS:
        sheet.append(row)
    for cell in ("D5", "D6", "D7"):
        sheet[cell].number_format = "0%"
    sheet.merge_cells("B5:B6")
    sheet.append(["合计", None, None, 1, None, None, None, None, 90.2])
    sheet.append(["被考核人签字：", None, None, "直属上级签字："])
    book.save(path)


def read(folder: Path, tables: tuple[str, ...], workspace: Workspace) -> Contract:
    source = FilesSource(
        kind="files", path=".", preset="appraisal_form", tables={name: {"file": "*.xlsx"} for name in tables}
    )
    return hold_to_contract(read_source(source, folder, workspace))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    form(tmp_path / "李强-7月.xlsx", name="李强", period="2026-07")
    form(tmp_path / "赵敏-7月.xlsx", name="赵敏", period="2026-07")
    return tmp_path


def test_every_mark_of_a_form_is_a_rating(folder: Path):
    with Workspace() as workspace:
        ratings = read(folder, ("ratings",), workspace).frame("ratings")
    # three marks of the superior and two of the person in each of two forms
    assert (
        len(ratings) == 10 and set(ratings["person_id"]) == {"李强", "赵敏"} and set(ratings["period"]) == {"2026-07"}
    )
    one = ratings[ratings["person_id"] == "李强"].set_index(["kpi", "rater"])
    assert one["score"].to_dict() == {
        ("销售额目标达成率", "self"): 95,
        ("销售额目标达成率", "superior"): 92,
        ("回款及时率", "self"): 90,
        ("回款及时率", "superior"): 88.5,
        ("团队协作", "superior"): 85,
    }
    assert one.xs("superior", level="rater")["weight"].to_dict() == pytest.approx(
        {"销售额目标达成率": 0.6, "回款及时率": 0.25, "团队协作": 0.15}
    )
    assert one.loc[("回款及时率", "self"), "comment"] == "有两笔逾期"


def test_a_target_in_words_is_rejected_and_said(folder: Path):
    with Workspace() as workspace:
        contract = read(folder, ("targets",), workspace)
        targets = contract.frame("targets")
    figures = targets.set_index(["scope_id", "kpi"])["base"].to_dict()
    assert figures == {
        (name, kpi): base
        for name in ("李强", "赵敏")
        for kpi, base in (("销售额目标达成率", 500000), ("回款及时率", 0.9))
    }
    assert set(contract.rejected["rule"]) == {"not_a_number"} and set(contract.rejected["value"]) == {"按制度执行"}


def test_a_person_with_several_rows_is_one(folder: Path):
    with Workspace() as workspace:
        people = read(folder, ("people",), workspace).frame("people")
    assert sorted(people[["person_id", "name", "role"]].itertuples(index=False, name=None)) == [
        ("李强", "李强", "销售代表"),
        ("赵敏", "赵敏", "销售代表"),
    ]


@pytest.mark.parametrize(
    ("text", "year", "name"),
    [
        ("2026年7月", None, "2026-07"),
        ("2026 年 07 月份", None, "2026-07"),
        ("２０２６年７月绩效考核", None, "2026-07"),
        ("2026/7", None, "2026-07"),
        ("202607", None, "2026-07"),
        ("七月", 2026, "2026-07"),
        ("十二月份", 2026, "2026-12"),
        ("7月", None, None),
        ("2026年第三季度", None, "2026Q3"),
        ("2026年度三季度考核期", None, "2026Q3"),
        ("2026-Q3", None, "2026Q3"),
        ("第3季度", 2026, "2026Q3"),
        ("2026年上半年", None, "2026H1"),
        ("下半年度", 2026, "2026H2"),
        ("2026年度", None, "2026"),
        ("全年", 2026, "2026"),
        ("全年", None, None),
        ("2026-W27", None, "2026-W27"),
        ("2026-02-30", None, None),
        ("13月", 2026, None),
        ("第五季度", 2026, None),
        ("3", 2026, None),
        ("试用期", 2026, None),
        ("", 2026, None),
    ],
)
def test_periods_are_read_as_people_write_them(text, year, name):
    assert period_named(text, year) == name


@pytest.mark.parametrize(
    ("title", "period", "name"),
    [
        ("销售部绩效考核评分表", "2026年第三季度", "2026Q3"),
        ("2026年度销售部绩效考核评分表", "7月", "2026-07"),
        ("2025年度销售部绩效考核评分表", "2026年上半年", "2026H1"),
    ],
)
def test_a_period_in_words_is_the_period_that_it_means(tmp_path: Path, title, period, name):
    form(tmp_path / "李强.xlsx", name="李强", period=period, title=title)
    with Workspace() as workspace:
        contract = read(tmp_path, ("targets", "ratings"), workspace)
        assert {*contract.frame("targets")["period"], *contract.frame("ratings")["period"]} == {name}
    assert contract.counted.empty


def test_the_year_may_stand_in_the_name_of_the_file(tmp_path: Path):
    form(tmp_path / "李强-2026年7月-20270103.xlsx", name="李强", period="7月份")
    with Workspace() as workspace:
        assert set(read(tmp_path, ("ratings",), workspace).frame("ratings")["period"]) == {"2026-07"}


def test_a_period_without_a_year_is_kept_and_said(tmp_path: Path):
    form(tmp_path / "李强-20260803.xlsx", name="李强", period="7月")
    with Workspace() as workspace:
        contract = read(tmp_path, ("ratings",), workspace)
        assert set(contract.frame("ratings")["period"]) == {"7月"}
    assert set(contract.counted["rule"]) == {"not_a_period"} and len(contract.counted) == 5
    assert all(say("contract.rule.not_a_period", language) for language in ("zh", "en"))
