"""BG/NBD and gamma-gamma: closed forms against integrals and brute force, known parameters found again, refusals."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.optimize import approx_fprime, minimize
from scipy.special import hyp2f1

from kpi_research.customers import bgnbd, gamma_gamma
from kpi_research.customers.bgnbd import Histories
from kpi_research.customers.gamma_gamma import Spending
from kpi_research.customers.maximum import lowest

pytestmark = pytest.mark.slow

TYPICAL = np.array([1.3, 5.0, 1.8, 2.2])
positive = st.floats(-1.5, 2.5).map(np.exp)
theta_of = st.tuples(positive, st.floats(0, 4).map(np.exp), positive, positive).map(np.array)


@st.composite
def histories(draw):
    age = draw(st.floats(1, 120))
    frequency = draw(st.integers(0, 9))
    return float(frequency), draw(st.floats(0.02, 1.0)) * age if frequency else 0.0, age


def lives(theta, customers, ages, rng):
    """Customers' lives played through one purchase at a time: frequency and recency."""
    r, alpha, a, b = theta
    rates, leaves = rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers)
    frequency, recency = np.zeros(customers), np.zeros(customers)
    for each in range(customers):
        time = rng.exponential(1 / rates[each])
        while time <= ages[each]:
            frequency[each] += 1
            recency[each] = time
            if rng.random() < leaves[each]:
                break
            time += rng.exponential(1 / rates[each])
    return frequency, recency


def integrated(theta, x, t_x, T):
    """The likelihood as the paper derives it: over every rate and every probability of dropping out."""
    r, alpha, a, b = theta
    scale = r * math.log(alpha) - math.lgamma(r) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)

    def density(rate, p):
        # scipy's own densities would take most of the time
        if rate == 0:
            return 0.0
        still = (1 - p) ** x * math.exp(-rate * T)
        gone = p * (1 - p) ** (x - 1) * math.exp(-rate * t_x) if x else 0.0
        among = scale + (r - 1 + x) * math.log(rate) - alpha * rate + (a - 1) * math.log(p) + (b - 1) * math.log(1 - p)
        return (still + gone) * math.exp(among)

    return integrate.dblquad(density, 0, 1, 0, np.inf)[0]


@pytest.mark.parametrize("history", [(0, 0, 30), (1, 5, 30), (4, 20, 30), (7, 3, 40), (2, 30, 30)])
@pytest.mark.parametrize("theta", [TYPICAL, [2.5, 12.0, 1.1, 4.0]])
def test_the_closed_likelihood_is_the_integral_over_all_customers(theta, history):
    closed = bgnbd.log_likelihoods(np.array(theta), Histories.of(*[[float(v)] for v in history]))[0]
    assert closed == pytest.approx(np.log(integrated(theta, *history)), abs=2e-5)


@settings(max_examples=200, deadline=None)
@given(theta_of, histories(), st.sampled_from([1.0, 13.0, 52.0]))
def test_the_expectation_is_the_integral_over_those_still_active(theta, history, weeks):
    """Purchases until dropping out are geometric and wanted ones Poisson: E = integral of (1 - L(p t)) / p over p."""
    (r, alpha, a, b), (x, t_x, T) = theta, history

    def over(p):
        return (1 - ((alpha + T) / (alpha + T + p * weeks)) ** (r + x)) / p * stats.beta.pdf(p, a, b + x)

    active = bgnbd.p_active(theta, [x], [t_x], [T])[0]
    with warnings.catch_warnings():
        # near p = 0 and 1 the beta density may have no bound
        warnings.simplefilter("ignore", integrate.IntegrationWarning)
        second = active * integrate.quad(over, 0, 1, limit=400)[0]
    assert bgnbd.expected_purchases(theta, [x], [t_x], [T], weeks)[0] == pytest.approx(second, rel=2e-3, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(theta_of.filter(lambda theta: abs(theta[2] - 1) > 0.05), histories())
def test_the_expectation_as_the_paper_prints_it(theta, history):
    (r, alpha, a, b), (x, t_x, T) = theta, history
    t, c = 26.0, a + b + x - 1
    series = ((alpha + T) / (alpha + T + t)) ** (r + x) * hyp2f1(r + x, b + x, c, t / (alpha + T + t))
    below = 1 + (a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x) if x else 0)
    printed = c / (a - 1) * (1 - series) / below
    assert bgnbd.expected_purchases(theta, [x], [t_x], [T], t)[0] == pytest.approx(printed, rel=1e-6, abs=1e-9)


def test_the_published_customer():
    """Hardie's spreadsheet note on the paper: with its parameters for CDNOW, customer 0001 is expected to buy 1.226 times."""
    cdnow = np.array([0.243, 4.414, 0.793, 2.426])
    assert bgnbd.expected_purchases(cdnow, [2], [30.43], [38.86], 39.0)[0] == pytest.approx(1.226, abs=5e-4)


@pytest.mark.parametrize("a", [0.3, 1.0, 1.8, 400.0])
@pytest.mark.parametrize("history", [(0, 0, 30), (1, 5, 30), (4, 20, 30), (60, 39, 40)])
def test_expectation_and_chance_against_brute_force(a, history):
    theta, n, rng = np.array([1.3, 5.0, a, 2.2]), 200_000, np.random.default_rng(5)
    drawn = bgnbd.draw_purchases(theta, *(np.full(n, float(v)) for v in history), weeks=26.0, rng=rng)
    expected = bgnbd.expected_purchases(theta, *[[v] for v in history], 26.0)[0]
    assert drawn.mean() == pytest.approx(expected, abs=4.5 * drawn.std() / n**0.5 + 1e-9)


def test_those_with_the_same_history_did_buy_so_often_afterwards():
    """No formula at all: lives played through; of those with a history the mean of what followed is the expectation."""
    theta, rng, n = np.array([0.9, 6.0, 0.8, 2.5]), np.random.default_rng(11), 60_000
    r, alpha, a, b = theta
    rates, leaves = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    early, late, last, active = np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n, bool)
    time = np.zeros(n)
    while True:
        time = time + rng.exponential(1 / rates)
        buys = active & (time <= 40.0)
        if not buys.any():
            break
        early += buys & (time <= 20.0)
        last = np.where(buys & (time <= 20.0), time, last)
        late += buys & (time > 20.0)
        active = buys & (rng.random(n) >= leaves)
    for frequency in range(5):
        group = early == frequency
        expected = bgnbd.expected_purchases(theta, early[group], last[group], np.full(group.sum(), 20.0), 20.0)
        error = late[group].std() / group.sum() ** 0.5
        assert late[group].mean() == pytest.approx(expected.mean(), abs=4 * error)


def test_known_parameters_are_found_again_and_the_errors_are_right():
    theta, rng = np.array([0.6, 8.0, 0.9, 2.5]), np.random.default_rng(3)
    off = []
    for _ in range(25):
        ages = rng.uniform(30, 120, 1500)
        frequency, recency = lives(theta, 1500, ages, rng)
        found = bgnbd.fit(Histories.of(frequency, recency, ages))
        assert found.is_fitted and found.n_customers == 1500 and found.n_repeats == frequency.sum()
        off.append((np.log(found.theta) - np.log(theta)) / found.errors)
    off = np.array(off)
    # the mean and the spread of 25 standardised errors
    assert (np.abs(off.mean(axis=0)) < 0.75).all()
    assert (off.std(axis=0, ddof=1) > 0.7).all() and (off.std(axis=0, ddof=1) < 1.4).all()


@settings(max_examples=60, deadline=None)
@given(theta_of, histories())
def test_the_gradient_is_that_of_the_likelihood(theta, history):
    one = Histories.of(*[[v] for v in history])
    numeric = approx_fprime(theta, lambda at: bgnbd.log_likelihoods(at, one)[0], 1e-7)
    assert bgnbd.gradient(theta, one)[0] == pytest.approx(numeric, rel=1e-3, abs=1e-4)


def test_order_of_customers_and_grouping_change_nothing():
    rng = np.random.default_rng(8)
    ages = rng.integers(30, 60, 400).astype(float)
    frequency, recency = lives([0.6, 8.0, 0.9, 2.5], 400, ages, rng)
    shuffled = rng.permutation(400)
    once = bgnbd.fit(Histories.of(frequency, recency, ages))
    again = bgnbd.fit(Histories.of(frequency[shuffled], recency[shuffled], ages[shuffled]))
    assert np.array_equal(once.theta, again.theta)
    grouped, place = Histories.of(frequency, recency, ages).grouped()
    assert len(grouped.weight) < 400 and grouped.weight.sum() == 400
    assert np.array_equal(grouped.frequency[place], frequency)


def test_longer_silence_means_less_and_those_who_bought_once_are_never_given_up():
    ages = np.array([30.0, 60.0, 90.0])
    p = bgnbd.p_active(TYPICAL, np.full(3, 3.0), np.full(3, 29.0), ages)
    assert (np.diff(p) < 0).all() and (p > 0).all() and (p < 1).all()
    assert bgnbd.p_active(TYPICAL, [0], [0], [500]) == 1.0
    assert bgnbd.expected_purchases(TYPICAL, [3], [29], [30], 0.0)[0] == 0.0


def test_a_frequent_customer_does_not_overflow():
    expected = bgnbd.expected_purchases(np.array([2.0, 4.0, 0.4, 3.0]), [900], [150.0], [151.0], 52.0)
    assert np.isfinite(expected).all() and 0 < expected[0] < 900 / 150 * 52


@pytest.mark.parametrize(
    ("count", "again", "age", "reason"),
    [
        (99, 40, 60, "too_few_customers"),
        (200, 29, 60, "too_few_repeats"),
        (200, 60, 20, "too_short"),
        (200, 60, 60, ""),
    ],
)
def test_why_a_fit_is_refused(count, again, age, reason):
    frequency = np.where(np.arange(count) < again, 2.0, 0.0)
    recency = np.where(frequency > 0, np.linspace(1, age - 1, count), 0.0)
    found = bgnbd.fit(Histories.of(frequency, recency, np.full(count, float(age))))
    assert found.reason == reason and found.is_fitted == (not reason)
    assert np.isnan(found.theta).all() == bool(reason)


def test_customers_who_do_not_differ_run_to_the_edge_and_are_still_forecast():
    rng = np.random.default_rng(4)
    ages = np.full(3000, 60.0)
    frequency, recency = lives([1e4, 2e5, 1e4, 2e4], 3000, ages, rng)
    found = bgnbd.fit(Histories.of(frequency, recency, ages))
    assert found.is_fitted and set(found.edges) & {"a", "b", "r", "alpha"}
    total = bgnbd.expected_purchases(found.theta, frequency, recency, ages, 26.0).sum()
    # one by one: rate 0.05 a week, a third leaves after each purchase
    active = bgnbd.p_active(np.array([1e4, 2e5, 1e4, 2e4]), frequency, recency, ages)
    assert total == pytest.approx((active * 3 * (1 - np.exp(-0.05 * 26 / 3))).sum(), rel=0.06)


@pytest.mark.parametrize("wrong", [(-1, 0, 5), (1, 0, 5), (0, 2, 5), (2, 6, 5)])
def test_what_is_no_history_is_refused(wrong):
    with pytest.raises(ValueError, match="no history"):
        Histories.of(*[[float(v)] for v in wrong])


# how much


def spends(theta, customers, rng):
    p, q, gamma = theta
    orders = 1 + rng.poisson(1.5, customers)
    scale = rng.gamma(q, 1 / gamma, customers)
    return orders.astype(float), rng.gamma(p * orders) / scale / orders


@pytest.mark.parametrize(("orders", "mean"), [(1, 8.0), (3, 12.0), (6, 2.5)])
def test_the_closed_density_is_the_integral_over_all_scales(orders, mean):
    p, q, gamma = theta = np.array([6.25, 3.74, 15.44])

    def density(scale):
        of_mean = stats.gamma.pdf(mean, p * orders, scale=1 / (scale * orders))
        return of_mean * stats.gamma.pdf(scale, q, scale=1 / gamma)

    closed = gamma_gamma.log_likelihoods(theta, Spending.of([orders], [mean]))[0]
    assert closed == pytest.approx(np.log(integrate.quad(density, 0, np.inf)[0]), abs=1e-6)


def test_known_spending_is_found_again():
    theta, rng = np.array([4.0, 3.5, 20_000.0]), np.random.default_rng(6)
    found = np.array([gamma_gamma.fit(Spending.of(*spends(theta, 2000, rng))).theta for _ in range(25)])
    means = found[:, 0] * found[:, 2] / (found[:, 1] - 1)
    truth = theta[0] * theta[2] / (theta[1] - 1)
    assert means.mean() == pytest.approx(truth, abs=3.5 * means.std() / 5)
    assert np.log(found).mean(axis=0) == pytest.approx(np.log(theta), abs=0.12)


def test_worth_lies_between_the_own_mean_and_that_of_all_and_is_the_mean_of_the_draws():
    theta, rng = np.array([4.0, 3.5, 20_000.0]), np.random.default_rng(7)
    of_all = gamma_gamma.expected_value(theta, [0], [np.nan])[0]
    assert of_all == pytest.approx(32_000)
    few, many = gamma_gamma.expected_value(theta, [1, 50], [60_000.0, 60_000.0])
    assert of_all < few < many < 60_000
    n = 200_000
    drawn = gamma_gamma.draw_totals(theta, np.full(n, 2.0), np.full(n, 60_000.0), purchases=np.full(n, 3), rng=rng)
    expected = 3 * gamma_gamma.expected_value(theta, [2], [60_000.0])[0]
    assert drawn.mean() == pytest.approx(expected, abs=4.5 * drawn.std() / n**0.5)
    nothing = gamma_gamma.draw_totals(theta, np.ones(3), np.ones(3), purchases=np.zeros(3), rng=rng)
    assert (nothing == 0).all()


def test_the_gradient_of_spending():
    some = Spending.of([1, 2, 5], [8.0, 12.0, 3.0])
    theta = np.array([2.0, 3.0, 10.0])
    for row in range(3):
        numeric = approx_fprime(theta, lambda at, row=row: gamma_gamma.log_likelihoods(at, some)[row], 1e-6)
        assert gamma_gamma.gradient(theta, some)[row] == pytest.approx(numeric, rel=1e-4)


def test_money_in_another_unit_changes_only_the_scale():
    orders, mean = spends([4.0, 3.5, 20_000.0], 1000, np.random.default_rng(9))
    once, in_cents = (gamma_gamma.fit(Spending.of(orders, mean * unit)) for unit in (1.0, 100.0))
    assert in_cents.theta[2] / once.theta[2] == pytest.approx(100, rel=0.02)
    worth = gamma_gamma.expected_value(once.theta, orders, mean)
    assert gamma_gamma.expected_value(in_cents.theta, orders, mean * 100) == pytest.approx(worth * 100, rel=1e-3)


def test_why_spending_is_refused():
    orders, mean = spends([4.0, 3.5, 20_000.0], 200, np.random.default_rng(9))
    assert gamma_gamma.fit(Spending.of(orders[:90], mean[:90])).reason == "too_few_customers"
    assert gamma_gamma.fit(Spending.of(np.ones(200), mean)).reason == "too_few_repeats"
    assert gamma_gamma.fit(Spending.of(orders, np.full(200, 500.0))).reason == "no_scatter"
    found = gamma_gamma.fit(Spending.of(orders, mean))
    assert found.is_fitted and abs(found.correlation) < 0.3
    with pytest.raises(ValueError, match="above zero"):
        Spending.of([1], [0.0])


# the search


@pytest.mark.parametrize("q", [3.5, 1e6])
def test_the_search_ends_where_scipys_does(q):
    rng, orders = np.random.default_rng(10), np.random.default_rng(11).integers(1, 5, 800).astype(float)
    mean = rng.gamma(4.0 * orders) / rng.gamma(q, 1 / (1000 * q), 800) / orders
    found = gamma_gamma.fit(Spending.of(orders, mean))
    second = minimize(
        lambda logs: -gamma_gamma.log_likelihoods(np.exp(logs), Spending.of(orders, mean)).mean(),
        np.log(found.theta) + 0.3,
        method="Nelder-Mead",
        options={"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-12},
    )
    assert found.is_fitted and found.log_likelihood >= -second.fun * 800 - (0.01 if q < 10 else 0.2)


def test_the_search_keeps_to_its_bounds_and_refuses_a_slope():
    def bowl(at):
        return float(((at - [3.0, -1.0]) ** 2).sum()), 2 * (at - [3.0, -1.0])

    assert lowest(bowl, np.zeros(2), [(-5, 5), (-5, 5)]) == pytest.approx([3, -1])
    assert lowest(bowl, np.zeros(2), [(-5, 2), (0, 5)]) == pytest.approx([2, 0])

    def valley(at):
        x, y = at
        return float((1 - x) ** 2 + 100 * (y - x**2) ** 2), np.array(
            [-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)]
        )

    assert lowest(valley, np.array([-1.2, 1.0]), [(-5, 5), (-5, 5)]) == pytest.approx([1, 1])

    def broken(at):
        return float("nan"), np.full(2, np.nan)

    def lies(at):
        return 0.0, np.ones(2)

    assert lowest(broken, np.zeros(2), [(-5, 5), (-5, 5)]) is None
    assert lowest(lies, np.zeros(2), [(-5, 5), (-5, 5)]) is None
