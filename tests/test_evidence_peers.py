"""People are compared with those of their own team in the same month."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from golden.planted_worlds import panel_of, world
from test_evidence_study import recorded

from kpi_research.evidence.batch import fit_each
from kpi_research.evidence.fixed_effects import fit, not_nested, within
from kpi_research.evidence.granger import juodis_karavias_sarafidis
from kpi_research.evidence.grid import coded, lagged, rows_of
from kpi_research.evidence.lags import fit_lags, history
from kpi_research.evidence.multiplicity import in_view_of_all
from kpi_research.evidence.peers import LEAST_PEERS, beyond_peers, moves_as_one, peers_of
from kpi_research.evidence.permuted import _dealt, permutation_p
from kpi_research.evidence.placebo import fit_lead
from kpi_research.evidence.screen import screen
from kpi_research.evidence.simulate import autoregressive
from kpi_research.evidence.stability import leave_one_out
from kpi_research.evidence.stepdown import beyond_periods, by_results, familywise_p, joint_scores
from kpi_research.evidence.study import study
from kpi_research.evidence.worlds import World, draw, worlds


def panel_of_teams(rng, teams, *, periods=24, in_common=0.3, effect=0.0):
    """Result AR(.3) and KPI AR(.4), of which a team has a part in common in every month."""

    def made(rho):
        own, of_team = (autoregressive(rng, (n, periods + 1), rho) for n in (len(teams), teams.max() + 1))
        return np.sqrt(1 - in_common) * own + np.sqrt(in_common) * of_team[teams]

    x, y = made(0.4), made(0.3) + rng.standard_normal((len(teams), 1))
    y[:, 1:] += effect * x[:, :-1]
    return y[:, 1:], x[:, 1:]


def with_holes(rng, values):
    return np.where(rng.random(values.shape) < 0.1, np.nan, values)


def dummies(codes):
    return (codes[:, None] == np.arange(codes.max() + 1)).astype(float)


def test_small_teams_are_compared_with_one_another():
    teams = np.array([0] * 5 + [1] * 2 + [2] * 3 + [3] * 4 + [-1] * 2)
    peers = peers_of(teams, np.ones((16, 6), dtype=bool))
    assert peers.tolist() == [1] * 5 + [0] * 5 + [2] * 4 + [0] * 2
    assert peers_of(np.full(3, -1), np.ones((3, 6), dtype=bool)).tolist() == [0, 0, 0]
    # five names, but three at a time
    there = np.ones((16, 6), dtype=bool)
    there[0, :3] = there[1, 3:] = there[2, :] = False
    assert LEAST_PEERS == 4 and peers_of(teams, there)[0] == peers_of(teams, there)[5]


def test_equals_the_regression_with_a_dummy_for_every_month_of_every_team():
    rng = np.random.default_rng(0)
    y, x = (with_holes(rng, values) for values in rng.normal(size=(2, 24, 16)))
    peers = np.array([0, 1, 2] * 8)
    rows = rows_of(y, *history(y, x, 2), peers=peers)
    effects = np.column_stack([dummies(rows.person), dummies(rows.period)])
    assert not_nested(rows.person, rows.period) + rows.n_people - 1 == np.linalg.matrix_rank(effects)
    assert rows.n_periods == 14 and rows.period.max() + 1 == 3 * 14
    columns = np.column_stack([rows.X, rows.y])
    left = columns - effects @ np.linalg.lstsq(effects, columns, rcond=None)[0]
    assert np.allclose(within(columns, rows.person, rows.period), left)
    expected = np.linalg.lstsq(left[:, :2], left[:, -1], rcond=None)[0]
    assert [one.value for one in fit_lags(y, x, 2, peers).profile] == pytest.approx(expected)


def test_what_a_team_has_in_common_in_a_month_changes_nothing():
    rng = np.random.default_rng(1)
    peers = np.repeat(np.arange(4), 5)
    y, x = rng.normal(size=(2, 20, 24))
    moved_y, moved_x = (values + 3 * rng.normal(size=(4, 24))[peers] for values in (y, x))
    one, other = (fit_lead(*pair, 2, peers).estimate for pair in ((y, x), (moved_y, moved_x)))
    assert other.value == pytest.approx(one.value) and other.se == pytest.approx(one.se)
    before, after = (juodis_karavias_sarafidis(*pair, 1, peers).p for pair in ((y, x), (moved_y, moved_x)))
    assert after == pytest.approx(before)
    assert juodis_karavias_sarafidis(moved_y, moved_x, 1).p != pytest.approx(before, rel=0.01)


def test_what_stands_beside_is_beyond_the_team_too():
    rng = np.random.default_rng(5)
    peers = np.repeat(np.arange(4), 5)
    y, x = rng.normal(size=(2, 20, 24))
    moved_y, moved_x = (values + 3 * rng.normal(size=(4, 24))[peers] for values in (y, x))
    assert np.allclose(joint_scores(moved_y, moved_x, 2, peers)[0], joint_scores(y, x, 2, peers)[0])
    assert permutation_p(moved_y, moved_x, 2, peers=peers) == permutation_p(y, x, 2, peers=peers)
    assert np.allclose(beyond_peers(moved_y, peers), beyond_peers(y, peers))
    assert beyond_peers(y, np.zeros(20, dtype=int)) is y
    x[3, 2] = np.nan
    for dealt in _dealt(x, 3, rng, peers):
        assert np.isnan(dealt[3, 2]) and np.isnan(dealt).sum() == 1
        for team in range(4):
            assert np.allclose(np.sort(dealt[peers == team], axis=0), np.sort(x[peers == team], axis=0), equal_nan=True)


@pytest.mark.parametrize("lags", [1, 2])
def test_grangers_errors_know_that_a_teams_months_are_made_of_few(lags):
    rng = np.random.default_rng(6)
    peers = np.repeat(np.arange(4), 5)
    y, x = rng.normal(size=(2, 20, 24))
    found = juodis_karavias_sarafidis(y, x, lags, peers)
    # the same slopes and the same moves, as if the months were made of all twenty
    bare = juodis_karavias_sarafidis(beyond_peers(y, peers), beyond_peers(x, peers), lags)
    assert found.coefficients == pytest.approx(bare.coefficients)
    assert found.statistic == pytest.approx(bare.statistic * (1 - 1 / 5) / (1 - 1 / 20), rel=1e-8)
    alone = juodis_karavias_sarafidis(y, x, lags, np.zeros(20, dtype=np.intp))
    assert alone.statistic == pytest.approx(juodis_karavias_sarafidis(y, x, lags).statistic, rel=1e-12)


@pytest.mark.parametrize(
    ("sizes", "holes", "off"), [([5] * 4, 0.0, 1e-10), ([4, 4, 4, 8], 0.0, 0.01), ([5] * 4, 0.1, 0.01)]
)
def test_what_months_leave_is_by_how_much_parts_of_people_vary_less_than_their_sum(sizes, holes, off):
    """Noise M u times noise M v, summed by person: parts i and j have the covariance of M_ij's squares summed."""
    rng = np.random.default_rng(7)
    peers = np.repeat(np.arange(4), sizes)
    person, period = coded(rng.random((20, 12)) >= holes, peers)
    effects = np.column_stack([dummies(person), dummies(period)])
    M = np.eye(len(person)) - effects @ np.linalg.pinv(effects)
    products = dummies(person).T @ M**2 @ dummies(person)
    exact = np.trace(products) / products.sum()
    assert beyond_periods(person, period) == pytest.approx(exact, rel=off)


@pytest.mark.parametrize("size", [4, 5, 7])
def test_the_maps_errors_are_those_of_the_regression_with_months_of_every_team(size):
    rng = np.random.default_rng(8)
    peers = np.repeat(np.arange(4), size)
    y, x = rng.normal(size=(4 * size, 18)), rng.normal(size=(3, 4 * size, 18))
    found = screen(y, {str(number): one for number, one in enumerate(x)}, 2, peers=peers)
    batch = fit_each(beyond_peers(y, peers), np.stack([beyond_peers(one, peers) for one in x]), 2, peers)
    for number, lag in np.ndindex(3, 2):
        rows = rows_of(y, lagged(x[number], lag + 1), peers=peers)
        estimate = fit(rows.y, rows.X, person=rows.person, period=rows.period).at(0)
        assert (batch.coef[number, lag], batch.se[number, lag]) == pytest.approx(
            (estimate.value, estimate.se), rel=1e-8
        )
        cell = found.set_index(["kpi", "lag"]).loc[(str(number), lag + 1)]
        assert cell["p"] == pytest.approx(estimate.p, rel=1e-8)
        assert cell["se"] / cell["effect"] == pytest.approx(estimate.se / estimate.value, rel=1e-8)
    assert batch.left == pytest.approx(np.full((3, 2), 1 - 1 / size))


def test_with_holes_the_map_counts_every_month_that_a_team_has():
    rng = np.random.default_rng(9)
    peers = np.repeat(np.arange(3), 5)
    y, x = (with_holes(rng, values) for values in rng.normal(size=(2, 15, 12)))
    y[:5, 5:], y[5:10, :3] = np.nan, np.nan
    plain, counted = (fit_each(y, x[None], 1, each) for each in (None, peers))
    rows = rows_of(y, lagged(x, 1))
    of_everybody = not_nested(rows.person, rows.period)
    _, own = coded(np.isfinite(y) & np.isfinite(lagged(x, 1)), peers)
    assert len(own) == len(rows.y)
    free = len(rows.y) - 1 - np.array([of_everybody, not_nested(rows.person, own)])
    assert counted.coef == pytest.approx(plain.coef)
    assert counted.se / plain.se == pytest.approx(np.sqrt(free[0] / free[1]))
    assert counted.left[0, 0] == pytest.approx(beyond_periods(rows.person, own))


def test_the_family_is_judged_by_what_months_of_teams_leave():
    rng = np.random.default_rng(10)
    peers = np.repeat(np.arange(6), 4)
    y, x = rng.normal(size=(24, 18)), rng.normal(size=(6, 24, 18))
    family = {str(number): one for number, one in enumerate(x)}
    verdicts = pd.DataFrame({"kpi": list(family), "p": 0.0, "q": 0.0, "lags": 1})
    _, found = in_view_of_all(verdicts, y, family, peers)
    scores = [joint_scores(y, one, 1, peers)[0][by_results(y)] for one in x]
    assert found == pytest.approx(familywise_p(scores, np.full(6, 3 / 4)))
    assert found.min() > familywise_p(scores).min()
    of_map = screen(y, family, 1, peers=peers)
    scores = fit_each(beyond_peers(y, peers), np.stack([beyond_peers(one, peers) for one in x]), 1).scores
    order = by_results(beyond_peers(y, peers))
    strict = familywise_p(scores[:, 0, order, None], np.full(6, 3 / 4))
    assert of_map["familywise_p"].to_numpy() == pytest.approx(np.maximum(strict, of_map["p"]))


@pytest.mark.slow
@pytest.mark.parametrize("size", [4, 5, 8])
def test_what_stands_beside_is_honest_with_teams(size):
    """400 worlds of 40 people without any effect; the bounds are the 99.8 % range of a true 5 %, and of cells near it."""
    peers, found = np.repeat(np.arange(40 // size), size), []
    for number in range(400):
        rng = np.random.default_rng([7, number])
        y, *x = (autoregressive(rng, (40, 24), rho) for rho in (0.3, *[0.4] * 20))
        scores, left = zip(*(joint_scores(y, one, 1, peers) for one in x))
        of_map = screen(y, {str(number): one for number, one in enumerate(x)}, 1, peers=peers, draws=499)
        granger = (juodis_karavias_sarafidis(y, x[0], lags, peers).p for lags in (1, 2))
        strict = familywise_p(scores, np.array(left), draws=499).min(), of_map["familywise_p"].min()
        found.append([*(p <= 0.05 for p in (*granger, *strict)), np.mean(of_map["p"] <= 0.05)])
    shares = np.mean(found, axis=0)
    print(size, shares)
    assert np.all(shares[:4] <= 0.0875) and np.all(shares[:4] >= 0.02)
    assert 0.04 <= shares[4] <= 0.06


@pytest.mark.parametrize("by_team", [False, True])
def test_leaving_out_equals_refitting(by_team):
    rng = np.random.default_rng(2)
    y, x = (with_holes(rng, values) for values in rng.normal(size=(2, 24, 16)))
    peers = np.array([0, 1, 2, 3] * 6)
    units = peers if by_team else np.arange(24)
    found = leave_one_out(y, x, 2, units if by_team else None, peers)
    sums = []
    for unit in np.unique(units):
        kept = units != unit
        rows = rows_of(y[kept], *history(y[kept], x[kept], 2), peers=np.unique(peers[kept], return_inverse=True)[1])
        sums.append(fit(rows.y, rows.X[:, :2], person=rows.person, period=rows.period).coef.sum())
    assert (found.lowest, found.highest) == pytest.approx((min(sums), max(sums)))
    least = min(sums) if found.total > 0 else max(sums)
    assert found.share_left == pytest.approx(least / found.total)


def test_a_team_whose_months_fall_apart_is_left_out_whole():
    # the old ones' last rows are over before the new ones' first: no month of the team has both
    rng = np.random.default_rng(5)
    y, x = rng.normal(size=(2, 20, 20))
    teams = np.repeat([0, 1], [8, 12])
    y[:4, 9:] = x[:4, 9:] = y[4:8, :8] = x[4:8, :8] = np.nan
    y[:8, 1:] += np.nan_to_num(x[:8, :-1])
    found = leave_one_out(y, x, 1, teams, teams)
    rows = rows_of(y[8:], *history(y[8:], x[8:], 1))
    alone = fit(rows.y, rows.X[:, :1], person=rows.person, period=rows.period).coef[0]
    assert min(abs(found.lowest - alone), abs(found.highest - alone)) < 1e-9
    assert found.share_left < 0.5


def shares(worlds_drawn, lags, *, effect=0.0):
    """Of the joint test at 5 %, and of intervals that hold the truth: with months of everybody, and of every team."""
    found = {"everybody": [], "team": []}
    for number in range(worlds_drawn):
        rng = np.random.default_rng([3, number])
        teams = np.sort(np.r_[np.arange(5 + number % 4), rng.integers(0, 5 + number % 4, 40 - 5 - number % 4)])
        y, x = panel_of_teams(rng, teams, effect=effect)
        for name, peers in (("everybody", None), ("team", peers_of(teams, np.isfinite(y)))):
            fitted = fit_lags(y, x, lags, peers)
            low, high = fitted.total.interval()
            found[name].append((fitted.joint.p <= 0.05, low <= effect <= high))
    return {name: np.mean(each, axis=0) for name, each in found.items()}


def test_months_of_a_team_are_not_taken_for_many_witnesses():
    found = shares(60, 1)
    assert found["team"][0] <= 0.12 and found["team"][1] >= 0.88
    assert found["everybody"][0] > found["team"][0]


@pytest.mark.slow
@pytest.mark.parametrize("lags", [1, 3])
def test_the_test_is_honest_where_teams_share_their_months(lags):
    """400 worlds of 40 people in 5 to 8 teams; the bounds are the 99.8 % range of a true 5 %."""
    found = shares(400, lags)
    print(lags, found)
    assert found["team"][0] <= 0.09 and found["team"][1] >= 0.91
    assert found["everybody"][0] >= 0.10 and found["everybody"][1] <= 0.90


def test_a_world_of_teams_has_a_kpi_that_works_in_one_of_them():
    given = World("teams", people=60, periods=400, noise=1, beta=0.3, team_share=0.3, teams=(20, 20, 20))
    drawn = draw(given, np.random.default_rng(4))
    wide = drawn.panel.pivot_table(index="entity_id", columns=["kpi", "period"], values="value")
    y, x = wide["revenue"].to_numpy(), wide["one_team"].to_numpy()
    teams = np.array([int(drawn.teams[person][-3:]) for person in wide.index])
    slopes = [fit_lags(y[teams == team], x[teams == team], 1).total.value for team in range(3)]
    assert slopes == pytest.approx([0.9, 0, 0], abs=0.05)
    assert fit_lags(y, x, 1, teams).total.value == pytest.approx(0.3, abs=0.05)
    assert worlds("teams").sizes == (7, 7, 7, 7, 6, 6)


def test_an_effect_of_which_less_than_half_is_left_without_a_team_is_no_prediction():
    arrays = world(np.random.default_rng(11))
    most = arrays["revenue"].copy()
    most[:10, 1:] += 3 * arrays["driver"][:10, :-1]
    most[10:, 1:] += 0.2 * arrays["driver"][10:, :-1]
    rows = panel_of({**arrays, "revenue": most})
    teams = {person: f"team{number // 10}" for number, person in enumerate(sorted(set(rows["entity_id"])))}
    found = study(rows, outcome="revenue", kpis=["driver"], asof=recorded(rows), teams=teams)
    one = found.findings.set_index("test").loc["without_one_team"]
    assert one["ci_low"] > 0 and not found.verdicts.loc[0, "same_sign"]
    assert (found.verdicts.loc[0, "code"], found.verdicts.loc[0, "gate"]) == ("C", "stability")


def test_a_kpi_that_only_one_team_uses_is_no_prediction_for_the_others():
    arrays = world(np.random.default_rng(11))
    tool = np.where(np.arange(len(arrays["driver"]))[:, None] < 8, arrays["driver"] - arrays["driver"].min(), 0.0)
    arrays["revenue"][:, 1:] += 2 * tool[:, :-1]
    rows = panel_of({"revenue": arrays["revenue"], "tool": tool})
    teams = {person: f"team{number // 8}" for number, person in enumerate(sorted(set(rows["entity_id"])))}
    found = study(rows, outcome="revenue", kpis=["tool"], asof=recorded(rows), teams=teams).verdicts.loc[0]
    assert found["q"] < 0.001 and not found["same_sign"]
    assert (found["code"], found["gate"]) == ("C", "stability")


def test_a_kpi_that_moves_for_whole_teams_is_said_to_do_so_and_no_gaps_are_blamed():
    arrays = world(np.random.default_rng(12))
    people, months = arrays["revenue"].shape
    of_team = np.repeat(np.arange(people // 5), 5)
    campaign = np.random.default_rng(13).normal(size=(people // 5, months))[of_team]
    trend = np.outer(np.arange(people), np.arange(months))
    rows = panel_of({**arrays, "campaign": campaign, "trend": trend})
    teams = {person: f"team{of_team[number]}" for number, person in enumerate(sorted(set(rows["entity_id"])))}
    within_teams = study(rows, outcome="revenue", kpis=["campaign", "trend", "driver"], teams=teams).verdicts
    gates = dict(zip(within_teams["kpi"], within_teams["gate"], strict=True))
    assert gates["campaign"] == "whole_teams" and gates["trend"] == "not_estimable"
    told = within_teams.set_index("kpi").loc["campaign"]
    assert told["code"] == "N" and np.isnan(told["q"])
    assert "whole teams at once" in told["sentence_en"] and "整个团队一起变动" in told["sentence_zh"]
    everybody = study(rows, outcome="revenue", kpis=["campaign"]).verdicts
    assert everybody.loc[0, "code"] != "N", "without teams it can be estimated"


def test_moving_as_one_is_asked_of_those_who_have_colleagues():
    rng = np.random.default_rng(14)
    peers = np.array([0] * 5 + [1] * 5 + [2])
    y, of_team = rng.normal(size=(11, 20)), rng.normal(size=(3, 20))[peers]
    by_person = np.repeat(rng.normal(size=(11, 1)), 20, axis=1)
    assert moves_as_one(y, of_team + by_person, peers)
    assert moves_as_one(with_holes(rng, y), with_holes(rng, of_team), peers)
    one_apart = of_team.copy()
    one_apart[3, 7] += 1
    assert not moves_as_one(y, one_apart, peers)
    alone = by_person.copy()
    alone[10] = of_team[10]
    assert not moves_as_one(y, alone, peers), "only who has no colleague moves"
    assert not moves_as_one(y, by_person + rng.normal(size=20), peers), "it moves for everybody"


@pytest.mark.parametrize("alone", [None, "head office"])
def test_who_has_no_colleague_is_not_counted_and_no_gaps_alone_are_blamed(alone):
    rows = panel_of(world(np.random.default_rng(15), 8, 24))
    people = sorted(set(rows["entity_id"]))
    teams = dict.fromkeys(people[:7], "a") | ({people[7]: alone} if alone else {})
    (told,) = study(rows, outcome="revenue", kpis=["driver"], teams=teams).verdicts.to_dict("records")
    assert (told["gate"], told["n_people"]) == ("people", 7)
    assert "a colleague to be compared with" in told["sentence_en"] and "有同事可比" in told["sentence_zh"]
    (every,) = study(rows, outcome="revenue", kpis=["driver"]).verdicts.to_dict("records")
    assert every["n_people"] == 8
