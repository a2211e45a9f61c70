"""Periods by name, at the edges where calendars go wrong."""

import datetime as dt

import numpy as np
import pytest

from kpi_research.errors import InputError
from kpi_research.periods import GRAINS, ONE_DAY, Period, as_intervals, periods_between, weekly_slices, working_days

AROUND_NEW_YEAR = [
    ("2024-12-29", "2024-W52"), ("2024-12-30", "2025-W01"), ("2025-01-01", "2025-W01"), ("2021-01-03", "2020-W53"),
    ("2021-01-04", "2021-W01"), ("2024-01-01", "2024-W01"),
]  # fmt: skip


@pytest.mark.parametrize(("day", "week"), AROUND_NEW_YEAR)
def test_iso_weeks_belong_to_iso_years(day, week):
    period = Period.containing(dt.date.fromisoformat(day), "week")
    assert period.name == week
    assert Period.parse(week) == period


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("starts", [1, 4, 7, 10, 12])
def test_periods_tile_the_calendar_and_names_round_trip(grain, starts):
    periods = periods_between(dt.date(2023, 11, 20), dt.date(2025, 3, 10), grain, starts)
    assert all(one.end == two.start for one, two in zip(periods, periods[1:]))
    assert all(Period.parse(period.name, starts) == period for period in periods)
    assert len({period.name for period in periods}) == len(periods)
    for period in periods:
        assert Period.containing(period.end - ONE_DAY, grain, starts) == period
        assert period.shift(5).shift(-5) == period


@pytest.mark.parametrize(
    ("name", "starts", "first"),
    [
        ("2026Q1", 4, "2026-04-01"),
        ("2025Q4", 4, "2026-01-01"),
        ("2026", 7, "2026-07-01"),
        ("2026H2", 1, "2026-07-01"),
        ("2025H2", 4, "2025-10-01"),
    ],
)
def test_fiscal_years_carry_the_number_of_the_year_they_start_in(name, starts, first):
    assert Period.parse(name, starts).start.isoformat() == first


@pytest.mark.parametrize(
    "name", ["2026Q5", "2026-13", "26Q1", "2026-W54", "2026-02-30", "2025-W53", "2026H3", "last", ""]
)
def test_what_is_no_period_is_refused_with_the_forms_that_are(name):
    with pytest.raises(InputError, match="2026Q3"):
        Period.parse(name)


def test_weekly_slices_cover_the_quarter_once():
    quarter = Period.parse("2026Q3")
    slices = weekly_slices(quarter)
    assert len(slices) == 13
    assert slices["start"].iloc[0].date() == quarter.start and slices["end"].iloc[-1].date() == quarter.end
    assert (slices["end"].iloc[:-1].to_numpy() == slices["start"].iloc[1:].to_numpy()).all()


def test_working_days_count_the_state_councils_make_up_days():
    days = working_days("CN", dt.date(2026, 1, 1), dt.date(2026, 12, 31))
    assert len(days) == 248
    assert np.datetime64("2026-02-14") in days, "the Saturday before Spring Festival is worked"
    assert np.datetime64("2026-10-01") not in days


def test_intervals_are_half_open():
    frame = as_intervals([Period.parse("2026-07")])
    assert [frame["start"][0].date(), frame["end"][0].date()] == [dt.date(2026, 7, 1), dt.date(2026, 8, 1)]
