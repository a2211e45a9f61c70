"""Periods by name: `2026`, `2026H2`, `2026Q3`, `2026-07`, `2026-W27`, `2026-07-15`; only this place knows calendars.

Weeks are ISO weeks of ISO years. Years, halves and quarters follow the client's fiscal year, which carries the number
of the calendar year in which it starts. Intervals are half open: `start` belongs to a period, `end` does not.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from kpi_research.errors import InputError, Problem

Grain = Literal["day", "week", "month", "quarter", "half_year", "year"]
GRAINS: tuple[Grain, ...] = get_args(Grain)
MONTHS_IN = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
ONE_DAY = dt.timedelta(days=1)
FIRST_DAYS_MISSING = ONE_DAY * 7
"""A first period without records on its first days is still whole: a year may begin with holidays."""

_NAMES: dict[Grain, str] = {
    "year": r"(?P<year>\d{4})",
    "half_year": r"(?P<year>\d{4})H(?P<number>[12])",
    "quarter": r"(?P<year>\d{4})Q(?P<number>[1-4])",
    "month": r"(?P<year>\d{4})-(?P<number>0[1-9]|1[0-2])",
    "week": r"(?P<year>\d{4})-W(?P<number>0[1-9]|[1-4]\d|5[0-3])",
    "day": r"(?P<year>\d{4})-(?P<number>\d{2}-\d{2})",
}


@dataclass(frozen=True, order=True)
class Period:
    """A named stretch of whole days.

    Parameters
    ----------
    start
        First day.
    grain
        Its length: day, week, month, quarter, half_year or year.
    fiscal_year_starts
        Month (1-12) in which the fiscal year starts; moves quarters, halves and years only.
    """

    start: dt.date
    grain: Grain
    fiscal_year_starts: int = 1

    @classmethod
    def containing(cls, day: dt.date, grain: Grain, fiscal_year_starts: int = 1) -> Period:
        """The period of this grain that `day` falls in."""
        if grain == "day":
            return cls(day, grain, fiscal_year_starts)
        if grain == "week":
            return cls(day - ONE_DAY * (day.isoweekday() - 1), grain, fiscal_year_starts)
        length = MONTHS_IN[grain]
        first = 1 if grain == "month" else fiscal_year_starts
        months = day.year * 12 + day.month - 1
        return cls(_month(months - (months - (first - 1)) % length), grain, fiscal_year_starts)

    @classmethod
    def parse(cls, name: str, fiscal_year_starts: int = 1) -> Period:
        """The period that `name` names.

        Raises
        ------
        InputError
            If the name has none of the known forms, or names no day of the calendar.
        """
        for grain, pattern in _NAMES.items():
            if match := re.fullmatch(pattern, name.strip()):
                try:
                    return cls(_start(grain, match, fiscal_year_starts), grain, fiscal_year_starts)
                except ValueError:
                    break
        raise InputError(Problem("period.unknown", values={"given": name}))

    @property
    def end(self) -> dt.date:
        """The day after the last."""
        return self.shift(1).start

    @property
    def name(self) -> str:
        """How the period is written in files, folders and tables."""
        if self.grain == "day":
            return self.start.isoformat()
        if self.grain == "week":
            year, week, _ = self.start.isocalendar()
            return f"{year:04d}-W{week:02d}"
        if self.grain == "month":
            return f"{self.start:%Y-%m}"
        months = self.start.year * 12 + self.start.month - self.fiscal_year_starts
        year, month = divmod(months, 12)
        part = {"year": "", "half_year": f"H{month // 6 + 1}", "quarter": f"Q{month // 3 + 1}"}
        return f"{year:04d}{part[self.grain]}"

    def shift(self, periods: int) -> Period:
        """The period this many periods later (earlier when negative)."""
        if self.grain in ("day", "week"):
            days = periods * (7 if self.grain == "week" else 1)
            return Period(self.start + ONE_DAY * days, self.grain, self.fiscal_year_starts)
        months = self.start.year * 12 + self.start.month - 1 + periods * MONTHS_IN[self.grain]
        return Period(_month(months), self.grain, self.fiscal_year_starts)

    def split(self, grain: Grain) -> list[Period]:
        """The periods of a finer grain that start within this one."""
        first = Period.containing(self.start, grain, self.fiscal_year_starts)
        inside = periods_between(first.start, self.end - ONE_DAY, grain, self.fiscal_year_starts)
        return [period for period in inside if period.start >= self.start]

    def __str__(self) -> str:
        return self.name


def periods_between(first: dt.date, last: dt.date, grain: Grain, fiscal_year_starts: int = 1) -> list[Period]:
    """All periods from the one with the day `first` to the one with the day `last`, in order."""

    def walk() -> Iterator[Period]:
        period = Period.containing(first, grain, fiscal_year_starts)
        while period.start <= last:
            yield period
            period = period.shift(1)

    return list(walk())


def whole_periods(since: dt.date, until: dt.date, grain: Grain, fiscal_year_starts: int = 1) -> list[Period]:
    """The periods that lie wholly within data from one day to another; the first may lack up to a week."""
    found = periods_between(since, until, grain, fiscal_year_starts)
    return [each for each in found if since - each.start <= FIRST_DAYS_MISSING and each.end <= until + ONE_DAY]


def as_intervals(periods: list[Period]) -> pd.DataFrame:
    """A table of periods for the panel machine: `period` (name), `start`, `end` (the day after the last)."""
    return pd.DataFrame(
        {
            "period": [period.name for period in periods],
            "start": pd.to_datetime([period.start for period in periods]),
            "end": pd.to_datetime([period.end for period in periods]),
        }
    )


def weekly_slices(period: Period) -> pd.DataFrame:
    """The period cut into stretches of seven days from its first day, a shorter rest joined to the last.

    The slices are what a score's interval is resampled from; named `<period>/01`, `<period>/02` ...
    """
    starts = [period.start + ONE_DAY * 7 * week for week in range(max(1, (period.end - period.start).days // 7))]
    ends = [*starts[1:], period.end]
    names = [f"{period.name}/{week:02d}" for week in range(1, len(starts) + 1)]
    return pd.DataFrame({"period": names, "start": pd.to_datetime(starts), "end": pd.to_datetime(ends)})


@functools.lru_cache(maxsize=32)
def working_days(country: str, first: dt.date, last: dt.date) -> np.ndarray:
    """The working days of a country from `first` to `last`, both included, make-up days counted.

    Years whose holidays are not decreed yet are computed without swapped days.

    Returns
    -------
    numpy.ndarray of datetime64[D], sorted.
    """
    import holidays

    calendar = holidays.country_holidays(country, years=range(first.year, last.year + 1))
    days = (first + ONE_DAY * i for i in range((last - first).days + 1))
    return np.array([day for day in days if calendar.is_working_day(day)], dtype="datetime64[D]")


def _month(months: int) -> dt.date:
    year, month = divmod(months, 12)
    return dt.date(year, month + 1, 1)


def _start(grain: Grain, match: re.Match[str], fiscal_year_starts: int) -> dt.date:
    year = int(match["year"])
    if grain == "day":
        return dt.date.fromisoformat(match[0])
    if grain == "week":
        return dt.date.fromisocalendar(year, int(match["number"]), 1)
    if grain == "month":
        return dt.date(year, int(match["number"]), 1)
    before = 0 if grain == "year" else int(match["number"]) - 1
    return _month(year * 12 + fiscal_year_starts - 1 + MONTHS_IN[grain] * before)
