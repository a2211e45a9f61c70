"""What one order of a customer is worth: the gamma-gamma model.

Orders of one customer scatter around a value of their own (gamma, shape p), and that value differs between customers
(gamma, shape q, through the scale). It takes the mean of a customer's orders and how many there were. How often a
customer buys is assumed to tell nothing of how much; `fit` says how far that holds in the data (`correlation`).

References
----------
Fader, P. S. & Hardie, B. G. S. (2013). The gamma-gamma model of monetary value. Note 025, brucehardie.com.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import digamma, gammaln
from scipy.stats import spearmanr

from kpi_research.customers.maximum import lowest
from kpi_research.customers.standards import MIN_BUYING_AGAIN, MIN_CUSTOMERS

BOUNDS = ((-6.0, 9.0), (-6.0, 9.0), (-8.0, 8.0))
"""Where the logarithms of p, q and p gamma / q (over the median worth) are looked for: with q at its end nobody
differs."""
AXES = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 1.0, 1.0]])
"""From these logarithms to those of p, q and gamma. Orders tell p gamma / q, about their mean, far better than gamma:
along p and gamma alone the likelihood is a bent ridge on which a search hardly moves."""
SMALLEST_SCATTER = 1e-9
"""Where all orders are worth the same there is nothing to be modelled."""
Refusal = Literal["", "too_few_customers", "too_few_repeats", "no_scatter", "no_maximum", "no_mean"]


@dataclass(frozen=True)
class Spending:
    """What the model takes of customers, arrays of one length.

    Parameters
    ----------
    orders
        How many orders a value is known of.
    mean
        Their mean, above zero, in money.
    weight
        How many customers had these.
    """

    orders: np.ndarray
    mean: np.ndarray
    weight: np.ndarray

    @functools.cached_property
    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of orders that there are, and which each customer has, as for `bgnbd.Histories`."""
        return np.unique(self.orders, return_inverse=True)

    @functools.cached_property
    def logs(self) -> np.ndarray:
        """Logarithm of each mean."""
        return np.log(self.mean)

    @classmethod
    def of(cls, orders: np.ndarray, mean: np.ndarray) -> Spending:
        """Of one customer a row.

        Raises
        ------
        ValueError
            If a mean is not above zero, or of no order.
        """
        x, m = np.asarray(orders, float), np.asarray(mean, float)
        if not ((x > 0) & (m > 0) & np.isfinite(m)).all():
            raise ValueError("the gamma-gamma model takes means above zero of at least one order")
        return cls(x, m, np.ones(len(x)))


@dataclass(frozen=True)
class Fit:
    """A fitted model, or why there is none.

    Parameters
    ----------
    theta
        p, q and gamma (money); NaN where refused.
    log_likelihood
        At the maximum.
    n_customers
        How many it was fitted to.
    correlation
        Rank correlation of orders and mean among those who bought again: the model takes it for zero.
    reason
        Why nothing was fitted; empty where it was.
    """

    theta: np.ndarray
    log_likelihood: float
    n_customers: int
    correlation: float
    reason: Refusal = ""

    @property
    def is_fitted(self) -> bool:
        """Whether there are parameters."""
        return not self.reason


def log_likelihoods(theta: np.ndarray, spending: Spending) -> np.ndarray:
    """Log-density of each customer's mean order, equation 1a of the note."""
    p, q, gamma = theta
    x, m = spending.orders, spending.mean
    n, place = spending.counts
    common = gammaln(p * n + q) - gammaln(p * n) - gammaln(q) + q * np.log(gamma) + p * n * np.log(n)
    return common[place] + (p * x - 1) * spending.logs - (p * x + q) * np.log(gamma + m * x)


def expected_value(theta: np.ndarray, orders: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """What a customer's orders are worth in the long run, equation 5 of the note: own mean and that of all, weighted.

    Parameters
    ----------
    orders, mean
        Known orders and their mean; with 0 orders the value is that of all customers, whatever the mean.
    """
    p, q, gamma = theta
    x = np.asarray(orders, float)
    total = np.where(x > 0, x * np.nan_to_num(np.asarray(mean, float)), 0.0)
    return p * (gamma + total) / (p * x + q - 1)


def draw_totals(
    theta: np.ndarray, orders: np.ndarray, mean: np.ndarray, *, purchases: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The worth of `purchases` further orders of each customer, drawn from what the model holds possible."""
    p, q, gamma = theta
    x = np.asarray(orders, float)
    total = np.where(x > 0, x * np.nan_to_num(np.asarray(mean, float)), 0.0)
    rate = rng.gamma(p * x + q) / (gamma + total)
    drawn = rng.gamma(np.where(purchases > 0, p * purchases, 1.0)) / np.maximum(rate, 1e-300)
    return np.where(purchases > 0, drawn, 0.0)


def fit(spending: Spending) -> Fit:
    """Maximum likelihood, or the reason why these customers do not allow it."""
    spending = _weighted(spending)
    again = spending.orders > 1
    correlation = float("nan")
    if again.sum() > 2 and np.ptp(spending.orders[again]) > 0 and np.ptp(spending.mean[again]) > 0:
        correlation = float(spearmanr(spending.orders[again], spending.mean[again]).statistic)
    if reason := _refusal(spending):
        return Fit(np.full(3, np.nan), float("nan"), len(spending.mean), correlation, reason)
    found = fit_from(spending, np.log([2.0, 3.0, np.median(spending.mean)]))
    return Fit(found.theta, found.log_likelihood, found.n_customers, correlation, found.reason)


def fit_from(spending: Spending, start: np.ndarray) -> Fit:
    """Maximum likelihood from a starting point, given as logarithms."""
    typical = np.log(np.median(spending.mean))
    bounds = [*BOUNDS[:2], (BOUNDS[2][0] + typical, BOUNDS[2][1] + typical)]

    def along_axes(at: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = _objective(AXES @ at, spending)
        return value, slope @ AXES

    found = lowest(along_axes, np.linalg.solve(AXES, start), bounds)
    n = int(spending.weight.sum())
    if found is None:
        return Fit(np.full(3, np.nan), float("nan"), n, float("nan"), "no_maximum")
    theta = np.exp(AXES @ found)
    # with q <= 1 values scatter so widely that a customer's value has no mean
    reason: Refusal = "no_mean" if theta[1] <= 1 else ""
    return Fit(theta, float(spending.weight @ log_likelihoods(theta, spending)), n, float("nan"), reason)


def gradient(theta: np.ndarray, spending: Spending) -> np.ndarray:
    """Derivatives of each log-density by p, q and gamma; one row a customer."""
    p, q, gamma = theta
    x, m = spending.orders, spending.mean
    n, place = spending.counts
    both, sums = digamma(p * n + q), gamma + m * x
    log_sums = np.log(sums)
    by_p = x * ((both - digamma(p * n) + np.log(n))[place] + spending.logs - log_sums)
    by_q = (both - digamma(q) + np.log(gamma))[place] - log_sums
    return np.column_stack([by_p, by_q, q / gamma - (p * x + q) / sums])


def _objective(logs: np.ndarray, spending: Spending) -> tuple[float, np.ndarray]:
    """Mean negative log-likelihood and its gradient, by the logarithms of the parameters."""
    theta, total = np.exp(logs), spending.weight.sum()
    value = -(spending.weight * log_likelihoods(theta, spending)).sum() / total
    return float(value), -np.einsum("i,ij->j", spending.weight, gradient(theta, spending)) * theta / total


def _weighted(spending: Spending) -> Spending:
    """Only those that count."""
    counts = spending.weight > 0
    return Spending(spending.orders[counts], spending.mean[counts], spending.weight[counts])


def _refusal(spending: Spending) -> Refusal:
    if spending.weight.sum() < MIN_CUSTOMERS:
        return "too_few_customers"
    if spending.weight[spending.orders > 1].sum() < MIN_BUYING_AGAIN:
        return "too_few_repeats"
    return "no_scatter" if np.ptp(spending.mean) <= SMALLEST_SCATTER * spending.mean.max() else ""
