"""Does work on a deal go with its win? Three ways of counting it, each before the outcome, and one that is refused.

Counted over a deal's whole life, contacts say how long the deal lived: one that is decided at once has few. In each
of 400 worlds in which contacts change nothing (`tests/golden/deal_worlds.py`: 20 owners, 800 deals, 400 wins) the
logit of win on all contacts of a deal found an effect at 5 %. It cannot be asked for here. The ways below found one in
4.5-5.0 % of them; in 4.7-6.7 % of 300 worlds with 10 owners and 125 wins, and in 5.5-7.0 % of 400 with 40 wins.

Whatever is found, nobody assigned the contacts: salespeople work on deals that they think they will win. So deals with
more contacts are won more often or not, and never because of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import special

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.deals import LOOKBACK_WEEKS, Counted, Deals, Weeks, recent_touches, weeks_at_risk
from kpi_research.evidence.fixed_effects import Estimate, FloatArray, NotEstimableError, t_quantile
from kpi_research.evidence.hazard import Cause, HazardFit, fit_weeks
from kpi_research.evidence.landmark import (
    LANDMARK_DAYS,
    WINDOW_DAYS,
    Landmark,
    Window,
    landmark,
    second_contact,
    windows_together,
)
from kpi_research.evidence.multiplicity import family_q
from kpi_research.evidence.plan import DEFAULT_PLAN
from kpi_research.kpis.process import SECOND_CONTACT_DAYS

Counting = Literal["recent", "landmark", "second_contact"]
COUNTINGS: tuple[Counting, ...] = get_args(Counting)
"""In the last four weeks of an open deal; before day 7, 14 and 30; soon after the first contact."""
WHOLE_LIFE = ("whole_life", "total", "total_touches", "all", "follow_ups")
"""What a count over a deal's whole life may be asked for as."""

Status = Literal["more", "less", "none", "cannot_tell", "few_wins", "few_owners", "rare", "not_estimable"]
ANY = ""
"""Stands for contacts of any kind."""
LEAST_WINS = 30
LEAST_OWNERS = 8
"""Owners of deals that can be followed; with fewer, errors by owner are guesses."""
LEAST_TOUCHED = 20
"""Deals with a contact of a kind under which nothing is said of the kind."""
WORTH_SEEING = 1.25
"""Ratio of weekly chances, for a deal with one standard deviation more contacts, that the data should be able to show:
where they could not, "no link" is not said."""
POWER = 0.80
SEED = 20261101
"""Fixed, so that the same data give the same p-values."""

_NUMBERS = ["ratio", "low", "high", "p", "q", "mde", "wins_needed"]
KIND_COLUMNS = [
    "kind", "touches", "deals", "wins", "weeks", *_NUMBERS, "last_week", "last_week_low", "last_week_high", "earlier",
    "earlier_low", "earlier_high", "lost", "lost_low", "lost_high", "status",
]  # fmt: skip
LANDMARK_COLUMNS = ["day", "deals", "wins", *_NUMBERS, "status"]
WINDOW_COLUMNS = ["day", "is_rule", "deals", "contacted", "wins", "ratio", "low", "high", "p", "mde", "status"]


@dataclass(frozen=True)
class DealStudy:
    """What goes with a deal's win.

    Parameters
    ----------
    counted
        What was read, and what of it could not be used.
    owners, wins, weeks
        Owners of the deals that can be followed, their wins, and the weeks in which such a deal was open.
    kinds
        In `KIND_COLUMNS`, a row a kind of contact, `ANY` first. `ratio` with its 95 % interval: by what the chance of
        being won in a week is multiplied for one more contact at some time in the four weeks before (to the fourth
        power: for one more a week). `last_week` and `earlier`: the same for one more in the last week, and for one more
        a week in the three before; `lost`: as `ratio`, for being lost. `q` is Benjamini and Hochberg's over the rows.
        `mde`: smallest ratio, for one standard deviation more contacts, that these wins would have shown with 80 %
        probability; `wins_needed`: how many would show `WORTH_SEEING`.
    landmarks
        In `LANDMARK_COLUMNS`, a row a day: the same for one more contact before that day, among deals still open then.
    windows
        In `WINDOW_COLUMNS`, a row a number of days: deals with a second contact within so many days of the first,
        against those without. Intervals and p-values hold for all rows at once.
    opener
        The kind that the first contact must be of; empty for any.
    """

    counted: Counted
    owners: int
    wins: int
    weeks: int
    kinds: pd.DataFrame
    landmarks: pd.DataFrame
    windows: pd.DataFrame
    opener: str


def study_deals(
    known: Deals, *, countings: Sequence[str] = COUNTINGS, opener: str = ANY, q: float = DEFAULT_PLAN.q
) -> DealStudy:
    """What goes with a deal's win, by the ways of counting that are asked for; the tables of the others are empty.

    Parameters
    ----------
    opener
        The kind of the contact from which the second contact is awaited; that of any kind if empty.
    q
        False discovery rate allowed among the kinds, and among the landmarks.

    Raises
    ------
    InputError
        If a count over a deal's whole life is asked for, or one that there is not.
    """
    asked = checked(countings)
    weeks = weeks_at_risk(known, known.deals["created_at"])
    return DealStudy(
        counted=known.counted,
        owners=len(np.unique(weeks.owner)),
        wins=int(weeks.won.sum()),
        weeks=len(weeks.deal),
        kinds=_kinds(known, weeks, q) if "recent" in asked else pd.DataFrame(columns=KIND_COLUMNS),
        landmarks=_landmarks(known, q) if "landmark" in asked else pd.DataFrame(columns=LANDMARK_COLUMNS),
        windows=_windows(known, opener) if "second_contact" in asked else pd.DataFrame(columns=WINDOW_COLUMNS),
        opener=opener,
    )


def checked(countings: Collection[str]) -> set[str]:
    """The ways of counting that are asked for.

    Raises
    ------
    InputError
        If one counts over a deal's whole life, with the reason and what to use instead, or is unknown.
    """
    problems = [
        Problem("deals.whole_life", values={"given": given}, allowed=COUNTINGS)
        if given in WHOLE_LIFE
        else Problem("deals.unknown_counting", values={"given": given}, given=given, allowed=COUNTINGS)
        for given in countings
        if given not in COUNTINGS
    ]
    if problems:
        raise InputError(problems)
    return set(countings)


def wins_to_see(ratio: float) -> float:
    """Wins with which a ratio for one standard deviation more contacts is seen with 80 % probability (5 %, two-sided).

    Hsieh & Lavori (2000), who extend Schoenfeld's formula to a regressor that is not a group.
    """
    return float(((special.ndtri(0.975) + special.ndtri(POWER)) / np.log(ratio)) ** 2)


def _kinds(known: Deals, weeks: Weeks, q: float) -> pd.DataFrame:
    names = sorted(known.touches["kind"].dropna().unique())
    rows = []
    for kind in [ANY, *names] if len(names) != 1 else names:
        touches = known.touches if kind == ANY else known.touches[known.touches["kind"] == kind]
        X = recent_touches(known, weeks, kind or None)
        row = {"kind": kind, "touches": len(touches), "deals": touches["deal"].nunique(), **_size(weeks)}
        of_four_weeks = X @ np.array([1.0, LOOKBACK_WEEKS - 1.0])
        row |= _link(weeks, X, touched=row["deals"], weights=(0.25, 0.25), sd=float(of_four_weeks.std()))
        rows.append(row)
    frame = pd.DataFrame(rows, columns=KIND_COLUMNS)
    return _judged(frame.astype(dict.fromkeys(KIND_COLUMNS[5:-1], float)), q)


def _landmarks(known: Deals, q: float) -> pd.DataFrame:
    rows = []
    for day in LANDMARK_DAYS:
        found = landmark(known, day)
        is_in = _followed(found)
        size = _size(found.weeks)
        row = {"day": day, "deals": int(is_in.sum()), "wins": size["wins"]}
        X = found.done[found.weeks.deal][:, None]
        touched = int((is_in & (found.done > 0)).sum())
        spread = float(found.done[is_in].std()) if is_in.any() else 0.0
        rows.append(row | _link(found.weeks, X, touched=touched, weights=(1.0,), sd=spread))
    frame = pd.DataFrame(rows).reindex(columns=LANDMARK_COLUMNS)
    return _judged(frame.astype(dict.fromkeys(_NUMBERS, float)), q)


def _windows(known: Deals, opener: str) -> pd.DataFrame:
    found = {day: second_contact(known, day, opener or None) for day in WINDOW_DAYS}
    rows = pd.DataFrame({"day": WINDOW_DAYS, "is_rule": [day == SECOND_CONTACT_DAYS for day in WINDOW_DAYS]})
    rows["deals"] = [int(_followed(each).sum()) for each in found.values()]
    rows["contacted"] = [_share(each.done[_followed(each)]) for each in found.values()]
    rows["wins"] = [_size(each.weeks)["wins"] for each in found.values()]
    short = {day: _shortage(each.weeks, _least_group(each)) for day, each in found.items()}
    rows["status"] = [short[day] or "not_estimable" for day in WINDOW_DAYS]
    try:
        windows = windows_together([each for day, each in found.items() if not short[day]], seed=SEED)
    except NotEstimableError:
        windows = []
    numbers = pd.DataFrame([_of_window(each) for each in windows], columns=["day", "ratio", "low", "high", "p", "mde"])
    rows = rows.merge(numbers.astype({"day": int} | dict.fromkeys(numbers.columns[1:], float)), on="day", how="left")
    is_known = rows["p"].notna()
    rows.loc[is_known, "status"] = [
        _status(p <= 0.05, ratio, mde)
        for p, ratio, mde in rows.loc[is_known, ["p", "ratio", "mde"]].itertuples(index=False)
    ]
    return rows[WINDOW_COLUMNS]


def _of_window(window: Window) -> dict[str, float]:
    half = window.high - window.log_ratio.value
    values = {"ratio": window.log_ratio.value, "low": window.low, "high": window.high}
    values["mde"] = half + special.ndtri(POWER) * window.log_ratio.se
    return {"day": window.day, "p": window.p, **{name: float(np.exp(value)) for name, value in values.items()}}


def _link(
    weeks: Weeks, X: FloatArray, *, touched: int, weights: tuple[float, ...], sd: float
) -> dict[str, float | str]:
    """What X goes with, or why that cannot be said; `weights` make one contact more, `sd` is a deal's usual distance
    from the average."""
    if short := _shortage(weeks, touched):
        return {"status": short, "wins_needed": wins_to_see(WORTH_SEEING)}
    try:
        fitted = fit_weeks(weeks, X, "won")
    except NotEstimableError:
        return {"status": "not_estimable"}
    estimate = fitted.combine(weights)
    mde = (t_quantile(0.975, estimate.df) + t_quantile(POWER, estimate.df)) * estimate.se * sd
    found = {"p": estimate.p, "mde": float(np.exp(mde)), **_ratio("ratio", estimate)}
    found["wins_needed"] = fitted.n_events * (mde / np.log(WORTH_SEEING)) ** 2
    if len(weights) > 1:
        found |= _ratio("last_week", fitted.combine([1, 0])) | _ratio("earlier", fitted.combine([0, 1]))
        if (lost := _attempted(weeks, X, "lost")) is not None:
            found |= _ratio("lost", lost.combine(weights))
    return {**found, "status": ""}


def _attempted(weeks: Weeks, X: FloatArray, cause: Cause) -> HazardFit | None:
    try:
        return fit_weeks(weeks, X, cause)
    except NotEstimableError:
        return None


def _ratio(name: str, estimate: Estimate) -> dict[str, float]:
    low, high = estimate.interval()
    ends = ("low", "high") if name == "ratio" else (f"{name}_low", f"{name}_high")
    return dict(zip((name, *ends), np.exp([estimate.value, low, high]).tolist(), strict=True))


def _judged(rows: pd.DataFrame, q: float) -> pd.DataFrame:
    """The rows with their false discovery rate, and a status where they have none yet."""
    rows = rows.assign(q=family_q(rows["p"].to_numpy(dtype=float)))
    status = [
        row.status or _status(row.q <= q, row.ratio, row.mde)
        for row in rows[["status", "q", "ratio", "mde"]].itertuples(index=False)
    ]
    return rows.assign(status=status)


def _status(is_found: bool, ratio: float, mde: float) -> Status:
    if is_found:
        return "more" if ratio > 1 else "less"
    return "none" if mde <= WORTH_SEEING else "cannot_tell"


def _shortage(weeks: Weeks, touched: int) -> Status | Literal[""]:
    if weeks.won.sum() < LEAST_WINS:
        return "few_wins"
    if len(np.unique(weeks.owner)) < LEAST_OWNERS:
        return "few_owners"
    return "rare" if touched < LEAST_TOUCHED else ""


def _size(weeks: Weeks) -> dict[str, int]:
    return {"wins": int(weeks.won.sum()), "weeks": len(weeks.deal)}


def _followed(found: Landmark) -> np.ndarray:
    """By deal: whether it has a row."""
    return np.asarray(found.weeks.last >= found.weeks.first)


def _share(done: FloatArray) -> float:
    return float(done.mean()) if len(done) else float("nan")


def _least_group(found: Landmark) -> int:
    """Deals in the smaller of the two groups."""
    with_it = int((_followed(found) & (found.done > 0)).sum())
    return min(with_it, int(_followed(found).sum()) - with_it)
