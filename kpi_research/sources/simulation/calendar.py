"""The months of a simulated company and its working moments.

Months are numbers, 0 is the first month of the data. A run-up before it and some months after it are simulated too,
so that running contracts and open deals exist on the first and on the last day as they do on any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpi_research.periods import ONE_DAY, working_days
from kpi_research.sources.simulation.company import Company

RUN_UP = 13
"""Months before the data: yearly contracts signed then end within it."""
AHEAD = 3
"""Months after the data in which deals that are still open will close."""
MINUTES_A_DAY = 24 * 60
OPENS, CLOSES = 9 * 60, 18 * 60
BEFORE_MIDNIGHT = np.timedelta64(4 * 60, "m")
"""Nothing is typed in after eight in the evening of somebody's last day, or of the data's."""
NIGHT = np.timedelta64(8 * 60, "m")
_SLACK_MONTHS = 6


@dataclass(frozen=True, eq=False)
class Calendar:
    """Working days of the simulated months.

    Parameters
    ----------
    start
        First month of the data (datetime64[M]).
    months
        Months of data.
    days
        Working days (datetime64[D], sorted), with the run-up and the months ahead.
    """

    start: np.datetime64
    months: int
    days: np.ndarray

    @classmethod
    def of(cls, company: Company) -> Calendar:
        """The calendar of a company: Chinese working days, make-up days included."""
        first = company.first
        days = working_days(
            "CN", first.shift(-RUN_UP).start, first.shift(company.months + AHEAD + _SLACK_MONTHS).start - ONE_DAY
        )
        return cls(np.datetime64(company.first_month, "M"), company.months, days)

    @property
    def span(self) -> np.ndarray:
        """All simulated months, by number, the run-up first."""
        return np.arange(-RUN_UP, self.months + AHEAD)

    @property
    def inside(self) -> np.ndarray:
        """Which months of the span are months of the data."""
        return (self.span >= 0) & (self.span < self.months)

    @property
    def opening(self) -> np.datetime64:
        """The first moment of the data (datetime64[m])."""
        return self.start.astype("M8[m]")

    @property
    def end(self) -> np.datetime64:
        """The last moment of the data, in the evening of its last day (datetime64[m])."""
        return (self.start + self.months).astype("M8[m]") - BEFORE_MIDNIGHT

    def first_day(self, month: np.ndarray) -> np.ndarray:
        """First day of months given by number (datetime64[D])."""
        return (self.start + month).astype("M8[D]")

    def evening(self, month: np.ndarray) -> np.ndarray:
        """Eight in the evening of the last day of months given by number (datetime64[m])."""
        return self.first_day(month + 1).astype("M8[m]") - BEFORE_MIDNIGHT

    def month_of(self, times: np.ndarray) -> np.ndarray:
        """Number of the month of each time."""
        return (times.astype("M8[M]") - self.start).astype(int)

    def working_days_in(self, month: np.ndarray) -> np.ndarray:
        """How many working days each month has."""
        low, high = self._bounds(month)
        return high - low

    def moments(self, month: np.ndarray, rng: np.random.Generator, *, rush: np.ndarray | float = 1.0) -> np.ndarray:
        """A random working moment in each month; a `rush` below 1 draws them towards its end (datetime64[m])."""
        low, high = self._bounds(month)
        share = rng.random(month.shape) ** rush
        return self._hours(self.days[low + (share * (high - low)).astype(int)], rng)

    def at_work(self, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A working moment on the day of each time, or on the next working day (datetime64[m])."""
        return self._hours(self.working_day(times), rng)

    def working_day(self, times: np.ndarray, *, later: int = 0) -> np.ndarray:
        """The day of each time or the next working day, and `later` working days on (datetime64[D])."""
        place = np.searchsorted(self.days, times.astype("M8[D]")) + later
        return self.days[np.minimum(place, len(self.days) - 1)]

    def _bounds(self, month: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.searchsorted(self.days, self.first_day(month)), np.searchsorted(self.days, self.first_day(month + 1))

    def _hours(self, days: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return days.astype("M8[m]") + rng.integers(OPENS, CLOSES, days.shape).astype("m8[m]")


def days_long(days: np.ndarray) -> np.ndarray:
    """Days with fractions as durations (timedelta64[m])."""
    return (days * MINUTES_A_DAY).astype("m8[m]")


def by_day(times: np.ndarray) -> np.ndarray:
    """The same times, those of the small hours eight hours later (datetime64[m])."""
    minutes = times.astype("M8[m]")
    return np.where(minutes - minutes.astype("M8[D]") < NIGHT, minutes + NIGHT, minutes)


def spread(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts by desk and simulated month (columns as `Calendar.span`) as one desk and one month for each event."""
    desk, column = np.indices(counts.shape)
    return np.repeat(desk, counts.ravel()), np.repeat(column, counts.ravel()) - RUN_UP
