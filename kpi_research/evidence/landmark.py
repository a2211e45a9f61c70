"""Does what was done before a fixed day go with what became of the deal after it?

A landmark analysis (Anderson, Cain & Gelber 1983): only deals still open on day L are looked at, what was done counts
up to that day, and what happens counts from it. A deal that closed before had no time for more contacts; left in, it
would make contacts look useful, or harmful, by its short life alone.

The rule of the second contact is looked at in the same way for every window from 1 to 14 days. The best of fourteen
windows looks good by chance in far more than one of twenty worlds where none matters. So each is held against the
largest of all fourteen statistics in such worlds: the scores of the models without the second contact, summed by
owner and given random signs (Kline & Santos 2012), the same signs in every window, since windows share their deals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpi_research.evidence.deals import Deals, Weeks, touches_before, weeks_at_risk
from kpi_research.evidence.fixed_effects import Estimate, FloatArray, NotEstimableError, t_quantile
from kpi_research.evidence.hazard import fit_scored

LANDMARK_DAYS = (7, 14, 30)
WINDOW_DAYS = tuple(range(1, 15))
DRAWS = 9999
LEVEL = 0.95
DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Landmark:
    """Deals open on one day of their life, what was done before it, and the weeks after it.

    Parameters
    ----------
    done
        By deal: what was done before the day.
    weeks
        From that day on.
    """

    day: int
    done: FloatArray
    weeks: Weeks


@dataclass(frozen=True)
class Window:
    """Deals with a second contact within `day` days of the first against those without; both still open then.

    Parameters
    ----------
    log_ratio
        Log of the ratio of the weekly chances of being won.
    low, high
        The interval that holds, with 95 % probability, the truth of all windows at once.
    p
        Share of worlds without any effect in which the largest statistic of all windows is at least as large.
    """

    day: int
    log_ratio: Estimate
    low: float
    high: float
    p: float


def landmark(known: Deals, day: int, kind: str | None = None) -> Landmark:
    """Contacts before day `day` of each deal's life, for deals that were still open then and on file from the start."""
    at = _open_at(known, known.deals["created_at"] + day * DAY)
    return Landmark(day, touches_before(known, at, kind), weeks_at_risk(known, at))


def second_contact(known: Deals, day: int, first_kind: str | None = None) -> Landmark:
    """Whether there was a second contact within `day` days of the first, which is that of a kind if one is given."""
    touches = known.touches.sort_values(["deal", "occurred_at"], kind="stable")
    openers = touches if first_kind is None else touches[touches["kind"] == first_kind]
    first = openers.drop_duplicates("deal").set_index("deal")
    at = (first["occurred_at"] + day * DAY).where(first["known_at"] <= first["occurred_at"] + day * DAY)
    at = _open_at(known, at.reindex(range(len(known.deals))))
    began = touches["deal"].map(first["occurred_at"])
    limit = at.to_numpy()[touches["deal"].to_numpy(dtype=np.intp)]
    again = (touches["occurred_at"] > began).to_numpy() & (touches["known_at"].to_numpy() <= limit)
    done = np.bincount(touches["deal"].to_numpy(dtype=np.intp)[again], minlength=len(known.deals)) > 0
    return Landmark(day, done.astype(float), weeks_at_risk(known, at))


def windows_together(landmarks: Sequence[Landmark], *, seed: int, draws: int = DRAWS) -> list[Window]:
    """Every window with an interval and a p-value that hold for all of them at once; those that cannot be fitted drop.

    Raises
    ------
    NotEstimableError
        If no window can be fitted.
    """
    fitted = {}
    for each in landmarks:
        try:
            found = fit_scored(each.weeks, each.done[each.weeks.deal], "won")
        except NotEstimableError:
            continue
        fitted[each.day] = found
    if not fitted:
        raise NotEstimableError
    sums = np.column_stack([found.scores for found in fitted.values()])
    size = np.linalg.norm(sums, axis=0)
    statistic = np.abs(sums.sum(axis=0)) / size
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (draws, len(sums)))
    largest = (np.abs(signs @ sums) / size).max(axis=1)
    limit = float(np.quantile(largest, LEVEL))
    windows = []
    for (day, found), own in zip(fitted.items(), statistic, strict=True):
        estimate = found.fit.combine([1.0])
        half = max(limit, t_quantile(0.5 + LEVEL / 2, estimate.df)) * estimate.se
        p = float((1 + np.sum(largest >= own)) / (1 + draws))
        windows.append(Window(day, estimate, estimate.value - half, estimate.value + half, p))
    return windows


def _open_at(known: Deals, moment: pd.Series) -> pd.Series:
    """The moment where the deal was still open then and contacts were on file from its first day; null elsewhere."""
    deals = known.deals
    is_open = deals["closed_at"].isna() | (deals["closed_at"] > moment)
    return moment.where(is_open & (deals["created_at"] >= known.since) & (moment < known.until))
