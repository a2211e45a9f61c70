"""People who come, go, and are away in the middle of months, and who learn: visits and results by working day."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pandas as pd

DAYS = 21
"""Working days of a month."""
Presence = npt.NDArray[np.bool_]
"""People x working days: who is there."""


def comings(rng: np.random.Generator, people: int, months: int, *, joiners: float, leavers: float) -> Presence:
    """Shares of the people come in the first half of the time and go in the second, on any day."""
    days = np.arange(months * DAYS)
    half = len(days) // 2
    first = np.where(rng.random(people) < joiners, rng.integers(1, half, people), 0)
    last = np.where(rng.random(people) < leavers, rng.integers(half, len(days), people), len(days))
    return (days >= first[:, None]) & (days < last[:, None])


def leaves(rng: np.random.Generator, people: int, months: int) -> Presence:
    """Everybody is away once a year for twenty working days over a month's end, so that two months lack half of them."""
    there = np.ones((people, months * DAYS), dtype=bool)
    for person in range(people):
        for year in range(months // 12):
            start = (12 * year + rng.integers(0, 11)) * DAYS + 11
            there[person, start : start + 20] = False
    return there


def part_time(rng: np.random.Generator, people: int, months: int) -> Presence:
    """Three in ten work three days of five for half a year or more, up to a year."""
    there = np.ones((people, months * DAYS), dtype=bool)
    for person in np.flatnonzero(rng.random(people) < 0.3):
        length = rng.integers(6 * DAYS, 12 * DAYS)
        start = rng.integers(0, months * DAYS - length)
        there[person, start : start + length] &= np.arange(length) % 5 < 3
    return there


def short_leaves(rng: np.random.Generator, people: int, months: int) -> Presence:
    """One to three weeks away, begun in three months of ten: a quarter of all months lack days."""
    there = np.ones((people, months * DAYS), dtype=bool)
    for person, start in zip(*np.nonzero(rng.random(there.shape) < 0.3 / DAYS), strict=True):
        there[person, start : start + 5 * rng.integers(1, 4)] = False
    return there


def company(
    rng: np.random.Generator, there: Presence, *, effect: float = 0.0, ramp_months: int = 0, spread: float = 0.5,
    regardless: Collection[str] = (),
) -> pd.DataFrame:  # fmt: skip
    """A panel of `visits` and `amount`, each the sum of what was done on the days on which somebody was there.

    Parameters
    ----------
    effect
        Share by which amounts are higher for one standard deviation of the visits a day of the month before.
    ramp_months
        So long visits and amounts a day of who joined later grow from a third to what is usual.
    spread
        Standard deviation of a full month's amount within a person, as a share of its mean; it adds up over days.
    regardless
        What comes in whether or not somebody is there that day, in every month with a day of theirs.
    """
    people, days = there.shape
    months = days // DAYS
    worked = there.reshape(people, months, DAYS).sum(axis=2)
    learnt = np.ones((people, months))
    if ramp_months:
        joined = there.argmax(axis=1)[:, None]
        grown = np.clip((np.arange(months) - joined / DAYS) / ramp_months, 0, 1)
        learnt = np.where(joined > 0, 1 / 3 + 2 / 3 * grown, 1.0)
    swing, season = rng.standard_normal((people, months)), rng.standard_normal((2, 1, months))
    share = {kpi: (worked > 0) * 1.0 if kpi in regardless else worked / DAYS for kpi in ("visits", "amount")}
    usual = 20 * np.exp(rng.normal(0, 0.2, (people, 1)) + 0.1 * season[0])
    visits = rng.poisson(usual * learnt * np.exp(0.25 * swing) * share["visits"])
    mean = 100 * np.exp(rng.normal(0, 0.3, (people, 1)) + 0.1 * season[1])
    before = np.column_stack([np.zeros(people), swing[:, :-1]])
    chance = spread * rng.standard_normal((people, months)) / np.sqrt(np.maximum(share["amount"], 1 / DAYS))
    amount = mean * (learnt * (1 + effect * before) + chance) * share["amount"]
    return _long({"visits": visits, "amount": amount}, worked)


def _long(values: dict[str, np.ndarray], worked: np.ndarray) -> pd.DataFrame:
    person, month = np.nonzero(worked)
    rows = {
        "level": "person",
        "entity_id": np.char.mod("u%03d", person),
        "period": [f"{2024 + m // 12}-{m % 12 + 1:02d}" for m in month],
        "status": "ok",
        "working_days": worked[person, month].astype(float),
        "additive": True,
    }
    each = [pd.DataFrame({**rows, "kpi": kpi, "value": x[person, month].astype(float)}) for kpi, x in values.items()]
    return pd.concat(each, ignore_index=True)
