"""A sheet of a workbook (xlsx, xls) as an export.

What fastexcel makes of cells, and what is done about it: a number of more than 15 digits comes as digits that are not
those of the cell any more, so numbers, which the boolean reading tells from text, are written as 1.23E+17; a time of
day comes on the spreadsheet's day 0, a day at midnight, and both get their plain form; an error (#N/A) and a formula
that was never computed come as empty cells; a share shown as 30% comes as 0.3, and 12 shown as 00012 comes as 12.

Memory: one sheet at a time, of 1,048,576 rows at most, is held as Arrow until it is in the workspace.
"""

from __future__ import annotations

from pathlib import Path

import fastexcel
import pyarrow as pa
import pyarrow.compute as pc

from kpi_research.crm.raw import SOURCE_ROW, Step
from kpi_research.errors import InputError, Problem
from kpi_research.sources.export import Export
from kpi_research.sources.exports import shape
from kpi_research.sources.exports.form import flat_form
from kpi_research.sources.workspace import Workspace

ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
LONG_NUMBER = r"^-?\d{16,}$"
"""A spreadsheet keeps 15 digits of a number."""
TIME_OF_DAY = r"^1899-12-3[01] (\d\d:\d\d:\d\d(\.\d+)?)$"
MIDNIGHT = r"^(\d{4}-\d\d-\d\d) 00:00:00$"


def open_workbook(
    path: Path, workspace: Workspace, *, sheet: str | None = None, header_row: int | None = None
) -> Export:
    """A sheet of a workbook, every cell as text; an appraisal form as flat rows.

    Parameters
    ----------
    sheet
        The first that is not empty by default.

    Raises
    ------
    InputError
        If the workbook cannot be opened, has no such sheet, or the sheet has no usable header.
    """
    book = _open(path)
    name = _sheet_name(book, sheet, path.name)
    where, cells = f"{path.name}[{name}]", _cells(book, name)
    if cells.num_rows == 0:
        raise InputError(Problem("source.no_header", where))
    form = None if header_row else flat_form(cells, where)
    table, names, steps = form or _table(cells, where, header_row)
    stored = workspace.engine.create_table(workspace.new_name("sheet"), table)
    return Export(where, stored, names, steps=steps, details={"sheet": name, **({"form": "appraisal"} if form else {})})


def sheets(path: Path) -> list[str]:
    """The sheets of a workbook that hold anything, in their order.

    Raises
    ------
    InputError
        If the workbook cannot be opened.
    """
    book = _open(path)
    return [name for name in book.sheet_names if _height(book, name)]


def _open(path: Path) -> fastexcel.ExcelReader:
    content = path.read_bytes()
    is_encrypted = ENCRYPTED in content[: 1 << 20] or ENCRYPTED in content[-(1 << 20) :]
    try:
        # bytes, since the name of many a file says xls where it is xlsx
        return fastexcel.read_excel(content)
    except fastexcel.FastExcelError as error:
        is_encrypted = is_encrypted or "password" in str(error).lower()
        raise InputError(Problem("export.encrypted" if is_encrypted else "export.corrupt", path.name)) from None


def _sheet_name(book: fastexcel.ExcelReader, sheet: str | None, where: str) -> str:
    if sheet is None:
        found = next((name for name in book.sheet_names if _height(book, name)), None)
        if found is None:
            raise InputError(Problem("source.no_header", where))
        return found
    if sheet not in book.sheet_names:
        raise InputError(Problem("export.no_sheet", where, {"sheet": sheet}, sheet, tuple(book.sheet_names)))
    return sheet


def _height(book: fastexcel.ExcelReader, name: str) -> int:
    try:
        return int(book.load_sheet(name, header_row=None, n_rows=1, dtypes="string").height)
    except fastexcel.FastExcelError:
        # a sheet of charts
        return 0


def _cells(book: fastexcel.ExcelReader, name: str) -> pa.Table:
    """A sheet from its first row on, so that positions are row numbers."""
    # without skip_rows blank rows at the top are dropped
    sheet = book.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
    table = pa.table(sheet.to_arrow())
    for i, column in enumerate(table.columns):
        text = pc.replace_substring_regex(column, TIME_OF_DAY, r"\1")
        text = pc.replace_substring_regex(text, MIDNIGHT, r"\1")
        is_long = pc.fill_null(pc.match_substring_regex(text, LONG_NUMBER), False)
        if pc.any(is_long).as_py():
            kinds = book.load_sheet(name, header_row=None, skip_rows=0, use_columns=[i], dtypes="boolean").to_arrow()
            text = _with_exponent(text, pc.and_(is_long, pc.is_valid(pa.chunked_array([kinds.column(0)]))))
        table = table.set_column(i, table.schema.field(i).name, text)
    return table


def _with_exponent(text: pa.ChunkedArray, chosen: pa.ChunkedArray) -> pa.ChunkedArray:
    rounded = [f"{float(value):.14E}" for value in pc.filter(text, chosen).to_pylist()]
    # 1.20000000000000E+17 is written 1.2E+17
    shown = [mantissa.rstrip("0").rstrip(".") + "E" + power for mantissa, power in (r.split("E") for r in rounded)]
    return pc.replace_with_mask(text.combine_chunks(), chosen.combine_chunks(), pa.array(shown, pa.string()))


def _table(cells: pa.Table, where: str, header_row: int | None) -> tuple[pa.Table, tuple[str, ...], tuple[Step, ...]]:
    """The rows below the header with their numbers, without blank rows and footer."""
    head = _rows(cells.slice(0, max(shape.HEAD_ROWS, header_row or 0)))
    index = header_row - 1 if header_row else shape.header_index([row for _, row in head])
    if index is None or index >= len(head):
        values = {"row": (index or 0) + 1, "rows": cells.num_rows}
        raise InputError(Problem("export.header_row", where, values))
    body = cells.slice(index + 1)
    kept = [i for i, column in enumerate(body.columns) if head[index][1][i] or column.null_count < len(column)]
    body = body.select(kept)
    names = shape.headers_of([head[index][1][i] for i in kept], where)
    numbers = pa.array(range(index + 2, cells.num_rows + 1), pa.int64())
    table = pa.table([numbers, *body.columns], names=[SOURCE_ROW, *names])
    return _without_footer(table, names, _titles(head[:index], table.num_rows), before=index + 1)


def _titles(rows: list[shape.Row], below: int) -> tuple[Step, ...]:
    titles = sum(bool(shape.filled(row)) for _, row in rows)
    return (Step("title_rows", below + titles, below),) if titles else ()


def _without_footer(
    table: pa.Table, names: tuple[str, ...], steps: tuple[Step, ...], *, before: int
) -> tuple[pa.Table, tuple[str, ...], tuple[Step, ...]]:
    holds = pa.array([False] * table.num_rows, pa.bool_())
    for name in names:
        holds = pc.or_(holds, pc.fill_null(pc.match_substring_regex(table[name], r"\S"), False))
    filled = table.filter(holds)
    tail = filled.slice(max(0, filled.num_rows - shape.TAIL_ROWS))
    rows = list(
        zip(tail[SOURCE_ROW].to_pylist(), zip(*(tail[name].to_pylist() for name in names), strict=True), strict=True)
    )
    above = filled.num_rows - tail.num_rows
    footer = shape.footer_rows(rows, len(names), before=filled[SOURCE_ROW][above - 1].as_py() if above else before)
    kept = filled.slice(0, filled.num_rows - footer)
    if filled.num_rows < table.num_rows:
        steps += (Step("blank_rows", table.num_rows, filled.num_rows),)
    if footer:
        steps += (Step("footer", filled.num_rows, kept.num_rows),)
    return kept, names, steps


def _rows(table: pa.Table) -> list[shape.Row]:
    return list(enumerate(zip(*(column.to_pylist() for column in table.columns), strict=True), 1))
