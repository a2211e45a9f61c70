"""The effect of a KPI given many controls: held to regressions on dummies, to statsmodels' lasso, to planted effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from golden.planted_worlds import autoregressive, panel_of
from statsmodels.api import OLS

from kpi_research.errors import InputError
from kpi_research.evidence.cluster_lasso import lasso, select
from kpi_research.evidence.fixed_effects import NotEstimableError, fit
from kpi_research.evidence.grid import lagged, rows_of
from kpi_research.evidence.lags import fit_lags, fit_lags_of
from kpi_research.evidence.many_controls import ControlledEffect, effect_given, fit_given
from kpi_research.evidence.outcome import outcome_of

BETA = 0.15

Arrays = dict[str, np.ndarray]


def world(
    rng: np.random.Generator, *, people: int = 40, periods: int = 24, in_kpi: float = 0.5, in_result: float = 0.5,
    common: float = 0.0, n_confounders: int = 3, n_noise: int = 60,
) -> tuple[np.ndarray, np.ndarray, Arrays]:  # fmt: skip
    """Result, KPI that does `BETA`, and controls: some move both, others neither.

    `common` is the correlation (root) of all controls with one another.
    """
    shape = (people, periods)
    talent, season = rng.standard_normal((people, 1)), 0.5 * np.sin(2 * np.pi * np.arange(periods) / 12)
    shared = autoregressive(rng, shape, 0.4)

    def control() -> np.ndarray:
        return common * shared + np.sqrt(1 - common**2) * autoregressive(rng, shape, 0.4) + 0.5 * talent

    controls = {f"confounder_{number}": control() for number in range(n_confounders)}
    both = sum(controls.values())
    x = 0.5 * talent + season + autoregressive(rng, shape, 0.4) + in_kpi * both
    y = talent + season + 0.3 * rng.standard_normal(periods) + autoregressive(rng, shape, 0.5)
    y[:, 1:] += BETA * x[:, :-1] + in_result * both[:, :-1]
    return y, x, controls | {f"noise_{number:02d}": control() for number in range(n_noise)}


def rates(draws: int, seed: int, **planted: float) -> dict[str, dict[str, float]]:
    """Bias in standard errors, coverage of 95 % intervals, and standard error beside the estimates' spread, by which
    controls were given; and how often `gap` was called more than chance at 5 %."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[tuple[float, float, bool]]] = {"selected": [], "without": [], "all": []}
    gaps = []
    for _ in range(draws):
        y, x, controls = world(rng, **planted)
        fitted = fit_given(outcome_of(y), x, controls)
        for name, estimate in zip(found, (fitted.total, fitted.without, fitted.with_all)):
            if estimate is not None:
                low, high = estimate.interval()
                found[name].append((estimate.value, estimate.se, low <= BETA <= high))
        gaps += [fitted.gap.p < 0.05] if fitted.gap else []
    told = {"gap": {"called": float(np.mean(gaps))}} if gaps else {}
    for name, rows in found.items():
        if rows:
            value, se, covered = np.array(rows, dtype=float).T
            told[name] = {
                "bias": float((value.mean() - BETA) / se.mean()),
                "covered": float(covered.mean()),
                "se_by_sd": float(se.mean() / value.std()),
            }
    return told


# --- the lasso ------------------------------------------------------------------------------------------------------


def regression(seed: int, n: int = 120, p: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) @ (np.eye(p) + 0.4) * np.geomspace(0.1, 30, p)
    return X @ np.r_[3.0, -1.0, np.zeros(p - 2)] + rng.standard_normal(n), X


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_lasso_equals_statsmodels_own(seed):
    y, X = regression(seed)
    penalty = np.linalg.norm(X, axis=0) * np.linspace(0.5, 4, X.shape[1])
    theirs = OLS(y, X).fit_regularized(alpha=penalty / len(y), L1_wt=1.0, maxiter=5000, cnvrg_tol=1e-12, zero_tol=1e-12)
    ours = lasso(X.T @ X, X.T @ y, penalty)
    sizes = np.linalg.norm(X, axis=0)
    assert ours * sizes == pytest.approx(theirs.params * sizes, abs=1e-6)
    assert 0 < np.count_nonzero(ours) < X.shape[1]


@pytest.mark.parametrize("n", [30, 200])
def test_the_lasso_meets_the_conditions_of_a_minimum(n):
    """With fewer rows than columns, too: slopes of what is left are the penalty where b is not zero, else under it."""
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, 80)) + rng.standard_normal((n, 1))
    y = X[:, :3].sum(axis=1) + rng.standard_normal(n)
    penalty = 0.15 * np.sqrt(n) * np.linalg.norm(X, axis=0) * rng.uniform(0.5, 2, 80) / 3
    b = lasso(X.T @ X, X.T @ y, penalty)
    slopes = X.T @ (y - X @ b)
    inside = b != 0
    assert 0 < inside.sum() < min(n, 80)
    assert slopes[inside] == pytest.approx(np.sign(b[inside]) * penalty[inside], rel=1e-6)
    assert np.all(np.abs(slopes[~inside]) <= penalty[~inside] * (1 + 1e-6))


def test_a_huge_penalty_leaves_nothing_and_a_tiny_one_is_least_squares():
    y, X = regression(4)
    assert not lasso(X.T @ X, X.T @ y, np.full(8, 1e9)).any()
    b = lasso(X.T @ X, X.T @ y, np.full(8, 1e-9))
    assert b == pytest.approx(np.linalg.lstsq(X, y, rcond=None)[0], rel=1e-4)


def grouped(rng: np.random.Generator, groups: int = 40, each: int = 20, p: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Noise that is alike within groups, in y and in all p columns."""
    y, *columns = (
        (0.7 * rng.standard_normal((groups, 1)) + rng.standard_normal((groups, each))).ravel() for _ in range(p + 1)
    )
    return y, np.column_stack(columns)


def test_noise_is_not_selected_though_it_lasts():
    """That the penalty goes by cluster is seen where each row is taken for a cluster of its own."""
    rng, clusters = np.random.default_rng(5), np.repeat(np.arange(40), 20)
    by_cluster, by_row = [], []
    for _ in range(40):
        y, X = grouped(rng)
        by_cluster.append(len(select(y, X, clusters)))
        by_row.append(len(select(y, X, np.arange(800))))
    assert np.mean(by_cluster) <= 0.1
    assert np.mean(by_row) > 0.3


def test_selection_does_not_depend_on_units():
    y, X = grouped(np.random.default_rng(6))
    y, clusters = y + 0.8 * X[:, 3] - 0.6 * X[:, 40], np.repeat(np.arange(40), 20)
    assert list(select(y, X, clusters)) == [3, 40]
    assert list(select(1e6 * y, X * np.geomspace(1e-4, 1e4, 60), clusters)) == [3, 40]


# --- the regression -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray, Arrays]:
    y, x, controls = world(np.random.default_rng(7), people=25, periods=18, n_noise=12)
    holes = np.random.default_rng(8)
    x = np.where(holes.random(x.shape) < 0.03, np.nan, x)
    return y, x, {name: np.where(holes.random(x.shape) < 0.005, np.nan, each) for name, each in controls.items()}


def test_one_lag_is_the_regression_on_the_selected_controls(drawn):
    y, x, controls = drawn
    found = fit_given(outcome_of(y), x, controls)
    assert set(found.names) >= {"confounder_0", "confounder_1", "confounder_2"}
    chosen = [lagged(controls[each.control], each.back) for each in found.selected]
    everywhere = [lagged(each, back) for back in (1, 2) for each in controls.values()]
    rows = rows_of(y, lagged(x, 1), *chosen, *everywhere)
    for columns, ours in (
        (1 + len(chosen), found.total),
        (1, found.without),
    ):
        theirs = fit(rows.y, rows.X[:, :columns], person=rows.person, period=rows.period).at(0)
        assert (ours.value, ours.se, ours.df) == pytest.approx((theirs.value, theirs.se, theirs.df), rel=1e-9)
    everything = rows.X[:, [0, *range(1 + len(chosen), rows.X.shape[1])]]
    theirs = fit(rows.y, everything, person=rows.person, period=rows.period).at(0)
    assert found.with_all is not None
    assert (found.with_all.value, found.with_all.se) == pytest.approx((theirs.value, theirs.se), rel=1e-9)
    assert found.gap is not None
    assert found.gap.value == pytest.approx(found.total.value - theirs.value, abs=1e-9)
    assert 0 < found.gap.se < found.total.se + found.with_all.se
    assert (found.n_rows, found.n_candidates) == (len(rows.y), 30)
    assert 0.7 < found.kept < 1


@pytest.mark.parametrize("lags", [2, 3])
def test_several_lags_without_controls_are_those_of_the_study(drawn, lags):
    """One after the other or all at once: the same estimates and the same errors."""
    y, x, _ = drawn
    found = fit_given(outcome_of(y), x, {}, lags=lags)
    theirs = fit_lags(y, x, lags)
    for ours, other in zip([*found.profile, found.total], [*theirs.profile, theirs.total], strict=True):
        assert (ours.value, ours.se, ours.df) == pytest.approx((other.value, other.se, other.df), rel=1e-9)
    assert found.without == found.total
    assert found.kept == 1


def mediated(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Result, KPI and a control that moves the KPI of its month and the result of the next, and that the KPI moves a
    month later: of x, .2 after one month, and after two .5 * .6 by way of the control alone."""
    shape = (60, 40)
    w, x, y = (rng.standard_normal(shape) for _ in range(3))
    for t in range(1, shape[1]):
        w[:, t] += 0.5 * x[:, t - 1]
        x[:, t] += 0.5 * w[:, t]
        y[:, t] += 0.2 * x[:, t - 1] + 0.6 * w[:, t - 1]
    return y, x, w


def test_a_control_after_an_earlier_lag_does_not_take_its_effect_away():
    """In one regression with the control of both months it does."""
    rng = np.random.default_rng(9)
    ours, joint = [], []
    for _ in range(20):
        y, x, w = mediated(rng)
        ours.append([each.value for each in fit_given(outcome_of(y), x, {"w": w}, lags=2, reach=1).profile])
        rows = rows_of(y, lagged(x, 1), lagged(x, 2), lagged(w, 1), lagged(w, 2))
        joint.append(fit(rows.y, rows.X, person=rows.person, period=rows.period).coef[:2])
    assert np.mean(ours, axis=0) == pytest.approx([0.2, 0.3], abs=0.02)
    assert np.mean(joint, axis=0) == pytest.approx([0.2, 0.0], abs=0.02)


def test_no_control_comes_after_its_lag(drawn):
    y, x, controls = drawn
    found = fit_given(outcome_of(y), x, controls, lags=3, reach=2)
    assert {each.lag for each in found.selected} == {1, 2, 3}
    assert all(each.lag <= each.back <= each.lag + 1 for each in found.selected)
    assert all(each.with_outcome or each.with_kpi for each in found.selected)


def test_what_the_kpi_itself_moves_takes_its_effect_away():
    """As the docstring says: this month's opportunities come from this month's visits."""
    rng = np.random.default_rng(10)
    visits = autoregressive(rng, (60, 30), 0.4)
    opportunities = visits + 0.5 * rng.standard_normal(visits.shape)
    result = rng.standard_normal(visits.shape)
    result[:, 1:] += 0.3 * opportunities[:, :-1]
    found = fit_given(outcome_of(result), visits, {"opportunities": opportunities})
    assert found.without.value == pytest.approx(0.3, abs=0.07)
    assert found.total.value == pytest.approx(0.0, abs=0.12)


def test_results_by_shares_are_told_in_log_points():
    rng = np.random.default_rng(11)
    demand, x = rng.standard_normal((60, 24)), rng.standard_normal((60, 24))
    x += 0.7 * demand
    expected = np.full(x.shape, 1.5)
    expected[:, 1:] = np.exp(0.1 * x + 0.4 * demand)[:, :-1] * 1.5
    y = 1e4 * rng.poisson(expected)
    found = fit_given(outcome_of(y), x, {"demand": demand})
    assert found.unit.name == "share"
    assert found.total.value == pytest.approx(0.1, abs=0.07)
    low, high = found.unit.interval(found.total)
    assert low < np.expm1(0.1 * found.unit.scale) < high
    assert found.without.value == pytest.approx(fit_lags_of(outcome_of(y), x, 1).tested.value, rel=0.1)
    assert found.without.value > found.total.value + 0.1


def test_controls_that_others_already_tell_do_no_harm(drawn):
    y, x, controls = drawn
    parts = {"first": controls["confounder_0"] / 2 + controls["noise_00"], "rest": controls["confounder_0"] / 2 - controls["noise_00"]}  # fmt: skip
    plain = fit_given(outcome_of(y), x, controls)
    more = fit_given(outcome_of(y), x, controls | parts | {"constant": np.ones_like(x)})
    assert more.total.value == pytest.approx(plain.total.value, abs=0.5 * plain.total.se)
    assert more.with_all is not None and plain.with_all is not None
    assert more.with_all.value == pytest.approx(plain.with_all.value, abs=0.1 * plain.with_all.se)


def test_a_control_that_an_earlier_lag_tells_adds_nothing(drawn):
    """It says a month later what the KPI was."""
    y, x, _ = drawn
    found = fit_given(outcome_of(y), x, {"a_month_later": lagged(x, 1)}, lags=2, reach=1)
    assert [each for each in found.selected if each.lag == 1] == []
    rows = rows_of(y, lagged(x, 1), lagged(x, 2), lagged(x, 3))
    both = fit(rows.y, rows.X[:, :2], person=rows.person, period=rows.period).at(0)
    assert (found.profile[0].value, found.profile[0].se) == pytest.approx((both.value, both.se), rel=1e-9)


def test_where_all_are_selected_there_is_no_gap():
    """By whatever columns the same is told."""
    y, x, controls = world(np.random.default_rng(17), n_noise=0)
    demand = sum(controls.values())
    found = fit_given(outcome_of(y), x, {"demand": demand, "in_tens": 10 * demand}, reach=1)
    assert found.names == ("demand",)
    assert found.gap is not None
    assert (found.gap.value, found.gap.se, found.gap.p) == (0, 0, 1)


def test_controls_that_determine_the_kpi_are_refused():
    rng = np.random.default_rng(12)
    first, later = rng.standard_normal((2, 30, 20))
    result = rng.standard_normal((30, 20))
    with pytest.raises(NotEstimableError):
        fit_given(outcome_of(result), first + later, {"first": first, "later": later})


def test_a_kpi_that_never_varies_cannot_be_estimated():
    rng = np.random.default_rng(13)
    with pytest.raises(NotEstimableError):
        fit_given(
            outcome_of(rng.standard_normal((20, 12))), np.full((20, 12), 3.1), {"w": rng.standard_normal((20, 12))}
        )


def test_more_controls_than_rows_can_carry():
    y, x, controls = world(np.random.default_rng(14), people=15, periods=14, n_noise=120)
    found = fit_given(outcome_of(y), x, controls)
    assert found.with_all is None and found.gap is None
    assert found.n_candidates == 246 > found.n_rows
    assert abs(found.total.value - BETA) < abs(found.without.value - BETA)


# --- from a panel ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    y, x, controls = world(np.random.default_rng(15), people=20, periods=14, n_noise=3)
    sparse = np.where(np.random.default_rng(16).random(y.shape) < 0.5, np.nan, controls["noise_00"])
    return panel_of({"revenue": y, "visits": x, "visits_in_tens": x / 10, "wins": y + 1, "sparse": sparse, **controls})


def asked(panel: pd.DataFrame, **changed) -> ControlledEffect:
    given = {"outcome": "revenue", "kpi": "visits", "controls": ["confounder_0", "noise_01"], "reach": 1}
    return effect_given(panel, **{**given, **changed})


def test_a_panel_goes_in(panel):
    found = asked(panel, controls=["confounder_0", "confounder_1", "confounder_2", "noise_01"])
    assert found.names == ("confounder_0", "confounder_1", "confounder_2")
    assert (found.n_people, found.n_periods, found.n_rows) == (20, 13, 260)
    assert found.total.value < found.without.value


def test_order_of_rows_and_names_of_people_change_nothing(panel):
    shuffled = panel.sample(frac=1, random_state=3).assign(entity_id=lambda rows: rows["entity_id"].str[::-1])
    controls = ["noise_01", "confounder_0", "noise_02"]
    ours, other = asked(panel, controls=controls), asked(shuffled, controls=controls[::-1])
    assert (ours.total.value, ours.total.se) == pytest.approx((other.total.value, other.total.se), rel=1e-9)
    assert set(ours.names) == set(other.names)


def test_units_change_nothing(panel):
    tens = panel["kpi"].isin(["revenue", "confounder_0"])
    scaled = panel.assign(value=panel["value"].where(~tens, panel["value"] * 1e4))
    ours, other = asked(panel), asked(scaled)
    assert 1e4 * ours.total.value == pytest.approx(other.total.value, rel=1e-9)
    assert ours.selected == other.selected


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"controls": ["revenue"]}, "'revenue' is counted from the same records"),
        ({"controls": ["wins"]}, "'wins' is counted from the same records"),
        ({"controls": ["noise_01"], "lineage": ["noise_01"]}, "'noise_01' is counted from the same records"),
        ({"controls": ["visits"]}, "'visits' is the KPI 'visits' itself"),
        ({"controls": ["visits_in_tens"]}, "'visits_in_tens' is the KPI 'visits' itself"),
        ({"controls": ["sparse"]}, "'sparse' has a value in only"),
        ({"controls": []}, "No controls"),
        ({"kpi": "wins", "lineage": ["wins"]}, "The KPI 'wins' is counted from the same records"),
        ({"controls": ["nois_01"]}, "Did you mean"),
        ({"kpi": "visit"}, "visits"),
        ({"lags": 0}, "lags is 0"),
        ({"reach": -1}, "reach is -1"),
    ],
)
def test_what_cannot_be_asked_is_said(panel, changed, says):
    with pytest.raises(InputError) as refused:
        asked(panel, **changed)
    assert len(refused.value.problems) == 1
    assert says.casefold() in refused.value.text("en").casefold()
    assert refused.value.text("zh")


def test_everything_that_is_wrong_is_said_at_once(panel):
    with pytest.raises(InputError) as refused:
        asked(panel, controls=["revenue", "visits", "sparse", "nothing", "noise_01"], lags=0)
    assert len(refused.value.problems) == 5


# --- how often it is right ------------------------------------------------------------------------------------------


def test_confounders_are_found_among_many_controls():
    """A smaller run of the simulation below."""
    found = rates(60, 1)
    assert abs(found["selected"]["bias"]) < 0.45
    assert found["selected"]["covered"] > 0.86
    assert found["without"]["bias"] > 5
    assert found["without"]["covered"] < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("planted", [{}, {"common": 0.7}, {"people": 100}, {"in_kpi": 0.7, "in_result": 0.3}])
def test_bias_and_coverage(planted):
    """AC15: bias under .1 standard errors and coverage of 93-97 %."""
    found = rates(1000, 2, **planted)
    print(planted, found)
    assert abs(found["selected"]["bias"]) < 0.1
    assert 0.93 <= found["selected"]["covered"] <= 0.97
    assert found["without"]["bias"] > 3
    assert found["gap"]["called"] < 0.1


@pytest.mark.slow
def test_errors_of_lags_one_after_another():
    rng, true, covered = np.random.default_rng(4), (0.2, 0.3, 0.5), []
    for _ in range(500):
        y, x, w = mediated(rng)
        found = fit_given(outcome_of(y), x, {"w": w}, lags=2, reach=1)
        intervals = [each.interval() for each in (*found.profile, found.total)]
        covered.append([low <= value <= high for (low, high), value in zip(intervals, true)])
    print(np.mean(covered, axis=0))
    assert np.all(np.abs(np.mean(covered, axis=0) - 0.95) < 0.03)


@pytest.mark.slow
def test_weak_confounders_are_missed_and_all_controls_tell():
    """What no lasso can see: twelve that move both by .1. The docstring says so, and `with_all` and `gap` show it."""
    found = rates(300, 3, n_confounders=12, n_noise=51, in_kpi=0.1, in_result=0.1)
    print(found)
    assert found["selected"]["bias"] > 1
    assert abs(found["all"]["bias"]) < 0.25
    assert found["gap"]["called"] > 0.3
