"""Which KPIs may have weight in a suggestion, how much of it, and what each person earned on them quarter by
quarter."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpi_research.appraisal.attainment import FloatArray, attainment, share_earned
from kpi_research.appraisal.largest_remainder import apportion, exact
from kpi_research.appraisal.rules_weights import FOUR_KINDS, TWO_KINDS
from kpi_research.appraisal.scheme import Scheme, SchemeItem
from kpi_research.appraisal.suggested_weights import STEP, Candidate, Suggestion
from kpi_research.kpis.definition import Kind, Kpi
from kpi_research.policy import MEASURED

NOT_RAISED = frozenset("HIF")
"""Letters of KPIs that get no more weight: made of the result itself, going with it by chance, or without effect."""
LEAST_KNOWN = 0.6
"""A KPI that fewer of the people's quarters have a figure for keeps its weight: others' weights would be tested."""
UNUSUAL = (5, 30)
"""Percent that a KPI without a usual band may have: none of them becomes the main one."""
Bands = Mapping[tuple[Kind, ...], tuple[float, float]]


@dataclass(frozen=True)
class Earned:
    """What N people earned on K KPIs in T quarters.

    Parameters
    ----------
    kpis
        K names.
    reached
        N x T x K share earned, 1 at the target; NaN where there was no figure.
    result
        N x T values of the outcome, in its unit.
    by_median
        KPIs that somewhere had no target and were held against the quarter's median.
    """

    kpis: tuple[str, ...]
    reached: FloatArray
    result: FloatArray
    by_median: tuple[str, ...]


@dataclass(frozen=True)
class WeightAdvice:
    """A suggestion, and what it leaves out.

    Parameters
    ----------
    unchanged
        KPIs of the scheme that keep their weight, since too little is known of them.
    by_median
        KPIs that somewhere had no target and were held against the quarter's median.
    """

    suggestion: Suggestion
    unchanged: tuple[str, ...]
    by_median: tuple[str, ...]


def earned(
    rows: pd.DataFrame,
    items: Mapping[str, SchemeItem],
    kpis: Mapping[str, Kpi],
    targets: Mapping[tuple[str, str, str], float],
    outcome: str,
) -> Earned:
    """Shares earned by the rules of each item, and the outcome.

    Parameters
    ----------
    rows
        Panel rows of people over quarters, the outcome's included.
    items
        By KPI, in the order wanted.
    targets
        (period, entity_id, kpi) -> target.
    """
    known = rows[rows["status"].isin(MEASURED)]
    people, quarters = sorted(rows["entity_id"].unique()), sorted(rows["period"].unique())
    values = {kpi: _table(known, kpi, people, quarters) for kpi in {*items, outcome}}
    shares, by_median = [], []
    for kpi, item in items.items():
        aims = np.array([[targets.get((quarter, person, kpi), np.nan) for quarter in quarters] for person in people])
        lacks = ~(aims > 0) & np.isfinite(values[kpi])
        if lacks.any():
            by_median.append(kpi)
            aims = np.where(aims > 0, aims, _medians(values[kpi]))
        reached = attainment(values[kpi], aims, kpis[kpi].direction, item)
        shares.append(share_earned(values[kpi], reached, item))
    return Earned(tuple(items), np.stack(shares, axis=-1), values[outcome], tuple(by_median))


def _table(known: pd.DataFrame, kpi: str, people: Sequence[str], quarters: Sequence[str]) -> FloatArray:
    of_kpi = known[known["kpi"] == kpi].pivot(index="entity_id", columns="period", values="value")
    return of_kpi.reindex(index=people, columns=quarters).to_numpy(dtype=float)


def _medians(values: FloatArray) -> FloatArray:
    """Of each quarter (T); NaN where nobody has a figure."""
    columns = [column[np.isfinite(column)] for column in values.T]
    return np.array([np.median(column) if len(column) else np.nan for column in columns])


def well_known(found: Earned) -> list[str]:
    """The KPIs with a figure in enough of the quarters in which people have a result."""
    there = np.isfinite(found.result)
    parts = [float(np.isfinite(found.reached[..., number])[there].mean()) for number in range(len(found.kpis))]
    return [kpi for kpi, part in zip(found.kpis, parts, strict=True) if part >= LEAST_KNOWN]


def candidates(
    scheme: Scheme, kpis: Mapping[str, Kpi], letters: Mapping[str, str], known: Collection[str]
) -> tuple[Candidate, ...]:
    """What may have weight among the KPIs `known`: the scheme's with what they have now in whole steps, then the
    others.

    Parameters
    ----------
    letters
        Letter of the verdict by KPI.
    """
    own = {item.kpi: item.weight for item in scheme.weighted if item.kpi in known}
    if not own:
        return ()
    total = round(sum(own.values()) / STEP)
    now = apportion(total, {kpi: exact(weight) for kpi, weight in own.items()})
    kinds = {item.kpi: item.kind for item in scheme.items}
    return tuple(
        _candidate(kpis[kpi], kinds.get(kpi) or kpis[kpi].kind, now.get(kpi, 0), letters.get(kpi, ""))
        for kpi in dict.fromkeys([*own, *known])
    )


def _candidate(kpi: Kpi, kind: Kind, weight: int, letter: str) -> Candidate:
    low, high = (kpi.weight_band.lowest, kpi.weight_band.highest) if kpi.weight_band else UNUSUAL
    lowest, highest = math.ceil(low / STEP), math.floor(high / STEP)
    if weight:
        lowest, highest = min(lowest, weight), max(highest, weight)
    return Candidate(kpi.name, kind, weight, lowest, weight if letter in NOT_RAISED else highest)


def kind_bands(scheme: Scheme, kpis: Mapping[str, Kpi], chosen: Collection[str]) -> Bands:
    """Percent that kinds may have among the KPIs `chosen`, after what the scheme's others of these kinds keep."""
    kinds = {item.kpi: item.kind or kpis[item.kpi].kind for item in scheme.items}
    usual = FOUR_KINDS if {"customer_value", "digital"} & set(kinds.values()) else TWO_KINDS
    kept = {item.kpi: item.weight for item in scheme.weighted if item.kpi not in chosen}
    rest = {of: sum(weight for kpi, weight in kept.items() if kinds[kpi] in of) for of in usual}
    return {of: (low - rest[of], high - rest[of]) for of, (low, high) in usual.items()}
