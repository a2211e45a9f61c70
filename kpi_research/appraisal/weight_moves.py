"""What the order of people owes to the exact weights: weights drawn from all that the usual bands allow.

A weight of 30 instead of 35 would have been as good a choice. Where the first place hangs on that, it says more about
the scheme than about the person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpi_research.appraisal.adjusting import adjusted
from kpi_research.appraisal.attainment import FloatArray
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.score import Score
from kpi_research.kpis.definition import Kpi

DRAWS = 1000
STEPS_PER_KPI = 30
"""Steps of a walk; with so many per KPI the mean of every weight agrees with plain rejection to its sampling error."""
AROUND = 5.0
"""Points around its weight within which a KPI without a usual band may be moved."""
HAIR = 1e-9


@dataclass(frozen=True)
class WeightMoves:
    """What changes for N people when weights move within their bands.

    Parameters
    ----------
    people
        N ids.
    flips
        N x N probabilities, 0-1: that the order of two people is another one than by the scheme's own weights.
    stays_first
        That who is first by the scheme's weights is so by others; null without people or without room to move.
    first
        Id of who is first by the scheme's own weights.
    class_changes
        N probabilities: that a person's class is another one; null where no classes were given.
    bands
        KPI -> lowest and highest weight, percent.
    """

    people: tuple[str, ...]
    flips: FloatArray
    stays_first: float
    first: str
    class_changes: FloatArray
    bands: Mapping[str, tuple[float, float]]


def weight_moves(
    score: Score,
    scheme: Scheme,
    kpis: Mapping[str, Kpi],
    rng: np.random.Generator,
    *,
    class_edges: Sequence[float] = (),
) -> WeightMoves:
    """How often places and classes change.

    Parameters
    ----------
    class_edges
        Scores from which on a person is in the next class, ascending.
    """
    bands = bands_of(scheme, kpis)
    usual = np.array([item.weight for item in scheme.weighted])
    drawn = drawn_weights(np.array(list(bands.values())), usual, rng)
    people, own = _totals(score, scheme, usual[None, :])
    _, moved = _totals(score, scheme, drawn)
    has_room = len(people) > 0 and bool(np.ptp(drawn, axis=0).max() > HAIR)
    before = np.sign(_rounded(own[:, :, None] - own[:, None, :]))
    flips = np.zeros((len(people), len(people)))
    for number in range(len(people)):
        now = np.sign(_rounded(moved[:, number, None] - moved))
        flips[number] = (now * before[0, number] < 0).mean(axis=0)
    best = int(own[0].argmax()) if len(people) else 0
    stays = float((moved[:, best] >= moved.max(axis=1) - HAIR).mean()) if has_room else np.nan
    classes = np.full(len(people), np.nan)
    if class_edges:
        edges = np.asarray(class_edges, dtype=float)
        classes = (np.searchsorted(edges, moved, side="right") != np.searchsorted(edges, own, side="right")).mean(
            axis=0
        )
    return WeightMoves(people, flips, stays, people[best] if people else "", classes, bands)


def bands_of(scheme: Scheme, kpis: Mapping[str, Kpi]) -> dict[str, tuple[float, float]]:
    """Lowest and highest weight of each of a scheme's KPIs, percent.

    The usual band of the KPI, widened to the weight it has now; 5 points around that where there is no usual one.
    """
    found = {}
    for item in scheme.weighted:
        band = kpis[item.kpi].weight_band
        low, high = (band.lowest, band.highest) if band else (item.weight - AROUND, item.weight + AROUND)
        found[item.kpi] = (max(0.0, min(low, item.weight)), min(100.0, max(high, item.weight)))
    return found


def drawn_weights(bands: FloatArray, start: FloatArray, rng: np.random.Generator) -> FloatArray:
    """`DRAWS` x K weights, uniform over all that lie within the bands (K x 2) and sum to what `start` sums to.

    Notes
    -----
    Hit-and-run: from a point inside, a direction at random along which the sum does not change, and a point at random
    on the line in that direction that is within the bands. R. L. Smith (1984), Efficient Monte Carlo procedures for
    generating points uniformly distributed over bounded regions, Operations Research 32(6), 1296-1308.
    """
    count = len(start)
    at = np.tile(np.asarray(start, dtype=float), (DRAWS, 1))
    free = bands[:, 1] - bands[:, 0] > HAIR
    if free.sum() < 2:
        return at
    for _ in range(STEPS_PER_KPI * count):
        way = np.where(free, rng.standard_normal((DRAWS, count)), 0.0)
        way = np.where(free, way - way.sum(axis=1, keepdims=True) / free.sum(), 0.0)
        slow = np.where(np.abs(way) > HAIR, way, np.nan)
        ends = np.sort(np.stack([(bands[:, 0] - at) / slow, (bands[:, 1] - at) / slow]), axis=0)
        back, forth = np.nanmax(ends[0], axis=1), np.nanmin(ends[1], axis=1)
        at = at + (back + (forth - back) * rng.random(DRAWS))[:, None] * way
    return np.clip(at, bands[:, 0], bands[:, 1])


def _totals(score: Score, scheme: Scheme, weights: FloatArray) -> tuple[tuple[str, ...], FloatArray]:
    """People with a total, and theirs (draws x people) by other weights, adjustments as they are."""
    scored = score.totals.loc[score.totals["score"].notna(), "entity_id"].astype(str)
    rows = score.rows[score.rows["status"] == "ok"]
    shares = (rows["points"] / rows["weight"]).groupby([rows["entity_id"].astype(str), rows["kpi"]]).first()
    table = shares.unstack().reindex(index=list(scored), columns=[item.kpi for item in scheme.weighted])
    reached, known = table.fillna(0.0).to_numpy(dtype=float), table.notna().to_numpy(dtype=float)
    base = weights @ known.T
    plain = np.divide(weights @ reached.T, base, out=np.full_like(base, np.nan), where=base > 0) * 100
    columns = [adjusted(plain[:, number], _changes(score, person)) for number, person in enumerate(scored)]
    return tuple(scored), np.column_stack(columns) if columns else np.zeros((len(weights), 0))


def _changes(score: Score, person: str) -> pd.DataFrame:
    return score.adjustments[score.adjustments["entity_id"].astype(str) == person]


def _rounded(differences: FloatArray) -> FloatArray:
    """A hair is no difference: sums in another order differ in their last digits."""
    return np.where(np.abs(differences) > HAIR, differences, 0.0)
