"""What a canonical table is: a key, columns of a kind, and rules that its rows are held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import ibis.expr.types as ir

ColumnKind = Literal["id", "text", "choice", "date", "time", "money", "number", "share", "flag"]
Severity = Literal["reject", "count"]

ENGINE_TYPES: dict[ColumnKind, str] = {
    "id": "string",
    "text": "string",
    "choice": "string",
    "date": "timestamp(6)",
    "time": "timestamp(6)",
    "money": "decimal(18, 2)",
    "number": "float64",
    "share": "float64",
    "flag": "boolean",
}
"""What a column of a kind is in an engine, in the words of Ibis."""


@dataclass(frozen=True)
class Column:
    """One column of a canonical table.

    Parameters
    ----------
    kind
        How its text is read; `choice` takes only `choices`.
    nullable
        Whether a row may lack it. A table may lack a nullable column altogether.
    refers
        The table whose key it repeats. `unmatched` says whether a row without partner is rejected or only counted.
    only_where
        Another column and its values, where this one means something only in such rows: systems that keep one day for
        both plan and fact fill it in others too. There it is empty.
    """

    kind: ColumnKind
    nullable: bool = False
    choices: tuple[str, ...] = ()
    refers: str | None = None
    unmatched: Severity = "count"
    only_where: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Rule:
    """A row-wise rule over more than one column; its name is that of its function.

    `passes(rows)` is true where a row is in order. Nulls must be decided by the function.
    """

    passes: Callable[[ir.Table], ir.BooleanValue]
    severity: Severity = "reject"

    @property
    def name(self) -> str:
        """The name under which rejected rows are counted."""
        return self.passes.__name__


@dataclass(frozen=True)
class Table:
    """A canonical table: its key (no two rows share it), columns and rules."""

    name: str
    key: tuple[str, ...]
    columns: dict[str, Column]
    rules: tuple[Rule, ...] = ()

    @property
    def schema(self) -> dict[str, str]:
        """The types of its columns in an engine."""
        return {name: ENGINE_TYPES[column.kind] for name, column in self.columns.items()}
