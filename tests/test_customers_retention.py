"""Purchases, terms, cohorts, curves, rates, surveys and referrals of customers, worked by hand."""

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest
from servers import postgres, sql_engine  # noqa: F401 - a fixture

from kpi_research.crm.tables import TABLES
from kpi_research.customers import facts as customer_facts
from kpi_research.customers import rates, referral, retention, survey
from kpi_research.customers.purchases import basis_of, history_frame, purchase_days
from kpi_research.customers.survival import at, kaplan_meier
from kpi_research.customers.terms import terms
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.customer_value import ending_contracts
from kpi_research.sources.database import open_database
from kpi_research.sources.mapping import DatabaseSource
from kpi_research.sources.simulated import Company, simulate
from kpi_research.sources.workspace import Workspace

UPTO = dt.date(2026, 1, 1)
SINCE = dt.date(2024, 1, 1)
NASTY = ("', drop table", "<script>alert(1)</script>", "=HYPERLINK(1)", "张三\n李四", "")


def on_engine(name: str, rows: list[dict]) -> ibis.Table:
    """Canonical rows, given by some of their columns."""
    columns = TABLES[name].columns
    frame = pd.DataFrame([{column: row.get(column) for column in columns} for row in rows], columns=list(columns))
    times = [column for column, spec in columns.items() if spec.kind in ("date", "time")]
    frame = frame.assign(
        **{column: pd.to_datetime(frame[column], format="mixed").astype("datetime64[us]") for column in times}
    )
    numbers = [column for column, spec in columns.items() if spec.kind in ("money", "number", "share")]
    texts = [column for column in columns if column not in times + numbers]
    frame = frame.astype(dict.fromkeys(numbers, "float64")).astype(dict.fromkeys(texts, "string"))
    return ibis.duckdb.connect().create_table(name, frame)


def contract(number, account, signed, **more):
    return {
        "contract_id": str(number), "account_id": account, "signed_at": signed, "amount": 100.0, "currency": "CNY", **more,
    }  # fmt: skip


def days_of(rows: list[dict]) -> pd.DataFrame:
    return purchase_days(on_engine("contracts", rows), currency="CNY").to_pandas()


ORDERS = [
    contract(1, "A", "2024-01-01 09:00", kind="new", cost=40.0),
    contract(2, "A", "2024-01-01 17:00", kind="repeat", cost=60.0),
    contract(3, "A", "2024-03-11", kind="repeat", cost=50.0),
    contract(4, "B", "2024-06-03", kind="new", cost=70.0),
    contract(5, "B", "2024-07-01", cost=70.0, cancelled_at="2024-07-20"),
    contract(6, "C", "2025-12-25", kind="repeat", cost=10.0),
    contract(7, "D", "2025-02-03", kind="new", currency="USD", cost=1.0),
    contract(8, "E", "2025-01-06", kind="new", ends_on="2026-01-05"),
    contract(9, None, "2025-01-06", kind="new"),
]


def test_purchases_by_hand():
    days = days_of(ORDERS).set_index(["account_id", "day"]).sort_index()
    assert len(days) == 6, "two of a day are one, a cancelled one and one of nobody are none"
    first = days.loc[("A", pd.Timestamp("2024-01-01"))]
    assert (first["orders"], first["amount"], first["cost"], first["is_new"], first["is_later"]) == (
        2,
        200,
        100,
        True,
        True,
    )
    dollars = days.loc[("D", pd.Timestamp("2025-02-03"))]
    assert dollars["orders"] == 1 and dollars["priced"] == 0 and np.isnan(dollars["amount"])
    assert days["setting"].to_dict() == {
        key: "contractual" if key[0] == "E" else "noncontractual" for key in days.index
    }


def test_histories_by_hand():
    rows = history_frame(days_of(ORDERS), "noncontractual", upto=UPTO, basis="margin").set_index("account_id")
    assert [*rows.index] == ["A", "B", "C", "D"]
    a = rows.loc["A"]
    assert (a["frequency"], a["recency_weeks"], a["age_weeks"]) == (1, 10.0, pytest.approx(731 / 7))
    assert (a["value_days"], a["mean_value"]) == (2, 75.0), "100 and 50"
    assert rows["begins_later"].to_dict() == {"A": False, "B": False, "C": True, "D": False}
    assert rows.loc["D", "value_days"] == 0 and np.isnan(rows.loc["D", "mean_value"])
    earlier = history_frame(days_of(ORDERS), "noncontractual", upto=dt.date(2024, 3, 11), basis="amount")
    assert earlier["account_id"].tolist() == ["A"] and earlier["frequency"].tolist() == [0]
    assert earlier["mean_value"].tolist() == [200.0]


def test_values_are_margins_only_where_costs_are_known():
    assert basis_of(days_of(ORDERS[:4])) == "margin"
    without = [{**row, "cost": None} for row in ORDERS[:4]]
    assert basis_of(days_of(without)) == basis_of(days_of([*without[:3], ORDERS[3]])) == "amount"
    assert basis_of(days_of([])) == "amount"


TERMS = [
    contract(1, "A", "2024-01-10", kind="new", ends_on="2025-01-09"),
    contract(2, "A", "2025-02-08", kind="renewal", ends_on="2026-02-07", amount=120.0),
    contract(3, "B", "2024-01-10", kind="new", ends_on="2025-01-09"),
    contract(4, "B", "2025-02-09", kind="renewal", ends_on="2026-02-08"),
    contract(5, "C", "2024-01-10", kind="new", ends_on="2025-01-09"),
    contract(6, "C", "2025-01-05", kind="renewal", ends_on="2026-01-04", cancelled_at="2025-01-06"),
    contract(7, "C", "2024-10-11", kind="renewal", amount=30.0),
    contract(8, "D", "2024-12-10", kind="new", ends_on="2025-12-09"),
    contract(9, "D", "2025-01-05", kind="repeat"),
]


def test_what_renews_what():
    found = terms(on_engine("contracts", TERMS), currency="CNY").to_pandas().set_index("contract_id")
    assert sorted(found.index) == ["1", "2", "3", "4", "5", "7", "8"], (
        "a repeat order is no term, a cancelled one nothing"
    )
    assert found.loc["1", "renewed_on"] == pd.Timestamp("2025-02-08") and found.loc["1", "renewed_amount"] == 120
    assert pd.isna(found.loc["3", "renewed_on"]), "31 days after the end"
    assert found.loc["5", "renewed_on"] == pd.Timestamp("2024-10-11"), "90 days before the end"
    assert pd.isna(found.loc["7", "ends_on"])


@pytest.fixture(scope="module")
def company():
    return simulate(Company(people=20, teams=2, months=27)).tables


def test_renewed_is_what_the_renewal_rate_counts(company):
    engine = ibis.duckdb.connect()
    tables = {"contracts": engine.create_table("contracts", company["contracts"])}
    own = terms(tables["contracts"], currency="CNY").to_pandas().set_index("contract_id")
    kpi = ending_contracts(Crm(tables)).select("contract_id", "renewed").to_pandas().set_index("contract_id")
    assert len(own) == len(kpi) > 200
    assert own["renewed_on"].notna().reindex(kpi.index).tolist() == kpi["renewed"].tolist()


def test_the_same_in_place_in_postgres(company, postgres):  # noqa: F811
    engine = sql_engine(postgres)
    with engine.begin() as connection:
        connection.exec_driver_sql("drop schema if exists customers cascade")
        connection.exec_driver_sql("create schema customers")
    names = ("contracts", "accounts", "surveys", "leads", "opportunities")
    for name in names:
        company[name].to_sql(name, engine, schema="customers", index=False, chunksize=2000, method="multi")
    engine.dispose()
    local = ibis.duckdb.connect()
    here = customer_facts.fetch({name: local.create_table(name, company[name]) for name in names}, currency="CNY")
    with pytest.MonkeyPatch.context() as patch, Workspace() as workspace:
        patch.setenv("TEST_DB", postgres)
        source = DatabaseSource.model_validate({"kind": "database", "address": "TEST_DB", "tables": {}})
        with open_database(source, workspace) as database:
            rows = {name: database.export(f"customers.{name}").rows for name in names}
            there = customer_facts.fetch(rows, currency="CNY")
    for name in customer_facts.KEYS:
        pd.testing.assert_frame_equal(getattr(here, name), getattr(there, name), check_dtype=False)


def test_facts_survive_the_disk_and_are_cut_by_day_and_owner(company, tmp_path):
    engine = ibis.duckdb.connect()
    tables = {name: engine.create_table(name, frame) for name, frame in company.items()}
    whole = customer_facts.fetch(tables, currency="CNY")
    customer_facts.write(whole, tmp_path)
    again = customer_facts.read(tmp_path, whole.tables)
    for name in customer_facts.KEYS:
        pd.testing.assert_frame_equal(getattr(whole, name), getattr(again, name))
    end = dt.date(2025, 7, 1)
    then = whole.before(end)
    assert then.days["day"].max() < pd.Timestamp(end) and not (then.terms["renewed_on"] >= pd.Timestamp(end)).any()
    owner = whole.accounts["owner_id"].mode()[0]
    mine = whole.of([owner])
    accounts = company["accounts"].set_index("account_id")["owner_id"]
    for name in ("days", "terms", "answers"):
        assert set(accounts[getattr(mine, name)["account_id"]]) == {owner}
    assert set(mine.leads["owner_id"]) == {owner} and set(mine.accounts["owner_id"]) == {owner}


# how long


def test_kaplan_meier_by_hand():
    """Times 1, 2+, 3, 3, 5+ of five: 4/5, then 4/5 * 1/3."""
    curve = kaplan_meier(np.array([1, 2, 3, 3, 5]), np.array([True, False, True, True, False]))
    assert curve["time"].tolist() == [0, 1, 2, 3, 5]
    assert curve["survival"].tolist() == pytest.approx([1, 0.8, 0.8, 0.8 / 3, 0.8 / 3])
    assert curve["at_risk"].tolist() == [5, 5, 4, 3, 1]
    greenwood = (1 / (5 * 4) + 2 / (3 * 1)) ** 0.5
    log = np.log(0.8 / 3)
    half = 1.6448536 * greenwood / abs(log)
    assert curve["low"].iloc[3] == pytest.approx(np.exp(log * np.exp(half)))
    assert curve["high"].iloc[3] == pytest.approx(np.exp(log * np.exp(-half)))
    assert at(curve, 4)["survival"] == pytest.approx(0.8 / 3) and np.isnan(at(curve, 6)["survival"])


def test_whoever_is_watched_late_counts_from_then_on():
    curve = kaplan_meier(np.array([2, 4, 6]), np.array([True, True, False]), np.array([0, 3, 0]))
    assert curve["at_risk"].tolist() == [2, 2, 2, 1]
    assert curve["survival"].tolist() == [1, 0.5, 0.25, 0.25]
    with pytest.raises(ValueError, match="before being watched"):
        kaplan_meier(np.array([2.0]), np.array([True]), np.array([3.0]))


def test_the_curve_is_right_where_a_plain_share_is_not():
    """True half-life 500 days; customers come all the time and are watched until a fixed day."""
    rng = np.random.default_rng(2)
    hits = []
    for _ in range(200):
        start, life = rng.uniform(0, 900, 400), rng.exponential(500 / np.log(2), 400)
        watched = 900 - start
        carried = start < 300
        entry = np.where(carried, 300 - start, 0.0)
        here = life > entry
        curve = kaplan_meier(np.minimum(life, watched)[here], (life <= watched)[here], entry[here])
        row = at(curve, 400)
        hits.append((row["survival"], row["low"] <= 2 ** (-400 / 500) <= row["high"]))
    estimates, inside = np.array(hits, float).T
    assert estimates.mean() == pytest.approx(2 ** (-400 / 500), abs=0.01)
    assert 0.84 <= inside.mean() <= 0.96


def spells_of(rows, **settings):
    return retention.spells(
        days_of(rows),
        terms(on_engine("contracts", rows), currency="CNY").to_pandas(),
        since=SINCE,
        upto=UPTO,
        **settings,
    )


def test_orders_are_lost_after_a_year_and_contracts_at_their_end():
    found = spells_of(ORDERS).set_index(["account_id", "measure"])
    assert "C" not in found.index.get_level_values(0), "its first order is called a repeat: what came before is unknown"
    a = found.loc[("A", "stays")]
    assert (a["days"], a["happened"]) == (70 + 365, True)
    assert tuple(found.loc[("A", "buys_again"), ["days", "happened"]]) == (70, True)
    assert tuple(found.loc[("B", "buys_again"), ["days", "happened"]]) == (577, False), "the cancelled order is none"
    assert tuple(found.loc[("B", "stays"), ["days", "happened"]]) == (365, True)
    assert tuple(found.loc[("D", "stays"), ["days", "happened"]]) == (332, False)
    under = spells_of(TERMS).set_index(["account_id", "setting"])
    assert tuple(under.loc[("A", "contractual"), ["days", "happened"]]) == (692, False), (
        "watched until 30 days before the end"
    )
    assert tuple(under.loc[("B", "contractual"), ["days", "happened"]]) == (365, True), "renewed a day too late"
    longer = spells_of(ORDERS, lost_after_days=400).set_index(["account_id", "measure"])
    assert longer.loc[("B", "stays"), "days"] == 400


def test_contracts_from_before_the_data_count_from_their_first_day_on():
    rows = [
        contract(1, "A", "2023-05-01", kind="new", ends_on="2024-04-30"),
        contract(2, "B", "2022-05-01", kind="new", ends_on="2023-04-30"),
    ]
    found = spells_of(rows).set_index("account_id")
    assert [*found.index] == ["A"], "B had left before"
    assert tuple(found.loc["A", ["entry_days", "days", "happened"]]) == (245, 365, True)


def test_immature_cells_are_marked_and_hold_no_share():
    rows = [contract(n, f"A{n}", "2024-02-01", kind="new") for n in range(10)]
    rows += [contract(100 + n, f"A{n}", "2024-04-01", kind="repeat") for n in range(4)]
    rows += [contract(200 + n, f"B{n}", "2025-08-01", kind="new") for n in range(6)]
    cells = retention.cohorts(spells_of(rows), upto=UPTO).set_index(["measure", "cohort", "age_months"])
    assert cells.loc[("buys_again", "2024H1", 3), "share"] == 0.4
    assert cells.loc[("buys_again", "2024H1", 24), "status"] == "immature"
    young = cells.loc[("buys_again", "2025H2", 6)]
    assert young["status"] == "immature" and np.isnan(young["share"]) and young["n"] == 6
    assert cells.loc[("buys_again", "2025H2", 3), "status"] == "ok"
    assert ("stays", "2024H1", 6) not in cells.index, "nobody can be lost within a year"
    few = retention.cohorts(spells_of(rows[:3]), upto=UPTO)
    assert set(few["status"]) == {"too_few", "immature"} and few["share"].isna().all()


def test_a_cohort_is_never_averaged_over_those_who_are_old_enough():
    """Lost customers are known sooner than those who stay; a share of the known ones would be too low."""
    rows = [
        contract(n, f"A{n}", f"2025-0{1 + n % 6}-15", kind="new", ends_on=f"2025-0{4 + n % 6}-14") for n in range(12)
    ]
    rows += [contract(99, "A0", "2025-04-10", kind="renewal", ends_on="2027-04-14")]
    cells = retention.cohorts(spells_of(rows), upto=UPTO).query("setting == 'contractual'").set_index("age_months")
    assert cells.loc[3, "status"] == "ok" and cells.loc[12, "status"] == "immature"
    assert 0 < cells.loc[12, "known"] < 12 and np.isnan(cells.loc[12, "share"])


# rates


def test_renewal_by_hand():
    held = terms(on_engine("contracts", TERMS), currency="CNY").to_pandas()
    inside = {"start": dt.date(2025, 1, 1), "end": UPTO, "upto": UPTO}
    rows = rates.renewal(held, recorded=True, **inside).set_index("measure")
    assert rows["status"].tolist() == ["too_few", "too_few"]
    assert (rows["events"].iloc[0], rows["n"].iloc[0], rows["n_open"].iloc[0]) == (2, 3, 1), "D ended 23 days before"
    many = pd.concat([held.assign(contract_id=lambda f, k=k: f["contract_id"] + f"-{k}") for k in range(3)])
    rows = rates.renewal(many, recorded=True, **inside).set_index("measure")
    assert rows.loc["renewal_rate", "value"] == pytest.approx(6 / 9)
    assert rows.loc["renewal_amount_rate", "value"] == pytest.approx((120 + 0 + 30) / 300)
    assert (rows["low"] < rows["value"]).all() and (rows["value"] < rows["high"]).all()
    assert set(rates.renewal(many, recorded=False, **inside)["status"]) == {"no_renewals_recorded"}
    later = {**inside, "start": dt.date(2025, 12, 5)}
    assert set(rates.renewal(held, recorded=True, **later)["status"]) == {"immature"}
    assert set(rates.renewal(held.iloc[:0], recorded=True, **inside)["status"]) == {"no_cases"}


def test_repurchase_by_hand():
    rows = [contract(n, f"A{n}", "2024-05-01") for n in range(10)] + [contract(50, "old", "2023-12-01")]
    rows += [contract(20 + n, f"A{n}", "2025-05-01", amount=300.0) for n in range(3)] + [
        contract(30, "A0", "2025-06-01")
    ]
    rows += [contract(40, "new", "2025-07-01")]
    inside = {"start": dt.date(2025, 1, 1), "end": UPTO, "since": SINCE}
    found = rates.repurchase(days_of(rows), **inside).set_index("measure")
    assert found["status"].tolist() == ["ok", "ok"]
    assert found.loc["repurchase_rate", ["events", "n"]].tolist() == [3, 10], (
        "old was lost before, new is no old customer"
    )
    assert found.loc["repurchase_amount", "value"] == pytest.approx(1000 / 10)
    short = rates.repurchase(days_of(rows), **{**inside, "since": dt.date(2024, 2, 1)})
    assert set(short["status"]) == {"no_history"} and short["value"].isna().all()
    wider = rates.repurchase(days_of(rows), **inside, lost_after_days=367)
    assert set(wider["status"]) == {"no_history"}


# what they say


def answers(scores, kind="nps", scale=(0, 10), accounts=None):
    return pd.DataFrame(
        {
            "survey_id": [str(n) for n in range(len(scores))], "kind": kind, "score": np.array(scores, float),
            "account_id": [f"A{n}" for n in range(len(scores))] if accounts is None else accounts,
            "scale_min": float(scale[0]), "scale_max": float(scale[1]), "day": pd.Timestamp("2025-06-01"),
        }
    )  # fmt: skip


YEAR = {"start": dt.date(2025, 1, 1), "end": UPTO}


def test_nps_and_satisfaction_by_hand():
    rows = survey.summarise(
        pd.concat([answers([10, 9, 9, 8, 7, 6, 0, 10, 10, 9]), answers([5, 4, 4, 3, 1], "csat", (1, 5))]), **YEAR
    ).set_index("kind")
    nps = rows.loc["nps"]
    assert (nps["value"], nps["n"], nps["promoters"], nps["detractors"]) == (40, 10, 6, 2)
    assert -100 < nps["low"] < 40 < nps["high"] <= 100
    csat = rows.loc["csat"]
    assert csat["value"] == pytest.approx((3.4 - 1) / 4 * 100) and (csat["scale_min"], csat["scale_max"]) == (1, 5)
    assert rows["response_rate"].isna().all() and rows["invited"].isna().all(), (
        "who was asked is not known from answers"
    )
    known = survey.summarise(answers([9] * 10), **YEAR, invited={"nps": 40}).iloc[0]
    assert known["response_rate"] == 0.25 and known["response_low"] < 0.25 < known["response_high"]
    with pytest.raises(ValueError, match="of 5 who were asked"):
        survey.summarise(answers([9] * 10), **YEAR, invited={"nps": 5})


def test_an_nps_on_another_scale_is_none_and_few_answers_give_no_number():
    rows = pd.concat([answers([5] * 20, scale=(1, 5)), answers([10] * 4)])
    found = survey.summarise(rows, **YEAR).set_index("scale_max")
    assert found.loc[5, "status"] == "other_scale" and found.loc[10, "status"] == "too_few"
    assert found["value"].isna().all() and found["n"].to_dict() == {5: 20, 10: 4}
    assert survey.summarise(rows, start=dt.date(2024, 1, 1), end=dt.date(2025, 1, 1)).empty


@pytest.mark.parametrize("chances", [(0.5, 0.3, 0.2), (0.9, 0.08, 0.02), (0.2, 0.3, 0.5)])
@pytest.mark.parametrize("n", [15, 120])
def test_the_range_of_nps_covers_the_truth(chances, n):
    rng, truth = np.random.default_rng(3), (chances[0] - chances[2]) * 100
    scores = rng.choice([10.0, 8.0, 3.0], p=chances, size=(800, n))
    ends = np.array([survey.net_promoter_score(row, np.arange(n))[1:] for row in scores])
    assert 0.86 <= ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean() <= 0.98


def test_ten_answers_of_one_customer_say_little_more_than_one():
    scores = np.repeat([10.0, 3.0, 10.0, 8.0, 10.0], 10)
    alike = survey.net_promoter_score(scores, np.repeat(np.arange(5), 10))
    apart = survey.net_promoter_score(scores, np.arange(50))
    assert alike[0] == apart[0] and alike[2] - alike[1] > 2 * (apart[2] - apart[1])
    assert survey.design_effect(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1])) == 2
    satisfied = survey.mean_score(scores, np.repeat(np.arange(5), 10), (0.0, 10.0))
    assert satisfied[2] - satisfied[1] > 20
    assert np.isnan(survey.mean_score(np.full(6, 5.0), np.arange(6), (1.0, 5.0))[1])


def test_referrals_are_read_from_the_source_of_leads():
    said = ["转介绍", "老客户推荐", "Referral - customer", "Employee Referral", "员工内部推荐", "Web", None, *NASTY]
    leads = [
        {"lead_id": str(n), "source": source, "owner_id": "P1", "created_at": "2025-05-05", "opportunity_id": f"O{n}"}
        for n, source in enumerate(said)
    ]
    deals = [{"opportunity_id": f"O{n}", "outcome": "won" if n in (0, 5) else "open"} for n in range(len(said))]
    tables = {"leads": on_engine("leads", leads)}
    engine = tables["leads"].get_backend()
    tables["opportunities"] = engine.create_table("opportunities", on_engine("opportunities", deals).to_pandas())
    found = customer_facts.fetch(tables, currency="CNY")
    rows = referral.referrals(found.leads, **YEAR).set_index("measure")
    assert rows.loc["referred_leads", ["events", "n"]].tolist() == [3, 12]
    assert rows.loc["referred_won", ["events", "n", "status"]].tolist() == [1, 3, "too_few"]
    assert rows.loc["others_won", ["events", "n"]].tolist() == [1, 9]
    nothing = referral.referrals(found.leads, start=dt.date(2020, 1, 1), end=dt.date(2021, 1, 1))
    assert set(nothing["status"]) == {"no_cases"}
    assert found.days.empty and found.terms.empty and found.answers.empty and found.accounts.empty
