"""Who earned an award: not whoever comes first, but whoever did more than chance brings; nobody, if nobody did.

Among those who did more, the order is not tested: where they are more than the award has places, they share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from kpi_research.appraisal.incentives import Award
from kpi_research.appraisal.largest_remainder import apportion, exact

CANDIDATE_COLUMNS = ["entity_id", "expected", "actual", "beyond_chance"]
AWARD_LEVEL = 0.05
"""Probability with which an award is given though nobody did more than chance brings."""
LEAST_BEST = 2
"""Earlier periods without which an own best means nothing."""
LEAST_WEEKS = 8
"""Weeks of each of two periods without which they cannot be told apart."""
PERMUTATIONS = 4999
"""Among twenty people an award asks for a probability under 0.0025: a twelfth part of that can still be told."""


@dataclass(frozen=True)
class Decision:
    """To whom an award goes.

    Parameters
    ----------
    cents
        Person -> amount in hundredths of the currency; of an award that is no money, 0.
    count
        People who earned it; more than `cents` has where a page shows only some.
    reason
        `no_candidates` (nobody could be looked at) or `within_chance`; empty where there are winners.
    """

    award: Award
    cents: Mapping[str, int]
    count: int = 0
    reason: Literal["", "no_candidates", "within_chance"] = ""

    @property
    def is_shared(self) -> bool:
        """Whether more people earned it than it has places."""
        return self.count > self.award.winners


def decide(award: Award, candidates: pd.DataFrame | None) -> Decision:
    """Give an award to those who did more than chance brings.

    Parameters
    ----------
    candidates
        In `CANDIDATE_COLUMNS`, one row a person; `beyond_chance` already reckons with how many were looked at.
    """
    if candidates is None or candidates.empty:
        return Decision(award, {}, reason="no_candidates")
    won = candidates[candidates["beyond_chance"].astype(bool)]
    people = sorted(won["entity_id"].astype(str))
    if not people:
        return Decision(award, {}, reason="within_chance")
    pool = int(exact(award.amount) * 100) * min(award.winners, len(people))
    return Decision(award, apportion(pool, dict.fromkeys(people, Fraction(1))), len(people))


def breakthroughs(weeks: pd.DataFrame, now: str, rng: np.random.Generator) -> pd.DataFrame:
    """Who went beyond their own best period by more than the fall of the weeks explains.

    Parameters
    ----------
    weeks
        `entity_id, period, value`: a row a person and week of each period, a figure that adds up.
    now
        The period that is looked at; all others are the past.

    Returns
    -------
    In `CANDIDATE_COLUMNS`, those with `LEAST_BEST` earlier periods and `LEAST_WEEKS` weeks in them; `expected` is the
    best earlier period per week, `actual` the present one.

    Notes
    -----
    Weeks are divided by the mean of all people in their period first, so that a good season is nobody's breakthrough.
    Those of now and of the best period are then rearranged (E. J. G. Pitman (1937), JRSS Supplement 4(1), 119-130); the
    best of several periods being the harder opponent, the test errs on the side of no award. Probabilities are held
    against `AWARD_LEVEL` divided by the number of people (Bonferroni).
    """
    level = weeks.groupby("period")["value"].transform("mean")
    usual = weeks.loc[weeks["period"] == now, "value"].mean()
    scaled = weeks.assign(value=weeks["value"] / level.where(level > 0) * usual).dropna(subset="value")
    rows = []
    for person, own in scaled.groupby("entity_id", sort=True):
        by_period = {str(name): part["value"].to_numpy(float) for name, part in own.groupby("period")}
        present = by_period.pop(now, np.empty(0))
        past = [part for part in by_period.values() if len(part) >= LEAST_WEEKS]
        if len(present) < LEAST_WEEKS or len(past) < LEAST_BEST:
            continue
        best = max(past, key=lambda part: float(part.mean()))
        rows.append((str(person), best.mean(), present.mean(), _rises_by_chance(best, present, rng)))
    found = pd.DataFrame(rows, columns=["entity_id", "expected", "actual", "p"])
    return _judged(found)


def collaborations(acts: pd.DataFrame, days: pd.Series) -> pd.DataFrame:
    """Who helped others more than chance brings, by what those others confirmed.

    Parameters
    ----------
    acts
        `person_id, confirmed_by, month`. What nobody, or only the person, confirmed does not count, and one confirmer
        counts once a month: two friends cannot lift each other.
    days
        person_id -> days worked: of all who could have helped, those who did not included.

    Notes
    -----
    If all were alike each confirmed act would fall to a person with the share of their days: the number is binomial.
    """
    known = acts.dropna(subset="confirmed_by")
    known = known[(known["confirmed_by"] != known["person_id"]) & known["person_id"].isin(days.index)]
    known = known.drop_duplicates(["person_id", "confirmed_by", "month"])
    total, share = len(known), days[days > 0] / days[days > 0].sum()
    counts = known.groupby("person_id").size().reindex(share.index, fill_value=0)
    found = pd.DataFrame(
        {
            "entity_id": share.index.astype(str),
            "expected": (share * total).to_numpy(),
            "actual": counts.to_numpy(float),
            "p": stats.binom.sf(counts.to_numpy() - 1, total, share.to_numpy()),
        }
    )
    return _judged(found)


def mentors(progress: pd.DataFrame, mentor_of: Mapping[str, str]) -> pd.DataFrame:
    """Mentors by the progress of those they guide: one of theirs at least improved by more than chance.

    Parameters
    ----------
    progress
        Of the guided, in `CANDIDATE_COLUMNS`.
    mentor_of
        Guided person -> mentor.
    """
    guided = progress.assign(entity_id=progress["entity_id"].map(mentor_of)).dropna(subset="entity_id")
    summed = guided.groupby("entity_id", sort=True).agg(
        {"expected": "sum", "actual": "sum", "beyond_chance": "any"}  # each of the guided was tested already
    )
    return summed.reset_index()[CANDIDATE_COLUMNS]


def _judged(found: pd.DataFrame) -> pd.DataFrame:
    beyond = (found["p"] * len(found) < AWARD_LEVEL) & (found["actual"] > found["expected"])
    return found.assign(beyond_chance=beyond.astype(bool))[CANDIDATE_COLUMNS]


def _rises_by_chance(before: np.ndarray, now: np.ndarray, rng: np.random.Generator) -> float:
    """How often weeks dealt out at random show as large a rise."""
    pooled = np.concatenate([before, now])
    order = rng.permuted(np.tile(pooled, (PERMUTATIONS, 1)), axis=1)
    sums = order[:, len(before) :].mean(axis=1)
    hair = 1e-9 * (abs(float(now.mean())) + 1)
    return float((1 + (sums >= now.mean() - hair).sum()) / (PERMUTATIONS + 1))
