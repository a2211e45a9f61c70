"""Two roads to every number: the panel machine, and the same KPI worked out row by row in plain pandas."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpi_research.crm.roster import UNASSIGNED
from kpi_research.crm.tables import TABLES
from kpi_research.kpis.catalogue import catalogue
from kpi_research.panel import PANEL_COLUMNS, contributions, panel
from kpi_research.periods import Period, as_intervals, periods_between
from kpi_research.sources.simulated import Company, simulate

QUARTERS = [Period.parse(name) for name in ("2025Q1", "2025Q2", "2025Q3")]


@pytest.fixture(scope="module")
def tables():
    return simulate(Company(people=12, teams=3, first_month="2024-10", months=12, seed=5)).tables


@pytest.fixture(scope="module")
def parts(tables):
    return contributions(tables, list(catalogue().values()))


def valid(contracts: pd.DataFrame) -> pd.DataFrame:
    return contracts[contracts["cancelled_at"].isna()]


def naive(tables: dict[str, pd.DataFrame], until: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """`who, when, numerator, denominator` of every row, written without the machine."""
    t = tables
    owners = t["accounts"].set_index("account_id")["owner_id"]
    acts, opps = t["activities"], t["opportunities"]
    contracts = valid(t["contracts"])
    decided = opps[opps["outcome"].isin(["won", "lost"])]
    won = opps[(opps["outcome"] == "won") & opps["created_at"].notna()]
    first = (
        contracts[contracts["account_id"].notna()]
        .sort_values(["signed_at", "contract_id"])
        .drop_duplicates("account_id")
    )
    visits = acts[acts["kind"] == "visit"].assign(day=lambda rows: rows["occurred_at"].dt.normalize())
    visits = visits.assign(at=visits["account_id"].fillna(visits["activity_id"])).drop_duplicates(
        ["person_id", "at", "day"]
    )
    nps = t["surveys"][t["surveys"]["kind"] == "nps"]
    peer = t["surveys"][t["surveys"]["kind"] == "peer"]
    recorded = acts[acts["recorded_at"].notna()]

    def rows(frame, who, when, numerator, denominator=None):
        return pd.DataFrame(
            {
                "who": who,
                "when": frame[when],
                "numerator": numerator,
                "denominator": np.nan if denominator is None else denominator,
            }
        )

    def activities(kind):
        frame = acts[acts["kind"] == kind]
        return rows(frame, frame["person_id"], "occurred_at", 1.0)

    score = np.where(nps["score"] >= 9, 100.0, np.where(nps["score"] <= 6, -100.0, 0.0))
    filled = opps[["account_id", "product", "amount", "expected_close_on", "stage"]].notna().sum(axis=1)
    made = {
        "signed_amount": rows(contracts, contracts["owner_id"], "signed_at", contracts["amount"]),
        "signed_contracts": rows(contracts, contracts["owner_id"], "signed_at", 1.0),
        "new_customers": rows(first, first["owner_id"], "signed_at", 1.0),
        "visits": rows(visits, visits["person_id"], "occurred_at", 1.0),
        "calls": activities("call"), "demos": activities("demo"), "proposals": activities("proposal"),
        "win_rate": rows(decided, decided["owner_id"], "closed_at", (decided["outcome"] == "won") * 1.0, 1.0),
        "won_cycle_days": rows(
            won, won["owner_id"], "closed_at", (won["closed_at"].dt.normalize() - won["created_at"].dt.normalize()).dt.days, 1.0
        ),
        "nps": rows(nps, nps["account_id"].map(owners), "answered_at", score, 1.0),
        "peer_rating": rows(
            peer, peer["subject_id"], "answered_at", (peer["score"] - peer["scale_min"]) / (peer["scale_max"] - peer["scale_min"]) * 100, 1.0
        ),
        "crm_completeness": rows(opps, opps["owner_id"], "created_at", filled * 1.0, 5.0),
        "entry_timeliness": rows(
            recorded, recorded["person_id"], "occurred_at", (recorded["recorded_at"] <= recorded["occurred_at"] + pd.Timedelta(days=1)) * 1.0, 1.0
        ),
        "renewal_rate": renewals(contracts, until),
        "second_contact_rate": second_contacts(acts, until),
        "collection_rate": receipts(t, until),
    }  # fmt: skip
    return {kpi: frame[frame["when"] < until] for kpi, frame in made.items()}


def renewals(contracts: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    out = []
    for row in contracts[contracts["ends_on"].notna()].itertuples():
        if row.ends_on + pd.Timedelta(days=30) >= until:
            continue
        others = contracts[
            (contracts["account_id"] == row.account_id)
            & (contracts["contract_id"] != row.contract_id)
            & (contracts["kind"] == "renewal")
        ]
        window = others["signed_at"].between(
            row.ends_on - pd.Timedelta(days=90), row.ends_on + pd.Timedelta(days=31), inclusive="left"
        )
        out.append((row.owner_id, row.ends_on, float(window.any()), 1.0))
    return pd.DataFrame(out, columns=["who", "when", "numerator", "denominator"])


def second_contacts(acts: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    out = []
    known = acts[acts["account_id"].notna()].sort_values(["occurred_at", "activity_id"])
    for _, rows in known.groupby("account_id"):
        visits = rows[rows["kind"] == "visit"]
        if visits.empty:
            continue
        first = visits.iloc[0]
        if first["occurred_at"].normalize() + pd.Timedelta(days=3) >= until:
            continue
        later = rows.iloc[rows.index.get_loc(first.name) + 1 :]["occurred_at"]
        quick = (later <= first["occurred_at"] + pd.Timedelta(days=3)).any()
        out.append((first["person_id"], first["occurred_at"], float(quick), 1.0))
    return pd.DataFrame(out, columns=["who", "when", "numerator", "denominator"])


def receipts(tables: dict[str, pd.DataFrame], until: pd.Timestamp) -> pd.DataFrame:
    out = []
    payments = tables["payments"][tables["payments"]["paid_at"] < until]
    for contract in tables["contracts"].itertuples():
        due = tables["receivables"][tables["receivables"]["contract_id"] == contract.contract_id].sort_values(
            ["due_on", "receivable_id"]
        )
        paid = payments[payments["contract_id"] == contract.contract_id]
        before = 0.0
        for row in due.itertuples():
            if row.due_on + pd.Timedelta(days=30) < until:
                by_then = paid[paid["paid_at"] < row.due_on + pd.Timedelta(days=31)]["amount"].sum()
                out.append(
                    (contract.owner_id, row.due_on, min(max(by_then - before, 0.0), row.amount_due), row.amount_due)
                )
            before += row.amount_due
    return pd.DataFrame(out, columns=["who", "when", "numerator", "denominator"])


def team_on(tables: dict[str, pd.DataFrame]):
    """Who was in which team, asked one person and day at a time."""
    left = dict(zip(tables["people"]["person_id"], tables["people"]["left_on"]))
    spans: dict[str, list[tuple]] = {}
    for row in tables["assignments"].sort_values("since").itertuples():
        spans.setdefault(row.person_id, []).append((row.since, row.until, row.team_id))

    def team(person: str, day: pd.Timestamp) -> str:
        if pd.notna(left.get(person)) and day > left[person]:
            return UNASSIGNED
        here = [team for since, until, team in spans.get(person, ()) if since <= day and not until < day]
        return here[-1] if here else UNASSIGNED

    return team


@pytest.mark.parametrize("level", ["person", "team", "company"])
@pytest.mark.parametrize("grain", ["month", "quarter"])
def test_the_machine_agrees_with_plain_pandas(tables, parts, level, grain):
    periods = [p for quarter in QUARTERS for p in ([quarter] if grain == "quarter" else quarter.split("month"))]
    made = panel(parts, as_intervals(periods), level).set_index(["kpi", "entity_id", "period"])
    until = pd.Timestamp(parts.until_end)
    team = team_on(tables)
    compared = 0
    for kpi, rows in naive(tables, until).items():
        rows = rows[rows["who"].notna()]
        rows = rows.assign(period=[Period.containing(when.date(), grain).name for when in rows["when"]])
        rows = rows[rows["period"].isin([period.name for period in periods])]
        entity = {"person": rows["who"], "company": "company"}.get(level)
        if entity is None:
            entity = [team(who, when.normalize()) for who, when in zip(rows["who"], rows["when"])]
        sums = rows.assign(entity=entity).groupby(["entity", "period"])[["numerator", "denominator"]].sum(min_count=1)
        for (entity_id, period), expected in sums.iterrows():
            found = made.loc[(kpi, entity_id, period)]
            assert found["numerator"] == pytest.approx(expected["numerator"], abs=1e-5), (kpi, entity_id, period)
            assert found["denominator"] == pytest.approx(expected["denominator"], abs=1e-5, nan_ok=True), (
                kpi,
                entity_id,
                period,
            )
            compared += 1
    assert compared > 40


def test_columns_and_sums_over_teams(parts):
    added = [kpi.name for kpi in catalogue().values() if kpi.aggregation in ("sum", "at_end") and len(kpi.levels) == 3]
    team, company = (panel(parts.only(added), as_intervals(QUARTERS), level) for level in ("team", "company"))
    assert list(team.columns) == PANEL_COLUMNS
    additive = team.groupby("kpi")["additive"].unique()
    assert {kpi: [catalogue()[kpi].is_additive] for kpi in additive.index} == additive.map(list).to_dict()
    assert additive["visits"].tolist() == [True], "a sum over days"
    assert additive["repurchase_rate"].tolist() == additive["joint_call_rate"].tolist() == [False]
    sums = team.groupby(["period", "kpi"])["numerator"].sum()
    whole = company.set_index(["period", "kpi"])["numerator"].fillna(0)
    pd.testing.assert_series_equal(sums.sort_index(), whole.sort_index(), check_names=False, rtol=1e-9)


def test_a_teams_ratio_is_the_ratio_of_sums_not_the_mean_of_ratios(parts):
    rows = panel(parts, as_intervals(QUARTERS), "team")
    people = panel(parts, as_intervals(QUARTERS), "person")
    rate = rows[(rows["kpi"] == "win_rate") & (rows["status"] == "ok")]
    assert np.allclose(rate["value"], rate["numerator"] / rate["denominator"])
    means = people[people["kpi"] == "win_rate"].groupby("period")["value"].mean()
    company = panel(parts, as_intervals(QUARTERS), "company").query("kpi == 'win_rate'").set_index("period")["value"]
    assert (abs(means - company) > 1e-4).any(), "on these data the two differ, so the test above can fail"


def table(name: str, /, **columns: object) -> pd.DataFrame:
    """A canonical table; columns that are not given are empty."""
    return pd.DataFrame(columns).reindex(columns=list(TABLES[name].columns))


def one_person(moves: str, **extra: pd.DataFrame) -> dict[str, pd.DataFrame]:
    days = pd.date_range("2026-01-01", "2026-03-31", freq="D")
    keys = [f"K{number}" for number in range(len(days))]
    since = pd.to_datetime(["2025-01-01", moves])
    return {
        "people": table("people", person_id=["P1"], name=["王芳"]).astype({"hired_on": "datetime64[us]", "left_on": "datetime64[us]"}),
        "assignments": table("assignments", person_id=["P1", "P1"], team_id=["T1", "T2"], since=since).astype({"until": "datetime64[us]"}),
        "contracts": table("contracts", contract_id=keys, owner_id="P1", signed_at=days, amount=1.0),
        **extra,
    }  # fmt: skip


@given(st.integers(1, 89))
@settings(max_examples=12, deadline=None)
def test_who_moves_is_split_by_days_and_never_counted_twice(day):
    moves = (pd.Timestamp("2026-01-01") + pd.Timedelta(days=day)).strftime("%Y-%m-%d")
    parts = contributions(one_person(moves), [catalogue()["signed_amount"]])
    rows = panel(parts, as_intervals([Period.parse("2026Q1")]), "team").set_index("entity_id")["numerator"]
    assert rows.to_dict() == {"T1": day, "T2": 90 - day}


def test_nothing_recorded_is_missing_and_nothing_done_is_zero():
    called = pd.to_datetime(["2026-02-03"])
    acts = table("activities", activity_id=["1"], person_id=["P1"], kind=["call"], occurred_at=called)
    tables = one_person("2026-02-01", activities=acts)
    parts = contributions(tables, [catalogue()[name] for name in ("calls", "demos", "nps", "signed_amount")])
    months = as_intervals(periods_between(dt.date(2026, 1, 1), dt.date(2026, 3, 31), "month"))
    status = panel(parts, months, "person").set_index(["kpi", "period"])["status"]
    assert status["demos", "2026-02"] == "ok", "a call is on file, so no demo means none was held"
    assert status["demos", "2026-01"] == "no_record"
    assert status["nps", "2026-01"] == "no_data"
    value = panel(parts, months, "person").set_index(["kpi", "period"])["value"]
    assert value["demos", "2026-02"] == 0 and np.isnan(value["demos", "2026-01"])


def test_small_denominators_and_young_rows_are_marked():
    closed = pd.to_datetime(["2026-01-05"] * 4)
    opps = table(
        "opportunities",
        opportunity_id=list("abcd"),
        owner_id="P1",
        outcome=["won", "lost", "won", "won"],
        closed_at=closed,
    )
    kpis = [catalogue()["win_rate"], catalogue()["renewal_rate"]]
    parts = contributions(one_person("2026-02-01", opportunities=opps), kpis)
    rows = panel(parts, as_intervals([Period.parse("2026-01"), Period.parse("2026-03")]), "person").set_index(
        ["kpi", "period"]
    )
    assert rows.loc[("win_rate", "2026-01"), "status"] == "too_few" and np.isnan(
        rows.loc[("win_rate", "2026-01"), "value"]
    )
    assert rows.loc[("win_rate", "2026-01"), "numerator"] == 3, "the parts are kept"
    assert rows.loc[("renewal_rate", "2026-01"), "status"] == "no_cases"


def test_row_order_and_names_of_people_change_nothing(tables):
    kpis = [catalogue()[name] for name in ("signed_amount", "second_contact_rate", "collection_rate", "new_customers")]
    rng = np.random.default_rng(1)
    shuffled = {name: frame.sample(frac=1, random_state=rng.integers(1 << 31)) for name, frame in tables.items()}
    one, two = (panel(contributions(t, kpis), as_intervals(QUARTERS), "team") for t in (tables, shuffled))
    pd.testing.assert_frame_equal(one, two)
    renamed = {
        name: frame.assign(**{c: "X" + frame[c] for c in frame.columns if c in ("person_id", "owner_id", "subject_id")})
        for name, frame in tables.items()
    }
    pd.testing.assert_frame_equal(one, panel(contributions(renamed, kpis), as_intervals(QUARTERS), "team"))


def test_rows_before_the_first_day_are_history_only(tables):
    kpis = [catalogue()["signed_amount"], catalogue()["new_customers"]]
    since = dt.date(2025, 1, 1)
    short, full = contributions(tables, kpis, since=since), contributions(tables, kpis)
    assert short.daily["day"].min() >= pd.Timestamp(since) > full.daily["day"].min()
    one, two = (panel(parts, as_intervals(QUARTERS), "company")["value"] for parts in (short, full))
    assert one.tolist() == two.tolist(), "who was a customer before is still no new customer"


def test_a_period_in_which_nobody_recorded_anything_is_missing_and_not_zero():
    parts = contributions(one_person("2026-02-01"), [catalogue()["signed_amount"]], until=dt.date(2026, 6, 30))
    rows = panel(parts, as_intervals([Period.parse("2026Q1"), Period.parse("2026Q2")]), "company").set_index("period")
    assert rows.loc["2026Q1", "value"] == 90 and rows.loc["2026Q2", "status"] == "no_record"
    assert np.isnan(rows.loc["2026Q2", "value"])


@pytest.mark.parametrize("level", ["person", "team"])
def test_a_later_month_added_to_earlier_ones_gives_what_everything_together_gives(tables, level, tmp_path):
    kpis = list(catalogue().values())
    now = contributions(tables, kpis)
    then = dt.date(2025, 8, 31)
    earlier = contributions(as_of_then(tables, then), kpis, until=then)
    added = contributions(tables, kpis, before=earlier, folder=tmp_path)
    assert all(len(part.pieces) == 2 for part in added.parts), "or nothing was kept"
    months = as_intervals([month for quarter in QUARTERS for month in quarter.split("month")])
    one, two = (panel(parts, months, level) for parts in (now, added))
    pd.testing.assert_frame_equal(one, two)
    third = contributions(tables, kpis, before=added)
    pd.testing.assert_frame_equal(panel(third, months, level), one)


def test_files_in_no_order_give_the_same_panel_and_files_in_order_the_same_bytes(tables, parts, tmp_path):
    kpis, months = list(catalogue().values()), as_intervals(QUARTERS)
    loose = contributions(tables, kpis, folder=tmp_path / "loose", in_order=False)
    pd.testing.assert_frame_equal(panel(loose, months, "team"), panel(parts, months, "team"))
    rng = np.random.default_rng(3)
    shuffled = {name: frame.sample(frac=1, random_state=rng.integers(1 << 31)) for name, frame in tables.items()}
    again = contributions(shuffled, kpis, folder=tmp_path / "again")
    for path in sorted(parts.folder.glob("p*.parquet")):
        assert path.read_bytes() == (again.folder / path.name).read_bytes(), path.name


def as_of_then(tables: dict[str, pd.DataFrame], then: dt.date) -> dict[str, pd.DataFrame]:
    """The tables as they were: what happened later had not happened, and who was won later was still open."""
    end = pd.Timestamp(then) + pd.Timedelta(days=1)
    found = dict(tables)
    for name, time in {"activities": "occurred_at", "contracts": "signed_at", "payments": "paid_at", "leads": "created_at",
                       "opportunities": "created_at", "surveys": "answered_at", "learning": "occurred_at",
                       "stage_changes": "entered_at"}.items():  # fmt: skip
        found[name] = tables[name][tables[name][time] < end]
    return found


def held(until: str | None, *, person: str = "P1", since: str = "2026-01-10") -> dict[str, object]:
    return {"contract_id": f"{person}{since}", "owner_id": person, "signed_at": pd.Timestamp(since), "amount": 100.0,
            "ends_on": pd.Timestamp(until) if until else pd.NaT}  # fmt: skip


def test_what_holds_at_a_periods_end_is_counted_there_by_the_team_of_that_day():
    rows = [held("2026-03-31"), held(None), held("2026-02-01", since="2025-06-01"), held("2026-01-10")]
    moved = one_person("2026-02-15")
    moved["contracts"] = pd.concat([moved["contracts"], table("contracts", **pd.DataFrame(rows))])
    running = dataclasses.replace(
        catalogue()["signed_amount"], aggregation="at_end", until="ends_on",
        rows=lambda crm: crm.contracts.filter(crm.contracts.amount > 50),
    )  # fmt: skip
    parts = contributions(moved, [running, catalogue()["signed_contracts"]])
    months = as_intervals(periods_between(dt.date(2026, 1, 1), dt.date(2026, 3, 31), "month"))
    found = panel(parts, months, "team").query("kpi == 'signed_amount' and n > 0").set_index("period")
    assert found["entity_id"].to_dict() == {"2026-01": "T1", "2026-02": "T2", "2026-03": "T2"}
    assert found["numerator"].to_dict() == {"2026-01": 300, "2026-02": 200, "2026-03": 100}, "the last day is outside"


def test_medians_and_distinct_counts_are_those_of_the_rows():
    contracts = pd.DataFrame({"amount": [1.0, 2.0, 3.0, 10.0, 50.0], "account_id": ["A", "A", "B", "C", None]})
    given = one_person("2026-02-01")
    given["contracts"] = table("contracts", contract_id=list("abcde"), owner_id="P1",
                               signed_at=pd.to_datetime(["2026-01-05"] * 5), **contracts)  # fmt: skip
    middle = dataclasses.replace(catalogue()["signed_amount"], aggregation="median", name="middle")
    different = dataclasses.replace(
        catalogue()["signed_amount"], aggregation="distinct", name="different", numerator=lambda rows: rows.account_id
    )
    rows = panel(contributions(given, [middle, different]), as_intervals([Period.parse("2026-01")]), "company")
    assert rows.set_index("kpi")[["value", "n"]].to_dict("index") == {
        "middle": {"value": 3.0, "n": 5.0}, "different": {"value": 3.0, "n": 4.0},
    }  # fmt: skip


def test_what_was_entered_before_anything_happened_does_not_begin_the_record():
    account = table("accounts", account_id=["A"], owner_id=["P1"], created_at=pd.to_datetime(["2019-05-01"]))
    parts = contributions(one_person("2026-02-01", accounts=account), list(catalogue().values()))
    assert parts.since == dt.date(2026, 1, 1)
    assert parts.roster["day"].min() == pd.Timestamp("2026-01-01")


def test_asking_for_fewer_kpis_changes_nothing_of_them(parts):
    wanted = ["signed_amount", "nps", "visits"]
    some = panel(parts.only(wanted), as_intervals(QUARTERS), "person")
    every = panel(parts, as_intervals(QUARTERS), "person")
    pd.testing.assert_frame_equal(some, every[every["kpi"].isin(wanted)].reset_index(drop=True), check_dtype=False)


def test_what_came_before_the_first_event_of_its_period_belongs_to_the_team_of_its_day():
    leads = table("leads", lead_id=["L"], owner_id=["P1"], created_at=pd.to_datetime(["2026-02-03"]))
    given = one_person("2026-02-20", leads=leads)
    given["contracts"] = given["contracts"][given["contracts"]["signed_at"] >= "2026-02-20"]
    parts = contributions(given, [catalogue()["new_leads"]])
    rows = panel(parts, as_intervals([Period.parse("2026Q1")]), "team").set_index("entity_id")["numerator"]
    assert rows.to_dict() == {"T1": 1, "T2": 0}
    assert parts.roster["day"].min() == pd.Timestamp("2026-02-20"), "exposure begins with the first event"
