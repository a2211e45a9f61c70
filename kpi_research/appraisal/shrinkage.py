"""What is left of scores when luck is taken off, and how often who stands first is truly first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpi_research.appraisal.attainment import FloatArray
from kpi_research.appraisal.reliability import Measured, Reliability, people_df

SIMULATIONS = 4000
"""Worlds drawn; a probability is then known to 0.8 points."""
TOP = 3
"""Places of the short list that is commonly honoured."""


@dataclass(frozen=True)
class Firsts:
    """How sure a place at the top is.

    Parameters
    ----------
    is_first, in_top
        N probabilities, 0-1: to be truly the best, and truly among the best `TOP`.
    """

    is_first: FloatArray
    in_top: FloatArray


def shrunk(given: Measured, found: Reliability) -> FloatArray:
    """Scores (N) drawn to the mean of all by the share of each person's own luck.

    Notes
    -----
    mean + t / (t + v_i) (score_i - mean), with v_i the variance of the person's luck and t = observed - luck the one of
    what people are like, not under zero: the linear empirical Bayes rule of Efron and Morris (1975), Data analysis
    using Stein's estimator and its generalizations, JASA 70(350), 311-319. With no t everybody gets the mean.
    """
    mean = given.scores.mean()
    return np.asarray(mean + _kept(given.variances, max(0.0, found.observed - found.luck)) * (given.scores - mean))


def firsts(given: Measured, found: Reliability, rng: np.random.Generator) -> Firsts:
    """Drawn from what people may truly be like, given their scores.

    Notes
    -----
    In each world first the variance of what people are like is drawn (observed variance times its degrees of freedom
    over a chi-squared, less luck, not under zero), as a few people do not fix it, then everybody's true level from the
    normal distribution around the shrunk score.
    """
    n = len(given.people)
    df = people_df(given, max(0.0, found.observed - found.luck))
    chances = rng.chisquare(df, size=SIMULATIONS) / df
    spread = np.maximum(0.0, found.observed / chances - found.luck)[:, None]
    kept = _kept(given.variances, spread)
    mean = given.scores.mean()
    true = mean + kept * (given.scores - mean)
    true = true + np.sqrt(kept * given.variances) * rng.standard_normal((SIMULATIONS, n))
    # where nobody differs everybody is best; a hair of noise then shares the first place out evenly
    true = true + 1e-9 * rng.standard_normal((SIMULATIONS, n))
    places = np.argsort(np.argsort(-true, axis=1), axis=1)
    return Firsts((places == 0).mean(axis=0), (places < TOP).mean(axis=0))


def _kept(variances: FloatArray, spread: float | FloatArray) -> FloatArray:
    """Which part of a distance from the mean is kept; all of it where there is no luck."""
    both = spread + variances
    return np.asarray(np.where(both > 0, spread / np.where(both > 0, both, 1.0), 1.0))
