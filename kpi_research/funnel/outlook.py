"""What the open deals of a day promise: each deal's chance from where it stands and how old it is, times its amount."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from kpi_research.funnel.odds import WEEK, moves, win_odds
from kpi_research.funnel.records import Records
from kpi_research.funnel.snapshot import standing
from kpi_research.funnel.survival import Array
from kpi_research.policy import INTERVAL_LEVEL, MIN_DENOMINATOR

OUTLOOK_COLUMNS = [
    "as_of", "weeks", "place", "stage", "kind", "standing", "amount", "assumed", "undated", "wins", "wins_low",
    "wins_high", "wins_spread", "money", "money_low", "money_high", "money_spread", "status",
]  # fmt: skip
REPLICATES = 200
"""Resamples behind a spread; the spread of earlier outlooks only bounds that of their errors, so these have fewer."""
LEAST_WINS = 30
"""Won deals on file under which no chance is estimated."""
LEAST_DAYS = 180
"""Days of history under which no chance is estimated: most deals of a longer cycle would not have ended yet."""
ALL = "all"


def outlook(
    records: Records,
    *,
    day: dt.date,
    weeks: int,
    rng: np.random.Generator,
    reference: Records | None = None,
    replicates: int = REPLICATES,
) -> pd.DataFrame:
    """Expected wins and money of the deals open at the end of a day, everything after it unseen.

    Returns
    -------
    In `OUTLOOK_COLUMNS`: a row a stage, and one for all (`stage` is `all`). The intervals hold that the
    chances are estimates and that each deal is won or not, but not what befalls all deals together, such as a season:
    see `forecast`. `undated`: open deals of which nobody knows since when; they get no chance and are in no row.
    `*_spread`: the standard deviation behind them. `status` is `ok`, `no_cases`, `too_few` or `short_history`.
    """
    known, past = records.as_of(day), (reference or records).as_of(day)
    deals = standing(known)
    deals = deals[deals["part"] == "deals"]
    undated = int(deals["opened_at"].isna().sum())
    deals = deals[deals["opened_at"].notna()].reset_index(drop=True)
    status = _status(past, deals)
    if status != "ok":
        none = {"as_of": day, "weeks": weeks, "stage": ALL, "kind": ALL, "standing": len(deals)}
        none |= {"undated": undated, "status": status}
        return pd.DataFrame([none]).reindex(columns=OUTLOOK_COLUMNS)
    amounts, assumed = assumed_amounts(deals, past)
    won = _drawn(_chances(deals, past, weeks=weeks, rng=rng, replicates=replicates), rng)
    stages = known.model.open
    named: list[dict[str, object]] = [
        {"place": place, "stage": stage.name, "kind": stage.kind} for place, stage in enumerate(stages)
    ]
    named.append({"stage": ALL, "kind": ALL})
    masks = [(deals["place"] == place).to_numpy() for place in range(len(stages))]
    everywhere = np.ones(len(deals), dtype=bool)
    rows = [
        {"as_of": day, "weeks": weeks, **name, **_sums(mask, won, amounts, assumed, deals), "status": "ok"}
        for name, mask in zip(named, [*masks, everywhere], strict=True)
    ]
    return pd.DataFrame(rows, columns=OUTLOOK_COLUMNS).assign(undated=undated)


def _status(past: Records, deals: pd.DataFrame) -> str:
    if (past.until - past.since).days < LEAST_DAYS:
        return "short_history"
    if int((past.cases["outcome"] == "won").sum()) < LEAST_WINS:
        return "too_few"
    return "ok" if len(deals) else "no_cases"


def _chances(deals: pd.DataFrame, past: Records, *, weeks: int, rng: np.random.Generator, replicates: int) -> Array:
    """(1 + replicates, deals): the chance of each deal, as estimated first and then in resamples of the past."""
    seen = moves(past)
    weights = np.vstack([np.ones(seen.cases), rng.poisson(1.0, (replicates, seen.cases))])
    odds = win_odds(seen, weeks=weeks, weights=weights)
    age = ((past.end - deals["opened_at"]) / WEEK).astype(int).clip(0, odds.shape[1] - 1)
    return np.asarray(odds[:, age.to_numpy(), deals["place"].to_numpy()])


def _drawn(chances: Array, rng: np.random.Generator) -> Array:
    """The chances in the first row, then for each resample which deals are won in it."""
    return np.vstack([chances[:1], rng.random(chances[1:].shape) < chances[1:]])


def assumed_amounts(deals: pd.DataFrame, past: Records) -> tuple[Array, Array]:
    """What each deal is worth if won, and for which that is assumed."""
    won = past.cases[(past.cases["outcome"] == "won") & (past.cases["amount"] > 0)]
    means = won.groupby("product")["amount"].agg(["mean", "size"])
    usual = means.loc[means["size"] >= MIN_DENOMINATOR, "mean"]
    guess = deals["product"].map(usual).fillna(won["amount"].mean() if len(won) else np.nan)
    # a system that learns the amount with the closing shows none, or nought, while a deal is open
    by_closing = (past.cases["outcome"] == "open") & (past.cases["part"] == "deals")
    known_while_open = past.cases.loc[by_closing, "amount"].gt(0).mean() >= 0.5
    assumed = ~(deals["amount"] > 0) if known_while_open else pd.Series(True, index=deals.index)
    return deals["amount"].mask(assumed, guess).to_numpy(dtype=float), assumed.to_numpy()


def _sums(mask: Array, won: Array, amounts: Array, assumed: Array, deals: pd.DataFrame) -> dict[str, object]:
    wins, money = won[:, mask].sum(axis=1), won[:, mask] @ amounts[mask]
    tail = (1 - INTERVAL_LEVEL) / 2
    ends = {name: np.quantile(drawn[1:], [tail, 1 - tail]) for name, drawn in (("wins", wins), ("money", money))}
    return {
        "standing": int(mask.sum()), "amount": float(deals.loc[mask, "amount"].sum()),
        "assumed": int(assumed[mask].sum()),
        "wins_spread": float(wins[1:].std()), "money_spread": float(money[1:].std()),
        "wins": float(wins[0]), "wins_low": float(ends["wins"][0]), "wins_high": float(ends["wins"][1]),
        "money": float(money[0]), "money_low": float(ends["money"][0]), "money_high": float(ends["money"][1]),
    }  # fmt: skip
