"""The funnel read backwards: from an amount to be won to the wins, deals, leads and visits that it takes.

The calculation is one that anybody can repeat: amount / mean deal = wins; wins / share of deals that reach a stage and
are won = deals at that stage. What is added is how sure that is: the mean deal and the rates are themselves
known from a few deals only, and even with the right rates chance decides how many deals are needed this time. Both are
in the interval, since it comes from drawing deals out of resampled pasts until the amount is there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from kpi_research.errors import InputError, Problem
from kpi_research.periods import ONE_DAY
from kpi_research.policy import INTERVAL_LEVEL
from kpi_research.proportion import wilson

LEAST_WINS = 10
"""Won deals under which no mean deal is worth a plan."""
LEAST_CONVERTED = 10
"""Converted leads under which nothing is said of leads."""
LEAST_MONTHS = 6
"""Months under which nothing is said of the work behind a deal."""
REPLICATES = 1000
"""Resampled pasts: the ends of an interval then move by about 2 % of its width from seed to seed."""
MOST_DRAWN = 20_000
"""Deals beyond which chance in the time ahead no longer matters, and only the doubt about the rates is left."""
LATE_SHARE = 0.9
"""By the later of the two days nine in ten of the deals that get won need no longer."""
BETTER = 0.05
"""How much better a rate is tried: five points."""
NEED_COLUMNS = ["what", "kind", "needed", "low", "high", "per_week", "per_person_week", "n", "status"]
RATE_COLUMNS = ["step", "entered", "reached", "rate", "low", "high", "opened_if_better"]

FloatArray = npt.NDArray[np.float64]
NeedStatus = Literal["ok", "too_few_wins", "no_amounts"]


@dataclass(frozen=True)
class FunnelPast:
    """What happened to deals that are old enough for their end to be known.

    Parameters
    ----------
    stages
        Names of the stages up to the last before winning, in order; a deal begins in the first.
    deals
        A row a deal: `place` (the furthest stage that it reached, counted from 0; `len(stages)` when won), `amount`
        (null where unknown), `days` from its opening until it was won (null where it was not).
    leads, converted
        Leads that are old enough, and how many of them became deals.
    from_leads
        Share (0-1) of deals that began as leads.
    work
        A row a month: `opened` (deals) and a column for each kind of work, such as visits.
    """

    stages: tuple[str, ...]
    deals: pd.DataFrame
    leads: int = 0
    converted: int = 0
    from_leads: float = 1.0
    work: pd.DataFrame | None = None


@dataclass(frozen=True)
class Need:
    """What an amount takes.

    Parameters
    ----------
    rows
        In `NEED_COLUMNS`: a row each for `won`, every stage from the last to the first (`kind` is `stage`), `lead` and
        each kind of work. `needed` is the plain calculation, `low` and `high` hold it at `policy.INTERVAL_LEVEL`.
        `status` of a row is `ok` or `too_few`.
    rates
        In `RATE_COLUMNS`: each step with its interval, and how many deals would have to be opened if it were `BETTER`.
    mean_deal, mean_low, mean_high
        Mean amount of a won deal, with its interval.
    wins, without_amount
        Won deals behind it, and those among them whose amount is unknown: they count as a mean deal.
    days_median, days_late
        Days from opening until winning: of half the won deals, and of nine in ten.
    open_by, open_by_late
        Last days on which a deal may be opened to be won in time at these paces.
    status
        `ok`; `too_few_wins` (under `LEAST_WINS`) or `no_amounts`: then there are no rows.
    """

    amount: float
    rows: pd.DataFrame
    rates: pd.DataFrame
    mean_deal: float
    mean_low: float
    mean_high: float
    wins: int
    without_amount: int
    days_median: float
    days_late: float
    open_by: dt.date | None
    open_by_late: dt.date | None
    status: NeedStatus


def needed(
    past: FunnelPast, amount: float, *, weeks: float, people: float, end: dt.date, rng: np.random.Generator
) -> Need:
    """What it takes to win an amount.

    Parameters
    ----------
    amount
        To be won, in the currency of the deals.
    weeks, people
        Time that there is for it, and those who work for it on an average day.
    end
        The day after the last on which a win counts.

    Raises
    ------
    InputError
        If amount, weeks or people are not above zero.
    """
    given = {"amount": amount, "weeks": weeks, "people": people}
    problems = [
        Problem("goals.not_above_zero", values={"name": name, "given": f"{value:g}"})
        for name, value in given.items()
        if not value > 0
    ]
    if problems:
        raise InputError(problems)
    won = past.deals["place"].to_numpy() == len(past.stages)
    known = won & (past.deals["amount"].to_numpy(dtype=float) > 0)
    days = past.deals["days"].to_numpy(dtype=float)[won]
    if won.sum() < LEAST_WINS or not known.any():
        return _nothing(amount, int(won.sum()), "too_few_wins" if won.sum() < LEAST_WINS else "no_amounts")
    mean = float(past.deals["amount"].to_numpy(dtype=float)[known].mean())
    values = np.where(known, past.deals["amount"].to_numpy(dtype=float), mean) * won
    counts, means = _drawn(past, values, amount, rng)
    opened = amount / float(values.mean())
    rows = pd.DataFrame([*_deal_rows(past, opened, counts), *_lead_rows(past, opened, counts, rng),
                         *_work_rows(past, opened, counts, rng)])  # fmt: skip
    per_week = rows["needed"] / weeks
    median, late = (float(np.quantile(days, share)) for share in (0.5, LATE_SHARE))
    low, high = _ends(means)
    return Need(
        amount,
        rows.assign(per_week=per_week, per_person_week=per_week / people)[NEED_COLUMNS],
        _rates(past, opened),
        *(mean, low, high, int(won.sum()), int((won & ~known).sum()), median, late),
        open_by=end - ONE_DAY * (1 + int(np.ceil(median))),
        open_by_late=end - ONE_DAY * (1 + int(np.ceil(late))),
        status="ok",
    )


def _nothing(amount: float, wins: int, status: NeedStatus) -> Need:
    none = float("nan")
    empty = pd.DataFrame(columns=NEED_COLUMNS), pd.DataFrame(columns=RATE_COLUMNS)
    return Need(amount, *empty, none, none, none, wins, 0, none, none, None, None, status)


def _drawn(
    past: FunnelPast, values: FloatArray, amount: float, rng: np.random.Generator
) -> tuple[Mapping[int, FloatArray], FloatArray]:
    """Deals that had to reach each place until the amount was there, in each resampled past; its mean deals."""
    place, size, last = past.deals["place"].to_numpy(), len(values), len(past.stages)
    counts = np.empty((REPLICATES, last + 1))
    means = np.empty(REPLICATES)
    for replicate in range(REPLICATES):
        pool = rng.integers(size, size=size)
        worth, reached = values[pool], np.bincount(place[pool], minlength=last + 1)[::-1].cumsum()[::-1]
        total = float(worth.sum())
        if not total > 0:
            counts[replicate], means[replicate] = np.inf, np.nan
            continue
        means[replicate] = total / reached[last]
        expected = amount / total * size
        if expected > MOST_DRAWN:
            counts[replicate] = reached * amount / total
            continue
        path = _path(worth, amount, expected, rng)
        counts[replicate] = np.bincount(place[pool][path], minlength=last + 1)[::-1].cumsum()[::-1]
    return {number: counts[:, number] for number in range(last + 1)}, means


def _path(worth: FloatArray, amount: float, expected: float, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Deals drawn one after the other until their amounts reach what is wanted."""
    path = np.empty(0, dtype=np.int64)
    while True:
        path = np.concatenate([path, rng.integers(len(worth), size=int(2 * expected) + 50)])
        sums = worth[path].cumsum()
        if sums[-1] >= amount:
            return path[: int(np.searchsorted(sums, amount)) + 1]


def _ends(drawn: FloatArray) -> tuple[float, float]:
    """The interval, where enough of the resampled pasts have won anything."""
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(drawn[~np.isnan(drawn)], [tail, 1 - tail], method="nearest")
    return float(low), float(high)


def _row(what: str, kind: str, needed: float, drawn: FloatArray, n: int, least: int) -> dict[str, object]:
    if n < least:
        return {
            "what": what,
            "kind": kind,
            "needed": np.nan,
            "low": np.nan,
            "high": np.nan,
            "n": n,
            "status": "too_few",
        }
    low, high = _ends(drawn)
    return {"what": what, "kind": kind, "needed": needed, "low": low, "high": high, "n": n, "status": "ok"}


def _deal_rows(past: FunnelPast, opened: float, counts: Mapping[int, FloatArray]) -> list[dict[str, object]]:
    """Wins first, then the stages backwards."""
    place, size = past.deals["place"].to_numpy(), len(past.deals)
    rows = []
    for number in range(len(past.stages), -1, -1):
        reached = int((place >= number).sum())
        name, kind = ("won", "won") if number == len(past.stages) else (past.stages[number], "stage")
        rows.append(_row(name, kind, opened * reached / size, counts[number], reached, LEAST_WINS))
    return rows


def _lead_rows(
    past: FunnelPast, opened: float, counts: Mapping[int, FloatArray], rng: np.random.Generator
) -> list[dict[str, object]]:
    if not past.leads:
        return []
    rate = rng.binomial(past.leads, past.converted / past.leads, REPLICATES) / past.leads
    converted = np.where(np.isfinite(counts[0]), np.rint(counts[0] * past.from_leads), 0).astype(int)
    failed = rng.negative_binomial(np.maximum(converted, 1), np.maximum(rate, 1 / past.leads))
    plain = opened * past.from_leads * past.leads / max(past.converted, 1)
    drawn = np.where(converted > 0, converted + failed, 0.0)
    return [_row("lead", "lead", plain, drawn, past.converted, LEAST_CONVERTED)]


def _work_rows(
    past: FunnelPast, opened: float, counts: Mapping[int, FloatArray], rng: np.random.Generator
) -> list[dict[str, object]]:
    """Work as it went with every deal opened so far, months resampled."""
    if past.work is None or not past.work["opened"].sum() > 0:
        return []
    months = len(past.work)
    picked = rng.integers(months, size=(REPLICATES, months))
    opened_then = past.work["opened"].to_numpy(dtype=float)
    rows = []
    for name in past.work.columns.drop("opened"):
        done = past.work[name].to_numpy(dtype=float)
        deals = opened_then[picked].sum(axis=1)
        ratio = np.divide(done[picked].sum(axis=1), deals, out=np.full(REPLICATES, np.inf), where=deals > 0)
        plain = opened * done.sum() / opened_then.sum()
        rows.append(_row(str(name), "work", plain, counts[0] * ratio, months, LEAST_MONTHS))
    return rows


def _rates(past: FunnelPast, opened: float) -> pd.DataFrame:
    """Each step from stage to stage."""
    place, rows = past.deals["place"].to_numpy(), []
    for number, stage in enumerate(past.stages):
        entered, reached = int((place >= number).sum()), int((place > number).sum())
        low, high = wilson(reached, entered)
        rate = reached / entered if entered else float("nan")
        better = opened * rate / min(1.0, rate + BETTER)
        rows.append((stage, entered, reached, rate, low, high, better))
    return pd.DataFrame(rows, columns=RATE_COLUMNS)
