"""Burst entry: more than half of somebody's month typed in within one hour, from memory or from nothing.

What was done on one day and typed in together that evening is no burst: so much is expected of every month. Months in
which a burst is seen are compared with those in which one day alone would explain it. Everybody has such a month once,
after a journey or when the system stood still; so the share of months must exceed what is expected by more than
`SPARED`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kpi_research.integrity.signs import (
    LEAST_PEOPLE,
    LEAST_PER_PERSON,
    FloatArray,
    IntArray,
    Sign,
    one_sided_t,
    people_found,
)
from kpi_research.integrity.signs import resampled_share as resampled
from kpi_research.policy import RESAMPLES
from kpi_research.proportion import wilson

Times = npt.NDArray[np.datetime64]
MOST = 0.5
"""A larger share of a month within one hour is a burst."""
LEAST_IN_MONTH = 10
"""Of fewer rows in a month, those of one week are easily more than half."""
SPARED = 0.05
"""Share of months beyond the expected that is still no pattern."""
IMPORTED_TOGETHER = 3
"""People who have several rows each in one and the same second did not type: a system was filled from another."""
HOUR_SECONDS = 3600


def entry_bursts(person: IntArray, occurred: Times, recorded: Times, *, rng: np.random.Generator) -> Sign:
    """Whether months are typed in within an hour.

    Parameters
    ----------
    person
        n codes of people without gaps.
    occurred, recorded
        n times, of what happened and of when it was entered; rows without the latter are left out.

    Notes
    -----
    `rate` is the share of months (of a person, with `LEAST_IN_MONTH` rows) that have a burst, `expected` that of the
    months of which one day has more than half. The p-value is that of a t test over people.
    """
    typed = ~np.isnat(recorded)
    person, occurred, recorded = person[typed], occurred[typed], recorded[typed]
    if not len(person):
        return Sign("entry_bursts", reason="no_entry_times")
    if np.mean(recorded == recorded.astype("M8[D]")) > MOST:
        return Sign("entry_bursts", n=len(person), reason="no_time_of_day")
    own = ~_imported(person, recorded)
    person, occurred, recorded = person[own], occurred[own], recorded[own]
    if not len(person):
        return Sign("entry_bursts", reason="no_entry_times")
    who, months, bursts, expected, rows = _by_person(person, occurred, recorded)
    if len(who) < LEAST_PEOPLE:
        return Sign("entry_bursts", n=int(months.sum()), reason="few_people")
    total, seen = float(months.sum()), float(bursts.sum())
    p = float(one_sided_t((bursts - expected - SPARED * months)[None, :])[0])
    rate = seen / total
    # drawing people again cannot tell how rare something is that nobody or everybody did
    ends = (*resampled(bursts, months, rng, RESAMPLES), *wilson(seen, total), rate)
    low, high = max(0.0, min(ends)), min(1.0, max(ends))
    alone = np.where(rows >= LEAST_PER_PERSON, _alone(months, bursts, expected), np.nan)
    usual = float(expected.sum()) / total
    return Sign("entry_bursts", rate, low, high, usual, p, int(total), *people_found(alone))


def _imported(person: IntArray, recorded: Times) -> npt.NDArray[np.bool_]:
    """Rows of seconds in which several people have several rows each."""
    second, place = np.unique(recorded.astype("M8[s]"), return_inverse=True)
    people = int(person.max(initial=0)) + 1
    pair, rows = np.unique(place * people + person, return_counts=True)
    having = np.bincount(pair[rows > 1] // people, minlength=len(second))
    return np.asarray(having[place] >= IMPORTED_TOGETHER)


def _by_person(
    person: IntArray, occurred: Times, recorded: Times
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Who has months to look at; how many, how many with a burst, how many one day explains, and the rows in them."""
    month = occurred.astype("M8[M]").astype(int)
    month -= month.min(initial=0)
    _, group, size = np.unique(person * (month.max(initial=0) + 1) + month, return_inverse=True, return_counts=True)
    order = np.lexsort((recorded, group))
    owner = np.zeros(len(size), dtype=np.intp)
    owner[group] = person
    hour = _most(group[order], _within_hour(group[order], recorded[order]), len(size))
    day = _most(*_by_day(group, occurred), len(size))
    enough = size >= LEAST_IN_MONTH
    who, code = np.unique(owner[enough], return_inverse=True)
    counted = [np.ones(len(size)), hour > MOST * size, day > MOST * size, size]
    sums = [
        np.bincount(code, weights=np.asarray(each[enough], dtype=float), minlength=len(who)).astype(float)
        for each in counted
    ]
    return who, sums[0], sums[1], sums[2], sums[3]


def _within_hour(group: IntArray, recorded: Times) -> FloatArray:
    """Rows of the same group in the hour that begins with each row; rows are in order of group and time."""
    seconds = (recorded - recorded.min()).astype("m8[s]").astype(np.int64)
    line = group * (seconds.max() + 2 * HOUR_SECONDS) + seconds
    return np.asarray(np.searchsorted(line, line + HOUR_SECONDS, side="right") - np.arange(len(line)), dtype=float)


def _by_day(group: IntArray, occurred: Times) -> tuple[IntArray, FloatArray]:
    """Group and count of each day of each group."""
    pairs, n = np.unique(np.column_stack([group, occurred.astype("M8[D]").astype(int)]), axis=0, return_counts=True)
    return pairs[:, 0], n.astype(float)


def _most(group: IntArray, values: FloatArray, groups: int) -> FloatArray:
    """The largest value of each group."""
    found = np.zeros(groups)
    np.maximum.at(found, group, values)
    return found


def _alone(months: FloatArray, bursts: FloatArray, expected: FloatArray) -> FloatArray:
    """Chance of so many bursts of one person, whose months are each one with the chance expected of them."""
    from scipy.stats import binom

    usual = np.minimum(1.0, expected / months + SPARED)
    return np.asarray(binom.sf(bursts - 1, months, usual))
