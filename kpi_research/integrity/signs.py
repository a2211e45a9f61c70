"""Signs of working to the number: what each detector saw of a KPI, and which KPIs show enough to be worth a look.

A sign is about a KPI and the whole company, never about somebody: it has innocent reasons too, and no name stands
beside it. What single people's rows show is only counted (`n_people_found`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from kpi_research.policy import INTERVAL_LEVEL

Detector = Literal["bunching", "period_end", "entry_bursts", "heaping", "dilution"]
DETECTORS: tuple[Detector, ...] = get_args(Detector)
Reason = Literal[
    "", "too_few", "few_people", "few_periods", "few_distinct", "lumpy", "small_targets", "no_targets", "not_a_count",
    "no_entry_times", "no_time_of_day", "no_change", "not_estimable",
    "shares_records", "not_a_kind", "less_is_better",
]  # fmt: skip
"""Why nothing could be looked at."""

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

LEAST_PER_PERSON = 20
"""Of fewer rows of one person nothing is said, not even in a count of people."""
LEAST_PEOPLE = 5
"""With fewer people a sign of a KPI would be one of somebody known."""
FALSE_DISCOVERIES = 0.05
"""Of the signs that are told, at most this share is expected to be chance (Benjamini & Hochberg 1995)."""
DILUTION_ALPHA = 0.05
"""That a KPI's units lost worth once it had weight is the claim itself: it counts alone, at this level."""
LEAST_DETECTORS = 2
"""A single pattern has innocent reasons; two of different kinds in one KPI rarely share one."""


@dataclass(frozen=True)
class Sign:
    """What one detector saw.

    Parameters
    ----------
    rate, low, high, expected
        The share that it looks at, its interval (`policy.INTERVAL_LEVEL`), and what the share would be without working
        to the number. NaN where nothing was looked at. Of `dilution` see `measure`.
    p, q
        Chance of as much or more without; the same among all signs of a client (`GamingSigns`), NaN for `dilution`.
    n
        Rows behind the share.
    n_people, n_people_found
        Of how many people alone something can be said, and of how many it shows the same (Benjamini & Hochberg among
        them). None at all where a person has too few rows for this detector.
    reason
        Why nothing could be looked at; empty otherwise.
    measure
        Of `dilution`, what decided: `worth` of a unit after the KPI got weight, in shares of before (so that 1 is
        expected), or the `effective` share after, and before.
    """

    detector: Detector
    rate: float = np.nan
    low: float = np.nan
    high: float = np.nan
    expected: float = np.nan
    p: float = np.nan
    n: int = 0
    n_people: int = 0
    n_people_found: int = 0
    reason: Reason = ""
    measure: Literal["share", "worth", "effective"] = "share"
    kpi: str = ""
    q: float = np.nan


@dataclass(frozen=True)
class Histogram:
    """What bunching looks like.

    Parameters
    ----------
    edges
        B + 1 edges of the bins: distances from the target, which lies at 0, as shares of it or in units.
    counts, smooth
        B values in each bin, and how many a smooth curve would have there.
    window
        From where to where it was compared, around 0.
    unit
        Of the edges.
    """

    edges: FloatArray
    counts: FloatArray
    smooth: FloatArray
    window: tuple[float, float]
    unit: Literal["share", "count"]


@dataclass(frozen=True)
class GamingSigns:
    """All signs of a client, one a KPI and detector.

    Parameters
    ----------
    histograms
        By KPI, for those of which bunching could be looked at.
    """

    signs: tuple[Sign, ...] = ()
    histograms: Mapping[str, Histogram] = field(default_factory=dict)

    def signs_of(self, kpi: str) -> tuple[Sign, ...]:
        """Those of one KPI."""
        return tuple(sign for sign in self.signs if sign.kpi == kpi)


def together(signs: Sequence[Sign]) -> tuple[Sign, ...]:
    """The same with their q: all that was looked at is one family, dilution apart, which is judged by itself."""
    p = np.array([np.nan if sign.detector == "dilution" else sign.p for sign in signs])
    return tuple(replace(sign, q=float(q)) for sign, q in zip(signs, false_discovery_q(p), strict=True))


def is_seen(sign: Sign) -> bool:
    """Whether this one shows more than chance."""
    return sign.p < DILUTION_ALPHA if sign.detector == "dilution" else sign.q <= FALSE_DISCOVERIES


def gamed(found: GamingSigns) -> dict[str, list[Detector]]:
    """KPIs whose letter gets an M, with the detectors that say so: two of them, or dilution alone."""
    by_kpi: dict[str, list[Detector]] = {}
    for sign in found.signs:
        if is_seen(sign):
            by_kpi.setdefault(sign.kpi, []).append(sign.detector)
    return {kpi: seen for kpi, seen in by_kpi.items() if len(seen) >= LEAST_DETECTORS or "dilution" in seen}


def false_discovery_q(p: FloatArray) -> FloatArray:
    """Adjusted p-values of Benjamini & Hochberg (1995); NaN stays NaN and is not counted in the family."""
    from scipy.stats import false_discovery_control

    q = np.full(len(p), np.nan)
    tested = np.isfinite(p)
    if tested.any():
        q[tested] = false_discovery_control(p[tested])
    return q


def people_found(p: FloatArray) -> tuple[int, int]:
    """Of how many people something can be said, and of how many the pattern shows; `p` is NaN for the others."""
    return int(np.isfinite(p).sum()), int((false_discovery_q(p) <= FALSE_DISCOVERIES).sum())


def one_sided_t(sums: FloatArray) -> FloatArray:
    """Chance of sums as large as these, by row, if those of independent clusters (last axis) are zero on average.

    A cluster is one term, so that nothing is supposed of what lies within it; t has clusters - 1 degrees of freedom.
    Where all terms are equal there is nothing to measure chance by: 1 where they are not positive, otherwise NaN.
    """
    from scipy.special import stdtr

    clusters = sums.shape[-1]
    spread = sums.std(axis=-1, ddof=1) / np.sqrt(clusters)
    mean = sums.mean(axis=-1)
    is_flat = spread <= 1e-12 * np.abs(sums).max(axis=-1, initial=0.0)
    t = np.divide(mean, spread, out=np.zeros_like(mean), where=~is_flat)
    return np.where(is_flat, np.where(mean > 0, np.nan, 1.0), stdtr(clusters - 1, -t))


def resampled_share(part: FloatArray, whole: FloatArray, rng: np.random.Generator, draws: int) -> tuple[float, float]:
    """Interval of the share of two sums when the clusters that they are over are drawn again (percentiles)."""
    drawn = rng.multinomial(len(whole), np.full(len(whole), 1 / len(whole)), size=draws)
    sums = drawn @ whole
    shares = (drawn @ part)[sums > 0] / sums[sums > 0]
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(shares, [tail, 1 - tail])
    return float(low), float(high)
