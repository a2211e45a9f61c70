"""How sure a share is."""

from __future__ import annotations

from statistics import NormalDist

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
