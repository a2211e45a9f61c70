"""Who improved, beyond what chance alone moves people back to the middle by.

Who was unlucky last time is better this time without doing anything, and a prize for the largest rise goes to them. So
a score is held against what is expected of somebody who started there and has not changed:

    expected now = mean now + reliability of the start * (score before - mean before)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from scipy import stats

from kpi_research.appraisal.attainment import FloatArray
from kpi_research.appraisal.reliability import MIN_PEOPLE, Measured, Reliability

AWARD_LEVEL = 0.05
"""Probability with which a prize is given though nobody has truly improved."""
SPREADS = 400
"""Drawn values of how much people truly differ."""


@dataclass(frozen=True)
class Progress:
    """Changes of N people.

    Parameters
    ----------
    people
        N ids of those compared: measured in both periods, and `among` these.
    change, expected_change
        N, points: the change, and the one expected of somebody who started there and has not changed.
    p
        N: how often somebody who has not changed does as well or better, 0-1.
    winner
        Who rose, and most clearly by more than chance; empty where nobody did.
    reason
        `too_few` people to compare, or `within_chance`; empty where there is a winner.
    """

    people: tuple[str, ...]
    change: FloatArray
    expected_change: FloatArray
    p: FloatArray
    winner: str
    reason: str


def progress(
    before: Measured,
    now: Measured,
    found_before: Reliability,
    found_now: Reliability,
    *,
    among: Collection[str] | None = None,
) -> Progress:
    """Who rose by more than chance explains, if anybody.

    Parameters
    ----------
    among
        Ids of those whose scores can be compared over time; everybody's if None.

    Notes
    -----
    With t the variance of what people are like and v1, v2 those of a person's luck, the start says of somebody who has
    not changed that they are now at mean + t / (t + v1) of their distance, give or take t v1 / (t + v1) + v2. What t
    is, is not known well from a team: the probability is the mean over what it may be given both periods. The best of
    N people is held against `AWARD_LEVEL` / N (Bonferroni). On regression to the mean: C. Davis (1976), American
    Journal of Epidemiology 104(5), 493-498.
    """
    both = set(before.people) & set(now.people if among is None else among)
    people = tuple(person for person in now.people if person in both)
    if len(people) < MIN_PEOPLE:
        empty = np.full(len(people), np.nan)
        return Progress(people, empty, empty, empty, "", "too_few")
    (y1, v1), (y2, v2) = (_of(each, people) for each in (before, now))
    start, change = y1 - y1.mean(), y2 - y1
    spread = _spreads(found_before, found_now)[:, None]
    kept = spread / (spread + v1)
    error = np.sqrt(kept * v1 + v2)
    beyond = (y2 - y2.mean() - kept * start) / error
    p = stats.t.sf(beyond, before.weeks + now.weeks - 2).mean(axis=0)
    expected = y2.mean() - y1.mean() + (kept.mean(axis=0) - 1) * start
    # whose score fell by less than expected has no progress to be honoured
    best = int(np.where(change > 0, p, 1.0).argmin())
    won = change[best] > 0 and p[best] * len(people) < AWARD_LEVEL
    return Progress(people, change, expected, p, people[best] if won else "", "" if won else "within_chance")


def _of(given: Measured, people: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """Scores and variances of luck of these people; a luck of nothing is not believed of anybody."""
    at = [given.people.index(person) for person in people]
    variances = given.variances
    return given.scores[at], np.maximum(variances[at], variances.mean())


def _spreads(*found: Reliability) -> FloatArray:
    """What the variance of people's true levels may be, given both periods: at evenly spaced probabilities."""
    sizes = [each.n_people - 1 for each in found]
    observed = sum(each.observed * size for each, size in zip(found, sizes, strict=True)) / sum(sizes)
    luck = sum(each.luck for each in found) / len(found)
    at = (np.arange(SPREADS) + 0.5) / SPREADS
    # people who stay the same are in both variances: they tell of their spread but once
    return np.maximum(0.0, observed * min(sizes) / stats.chi2.ppf(at, min(sizes)) - luck)
