"""What may be expected of customers without a contract that ends: BG/NBD for how often, gamma-gamma for how much."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kpi_research.customers import bgnbd, gamma_gamma
from kpi_research.customers.purchases import Basis, history_frame
from kpi_research.customers.standards import DAYS_A_MONTH, DAYS_A_WEEK, DISCOUNT_YEARLY, NONCONTRACTUAL, RESAMPLES

WEEKS_A_MONTH = DAYS_A_MONTH / DAYS_A_WEEK
PARAMETERS = 7
"""Four of how often and three of how much."""
MAX_FITTED = 20_000
"""Of more customers so many are drawn: they give the parameters to about a hundredth, in a second instead of
minutes."""


@dataclass(frozen=True)
class OrdersModel:
    """Both models, fitted to a company's customers.

    Parameters
    ----------
    buying, spending
        How often, and how much.
    basis
        What `spending` is about: margins or amounts.
    draws
        A row a refit on resampled customers: r, alpha, a, b, p, q, gamma; the last three are NaN where no spending
        could be fitted.
    """

    buying: bgnbd.Fit
    spending: gamma_gamma.Fit
    basis: Basis
    draws: np.ndarray

    @property
    def reason(self) -> str:
        """Why there is no forecast of money; empty where there is."""
        return self.buying.reason or self.spending.reason


def fit(
    days: pd.DataFrame,
    *,
    since: dt.date,
    upto: dt.date,
    basis: Basis,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> OrdersModel:
    """Fit to the customers whose first purchase lies in the data and is not called a renewal or repeat.

    Parameters
    ----------
    days
        As from `purchases.purchase_days`.
    since, upto
        First day of the data, and first day after them.
    resamples
        Refits on resampled customers, for the ranges of forecasts.
    """
    rows = history_frame(days, NONCONTRACTUAL, upto=upto, basis=basis)
    rows = rows[(rows["first_day"] >= pd.Timestamp(since)) & ~rows["begins_later"].astype(bool)]
    if len(rows) > MAX_FITTED:
        rows = rows.iloc[np.sort(rng.choice(len(rows), MAX_FITTED, replace=False))]
    histories, spending = _histories(rows), _spending(rows)
    buying, worth = bgnbd.fit(histories), gamma_gamma.fit(spending)
    draws = _refits(histories, spending, buying, worth, rng=rng, resamples=resamples if buying.is_fitted else 0)
    return OrdersModel(buying, worth, basis, draws)


def expected(model: OrdersModel, rows: pd.DataFrame, *, months: int, discount: float = DISCOUNT_YEARLY) -> pd.DataFrame:
    """What is to be expected of each customer in the next months.

    Parameters
    ----------
    rows
        As from `purchases.history_frame`.
    discount
        What a year's wait costs; each month's purchases lie in its middle.

    Returns
    ------- `account_id`; `p_active`; `purchases` expected; `worth` of one, and `value` of all, discounted, both in
    money and null without a fit.
    """
    history = [rows[name].to_numpy(float) for name in ("frequency", "recency_weeks", "age_weeks")]
    empty = np.full(len(rows), np.nan)
    if not model.buying.is_fitted:
        return _frame(rows, p_active=empty, purchases=empty, worth=empty, value=empty)
    theta = model.buying.theta
    upto = [np.zeros(len(rows))]
    ends = WEEKS_A_MONTH * np.arange(1, months + 1)
    upto += [bgnbd.expected_purchases(theta, history[0], history[1], history[2], weeks) for weeks in ends]
    monthly = np.diff(np.array(upto), axis=0)
    today = (1 + discount) ** (-(np.arange(months) + 0.5) / 12) @ monthly
    worth = empty
    if model.spending.is_fitted:
        worth = gamma_gamma.expected_value(model.spending.theta, *_known_worth(rows))
    return _frame(rows, p_active=bgnbd.p_active(theta, *history), purchases=upto[-1], worth=worth, value=worth * today)


def draw(
    model: OrdersModel, rows: pd.DataFrame, *, months: int, rng: np.random.Generator, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over customers of what may come: purchases and undiscounted money, one row a refit and one column a group.

    Both what is not known of the parameters and what is left to chance are in these draws.

    Parameters
    ----------
    groups
        Number of the group that each row belongs to; all in one by default.
    """
    history = [rows[name].to_numpy(float) for name in ("frequency", "recency_weeks", "age_weeks")]
    place = np.zeros(len(rows), int) if groups is None else groups
    size = int(place.max()) + 1 if len(place) else 1
    counts, money = [], []
    for theta in model.draws:
        bought = bgnbd.draw_purchases(theta[:4], *history, weeks=WEEKS_A_MONTH * months, rng=rng)
        counts.append(np.bincount(place, bought, size))
        spent = np.full(len(rows), np.nan)
        if np.isfinite(theta[4:]).all():
            spent = gamma_gamma.draw_totals(theta[4:], *_known_worth(rows), purchases=bought, rng=rng)
        money.append(np.bincount(place, spent, size))
    return np.array(counts).reshape(-1, size), np.array(money).reshape(-1, size)


def _refits(
    histories: bgnbd.Histories,
    spending: gamma_gamma.Spending,
    buying: bgnbd.Fit,
    worth: gamma_gamma.Fit,
    *,
    rng: np.random.Generator,
    resamples: int,
) -> np.ndarray:
    """Both models on customers drawn with replacement; a refit without a maximum or a mean is left out."""
    found = []
    if not resamples:
        return np.empty((0, PARAMETERS))
    grouped, place = histories.grouped()
    spends = spending.weight > 0
    paying = replace(spending, **{name: getattr(spending, name)[spends] for name in ("orders", "mean", "weight")})
    for _ in range(resamples):
        times = np.bincount(rng.integers(len(place), size=len(place)), minlength=len(place)).astype(float)
        again = replace(grouped, weight=np.bincount(place, times, len(grouped.weight)))
        refit = bgnbd.fit_from(again, np.log(buying.theta), with_errors=False)
        money = np.full(3, np.nan)
        if worth.is_fitted:
            other = gamma_gamma.fit_from(replace(paying, weight=times[spends]), np.log(worth.theta))
            money = other.theta if other.is_fitted else money
        if refit.is_fitted and (np.isfinite(money).all() or not worth.is_fitted):
            found.append(np.concatenate([refit.theta, money]))
    return np.array(found).reshape(-1, PARAMETERS)


def _histories(rows: pd.DataFrame) -> bgnbd.Histories:
    return bgnbd.Histories.of(*(rows[name].to_numpy(float) for name in ("frequency", "recency_weeks", "age_weeks")))


def _spending(rows: pd.DataFrame) -> gamma_gamma.Spending:
    """Of all the rows; who spent nothing above zero has weight 0, as the model knows no such customers."""
    orders, mean = _known_worth(rows)
    pays = (orders > 0) & (mean > 0)
    return gamma_gamma.Spending(np.where(pays, orders, 1.0), np.where(pays, mean, 1.0), pays.astype(float))


def _known_worth(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Days of known worth, the first purchase included, and their mean; none where that is not above zero."""
    orders, mean = rows["value_days"].to_numpy(float), rows["mean_value"].to_numpy(float)
    pays = (orders > 0) & (mean > 0)
    return np.where(pays, orders, 0.0), np.where(pays, mean, 0.0)


def _frame(rows: pd.DataFrame, **columns: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"account_id": rows["account_id"].to_numpy(), **columns})
