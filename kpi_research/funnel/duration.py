"""Time in stage by survival: how long until cases leave a stage, which way, and how many stall."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpi_research.funnel.records import Records
from kpi_research.funnel.steps import Windows, observed_from, steps, well_observed
from kpi_research.funnel.steps import windows as usual_windows
from kpi_research.funnel.survival import (
    LOST,
    NEXT,
    curves,
    incidence_errors,
    median_days,
    median_interval,
    restricted_mean,
    survival_errors,
)
from kpi_research.policy import MIN_DENOMINATOR
from kpi_research.proportion import share_interval

CURVE_COLUMNS = ["part", "place", "stage", "kind", "end", "days", "at_risk", "share", "ci_low", "ci_high"]
DURATION_COLUMNS = [
    "part", "place", "stage", "kind", "n", "left", "days_median", "days_low", "days_high", "days_mean", "horizon_days",
    "next_share", "next_low", "next_high", "lost_share", "lost_low", "lost_high", "stalled_share", "stalled_low",
    "stalled_high", "status",
]  # fmt: skip
ENDS = {"next": NEXT, "lost": LOST}


def stage_curves(records: Records, *, since: pd.Timestamp | None = None) -> pd.DataFrame:
    """By day in the stage, the share that had gone on, had been lost, or was still there.

    Parameters
    ----------
    since
        Only what was entered from then on; always only from the first day of the data on.

    Returns
    -------
    In `CURVE_COLUMNS`; `end` is `next`, `lost` (Aalen-Johansen) or `there` (Kaplan-Meier); up to the last day on which
    at least `steps.LEAST_OBSERVED` cases are still observed. The three shares of a day add up to 1.
    """
    frames = []
    for part, place, stage, kind, rows in _stages(records, since):
        found = well_observed(curves(rows["days"].to_numpy(), rows["ended"].to_numpy()))
        errors = incidence_errors(found)
        shares = {name: (found.incidence[end - 1], errors[end - 1]) for name, end in ENDS.items()}
        for name, (share, error) in shares.items():
            low, high = share_interval(share, error)
            frames.append(_curve(part, place, stage, kind, name, found.at_risk, share, low, high))
        low, high = share_interval(1 - found.survival, survival_errors(found))
        frames.append(_curve(part, place, stage, kind, "there", found.at_risk, found.survival, 1 - high, 1 - low))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=CURVE_COLUMNS)


def stage_durations(
    records: Records,
    *,
    since: pd.Timestamp | None = None,
    windows: Windows | None = None,
    reference: Records | None = None,
) -> pd.DataFrame:
    """Time in each stage, and how it ends.

    Returns
    -------
    In `DURATION_COLUMNS`. `days_median` until a case leaves the stage either way, with its interval; `days_mean`, the
    mean with longer times counted as the horizon, which is the window of the stage (`steps.windows` of `reference`).
    `next_share`, `lost_share` and `stalled_share` (neither yet) at the horizon add up to 1. `status` is `ok`,
    `too_few`, or `immature` (no case has been observed as long as the horizon).
    """
    usual = usual_windows(reference or records, windows)
    rows = [_duration(*found, usual) for found in _stages(records, since)]
    return pd.DataFrame(rows, columns=DURATION_COLUMNS)


def _stages(records: Records, since: pd.Timestamp | None) -> Iterator[tuple[str, int, str, str, pd.DataFrame]]:
    rows = observed_from(steps(records), records)
    rows = rows if since is None else rows[rows["entered_at"] >= since]
    for part in records.parts:
        for place, stage in enumerate(records.model.of(part)[:-1]):
            yield part, place, stage.name, stage.kind, rows[(rows["part"] == part) & (rows["place"] == place)]


def _curve(
    part: str,
    place: int,
    stage: str,
    kind: str,
    end: str,
    at_risk: np.ndarray,
    share: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> pd.DataFrame:
    values = {"days": np.arange(len(share)), "at_risk": at_risk, "share": share, "ci_low": low, "ci_high": high}
    return pd.DataFrame({"part": part, "place": place, "stage": stage, "kind": kind, "end": end} | values)


def _duration(part: str, place: int, stage: str, kind: str, rows: pd.DataFrame, usual: Windows) -> dict[str, object]:
    horizon = float(usual.get(stage, np.nan))
    named = {"part": part, "place": place, "stage": stage, "kind": kind, "n": len(rows), "horizon_days": horizon}
    named["left"] = int((rows["ended"] > 0).sum())
    if len(rows) < MIN_DENOMINATOR:
        return named | {"status": "too_few"}
    found = curves(rows["days"].to_numpy(), rows["ended"].to_numpy())
    low, high = median_interval(found)
    named |= {"days_median": median_days(found), "days_low": low, "days_high": high}
    if np.isnan(horizon) or found.followed < horizon:
        return named | {"status": "immature"}
    at, errors = int(horizon), incidence_errors(found)
    named["days_mean"] = restricted_mean(found, at)
    for name, end in ENDS.items():
        ends = share_interval(found.by(at, end), errors[end - 1][min(at, len(found.survival) - 1)])
        named |= {
            f"{name}_share": float(found.by(at, end)),
            f"{name}_low": float(ends[0]),
            f"{name}_high": float(ends[1]),
        }
    still = found.survival[at]
    below, above = share_interval(1 - still, survival_errors(found)[at])
    named |= {"stalled_share": float(still), "stalled_low": float(1 - above), "stalled_high": float(1 - below)}
    return named | {"status": "ok"}
