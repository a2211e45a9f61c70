"""Stages and passages: which stages there are, who passed which and when, worked by hand."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from pipelines import SINCE, STAGES, UNTIL, deal, entry, pipeline, read, tables
from servers import postgres, run_sql, sql_engine  # noqa: F401 - a fixture

from kpi_research.crm.tables import TABLES
from kpi_research.funnel.cohort import cohort_view
from kpi_research.funnel.records import read_records, records_in, write_records
from kpi_research.funnel.snapshot import snapshot_view, standing
from kpi_research.funnel.stages import stage_model
from kpi_research.funnel.steps import steps
from kpi_research.sources.database import open_database
from kpi_research.sources.mapping import DatabaseSource
from kpi_research.sources.simulated import Company, simulate
from kpi_research.sources.workspace import Workspace

JANUARY = {"start": pd.Timestamp("2025-01-01"), "end": pd.Timestamp("2025-02-01")}


def contract(number: int, amount: float, **more: object) -> dict[str, object]:
    return {
        "contract_id": f"C{number}", "opportunity_id": f"O{number}", "signed_at": "2025-03-01", "amount": amount, **more,
    }  # fmt: skip


def payment(number: int, contract_id: str, at: str, amount: float) -> dict[str, object]:
    return {"payment_id": f"Y{number}", "contract_id": contract_id, "paid_at": at, "amount": amount}


def passages(records, number: int) -> list[tuple]:
    rows = records.passages[records.passages["case_id"] == f"O{number}"]
    days = rows[["entered_at", "left_at"]].apply(lambda times: times.dt.strftime("%m-%d"))
    return [
        (stage, entered, None if pd.isna(left) else left, to)
        for stage, entered, left, to in zip(rows["stage"], days["entered_at"], days["left_at"], rows["to"], strict=True)
    ]


def test_a_deal_passes_its_stages_in_order():
    records = read(
        opportunities=[deal(1, "2025-01-02", "won", "2025-03-01")],
        stage_changes=[
            entry(1, "need", "2025-01-02"),
            entry(1, "offer", "2025-01-20"),
            entry(1, "talks", "2025-02-10"),
        ],
    )
    assert passages(records, 1) == [
        ("need", "01-02", "01-20", "next"),
        ("offer", "01-20", "02-10", "next"),
        ("talks", "02-10", "03-01", "next"),
        ("won", "03-01", None, ""),
    ]
    assert not records.passages["skipped"].any() and not records.passages["reopened"].any()


def test_a_skipped_stage_is_passed_in_no_time():
    records = read(
        opportunities=[deal(1, "2025-01-02", "lost", "2025-03-01"), deal(2, "2025-01-05")],
        stage_changes=[
            entry(1, "need", "2025-01-02"),
            entry(1, "talks", "2025-02-10"),
            entry(2, "offer", "2025-01-09"),
        ],
    )
    assert passages(records, 1) == [
        ("need", "01-02", "02-10", "next"),
        ("offer", "02-10", "02-10", "next"),
        ("talks", "02-10", "03-01", "lost"),
    ]
    assert passages(records, 2) == [("need", "01-05", "01-09", "next"), ("offer", "01-09", None, "")]
    assert records.passages.query("skipped")[["case_id", "stage"]].values.tolist() == [["O1", "offer"]]


def test_a_reopened_stage_keeps_its_first_entry_and_is_counted():
    moves = [("need", "02"), ("offer", "10"), ("need", "12"), ("offer", "20"), ("offer", "21"), ("talks", "25")]
    records = read(
        opportunities=[deal(1, "2025-01-02")],
        stage_changes=[entry(1, stage, f"2025-01-{day}") for stage, day in moves],
    )
    assert [row[:2] for row in passages(records, 1)] == [("need", "01-02"), ("offer", "01-10"), ("talks", "01-25")]
    assert records.passages["reopened"].tolist() == [1, 1, 0], "entering offer on two days in a row is one entry"


def test_nothing_after_the_last_day_is_known():
    records = read(
        until=dt.date(2025, 1, 15),
        opportunities=[deal(1, "2025-01-02", "won", "2025-03-01"), deal(2, "2025-01-20")],
        stage_changes=[entry(1, "need", "2025-01-02"), entry(1, "offer", "2025-01-16")],
    )
    assert records.cases["case_id"].tolist() == ["O1"]
    assert records.cases["outcome"].tolist() == ["open"]
    assert passages(records, 1) == [("need", "01-02", None, "")]


def test_looking_back_is_reading_with_an_earlier_last_day():
    records, day = pipeline(300, np.random.default_rng(1)), dt.date(2025, 3, 31)
    back = records.as_of(day)
    assert (back.cases["opened_at"] < pd.Timestamp("2025-04-01")).all()
    late = records.cases["closed_at"] >= pd.Timestamp("2025-04-01")
    assert set(back.cases["case_id"]) & set(records.cases.loc[late, "case_id"]) <= set(
        back.cases.loc[back.cases["outcome"] == "open", "case_id"]
    )
    assert not (back.passages["left_at"] >= pd.Timestamp("2025-04-01")).any()
    assert back.passages.loc[back.passages["left_at"].isna() & (back.passages["kind"] != "won"), "to"].eq("").all()


def test_void_deals_are_none_and_undated_ones_are_counted():
    records = read(
        opportunities=[
            deal(1, "2025-01-02", "void", "2025-02-01"),
            deal(2, "2025-01-02", "lost"),
            deal(3, None, "open"),
            deal(4, "2025-01-02"),
        ]
    )
    assert records.cases["case_id"].tolist() == ["O3", "O4"] and records.undated == 1
    assert standing(records)["days"].isna().tolist() == [True, False]
    assert snapshot_view(records)["undated"].tolist() == [1]


def test_collection_is_the_day_on_which_contracts_are_paid_in_full():
    records = read(
        opportunities=[deal(n, "2025-01-02", "won", "2025-03-01") for n in (1, 2, 3)],
        contracts=[contract(1, 900), contract(2, 500), contract(9, 50, opportunity_id=None)],
        payments=[
            payment(1, "C1", "2025-04-01", 400), payment(2, "C1", "2025-05-01", 500), payment(3, "C2", "2025-04-01", 499),
        ],
    )  # fmt: skip
    assert [stage.kind for stage in records.model.deals] == ["opened", "won", "collected"]
    paid = records.passages[records.passages["kind"] == "collected"]
    assert paid["entered_at"].tolist() == [pd.Timestamp("2025-05-01")]
    rows = steps(records)
    assert rows.loc[rows["kind"] == "won", "case_id"].tolist() == ["O1", "O2"], "the third has no contract"
    assert cohort_view(records, **JANUARY, rng=np.random.default_rng(1))["unlinked"].tolist() == [0, 1, 0]


def test_leads_come_before_deals():
    leads = [
        {"lead_id": "L1", "created_at": "2025-01-02", "qualified_at": "2025-01-05", "converted_at": "2025-01-09"},
        {"lead_id": "L2", "created_at": "2025-01-03", "opportunity_id": "O1", "source": "fair"},
        {"lead_id": "L3", "created_at": "2025-01-04"},
    ]
    records = read(stages=("线索", *STAGES), opportunities=[deal(1, "2025-01-20")], leads=leads,
                   stage_changes=[entry(1, "need", "2025-01-20")])  # fmt: skip
    assert [stage.name for stage in records.model.leads] == ["线索", "qualified", "converted"]
    rows = records.passages[records.passages["part"] == "leads"]
    assert rows.groupby("case_id").size().to_dict() == {"L1": 3, "L2": 3, "L3": 1}
    assert rows.loc[rows["case_id"] == "L2", "entered_at"].iloc[-1] == pd.Timestamp("2025-01-20"), "that of its deal"
    assert records.cases.set_index("case_id")["source"]["O1"] == "fair"


@pytest.mark.parametrize("won", ["签约", "done"])
def test_the_winning_stage_is_known_by_its_name_or_by_what_becomes_of_its_deals(won):
    moves = [entry(n, stage, f"2025-01-{n:02d}") for n in range(1, 26) for stage in ("need", won)]
    moves += [entry(n, "need", "2025-01-05") for n in range(26, 40)]
    deals = [deal(n, "2025-01-01", "won" if n < 26 else "lost", "2025-02-01") for n in range(1, 40)]
    model = stage_model(
        tables(opportunities=deals, stage_changes=moves),
        ["lead", "need", "offer", won, "paid"],
    )
    assert [(stage.name, stage.kind) for stage in model.deals] == [("need", "stage"), (won, "won")]
    assert model.unmeasured == ("lead", "offer", "paid") and model.order == "settings"


def test_without_a_list_the_order_is_that_in_which_deals_pass():
    moves = [entry(n, stage, f"2025-01-{day:02d}") for n in (1, 2) for stage, day in (("z", 1), ("m", 5), ("a", 9))]
    moves += [entry(3, "m", "2025-01-02"), entry(3, "z", "2025-01-03"), entry(3, "Lost", "2025-01-08")]
    given = tables(opportunities=[deal(n, "2025-01-01") for n in (1, 2, 3)], stage_changes=moves)
    model = stage_model(given)
    assert [stage.name for stage in model.deals] == ["z", "m", "a", "won"] and model.order == "observed"
    assert stage_model(given, ["z", "a"]).unlisted == ("m",)


def test_records_are_kept_and_found_again(tmp_path):
    records = pipeline(50, np.random.default_rng(3))
    write_records(records, tmp_path)
    found = records_in(tmp_path)
    assert found.model == records.model and (found.since, found.until) == (SINCE, UNTIL)
    for name in ("cases", "passages", "contacts"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(records, name), check_dtype=False)
    assert records_in(tmp_path / "elsewhere") is None


def test_without_opportunities_there_is_no_funnel():
    assert read_records(tables(leads=[]), roster=pd.DataFrame(), since=SINCE, until=UNTIL) is None


def test_teams_are_the_owners_on_the_day_or_the_nearest_day():
    days = pd.DataFrame(
        {"person_id": "P1", "team_id": ["T1", "T2"], "day": pd.to_datetime(["2025-01-10", "2025-01-20"])}
    )
    dates = {1: "2025-01-01", 2: "2025-01-12", 3: "2025-01-25"}
    records = read(
        roster=days, opportunities=[deal(n, day) for n, day in dates.items()] + [deal(4, "2025-01-01", owner_id=None)]
    )
    assert records.cases["team_id"].tolist() == ["T1", "T1", "T2", "unassigned"]
    assert records.of(teams=["T2"]).passages["case_id"].tolist() == ["O3"]


def test_order_of_rows_and_names_of_deals_change_nothing():
    records = pipeline(400, np.random.default_rng(5))
    rng = np.random.default_rng(6)
    names = dict(zip(records.cases["case_id"], rng.permutation(records.cases["case_id"]) + "x", strict=True))
    cases = records.cases.assign(case_id=records.cases["case_id"].map(names)).sample(frac=1, random_state=1)
    moved = records.passages.assign(case_id=records.passages["case_id"].map(names))
    moved = moved.sample(frac=1, random_state=2).sort_values("place", kind="stable")
    other = dataclasses.replace(records, cases=cases, passages=moved)
    span = {"start": pd.Timestamp("2025-01-01"), "end": pd.Timestamp("2025-07-01")}
    views = [cohort_view(each, **span, rng=np.random.default_rng(1)) for each in (records, other)]
    exact = [name for name in views[0] if not name.endswith(("_low", "_high"))]
    pd.testing.assert_frame_equal(views[0][exact], views[1][exact])
    pd.testing.assert_frame_equal(*(snapshot_view(each) for each in (records, other)))


@pytest.mark.parametrize("seed", range(4))
def test_counts_never_rise_along_the_stages_and_add_up(seed):
    records = pipeline(300, np.random.default_rng(seed))
    for start in ("2024-02-01", "2025-06-01", "2025-11-01"):
        span = {"start": pd.Timestamp(start), "end": pd.Timestamp(start) + pd.DateOffset(months=2)}
        rows = cohort_view(records, **span, rng=np.random.default_rng(1))
        assert (rows["entered"].diff().dropna() <= 0).all() and (
            rows["rate_of_first"].dropna().diff().dropna() <= 0
        ).all()
        told = rows[rows["status"] != "last"]
        assert (told[["reached", "late", "lost", "waiting"]].sum(axis=1) == told["entered"]).all()
        assert ((told["reached"] + told["late"]).to_numpy() == rows["entered"].to_numpy()[1:]).all()
        bounds = rows[["ci_low", "rate", "ci_high"]].dropna().to_numpy()
        assert (np.diff(bounds, axis=1) >= 0).all() and ((bounds >= 0) & (bounds <= 1)).all()


NATIVE = {"id": "varchar(80)", "text": "text", "choice": "varchar(40)", "money": "numeric(18, 2)", "flag": "boolean",
          "date": "timestamp", "time": "timestamp", "number": "double precision", "share": "double precision"}  # fmt: skip
NEEDED = ("opportunities", "stage_changes", "leads", "accounts", "contracts", "payments", "activities")


def test_rows_in_postgresql_give_the_same_records(postgres, monkeypatch):  # noqa: F811
    """A simulated company's tables in place in PostgreSQL and in DuckDB: the same cases, passages and first visits."""
    frames = simulate(Company(people=6, teams=2, months=8)).tables
    frames = {name: frames[name] for name in NEEDED}
    columns = {name: ", ".join(f"{c} {NATIVE[s.kind]}" for c, s in TABLES[name].columns.items()) for name in frames}
    made = [f'create table funnel."{name}" ({columns[name]})' for name in frames]
    run_sql(postgres, "drop schema if exists funnel cascade", "create schema funnel", *made)
    engine = sql_engine(postgres)
    for name, frame in frames.items():
        frame.to_sql(name, engine, schema="funnel", if_exists="append", index=False, chunksize=1000, method="multi")
    engine.dispose()
    monkeypatch.setenv("TEST_DB", postgres)
    span = {"roster": pd.DataFrame(), "since": dt.date(2024, 7, 1), "until": dt.date(2025, 1, 31)}
    source = DatabaseSource.model_validate({"kind": "database", "address": "TEST_DB", "tables": {}})
    with Workspace() as workspace, open_database(source, workspace) as database:
        assert database.in_place
        theirs = {name: database.export(f"funnel.{name}").rows for name in frames}
        found = read_records(theirs, stages=["线索", "需求", "方案", "报价", "签约"], **span)
    ours = read_records(tables(**frames), stages=["线索", "需求", "方案", "报价", "签约"], **span)
    assert len(ours.passages) > 500 and ours.model == found.model
    for name in ("cases", "passages", "contacts"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(ours, name), check_dtype=False)
