"""The batch gives the numbers of one regression after another; the map of KPIs by lags keeps what it promises."""

import itertools

import numpy as np
import pytest
from scipy import special, stats
from statsmodels.stats.multitest import multipletests

from kpi_research.evidence import batch
from kpi_research.evidence.batch import fit_each
from kpi_research.evidence.fixed_effects import NotEstimableError, fit, within
from kpi_research.evidence.grid import lagged, rows_of
from kpi_research.evidence.lags import fit_lags
from kpi_research.evidence.screen import SCREEN_COLUMNS, screen
from kpi_research.evidence.simulate import autoregressive
from kpi_research.evidence.stepdown import by_results, familywise_p, joint_scores

ALPHA = 0.05
LAGS = 3


def world(rng, people=40, periods=24, kpis=20, *, effects=(), together=0.7, skewed=False):
    """KPIs that share a part, and a result on which the first of them have `effects` one period later."""
    shape = (people, periods)
    shared = autoregressive(rng, shape, 0.4)
    x = np.sqrt(together) * shared + np.sqrt(1 - together) * autoregressive(rng, (kpis, *shape), 0.4)
    error = autoregressive(rng, shape, 0.3)
    y = (np.exp(error) if skewed else error) + rng.normal(size=(people, 1)) + 0.3 * rng.normal(size=(1, periods))
    for effect, one in zip(effects, x):
        y[:, 1:] += effect * one[:, :-1]
    return y, x + rng.normal(size=(kpis, people, 1))


def panel(kind: str):
    """A result and six KPIs whose first two are a person's and a period's constant."""
    rng = np.random.default_rng(11)
    y, x = world(rng, 15, 9, 6)
    x = 1000 + 50 * x
    x[0], x[1] = x[0, :, :1], x[1, :1]
    hole = rng.random(y.shape) < 0.15
    if kind in ("holes in common", "holes of everything"):
        y, x = np.where(hole, np.nan, y), np.where(hole, np.nan, x)
    if kind in ("holes of each", "holes of everything"):
        x = np.where(rng.random(x.shape) < 0.2, np.nan, x)
    if kind == "islands":
        y[:8, 4:], y[8:, :5] = np.nan, np.nan
        x[3, 8:] = np.nan
    if kind == "sparse":
        x = np.where(rng.random(x.shape) < 0.7, np.nan, x)
    return y, x


KINDS = ["complete", "holes in common", "holes of each", "holes of everything", "islands", "sparse"]


def one_by_one(y, x, lag):
    """Coefficient, error and sizes by the regression that the batch stands for; nothing where it refuses."""
    rows = rows_of(y, lagged(x, lag))
    try:
        found = fit(rows.y, rows.X, person=rows.person, period=rows.period).at(0)
    except NotEstimableError:
        return None
    return found.value, found.se, len(rows.y), rows.n_people, rows.n_periods


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block_bytes", [batch.BLOCK_BYTES, 1])
def test_the_batch_is_one_regression_after_another(kind, block_bytes, monkeypatch):
    monkeypatch.setattr(batch, "BLOCK_BYTES", block_bytes)
    y, x = panel(kind)
    found, estimated = fit_each(y, x, LAGS), 0
    for k, lag in itertools.product(range(len(x)), range(1, LAGS + 1)):
        at, expected = (k, lag - 1), one_by_one(y, x[k], lag)
        if expected is None:
            assert np.isnan(found.coef[at]) and np.isnan(found.se[at]) and not found.scores[at].any()
        else:
            sizes = found.n_rows[at], found.n_people[at], found.n_periods[at]
            assert (found.coef[at], found.se[at]) == pytest.approx(expected[:2], rel=1e-8)
            assert sizes == expected[2:]
            estimated += 1
    assert np.isnan(found.coef[:2]).all()
    assert estimated >= (3 if kind in ("islands", "sparse") else 12)


def test_what_is_left_of_kpi_and_result_and_the_scores():
    y, x = panel("holes of each")
    found = fit_each(y, x, 2)
    rows = rows_of(y, lagged(x[4], 2))
    left = within(np.column_stack([rows.y, rows.X]), rows.person, rows.period)
    assert (found.sd_y[4, 1], found.sd_x[4, 1]) == pytest.approx(np.sqrt(np.mean(left**2, axis=0)))
    scores = np.bincount(rows.person, weights=left.prod(axis=1))
    assert found.scores[4, 1][found.scores[4, 1] != 0] == pytest.approx(scores)


def test_neither_persons_nor_periods_nor_units_change_an_effect():
    y, x = panel("holes of everything")
    rng = np.random.default_rng(2)
    plain = fit_each(y, x[2:], LAGS)
    moved = fit_each(3 * y + rng.normal(size=(15, 1)), x[2:] / 7 + 100 * rng.normal(size=(1, 9)), LAGS)
    assert moved.coef == pytest.approx(21 * plain.coef, rel=1e-9)
    assert moved.se == pytest.approx(21 * plain.se, rel=1e-9)


def test_what_cannot_be_estimated_is_no_number():
    rng = np.random.default_rng(3)
    y, x = world(rng, 6, 5, 2)
    perfect = np.stack([x[0], lagged(x[0], -1)])
    cases = {
        "no result": (np.full(y.shape, np.nan), x),
        "a result that never moves": (np.ones(y.shape), x),
        "a result of persons and periods alone": (y[:, :1] + y[:1] / 3, x),
        "two people": (y[:2], x[:, :2]),
        "one person": (y[:1], x[:, :1]),
        "a KPI that is the result": (x[0], perfect),
    }
    for name, (result, kpis) in cases.items():
        assert np.isnan(fit_each(result, kpis, 1).se[-1]).all(), name
    beyond = fit_each(y, x, 9)
    assert np.isnan(beyond.coef[:, 4:]).all() and not beyond.n_rows[:, 4:].any()
    for wrong in ((y[:3], x, 1), (y, x, 0)):
        with pytest.raises(ValueError):
            fit_each(*wrong)


def test_all_signs_of_few_people_give_the_exact_p():
    parts = [np.ones((5, 1)), np.array([[3.0], [1.0], [1.0], [1.0], [-2.0]])]
    assert familywise_p(parts[:1])[0] == 1 / 16
    signs = np.array(list(itertools.product([1, -1], repeat=4)))
    signs = np.column_stack([signs, np.ones(16)])
    drawn = np.column_stack([(signs @ part[:, 0]) ** 2 / (part**2).sum() for part in parts])
    # (N-2)/(N-1) of the odds of 16 : 64 of all, of N = 5 people
    second = 5 * (0.2 * 0.75) / (1 - 0.2 + 0.2 * 0.75)
    assert familywise_p(parts) == pytest.approx([np.mean(drawn.max(axis=1) >= 5), np.mean(drawn[:, 1] >= second)])


def test_a_person_s_own_share_in_the_periods_means_is_allowed_for():
    parts = np.array([0.3, 2.1, 1.2, 0.7, -0.2, 1.6, 0.9, -1.1])[:, None]
    signs = np.array(list(itertools.product([1, -1], repeat=7)))
    drawn = (np.column_stack([signs, np.ones(128)]) @ parts[:, 0]) ** 2 / (parts**2).sum()
    share = parts.sum() ** 2 / (parts**2).sum() / 8
    odds = share / (1 - share) * 6 / 7
    expected = np.mean(drawn >= 8 * odds / (1 + odds))
    assert familywise_p([parts]) == pytest.approx([expected])
    assert expected > np.mean(drawn >= 8 * share)


def test_of_small_teams_a_person_s_own_share_is_larger():
    parts = np.array([0.3, 2.1, 1.2, 0.7, -0.2, 1.6, 0.9, -1.1])[:, None]
    signs = np.column_stack([np.array(list(itertools.product([1, -1], repeat=7))), np.ones(128)])
    drawn = (signs @ parts[:, 0]) ** 2 / (parts**2).sum()
    share = parts.sum() ** 2 / (parts**2).sum() / 8
    # two teams of four: (8 3/4 - 1) / 7 of the odds
    odds = share / (1 - share) * 5 / 7
    expected = np.mean(drawn >= 8 * odds / (1 + odds))
    assert familywise_p([parts], np.array([3 / 4])) == pytest.approx([expected])
    assert expected > familywise_p([parts])[0] == familywise_p([parts], np.array([7 / 8]))[0]


def test_what_is_no_stronger_has_no_smaller_p():
    one = np.random.default_rng(14).normal(0.3, 1.0, (30, 1))
    other = np.roll(one, 7, axis=0)
    alone, both = familywise_p([one])[0], familywise_p([one, other])
    assert both[0] == both[1] > alone


def test_step_down_follows_romano_and_wolf_one_hypothesis_at_a_time():
    y, x = world(np.random.default_rng(5), 12, 16, 4, effects=(0.3, 0.2))
    scores = list(fit_each(y, x, 1).scores.reshape(-1, 12, 1))
    adjusted = familywise_p(scores)
    order = np.argsort(adjusted, kind="stable")
    for place in range(len(scores)):
        remaining = [scores[each] for each in order[place:]]
        # alone among those left the strongest has its step's p; the whole procedure never goes down again
        assert adjusted[order[place]] == pytest.approx(max(familywise_p(remaining)[0], *adjusted[order[:place]], 0))
    assert familywise_p(scores[::-1]) == pytest.approx(adjusted[::-1])
    assert familywise_p(scores[:1])[0] <= adjusted[0]


def test_a_hypothesis_of_nobody_is_not_counted():
    y, x = world(np.random.default_rng(6), 30, 12, 3)
    scores = [*fit_each(y, x, 1).scores.reshape(-1, 30, 1), np.zeros((30, 1))]
    found = familywise_p(scores)
    assert np.isnan(found[-1])
    assert found[:-1] == pytest.approx(familywise_p(scores[:-1]))
    assert np.isnan(familywise_p(scores[-1:])).all() and not len(familywise_p([]))


def false_finds(draws, **size):
    """Shares of data sets without any effect in which the step-down and Bonferroni's bound find something."""
    rng, found = np.random.default_rng(7), np.zeros(2)
    for _ in range(draws):
        y, x = world(rng, **size)
        made = fit_each(y, x, LAGS)
        strict = familywise_p(made.scores.reshape(-1, len(y), 1), draws=499)
        p = 2 * special.stdtr(made.n_people - 1, -np.abs(made.coef / made.se))
        found += strict.min() <= ALPHA, p.min() * p.size <= ALPHA
    return found / draws


def true_finds(draws):
    rng, found = np.random.default_rng(9), np.zeros(2)
    for _ in range(draws):
        y, x = world(rng, effects=(0.085, 0.085))
        made = fit_each(y, x, LAGS)
        strict = familywise_p(made.scores.reshape(-1, len(y), 1), draws=499).reshape(-1, LAGS)
        p = 2 * special.stdtr(made.n_people - 1, -np.abs(made.coef / made.se))
        found += np.mean(strict[:2, 0] <= ALPHA), np.mean(p[:2, 0] * p.size <= ALPHA)
    return found / draws


def most(draws):
    """5 % and two Monte-Carlo standard errors."""
    return ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / draws)


def test_chance_alone_is_rarely_called_a_find():
    strict, _ = false_finds(200)
    assert 0.01 <= strict <= most(200)


def test_more_is_found_than_by_bonferroni():
    strict, bonferroni = true_finds(60)
    assert strict > bonferroni + 0.03


@pytest.mark.slow
@pytest.mark.parametrize(
    "size",
    [
        {"people": 8},
        {"people": 12},
        {"people": 40},
        {"people": 40, "periods": 12},
        {"people": 12, "skewed": True},
        {"people": 40, "skewed": True},
        {"people": 40, "together": 0.0},
    ],
)
def test_familywise_error_at_every_size(size):
    strict, bonferroni = false_finds(2000, **size)
    assert 0.03 <= strict <= most(2000), (strict, bonferroni)


def test_joint_scores_are_those_of_the_study_s_test():
    y, x = panel("holes of each")
    scores, left_by_periods = joint_scores(y, x[3], 2)
    fitted = fit_lags(y, x[3], 2)
    rows = fitted.rows
    assert np.count_nonzero(scores.any(axis=1)) == rows.n_people
    restricted = fit(rows.y, rows.X[:, 2:], person=rows.person, period=rows.period)
    left = within(rows.X, rows.person, rows.period)
    assert left_by_periods == 1 - (rows.n_periods - 1) / (len(rows.y) - rows.n_people)
    assert scores.sum(axis=0) == pytest.approx(left[:, :2].T @ restricted.residuals, rel=1e-6)
    with pytest.raises(NotEstimableError):
        joint_scores(y, x[0], 2)
    with pytest.raises(NotEstimableError):
        joint_scores(y, np.full(y.shape, np.nan), 2)


def test_joint_tests_of_few_people_go_with_the_study_s_own_p():
    """Two roads to one question: Hotelling's F with errors from leaving out one person, and flipped signs."""
    rng, pairs = np.random.default_rng(8), []
    for _ in range(60):
        y, x = world(rng, 40, 20, 1, effects=(0.06,))
        scores, left = joint_scores(y, x[0], LAGS)
        pairs.append((fit_lags(y, x[0], LAGS).joint.p, familywise_p([scores], np.array([left]), draws=499)[0]))
    study, flipped = np.array(pairs).T
    assert stats.spearmanr(study, flipped).statistic > 0.95
    assert np.median(np.abs(study - flipped)) < 0.05


@pytest.mark.slow
def test_familywise_error_of_joint_tests_with_people_of_their_own():
    """Eight KPIs with two or three lags, each of which other people do not have."""
    rng, draws, found = np.random.default_rng(10), 600, 0
    for _ in range(draws):
        y, x = world(rng, 30, 20, 8)
        for k in range(8):
            x[k, 2 * k : 2 * k + 5] = np.nan
        scores, left = zip(*(joint_scores(y, one, 2 + k % 2) for k, one in enumerate(x)))
        found += familywise_p(scores, np.array(left), draws=499).min() <= ALPHA
    assert 0.02 <= found / draws <= most(draws)


def test_the_map_finds_the_planted_cell_at_its_lag():
    y, x = world(np.random.default_rng(12), effects=(0.35,), together=0.0)
    found = screen(y, {f"kpi_{k}": one for k, one in enumerate(x)}, LAGS)
    assert list(found.columns) == SCREEN_COLUMNS and len(found) == 60
    first = found.sort_values("familywise_p").iloc[0]
    assert (first["kpi"], first["lag"]) == ("kpi_0", 1) and first["familywise_p"] <= 0.01
    assert first["ci_low"] < first["effect"] < first["ci_high"]
    # one standard deviation within a person and period of either: .35 of about one in 1.06
    assert first["effect"] == pytest.approx(0.33, abs=0.06)
    strict = familywise_p(fit_each(y, x, LAGS).scores.reshape(-1, 40, 1)[:, by_results(y)])
    assert found["familywise_p"].to_numpy() == pytest.approx(np.maximum(strict, found["p"]))
    for name, method in (("q", "fdr_bh"), ("q_by", "fdr_by")):
        assert found[name].to_numpy() == pytest.approx(multipletests(found["p"], method=method)[1])
    again = screen(y, {f"kpi_{k}": x[k] for k in reversed(range(20))}, LAGS).sort_values(["kpi", "lag"])
    expected = found.sort_values(["kpi", "lag"])
    assert again["familywise_p"].to_numpy() == pytest.approx(expected["familywise_p"].to_numpy(), abs=1e-12)


def test_the_effect_is_what_the_two_have_in_common_beyond_person_and_period():
    y, x = panel("holes of everything")
    found = screen(y, {"one": x[3]}, 1).iloc[0]
    rows = rows_of(y, lagged(x[3], 1))
    left = within(np.column_stack([rows.y, rows.X]), rows.person, rows.period)
    assert found["effect"] == pytest.approx(np.corrcoef(left.T)[0, 1])
    estimate = fit(rows.y, rows.X, person=rows.person, period=rows.period).at(0)
    assert found["p"] == pytest.approx(estimate.p)
    low, high = estimate.scaled(found["effect"] / estimate.value).interval()
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((low, high))


def test_a_map_with_nothing_to_see():
    y, x = panel("complete")
    assert screen(y, {}, 2).empty
    for size in ((0, 5), (5, 0), (5, 1), (0, 0)):
        assert screen(np.empty(size), {"nobody": np.empty(size)}, 2)["p"].isna().all()
    found = screen(y, {"constant": x[0], "none": np.full(y.shape, np.nan)}, 2)
    assert found[["effect", "p", "q", "q_by", "familywise_p"]].isna().all().all()
    with pytest.raises(ValueError):
        screen(y, {"short": x[0][:3]}, 2)
