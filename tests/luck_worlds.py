"""People whose true levels are known, measured over thirteen weeks that chance and season move."""

import numpy as np

from kpi_research.appraisal.reliability import Measured, deviations

WEEKS = 13
KINDS = ("even", "uneven", "lumpy")
"""Luck alike for all; twice or half as much for some; a few large deals, as in sales."""


def weekly(rng: np.random.Generator, true: np.ndarray, kind: str = "even") -> np.ndarray:
    """N x WEEKS: `true` spread over the weeks, luck of variance 1 a week, and what moves everybody alike."""
    shape = len(true), WEEKS
    if kind == "lumpy":
        deals = rng.poisson(0.6, size=shape)
        luck = (np.where(deals > 0, rng.gamma(np.maximum(deals, 1), 1.0), 0.0) - 0.6) / np.sqrt(1.2)
    else:
        sizes = rng.choice([0.5, 1.0, 2.0], size=(len(true), 1)) / np.sqrt(1.75) if kind == "uneven" else 1.0
        luck = rng.normal(size=shape) * sizes
    return true[:, None] / WEEKS + luck + rng.normal(size=WEEKS)


def measured_of(weeks: np.ndarray, rng: np.random.Generator, resamples: int = 300) -> Measured:
    """The sums over weeks with their resamples, drawn as `appraisal.resampling` does."""
    count = weeks.shape[1]
    drawn = rng.multinomial(count - 1, np.full(count, 1 / count), size=resamples) * count / (count - 1)
    people = tuple(f"P{number:03d}" for number in range(len(weeks)))
    return Measured(people, weeks.sum(axis=1), deviations(weeks @ drawn.T), count)


def world(rng: np.random.Generator, true: np.ndarray, kind: str = "even", resamples: int = 300) -> Measured:
    """Both at once."""
    return measured_of(weekly(rng, true, kind), rng, resamples)


def levels(rng: np.random.Generator, people: int, reliability: float) -> np.ndarray:
    """True levels of people whose scores have this reliability."""
    return rng.normal(size=people) * np.sqrt(WEEKS * reliability / (1 - reliability))
