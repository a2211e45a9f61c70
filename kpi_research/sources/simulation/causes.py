"""How often everything happens at each desk in each month: what is planted lies here and nowhere else.

A person's expected wins are exp(level + talent + season + common shock + driver), where the driver is how many more
demos than usual the person gave one month and, less, two months before. Everything else is drawn beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpi_research.sources.simulation.calendar import Calendar
from kpi_research.sources.simulation.company import Company
from kpi_research.sources.simulation.roster import Roster, Traits

WINS = 4.3
"""Wins of an average person in an average month."""
SEASON = np.array([-0.18, -0.35, 0.18, -0.05, -0.02, 0.25, -0.08, -0.06, 0.20, -0.04, 0.02, 0.33])
"""Log points by calendar month: the Chinese New Year dip and the ends of quarters."""
SHOCK_SD = 0.06
EXTRA_VARIANCE = 0.03
"""Of a gamma factor with mean 1: wins vary a little more than a Poisson number."""
SECOND_LAG = 0.35
"""Share of the effect that comes in the second month."""
DEMOS, DEMOS_LEVEL_SD, DEMOS_SD, DEMOS_MEMORY = 9.0, 0.20, 0.35, 0.15
CALLS, CALLS_SD = 40.0, 0.15
SHARING, SHARING_NOW, SHARING_LATER = 0.9, 0.2, 0.4
"""Sharing sessions a month, and how many more for one standard deviation of surprise now and in the month before."""
EVEN = {"survey": 3.0, "quote": 5.0, "meeting": 3.0, "message": 6.0, "proposal": 2.5}
"""Activities a month that have nothing to do with anything."""
USUAL_WORKING_DAYS = 21.0


@dataclass(frozen=True, eq=False)
class Causes:
    """Counts by desk and month of `Calendar.span`.

    Parameters
    ----------
    wins, expected
        Deals won, and how many were to be expected.
    counts
        How often each kind of activity takes place; `sharing` is among them.
    """

    wins: np.ndarray
    expected: np.ndarray
    counts: dict[str, np.ndarray]


def season(calendar: Calendar) -> np.ndarray:
    """Log points of each month of the span."""
    return SEASON[(calendar.start + calendar.span).astype(int) % 12]


def draw_causes(
    company: Company, calendar: Calendar, *, roster: Roster, traits: Traits, rng: np.random.Generator
) -> Causes:
    """Draw all counts of a company."""
    shape = roster.occupant.shape
    busy = calendar.working_days_in(calendar.span) / USUAL_WORKING_DAYS
    ability = traits.talent[roster.occupant]
    demos, more_demos = _demos(roster, busy, rng)
    lift = company.driver_effect * (_before(more_demos, roster, 1) + SECOND_LAG * _before(more_demos, roster, 2))
    expected = WINS * np.exp(ability + season(calendar) + rng.normal(0, SHOCK_SD, shape[1]) + lift)
    wins = rng.poisson(expected * rng.gamma(1 / EXTRA_VARIANCE, EXTRA_VARIANCE, shape))
    surprise = (wins - expected) / np.sqrt(expected)
    # sums, not products: what a person and a month have in common with the results then leaves with their effects
    calls = CALLS * np.maximum(0.2, 1 + ability + season(calendar) + rng.normal(0, CALLS_SD, shape))
    sharing = SHARING + SHARING_NOW * surprise + SHARING_LATER * _before(surprise, roster, 1)
    even = {kind: rng.poisson(usual * busy, shape) for kind, usual in EVEN.items()}
    counts = even | {
        "demo": demos,
        "call": rng.poisson(calls),
        "visit": rng.poisson(USUAL_WORKING_DAYS * busy, shape),
        "sharing": rng.poisson(np.maximum(0.02, sharing)),
    }
    return Causes(wins, expected, {kind: count * calendar.inside for kind, count in counts.items()})


def _demos(roster: Roster, busy: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Demos, and by how many standard deviations they are more than the person's usual number."""
    shape = roster.occupant.shape
    mood = rng.normal(size=shape)
    for month in range(1, shape[1]):
        mood[:, month] = DEMOS_MEMORY * mood[:, month - 1] + np.sqrt(1 - DEMOS_MEMORY**2) * mood[:, month]
    usual = DEMOS * np.exp(rng.normal(0, DEMOS_LEVEL_SD, len(roster.desk)))[roster.occupant] * busy
    demos = rng.poisson(usual * np.exp(DEMOS_SD * mood - DEMOS_SD**2 / 2))
    return demos, (demos - usual) / (demos - usual).std()


def _before(values: np.ndarray, roster: Roster, lag: int) -> np.ndarray:
    """The values `lag` months before; 0 where somebody else sat at the desk then."""
    return np.where(roster.stayed(lag), np.roll(values, lag, axis=1), 0.0)
