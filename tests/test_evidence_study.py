from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from golden.planted_worlds import codes, panel_of, world
from statsmodels.stats.multitest import multipletests

from kpi_research.errors import InputError
from kpi_research.evidence.grid import grid_of, lagged, rows_of
from kpi_research.evidence.history import confirmed
from kpi_research.evidence.lags import fit_lags, usable_lags
from kpi_research.evidence.study import Plan, study


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return panel_of(world(np.random.default_rng(7)))


# --- numbers by another road


def test_lags_are_those_of_a_merge_in_pandas():
    arrays = world(np.random.default_rng(12))
    arrays["driver"][3, 5] = arrays["revenue"][8, 9] = np.nan
    long = panel_of(arrays).pivot(index=["entity_id", "period"], columns="kpi", values="value")
    by_person = long.groupby(level="entity_id")
    wide = pd.DataFrame({f"x{h}": by_person["driver"].shift(h) for h in (1, 2, 3)})
    wide["y"] = long["revenue"]
    wide["before"] = by_person["revenue"].shift(1)
    wide = wide.dropna()
    dummies = pd.get_dummies(wide.index.to_frame(), dtype=float).to_numpy()
    coef = np.linalg.lstsq(np.column_stack([wide[["x1", "x2", "x3"]], dummies]), wide["y"], rcond=None)[0]
    fitted = fit_lags(arrays["revenue"], arrays["driver"], 3)
    assert [estimate.value for estimate in fitted.profile] == pytest.approx(coef[:3], abs=1e-8)
    assert fitted.total.value == pytest.approx(sum(coef[:3]), abs=1e-8)
    assert len(fitted.rows.y) == len(wide)


def test_a_missing_month_breaks_the_lag_across_it():
    values = np.arange(10.0).reshape(2, 5)
    values[0, 2] = np.nan
    assert lagged(values, 1)[0].tolist() == pytest.approx([np.nan, 0, 1, np.nan, 3], nan_ok=True)
    assert lagged(values, -1)[1].tolist() == pytest.approx([6, 7, 8, 9, np.nan], nan_ok=True)
    assert np.isnan(lagged(values, 9)).all()


def test_rows_that_stand_alone_are_dropped_to_the_end():
    y = np.full((4, 4), np.nan)
    y[:2, :2] = 1.0
    y[2, 1] = y[2, 2] = y[3, 2] = 1.0  # the last row alone in its person, then its period, then the next person
    rows = rows_of(y)
    assert (rows.n_people, rows.n_periods, len(rows.y)) == (2, 2, 4)


def test_standardised_and_natural_effects_agree(panel):
    one = study(panel, outcome="revenue", kpis=["driver"]).verdicts.iloc[0]
    wide = panel.pivot(index=["entity_id", "period"], columns="kpi", values="value")
    demeaned = (
        wide - wide.groupby("entity_id").transform("mean") - wide.groupby("period").transform("mean") + wide.mean()
    )
    ratio = demeaned["driver"].std() / demeaned["revenue"].std()
    assert one["effect"] == pytest.approx(one["effect_per_unit"] * ratio)
    assert one["ci_low"] == pytest.approx(one["effect_per_unit_low"] * ratio)


# --- what must not matter


def assert_same(left: pd.DataFrame, right: pd.DataFrame, *, but: tuple[str, ...] = ()) -> None:
    key = [name for name in ("kpi", "test", "lag") if name in left.columns]
    one, other = (frame.drop(columns=list(but)).sort_values(key, ignore_index=True) for frame in (left, right))
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-10)


def test_same_input_same_bytes(panel):
    first, second = (study(panel, outcome="revenue") for _ in range(2))
    assert first.verdicts.to_csv() == second.verdicts.to_csv()
    assert first.findings.to_csv() == second.findings.to_csv()
    assert first.fingerprint == second.fingerprint


def test_order_of_rows_names_of_people_and_order_of_kpis_do_not_matter(panel):
    base = study(panel, outcome="revenue")
    names = panel["entity_id"].unique()
    renamed = dict(zip(names, np.random.default_rng(0).permutation(names), strict=True))
    shuffled = panel.sample(frac=1, random_state=1).assign(entity_id=lambda frame: frame["entity_id"].map(renamed))
    again = study(shuffled, outcome="revenue", kpis=list(reversed(base.verdicts["kpi"])))
    assert_same(base.findings, again.findings)
    assert_same(base.verdicts, again.verdicts)
    assert base.fingerprint == again.fingerprint


def test_unit_of_the_outcome_leaves_verdicts(panel):
    in_ten_thousands = panel.assign(value=panel["value"].where(panel["kpi"] != "revenue", panel["value"] / 1e4))
    base, again = (study(data, outcome="revenue") for data in (panel, in_ten_thousands))
    per_unit = ["effect_per_unit", "effect_per_unit_low", "effect_per_unit_high", "between_effect"]
    assert_same(base.verdicts, again.verdicts, but=tuple(per_unit))
    assert again.verdicts[per_unit].to_numpy() * 1e4 == pytest.approx(base.verdicts[per_unit].to_numpy(), nan_ok=True)


def test_other_levels_and_values_without_ok_do_not_count(panel):
    teams = panel.assign(level="team", value=1e9)
    wrong = panel.iloc[:24].assign(entity_id="ghost", value=1e9, status="immature")
    assert_same(study(panel, outcome="revenue").verdicts, study(pd.concat([panel, teams]), outcome="revenue").verdicts)
    values = grid_of(pd.concat([panel, wrong])).values["revenue"]
    assert np.nanmax(values) < 1e6


def test_a_mechanical_kpi_does_not_loosen_the_family(panel):
    alone = study(panel, outcome="revenue", kpis=["noise", "talent"]).verdicts
    beside = study(panel, outcome="revenue", kpis=["noise", "talent", "contracts"], lineage=["contracts"]).verdicts
    assert beside["q"].iloc[:2].tolist() == alone["q"].tolist()
    assert np.isnan(beside["q"].iloc[2])


# --- too little, too odd, wrong


def test_poor_kpis_are_insufficient_with_a_reason_and_never_an_error():
    arrays = world(np.random.default_rng(6))
    shape = arrays["revenue"].shape
    rng = np.random.default_rng(0)
    arrays |= {
        "constant": np.full(shape, 3.0),
        "missing": np.full(shape, np.nan),
        "fixed": np.repeat(rng.normal(size=(shape[0], 1)), shape[1], axis=1),
        "company": np.repeat(rng.normal(size=(1, shape[1])), shape[0], axis=0),
        "trend": np.outer(rng.normal(size=shape[0]), np.arange(shape[1])),
        "sparse": np.where(rng.random(shape) < 0.5, arrays["noise"], np.nan),
        "few": np.where(np.arange(shape[0])[:, None] < 5, arrays["noise"], np.nan),
    }
    verdicts = study(panel_of(arrays), outcome="revenue", plan=Plan(min_coverage=0.1)).verdicts.set_index("kpi")
    gates = {
        "constant": "within_share", "missing": "periods", "fixed": "within_share", "company": "within_share",
        "trend": "not_estimable", "few": "people",
    }  # fmt: skip
    assert verdicts.loc[list(gates), "gate"].to_dict() == gates
    assert set(verdicts.loc[list(gates), "code"]) == {"N"}
    strict = study(panel_of(arrays), outcome="revenue", kpis=["sparse"])
    assert strict.verdicts["gate"].tolist() == ["coverage"]
    assert set(strict.findings["status"]) == {"not_applicable"} and set(strict.findings["reason"]) == {"coverage"}


@pytest.mark.parametrize(("people", "periods"), [(1, 24), (7, 24), (40, 7), (2, 2), (1, 1)])
def test_few_people_or_periods_are_insufficient(people, periods):
    found = study(panel_of(world(np.random.default_rng(2), people, periods)), outcome="revenue", lineage=["contracts"])
    assert set(codes(found).values()) == {"N", "H"}
    assert codes(found)["contracts"] == "H"


def test_lags_shrink_with_the_periods_and_the_finding_says_so():
    assert [usable_lags(3, periods) for periods in (2, 5, 8, 9, 40)] == [1, 1, 2, 3, 3]
    found = study(panel_of(world(np.random.default_rng(2), 40, 8)), outcome="revenue", kpis=["noise"]).findings
    assert found.loc[found["test"] == "lag", "lag"].tolist() == [1, 2]
    assert found.loc[found["test"] == "joint_lags", ["status", "reason"]].values.tolist() == [["ok", "lags_reduced"]]


def test_a_copy_of_the_outcome_is_mechanical(panel):
    copy = panel[panel["kpi"] == "revenue"].assign(kpi="sales", value=lambda frame: frame["value"] * 3 + 1)
    found = study(pd.concat([panel, copy]), outcome="revenue", kpis=["sales", "revenue"])
    assert found.verdicts["gate"].tolist() == ["same_period", "lineage"]


def test_repeated_rows_are_refused_and_named(panel):
    with pytest.raises(InputError) as raised:
        study(pd.concat([panel, panel]), outcome="revenue")
    assert str(len(panel)) in raised.value.text("en") and "u000, 2024-01, revenue" in raised.value.text("zh")


def test_unknown_names_come_with_the_nearest(panel):
    with pytest.raises(InputError) as raised:
        study(panel, outcome="revenu", kpis=["drivr", "noise"])
    assert len(raised.value.problems) == 2
    assert "revenue?" in raised.value.text("en") and "driver" in raised.value.text("zh")
    with pytest.raises(InputError, match="status"):
        study(panel.drop(columns="status"), outcome="revenue")


def test_an_empty_family_gives_empty_tables_with_their_columns(panel):
    found = study(panel, outcome="revenue", kpis=[])
    assert found.verdicts.empty and found.findings.empty
    assert list(found.verdicts.columns) == list(study(panel, outcome="revenue").verdicts.columns)


# --- records made in time, teams, the same KPI twice, and what passes for the first time


def recorded(panel: pd.DataFrame, **changed: np.ndarray) -> pd.DataFrame:
    """The panel as it was on file, with other values of some KPIs."""
    rows = panel[~panel["kpi"].isin([*changed, "revenue"])]
    return pd.concat([rows, *(panel_of({kpi: values}) for kpi, values in changed.items())], ignore_index=True)


@pytest.fixture(scope="module")
def strong() -> dict[str, np.ndarray]:
    return world(np.random.default_rng(3), beta=0.5)


def test_a_driver_on_file_in_time_predicts_and_one_that_was_typed_in_later_does_not(strong):
    rows, noise = panel_of(strong), np.random.default_rng(1).standard_normal(strong["driver"].shape)
    in_time = study(rows, outcome="revenue", asof=recorded(rows)).verdicts.set_index("kpi")
    later = study(rows, outcome="revenue", asof=recorded(rows, driver=noise)).verdicts.set_index("kpi")
    without = study(rows, outcome="revenue").verdicts.set_index("kpi")
    assert [each.loc["driver", "code"] for each in (in_time, later, without)] == ["B", "I", "C"]
    assert without.loc["driver", "gate"] == "records" and not (without["code"] == "B").any()
    assert in_time.loc["driver", "left_on_file"] == pytest.approx(1)


def test_the_share_of_late_records_is_counted_and_too_many_make_the_record_unreliable(strong):
    full = panel_of(strong).assign(n=10.0)
    late = recorded(full).assign(n=6.5)
    found = study(full, outcome="revenue", asof=late).verdicts.set_index("kpi").loc["driver"]
    assert found["late_share"] == pytest.approx(0.35) and (found["code"], found["gate"]) == ("I", "late")
    some = study(full, outcome="revenue", asof=recorded(full).assign(n=7.5)).verdicts.set_index("kpi").loc["driver"]
    assert some["code"] == "B"


def test_an_effect_that_rests_on_one_team_predicts_nothing(strong):
    arrays = world(np.random.default_rng(11))
    star = arrays["revenue"].copy()
    star[:4, 1:] += 8 * arrays["driver"][:4, :-1]
    star[4:, 1:] -= 0.4 * arrays["driver"][4:, :-1]
    rows = panel_of({**arrays, "revenue": star})
    teams = {
        person: "stars" if number < 4 else f"team{number % 3}"
        for number, person in enumerate(sorted(set(rows["entity_id"])))
    }
    found = study(rows, outcome="revenue", kpis=["driver"], asof=recorded(rows), teams=teams)
    one = found.findings.set_index("test").loc["without_one_team"]
    assert one["ci_low"] < 0 < one["ci_high"]
    assert found.verdicts.loc[0, "code"] != "B" and not found.verdicts.loc[0, "same_sign"]


def test_the_same_kpi_under_another_name_or_unit_is_no_second_discovery(strong):
    twice = {**strong, "x_copy": 100 - 3 * strong["driver"]}
    rows = panel_of(twice)
    alone = study(panel_of(strong), outcome="revenue", asof=recorded(panel_of(strong))).verdicts.set_index("kpi")
    both = study(rows, outcome="revenue", asof=recorded(rows)).verdicts.set_index("kpi")
    assert both.loc["x_copy", "alias_of"] == "driver" and both["alias_of"].ne("").sum() == 1
    assert both.loc["x_copy", "code"] == both.loc["driver", "code"] == "B"
    pd.testing.assert_series_equal(both.loc[alone.index, "q"], alone["q"])


def test_who_passes_for_the_first_time_is_only_associated(strong):
    rows = panel_of(strong)
    now = study(rows, outcome="revenue", asof=recorded(rows))
    first, second = confirmed(now, None), confirmed(now, now)
    told = first.verdicts.set_index("kpi").loc["driver"]
    assert (told["code"], told["gate"]) == ("C", "new") and "passes again" in told["sentence_en"]
    pd.testing.assert_frame_equal(second.verdicts, now.verdicts)
    assert (first.verdicts["code"] == "C").sum() == (now.verdicts["code"].isin(["B", "C"])).sum()


def test_stricter_views_stand_beside_q():
    rng = np.random.default_rng(8)
    x = {f"x{k}": rng.normal(size=(30, 20)) for k in range(5)}
    y = np.roll(x["x0"], 1, axis=1) * 0.6 + rng.normal(size=(30, 20))
    rows = [
        ("person", f"P{p:02d}", f"{2024 + m // 12}-{m % 12 + 1:02d}", kpi, grid[p, m], "ok")
        for kpi, grid in {**x, "y": y, "made_of_y": y + 1e-3 * x["x1"]}.items() for p in range(30) for m in range(20)
    ]  # fmt: skip
    panel = pd.DataFrame(rows, columns=["level", "entity_id", "period", "kpi", "value", "status"])
    found = study(panel, outcome="y", lineage=["made_of_y"]).verdicts.set_index("kpi")
    assert np.isnan(found.loc["made_of_y", ["q_by", "familywise_p"]].astype(float)).all(), "no member of the family"
    family = found.drop("made_of_y")
    assert family["q_by"].to_numpy() == pytest.approx(multipletests(family["p"], method="fdr_by")[1])
    assert (family["familywise_p"] >= family["p"]).all() and family.loc["x0", "familywise_p"] <= 0.001


def test_who_has_left_does_nothing_and_sells_nothing_which_is_no_link():
    """Months without a day of work are no months: zeros of KPI and result in them would go together."""
    people = [f"P{n:02d}" for n in range(40)]
    rng = np.random.default_rng(3)
    rows = [
        (person, f"{2024 + m // 12}-{m % 12 + 1:02d}", kpi, value * at_work, 20.0 * at_work)
        for number, person in enumerate(people) for m in range(24)
        for at_work in [float(m < 12 or number % 2)]
        for kpi, value in (("visits", rng.poisson(5)), ("amount", rng.normal(10, 2)))
    ]  # fmt: skip
    zeros = pd.DataFrame(rows, columns=["entity_id", "period", "kpi", "value", "working_days"])
    zeros = zeros.assign(level="person", status="ok")
    (seen,) = study(zeros, outcome="amount").verdicts.to_dict("records")
    (misled,) = study(zeros.drop(columns="working_days"), outcome="amount").verdicts.to_dict("records")
    assert seen["p"] > 0.05 and seen["n_periods"] == misled["n_periods"]
    assert misled["p"] < 1e-3, "what the same rows say where nobody knows who had left"


def test_a_broken_month_is_no_month():
    rows = [
        ("person", person, "2025-01", "visits", 3.0, "ok", days)
        for person, days in (("A", 20.0), ("B", 10.0), ("C", 9.0), ("D", 0.0))
    ]
    panel = pd.DataFrame(rows, columns=["level", "entity_id", "period", "kpi", "value", "status", "working_days"])
    assert grid_of(panel).people == ("A", "B")
    holidays = panel.assign(working_days=0.0)
    assert grid_of(holidays).people == ()
    assert grid_of(panel.assign(working_days=np.nan)).people == ("A", "B", "C", "D"), "not known is not absent"
