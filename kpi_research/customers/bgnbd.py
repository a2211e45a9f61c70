"""How often customers come back who never say goodbye: the BG/NBD model.

While active, a customer buys at a rate of their own (purchases a week, gamma over customers); after each purchase
they may be gone for good, with a probability of their own (beta over customers). What it takes of a customer is how
often they bought again, when last, and for how long they have been a customer.

References
----------
Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way: an alternative to the
Pareto/NBD model. Marketing Science 24(2), 275-284.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import digamma, expit, gammaln, hyp2f1

from kpi_research.customers.maximum import lowest
from kpi_research.customers.standards import MIN_AGE_WEEKS, MIN_BUYING_AGAIN, MIN_CUSTOMERS

PARAMETERS = ("r", "alpha", "a", "b")
START = np.log([1.0, 20.0, 1.0, 3.0])
BOUNDS = ((-8.0, 6.0), (-8.0, 14.0), (-8.0, 6.0), (-8.0, 6.0))
"""Where the logarithms are looked for: beyond, all customers are alike (or nobody ever goes) and nothing moves any
more."""
AT_EDGE = 1e-3
NEAR_ONE, STEP, LARGE = 1e-5, 1e-4, 40.0
Refusal = Literal["", "too_few_customers", "too_few_repeats", "too_short", "no_maximum"]


@dataclass(frozen=True)
class Histories:
    """What the model takes of customers, arrays of one length.

    Parameters
    ----------
    frequency
        Days on which they bought again, the first not counted.
    recency
        Weeks from the first to the last of them; 0 where there was no second.
    age
        Weeks from the first to the end of observation.
    weight
        How many customers had this history.
    """

    frequency: np.ndarray
    recency: np.ndarray
    age: np.ndarray
    weight: np.ndarray

    @functools.cached_property
    def frequencies(self) -> tuple[np.ndarray, np.ndarray]:
        """The frequencies that there are, and which each customer has: slow functions are called for these only."""
        return np.unique(self.frequency, return_inverse=True)

    @classmethod
    def of(cls, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray) -> Histories:
        """Of one customer a row.

        Raises
        ------
        ValueError
            If a customer last bought before the first time or after the end, or bought again at no later time.
        """
        x, t_x, T = (np.asarray(each, float) for each in (frequency, recency, age))
        wrong = (x < 0) | (t_x < 0) | (t_x > T) | ((x > 0) != (t_x > 0))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"no history: frequency={x[row]:g}, recency={t_x[row]:g}, age={T[row]:g} weeks")
        return cls(x, t_x, T, np.ones(len(x)))

    def grouped(self) -> tuple[Histories, np.ndarray]:
        """Equal histories as one, and which of them each customer has: most customers bought only once."""
        rows = np.column_stack([self.frequency, self.recency, self.age])
        unique, place = np.unique(rows, axis=0, return_inverse=True)
        place = place.reshape(-1)
        return Histories(unique[:, 0], unique[:, 1], unique[:, 2], np.bincount(place, self.weight, len(unique))), place


@dataclass(frozen=True)
class Fit:
    """A fitted model, or why there is none.

    Parameters
    ----------
    theta
        r, alpha (weeks), a, b; NaN where refused.
    errors
        Standard errors of their logarithms, from the observed information; NaN where it has no inverse: the
        likelihood is flat in that direction, and only refits tell how sure the forecasts are.
    log_likelihood
        At the maximum.
    n_customers, n_repeats
        Customers, and days on which they bought again.
    reason
        Why nothing was fitted; empty where it was.
    """

    theta: np.ndarray
    errors: np.ndarray
    log_likelihood: float
    n_customers: int
    n_repeats: int
    reason: Refusal = ""

    @property
    def is_fitted(self) -> bool:
        """Whether there are parameters."""
        return not self.reason

    @property
    def edges(self) -> tuple[str, ...]:
        """Parameters that ran to the edge: with `a` or `b` there, customers do not differ in how they drop out."""
        logs = zip(PARAMETERS, np.log(self.theta), BOUNDS, strict=True)
        return tuple(name for name, log, ends in logs if min(abs(log - end) for end in ends) < AT_EDGE)


def log_likelihoods(theta: np.ndarray, histories: Histories) -> np.ndarray:
    """Log-likelihood of each history, equation 6 of the paper on the log scale."""
    r, alpha, a, b = theta
    x, t_x, T = histories.frequency, histories.recency, histories.age
    times, place = histories.frequencies
    common = gammaln(r + times) - gammaln(r) + r * np.log(alpha)
    common += gammaln(a + b) + gammaln(b + times) - gammaln(b) - gammaln(a + b + times)
    return common[place] + np.logaddexp(*_two_ways(theta, x, t_x, T))


def p_active(theta: np.ndarray, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray) -> np.ndarray:
    """Probability that a customer with this history has not dropped out; 1 for those who bought once.

    The model lets customers go only after they bought again, so of those who never did it knows no better.
    """
    still, gone = _two_ways(theta, *(np.asarray(each, float) for each in (frequency, recency, age)))
    return expit(still - gone)


def expected_purchases(
    theta: np.ndarray, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray, weeks: float
) -> np.ndarray:
    """Purchases to be expected in the next `weeks` of customers with these histories, equation 10 of the paper.

    With 1 - z = (alpha + T) / (alpha + T + t) and c = a + b + x - 1 the paper has (1 - z)^(r+x) 2F1(r + x, b + x; c;
    z). By Euler's transformation this is (1 - z)^(a-1) 2F1(c - r - x, a - 1; c; z), whose first two arguments do not
    grow with x, so that frequent customers neither overflow nor cancel; where a is large the paper's own form is the
    smaller one. At a = 1 numerator and denominator vanish; there the value is taken as the mean of those beside it.
    """
    r, alpha, a, b = theta
    if abs(a - 1.0) < NEAR_ONE:
        beside = [
            expected_purchases(np.array([r, alpha, 1 + h, b]), frequency, recency, age, weeks) for h in (-STEP, STEP)
        ]
        return (beside[0] + beside[1]) / 2
    x, t_x, T = (np.asarray(each, float) for each in (frequency, recency, age))
    z = weeks / (alpha + T + weeks)
    c = a + b + x - 1
    if a < LARGE:
        left = (1 - z) ** (a - 1) * hyp2f1(c - r - x, a - 1, c, z)
    else:
        left = (1 - z) ** (r + x) * hyp2f1(r + x, b + x, c, z)
    active = c / (a - 1) * (1 - left)
    return np.maximum(active, 0.0) * p_active(theta, x, t_x, T)


def draw_purchases(
    theta: np.ndarray,
    frequency: np.ndarray,
    recency: np.ndarray,
    age: np.ndarray,
    *,
    weeks: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Purchases in the next `weeks`, drawn for each customer from what the model holds possible.

    A customer still active has a rate ~ Gamma(r + x, alpha + T) and a drop-out probability ~ Beta(a, b + x); they buy
    until the weeks are over or they drop out, whichever comes first.
    """
    r, alpha, a, b = theta
    x = np.asarray(frequency, float)
    rate = rng.gamma(r + x) / (alpha + age)
    drop_out = np.clip(rng.beta(a, b + x), 1e-12, 1.0)
    wanted = rng.poisson(np.minimum(rate * weeks, 1e9))
    active = rng.random(len(x)) < p_active(theta, x, recency, age)
    return np.where(active, np.minimum(wanted, rng.geometric(drop_out)), 0)


def fit(histories: Histories) -> Fit:
    """Maximum likelihood, or the reason why these customers do not allow it."""
    grouped, _ = histories.grouped()
    if reason := refusal(grouped):
        return _refused(grouped, reason)
    return fit_from(grouped, START)


def fit_from(grouped: Histories, start: np.ndarray, *, with_errors: bool = True) -> Fit:
    """Maximum likelihood from a starting point, given as logarithms; equal histories are grouped already."""
    logs = lowest(lambda at: _objective(at, grouped), start, BOUNDS)
    if logs is None:
        return _refused(grouped, "no_maximum")
    errors = _errors(logs, grouped) if with_errors else np.full(4, np.nan)
    n, repeats = _size(grouped)
    return Fit(np.exp(logs), errors, float(grouped.weight @ log_likelihoods(np.exp(logs), grouped)), n, repeats)


def refusal(histories: Histories) -> Refusal:
    """Why these customers do not allow the model; empty where they do."""
    weight = histories.weight
    if weight.sum() < MIN_CUSTOMERS:
        return "too_few_customers"
    if weight[histories.frequency > 0].sum() < MIN_BUYING_AGAIN:
        return "too_few_repeats"
    return "too_short" if histories.age.max() < MIN_AGE_WEEKS else ""


def gradient(theta: np.ndarray, histories: Histories) -> np.ndarray:
    """Derivatives of each log-likelihood by r, alpha, a and b; one row a history."""
    r, alpha, a, b = theta
    x, t_x, T = histories.frequency, histories.recency, histories.age
    still, gone = _two_ways(theta, x, t_x, T)
    w = expit(gone - still)
    times, place = histories.frequencies
    by_r = (
        (digamma(r + times) - digamma(r))[place] + np.log(alpha) - (1 - w) * np.log(alpha + T) - w * np.log(alpha + t_x)
    )
    by_alpha = r / alpha - (r + x) * ((1 - w) / (alpha + T) + w / (alpha + t_x))
    shared = (digamma(a + b) - digamma(a + b + times))[place]
    earlier = b + np.maximum(x, 1.0) - 1
    return np.column_stack(
        [by_r, by_alpha, shared + w / a, shared + (digamma(b + times) - digamma(b))[place] - w / earlier]
    )


def _two_ways(theta: np.ndarray, x: np.ndarray, t_x: np.ndarray, T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two ways to a history, as logarithms up to what they share: still active, or gone after the last purchase."""
    r, alpha, a, b = theta
    still = -(r + x) * np.log(alpha + T)
    gone = np.log(a) - np.log(b + np.maximum(x, 1.0) - 1) - (r + x) * np.log(alpha + t_x)
    return still, np.where(x > 0, gone, -np.inf)


def _objective(logs: np.ndarray, histories: Histories) -> tuple[float, np.ndarray]:
    """Mean negative log-likelihood and its gradient, by the logarithms of the parameters."""
    theta, total = np.exp(logs), histories.weight.sum()
    # sums without BLAS, whose threads cost more than such short rows take, many times more on a busy machine
    value = -(histories.weight * log_likelihoods(theta, histories)).sum() / total
    return float(value), -np.einsum("i,ij->j", histories.weight, gradient(theta, histories)) * theta / total


def _errors(logs: np.ndarray, histories: Histories) -> np.ndarray:
    """Standard errors of the logarithms from the observed information, differenced from the exact gradient."""
    total, steps = histories.weight.sum(), np.eye(4) * 1e-4
    rows = [(_objective(logs + step, histories)[1] - _objective(logs - step, histories)[1]) / 2e-4 for step in steps]
    information = np.array(rows)
    information = (information + information.T) / 2 * total
    values, vectors = np.linalg.eigh(information)
    if values.min() <= 1e-6 * max(values.max(), 1e-300):
        return np.full(4, np.nan)
    return np.sqrt(np.diag((vectors / values) @ vectors.T))


def _size(histories: Histories) -> tuple[int, int]:
    return int(histories.weight.sum()), int(histories.weight @ histories.frequency)


def _refused(histories: Histories, reason: Refusal) -> Fit:
    nothing = np.full(4, np.nan)
    return Fit(nothing, nothing, float("nan"), *_size(histories), reason=reason)
