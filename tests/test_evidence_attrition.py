"""Who left: the logit and the weighted effect by a second road each, and worlds in which leaving matters or does not."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from golden.planted_worlds import autoregressive

from kpi_research.evidence import attrition
from kpi_research.evidence.attrition import LEAST_LEAVERS, fit_leaving, leavers, reweighted
from kpi_research.evidence.contrasts import difference, total
from kpi_research.evidence.fixed_effects import NotEstimableError, fit, within
from kpi_research.evidence.grid import rows_of
from kpi_research.evidence.lags import fit_lags


def draw(
    rng: np.random.Generator, people: int = 40, periods: int = 24, *, base: float = -3.7, tilt: float = 0.0,
    by_kpi: float = 0.0, by_result: float = 0.0, slope: float = 0.3,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Result, KPI, and who left: the KPI's slope falls by `tilt` with a person's usual KPI, leaving goes with both."""
    usual = rng.standard_normal((people, 1))
    x = usual + 0.8 * autoregressive(rng, (people, periods + 1), 0.5)
    y = 0.5 * rng.standard_normal((people, 1)) + autoregressive(rng, (people, periods + 1), 0.3)
    y[:, 1:] += (slope - tilt * usual) * (x[:, :-1] - usual)
    x, y = x[:, 1:], y[:, 1:]
    goes = rng.random(y.shape) < 1 / (1 + np.exp(-(base + by_kpi * x - by_result * y)))
    goes[:, :2] = goes[:, -1] = False
    return y, x, np.where(goes.any(axis=1), goes.argmax(axis=1), -1)


CROWDED = {"people": 100, "base": -3.0, "tilt": 0.4, "by_kpi": 1.0, "by_result": 0.5, "slope": 0.2}
"""Who usually does much of it has little more from doing more, and leaves, sooner after bad months."""


def seen(y: np.ndarray, x: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is known: nothing after a person's last period."""
    there = (left[:, None] < 0) | (np.arange(y.shape[1]) <= left[:, None])
    return np.where(there, y, np.nan), np.where(there, x, np.nan)


def at_risk(left: np.ndarray, periods: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Persons, periods and events, one row each, without holes: the naive loop."""
    rows = [
        (i, t, float(left[i] == t)) for i in range(len(left)) for t in range(periods - 1) if left[i] < 0 or t <= left[i]
    ]
    person, period, event = map(np.array, zip(*rows))
    return person.astype(int), period.astype(int), event


def logit_by_dummies(y, x, left):
    """Slopes and chances from statsmodels' logit with a dummy for each period that somebody left."""
    person, period, event = at_risk(left, y.shape[1])
    Z = np.column_stack([values[person, period] for values in (x, y)])
    Z /= Z.std(axis=0)
    happens = np.isin(period, period[event == 1])
    dummies = (period[happens][:, None] == np.unique(period[happens])).astype(float)
    fitted = sm.Logit(event[happens], np.column_stack([Z[happens], dummies])).fit(disp=0, method="newton")
    chance, usual = np.zeros(y.shape), np.zeros(y.shape)
    chance[person[happens], period[happens]] = fitted.predict()
    for t in np.unique(period):
        usual[:, t] = event[period == t].mean()
    return fitted.params[:2], chance, usual


def test_the_logit_is_that_with_a_dummy_for_each_period():
    y, x, left = draw(np.random.default_rng(1), by_kpi=0.5)
    found = fit_leaving(*seen(y, x, left), left, 1)
    slopes, _, _ = logit_by_dummies(y, x, left)
    assert [found.kpi.value, found.result.value] == pytest.approx(slopes, abs=1e-8)
    assert found.n_leavers == leavers(y, x, left, 1) == (left >= 0).sum()


def test_weights_are_the_products_of_usual_by_own_chances_to_stay(monkeypatch):
    monkeypatch.setattr(attrition, "TRUNCATED_AT", (0.0, 1.0))
    y, x, left = draw(np.random.default_rng(2), by_kpi=0.5)
    _, chance, usual = logit_by_dummies(y, x, left)
    weights = fit_leaving(*seen(y, x, left), left, 1).weights
    for i in range(len(y)):
        expected = 1.0
        for t in range(y.shape[1]):
            if 0 <= left[i] < t:
                assert np.isnan(weights[i, t])
                continue
            assert weights[i, t] == pytest.approx(expected, abs=1e-8)
            expected *= (1 - usual[i, t]) / (1 - chance[i, t])


def test_weights_are_cut_at_their_quantiles_and_about_one():
    y, x, left = draw(np.random.default_rng(2), by_kpi=0.5)
    weights = fit_leaving(*seen(y, x, left), left, 1).weights
    known = weights[np.isfinite(weights)]
    assert (known == known.max()).mean() == pytest.approx(0.01, abs=0.005)
    assert known.mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("lags", [1, 3])
def test_the_weighted_effect_is_that_of_weighted_least_squares_with_dummies(lags):
    y, x, left = draw(np.random.default_rng(3), by_kpi=0.5)
    y, x = seen(y, x, left)
    y[np.random.default_rng(0).random(y.shape) < 0.05] = np.nan
    leaving = fit_leaving(y, x, left, lags)
    found = reweighted(y, x, leaving, lags)
    cells = [
        (i, t)
        for i, t in np.ndindex(y.shape)
        if t >= lags and np.isfinite([*y[i, t - 1 : t + 1], leaving.weights[i, t], *x[i, t - lags : t]]).all()
    ]
    person, period = np.array(cells).T
    X = np.column_stack([x[person, period - lag] for lag in range(1, lags + 1)])
    dummies = [
        np.eye(y.shape[0])[person][:, np.unique(person)],
        np.eye(y.shape[1])[period][:, np.unique(period)[1:]],
    ]
    by_dummies = sm.WLS(y[person, period], np.column_stack([X, *dummies]), weights=leaving.weights[person, period])
    assert found.weighted.value == pytest.approx(by_dummies.fit().params[:lags].sum(), abs=1e-8)
    assert found.plain.value == pytest.approx(fit_lags(y, x, lags).total.value, abs=1e-8)


def test_the_error_of_a_total_is_the_jackknifes():
    y, x, _ = draw(np.random.default_rng(4))
    rows = rows_of(y[:, 1:], x[:, :-1])
    left = within(np.column_stack([rows.y, rows.X]), rows.person, rows.period)
    made = total(
        left[:, 0], left[:, 1:], rows.person, people=40, absorbed=rows.n_periods, sizes=np.linalg.norm(rows.X, axis=0)
    )
    reference = fit(rows.y, rows.X, person=rows.person, period=rows.period)
    assert made.value == pytest.approx(reference.coef[0], abs=1e-10)
    assert made.estimate.se == pytest.approx(np.sqrt(reference.cov_jackknife[0, 0]), rel=1e-10)
    assert difference(made, made).value == difference(made, made).se == 0


def test_the_difference_has_the_error_of_leaving_everybody_out_once_for_a_whole_new_analysis():
    y, x, left = draw(np.random.default_rng(5), tilt=0.3, by_kpi=0.7, base=-3.0)
    y, x = seen(y, x, left)
    apart = reweighted(y, x, fit_leaving(y, x, left, 1), 1).apart
    moved = []
    for i in range(len(y)):
        kept = np.arange(len(y)) != i
        again = reweighted(y[kept], x[kept], fit_leaving(y[kept], x[kept], left[kept], 1), 1)
        moved.append(again.apart.value)
    by_hand = np.sqrt((len(y) - 1) / len(y) * np.sum((np.array(moved) - apart.value) ** 2))
    assert apart.se == pytest.approx(by_hand, rel=0.15)


def test_what_comes_after_somebody_left_is_not_looked_at():
    y, x, left = draw(np.random.default_rng(6), by_kpi=0.5)
    known = seen(y, x, left)
    spoilt = [np.where(np.isfinite(values), values, 1e6) for values in known]
    clean, dirty = (reweighted(*each, fit_leaving(*each, left, 2), 2) for each in (known, spoilt))
    assert dirty == clean


def test_who_was_moved_and_who_left_after_the_last_period_are_no_leavers():
    y, x, left = draw(np.random.default_rng(7))
    before = leavers(y, x, left, 1)
    first = np.flatnonzero(left >= 0)[:2]
    left[first] = -1, y.shape[1] - 1
    assert leavers(y, x, left, 1) == before - 2


def test_too_few_leavers_and_leavers_who_are_known_for_sure_are_refused():
    y, x, left = draw(np.random.default_rng(8))
    gone = np.flatnonzero(left >= 0)
    left[gone[LEAST_LEAVERS - 1 :]] = -1
    with pytest.raises(NotEstimableError):
        fit_leaving(y, x, left, 1)
    y, x, left = draw(np.random.default_rng(8))
    x[gone, left[gone]] = x.max() + 1.0
    with pytest.raises(NotEstimableError):
        fit_leaving(y, x, left, 1)
    with pytest.raises(NotEstimableError):
        fit_leaving(y, np.ones_like(x), left, 1)


def test_a_period_in_which_everybody_left_is_no_obstacle():
    y, x, left = draw(np.random.default_rng(9), 20)
    left = np.where(left < 0, 22, left)
    y, x = seen(y, x, left)
    found = fit_leaving(y, x, left, 1)
    assert np.isfinite(found.weights[np.isfinite(y)]).all()


def test_no_ratio_is_told_of_no_effect():
    y, x, left = draw(np.random.default_rng(10), slope=0.0)
    found = reweighted(*seen(y, x, left), fit_leaving(*seen(y, x, left), left, 1), 1)
    assert found.plain.p > 0.05 and np.isnan(found.ratio) and found.moves is None


def tried(seed: int, panels: int, lags: int = 1, **world) -> dict[str, float]:
    """Shares and means over simulated panels; those with too few leavers are left out."""
    rng, rows = np.random.default_rng(seed), []
    for _ in range(panels):
        y, x, left = draw(rng, **world)
        if leavers(y, x, left, lags) < LEAST_LEAVERS:
            continue
        known = seen(y, x, left)
        leaving = fit_leaving(*known, left, lags)
        found = reweighted(*known, leaving, lags)
        everybody = fit_lags(y, x, lags).total.value
        rows.append(
            (leaving.n_leavers, leaving.kpi.p <= 0.05, found.apart.p <= 0.05, found.moves is True, found.plain.value,
             found.weighted.value, everybody)
        )  # fmt: skip
    names = ("leavers", "leave_p", "differ", "moves", "plain", "weighted", "everybody")
    return {"panels": len(rows), **dict(zip(names, np.mean(rows, axis=0)))}


def test_leaving_at_random_moves_nothing_even_where_slopes_differ():
    found = tried(11, 60, tilt=0.4)
    assert found["differ"] <= 0.06 and found["moves"] == 0
    assert found["weighted"] == pytest.approx(found["plain"], abs=0.03)


def test_where_leaving_bends_the_effect_weights_bring_it_nearer_to_the_truth():
    found = tried(12, 25, **CROWDED)
    bias, left_of_it = found["plain"] - found["everybody"], found["weighted"] - found["everybody"]
    assert bias > 0.12 and left_of_it < 0.65 * bias
    assert found["differ"] >= 0.8 and found["moves"] >= 0.1 and found["leave_p"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("people, base", [(40, -3.7), (40, -4.3), (100, -3.7)])
@pytest.mark.parametrize("tilt, lags", [(0.0, 1), (0.4, 1), (0.4, 3)])
def test_leaving_at_random_is_seldom_called_anything_else(people, base, tilt, lags):
    found = tried(13, 300, lags, people=people, base=base, tilt=tilt)
    print(people, base, tilt, lags, found)
    assert found["leave_p"] <= 0.09 and found["differ"] <= 0.05 and found["moves"] <= 0.01


@pytest.mark.slow
@pytest.mark.parametrize("people, most_left", [(40, 0.7), (100, 0.6)])
def test_leaving_that_bends_the_effect_is_seen(people, most_left):
    found = tried(14, 200, **{**CROWDED, "people": people})
    print(people, found)
    bias, left_of_it = found["plain"] - found["everybody"], found["weighted"] - found["everybody"]
    assert 0 < left_of_it < most_left * bias
    assert found["differ"] >= (0.9 if people == 100 else 0.5)


@pytest.mark.slow
def test_leaving_on_shocks_and_the_kpi_bends_an_effect_within_people_only_a_little():
    found = tried(15, 200, people=100, by_kpi=1.5, by_result=1.5, base=-4.5, tilt=0.0)
    print(found)
    assert abs(found["plain"] - found["everybody"]) < 0.05
    assert abs(found["weighted"] - found["everybody"]) <= abs(found["plain"] - found["everybody"])


def test_where_everybody_left_at_once_nothing_can_be_said():
    rng = np.random.default_rng(0)
    with pytest.raises(NotEstimableError):
        fit_leaving(rng.normal(size=(12, 14)), rng.normal(size=(12, 14)), np.full(12, 8), 1)
