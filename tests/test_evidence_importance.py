"""Shares of the R2 within: held to relaimpo, to every order of entry, and to truths that are known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from kpi_research.evidence.fixed_effects import NotEstimableError, fit
from kpi_research.evidence.grid import lagged, rows_of
from kpi_research.evidence.importance import explained_by_subset, fit_importance, lag_block, shapley_shares

SWISS = np.array([
    [80.2, 17, 15, 12, 9.96, 22.2], [83.1, 45.1, 6, 9, 84.84, 22.2], [92.5, 39.7, 5, 5, 93.4, 20.2],
    [85.8, 36.5, 12, 7, 33.77, 20.3], [76.9, 43.5, 17, 15, 5.16, 20.6], [76.1, 35.3, 9, 7, 90.57, 26.6],
    [83.8, 70.2, 16, 7, 92.85, 23.6], [92.4, 67.8, 14, 8, 97.16, 24.9], [82.4, 53.3, 12, 7, 97.67, 21],
    [82.9, 45.2, 16, 13, 91.38, 24.4], [87.1, 64.5, 14, 6, 98.61, 24.5], [64.1, 62, 21, 12, 8.52, 16.5],
    [66.9, 67.5, 14, 7, 2.27, 19.1], [68.9, 60.7, 19, 12, 4.43, 22.7], [61.7, 69.3, 22, 5, 2.82, 18.7],
    [68.3, 72.6, 18, 2, 24.2, 21.2], [71.7, 34, 17, 8, 3.3, 20], [55.7, 19.4, 26, 28, 12.11, 20.2],
    [54.3, 15.2, 31, 20, 2.15, 10.8], [65.1, 73, 19, 9, 2.84, 20], [65.5, 59.8, 22, 10, 5.23, 18],
    [65, 55.1, 14, 3, 4.52, 22.4], [56.6, 50.9, 22, 12, 15.14, 16.7], [57.4, 54.1, 20, 6, 4.2, 15.3],
    [72.5, 71.2, 12, 1, 2.4, 21], [74.2, 58.1, 14, 8, 5.23, 23.8], [72, 63.5, 6, 3, 2.56, 18],
    [60.5, 60.8, 16, 10, 7.72, 16.3], [58.3, 26.8, 25, 19, 18.46, 20.9], [65.4, 49.5, 15, 8, 6.1, 22.5],
    [75.5, 85.9, 3, 2, 99.71, 15.1], [69.3, 84.9, 7, 6, 99.68, 19.8], [77.3, 89.7, 5, 2, 100, 18.3],
    [70.5, 78.2, 12, 6, 98.96, 19.4], [79.4, 64.9, 7, 3, 98.22, 20.2], [65, 75.9, 9, 9, 99.06, 17.8],
    [92.2, 84.6, 3, 3, 99.46, 16.3], [79.3, 63.1, 13, 13, 96.83, 18.1], [70.4, 38.4, 26, 12, 5.62, 20.3],
    [65.7, 7.7, 29, 11, 13.79, 20.5], [72.7, 16.7, 22, 13, 11.22, 18.9], [64.4, 17.6, 35, 32, 16.92, 23],
    [77.6, 37.6, 15, 7, 4.97, 20], [67.6, 18.7, 25, 7, 8.65, 19.5], [35, 1.2, 37, 53, 42.34, 18],
    [44.7, 46.6, 16, 29, 50.43, 18.2], [42.8, 27.7, 22, 29, 58.33, 19.3],
])  # fmt: skip
"""R's `swiss` (Mosteller & Tukey 1977): Fertility, Agriculture, Examination, Education, Catholic, Infant.Mortality of 47
provinces about 1888, as exported in Rdatasets (csv/datasets/swiss.csv)."""

SWISS_CORRELATIONS = [0.35307918, -0.6458827, -0.66378886, 0.4636847, 0.41655603]
"""R's cor(swiss)["Fertility", -1]: that the rows above are the data set."""

SWISS_LMG = [0.0570912207681, 0.1711730289002, 0.2601346786244, 0.1055701503735, 0.1127659229265]
"""relaimpo's calc.relimp(lm(Fertility ~ ., swiss), type = "lmg"); pingouin 0.7.0 prints the same:
linear_regression(X, y, relimp=True)["relimp"]."""

SWISS_R2 = 0.706735001593


def products_of(columns: np.ndarray) -> np.ndarray:
    centred = columns - columns.mean(axis=0)
    return (centred.T @ centred)[None]


def test_swiss_fertility_equals_relaimpo():
    assert np.corrcoef(SWISS.T)[0, 1:] == pytest.approx(SWISS_CORRELATIONS, abs=5e-8)
    shares = shapley_shares(products_of(np.roll(SWISS, -1, axis=1)), [1] * 5)[0]
    assert shares == pytest.approx(SWISS_LMG, abs=1e-12)
    assert shares.sum() == pytest.approx(SWISS_R2, abs=1e-12)


def r2(y: np.ndarray, X: np.ndarray) -> float:
    residuals = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    return 1 - float(residuals @ residuals) / float(y @ y)


def related(seed: int, rows: int, k: int) -> np.ndarray:
    """Columns that go with one another, without their means, and last an outcome."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, k)) @ rng.normal(size=(k, k))
    y = X @ rng.normal(size=k) + 3 * rng.normal(size=rows)
    columns = np.column_stack([X, y])
    return columns - columns.mean(axis=0)


def by_orders(y: np.ndarray, blocks: list[np.ndarray]) -> np.ndarray:
    """The definition: what each adds when it comes in, averaged over all orders of entry."""
    shares = np.zeros(len(blocks))
    for order in itertools.permutations(range(len(blocks))):
        before = 0.0
        for place, block in enumerate(order):
            now = r2(y, np.column_stack([blocks[each] for each in order[: place + 1]]))
            shares[block] += now - before
            before = now
    return shares / math.factorial(len(blocks))


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1], [1, 3, 2, 1], [2], [3, 1]])
def test_equals_the_average_over_all_orders(sizes):
    columns = related(3, 60, sum(sizes))
    ends = np.cumsum(sizes)
    blocks = [columns[:, end - size : end] for end, size in zip(ends, sizes)]
    shares = shapley_shares((columns.T @ columns)[None], sizes)[0]
    assert shares == pytest.approx(by_orders(columns[:, -1], blocks), abs=1e-10)


def test_every_subset_equals_its_regression():
    columns = related(4, 90, 9)
    sizes, starts = [1, 2, 1, 1, 3, 1], [0, 1, 3, 4, 5, 8]
    found = explained_by_subset((columns.T @ columns)[None], sizes)[0]
    assert found.shape == (64,)
    for subset in range(64):
        chosen = [start + i for j, start in enumerate(starts) if subset >> j & 1 for i in range(sizes[j])]
        assert found[subset] == pytest.approx(r2(columns[:, -1], columns[:, chosen]) if chosen else 0, abs=1e-10)


def test_fifteen_kpis_are_exact():
    """Where KPIs are unrelated, each has its own R2, whatever the order."""
    rng = np.random.default_rng(5)
    X = np.linalg.qr(rng.normal(size=(200, 15)))[0]
    y = X @ np.arange(15.0) + rng.normal(size=200)
    columns = np.column_stack([X, y])
    shares = shapley_shares((columns.T @ columns)[None], [1] * 15)[0]
    assert shares == pytest.approx((X.T @ y) ** 2 / (y @ y), abs=1e-12)


def test_many_regressions_at_once_equal_one_after_the_other():
    products = np.stack([(columns.T @ columns) for columns in (related(seed, 40, 4) for seed in range(5))])
    together = shapley_shares(products, [1, 2, 1])
    for one, shares in zip(products, together):
        assert shapley_shares(one[None], [1, 2, 1])[0] == pytest.approx(shares, abs=1e-14)


def test_twins_share_alike_what_one_of_them_would_have():
    columns = related(6, 50, 3)
    twins = columns[:, [0, 1, 1, 2, 3]] * [1, 1, -1000, 1, 1]
    shares = shapley_shares((twins.T @ twins)[None], [1] * 4)[0]
    assert shares[1] == pytest.approx(shares[2], abs=1e-10)
    assert shares.sum() == pytest.approx(r2(columns[:, -1], columns[:, :-1]), abs=1e-10)
    block = shapley_shares((twins.T @ twins)[None], [1, 2, 1])[0]
    assert block == pytest.approx(shapley_shares((columns.T @ columns)[None], [1, 1, 1])[0], abs=1e-10)


def test_kpis_of_which_one_is_the_sum_of_others_explain_what_those_do():
    """What sweeping leaves of the sum is rounding, of either sign."""
    columns = np.stack([related(seed, 40, 5) for seed in range(300)])
    columns[..., 3] = 1e3 * columns[..., 0] + columns[..., 1] - 1e-3 * columns[..., 2]
    shares = shapley_shares(columns.transpose(0, 2, 1) @ columns, [1] * 5)
    for each, found in zip(columns, shares):
        assert found.sum() == pytest.approx(r2(each[:, -1], each[:, [0, 1, 2, 4]]), abs=1e-8)


def test_an_outcome_without_variance_has_no_shares():
    assert np.isnan(shapley_shares(np.diag([1.0, 1.0, 0.0])[None], [1, 1])).all()


def panel(seed: int = 8, people: int = 12, periods: int = 14) -> tuple[np.ndarray, list[np.ndarray]]:
    """Outcome and three related KPIs with levels, season and holes; the first works after one month, the second too."""
    rng = np.random.default_rng(seed)
    shape, common = (people, periods), rng.normal(size=(people, periods))
    x = [
        0.6 * common + rng.normal(size=shape) + rng.normal(0, 2, (people, 1)) + np.sin(np.arange(periods))
        for _ in range(3)
    ]
    y = rng.normal(size=shape) + rng.normal(0, 2, (people, 1)) + np.cos(np.arange(periods))
    y[:, 1:] += 0.6 * x[0][:, :-1] + 0.4 * x[1][:, :-1]
    hollow = [np.where(rng.random(shape) < 0.04, np.nan, values) for values in (y, *x)]
    return hollow[0], hollow[1:]


def within_by_dummies(y: np.ndarray, blocks: list[list[np.ndarray]]) -> tuple[np.ndarray, list[np.ndarray]]:
    """What dummies of persons and periods leave of the outcome and of each block."""
    rows = rows_of(y, *(values for block in blocks for values in block))
    D = np.column_stack([np.equal.outer(codes, np.unique(codes)).astype(float) for codes in (rows.person, rows.period)])
    left = np.column_stack([rows.y, rows.X])
    left = left - D @ np.linalg.lstsq(D, left, rcond=None)[0]
    ends = np.cumsum([1, *(len(block) for block in blocks)])
    return left[:, 0], np.split(left[:, 1:], ends[1:-1] - 1, axis=1)


def test_panel_with_holes_and_blocks_of_lags_equals_dummies_in_every_order():
    y, x = panel()
    blocks = [lag_block(x[0], 2), lag_block(x[1], 1), [x[2], lagged(x[2], 1), lagged(x[2], 3)]]
    found = fit_importance(y, blocks, rng=np.random.default_rng(0), draws=10)
    assert found.shares == pytest.approx(by_orders(*within_by_dummies(y, blocks)), abs=1e-10)
    rows = rows_of(y, *(values for block in blocks for values in block))
    assert found.r2_within == pytest.approx(
        fit(rows.y, rows.X, person=rows.person, period=rows.period).r2_within, abs=1e-10
    )
    assert found.of_explained.sum() == pytest.approx(1)
    assert (found.low < found.shares).all()
    assert (found.shares < found.high).all()


def test_intervals_equal_those_of_panels_with_the_drawn_persons_in_them():
    """Each sample as a panel of its own, in which who was drawn twice is two persons."""
    y, x = panel(9, people=8, periods=9)
    blocks, draws = [lag_block(x[0], 1), lag_block(x[1], 2)], 40
    rows = rows_of(y, *(values for block in blocks for values in block))
    used = np.full(y.shape, np.nan)
    used[:, -rows.n_periods :][rows.person, rows.period] = rows.y
    by_result = np.lexsort(np.where(np.isnan(used), -np.inf, used)[:, -rows.n_periods :].T)
    chosen = by_result[np.random.default_rng(3).integers(8, size=(draws, 8))]
    drawn = [by_orders(*within_by_dummies(used[who], [[v[who] for v in block] for block in blocks])) for who in chosen]
    found = fit_importance(y, blocks, rng=np.random.default_rng(3), draws=draws, level=0.9)
    excess = np.maximum(np.mean(drawn, axis=0) - found.shares, 0)
    moved = np.quantile(drawn, [0.05, 0.95], axis=0) - excess
    assert found.low == pytest.approx(np.maximum(moved[0], 0), abs=1e-9)
    assert found.high == pytest.approx(moved[1], abs=1e-9)


def test_order_of_people_and_kpis_units_and_constants_change_nothing():
    y, x = panel()
    blocks = [lag_block(each, 2) for each in x]
    base = fit_importance(y, blocks, rng=np.random.default_rng(2), draws=50)
    order, market = np.random.default_rng(1).permutation(12), np.linspace(0, 9, 14)
    again = fit_importance(
        1e4 * y[order],
        [[100 * values[order] + market for values in blocks[kpi]] for kpi in (2, 0, 1)],
        rng=np.random.default_rng(2),
        draws=50,
    )
    for name in ("shares", "low", "high"):
        assert getattr(again, name) == pytest.approx(getattr(base, name)[[2, 0, 1]], abs=1e-10)
    assert fit_importance(y, blocks, rng=np.random.default_rng(2), draws=50).low.tolist() == base.low.tolist()


def test_a_sample_without_the_one_person_who_does_it_has_no_share_for_it():
    """A KPI that only one person has varies by nothing but rounding in a sample in which they are not."""
    rng = np.random.default_rng(12)
    y, x, alone = rng.normal(size=(3, 10, 12))
    alone[np.arange(10) != 4] = 0
    y += 3 * alone
    found = fit_importance(y, [[alone], [x]], rng=np.random.default_rng(0), draws=400)
    assert found.shares[0] > 0.2
    assert found.low[0] == 0
    assert 0.2 < found.high[0] <= 1


def test_two_persons_of_whom_one_is_drawn_twice_leave_no_variance():
    y, x = np.random.default_rng(13).normal(size=(2, 2, 20))
    found = fit_importance(y, [[x]], rng=np.random.default_rng(0), draws=100)
    assert np.isfinite([found.low, found.high]).all()
    # where both are drawn it is the panel itself
    assert [*found.low, *found.high] == pytest.approx([*found.shares] * 2, abs=1e-9)


def test_known_shares_are_found_and_covered():
    """White noise: the share of a KPI is its effect's square beside that of all, error included; one does nothing."""
    effects = np.array([0.5, 0.3, 0.0])
    truth = effects**2 / (1 + np.sum(effects**2))
    panels, covered, shares = 150, np.zeros(3), []
    for seed in range(panels):
        rng = np.random.default_rng([27, seed])
        x = rng.normal(size=(3, 30, 15)) + rng.normal(size=(3, 30, 1))
        y = np.einsum("k,knt->nt", effects, x) + rng.normal(size=(30, 15)) + rng.normal(size=15)
        found = fit_importance(y, [[each] for each in x], rng=rng, draws=200)
        assert (found.low >= 0).all()
        covered += (found.low <= truth) & (truth <= found.high)
        shares.append(found.shares)
    assert np.mean(shares, axis=0) == pytest.approx(truth, abs=0.01)
    assert (covered >= stats.binom.ppf(0.001, panels, 0.93)).all()


def test_noise_explains_what_chance_explains():
    """Each KPI of noise takes one of the degrees of freedom that the effects leave: 12 of 14 x 11 here, not zero."""
    found = []
    for seed in range(60):
        rng = np.random.default_rng([28, seed])
        y, *x = rng.normal(size=(13, 15, 12))
        found.append(fit_importance(y, [[each] for each in x], rng=rng, draws=1).r2_within)
    assert np.mean(found) == pytest.approx(12 / (14 * 11), abs=0.012)


@pytest.mark.parametrize(
    "spoil", ["none", "sixteen", "empty", "constant", "level", "outcome", "nobody", "rows", "one_person"]
)
def test_what_cannot_be_computed_is_said(spoil):
    rng = np.random.default_rng(14)
    y, x = rng.normal(size=(2, 10, 12))
    kpis = [[x], [rng.normal(size=(10, 12))]]
    if spoil == "none":
        kpis = []
    elif spoil == "sixteen":
        kpis = [[each] for each in rng.normal(size=(16, 10, 12))]
    elif spoil == "empty":
        kpis = [[x], []]
    elif spoil == "constant":
        kpis = [[x], [np.full((10, 12), 0.1)]]
    elif spoil == "level":
        kpis = [[x], [np.tile(rng.normal(size=(10, 1)), 12) + rng.normal(size=12)]]
    elif spoil == "outcome":
        y = np.tile(rng.normal(size=12), (10, 1))
    elif spoil == "nobody":
        y[:] = np.nan
    elif spoil == "rows":
        y[3:] = np.nan
        y[:, 3:] = np.nan
        kpis = [[each] for each in rng.normal(size=(4, 10, 12))]
    else:
        y[1:] = np.nan
    with pytest.raises(NotEstimableError):
        fit_importance(y, kpis, rng=rng, draws=10)
