"""The chance that an open deal is won in a week, and what it goes with: a discrete-time hazard model.

The complementary log-log model is the proportional-hazards model of time counted in weeks: exp(b) is the hazard ratio
of the continuous model, whatever the width of the grid (Prentice & Gloeckler 1978; Allison 1982). Wins and losses
compete: each has a model of its own, in which a deal leaves the risk set when the other happens.

A deal is compared with others that had been open as long (weeks that hold few events are pooled with their neighbours),
with deals of the same owner, and in the same calendar month or quarter. Effects of owners are estimated, not stratified
by: in a week few deals end, so that the likelihood is nearly Poisson's, where effects of owners do no harm to the
slopes however few wins each has (Lancaster 2002). Owners and months without any win tell nothing of what goes with
winning and are left out (`separation`). Errors may be related within owners, and so within deals.

Sweeping effects out (as in `counts`) instead of a column each keeps a client of 30 000 deals and 130 owners in memory;
`statsmodels`' GLM with a dummy for every effect gives the same coefficients (`tests/test_evidence_deals.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from kpi_research.evidence.deals import Weeks
from kpi_research.evidence.fixed_effects import (
    TOLERANCE,
    Codes,
    Estimate,
    FloatArray,
    NotEstimableError,
    collinear,
    jackknife_covariance,
    not_nested,
    within,
)
from kpi_research.evidence.separation import numbered, usable

Cause = Literal["won", "lost"]
LEAST_EVENTS_IN_INTERVAL, MOST_INTERVALS = 10, 32
"""Weeks since the origin are pooled until so many deals ended in each interval, and there are about so many of them."""
LEAST_EVENTS_IN_SEASON = 10
"""Calendar months, quarters and years are used as effects only while so many events fall into one on average."""
MONTHS_IN_SEASON = (1, 3, 12)
MOST_STEPS, SETTLED = 60, 1e-8
"""Steps after which a fit is given up; largest change of a coefficient at which it has settled."""
LARGEST_LOG_HAZARD, LARGEST_FINITE = 3.0, 500.0
"""A week's hazard of 20 is certainty, and beyond it nothing is told apart; the exponential overflows later still."""


@dataclass(frozen=True)
class HazardFit:
    """A fitted model.

    Parameters
    ----------
    coef, cov
        k log hazard ratios of the regressors, and their k x k covariance by owner (jackknife).
    n_clusters
        Owners in the rows that were used.
    n_events
        Events in the rows that were used.
    """

    coef: FloatArray
    cov: FloatArray
    n_clusters: int
    n_events: int

    def combine(self, weights: Sequence[float]) -> Estimate:
        """The weighted sum of the log hazard ratios; t has owners - 1 degrees of freedom."""
        w = np.asarray(weights, dtype=float)
        return Estimate(float(w @ self.coef), float(np.sqrt(max(0.0, w @ self.cov @ w))), self.n_clusters - 1)


@dataclass(frozen=True)
class ScoredFit:
    """A fit of one regressor, and the scores (one an owner, by code) of the model without it."""

    fit: HazardFit
    scores: FloatArray


@dataclass(frozen=True)
class _Rows:
    """The weeks that tell anything, those that are alike in one row: `y` events in `trials` weeks.

    `owner` and `season` are codes without gaps; `name` is the owner's and `cluster` the cluster's own code.
    """

    y: FloatArray
    trials: FloatArray
    X: FloatArray
    baseline: FloatArray
    owner: Codes
    season: Codes | None
    name: Codes
    cluster: Codes


def fit_weeks(weeks: Weeks, X: FloatArray, cause: Cause) -> HazardFit:
    """Log hazard ratios of X (n x k) for one way of ending, beside weeks open, owner and season.

    Raises
    ------
    NotEstimableError
        As `fit_hazard`.
    """
    event = weeks.won if cause == "won" else weeks.lost
    return fit_hazard(event, X, week=weeks.week, owner=weeks.owner, season=season_of(weeks.month, event))


def fit_hazard(
    event: FloatArray, X: FloatArray, *, week: Codes, owner: Codes, season: Codes | None, cluster: Codes | None = None
) -> HazardFit:
    """Complementary log-log regression of `event` (n, 0 or 1) on X, the baseline, and effects of owners and seasons.

    Iteratively reweighted least squares, owners and seasons swept out anew with the weights of every step, halved where
    the likelihood would fall.

    Parameters
    ----------
    week
        n weeks at risk, pooled here into the intervals of the baseline.
    owner, season
        n codes.
    cluster
        n codes within which errors may be related, of whole owners or of parts of them; the owners if None.

    Raises
    ------
    NotEstimableError
        If there is no event, X does not vary beyond the baseline and the effects, rests on one owner alone, or the fit
        does not settle.
    """
    return _fitted(_rows(event, X, week=week, owner=owner, season=season, cluster=cluster))


def fit_scored(weeks: Weeks, x: FloatArray, cause: Cause) -> ScoredFit:
    """The fit of one regressor (n), and by owner how much likelier the data become with the first bit of its effect.

    Raises
    ------
    NotEstimableError
        As `fit_hazard`.
    """
    event = weeks.won if cause == "won" else weeks.lost
    season = season_of(weeks.month, event)
    rows = _rows(event, x[:, None], week=weeks.week, owner=weeks.owner, season=season)
    eta = _settled(rows, rows.baseline)[1]
    fitted = _fitted(rows, eta)
    residuals, weights = _scaled(rows, eta)
    left = within(np.column_stack([rows.X, rows.baseline]), rows.owner, rows.season, weights)
    left *= np.sqrt(weights)[:, None]
    own, others = left[:, 0], left[:, 1:]
    own = own - others @ np.linalg.solve(others.T @ others, others.T @ own)
    sums = np.bincount(rows.name, weights=own * residuals, minlength=int(weeks.owner.max()) + 1)
    return ScoredFit(fitted, np.asarray(sums, dtype=float))


def _fitted(rows: _Rows, start: FloatArray | None = None) -> HazardFit:
    groups = numbered(rows.cluster)
    n_clusters = int(groups.max()) + 1
    Z = np.column_stack([rows.X, rows.baseline])
    if n_clusters < 2 or collinear(within(Z, rows.owner, rows.season), np.linalg.norm(Z, axis=0)):
        raise NotEstimableError
    coef, eta = _settled(rows, Z, start)
    residuals, weights = _scaled(rows, eta)
    weighted = within(Z, rows.owner, rows.season, weights) * np.sqrt(weights)[:, None]
    cov = jackknife_covariance(weighted, residuals, groups, absorbed=not_nested(rows.owner, rows.season))
    k = rows.X.shape[1]
    return HazardFit(coef[:k], cov[:k, :k], n_clusters, int(rows.y.sum()))


def _rows(
    event: FloatArray,
    X: FloatArray,
    *,
    week: Codes,
    owner: Codes,
    season: Codes | None,
    cluster: Codes | None = None,
) -> _Rows:
    if not event.any():
        raise NotEstimableError
    seasons, clusters = np.zeros_like(owner) if season is None else season, owner if cluster is None else cluster
    codes = np.column_stack([owner, seasons, pooled(week, event), clusters])
    place = _alike([*codes.T, *X.T])
    first = np.flatnonzero(np.diff(np.maximum.accumulate(place), prepend=-1))
    y = np.asarray(np.bincount(place, weights=event), dtype=float)
    trials = np.bincount(place).astype(float)
    who, when, interval, group = codes[first].T
    baseline = (interval[:, None] == np.arange(1, interval.max() + 1)).astype(float)
    used = usable(y, np.column_stack([X[first], baseline]), who, None if season is None else when)[0]
    if not used.any():
        raise NotEstimableError
    return _Rows(
        y=y[used],
        trials=trials[used],
        X=X[first][used],
        baseline=baseline[used],
        owner=numbered(who[used]),
        season=None if season is None else numbered(when[used]),
        name=who[used],
        cluster=group[used],
    )


def _alike(columns: Sequence[Codes | FloatArray]) -> Codes:
    """One code for each combination of values that there is, in order of appearance."""
    found = np.zeros(len(columns[0]), dtype=np.intp)
    for column in columns:
        codes, values = pd.factorize(column)
        found = pd.factorize(found * len(values) + codes)[0]
    return found


def pooled(week: Codes, event: FloatArray) -> Codes:
    """Intervals 0, 1 ... of neighbouring weeks, with enough events in each."""
    found = np.bincount(week, weights=event)
    least = max(LEAST_EVENTS_IN_INTERVAL, found.sum() / MOST_INTERVALS)
    interval, current, so_far = np.zeros(len(found), dtype=np.intp), 0, 0.0
    for place, events in enumerate(found):
        interval[place] = current
        so_far += events
        if so_far >= least and found[place + 1 :].sum() >= least:
            current, so_far = current + 1, 0.0
    return interval[week]


def season_of(month: Codes, event: FloatArray) -> Codes | None:
    """Calendar months of the rows, or quarters or years where months are too short for the events; None if all are."""
    for months in MONTHS_IN_SEASON:
        season = numbered(month // months)
        if event.sum() >= LEAST_EVENTS_IN_SEASON * (season.max(initial=0) + 1) and season.max(initial=0) > 0:
            return season
    return None


def _settled(rows: _Rows, Z: FloatArray, start: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Coefficients of Z (k) and log hazards (n); these start from those of a model with fewer regressors, if given."""
    # each row nearly by itself: from one chance for all, an owner with few weeks is thrown too far to come back
    alone = (rows.y + rows.y.sum() / rows.trials.sum()) / (rows.trials + 1)
    eta = np.log(-np.log1p(-alone)) if start is None else start
    loss = np.inf if start is None else _loss(rows, eta)
    coef = np.zeros(Z.shape[1])
    for _ in range(MOST_STEPS):
        before = coef
        mean, slope = _mean(eta)
        weights = rows.trials * slope**2 / (mean * (1 - mean))
        working = eta + (rows.y / rows.trials - mean) / slope
        left = within(np.column_stack([working, Z]), rows.owner, rows.season, weights)
        # that the columns are independent was checked; an orthogonal method would take most of the time of a fit
        scores = left[:, 1:].T * weights
        try:
            coef = np.asarray(np.linalg.solve(scores @ left[:, 1:], scores @ left[:, 0]), dtype=float)
        except np.linalg.LinAlgError as singular:
            raise NotEstimableError from singular
        step = working - left[:, 0] + left[:, 1:] @ coef - eta
        last, loss = loss, _loss(rows, eta + step)
        while loss > last * (1 + TOLERANCE) and np.abs(step).max() > SETTLED:
            step = step / 2
            loss = _loss(rows, eta + step)
        eta = eta + step
        # not the log hazards: that of an owner whose every deal is won at once grows without end
        if np.abs(coef - before).max(initial=0.0) <= SETTLED and last - loss <= TOLERANCE * loss:
            return coef, eta
    raise NotEstimableError


def _mean(eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Chance of the event in a week, and how fast it rises with the log hazard."""
    hazard = np.exp(np.minimum(eta, LARGEST_LOG_HAZARD))
    return -np.expm1(-hazard), hazard * np.exp(-hazard)


def _scaled(rows: _Rows, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Residuals and weights (n), scaled so that a score is a residual times the root of a weight times a regressor."""
    mean, slope = _mean(eta)
    variance = mean * (1 - mean)
    return (rows.y - rows.trials * mean) / np.sqrt(rows.trials * variance), rows.trials * slope**2 / variance


def _loss(rows: _Rows, eta: FloatArray) -> float:
    """Minus the log likelihood."""
    hazard = np.exp(np.minimum(eta, LARGEST_FINITE))
    chance = np.maximum(-np.expm1(-hazard), np.finfo(float).tiny)
    return float(np.sum((rows.trials - rows.y) * hazard - rows.y * np.log(chance)))
