"""What waits too long: each deal is warned of once, as often rightly as the truth says, and nothing of the future."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from pipelines import SINCE, UNTIL, Truth, pipeline

from kpi_research.run.overdue import AHEAD, FRESH, waiting

ROSTER = pd.DataFrame(
    {"person_id": "P1", "team_id": "T1", "day": pd.date_range(SINCE, UNTIL).astype("datetime64[us]"), "working": 1.0}
)


@pytest.fixture(scope="module")
def records():
    return pipeline(3000, np.random.default_rng(1))


def test_warnings_come_true_as_often_as_the_truth_says(records):
    past, _ = waiting(records, ROSTER, UNTIL)
    # exponential times forget how long a deal has stood: it goes on in 60 days with the same probability as ever
    expected = [1 - Truth().share(place, AHEAD.days) for place in range(3)]
    rate = past["came_true"].astype(float).mean()
    error = np.sqrt(0.25 / len(past))
    assert len(past) > 100
    assert min(expected) - 3 * error <= rate <= max(expected) + 3 * error


def test_a_deal_is_warned_of_once_a_stage(records):
    past, now = waiting(records, ROSTER, UNTIL)
    assert past.groupby("case_id").size().max() <= 3  # it may be overdue in each of three stages
    over = (now["figure"] - now["against"]).astype(float)
    assert ((over >= 0) & (over < FRESH.days)).all()
    assert not now.duplicated(["case_id", "item"]).any()


def test_nothing_after_the_day_is_used(records):
    day = dt.date(2025, 6, 20)
    past, now = waiting(records, ROSTER, day)
    assert len(past)
    assert len(now)
    assert (pd.to_datetime(past["day"]) + AHEAD <= pd.Timestamp(day) + pd.Timedelta(days=1)).all()
    again, now_again = waiting(records.as_of(day), ROSTER, day)
    pd.testing.assert_frame_equal(past, again)
    pd.testing.assert_frame_equal(now, now_again)
