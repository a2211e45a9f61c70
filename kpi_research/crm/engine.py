"""Functions of the engine that Ibis has no name for; those that only DuckDB has are marked.

DuckDB loads time zones only into its own types: what comes back here is always without a zone.
"""

from __future__ import annotations

import contextlib
import functools
import operator
from collections.abc import Iterator, Sequence

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

MEMORY_LIMIT = "2GB"
"""What an engine of ours may hold; beyond it it spills to a folder of its own."""


@contextlib.contextmanager
def selections_apart() -> Iterator[None]:
    """As long as this lasts, one selection after another stays so in the queries that are sent.

    Ibis makes one selection of several by writing out what a column is wherever it is used. Cells are looked at many
    times, so the engine would plan for seconds what takes it milliseconds to do.
    """
    before = ibis.options.sql.fuse_selects
    ibis.options.sql.fuse_selects = False
    try:
        yield
    finally:
        ibis.options.sql.fuse_selects = before


NARROW, WIDE = " \t\r\n\f\v", "\u00a0\u3000\ufeff\u200b"
SPACE = NARROW + WIDE
"""What surrounds text without being part of it: also the wide, the hard and the invisible space."""


def trim(text: ir.StringValue) -> ir.StringValue:
    """Text without the space around it. Most has none, and DuckDB looks at ends much faster than it cuts them."""
    cut = _trim(text, SPACE)
    if text.get_backend().name != "duckdb":
        return cut
    # DuckDB compares bytes: what begins below "!" begins with a narrow space, and wide spaces come after ASCII
    first = (text < "!") | ((text >= min(WIDE)) & _like(text, [f"{space}%" for space in WIDE]))
    last = _like(text, [f"%{space}" for space in SPACE])
    return (first | last).ifelse(cut, text)


def _like(text: ir.StringValue, patterns: Sequence[str]) -> ir.BooleanValue:
    """One look at an end for each pattern, which costs less than one pattern for all."""
    return functools.reduce(operator.or_, [text.like(pattern) for pattern in patterns])


def one_of(text: ir.StringValue, words: Sequence[str]) -> ir.BooleanValue:
    """Whether a text is one of some words. `isin` would be a join to DuckDB, which costs more and holds memory."""
    return ibis.array([*words]).contains(text)


@ibis.udf.scalar.builtin(name="timezone")
def to_zone(zone: str, time: dt.Timestamp()) -> dt.Timestamp(timezone="UTC"):  # type: ignore[valid-type]
    """The moment at which clocks of a zone show a time."""


@ibis.udf.scalar.builtin(name="timezone")
def from_zone(zone: str, moment: dt.Timestamp(timezone="UTC")) -> dt.Timestamp():  # type: ignore[valid-type]
    """What clocks of a zone show at a moment."""


@ibis.udf.scalar.builtin(name="try_strptime")
def strptime(text: str, form: str) -> dt.Timestamp():  # type: ignore[valid-type]
    """A time by its form, or null. DuckDB only."""


@ibis.udf.scalar.builtin(name="make_timestamp")
def make_timestamp(microseconds: dt.int64) -> dt.Timestamp():  # type: ignore[valid-type]
    """The time so many microseconds after 1970 began. DuckDB only."""


@ibis.udf.scalar.builtin(name="regexp_extract")
def extract(text: str, pattern: str, group: int) -> str:  # type: ignore[empty-body]
    """A group of the first match, or an empty text. DuckDB only."""


@ibis.udf.scalar.builtin(name="regexp_extract_all")
def extract_all(text: str, pattern: str, group: int) -> dt.Array(dt.string):  # type: ignore[valid-type]
    """A group of every match. DuckDB only."""


@ibis.udf.scalar.builtin(name="trim")
def _trim(text: str, characters: str) -> str:  # type: ignore[empty-body]
    """Text without these characters at its ends."""
