"""What was on file at the end of a period: nothing recorded later is seen in it."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from kpi_research.kpis.catalogue import catalogue
from kpi_research.panel import contributions, contributions_as_of, panel, recorded_kpis
from kpi_research.panel.as_of import on_file_until
from kpi_research.panel.build import on_an_engine
from kpi_research.periods import Period, as_intervals
from kpi_research.sources.simulated import Company, simulate

MONTHS = [Period.parse(f"2025-{month:02d}") for month in range(1, 7)]
UNTIL = dt.date(2025, 6, 30)
LATE = pd.Timedelta(days=40)


@pytest.fixture(scope="module")
def tables():
    made = simulate(Company(people=6, teams=2, first_month="2025-01", months=6, seed=9)).tables
    for name in ("activities", "stage_changes"):
        time = "occurred_at" if name == "activities" else "entered_at"
        made[name] = made[name].assign(recorded_at=made[name][time])
    return made


def person_rows(parts):
    return panel(parts, as_intervals(MONTHS), "person").set_index(["kpi", "entity_id", "period"])


def test_where_everything_is_recorded_at_once_both_panels_are_the_same(tables):
    kpis = [kpi for kpi in catalogue().values() if kpi.aggregation != "at_end"]
    full, then = contributions(tables, kpis, until=UNTIL), contributions_as_of(tables, kpis, MONTHS, until=UNTIL)
    columns = ["numerator", "denominator", "n", "status"]
    pd.testing.assert_frame_equal(person_rows(full)[columns], person_rows(then)[columns])


def test_what_was_planted_late_is_seen_only_in_the_full_panel(tables):
    kpis = [catalogue()[name] for name in ("calls", "visits", "second_contact_rate", "win_rate")]
    acts = tables["activities"]
    planted = acts[(acts["kind"] == "call") & (acts["occurred_at"] < "2025-02-01")].head(3).copy()
    planted = planted.assign(activity_id=[f"late{i}" for i in range(3)], recorded_at=planted["occurred_at"] + LATE)
    given = {**tables, "activities": pd.concat([acts, planted])}
    full, then = contributions(given, kpis, until=UNTIL), contributions_as_of(given, kpis, MONTHS, until=UNTIL)
    honest = person_rows(contributions(tables, kpis, until=UNTIL))
    one, two = (rows.loc["calls", "numerator"] for rows in (person_rows(full), person_rows(then)))
    assert one.sum() == honest.loc["calls", "numerator"].sum() + 3
    pd.testing.assert_series_equal(two, honest.loc["calls", "numerator"])


def test_a_contact_entered_after_its_window_does_not_make_a_visit_followed_up():
    visit = {
        "activity_id": "1",
        "person_id": "P1",
        "kind": "visit",
        "account_id": "A",
        "occurred_at": "2025-01-30",
        "recorded_at": "2025-01-30",
    }
    call = {"activity_id": "2", "person_id": "P1", "kind": "call", "account_id": "A", "occurred_at": "2025-02-01", "recorded_at": "2025-02-20"}  # fmt: skip
    acts = pd.DataFrame([visit, call])
    for name in ("occurred_at", "recorded_at"):
        acts[name] = pd.to_datetime(acts[name])
    from kpi_research.crm.tables import TABLES

    given = {"activities": acts.reindex(columns=list(TABLES["activities"].columns))}
    kpi = [catalogue()["second_contact_rate"]]
    rows = {
        name: panel(parts, as_intervals(MONTHS[:1]), "person").iloc[0]
        for name, parts in {
            "full": contributions(given, kpi, until=UNTIL), "then": contributions_as_of(given, kpi, MONTHS, until=UNTIL),
        }.items()
    }  # fmt: skip
    assert (rows["full"]["numerator"], rows["full"]["denominator"]) == (1, 1)
    assert (rows["then"]["numerator"], rows["then"]["denominator"]) == (0, 1)


def test_days_of_grace_are_working_days():
    assert on_file_until(dt.date(2026, 8, 1), "CN") == dt.date(2026, 8, 4), "Saturday and Sunday do not count"
    assert on_file_until(dt.date(2026, 10, 1), "CN") == dt.date(2026, 10, 9), "after the holidays"


def test_kpis_whose_rows_do_not_say_when_they_were_recorded_are_known(tables):
    kpis = [catalogue()[name] for name in ("calls", "signed_amount")]
    assert recorded_kpis(on_an_engine(tables), kpis) == {"calls"}
    silent = {**tables, "activities": tables["activities"].assign(recorded_at=pd.NaT)}
    assert recorded_kpis(on_an_engine(silent), kpis) == frozenset()
    full, then = contributions(silent, kpis, until=UNTIL), contributions_as_of(silent, kpis, MONTHS, until=UNTIL)
    assert np.array_equal(person_rows(full)["n"], person_rows(then)["n"])
