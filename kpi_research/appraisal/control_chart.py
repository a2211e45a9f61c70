"""An abnormal figure: a person's counts far below their own usual level, beyond what chance does to counts.

The usual level is the mean of the person's weeks before, moved by what everybody else did in the same weeks, so that a
holiday is nobody's drop. How much counts scatter is taken from those weeks too, where they scatter more than pure
chance (overdispersion).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from kpi_research.appraisal.attainment import FloatArray

WINDOWS = (1, 2, 4)
"""Run rules: the last week, the last two together, the last four together. A sudden silence shows in the first, a
lasting decline in the last; the probability is that of the best of three, times three (Bonferroni)."""
USUAL_WEEKS = 26
LEAST_USUAL = 13
LEAST_MEAN = 1.0
"""Counts under one a week: no single month can be told from chance."""
AFTER_WEEKS = 4
LASTED_LEVEL = 0.05
"""A drop came true if the weeks after it were so low, too, as chance would make them one time in twenty."""
FLOOR = 1e-12
"""Smaller probabilities are told apart from none."""


@dataclass(frozen=True)
class Drops:
    """Counts of N people over T weeks held against their own usual level; null where nothing can be said.

    Parameters
    ----------
    strength
        N x T: -log10 of the probability that chance alone brings so little.
    weeks
        N x T: length of the window that is the most striking.
    usual, actual
        N x T: expected and counted in that window.
    lasted
        N x T: 1 where the next `AFTER_WEEKS` weeks, by themselves, were fewer than chance explains (`LASTED_LEVEL`), 0
        where not.
    """

    strength: FloatArray
    weeks: FloatArray
    usual: FloatArray
    actual: FloatArray
    lasted: FloatArray


def drops(counts: FloatArray, days: FloatArray) -> Drops:
    """Hold every week against the weeks before.

    Parameters
    ----------
    counts, days
        N x T: counted and worked in each week, null where the person was not there or nothing is known.

    Notes
    -----
    The counts are taken as negative binomial with the mean m of the weeks before and variance f m (1 + share), f the
    Pearson dispersion of those weeks but not under 1, `share` the window's part of the days the mean rests on: what is
    not known of the mean widens the limits. W. A. Shewhart's chart for counts (D. C. Montgomery (2019), Introduction to
    Statistical Quality Control, 8th ed., ch. 7); dispersion after P. McCullagh and J. A. Nelder (1989), ch. 6.
    """
    worked = np.where((days > 0) & ~np.isnan(counts), days, np.nan)
    counts = np.where(np.isnan(worked), np.nan, counts)
    shape = counts.shape
    found = {name: np.full(shape, np.nan) for name in ("strength", "weeks", "usual", "actual", "lasted")}
    for at in range(LEAST_USUAL + 1, shape[1]):
        for window in WINDOWS:
            first = at - window + 1
            if first < LEAST_USUAL:
                continue
            past = slice(max(0, first - USUAL_WEEKS), first)
            rate, spread, base = _usual(counts[:, past], worked[:, past])
            now, span = counts[:, first : at + 1].sum(axis=1), worked[:, first : at + 1].sum(axis=1)
            mean = rate * span * _of_others(now, rate * span)
            p = len(WINDOWS) * _at_most(now, mean, spread * (1 + span / base))
            strength = -np.log10(np.clip(p, FLOOR, 1.0))
            better = (strength > found["strength"][:, at]) | np.isnan(found["strength"][:, at])
            better &= ~np.isnan(strength)
            after = counts[:, at + 1 : at + 1 + AFTER_WEEKS].sum(axis=1)
            due = rate * worked[:, at + 1 : at + 1 + AFTER_WEEKS].sum(axis=1)
            due = due * _of_others(after, due)
            again = _at_most(after, due, spread * (1 + AFTER_WEEKS / USUAL_WEEKS))
            is_known = at + AFTER_WEEKS < shape[1]
            lasted = np.where(is_known & ~np.isnan(again), (again < LASTED_LEVEL).astype(float), np.nan)
            for name, value in (("strength", strength), ("weeks", np.full(shape[0], float(window))), ("usual", mean),
                                ("actual", now), ("lasted", lasted)):  # fmt: skip
                found[name][better, at] = value[better]
    return Drops(**found)


def _usual(counts: FloatArray, worked: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rate per working day, dispersion and days of each person's weeks before; null where these are too few."""
    known = ~np.isnan(worked)
    base = np.nansum(worked, axis=1)
    enough = known.sum(axis=1) >= LEAST_USUAL
    rate = np.divide(np.nansum(counts, axis=1), base, out=np.full(len(base), np.nan), where=enough & (base > 0))
    means = rate[:, None] * worked
    squares = np.where(means > 0, (counts - means) ** 2 / np.where(means > 0, means, 1.0), 0.0)
    spread = np.maximum(1.0, np.nansum(squares, axis=1) / np.maximum(1, known.sum(axis=1) - 1))
    too_rare = ~(rate * base >= LEAST_MEAN * known.sum(axis=1))
    return np.where(too_rare, np.nan, rate), spread, np.where(base > 0, base, np.nan)


def _of_others(now: FloatArray, expected: FloatArray) -> FloatArray:
    """What all others did of what was expected of them; 1 for somebody alone."""
    both = ~np.isnan(now) & ~np.isnan(expected)
    done, due = np.where(both, now, 0.0), np.where(both, expected, 0.0)
    rest = due.sum() - due
    return np.divide(done.sum() - done, rest, out=np.ones_like(rest), where=rest > 0)


def _at_most(count: FloatArray, mean: FloatArray, spread: FloatArray) -> FloatArray:
    """Probability of so few or fewer, with variance `spread` times the mean; Poisson where that is 1."""
    beyond, known = np.maximum(spread - 1, 1e-6), ~np.isnan(count) & (mean > 0)
    p = stats.nbinom.cdf(np.where(known, count, 0), np.where(known, mean, 1.0) / beyond, 1 / (1 + beyond))
    return np.where(known, p, np.nan)
