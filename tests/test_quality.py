"""Faults planted in a clean client are counted exactly, each by its check; a clean client raises no alarm."""

import datetime as dt
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
from planted_faults import (  # noqa: F401 - fixtures
    PLANTED,
    RULES,
    UNTIL,
    clean,
    copies,
    found,
    frames,
    given_of,
    quality,
    quality_of,
    setting,
)
from servers import postgres, sql_engine  # noqa: F401 - a fixture

from kpi_research.integrity.check import NO_ROWS
from kpi_research.integrity.checks import clock, doubles
from kpi_research.integrity.checks.coverage import RECORDS
from kpi_research.integrity.quality import FAMILIES, OBSERVATION_COLUMNS, observe
from kpi_research.integrity.standards import EFFECTS, IN_CHARGE, STANDARDS, overall
from kpi_research.language import catalogue


def measured(family, frames, check, table=None):  # noqa: F811
    """What one family counts, without asking all the others."""
    (one,) = [each for each in family.measured(given_of(frames)) if each.check == check and table in (None, each.table)]
    return one


def test_a_clean_client_raises_no_alarm(quality):  # noqa: F811
    observations = quality.observations
    assert quality.grade in ("A", "B")
    assert set(observations["grade"]) <= {"A", "B", "N"}
    assert set(observations["check"]) == set(STANDARDS), "every check says something"
    assert list(observations.columns) == OBSERVATION_COLUMNS
    assert set(observations.loc[observations["grade"] == "N", "missing"]) == {
        "activities.note_hash", "activities.latitude", "people.left_on"
    }  # fmt: skip
    certain = observations[observations["limit"] == STANDARDS["future_time"].limits[0]]
    assert (certain["affected"] == 0).all(), "nothing that is certainly wrong"
    assert (quality.coverage["status"] == "recorded").all() and len(quality.coverage) == 8 * 9


def test_the_numbers_of_the_clean_client_recomputed(clean, quality):  # noqa: F811
    done = clean["activities"]
    days = (done["recorded_at"] - done["occurred_at"]) / pd.Timedelta(days=1)
    late = found(quality, "late_entry")
    assert (late["n"], late["affected"]) == (len(done), (days > 7).sum())
    assert late["share"] == pytest.approx((days > 7).mean()) and late["value"] == pytest.approx(days.median())
    assert days[done["activity_id"] == late["example"]].item() > 7
    ends = (done["recorded_at"] + pd.Timedelta(days=3)).dt.month != done["recorded_at"].dt.month
    assert found(quality, "month_end_entry")["affected"] == (ends & (days > 3)).sum() > 0
    closed = done.merge(clean["opportunities"][["opportunity_id", "closed_at"]]).dropna(subset="closed_at")
    later = closed["recorded_at"] > closed["closed_at"] + pd.Timedelta(days=1)
    after = found(quality, "entry_after_close")
    assert after["n"] == len(closed)
    assert after["affected"] == (later & (closed["occurred_at"] < closed["closed_at"])).sum() > 0
    assert found(quality, "whole_hours")["affected"] == (done["occurred_at"].dt.minute == 0).sum() > 0
    assert found(quality, "no_amount")["affected"] == clean["opportunities"]["amount"].isna().sum() > 0
    assert found(quality, "no_stage")["affected"] == clean["opportunities"]["stage"].isna().sum() > 0
    one = quality.coverage.query("person_id == 'E0003' and month == '2024-10'").iloc[0]
    mine = done[(done["person_id"] == "E0003") & (done["occurred_at"].dt.strftime("%Y-%m") == "2024-10")]
    assert one["activities"] == len(mine) and one["working_days"] == 19


def test_the_same_is_found_in_place_in_postgres(clean, quality, postgres):  # noqa: F811
    engine = sql_engine(postgres)
    with engine.begin() as connection:
        connection.exec_driver_sql("drop schema if exists quality cascade")
        connection.exec_driver_sql("create schema quality")
    for name, frame in clean.items():
        frame.to_sql(name, engine, schema="quality", index=False, chunksize=1000, method="multi")
    engine.dispose()
    server = ibis.connect(postgres)
    tables = {name: server.table(name, database="quality") for name in clean}
    there = observe(**{**vars(given_of(clean)), "tables": tables})
    pd.testing.assert_frame_equal(there.observations, quality.observations)
    pd.testing.assert_frame_equal(there.coverage, quality.coverage)


@pytest.mark.parametrize(
    ("family", "check", "table", "plant", "count"), PLANTED, ids=[f"{case[1]}-{case[2]}" for case in PLANTED]
)
def test_a_planted_fault_is_counted_exactly(quality, frames, family, check, table, plant, count):  # noqa: F811
    before = found(quality, check, table)["affected"]
    plant(frames)
    there = measured(family, frames, check, table)
    assert before in (0, 1) and there.affected == count < there.n
    assert there.example in set(frames[table].iloc[:, 0])


def test_near_duplicates_are_no_exact_ones(quality, frames):  # noqa: F811
    def minutes_later(rows):
        return rows.assign(occurred_at=rows["occurred_at"] + pd.Timedelta(minutes=4))

    before = found(quality, "near_duplicate")["affected"]
    copies("activities", changed=minutes_later)(frames)
    assert measured(doubles, frames, "near_duplicate").affected == before + 30
    assert measured(doubles, frames, "exact_duplicate").affected == 0


def test_times_of_another_zone_are_named_with_their_shift(frames):  # noqa: F811
    frames["activities"]["occurred_at"] -= pd.Timedelta(hours=8)
    row = measured(clock, frames, "night")
    hours = frames["activities"]["occurred_at"].dt.hour
    assert row.affected == (hours < 5).sum() > 0.2 * len(hours)
    assert row.detail == "+8"


def test_people_who_work_at_night_are_not_moved(frames):  # noqa: F811
    """Half at noon and half at midnight: no shift empties the night."""
    times = pd.Timestamp("2024-12-02 00:30") + pd.to_timedelta(np.arange(len(frames["activities"])) % 2 * 12, "h")
    frames["activities"]["occurred_at"] = times
    row = measured(clock, frames, "night")
    assert row.affected == (len(times) + 1) // 2 and row.detail == ""


def test_days_without_a_time_are_neither_night_nor_duplicates(frames):  # noqa: F811
    frames["activities"]["occurred_at"] = frames["activities"]["occurred_at"].dt.normalize()
    there = quality_of(frames)
    assert found(there, "no_time_of_day")["share"] == 1
    for check in ("night", "whole_hours", "exact_duplicate", "near_duplicate"):
        assert (found(there, check)["grade"], found(there, check)["missing"]) == ("N", NO_ROWS)


def test_times_that_the_clock_skipped():
    assert clock.gaps("Asia/Shanghai", UNTIL) == []
    skipped = clock.gaps("Europe/Berlin", dt.date(2025, 6, 1))
    assert skipped[-1] == (dt.datetime(2025, 3, 30, 2), dt.datetime(2025, 3, 30, 3)) and len(skipped) == 26
    howe = clock.gaps("Australia/Lord_Howe", UNTIL)[-1]
    assert howe == (dt.datetime(2024, 10, 6, 2), dt.datetime(2024, 10, 6, 2, 30))


def test_skipped_times_are_counted_in_their_zone_only(frames):  # noqa: F811
    setting("activities", "occurred_at", pd.Timestamp("2025-03-30 02:30"))(frames)
    given = given_of(frames, timezone="Europe/Berlin")
    assert [each.affected for each in clock.measured(given) if each.check == "gap_time"] == [30]
    assert measured(clock, frames, "gap_time").affected == 0


def test_silence_is_neither_record_nor_absence(frames):  # noqa: F811
    for name, (owner, time) in RECORDS.items():
        frame = frames[name]
        gone = (frame[owner] == "E0002") & frame[time].between("2024-11-01", "2025-01-01")
        frames[name] = frame[~gone & (frame[owner] != "E0005")]
    frames["people"].loc[frames["people"]["person_id"] == "E0003", "left_on"] = pd.Timestamp("2025-01-15")
    there = quality_of(frames)
    status = there.coverage.set_index(["person_id", "month"])["status"]
    assert [status["E0002", month] for month in ("2024-10", "2024-11", "2024-12", "2025-01")] == [
        "recorded", "silent", "silent", "recorded"
    ]  # fmt: skip
    silent = found(there, "silent_months")
    assert silent["affected"] == 2 + 9 and silent["n"] == 8 * 9 - 2, "who left is not silent"
    assert (found(there, "never_recorded")["affected"], found(there, "never_recorded")["example"]) == (1, "E0005")


def test_what_is_not_there_is_said(frames):  # noqa: F811
    few = {name: frames[name] for name in ("people", "opportunities")}
    few["opportunities"]["amount"] = np.nan
    there = quality_of(few)
    assert found(there, "late_entry")["missing"] == "activities"
    assert found(there, "negative_amount", "opportunities")["missing"] == "opportunities.amount"
    assert found(there, "untouched")["missing"] == "activities"
    assert found(there, "no_stage_history")["share"] == 1 and found(there, "no_team")["share"] == 1
    assert found(there, "no_amount")["grade"] == "D" and there.grade == "D"


def test_nothing_at_all_has_no_grade():
    there = observe(
        {},
        row_counts=pd.DataFrame(columns=["table", "file", "read", "left_out", "rejected", "kept"]),
        rules=pd.DataFrame(columns=RULES),
        roster=pd.DataFrame(columns=["person_id", "team_id", "day", "working"]),
        until=UNTIL,
        timezone="Asia/Shanghai",
    )
    assert there.grade == "N" and (there.observations["grade"] == "N").all() and there.coverage.empty


def test_an_empty_table_is_not_a_good_one(frames):  # noqa: F811
    frames["activities"] = frames["activities"].iloc[:0]
    rows = quality_of(frames).observations.query("table == 'activities' and column != 'person_id'")
    assert len(rows) > 15 and (rows["grade"] == "N").all()


def test_rules_of_the_contract_are_shares_of_what_was_read(clean):  # noqa: F811
    rules = [
        ("opportunities", "closed_after_created", "", "reject", 40, "o.csv", 3, ""),
        ("contracts", "not_in_people", "owner_id", "count", 50, "c.csv", 3, "E9"),
    ]
    there = quality_of(clean, rules=rules, rejected=40)
    rejected, lost = found(there, "rejected_rows"), found(there, "unmatched_reference")
    assert (rejected["detail"], rejected["affected"]) == ("closed_after_created", 40)
    assert rejected["n"] == len(clean["opportunities"]) + 40
    assert (lost["detail"], lost["affected"], lost["column"]) == ("not_in_people", 50, "owner_id")


@pytest.mark.parametrize(
    ("grades", "expected"),
    [
        ([], "N"),
        ([("N", "biases_counts")], "N"),
        ([("A", "biases_counts"), ("N", "caps_at_c")], "A"),
        ([("D", "loses_power")], "C"),
        ([("B", "blocks_kpi")], "A"),
        ([("C", "hides_people"), ("D", "loses_power")], "C"),
        ([("D", "biases_amounts"), ("A", "loses_power")], "D"),
    ],
)
def test_the_grade_of_all(grades, expected):
    assert overall(grades) == expected


def test_a_share_on_the_limit_still_has_the_better_grade():
    standard = STANDARDS["late_entry"]
    assert [standard.grade(x) for x in (*standard.limits, 1.0, float("nan"))] == ["A", "B", "C", "D", "N"]
    assert all(a < b < c for a, b, c in (each.limits for each in STANDARDS.values()))


def test_every_check_effect_and_person_in_charge_has_sentences():
    wanted = {f"data_quality.check.{name}.{key}" for name in STANDARDS for key in ("name", "found", "fix")}
    wanted |= {f"data_quality.effect.{effect}.{key}" for effect in EFFECTS for key in ("name", "sentence")}
    wanted |= {f"data_quality.in_charge.{who}" for who in IN_CHARGE}
    assert wanted <= set(catalogue())
    others = {key for key in catalogue() if key.startswith("data_quality.check.")} - wanted
    assert {key.rsplit("_", 1)[1] for key in others} == {"none", "shift"}


def test_every_family_is_asked():
    files = {path.stem for path in Path(clock.__file__).parent.glob("[!_]*.py")}
    assert {family.__name__.rsplit(".", 1)[1] for family in FAMILIES} | {"coverage"} == files
