"""A KPI as a record: what is counted, over what, whom and when. The panel machine interprets it.

A KPI turns rows of the CRM into *contributions*: each row belongs to one person (`who`) and one moment (`when`) and
adds a numerator and, for a ratio, a denominator. Four ways of reading them are enough for every KPI of the field:

- `sum`: the sum of numerators, or the ratio of two sums; never a mean of means.
- `at_end`: the same sums over the rows that hold at a period's end, each from `when` until `until`: what is open, stalled,
  still a customer. A window of days in a definition ("within the last 90 days") is an interval of such a row.
- `median`: the middle one of the numerators.
- `distinct`: how many different numerators there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.language import Bilingual
from kpi_research.policy import MIN_DENOMINATOR

Kind = Literal["result", "process", "efficiency", "customer_value", "collaboration", "digital", "growth"]
Nature = Literal["quantity", "quality", "behaviour"]
Unit = Literal["money", "count", "share", "days", "hours", "points", "nps"]
Direction = Literal["up", "down"]
Aggregation = Literal["sum", "at_end", "median", "distinct"]
Level = Literal["person", "team", "company"]
LEVELS: tuple[Level, ...] = get_args(Level)
Rows = Mapping[str, tuple[Mapping[str, Any], ...]]


@dataclass(frozen=True)
class Example:
    """A KPI worked by hand: rows of the CRM, and the parts they must give for one person in one period."""

    given: Rows
    period: str
    person_id: str
    numerator: float
    denominator: float | None
    because: str


@dataclass(frozen=True)
class WeightBand:
    """Which share of a scheme a KPI usually gets, in percent, and who says so."""

    lowest: int
    highest: int
    source: str


@dataclass(frozen=True)
class Kpi:
    """One KPI.

    Parameters
    ----------
    id
        Its number in the source articles (R01, P15 ...); empty for others.
    name
        snake_case name of the field.
    needs
        Canonical tables without which it is `no_data`.
    rows
        From the CRM to the rows that count.
    who, when
        Columns of those rows: the person they belong to and the time that places them in a period.
    until
        Column with the time from which on a row holds no longer, null where it still does; only with `at_end`.
    numerator, denominator
        Expressions over those rows; without denominator the KPI is a total.
    counted_over
        What the denominator is, in words; only for ratios.
    matures_after_days
        A row younger than this, seen from the last day of the data, has no verdict yet and is left out.
    history_days
        A period that begins earlier than so many days after the first record has no value: what lies before the data
        is not known to be nothing.
    gaming
        How it is known to be embellished.
    weight_band
        What it usually weighs in a scheme.
    example
        Worked by hand; a client's own KPI has none.
    why
        Why the definition is as it is, and which variants were not chosen.
    min_cases
        A ratio or a median of fewer has no value.
    is_custom
        Whether a client file defines it.
    """

    id: str
    name: str
    label: Bilingual
    meaning: Bilingual
    kind: Kind
    nature: Nature
    unit: Unit
    direction: Direction
    needs: tuple[str, ...]
    rows: Callable[[Crm], ir.Table]
    who: str
    when: str
    numerator: Callable[[ir.Table], ir.Value]
    example: Example | None
    why: str
    denominator: Callable[[ir.Table], ir.NumericValue] | None = None
    counted_over: Bilingual | None = None
    matures_after_days: int = 0
    aliases: tuple[str, ...] = ()
    aggregation: Aggregation = "sum"
    until: str | None = None
    history_days: int = 0
    levels: tuple[Level, ...] = LEVELS
    gaming: Bilingual | None = None
    weight_band: WeightBand | None = None
    min_cases: int = MIN_DENOMINATOR
    is_custom: bool = False

    def __post_init__(self) -> None:
        if (self.denominator is None) != (self.counted_over is None):
            raise ValueError(f"{self.name}: a ratio names its denominator in `counted_over`, a total has neither")
        if self.denominator is not None and self.aggregation in ("median", "distinct"):
            raise ValueError(f"{self.name}: a {self.aggregation} has no denominator")
        if (self.until is None) == (self.aggregation == "at_end"):
            raise ValueError(f"{self.name}: `until` and `at_end` go together")

    @property
    def is_additive(self) -> bool:
        """Whether it is a sum over days, so that its values of days add up to that of a month."""
        return self.aggregation == "sum" and self.denominator is None
