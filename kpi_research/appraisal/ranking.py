"""Whether people differ by more than chance: before a league table is read, this is asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Homogeneity:
    """A test that all entities have the same underlying value.

    Parameters
    ----------
    statistic, df, p
        Chi-squared statistic, its degrees of freedom and p-value; null when the test does not apply.
    n_entities
        Entities that entered.
    reason
        Why the test does not apply; empty when it does.
    """

    statistic: float
    df: int
    p: float
    n_entities: int
    reason: str = ""

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


def scores_differ(scores: pd.Series, standard_errors: pd.Series) -> Homogeneity:
    """Cochran's Q test that entities with these scores and standard errors share one score.

    Notes
    -----
    W. G. Cochran (1954), The combination of estimates from different experiments, Biometrics 10(1), 101-129.
    """
    from scipy.stats import chi2

    known = scores.notna() & (standard_errors > 0)
    value, precision = scores[known], 1 / standard_errors[known] ** 2
    if known.sum() < 2:
        return Homogeneity(np.nan, 0, np.nan, int(known.sum()), "too_few")
    mean = (value * precision).sum() / precision.sum()
    statistic = float((precision * (value - mean) ** 2).sum())
    df = int(known.sum()) - 1
    return Homogeneity(statistic, df, float(chi2.sf(statistic, df)), int(known.sum()))
