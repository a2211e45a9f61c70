"""The house's thresholds, each with its reason, in the one place where they may be changed."""

from __future__ import annotations

MIN_DENOMINATOR = 5
"""A rate over fewer cases is not shown as a rate: one deal more or less would move it by 20 points or more."""

MIN_PLANS = 1
"""What is held against a plan, a headcount or the same person before is no rate of cases: one target is enough."""

MIN_PEOPLE_IN_GROUP = 2
"""A team of one is its only member: its page says so and shows no comparison between people."""

MEASURED = ("ok", "partial")
"""Statuses of a KPI that come with a value; every other one says why there is none."""

LEAST_LIKELY, MOST_LIKELY = 0.2, 0.9
"""A target that is reached less often asks for too much, one that is reached more often for nothing (rule S22)."""

MIN_SCORED_WEIGHT = 0.6
"""A total is given only when KPIs with at least this share of the weight could be measured."""

INTERVAL_LEVEL = 0.90
"""Coverage of the intervals beside scores and KPI values."""

RESAMPLES = 1000
"""Resamples behind a score's interval: its Monte-Carlo error is then below one point of a hundred."""

GRACE_WORKING_DAYS = 2
"""What is entered so soon after a period still counts as on file in it: reports are written after the weekend."""

LEAST_TIMED = 0.95
"""Share of a table's rows that must say when they were recorded: with more that do not, a row without the time is not
late but unknown, and nothing is said of what was on file."""
