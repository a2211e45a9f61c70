"""What onboarding says of an export: the records that recognition, derivation and the client file share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import ibis.expr.types as ir

from kpi_research.crm.tables import TABLES
from kpi_research.crm.typing import blank_to_null
from kpi_research.sources.mapping import OneOrMore, TableMapping
from kpi_research.sources.profile import Profile

Reason = Literal["documented", "seen", "inferred", "unknown", "synonym", "content", "file_name", "derived", "constant"]
Topic = Literal[
    "missing", "alternatives", "misfit", "day_or_month", "several_values", "no_closing", "key_repeats", "lines",
    "unknown_kinds", "taken_as_open", "teams", "moves", "strangers", "stage_order", "again", "systems", "no_people",
    "empty", "left_out", "dropped", "elsewhere", "beside",
]  # fmt: skip


@dataclass(frozen=True)
class Look:
    """An export that was looked at.

    Parameters
    ----------
    file, sheet
        Where it lies under the source's folder.
    rows, headers
        As it stands; of a table of a database only some rows.
    profiles
        Header -> what its cells look like.
    table, bare
        Where it is one of a database: its name there, and that without its schema; then there is no file.
    """

    file: str
    sheet: str | None
    rows: ir.Table
    headers: tuple[str, ...]
    profiles: Mapping[str, Profile]
    table: str | None = None
    bare: str = ""

    @property
    def name(self) -> str:
        """How it is called in messages."""
        return self.table or (f"{self.file}[{self.sheet}]" if self.sheet else self.file)

    @property
    def stem(self) -> str:
        """What it is called where it lies: a file without folder and ending, a table without its schema."""
        return self.bare or self.file.rsplit("/", 1)[-1].rsplit(".", 1)[0]

    @property
    def place(self) -> str:
        """The name that says what it holds: its sheet's, else its own."""
        return self.sheet or self.stem

    @property
    def lies(self) -> dict[str, str | None]:
        """Where it is, in the words of a mapping."""
        return {"table": self.table} if self.table else {"file": self.file, "sheet": self.sheet}


@dataclass(frozen=True)
class Guess:
    """Where a canonical column comes from, and why that is thought."""

    column: str
    header: str
    reason: Reason


@dataclass(frozen=True)
class Doubt:
    """Something that only the client knows.

    Parameters
    ----------
    topic
        The sentence under `[init.doubt]`.
    export, table, column
        What it is about.
    candidates
        What it may be.
    values
        What else the sentence says.
    essential
        Whether a table is useless, or missing, until it is decided.
    """

    topic: Topic
    export: str = ""
    table: str = ""
    column: str = ""
    candidates: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    essential: bool = False


@dataclass(frozen=True)
class Proposal:
    """A canonical table out of one export.

    Parameters
    ----------
    mapping
        As it goes into the client file.
    guesses
        One a canonical column.
    missing
        Canonical columns that it needs and nothing was found for: then it is not written.
    leftover
        Headers that nothing was found for.
    system
        The preset that knew the export, or an empty text.
    dropped
        Parts of the preset's map that need a column which the export lacks.
    """

    look: Look
    table: str
    mapping: TableMapping
    guesses: tuple[Guess, ...]
    doubts: tuple[Doubt, ...] = ()
    missing: tuple[str, ...] = ()
    leftover: tuple[str, ...] = ()
    system: str = ""
    dropped: tuple[str, ...] = ()

    def header(self, column: str) -> str | None:
        """The header that a canonical column is copied from."""
        found = (head for head, targets in self.mapping.columns.items() if column in as_list(targets))
        return next(found, None)


def as_list(given: OneOrMore) -> list[str]:
    """One or several, as a list."""
    return [given] if isinstance(given, str) else list(given)


def mentioned(mapping: TableMapping) -> set[str]:
    """The headers that a mapping uses, whatever for."""
    said = {*mapping.columns, *mapping.where, *mapping.unless, *mapping.fill_down}
    said |= {header for joined in mapping.join.values() for header in joined}
    said |= {header for cases in mapping.cases.values() for case in cases for header in case.where}
    return (
        said
        | ({mapping.unfold.column} if mapping.unfold else set())
        | set(mapping.unpivot.columns if mapping.unpivot else ())
    )


def by_header(columns: Mapping[str, str]) -> dict[str, OneOrMore]:
    """Canonical column -> header, turned round as a mapping has it."""
    turned: dict[str, list[str]] = {}
    for column, header in columns.items():
        turned.setdefault(header, []).append(column)
    return {header: names[0] if len(names) == 1 else names for header, names in turned.items()}


def needed(table: str) -> list[str]:
    """The columns that a canonical table cannot be without."""
    return [name for name, column in TABLES[table].columns.items() if not column.nullable]


def cells_of(look: Look, header: str) -> ir.StringValue:
    """A column's cells as text without space around them, null where they say nothing."""
    return blank_to_null(look.rows[header])


def values_of(look: Look, header: str | None) -> set[str]:
    """The different texts of a column, in all rows; nothing of a column that is not there."""
    if header is None or header not in look.headers:
        return set()
    cells = look.rows.select(cell=cells_of(look, header)).distinct()
    return {value for value in cells.to_pyarrow()["cell"].to_pylist() if value}


def depends_on(look: Look, header: str, other: str) -> bool:
    """Whether each value of `other` always stands beside the same value of `header`: each agent has one manager."""
    pairs = look.rows.select(key=cells_of(look, other), value=cells_of(look, header)).distinct()
    pairs = pairs.filter(pairs.key.notnull() & pairs.value.notnull())
    counts = pairs.aggregate(pairs=pairs.count(), keys=pairs.key.nunique()).to_pyarrow().to_pylist()[0]
    return bool(counts["pairs"] and counts["pairs"] == counts["keys"])


def is_key(look: Look, headers: Iterable[str]) -> bool:
    """Whether the texts of these columns together tell all rows apart."""
    named = {f"c{n}": cells_of(look, header).fill_null("") for n, header in enumerate(headers)}
    rows = look.rows.select(**named)
    return bool(named) and rows.count().to_pyarrow().as_py() == rows.distinct().count().to_pyarrow().as_py()
