"""Do people with a higher average of the KPI have a higher average result?"""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from golden import panel_references as reference
from golden.planted_worlds import autoregressive, world
from scipy import stats

from kpi_research.evidence.between import fit_between
from kpi_research.evidence.fixed_effects import NotEstimableError, fit
from kpi_research.evidence.grid import rows_of

GRUNFELD_BETWEEN = 0.13789713889997934
"""linearmodels 7.1 on Grunfeld's ten firms: BetweenOLS(invest, [constant, value]).fit().params["value"]."""

GRUNFELD_BETWEEN_WITH_HOLES = 0.15503627553302804
"""The same on the rows of `some_firms_years` as deviations from their years' means."""


def grunfeld() -> tuple[np.ndarray, np.ndarray]:
    invest, X, firm, year = reference.grunfeld()
    y, x = np.empty((10, 20)), np.empty((10, 20))
    y[firm, year], x[firm, year] = invest, X[:, 0]
    return y, x


def some_firms_years() -> np.ndarray:
    """Every third firm from the second on comes after eight years, every fourth from the third on leaves after 13."""
    firm, year = np.indices((10, 20))
    return ~((firm % 3 == 1) & (year < 8)) & ~((firm % 4 == 2) & (year >= 13))


def test_equals_linearmodels():
    y, x = grunfeld()
    kept = some_firms_years()
    assert fit_between(y, x).estimate.value == pytest.approx(GRUNFELD_BETWEEN, abs=1e-12)
    found = fit_between(np.where(kept, y, np.nan), x)
    assert found.estimate.value == pytest.approx(GRUNFELD_BETWEEN_WITH_HOLES, abs=1e-12)
    assert found.n_people == 10


@pytest.mark.parametrize("holes", [False, True])
def test_equals_the_regression_of_means_with_hc3_in_statsmodels(holes):
    rng = np.random.default_rng(14)
    arrays = world(rng, 17, 12)
    y, x = arrays["revenue"], arrays["talent"]
    if holes:
        y, x = (np.where(rng.random(values.shape) < 0.3, np.nan, values) for values in (y, x))
    both = np.isfinite(y) & np.isfinite(x)
    means = []
    for values in (y, x):
        kept = np.where(both, values, np.nan)
        means.append(np.nanmean(kept - np.nanmean(kept, axis=0), axis=1))
    theirs = sm.OLS(means[0], sm.add_constant(means[1])).fit(cov_type="HC3", use_t=True)
    ours = fit_between(y, x).estimate
    assert (ours.value, ours.se, ours.p) == pytest.approx((theirs.params[1], theirs.bse[1], theirs.pvalues[1]))
    assert ours.interval() == pytest.approx(tuple(theirs.conf_int()[1]))


def test_mundlaks_regression_has_the_within_coefficient_and_the_difference():
    arrays = world(np.random.default_rng(15), 25, 14)
    y, x = arrays["revenue"], arrays["talent"]
    rows = rows_of(y, x)
    inside = fit(rows.y, rows.X, person=rows.person, period=rows.period).coef[0]
    means = np.broadcast_to(x.mean(axis=1, keepdims=True), x.shape)
    periods = np.tile(np.eye(14), (25, 1))
    both = np.linalg.lstsq(np.column_stack([x.ravel(), means.ravel(), periods]), y.ravel(), rcond=None)[0][:2]
    assert both == pytest.approx([inside, fit_between(y, x).estimate.value - inside], abs=1e-10)


def test_who_does_more_because_they_are_better_is_found_though_doing_more_helps_nobody():
    arrays = world(np.random.default_rng(16), 40, 24)
    found = fit_between(arrays["revenue"], arrays["talent"]).estimate
    assert found.interval()[0] > 0.5
    assert fit_between(arrays["revenue"], arrays["noise"]).estimate.p > 0.05


def test_joiners_in_better_times_are_not_better_for_that():
    """KPI and outcome rise for everybody; without taking the periods out, joiners alone would make a slope of one."""
    rng = np.random.default_rng(17)
    y, x = (rng.normal(size=(40, 24)) + np.arange(24) for _ in range(2))
    y[20:, :18] = np.nan
    assert abs(fit_between(y, x).estimate.value) < 0.5
    raw = np.polyfit(np.nanmean(np.where(np.isfinite(y), x, np.nan), axis=1), np.nanmean(y, axis=1), 1)[0]
    assert raw > 0.9


def test_what_all_share_in_a_period_and_the_order_of_people_change_nothing():
    rng = np.random.default_rng(18)
    arrays = world(rng, 15, 12)
    y, x = arrays["revenue"], arrays["driver"]
    x[3, 4] = np.nan
    base = fit_between(y, x).estimate
    order, market = rng.permutation(15), rng.normal(0, 10, size=(2, 12))
    again = fit_between((y + market[0])[order], (x + market[1])[order]).estimate
    assert (again.value, again.se) == pytest.approx((base.value, base.se), abs=1e-10)
    nobody = np.full((2, 12), np.nan)
    assert fit_between(np.vstack([y, nobody]), np.vstack([x, nobody])).n_people == 15


def test_units_scale_slope_and_error():
    arrays = world(np.random.default_rng(19), 15, 12)
    base = fit_between(arrays["revenue"], arrays["driver"]).estimate
    money = fit_between(1e6 + 1e5 * arrays["revenue"], 10 * arrays["driver"]).estimate
    assert (money.value, money.se) == pytest.approx((1e4 * base.value, 1e4 * base.se))


@pytest.mark.parametrize("spoil", ["same_for_all", "company", "one_differs", "three_people", "nothing"])
def test_what_cannot_be_estimated_is_said(spoil):
    rng = np.random.default_rng(20)
    y, x = rng.normal(size=(10, 12)), rng.normal(size=(10, 12))
    if spoil == "same_for_all":
        x = np.full((10, 12), 0.1)
    elif spoil == "company":
        x = np.tile(rng.normal(size=12), (10, 1))
    elif spoil == "one_differs":
        x = np.where(np.arange(10)[:, None] == 4, 1.0, np.zeros((10, 12)))
    elif spoil == "three_people":
        y[3:] = np.nan
    else:
        y[:] = np.nan
    with pytest.raises(NotEstimableError):
        fit_between(y, x)


@pytest.mark.parametrize("people", [12, 20, 40])
def test_unrelated_levels_are_called_related_as_often_as_the_test_says(people):
    rng, draws = np.random.default_rng(2026), 1000
    rejected = 0
    for _ in range(draws):
        y, x = (rng.normal(size=(people, 1)) + autoregressive(rng, (people, 12), 0.5) for _ in range(2))
        rejected += fit_between(y, x).estimate.p < 0.05
    low, high = stats.binom.ppf([0.001, 0.999], draws, 0.05)
    assert low <= rejected <= high
