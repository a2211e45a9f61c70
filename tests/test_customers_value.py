"""Expected value of customers and its check on months held back: worked by hand, on known truth, and as properties."""

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest
from test_customers_retention import contract

from kpi_research.crm.tables import TABLES
from kpi_research.customers import bgnbd, clv, gamma_gamma, renewals
from kpi_research.customers.calibration import calibrate
from kpi_research.customers.facts import Facts, fetch
from kpi_research.customers.overview import overview
from kpi_research.customers.purchases import history_frame
from kpi_research.sources.simulated import Company, simulate

SINCE, UPTO = dt.date(2023, 1, 1), dt.date(2026, 1, 1)
FIRST = pd.Timestamp(SINCE)
BUYING = (0.9, 14.0, 0.8, 2.5)
SPENDING = (4.0, 3.5, 20_000.0)
FEW = 20
KINDS = {
    "id": "string",
    "text": "string",
    "choice": "string",
    "time": "datetime64[us]",
    "date": "datetime64[us]",
    "money": "float64",
}


def facts_of(rows: pd.DataFrame, accounts: pd.DataFrame | None = None) -> Facts:
    """Facts of contracts, by the queries that every client's go through."""
    engine = ibis.duckdb.connect()
    frame = rows.reindex(columns=list(TABLES["contracts"].columns))
    kinds = {name: KINDS[column.kind] for name, column in TABLES["contracts"].columns.items()}
    frame = frame.astype(kinds)
    tables = {"contracts": engine.create_table("contracts", frame)}
    if accounts is not None:
        tables["accounts"] = engine.create_table("accounts", accounts)
    return fetch(tables, currency="CNY")


def shop(customers: int, rng: np.random.Generator) -> pd.DataFrame:
    """Orders of customers whose true rates and drop-outs are drawn from `BUYING`, and amounts from `SPENDING`."""
    (r, alpha, a, b), (p, q, gamma) = BUYING, SPENDING
    rows, last = [], (pd.Timestamp(UPTO) - FIRST).days
    for number in range(customers):
        day, rate, leaves = float(rng.integers(0, last)), rng.gamma(r, 1 / alpha) / 7, rng.beta(a, b)
        scale = rng.gamma(q, 1 / gamma)
        while day < last:
            rows.append((f"K{number:05d}", FIRST + pd.Timedelta(days=int(day)), rng.gamma(p) / scale))
            if len(rows) > 1 and rows[-2][0] == rows[-1][0] and rng.random() < leaves:
                break
            day += rng.exponential(1 / rate)
    made = pd.DataFrame(rows, columns=["account_id", "signed_at", "margin"])
    first = ~made["account_id"].duplicated()
    return made.assign(
        contract_id=[f"C{n}" for n in range(len(made))], amount=made["margin"] * 2, cost=made["margin"], currency="CNY",
        kind=np.where(first, "new", "repeat"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    return shop(1500, np.random.default_rng(12))


@pytest.fixture(scope="module")
def facts(rows):
    return facts_of(rows)


@pytest.fixture(scope="module")
def fitted(facts):
    return clv.fit(facts, since=SINCE, upto=UPTO, rng=np.random.default_rng(1), resamples=FEW)


def total_of(fitted, facts, **settings):
    return clv.totals(fitted, facts, rng=np.random.default_rng(2), **settings)


def test_the_truth_is_found_through_the_whole_road(fitted):
    assert fitted.basis == "margin" and fitted.reason("noncontractual") == ""
    assert np.log(fitted.orders.buying.theta) == pytest.approx(np.log(BUYING), abs=0.5)
    mean = SPENDING[0] * SPENDING[2] / (SPENDING[1] - 1)
    p, q, gamma = fitted.orders.spending.theta
    assert p * gamma / (q - 1) == pytest.approx(mean, rel=0.06)


def test_values_add_up_and_are_discounted(fitted, facts):
    each = clv.customers(fitted, facts)
    total = total_of(fitted, facts).iloc[0]
    assert (total["setting"], total["status"], total["customers"]) == ("noncontractual", "ok", 1500)
    assert total["value"] == pytest.approx(each["value"].sum()) and total["valued"] == 1500
    assert total["value_low"] < total["value"] < total["value_high"]
    assert total["purchases_low"] < total["purchases"] < total["purchases_high"]
    plain = clv.customers(fitted, facts, discount=0.0)
    assert plain["value"].to_numpy() == pytest.approx((plain["purchases"] * plain["worth"]).to_numpy())
    # evenly spread over the year half of a year's discount is lost
    assert each["value"].sum() / plain["value"].sum() == pytest.approx(1.1**-0.5, abs=0.01)
    longer = clv.customers(fitted, facts, months=24)
    assert (longer["purchases"] >= each["purchases"]).all()


def test_one_customer_against_the_formula(fitted, facts):
    history = history_frame(facts.days, "noncontractual", upto=UPTO, basis="margin")
    row = history[history["frequency"] == 3].iloc[0]
    one = clv.customers(fitted, facts, months=1, discount=0.0).set_index("account_id").loc[row["account_id"]]
    weeks = 365.25 / 12 / 7
    of = [[row[name]] for name in ("frequency", "recency_weeks", "age_weeks")]
    purchases = bgnbd.expected_purchases(fitted.orders.buying.theta, *of, weeks)[0]
    worth = gamma_gamma.expected_value(fitted.orders.spending.theta, [row["value_days"]], [row["mean_value"]])[0]
    assert (one["purchases"], one["worth"]) == pytest.approx((purchases, worth))
    assert one["value"] == pytest.approx(purchases * worth)


def test_neither_order_of_rows_nor_names_change_anything(rows, fitted, facts):
    rng = np.random.default_rng(0)
    ids = rows["account_id"].unique()
    # names that sort the same, since draws are handed out in the order of the accounts
    names = {old: f"<b>{old}</b>' --" for old in ids}
    other = rows.assign(account_id=rows["account_id"].map(names)).iloc[rng.permutation(len(rows))]
    again_facts = facts_of(other)
    again = clv.fit(again_facts, since=SINCE, upto=UPTO, rng=np.random.default_rng(1), resamples=FEW)
    assert np.allclose(again.orders.buying.theta, fitted.orders.buying.theta, rtol=1e-9)
    once, twice = total_of(fitted, facts), total_of(again, again_facts)
    numbers = once.select_dtypes("number").columns
    assert twice[numbers].to_numpy() == pytest.approx(once[numbers].to_numpy(), rel=1e-6)


def test_cancelled_contracts_never_count(rows, facts):
    junk = rows.sample(400, random_state=1).assign(
        contract_id=lambda frame: "X" + frame["contract_id"], amount=9e9, cancelled_at=pd.Timestamp("2025-12-01"),
        signed_at=lambda frame: frame["signed_at"] + pd.Timedelta(days=3),
    )  # fmt: skip
    ends = junk.iloc[:50].assign(
        contract_id=lambda frame: "Y" + frame["contract_id"], ends_on=pd.Timestamp("2026-02-01")
    )
    with_junk = facts_of(pd.concat([rows, junk, ends]))
    pd.testing.assert_frame_equal(with_junk.days, facts.days)
    pd.testing.assert_frame_equal(with_junk.terms, facts.terms)


def test_what_came_later_is_not_looked_at(rows, facts):
    cut = dt.date(2025, 1, 1)
    past = facts_of(rows[rows["signed_at"] < pd.Timestamp(cut)])
    once, again = (
        clv.fit(each, since=SINCE, upto=cut, rng=np.random.default_rng(1), resamples=3) for each in (facts, past)
    )
    assert np.array_equal(once.orders.draws, again.orders.draws)
    pd.testing.assert_frame_equal(clv.customers(once, facts), clv.customers(again, past))


def test_refusals_say_why_and_give_no_number(rows):
    few = facts_of(rows[rows["account_id"] < "K00080"])
    model = clv.fit(few, since=SINCE, upto=UPTO, rng=np.random.default_rng(1))
    total = total_of(model, few).iloc[0]
    assert (total["status"], total["reason"], total["customers"]) == ("refused", "too_few_customers", 80)
    assert np.isnan(total["value"]) and np.isnan(total["purchases"]) and total["valued"] == 0
    assert clv.customers(model, few)["value"].isna().all()
    once = facts_of(rows[~rows["account_id"].duplicated()])
    assert (
        clv.fit(once, since=SINCE, upto=UPTO, rng=np.random.default_rng(1)).reason("noncontractual")
        == "too_few_repeats"
    )
    nobody = facts_of(rows.iloc[:0])
    model = clv.fit(nobody, since=SINCE, upto=UPTO, rng=np.random.default_rng(1))
    assert total_of(model, nobody).empty and model.reason("contractual") == "no_terms"
    checked = calibrate(nobody, since=SINCE, upto=UPTO, rng=np.random.default_rng(1))
    assert checked.groups.empty and set(checked.checks["status"]) == {"refused"}


def test_customers_of_unknown_start_are_not_fitted_to(rows, fitted):
    older = rows.assign(kind=np.where(rows["account_id"] < "K00700", "repeat", rows["kind"]))
    model = clv.fit(facts_of(older), since=SINCE, upto=UPTO, rng=np.random.default_rng(1), resamples=1)
    assert model.orders.buying.n_customers == 800 and fitted.orders.buying.n_customers == 1500


# months held back


@pytest.mark.parametrize("shops", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_the_forecast_is_right_on_months_held_back(shops):
    """Shops of known truth: no bias on average, sums inside their ranges, customers told apart better than by last year."""
    found = []
    for seed in range(shops):
        rng = np.random.default_rng(100 + seed)
        known = facts_of(shop(700, rng))
        checked = calibrate(known, since=SINCE, upto=UPTO, rng=rng, resamples=20 if shops == 2 else 60)
        found.append(checked.checks.set_index("setting").loc["noncontractual"])
        groups = checked.groups
        assert groups["group"].tolist() == ["0", "1", "2", "3+"] and groups["customers"].sum() == found[-1]["customers"]
        assert groups["predicted"].sum() == pytest.approx(found[-1]["purchases"])
    checks = pd.DataFrame(found)
    assert set(checks["status"]) == {"ok"} and set(checks["naive"]) == {"last_year"}
    inside = checks["purchases_actual"].between(checks["purchases_low"], checks["purchases_high"])
    money = checks["value_actual"].between(checks["value_low"], checks["value_high"])
    print(
        f"bias {checks['bias'].mean():+.3f}, sums inside {inside.sum()}, money inside {money.sum()} of {shops}, groups "
        f"{checks['groups_inside'].sum()} of {checks['groups'].sum()}, gain {checks['gain'].mean():.2f}, "
        f"nearer {(checks['nearer'] == 'model').sum()}"
    )
    assert abs(checks["bias"].mean()) < (0.15 if shops == 2 else 0.05)
    assert (inside.mean() >= 0.75 and money.mean() >= 0.75) or shops == 2
    assert checks["groups_inside"].sum() >= 0.75 * checks["groups"].sum()
    assert (checks["better"] == "model").all() and (checks["gain"] > 0.1).all()


def test_where_everybody_orders_on_the_same_day_each_year_last_year_is_the_better_forecast():
    rng = np.random.default_rng(5)
    rows = [
        (f"K{n:04d}", FIRST + pd.Timedelta(days=int(day) + 365 * year), 1000.0 + rng.normal(0, 50))
        for n, day in enumerate(rng.integers(0, 360, 400))
        for year in range(3)
    ]
    made = pd.DataFrame(rows, columns=["account_id", "signed_at", "amount"])
    made = made.assign(contract_id=[f"C{n}" for n in range(len(made))], kind=np.tile(["new", "repeat", "repeat"], 400))
    checked = calibrate(facts_of(made), since=SINCE, upto=UPTO, rng=rng, resamples=20).checks
    row = checked.set_index("setting").loc["noncontractual"]
    assert row["status"] == "ok" and row["better"] == "naive" and row["gain_high"] < 0


def test_without_a_year_before_the_naive_forecast_is_the_months_just_before(rows):
    late = rows[rows["signed_at"] >= "2024-09-01"].assign(kind=None)
    row = calibrate(facts_of(late), since=dt.date(2024, 9, 1), upto=UPTO, rng=np.random.default_rng(1), resamples=5)
    assert row.checks.set_index("setting").loc["noncontractual", "naive"] == "months_before"


# contracts that end


def terms_of(number: int, rng: np.random.Generator, shares=(0.7, 0.9)) -> pd.DataFrame:
    """Yearly contracts; first ones are renewed with one share and renewals with another, within 20 days of the end."""
    rows, end = [], pd.Timestamp(UPTO)
    for account in range(number):
        signed, kind = FIRST + pd.Timedelta(days=int(rng.integers(0, 1095))), "new"
        while signed < end:
            ends = signed + pd.Timedelta(days=365)
            rows.append((f"K{account:04d}", signed, ends, kind))
            if rng.random() >= shares[kind == "renewal"]:
                break
            signed, kind = ends + pd.Timedelta(days=int(rng.integers(-20, 21))), "renewal"
    made = pd.DataFrame(rows, columns=["account_id", "signed_at", "ends_on", "kind"])
    return made.assign(contract_id=[f"T{n}" for n in range(len(made))], amount=1000.0, cost=400.0)


def test_renewals_are_expected_as_often_as_they_come():
    checks = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        checked = calibrate(facts_of(terms_of(900, rng)), since=SINCE, upto=UPTO, rng=rng, resamples=1)
        checks.append(checked.checks.set_index("setting").loc["contractual"])
    checks = pd.DataFrame(checks)
    print(
        f"bias {checks['bias'].mean():+.3f}, sums inside "
        f"{checks['purchases_actual'].between(checks['purchases_low'], checks['purchases_high']).sum()} of {len(checks)}"
    )
    assert abs(checks["bias"].mean()) < 0.03
    assert checks["purchases_actual"].between(checks["purchases_low"], checks["purchases_high"]).sum() >= 7
    assert checks["value_actual"].between(checks["value_low"], checks["value_high"]).sum() >= 7
    assert checks["value"].to_numpy() == pytest.approx(checks["purchases"].to_numpy(float) * 600, rel=1e-9)


def test_renewal_shares_by_hand():
    model = renewals.RenewalModel((100, 50), (60, 45), np.arange(-10.0, 10), 365.0, 1.0, "margin")
    assert model.shares.tolist() == [0.6, 0.9]
    running = pd.DataFrame(
        {
            "account_id": list("ABCD"), "contract_id": list("abcd"), "group": [0, 1, 0, 0], "length": 365.0,
            "days_left": [100.0, 100.0, -5.0, 500.0], "worth": [10.0, 10.0, 10.0, np.nan],
        }
    )  # fmt: skip
    found = renewals.expected(model, running, months=12, discount=0.0)
    a, b, c, d = found["purchases"]
    assert (a, b, d) == pytest.approx((0.6, 0.9, 0.0))
    # 5 days after its end, 15 of 20 days have gone: 0.6 * 0.25 of 1 - 0.6 * 0.75, then half a chance in twelve months again
    left = 0.6 * 0.25 / (1 - 0.6 * 0.75)
    assert c == pytest.approx(left * (1 + 0.9 * 0.75), abs=0.02)
    assert found["value"].iloc[:3].tolist() == pytest.approx([6.0, 9.0, c * 10])
    assert np.isnan(found["value"].iloc[3])
    counts, money = renewals.draw(model, running, months=12, draws=4000, rng=np.random.default_rng(1))
    assert counts.mean() == pytest.approx(a + b + c, abs=0.06) and money.mean() == pytest.approx(
        10 * (a + b + c), abs=0.6
    )


def test_few_renewals_that_ended_share_the_rate_of_all():
    model = renewals.RenewalModel((100, 4), (60, 4), np.array([0.0]), np.nan, 1.0, "amount")
    assert model.shares.tolist() == pytest.approx([0.6, 64 / 104])


def test_why_renewals_are_refused():
    made = terms_of(200, np.random.default_rng(3))
    reasons = {
        "no_renewals_recorded": made.assign(kind="new"),
        "too_few_due": made[made["signed_at"] >= "2024-12-15"],
        "no_terms": made.iloc[:0],
        "": made,
    }
    for reason, rows in reasons.items():
        model = clv.fit(facts_of(rows), since=SINCE, upto=UPTO, rng=np.random.default_rng(1), resamples=1)
        assert model.reason("contractual") == reason


def test_nobody_is_lost_where_the_crm_knows_no_renewals():
    known = facts_of(terms_of(200, np.random.default_rng(3)).assign(kind="new"))
    model = clv.fit(known, since=SINCE, upto=UPTO, rng=np.random.default_rng(1), resamples=1)
    checked = calibrate(known, since=SINCE, upto=UPTO, rng=np.random.default_rng(1), resamples=1)
    made = overview(known, model, checked, rng=np.random.default_rng(1))
    assert made.curves.empty and made.cohorts.empty
    assert made.rates.set_index("measure").loc["renewal_rate", "status"] == "no_renewals_recorded"


# together


@pytest.fixture(scope="module")
def company():
    tables = simulate(Company(people=20, teams=2, months=27)).tables
    engine = ibis.duckdb.connect()
    return fetch({name: engine.create_table(name, frame) for name, frame in tables.items()}, currency="CNY")


def test_teams_add_up_to_the_company(company):
    since, upto = dt.date(2024, 7, 1), dt.date(2026, 10, 1)
    model = clv.fit(company, since=since, upto=upto, rng=np.random.default_rng(1), resamples=5)
    checked = calibrate(company, since=since, upto=upto, rng=np.random.default_rng(1), resamples=5)
    owners = sorted(company.accounts["owner_id"].dropna().unique())
    halves = [owners[::2], owners[1::2]]
    whole, *parts = (
        overview(company, model, checked, rng=np.random.default_rng(1), owners=who) for who in (None, *halves)
    )
    for setting in ("contractual", "noncontractual"):
        values = [part.totals.set_index("setting").loc[setting] for part in (whole, *parts)]
        assert values[0]["value"] == pytest.approx(values[1]["value"] + values[2]["value"])
    assert not set(parts[0].customers["account_id"]) & set(parts[1].customers["account_id"])
    assert set(parts[0].customers["owner_id"]) <= set(halves[0])
    assert whole.voice["n"].sum() == sum(part.voice["n"].sum() for part in parts)
    without = Facts(**{**vars(company), "accounts": company.accounts.assign(owner_id=None)})
    assert overview(without, model, checked, rng=np.random.default_rng(1), owners=halves[0]).reason == "no_owners"


def test_one_account_may_be_in_both_settings():
    rows = pd.DataFrame(
        [
            contract(1, "A", "2025-01-06", kind="new", ends_on="2026-01-05"),
            contract(2, "A", "2025-03-03", kind="repeat"),
        ]
    )
    known = facts_of(rows)
    model = clv.fit(known, since=SINCE, upto=UPTO, rng=np.random.default_rng(1))
    each = clv.customers(model, known).set_index("setting")
    assert each["account_id"].tolist() == ["A", "A"] and set(each.index) == {"contractual", "noncontractual"}
    assert history_frame(known.days, "noncontractual", upto=UPTO, basis="amount")["begins_later"].tolist() == [False]
