"""Deals with a known truth: how much one more contact changes the weekly chance of a win, and nothing else.

Every world has what makes naive analyses go wrong. Owners differ in skill and in diligence, and the two go together.
Deals that fail fail early, while wins take their time, so that deals that are won have lived longer. Contacts become
rarer as a deal ages. Some are typed in late, some after the win that they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

START = pd.Timestamp("2024-01-01")
DAYS = 540


@dataclass(frozen=True)
class World:
    """Log hazard ratio of a win for one more contact in the last week, and for one more a week in the three before."""

    owners: int = 20
    deals_each: int = 40
    last_week: float = 0.0
    before: float = 0.0
    second_contact: float = 0.0
    touch_rate: float = 0.8
    win: float = 0.05
    loss: float = 0.06


def draw(world: World, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Deals and contacts as `evidence.deals.known_deals` takes them; decided day by day, at the day's end."""
    n = world.owners * world.deals_each
    owner = np.repeat(np.arange(world.owners), world.deals_each)
    skill = rng.normal(0, 0.4, world.owners)
    diligence = 0.6 * skill + rng.normal(0, 0.3, world.owners)
    opened = rng.uniform(0, DAYS - 30, n)
    weeks = 60
    week = np.arange(weeks)
    rate = world.touch_rate * np.exp(diligence[owner])[:, None] * np.exp(-0.06 * week) / 0.8
    counts = rng.poisson(rate)
    last = np.column_stack([np.zeros(n), counts[:, :-1]])
    earlier = sum(np.column_stack([np.zeros((n, back)), counts[:, :-back]]) for back in (2, 3, 4))
    earlier = earlier / np.clip(week - 1, 1, 3)
    touches = _touches(counts, opened, rng)
    second = _second_within(touches, n, 3)
    season = 0.3 * np.sin(2 * np.pi * (opened[:, None] + 7 * week) / 365)
    log_win = np.log(world.win) + skill[owner][:, None] + season + 0.05 * np.minimum(week, 10) - 0.2
    log_win = log_win + world.last_week * last + world.before * earlier + world.second_contact * second[:, None]
    log_loss = np.log(world.loss) + 0.6 * (week < 3) - 0.1 * np.minimum(week, 10)
    win, loss = np.exp(log_win), np.exp(np.broadcast_to(log_loss, log_win.shape))
    # competing exponential clocks inside a week
    wait = rng.exponential(1.0, (n, weeks)) / (win + loss)
    ends = wait < 1
    at = np.where(ends.any(axis=1), ends.argmax(axis=1), weeks)
    inside = np.take_along_axis(wait, np.minimum(at, weeks - 1)[:, None], axis=1)[:, 0]
    row = np.arange(n), np.minimum(at, weeks - 1)
    outcome = np.where(rng.random(n) < win[row] / (win + loss)[row], "won", "lost")
    closed = np.where(at < weeks, opened + 7 * (at + np.minimum(inside, 0.999)), np.inf)
    outcome = np.where(closed < DAYS, outcome, "open")
    deals = pd.DataFrame(
        {
            "opportunity_id": [f"D{i:05d}" for i in range(n)],
            "owner_id": [f"P{i:03d}" for i in owner],
            "created_at": _time(opened),
            "closed_at": _time(np.where(closed < DAYS, closed, np.nan)),
            "outcome": outcome,
        }
    )
    return deals, _entered(deals, touches, closed, rng)


def _touches(counts: np.ndarray, opened: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    deal, week = (np.repeat(index, counts.ravel()) for index in np.indices(counts.shape).reshape(2, -1))
    return pd.DataFrame({"deal": deal, "at": opened[deal] + 7 * (week + rng.random(len(deal)))})


def _second_within(touches: pd.DataFrame, n: int, days: float) -> np.ndarray:
    """Whether the second contact came within so many days of the first."""
    ordered = touches.sort_values(["deal", "at"])
    second = ordered.groupby("deal")["at"].nth([0, 1])
    first_two = ordered.loc[second.index]
    gap = first_two.groupby("deal")["at"].agg(["min", "max", "size"])
    soon = gap.index[(gap["size"] == 2) & (gap["max"] - gap["min"] <= days)]
    return np.isin(np.arange(n), soon).astype(float)


def _entered(deals: pd.DataFrame, touches: pd.DataFrame, closed: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """What was really done while open, and for wins a few contacts that are typed in afterwards."""
    real = touches[touches["at"] < np.minimum(closed, DAYS)[touches["deal"]]]
    won = np.flatnonzero(deals["outcome"] == "won")
    made_up = won[rng.random(len(won)) < 0.3]
    back = pd.DataFrame({"deal": made_up, "at": closed[made_up] - rng.uniform(0, 10, len(made_up))})
    at = np.concatenate([real["at"], back["at"]])
    recorded = np.concatenate([real["at"] + rng.uniform(0, 0.2, len(real)), closed[made_up] + 0.5])
    deal = np.concatenate([real["deal"], back["deal"]]).astype(int)
    return pd.DataFrame(
        {
            "opportunity_id": deals["opportunity_id"].to_numpy()[deal],
            "kind": "visit",
            "occurred_at": _time(at),
            "recorded_at": _time(recorded),
        }
    )


def _time(days: np.ndarray) -> pd.Series:
    return pd.Series(START + pd.to_timedelta(days, unit="D")).astype("datetime64[us]")


def naive_logit(deals: pd.DataFrame, touches: pd.DataFrame) -> tuple[float, float]:
    """What must not be done: the logit of win on all contacts of a deal's life; its slope and p-value."""
    import statsmodels.api as sm

    total = deals["opportunity_id"].map(touches.groupby("opportunity_id").size()).fillna(0.0)
    fitted = sm.Logit((deals["outcome"] == "won").astype(float), sm.add_constant(total.to_numpy())).fit(disp=0)
    return float(fitted.params.iloc[1]), float(fitted.pvalues.iloc[1])
