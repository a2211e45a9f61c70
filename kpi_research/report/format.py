"""Numbers and dates as a reader of Chinese or of English writes them; locale data come from Babel.

Values arrive raw (shares 0-1, durations in their unit, money in the client's currency) and leave as text, at the very
end. What is missing reads `—`; nothing is ever shown as `nan`.
"""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from babel import Locale
from babel.dates import format_date
from babel.numbers import NumberPattern, parse_pattern
from babel.units import format_unit

from kpi_research.language import Language, say

Unit = Literal[
    "text", "money", "count", "share", "points", "days", "hours", "nps", "number", "probability", "date", "status"
]  # fmt: skip
MISSING = "—"
HOME_CURRENCY = {"zh": "CNY", "en": ""}
"""The currency that goes without saying: a Chinese page writes 万 and 亿, not CNY."""

PATTERNS = {
    "count": "#,##0",
    "share": "#,##0.0%",
    "points": "#,##0.0",
    "days": "#,##0.#",
    "hours": "#,##0.#",
    "nps": "+#,##0;-#,##0",
    "probability": "0.000",
}
SMALLEST_PROBABILITY = 0.001
"""A p-value under this is told apart from no other."""
DURATIONS = {"days": "day", "hours": "hour"}


@dataclass(frozen=True)
class _Step:
    """A short form of money: amounts from `threshold` on are written in units of `size`."""

    size: float
    threshold: float
    suffix: str
    pattern: str = "#,##0.0"


_PLAIN = _Step(1, 0, "", "#,##0")
_STEPS = {
    "zh": (_PLAIN, _Step(1e4, 1e4, "万"), _Step(1e8, 1e8, "亿")),
    "en": (_PLAIN, _Step(1e3, 1e4, "K"), _Step(1e6, 1e6, "M"), _Step(1e9, 1e9, "B")),
}


def format_value(value: Any, unit: Unit, language: Language, *, currency: str) -> str:
    """A raw value as text: `0.632` as `63.2%`, `12346000` as `1,234.6万` or `CNY 12.3M`; missing as `—`."""
    if is_missing(value):
        return MISSING
    if unit in ("text", "status"):
        return str(value)
    if unit == "date":
        return format_day(value, language)
    if unit == "money":
        return format_money(value, language, currency=currency)
    if unit == "probability" and float(value) < SMALLEST_PROBABILITY:
        return f"<{SMALLEST_PROBABILITY}"
    return _number(float(value), unit, language)


def format_money(amount: float, language: Language, *, currency: str, exact: bool = False) -> str:
    """Money in short form, one decimal from ten thousand on, or to the cent when `exact`."""
    if is_missing(amount):
        return MISSING
    number = _apply("#,##0.00", float(amount), language) if exact else _short(float(amount), language)
    return number if currency == HOME_CURRENCY[language] else f"{currency} {number}"


def format_interval(low: Any, high: Any, unit: Unit, language: Language, *, currency: str) -> str:
    """Two ends of a range: `80–94`, `58.2–68.1%`, `-5 to 12`; empty when either is missing.

    A dash between signed numbers reads as a minus, so those are joined by a word.
    """
    if is_missing(low) or is_missing(high):
        return ""
    ends = [format_value(end, unit, language, currency=currency) for end in (low, high)]
    if unit == "nps" or min(low, high) < 0:
        return say("page.interval.signed", language, low=ends[0], high=ends[1])
    if unit == "money":
        return f"{ends[0]}–{ends[1].removeprefix(f'{currency} ')}"
    if unit == "share":
        return f"{ends[0].removesuffix('%')}–{ends[1]}"
    return f"{_bare(float(low), unit, language)}–{ends[1]}"


def format_day(day: dt.date | str, language: Language) -> str:
    """A day as `2026年7月15日` or `Jul 15, 2026`."""
    return format_date(pd.Timestamp(day).date(), "medium", locale=locale(language))


def is_missing(value: Any) -> bool:
    """Whether there is nothing to show: None, NaN, NaT, an infinity or empty text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    if isinstance(value, float):
        return value != value or value in (float("inf"), float("-inf"))
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


@dataclass(frozen=True)
class Writing:
    """How all the values of one chart are written; `currency` is empty where none of them can be money."""

    unit: Unit
    language: Language
    currency: str = ""

    def value(self, value: Any) -> str:
        """A value as text."""
        return format_value(value, self.unit, self.language, currency=self.currency)

    def interval(self, low: Any, high: Any) -> str:
        """Two ends of a range as text; empty when either is missing."""
        return format_interval(low, high, self.unit, self.language, currency=self.currency)


@functools.cache
def locale(language: Language) -> Locale:
    """Babel's locale of a page's language: zh_CN or en."""
    return Locale.parse("zh_CN" if language == "zh" else "en")


def _number(value: float, unit: str, language: Language) -> str:
    if unit not in DURATIONS:
        return _bare(value, unit, language)
    # Chinese has only short names of units in the locale data (12.5天), English reads better with the long ones
    length: Literal["short", "long"] = "short" if language == "zh" else "long"
    shown = _unsigned_zero(value, PATTERNS[unit], language)
    return format_unit(shown, DURATIONS[unit], length, PATTERNS[unit], locale(language))


def _bare(value: float, unit: str, language: Language) -> str:
    return _apply(PATTERNS.get(unit) or _pattern_of(value), value, language)


def _pattern_of(value: float) -> str:
    """Two significant digits below one, where a fixed number of decimals would hide an effect."""
    size = abs(value)
    return "#,##0" if size >= 100 else "#,##0.##" if size >= 1 or size == 0 else "@#"


def _short(amount: float, language: Language) -> str:
    chosen = _PLAIN
    for step in _STEPS[language]:
        # compared after rounding: 99,999,999 must become 1.0亿, never 10,000.0万
        digits = 0 if chosen is _PLAIN else 1
        if round(abs(amount) / chosen.size, digits) * chosen.size >= step.threshold:
            chosen = step
    return _apply(chosen.pattern, amount / chosen.size, language) + chosen.suffix


def _apply(pattern: str, value: float, language: Language) -> str:
    shown = _unsigned_zero(value, pattern, language)
    return _parsed(pattern if shown else pattern.lstrip("+")).apply(shown, locale(language))


def _unsigned_zero(value: float, pattern: str, language: Language) -> float:
    """Zero for what rounds to zero, so that neither `-0` nor `+0` is ever shown."""
    shown = _parsed(pattern).apply(value, locale(language))
    return value if any(digit in "123456789" for digit in shown) else 0.0


@functools.cache
def _parsed(pattern: str) -> NumberPattern:
    return parse_pattern(pattern)
