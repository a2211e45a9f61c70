"""How sure a share is."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from kpi_research.policy import INTERVAL_LEVEL


def wilson(successes: float, trials: float) -> tuple[float, float]:
    """The interval of a share at `policy.INTERVAL_LEVEL`; nulls without trials.

    Notes
    -----
    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22(158), 209-212.
    """
    if not trials > 0:
        return float("nan"), float("nan")
    z = NormalDist().inv_cdf(0.5 + INTERVAL_LEVEL / 2)
    share, shrink = successes / trials, 1 + z**2 / trials
    middle = (share + z**2 / (2 * trials)) / shrink
    half = z / shrink * (share * (1 - share) / trials + z**2 / (4 * trials**2)) ** 0.5
    return middle - half, middle + half


def share_interval(share: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interval of an incidence or of one minus a survival, inside 0 and 1, on the scale log(-log(1 - share)).

    Notes
    -----
    J. D. Kalbfleisch and R. L. Prentice (1980), The Statistical Analysis of Failure Time Data, 1.3. Where the share or
    its error is zero nothing is known of its spread: null.
    """
    z = NormalDist().inv_cdf(0.5 + INTERVAL_LEVEL / 2)
    rest = 1 - share
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.exp(z * error / (rest * np.log(rest)))
        low, high = 1 - rest**spread, 1 - rest ** (1 / spread)
    known = (share > 0) & (share < 1) & (error > 0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)
