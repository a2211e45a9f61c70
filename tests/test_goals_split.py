"""Goals that add up: whole steps at every level, nobody favoured by the order of names, nothing split that is no sum."""

import datetime as dt
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kpi_research.appraisal.capacity import capacity, weeks_of
from kpi_research.appraisal.decompose import decompose, target_rows
from kpi_research.appraisal.goal import Goal, check_goals, links, shared_by, spread_of
from kpi_research.appraisal.goals import base_targets
from kpi_research.appraisal.largest_remainder import apportion, exact, steps_in
from kpi_research.appraisal.season import given_season, level_season
from kpi_research.errors import InputError
from kpi_research.kpis.catalogue import catalogue
from kpi_research.periods import ONE_DAY, Period

KPIS = catalogue()
PARTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4), st.integers(0, 10**6).map(Fraction), min_size=1
).filter(lambda parts: sum(parts.values()) > 0)


def goal(**given) -> Goal:
    return Goal.model_validate(
        {"name": "revenue", "label": {"zh": "全年业绩", "en": "Revenue"}, "measure": "signed_amount",
         "period": "2026", "base": 1e8, "season": "flat"} | given
    )  # fmt: skip


def everybody(period: Period, teams: dict[str, list[str]], leaves: dict[str, str] | None = None) -> pd.DataFrame:
    weeks = weeks_of(period)
    days = pd.date_range(weeks[0].start, weeks[-1].end - ONE_DAY)
    rows = [
        (person, team, day, float(day.day_of_week < 5))
        for team, people in teams.items()
        for person in people
        for day in days
        if day <= pd.Timestamp((leaves or {}).get(person, "2100-01-01"))
    ]
    return pd.DataFrame(rows, columns=["person_id", "team_id", "day", "working"])


def split(one: Goal, teams=None, season=None, roster=None, **how):
    period = Period.parse(one.period)
    roster = everybody(period, teams or {"T1": ["A", "B"], "T2": ["C"]}) if roster is None else roster
    able = capacity(roster, list(pd.DatetimeIndex(roster["day"].unique()).date), **how)
    return decompose(one, kpi=KPIS[one.measure], able=able, season=season or level_season("flat"))


# ---- the method of the largest remainder


def test_the_articles_year_falls_into_quarters_and_months_that_add_up():
    """Source: 1亿 a year, 2,500万 a quarter, 830万 a month; twelve of these lack 40万, so four months have 840."""
    year = apportion(steps_in(1e8, 1e5), {f"Q{n}": Fraction(1) for n in range(1, 5)})
    months = {quarter: apportion(part, {f"{n}": Fraction(1) for n in range(3)}) for quarter, part in year.items()}
    assert year == dict.fromkeys(year, 250)
    assert [*months["Q1"].values()] == [84, 83, 83]
    assert sorted(part for three in months.values() for part in three.values()) == [83] * 8 + [84] * 4
    assert sum(part for three in months.values() for part in three.values()) * 1e5 == 1e8


def test_balinski_and_youngs_example():
    """Five states and 26 seats; by hand: quotas 9.061, 7.179, 5.259, 3.319, 1.182, and the one seat left is D's."""
    people = {"A": 9061, "B": 7179, "C": 5259, "D": 3319, "E": 1182}
    assert apportion(26, {name: Fraction(number) for name, number in people.items()}) == {
        "A": 9, "B": 7, "C": 5, "D": 4, "E": 1,
    }  # fmt: skip


@given(st.integers(-(10**9), 10**9), PARTS)
def test_parts_add_up_within_one_step_of_their_share_and_of_one_sign(total, weights):
    parts = apportion(total, weights)
    whole = sum(weights.values())
    assert sum(parts.values()) == total
    for name, part in parts.items():
        assert abs(part - Fraction(total) * weights[name] / whole) < 1
        assert part * total >= 0
        assert part == 0 or weights[name] > 0


@given(st.integers(0, 10**6), PARTS, st.randoms())
def test_order_never_matters_and_new_names_change_no_more_than_who_of_equals_is_first(total, weights, random):
    items = list(weights.items())
    random.shuffle(items)
    assert apportion(total, dict(items)) == apportion(total, weights)
    renamed = apportion(total, {f"x{name[::-1]}": weight for name, weight in items})
    by_weight = defaultdict(list), defaultdict(list)
    for name, weight in items:
        by_weight[0][weight].append(apportion(total, weights)[name])
        by_weight[1][weight].append(renamed[f"x{name[::-1]}"])
    assert {w: sorted(p) for w, p in by_weight[0].items()} == {w: sorted(p) for w, p in by_weight[1].items()}


@given(st.integers(0, 1000), PARTS)
def test_a_negative_total_is_the_mirror_of_the_positive(total, weights):
    assert apportion(-total, weights) == {name: -part for name, part in apportion(total, weights).items()}


@given(st.lists(st.integers(0, 60), min_size=2, max_size=30), st.lists(st.integers(1, 9), min_size=2, max_size=7))
def test_what_rounding_took_is_given_back(totals, sizes):
    weights = {f"P{n}": Fraction(size) for n, size in enumerate(sizes)}
    owed = dict.fromkeys(weights, Fraction(0))
    for total in totals:
        for name, part in apportion(total, weights, owed).items():
            owed[name] += Fraction(total) * weights[name] / sum(sizes) - part
    assert max(abs(debt) for debt in owed.values()) <= 2


def test_two_equal_people_take_turns_with_the_odd_step():
    weights = {"A": Fraction(1), "B": Fraction(1)}
    owed = dict.fromkeys(weights, Fraction(0))
    given_to = defaultdict(int)
    for _ in range(12):
        for name, part in apportion(25, weights, owed).items():
            owed[name] += Fraction(25, 2) - part
            given_to[name] += part
    assert given_to == {"A": 150, "B": 150}


@pytest.mark.parametrize("weights", [{}, {"A": Fraction(0)}, {"A": Fraction(2), "B": Fraction(-1)}])
def test_without_weights_nothing_is_shared_out(weights):
    with pytest.raises(InputError, match="no weights"):
        apportion(10, weights)


def test_amounts_are_read_as_they_are_written():
    assert steps_in(0.3, 0.1) == 3 and exact(0.1) == Fraction(1, 10)
    with pytest.raises(InputError, match="whole number of steps"):
        steps_in(250_001, 1000)


# ---- the chain


CHAINS = [
    goal(step=1e5, stretch=1.1e8),
    goal(base=0),
    goal(base=7, stretch=8),
    goal(base=-1_234_567, measure="profit"),
    goal(base=25_000_000, period="2026Q3", step=1e4),
    goal(base=100, period="2026Q1", measure="new_customers", stretch=121),
    goal(base=1_000_000, period="2026-07", step=0.01),
    goal(base=50_000_000, period="2026H1", shares={"team": {"T1": 0.3, "T2": 0.7}}, stretch=5.5e7),
]


@pytest.mark.parametrize("one", CHAINS, ids=lambda one: f"{one.period}-{one.base:g}")
def test_every_scope_and_grain_adds_up_and_no_stretch_is_less_than_the_base(one):
    rows = split(one, season=given_season(tuple(range(1, 13)), 1)).rows
    cents = rows.assign(base=(rows["base"] * 100).round().astype(int), stretch=(rows["stretch"] * 100).round())
    sums = cents.groupby(["scope", "grain"])[["base", "stretch"]].sum(min_count=1)
    assert (sums["base"] == round(one.base * 100)).all()
    assert sums["stretch"].isna().all() if one.stretch is None else (sums["stretch"] == one.stretch * 100).all()
    assert not (rows["stretch"] < rows["base"]).any()
    assert (rows["base"] * np.sign(one.base) >= 0).all()
    assert all(exact(base) / exact(one.step) % 1 == 0 for base in rows["base"])


def test_each_level_is_the_sum_of_the_level_below():
    """Two roads: parts as they were shared out, and their names read back as periods."""
    rows = split(goal(step=1000, stretch=1.2e8), teams={"T1": ["A", "B", "D"], "T2": ["C", "E"]}).rows
    people = {"A": "T1", "B": "T1", "D": "T1", "C": "T2", "E": "T2"}
    weeks = rows[rows["grain"] == "week"]
    thursday = [Period.parse(week).start + 3 * ONE_DAY for week in weeks["period"]]
    quarter = [Period.containing(day, "quarter").name for day in thursday]
    by_team = weeks.assign(team=weeks["scope_id"].map(people), q=quarter).groupby(["team", "q"])["base"].sum()
    shown = rows[(rows["scope"] == "team") & (rows["grain"] == "quarter")].set_index(["scope_id", "period"])["base"]
    assert by_team.to_dict() == shown.to_dict()


def test_each_week_is_in_one_month_and_a_years_weeks_are_those_of_the_iso_year():
    months = [week.name for month in Period.parse("2026").split("month") for week in weeks_of(month)]
    assert months == [week.name for week in weeks_of(Period.parse("2026"))]
    assert months == [f"2026-W{number:02d}" for number in range(1, 54)]


def test_neither_the_order_of_the_rows_nor_the_names_of_people_change_anything():
    one, roster = goal(step=1e4, stretch=1.1e8), everybody(Period.parse("2026"), {"T1": ["A", "B"], "T2": ["C"]})
    first = split(one, roster=roster).rows
    pd.testing.assert_frame_equal(first, split(one, roster=roster.sample(frac=1, random_state=1)).rows)
    renamed = split(one, roster=roster.assign(person_id=roster["person_id"].map({"A": "Z", "B": "A", "C": "K"}))).rows
    totals = [rows[(rows["scope"] == "person")].groupby("scope_id")["base"].sum() for rows in (first, renamed)]
    assert sorted(totals[0]) == sorted(totals[1])


def test_equal_people_have_equal_years_though_the_step_is_coarse():
    rows = split(goal(base=3_000_000, step=1e4), teams={"T1": [f"P{n:02d}" for n in range(7)]}).rows
    years = rows[(rows["scope"] == "person") & (rows["grain"] == "month")].groupby("scope_id")["base"].sum()
    assert years.max() - years.min() <= 1e4


def test_who_leaves_who_joins_and_who_is_away_have_less_and_the_team_still_adds_up():
    one = goal(base=12_000_000, step=1)
    roster = everybody(Period.parse("2026"), {"T1": ["A", "B", "C", "D"]}, leaves={"B": "2026-06-30"})
    away = pd.DataFrame({"person_id": ["C"], "since": ["2026-02-01"], "until": ["2026-02-28"]})
    hired = {"D": dt.date(2026, 1, 1)}
    rows = split(one, roster=roster, hired_on=hired, ramp_months=6, absences=away).rows
    months = rows[(rows["scope"] == "person") & (rows["grain"] == "month")]
    table = months.pivot(index="scope_id", columns="period", values="base").fillna(0)
    assert (table.loc["B", "2026-08":] == 0).all()
    assert abs(table.loc["C", "2026-03"] - table.loc["A", "2026-03"]) <= 1
    # weeks belong to months by their Thursday: January's last two days in W05 are February's, 28 February is in W09
    assert table.loc["C", "2026-02"] < 0.02 * table.loc["A", "2026-02"]
    assert 0 < table.loc["D", "2026-01"] < table.loc["D", "2026-04"] < table.loc["D", "2026-08"]
    assert abs(table.loc["D", "2026-08"] - table.loc["A", "2026-08"]) <= 1
    assert (table.sum() == 1_000_000).all()


def test_a_month_in_which_nobody_is_there_is_an_error():
    roster = everybody(Period.parse("2026"), {"T1": ["A"]}, leaves={"A": "2026-10-01"})
    with pytest.raises(InputError, match="2026-11"):
        split(goal(), roster=roster)
    with pytest.raises(InputError, match="T9"):
        split(goal(shares={"team": {"T1": 1, "T9": 2}}))


def test_a_score_is_passed_down_as_it_is_and_a_stock_stays_the_companys():
    rows = split(goal(measure="nps", base=80, period="2026Q2")).rows
    assert set(rows["base"]) == {80.0} and set(rows["scope"]) == {"company", "team", "person"}
    assert spread_of(KPIS["market_share"]) == "same" and spread_of(KPIS["signed_amount"]) == "split"


def test_other_shares_are_listed_beside():
    one = goal(base=100, stretch=110, step=1, shares={"region": {"东": 1, "南": 1, "西": 1}, "team": {"T1": 1}})
    assert shared_by(one).to_dict("records") == [
        {"kind": "region", "part": "东", "base": 34.0, "stretch": 38.0},
        {"kind": "region", "part": "南", "base": 33.0, "stretch": 36.0},
        {"kind": "region", "part": "西", "base": 33.0, "stretch": 36.0},
    ]


# ---- the goal itself


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"period": "2026-W03"}, "not for a week"),
        ({"base": 250, "step": 100}, "whole number of steps"),
        ({"monthly": {"visits": {"base": 30}}}, "no indicator"),
        ({"indicators": ["signed_amount"]}, "its own indicator"),
        ({"season": [1.0, 2.0]}, "twelve weights"),
        ({"shares": {"region": {"E": 0}}}, "all zero"),
        ({"base": float("nan")}, "finite"),
    ],
)
def test_a_goal_that_cannot_be_kept_is_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        goal(**wrong)


def test_all_that_is_wrong_with_the_names_is_said_at_once():
    one = goal(measure="signed_amout", indicators=["visit"])
    with pytest.raises(InputError) as caught:
        check_goals([one, goal(stretch=1), goal()], KPIS, "demo.yaml")
    text = caught.value.text("en")
    assert "Did you mean signed_amount?" in text and "Did you mean visits?" in text
    assert "stands twice" in text and "stretch" in text and len(caught.value.problems) == 5


def test_indicators_are_linked_and_have_targets_of_their_own():
    one = goal(indicators=["visits", "calls"], monthly={"visits": {"base": 30}})
    found = links([one, goal(name="bare")])
    assert found[["goal", "indicator", "per"]].values.tolist()[0] == ["revenue", "visits", "person"]
    assert found["monthly"].tolist()[0] == 30 and np.isnan(found["monthly"].tolist()[1])
    rows = target_rows(split(one), version="2", effective_from=dt.date(2026, 1, 1), approved_by="Z", reason="r")
    months = rows[rows["kpi"] == "visits"]
    assert len(months) == 3 * 12 and set(months["base"]) == {30.0} and set(months["scope"]) == {"person"}
    held = base_targets(rows, Period.parse("2026Q2"), "team")
    assert held == {
        ("T1", "signed_amount"): held["T1", "signed_amount"],
        ("T2", "signed_amount"): 25e6 - held["T1", "signed_amount"],
    }


@settings(max_examples=15, deadline=None)
@given(
    st.integers(-5000, 5000), st.sampled_from([1, 10, 250]), st.sampled_from(["2026Q1", "2026-05"]),
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
)  # fmt: skip
def test_any_amount_among_any_teams_adds_up(count, step, period, sizes):
    teams = {f"T{n}": [f"P{n}{k}" for k in range(size)] for n, size in enumerate(sizes)}
    rows = split(goal(base=float(count * step), step=step, period=period), teams=teams).rows
    assert (rows.groupby(["scope", "grain"])["base"].sum() == count * step).all()
