"""The `source:` part of a client file: where rows lie, and how an export's columns and values become canonical ones.

A mapping is data. `sources/apply.py` carries it out; `sources/presets/` holds starting maps in the same words.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

OTHERS = "*"
"""In `values`: what every value that is not named becomes."""
DATE_FORMS = ("epoch_s", "epoch_ms", "excel")
"""Dates that are numbers: seconds or milliseconds since 1970 in UTC, days of a spreadsheet. Others: `strptime`."""
OneOrMore = str | list[str]
PersonKey = Literal["employee_no", "user_id", "email", "name"]
PERSON_KEYS: tuple[PersonKey, ...] = get_args(PersonKey)
"""What identifies a person across systems, the surest first."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Case(_Strict):
    """A value for the rows in which all named columns have one of the named values; for all rows without `where`."""

    value: str
    where: dict[str, OneOrMore] = {}


class Lines(_Strict):
    """Several rows a record (an order and its lines): one is kept for each `per`.

    Parameters
    ----------
    per
        Canonical column that is the same in all lines of a record.
    sum
        Canonical columns that stand on the line and are added up; all others stand on the head and are taken once.
    """

    per: str
    sum: list[str] = []


class Unfold(_Strict):
    """Several records inside one cell of text: every match of a pattern is a row, its named groups are columns."""

    column: str
    pattern: str


class Unpivot(_Strict):
    """Columns that are values of one column: `january ... december` become rows with a month and a figure.

    Parameters
    ----------
    columns
        The export's column -> the text that stands for it in the new column `name`.
    name, value
        The new columns, to be mapped like any other.
    """

    columns: dict[str, str]
    name: str
    value: str


class TableMapping(_Strict):
    """One canonical table, or a part of it, out of one export.

    Parameters
    ----------
    file
        Path under the source's folder; `*` and `?` stand for several files that are read as one.
    sheet
        Sheet of a workbook; the first that is not empty by default.
    table
        Table or view of a database, `schema.table` where it needs a schema.
    columns
        The export's column -> canonical column, or several of them.
    join
        Canonical column -> the export's columns whose texts make it up: a date and a time, or the parts of a key.
    values
        Canonical column -> {value in the export: canonical value}; values not named stay as they are, or become
        what `"*"` names.
    cases
        Canonical column -> the first of these whose conditions a row meets.
    constants
        Canonical column -> the same value in every row.
    pick
        Canonical column -> pattern whose first group is the value: `\\((\\w+)\\)` takes `0012` out of `Wang (0012)`.
    prefix
        Canonical column -> text put before it, where two exports number their records alike.
    split
        Canonical column -> separator of several values in one cell; each becomes a row of its own.
    where, unless
        The export's column -> value or values that a row must have, or must not have, to be taken.
    distinct
        Whether equal rows are one (a list of teams read from a list of people).
    fill_down
        The export's columns that stand only in the first row of a record.
    lines, unfold, unpivot
        See `Lines`, `Unfold`, `Unpivot`.
    dates
        Form of this export's dates where they are numbers or ambiguous, for all columns or by canonical column.
    zone
        Time zone of its times where they carry none and are not the client's local time.
    units
        Canonical column -> factor that makes the canonical unit of it (10000 for amounts in 万, 0.01 for percent).
    nulls
        Texts that mean nothing here, besides the usual ones.
    ids
        `salesforce`: ids of 15 characters are completed to 18.
    encoding, delimiter, header_row
        Of a file, where they cannot be seen from it.
    """

    file: str | None = None
    sheet: str | None = None
    table: str | None = None
    columns: dict[str, OneOrMore] = {}
    join: dict[str, list[str]] = {}
    values: dict[str, dict[str, str]] = {}
    cases: dict[str, list[Case]] = {}
    constants: dict[str, str] = {}
    pick: dict[str, str] = {}
    prefix: dict[str, str] = {}
    split: dict[str, str] = {}
    where: dict[str, OneOrMore] = {}
    unless: dict[str, OneOrMore] = {}
    distinct: bool = False
    fill_down: list[str] = []
    lines: Lines | None = None
    unfold: Unfold | None = None
    unpivot: Unpivot | None = None
    dates: str | dict[str, str] | None = None
    zone: str | None = None
    units: dict[str, float] = {}
    nulls: list[str] = []
    ids: Literal["salesforce"] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header_row: Annotated[int, Field(ge=1)] | None = None

    @property
    def export(self) -> str:
        """The name of what it is read from, for messages."""
        name = self.file or self.table or ""
        return f"{name}[{self.sheet}]" if self.sheet else name


Parts = Annotated[list[TableMapping], BeforeValidator(lambda given: given if isinstance(given, list) else [given])]
Tables = dict[str, Parts]
"""Canonical table -> its export, or the several exports that it is put together from."""


class FilesSource(_Strict):
    """Exports in a folder: CSV, workbooks, Parquet, JSON pages.

    Parameters
    ----------
    preset
        A system's starting map: it names the columns of every mapping that names none itself, and adds what a mapping
        does not say.
    persons
        What its references to people hold; the ids of its own list of people by default.
    """

    kind: Literal["files"]
    path: str
    preset: str | None = None
    persons: PersonKey | None = None
    tables: Tables


class DatabaseSource(_Strict):
    """Tables of a database that is only read.

    Parameters
    ----------
    address
        Name of the environment variable that holds the address; never the address itself.
    stage
        Whether rows are copied before anything is computed; by default only where the engine cannot do the work.
    """

    kind: Literal["database"]
    address: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    preset: str | None = None
    persons: PersonKey | None = None
    stage: bool | None = None
    tables: Tables


class CanonicalSource(_Strict):
    """A folder of canonical tables, each `<table>.csv` or `<table>.parquet`."""

    kind: Literal["canonical"]
    path: str
    persons: PersonKey | None = None


class SimulatedSource(_Strict):
    """A made-up company whose truth is known."""

    kind: Literal["simulated"]
    people: int = Field(40, ge=4, le=5000)
    teams: int = Field(5, ge=1, le=200)
    first_month: str = Field("2024-07", pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    months: int = Field(27, ge=3, le=240)
    driver_effect: float = Field(0.22, ge=0, le=2)
    seed: int = 20251001


PlainSource = Annotated[FilesSource | DatabaseSource | CanonicalSource, Field(discriminator="kind")]


class MergedSource(_Strict):
    """Several systems of one client: orders from one, activities from another, people from a third.

    Parameters
    ----------
    sources
        By a short name of your choice, which stands in messages.
    people
        The source whose list of people is the list; the others' people are matched to it.
    match
        What people are matched by, the surest first.
    """

    kind: Literal["merged"]
    sources: dict[str, PlainSource] = Field(min_length=2)
    people: str
    match: list[PersonKey] = Field(list(PERSON_KEYS), min_length=1)

    @model_validator(mode="after")
    def _people_is_a_source(self) -> MergedSource:
        if self.people not in self.sources:
            raise ValueError(f"{self.people!r} is none of the sources: {', '.join(self.sources)}")
        return self


Source = Annotated[
    FilesSource | DatabaseSource | CanonicalSource | SimulatedSource | MergedSource, Field(discriminator="kind")
]


def parts_of(tables: Tables) -> list[tuple[str, TableMapping]]:
    """Every mapping with its canonical table, in the order of the file."""
    return [(name, mapping) for name, mappings in tables.items() for mapping in mappings]
