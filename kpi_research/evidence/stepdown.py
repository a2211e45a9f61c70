"""Many tests read together: how often would chance alone make one of them look as strong as this?

The step-down p-values of Romano & Wolf (2005; computed as in 2016). Whoever calls every test with p at most .05 a find
calls something wrong in at most 5 % of the data sets, whichever of the hypotheses are true and however the KPIs go
together; Bonferroni's bound does not know that related KPIs are wrong together, and finds less.

The distribution comes from the wild cluster bootstrap of the scores with the null imposed (Kline & Santos 2012): a
person's part of every sum is multiplied by the same random sign, so that what is related stays related. Signs rather
than Webb's points: they leave the errors' covariance as it is, so that a draw is one product of matrices, and where a
person's part might as well have been its mirror image nothing is asked of the number of people. The error is taken
where the null is true; therefore cells may stand in another order than by their t.

Per cent of 2000 simulated data sets without any effect (20 KPIs at 3 lags, KPIs correlated by .7 and AR(.4), errors
AR(.3)) in which at least one of the 60 cells was called a find at 5 %, and of two true effects of .085 how many were::

    people x months        step-down    Bonferroni (t of CRV1)
    8 x 24                    4.3          4.4
    12 x 24                   4.8          4.5
    20 x 24                   5.1          3.8
    40 x 24                   5.2          3.1
    40 x 12                   5.1          3.7
    40 x 24, skewed errors    5.3          2.1
    40 x 24, found           65           56
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from kpi_research.evidence.batch import Counts
from kpi_research.evidence.fixed_effects import (
    TOLERANCE,
    Codes,
    FloatArray,
    NotEstimableError,
    collinear,
    not_nested,
    within,
)
from kpi_research.evidence.grid import rows_of
from kpi_research.evidence.lags import history

DRAWS = 1999
SEED = 20261128
"""Fixed, so that the same data give the same p."""

BLOCK_DRAWS = 500
"""Draws held in memory at once."""


def familywise_p(
    scores: Iterable[FloatArray], left: FloatArray | None = None, *, draws: int = DRAWS, seed: int = SEED
) -> FloatArray:
    """Step-down p-values of H hypotheses, each that one or several sums over people are zero.

    Parameters
    ----------
    scores
        H arrays of N x L: each person's part of the sums that are zero under the hypothesis (`batch.Batch.scores`,
        `joint_scores`), zero for those who do not contribute. L may differ, the N people are the same in all.
    left
        H shares of people's own variation that effects of periods leave (`beyond_periods`). If None, 1 - 1/N of those
        who contribute: everybody shares every period, without holes.
    draws
        Random draws; p is (1 + as extreme) / (1 + draws). Where people are so few that there are no more different
        draws, all of them are compared instead.
    seed
        Of the random signs: the same seed, the same p.

    Returns
    -------
    H p-values; NaN where fewer than two people contribute: such a hypothesis is not counted.
    """
    given = list(scores)
    adjusted = np.full(len(given), np.nan)
    members = np.array([_members(each) for each in given])
    tested = np.flatnonzero(members > 1)
    if not tested.size:
        return adjusted
    bases = [_basis(given[place]) for place in tested]
    sizes = np.array([basis.shape[1] for basis in bases])
    parts = np.column_stack(bases)
    itself = _statistics(parts.sum(axis=0, keepdims=True), sizes)[0]
    shares = 1 - 1 / members[tested] if left is None else left[tested]
    observed = _comparable(_short_of_own(itself, members[tested], shares), sizes)
    order = np.argsort(-observed, kind="stable")
    extreme, count = np.zeros(len(tested)), 0
    for signs in _signs(len(parts), draws, seed):
        drawn = _comparable(_statistics(signs @ parts, sizes), sizes)[:, order]
        # a hypothesis is compared with the strongest of those that are not stronger than it in the data
        strongest = np.maximum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1]
        # draws of equal signs are the statistic itself and have to count, whatever the rounding
        extreme += (strongest >= observed[order] - TOLERANCE).sum(axis=0)
        count += len(signs)
    is_all = count == 2 ** (len(parts) - 1)
    as_strong = extreme / count if is_all else (1 + extreme) / (1 + count)
    adjusted[tested[order]] = np.maximum.accumulate(as_strong)
    return adjusted


def by_results(y: FloatArray) -> Codes:
    """People in order of their results (y, N x T): random signs then hang on nobody's name."""
    return np.argsort(np.nansum(y, axis=1), kind="stable")


def beyond_periods(person: Codes, period: Codes) -> float:
    """Share of people's own variation that effects of periods leave: 1 - 1/n where n people share every period.

    By how much the squares of people's parts are too small beside their sum's variance (exactly so in teams of equal
    size without holes; at most 2 % too low in unequal ones, where tests become stricter).

    Parameters
    ----------
    person, period
        n codes 0, 1, 2 ... without gaps; `period` of those with an effect of their own (`grid.coded`).
    """
    return float(1 - (not_nested(person, period) - 1) / (len(person) - person.max() - 1))


def joint_scores(y: FloatArray, x: FloatArray, lags: int, peers: Codes | None = None) -> tuple[FloatArray, float]:
    """Each person's part of the sums that are zero where no lag of the KPI says anything: that of `lags.fit_lags`.

    The result beyond effects and y_{t-1}, times each lag of the KPI beyond the same.

    Parameters
    ----------
    y, x
        N x T each.
    peers
        N codes of those whose periods share an effect, as in `rows_of`.

    Returns
    -------
    N x `lags`, zero for those who do not contribute; and the share that effects of periods leave (`beyond_periods`).

    Raises
    ------
    NotEstimableError
        If the lags are collinear with the effects or with one another.
    """
    everybody = np.broadcast_to(np.arange(len(y), dtype=float)[:, None], y.shape)
    rows = rows_of(y, *history(y, x, lags), everybody, peers=peers)
    X = rows.X[:, :-1]
    if not len(X):
        raise NotEstimableError
    left = within(np.column_stack([rows.y, X]), rows.person, rows.period)
    if collinear(left[:, 1:], np.linalg.norm(X, axis=0)):
        raise NotEstimableError
    asked, past = left[:, :-1], left[:, -1:]
    asked = asked - past @ np.linalg.lstsq(past, asked, rcond=None)[0]
    sums = np.zeros((len(y), lags))
    np.add.at(sums, rows.X[:, -1].astype(np.intp), asked[:, 1:] * asked[:, :1])
    return sums, beyond_periods(rows.person, rows.period)


def _members(scores: FloatArray) -> int:
    """People who contribute anything beside rounding."""
    sizes = np.abs(scores).max(axis=1)
    return int(np.count_nonzero(sizes > TOLERANCE * sizes.max(initial=0.0)))


def _basis(scores: FloatArray) -> FloatArray:
    """N x rank: the scores in coordinates in which their sums have covariance one."""
    left, sizes, _ = np.linalg.svd(scores, full_matrices=False)
    return np.asarray(left[:, sizes > np.sqrt(TOLERANCE) * sizes[:1]])


def _statistics(sums: FloatArray, sizes: Counts) -> FloatArray:
    """Draws x H score statistics; none is larger than its people are many."""
    return np.add.reduceat(sums**2, np.cumsum(sizes) - sizes, axis=1)


def _short_of_own(statistics: FloatArray, people: Counts, left: FloatArray) -> FloatArray:
    """The periods' means are made of the people themselves: their parts vary too little beside the sum, by 1 - `left`.

    Parts of N people with squares of s^2 in the mean have a sum of variance N s^2 / left, so that any two of them go
    together by r = (1/left - 1)/(N - 1). The statistic W is N times a share of the parts' squares. The odds of that
    share, t^2/(N - 1) of the parts' mean, are too large by (1 + (N - 1) r)/(1 - r) = (N - 1)/(N left - 1).
    """
    just = np.maximum(people * left - 1, 0) / (people - 1)
    share = statistics / people
    return people * just * share / (1 - share * (1 - just))


def _comparable(statistics: FloatArray, sizes: Counts) -> FloatArray:
    """Chi-squared statistics of different degrees of freedom as normal ones (Wilson & Hilferty 1931)."""
    spread = 2 / (9 * sizes)
    return (np.cbrt(statistics / sizes) - (1 - spread)) / np.sqrt(spread)


def _signs(people: int, draws: int, seed: int) -> Iterator[FloatArray]:
    """Blocks of draws x N: every combination if these are no more than `draws`, random ones otherwise.

    Two that differ in all signs give the same statistics, so that there are 2^(N-1).
    """
    every = 2 ** (people - 1)
    rng = np.random.default_rng(seed)
    for start in range(0, min(draws, every), BLOCK_DRAWS):
        if every <= draws:
            numbers = np.arange(start, min(start + BLOCK_DRAWS, every))
            minus = numbers[:, None] >> np.arange(people) & 1
        else:
            minus = rng.integers(0, 2, (min(BLOCK_DRAWS, draws - start), people), dtype=np.int8)
        yield np.where(minus, -1.0, 1.0)
