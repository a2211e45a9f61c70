"""The panel of panel.py in pandas, as an analyst would write it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

KINDS = ("visit", "call", "message", "meeting", "demo")


def read_and_count(
    folder: Path, since: dt.date, until: dt.date, next_stage_days: int, stalled_days: int
) -> pd.DataFrame:
    acts = pd.read_parquet(
        folder / "activities.parquet", columns=["person_id", "kind", "account_id", "opportunity_id", "occurred_at"]
    )
    opps = pd.read_parquet(
        folder / "opportunities.parquet",
        columns=["opportunity_id", "owner_id", "amount", "created_at", "closed_at", "outcome"],
    )
    moves = pd.read_parquet(folder / "stage_changes.parquet", columns=["opportunity_id", "entered_at"])
    limits = since, until, next_stage_days, stalled_days
    return pd.concat(list(counts(acts, opps, moves, *limits)), ignore_index=True)


def counts(
    acts: pd.DataFrame,
    opps: pd.DataFrame,
    moves: pd.DataFrame,
    since: dt.date,
    until: dt.date,
    next_stage_days: int,
    stalled_days: int,
) -> Iterator[pd.DataFrame]:
    def week(times: pd.Series) -> pd.Series:
        days = times.dt.normalize()
        return days - pd.to_timedelta(days.dt.dayofweek, unit="D")

    def named(frame: pd.DataFrame, kpi: str) -> pd.DataFrame:
        weeks = frame["week"].dt.isocalendar()
        period = weeks["year"].astype(str) + "-W" + weeks["week"].astype(str).str.zfill(2)
        whole = frame.assign(kpi=kpi, period=period)
        if "denominator" not in whole:
            whole["denominator"] = np.nan
        return whole[["entity_id", "period", "kpi", "numerator", "denominator", "n"]].astype(
            {"numerator": float, "denominator": float, "n": float})  # fmt: skip

    acts = acts.assign(week=week(acts["occurred_at"]))
    keys = [acts["person_id"].rename("entity_id"), acts["week"]]
    for kind in KINDS:
        counts = (acts["kind"] == kind).groupby(keys).sum().rename("n").reset_index()
        yield named(counts[counts["n"] > 0].assign(numerator=lambda rows: rows["n"]), f"{kind}s")
    yield named(acts.groupby(keys)["account_id"].agg(numerator="nunique", n="size").reset_index(), "accounts")
    answered = acts.groupby("opportunity_id")["occurred_at"].min().rename("answered_at")
    both = opps.join(answered, on="opportunity_id")
    both = both[both["answered_at"] >= both["created_at"]]
    seconds = both["answered_at"].astype("datetime64[s]").astype("int64") - both["created_at"].astype(
        "datetime64[s]"
    ).astype("int64")
    by = [both["owner_id"].rename("entity_id"), week(both["created_at"]).rename("week")]
    yield named(
        (seconds / 3600.0).round(6).groupby(by).agg(numerator="median", n="size").reset_index(), "response_hours"
    )
    decided = opps[opps["outcome"].isin(["won", "lost"])]
    by = [decided["owner_id"].rename("entity_id"), week(decided["closed_at"]).rename("week")]
    is_won = decided["outcome"] == "won"
    yield named(
        is_won.groupby(by).agg(numerator="sum", n="size").assign(denominator=lambda rows: rows["n"]).reset_index(),
        "win_rate",
    )
    won = decided[is_won]
    by = [won["owner_id"].rename("entity_id"), week(won["closed_at"]).rename("week")]
    yield named(won["amount"].astype(float).groupby(by).agg(numerator="sum", n="size").reset_index(), "won_amount")
    seconds = won["closed_at"].astype("datetime64[s]").astype("int64") - won["created_at"].astype(
        "datetime64[s]"
    ).astype("int64")
    yield named((seconds / 86400.0).round(6).groupby(by).agg(numerator="median", n="size").reset_index(), "cycle_days")
    moves = moves.merge(opps[["opportunity_id", "owner_id", "closed_at"]], on="opportunity_id").sort_values(
        ["opportunity_id", "entered_at"]
    )
    moves["next_at"] = moves.groupby("opportunity_id")["entered_at"].shift(-1)
    mature = moves[moves["entered_at"].dt.normalize() <= pd.Timestamp(until) - pd.Timedelta(days=next_stage_days)]
    moved = mature["next_at"] <= mature["entered_at"] + pd.Timedelta(days=next_stage_days)
    by = [mature["owner_id"].rename("entity_id"), week(mature["entered_at"]).rename("week")]
    yield named(
        moved.groupby(by).agg(numerator="sum", n="size").assign(denominator=lambda rows: rows["n"]).reset_index(),
        "stage_conversion",
    )
    goes = moves["next_at"].fillna(moves["closed_at"])
    goes = goes.where(moves["closed_at"].isna() | (goes <= moves["closed_at"]), moves["closed_at"])
    yield named(standing(pd.concat([
        pd.DataFrame({"who": moves["owner_id"], "comes": moves["entered_at"] + pd.Timedelta(days=stalled_days), "goes": goes, "over": 1.0, "of": 0.0}),
        pd.DataFrame({"who": opps["owner_id"], "comes": opps["created_at"], "goes": opps["closed_at"], "over": 0.0, "of": 1.0}),
    ]), since, until), "stalled_share")  # fmt: skip


def standing(rows: pd.DataFrame, since: dt.date, until: dt.date) -> pd.DataFrame:
    rows = rows.assign(comes=rows["comes"].dt.normalize(), goes=rows["goes"].dt.normalize())
    rows = rows[rows["goes"].isna() | (rows["goes"] > rows["comes"])]
    ends = rows[rows["goes"].notna()].assign(
        comes=lambda each: each["goes"], over=lambda each: -each["over"], of=lambda each: -each["of"]
    )
    changes = pd.concat([rows, ends])
    changes = changes[changes["comes"] <= pd.Timestamp(until)]
    weeks = changes["comes"] - pd.to_timedelta(changes["comes"].dt.dayofweek, unit="D")
    sums = changes.groupby([changes["who"].rename("entity_id"), weeks.rename("week")])[["over", "of"]].sum()
    every = pd.MultiIndex.from_product(
        [sums.index.levels[0], pd.date_range(since, until, freq="7D")], names=["entity_id", "week"]
    )
    so_far = sums.reindex(every, fill_value=0.0).groupby(level=0).cumsum().reset_index()
    return so_far.assign(numerator=so_far["over"], denominator=so_far["of"], n=so_far["of"])
