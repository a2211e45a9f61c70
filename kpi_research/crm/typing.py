"""Values of an export, read as what their column is: an expression of the canonical type, and what it cannot read.

Text is parsed in DuckDB; values that an engine has typed already are only cast, which every engine can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from kpi_research.crm.engine import extract, from_zone, make_timestamp, one_of, strptime, to_zone, trim
from kpi_research.crm.raw import Forms
from kpi_research.crm.table import Column

DATE_FORMATS = (
    "%Y年%m月%d日", "%Y年%m月%d日 %H:%M", "%Y年%m月%d日 %H:%M:%S", "%Y.%m.%d", "%Y.%m.%d %H:%M", "%Y.%m.%d %H:%M:%S",
    "%Y%m%d", "%Y%m%d%H%M%S",
)  # fmt: skip
"""Unambiguous forms besides those with the year first and `-` or `/` between."""
POSSIBLE_YEARS = (1990, 2100)
NO_DATES = ("0000-00-00", "0000-00-00 00:00:00")
NEVER = 9999
"""The year in which systems put the end of what has no end."""
EPOCH_DAY = "1970-01-01"
"""What systems show where a time is zero, that is, unknown."""
YES, NO = ("true", "1", "yes", "y", "t", "是", "√"), ("false", "0", "no", "n", "f", "否", "×")
NULLS = ("", "null", "NULL", "Null", "None", "nan", "NaN", "N/A", "n/a", "#N/A", "-", "--", "—", "——", "/", "无")
FACTORS = {"%": 0.01, "千": 1e3, "万": 1e4, "百万": 1e6, "千万": 1e7, "亿": 1e8}
CURRENCY = "[¥￥$€£]|CNY|RMB|USD|EUR|HKD|人民币|元"
MONEY = (
    rf"^([-(])?\s*(?:{CURRENCY})?\s*([+-]?(?:\d{{1,3}}(?:[,，]\d{{3}})+|\d+)(?:\.\d+)?)\s*"
    rf"({'|'.join(sorted(FACTORS, key=len, reverse=True))})?\s*(?:{CURRENCY})?\)?$"
)
"""Sign, currency, figure with or without thousands, factor, currency: `¥1,234.00`, `1.2万`, `(300)`, `30%`."""
EXCEL_EPOCH_DAYS = 25569
"""Days from a spreadsheet's day 0 to 1970-01-01."""
ROUNDED_ID = r"^\d(\.\d+)?[eE]\+?\d+$"
EXACT_IN_DOUBLE = 2**53
LARGEST = 1e15
"""No figure of a sales department is larger; not a number and infinity are not smaller."""
MICROSECONDS = {"epoch_s": 1e6, "epoch_ms": 1e3}


@dataclass(frozen=True)
class Typed:
    """A column's cells in their canonical type.

    Parameters
    ----------
    value
        Null where a cell is empty or cannot be read.
    broken
        Rule -> true where a cell broke it.
    """

    value: ir.Value
    broken: Mapping[str, ir.BooleanValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """How the cells of one column are read.

    Parameters
    ----------
    name
        Canonical name: it finds the form and the unit of the values.
    forms
        How the export writes its values.
    timezone
        The client's: times of another zone are moved there, then the zone is dropped.
    """

    name: str
    column: Column
    forms: Forms
    timezone: str

    @property
    def date_form(self) -> str | None:
        """The form of its dates, where it is not seen from them."""
        return self.forms.dates.get(self.name) or self.forms.dates.get("")

    def text(self, value: ir.Value) -> ir.StringValue:
        """What a cell says; null where it is empty."""
        return blank_to_null(value, self.forms.nulls)

    def parsed(self, value: ir.Value, text: ir.StringValue) -> ir.Value:
        """The cell as a figure or a time, or as it is; null where it cannot be one."""
        if self.column.kind in ("money", "number", "share"):
            number = number_of(value, text)
            unit = self.forms.units.get(self.name)
            return number * unit if unit else number
        if self.column.kind in ("date", "time"):
            return _native_time(value, self) if value.type().is_temporal() else _parsed_time(text, self)
        return value

    def typed(self, parsed: ir.Value, text: ir.StringValue) -> Typed:
        """The cell in its type, and which rules it broke."""
        return _JUDGES[self.column.kind](parsed, text, self.column)


def is_native(kind: str, type_: dt.DataType) -> bool:
    """Whether values of an engine's type need no parsing, so that any engine can read them."""
    native: dict[str, tuple[Callable[[dt.DataType], bool], ...]] = {
        "time": (dt.DataType.is_timestamp, dt.DataType.is_date),
        "date": (dt.DataType.is_timestamp, dt.DataType.is_date),
        "money": (dt.DataType.is_numeric,),
        "number": (dt.DataType.is_numeric,),
        "share": (dt.DataType.is_numeric,),
        "flag": (dt.DataType.is_boolean, dt.DataType.is_integer, dt.DataType.is_string),
    }
    return any(is_kind(type_) for is_kind in native.get(kind, (lambda _: True,)))


def blank_to_null(value: ir.Value, nulls: tuple[str, ...] = ()) -> ir.StringValue:
    """Text without surrounding space, the usual marks of emptiness as null; other types as text."""
    type_ = value.type()
    if type_.is_floating():
        whole = (value.abs() < EXACT_IN_DOUBLE) & (value == value.floor())
        return whole.ifelse(value.cast("int64").cast("string"), value.cast("string"))
    if not type_.is_string():
        return value.cast("string")
    text = trim(value)
    words = [*NULLS, *nulls]
    return ibis.cases(
        (text.length() > max(map(len, words)), text), (one_of(text, words), ibis.null("string")), else_=text
    )


def number_of(value: ir.Value, text: ir.StringValue) -> ir.FloatingValue:
    """A figure as it is written in exports, or null: `1,234.00`, `¥1.2万`, `(300)`, `30%`."""
    if value.type().is_numeric():
        return value.cast("float64")
    plain = text.try_cast("float64")
    # DuckDB takes 1_000 for a thousand
    is_plain = plain.notnull() & ~text.contains("_")
    figure = extract(text, MONEY, 2).replace(",", "").replace("，", "").try_cast("float64")
    sign = one_of(extract(text, MONEY, 1), ["-", "("]).ifelse(-1.0, 1.0)
    named = extract(text, MONEY, 3)
    factor = named.cases(*((name, ibis.literal(by)) for name, by in FACTORS.items()), else_=1.0)
    # two cases, since DuckDB would look for the pattern in every row of a coalesce
    return ibis.cases((is_plain, plain), (text.notnull(), figure * sign * factor))


def _text(_: ir.Value, text: ir.StringValue, __: Column) -> Typed:
    return Typed(text)


def _identifier(value: ir.Value, text: ir.StringValue, _: Column) -> Typed:
    if value.type().is_string():
        # a look at one character spares most ids the pattern; both sides of `&` would be looked at in every row
        rounded = text.contains("+").ifelse(text.re_search(ROUNDED_ID), ibis.literal(False))
    elif value.type().is_floating():
        rounded = value.abs() >= EXACT_IN_DOUBLE
    else:
        return Typed(text)
    rounded = rounded.fill_null(False)
    return Typed(rounded.ifelse(ibis.null("string"), text), {"id_rounded_by_a_spreadsheet": rounded})


def _choice(_: ir.Value, text: ir.StringValue, column: Column) -> Typed:
    foreign = text.notnull() & ~one_of(text, column.choices)
    return Typed(foreign.ifelse(ibis.null("string"), text), {"not_a_choice": foreign})


def _number(number: ir.Value, text: ir.StringValue, _: Column) -> Typed:
    finite = (number.abs() < LARGEST).fill_null(False)
    return Typed(finite.ifelse(number, ibis.null("float64")), {"not_a_number": text.notnull() & ~finite})


def _flag(value: ir.Value, text: ir.StringValue, _: Column) -> Typed:
    if value.type().is_boolean():
        return Typed(value)
    lower = text.lower()
    flag = ibis.cases((one_of(lower, YES), True), (one_of(lower, NO), False), else_=ibis.null("boolean"))
    return Typed(flag, {"not_yes_or_no": text.notnull() & ~one_of(lower, [*YES, *NO])})


def _times(time: ir.Value, text: ir.StringValue, column: Column) -> Typed:
    unknown = ((time.year() >= NEVER) | (time.truncate("D") == ibis.timestamp(EPOCH_DAY))).fill_null(False)
    possible = time.year().between(*POSSIBLE_YEARS).fill_null(False)
    said = text.notnull() & ~one_of(text, NO_DATES)
    broken = {"not_a_date": said & time.isnull(), "impossible_date": time.notnull() & ~possible & ~unknown}
    time = (possible & ~unknown).ifelse(time, ibis.null("timestamp(6)"))
    return Typed(time.truncate("D") if column.kind == "date" else time, broken)


def _native_time(value: ir.Value, reading: Reading) -> ir.TimestampValue:
    if isinstance(value.type(), dt.Timestamp) and value.type().timezone:
        return from_zone(reading.timezone, value)
    return _moved(value.cast("timestamp(6)"), reading)


def _parsed_time(text: ir.StringValue, reading: Reading) -> ir.TimestampValue:
    form = reading.date_form
    if form in MICROSECONDS:
        return _from_utc((text.try_cast("float64") * MICROSECONDS[form]).round().cast("int64"), reading)
    if form == "excel":
        microseconds = ((text.try_cast("float64") - EXCEL_EPOCH_DAYS) * 86_400).round() * 1_000_000
        return make_timestamp(microseconds.try_cast("int64"))
    if form:
        return _moved(strptime(text, form), reading)
    zoned = _has_offset(text)
    # Salesforce writes +0000
    colon = text.re_replace(r"([+-]\d{2})(\d{2})$", r"\1:\2")
    naive = ibis.coalesce(text.try_cast("timestamp(6)"), *(strptime(text, known) for known in DATE_FORMATS))
    return zoned.ifelse(
        from_zone(reading.timezone, colon.try_cast(dt.Timestamp(timezone="UTC"))), _moved(naive, reading)
    )


def _has_offset(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a time carries its zone: after the day there is a sign, or a Z at the end."""
    clock = text.substr(10)
    return clock.contains("+") | clock.contains("-") | clock.endswith("Z")


def _moved(time: ir.TimestampValue, reading: Reading) -> ir.TimestampValue:
    """Naive times of another zone, in the client's. Midnight to the second is a date: it stays the day that it is."""
    zone = reading.forms.zone
    if zone is None or zone == reading.timezone:
        return time
    moved = from_zone(reading.timezone, to_zone(zone, time))
    return (time == time.truncate("D")).ifelse(time, moved)


def _from_utc(microseconds: ir.IntegerValue, reading: Reading) -> ir.TimestampValue:
    """A moment since 1970; zero stands for unknown."""
    moment = make_timestamp((microseconds == 0).ifelse(ibis.null("int64"), microseconds))
    unknown = (microseconds == 0).ifelse(ibis.timestamp(EPOCH_DAY), ibis.null("timestamp(6)"))
    return ibis.coalesce(from_zone(reading.timezone, to_zone("UTC", moment)), unknown)


_JUDGES: dict[str, Callable[[ir.Value, ir.StringValue, Column], Typed]] = {
    "id": _identifier,
    "text": _text,
    "choice": _choice,
    "money": _number,
    "number": _number,
    "share": _number,
    "flag": _flag,
    "date": _times,
    "time": _times,
}
