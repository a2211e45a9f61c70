"""What the checks of data quality must not miss, and what must not alarm them: single rows, zeros, begun months."""

import datetime as dt

import ibis
import pandas as pd
import pytest

from kpi_research.crm.roster import by_day, times_in_teams
from kpi_research.crm.tables import TABLES
from kpi_research.integrity.quality import Quality, observe
from kpi_research.periods import working_days
from kpi_research.sources.simulated import Company, simulate

SINCE, UNTIL = dt.date(2024, 7, 1), dt.date(2025, 3, 31)
RULES = ["table", "rule", "column", "severity", "rows", "file", "first_row", "value"]


@pytest.fixture(scope="module")
def clean():
    return simulate(Company(people=8, teams=2, months=9)).tables


@pytest.fixture
def frames(clean):
    return {name: frame.copy() for name, frame in clean.items()}


def quality_of(frames, until=UNTIL) -> Quality:
    """Of tables with the types that the contract gives them."""
    engine, tables = ibis.duckdb.connect(), {}
    for name, frame in frames.items():
        schema = TABLES[name].schema
        tables[name] = engine.create_table(name, schema=ibis.schema(schema))
        engine.insert(name, frame[list(schema)])
    counts = [(name, f"{name}.csv", len(frame), 0, 0, len(frame)) for name, frame in frames.items()]
    return observe(
        tables,
        row_counts=pd.DataFrame(counts, columns=["table", "file", "read", "left_out", "rejected", "kept"]),
        rules=pd.DataFrame(columns=RULES),
        roster=by_day(times_in_teams(frames, SINCE, until), working_days("CN", SINCE, until)),
        until=until,
        timezone="Asia/Shanghai",
    )


def found(quality, check, table):
    (row,) = quality.observations.query("check == @check and table == @table").to_dict("records")
    return row


def test_one_sum_in_another_unit_is_no_trifle_however_large(frames):
    frames["contracts"].loc[0, "amount"] = 9e15
    there = found(quality_of(frames), "wrong_unit", "contracts")
    assert (there["affected"], there["example"]) == (1, frames["contracts"].loc[0, "contract_id"])
    assert there["grade"] == "C" and there["share"] == 1 / len(frames["contracts"])


def test_one_wrong_year_is_seen_although_it_moves_the_last_day(frames):
    done = frames["activities"]
    done.loc[7, ["occurred_at", "recorded_at"]] = pd.Timestamp("2026-05-01 10:00")
    quality = quality_of(frames, until=dt.date(2026, 5, 1))
    there = found(quality, "astray_time", "activities")
    assert (there["affected"], there["example"], there["grade"]) == (1, done.loc[7, "activity_id"], "C")
    assert found(quality, "future_time", "activities")["affected"] == 0
    assert found(quality, "astray_time", "contracts")["affected"] == 0


def test_a_sum_of_zero_is_none(frames):
    deals = frames["opportunities"]
    empty = int(deals["amount"].isna().sum())
    deals.loc[deals.index[deals["amount"].notna()][:30], "amount"] = 0.0
    assert found(quality_of(frames), "no_amount", "opportunities")["affected"] == empty + 30


def test_a_default_duration_is_seen_although_a_few_were_changed(frames):
    done = frames["activities"]
    done["minutes"] = 60.0
    changed = done.groupby(["person_id", "kind"]).head(1).index
    done.loc[changed, "minutes"] = 45.0
    many = done.groupby(["person_id", "kind"])["minutes"].transform("size") >= 11
    there = found(quality_of(frames), "constant_minutes", "activities")
    assert there["affected"] == (many & ~done.index.isin(changed)).sum() > 0.9 * len(done)


def test_a_month_that_has_only_begun_is_not_silent(frames):
    quality = quality_of(frames, until=UNTIL + dt.timedelta(days=1))
    begun = quality.coverage.query("month == '2025-04'")
    assert len(begun) == 8 and set(begun["status"]) == {"absent"} and set(begun["working_days"]) == {1}
    silent = found(quality, "silent_months", "activities")
    assert (silent["affected"], silent["n"]) == (0, 8 * 9)
