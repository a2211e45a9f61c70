"""Four points of view on one KPI: against plain regressions, and in worlds in which they contradict or do not."""

from __future__ import annotations

import re

import numpy as np
import pytest
import statsmodels.api as sm
from golden.planted_worlds import autoregressive
from test_segments_section import shown

from kpi_research.evidence.between import fit_between
from kpi_research.evidence.fixed_effects import Estimate, NotEstimableError, fit
from kpi_research.evidence.grid import lagged, rows_of
from kpi_research.evidence.heterogeneity import Grouping
from kpi_research.evidence.outcome import outcome_of
from kpi_research.evidence.segments import segments
from kpi_research.evidence.simpson import PAIRS, Simpson, alert_of, simpson
from kpi_research.language import LANGUAGES

TEAMS = 8


def sellers(
    rng: np.random.Generator, between: float, inside: float, people: int = 40, periods: int = 24
) -> tuple[np.ndarray, np.ndarray, Grouping]:
    """Result and KPI: people with a unit more of the KPI have `between` more, their months with a unit more `inside`."""
    shape, team = (people, periods), np.arange(people) % TEAMS
    usual = rng.standard_normal((people, 1)) + 0.5 * rng.standard_normal((TEAMS, 1))[team]
    own, season = autoregressive(rng, shape, 0.4), 0.5 * np.sin(2 * np.pi * np.arange(periods) / 12)
    talent = rng.standard_normal((people, 1)) + 0.5 * rng.standard_normal((TEAMS, 1))[team]
    y = talent + between * usual + 0.3 * rng.standard_normal(periods)
    y = y + 0.5 * autoregressive(rng, shape, 0.7) + rng.standard_normal(shape)
    y[:, 1:] += inside * own[:, :-1]
    return y, usual + season + own, Grouping(team, tuple(map(str, range(TEAMS))))


def asked(rng: np.random.Generator, between: float, inside: float, **options) -> Simpson:
    y, x, teams = sellers(rng, between, inside, **options)
    return simpson(outcome_of(y), x, 3, teams)


def test_slopes_are_those_of_plain_regressions():
    y, x, teams = sellers(np.random.default_rng(1), -0.4, 0.3)
    y[2, 4:9] = np.nan
    found = simpson(outcome_of(y), x, 2, teams)
    before = (lagged(x, 1) + lagged(x, 2)) / 2
    rows = rows_of(y, before)
    inside = fit(rows.y, rows.X, person=rows.person, period=rows.period)
    assert found.slopes["within"].value == pytest.approx(inside.coef[0])
    known = np.isfinite(y) & np.isfinite(before)
    people = fit_between(np.where(known, y, np.nan), np.where(known, before, np.nan))
    assert found.slopes["people"] == people.estimate
    ours, groups = found.slopes["pooled"], np.column_stack([rows.person, rows.period])
    theirs = [
        sm.OLS(rows.y, sm.add_constant(rows.X)).fit(cov_type="cluster", cov_kwds={"groups": each})
        for each in (groups, rows.person)
    ]
    assert ours.value == pytest.approx(theirs[0].params[1])
    assert ours.se == pytest.approx(max(each.bse[1] for each in theirs), rel=1e-6)
    assert (found.n_people, found.n_rows, found.n_teams) == (40, len(rows.y), TEAMS)


def test_teams_of_one_are_people():
    y, x, _ = sellers(np.random.default_rng(2), -0.4, 0.3, people=12)
    alone = Grouping(np.arange(12), tuple(map(str, range(12))))
    found = simpson(outcome_of(y), x, 2, alone)
    assert found.slopes["teams"].value == pytest.approx(found.slopes["people"].value)


def test_strong_sellers_who_visit_less_make_a_table_of_months_say_the_opposite():
    rng = np.random.default_rng(3)
    found = [asked(rng, -1.2, 0.5) for _ in range(15)]
    assert {each.alert for each in found} <= {"pooled_within", "people_within"}
    assert sum(each.alert == "pooled_within" for each in found) >= 13
    assert found[0].slopes["within"].value > 0 > found[0].slopes["pooled"].value
    assert list(found[0].bins_x) == sorted(found[0].bins_x) and found[0].bins_y[0] > found[0].bins_y[-1]


def test_false_alarms_are_rare():
    rng = np.random.default_rng(4)
    alarms = [bool(asked(rng, 0.0, inside).alert) for inside in (0.0, 0.3) for _ in range(100)]
    assert np.mean(alarms) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("inside", [0.0, 0.15, 0.3, 0.5])
def test_how_often_nothing_is_called_a_contradiction(inside):
    rng = np.random.default_rng(7)
    rate = np.mean([bool(asked(rng, 0.0, inside).alert) for _ in range(1000)])
    print(inside, rate)
    assert rate <= 0.05


def estimate(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, (high - low) / 2 / 1.96, 10**6)


def test_an_alert_asks_for_two_intervals_on_opposite_sides():
    up, down, open_ = estimate(0.1, 0.5), estimate(-0.5, -0.1), estimate(-0.1, 0.5)
    nobody = {"pooled": None, "teams": None, "people": None, "within": None}
    assert alert_of(nobody) == ""
    assert alert_of({**nobody, "pooled": down, "within": open_}) == ""
    assert alert_of({**nobody, "pooled": up, "within": up, "people": up}) == ""
    for pair, (one, other) in PAIRS.items():
        assert alert_of({**nobody, one: up, other: down}) == pair
    assert alert_of({"pooled": down, "teams": down, "people": down, "within": up}) == "pooled_within"


def test_few_people_are_not_pictured_and_few_teams_not_compared():
    y, x, _ = sellers(np.random.default_rng(5), 0.0, 0.3, people=9)
    found = simpson(outcome_of(y), x, 2, Grouping(np.arange(9) % 3, ("a", "b", "c")))
    assert found.bins_x.size == 0 and found.slopes["teams"] is None and found.n_teams == 0
    with pytest.raises(NotEstimableError):
        simpson(outcome_of(np.full((9, 24), np.nan)), x, 2, None)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("alert", [*PAIRS])
def test_every_contradiction_has_its_words(alert, language):
    y, x, teams = sellers(np.random.default_rng(6), -0.8, 0.5)
    groups, views = segments(y, {"visits": x}, 3, {"team": teams}, n_tested=1)
    one, other = PAIRS[alert]
    views = views.assign(alert=alert, **{one: -1.0, f"{one}_high": -0.5, other: 1.0, f"{other}_low": 0.5})
    made = groups.assign(q_differ=1.0), views
    (block,) = shown(made, language, "manager").values()
    opposite = re.split("正好相反|the other way", block.text[0])
    assert ("越低" if language == "zh" else "a lower one") in opposite[0]
    assert ("高" if language == "zh" else "higher") in opposite[1]
    picture = shown(made, language, "analyst")["simpson_visits"].figure
    assert picture.svg.count("<path") >= 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_why_is_said_only_where_peoples_averages_show_it(language):
    y, x, teams = sellers(np.random.default_rng(6), -0.8, 0.5)
    made = segments(y, {"visits": x}, 3, {"team": teams}, n_tested=1)
    less, more, unknown = (
        ("偏低", "偏高", "说不出来") if language == "zh" else ("a low one", "a high one", "cannot say")
    )
    assert less in shown(made, language, "manager")["segments"].text[0]
    flipped = made[1].assign(pooled=1.0, people_low=0.1, people_high=1.0)
    assert more in shown((made[0], flipped), language, "manager")["segments"].text[0]
    doubtful = made[1].assign(people_high=0.1)
    assert unknown in shown((made[0], doubtful), language, "manager")["segments"].text[0]
