"""The form that HR uses: its formulas give the score again, no text of a CRM is a formula, and it can be read back."""

import datetime as dt
import math
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from test_score import KPIS, rows, spread

from kpi_research.appraisal.form import forms_of
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.score import score
from kpi_research.crm.contract import hold_to_contract
from kpi_research.kpis.catalogue import catalogue
from kpi_research.report.score_words import Words
from kpi_research.run.form_sheets import LETTER, Signed, write_forms
from kpi_research.run.workbook import sheet_names
from kpi_research.sources.mapping import FilesSource
from kpi_research.sources.read import read_source
from kpi_research.sources.workspace import Workspace

LABEL = {"zh": "自定", "en": "Own"}
ALL = KPIS | {name: catalogue()[name] for name in ("calls", "lost_customers") if name in catalogue()}
FIGURES = {
    "signed_amount": (87_654.0, None, "ok"),
    "nps": (230.0, 10.0, "ok"),
    "won_cycle_days": (300.0, 8.0, "ok"),
    "renewal_rate": (7.0, 11.0, "ok"),
    "calls": (17.0, None, "ok"),
}
TARGETS = {"signed_amount": 100_000.0, "nps": 40.0, "won_cycle_days": 30.0, "renewal_rate": 0.85, "calls": 12.0}
STEPS = [{"at_least": at, "share": share} for at, share in ((0.6, 0.4), (0.8, 0.7), (1.0, 1.0), (1.2, 1.3))]


def items(**rules):
    """Four KPIs of equal weight, with rules of their own where any are given."""
    return [
        {"kpi": kpi, "weight": 25, **rules.get(kpi, {})}
        for kpi in ("signed_amount", "nps", "won_cycle_days", "renewal_rate")
    ]


CASES = {
    "in proportion": ({"items": items()}, {}),
    "over the cap": ({"items": items(signed_amount={"cap": 1.0})}, {"signed_amount": (250_000.0, None, "ok")}),
    "at the floor": ({"items": items(signed_amount={"floor": 0.5})}, {"signed_amount": (-3.0, None, "ok")}),
    "under the pass mark": ({"items": items(nps={"zero_below": 0.6})}, {}),
    "in a band": ({"items": items(signed_amount={"band": 0.15})}, {}),
    "over a band": ({"items": items(signed_amount={"band": 0.1})}, {"signed_amount": (115_500.0, None, "ok")}),
    "under a band": ({"items": items(signed_amount={"band": 0.05})}, {}),
    "steps": ({"items": items(signed_amount={"steps": STEPS}, renewal_rate={"steps": STEPS})}, {}),
    "the lower edge of a step": ({"items": items(signed_amount={"steps": STEPS})}, {"signed_amount": (1e5, None, "ok")}),
    "under the first step": ({"items": items(signed_amount={"steps": STEPS})}, {"signed_amount": (5.0, None, "ok")}),
    "steps of the value": (
        {"items": items(won_cycle_days={"steps_on": "value", "steps": [{"at_least": -5, "share": 1}, {"at_least": 35, "share": 0.3}]})},
        {},
    ),
    "inverse": ({"items": items(won_cycle_days={"falling": "inverse"})}, {}),
    "inverse of nothing": ({"items": items(won_cycle_days={"falling": "inverse", "band": 0.1})}, {"won_cycle_days": (0.0, 8.0, "ok")}),
    "mirror under zero": ({"items": items()}, {"won_cycle_days": (900.0, 8.0, "ok")}),
    "missing": ({"items": items()}, {"nps": (0.0, 0.0, "no_cases")}),
    "too much missing": ({"items": items()}, {"nps": (0.0, 0.0, "no_cases"), "renewal_rate": (1.0, 1.0, "too_few")}),
    "no target": ({"items": items()}, {"nps": None}),
    "groups": (
        {
            "groups": {"业绩": 70, "客户": 30},
            "items": [
                {"kpi": "signed_amount", "weight": 60, "group": "业绩"},
                {"kpi": "won_cycle_days", "weight": 40, "group": "业绩"},
                {"kpi": "nps", "weight": 100, "group": "客户"},
            ],
        },
        {},
    ),
    "bonus and deduction": (
        {
            "items": items(),
            "adjustments": [
                {"kpi": "calls", "effect": "bonus", "above": 12, "points": 1.5, "per": 2, "most": 4},
                {"kpi": "renewal_rate", "effect": "deduction", "below": 0.9, "points": 2, "per": 0.05, "most": 20},
            ],
        },
        {},
    ),
    "the most of a bonus": (
        {"items": items(), "adjustments": [{"kpi": "calls", "effect": "bonus", "above": 12, "points": 3, "per": 1, "most": 4}]},
        {},
    ),
    "a deduction to nothing": (
        {"items": items(), "adjustments": [{"kpi": "calls", "effect": "deduction", "above": 2, "points": 30, "per": 1, "most": 300}]},
        {},
    ),
    "a veto": (
        {
            "items": items(),
            "adjustments": [
                {"kpi": "calls", "effect": "veto", "above": 12, "score_at_most": 59},
                {"kpi": "calls", "effect": "veto", "below": 10, "score_at_most": 0},
                {"kpi": "nps", "effect": "bonus", "above": 0, "points": 1, "per": 5, "most": 9},
            ],
        },
        {},
    ),
    "an adjustment without a figure": (
        {"items": items(), "adjustments": [{"kpi": "calls", "effect": "veto", "above": 12, "score_at_most": 59}]},
        {"calls": (0.0, 0.0, "no_record")},
    ),
}  # fmt: skip


def scored(written, changed):
    scheme = Scheme.model_validate({"name": "own", "label": LABEL, **written})
    figures = FIGURES | {kpi: parts for kpi, parts in changed.items() if parts is not None}
    targets = {("P1", kpi): aim for kpi, aim in TARGETS.items() if changed.get(kpi, ()) is not None}
    found = score(
        rows(figures), spread(figures), scheme=scheme, kpis=ALL, targets=targets, rng=np.random.default_rng(1)
    )
    (form,) = forms_of(
        found,
        scheme,
        ALL,
        stretch={("P1", "signed_amount"): 130_000.0},
        marks={("P1", "nps"): {"self": 88.0, "superior": 92.5}},
    )
    return found, form


@pytest.fixture(scope="module")
def made():
    """Score and form of every case."""
    return {name: scored(*case) for name, case in CASES.items()}


def written(folder: Path, forms, language="zh", *, title="小公司 · 绩效考核表") -> Path:
    people = [Signed(form, name, "华东一组", "销售代表", "2026年第3季度") for name, (_, form) in forms.items()]
    write_forms(people, folder / "appraisal.xlsx", Words(language, "CNY"), title=title, author="kpi-research")
    return folder / "appraisal.xlsx"


def cells_of(book, sheet: str, count: int) -> dict[str, list]:
    """What stands in a person's sheet for attainment, points, and the rows of the total."""
    page = book[sheet]
    last = 4 + count
    ends = [row for row in range(last + 1, page.max_row + 1) if page[f"A{row}"].value in ("合计", "Total by weights")]
    return {
        "attainment": [page[f"I{row}"].value for row in range(5, last + 1)],
        "points": [page[f"N{row}"].value for row in range(5, last + 1)],
        "total": [page[f"N{ends[0]}"].value, page[f"N{ends[0] + 1}"].value, page[f"E{ends[0]}"].value],
    }


def expected(found, form) -> dict[str, list]:
    total = found.totals.iloc[0]
    plain = total["score"] - total["adjusted"]
    return {
        "attainment": [each.attainment for each in form.items],
        "points": [each.points for each in form.items],
        "total": [plain, total["score"], total["scored_weight"]],
    }


def agree(book, made) -> None:
    for name, (found, form) in made.items():
        got, right = cells_of(book, name, len(form.items)), expected(found, form)
        for key, values in right.items():
            for value, cell in zip(values, got[key], strict=True):
                if math.isnan(value):
                    assert cell in (None, ""), (name, key)
                else:
                    assert cell == pytest.approx(value, abs=1e-6), (name, key)


def test_the_cases_are_what_they_say(made):
    assert made["over the cap"][1].items[0].points == 25 and made["under the pass mark"][1].items[1].points == 0
    assert made["a veto"][1].total == 59 and made["a veto"][1].plain > 59
    assert made["a deduction to nothing"][1].total == 0
    assert math.isnan(made["too much missing"][1].total) and made["missing"][1].scored_weight == 0.75
    assert made["in a band"][1].items[0].points == 25 and made["inverse of nothing"][1].items[2].points == 30


def test_stored_results_are_the_scores(made, tmp_path):
    agree(openpyxl.load_workbook(written(tmp_path, made), data_only=True), made)


class Reckoner:
    """The few functions of a spreadsheet that the formulas use, read as Python."""

    def __init__(self, book):
        self.book = book

    def value(self, sheet: str, at: str):
        cell = self.book[sheet][at.replace("$", "")]
        return self.reckon(sheet, cell.value[1:]) if cell.data_type == "f" else cell.value

    def reckon(self, sheet: str, formula: str):
        text = re.sub(r"'([^']+)'!([A-Z]+\d+)", r'AT("\1","\2")', formula)
        text = re.sub(r"\$([A-Z])\$(\d+):\$([A-Z])\$(\d+)", r'RANGE("\1",\2,\4)', text)
        text = re.sub(r'(?<!")\b([A-Z]\d+)\b(?!")', r'AT(HERE,"\1")', text)
        text = re.sub(r"\bIF\(", "CHOOSE(", text)
        tree = _lazy(text)
        return eval(tree, {"AT": self.value, "HERE": sheet, "RANGE": self._range(sheet), **FUNCTIONS})

    def _range(self, sheet):
        return lambda letter, first, last: Cells(self.value(sheet, f"{letter}{row}") for row in range(first, last + 1))


class Cells(list):
    """A range; products of ranges are taken cell by cell."""

    def __mul__(self, other):
        return Cells(a * b for a, b in zip(self, other, strict=True))


def _lazy(text: str) -> str:
    """`CHOOSE(a,b,c)` as Python's own choice, so that what is not chosen is not divided by zero."""
    while "CHOOSE(" in text:
        start = text.rindex("CHOOSE(")
        depth, cuts, place = 0, [start + 6], start + 7
        while depth >= 0:
            sign = text[place]
            depth += (sign == "(") - (sign == ")")
            if depth == 0 and sign == ",":
                cuts.append(place)
            place += 1
        cuts.append(place - 1)
        test, yes, no = (text[a + 1 : b] for a, b in zip(cuts, cuts[1:], strict=False))
        text = f"{text[:start]}(({yes}) if ({test}) else ({no})){text[place:]}"
    return text


def numbers(values) -> list[float]:
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return [value for value in flat if isinstance(value, int | float) and not isinstance(value, bool)]


def is_number(value):
    return Cells(bool(numbers([each])) for each in value) if isinstance(value, list) else bool(numbers([value]))


FUNCTIONS = {
    "ISNUMBER": is_number,
    "MAX": lambda *values: max(numbers(values)),
    "MIN": lambda *values: min(numbers(values)),
    "SUM": lambda *values: sum(numbers(values)),
    "COUNT": lambda *values: len(numbers(values)),
    "INT": math.floor,
    "SUMPRODUCT": lambda values: sum(value or 0 for value in values),
}


def test_the_formulas_reckoned_by_another_road_give_the_scores(made, tmp_path):
    book = openpyxl.load_workbook(written(tmp_path, made))
    reckoner = Reckoner(book)
    for name in made:
        for row in book[name].iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    cell.value, cell.data_type = reckoner.value(name, cell.coordinate), "n"
    agree(book, made)


def recalculated(path: Path, folder: Path):
    """The workbook after LibreOffice has opened and calculated it."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice (soffice) is not installed; the formulas are checked by the other road only")
    profile = f"-env:UserInstallation=file://{folder / 'profile'}"
    command = [program, profile, "--headless", "--convert-to", "xlsx", "--outdir", str(folder / "out"), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    return openpyxl.load_workbook(folder / "out" / path.name, data_only=True)


def test_libreoffice_reckons_the_scores_from_the_formulas(made, tmp_path):
    path = written(tmp_path, made)
    # saved by openpyxl, the formulas have no results: those that come back are LibreOffice's own
    bare = openpyxl.load_workbook(path)
    bare.save(path)
    assert openpyxl.load_workbook(path, data_only=True)["in proportion"]["N5"].value is None
    agree(recalculated(path, tmp_path), made)


def test_a_changed_figure_changes_points_and_total(made, tmp_path):
    path = written(tmp_path, {"in proportion": made["in proportion"]})
    book = openpyxl.load_workbook(path)
    book["in proportion"]["H5"].value = 50_000
    reckoner = Reckoner(book)
    before, after = made["in proportion"][1], reckoner.value("in proportion", "N9")
    assert reckoner.value("in proportion", "N5") == pytest.approx(12.5)
    assert after == pytest.approx(before.total - before.items[0].points + 12.5)


HOSTILE = [
    "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1", "=HYPERLINK(\"http://x\")", "a/b\\c:d*e?f[g]",
    "'; DROP", "王芳", "王芳", "", "x" * 60, "History", "😀" * 20, "\x00\x07bell", "<b>&amp;",
]  # fmt: skip


def test_no_text_of_a_crm_is_a_formula(made, tmp_path):
    (_, form) = made["a veto"]
    people = [Signed(form, name, name, name, name) for name in HOSTILE]
    path = tmp_path / "appraisal.xlsx"
    write_forms(people, path, Words("zh", "CNY"), title=HOSTILE[0], author="kpi-research")
    book = openpyxl.load_workbook(path)
    known = {*FUNCTIONS, "IF"}
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    plain = re.sub(r"'[^'|!]+'!", "", cell.value)
                    assert set(re.findall(r"[A-Z]{2,}", plain)) <= known and not set(plain) & set("|!'@"), cell.value
                elif isinstance(cell.value, str) and cell.value.startswith(("=", "+", "-", "@", "\t")):
                    assert cell.data_type == "s" and cell.quotePrefix, cell.coordinate
    names = {cell.value for cell in book.worksheets[0]["A"]}
    assert "=cmd|' /C calc'!A0" in names, "the text itself is kept"


def test_sheet_names_are_safe_and_unique():
    names = sheet_names(HOSTILE)
    assert len({name.casefold() for name in names}) == len(HOSTILE)
    assert all(0 < len(name) <= 31 and not set(name) & set("[]:*?/\\'|=!") for name in names)
    assert "History" not in names and "王芳" in names and "王芳 (2)" in names


def test_the_file_tells_nothing_of_who_wrote_it_when(made, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        written(folder, made)
    first, second = (folder / "appraisal.xlsx" for folder in folders)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as book:
        core = book.read("docProps/core.xml").decode()
        assert f"{dt.date.today():%Y-%m}" not in core and "<dc:creator" in core and ">kpi-research<" in core
        assert {entry.date_time[0] for entry in book.infolist()} == {1980}
        for name in book.namelist():
            assert str(tmp_path) not in book.read(name).decode("utf-8", errors="ignore"), name


def test_our_importer_reads_the_form_back(made, tmp_path):
    written(tmp_path, {"李强": made["a veto"]})
    tables = {name: {"file": "*.xlsx", "sheet": "李强"} for name in ("people", "targets", "ratings")}
    source = FilesSource(kind="files", path=".", preset="appraisal_form", tables=tables)
    with Workspace() as workspace:
        found = hold_to_contract(read_source(source, tmp_path, workspace))
        people, targets, ratings = (found.frame(name) for name in ("people", "targets", "ratings"))
        assert found.rejected.empty
    label = {name: kpi.label.zh for name, kpi in ALL.items()}
    assert people[["person_id", "name", "role"]].to_numpy().tolist() == [["P1", "李强", "销售代表"]]
    got = targets.set_index("kpi")
    assert got["base"].to_dict() == pytest.approx({label[kpi]: aim for kpi, aim in TARGETS.items() if kpi != "calls"})
    assert got.loc[label["signed_amount"], "stretch"] == 130_000 and set(got["period"]) == {"2026Q3"}
    marks = ratings.set_index(["kpi", "rater"])
    assert marks["score"].to_dict() == {(label["nps"], "self"): 88.0, (label["nps"], "superior"): 92.5}
    assert set(marks["scale_max"]) == {100.0} and set(marks["weight"]) == {0.25}
    assert "definition" in LETTER


def test_both_languages_have_every_word(made, tmp_path):
    book = openpyxl.load_workbook(written(tmp_path, made, "en", title="Small · Appraisal form"))
    chinese = re.compile(r"[\u4e00-\u9fff]")
    shown = [cell.value for row in book["a veto"].iter_rows() for cell in row if isinstance(cell.value, str)]
    given = {"华东一组", "销售代表", "2026年第3季度"}
    left = [text for text in shown if chinese.search(text) and not any(part in text for part in given)]
    assert left == [] and any("held to what vetoes allow" in text for text in shown)
