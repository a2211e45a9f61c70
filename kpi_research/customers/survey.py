"""What customers say: recommendation (NPS) and satisfaction, each with how many answered and how sure it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy.stats import t as student

from kpi_research.kpis.customer_value import DETRACTOR, PROMOTER
from kpi_research.policy import INTERVAL_LEVEL, MIN_DENOMINATOR
from kpi_research.proportion import wilson

NPS_SCALE = (0.0, 10.0)
HUNDRED = 100.0
VOICE_COLUMNS = [
    "kind", "unit", "scale_min", "scale_max", "value", "low", "high", "n", "customers", "promoters", "detractors",
    "invited", "response_rate", "response_low", "response_high", "status",
]  # fmt: skip


def summarise(
    answers: pd.DataFrame, *, start: dt.date, end: dt.date, invited: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """NPS and mean satisfaction of the answers of a stretch, one row a kind of survey and scale.

    Parameters
    ----------
    answers
        `account_id, kind, day, score, scale_min, scale_max`, as in `facts.Facts.answers`.
    start, end
        First day, and first day after the last.
    invited
        Kind of survey -> how many were asked, where that is known; answers alone do not tell it.

    Returns
    -------
    `kind`; `unit`: `nps` from -100 to 100, or `points`, satisfaction moved to 0-100; the scale it was asked on; `value`
    with `low` and `high`; `n` answers of `customers`; for NPS `promoters` and `detractors`; `invited` and
    `response_rate` with its range, null where unknown; `status`: `ok`, `too_few`, or `other_scale`: an NPS that was not
    asked from 0 to 10 is none.

    Raises
    ------
    ValueError
        If more answered than were asked.
    """
    inside = answers[(answers["day"] >= pd.Timestamp(start)) & (answers["day"] < pd.Timestamp(end))]
    asked = invited or {}
    rows = [
        _row(str(kind), (float(low), float(high)), group, asked.get(str(kind)))
        for (kind, low, high), group in inside.groupby(["kind", "scale_min", "scale_max"])
    ]
    return pd.DataFrame(rows, columns=VOICE_COLUMNS)


def net_promoter_score(scores: np.ndarray, groups: np.ndarray) -> tuple[float, float, float]:
    """Share of 9 and 10 less share of 0 to 6, with its interval, all times 100.

    Parameters
    ----------
    groups
        Whose answers belong together: several of one customer say less than as many of different ones.

    Notes
    ----- Promoters and detractors are the two discordant cells of paired data, so the interval is that of Bonett, D.
    G. & Price, R. M. (2012), Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data, Journal of Educational and Behavioral Statistics 37(4), 479-488; with the number of answers divided
    by the design effect of several answers of one customer (Kish 1965).
    """
    signs = np.where(scores >= PROMOTER, 1.0, np.where(scores <= DETRACTOR, -1.0, 0.0))
    n = len(signs) / design_effect(signs, groups)
    up, down = (((signs == sign).mean() * n + 1) / (n + 2) for sign in (1, -1))
    half = _z() * ((up + down - (up - down) ** 2) / (n + 2)) ** 0.5
    middle = up - down
    return signs.mean() * HUNDRED, max(middle - half, -1.0) * HUNDRED, min(middle + half, 1.0) * HUNDRED


def mean_score(scores: np.ndarray, groups: np.ndarray, scale: tuple[float, float]) -> tuple[float, float, float]:
    """Mean of scores moved to 0-100, with its t interval over customers, kept inside 0-100; none where nothing
    scatters."""
    moved = (scores - scale[0]) / (scale[1] - scale[0]) * HUNDRED
    clusters = len(np.unique(groups))
    spread = moved.std(ddof=1) if len(moved) > 1 else 0.0
    if clusters < 2 or spread == 0:
        return float(moved.mean()), float("nan"), float("nan")
    error = spread * (design_effect(moved, groups) / len(moved)) ** 0.5
    half = float(student.isf((1 - INTERVAL_LEVEL) / 2, clusters - 1)) * error
    return float(moved.mean()), max(moved.mean() - half, 0.0), min(moved.mean() + half, HUNDRED)


def design_effect(values: np.ndarray, groups: np.ndarray) -> float:
    """By how much the variance of a mean grows because answers of one customer are alike; at least 1."""
    off = values - values.mean()
    plain = (off**2).sum()
    if plain == 0:
        return 1.0
    _, place = np.unique(groups, return_inverse=True)
    return max(float((np.bincount(place, off) ** 2).sum() / plain), 1.0)


def _row(kind: str, scale: tuple[float, float], group: pd.DataFrame, invited: int | None) -> tuple[object, ...]:
    scores, accounts = group["score"].to_numpy(float), group["account_id"].to_numpy()
    n = len(scores)
    if invited is not None and n > invited:
        raise ValueError(f"{n} answers to {kind} of {invited} who were asked")
    is_nps = kind == "nps"
    status = "other_scale" if is_nps and scale != NPS_SCALE else "too_few" if n < MIN_DENOMINATOR else "ok"
    found = (np.nan, np.nan, np.nan)
    if status == "ok":
        found = net_promoter_score(scores, accounts) if is_nps else mean_score(scores, accounts, scale)
    counts = (int((scores >= PROMOTER).sum()), int((scores <= DETRACTOR).sum())) if is_nps else (np.nan, np.nan)
    response = (n / invited, *wilson(n, invited)) if invited else (np.nan, np.nan, np.nan)
    unit = "nps" if is_nps else "points"
    asked = np.nan if invited is None else invited
    return (kind, unit, *scale, *found, n, len(np.unique(accounts)), *counts, asked, *response, status)


def _z() -> float:
    return NormalDist().inv_cdf(0.5 + INTERVAL_LEVEL / 2)
