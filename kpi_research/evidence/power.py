"""How small an effect these data could have shown, and how long one would have to wait for more."""

from __future__ import annotations

import math

from scipy import special

from kpi_research.evidence.fixed_effects import Estimate, t_quantile
from kpi_research.periods import Grain

POWER = 0.80
MONTHS_PER: dict[Grain, float] = {"day": 12 / 365.25, "week": 84 / 365.25, "month": 1, "quarter": 3, "year": 12}


def minimum_detectable_effect(se: float, df: int, alpha: float) -> float:
    """The effect that a two-sided t test at `alpha` finds with 80 % probability (Bloom 1995), in the unit of `se`.

    `se` is the clustered standard error that was actually estimated, so serial correlation is already in it (Burlig,
    Preonas & Woerman 2020).
    """
    return (t_quantile(1 - alpha / 2, df) + t_quantile(POWER, df)) * se


def months_needed(mde: float, target: float, *, n_periods: int, lags: int, grain: Grain = "month") -> float:
    """Months of data, all told, until effects of `target` are visible with the same people.

    Standard errors shrink with the square root of the periods in the regression, which are `n_periods` less `lags`.
    """
    periods = (n_periods - lags) * (mde / target) ** 2 + lags
    return math.ceil(periods * MONTHS_PER[grain])


def equivalence_p(estimate: Estimate, margin: float) -> float:
    """p-value of two one-sided tests that the effect lies inside -margin .. margin (Schuirmann 1987).

    Under 5 % exactly where the 90 % interval lies inside the margin.
    """
    if estimate.se <= 0:
        return float(abs(estimate.value) >= margin)
    return float(special.stdtr(estimate.df, -(margin - abs(estimate.value)) / estimate.se))
