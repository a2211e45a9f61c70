"""How long customers stay, with those who are still there counted for as long as they were seen.

References
----------
Kaplan, E. L. & Meier, P. (1958). Nonparametric estimation from incomplete observations. JASA 53(282), 457-481.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpi_research.proportion import share_interval

CURVE_COLUMNS = ["time", "at_risk", "events", "censored", "survival", "low", "high"]


def kaplan_meier(durations: np.ndarray, happened: np.ndarray, entries: np.ndarray | None = None) -> pd.DataFrame:
    """The share to whom something has not happened yet, by time since their start.

    Parameters
    ----------
    durations
        Time, in any unit, from each one's start to the event, or to the end of observation.
    happened
        Whether it was the event.
    entries
        From which time on each was watched; from the start by default. Whoever was on file only because they had stayed
        so long already counts from then on (left truncation), as nobody else like them is on file.

    Returns
    -------
    `time`, at which anything happened; `at_risk` just before; `events`; `censored` at it; `survival` just after, with
    `low` and `high` at `policy.INTERVAL_LEVEL`. The first row is time 0.

    Raises
    ------
    ValueError
        If somebody's time ends before they were watched.
    """
    ends, events = np.asarray(durations, float), np.asarray(happened, bool)
    begins = np.zeros(len(ends)) if entries is None else np.asarray(entries, float)
    if (ends < begins).any() or (begins < 0).any():
        raise ValueError("nobody can be lost before being watched")
    times = np.unique(ends)
    at_risk = np.searchsorted(np.sort(begins), times, "left") - np.searchsorted(np.sort(ends), times, "left")
    # whoever is first watched at 0 is at risk at 0
    at_risk = np.where(times == 0, (begins == 0).sum(), at_risk)
    died = np.bincount(np.searchsorted(times, ends[events]), minlength=len(times))
    gone = np.bincount(np.searchsorted(times, ends[~events]), minlength=len(times))
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(np.where(at_risk > 0, 1 - died / at_risk, 1.0))
        greenwood = np.cumsum(np.where(died > 0, died / (at_risk * (at_risk - died)), 0.0))
    low, high = _interval(survival, greenwood)
    curve = pd.DataFrame(
        {
            "time": times,
            "at_risk": at_risk,
            "events": died,
            "censored": gone,
            "survival": survival,
            "low": low,
            "high": high,
        }
    )
    start = pd.DataFrame([[0.0, int((begins == 0).sum()), 0, 0, 1.0, 1.0, 1.0]], columns=CURVE_COLUMNS)
    return curve if len(curve) and times[0] == 0 else pd.concat([start, curve], ignore_index=True)


def at(curve: pd.DataFrame, time: float) -> pd.Series:
    """The row of a curve that holds at a time; its `survival` is null beyond the last one watched."""
    row = curve[curve["time"] <= time].iloc[-1].copy()
    if time > curve["time"].iloc[-1] and row["survival"] > 0:
        row[["survival", "low", "high"]] = np.nan
    return row


def _interval(survival: np.ndarray, greenwood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where nobody was lost yet nothing is unsure; where nobody is left nothing is known of the spread."""
    errors = np.multiply(survival, np.sqrt(greenwood), out=np.zeros_like(survival), where=survival > 0)
    lost_low, lost_high = share_interval(1 - survival, errors)
    return np.where(survival == 1, 1.0, 1 - lost_high), np.where(survival == 1, 1.0, 1 - lost_low)
