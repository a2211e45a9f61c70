"""Where the funnel loses money: what one point more at each step would bring in, and which step is worse than usual.

    worth of a step = cases that enter it in the period x 0.01 x what one case more at the next stage brings in
    what a case at a stage brings in = product of the later steps' rates x mean amount of a won deal

Everything else stays as it is: the case more is like the others. For the step to collection the money is what is paid
instead of what is signed. Rates are Aalen-Johansen incidences within each step's window, so that unfinished cases
neither count as failed nor are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpi_research.funnel.records import Records
from kpi_research.funnel.stages import Part, Stage
from kpi_research.funnel.steps import Windows, observed_from, steps
from kpi_research.funnel.steps import windows as usual_windows
from kpi_research.funnel.survival import Array, curves
from kpi_research.policy import INTERVAL_LEVEL

WORTH_COLUMNS = [
    "part", "place", "stage", "kind", "entered", "n", "n_usual", "rate", "rate_low", "rate_high", "usual", "difference",
    "diff_low", "diff_high", "worth", "worth_low", "worth_high", "at_stake", "at_stake_low", "at_stake_high",
    "standing", "is_bottleneck", "status",
]  # fmt: skip
POINT = 0.01
REPLICATES = 400
LEAST_CASES = 30
"""With fewer cases in a step than these no rate is held against another."""
YEAR = pd.DateOffset(years=1)
Key = tuple[Part, int]


@dataclass(frozen=True)
class _Sample:
    """Resampled rates of every step, and money: arrays of `1 + REPLICATES`, the first of them as observed."""

    rates: Mapping[Key, Array]
    counts: Mapping[Key, int]
    amount: Array
    signed: Array


def worth_of_a_point(
    records: Records,
    *,
    start: pd.Timestamp,
    end: pd.Timestamp,
    rng: np.random.Generator,
    others: Records | None = None,
    windows: Windows | None = None,
) -> pd.DataFrame:
    """For each step what one point more would have brought in, and whether it is worse than usual.

    Parameters
    ----------
    start, end
        The period whose cases are counted; rates are of the year up to `end`.
    others
        Whom the rates are held against over the same year, such as the other teams; by default the own year before.
    windows
        As in `cohort_view`.

    Returns
    -------
    In `WORTH_COLUMNS`, one row a step. Money in the client's currency. `difference` = rate - usual with an interval
    that holds for all steps together (Bonferroni); `standing` is `behind`, `ahead`, `not_apart` or `cannot_tell` (under
    `LEAST_CASES` on either side); `at_stake` = what the usual rate would have brought in more. `is_bottleneck`: of the
    steps that are behind, that with most at stake; without one behind there is none. `status` is `ok`, `too_few` or
    `no_amount` (no won deal has an amount).

    Notes
    -----
    Bootstrap over cases (Poisson weights, every case with all its steps and its amount), percentiles of
    `policy.INTERVAL_LEVEL`. Comparing does not say why: a harder territory looks like weaker selling.
    """
    reference = others or records
    usual_days = usual_windows(reference, windows) | usual_windows(records, windows)
    own = _sampled(records, (end - YEAR, end), usual_days, rng)
    usual = _sampled(reference, (end - YEAR, end) if others else (end - 2 * YEAR, end - YEAR), usual_days, rng)
    keys = list(own.rates)
    entered = _entered(records, start, end)
    signed = _signed(records, start, end)
    rows = [_row(records, key, own, usual, (entered.get(key, 0), signed), tests=len(keys)) for key in keys]
    frame = pd.DataFrame(rows, columns=WORTH_COLUMNS)
    behind = frame[(frame["standing"] == "behind") & (frame["at_stake"] > 0)]
    frame["is_bottleneck"] = frame.index == (behind["at_stake"].idxmax() if len(behind) else -1)
    return frame


def _sampled(
    records: Records, span: tuple[pd.Timestamp, pd.Timestamp], days: Windows, rng: np.random.Generator
) -> _Sample:
    rows = observed_from(steps(records), records)
    rows = rows[(rows["entered_at"] >= span[0]) & (rows["entered_at"] < span[1])]
    cases = pd.Index(rows["part"] + "\0" + rows["case_id"]).unique()
    weights = np.vstack([np.ones(len(cases)), rng.poisson(1.0, (REPLICATES, len(cases)))])
    rates: dict[Key, Array] = {}
    counts: dict[Key, int] = {}
    for part in records.parts:
        for place, stage in enumerate(records.model.of(part)[:-1]):
            here = rows[(rows["part"] == part) & (rows["place"] == place)]
            counts[part, place] = len(here)
            rates[part, place] = _incidence(here, cases, weights, days.get(stage.name))
    won = records.cases[(records.cases["outcome"] == "won") & (records.cases["amount"] > 0)]
    won = won[(won["closed_at"] >= span[0]) & (won["closed_at"] < span[1])]
    amount = won["amount"].to_numpy()
    counted = np.vstack([np.ones(len(won)), rng.poisson(1.0, (REPLICATES, len(won)))])
    total, number = counted @ amount, counted.sum(axis=1)
    mean = np.divide(total, number, out=np.full(len(number), np.nan), where=number > 0)
    return _Sample(rates, counts, mean, total)


def _incidence(rows: pd.DataFrame, cases: pd.Index, weights: Array, window: int | None) -> Array:
    if rows.empty or window is None:
        return np.full(len(weights), np.nan)
    of_case = cases.get_indexer(pd.Index(rows["part"] + "\0" + rows["case_id"]))
    # what lies beyond the window decides nothing, and a short grid makes hundreds of curves cheap
    days = np.minimum(rows["days"].to_numpy(), window + 1)
    ended = np.where(rows["days"] <= window, rows["ended"], 0)
    return curves(days, ended, weights=weights[:, of_case], grid=window).by(window)


def _entered(records: Records, start: pd.Timestamp, end: pd.Timestamp) -> dict[Key, int]:
    rows = steps(records)
    rows = rows[(rows["entered_at"] >= start) & (rows["entered_at"] < end)]
    return {(part, int(place)): int(n) for (part, place), n in rows.groupby(["part", "place"]).size().items()}


def _signed(records: Records, start: pd.Timestamp, end: pd.Timestamp) -> float:
    cases = records.cases
    won = cases[(cases["outcome"] == "won") & (cases["closed_at"] >= start) & (cases["closed_at"] < end)]
    return float(won["amount"].sum())


def _value_ahead(records: Records, key: Key, sample: _Sample) -> Array:
    """What one case more at the next stage brings in, in every resample."""
    part, place = key
    stages = records.model.of(part)
    until = len(stages) - 1 if part == "leads" else _place_of_winning(stages)
    chain = np.ones(len(sample.amount))
    for later in range(place + 1, until):
        chain = chain * sample.rates[part, later]
    if part == "leads":
        for later in range(_place_of_winning(records.model.deals)):
            chain = chain * sample.rates["deals", later]
    return np.asarray(chain * sample.amount)


def _place_of_winning(stages: Sequence[Stage]) -> int:
    return next(place for place, stage in enumerate(stages) if stage.kind == "won")


def _row(
    records: Records, key: Key, own: _Sample, usual: _Sample, flow: tuple[int, float], *, tests: int
) -> dict[str, object]:
    part, place = key
    stage = records.model.of(part)[place]
    entered, signed = flow
    collecting = stage.kind == "won"
    per_point = (
        POINT * signed * np.ones(1 + REPLICATES) if collecting else POINT * entered * _value_ahead(records, key, own)
    )
    if collecting:
        per_point = per_point * own.signed / own.signed[0] if own.signed[0] else per_point * np.nan
    apart = own.rates[key] - usual.rates[key]
    enough = min(own.counts[key], usual.counts[key]) >= LEAST_CASES and not np.isnan(apart[0])
    diff_low, diff_high = _percentiles(apart, 1 - (1 - INTERVAL_LEVEL) / tests) if enough else (np.nan, np.nan)
    standing = "cannot_tell" if not enough else "behind" if diff_high < 0 else "ahead" if diff_low > 0 else "not_apart"
    stake = -apart / POINT * per_point
    few = own.counts[key] < LEAST_CASES
    status = "too_few" if few else "no_amount" if np.isnan(per_point[0]) else "ok"
    rate, worth, at_stake = (_with_ends(each, few) for each in (own.rates[key], per_point, stake))
    return {
        "part": part, "place": place, "stage": stage.name, "kind": stage.kind, "entered": entered, "n": own.counts[key],
        "n_usual": usual.counts[key], "rate": rate[0], "rate_low": rate[1], "rate_high": rate[2],
        "usual": usual.rates[key][0] if enough else np.nan, "difference": apart[0] if enough else np.nan,
        "diff_low": diff_low, "diff_high": diff_high, "worth": worth[0], "worth_low": worth[1], "worth_high": worth[2],
        "at_stake": at_stake[0] if enough else np.nan, "at_stake_low": at_stake[1] if enough else np.nan,
        "at_stake_high": at_stake[2] if enough else np.nan, "standing": standing, "status": status,
    }  # fmt: skip


def _with_ends(drawn: Array, few: bool) -> tuple[float, float, float]:
    return (np.nan, np.nan, np.nan) if few else (float(drawn[0]), *_percentiles(drawn, INTERVAL_LEVEL))


def _percentiles(drawn: Array, level: float) -> tuple[float, float]:
    known = drawn[1:][~np.isnan(drawn[1:])]
    if not len(known):
        return np.nan, np.nan
    tail = (1 - level) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)
