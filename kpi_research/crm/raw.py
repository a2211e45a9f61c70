"""Rows as a source hands them over, and the forms that their values are written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import ibis.expr.types as ir

SOURCE_ROW = "source_row"
"""Column that holds a row's number in its file as its owner counts; without it the rows stand in the file's order."""


LEFT_OUT = "left_out"
"""Column that says by which condition a row is left out; null in rows that are taken. Without it all are taken."""

COUNTED = "counted"
"""Column that names what is noted of a row that is kept, as a rule of the contract; null where nothing is."""


@dataclass(frozen=True)
class Step:
    """Rows before and after something that takes rows away or adds some.

    Parameters
    ----------
    name
        What was done, as a key of the sentences under `[step]`; `detail` names the column or value it was done by.
    """

    name: str
    before: int
    after: int
    detail: str = ""


@dataclass(frozen=True)
class Forms:
    """How the values of an export are written.

    Parameters
    ----------
    dates
        Canonical column -> `strptime` form, `epoch_s`, `epoch_ms` or `excel`; `""` stands for all columns not named.
    zone
        Time zone of times that carry none; None if they are the client's local time already.
    units
        Canonical column -> factor.
    nulls
        Texts that mean nothing besides the usual ones.
    """

    dates: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None
    units: Mapping[str, float] = field(default_factory=dict)
    nulls: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawTable:
    """A table, or a part of one, with canonical column names and values as text or typed.

    Parameters
    ----------
    rows
        On the engine that holds them. May have the columns `SOURCE_ROW`, `LEFT_OUT` and `COUNTED`.
    file
        Where it comes from, for messages.
    first_row
        Number of the first row in the file: in a CSV file the header is row 1.
    steps
        What was done to the rows before, in order.
    in_place
        Whether the rows stay where they are: then nothing is written to their engine, and they have no numbers.
    """

    rows: ir.Table
    file: str
    first_row: int = 2
    forms: Forms = field(default_factory=Forms)
    steps: tuple[Step, ...] = ()
    in_place: bool = False
