"""Who left, and would the KPI's effect be another one had they stayed?

Results are only known of those who are still there. If people with bad results and much of a KPI leave, much of the KPI
with bad results is no longer seen, and the effect among those who stay is not that among all. Two questions:

- *Does leaving go with the KPI?* A logit of leaving in the next period on results and KPI of the last periods, in each
  period of those who were there.
- *Does it matter?* The effect estimated again, everybody weighted by how unlikely it was that they would still be there
  (inverse probability weights: Robins, Rotnitzky & Zhao 1995; for panels Wooldridge 2010, section 19.9): who stayed
  although people like them left also stands for these.

All of it assumes that leaving is explained by what is on record: results, KPI and period. Who leaves for a better offer
that shows in neither is not made up for by any weight.

What it does, with a true slope of .3 or .2, one lag and 24 months; the mean slope had nobody left, among those seen,
and weighted; per cent of panels in which the two differ at 5 %, and in which the ratio is outside `BOUNDS` as well::

    leaving                               people, leavers    nobody left    seen    weighted    differ    moves
    at random, same slopes                40, 16             .300           .299    .299        0         0
    at random, slopes differ              40, 16             .305           .305    .305        2         0.7
    after bad months with much of it      100, 55            .298           .306    .302        8         0
    of who has much of it, and little     40, 27             .208           .378    .293        68        22
      from more of it                     100, 70            .194           .365    .266        99.5      34

(200-300 panels; `tests/test_evidence_attrition.py -m slow`.) Within people, shocks alone bend a slope little. What
bends it is that people leave for whom it is another one, and weights take about half of that back: a ratio of .8 may
stand for a slope that is twice too large. So a difference is told whether or not it is outside `BOUNDS`. Taken as known
instead of estimated, weights made a difference in 53 % of panels in which eleven people left at random and slopes
differed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from kpi_research.evidence.contrasts import Total, difference, total
from kpi_research.evidence.fixed_effects import (
    Codes,
    Estimate,
    FloatArray,
    NotEstimableError,
    collinear,
    jackknife_moves,
    not_nested,
    within,
)
from kpi_research.evidence.grid import lagged, rows_of
from kpi_research.evidence.lags import history
from kpi_research.evidence.separation import numbered

LEAST_LEAVERS = 8
"""Leavers under which nothing is said: with the KPI and the result in the logit that is four for each of them."""

TRUNCATED_AT = (0.01, 0.99)
"""Quantiles of the weights beyond which they are cut (Cole & Hernan 2008): one row must not speak for everybody."""

STAYED, GONE_AT_ONCE = -1, -2
"""In place of a leaver's last whole period: of who stayed or was moved elsewhere; of who left before the panel's first
period was over, of whom nothing can be used."""

BOUNDS = (0.7, 1.3)
"""The weighted effect as a share of the plain one, outside of which leaving is said to move it."""

ALPHA = 0.05
MOST_STEPS, SETTLED, LONGEST_STEP, LARGEST_LOG_ODDS = 100, 1e-9, 1.0, 10.0
"""Newton steps after which the logit is given up; largest change, in log odds, at which it has settled; the longest
step; log odds for a standard deviation beyond which X tells for sure who leaves and there is no finite fit."""


@dataclass(frozen=True)
class Leaving:
    """The logit of leaving.

    Parameters
    ----------
    kpi, result
        Log odds for one standard deviation of the mean of the last periods, among colleagues of the same period.
    n_leavers, n_people
        Persons whose leaving it rests on, and all that are in it.
    moves
        N x 2: by how much both are larger with each person than without (`fixed_effects.jackknife_moves`).
    weights, nudged
        N x T, NaN after a person's last period: stabilised and truncated, about one on average; and what they would be
        if the log odds of the KPI, or of the result, were one standard error larger.
    """

    kpi: Estimate
    result: Estimate
    n_leavers: int
    n_people: int
    moves: FloatArray
    weights: FloatArray
    nudged: tuple[FloatArray, ...]


@dataclass(frozen=True)
class Reweighted:
    """The sum of the lags, in natural units, plain and weighted, both from the rows up to each person's last period.

    Parameters
    ----------
    apart
        `weighted` less `plain`.
    ratio
        Weighted by plain; NaN where the plain one may be zero: a ratio to about nothing says nothing.
    moves
        Whether the two differ by more than chance, and the ratio lies outside `BOUNDS`, or only the weighted effect is
        one; None where neither is.
    """

    plain: Estimate
    weighted: Estimate
    apart: Estimate
    ratio: float
    moves: bool | None


def leavers(y: FloatArray, x: FloatArray, left: Codes, lags: int) -> int:
    """Persons whose leaving `fit_leaving` would rest on."""
    return int(_at_risk(y, x, left, lags)[1].sum())


def fit_leaving(y: FloatArray, x: FloatArray, left: Codes, lags: int) -> Leaving:
    """Whether leaving goes with results y and KPI x (N x T each) of the `lags` periods before it.

    Each period has its own usual chance of leaving; what is asked is who of those present left. Errors are the
    jackknife's by person, t with persons - 1 degrees of freedom: where leaving had nothing to do with the KPI, a 5 %
    test said it had in 3-5 % of 240-300 panels each of 40 people with 11 and 16 leavers and 100 with 40, with one lag
    and three. In 300 panels of 40 people and 17 leavers log odds came out a tenth too large.

    Parameters
    ----------
    left
        N indices of the last period that a person who left worked whole, or `STAYED`, or `GONE_AT_ONCE`. Later cells
        are not used: a month that ends with somebody's leaving is short for that reason. Who left after the panel's
        last period counts as there.

    Raises
    ------
    NotEstimableError
        If fewer than `LEAST_LEAVERS` persons left, or result or KPI do not vary among those who were there.
    """
    at_risk, event = _at_risk(y, x, left, lags)
    person, period = np.nonzero(at_risk)
    happened = event[at_risk].astype(float)
    n_leavers = int(happened.sum())
    if n_leavers < LEAST_LEAVERS:
        raise NotEstimableError
    columns = np.column_stack([_recent(values, lags)[at_risk] for values in (x, y)])
    spread = columns.std(axis=0)
    if collinear(within(columns, numbered(period)), np.linalg.norm(columns, axis=0)):
        raise NotEstimableError
    Z = columns / spread
    coef, chance, usual = _logit(happened, Z, period)
    root = np.sqrt(chance * (1 - chance))
    used = root > 0
    when = numbered(period[used])
    X = within(Z[used], when, weights=root[used] ** 2) * root[used][:, None]
    moves = jackknife_moves(X, (happened - chance)[used] / root[used], person[used], groups=len(y))
    n_people = int(np.unique(person[used]).size)
    kpi, result = (
        Estimate(float(b), float(np.linalg.norm(m)), n_people - 1) for b, m in zip(coef, moves.T, strict=True)
    )

    def weights_at(odds: FloatArray) -> FloatArray:
        own = _chances(Z @ odds, period, usual)
        stays = np.ones(y.shape)
        # where everybody left nobody is there to be weighted
        stays[at_risk] = np.divide(1 - usual, 1 - own, out=np.ones_like(own), where=own < 1)
        return _weights(stays, left)

    if min(kpi.se, result.se) <= 0:
        raise NotEstimableError
    nudged = tuple(weights_at(coef + step) for step in np.diag([kpi.se, result.se]))
    return Leaving(kpi, result, n_leavers, n_people, moves, weights_at(coef), nudged)


def reweighted(y: FloatArray, x: FloatArray, leaving: Leaving, lags: int) -> Reweighted:
    """The sum of the lags of `lags.fit_lags` with the weights of `leaving`, and whether they move it.

    Errors by person, the jackknife's for both and for their difference; they allow for the weights' being estimated.

    Raises
    ------
    NotEstimableError
        If the rows that are left cannot carry the regression.
    """
    plain = _lags_total(y, x, np.where(np.isfinite(leaving.weights), 1.0, np.nan), lags)
    fixed = _lags_total(y, x, leaving.weights, lags)
    slopes = [_lags_total(y, x, nudged, lags).value - fixed.value for nudged in leaving.nudged]
    errors = [leaving.kpi.se, leaving.result.se]
    weighted = replace(fixed, moves=fixed.moves + leaving.moves @ (np.array(slopes) / np.array(errors)))
    apart = difference(weighted, plain)
    seen, differ = plain.estimate.p <= ALPHA, apart.p <= ALPHA
    if not seen:
        hidden = weighted.estimate.p <= ALPHA and differ
        return Reweighted(plain.estimate, weighted.estimate, apart, np.nan, hidden or None)
    ratio = weighted.value / plain.value
    moves = differ and not BOUNDS[0] <= ratio <= BOUNDS[1]
    return Reweighted(plain.estimate, weighted.estimate, apart, ratio, moves)


def _lags_total(y: FloatArray, x: FloatArray, weights: FloatArray, lags: int) -> Total:
    """From the very rows of `lags.fit_lags`, as far as they have a weight."""
    index = np.broadcast_to(np.arange(len(y), dtype=float)[:, None], y.shape)
    rows = rows_of(y, *history(y, x, lags), weights, index)
    if not len(rows.y):
        raise NotEstimableError
    X, w, who = rows.X[:, :lags], rows.X[:, -2], rows.X[:, -1].astype(np.intp)
    columns = within(np.column_stack([rows.y, X]), rows.person, rows.period, weights=w) * np.sqrt(w)[:, None]
    absorbed = not_nested(rows.person, rows.period)
    sizes = np.linalg.norm(X * np.sqrt(w)[:, None], axis=0)
    return total(columns[:, 0], columns[:, 1:], who, people=len(y), absorbed=absorbed, sizes=sizes)


def _at_risk(
    y: FloatArray, x: FloatArray, left: Codes, lags: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """N x T: who could leave before the next period of the panel, and who did."""
    at = np.arange(y.shape[1])
    there = (np.isfinite(y) & np.isfinite(x)) | (at == left[:, None])
    known = np.isfinite(_recent(y, lags)) & np.isfinite(_recent(x, lags))
    risk = there & known & _present(left, y.shape[1]) & (at < y.shape[1] - 1)
    return risk, risk & (at == left[:, None])


def _present(left: Codes, periods: int) -> npt.NDArray[np.bool_]:
    """N x T: up to a person's last period."""
    return (left[:, None] == STAYED) | (np.arange(periods) <= left[:, None])


def _recent(values: FloatArray, lags: int) -> FloatArray:
    """Mean of the last `lags` periods, this one included, that have a value, N x T; NaN where none has."""
    parts = np.array([lagged(values, lag) for lag in range(lags)])
    known = np.isfinite(parts)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, parts, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _weights(stays: FloatArray, left: Codes) -> FloatArray:
    """Stabilised and truncated, N x T: products over the earlier periods of usual by own chance to stay."""
    product = np.cumprod(np.column_stack([np.ones(len(stays)), stays[:, :-1]]), axis=1)
    present = _present(left, stays.shape[1])
    low, high = np.quantile(product[present], TRUNCATED_AT)
    return np.where(present, np.clip(product, low, high), np.nan)


def _logit(event: FloatArray, X: FloatArray, period: Codes) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Slopes (k) of a logit with an effect of each period, and n chances by it and by the period alone.

    In a period that nobody left the chance is zero, whatever X: these rows are certain and take no part.

    Raises
    ------
    NotEstimableError
        If there is no finite fit, since X tells for sure who leaves, or everybody left whenever anybody did.
    """
    usual = (np.bincount(period, weights=event) / np.maximum(np.bincount(period), 1))[period]
    coef = np.zeros(X.shape[1])
    for _ in range(MOST_STEPS):
        chance = _chances(X @ coef, period, usual)
        w = chance * (1 - chance)
        used = w > 0
        if not used.any():
            raise NotEstimableError
        left = within(X[used], numbered(period[used]), weights=w[used])
        try:
            step = np.linalg.solve((left.T * w[used]) @ left, left.T @ (event - chance)[used])
        except np.linalg.LinAlgError as singular:
            raise NotEstimableError from singular
        size = float(np.abs(step).max())
        coef = coef + step * min(1.0, LONGEST_STEP / max(size, SETTLED))
        if np.abs(coef).max() > LARGEST_LOG_ODDS:
            break
        if size <= SETTLED:
            return coef, _chances(X @ coef, period, usual), usual
    raise NotEstimableError


def _chances(log_odds: FloatArray, period: Codes, usual: FloatArray) -> FloatArray:
    """Chances (n) with these log odds beside one another whose mean in each period is that period's `usual`."""
    open_rows = (usual > 0) & (usual < 1)
    chance, when = usual.copy(), numbered(period[open_rows])
    count, own = np.bincount(when), log_odds[open_rows]
    level = special.logit(usual[open_rows]) - (np.bincount(when, weights=own) / count)[when]
    for _ in range(MOST_STEPS):
        p = special.expit(level + own)
        missing = np.bincount(when, weights=usual[open_rows] - p) / np.bincount(when, weights=p * (1 - p))
        level = level + np.clip(missing, -1.0, 1.0)[when]
        if np.abs(missing).max(initial=0.0) <= SETTLED:
            break
    chance[open_rows] = special.expit(level + own)
    return chance
