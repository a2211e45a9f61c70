"""Where a goal stands: what was reached, what should have been by now, what each week must bring, and how likely."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from kpi_research.appraisal.backward_funnel import Need
from kpi_research.appraisal.goal import Spread
from kpi_research.appraisal.reachable import Chance, Outlook
from kpi_research.appraisal.reconcile import Reconciliation
from kpi_research.kpis.definition import Direction
from kpi_research.periods import ONE_DAY, Grain, Period

State = Literal["reached", "missed", "ahead", "on_pace", "behind", "not_begun", "no_data"]
Words = Literal["almost_none", "unlikely", "rather_not", "open", "rather", "likely", "almost_sure", "unknown"]
WORDS: tuple[tuple[float, Words], ...] = (
    (0.05, "almost_none"), (0.2, "unlikely"), (0.4, "rather_not"), (0.6, "open"), (0.8, "rather"), (0.9, "likely"),
)  # fmt: skip
"""Upper ends of probabilities and the word for each; `policy.LEAST_LIKELY` and `MOST_LIKELY` are among them."""


@dataclass(frozen=True)
class Standing:
    """One goal of one entity in one period, as of a day.

    Parameters
    ----------
    kpi, spread, direction
        What it is counted by; see `goal.Spread`.
    as_of
        The last day that is counted.
    base, stretch, band
        As in the goal; `stretch` is null without one.
    reached
        What the period has brought so far; null without data.
    due
        What it should have brought by then; the base where the goal is no sum.
    days_left
        Calendar days of the period after `as_of`.
    outlook
        Of the whole period where it is over (made from what was before it), otherwise of the days that are left.
    base_chance, stretch_chance
        How likely each is, or was when the period began.
    grain
        Length of the past periods that the chances rest on.
    """

    kpi: str
    spread: Spread
    direction: Direction
    period: Period
    as_of: dt.date
    base: float
    stretch: float
    band: float
    reached: float
    due: float
    outlook: Outlook
    base_chance: Chance
    stretch_chance: Chance
    grain: Grain

    @property
    def days_left(self) -> int:
        """Calendar days of the period after the last day that is counted."""
        return max(0, (self.period.end - self.as_of).days - 1)

    @property
    def to_go(self) -> float:
        """What is still missing of the base; zero once it is reached, null where the goal is no sum."""
        return max(0.0, self.base - self.reached) if self.spread == "split" else float("nan")

    @property
    def per_week(self) -> float:
        """What each week that is left must bring to reach the base; null where none is left."""
        return self.to_go / (self.days_left / 7) if self.days_left else float("nan")

    @property
    def state(self) -> State:
        """How things stand; `on_pace` is within the goal's band around what is due."""
        if self.as_of < self.period.start:
            return "not_begun"
        if np.isnan(self.reached):
            return "no_data"
        better = 1 if self.direction == "up" else -1
        if not self.days_left:
            return "reached" if better * self.reached >= better * self.base else "missed"
        gap = better * (self.reached - self.due)
        return "on_pace" if abs(gap) <= self.band * abs(self.due) else "ahead" if gap > 0 else "behind"


@dataclass(frozen=True)
class GoalNeed:
    """What a target of signed amounts takes of the funnel.

    Parameters
    ----------
    need
        For the part that deals bring.
    base
        The whole target.
    share_of_deals
        Which part of the amounts signed in the year before were won deals.
    """

    need: Need
    period: Period
    base: float
    share_of_deals: float


@dataclass(frozen=True)
class GoalView:
    """What a page says of an entity's goals.

    Parameters
    ----------
    standings
        One a goal, in the order of the targets.
    indicators
        `goal, indicator, per, monthly, actual`: monthly targets beside the goals, and what a month has brought of them
        so far, for each of those whom `per` names.
    ahead
        What the next period takes; None where it has no target yet, or there is no funnel.
    offers
        People's own numbers beside the goal; None where nobody was asked.
    """

    standings: tuple[Standing, ...]
    indicators: pd.DataFrame
    ahead: GoalNeed | None = None
    offers: Reconciliation | None = None


def words_of(chance: Chance) -> Words:
    """The word for a probability."""
    if np.isnan(chance.probability):
        return "unknown"
    return next((word for end, word in WORDS if chance.probability < end), "almost_sure")


def due_by(
    base: float, period: Period, as_of: dt.date, weights: Mapping[int, float], working: pd.DatetimeIndex
) -> float:
    """What of a sum should have come by a day: months by the season, days of a month by its working days.

    Parameters
    ----------
    weights
        Calendar month -> weight (`season.Season`).
    working
        Working days of the period.
    """
    parts = []
    for month in period.split("month"):
        days = working[(working >= pd.Timestamp(month.start)) & (working < pd.Timestamp(month.end))]
        done = float((days <= pd.Timestamp(as_of)).mean()) if len(days) else float(as_of >= month.end - ONE_DAY)
        parts.append((weights[month.start.month], done))
    whole = sum(weight for weight, _ in parts)
    return base * sum(weight * done for weight, done in parts) / whole if whole > 0 else float("nan")
