"""How small an effect these data could have shown, and how long one would have to wait for more."""

from __future__ import annotations

import math

from scipy import special

from kpi_research.evidence.fixed_effects import Estimate, Wald
from kpi_research.periods import Grain

POWER = 0.80
MONTHS_PER: dict[Grain, float] = {
    "day": 12 / 365.25, "week": 84 / 365.25, "month": 1, "quarter": 3, "half_year": 6, "year": 12,
}  # fmt: skip


def minimum_detectable_effect(joint: Wald, visibility: float, alpha: float) -> float:
    """The total effect that the joint test at `alpha` finds with 80 % probability, in natural units.

    Power is that of the noncentral F distribution with the joint test's own degrees of freedom. The covariance is the
    one that was estimated, so serial correlation is already in it (Burlig, Preonas & Woerman 2020).

    Parameters
    ----------
    visibility
        Noncentrality of the joint test for a total effect of one (`lags.LagFit`).
    """
    critical = special.fdtri(joint.df1, joint.df2, 1 - alpha)
    noncentrality = special.ncfdtrinc(joint.df1, joint.df2, 1 - POWER, critical)
    return math.sqrt(noncentrality / visibility)


def months_needed(mde: float, target: float, *, n_periods: int, lags: int, grain: Grain = "month") -> float:
    """Months of data, all told, until effects of `target` are visible with the same people.

    Standard errors shrink with the square root of the periods in the regression, which are `n_periods` less `lags`.
    """
    periods = (n_periods - lags) * (mde / target) ** 2 + lags
    return math.ceil(periods * MONTHS_PER[grain])


def equivalence_p(estimate: Estimate, low: float, high: float) -> float:
    """p-value of two one-sided tests that the effect lies inside `low` .. `high` (Schuirmann 1987).

    Under 5 % exactly where the 90 % interval lies inside the margins.
    """
    room = min(high - estimate.value, estimate.value - low)
    if estimate.se <= 0:
        return float(room <= 0)
    return float(special.stdtr(estimate.df, -room / estimate.se))
