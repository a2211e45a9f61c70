"""What the cells of an export look like: one row a column, from one grouped query over its first rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from kpi_research.crm.engine import trim
from kpi_research.crm.typing import NULLS
from kpi_research.sources.synonyms import synonyms

PROFILED_CELLS = 1_000_000
"""More cells than this are not looked at: proposals need no more, and every row is held to the contract later."""
TOP_VALUES = 40
LONGEST_VALUE = 200
"""Values are cut to this length: what tells forms apart stands at their beginning."""
NEARLY_ALL = 0.95
"""Share of a column's cells that must have a form for it to be the column's form: exports hold a few odd cells."""
SEVERAL_DATES = 0.6
"""Share of cells with dated notes from which on a text holds a diary; empty cells do not count."""
DATE_SHAPES = ("iso", "slashed", "chinese", "compact")
"""Forms that are read without being told."""
CLOCKS = {0: "", 1: " %H:%M", 2: " %H:%M:%S"}


@dataclass(frozen=True)
class Profile:
    """One column of an export.

    Parameters
    ----------
    rows, filled, distinct
        Rows looked at, cells that say something, different values among those.
    top
        The most frequent values with how often they occur.
    shares
        Form (see `forms` in `synonyms.yaml`) -> share of the filled cells that have it.
    separators
        Separator -> share of the filled cells that hold it.
    dates
        The form of dates that have to be named, `strptime` or number; two where day and month cannot be told apart;
        none where the dates are read as they stand.
    """

    header: str
    rows: int
    filled: int
    distinct: int
    top: tuple[tuple[str, int], ...]
    shares: Mapping[str, float]
    separators: Mapping[str, float]
    dates: tuple[str, ...] = ()

    @property
    def values(self) -> list[str]:
        """The most frequent values."""
        return [value for value, _ in self.top]

    @property
    def complete(self) -> bool:
        """Whether all different values are in `top`."""
        return self.distinct <= TOP_VALUES

    @property
    def unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.filled == self.rows == self.distinct > 0

    def is_form(self, *names: str) -> bool:
        """Whether nearly all filled cells have one of these forms."""
        return self.filled > 0 and sum(self.shares[name] for name in names) >= NEARLY_ALL

    @property
    def is_date(self) -> bool:
        """Whether it holds dates that are written as dates."""
        return self.is_form(*DATE_SHAPES, "turned")

    @property
    def is_diary(self) -> bool:
        """Whether its texts are notes with their dates before them."""
        return not self.is_date and self.filled > 0 and self.shares["notes"] >= SEVERAL_DATES

    @property
    def separator(self) -> str | None:
        """What stands between several values in one cell."""
        found = max(self.separators, key=lambda mark: self.separators[mark])
        return found if self.separators[found] > 0 and self.distinct > 1 else None

    def fits(self, kind: str) -> bool:
        """Whether its cells may be those of a canonical column of a kind; empty columns fit everything."""
        if not self.filled:
            return True
        if kind in ("date", "time"):
            return self.is_date or self.is_form(*DATE_SHAPES, "turned", "epoch_s", "epoch_ms", "excel")
        if kind in ("money", "number", "share"):
            return self.is_form("number")
        return kind != "flag" or self.is_form("flag")


def profile(rows: ir.Table, headers: Sequence[str]) -> dict[str, Profile]:
    """What each column of an export holds.

    Parameters
    ----------
    rows
        The export's rows, on the engine that holds them.
    headers
        Its columns.

    Returns
    -------
    By header, in their order.
    """
    if not headers:
        return {}
    counts = _counts(rows, headers)
    filled = counts.filter(counts.value.notnull())
    words = synonyms()
    forms = {f"form_{name}": filled.value.re_search(f"^({form})$") for name, form in words.forms.items()}
    marks = {f"mark_{n}": filled.value.contains(mark) for n, mark in enumerate(words.separators)}
    clocks = {f"clock_{n}": _colons(filled.value) == n for n in CLOCKS}
    weighted = {name: said.ifelse(filled.n, 0).sum() for name, said in (forms | marks | clocks).items()}
    facts = filled.group_by("header").aggregate(filled=filled.n.sum(), distinct=filled.count(), **weighted)
    ranked = filled.mutate(
        rank=ibis.row_number().over(group_by=filled.header, order_by=[ibis.desc(filled.n), filled.value])
    )
    top = ranked.filter(ranked["rank"] < TOP_VALUES).order_by(["header", "rank"])
    by_header = facts.to_pyarrow().to_pandas().set_index("header")
    tops = top.select("header", "value", "n").to_pyarrow().to_pandas()
    total = int(_looked_at(rows, headers).count().to_pyarrow().as_py())
    return {
        header: _profile(header, total, by_header.loc[str(n)] if str(n) in by_header.index else None, tops, str(n))
        for n, header in enumerate(headers)
    }


def _looked_at(rows: ir.Table, headers: Sequence[str]) -> ir.Table:
    return rows.limit(max(1, PROFILED_CELLS // len(headers)))


def _counts(rows: ir.Table, headers: Sequence[str]) -> ir.Table:
    """`header` (its number), `value`, `n`: the different values of every column; null for cells that say nothing."""
    named = {str(number): trim(rows[header].cast("string")) for number, header in enumerate(headers)}
    long = _looked_at(rows, headers).select(**named).pivot_longer(list(named), names_to="header", values_to="value")
    value = long.value.isin(NULLS).ifelse(ibis.null("string"), long.value.left(LONGEST_VALUE))
    cut = long.select("header", value=value)
    return cut.group_by("header", "value").aggregate(n=cut.count()).cache()


def _colons(value: ir.StringValue) -> ir.IntegerValue:
    return value.length() - value.replace(":", "").length()


def _profile(header: str, rows: int, facts: pd.Series | None, tops: pd.DataFrame, number: str) -> Profile:
    words = synonyms()
    filled = int(facts["filled"]) if facts is not None else 0

    def share(name: str) -> float:
        return float(facts[name]) / filled if facts is not None else 0.0

    shares = {name: share(f"form_{name}") for name in words.forms}
    marks = {mark: share(f"mark_{n}") for n, mark in enumerate(words.separators)}
    clocks = {form: share(f"clock_{n}") for n, form in CLOCKS.items()}
    mine = tops[tops["header"] == number]
    top = tuple((str(value), int(n)) for value, n in zip(mine["value"], mine["n"], strict=True))
    distinct = int(facts["distinct"]) if facts is not None else 0
    dates = _date_forms(shares, clocks, top[0][0] if top else "")
    return Profile(header, rows, filled, distinct, top, shares, marks, dates)


def _date_forms(shares: Mapping[str, float], clocks: Mapping[str, float], sample: str) -> tuple[str, ...]:
    """The form to be named, both where a day cannot be told from a month, none where none need be."""
    if sum(shares[name] for name in DATE_SHAPES) >= NEARLY_ALL:
        return ()
    if shares["turned"] >= NEARLY_ALL:
        mark = next((mark for mark in "/.-" if mark in sample), "/")
        clock = max(clocks, key=lambda form: clocks[form])
        day_first, month_first = f"%d{mark}%m{mark}%Y{clock}", f"%m{mark}%d{mark}%Y{clock}"
        proofs = shares["day_proof"] > 0, shares["month_proof"] > 0
        return {(True, False): (day_first,), (False, True): (month_first,)}.get(proofs, (day_first, month_first))
    return next(((form,) for form in ("epoch_s", "epoch_ms", "excel") if shares[form] >= NEARLY_ALL), ())
