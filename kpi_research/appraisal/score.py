"""Scores against targets, each with its n, its interval and its reason.

    points = weight * share earned (see `attainment`)
    total  = points earned / weight that could be measured * 100, then bonus and deductions, then vetoes

A KPI without data or target earns neither points nor zero: its weight is left out, and the total says how much of the
weight was scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kpi_research.appraisal.adjusting import ADJUSTMENT_COLUMNS, adjusted, adjustments_of
from kpi_research.appraisal.attainment import FloatArray, attainment, share_earned
from kpi_research.appraisal.ranking import Homogeneity, SliceParts, scores_differ
from kpi_research.appraisal.resampling import interval, resample_weights, resampled
from kpi_research.appraisal.scheme import Scheme, SchemeItem
from kpi_research.kpis.definition import Kpi
from kpi_research.panel.records import no_records
from kpi_research.policy import MEASURED, MIN_SCORED_WEIGHT

SCORE_COLUMNS = [
    "entity_id", "kpi", "group", "scope", "weight", "target", "actual", "actual_low", "actual_high", "attainment",
    "attainment_low", "attainment_high", "points", "n", "status",
]  # fmt: skip
TOTAL_COLUMNS = ["entity_id", "score", "score_low", "score_high", "score_se", "scored_weight", "adjusted", "status"]
NOT_COMPARED = Homogeneity(np.nan, 0, np.nan, 0, "too_few")


@dataclass(frozen=True)
class Score:
    """Scores of several entities of one level in one period.

    Parameters
    ----------
    rows
        One row an entity and KPI: `entity_id, kpi, group, scope, weight, target, actual, actual_low, actual_high,
        attainment, attainment_low, attainment_high, points, n, status`. `weight` is percent of the total; `status` is
        `ok`, `no_target`, `not_kept` (the company never had such a record), or why there is no value.
    totals
        One row an entity: `entity_id, score, score_low, score_high, score_se, scored_weight, adjusted, status`;
        `adjusted` are the points that bonus, deductions and vetoes moved the total by; `status` is `ok`,
        `partial_weight` (some KPIs could not be scored) or `not_scored` (too little weight could be). Interval and
        error are null where all resamples were alike.
    adjustments
        One row an entity and adjustment of the scheme: `entity_id, kpi, effect, value, limit, points, score_at_most,
        status`; `status` is `applied`, `harmless`, or why there is no value.
    likeness
        Whether the entities with a total differ by more than chance on `compared_kpis`.
    compared_kpis
        The KPIs scored for every entity with a total; none if they have too little of the scheme's weight.
    draws
        Totals of each scored entity by `entity_id` in each resample; the same resample has the same weeks for all.
    no_luck
        Share (0-1) of the differences between all people's totals that is no luck of the weeks (`reliability`), beside
        the score of one person; null where it is not known.
    records
        The records behind the KPIs, in `RECORD_COLUMNS` of `panel.records`; beside the score of one person, and theirs.
    """

    rows: pd.DataFrame
    totals: pd.DataFrame
    adjustments: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=ADJUSTMENT_COLUMNS))
    likeness: Homogeneity = NOT_COMPARED
    compared_kpis: tuple[str, ...] = ()
    draws: Mapping[str, FloatArray] = field(default_factory=dict)
    no_luck: float = np.nan
    records: pd.DataFrame = field(default_factory=no_records)

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
        Panel rows of one level and one period. An item whose `scope` is the team has the team's figures in its
        people's rows.
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
    replacement, scaled by n / (n - 1) [1]_, and the percentiles of `policy.INTERVAL_LEVEL` are taken. Adjustments are
    facts of the period and the same in every resample.

    .. [1] J. N. K. Rao and C. F. J. Wu (1988), Resampling inference with complex survey data, JASA 83(401), 231-241.
    """
    weights = resample_weights(slices["period"].nunique(), rng)
    by_entity = dict(iter(slices.sort_values("period").groupby("entity_id")))
    rows, draws = [], {}
    for entity, given in panel.groupby("entity_id", sort=True):
        in_slices = by_entity.get(entity, slices.iloc[:0])
        for item in scheme.weighted:
            kpi = kpis[item.kpi]
            row = given[given["kpi"] == item.kpi].iloc[0]
            target = targets.get((str(entity), item.kpi), np.nan)
            drawn = resampled(in_slices[in_slices["kpi"] == item.kpi], weights, kpi, row, is_rated=bool(item.raters))
            reached = attainment(drawn, target, kpi.direction, item)
            rows.append(
                {"entity_id": str(entity), **_score_row(item, kpi, row, target), **_ranges(row, drawn, reached)}
            )
            draws[str(entity), item.kpi] = item.weight * share_earned(drawn, reached, item)
    frame = pd.DataFrame(rows, columns=SCORE_COLUMNS)
    changes = adjustments_of(panel, scheme)
    totals, drawn_totals = _totals(frame, draws, changes)
    scored = frame[frame["entity_id"].isin(totals.loc[totals["status"] != "not_scored", "entity_id"])]
    items = _in_common(scored, scheme, kpis)
    parts = _slice_parts(slices, scored, [kpis[item.kpi] for item in items])
    likeness = scores_differ(parts, lambda reached: _total(reached, items, kpis), rng=rng)
    return Score(frame, totals, changes, likeness, tuple(item.kpi for item in items), drawn_totals)


def _in_common(scored: pd.DataFrame, scheme: Scheme, kpis: Mapping[str, Kpi]) -> list[SchemeItem]:
    """The own sums scored for every entity: people measured on different KPIs cannot be compared.

    Steps over a value are left out: what is swapped between people are attainments.
    """
    for_all = (scored["status"] == "ok").groupby(scored["kpi"]).all()
    items = [
        item
        for item in scheme.weighted
        if for_all.get(item.kpi, False)
        and kpis[item.kpi].aggregation == "sum"
        and item.scope == "person"
        and not item.raters
        and not (item.steps and item.steps_on == "value")
    ]
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


def _total(reached: FloatArray, items: Sequence[SchemeItem], kpis: Mapping[str, Kpi]) -> FloatArray:
    """Totals (...) from what part of each target was achieved (... x items), by the rules of the items."""
    points = np.zeros(reached.shape[:-1])
    for number, item in enumerate(items):
        part = reached[..., number]
        points += item.weight * share_earned(part, attainment(part, 1.0, kpis[item.kpi].direction, item), item)
    return points / max(1e-9, sum(item.weight for item in items)) * 100


def _score_row(item: SchemeItem, kpi: Kpi, row: pd.Series, target: float) -> dict[str, object]:
    measured = row["status"] in MEASURED
    needs_target = not (item.steps and item.steps_on == "value")
    status = row["status"] if not measured else "no_target" if needs_target and not target > 0 else "ok"
    value = np.array([row["value"] if measured else np.nan], dtype=float)
    reached = attainment(value, target, kpi.direction, item)
    return {
        "kpi": item.kpi,
        "group": item.group,
        "scope": item.scope,
        "weight": item.weight,
        "target": target,
        "actual": row["value"],
        "attainment": float(reached[0]),
        "points": item.weight * float(share_earned(value, reached, item)[0]),
        "n": row["n"],
        "status": status,
    }


def _ranges(row: pd.Series, drawn: FloatArray, reached: FloatArray) -> dict[str, float]:
    measured = row["status"] in MEASURED
    low, high = interval(drawn) if measured else (np.nan, np.nan)
    reached_low, reached_high = interval(reached) if measured else (np.nan, np.nan)
    return {"actual_low": low, "actual_high": high, "attainment_low": reached_low, "attainment_high": reached_high}


def _totals(
    rows: pd.DataFrame, draws: Mapping[tuple[str, str], FloatArray], changes: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, FloatArray]]:
    totals, drawn_totals = [], {}
    for entity, given in rows.groupby("entity_id", sort=True):
        scored, own = given[given["status"] == "ok"], changes[changes["entity_id"] == entity]
        weight = scored["weight"].sum()
        share = weight / given["weight"].sum()
        if share < MIN_SCORED_WEIGHT:
            totals.append((entity, np.nan, np.nan, np.nan, np.nan, share, np.nan, "not_scored"))
            continue
        drawn = adjusted(sum(draws[str(entity), kpi] for kpi in scored["kpi"]) / weight * 100, own)
        plain = scored["points"].sum() / weight * 100
        reached = float(adjusted(np.array([plain]), own)[0])
        low, high = interval(drawn)
        status = "ok" if len(scored) == len(given) else "partial_weight"
        spread = float(np.nanstd(drawn)) if low < high else np.nan
        totals.append((entity, reached, low, high, spread, share, reached - plain, status))
        drawn_totals[str(entity)] = drawn
    return pd.DataFrame(totals, columns=TOTAL_COLUMNS), drawn_totals
