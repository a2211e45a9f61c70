"""Simulated companies whose teams come under a new scheme at known times, with known effects."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pandas as pd
from golden.planted_worlds import autoregressive

MONTHS = 36
Effect = Callable[[np.ndarray, np.ndarray], np.ndarray]


def teams_of(people: int, teams: int) -> np.ndarray:
    return np.arange(people) % teams


def starts_of(teams: int, unchanged: int, dates: tuple[int, ...], months: int = MONTHS) -> np.ndarray:
    """First month under the change by team; `months` for the last `unchanged` teams."""
    return np.append(np.resize(dates, teams - unchanged), np.full(unchanged, months))


def errors(
    rng: np.random.Generator, team: np.ndarray, *, months: int = MONTHS, shock: float = 0.3, rho: float = 0.6
) -> np.ndarray:
    """Talent, month shocks, a person's own noise (standard deviation 1) and AR shocks that a team shares, N x T."""
    people, shape = len(team), (int(team.max()) + 1, months)
    shared = shock * autoregressive(rng, shape, rho)[team]
    common = rng.normal(size=(people, 1)) + 0.3 * rng.normal(size=months)
    return common + shared + rng.normal(size=(people, months))


def under_change(start: np.ndarray, effect: Effect, months: int = MONTHS) -> np.ndarray:
    """N x T true effects; `effect` takes months since the change and the first month under it."""
    since = np.arange(months) - start[:, None]
    return np.where((since >= 0) & (start < months)[:, None], effect(since, start[:, None]), 0.0)


def long_panel(values: dict[str, np.ndarray], first: str = "2023-01") -> pd.DataFrame:
    """The arrays (N x T) as the long panel that `study` takes; what is NaN has no row."""
    frames = []
    for kpi, cube in values.items():
        people, months = cube.shape
        names = [str(each) for each in pd.period_range(first, periods=months, freq="M")]
        frames.append(
            pd.DataFrame(
                {
                    "level": "person",
                    "entity_id": np.repeat([f"P{i:03d}" for i in range(people)], months),
                    "period": np.tile(names, people),
                    "kpi": kpi,
                    "value": cube.ravel(),
                    "status": "ok",
                }
            )
        )
    return pd.concat(frames, ignore_index=True).dropna(subset="value")


def membership(team: np.ndarray) -> dict[str, str]:
    return {f"P{i:03d}": f"T{code:02d}" for i, code in enumerate(team)}


def days_of(starts: np.ndarray, first: dt.date = dt.date(2023, 1, 1), months: int = MONTHS) -> dict[str, dt.date]:
    """First days under the change of the teams that have one."""
    return {
        f"T{code:02d}": dt.date(
            first.year + (first.month - 1 + int(month)) // 12, (first.month - 1 + int(month)) % 12 + 1, 1
        )
        for code, month in enumerate(starts)
        if month < months
    }
