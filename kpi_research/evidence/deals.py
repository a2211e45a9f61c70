"""Deals week by week: who was still open, what had been done on them by then, and whether that week decided them.

What goes with a win must be counted before it, and for every deal over the same stretch of its life. Contacts are
therefore counted as they were on file when each week began: a contact counts from the moment at which it had both taken
place and been entered. What is dated or entered after the closing drops out by that rule, and a contact that was
entered late drops out of the same weeks whether the deal was about to close or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.fixed_effects import Codes, FloatArray
from kpi_research.policy import LEAST_TIMED

DEAL_COLUMNS = ["opportunity_id", "owner_id", "created_at", "closed_at", "outcome"]
TOUCH_COLUMNS = ["opportunity_id", "kind", "occurred_at", "recorded_at"]
WEEK = pd.Timedelta(days=7)
LOOKBACK_WEEKS = 4
"""Whole weeks before a week in which contacts count: the last one, and the three before it."""
LONGEST_WEEKS = 52
"""Deals are followed so long; one that has been open for a year is rather forgotten than worked on."""


@dataclass(frozen=True)
class Counted:
    """What was read and what of it could not be used, in rows.

    Parameters
    ----------
    deals, won, lost, still_open
        Deals that can be followed, and how they stand at the end; void ones are in the first number alone.
    undated, without_owner
        Deals left out: no day of creation or of closing, or closed before they were created; nobody's.
    touches
        Contacts on these deals up to the end, before anything was left out.
    before_opening, after_closing, entered_after_closing
        Contacts left out: dated before the deal was created; dated after it was closed; entered after it was closed.
    timed_share
        Share (0-1) of the contacts that say when they were entered.
    """

    deals: int
    won: int
    lost: int
    still_open: int
    undated: int
    without_owner: int
    touches: int
    before_opening: int
    after_closing: int
    entered_after_closing: int
    timed_share: float

    @property
    def has_records(self) -> bool:
        """Whether it is known of practically every contact when it was entered."""
        return self.timed_share >= LEAST_TIMED


@dataclass(frozen=True)
class Deals:
    """Deals and the contacts on them, as they were known at one moment.

    Parameters
    ----------
    deals
        In `DEAL_COLUMNS`, in order of ids; `closed_at` is null and `outcome` is `open` while not decided.
    touches
        `deal` (row of `deals`), `kind`, `occurred_at`, and `known_at`: when it had taken place and been entered.
    since, until
        From when on contacts are on file, and the moment up to which anything is known.
    """

    deals: pd.DataFrame
    touches: pd.DataFrame
    since: pd.Timestamp
    until: pd.Timestamp
    counted: Counted


@dataclass(frozen=True)
class Weeks:
    """One row for each deal and each whole week in which it was open when the week began; n rows.

    Parameters
    ----------
    deal, owner, month
        Row of `Deals.deals`; code of its owner; calendar month in which the week began, in months since 1970.
    week
        Whole weeks since the deal's origin (its creation, or a landmark).
    won, lost
        1 where the deal was decided so in that week.
    place, first, last
        By deal: its first row here, and its first and last week; `last` is below `first` where it has no row.
    origin
        By deal: when its weeks are counted from.
    """

    deal: Codes
    owner: Codes
    month: Codes
    week: Codes
    won: FloatArray
    lost: FloatArray
    place: Codes
    first: Codes
    last: Codes
    origin: npt.NDArray[np.datetime64]


def known_deals(deals: pd.DataFrame, touches: pd.DataFrame, *, since: pd.Timestamp, until: pd.Timestamp) -> Deals:
    """Deals and contacts as they stood at `until`; owners are those of today.

    Parameters
    ----------
    deals
        With `DEAL_COLUMNS`; `outcome` is `won, lost, void` or `open`.
    touches
        With `TOUCH_COLUMNS`; `recorded_at` may be null. Contacts on other deals are ignored.

    Raises
    ------
    InputError
        If columns are missing, or a deal stands there twice.
    """
    _held_to_columns(deals, touches)
    seen = deals[deals["created_at"].isna() | (deals["created_at"] < until)]
    decided = (seen["outcome"] != "open") & (seen["closed_at"].isna() | (seen["closed_at"] < until))
    seen = seen.assign(closed_at=seen["closed_at"].where(decided), outcome=seen["outcome"].where(decided, "open"))
    undated = seen["created_at"].isna() | (decided & ~(seen["closed_at"] >= seen["created_at"]))
    unowned = seen["owner_id"].isna() & ~undated
    kept = seen[~undated & ~unowned].sort_values("opportunity_id", ignore_index=True)
    on_file = touches[(touches["occurred_at"] < until) & ~(touches["recorded_at"] >= until)]
    rows = pd.Series(kept.index, index=kept["opportunity_id"])
    on_file = on_file.assign(deal=on_file["opportunity_id"].map(rows))
    on_file = on_file[on_file["deal"].notna()].astype({"deal": int})
    known_at = on_file["recorded_at"].where(on_file["recorded_at"] > on_file["occurred_at"], on_file["occurred_at"])
    created, closed = (kept[name].to_numpy()[on_file["deal"]] for name in ("created_at", "closed_at"))
    before = (on_file["occurred_at"] < created).to_numpy()
    after = (on_file["occurred_at"] >= closed).to_numpy() & ~before
    entered_after = (known_at >= closed).to_numpy() & ~before & ~after
    usable = on_file.assign(known_at=known_at)[~before & ~after & ~entered_after]
    by_outcome = kept["outcome"].value_counts()
    counted = Counted(
        deals=len(kept),
        won=int(by_outcome.get("won", 0)),
        lost=int(by_outcome.get("lost", 0)),
        still_open=int(by_outcome.get("open", 0)),
        undated=int(undated.sum()),
        without_owner=int(unowned.sum()),
        touches=len(on_file),
        before_opening=int(before.sum()),
        after_closing=int(after.sum()),
        entered_after_closing=int(entered_after.sum()),
        timed_share=float(on_file["recorded_at"].notna().mean()) if len(on_file) else 0.0,
    )
    columns = ["deal", "kind", "occurred_at", "known_at"]
    return Deals(kept[DEAL_COLUMNS], usable[columns].reset_index(drop=True), since, until, counted)


def weeks_at_risk(known: Deals, origin: pd.Series) -> Weeks:
    """Every whole week of every deal from its origin on, as long as it was open when the week began.

    Whether a week is in depends on its first and last day alone, never on what happened in it: one that is not over at
    the end of the data is left out also where the deal was won in it. Weeks before which contacts were not yet on file
    for as long as they count are left out as well.

    Parameters
    ----------
    origin
        By row of `known.deals`: from when its weeks are counted; null where the deal is not looked at. It must have
        been open then.
    """
    deals = known.deals
    is_in = origin.notna().to_numpy()
    whole = _weeks_between(origin, known.until) - 1
    closing = _weeks_between(origin, deals["closed_at"])
    last = np.minimum(np.where(deals["closed_at"].notna(), closing, whole), whole)
    last = np.where(is_in, np.minimum(last, LONGEST_WEEKS - 1), -1).astype(np.intp)
    counts_from = known.since + LOOKBACK_WEEKS * WEEK
    late = -_weeks_between(pd.Series(counts_from, index=origin.index), origin)
    first = np.where((deals["created_at"] >= known.since) | ~is_in, 0, np.maximum(late, 0)).astype(np.intp)
    n = np.maximum(last - first + 1, 0)
    place = np.cumsum(n) - n
    deal = np.repeat(np.arange(len(deals)), n)
    week = np.arange(len(deal)) - place[deal] + first[deal]
    start = origin.to_numpy().astype("M8[s]")[deal] + week * WEEK.to_timedelta64().astype("m8[s]")
    ends = deals["closed_at"].notna().to_numpy()[deal] & (week == closing[deal])
    outcome = deals["outcome"].to_numpy(dtype=object)[deal]
    return Weeks(
        deal=deal,
        owner=pd.factorize(deals["owner_id"], sort=True)[0].astype(np.intp)[deal],
        month=start.astype("M8[M]").astype(np.intp),
        week=week,
        won=(ends & (outcome == "won")).astype(float),
        lost=(ends & (outcome == "lost")).astype(float),
        place=place,
        first=first,
        last=last,
        origin=origin.to_numpy(),
    )


def recent_touches(known: Deals, weeks: Weeks, kind: str | None = None) -> FloatArray:
    """Contacts before each week, n x 2: in the week before it, and on average a week in the three before that.

    Only weeks that the deal had been open count in the average. A contact counts in the weeks that began when it was
    on file.

    Parameters
    ----------
    weeks
        Counted from the deals' creation.
    kind
        One kind of contact; all of them if None.
    """
    touches = known.touches if kind is None else known.touches[known.touches["kind"] == kind]
    deal = touches["deal"].to_numpy(dtype=np.intp)
    origin = pd.Series(weeks.origin[deal], index=touches.index)
    happened = _weeks_between(origin, touches["occurred_at"])
    on_file = _weeks_between(origin, touches["known_at"])
    found = np.zeros((LOOKBACK_WEEKS, len(weeks.deal)))
    for back in range(1, LOOKBACK_WEEKS + 1):
        week = (happened + back).astype(np.intp)
        counts = (week > on_file) & (week >= weeks.first[deal]) & (week <= weeks.last[deal])
        rows = weeks.place[deal] + week - weeks.first[deal]
        found[back - 1] = np.bincount(rows[counts], minlength=len(weeks.deal))
    open_before = np.clip(weeks.week - 1, 1, LOOKBACK_WEEKS - 1)
    return np.column_stack([found[0], found[1:].sum(axis=0) / open_before])


def touches_before(known: Deals, moment: pd.Series, kind: str | None = None) -> FloatArray:
    """By deal: contacts that had taken place and were on file before a moment of its own (null: none)."""
    touches = known.touches if kind is None else known.touches[known.touches["kind"] == kind]
    deal = touches["deal"].to_numpy(dtype=np.intp)
    counts = touches["known_at"].to_numpy() < moment.to_numpy()[deal]
    return np.bincount(deal[counts], minlength=len(known.deals)).astype(float)


def _weeks_between(start: pd.Series, end: pd.Series | pd.Timestamp) -> FloatArray:
    """Whole weeks from start to end, rounded down; NaN where either is null."""
    return np.floor(((end - start) / WEEK).to_numpy(dtype=float))


def _held_to_columns(deals: pd.DataFrame, touches: pd.DataFrame) -> None:
    problems = [
        Problem("deals.missing_column", where, {"column": column})
        for where, frame, columns in (("deals", deals, DEAL_COLUMNS), ("touches", touches, TOUCH_COLUMNS))
        for column in columns
        if column not in frame
    ]
    if not problems and deals["opportunity_id"].duplicated().any():
        first = deals.loc[deals["opportunity_id"].duplicated(), "opportunity_id"].iloc[0]
        problems.append(Problem("deals.twice", "deals", {"deal": first}))
    if problems:
        raise InputError(problems)
