"""Panels of which it is known what works: one KPI drives the result with a planted effect, the others do not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpi_research.evidence.study import Study


def autoregressive(rng: np.random.Generator, shape: tuple[int, int], rho: float) -> np.ndarray:
    """Stationary with unit variance, one row a person."""
    shocks = rng.standard_normal((shape[0], shape[1] + 20))
    for t in range(1, shocks.shape[1]):
        shocks[:, t] = rho * shocks[:, t - 1] + np.sqrt(1 - rho**2) * shocks[:, t]
    return shocks[:, 20:]


def world(rng: np.random.Generator, people: int = 40, periods: int = 24, beta: float = 0.15) -> dict[str, np.ndarray]:
    """People with talent, a season, common shocks, territories with lasting demand; only `driver` does anything."""
    shape = (people, periods)
    talent, season = rng.standard_normal((people, 1)), 0.5 * np.sin(2 * np.pi * np.arange(periods) / 12)
    driver = 0.5 * talent + season + autoregressive(rng, shape, 0.4)
    revenue = talent + season + 0.3 * rng.standard_normal(periods) + 0.5 * autoregressive(rng, shape, 0.7)
    revenue += rng.standard_normal(shape)
    revenue[:, 1:] += beta * driver[:, :-1]
    last = np.column_stack([np.zeros(people), revenue[:, :-1]])
    return {
        "revenue": revenue,
        "driver": driver,
        "talent": 0.8 * talent + 1.5 * season + autoregressive(rng, shape, 0.4),
        "noise": autoregressive(rng, shape, 0.4),
        "feedback": 0.3 * last + autoregressive(rng, shape, 0.4),
        "contracts": revenue + 0.5 * rng.standard_normal(shape),
    }


def spread_effect(
    rng: np.random.Generator, people: int, periods: int, *, rho: float, lags: int, total: float
) -> tuple[np.ndarray, np.ndarray]:
    """Result (AR `rho`) and KPI of which `total` works in equal parts on the next `lags` results."""
    x, y = autoregressive(rng, (people, periods + lags), 0.4), autoregressive(rng, (people, periods + lags), rho)
    for lag in range(1, lags + 1):
        y[:, lags:] += total / lags * x[:, lags - lag : -lag]
    return y[:, lags:], x[:, lags:]


def panel_of(arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """Arrays (persons x months) as a long panel; NaN becomes a missing value with a reason."""
    parts = []
    for kpi, values in arrays.items():
        people, periods = values.shape
        months = [f"{2024 + t // 12}-{t % 12 + 1:02d}" for t in range(periods)]
        columns = {
            "level": "person",
            "entity_id": np.repeat([f"u{i:03d}" for i in range(people)], periods),
            "period": np.tile(months, people),
            "kpi": kpi,
            "value": values.ravel(),
            "numerator": values.ravel(),
            "denominator": np.nan,
            "n": 10,
            "status": np.where(np.isnan(values.ravel()), "no_data", "ok"),
            "working_days": 21,
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def codes(found: Study) -> dict[str, str]:
    """The letter of every KPI."""
    return dict(zip(found.verdicts["kpi"], found.verdicts["code"], strict=True))
