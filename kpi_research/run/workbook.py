"""The appraisal form as a workbook: a sheet of all, then a sheet a person, whose points and totals are live formulas.

Text is always a text cell, so that nothing that stands in a CRM can become a formula. The results that `score` gave are
stored beside the formulas, for readers that do not calculate (a phone's preview, an importer).
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.worksheet import Worksheet

from kpi_research.report.drawing import harmless

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest moment that a zip can hold: the same forms give the same bytes whenever they are written."""
LONGEST_NAME = 31
HARMLESS_IN_NAMES = " -_().·"
LONGEST_TEXT = 32_000
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
HEAD_FILL, GROUP_FILL = PatternFill("solid", fgColor="E6EAEF"), PatternFill("solid", fgColor="F5F7F9")
EDGE = Border(*(Side("thin", "B8C2CC") for _ in range(4)))
POINTS_PER_LINE = 15.0


@dataclass
class Sheet:
    """A sheet that is being written, and the results of its formulas.

    Parameters
    ----------
    results
        Cell -> what its formula gives; empty text where it gives nothing.
    widths
        Of the columns, in characters.
    """

    sheet: Worksheet
    widths: Sequence[float]
    results: dict[str, float | str] = field(default_factory=dict)

    def text(self, at: str, words: str, *, bold: bool = False, framed: bool = True, centred: bool = False) -> None:
        """A cell of text, whatever it begins with."""
        cell, shown = self._cell(at, framed), harmless(words)[:LONGEST_TEXT]
        cell.value = shown
        cell.data_type = "s"
        # without the mark a spreadsheet would read the text anew as soon as somebody edits the cell
        cell.quotePrefix = shown.startswith(FORMULA_SIGNS)
        cell.font = Font(bold=bold)
        cell.alignment = Alignment(wrap_text=True, vertical="center", horizontal="center" if centred else None)

    def number(self, at: str, value: float, shown: str) -> None:
        """A number in a format; an empty framed cell where there is none."""
        cell = self._cell(at, framed=True)
        cell.value = None if math.isnan(value) else float(value)
        cell.number_format = shown
        cell.alignment = Alignment(vertical="center")

    def formula(self, at: str, formula: str, result: float, shown: str, *, bold: bool = False) -> None:
        """A formula of ours with the result that it has."""
        self.number(at, math.nan, shown)
        self.sheet[at].value = formula
        self.sheet[at].font = Font(bold=bold)
        self.results[at] = "" if math.isnan(result) else float(result)

    def fill(self, cells: str, fill: PatternFill) -> None:
        """A background for a range."""
        for row in self.sheet[cells]:
            for cell in row:
                cell.fill = fill

    def merge(self, cells: str) -> None:
        """One cell of a range, framed as a whole; a range of one cell stays as it is."""
        first, _, last = cells.partition(":")
        if first == last:
            return
        for row in self.sheet[cells]:
            for cell in row:
                cell.border = EDGE
        self.sheet.merge_cells(cells)

    def fit_row(self, number: int, texts: Sequence[tuple[str, float]]) -> None:
        """The row as high as its longest text, in a column of so many characters, needs."""
        lines = max((_lines(words, width) for words, width in texts), default=1)
        self.sheet.row_dimensions[number].height = max(1, lines) * POINTS_PER_LINE + 4

    def _cell(self, at: str, framed: bool) -> Cell:
        cell = self.sheet[at]
        if framed:
            cell.border = EDGE
        return cell


def new_sheet(book: Workbook, name: str, widths: Sequence[float]) -> Sheet:
    """An empty sheet that prints on one page's width."""
    sheet = book.create_sheet(name)
    for number, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.sheet_view.showGridLines = False
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    return Sheet(sheet, widths)


def sheet_names(wanted: Sequence[str]) -> list[str]:
    """Names that every spreadsheet takes, each once, whatever is wanted."""
    names: list[str] = []
    taken: set[str] = set()
    for each in wanted:
        # letters and digits, for the name stands in formulas; of the basic plane, as a spreadsheet counts others twice
        plain = "".join(sign for sign in each if (sign.isalnum() or sign in HARMLESS_IN_NAMES) and ord(sign) < 1 << 16)
        base = plain.strip(" -")[:LONGEST_NAME] or "-"
        name, number = base, 1
        while name.casefold() in taken or name.casefold() == "history":
            number += 1
            end = f" ({number})"
            name = f"{base[: LONGEST_NAME - len(end)]}{end}"
        names.append(name)
        taken.add(name.casefold())
    return names


def link(sheet: Sheet, at: str, name: str) -> None:
    """Lead from a cell to the top of another sheet."""
    sheet.sheet[at].hyperlink = Hyperlink(ref=at, location=f"'{name}'!A1")
    sheet.sheet[at].font = Font(color="1F5F9E", underline="single")


def save(book: Workbook, sheets: Sequence[Sheet], path: Path, *, author: str) -> None:
    """Write the workbook with the results of its formulas; the same sheets give the same bytes.

    Parameters
    ----------
    author
        What the file's properties name as its maker.
    """
    book.properties.creator = author
    book.calculation.fullCalcOnLoad = True
    made = io.BytesIO()
    book.save(made)
    results = {f"xl/worksheets/sheet{number}.xml": sheet.results for number, sheet in enumerate(sheets, start=1)}
    with zipfile.ZipFile(made) as given, zipfile.ZipFile(path, "w") as kept:
        for name in given.namelist():
            content = given.read(name).decode("utf-8")
            if name in results:
                content = _with_results(content, results[name])
            if name == "docProps/core.xml":
                content = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "1980-01-01T00:00:00Z", content)
            kept.writestr(zipfile.ZipInfo(name, EPOCH), content.encode(), zipfile.ZIP_DEFLATED, compresslevel=6)


def _with_results(content: str, results: dict[str, float | str]) -> str:
    def filled(found: re.Match[str]) -> str:
        result = results[found["at"]]
        kind = ' t="str"' if isinstance(result, str) else ""
        return f'<c r="{found["at"]}"{found["style"]}{kind}>{found["formula"]}<v>{result}</v></c>'

    cell = r'<c r="(?P<at>[A-Z]+\d+)"(?P<style> s="\d+")?>(?P<formula><f>[^<]*</f>)<v(?: ?/>|></v>)</c>'
    return re.sub(cell, filled, content)


def _lines(words: str, width: float) -> int:
    """Lines that a text takes in a column of so many characters; a Chinese one is as wide as two."""
    return sum(
        max(1, math.ceil(sum(2 if ord(sign) > 0x2E80 else 1.05 for sign in line) / max(width - 1, 1)))
        for line in words.split("\n")
    )
