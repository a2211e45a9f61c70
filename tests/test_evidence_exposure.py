"""Months with part of the days, and the first months of new people: what is told per full month, who is left out when."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from exposure_worlds import DAYS, comings, company, leaves, part_time

from kpi_research.errors import InputError
from kpi_research.evidence.beside import Known, beside
from kpi_research.evidence.grid import after_burn_in, grid_of
from kpi_research.evidence.many_controls import effect_given
from kpi_research.evidence.plan import Plan
from kpi_research.evidence.study import study
from kpi_research.evidence.worlds import World
from kpi_research.periods import GRAINS

COLUMNS = ["level", "entity_id", "period", "kpi", "value", "status", "working_days", "additive"]


# --- months with part of the days


def test_sums_over_days_are_told_per_full_month_and_nothing_else_is():
    rows = [
        ("person", person, "2025-01", kpi, value, "ok", days, kpi == "visits")
        for person, days in (("A", 20.0), ("B", 10.0), ("C", 9.0), ("D", np.nan))
        for kpi, value in (("visits", 6.0), ("win_rate", 0.5))
    ]
    panel = pd.DataFrame(rows, columns=COLUMNS)
    grid = grid_of(panel)
    assert grid.people == ("A", "B", "D")
    assert grid.values["visits"].ravel().tolist() == [6.0, 12.0, 6.0], "days that are not known are not few"
    assert grid.values["win_rate"].ravel().tolist() == [0.5, 0.5, 0.5]
    assert grid_of(panel.drop(columns="additive")).values["visits"].ravel().tolist() == [6.0, 6.0, 6.0]
    unknown = panel.assign(additive=panel["additive"].astype(object).where(panel["entity_id"] != "B", None))
    assert grid_of(unknown).values["visits"].ravel().tolist() == [6.0, 6.0, 6.0]


def test_full_months_are_the_same_to_the_byte_whether_or_not_they_add_up():
    panel = company(np.random.default_rng(1), np.ones((12, 14 * DAYS), dtype=bool))
    one, other = (study(each, outcome="amount").verdicts for each in (panel, panel.drop(columns="additive")))
    assert one.to_csv() == other.to_csv()


def test_what_was_on_file_is_told_per_full_month_too():
    panel = company(np.random.default_rng(2), leaves(np.random.default_rng(2), 40, 24), effect=0.3)
    (found,) = study(panel, outcome="amount", asof=panel[panel["kpi"] == "visits"]).verdicts.to_dict("records")
    assert found["left_on_file"] == pytest.approx(1) and found["on_file_p"] == pytest.approx(found["p"])


def test_late_records_of_months_that_are_left_out_say_nothing_of_those_that_count():
    there = np.ones((40, 24 * DAYS), dtype=bool)
    there[:20, : 6 * DAYS] = False
    panel = company(np.random.default_rng(4), there, effect=0.3).assign(n=10.0)
    new = panel["entity_id"].isin(sorted(set(panel["entity_id"]))[:20])
    first = panel["period"].isin(sorted(set(panel["period"]))[6:9])
    asof = panel[panel["kpi"] == "visits"]
    late = asof.assign(n=asof["n"].where(~(new & first), 0.0))
    one, other = (study(panel, outcome="amount", asof=each).verdicts.loc[0] for each in (asof, late))
    assert one["late_share"] == other["late_share"] == 0
    assert (one["code"], one["gate"]) == (other["code"], other["gate"])


def test_negative_controls_are_taken_as_they_come():
    rng = np.random.default_rng(6)
    panel = company(rng, part_time(rng, 40, 24), effect=0.3)
    given = panel[panel["kpi"] == "visits"]
    by_itself = given.assign(kpi="renewals", value=rng.poisson(20, len(given)).astype(float))
    rows = pd.concat([panel, by_itself], ignore_index=True)
    asked = {"outcome": "amount", "kpis": ["visits"], "negative_controls": ["renewals"], "asof": given}
    one = study(rows, **asked)
    plain = study(rows.assign(additive=rows["additive"] & (rows["kpi"] != "renewals")), **asked)
    assert one.verdicts.loc[0, "placebo_p"] == plain.verdicts.loc[0, "placebo_p"] > 0


def test_the_mean_per_full_month_does_not_depend_on_the_days():
    rng = np.random.default_rng(3)
    there = part_time(rng, 1000, 24)
    panel = company(rng, there)
    full = there.reshape(1000, 24, DAYS).sum(axis=2) == DAYS
    both = ~full.all(axis=1)

    def part_to_full(values: np.ndarray) -> float:
        part, whole = (np.nanmean(np.where(cells, values, np.nan)[both], axis=1) for cells in (~full, full))
        return float((part / whole).mean())

    for kpi, x in grid_of(panel).values.items():
        raw = grid_of(panel.drop(columns="additive")).values[kpi]
        assert part_to_full(x) == pytest.approx(1, abs=0.03), kpi
        assert 0.55 < part_to_full(raw) < 0.7, kpi


# --- the first months of new people


def grid_with(active: list[list[int]]) -> pd.DataFrame:
    rows = [
        ("person", f"P{n}", f"2025-{t + 1:02d}", "visits", 1.0, "ok" if known else "no_record", 20.0, True)
        for n, months in enumerate(active) for t, known in enumerate(months)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def test_who_comes_later_is_left_out_at_first_and_who_returns_is_not():
    grid = grid_of(
        grid_with(
            [
                [0, 1, 1, 1, 1, 1],  # there when records begin
                [0, 1, 0, 0, 1, 1],  # back after a gap
                [0, 0, 1, 1, 1, 1],
                [0, 0, 1, 0, 1, 1],  # a gap in between is no reason to wait longer
                [0, 0, 0, 0, 0, 1],
                [0, 0, 0, 0, 0, 0],
            ]
        )
    )
    kept = after_burn_in(grid, 2)
    assert kept.active.astype(int).tolist() == [
        [0, 1, 1, 1, 1, 1],
        [0, 1, 0, 0, 1, 1],
        [0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert (np.isfinite(kept.values["visits"]) == kept.active).all() and kept.people == grid.people
    assert (after_burn_in(grid, 0).active == grid.active).all()
    nobody = grid_of(grid_with([[0, 0]]))
    assert after_burn_in(nobody, 3) is nobody and after_burn_in(grid_of(grid_with([])), 3).people == ()


def test_the_burn_in_of_a_plan_is_told_in_months_and_counted_in_periods():
    found = {grain: Plan(grain=grain).burn_in for grain in GRAINS}
    assert found == {"day": 92, "week": 14, "month": 3, "quarter": 1, "half_year": 1, "year": 1}
    assert Plan(burn_in_months=0, grain="week").burn_in == 0
    assert Plan().fingerprint("y", ["x"]) != Plan(burn_in_months=2).fingerprint("y", ["x"])
    with pytest.raises(InputError, match="burn_in_months"):
        Plan(burn_in_months=-1)


def test_a_study_leaves_them_out_in_both_panels_and_says_so_where_too_little_is_left():
    rng = np.random.default_rng(4)
    there = np.ones((30, 24 * DAYS), dtype=bool)
    there[10:, : 14 * DAYS] = False
    panel = company(rng, there)
    asof = panel[panel["kpi"] == "visits"]
    late = asof["entity_id"].ge("u010") & asof["period"].between("2025-03", "2025-05")
    wild = asof.assign(value=asof["value"].where(~late, 1e6))
    plain, other = (study(panel, outcome="amount", asof=each).verdicts for each in (asof, wild))
    assert plain.to_csv() == other.to_csv(), "what was on file of who is not in the study counts for nothing"
    few = Plan(min_people=20)
    short = company(rng, there[5:26, 9 * DAYS : 20 * DAYS])
    (one,) = study(short, outcome="amount", plan=few).verdicts.to_dict("records")
    assert one["n_people"] == 5 and one["gate"] == "people"
    assert "only 5 people" in one["sentence_en"] and "from their month 4 on" in one["sentence_en"]
    assert "从第 4 个月起" in one["sentence_zh"]
    at_once = Plan(min_people=20, burn_in_months=0)
    (counted,) = study(short, outcome="amount", plan=at_once).verdicts.to_dict("records")
    assert counted["n_people"] == 21 and counted["gate"] != "people"


def test_weeks_of_who_is_not_in_the_study_count_for_nothing():
    rng = np.random.default_rng(5)
    there = np.ones((30, 18 * DAYS), dtype=bool)
    there[15:, : 6 * DAYS] = False
    grid = after_burn_in(grid_of(company(rng, there)), 3)
    weeks = pd.DataFrame(
        [("person", person, f"{period}/{week:02d}", "visits", rng.normal(), "ok") for person in grid.people for period in grid.periods for week in (1, 2, 3, 4)],
        columns=COLUMNS[:6],
    )  # fmt: skip
    is_new = weeks["entity_id"].ge("u015") & weeks["period"].lt("2024-10")
    wild = weeks.assign(value=weeks["value"].where(~is_new, 1e6))
    x = {"visits": grid.values["visits"]}
    plain, other = (beside(grid, "amount", x, [], 1, Known(weekly=each)).trust for each in (weeks, wild))
    assert plain["reliability"].notna().all()
    pd.testing.assert_frame_equal(plain, other)


def test_who_left_before_the_first_month_was_over_did_not_stay():
    rng = np.random.default_rng(6)
    there = np.ones((40, 16 * DAYS), dtype=bool)
    left = {f"u{n:03d}": f"2024-{n % 10 + 3:02d}" for n in range(12)}
    grid = grid_of(company(rng, there))
    x = {"visits": grid.values["visits"]}
    stayed = beside(grid, "amount", x, [], 1, Known(left)).trust
    at_once = beside(grid, "amount", x, [], 1, Known(left | {"u039": ""})).trust
    x["visits"][39] = grid.values["amount"][39] = np.nan
    without = beside(grid, "amount", x, [], 1, Known(left)).trust
    assert stayed["n_leavers"].tolist() == at_once["n_leavers"].tolist() == [12]
    assert at_once["leave_odds"].iloc[0] != pytest.approx(stayed["leave_odds"].iloc[0], abs=1e-6)
    for name in ("leave_odds", "leave_p", "weighted_ratio"):
        assert at_once[name].iloc[0] == pytest.approx(without[name].iloc[0], nan_ok=True), name


def test_the_effect_given_controls_and_the_bench_leave_them_out_too():
    rng = np.random.default_rng(7)
    panel = company(rng, comings(rng, 60, 24, joiners=0.6, leavers=0.0), ramp_months=3)
    control = panel[panel["kpi"] == "visits"].assign(kpi="leads", value=lambda rows: rng.normal(size=len(rows)))
    panel = pd.concat([panel, control], ignore_index=True)
    all_in, settled = (
        effect_given(panel, outcome="amount", kpi="visits", controls=["leads"], burn_in=months) for months in (0, 3)
    )
    assert settled.n_rows < all_in.n_rows
    like = {months: World.like(panel, outcome="amount", plan=Plan(burn_in_months=months)) for months in (0, 3)}
    assert like[0].kpi_rho > like[3].kpi_rho and like[0].joiners == like[3].joiners > 0.4
