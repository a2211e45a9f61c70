"""The rules by which figures become points: bands, steps, falls, two levels of weights, deductions, bonus and vetoes."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from test_score import KPIS, rows, spread

from kpi_research.appraisal.attainment import attainment, share_earned
from kpi_research.appraisal.scheme import Scheme, SchemeItem
from kpi_research.appraisal.score import score

LABEL = {"zh": "自定", "en": "Own"}
FULL = {"signed_amount": (100.0, None, "ok"), "nps": (500.0, 10.0, "ok"), "won_cycle_days": (300.0, 10.0, "ok")}
TARGETS = {("P1", "signed_amount"): 100.0, ("P1", "nps"): 40.0, ("P1", "won_cycle_days"): 30.0}


def item(**rules) -> SchemeItem:
    return SchemeItem.model_validate({"kpi": "signed_amount", "weight": 100, **rules})


def earned(actual: float, target: float = 100.0, direction="up", **rules) -> float:
    own = item(**rules)
    figure = np.array([actual])
    return float(share_earned(figure, attainment(figure, target, direction, own), own)[0])


def scored(given=FULL, targets=TARGETS, **written):
    own = Scheme.model_validate({"name": "own", "label": LABEL, **written})
    return score(rows(given), spread(given), scheme=own, kpis=KPIS, targets=targets, rng=np.random.default_rng(1))


@pytest.mark.parametrize(
    ("actual", "expected"), [(80, 80 / 90), (90, 1), (95, 1), (100, 1), (110, 1), (120, 1.1), (200, 1.2), (0, 0)]
)
def test_inside_the_elastic_band_all_points_are_earned_and_outside_it_none_is_lost_by_a_jump(actual, expected):
    assert earned(actual, band=0.1) == pytest.approx(expected)


def test_hr_steps_include_their_lower_edge():
    steps = [{"at_least": at, "share": share} for at, share in ((0.6, 0.4), (0.8, 0.6), (1.0, 0.8), (1.2, 1.0))]
    found = [earned(actual, steps=steps) for actual in (59, 60, 79, 80, 100, 119, 120, 500)]
    assert found == pytest.approx([0, 0.4, 0.4, 0.6, 0.8, 0.8, 1.0, 1.0])


def test_what_is_exact_in_decimals_reaches_its_step():
    steps = [{"at_least": at, "share": share} for at, share in ((0.6, 0.4), (0.8, 0.6))]
    assert [earned(actual, target, steps=steps) for actual, target in ((9.6, 12), (5.6, 7), (0.72, 0.9))] == [0.6] * 3
    assert earned(4.2, 7, zero_below=0.6) == pytest.approx(0.6)


def test_steps_over_the_value_need_no_target():
    one = [
        {
            "kpi": "nps",
            "weight": 100,
            "steps_on": "value",
            "steps": [{"at_least": -100, "share": 0.5}, {"at_least": 50, "share": 1}],
        }
    ]
    found = scored({"nps": (500.0, 10.0, "ok")}, {}, items=one)
    assert found.rows["status"].tolist() == ["ok"] and found.totals["score"].tolist() == [100]


def test_under_the_pass_mark_nothing_is_earned():
    assert earned(59, zero_below=0.6) == 0 and earned(60, zero_below=0.6) == pytest.approx(0.6)


@pytest.mark.parametrize(("falling", "expected"), [("mirror", 0.5), ("inverse", 1 / 1.5)])
def test_of_what_should_be_low_there_are_two_attainments(falling, expected):
    assert earned(150, direction="down", falling=falling) == pytest.approx(expected)
    assert earned(0, direction="down", falling=falling) == pytest.approx(1.2)


@given(
    actual=st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=8),
    target=st.one_of(st.floats(-10, 0), st.floats(1e-6, 1e9)),
    band=st.floats(0, 0.5),
    falling=st.sampled_from(["mirror", "inverse"]),
    direction=st.sampled_from(["up", "down"]),
)
def test_better_figures_never_earn_less_and_caps_and_floors_hold(actual, target, band, falling, direction):
    own = item(band=band, falling=falling, floor=0.1)
    better = np.sort(actual) if direction == "up" else np.sort(actual)[::-1]
    found = share_earned(better, attainment(better, target, direction, own), own)
    if target > 0:
        assert (np.diff(found) >= -1e-12).all() and (found >= 0.1).all() and (found <= 1.2).all()
    else:
        assert np.isnan(found).all(), "without a target above zero nothing is said"


def test_weights_on_two_levels_are_multiplied():
    items = [
        {"kpi": "signed_amount", "weight": 50, "group": "work"},
        {"kpi": "nps", "weight": 50, "group": "work"},
        {"kpi": "won_cycle_days", "weight": 100, "group": "growth"},
    ]
    found = scored(groups={"work": 70, "growth": 30}, items=items)
    assert found.rows.set_index("kpi")["weight"].to_dict() == {"signed_amount": 35, "nps": 35, "won_cycle_days": 30}
    assert found.totals["score"].tolist() == pytest.approx([35 + 35 * 1.2 + 30])


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"items": [{"kpi": "nps", "weight": 99}]}, "sum to 99, not to 100"),
        ({"items": [{"kpi": "nps", "weight": 50}, {"kpi": "nps", "weight": 50}]}, "stands twice: nps"),
        ({"groups": {"a": 60, "b": 30}, "items": [{"kpi": "nps", "weight": 100, "group": "a"}]}, "differ: b"),
        ({"groups": {"a": 90}, "items": [{"kpi": "nps", "weight": 100, "group": "a"}]}, "the weights sum to 90"),
        ({"items": [{"kpi": "nps", "weight": 100, "raters": {"self": 20, "peer": 70}}]}, "sum to 90, not to 100"),
        (
            {"items": [{"kpi": "nps", "weight": 100, "steps": [{"at_least": 1, "share": 1}, {"at_least": 0, "share": 0}]}]},
            "must rise: 1, 0",
        ),
        (
            {"items": [{"kpi": "nps", "weight": 100, "band": 0.1, "steps": [{"at_least": 1, "share": 1}]}]},
            "belong to points in proportion",
        ),
        (
            {"items": [{"kpi": "nps", "weight": 100}], "adjustments": [{"kpi": "nps", "effect": "veto"}]},
            "either above or below",
        ),
        (
            {"items": [{"kpi": "nps", "weight": 100}], "adjustments": [{"kpi": "nps", "effect": "bonus", "above": 1}]},
            "needs points",
        ),
    ],
)  # fmt: skip
def test_a_scheme_that_does_not_hold_together_is_refused_with_the_reason(written, told):
    with pytest.raises(ValidationError, match=told):
        Scheme.model_validate({"name": "own", "label": LABEL, **written})


ITEMS = [{"kpi": "signed_amount", "weight": 100}]
OFF = {"kpi": "won_cycle_days", "effect": "deduction", "above": 27, "points": 2, "most": 5}


@pytest.mark.parametrize(
    ("change", "expected", "status"),
    [
        (OFF, 95, "applied"),
        ({**OFF, "per": 1.5}, 96, "applied"),
        ({**OFF, "above": 29.5}, 100, "harmless"),
        ({**OFF, "above": 30}, 100, "harmless"),
        ({"kpi": "nps", "effect": "bonus", "above": 40, "per": 5, "points": 1.5, "most": 10}, 103, "applied"),
        ({"kpi": "nps", "effect": "veto", "below": 60, "score_at_most": 59}, 59, "applied"),
        ({"kpi": "nps", "effect": "veto", "below": 50}, 100, "harmless"),
    ],
)
def test_what_is_taken_off_put_on_and_forbidden(change, expected, status):
    found = scored(items=ITEMS, adjustments=[change])
    assert found.totals["score"].tolist() == pytest.approx([expected])
    assert found.totals["adjusted"].tolist() == pytest.approx([expected - 100])
    assert found.adjustments["status"].tolist() == [status]
    json.dumps(found.adjustments.to_dict("records"))


def test_the_strictest_veto_holds_after_bonus_and_deductions_never_lead_under_zero():
    bonus = {"kpi": "nps", "effect": "bonus", "above": 40, "points": 5, "most": 5}
    vetoes = [{"kpi": "nps", "effect": "veto", "below": 60, "score_at_most": most} for most in (80, 60)]
    assert scored(items=ITEMS, adjustments=[bonus, *vetoes]).totals["score"].tolist() == [60]
    ruin = {"kpi": "nps", "effect": "deduction", "above": 0, "points": 500, "most": 500}
    assert scored(items=ITEMS, adjustments=[ruin]).totals["score"].tolist() == [0]


def test_what_was_not_recorded_costs_nothing():
    missing = FULL | {"won_cycle_days": (0.0, 0.0, "no_cases")}
    found = scored(missing, items=ITEMS, adjustments=[OFF])
    assert found.adjustments["status"].tolist() == ["no_cases"] and found.totals["score"].tolist() == [100]


def test_draws_are_what_interval_and_error_come_from():
    noisy = pd.concat([rows({"signed_amount": (float(week), None, "ok")}, f"S{week:02d}") for week in range(13)])
    own = Scheme.model_validate({"name": "own", "label": LABEL, "items": ITEMS})
    given = rows({"signed_amount": (78.0, None, "ok")})
    found = score(given, noisy, scheme=own, kpis=KPIS, targets=TARGETS, rng=np.random.default_rng(1))
    total = found.totals.iloc[0]
    assert total["score_se"] == pytest.approx(found.draws["P1"].std())
    assert np.quantile(found.draws["P1"], [0.05, 0.95]) == pytest.approx([total["score_low"], total["score_high"]])
