"""Pay to the cent against sums worked by hand; what is missing is never nought."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kpi_research.appraisal.awards import Decision
from kpi_research.appraisal.bill import bill, changes_hands, rescored, shares_at
from kpi_research.appraisal.incentives import IncentivePlan, PayCurve, check_plan
from kpi_research.appraisal.largest_remainder import exact
from kpi_research.appraisal.payout import PayBasis, payouts
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.score import SCORE_COLUMNS, TOTAL_COLUMNS, Score
from kpi_research.errors import InputError
from kpi_research.kpis.catalogue import catalogue

CURVE = {"points": [{"score": 60, "share": 0.3}, {"score": 100, "share": 1}]}
SCHEME = Scheme.model_validate(
    {
        "name": "own", "label": {"zh": "自定", "en": "Own"},
        "items": [{"kpi": "signed_amount", "weight": 60}, {"kpi": "visits", "weight": 40}],
    }
)  # fmt: skip


def plan(**more) -> IncentivePlan:
    pot, awards = more.pop("team_pot", None), more.pop("awards", ())
    return IncentivePlan.model_validate({"rules": [{"curve": CURVE, **more}], "team_pot": pot, "awards": awards})


def scored(figures: dict[str, tuple[float, float]], status: str = "ok") -> Score:
    """Scores of people by what they signed and visited, against 100,000 and 40."""
    rows, totals, draws = [], [], {}
    for person, actuals in figures.items():
        sum_ = 0.0
        for (kpi, weight, target), actual in zip(
            (("signed_amount", 60, 100_000), ("visits", 40, 40)), actuals, strict=True
        ):
            reached = actual / target
            points = weight * min(1.2, reached)
            sum_ += points
            rows.append((person, kpi, "", "person", weight, target, actual, actual, actual, reached, reached, reached,
                         points, 9, "ok"))  # fmt: skip
        totals.append((person, sum_, sum_, sum_, 0.0, 1.0, 0.0, status))
        draws[person] = np.linspace(sum_ - 10, sum_ + 10, 201)
    return Score(pd.DataFrame(rows, columns=SCORE_COLUMNS), pd.DataFrame(totals, columns=TOTAL_COLUMNS), draws=draws)


def staff(*people: str, base: float = 10_000.0, role: str = "") -> pd.DataFrame:
    return pd.DataFrame(
        {"person_id": people, "team_id": "T1", "role": role, "level": "", "bonus_base": [base] * len(people)}
    )


def paid(basis: PayBasis, given_plan: IncentivePlan):
    return payouts(basis, given_plan, catalogue())


def cents_by(found, component: str) -> dict[str, int]:
    rows = found.rows[found.rows["component"] == component]
    return dict(zip(rows["person_id"], rows["cents"], strict=True))


def test_the_base_bonus_is_what_pencil_and_paper_give():
    # 80 points lie half-way between 60 (30 %) and 100 (100 %): 65 % of 10,000
    found = paid(PayBasis(scored({"A": (80_000, 32)}), staff("A")), plan())
    assert cents_by(found, "base") == {"A": 650_000}
    reason = found.rows.loc[0, "reason_en"]
    assert "10,000.00 × 65% = 6,500.00" in reason
    assert "80.0" in reason


def test_beyond_the_base_target_the_base_bonus_pays_no_more_and_stretch_pays_apart():
    basis = PayBasis(scored({"A": (115_000, 40)}), staff("A"), {("A", "signed_amount"): 120_000})
    found = paid(basis, plan(stretch=[{"kpi": "signed_amount", "share": 0.4, "most": 0.5}]))
    # three quarters of the way from 100,000 to 120,000, times 40 %: 30 % of 10,000
    assert cents_by(found, "base") == {"A": 1_000_000}
    assert cents_by(found, "stretch") == {"A": 300_000}
    far = dataclasses.replace(basis, score=scored({"A": (900_000, 40)}))
    assert cents_by(paid(far, plan(stretch=[{"kpi": "signed_amount", "share": 0.4, "most": 0.5}])), "stretch") == {
        "A": 500_000
    }


def test_a_higher_stretch_target_never_costs_the_base_bonus():
    totals = []
    for stretch in (105_000, 200_000):
        basis = PayBasis(scored({"A": (100_000, 40)}), staff("A"), {("A", "signed_amount"): stretch})
        totals.append(paid(basis, plan(stretch=[{"kpi": "signed_amount", "share": 0.4, "most": 0.5}])).cents)
    assert totals == [1_000_000, 1_000_000]


def test_penalties_are_bounded_and_spare_what_may_be_chance():
    penalties = [{"kpi": kpi, "below_attainment": 0.9, "share": 0.15} for kpi in ("visits", "signed_amount")]
    score = scored({"A": (80_000, 32)})
    found = paid(PayBasis(score, staff("A")), plan(penalties=penalties, penalties_at_most=0.2))
    taken = found.rows[found.rows["component"] == "penalty"]["cents"].tolist()
    assert taken == [-97_500, -32_500]  # 15 % of 6,500, then what is left of 20 %
    lucky = dataclasses.replace(score, rows=score.rows.assign(attainment_high=0.95))
    spared = paid(PayBasis(lucky, staff("A")), plan(penalties=penalties))
    assert cents_by(spared, "penalty") == {"A": 0}


def test_a_penalty_needs_data():
    score = scored({"A": (80_000, 32)})
    rows = score.rows.copy()
    rows.loc[rows["kpi"] == "visits", ["status", "attainment", "actual"]] = ["no_record", np.nan, np.nan]
    penalties = [{"kpi": "visits", "below_attainment": 0.9, "share": 0.15}]
    found = paid(PayBasis(dataclasses.replace(score, rows=rows), staff("A")), plan(penalties=penalties))
    assert found.rows.loc[found.rows["component"] == "penalty", ["cents", "status"]].values.tolist() == [[0, "no_data"]]


@pytest.mark.parametrize("case", ["not_scored", "no_bonus_base", "no_rule", "no_target"])
def test_what_is_missing_is_never_nought(case):
    basis, given_plan = PayBasis(scored({"A": (80_000, 32)}), staff("A", role="sales")), plan()
    if case == "not_scored":
        basis = dataclasses.replace(basis, score=scored({"A": (80_000, 32)}, status="not_scored"))
    elif case == "no_bonus_base":
        basis = dataclasses.replace(basis, staff=staff("A", base=np.nan))
    elif case == "no_rule":
        given_plan = plan(roles=("engineer",))
    else:
        given_plan = plan(stretch=[{"kpi": "signed_amount", "share": 0.4, "most": 0.5}])
    found = paid(basis, given_plan)
    assert case in set(found.rows["status"])
    assert found.totals["cents"].isna().all()
    assert found.totals["status"].tolist() == ["open"]
    assert "not mean zero" in " ".join(found.rows["reason_en"])


def test_people_of_other_roles_are_paid_by_other_rules():
    newcomer = {"roles": ["newcomer"], "curve": {"points": [{"score": 0, "share": 1}]}}
    given_plan = IncentivePlan.model_validate({"rules": [newcomer, {"curve": CURVE}]})
    people = pd.concat([staff("A", role="newcomer"), staff("B", role="sales")])
    found = paid(PayBasis(scored({"A": (80_000, 32), "B": (80_000, 32)}), people), given_plan)
    assert cents_by(found, "base") == {"A": 1_000_000, "B": 650_000}


@settings(max_examples=30, deadline=None)
@given(amount=st.integers(1, 10**9), score=st.floats(60, 130), people=st.integers(1, 9), by_base=st.booleans())
def test_a_team_pot_is_given_away_to_the_last_cent(amount, score, people, by_base):
    names = [f"P{number}" for number in range(people)]
    pot = {"amount": amount / 100, "curve": CURVE, "shared": "by_base" if by_base else "equally"}
    own = scored(dict.fromkeys(names, (80_000, 32)))
    team = dataclasses.replace(own, totals=own.totals.head(1).assign(entity_id="T1", score=score))
    crew = staff(*names).assign(bonus_base=[1_000.0 + 7 * number for number in range(people)])
    found = paid(PayBasis(own, crew, team_score=team), plan(team_pot=pot))
    share = PayCurve.model_validate(CURVE).share(exact(round(score * 10) / 10))
    parts = cents_by(found, "team").values()
    assert abs(sum(parts) - float(share) * amount) <= 0.501 + 1e-4 * amount  # the score is paid to one decimal
    assert max(parts) - min(parts) <= 1 or by_base


@settings(max_examples=50, deadline=None)
@given(score=st.floats(0, 200), shape=st.sampled_from(["linear", "steps"]))
def test_one_curve_by_two_roads(score, shape):
    curve = PayCurve.model_validate({**CURVE, "shape": shape})
    assert float(curve.share(exact(score))) == pytest.approx(float(shares_at(curve, np.array([score]))[0]), abs=5e-5)


def test_the_bill_says_how_far_chance_moves_it_and_what_it_would_be_if():
    score = scored({"A": (80_000, 32), "B": (70_000, 28)})
    basis = PayBasis(score, staff("A", "B"), {("A", "signed_amount"): 120_000})
    given_plan = plan()
    found = bill(basis, paid(basis, given_plan), given_plan, SCHEME, catalogue())
    # 65 % and 47.5 % of 10,000; a point is 1.75 % of it, and draws reach nine points to either side (90 %)
    assert found.cents == 1_125_000
    assert found.low == pytest.approx(1_125_000 - 2 * 9 * 17_500)
    assert found.scenarios["at_target"] == 2_000_000
    assert found.scenarios["ten_percent_more"] == 790_000 + 597_500  # 88 and 77 points
    again = rescored(score, SCHEME, catalogue(), "ten_percent_more", {})
    assert again.totals["score"].tolist() == pytest.approx([88, 77])


def test_what_changes_hands_is_half_of_all_differences():
    people = staff("A", "B")
    one = paid(PayBasis(scored({"A": (80_000, 32), "B": (70_000, 28)}), people), plan())
    other = paid(PayBasis(scored({"A": (70_000, 28), "B": (80_000, 32)}), people), plan())
    assert changes_hands(one, other) == 175_000
    assert changes_hands(one, one) == 0


def test_an_award_is_paid_to_whom_it_was_given():
    award = {"name": "best", "label": {"zh": "突破奖", "en": "Breakthrough"}, "kind": "breakthrough", "amount": 100}
    given_plan = plan(awards=[award])
    decision = Decision(given_plan.awards[0], {"A": 5_000}, 2)
    found = paid(PayBasis(scored({"A": (80_000, 32), "B": (1, 1)}), staff("A", "B"), awards=[decision]), given_plan)
    assert cents_by(found, "award") == {"A": 5_000}


def test_a_plan_that_pays_for_what_is_not_appraised_is_refused_with_every_mistake():
    award = {"name": "best", "label": {"zh": "奖", "en": "Prize"}, "kind": "mentor"}
    wrong = plan(stretch=[{"kpi": "visit", "share": 0.1, "most": 0.2}], process=[{"kpi": "calls", "share": 0.1}],
                 awards=[award])  # fmt: skip
    with pytest.raises(InputError) as caught:
        check_plan(wrong, SCHEME, "x.yaml")
    assert len(caught.value.problems) == 3
    assert "visits" in caught.value.text("en")


def test_a_pay_curve_must_rise():
    with pytest.raises(ValidationError, match="must rise"):
        PayCurve.model_validate({"points": [{"score": 60, "share": 1}, {"score": 100, "share": 0.5}]})
