"""Whether people differ by more than chance: before a league table is read, this is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

SIGNIFICANCE = 0.05
PERMUTATIONS = 999
"""A p-value near 5 % is then known to 0.7 points."""
TIE = 1 - 1e-9
"""Sums in another order differ in their last digits; such statistics count as equal."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Homogeneity:
    """A test that all entities have the same underlying value.

    Parameters
    ----------
    statistic, df, p
        Chi-squared for rates, variance of the totals for scores; its degrees of freedom; p-value. Null when the test
        does not apply.
    n_entities
        Entities that entered.
    reason
        Why the test does not apply; empty when it does.
    permutations
        Rearrangements behind p; 0 where p comes from a distribution.
    """

    statistic: float
    df: int
    p: float
    n_entities: int
    reason: str = ""
    permutations: int = 0

    @property
    def distinguishable(self) -> bool:
        """Whether the entities may be ranked at all."""
        return self.reason == "" and self.p < SIGNIFICANCE


def rates_differ(successes: pd.Series, trials: pd.Series) -> Homogeneity:
    """Pearson's test that entities with these successes out of these trials share one rate.

    Parameters
    ----------
    successes, trials
        Counts, one a entity; entities without trials do not enter.
    """
    from scipy.stats import chi2_contingency

    entered = trials > 0
    wins, losses = successes[entered], trials[entered] - successes[entered]
    if entered.sum() < 2 or wins.sum() == 0 or losses.sum() == 0:
        return Homogeneity(np.nan, 0, np.nan, int(entered.sum()), "too_few")
    found = chi2_contingency(np.array([wins, losses]), correction=False)
    return Homogeneity(float(found.statistic), int(found.dof), float(found.pvalue), int(entered.sum()))


@dataclass(frozen=True)
class SliceParts:
    """What each of E entities added in each of S slices of a period to each of K KPIs.

    Parameters
    ----------
    achieved, expected
        E x S x K.
        A KPI's attainment is the sum of what was achieved over the sum of what was expected: a total's amounts over its
        target's share of every slice, a ratio's numerators over denominators times target.
    present
        E x S: whether the entity was there; only those who were there are swapped.
    """

    achieved: FloatArray
    expected: FloatArray
    present: npt.NDArray[np.bool_]

    @property
    def obstacle(self) -> str:
        """Why nothing can be compared: `too_few` entities or slices, `nothing_in_common`; empty if it can."""
        entities, slices, kpis = self.achieved.shape
        if min(entities, slices) < 2 or (self.expected.sum(axis=1) <= 0).any():
            return "too_few"
        return "" if kpis else "nothing_in_common"


def scores_differ(
    parts: SliceParts, total: Callable[[FloatArray], FloatArray], *, rng: np.random.Generator
) -> Homogeneity:
    """Permutation test that entities share one level of attainment; the statistic is the variance of their totals.

    Within each slice the entities' contributions are swapped, all KPIs of an entity together, as anybody might have
    made them if all were alike.

    Parameters
    ----------
    total
        From attainments (... x K) to totals (...), caps included.

    Notes
    -----
    What is swapped is the distance of a contribution from what the common attainment makes one expect, in units of the
    square root of all that is expected of the entity, since sums of chance events spread by that root. Of totals with
    equal targets these are the contributions themselves, and the test is exact; with unequal ones it is approximate.
    Chances are not swapped across slices, so seasons and common shocks do no harm. P. Good (2005), Permutation,
    Parametric and Bootstrap Tests of Hypotheses, ch. 3.
    """
    entities = len(parts.achieved)
    if parts.obstacle:
        return Homogeneity(np.nan, 0, np.nan, entities, parts.obstacle)
    size = parts.expected.sum(axis=1)
    common = parts.achieved.sum(axis=(0, 1)) / size.sum(axis=0)
    apart = (parts.achieved - common * parts.expected) / np.sqrt(size)[:, None]
    swapped = _swapped(apart, parts.present, rng)
    found, by_chance = (total(common + moved / np.sqrt(size)).var(axis=-1) for moved in (apart.sum(axis=1), swapped))
    p = (1 + int((by_chance >= TIE * found).sum())) / (1 + PERMUTATIONS)
    return Homogeneity(float(found), entities - 1, p, entities, permutations=PERMUTATIONS)


def _swapped(parts: FloatArray, present: npt.NDArray[np.bool_], rng: np.random.Generator) -> FloatArray:
    """Sums over slices (`PERMUTATIONS` x E x K) after swapping entities within each slice."""
    entities, slices, kpis = parts.shape
    sums = np.zeros((PERMUTATIONS, entities, kpis))
    for number in range(slices):
        there = np.flatnonzero(present[:, number])
        order = rng.random((PERMUTATIONS, len(there))).argsort(axis=1)
        sums[:, there] += parts[there[order], number]
    return sums
