"""The simulated client: its rows are those of a believable company."""

from __future__ import annotations

import dataclasses
import functools

import ibis
import numpy as np
import pandas as pd
import pytest

from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError
from kpi_research.periods import working_days
from kpi_research.sources.simulated import Company, Simulation, simulate

DEFAULT = Company()
SMALL = Company(people=8, teams=2, months=6)
DTYPES = {
    "date": "datetime64[us]",
    "time": "datetime64[us]",
    "money": "float64",
    "number": "float64",
    "share": "float64",
    "flag": "bool",
}
LEFT_OUT = {"channels", "changes", "ratings"}


@functools.cache
def simulated(company: Company = DEFAULT) -> Simulation:
    return simulate(company)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return simulated().tables


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
        rows = ibis.memtable(frame)
        for rule in table.rules:
            assert rows.filter(~rule.passes(rows).fill_null(False)).count().execute() == 0, (name, rule.name)
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
    stays = tables["assignments"]
    for day in pd.date_range("2024-07-10", periods=months, freq="31D"):
        there = stays[(stays["since"] <= day) & ~(stays["until"] < day)]
        assert there["person_id"].is_unique and len(there) == people
    assert tables["contracts"]["signed_at"].max().to_period("M") == pd.Period("2024-07", "M") + months - 1
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
    company = Company(people=60, months=24, seed=1)
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
