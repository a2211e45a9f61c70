"""A KPI as a record: what is counted, over what, whom and when. The panel machine interprets it.

A KPI turns rows of the CRM into *contributions*: each row belongs to one person (`who`) and one moment (`when`) and
adds a numerator and, for a ratio, a denominator. A value at any level and over any period is the sum of numerators, or
the ratio of the sums; never a mean of means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.language import Bilingual

Kind = Literal["result", "process", "efficiency", "customer_value", "collaboration", "digital", "growth"]
Nature = Literal["quantity", "quality", "behaviour"]
Unit = Literal["money", "count", "share", "days", "hours", "points", "nps"]
Direction = Literal["up", "down"]
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
    numerator, denominator
        Expressions over those rows; without denominator the KPI is a total.
    counted_over
        What the denominator is, in words; only for ratios.
    matures_after_days
        A row younger than this, seen from the last day of the data, has no verdict yet and is left out.
    why
        Why the definition is as it is, and which variants were not chosen.
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
    numerator: Callable[[ir.Table], ir.NumericValue]
    example: Example
    why: str
    denominator: Callable[[ir.Table], ir.NumericValue] | None = None
    counted_over: Bilingual | None = None
    matures_after_days: int = 0
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.denominator is None) != (self.counted_over is None):
            raise ValueError(f"{self.name}: a ratio names its denominator in `counted_over`, a total has neither")
