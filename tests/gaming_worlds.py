"""Rows of made-up people, honest ones and such as work to the number, with the truth known."""

from __future__ import annotations

import numpy as np

SHAPES = ("hill", "low", "skewed", "peaked", "uneven people", "two hills")
DAY = np.timedelta64(86_400, "s")


def attainments(shape: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Actual results, targets and people (ten results each) of a smooth spread of attainment."""
    person = np.repeat(np.arange(n // 10), 10)
    made = {
        "hill": lambda: rng.normal(1, 0.25, n),
        "low": lambda: rng.normal(0.85, 0.3, n),
        "skewed": lambda: np.exp(rng.normal(-0.05, 0.35, n)),
        "peaked": lambda: 1 + rng.laplace(0, 0.15, n),
        "uneven people": lambda: rng.normal(1, 0.2, n // 10)[person] + rng.normal(0, 0.15, n),
        "two hills": lambda: np.where(rng.random(n) < 0.5, rng.normal(0.7, 0.15, n), rng.normal(1.2, 0.2, n)),
    }[shape]()
    target = 100_000 * np.exp(rng.normal(0, 0.3, n))
    return made * target, target, person


def moved(
    actual: np.ndarray, target: np.ndarray, share: float, rng: np.random.Generator, *, is_count: bool = False
) -> np.ndarray:
    """The same with such a share of all results moved from below the target to just above it."""
    low = np.flatnonzero((actual < target) & (actual >= 0.7 * target - is_count))
    chosen = rng.choice(low, min(round(share * len(actual)), len(low)), replace=False)
    changed = actual.copy()
    changed[chosen] = target[chosen] * (1 if is_count else 1 + rng.uniform(0, 0.04, len(chosen)))
    return changed


def small_counts(target: float, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counted results against whole targets of about this size."""
    person = np.repeat(np.arange(n // 10), 10)
    targets = np.maximum(1.0, np.round(target * np.exp(rng.normal(0, 0.2, n // 10))))[person]
    return rng.poisson(targets * np.exp(rng.normal(-0.02, 0.25, n))).astype(float), targets, person


def working_days(ends: int, length: int, rng: np.random.Generator, *, pulled: float = 0.0) -> np.ndarray:
    """Counts of 40 people by working day, growing, more on Fridays; a share of each period's first days pulled ahead."""
    days = length * (ends + 1)
    level = np.exp(rng.normal(-2, 0.4, 40))[:, None] * np.exp(np.linspace(0, 0.8, days) + rng.normal(0, 0.15, days))
    counts = rng.poisson(level * (1 + 0.3 * (np.arange(days) % 5 == 4)))
    for end in range(length, days, length):
        early = rng.binomial(counts[:, end : end + 3], pulled)
        counts[:, end : end + 3] -= early
        counts[:, end - 3 : end] += early
    return counts.astype(float)


def diaries(
    rng: np.random.Generator, *, people: int = 20, months: int = 12, rows: float = 20, bursts: float = 0.0,
    weekly: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Person, time of occurring and of recording: each evening, each Friday, or in some months all within an hour."""
    frames = []
    for person in range(people):
        for month in range(months):
            n = max(1, rng.poisson(rows))
            place = np.sort(rng.integers(0, 20, n))
            first = np.busday_offset(np.datetime64("2025-01", "M") + month, 0, roll="forward", weekmask="1000000")
            day = first.astype("M8[s]") + (place + 2 * (place // 5)) * DAY
            occurred = day + rng.integers(9 * 3600, 17 * 3600, n).astype("m8[s]")
            late = (4 - place % 5) * DAY if weekly else np.zeros(n, dtype=int) * DAY
            recorded = day + late + np.timedelta64(18, "h") + rng.integers(0, 1800, n).astype("m8[s]")
            if rng.random() < bursts:
                together = day.max() + np.timedelta64(20, "h") + rng.integers(0, 3000, n).astype("m8[s]")
                recorded = np.where(rng.random(n) < 0.8, together, recorded)
            frames.append((np.full(n, person), occurred, recorded))
    return tuple(np.concatenate(part) for part in zip(*frames, strict=True))


def weighted(
    rng: np.random.Generator, *, people: int = 40, before: float = 0.6, after: float = 0.6, rise: float = 3.0,
    trend: float = 0.0, shares: tuple[float, float] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray] | None]:  # fmt: skip
    """Results, counts, starts and effective ones of 24 months; the KPI has weight from the 13th on.

    A unit brings `before` or `after` of results in the two months after it; all results follow the market's `trend`.
    """
    months, start = 24, 12
    is_after = np.arange(months)[None, :] >= start
    counts = rng.poisson(rng.gamma(8, 10 / 8, people)[:, None] + rise * is_after).astype(float)
    worth = np.where(is_after, after, before) * counts
    brought = np.zeros_like(counts)
    brought[:, 1:] += 0.6 * worth[:, :-1]
    brought[:, 2:] += 0.4 * worth[:, :-2]
    own = 5 + rng.normal(0, 1, people)[:, None] + rng.normal(0, 3, counts.shape)
    results = np.maximum(0.0, (own + brought) * np.exp(trend * np.arange(months)))
    effective = None
    if shares:
        judged = np.broadcast_to(np.where(is_after, shares[1], shares[0]), counts.shape)
        effective = rng.binomial(counts.astype(int), judged).astype(float), counts
    return results, counts, np.full(people, start), effective
