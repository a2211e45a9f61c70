"""Scores against targets, each with its n, its interval and its reason.

    attainment = actual / target            (higher is better)
    attainment = 2 - actual / target        (lower is better; twice the target earns nothing)
    points     = weight * attainment, attainment held between the item's floor and cap
    total      = points earned / weight that could be measured * 100

A KPI without data or target earns neither points nor zero: its weight is left out, and the total says how much of the
weight was scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpi_research.appraisal.ranking import FloatArray, Homogeneity, SliceParts, scores_differ
from kpi_research.appraisal.scheme import Scheme, SchemeItem
from kpi_research.kpis.definition import Kpi
from kpi_research.policy import INTERVAL_LEVEL, MIN_SCORED_WEIGHT, RESAMPLES

SCORE_COLUMNS = [
    "entity_id", "kpi", "weight", "target", "actual", "actual_low", "actual_high", "attainment", "attainment_low",
    "attainment_high", "points", "n", "status",
]  # fmt: skip
TOTAL_COLUMNS = ["entity_id", "score", "score_low", "score_high", "score_se", "scored_weight", "status"]
MEASURED = ("ok", "partial")
NOT_COMPARED = Homogeneity(np.nan, 0, np.nan, 0, "too_few")
NO_WIDTH = 1e-9
"""Relative width under which an interval is none: the draws were all the same and say nothing of chance."""


@dataclass(frozen=True)
class Score:
    """Scores of several entities of one level in one period.

    Parameters
    ----------
    rows
        One row an entity and KPI: `entity_id, kpi, weight, target, actual, actual_low, actual_high, attainment,
        attainment_low, attainment_high, points, n, status`. `status` is `ok`, `no_target`, or why there is no value.
    totals
        One row an entity: `entity_id, score, score_low, score_high, score_se, scored_weight, status`; `status` is
        `ok`, `partial_weight` (some KPIs could not be scored) or `not_scored` (too little weight could be).
        Interval and error are null where all resamples were alike.
    likeness
        Whether the entities with a total differ by more than chance on `compared_kpis`.
    compared_kpis
        The KPIs scored for every entity with a total; none if they have too little of the scheme's weight.
    """

    rows: pd.DataFrame
    totals: pd.DataFrame
    likeness: Homogeneity = NOT_COMPARED
    compared_kpis: tuple[str, ...] = ()

    @property
    def compared_scores(self) -> pd.Series:
        """Total on `compared_kpis` alone by entity_id: what may be put in order if `likeness` allows it."""
        scored = self.totals.loc[self.totals["score"].notna(), "entity_id"]
        rows = self.rows[self.rows["entity_id"].isin(scored) & self.rows["kpi"].isin(self.compared_kpis)]
        sums = rows.groupby("entity_id")[["points", "weight"]].sum()
        return sums["points"] / sums["weight"] * 100


def score(
    panel: pd.DataFrame,
    slices: pd.DataFrame,
    *,
    scheme: Scheme,
    kpis: Mapping[str, Kpi],
    targets: Mapping[tuple[str, str], float],
    rng: np.random.Generator,
) -> Score:
    """Score every entity of a panel of one period.

    Parameters
    ----------
    panel
        Panel rows of one level and one period.
    slices
        Panel rows of the same entities over the period's weekly slices: what the intervals are resampled from.
    kpis
        Definitions by name.
    targets
        (entity_id, kpi) -> target in the KPI's unit.
    rng
        Source of the resamples and of the rearrangements behind `likeness`.

    Notes
    -----
    Intervals answer: how far could this figure be off its own typical level merely because of how this period's weeks
    fell? Whole weekly slices are resampled, so that KPIs of the same week stay together: n - 1 of n slices with
    replacement, scaled by n / (n - 1) [1]_, and the percentiles of `policy.INTERVAL_LEVEL` are taken.

    .. [1] J. N. K. Rao and C. F. J. Wu (1988), Resampling inference with complex survey data, JASA 83(401), 231-241.
    """
    weights = _resample_weights(slices["period"].nunique(), rng)
    by_entity = dict(iter(slices.sort_values("period").groupby("entity_id")))
    rows, draws = [], {}
    for entity, given in panel.groupby("entity_id", sort=True):
        in_slices = by_entity.get(entity, slices.iloc[:0])
        for item in scheme.items:
            kpi = kpis[item.kpi]
            row = given[given["kpi"] == item.kpi].iloc[0]
            target = targets.get((str(entity), item.kpi), np.nan)
            drawn = _resampled(in_slices[in_slices["kpi"] == item.kpi], weights, kpi, row)
            reached = _attainment(drawn, target, kpi)
            rows.append(
                {"entity_id": str(entity), **_score_row(item, kpi, row, target), **_ranges(row, drawn, reached)}
            )
            draws[str(entity), item.kpi] = item.weight * np.clip(reached, item.floor, item.cap)
    frame = pd.DataFrame(rows, columns=SCORE_COLUMNS)
    totals = _totals(frame, draws)
    scored = frame[frame["entity_id"].isin(totals.loc[totals["status"] != "not_scored", "entity_id"])]
    items = _in_common(scored, scheme, kpis)
    parts = _slice_parts(slices, scored, [kpis[item.kpi] for item in items])
    likeness = scores_differ(parts, lambda attainment: _total(attainment, items, kpis), rng=rng)
    return Score(frame, totals, likeness, tuple(item.kpi for item in items))


def _in_common(scored: pd.DataFrame, scheme: Scheme, kpis: Mapping[str, Kpi]) -> list[SchemeItem]:
    """The sums scored for every entity: people measured on different KPIs cannot be compared."""
    for_all = (scored["status"] == "ok").groupby(scored["kpi"]).all()
    items = [item for item in scheme.items if for_all.get(item.kpi, False) and kpis[item.kpi].aggregation == "sum"]
    return items if sum(item.weight for item in items) >= 100 * MIN_SCORED_WEIGHT else []


def _slice_parts(slices: pd.DataFrame, scored: pd.DataFrame, kpis: Sequence[Kpi]) -> SliceParts:
    """What the entities of `scored` achieved, and what was expected of them, in every slice and each of `kpis`."""
    names, people, periods = [kpi.name for kpi in kpis], scored["entity_id"].unique(), sorted(slices["period"].unique())
    given = slices.astype({"entity_id": str}).set_index(["entity_id", "period"])
    shape = len(people), len(periods), len(names)
    index = pd.MultiIndex.from_product([people, periods, names], names=["entity_id", "period", "kpi"])
    cube = given.set_index("kpi", append=True)[["numerator", "denominator"]].astype(float).reindex(index).fillna(0.0)
    target = scored.pivot(index="entity_id", columns="kpi", values="target").reindex(index=people, columns=names)
    present = pd.MultiIndex.from_product([people, periods]).isin(given.index).reshape(shape[:2])
    share = present / np.maximum(1, present.sum(axis=1, keepdims=True))
    ratio = np.array([kpi.denominator is not None for kpi in kpis], dtype=bool)
    base = np.where(ratio, cube["denominator"].to_numpy().reshape(shape), share[:, :, None])
    achieved = cube["numerator"].to_numpy().reshape(shape)
    return SliceParts(achieved, base * target.to_numpy(dtype=float)[:, None, :], present)


def _total(attainment: FloatArray, items: Sequence[SchemeItem], kpis: Mapping[str, Kpi]) -> FloatArray:
    """Totals (...) from the sums' attainments (... x items), as `_attainment` and `_totals` have them."""
    up = [kpis[item.kpi].direction == "up" for item in items]
    weight, floor, cap = np.array([(item.weight, item.floor, item.cap) for item in items]).T
    return np.clip(np.where(up, attainment, 2 - attainment), floor, cap) @ weight / weight.sum() * 100


def _score_row(item: SchemeItem, kpi: Kpi, row: pd.Series, target: float) -> dict[str, object]:
    measured = row["status"] in MEASURED
    status = row["status"] if not measured else "ok" if target > 0 else "no_target"
    attainment = float(_attainment(np.array([row["value"]]), target, kpi)[0]) if measured else np.nan
    return {
        "kpi": item.kpi,
        "weight": item.weight,
        "target": target,
        "actual": row["value"],
        "attainment": attainment,
        "points": item.weight * float(np.clip(attainment, item.floor, item.cap)),
        "n": row["n"],
        "status": status,
    }


def _ranges(row: pd.Series, drawn: np.ndarray, reached: np.ndarray) -> dict[str, float]:
    measured = row["status"] in MEASURED
    low, high = _interval(drawn) if measured else (np.nan, np.nan)
    reached_low, reached_high = _interval(reached) if measured else (np.nan, np.nan)
    return {"actual_low": low, "actual_high": high, "attainment_low": reached_low, "attainment_high": reached_high}


def _totals(rows: pd.DataFrame, draws: Mapping[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    totals = []
    for entity, given in rows.groupby("entity_id", sort=True):
        scored = given[given["status"] == "ok"]
        weight = scored["weight"].sum()
        share = weight / given["weight"].sum()
        if share < MIN_SCORED_WEIGHT:
            totals.append((entity, np.nan, np.nan, np.nan, np.nan, share, "not_scored"))
            continue
        drawn = sum(draws[str(entity), kpi] for kpi in scored["kpi"]) / weight * 100
        low, high = _interval(drawn)
        status = "ok" if share == 1 else "partial_weight"
        spread = float(np.nanstd(drawn)) if low < high else np.nan
        totals.append((entity, scored["points"].sum() / weight * 100, low, high, spread, share, status))
    return pd.DataFrame(totals, columns=TOTAL_COLUMNS)


def _attainment(actual: np.ndarray, target: float, kpi: Kpi) -> np.ndarray:
    if not target > 0:
        return np.full(actual.shape, np.nan)
    ratio = actual / target
    return ratio if kpi.direction == "up" else 2 - ratio


def _resample_weights(slices: int, rng: np.random.Generator) -> np.ndarray:
    """`RESAMPLES` x slices: how often each slice counts in each resample."""
    if slices < 2:
        return np.ones((RESAMPLES, slices))
    drawn = rng.multinomial(slices - 1, np.full(slices, 1 / slices), size=RESAMPLES)
    return drawn * slices / (slices - 1)


def _resampled(slices: pd.DataFrame, weights: np.ndarray, kpi: Kpi, row: pd.Series) -> np.ndarray:
    """The KPI's value in every resample; null where its denominator is empty.

    What is no sum over the weeks is the same in every resample, and so has no interval.
    """
    if kpi.aggregation != "sum":
        return np.full(len(weights), row["value"], dtype=float)
    numerator = weights[:, : len(slices)] @ slices["numerator"].to_numpy(dtype=float, na_value=0.0)
    if kpi.denominator is None:
        return numerator
    denominator = weights[:, : len(slices)] @ slices["denominator"].to_numpy(dtype=float, na_value=0.0)
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)


def _interval(draws: np.ndarray) -> tuple[float, float]:
    """The middle of the draws; null if it has no width, since that would claim to be certain."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return np.nan, np.nan
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    if high - low <= NO_WIDTH * max(abs(low), abs(high)):
        return np.nan, np.nan
    return float(low), float(high)
