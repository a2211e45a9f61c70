"""Periods named by a text inside the data (`2026`, `2026H2`, `2026Q3`, `2026-07`, `2026-W27`, `2026-07-15`), as days.

What a form or a target says of a period counts on the period's last day: then it has been earned, and the periods that
contain it are the ones that end on that day or later. Years, halves and quarters are those of the calendar, since a
definition knows no client; a client with another fiscal year writes months.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

_YEAR = "^(19|20|21)[0-9][0-9]"
_WHOLE_YEAR = f"{_YEAR}$"
_HALF_YEAR = f"{_YEAR}H[12]$"
_QUARTER = f"{_YEAR}Q[1-4]$"
_MONTH = f"{_YEAR}-(0[1-9]|1[0-2])$"
_WEEK = f"{_YEAR}-W(0[1-9]|[1-4][0-9]|5[0-3])$"
_DAY = f"{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"


def last_day_of(text: ir.StringValue) -> ir.TimestampValue:
    """The last day of the period that a text names, at midnight; null for every other text, and for 30 February."""
    year = _digits(text, _YEAR, 0, 4)
    last_month = ibis.coalesce(
        text.re_search(_WHOLE_YEAR).ifelse(ibis.literal(12, "int32"), ibis.null("int32")),
        _digits(text, _HALF_YEAR, 5, 1) * 6,
        _digits(text, _QUARTER, 5, 1) * 3,
        _digits(text, _MONTH, 5, 2),
    )
    return ibis.coalesce(_end_of_month(year, last_month), _end_of_week(text, year), _day(text, year))


def _digits(text: ir.StringValue, form: str, start: int, length: int) -> ir.IntegerValue:
    """Digits of texts of this form; null for others, which are never cast and so never fail."""
    return text.re_search(form).ifelse(text.substr(start, length), ibis.null("string")).cast("int32")


def _date(year: ir.IntegerValue, month: ir.IntegerValue | int, day: int) -> ir.TimestampValue:
    return ibis.date(year.cast("int32"), month, day).cast("timestamp(6)")


def _end_of_month(year: ir.IntegerValue, month: ir.IntegerValue) -> ir.TimestampValue:
    following = (month == 12).ifelse(1, month + 1).cast("int32")
    return _date(year + (month == 12).ifelse(1, 0), following, 1) - ibis.interval(days=1)


def _end_of_week(text: ir.StringValue, year: ir.IntegerValue) -> ir.TimestampValue:
    """The Sunday of an ISO week; null for a 53rd week that its year does not have."""
    number = _digits(text, _WEEK, 6, 2)
    # 4 January is always in the first week
    monday = _date(year, 1, 4).truncate("W") + ((number - 1) * 7).as_interval("D")
    is_of_year = (monday + ibis.interval(days=3)).year() == year
    return is_of_year.ifelse(monday + ibis.interval(days=6), ibis.null("timestamp(6)"))


def _day(text: ir.StringValue, year: ir.IntegerValue) -> ir.TimestampValue:
    month, number = _digits(text, _DAY, 5, 2), _digits(text, _DAY, 8, 2)
    # a day that its month does not have would fail as a date: counted from the first, it is another month's
    day = _date(year, month, 1) + (number - 1).as_interval("D")
    return (day.month() == month).ifelse(day, ibis.null("timestamp(6)"))
