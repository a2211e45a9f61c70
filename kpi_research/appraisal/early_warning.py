"""What a manager is warned of: who or what, since when, how sure; and no more than can be looked into."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from kpi_research.appraisal.alarm_budget import KINDS, Kind, Tuned

NOW_COLUMNS = [
    "kind",
    "person_id",
    "item",
    "case_id",
    "since",
    "strength",
    "figure",
    "against",
    "low",
    "high",
    "amount",
]


@dataclass(frozen=True)
class EarlyWarnings:
    """The warnings of one day.

    Parameters
    ----------
    day
        The last that is looked at.
    rows
        In `NOW_COLUMNS`, surest first. `item` is a KPI (`pace`, `drop`), a stage (`stall`) or empty; `case_id` the
        deal or customer; `since` the day from which on it is so. `figure` against what: made per working day against
        needed (`pace`, with `low` and `high` of the end), counted against the usual (`drop`), days against the limit
        (`stall`, `no_contact`). `amount` of the deal, or the target.
    tuned
        What each kind was worth in the past.
    silent
        People who worked the whole month before and recorded nothing: a fact, no guess.
    false_alarms
        Of all kinds together, a manager and month: the budget.
    """

    day: dt.date
    rows: pd.DataFrame
    tuned: Mapping[Kind, Tuned]
    silent: tuple[str, ...]
    false_alarms: float

    @property
    def most(self) -> int:
        """Warnings that are told one by one: as many as there may be false alarms."""
        return max(1, round(self.false_alarms))

    @property
    def told(self) -> pd.DataFrame:
        """The surest, as many as can be looked into."""
        return self.rows.head(self.most)


def surest(now: pd.DataFrame, tuned: Mapping[Kind, Tuned]) -> pd.DataFrame:
    """Of looks up to today the cases that are as sure as their kind must be, since when they are; the surest first.

    A case that has several looks is warned of if the last is sure enough, since the first from which on all were. Kinds
    take turns, so that one with many cases does not hide the others; in a kind the largest amount comes first, and
    where there is none the strongest.
    """
    threshold = now["kind"].map({kind: found.threshold for kind, found in tuned.items()}).astype(float)
    looks = now.assign(sure=now["strength"].astype(float) >= threshold).sort_values("since", kind="stable")
    case = [looks["kind"], looks["case_id"], looks["item"]]
    unsure_later = (~looks["sure"])[::-1].groupby([each[::-1] for each in case]).cummax()[::-1]
    kept = looks[~unsure_later]
    key = ["kind", "case_id", "item"]
    last = kept.drop_duplicates(key, keep="last").drop(columns="since")
    first = kept.drop_duplicates(key, keep="first")[[*key, "since"]]
    rows = last.merge(first, on=key)
    rows = rows.sort_values(["amount", "strength", "case_id"], ascending=[False, False, True], na_position="last")
    place = {kind: number for number, kind in enumerate(KINDS)}
    rows = rows.assign(turn=rows.groupby("kind").cumcount(), place=rows["kind"].map(place))
    return rows.sort_values(["turn", "place"], kind="stable")[NOW_COLUMNS].reset_index(drop=True)
