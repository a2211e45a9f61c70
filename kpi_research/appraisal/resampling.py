"""Weeks drawn again: what a period's figures could have been, had its weeks fallen otherwise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpi_research.appraisal.attainment import FloatArray
from kpi_research.kpis.definition import Kpi
from kpi_research.policy import INTERVAL_LEVEL, RESAMPLES

NO_WIDTH = 1e-9
"""Relative width under which an interval is none: the draws were all the same and say nothing of chance."""


def resample_weights(slices: int, rng: np.random.Generator) -> FloatArray:
    """`RESAMPLES` x slices: how often each slice counts in each resample."""
    if slices < 2:
        return np.ones((RESAMPLES, slices))
    drawn = rng.multinomial(slices - 1, np.full(slices, 1 / slices), size=RESAMPLES)
    return np.asarray(drawn * slices / (slices - 1))


def resampled(
    slices: pd.DataFrame, weights: FloatArray, kpi: Kpi, row: pd.Series, *, is_rated: bool = False
) -> FloatArray:
    """The KPI's value in every resample; null where its denominator is empty.

    What is no sum over the weeks, or was rated for the whole period, is the same in every resample, and so has no
    interval.
    """
    if is_rated or kpi.aggregation != "sum":
        return np.full(len(weights), row["value"], dtype=float)
    numerator = weights[:, : len(slices)] @ slices["numerator"].to_numpy(dtype=float, na_value=0.0)
    if kpi.denominator is None:
        return np.asarray(numerator)
    denominator = weights[:, : len(slices)] @ slices["denominator"].to_numpy(dtype=float, na_value=0.0)
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)


def interval(draws: FloatArray) -> tuple[float, float]:
    """The middle of the draws; null if it has no width, since that would claim to be certain."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return np.nan, np.nan
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    if high - low <= NO_WIDTH * max(abs(low), abs(high)):
        return np.nan, np.nan
    return float(low), float(high)
