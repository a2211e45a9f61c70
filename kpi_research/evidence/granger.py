"""Panel Granger non-causality: do earlier values of a KPI say anything that the outcome's own past does not?

The pooled test is the default; that of Dumitrescu & Hurlin, whether *anybody's* KPI predicts, is for comparison only.

Per cent of 1000 simulated panels in which the pooled test rejected at 5 %, one lag / three lags. Outcome AR(.5), KPI
AR(.4), both of unit variance, with constants of persons and common shocks; 24 months unless said otherwise. Feedback:
.3 of last month's outcome enters the KPI, which itself does nothing. Effect: a slope of .15 on the month before::

    panel and test                               no effect    feedback     effect
    8 people                                     5.8 / 5.3    7.2 / 6.1    40 / 14
    20 people                                    4.5 / 4.7    5.4 / 4.8    84 / 40
    40 people                                    5.0 / 4.8    3.9 / 6.0    99 / 80
    40 people, 16 months                         5.7 / 4.5    5.7 / 4.5    87 / 29
    40 people, large-sample test                 6.8 / 14.1   7.7 / 15.0
    40 people, 16 months, large-sample test      10.6 / 31.5  11.5 / 35.6
    40 people, no jackknife                      4.3 / 4.0    17.7 / 10.9

*Why not the large-sample test.* In large panels the jackknife costs no precision: chi^2, and the variance (White's) of
the estimate before it. With 24 months it does: each half loses a constant and the lags of the outcome of every person.
Clustering it by person, with F, does not mend it (40 people: 6.1 / 11.4 %); repeating all without each person does.

*Why the later half's lags reach back into the earlier half.* If each half starts with `lags` periods of its own, data
are lost once more and the jackknife takes off too much. For 40 people, three lags and feedback the slopes' bias was
then .011, .010, .006, against .007, .005, -.004 (and -.003, -.005, -.033 without jackknife); power fell to 63 %.

*Holes and unlike people.* 40 people who come and go, 2 % of cells missing, 709 / 993 panels not refused: 5.2 / 3.4 %
without effect, 7.5 / 4.8 % with feedback. Outcomes of very different size (log-normal, .7): 5.3 / 3.4, 6.1 / 4.0 %.

*Dumitrescu & Hurlin.* Z-tilde uses the F distribution's moments, which hold only roughly beside lags of the outcome,
and the error adds up over people: one lag, no effect, 8 % for 20 people, 10 % for 40, 15 % for 200 (of 300 panels).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from kpi_research.evidence.fixed_effects import TOLERANCE, Codes, FloatArray, NotEstimableError, within
from kpi_research.evidence.grid import coded, with_peers
from kpi_research.evidence.separation import BoolArray
from kpi_research.evidence.stepdown import beyond_periods

LEAST_PERIODS = 16
"""Median length of a person's run under which the pooled test is refused."""

LEAST_PERIODS_EACH_PERSON = 20
"""The same for Dumitrescu & Hurlin's test, which fits a regression to every person alone."""

LEAST_PEOPLE = 8
"""Persons under which neither test is made."""


@dataclass(frozen=True)
class Granger:
    """The pooled test that no lag of the KPI predicts the outcome.

    Parameters
    ----------
    statistic
        Wald statistic b' V^-1 b of the jackknifed slopes b, V from leaving out one person at a time. The effects of
        periods are not estimated anew: V grows by what those of peers leave less than everybody's (`beyond_periods`).
    df, p
        Number of slopes tested, and the p-value: Hotelling's T^2 with n_people - 1 degrees of freedom, that is
        statistic (n_people - df) / (df (n_people - 1)) against F(df, n_people - df).
    coefficients
        Jackknifed slopes of lag 1, 2 ... (`df` of them), in units of the outcome for one unit of the KPI.
    n_people, n_periods
        Persons used, and the median length of their runs, the first `lags` periods of each included.
    """

    statistic: float
    df: int
    p: float
    coefficients: FloatArray
    n_people: int
    n_periods: int


@dataclass(frozen=True)
class DumitrescuHurlin:
    """The test that the KPI predicts the outcome of nobody, against the alternative that it does of somebody.

    Parameters
    ----------
    statistic, p
        Z-tilde, standard normal without effect, and its two-sided p-value.
    wald
        Wald statistics of the `n_people` persons used, in the order of the rows.
    n_people, n_periods
        As in `Granger`.
    """

    statistic: float
    p: float
    wald: FloatArray
    n_people: int
    n_periods: int


def juodis_karavias_sarafidis(y: FloatArray, x: FloatArray, lags: int, peers: Codes | None = None) -> Granger:
    """Whether the KPI x predicts the outcome y beyond the outcome's own past: pooled slopes, half-panel jackknife.

    The estimator is Juodis, Karavias & Sarafidis's (2021, Empirical Economics 60); variance and reference distribution
    are not (see the module's docstring). What period effects leave of y is regressed on x_{t-1} .. x_{t-lags} with
    slopes common to all; a constant and y_{t-1} .. y_{t-lags}, with slopes of each person's own, are partialled out
    first. From twice the estimate the mean of those from the halves of everybody's rows (an odd one in the later half)
    is taken off, which removes the bias of order 1/T (Nickell 1981).

    Holes: each person's longest run of periods with both y and x is used, the latest of equally long ones. It needs
    3 lags + 4 periods: `lags` to begin with, and in either half one row more than the lags + 1 coefficients of the
    person's own. Persons with a shorter run are left out, and so are periods with a single person. Period effects are
    estimated together with the persons', so that who is missing does not shift them.

    Parameters
    ----------
    y, x
        N persons x T periods of outcome and KPI in natural units; NaN where missing.
    lags
        Lags of x tested, and of y partialled out; at least 1. `peers` are as in `grid.rows_of`.

    Raises
    ------
    NotEstimableError
        If fewer than `LEAST_PEOPLE` or lags + 2 persons have such a run, if the median run is under `LEAST_PERIODS`, or
        if in a half, with all persons or without one, the lags of x do not vary beyond the rest and one another.
    """
    panel = _panel(y, x, shortest=3 * lags + 4, peers=peers)
    n_people, n_periods = len(panel.used), int(np.median(panel.used.sum(axis=1)))
    if n_people < max(LEAST_PEOPLE, lags + 2) or n_periods < LEAST_PERIODS:
        raise NotEstimableError
    rows = panel.rows(lags)
    early = rows & (np.cumsum(rows, axis=1) <= rows.sum(axis=1, keepdims=True) // 2)
    whole, first, second = (_slopes(panel, lags, part) for part in (rows, early, rows & ~early))
    slopes, *without = 2 * whole - (first + second) / 2
    moves = np.array(without) - np.mean(without, axis=0)
    of_everybody, of_peers = (beyond_periods(*coded(panel.used, each)) for each in (None, panel.peers))
    V = of_everybody / of_peers * (n_people - 1) / n_people * moves.T @ moves
    try:
        statistic = float(slopes @ np.linalg.solve(V, slopes))
    except np.linalg.LinAlgError as singular:
        raise NotEstimableError from singular
    df = n_people - lags
    p = float(special.fdtrc(lags, df, statistic * df / (lags * (n_people - 1))))
    return Granger(statistic, lags, p, slopes, n_people, n_periods)


def dumitrescu_hurlin(y: FloatArray, x: FloatArray, lags: int) -> DumitrescuHurlin:
    """Whether the KPI x predicts the outcome y of anybody: the mean of each person's own Wald statistic.

    Dumitrescu & Hurlin (2012, Economic Modelling 29) on what period effects leave of y and x, estimated as in
    `juodis_karavias_sarafidis`; each person's longest run is used, and needs 3 lags + 6 periods for Z-tilde's moments
    to exist. Persons whose own regression cannot be made (a KPI that never varies) are left out before the effects are
    estimated, for what the effects leave always varies.

    Parameters
    ----------
    y, x
        N persons x T periods of outcome and KPI in natural units; NaN where missing.
    lags
        Lags of x tested, and of y beside them; at least 1.

    Raises
    ------
    NotEstimableError
        If fewer than `LEAST_PEOPLE` persons are left, or their median run is shorter than `LEAST_PERIODS_EACH_PERSON`.
    """
    able = np.isfinite(wald_of_each_person(y, x, lags))
    panel = _panel(y[able], x[able], shortest=3 * lags + 6)
    wald = _wald_each(panel, lags)
    made = np.isfinite(wald)
    lengths = panel.used.sum(axis=1)[made]
    if len(lengths) < LEAST_PEOPLE or np.median(lengths) < LEAST_PERIODS_EACH_PERSON:
        raise NotEstimableError
    statistic = z_tilde(wald[made], lengths - lags, lags)
    p = float(2 * special.ndtr(-abs(statistic)))
    return DumitrescuHurlin(statistic, p, wald[made], len(lengths), int(np.median(lengths)))


def wald_of_each_person(y: FloatArray, x: FloatArray, lags: int) -> FloatArray:
    """Wald statistic (N) of each person's regression of y (N x T) on its own and on the KPI's lags, as y and x come.

    W = b' V^-1 b with V from s^2 on rows - 2 lags - 1 degrees of freedom, of the slopes of x_{t-1} .. x_{t-lags} beside
    a constant and y_{t-1} .. y_{t-lags} (Dumitrescu & Hurlin 2012), over the person's longest run of periods with both.
    NaN where that leaves no degree of freedom or no residual, or the lags of x do not vary beyond the others.
    """
    return _wald_each(_Panel(y, x, _longest_runs(np.isfinite(y) & np.isfinite(x))), lags)


def z_tilde(wald: FloatArray, n_rows: int | npt.NDArray[np.integer], lags: int) -> float:
    """The standardised mean of the persons' Wald statistics, with the mean and variance of their F distributions.

    Dumitrescu & Hurlin (2012), for panels that need not be balanced. As the rows grow without end it becomes their
    Z-bar, with the moments of chi^2, which rejects far too often at the length of a CRM history and is not offered.

    Parameters
    ----------
    wald
        N Wald statistics.
    n_rows
        Rows of each person's regression, `lags` fewer than its periods; one number, or N.

    Raises
    ------
    NotEstimableError
        If somebody has 2 lags + 5 rows or fewer, or there is nobody: the variance of F does not exist then.
    """
    n = np.broadcast_to(np.asarray(n_rows, dtype=float), wald.shape)
    if not len(wald) or n.min() <= 2 * lags + 5:
        raise NotEstimableError
    residual = n - 2 * lags - 1
    mean = lags * residual / (residual - 2)
    variance = 2 * lags * residual**2 * (n - lags - 3) / ((residual - 2) ** 2 * (residual - 4))
    return float(np.sum(wald - mean) / np.sqrt(variance.sum()))


@dataclass(frozen=True)
class _Panel:
    """Outcome and KPI (N x T each), cells of everybody's one run of consecutive periods (N x T), and codes of peers."""

    y: FloatArray
    x: FloatArray
    used: BoolArray
    peers: Codes | None = None

    def rows(self, lags: int) -> BoolArray:
        """The cells (N x T) whose `lags` periods before lie in the run too."""
        rows = self.used.copy()
        rows[:, :lags] = False
        rows[:, lags:] &= self.used[:, :-lags]
        return rows


def _panel(y: FloatArray, x: FloatArray, shortest: int, peers: Codes | None = None) -> _Panel:
    """The persons with a run of `shortest` periods, and what both effects leave of y and x; never empty."""
    used, before = np.isfinite(y) & np.isfinite(x), -1
    while used.sum() != before:
        before = used.sum()
        used = _longest_runs(used & (with_peers(used, peers) > 1))
        used &= used.sum(axis=1, keepdims=True) >= shortest
    people = used.any(axis=1)
    if not people.any():
        raise NotEstimableError
    used, peers = used[people], None if peers is None else peers[people]
    person, period = coded(used, peers)
    cells = np.column_stack([y[people][used], x[people][used]])
    left = within(cells, person, period)
    if np.any(np.linalg.norm(left, axis=0) <= TOLERANCE * np.linalg.norm(cells, axis=0)):
        raise NotEstimableError
    filled = np.zeros((2, *used.shape))
    filled[:, used] = left.T
    return _Panel(filled[0], filled[1], used, peers)


def _longest_runs(complete: BoolArray) -> BoolArray:
    """Of every row's (N x T) runs of consecutive true cells the longest, the latest of equally long ones."""
    periods = np.arange(complete.shape[1])
    streak = periods - np.maximum.accumulate(np.where(complete, -1, periods), axis=1)
    longest = streak.max(axis=1, keepdims=True, initial=0)
    end = np.where(streak == longest, periods, -1).max(axis=1, keepdims=True, initial=-1)
    return (periods <= end) & (periods > end - longest)


def _products(panel: _Panel, lags: int, rows: BoolArray) -> FloatArray:
    """Products (N x (1 + lags) x (1 + lags)) of y and the lags of x, without each person's constant and lags of y."""
    # what rolls in from the other end lies outside the rows
    moved = [panel.y, *(np.roll(v, lag, axis=1) for v in (panel.x, panel.y) for lag in range(1, lags + 1))]
    inside = rows[:, :, None]
    columns = np.where(inside, np.stack(moved, axis=-1), 0.0)
    means = columns.sum(axis=1, keepdims=True) / np.maximum(1, rows.sum(axis=1))[:, None, None]
    columns = np.where(inside, columns - means, 0.0)
    left, own_past = columns[:, :, : 1 + lags], columns[:, :, 1 + lags :]
    # a person whose results hardly change has lags of y that are one another's copies: only what they span counts
    basis, size, _ = np.linalg.svd(own_past, full_matrices=False)
    basis *= (size > TOLERANCE * size.max(initial=0.0))[:, None, :]
    left = left - basis @ (basis.transpose(0, 2, 1) @ left)
    return np.asarray(left.transpose(0, 2, 1) @ left, dtype=float)


def _slopes(panel: _Panel, lags: int, rows: BoolArray) -> FloatArray:
    """Pooled slopes on the lags of x, (1 + N) x lags: of all persons, then without each of them."""
    products = _products(panel, lags, rows)
    size = np.sqrt(np.diagonal(products.sum(axis=0)))
    if np.any(size <= TOLERANCE * np.array([np.linalg.norm(panel.y), *[np.linalg.norm(panel.x)] * lags])):
        raise NotEstimableError
    scaled = products / np.outer(size, size)
    several = scaled.sum(axis=0) - np.concatenate([np.zeros_like(scaled[:1]), scaled])
    if np.linalg.eigvalsh(several[:, 1:, 1:]).min() < TOLERANCE:
        raise NotEstimableError
    slopes = np.linalg.solve(several[:, 1:, 1:], several[:, 1:, :1])[:, :, 0]
    return np.asarray(slopes * size[0] / size[1:], dtype=float)


def _wald_each(panel: _Panel, lags: int) -> FloatArray:
    rows = panel.rows(lags)
    products = _products(panel, lags, rows)
    df = rows.sum(axis=1) - 2 * lags - 1
    size = np.sqrt(np.diagonal(products, axis1=1, axis2=2))
    before = [np.linalg.norm(np.where(panel.used, values, 0.0), axis=1) for values in (panel.y, *[panel.x] * lags)]
    known = (df > 0) & np.all(size > TOLERANCE * np.stack(before, axis=1), axis=1)
    size[~known] = 1.0
    scaled = products / (size[:, :, None] * size[:, None, :])
    known &= np.linalg.eigvalsh(scaled[:, 1:, 1:]).min(axis=1) >= TOLERANCE
    scaled[~known] = np.eye(1 + lags)
    explained = np.sum(scaled[:, 1:, 0] * np.linalg.solve(scaled[:, 1:, 1:], scaled[:, 1:, :1])[:, :, 0], axis=1)
    known &= 1 - explained > TOLERANCE
    return np.where(known, explained / np.where(known, 1 - explained, 1.0) * df, np.nan)
