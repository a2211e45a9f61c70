"""Event studies of staggered changes: two roads to each number, and worlds in which the effect is known (AC22)."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from golden.scheme_changes import MONTHS, errors, starts_of, teams_of, under_change

from kpi_research.evidence.event_study import AFTER, comparison, effect_of, event_study, honest_ends
from kpi_research.evidence.few_teams import wild_bootstrap
from kpi_research.evidence.fixed_effects import NotEstimableError, fit
from kpi_research.evidence.grid import rows_of
from kpi_research.evidence.wild_interval import ALPHA, contrast_of, ratio_ends

ONE_A_TEAM = (12, 14, 16, 18, 20, 22, 24, 26)
"""Every team has a month of its own, as when a scheme is rolled out team by team."""


def steady(since, start):
    return 0.5 + 0.0 * since


def growing(since, start):
    """Grows by the month, and is twice as large for those who changed early."""
    return 0.1 * (1 + since) * np.where(start < 18, 2.0, 1.0)


def world(seed, effect=steady, *, people=48, teams=12, unchanged=4, dates=(15, 18, 21, 24), **options):
    """Outcome, starts and teams by person, and the true effects."""
    rng = np.random.default_rng(seed)
    team = teams_of(people, teams)
    start = starts_of(teams, unchanged, dates)[team]
    true = under_change(start, effect)
    return errors(rng, team, **options) + true, start, team, true


def true_effect(made, start, true):
    """The mean of the true effects over the person-months that the effect is the mean of."""
    since = (np.arange(MONTHS) - start[:, None]).ravel()[made.kept]
    return true.ravel()[made.kept][made.is_after & (since < 6 * len(AFTER))].mean()


@pytest.fixture
def holes():
    """A tenth of the cells missing, people who come late, and cohorts of unequal size."""
    y, start, team, _ = world(5, dates=(15, 15, 18, 24))
    rng = np.random.default_rng(6)
    y[rng.random(y.shape) < 0.1] = np.nan
    y[3, :20] = np.nan
    return y, start, team


def test_cells_equal_pyfixests_saturated_event_study(holes):
    """Sun and Abraham's regression by single months, every cohort and month."""
    pyfixest = pytest.importorskip("pyfixest")
    y, start, team = holes
    y, start = y[:, 10:28], np.minimum(start - 10, 18)
    # theirs takes a person's first month on file after the change for the month of the change
    there = start < 18
    y[there, start[there]] = 0.5
    made = comparison(np.isfinite(y), start, team, bin_months=1, before=99, after=99)
    ours = dict(zip(made.cells, np.linalg.solve(made.X.T @ made.X, made.X.T @ y.ravel()[made.kept])))
    people, months = y.shape
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(people), months),
            "month": np.tile(np.arange(months), people),
            "cohort": np.where(start < months, start, 0).repeat(months),
            "team": team.repeat(months),
            "y": y.ravel(),
        }
    ).dropna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pyfixest.event_study(frame, "y", "unit", "month", "cohort", estimator="saturated", cluster="team")
    seen = 0
    for name, value in theirs.coef().items():
        since, cohort = re.match(r"rel_time::(-?\d+)\.0:.*::(\d+)$", name).groups()
        assert ours[int(cohort), int(since)] == pytest.approx(value, abs=1e-6)
        seen += 1
    assert seen == len(ours) == 3 * 17


def test_the_effect_is_a_coefficient_of_the_plain_regression_where_there_is_one_cohort():
    """Then averages need no other weights, and value and error are those of the regression on half-years itself."""
    y, start, team, _ = world(7, dates=(18,))
    made = comparison(np.isfinite(y), start, team)
    columns = [
        np.isin(np.floor_divide(np.arange(MONTHS) - 18, 6), each)[None] & (start == 18)[:, None]
        for each in (0, 1, -2, -3)
    ]
    rows = rows_of(
        np.where((start == 18)[:, None] & (np.arange(MONTHS) >= 30), np.nan, y), *(each * 1.0 for each in columns)
    )
    codes = {"person": rows.person, "period": rows.period, "cluster": team[rows.person]}
    usual = fit(rows.y, rows.X, **codes).at(0)
    ours = effect_of(y, made)
    assert (ours.value, ours.se) == (pytest.approx(usual.value), pytest.approx(usual.se))
    wild = wild_bootstrap(rows.y, rows.X, 0, **codes, seed=20260801, draws=1999)
    assert ours.p == wild.p


def test_the_effect_by_hand():
    """Two cohorts, balanced and without noise: the mean over changed people of what each rose beyond the unchanged."""
    y, start, team, _ = world(8, people=12, dates=(12, 18))
    y = np.arange(12.0)[:, None] + np.sin(np.arange(MONTHS)) + under_change(start, growing)
    made = comparison(np.isfinite(y), start, team)
    gains = []
    for person in np.flatnonzero(start < MONTHS):
        since = start[person]
        unchanged = y[start >= since + 6]
        own = y[person, since : since + 6].mean() - y[person, since - 6 : since].mean()
        gains.append(own - (unchanged[:, since : since + 6].mean() - unchanged[:, since - 6 : since].mean()))
    assert made.regression(y, made.weights_of(AFTER)).X.shape[1] > 1
    assert fit_value(y, made) == pytest.approx(np.mean(gains), abs=1e-9)


def fit_value(y, made):
    asked = made.regression(y, made.weights_of(AFTER))
    return fit(asked.y, asked.X, person=asked.person, period=asked.period, cluster=asked.team).at(0).value


def test_levels_of_people_and_months_and_the_order_of_people_change_nothing(holes):
    y, start, team = holes
    found = fit_value(y, comparison(np.isfinite(y), start, team))
    rng = np.random.default_rng(1)
    moved = y + rng.normal(size=(len(y), 1)) * 100 + rng.normal(size=y.shape[1]) * 100
    assert fit_value(moved, comparison(np.isfinite(y), start, team)) == pytest.approx(found, abs=1e-9)
    order = rng.permutation(len(y))
    again = fit_value(y[order], comparison(np.isfinite(y[order]), start[order], team[order]))
    assert again == pytest.approx(found, abs=1e-9)


def test_nobody_is_compared_with_who_has_changed():
    """Where all change in the end, the last teams are compared with until then and nothing is said of after."""
    y, start, team, _ = world(9, unchanged=0, dates=(15, 24))
    made = comparison(np.isfinite(y), start, team)
    assert made.kept.max() % MONTHS < 24 and {cohort for cohort, _ in made.cells} == {15}
    changed = np.where((start == 24)[:, None] & (np.arange(MONTHS) >= 24), 1e6, y)
    assert fit_value(changed, comparison(np.isfinite(y), start, team)) == pytest.approx(fit_value(y, made))


def test_nothing_to_compare_is_refused():
    y, _, team, _ = world(10)
    for start in (np.full(len(y), MONTHS), np.full(len(y), 18)):
        with pytest.raises(NotEstimableError):
            comparison(np.isfinite(y), start, team)


def test_few_teams_have_no_interval():
    y, start, team, _ = world(11, teams=5, unchanged=2)
    found = event_study(y, comparison(np.isfinite(y), start, team))
    assert np.isfinite(found.effect.value) and np.isnan([found.effect.low, found.effect.p, found.honest_low]).all()
    assert found.effect.sign == 0


def test_an_interval_is_what_the_bootstrap_does_not_reject():
    y, start, team, _ = world(12)
    made = comparison(np.isfinite(y), start, team)
    asked = made.regression(y, made.weights_of(AFTER))
    found = contrast_of(asked)
    assert found.low < found.value < found.high
    for end, step in ((found.low, -1), (found.high, 1)):
        assert asked.p_of(end + 0.05 * step * found.se) <= ALPHA < asked.p_of(end - 0.05 * step * found.se)
    assert (found.p <= ALPHA) == (found.sign != 0)


def test_one_changed_team_of_many_is_on_the_safe_side():
    """The bootstrap can hardly reject anything then, and the interval says so by having no end."""
    y, start, team, _ = world(13, unchanged=11, dates=(18,))
    found = effect_of(y, comparison(np.isfinite(y), start, team))
    assert found.high - found.low > 6 * found.se and found.p > 0.01


def test_a_ratio_of_two_changes_and_its_interval():
    """Outcome three times the KPI: the ratio is 3, and its interval holds it."""
    y, start, team, _ = world(14, lambda since, start: 3.0 + 0 * since)
    x, *_ = world(15, lambda since, start: 1.0 + 0 * since)
    made = comparison(np.isfinite(y), start, team)
    over, under = (made.regression(each, made.weights_of(AFTER)) for each in (y, x))
    low, high = ratio_ends(over, under.y)
    assert low < 3 < high < 6
    assert ratio_ends(under, over.y) == pytest.approx((1 / high, 1 / low), rel=0.02)


def test_teams_that_drifted_apart_before_have_a_wider_honest_interval():
    """A slope that goes on through the change looks like an effect; it is in the trend, and the honest interval has zero."""
    y, start, team, _ = world(16, lambda since, start: 0.0 * since, shock=0.1)
    slope = 0.1 * np.where(start < MONTHS, 1.0, 0.0)[:, None] * np.arange(MONTHS)
    found = event_study(y + slope, comparison(np.isfinite(y), start, team))
    assert found.effect.low > 0, "it looks like an effect"
    assert found.honest_low < 0, "and is none"
    assert found.trend.slope.low > 0.05 and found.trend.slope.value == pytest.approx(0.1, abs=0.03)
    assert found.trend.visible_bias == pytest.approx(6 * found.trend.visible_slope)


def test_honest_ends_by_hand():
    """Hardly any noise, and changed teams that gain .6 on the others every half-year: the bias is just what is allowed."""
    y, start, team, _ = world(19, lambda since, start: 2.0 + 0 * since)
    drift = 0.1 * np.where(start < MONTHS, 1.0, 0.0)[:, None] * np.arange(MONTHS)
    clean = 1e-4 * y + under_change(start, lambda since, start: 2.0 + 0 * since) + drift
    made = comparison(np.isfinite(y), start, team)
    assert fit_value(clean, made) == pytest.approx(2.6, abs=0.01)
    assert honest_ends(clean, made) == pytest.approx((2.0, 3.2), abs=0.03)
    assert honest_ends(clean, made, 0.5) == pytest.approx((2.3, 2.9), abs=0.03)


@pytest.mark.slow
def test_honest_intervals_hold_what_they_allow():
    """A drift that goes on as before is the largest bias allowed at one: the truth is left out in no more than 5 %."""
    held = 0
    for seed in range(60):
        y, start, team, _ = world(seed, lambda since, start: 0.0 * since, shock=0.1)
        drift = 0.1 * np.where(start < MONTHS, 1.0, 0.0)[:, None] * np.arange(MONTHS)
        low, high = honest_ends(y + drift, comparison(np.isfinite(y), start, team))
        held += low <= 0 <= high
    assert held >= 57


def test_honest_ends_widen_with_what_is_allowed():
    y, start, team, _ = world(17)
    made = comparison(np.isfinite(y), start, team)
    found = effect_of(y, made)
    widths = [np.diff(honest_ends(y, made, m_bar)) for m_bar in (0.0, 0.5, 1.0)]
    assert found.high - found.low == pytest.approx(widths[0][0], rel=0.02)
    assert widths[0] < widths[1] < widths[2]


def test_without_two_half_years_before_nothing_is_said_of_trends():
    y, start, team, _ = world(18, dates=(6,))
    found = event_study(y, comparison(np.isfinite(y), start, team))
    assert found.trend is None and np.isnan([found.honest_low, found.honest_high]).all()
    assert (found.n_teams, found.n_changed_teams, found.n_people, found.n_periods) == (12, 8, 48, MONTHS)


def two_way(y, start, made):
    """What one coefficient for "after the change" gives, with person and month effects: not to be used."""
    after = (np.arange(MONTHS) >= start[:, None]).astype(float)
    rows = rows_of(y, after)
    return fit(rows.y, rows.X, person=rows.person, period=rows.period).at(0).value


def test_one_coefficient_for_after_goes_wrong_where_effects_grow():
    """Goodman-Bacon (2021): late teams are compared with early ones that are still rising."""

    def fading_in(since, start):
        return 0.15 * (1 + since)

    ours, theirs, true = [], [], []
    for seed in range(6):
        y, start, team, effects = world(seed, fading_in, unchanged=0, dates=(12, 18, 24, 30))
        made = comparison(np.isfinite(y), start, team)
        ours.append(fit_value(y, made))
        true.append(true_effect(made, start, effects))
        theirs.append(two_way(y, start, made))
    assert np.mean(ours) == pytest.approx(np.mean(true), abs=0.15)
    assert np.mean(theirs) < 0.6 * np.mean(true), "less than even the first half-year's, the smallest there is"


def covered(draws, effect, first_seed, **options):
    """Share of simulated companies whose interval holds the true effect, and the mean error in mean standard errors."""
    hits, off, sizes = 0, [], []
    for seed in range(first_seed, first_seed + draws):
        y, start, team, effects = world(seed, effect, **options)
        made = comparison(np.isfinite(y), start, team)
        true = true_effect(made, start, effects)
        asked = made.regression(y, made.weights_of(AFTER))
        hits += asked.p_of(true) > ALPHA
        first = fit(asked.y, asked.X, person=asked.person, period=asked.period, cluster=asked.team).at(0)
        off.append(first.value - true)
        sizes.append(first.se)
    return hits / draws, float(np.mean(off) / np.mean(sizes))


@pytest.mark.parametrize("effect", [steady, growing])
def test_the_true_effect_is_found(effect):
    share, bias = covered(40, effect, 100)
    assert share >= 0.85 and abs(bias) < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("effect", [steady, growing])
@pytest.mark.parametrize("options", [{}, {"teams": 12, "dates": ONE_A_TEAM}, {"teams": 8, "unchanged": 3}])
def test_coverage(effect, options):
    """AC22, cohorts of several teams and of one: the interval holds the truth in about 95 %, without bias."""
    share, bias = covered(600, effect, 10_000, **options)
    assert 0.92 <= share <= 0.99 and abs(bias) < 0.15, (share, bias)
