"""Errors related within teams, and few teams: the wild cluster bootstrap.

With a dozen teams the clustered t statistic is not distributed as t. The bootstrap finds its distribution where the
null hypothesis is true: the residuals of the regression without the KPI, every team's multiplied by one random number,
become new outcomes, and the statistic is computed from each anew.

Per cent of simulated panels (40 people x 24 months, KPI and shocks common to a team and AR(.8), no effect) in which a
5 % test rejected: errors taken as unrelated (HC1), clustered by team (CRV1, t with G-1), and the bootstrap with Webb's
weights. 2000 panels each, 1000 of the last four::

    teams                                HC1    CRV1   Webb
    6                                    33.0    7.4    7.0
    8                                    30.6    8.2    6.2
    10                                   26.8    6.6    5.3
    12                                   23.4    7.0    5.1
    6, half of the people in one                10.8    7.6
    12, half of the people in one               13.8    7.7
    12, the KPI not zero in 1 only              52.9    0.0
    12, in 2 only                               27.7    0.8
    12, in 3 only                               19.3    2.8
    12, in 4 only                               13.7    5.6

Where the KPI moves in few teams only, the bootstrap is on the safe side and finds less: an effect as large as the error
of one person-month, for one standard deviation of the KPI, in 6, 28, 40 and 89 % of 100 panels with one to four of
twelve teams, and in every one where it moved in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kpi_research.evidence.fixed_effects import (
    TOLERANCE,
    Codes,
    FloatArray,
    NotEstimableError,
    collinear,
    not_nested,
    within,
)

Weights = Literal["webb", "rademacher"]
"""What a team's residuals are multiplied by: one of Webb's (2023) six points, or plus or minus one."""

LEAST_TEAMS = 6
"""Teams under which no p-value is given."""

_POINTS: dict[Weights, FloatArray] = {
    "webb": np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)]),
    "rademacher": np.array([-1.0, 1.0]),
}


class TooFewTeamsError(NotEstimableError):
    """There are too few teams for any statement about errors that are related within them."""


@dataclass(frozen=True)
class WildTest:
    """The bootstrapped test that one coefficient is zero.

    Parameters
    ----------
    t
        The coefficient by its clustered standard error, that of `fixed_effects.fit`.
    p
        Share (0-1) of bootstrapped statistics at least as far from zero.
    draws
        Statistics that were compared: those asked for, or fewer where these are all that the weights can make.
    """

    t: float
    p: float
    n_clusters: int
    draws: int


def wild_bootstrap(
    y: FloatArray,
    X: FloatArray,
    index: int,
    *,
    person: Codes,
    period: Codes | None,
    cluster: Codes,
    seed: int,
    draws: int = 9999,
    weights: Weights = "webb",
    least_clusters: int = LEAST_TEAMS,
) -> WildTest:
    """Whether the coefficient at `index` is zero, by the wild cluster bootstrap with the null imposed (WCR).

    Cameron, Gelbach & Miller (2008); Webb's weights. Person and period effects are estimated anew in every draw, which
    costs nothing: what a draw does to coefficient and scores is linear in the teams' random numbers, so that G x G
    products of the data, made once, are all it takes (Roodman et al. 2019; MacKinnon 2023).

    Parameters
    ----------
    y, X
        n values and n x k regressors in any unit, without constant.
    index
        Which column of X is tested; the others stay in the regression.
    person, period, cluster
        n codes 0, 1, 2 ... without gaps; period None for person effects alone. Clusters are groups of whole persons,
        the teams. A person who changes teams does no harm to p: only the degrees of freedom in `t` are those of nested
        effects.
    seed
        Of the random numbers: the same seed, the same p.
    draws
        Random draws; p is then (1 + as extreme) / (1 + draws). Where the weights can make no more than that many
        different draws, all of them are compared instead, and p is exact.
    least_clusters
        Fewer are refused. Only for studying the test itself.

    Raises
    ------
    TooFewTeamsError
        If there are fewer than `least_clusters`.
    NotEstimableError
        If the regressors are collinear with the effects or with one another, rows are too few, the fit is perfect, or
        the coefficient rests on one team alone.
    """
    groups = int(cluster.max(initial=-1)) + 1
    if groups < max(2, least_clusters):
        raise TooFewTeamsError
    drawn = _drawn(_POINTS[weights], groups, draws, seed)
    itself = np.ones((1, groups))
    found = wild_statistics(y, X, index, np.concatenate([itself, drawn]), person=person, period=period, cluster=cluster)
    # a draw of equal weights is the statistic itself and has to count, whatever the rounding
    extreme = int(np.sum(np.abs(found[1:]) >= (1 - TOLERANCE) * abs(found[0])))
    is_all = len(drawn) == len(_POINTS[weights]) ** groups
    p = extreme / len(drawn) if is_all else (1 + extreme) / (1 + len(drawn))
    return WildTest(float(found[0]), p, groups, len(drawn))


def wild_statistics(
    y: FloatArray,
    X: FloatArray,
    index: int,
    multipliers: FloatArray,
    *,
    person: Codes,
    period: Codes | None,
    cluster: Codes,
) -> FloatArray:
    """Clustered t statistics of outcomes that are made of the restricted regression's residuals.

    Parameters
    ----------
    y, X, index, person, period, cluster
        As in `wild_bootstrap`; at least two clusters.
    multipliers
        Draws x G: what each team's residuals are multiplied by. Where a row is all ones, the statistic is that of y.

    Returns
    -------
    One statistic a draw, with the factor of `fixed_effects.cluster_covariance`; infinite where its error is zero.

    Raises
    ------
    NotEstimableError
        As `wild_bootstrap`, whatever the number of clusters.
    """
    groups = multipliers.shape[1]
    n, k = X.shape
    left = within(np.column_stack([y, X]), person, period)
    absorbed = not_nested(person, period)
    if n <= k + absorbed + person.max() or collinear(left[:, 1:], np.linalg.norm(X, axis=0)):
        raise NotEstimableError
    # the column tested goes last: what the others leave of it is then the last of the orthogonal columns
    basis, triangle = np.linalg.qr(np.column_stack([np.delete(left[:, 1:], index, axis=1), left[:, 1 + index]]))
    others, own = basis[:, :-1], basis[:, -1] * np.sign(triangle[-1, -1])
    restricted = left[:, 0] - others @ (others.T @ left[:, 0])
    member = np.eye(groups)[cluster]
    by_cluster = member * restricted[:, None]
    residuals = within(by_cluster, person, period)
    residuals -= basis @ (basis.T @ residuals)
    moves, scores = own @ by_cluster, member.T @ (own[:, None] * residuals)
    if np.linalg.norm(scores.sum(axis=1)) <= TOLERANCE * np.linalg.norm(restricted):
        raise NotEstimableError
    factor = groups / (groups - 1) * (n - 1) / (n - k - absorbed)
    errors = np.sqrt(factor) * np.linalg.norm(multipliers @ scores.T, axis=1)
    return np.divide(multipliers @ moves, errors, out=np.full(len(errors), np.inf), where=errors > 0)


def _drawn(points: FloatArray, groups: int, draws: int, seed: int) -> FloatArray:
    """Weights, draws x groups: every combination there is if these are no more than `draws`, random ones otherwise."""
    every = len(points) ** groups
    if every <= draws:
        return points[np.arange(every)[:, None] // len(points) ** np.arange(groups) % len(points)]
    return points[np.random.default_rng(seed).integers(0, len(points), (draws, groups))]
