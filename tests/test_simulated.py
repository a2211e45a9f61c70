"""The simulated client: its rows are those of a believable company, and what is planted is there and nothing else.

The regressions are written out here (dummies and least squares, errors clustered by person), apart from the study.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest

from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError
from kpi_research.periods import working_days
from kpi_research.sources.simulated import Company, Simulation, simulate

DEFAULT = Company()
SMALL = Company(people=8, teams=2, months=6)
CRITICAL_T = 1.97
KINDS = {"demos": "demo", "calls": "call", "visits": "visit", "need_surveys": "survey", "proposals": "proposal"}
DTYPES = {
    "date": "datetime64[us]",
    "time": "datetime64[us]",
    "money": "float64",
    "number": "float64",
    "share": "float64",
    "flag": "bool",
}
LEFT_OUT = {"channels", "changes"}


@functools.cache
def simulated(company: Company = DEFAULT) -> Simulation:
    return simulate(company)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return simulated().tables


def month_number(times: pd.Series) -> np.ndarray:
    return (times.dt.year * 12 + times.dt.month).to_numpy()


def monthly(rows: pd.DataFrame, who: str, when: str, index: pd.MultiIndex, value: str | None = None) -> pd.Series:
    groups = rows.groupby([rows[who].to_numpy(), month_number(rows[when])])
    return (groups[value].sum() if value else groups.size()).reindex(index, fill_value=0).astype(float)


def person_months(tables: dict[str, pd.DataFrame]) -> pd.MultiIndex:
    stays = (
        tables["assignments"].groupby("person_id").agg(since=("since", "min"), until=("until", lambda u: u.iloc[-1]))
    )
    stays["until"] = stays["until"].fillna(tables["activities"]["occurred_at"].max())
    pairs = [
        (person, month)
        for person, first, last in zip(
            stays.index, month_number(stays["since"]), month_number(stays["until"]), strict=True
        )
        for month in range(first, last + 1)
    ]
    return pd.MultiIndex.from_tuples(pairs)


def panel(company: Company) -> pd.DataFrame:
    """One row a person and month: results, and every KPI of the truth; `_recorded` by the time of entry."""
    tables = simulated(company).tables
    index = person_months(tables)
    contracts, learning = tables["contracts"], tables["learning"]
    columns = {
        "signed_amount": monthly(contracts, "owner_id", "signed_at", index, "amount"),
        "signed_contracts": monthly(contracts, "owner_id", "signed_at", index),
        "sharing_sessions": monthly(learning[learning["kind"] == "sharing"], "person_id", "occurred_at", index),
    }
    for name, kind in KINDS.items():
        rows = tables["activities"][tables["activities"]["kind"] == kind]
        columns[name] = monthly(rows, "person_id", "occurred_at", index)
        columns[f"{name}_recorded"] = monthly(rows, "person_id", "recorded_at", index)
    return pd.DataFrame(columns)


def lagged_t(outcome: pd.Series, kpi: pd.Series, lag: int = 1) -> float:
    """t of the KPI `lag` months before, with person and month dummies and errors clustered by person."""
    person, month = kpi.index.get_level_values(0), kpi.index.get_level_values(1)
    earlier = kpi.set_axis(pd.MultiIndex.from_arrays([person, month + lag]))
    rows = pd.concat([outcome, earlier], axis=1, join="inner")
    people, months = (pd.factorize(rows.index.get_level_values(level))[0] for level in (0, 1))
    dummies = np.hstack([np.eye(people.max() + 1)[people], np.eye(months.max() + 1)[months][:, 1:]])
    values = rows.to_numpy()
    y, x = (values - dummies @ np.linalg.lstsq(dummies, values, rcond=None)[0]).T
    slope = x @ y / (x @ x)
    scores = np.bincount(people, x * (y - slope * x))
    clusters = len(scores)
    return float(slope / (np.sqrt(scores @ scores * clusters / (clusters - 1)) / (x @ x)))


def significant(kpi: str, companies: list[Company], *, outcome: str = "signed_amount") -> float:
    """Share of the companies in which the KPI one month before is significant."""
    panels = [panel(company) for company in companies]
    return float(np.mean([abs(lagged_t(rows[outcome], rows[kpi])) > CRITICAL_T for rows in panels]))


def seeds(count: int, **settings: float) -> list[Company]:
    return [dataclasses.replace(DEFAULT, seed=seed, **settings) for seed in range(1, count + 1)]


def test_the_same_company_gives_the_same_rows():
    once, again = simulate(SMALL), simulate(SMALL)
    for name, frame in once.tables.items():
        pd.testing.assert_frame_equal(frame, again.tables[name])
    assert once.truth == again.truth


def test_another_seed_gives_other_rows():
    other = simulate(dataclasses.replace(SMALL, seed=1)).tables["contracts"]
    assert not other["amount"].head(50).equals(simulate(SMALL).tables["contracts"]["amount"].head(50))


@pytest.mark.parametrize(
    "company",
    [
        SMALL,
        Company(people=1, teams=1, months=3),
        Company(people=9, teams=9, first_month="2025-02", months=7),
        Company(),
    ],
    ids=["small", "alone", "a team each", "default"],
)
def test_tables_are_canonical(company: Company):
    tables = simulated(company).tables
    assert set(tables) == set(TABLES) - LEFT_OUT
    for name, frame in tables.items():
        table = TABLES[name]
        assert list(frame.columns) == list(table.columns)
        assert not frame.duplicated(list(table.key)).any(), name
        for rule in table.rules:
            assert rule.passes(frame).all(), (name, rule.name)
        for column, spec in table.columns.items():
            values = frame[column]
            assert spec.nullable or values.notna().all(), (name, column)
            assert not spec.choices or values.dropna().isin(spec.choices).all(), (name, column)
            assert values.dtype == DTYPES.get(spec.kind, "str"), (name, column)
            if spec.refers:
                key = TABLES[spec.refers].key[0]
                assert values.dropna().isin(tables[spec.refers][key]).all(), (name, column)


@pytest.mark.parametrize("people, months", [(8, 6), (25, 12), (60, 9)])
def test_size_is_as_asked(people: int, months: int):
    tables = simulate(Company(people=people, teams=4, months=months)).tables
    held = person_months(tables)
    assert (pd.Series(1, held).groupby(level=1).sum() == people).all()
    assert held.get_level_values(1).nunique() == months
    assert len(tables["teams"]) == 4


def test_impossible_companies_are_refused():
    for wrong in ({"people": 3, "teams": 4}, {"teams": 0}, {"months": 2}, {"first_month": "2024Q3"}):
        with pytest.raises(ValueError):
            Company(**wrong)
    with pytest.raises(InputError):
        Company(first_month="July")


def test_nothing_is_dated_after_the_last_day(tables: dict[str, pd.DataFrame]):
    ahead = {("receivables", "due_on"), ("contracts", "ends_on"), ("opportunities", "expected_close_on")}
    for name, frame in tables.items():
        for column in frame.select_dtypes("datetime"):
            if (name, column) not in ahead:
                assert not (frame[column] >= "2026-10-01").any(), (name, column)


def test_activities_take_place_in_working_hours(tables: dict[str, pd.DataFrame]):
    times = tables["activities"]["occurred_at"]
    assert times.min() >= pd.Timestamp("2024-07-01")
    working = working_days("CN", times.min().date(), times.max().date())
    assert np.isin(times.to_numpy("datetime64[D]"), working).all()
    assert times.dt.hour.between(9, 17).all()


def test_results_have_seasons():
    company = Company(people=60, months=24)
    amounts = simulated(company).tables["contracts"].query("signed_at >= '2024-07-01'")
    by_month = amounts.groupby(amounts["signed_at"].dt.month)["amount"].sum()
    assert by_month[[3, 6, 9, 12]].min() > by_month[[4, 5, 7, 8, 10, 11]].mean()
    assert by_month.idxmin() == 2
    last_third = amounts["signed_at"].dt.day > 20
    quarter_end = amounts["signed_at"].dt.month % 3 == 0
    assert last_third[quarter_end].mean() > last_third[~quarter_end].mean() + 0.04


def test_who_leaves_has_no_later_rows_and_is_replaced(tables: dict[str, pd.DataFrame]):
    left = tables["people"].set_index("person_id")["left_on"].dropna() + pd.Timedelta(days=1)
    assert len(left) >= 3
    places = [
        ("activities", "person_id", "occurred_at"),
        ("activities", "person_id", "recorded_at"),
        ("contracts", "owner_id", "signed_at"),
        ("learning", "person_id", "occurred_at"),
        ("leads", "owner_id", "created_at"),
        ("surveys", "subject_id", "answered_at"),
        ("surveys", "rater_id", "answered_at"),
        ("opportunities", "owner_id", "closed_at"),
    ]
    for name, who, when in places:
        rows = tables[name]
        assert not (rows[when] >= rows[who].map(left)).any(), (name, when)
    assert not tables["opportunities"].query("outcome == 'open'")["owner_id"].isin(left.index).any()
    assert set(left) <= set(tables["people"]["hired_on"])


def test_who_changes_team_is_in_both_with_adjoining_dates(tables: dict[str, pd.DataFrame]):
    stays = tables["assignments"]
    movers = stays[stays.duplicated("person_id", keep=False)].sort_values("since")
    assert len(movers) >= 4
    for _, rows in movers.groupby("person_id"):
        before, after = rows.itertuples()
        assert before.team_id != after.team_id
        assert before.until + pd.Timedelta(days=1) == after.since
        assert after.since.day_name() == "Monday" and after.since.month % 3 == 2


def test_won_opportunities_have_a_contract_and_a_full_history(tables: dict[str, pd.DataFrame]):
    deals = tables["opportunities"].set_index("opportunity_id")
    won = deals[deals["outcome"] == "won"]
    contracts = tables["contracts"].dropna(subset="opportunity_id").set_index("opportunity_id")
    assert set(contracts.index) == set(won.index)
    contracts = contracts.loc[won.index]
    assert (contracts["signed_at"] == won["closed_at"]).all()
    assert (contracts["owner_id"] == won["owner_id"]).all()
    assert (won["closed_at"] - won["created_at"]).dt.days.between(7, 90).all()
    decided = deals["outcome"].isin(["won", "lost"])
    assert 0.30 < len(won) / decided.sum() < 0.42
    history = tables["stage_changes"].sort_values("entered_at", kind="stable").groupby("opportunity_id")
    assert (history["stage"].size()[won.index] == 5).all()
    assert (history["entered_at"].min()[deals.index] == deals["created_at"]).all()
    assert (history["entered_at"].max()[won.index] == won["closed_at"]).all()


def test_kinds_of_contracts(tables: dict[str, pd.DataFrame]):
    contracts = tables["contracts"].sort_values("signed_at", kind="stable")
    first = ~contracts.duplicated("account_id")
    assert (contracts["kind"].eq("new") == first).all()
    recent = contracts[contracts["signed_at"] >= "2024-07-01"]
    assert 0.03 < recent["kind"].eq("renewal").mean() < 0.20
    assert np.log(recent["amount"]).std() < 0.55
    ended = contracts[contracts["ends_on"].between("2024-07-01", "2026-09-30")]
    home = tables["assignments"].drop_duplicates("person_id").set_index("person_id")["team_id"]
    due = ended.groupby([ended["ends_on"].dt.to_period("Q"), ended["owner_id"].map(home)]).size()
    assert len(due) == 9 * 5 and due.min() >= 5


def test_instalments_add_up_and_payments_follow(tables: dict[str, pd.DataFrame]):
    contracts = tables["contracts"].set_index("contract_id")
    due = tables["receivables"].groupby("contract_id")["amount_due"].agg(["sum", "size"])
    assert due["size"].isin([2, 3]).all()
    np.testing.assert_allclose(due["sum"], contracts["amount"][due.index], atol=0.005)
    paid = tables["payments"]
    assert (paid["paid_at"] > paid["contract_id"].map(contracts["signed_at"])).all()
    owed = tables["receivables"].query("due_on <= '2026-09-30'")["amount_due"].sum()
    assert 0.85 < paid["amount"].sum() / owed < 1


def test_targets_of_people_sum_to_the_teams_and_the_companys(tables: dict[str, pd.DataFrame]):
    targets = tables["targets"]
    home = tables["assignments"].sort_values("since")
    for kpi in ("signed_amount", "new_customers"):
        rows = targets[targets["kpi"] == kpi]
        by_scope = rows.groupby(["scope", "period"])["base"].sum().unstack("scope")
        assert (by_scope["company"] == by_scope["team"]).all() and (by_scope["team"] == by_scope["person"]).all()
        people = rows[(rows["scope"] == "person") & (rows["period"] == "2024Q3")]
        team = people["scope_id"].map(home.drop_duplicates("person_id").set_index("person_id")["team_id"])
        teams = rows[(rows["scope"] == "team") & (rows["period"] == "2024Q3")].set_index("scope_id")["base"]
        assert people.groupby(team)["base"].sum().to_dict() == teams.to_dict()
    capped = targets["stretch"].isin([1.0, 100.0])
    np.testing.assert_allclose(targets["stretch"][~capped], 1.2 * targets["base"][~capped], rtol=1e-4)
    assert targets["period"].nunique() == 9


def test_targets_are_met_by_some_and_missed_by_others(tables: dict[str, pd.DataFrame]):
    contracts = tables["contracts"].query("signed_at >= '2024-07-01'")
    home = tables["assignments"].drop_duplicates("person_id").set_index("person_id")["team_id"]
    quarter = contracts["signed_at"].dt.to_period("Q").astype(str)
    actual = contracts.groupby([quarter, contracts["owner_id"].map(home)])["amount"].sum()
    base = (
        tables["targets"].query("scope == 'team' and kpi == 'signed_amount'").set_index(["period", "scope_id"])["base"]
    )
    attained = (actual / base).dropna()
    assert len(attained) == 45
    assert 0.85 < attained.median() < 1.05
    assert attained.quantile(0.1) > 0.7 and attained.quantile(0.9) < 1.3
    assert attained.groupby(level=0).agg(np.ptp).min() > 0.04


def test_second_contacts_follow_most_first_visits(tables: dict[str, pd.DataFrame]):
    contacts = tables["activities"].sort_values("occurred_at", kind="stable")
    contacts["next"] = contacts.groupby("account_id")["occurred_at"].shift(-1)
    first = contacts[contacts["kind"] == "visit"].drop_duplicates("account_id")
    in_time = (first["next"] - first["occurred_at"]) <= pd.Timedelta(days=3)
    rates = in_time.groupby(first["person_id"]).mean()
    assert 0.55 < in_time.mean() < 0.70
    assert rates.quantile(0.9) - rates.quantile(0.1) > 0.08


def test_some_people_leave_more_fields_empty(tables: dict[str, pd.DataFrame]):
    fields = ["amount", "expected_close_on", "product", "account_id", "stage"]
    filled = tables["opportunities"][fields].notna().mean(axis=1)
    by_person = filled.groupby(tables["opportunities"]["owner_id"]).mean()
    assert 0.88 < filled.mean() < 0.98
    assert by_person.max() - by_person.min() > 0.08


def test_visits_are_about_five_a_week_for_everybody():
    visits = panel(DEFAULT)["visits"].groupby(level=0).filter(lambda own: len(own) >= 6)
    visits = visits.groupby(level=0).mean() / (365.25 / 12 / 7)
    assert visits.between(4, 5.6).all()


def test_the_driver_is_found_one_month_before_the_result():
    rows = panel(DEFAULT)
    assert lagged_t(rows["signed_amount"], rows["demos"]) > 5
    assert lagged_t(rows["signed_contracts"], rows["demos"]) > 5
    assert abs(lagged_t(rows["signed_amount"], rows["demos"], lag=0)) < 3
    assert lagged_t(rows["signed_amount"], rows["demos_recorded"]) > 5


@pytest.mark.parametrize("kpi", ["calls", "visits", "need_surveys", "proposals_recorded", "sharing_sessions"])
def test_nothing_else_is(kpi: str):
    rows = panel(DEFAULT)
    assert abs(lagged_t(rows["signed_amount"], rows[kpi])) < CRITICAL_T


def test_calls_tell_the_able_from_the_others():
    means = panel(DEFAULT).groupby(level=0).filter(lambda own: len(own) >= 12).groupby(level=0).mean()
    assert means["calls"].corr(means["signed_contracts"]) > 0.7
    assert abs(means["visits"].corr(means["signed_contracts"])) < 0.45


def test_proposals_seem_to_come_before_the_wins_but_were_typed_in_after_them(tables: dict[str, pd.DataFrame]):
    rows = panel(DEFAULT)
    assert lagged_t(rows["signed_amount"], rows["proposals"]) > 5
    proposals = tables["activities"].query("kind == 'proposal'")
    signed = tables["contracts"].dropna(subset="opportunity_id").set_index("opportunity_id")["signed_at"]
    signed = proposals["opportunity_id"].map(signed)
    after = (proposals["occurred_at"] < signed) & (proposals["recorded_at"] > signed)
    assert 0.10 < after.mean() < 0.60
    others = tables["activities"].query("kind == 'demo'")
    late = (others["recorded_at"] - others["occurred_at"]) > pd.Timedelta(days=3)
    assert late.mean() < 0.25


def test_sharing_follows_results():
    rows = panel(DEFAULT)
    assert lagged_t(rows["sharing_sessions"], rows["signed_contracts"]) > 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "kpi, most", [("calls", 0.25), ("visits", 0.25), ("need_surveys", 0.25), ("proposals_recorded", 0.3)]
)
def test_what_has_no_effect_is_significant_by_chance_only(kpi: str, most: float):
    # 20 data sets at 5 %: more than 5 significant ones have a chance below .0004
    assert significant(kpi, seeds(20)) <= most


def test_without_effect_the_driver_is_noise():
    silent = seeds(6, driver_effect=0.0)
    # 6 data sets at 5 %: 3 or more significant ones have a chance below .003
    assert significant("demos", silent) <= 2 / 6
    truth = {truth.kpi: truth for truth in simulated(silent[0]).truth}
    assert truth["demos"].role == "noise" and truth["demos"].lag_months is None


def test_the_truth_names_every_kpi_once():
    truth = simulated().truth
    roles = {entry.kpi: entry.role for entry in truth}
    assert len(roles) == len(truth) == 7
    assert [entry.kpi for entry in truth if entry.effect] == ["demos"]
    assert roles["signed_contracts"] == "mechanical" and roles["proposals"] == "back_dated"
