"""From a figure and its target to the share of the points that are earned; arrays go in and come out.

    attainment = actual / target            (higher is better)
    attainment = 2 - actual / target        (lower is better, `mirror`; twice the target earns nothing)
    attainment = target / actual            (lower is better, `inverse`; nothing at all earns the most)

Between an elastic band's edges all points are earned; outside it attainment counts from the nearer edge, so that no
yuan more or less ever moves a score by a jump:

    a / (1 - band)        under the band
    a - band              above it
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kpi_research.appraisal.scheme import SchemeItem
from kpi_research.kpis.definition import Direction

FloatArray = npt.NDArray[np.float64]
WITHIN = 1e-9
"""Share by which a quotient may fall short of a limit: 9.6 of 12 is 80 %, and a little less in binary."""


def attainment(actual: FloatArray, target: float | FloatArray, direction: Direction, item: SchemeItem) -> FloatArray:
    """What part of the target was reached; null without a figure or a target above zero.

    Parameters
    ----------
    actual, target
        In the KPI's unit; they broadcast.
    """
    actual, target = np.broadcast_arrays(np.asarray(actual, dtype=float), np.asarray(target, dtype=float))
    aim = np.where(target > 0, target, np.nan)
    if direction == "up":
        return np.asarray(actual / aim)
    if item.falling == "mirror":
        return np.asarray(2 - actual / aim)
    most = max(item.cap + item.band, *(step.at_least for step in item.steps), 0.0)
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(actual > 0, aim / actual, np.where(np.isfinite(aim + actual), most, np.nan))


def share_earned(actual: FloatArray, reached: FloatArray, item: SchemeItem) -> FloatArray:
    """Share of an item's weight that is earned with this figure and this attainment; 1 at the target.

    Without attainment nothing can be said, except by steps over the value itself.
    """
    if item.steps:
        return _by_steps(actual if item.steps_on == "value" else reached, item)
    reached = np.asarray(reached, dtype=float)
    counted = np.where(reached < 1 - item.band, reached / (1 - item.band), np.maximum(1.0, reached - item.band))
    counted = np.where(np.isnan(reached), np.nan, counted)
    held = np.clip(counted, item.floor, item.cap)
    return np.where(reached + WITHIN < item.zero_below, 0.0, held) if item.zero_below else held


def _by_steps(figure: FloatArray, item: SchemeItem) -> FloatArray:
    shares = np.array([0.0, *(step.share for step in item.steps)])
    reached = figure + WITHIN * np.maximum(1.0, np.abs(figure))
    at = np.searchsorted([step.at_least for step in item.steps], reached, side="right")
    return np.where(np.isnan(figure), np.nan, shares[at])
