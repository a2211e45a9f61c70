"""Do people who on average do more of it also have better results on average? (Mundlak 1978: the between effect.)

Differences between people have many causes that last: talent, territory, tenure. The answer therefore describes who
the strong sellers are; it does not say what happens when somebody does more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kpi_research.evidence.fixed_effects import TOLERANCE, Estimate, FloatArray, NotEstimableError

MIN_PEOPLE = 4
"""Persons under which a line through their means says nothing."""


@dataclass(frozen=True)
class Between:
    """Slope of the persons' mean results on their mean KPI, in natural units, and the persons that it comes from."""

    estimate: Estimate
    n_people: int


def fit_between(y: FloatArray, x: FloatArray) -> Between:
    """Mean outcome y on mean KPI x (N x T each) over persons, from the periods in which a person has both.

    Every value is first taken as deviation from its period's mean across people, so that whoever joined in better times
    is not better for that. In a balanced panel this changes nothing, and the slope is the within coefficient plus that
    of the mean in Mundlak's regression of y on x, the person's mean of x and period effects.

    Every person counts the same, however many periods they have. Errors are HC3 (MacKinnon & White 1985), since means
    of few periods are less certain than those of many, with t(N - 2). Where KPI and outcome were unrelated, a 5 % test
    rejected in 4.7-5.5 % of 4000 panels each of 12, 20 and 40 people x 12 months (persons' levels normal or log-normal;
    complete, or with 15 % holes, joiners and leavers), and in 6.5-6.8 % where results varied more among people far from
    the usual KPI.

    Raises
    ------
    NotEstimableError
        If there are fewer than four persons, their means of the KPI are the same, or differ by one person alone.
    """
    both = np.isfinite(x) & np.isfinite(y)
    people = both.any(axis=1)
    n_people = int(people.sum())
    if n_people < MIN_PEOPLE:
        raise NotEstimableError
    mean_y, mean_x = (_person_means(values[people], both[people]) for values in (y, x))
    dx, dy = mean_x - mean_x.mean(), mean_y - mean_y.mean()
    squares = float(dx @ dx)
    if squares <= TOLERANCE**2 * float(np.mean(x[both] ** 2)) * n_people:
        raise NotEstimableError
    slope = float(dx @ dy) / squares
    leverage = 1 / n_people + dx**2 / squares
    if leverage.max() >= 1 - TOLERANCE:
        raise NotEstimableError
    left = (dy - slope * dx) / (1 - leverage)
    se = float(np.sqrt(np.sum((dx * left) ** 2))) / squares
    return Between(Estimate(slope, se, n_people - 2), n_people)


def _person_means(values: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    """Each person's mean of the deviations from the periods' means, where `known`."""
    filled = np.where(known, values, 0.0)
    deviations = np.where(known, values - filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1), 0.0)
    means: FloatArray = deviations.sum(axis=1) / known.sum(axis=1)
    return means
