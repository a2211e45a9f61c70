"""Weights that would have gone best with what people brought in a quarter later: a suggestion, never applied by itself.

Weights move from the present ones in steps of 5 percent within their bands, and each move must gain more than it
costs, so that little data leave the scheme as it is. What the suggestion is worth is counted on quarters that it has
not seen, against the present weights and against last quarter's result alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from kpi_research.appraisal.attainment import FloatArray
from kpi_research.kpis.definition import Kind
from kpi_research.policy import MIN_SCORED_WEIGHT

STEP = 5
"""Percent; finer steps would pretend to know more than a few quarters say."""
FEWEST, MOST = 3, 6
"""KPIs of a scheme."""
MIN_LEARNT, MIN_TESTED = 4, 3
"""Quarters to learn from before the first test, and quarters tested, under which nothing is suggested."""
MIN_PEOPLE = 10
"""People under whom a correlation is nearly anything."""
PROMISE_LEVEL = 0.95
"""Of the interval that must lie above zero before a gain is promised."""
LEAST_GAIN = 0.05
"""Correlation that a suggestion must gain to be worth a change that everybody has to get used to."""
PRICE = 2.0
"""Standard errors of the correlation that moving all of the weight costs. In 60 worlds of 20 and 60 people prices of 1
and 3 found the same driver as often and promised as little where there was none."""
RESAMPLES = 1000

Advice = Literal["suggest", "keep", "small", "results_alone", "too_few"]
Weights = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Candidate:
    """A KPI that may have weight.

    Parameters
    ----------
    weight
        Steps of 5 percent that it has now; 0 for one outside the scheme.
    lowest, highest
        Steps that it may have, if it has any.
    """

    kpi: str
    kind: Kind
    weight: int
    lowest: int
    highest: int


@dataclass(frozen=True)
class Comparison:
    """Mean correlation with the next quarter's result on unseen quarters, and how much better that is than another's.

    Parameters
    ----------
    mean
        Of the other.
    gain, low, high
        The suggestion's less the other's, with its 95 % interval over people.
    """

    mean: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class Suggestion:
    """What is suggested, and what it would have been worth.

    Parameters
    ----------
    advice
        `suggest`; `keep` where a gain over the present weights is within chance; `small` where there is one that is not
        worth a change; `results_alone` where it would be, but last quarter's result by itself tells clearly more;
        `too_few` quarters or people.
    present, weights
        Percent by KPI; those of 0 are left out.
    mean, to_present, to_results
        On unseen quarters: the suggestion's mean correlation, against the present weights and results alone.
    by_quarter
        One row a tested quarter: correlations of the suggestion of that time, the present weights, results alone.
    n_people
        People in the tests.
    """

    advice: Advice
    present: Mapping[str, int]
    weights: Mapping[str, int]
    mean: float
    to_present: Comparison
    to_results: Comparison
    by_quarter: FloatArray
    n_people: int


@dataclass(frozen=True)
class _Data:
    """Shares earned (N x S x K), NaN where unknown; results (N x S) of the same quarter and `later` of the next one."""

    reached: FloatArray
    result: FloatArray
    later: FloatArray

    def until(self, quarter: int) -> _Data:
        return _Data(self.reached[:, :quarter], self.result[:, :quarter], self.later[:, :quarter])


def suggest(
    reached: FloatArray,
    result: FloatArray,
    candidates: Sequence[Candidate],
    bands: Mapping[tuple[Kind, ...], tuple[float, float]],
    *,
    rng: np.random.Generator,
) -> Suggestion:
    """The suggestion from all quarters, tested on those after the fourth with what was known before each.

    Parameters
    ----------
    reached
        N x T x K share earned of each candidate, NaN where it could not be scored.
    result
        N x T results, in any unit.
    candidates
        K of them; one that may not have more than now has that as its `highest`.
    bands
        Lowest and highest percent of kinds together; widened to what they have now.

    Notes
    -----
    What is maximised is the mean over quarters of the correlation over people of a quarter's score with the next
    quarter's result: so both are less their quarter's mean, and a good season earns nobody anything. Intervals
    resample people with all their quarters, the weights of each tested quarter given. That weights should follow how
    sensitive and how precise a KPI is: R. D. Banker and S. M. Datar (1989), Journal of Accounting Research 27(1),
    21-39.
    """
    data = _Data(reached[:, :-1], result[:, :-1], result[:, 1:])
    start = np.array([each.weight for each in candidates], dtype=np.int64)
    quarters = data.later.shape[1]
    tested = range(MIN_LEARNT, quarters)
    scores = np.full((3, len(reached), max(0, len(tested))), np.nan)
    for at, quarter in enumerate(tested):
        chosen = _best(data.until(quarter), start, candidates, bands)
        both = _scores(data.reached[:, [quarter]], np.array([chosen, start]))[..., 0]
        scores[:, :, at] = both[0], both[1], data.result[:, quarter]
    later = data.later[:, MIN_LEARNT:]
    known = np.isfinite(scores).all(axis=0) & np.isfinite(later)
    enough = known.sum(axis=0) >= MIN_PEOPLE
    n_people = int(known[:, enough].any(axis=1).sum()) if enough.size else 0
    present = _named(start, candidates)
    if enough.sum() < MIN_TESTED:
        unknown = Comparison(np.nan, np.nan, np.nan, np.nan)
        return Suggestion("too_few", present, present, np.nan, unknown, unknown, np.empty((0, 3)), n_people)
    found, drawn = _tested(scores[:, :, enough], later[:, enough], known[:, enough], rng)
    means, drawn_means = found.mean(axis=1), drawn.mean(axis=2)
    weights = _named(_best(data, start, candidates, bands), candidates)
    to_present, to_results = (_comparison(means, drawn_means, other) for other in (1, 2))
    advice = _advice(to_present, to_results) if weights != present else "keep"
    return Suggestion(advice, present, weights, float(means[0]), to_present, to_results, found.T, n_people)


def _advice(to_present: Comparison, to_results: Comparison) -> Advice:
    if not to_present.low > 0:
        return "keep"
    if to_present.gain < LEAST_GAIN:
        return "small"
    # more weight on results goes well with results wherever the same people do well again: no ground for a scheme
    return "results_alone" if to_results.high < 0 else "suggest"


def _named(weights: Weights, candidates: Sequence[Candidate]) -> dict[str, int]:
    pairs = zip(candidates, weights, strict=True)
    return {each.kpi: STEP * int(weight) for each, weight in pairs if weight}


def _comparison(means: FloatArray, drawn: FloatArray, other: int) -> Comparison:
    tail = (1 - PROMISE_LEVEL) / 2
    low, high = np.nanquantile(drawn[:, 0] - drawn[:, other], [tail, 1 - tail])
    return Comparison(float(means[other]), float(means[0] - means[other]), float(low), float(high))


def _tested(
    scores: FloatArray, later: FloatArray, known: npt.NDArray[np.bool_], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Correlations of each of the three (3 x Q), and in resamples of people (R x 3 x Q)."""
    n = len(later)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(float)
    counts = np.vstack([np.ones(n), drawn])
    found = np.stack([_weighted_correlations(each, later, known, counts) for each in scores], axis=1)
    return found[0], found[1:]


def _weighted_correlations(
    x: FloatArray, y: FloatArray, known: npt.NDArray[np.bool_], counts: FloatArray
) -> FloatArray:
    """Correlations (R x Q) over people (N x Q), each of whom counts `counts` (R x N) times."""
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    # a resample may have nobody of a quarter
    base = np.maximum(counts @ known, 1.0)
    mean_x, mean_y, mean_xy = (counts @ part / base for part in (x, y, x * y))
    squares_x, squares_y = (counts @ part**2 / base - mean**2 for part, mean in ((x, mean_x), (y, mean_y)))
    scale = np.sqrt(np.maximum(squares_x * squares_y, 0.0))
    return np.divide(mean_xy - mean_x * mean_y, scale, out=np.zeros_like(scale), where=scale > 1e-12)


def _scores(reached: FloatArray, weights: Weights) -> FloatArray:
    """Scores (M x N x S) by each of M weightings; NaN where too little of the weight could be scored."""
    known = np.isfinite(reached)
    earned = np.einsum("nsk,mk->mns", np.where(known, reached, 0.0), weights)
    base = np.einsum("nsk,mk->mns", known.astype(float), weights)
    enough = base >= MIN_SCORED_WEIGHT * weights.sum(axis=1)[:, None, None]
    return np.divide(earned, base, out=np.full_like(earned, np.nan), where=enough & (base > 0))


def _worth(data: _Data, weights: Weights, start: Weights) -> FloatArray:
    """Mean correlation (M) less the price of what was moved; that of all the weight is one standard error."""
    scores = _scores(data.reached, weights)
    known = np.isfinite(scores) & np.isfinite(data.later)
    base = known.sum(axis=1)
    x, y = np.where(known, scores, 0.0), np.where(known, data.later, 0.0)
    apart = [np.where(known, part - (part.sum(axis=1) / np.maximum(base, 1))[:, None], 0.0) for part in (x, y)]
    scale = np.sqrt((apart[0] ** 2).sum(axis=1) * (apart[1] ** 2).sum(axis=1))
    each = np.divide((apart[0] * apart[1]).sum(axis=1), scale, out=np.zeros_like(scale), where=scale > 1e-12)
    counted = base >= MIN_PEOPLE
    mean = np.where(counted, each, 0.0).sum(axis=1) / np.maximum(1, counted.sum(axis=1))
    error = 1 / np.sqrt(np.maximum(1, np.where(counted, base, 0).sum(axis=1)))
    moved = np.abs(weights - start).sum(axis=1) / (2 * start.sum())
    return np.asarray(mean - PRICE * error * moved)


def _best(
    data: _Data,
    start: Weights,
    candidates: Sequence[Candidate],
    bands: Mapping[tuple[Kind, ...], tuple[float, float]],
) -> Weights:
    """Move by move the best one, until none is worth its price."""
    at, worth = start, float(_worth(data, start[None, :], start)[0])
    while True:
        moves = [move for move in _moves(at) if _allowed(move, start, candidates, bands)]
        if not moves:
            return at
        worths = _worth(data, np.array(moves), start)
        best = int(worths.argmax())
        if worths[best] <= worth + 1e-9:
            return at
        at, worth = moves[best], float(worths[best])


def _moves(at: Weights) -> Iterator[Weights]:
    """Any number of steps from one KPI to another."""
    for source in np.flatnonzero(at):
        for goal in range(len(at)):
            for steps in range(1, int(at[source]) + 1) if goal != source else ():
                moved = at.copy()
                moved[source] -= steps
                moved[goal] += steps
                yield moved


def _allowed(
    weights: Weights,
    start: Weights,
    candidates: Sequence[Candidate],
    bands: Mapping[tuple[Kind, ...], tuple[float, float]],
) -> bool:
    count, now = int((weights > 0).sum()), int((start > 0).sum())
    if not min(FEWEST, now) <= count <= max(MOST, now):
        return False
    if any(
        weight and not each.lowest <= weight <= each.highest for each, weight in zip(candidates, weights, strict=True)
    ):
        return False
    for kinds, (low, high) in bands.items():
        of_kinds = np.array([each.kind in kinds for each in candidates])
        share, before = (STEP * int(each[of_kinds].sum()) for each in (weights, start))
        if not min(low, before) <= share <= max(high, before):
            return False
    return True
