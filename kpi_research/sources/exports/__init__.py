"""Files that systems export, opened as they come: one module a kind of file.

`open_export` takes a file by its content where its name says otherwise, finds its header among titles, cuts what stands
below the table, and hands the rows over as text. Nothing is interpreted here: that is the mapping's part.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kpi_research.errors import InputError, Problem
from kpi_research.sources.export import Export
from kpi_research.sources.exports.csv import open_csv
from kpi_research.sources.exports.json_pages import open_json
from kpi_research.sources.exports.parquet import open_parquet
from kpi_research.sources.exports.text import HEAD, binary_kind
from kpi_research.sources.exports.workbook import open_workbook, sheets
from kpi_research.sources.workspace import Workspace

TEXT = (".csv", ".txt", ".tsv")
WORKBOOKS = (".xlsx", ".xlsm", ".xls")
JSON = (".json", ".jsonl", ".ndjson")
PARQUET = (".parquet",)
SUFFIXES = (*TEXT, *WORKBOOKS, *JSON, *PARQUET)


def open_export(
    path: Path,
    workspace: Workspace,
    *,
    sheet: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header_row: int | None = None,
) -> Export:
    """The rows of a file.

    Parameters
    ----------
    workspace
        Where rows are put that cannot be read where they lie; the file must stay as it is while it is open.
    sheet
        Of a workbook; the first that is not empty by default.
    encoding, delimiter
        Of a text file, where they cannot be seen from it.
    header_row
        Number of the row that holds the column names, where it cannot be seen.

    Raises
    ------
    InputError
        Everything that is wrong with the file.
    """
    try:
        kind = _kind(path)
        if kind in WORKBOOKS:
            return open_workbook(path, workspace, sheet=sheet, header_row=header_row)
        if kind in PARQUET:
            return open_parquet(path, workspace)
        if kind in JSON:
            return open_json(path, workspace, encoding=encoding)
        return open_csv(path, workspace, encoding=encoding, delimiter=delimiter, header_row=header_row)
    except OSError:
        raise InputError(Problem("export.unreadable", path.name)) from None


def find_exports(folder: Path) -> list[tuple[Path, str | None]]:
    """Every file under a folder that can be read, each sheet of a workbook that holds anything by itself.

    A workbook that cannot be opened is listed without a sheet: opening it says why.
    """
    found: list[tuple[Path, str | None]] = []
    for path in sorted(folder.rglob("*")):
        # ~$ marks the lock file of a workbook that is open
        if path.suffix.lower() not in SUFFIXES or path.name.startswith((".", "~$")) or not path.is_file():
            continue
        found += [(path, sheet) for sheet in _sheets(path)]
    return found


def _sheets(path: Path) -> list[str] | list[None]:
    try:
        return sheets(path) if _kind(path) in WORKBOOKS else [None]
    except (InputError, OSError):
        return [None]


def _kind(path: Path) -> str:
    """The suffix that fits a file; a workbook's may be another's, and many a text is named xls."""
    suffix = path.suffix.lower()
    if not path.is_file():
        raise InputError(missing(path))
    if suffix not in SUFFIXES:
        raise InputError(Problem("export.kind", path.name, {"suffix": suffix}, suffix, SUFFIXES))
    if suffix not in WORKBOOKS:
        return suffix
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        raise InputError(Problem("export.web_page", path.name))
    return suffix if suffix != ".xls" or not head or binary_kind(head) else ".csv"


def missing(path: Path) -> Problem:
    """That a file or folder is not there, with the names that are."""
    parent = path.parent
    beside: Callable[[Path], bool] = Path.is_dir if path.suffix == "" else Path.is_file
    names = tuple(sorted(other.name for other in parent.iterdir() if beside(other))) if parent.is_dir() else ()
    return Problem("source.missing", values={"path": path.as_posix()}, given=path.name, allowed=names)
