"""The cohort view: what became of the cases that were opened in a period, step by step.

A row is a stage: how many of the cohort entered it, and how many of those reached the next stage within the step's
window. Cases that are neither there nor lost, and whose window is still open, make a row immature: its rate then is
what it will be if they go on as such cases went before, never the share so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from kpi_research.funnel.records import BREAKDOWNS, Records
from kpi_research.funnel.stages import Stage
from kpi_research.funnel.steps import Windows, observed_from, steps, steps_from_first, well_observed
from kpi_research.funnel.steps import windows as usual_windows
from kpi_research.funnel.survival import NEXT, Array, Curves, curves, median_days, resampled_curves
from kpi_research.policy import INTERVAL_LEVEL, MIN_DENOMINATOR
from kpi_research.proportion import wilson

COHORT_COLUMNS = [
    "view", "group", "part", "place", "stage", "kind", "entered", "reached", "late", "lost", "waiting", "skipped",
    "reopened", "unlinked", "window_days", "rate", "ci_low", "ci_high", "rate_so_far", "rate_of_first", "first_low",
    "first_high", "days_median", "status",
]  # fmt: skip
Key = tuple[str, int]
_EMPTY = pd.DataFrame({"days": [], "ended": [], "to": [], "skipped": [], "reopened": []})
STATUSES = ("ok", "immature", "too_few", "no_cases", "no_window", "last")
UNSEEN = 0.02
"""A curve that ends before the window is read all the same where no more than this share had not ended by then."""
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


@dataclass(frozen=True)
class Past:
    """How cases went on before: what tells of the unfinished ones.

    Parameters
    ----------
    windows
        Stage -> days in which its next stage must be reached to count.
    steps, firsts
        `steps.steps` and `steps.steps_from_first` by part and place.
    """

    windows: Mapping[str, int]
    steps: Mapping[Key, pd.DataFrame]
    firsts: Mapping[Key, pd.DataFrame]
    _drawn: dict[tuple[str, Key, float], tuple[Curves, Curves]] = field(default_factory=dict, repr=False)

    def to_window(
        self, what: Literal["steps", "firsts"], key: Key, window: float, rng: np.random.Generator
    ) -> tuple[Curves, Curves]:
        """The curves of a step as observed, up to its window, and resampled."""
        if (what, key, window) not in self._drawn:
            rows = getattr(self, what).get(key, _NOBODY)
            # what lies beyond the window decides nothing, and on a short grid hundreds of curves cost little
            days = np.minimum(rows["days"].to_numpy(dtype=int), int(window) + 1)
            ended = np.where(rows["days"] <= window, rows["ended"], 0).astype(int)
            seen = well_observed(curves(days, ended))
            self._drawn[what, key, window] = seen, resampled_curves(days, ended, replicates=REPLICATES, rng=rng)
        return self._drawn[what, key, window]


_NOBODY = pd.DataFrame({"days": [], "ended": []})


def past_of(records: Records, windows: Windows | None = None) -> Past:
    """How cases went on before, from all that was entered since the data begin."""
    own, firsts = (observed_from(rows, records) for rows in (steps(records), steps_from_first(records)))
    return Past(usual_windows(records, windows), _by_place(own), _by_place(firsts))


def cohort_view(
    records: Records,
    *,
    start: pd.Timestamp,
    end: pd.Timestamp,
    rng: np.random.Generator,
    past: Past | None = None,
    by: str | None = None,
) -> pd.DataFrame:
    """The funnel of the cases that were opened from `start` on and before `end`.

    Parameters
    ----------
    records
        Of those whom the view is about.
    past
        Whose history tells how unfinished cases go on, and the windows; by default that of `records`.
    by
        A row for each value of `team`, `person`, `segment`, `source`, `industry`, `region` or `product`.

    Returns
    -------
    In `COHORT_COLUMNS`, one row a group, part and stage. `entered = reached + late + lost + waiting`: `late`
    reached the next stage after the window. `rate` = reached / entered where every window is over; `rate_of_first` is
    the share of the cohort that reaches this stage within the windows up to winning together (collection: and its
    own); both null where `status` is not `ok` or `immature`. `status` is `ok`; `immature`; `too_few` (under
    `policy.MIN_DENOMINATOR`); `no_cases`; `no_window` (nobody ever took this step, or no case is old enough to tell);
    `last`. `unlinked`: won deals without a contract, left out.
    """
    past = past or past_of(records)
    opened = records.cases["opened_at"]
    cohort = records.among(records.cases[(opened >= start) & (opened < end)])
    given = cohort.passages, steps(cohort), steps_from_first(cohort)
    rows = [
        {"group": name, **row}
        for name, (here, own, firsts) in _groups(cohort, given, by)
        for part in cohort.parts
        for row in _rows(cohort.model.of(part), part, (_by_place(here), _by_place(own), _by_place(firsts)), past, rng)
    ]
    return pd.DataFrame(rows, columns=COHORT_COLUMNS)


def _groups(
    cohort: Records, given: tuple[pd.DataFrame, ...], by: str | None
) -> Iterator[tuple[str, tuple[pd.DataFrame, ...]]]:
    if by is None:
        yield "", given
        return
    of_case = cohort.cases.set_index(["part", "case_id"])[BREAKDOWNS[by]].fillna("")
    groups = [of_case.reindex(pd.MultiIndex.from_frame(rows[["part", "case_id"]])).to_numpy() for rows in given]
    for value in sorted(of_case.unique()):
        yield str(value), tuple(rows[group == value] for rows, group in zip(given, groups, strict=True))


def _by_place(rows: pd.DataFrame) -> dict[Key, pd.DataFrame]:
    return {(str(part), int(place)): found for (part, place), found in rows.groupby(["part", "place"])}


def _rows(
    stages: Sequence[Stage], part: str, seen: Sequence[dict[Key, pd.DataFrame]], past: Past, rng: np.random.Generator
) -> Iterator[dict[str, object]]:
    horizon, highest = _horizons(stages, past.windows), 1.0
    for place, stage in enumerate(stages):
        key = part, place
        here, own, firsts = (each.get(key, _EMPTY) for each in seen)
        window = float(past.windows.get(stage.name, np.nan))
        is_last = place == len(stages) - 1
        rate = _Rate(status="last") if is_last else _rate(own, ("steps", key, window), past, rng)
        since = _rate(firsts, ("firsts", key, horizon[place]), past, rng) if place else _all(here)
        highest = float(np.nanmin([highest, since.value]))
        yield {
            "view": "cohort", "part": part, "place": place, "stage": stage.name, "kind": stage.kind,
            **_counts(here if is_last else own, window), "unlinked": 0 if is_last else len(here) - len(own),
            "window_days": np.nan if is_last else window, "rate": rate.value, "ci_low": rate.low, "ci_high": rate.high,
            "rate_so_far": rate.so_far, "rate_of_first": np.minimum(highest, since.value), "first_low": since.low,
            "first_high": since.high, "days_median": _days(own), "status": rate.status,
        }  # fmt: skip


def _horizons(stages: Sequence[Stage], windows: Mapping[str, int]) -> list[float]:
    """Days from opening in which each stage must be reached: all the windows up to the end of its own stretch.

    Up to `won` all have the same, so that no stage is reached by more than the one before.
    """
    days = [float(windows.get(stage.name, np.nan)) for stage in stages[:-1]]
    until_won = next((i for i, stage in enumerate(stages) if stage.kind in ("won", "converted")), len(days))
    return [sum(days[: max(place, until_won)]) for place in range(len(stages))]


def _counts(rows: pd.DataFrame, window: float) -> dict[str, int]:
    moves = {"skipped": int(rows["skipped"].sum()), "reopened": int(rows["reopened"].sum())}
    if "ended" not in rows:
        return {"entered": len(rows), "reached": 0, "late": 0, "lost": 0, "waiting": 0} | moves
    went_on, limit = rows["to"] == "next", np.inf if np.isnan(window) else window
    # what happened on the last begun day counts as a fact, though the rates do not look at that day
    in_time = went_on & ((rows["days"] < limit) | ((rows["days"] == limit) & (rows["ended"] == NEXT)))
    lost = int((rows["to"] == "lost").sum())
    reached, late = int(in_time.sum()), int((went_on & ~in_time).sum())
    waiting = len(rows) - reached - late - lost
    return {"entered": len(rows), "reached": reached, "late": late, "lost": lost, "waiting": waiting} | moves


def _all(rows: pd.DataFrame) -> _Rate:
    return _Rate(1.0, np.nan, np.nan, 1.0, "ok") if len(rows) else _Rate()


def _days(rows: pd.DataFrame) -> float:
    if len(rows) < MIN_DENOMINATOR:
        return float("nan")
    return median_days(curves(rows["days"].to_numpy(), rows["ended"].to_numpy()))


def _rate(
    rows: pd.DataFrame, step: tuple[Literal["steps", "firsts"], Key, float], past: Past, rng: np.random.Generator
) -> _Rate:
    """The share that reaches the next stage within the window, those included of whom that is not known yet."""
    window = step[2]
    if rows.empty:
        return _Rate()
    if len(rows) < MIN_DENOMINATOR:
        return _Rate(status="too_few")
    if np.isnan(window):
        return _Rate(status="no_window")
    days, ended = rows["days"].to_numpy(), rows["ended"].to_numpy()
    reached = (ended == NEXT) & (days <= window)
    undecided = (ended == 0) & (days < window)
    so_far = float(reached.mean())
    if not undecided.any():
        low, high = wilson(float(reached.sum()), float(len(rows)))
        return _Rate(so_far, low, high, so_far, "ok")
    seen, drawn = past.to_window(*step, rng)
    if seen.survival[-1] > UNSEEN and len(seen.survival) <= window:
        return _Rate(so_far=so_far, status="no_window")
    expected = float((reached + undecided * chance(seen, days, window)).mean())
    low, high = _interval(reached, undecided, chance(drawn, days, window), rng)
    return _Rate(expected, low, high, so_far, "immature")


def chance(past: Curves, age: Array, window: float) -> Array:
    """Chance that a case that has waited `age` whole days reaches the next stage within the window."""
    last = past.survival.shape[-1] - 1
    age = np.minimum(np.asarray(age, dtype=int), last)
    still, so_far = past.survival[..., age], past.incidence[NEXT - 1][..., age]
    ahead = past.by(window)[..., None] - so_far
    return np.clip(np.divide(ahead, still, out=np.zeros(np.shape(still)), where=still > 0), 0.0, 1.0)


def _interval(reached: Array, undecided: Array, odds: Array, rng: np.random.Generator) -> tuple[float, float]:
    """Bootstrap over cases, those of the cohort and, in `odds`, those of the past; what is undecided is drawn."""
    drawn = reached + undecided * (rng.random(odds.shape) < odds)
    own = rng.multinomial(len(reached), np.full(len(reached), 1 / len(reached)), size=REPLICATES)
    shares = (own * drawn).sum(axis=1) / len(reached)
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(shares, [tail, 1 - tail])
    return float(low), float(high)
