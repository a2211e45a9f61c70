from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from golden import panel_references as reference

from kpi_research.evidence.fixed_effects import (
    NotEstimableError,
    cluster_covariance,
    fit,
    iid_covariance,
    not_nested,
    two_sided_p,
    wald,
    within,
)

PRINTED = 5.1e-8
"""Half a unit of the last digit printed in the references, and rounding."""


def se(covariance: np.ndarray) -> np.ndarray:
    return np.sqrt(np.diag(covariance))


@pytest.fixture
def holes() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """600 rows of 40 persons x 14 periods: many cells empty, some twice, both effects related to the regressors."""
    rng = np.random.default_rng(20)
    person, period = rng.integers(0, 40, 600), rng.integers(0, 14, 600)
    X = rng.normal(size=(600, 2)) + 0.1 * person[:, None] + np.sin(period)[:, None]
    return X @ [0.3, -0.2] + 0.1 * person + 0.05 * period + rng.standard_t(5, 600), X, person, period


def dummies(*codes: np.ndarray) -> np.ndarray:
    return np.column_stack([np.equal.outer(code, np.unique(code)) for code in codes]).astype(float)


def test_petersens_five_standard_errors():
    y, X, firm, year = reference.petersen()
    coef = np.linalg.lstsq(X, y, rcond=None)[0]
    residuals = y - X @ coef
    found = {
        "iid": iid_covariance(X, residuals),
        "HC1": cluster_covariance(X, residuals, np.arange(len(y))),
        "firm": cluster_covariance(X, residuals, firm),
        "year": cluster_covariance(X, residuals, year),
        "both": cluster_covariance(X, residuals, firm, year),
    }
    assert coef == pytest.approx(reference.PETERSEN_COEF, abs=PRINTED)
    assert {name: se(V)[1] for name, V in found.items()} == pytest.approx(reference.PETERSEN_SE_OF_X, abs=PRINTED)
    assert se(found["firm"])[0] == pytest.approx(reference.PETERSEN_SE_OF_CONST_BY_FIRM, abs=PRINTED)


@pytest.mark.parametrize(("two_ways", "golden"), [(0, reference.GRUNFELD_WITHIN), (1, reference.GRUNFELD_TWO_WAYS)])
def test_grunfelds_investment(two_ways, golden):
    y, X, firm, year = reference.grunfeld()
    period = year if two_ways else None
    fitted = fit(y, X, person=firm, period=period)
    all_effects = 10 - 1 + not_nested(firm, period)
    assert fitted.coef == pytest.approx(golden[0], abs=PRINTED)
    assert se(iid_covariance(within(X, firm, period), fitted.residuals, all_effects)) == pytest.approx(
        golden[1], abs=PRINTED
    )


def test_grunfeld_clustered_by_firm():
    y, X, firm, _ = reference.grunfeld()
    fitted = fit(y, X, person=firm)
    bare = se(cluster_covariance(within(X, firm), fitted.residuals, firm, small_sample=False))
    assert bare == pytest.approx(reference.GRUNFELD_WITHIN_HC0, abs=PRINTED)
    assert bare * np.sqrt(200 / 198) == pytest.approx(reference.GRUNFELD_WITHIN_HC1, abs=PRINTED)


def test_equals_the_regression_on_dummies_with_holes(holes):
    y, X, person, period = holes
    fitted = fit(y, X, person=person, period=period)
    everything = np.column_stack([X, dummies(person, period)])
    coef = np.linalg.lstsq(everything, y, rcond=None)[0]
    assert fitted.coef == pytest.approx(coef[:2], abs=1e-8)
    assert fitted.residuals == pytest.approx(y - everything @ coef, abs=1e-8)
    explained = 1 - np.sum(fitted.residuals**2) / np.sum(within(y, person, period) ** 2)
    assert fitted.r2_within == pytest.approx(explained)


def test_equals_dummies_where_persons_and_periods_fall_apart_into_islands():
    rng = np.random.default_rng(5)
    person = np.repeat(np.arange(12), 6)
    period = np.tile(np.arange(6), 12) + 6 * (person >= 6)
    X = rng.normal(size=(72, 1))
    y = X[:, 0] + rng.normal(size=72)
    coef = np.linalg.lstsq(np.column_stack([X, dummies(person, period)]), y, rcond=None)[0]
    assert fit(y, X, person=person, period=period).coef == pytest.approx(coef[:1], abs=1e-8)
    assert not_nested(person, period) == 1 + 12 - 2


def test_weights_equal_rows_that_are_repeated(holes):
    y, _, person, period = holes
    times = np.random.default_rng(1).integers(1, 4, len(y))
    repeated = within(np.repeat(y, times), np.repeat(person, times), np.repeat(period, times))
    assert np.repeat(within(y, person, period, times.astype(float)), times) == pytest.approx(repeated, abs=1e-10)


def test_equals_pyfixest(holes):
    """CRV1 by person. pyfixest's own count of nested effects is left out and put in by hand: with two effects 0.60
    matches their names to its columns in an order that changes with the hash seed, and its errors by 1 % with it."""
    pyfixest = pytest.importorskip("pyfixest")
    y, X, person, period = holes
    data = pd.DataFrame({"y": y, "a": X[:, 0], "b": X[:, 1], "person": person, "period": period})
    theirs = pyfixest.feols(
        "y ~ a + b | person + period",
        data,
        vcov={"CRV1": "person"},
        ssc=pyfixest.ssc(k_fixef="none"),
        fixef_tol=1e-12,
    )
    ours = fit(y, X, person=person, period=period)
    counted = np.sqrt((600 - 2) / (600 - 2 - 14))
    assert ours.coef == pytest.approx(theirs.coef().to_numpy(), abs=1e-8)
    assert se(ours.cov) == pytest.approx(theirs.se().to_numpy() * counted, abs=1e-8)
    one_way = pyfixest.feols("y ~ a + b | person", data, vcov={"CRV1": "person"}, fixef_tol=1e-12)
    assert se(fit(y, X, person=person).cov) == pytest.approx(one_way.se().to_numpy(), abs=1e-8)
    assert fit(y, X, person=person).at(0).p == pytest.approx(one_way.pvalue().to_numpy()[0], abs=1e-8)


def test_constants_of_persons_and_periods_change_nothing(holes):
    y, X, person, period = holes
    rng = np.random.default_rng(3)
    shift = rng.normal(0, 30, 40)[person] + rng.normal(0, 30, 14)[period]
    before, after = (fit(*data, person=person, period=period) for data in ((y, X), (y + shift, X - shift[:, None])))
    assert after.coef == pytest.approx(before.coef, abs=1e-10)
    assert se(after.cov) == pytest.approx(se(before.cov), abs=1e-10)


def test_units_scale_the_coefficient_and_leave_the_test(holes):
    y, X, person, period = holes
    before = fit(y, X, person=person, period=period)
    after = fit(y / 1e4, X, person=person, period=period)
    assert after.coef * 1e4 == pytest.approx(before.coef)
    assert wald(after, [0, 1]).p == pytest.approx(wald(before, [0, 1]).p)


def test_wald_of_one_coefficient_is_its_t_test(holes):
    y, X, person, period = holes
    fitted = fit(y, X, person=person, period=period)
    t = fitted.coef[0] / se(fitted.cov_jackknife)[0]
    assert wald(fitted, [0]).p == pytest.approx(two_sided_p(t, 39))
    assert wald(fitted, [0]).statistic == pytest.approx(t**2)


def test_the_jackknife_is_that_of_regressions_without_one_person(holes):
    y, X, person, _ = holes
    fitted = fit(y, X, person=person)
    without = [person != left_out for left_out in range(40)]
    codes = [np.unique(person[kept], return_inverse=True)[1] for kept in without]
    moves = [fit(y[kept], X[kept], person=rest).coef for kept, rest in zip(without, codes, strict=True)] - fitted.coef
    by_hand = 39 / 40 * (600 - 1) / (600 - 2 - 1) * moves.T @ moves
    assert fitted.cov_jackknife == pytest.approx(by_hand, abs=1e-12)


def test_the_jackknife_is_pyfixests_crv3(holes):
    """But for its factor: pyfixest has G/(G-1) where the jackknife's textbooks have (G-1)/G."""
    pyfixest = pytest.importorskip("pyfixest")
    y, X, person, _ = holes
    data = pd.DataFrame({"y": y, "a": X[:, 0], "b": X[:, 1], "person": person})
    theirs = pyfixest.feols("y ~ a + b | person", data, vcov={"CRV3": "person"})
    assert se(fit(y, X, person=person).cov_jackknife) == pytest.approx(theirs.se().to_numpy() * 39 / 40, abs=1e-8)


def test_wald_is_hotellings_test_of_the_mean():
    """With person effects only and one row each side of them, the coefficients are means: T^2 has a closed form."""
    from scipy import stats

    draws = np.random.default_rng(8).normal(0.2, 1, size=(30, 3))
    S = np.cov(draws.T)
    t2 = 30 * draws.mean(axis=0) @ np.linalg.solve(S, draws.mean(axis=0))
    person = np.repeat(np.arange(30), 4)
    X = np.tile(np.vstack([np.zeros(3), np.eye(3)]), (30, 1))
    y = np.column_stack([np.zeros(30), draws]).ravel()
    fitted = fit(y, X, person=person)
    stripped = (120 - 1) / (120 - 3 - 1)
    found = wald(fitted, [0, 1, 2])
    assert found.statistic * stripped == pytest.approx(t2 * 27 / (29 * 3))
    assert (found.df1, found.df2) == (3, 27)
    assert found.p == pytest.approx(stats.f.sf(found.statistic, 3, 27))


def test_interval_covers_zero_exactly_where_p_is_large(holes):
    y, X, person, period = holes
    estimate = fit(y, X, person=person, period=period).at(0)
    low, high = estimate.interval(1 - estimate.p)
    assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("spoil", ["constant", "person", "period", "copy", "one_person"])
def test_what_cannot_be_estimated_is_said(holes, spoil):
    y, X, person, period = holes
    second = {"constant": np.full(600, 7.0), "person": person, "period": period, "copy": 2 * X[:, 0] + person}
    if spoil == "one_person":
        person = np.zeros(600, dtype=int)
    with pytest.raises(NotEstimableError):
        fit(y, np.column_stack([X[:, 0], second.get(spoil, X[:, 1])]), person=person, period=period)


def test_too_few_clusters_for_a_joint_test():
    rng = np.random.default_rng(2)
    person = np.repeat(np.arange(3), 20)
    fitted = fit(rng.normal(size=60), rng.normal(size=(60, 3)), person=person)
    with pytest.raises(NotEstimableError):
        wald(fitted, [0, 1, 2])
