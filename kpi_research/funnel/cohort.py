"""The cohort view: what became of the cases that were opened in a period, step by step.

A row is a stage: how many of the cohort entered it, and how many of those reached the next stage within the step's
window. Cases that are neither there nor lost, and whose window is still open, make a row immature: its rate then is
what it will be if they go on as such cases went before, never the share so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpi_research.funnel.records import BREAKDOWNS, Records
from kpi_research.funnel.stages import Stage
from kpi_research.funnel.steps import Windows, observed_from, steps, steps_from_first, well_observed
from kpi_research.funnel.steps import windows as usual_windows
from kpi_research.funnel.survival import LOST, NEXT, Array, Curves, curves, median_days, resampled_curves
from kpi_research.policy import INTERVAL_LEVEL, MIN_DENOMINATOR
from kpi_research.proportion import wilson

COHORT_COLUMNS = [
    "view", "group", "part", "place", "stage", "kind", "entered", "reached", "late", "lost", "waiting", "skipped",
    "reopened", "unlinked", "window_days", "rate", "ci_low", "ci_high", "rate_so_far", "rate_of_first", "first_low",
    "first_high", "days_median", "status",
]  # fmt: skip
STATUSES = ("ok", "immature", "too_few", "no_cases", "no_window", "last")
REPLICATES = 300
"""Resamples behind an immature rate's interval: its ends then move by less than half a point from seed to seed."""


@dataclass(frozen=True)
class _Rate:
    """A rate with its interval; `so_far` counts unfinished cases as failed."""

    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    so_far: float = float("nan")
    status: str = "no_cases"


def cohort_view(
    records: Records,
    *,
    start: pd.Timestamp,
    end: pd.Timestamp,
    rng: np.random.Generator,
    windows: Windows | None = None,
    by: str | None = None,
    reference: Records | None = None,
) -> pd.DataFrame:
    """The funnel of the cases that were opened from `start` on and before `end`.

    Parameters
    ----------
    records
        Of those whom the view is about.
    windows
        Stage -> days in which its next stage must be reached to count; others have their usual ones (`steps.windows`).
    by
        A row for each value of `team`, `person`, `segment`, `source`, `industry`, `region` or `product`.
    reference
        Whose history tells how unfinished cases go on, and the usual windows; by default `records`.

    Returns
    -------
    In `COHORT_COLUMNS`, one row a group, part and stage. `entered = reached + late + lost + waiting`: `late` reached
    the next stage after the window. `rate` = reached / entered where every window is over; `rate_of_first` is the
    share of the cohort that reaches this stage within the windows up to winning together (collection: and its own);
    both null where `status` is not `ok` or `immature`. `status` is `ok`; `immature`; `too_few` (under
    `policy.MIN_DENOMINATOR`); `no_cases`; `no_window` (nobody ever took this step, or no case is old enough to tell);
    `last`. `unlinked`: won deals without a contract, left out.
    """
    reference = reference or records
    usual = usual_windows(reference, windows)
    history = {
        "step": observed_from(steps(reference), reference),
        "first": observed_from(steps_from_first(reference), reference),
    }
    opened = records.cases["opened_at"]
    cohort = records.among(records.cases[(opened >= start) & (opened < end)])
    groups = _groups(cohort, by)
    rows = [row for name, group in groups for row in _rows(group, name, history, usual, rng)]
    return pd.DataFrame(rows, columns=COHORT_COLUMNS)


def _groups(cohort: Records, by: str | None) -> Iterator[tuple[str, Records]]:
    if by is None:
        yield "", cohort
        return
    column = cohort.cases[BREAKDOWNS[by]].fillna("")
    for value in sorted(column.unique()):
        yield str(value), cohort.among(cohort.cases[column == value])


def _rows(
    cohort: Records,
    group: str,
    history: Mapping[str, pd.DataFrame],
    windows: Mapping[str, int],
    rng: np.random.Generator,
) -> Iterator[dict[str, object]]:
    own, first = steps(cohort), steps_from_first(cohort)
    for part in cohort.parts:
        stages = cohort.model.of(part)
        horizon, highest = _horizons(stages, windows), 1.0
        for place, stage in enumerate(stages):
            here = cohort.passages[(cohort.passages["part"] == part) & (cohort.passages["place"] == place)]
            window = float(windows.get(stage.name, np.nan))
            rows, past = _at(own, part, place), _at(history["step"], part, place)
            is_last = place == len(stages) - 1
            rate = _Rate(status="last") if is_last else _rate(rows, past, window, rng)
            since = _all(here)
            if place:
                since = _rate(_at(first, part, place), _at(history["first"], part, place), horizon[place], rng)
            highest = float(np.nanmin([highest, since.value]))
            yield {
                "view": "cohort", "group": group, "part": part, "place": place, "stage": stage.name, "kind": stage.kind,
                **_counts(here if is_last else rows, window), "unlinked": 0 if is_last else len(here) - len(rows),
                "window_days": np.nan if is_last else window, "rate": rate.value, "ci_low": rate.low,
                "ci_high": rate.high, "rate_so_far": rate.so_far, "rate_of_first": min(highest, since.value),
                "first_low": since.low, "first_high": since.high, "days_median": _days(rows), "status": rate.status,
            }  # fmt: skip


def _horizons(stages: Sequence[Stage], windows: Mapping[str, int]) -> list[float]:
    """Days from opening in which each stage must be reached: all the windows up to the end of its own stretch.

    Up to `won` all have the same, so that no stage is reached by more than the one before.
    """
    days = [float(windows.get(stage.name, np.nan)) for stage in stages[:-1]]
    until_won = next((i for i, stage in enumerate(stages) if stage.kind in ("won", "converted")), len(days))
    return [sum(days[: max(place, until_won)]) for place in range(len(stages))]


def _at(rows: pd.DataFrame, part: str, place: int) -> pd.DataFrame:
    return rows[(rows["part"] == part) & (rows["place"] == place)]


def _counts(rows: pd.DataFrame, window: float) -> dict[str, int]:
    moves = {"skipped": int(rows["skipped"].sum()), "reopened": int(rows["reopened"].sum())}
    if "ended" not in rows:
        return {"entered": len(rows), "reached": 0, "late": 0, "lost": 0, "waiting": 0} | moves
    went_on = rows["ended"] == NEXT
    in_time = went_on & (rows["days"] <= (np.inf if np.isnan(window) else window))
    lost = int((rows["ended"] == LOST).sum())
    reached, late = int(in_time.sum()), int((went_on & ~in_time).sum())
    waiting = len(rows) - reached - late - lost
    return {"entered": len(rows), "reached": reached, "late": late, "lost": lost, "waiting": waiting} | moves


def _all(rows: pd.DataFrame) -> _Rate:
    return _Rate(1.0, np.nan, np.nan, 1.0, "ok") if len(rows) else _Rate()


def _days(rows: pd.DataFrame) -> float:
    if len(rows) < MIN_DENOMINATOR:
        return float("nan")
    return median_days(curves(rows["days"].to_numpy(), rows["ended"].to_numpy()))


def _rate(rows: pd.DataFrame, history: pd.DataFrame, window: float, rng: np.random.Generator) -> _Rate:
    """The share that reaches the next stage within the window, those included of whom that is not known yet."""
    if rows.empty:
        return _Rate()
    if np.isnan(window):
        return _Rate(status="no_window")
    days, ended = rows["days"].to_numpy(), rows["ended"].to_numpy()
    reached = (ended == NEXT) & (days <= window)
    undecided = (ended == 0) & (days < window)
    so_far = float(reached.mean())
    if len(rows) < MIN_DENOMINATOR:
        return _Rate(so_far=so_far, status="too_few")
    if not undecided.any():
        low, high = wilson(float(reached.sum()), float(len(rows)))
        return _Rate(so_far, low, high, so_far, "ok")
    past = well_observed(curves(history["days"].to_numpy(), history["ended"].to_numpy()))
    if past.survival[-1] > 0 and len(past.survival) <= window:
        return _Rate(so_far=so_far, status="no_window")
    expected = float((reached + undecided * chance(past, days, window)).mean())
    low, high = _interval(rows, history, window, reached, undecided, rng)
    return _Rate(expected, low, high, so_far, "immature")


def chance(past: Curves, age: Array, window: float) -> Array:
    """Chance that a case that has waited `age` whole days reaches the next stage within the window."""
    last = past.survival.shape[-1] - 1
    age = np.minimum(np.asarray(age, dtype=int), last)
    still, so_far = past.survival[..., age], past.incidence[NEXT - 1][..., age]
    ahead = past.by(window)[..., None] - so_far
    return np.clip(np.divide(ahead, still, out=np.zeros(np.shape(still)), where=still > 0), 0.0, 1.0)


def _interval(
    rows: pd.DataFrame, history: pd.DataFrame, window: float, reached: Array, undecided: Array, rng: np.random.Generator
) -> tuple[float, float]:
    """Bootstrap over cases, those of the cohort and those of the past; what is undecided is drawn."""
    past = resampled_curves(history["days"].to_numpy(), history["ended"].to_numpy(), replicates=REPLICATES, rng=rng)
    odds = chance(past, rows["days"].to_numpy(), window)
    drawn = reached + undecided * (rng.random(odds.shape) < odds)
    own = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=REPLICATES)
    shares = (own * drawn).sum(axis=1) / len(rows)
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(shares, [tail, 1 - tail])
    return float(low), float(high)
