"""Names and numbers inside sentences, in the page's language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kpi_research.language import Language, say
from kpi_research.periods import Period
from kpi_research.report.data import PageData
from kpi_research.report.format import Unit, format_interval, format_value


def period_title(period: Period, language: Language) -> str:
    """`2026年第3季度`, `Q3 2026`; with the fiscal year where that is not the calendar year."""
    if period.grain != "quarter":
        return period.name
    year, number = period.name.split("Q")
    kind = "calendar" if period.fiscal_year_starts == 1 else "fiscal"
    return say(f"period.quarter.{kind}", language, year=year, number=number)


def value_of(page: PageData, value: Any, unit: Unit) -> str:
    """A value of this page's client as text."""
    return format_value(value, unit, page.language, currency=page.currency)


def range_of(page: PageData, low: Any, high: Any, unit: Unit) -> str:
    """An interval of this page's client as text."""
    return format_interval(low, high, unit, page.language, currency=page.currency)


def listed(names: Iterable[str], language: Language) -> str:
    """`甲、乙和丙`; `a, b and c`."""
    *first, last = [*names] or [""]
    if not first:
        return last
    comma, conjunction = say("words.comma", language), say("words.and", language)
    return comma.join(first) + conjunction + last
