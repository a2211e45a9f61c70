"""All that is said of the luck in one period's scores of a group of people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kpi_research.appraisal.attainment import FloatArray
from kpi_research.appraisal.progress import Progress, progress
from kpi_research.appraisal.rank_intervals import RankIntervals, rank_intervals
from kpi_research.appraisal.reliability import Measured, Reliability, measured, reliability
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.score import Score
from kpi_research.appraisal.shrinkage import Firsts, firsts, shrunk
from kpi_research.appraisal.weight_moves import WeightMoves, weight_moves
from kpi_research.kpis.definition import Kpi


@dataclass(frozen=True)
class ScoreLuck:
    """What luck does to the scores of N people.

    Parameters
    ----------
    given, reliability, ranks
        The scores, how much of their differences would come again, and between which places everybody stands.
    shrunk
        N scores with luck taken off; empty where `reliability` has a reason to say nothing.
    firsts
        How sure places at the top are; None where `reliability` has a reason to say nothing.
    moves
        What other weights within their bands would change; of all people with a total.
    progress
        Since the period before, of those scored on the same KPIs in both; None where it was not scored, or nothing can
        be said of its luck or of this one's.
    same_kpis
        Whether all N are scored on the same KPIs.
    """

    given: Measured
    reliability: Reliability
    ranks: RankIntervals
    shrunk: FloatArray
    firsts: Firsts | None
    moves: WeightMoves
    progress: Progress | None
    same_kpis: bool


def score_luck(
    now: tuple[Score, int],
    before: tuple[Score, int] | None,
    scheme: Scheme,
    kpis: Mapping[str, Kpi],
    *,
    rng: np.random.Generator,
) -> ScoreLuck:
    """Everything at once.

    Parameters
    ----------
    now, before
        Scores of the same group with the number of weekly slices of their period.
    """
    given = measured(*now)
    found = reliability(given)
    known = not found.reason
    moves = weight_moves(now[0], scheme, kpis, rng)
    top = firsts(given, found, rng) if known else None
    kept = shrunk(given, found) if known else np.empty(0)
    since = _progress(now, before, given, found) if known and before else None
    of_each = _scored_on(now[0])
    same = len({of_each[person] for person in given.people}) <= 1
    return ScoreLuck(given, found, rank_intervals(given), kept, top, moves, since, same)


def _progress(
    now: tuple[Score, int], before: tuple[Score, int], given: Measured, found: Reliability
) -> Progress | None:
    """A score on other KPIs is no progress: only who has the same ones in both periods is compared."""
    earlier = measured(*before)
    found_earlier = reliability(earlier)
    if found_earlier.reason:
        return None
    then, today = _scored_on(before[0]), _scored_on(now[0])
    same = [person for person in given.people if person in earlier.people and then[person] == today[person]]
    return progress(earlier, given, found_earlier, found, among=same)


def _scored_on(score: Score) -> dict[str, frozenset[str]]:
    """Of each person the KPIs that make up the total."""
    rows = score.rows[score.rows["status"] == "ok"]
    return {str(person): frozenset(kpis) for person, kpis in rows.groupby("entity_id")["kpi"]}
