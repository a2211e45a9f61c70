"""Poisson regression with effects: held to other programs, to published examples of separation, and to known truth."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from golden.planted_worlds import autoregressive
from scipy import optimize, stats

from kpi_research.evidence import counts
from kpi_research.evidence.counts import CountFit, ppml, relative_change
from kpi_research.evidence.fixed_effects import Estimate, NotEstimableError, not_nested
from kpi_research.evidence.separation import separated

SEPARATION = {
    "02": ("y id1 id2 separated", "0,1,1,0 1,1,1,0 0,2,1,1 0,2,2,0 1,2,2,0"),
    "03": (
        "y id1 id2 id3 separated",
        "0,5,3,6,1 0,5,5,7,1 1,1,3,1,0 1,1,5,2,0 1,2,4,1,0 1,2,6,2,0 1,3,1,3,0 1,3,7,4,0 1,4,2,3,0 1,4,8,4,0 "
        "1,5,1,5,0 1,5,7,8,0 1,6,2,5,0 1,6,4,6,0 1,6,6,7,0 1,6,8,8,0",
    ),
    "05": (
        "y x1 x2 x3 x4 separated",
        "0,5,11,2,2,0 0,5,2,11,2,0 0,5,2,2,11,0 0,0,-1,-1,-1,1 1,5,5,5,5,0 2,4,4,4,4,0 3,3,3,3,3,0 4,2,2,2,2,0 "
        "5,1,1,1,1,0",
    ),
    "06": (
        "y x1 x2 x3 x4 separated",
        "0,0,0,0,0,0 0,0,0,0,0,0 0,5,11,2,2,0 0,5,2,11,2,0 0,5,2,2,11,0 0,0,-1,-1,-1,1 1,5,5,5,5,0 2,4,4,4,4,0 "
        "3,3,3,3,3,0 4,2,2,2,2,0 5,1,1,1,1,0",
    ),
    "07": (
        "y x1 x2 id1 id2 separated",
        "0,0,0,1,1,0 0,0,0,1,1,0 0,0,0,1,2,0 0,0,0,1,3,0 0,2,0,1,3,0 0,0,1,2,2,1 0,0,0,2,2,0 0,0,0,2,2,0 0,1,0,2,2,0 "
        "0,1,2,2,3,1 0,0,1,2,4,1 0,0,0,4,2,0 0,0,1,5,2,1 1,0,0,1,1,0 1,1,0,4,3,0 1,0,0,5,4,0 2,0,0,1,2,0 2,0,0,2,1,0",
    ),
    "08": (
        "y x1 x2 id1 id2 separated",
        "0,1,0,1,2,1 0,1,0,2,2,0 1,2,0,1,3,0 1,0,0,2,1,0 1,1,0,2,2,0 1,0,1,2,3,0 2,0,0,2,1,0 2,0,1,2,2,0 2,1,0,2,3,0",
    ),
    "09": (
        "y x1 x2 x3 separated",
        "0,0,0,1,0 0,0,0,2,0 0,0,0,1,0 .9788354,3,2,1,0 2.2596662,1,1,2,0 2.4177196,2,2,2,0 2.611468,4,2,1,0",
    ),
    "10": (
        "y x1 x2 x3 separated",
        "0,-5,0,1,1 0,-2,0,1,1 0,0,2,1,1 0,0,0,2,0 0,0,0,3,1 0,2,3,4,1 .5,2,2,2,0 1.1,1,1,2,0 2.1,4,2,4,0 3.3,3,3,2,0",
    ),
    "13": (
        "y id1 id2 separated",
        "0,3,3,0 0,4,3,1 0,4,4,0 0,6,6,0 0,7,7,0 0,8,8,0 0,9,9,0 1,1,1,0 1,2,2,0 1,2,2,0 1,3,3,0 1,4,4,0 1,5,5,0 "
        "1,6,6,0 1,7,7,0 1,8,8,0 1,9,9,0 1,10,10,0",
    ),
    "14": (
        "y x1 x2 separated",
        "0,1,0,0 0,1,0,0 0,-1,0,0 0,0,1,0 0,0,1,0 0,0,1,0 0,0,-1,0 0,0,-1,0 1,0,0,0 2,0,0,0 3,0,0,0 4,0,0,0 5,0,0,0 "
        "6,0,0,0",
    ),
    "15": (
        "y x1 x2 x3 separated",
        "0,1,0,0,0 0,1,0,0,0 0,-1,0,0,0 0,0,1,0,0 0,0,1,0,0 0,0,1,0,0 0,0,-1,0,0 0,0,-1,0,0 0,0,0,1,1 0,0,0,2,1 "
        "0,0,0,3,1 0,0,0,4,1 0,0,0,5,1 0,0,0,6,1 0,0,0,7,1 0,0,0,8,1 0,0,0,1000,1 1,0,0,0,0 2,0,0,0,0 3,0,0,0,0 "
        "4,0,0,0,0 5,0,0,0,0 6,0,0,0,0",
    ),
    "17": (
        "y x1 x2 x3 separated",
        "0,-3,5,4,1 0,4,3.5,0,1 0,-5,5,5,1 0,-2,3,-3,1 0,5,6,3,1 0,3,2.5,-2,1 0,5,5.5,5,1 0,-25,1.5,-3,1 0,4,4,0,1 "
        "0,-16,6,6,1 0,-3,5,2,1 0,-25,6.5,8,1 0,3,2,-4,1 0,-44,-1,-8,1 0,0,3.5,1,1 0,-2,7,6,1 0,-6,3.5,1,1 0,-14,7,6,1 "
        "0,-1,1,-5,1 0,-20,5,3,1 0,-4,6.5,4,1 0,-13,6,3,1 0,-6,5,3,1 0,-3,5.5,3,1 0,2,6.5,6,1 0,-17,3.5,0,1 0,1,3,0,1 "
        "0,-24,4.5,4,1 0,-5,4.5,3,1 0,-36,1.5,-1,0 0,6,0,-4,0 0,-33,1,-2,0 0,-4,1.5,-1,0 0,-17,4,4,0 0,4,3.5,3,0 "
        "0,-6,.5,-3,0 0,-8,-3,-10,0 0,-34,-3.5,-11,0 0,12,-.5,-5,0 0,-22,1.5,-1,0 0,4,3,2,0 0,-3,.5,-3,0 0,8,.5,-3,0 "
        "0,-37,3,2,0 0,1,-1,-6,0 0,-24,3,2,0 0,2,-2,-8,0 0,2,-2,-8,0 0,2,4.5,5,0 0,-41,6,8,0 0,-5,4,4,0 0,-23,1.5,-1,0 "
        "0,-6,-1,-6,0 0,-42,-1,-6,0 0,-3,3,2,0 0,-45,1.5,-1,0 0,0,4,4,0 0,2,2.5,1,0 0,-6,5,6,0 0,-34,1.5,-1,0 "
        "0,-4,4.5,5,0 0,-15,3.5,3,0 0,6,2,0,0 0,-16,1.5,-1,0 0,6,2,0,0 0,-37,1.5,-1,0 0,0,1.5,-1,0 0,-9,-6.5,-17,0 "
        "0,6,5.5,7,0 0,-10,1,-2,0 0,1,5.5,7,0 0,-35,.5,-3,0 0,-7,5.5,7,0 0,-39,2.5,1,0 0,-16,3.5,3,0 0,-12,1,-2,0 "
        "0,-5,2.5,1,0 0,-37,2.5,1,0 0,-8,-1,-6,0 0,-19,7,10,0 0,2,0,-4,0 0,-43,3,2,0 0,2,4.5,5,0 0,-15,-2,-8,0 "
        "0,-2,1.5,-1,0 0,-19,2,0,0 0,1,3,2,0 0,-17,0,-4,0 0,-8,-2,-8,0 0,-37,1,-2,0 0,3,4.5,5,0 0,-45,3,2,0 0,1,1,-2,0 "
        "0,-29,1.5,-1,0 0,2,0,-4,0 .3131518,-8,-.5,-5,0 .3476705,-6,0,-4,0 .8587969,-19,1,-2,0 3.179766,-4,-.5,-5,0 "
        "4.394069,-22,1.5,-1,0",
    ),
}
"""Files of ppmlhdfe's test suite (Correia, Guimaraes & Zylkin; MIT licence) by number, as they stand in pyfixest's
repository, `tests/data/ppmlhdfe_separation_examples`, commit 570fbe1 (03: 2f3c8e0, 10: c2ce3ab, 15: d8f1356)."""

SEPARATED_04 = (
    "1,1,1 1,1,1 1,34,1 2,1,1 2,2,1 2,2,1 3,3,1 3,3,1 4,3,1 5,4,1 5,5,1 5,5,1 6,5,1 6,6,0 7,6,1 7,7,0",
    "3,2 4,4 4,4 6,6 7,7 10,9 34,33",
)
"""The head of file 04 (id1, id2, separated of rows with zero; id1, id2 of rows with one): a chain in which each link is
separated since the one before it is."""


def panel(rng: np.random.Generator, people: int = 40, periods: int = 24) -> dict[str, np.ndarray]:
    """Counts of about one a month with person and period effects, two KPIs, a fifth of the cells missing."""
    person, period = (codes.ravel() for codes in np.indices((people, periods)))
    X = rng.normal(size=(people * periods, 2)) + 0.02 * person[:, None] + np.sin(period)[:, None]
    log_mean = X @ [0.3, -0.2] + 0.02 * person + 0.3 * np.cos(period) - 0.5
    y = rng.poisson(np.exp(log_mean)).astype(float)
    kept = rng.random(len(y)) > 0.2
    return {"y": y[kept], "X": X[kept], "person": person[kept], "period": period[kept]}


def money(
    rng: np.random.Generator, people: int, periods: int, effect: float = 0.2, spread: float = 1.5
) -> tuple[np.ndarray, np.ndarray]:
    """Few deals, none in more than half of the months, of log-normal amounts; errors AR(.5), KPI AR(.4)."""
    shape = (people, periods)
    talent, season = 0.5 * rng.standard_normal((people, 1)), 0.3 * np.sin(2 * np.pi * np.arange(periods) / 12)
    x = talent + season + autoregressive(rng, shape, 0.4)
    deals = rng.poisson(np.exp(-0.7 + talent + season + effect * x + 0.5 * autoregressive(rng, shape, 0.5)))
    amounts = rng.lognormal(9, spread, (*shape, deals.max()))
    return np.where(np.arange(deals.max()) < deals[:, :, None], amounts, 0.0).sum(axis=2), x


def fitted_money(rng: np.random.Generator, people: int, periods: int) -> CountFit:
    y, x = money(rng, people, periods)
    person, period = (codes.ravel() for codes in np.indices(y.shape))
    return ppml(y.ravel(), x.reshape(-1, 1), person=person, period=period)


def dummies(*codes: np.ndarray) -> np.ndarray:
    return np.column_stack([np.equal.outer(code, np.unique(code)) for code in codes]).astype(float)


def se(covariance: np.ndarray) -> np.ndarray:
    return np.sqrt(np.diag(covariance))


def test_equals_the_generalised_linear_model_on_dummies():
    """AC5, statsmodels. Its factor counts all dummies, ours those that are not nested in persons."""
    data = panel(np.random.default_rng(1))
    design = np.column_stack([data["X"], dummies(data["person"]), dummies(data["period"])[:, 1:]])
    ours = ppml(**data)
    theirs = sm.GLM(data["y"], design, family=sm.families.Poisson()).fit(
        tol=1e-13, maxiter=200, cov_type="cluster", cov_kwds={"groups": data["person"]}
    )
    n, absorbed = len(data["y"]), not_nested(data["person"], data["period"])
    counted = np.sqrt((n - design.shape[1]) / (n - 2 - absorbed))
    assert (ours.n_separated, ours.n_singletons) == (0, 0)
    assert ours.coef == pytest.approx(theirs.params[:2], abs=1e-8)
    assert ours.mean == pytest.approx(theirs.fittedvalues, abs=1e-7)
    assert se(ours.cov) == pytest.approx(theirs.bse[:2] * counted, abs=1e-8)


@pytest.mark.filterwarnings("ignore:.*singleton", "ignore:.*because of separation")
def test_equals_pyfixest():
    """With rows that are separated and single; nested effects counted by hand, as in `test_evidence_fixed_effects`."""
    pyfixest = pytest.importorskip("pyfixest")
    data = panel(np.random.default_rng(2))
    data["y"] = data["y"] * np.random.default_rng(3).lognormal(5, 1, len(data["y"]))
    data["y"][(data["person"] == 3) | (data["period"] == 5)] = 0.0
    once = (data["person"] != 7) | (np.cumsum(data["person"] == 7) == 1)
    data = {name: values[once] for name, values in data.items()}
    frame = pd.DataFrame(
        {"a": data["X"][:, 0], "b": data["X"][:, 1], **{k: data[k] for k in ("y", "person", "period")}}
    )
    theirs = pyfixest.fepois(
        "y ~ a + b | person + period",
        frame,
        vcov={"CRV1": "person"},
        ssc=pyfixest.ssc(k_fixef="none"),
        iwls_tol=1e-12,
        iwls_maxiter=100,
        fixef_tol=1e-12,
        separation_check=["fe"],
    )
    ours = ppml(**data)
    n = int(ours.used.sum())
    k = 2 + not_nested(*(np.unique(data[name][ours.used], return_inverse=True)[1] for name in ("person", "period")))
    assert ours.n_singletons == 1
    assert ours.n_separated == np.sum((data["person"] == 3) | (data["period"] == 5))
    assert ours.coef == pytest.approx(theirs.coef().to_numpy(), abs=1e-6)
    assert se(ours.cov) == pytest.approx(theirs.se().to_numpy() * np.sqrt((n - 2) / (n - k)), abs=1e-6)


def test_means_add_up_to_the_outcome_of_every_person_and_period():
    data = panel(np.random.default_rng(4))
    mean = ppml(**data).mean
    for codes in (data["person"], data["period"]):
        assert np.bincount(codes, mean) == pytest.approx(np.bincount(codes, data["y"]), rel=1e-7)
    assert data["X"].T @ mean == pytest.approx(data["X"].T @ data["y"], rel=1e-7)


def test_units_and_constants_of_persons_and_periods_change_nothing():
    data = panel(np.random.default_rng(5))
    before = ppml(**data)
    rng = np.random.default_rng(6)
    shift = rng.normal(0, 3, 40)[data["person"]] + rng.normal(0, 3, 24)[data["period"]]
    after = ppml(**{**data, "y": data["y"] * 1e7, "X": data["X"] + shift[:, None]})
    assert after.coef == pytest.approx(before.coef, abs=1e-9)
    assert se(after.cov) == pytest.approx(se(before.cov), abs=1e-9)
    assert ppml(**{**data, "X": data["X"] * 1e4}).coef * 1e4 == pytest.approx(before.coef, abs=1e-9)


def test_order_of_the_rows_changes_nothing():
    data = panel(np.random.default_rng(7))
    order = np.random.default_rng(8).permutation(len(data["y"]))
    before, after = ppml(**data), ppml(**{name: values[order] for name, values in data.items()})
    assert after.coef == pytest.approx(before.coef, abs=1e-10)
    assert after.at(0).se == pytest.approx(before.at(0).se, abs=1e-10)


def test_clusters_of_whole_persons():
    data = panel(np.random.default_rng(9))
    found = ppml(**data, cluster=data["person"] // 4)
    assert (found.n_clusters, found.residual_df) == (10, 9)
    assert found.coef == pytest.approx(ppml(**data).coef)
    assert se(found.cov)[0] != pytest.approx(se(ppml(**data).cov)[0], rel=1e-3)


def test_without_period_effects():
    data = panel(np.random.default_rng(10))
    del data["period"]
    design = np.column_stack([data["X"], dummies(data["person"])])
    theirs = sm.GLM(data["y"], design, family=sm.families.Poisson()).fit(tol=1e-13, maxiter=200)
    assert ppml(**data).coef == pytest.approx(theirs.params[:2], abs=1e-8)


def test_the_jackknife_is_that_of_fits_without_one_person():
    data = panel(np.random.default_rng(11), people=12)
    # period 20 has results of person 3 alone, and so does not belong to the fit without them
    data["y"][(data["period"] == 20) & (data["person"] != 3)] = 0.0
    data["y"][(data["period"] == 20) & (data["person"] == 3)] = 2.0
    found = ppml(**data)
    moves = []
    for left_out in range(12):
        kept = data["person"] != left_out
        rest = {name: values[kept] for name, values in data.items()}
        rest["person"] = np.unique(rest["person"], return_inverse=True)[1]
        moves.append(ppml(**rest).coef - found.coef)
    by_hand = 11 / 12 * np.array(moves).T @ np.array(moves)
    assert se(found.cov_jackknife) == pytest.approx(se(by_hand), rel=1e-6)
    assert found.at(1) == Estimate(found.coef[1], se(found.cov_jackknife)[1], 11)
    assert found.combine([1.0, -1.0]).value == pytest.approx(found.coef[0] - found.coef[1])


def test_with_many_clusters_the_jackknife_is_that_to_first_order(monkeypatch):
    """Counts without heavy tails: about 1 % smaller than by fits without each person."""
    data = panel(np.random.default_rng(12), people=100, periods=12)
    exact = se(ppml(**data).cov_jackknife)
    monkeypatch.setattr(counts, "MOST_REFITS", 99)
    assert se(ppml(**data).cov_jackknife) == pytest.approx(exact, rel=0.03)
    assert se(ppml(**data).cov_jackknife).tolist() != exact.tolist()


def test_log_points_as_shares():
    found = relative_change(Estimate(math.log(1.1), 0.01, 39))
    low, high = Estimate(math.log(1.1), 0.01, 39).interval()
    assert (found.value, found.low, found.high) == pytest.approx((0.1, math.exp(low) - 1, math.exp(high) - 1))
    assert relative_change(Estimate(math.log(1.1), 0.0, 39), by=2).value == pytest.approx(0.21)
    assert relative_change(Estimate(-30.0, 20.0, 5)).low == pytest.approx(-1)


def read(columns: str, rows: str) -> dict[str, np.ndarray]:
    values = np.array([[float(value) for value in row.split(",")] for row in rows.split()])
    return dict(zip(columns.split(), values.T, strict=True))


def flagged(table: dict[str, np.ndarray]) -> np.ndarray:
    """With the first two effects as persons and periods, and further ones as dummies."""
    n = len(table["y"])
    effects = [np.unique(table[name], return_inverse=True)[1] for name in ("id1", "id2") if name in table]
    X = [values for name, values in table.items() if name.startswith("x")]
    if "id3" in table:
        X += list(dummies(table["id3"]).T)
    return separated(
        table["y"],
        np.column_stack(X) if X else np.empty((n, 0)),
        person=effects[0] if effects else np.zeros(n, dtype=int),
        period=effects[1] if effects else None,
    )


@pytest.mark.parametrize("number", SEPARATION)
def test_separation_examples_of_ppmlhdfe(number):
    table = read(*SEPARATION[number])
    assert flagged(table).tolist() == (table["separated"] == 1).tolist()


def test_a_chain_of_separated_rows():
    zeros, ones = read("id1 id2 separated", SEPARATED_04[0]), read("id1 id2", SEPARATED_04[1])
    table = {name: np.concatenate([zeros[name], ones[name]]) for name in ("id1", "id2")}
    table["y"] = np.repeat([0.0, 1.0], [len(zeros["id1"]), len(ones["id1"])])
    assert flagged(table)[table["y"] == 0].tolist() == (zeros["separated"] == 1).tolist()


def one_program_a_row(y: np.ndarray, X: np.ndarray, person: np.ndarray, period: np.ndarray) -> np.ndarray:
    """The definition, word by word: for each row without outcome, how far up can a combination take it?"""
    everything = np.column_stack([X, dummies(person, period)])
    positive = y > 0
    found = np.zeros(len(y), dtype=bool)
    for row in np.flatnonzero(~positive):
        result = optimize.linprog(
            -everything[row],
            A_ub=np.vstack([-everything[~positive], everything[[row]]]),
            b_ub=np.append(np.zeros((~positive).sum()), 1.0),
            A_eq=everything[positive] if positive.any() else None,
            b_eq=np.zeros(positive.sum()) if positive.any() else None,
            bounds=(None, None),
        )
        found[row] = -result.fun > 0.5
    return found


def test_separation_of_random_panels_by_its_definition():
    rng = np.random.default_rng(12)
    beyond_effects = 0
    for _ in range(40):
        people, periods = rng.integers(3, 9), rng.integers(3, 7)
        person, period = (codes.ravel() for codes in np.indices((people, periods)))
        kept = rng.random(people * periods) < 0.8
        person, period = (np.unique(codes[kept], return_inverse=True)[1] for codes in (person, period))
        X = rng.integers(-1, 3, (len(person), 2)).astype(float)
        y = rng.poisson(0.5, len(person)).astype(float)
        found = separated(y, X, person=person, period=period)
        assert found.tolist() == one_program_a_row(y, X, person, period).tolist()
        beyond_effects += (found & (np.bincount(person, y)[person] > 0) & (np.bincount(period, y)[period] > 0)).any()
    assert beyond_effects > 5


def test_separated_rows_are_those_whose_mean_goes_to_zero():
    """Dropping them is what the likelihood does in the limit: statsmodels stopped on the way has the same slopes."""
    data = panel(np.random.default_rng(13), people=15, periods=10)
    data["y"][data["person"] == 2] = 0.0
    rare = (data["person"] == 4) & (data["y"] == 0)
    data["X"] = np.column_stack([data["X"], rare + 0.0])
    out = rare | (data["person"] == 2)
    assert separated(**data).tolist() == out.tolist()
    design = np.column_stack([data["X"], dummies(data["person"]), dummies(data["period"])[:, 1:]])
    theirs = sm.GLM(data["y"], design, family=sm.families.Poisson()).fit(maxiter=25, tol=0.0)
    kept = {name: values[~out] for name, values in data.items()}
    kept["person"] = np.unique(kept["person"], return_inverse=True)[1]
    kept["X"] = kept["X"][:, :2]
    ours = ppml(**kept)
    assert theirs.fittedvalues[out].max() < 1e-8
    assert ours.coef == pytest.approx(theirs.params[:2], abs=1e-6)
    with pytest.raises(NotEstimableError):
        ppml(**data)


def test_what_is_left_out_is_counted_though_one_leads_to_the_other():
    """Person 8's only month with results is period 9, where nobody else is: that row goes, and then the person."""
    person, period = (codes.ravel() for codes in np.indices((8, 6)))
    rng = np.random.default_rng(14)
    y = np.append(1.0 + rng.poisson(2.0, 48), [5.0, 0.0, 0.0])
    data = {
        "y": y,
        "X": rng.normal(size=(51, 1)),
        "person": np.append(person, [8, 8, 8]),
        "period": np.append(period, [6, 0, 1]),
    }
    found = ppml(**data)
    assert (found.n_singletons, found.n_separated) == (1, 2)
    assert found.used.tolist() == [True] * 48 + [False] * 3
    assert (found.n_clusters, len(found.mean)) == (8, 48)
    assert found.coef == pytest.approx(ppml(**{name: values[:48] for name, values in data.items()}).coef)


@pytest.mark.parametrize("spoil", ["negative", "missing", "zero", "constant", "copy", "only_where_zero", "one_person"])
def test_what_cannot_be_estimated_is_said(spoil):
    data = panel(np.random.default_rng(15))
    n = len(data["y"])
    if spoil in ("negative", "missing"):
        data["y"][5] = -1.0 if spoil == "negative" else np.nan
    elif spoil == "zero":
        data["y"] = np.zeros(n)
    elif spoil == "one_person":
        data["person"] = np.zeros(n, dtype=int)
    else:
        second = {"constant": np.ones(n), "copy": data["X"][:, 0], "only_where_zero": (data["y"] == 0) * 1.0}[spoil]
        data["X"] = np.column_stack([data["X"][:, 0], second])
    with pytest.raises(NotEstimableError):
        ppml(**data)


def test_amounts_of_very_different_size():
    """A person who sells for a hundred million times as much as another, and a lucky deal."""
    data = panel(np.random.default_rng(16))
    data["y"] = data["y"] * np.logspace(0, 8, 40)[data["person"]]
    data["y"][100] *= 1e4
    found = ppml(**data)
    assert np.bincount(data["person"], found.mean) == pytest.approx(np.bincount(data["person"], data["y"]), rel=1e-6)
    assert np.bincount(data["period"], found.mean) == pytest.approx(np.bincount(data["period"], data["y"]), rel=1e-6)


def covered(people: int, draws: int, seed: int) -> float:
    """Share of panels whose 95 % interval holds the truth."""
    rng = np.random.default_rng(seed)
    low, high = np.transpose([fitted_money(rng, people, 24).at(0).interval() for _ in range(draws)])
    return float(np.mean((low <= 0.2) & (high >= 0.2)))


def test_intervals_of_a_few_panels_cover_the_truth():
    assert covered(12, 50, seed=17) >= stats.binom.ppf(0.001, 50, 0.95) / 50


@pytest.mark.slow
@pytest.mark.parametrize("people", [20, 40])
def test_intervals_cover_the_truth_for_money_with_heavy_tails_and_many_zeros(people):
    assert 0.93 <= covered(people, 300, seed=18) <= 0.97
