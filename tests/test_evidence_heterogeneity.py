"""For whom a KPI goes with results: groups against plain regressions, and worlds in which it is known who differs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from golden.planted_worlds import autoregressive
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from kpi_research.evidence.fixed_effects import NotEstimableError, fit, within
from kpi_research.evidence.grid import rows_of
from kpi_research.evidence.heterogeneity import (
    LEAST_PEOPLE,
    TOO_FEW,
    GroupEffects,
    Grouping,
    group_effects,
    person_effects,
)
from kpi_research.evidence.lags import fit_lags, history
from kpi_research.evidence.random_effects import Effects, differ_p, spread, tau2_at


def panel(
    rng: np.random.Generator, slopes: np.ndarray, periods: int = 24, errors: np.ndarray | float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Result and KPI of people whose own slope at lag 1 is given, with talent, season, shocks and lasting demand."""
    shape, season = (len(slopes), periods), 0.5 * np.sin(2 * np.pi * np.arange(periods) / 12)
    talent = rng.standard_normal((len(slopes), 1))
    x = 0.5 * talent + season + autoregressive(rng, shape, 0.4)
    noise = 0.5 * autoregressive(rng, shape, 0.7) + autoregressive(rng, shape, 0.3)
    y = talent + season + 0.3 * rng.standard_normal(periods) + np.reshape(errors, (-1, 1)) * noise
    y[:, 1:] += slopes[:, None] * x[:, :-1]
    return y, x


def sized(*sizes: int) -> Grouping:
    return Grouping(np.repeat(np.arange(len(sizes)), sizes), tuple(f"g{number}" for number in range(len(sizes))))


def drawn(rng: np.random.Generator, sizes: tuple[int, ...], tau: float, **options) -> tuple[GroupEffects, np.ndarray]:
    """Effects of groups whose slopes vary around .15 by `tau`, and their true ones."""
    true, grouping = 0.15 + tau * rng.standard_normal(len(sizes)), sized(*sizes)
    found = group_effects(*panel(rng, true[grouping.codes], **options), 3, grouping)
    return found, np.array([true[grouping.names.index(name)] for name in found.names if name != TOO_FEW])


def test_each_group_is_a_study_of_its_own():
    y, x = panel(np.random.default_rng(1), np.full(20, 0.2))
    y[3, 5:9] = np.nan
    grouping = sized(8, 12)
    found = group_effects(y, x, 2, grouping)
    for code, name in enumerate(grouping.names):
        own = grouping.codes == code
        alone = fit_lags(y[own], x[own], 2)
        rows = rows_of(y[own], *history(y[own], x[own], 2))
        jackknife = fit(rows.y, rows.X[:, :2], person=rows.person, period=rows.period).cov_jackknife
        assert found.names[code] == name
        assert found.effects.values[code] == pytest.approx(alone.total.value, abs=1e-12)
        assert found.effects.variances[code] == pytest.approx(jackknife.sum(), rel=1e-9)
        assert (found.n_people[code], found.n_rows[code]) == (alone.rows.n_people, len(alone.rows.y))


def test_equals_one_regression_with_interactions_and_the_groups_own_periods():
    y, x = panel(np.random.default_rng(2), np.full(15, 0.2), periods=16)
    grouping = sized(6, 9)
    rows = rows_of(y, *history(y, x, 1))
    group = grouping.codes[rows.person]
    person, period = (np.equal.outer(codes, np.unique(codes)) for codes in (rows.person, group * 100 + rows.period))
    design = np.column_stack([rows.X[:, :1] * np.equal.outer(group, [0, 1]), person, period]).astype(float)
    joint = np.linalg.lstsq(design, rows.y, rcond=None)[0][:2]
    assert group_effects(y, x, 1, grouping).effects.values == pytest.approx(joint, abs=1e-9)


def test_people_change_groups_and_the_group_is_that_of_the_result():
    y, x = panel(np.random.default_rng(3), np.full(24, 0.2))
    since = np.arange(24) - np.arange(24)[:, None] % 12
    codes = np.where(since < 0, -1, since >= 8).astype(np.intp)
    found = group_effects(y, x, 2, Grouping(codes, ("under_a_year", "longer")))
    for code in (0, 1):
        alone = fit_lags_where(y, x, codes == code)
        assert found.effects.values[code] == pytest.approx(alone, abs=1e-12)


def fit_lags_where(y: np.ndarray, x: np.ndarray, there: np.ndarray) -> float:
    rows = rows_of(np.where(there, y, np.nan), *history(y, x, 2))
    return float(fit(rows.y, rows.X[:, :2], person=rows.person, period=rows.period).coef.sum())


def test_nobody_is_shown_alone():
    y, x = panel(np.random.default_rng(4), np.full(25, 0.2))
    found = group_effects(y, x, 2, sized(12, 8, 4, 1))
    assert found.names == ("g0", "g1", TOO_FEW)
    assert found.n_people[-1] == 5 and found.left_people == 0
    found = group_effects(y, x, 2, sized(12, 12, 1))
    assert found.names == ("g0", "g1") and (found.left_people, found.left_rows) == (1, 22)
    without = group_effects(y[:24], x[:24], 2, sized(12, 12))
    assert found.effects.values == pytest.approx(without.effects.values, abs=1e-12)


def test_a_group_that_is_one_person_in_effect_is_not_shown():
    rng = np.random.default_rng(5)
    y, x = panel(rng, np.full(24, 0.2))
    x[1:8] = x[1:8].mean(axis=1, keepdims=True) + 0.05 * rng.standard_normal((7, 24))
    found = group_effects(y, x, 1, sized(8, 8, 8))
    assert found.names == ("g1", "g2") and found.left_people == 8


@pytest.mark.parametrize("seed", range(12))
def test_every_group_shown_has_its_minimum(seed):
    rng = np.random.default_rng(seed)
    y, x = panel(rng, np.full(40, 0.2), periods=14)
    y[rng.random(y.shape) < 0.3] = np.nan
    grouping = Grouping(rng.integers(-1, 9, 40).astype(np.intp), tuple("abcdefghi"))
    try:
        found = group_effects(y, x, 1, grouping)
    except NotEstimableError:
        return
    assert min(found.n_people) >= LEAST_PEOPLE
    assert found.effects.df.min() >= 2 and np.isfinite(found.effects.variances).all()


def test_one_group_is_no_comparison():
    y, x = panel(np.random.default_rng(6), np.full(20, 0.2))
    with pytest.raises(NotEstimableError):
        group_effects(y, x, 2, sized(20))


def test_tau2_is_paule_and_mandels_in_statsmodels():
    rng = np.random.default_rng(7)
    for tau in (0.0, 0.2, 1.0):
        variances = rng.uniform(0.02, 0.3, 9)
        values = tau * rng.standard_normal(9) + np.sqrt(variances) * rng.standard_normal(9)
        theirs = combine_effects(values, variances, method_re="pm", atol=1e-9).tau2
        ours = tau2_at(values, variances[None, :], np.array([8.0]))[0]
        assert ours == pytest.approx(max(0.0, theirs), abs=1e-6)


def test_two_groups_are_compared_by_welchs_t():
    rng = np.random.default_rng(8)
    for gap in (0.0, 0.6, 1.5):
        samples = rng.standard_normal(7), gap + 3 * rng.standard_normal(12)
        effects = Effects(
            np.array([sample.mean() for sample in samples]),
            np.array([sample.var(ddof=1) / len(sample) for sample in samples]),
            np.array([6.0, 11.0]),
        )
        theirs = stats.ttest_ind(*samples, equal_var=False).pvalue
        assert differ_p(effects, rng) == pytest.approx(theirs, abs=0.02)


def test_with_known_errors_the_p_value_is_that_of_cochrans_q():
    rng = np.random.default_rng(9)
    variances = rng.uniform(0.1, 1, 6)
    values = 1.3 * np.sqrt(variances) * rng.standard_normal(6)
    weights = 1 / variances
    q = weights @ (values - weights @ values / weights.sum()) ** 2
    found = differ_p(Effects(values, variances, np.full(6, 1e7)), rng)
    assert found == pytest.approx(stats.chi2.sf(q, 5), abs=0.015)


def test_estimates_without_error_are_left_and_those_that_are_all_error_meet():
    rng = np.random.default_rng(10)
    values = np.array([-0.4, 0.1, 0.3, 0.8])
    sure = spread(Effects(values, np.full(4, 1e-8), np.full(4, 50.0)), rng)
    assert sure.shrunk == pytest.approx(values, abs=1e-3) and sure.i2 > 0.99
    vague = spread(Effects(values, np.full(4, 100.0), np.full(4, 50.0)), rng)
    assert np.ptp(vague.shrunk) < 0.15 and vague.i2 == 0
    assert vague.predict_low < -5 and vague.predict_high > 5


def test_of_two_groups_nothing_is_predicted():
    found = spread(Effects(np.array([0.1, 0.3]), np.full(2, 0.01), np.full(2, 10.0)), np.random.default_rng(11))
    assert np.isnan([found.predict_low, found.predict_high]).all()
    assert found.low.tolist() < found.shrunk.tolist() < found.high.tolist()


def test_people_are_each_their_own_least_squares_in_no_order():
    y, x = panel(np.random.default_rng(12), np.linspace(0.8, -0.2, 14))
    found = person_effects(y, x, 2)
    rows = rows_of(y, *history(y, x, 2))
    left = within(np.column_stack([rows.y, rows.X[:, :2].mean(axis=1)]), rows.person, rows.period)
    own = [stats.linregress(left[rows.person == who, 1], left[rows.person == who, 0]).slope for who in range(14)]
    assert found.effects.values == pytest.approx(sorted(own), abs=1e-9)
    assert found.n_rows == len(rows.y)


def test_errors_of_people_allow_for_what_lasts():
    rng = np.random.default_rng(13)
    ratios = []
    for _ in range(15):
        y, x = panel(rng, np.full(40, 0.2))
        effects = person_effects(y, x, 3).effects
        ratios.append(np.mean(effects.variances) / np.var(effects.values))
    assert 0.85 < np.mean(ratios) < 1.15


def rates(sizes: tuple[int, ...], tau: float, panels: int, seed: int, **options) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < panels:
        groups, true = drawn(rng, sizes, tau, **options)
        if len(true) < len(groups.names):
            continue
        seen, other = spread(groups.effects, rng), 0.15 + tau * rng.standard_normal(50)
        found.append(
            {
                "called": differ_p(groups.effects, rng) < 0.05,
                "held": np.mean((seen.low <= true) & (true <= seen.high)),
                "predicted": np.mean((seen.predict_low <= other) & (other <= seen.predict_high)),
                "shrunk": np.mean((seen.shrunk - true) ** 2),
                "raw": np.mean((groups.effects.values - true) ** 2),
            }
        )
    return pd.DataFrame(found).astype(float).mean().to_dict()


def test_equal_groups_are_seldom_called_different_and_shrinking_helps():
    found = rates((5, 5, 10, 20), 0.0, 80, 14, errors=np.repeat([2.0, 1.0, 1.0, 0.7], [5, 5, 10, 20]))
    assert found["called"] <= 0.1
    assert found["shrunk"] < 0.5 * found["raw"]
    assert found["held"] > 0.9 and found["predicted"] > 0.93


def test_groups_that_differ_are_found():
    rng = np.random.default_rng(15)
    grouping = sized(20, 20)
    slopes = np.array([0.5, 0.0])[grouping.codes]
    p = [differ_p(group_effects(*panel(rng, slopes), 3, grouping).effects, rng) for _ in range(30)]
    assert np.mean(np.array(p) < 0.05) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(5,) * 20, (5,) * 8, (8,) * 5, (5, 10, 25), (20, 20)])
@pytest.mark.parametrize("tau", [0.0, 0.1, 0.3])
def test_how_often_it_is_right(sizes, tau):
    found = rates(sizes, tau, 400 if tau == 0 else 200, 3)
    print(sizes[:4], len(sizes), tau, {key: round(value, 4) for key, value in found.items()})
    assert tau > 0 or found["called"] <= 0.07
    assert found["held"] > 0.89
    assert len(sizes) < 3 or found["predicted"] > 0.92
    assert found["shrunk"] < (1.1 if len(sizes) < 3 else 0.95) * found["raw"]


@pytest.mark.slow
@pytest.mark.parametrize(("tau", "mean"), [(0.1, 0.15), (0.2, 0.15), (0.4, 0.15), (0.2, 0.0)])
def test_for_how_many_people(tau, mean):
    rng = np.random.default_rng(4)
    true, held = stats.norm.cdf(mean / tau), []
    for _ in range(200):
        seen = spread(person_effects(*panel(rng, mean + tau * rng.standard_normal(40)), 3).effects, rng)
        held.append(seen.above_low <= true <= seen.above_high)
    assert np.mean(held) > 0.85
