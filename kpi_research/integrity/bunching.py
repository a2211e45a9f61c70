"""Bunching at the target: more results just above it, and fewer just below, than a smooth spread of results would have.

Of the values within a narrow window around the target the share that reached it is compared with what a smooth curve
through the values outside expects (the counterfactual of Chetty, Friedman, Olsen & Pistaferri 2011; Kleven 2016). Both
sides of the target are compared with each other, as in tests of a jump in a density (McCrary 2008): so a plan that
foresees results well, with many of them close around it, is no bunching. What a real rise of effort near the target
does cannot be told from moved or invented results by this.

How large chance is, is measured at placebo targets: thresholds elsewhere, on which nothing depends. Where the values
are lumpy all over, the placebos spread more than a smooth density would, and the test becomes as much weaker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpi_research.integrity.signs import FloatArray, Histogram, IntArray, Reason, Sign
from kpi_research.proportion import wilson

WINDOW = 0.05
"""So far from the target, as a share of it, results are close to it."""
REACH = 0.5
"""So far from it the smooth curve is drawn; results further off belong to other circumstances."""
LEAST_VALUES, LEAST_CLOSE = 100, 20
"""Results within reach, and of those in the window, without which nothing is looked at."""
SMALLEST_TARGET = 5
"""Of fewer pieces every result is close to the target."""
LEAST_DISTINCT = 0.5
"""Share of different values among those that are no counts: with fewer they stand in lumps of their own."""
DEGREE = 5
"""Of the polynomial in the logarithm of the density: enough for a skewed hill, and for two."""
BINS_REACHED = 20
"""Bins from the target to the end of the reach, at most and, of counts, at least 8."""
LEAST_AT_PLACEBO = 10


@dataclass(frozen=True)
class _Bins:
    """Values by distance from the target: `bin` of each value, which lies just above the target from 0 on."""

    bin: IntArray
    person: IntArray
    reach: int
    window: int

    def counts(self) -> FloatArray:
        """Values in each of the 2 `reach` bins."""
        return np.bincount(self.bin + self.reach, minlength=2 * self.reach).astype(float)


def bunching(
    actual: FloatArray, target: FloatArray, person: IntArray, *, is_count: bool
) -> tuple[Sign, Histogram | None]:
    """Whether results bunch just above their targets, and the histogram behind it.

    Of every 100 smooth data sets 5 or fewer are called bunched, and of those in which one result in five was moved to
    just above the target nearly all (`tests/test_gaming_detectors.py`).

    Parameters
    ----------
    actual, target
        n results and their targets, of one person and period each; more is better.
    person
        n codes of the people: results of one person need not be independent.
    is_count
        Whether results are whole numbers. Their distances from the target are then counted in pieces, so that the lumps
        that fractions of small targets make are the same at every placebo.

    Notes
    -----
    The share of those in the window that reached the target is compared with the smooth one, with the variance of the
    smooth one added, and clustered by person where that is larger. z is divided by the spread of z at the placebos, if
    that is more than 1.
    """
    known = np.isfinite(actual) & np.isfinite(target) & (target > 0)
    actual, target, person = actual[known], target[known], person[known]
    if reason := _unfit(actual, target, is_count):
        return Sign("bunching", n=len(actual), reason=reason), None
    bins = _binned(actual, target, person, is_count)
    counts, window = bins.counts(), bins.window
    close = counts[bins.reach - window : bins.reach + window].sum()
    if len(bins.bin) < LEAST_VALUES or close < LEAST_CLOSE:
        return Sign("bunching", n=len(bins.bin), reason="too_few"), None
    smooth = _smooth(counts, bins)
    if smooth is None:
        return Sign("bunching", n=len(bins.bin), reason="few_distinct"), None
    expected, z, effect = _compared(bins, 0, smooth)
    placebos = [
        _compared(bins, at, smooth)[1]
        for at in range(window - bins.reach, bins.reach - window + 1)
        if (at <= -3 * window or at >= 2 * window)
        and counts[bins.reach + at - window : bins.reach + at + window].sum() >= LEAST_AT_PLACEBO
    ]
    spread = max(1.0, float(np.sqrt(np.mean(np.square(placebos))))) if placebos else 1.0
    sign = _sign(counts, bins, expected, z / spread, effect * spread**2)
    return sign, _histogram(bins, counts, smooth[0], is_count)


def _unfit(actual: FloatArray, target: FloatArray, is_count: bool) -> Reason:
    if len(actual) < LEAST_VALUES:
        return "too_few"
    if is_count:
        return "small_targets" if np.median(target) < SMALLEST_TARGET else ""
    return "lumpy" if len(np.unique((actual / target).round(6))) < LEAST_DISTINCT * len(actual) else ""


def _binned(actual: FloatArray, target: FloatArray, person: IntArray, is_count: bool) -> _Bins:
    if is_count:
        usual = float(np.median(target))
        window, reach = max(1, round(WINDOW * usual)), max(8, round(REACH * usual))
        # whoever has to reach 12.4 pieces has reached it with 13
        distance = np.round(actual) - np.ceil(target - 1e-9)
    else:
        window, reach = round(WINDOW / REACH * BINS_REACHED), BINS_REACHED
        # to the cent the target is reached, whatever the division leaves over
        distance = np.floor((actual / target - 1) * BINS_REACHED / REACH + 1e-9)
    inside = (distance >= -reach) & (distance < reach)
    return _Bins(distance[inside].astype(np.intp), person[inside], reach, window)


def _smooth(counts: FloatArray, bins: _Bins) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Expected counts by bin, the design that they come from, and its coefficients' covariance.

    Poisson regression on a polynomial, by Newton's steps, from the bins that moved results can neither leave nor reach.
    """
    place = (np.arange(2 * bins.reach) - bins.reach + 0.5) / bins.reach
    design = np.polynomial.legendre.legvander(place, DEGREE)
    near = np.arange(2 * bins.reach) - bins.reach
    outside = (near < -2 * bins.window) | (near >= bins.window)
    X, y = design[outside], counts[outside]
    if (y > 0).sum() < DEGREE + 4:
        return None
    beta = np.linalg.lstsq(X, np.log(y + 0.5), rcond=None)[0]
    for _ in range(50):
        mean = np.exp(np.clip(X @ beta, -30, 30))
        information = X.T @ (mean[:, None] * X) + 1e-8 * np.eye(DEGREE + 1)
        step = np.linalg.solve(information, X.T @ (y - mean))
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    curve = np.asarray(np.exp(np.clip(design @ beta, -30, 30)), dtype=float)
    return curve, np.asarray(design, dtype=float), np.asarray(np.linalg.inv(information), dtype=float)


def _compared(bins: _Bins, at: int, smooth: tuple[FloatArray, FloatArray, FloatArray]) -> tuple[float, float, float]:
    """At a threshold: the smooth share above it within the window, z of the share seen, and its design effect."""
    curve, design, covariance = smooth
    middle, window = bins.reach + at, bins.window
    below, above = slice(middle - window, middle), slice(middle, middle + window)
    share = curve[above].sum() / (curve[above].sum() + curve[below].sum())
    over, under = (np.average(design[side], axis=0, weights=curve[side]) for side in (above, below))
    slope = share * (1 - share) * (over - under)
    close = (bins.bin >= at - window) & (bins.bin < at + window)
    miss = (bins.bin[close] >= at) - share
    n = len(miss)
    by_person = np.bincount(bins.person[close], weights=miss)
    alone = n * share * (1 - share)
    noise = max(alone, float(np.square(by_person - by_person.sum() / max(1, len(by_person))).sum()))
    variance = noise + n**2 * float(slope @ covariance @ slope)
    return float(share), float(miss.sum() / np.sqrt(variance)), variance / alone


def _sign(counts: FloatArray, bins: _Bins, expected: float, z: float, effect: float) -> Sign:
    from scipy.special import ndtr

    above = float(counts[bins.reach : bins.reach + bins.window].sum())
    close = above + float(counts[bins.reach - bins.window : bins.reach].sum())
    low, high = wilson(float(above / effect), float(close / effect))
    return Sign("bunching", above / close, low, high, expected, float(ndtr(-z)), int(close))


def _histogram(bins: _Bins, counts: FloatArray, curve: FloatArray, is_count: bool) -> Histogram:
    width = 1.0 if is_count else REACH / BINS_REACHED
    edges = np.arange(-bins.reach, bins.reach + 1).astype(float) * width
    window = (-bins.window * width, bins.window * width)
    return Histogram(edges, counts, curve, window, "count" if is_count else "share")
