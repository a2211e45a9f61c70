"""Results that a KPI cannot bring about: in worlds of known truth they tell an unseen cause from an effect."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from golden.planted_worlds import autoregressive, panel_of

from kpi_research.errors import InputError
from kpi_research.evidence.history import evidence_of
from kpi_research.evidence.lags import fit_lags
from kpi_research.evidence.plan import Plan
from kpi_research.evidence.study import Study, study
from kpi_research.evidence.verdict import judge
from kpi_research.language import Bilingual


def world(
    seed: int,
    *,
    effect: float = 0.0,
    cause: float = 0.0,
    on_control: float = 0.0,
    shared_shock: float = 0.0,
    people: int = 40,
    periods: int = 24,
) -> dict[str, np.ndarray]:
    """A KPI, a result and two controls; able people and good months have more of all four.

    effect
        Rise of the next month's result for one more of the KPI.
    cause, on_control
        What a person's unseen drive, AR(.3), adds to the KPI now and to the result of the next month; and to the
        control of the next month.
    shared_shock
        What result and control have in common beside: it lasts, AR(.5), and the KPI has no part in it.
    """
    rng = np.random.default_rng(seed)
    shape = people, periods
    usual = rng.normal(size=(people, 1)) + 0.5 * np.sin(2 * np.pi * np.arange(periods) / 12)
    drive, shock = autoregressive(rng, shape, 0.3), shared_shock * autoregressive(rng, shape, 0.5)
    kpi = 0.5 * usual + cause * drive + rng.normal(size=shape)
    return {
        "result": usual + effect * after(kpi) + cause * after(drive) + shock + rng.normal(size=shape),
        "kpi": kpi,
        "control": usual + on_control * after(drive) + shock + rng.normal(size=shape),
        "another": usual + rng.normal(size=shape),
    }


def after(values: np.ndarray) -> np.ndarray:
    """What stood there a month before."""
    return np.column_stack([np.zeros(len(values)), values[:, :-1]])


def as_deals(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Result and controls as numbers of deals, two a month: they move by shares."""
    rng = np.random.default_rng(0)
    return {name: x if name == "kpi" else rng.poisson(2 * np.exp(0.4 * x)).astype(float) for name, x in values.items()}


def studied(values: dict[str, np.ndarray], controls: list[str], **asked) -> Study:
    panel = panel_of(values)
    on_file = panel[panel["kpi"] == "kpi"]
    given = {"kpis": ["kpi"], "negative_controls": controls, "with_depth": False, **asked}
    return study(panel, outcome="result", asof=on_file, **given)


def outcomes(draws: int, controls: tuple[str, ...] = ("control",), *, deals: bool = False, **kind) -> pd.Series:
    """Whether a KPI that predicts without the controls fails with them; one value a panel in which it does."""
    failed = []
    for seed in range(draws):
        values = world(seed, **kind)
        row = studied(as_deals(values) if deals else values, [*controls]).verdicts.iloc[0]
        if letter_without(row) == "B":
            failed.append(row["gate"] == "placebo")
    return pd.Series(failed, dtype=bool)


def letter_without(row: pd.Series) -> str:
    """The letter that a KPI with this row of verdicts would have without controls."""
    return judge(dataclasses.replace(evidence_of(row), has_records=True, placebo_p=np.nan), Plan()).code


CAUSED = {"cause": 0.5, "on_control": 0.5}
TRUE = {"effect": 0.25}


def test_an_unseen_cause_is_told_from_an_effect():
    caused, true = outcomes(12, **CAUSED), outcomes(12, **TRUE, shared_shock=0.5)
    assert len(caused) >= 7 and caused.all(), "without a control it is called predictive"
    assert len(true) >= 7 and true.sum() <= 2, "three failures of 12 at 5 % are a chance of one in fifty"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "least", "most"),
    [
        ("cause", CAUSED, 0.9, 1),
        ("cause, half as strong in the control", {"cause": 0.5, "on_control": 0.25}, 0.3, 1),
        ("cause, a quarter as strong in the control", {"cause": 0.5, "on_control": 0.125}, 0, 1),
        ("cause, beside an unrelated control", {**CAUSED, "controls": ("another", "control")}, 0.9, 1),
        ("cause, deals", {**CAUSED, "deals": True}, 0.5, 1),
        ("stronger cause, deals", {"cause": 0.8, "on_control": 0.8, "deals": True}, 0.9, 1),
        ("cause that leaves the control alone", {"cause": 0.5}, 0, 0.1),
        ("effect", TRUE, 0, 0.1),
        ("effect, control with the result's shocks", {**TRUE, "shared_shock": 0.7}, 0, 0.1),
        ("effect, two controls", {**TRUE, "controls": ("another", "control")}, 0, 0.1),
        ("effect, deals", {**TRUE, "deals": True}, 0, 0.1),
    ],
)
def test_how_often_causes_are_seen_and_effects_are_kept(name, kind, least, most):
    failed = outcomes(200, **kind)
    print(f"{name}: predicts in {len(failed)} of 200; C for the control in {failed.mean():.1%} of them")
    assert len(failed) >= 60 and least <= failed.mean() <= most


def test_without_controls_the_letter_is_that_of_the_other_gates():
    """What `outcomes` takes for the letter without controls is that of a study that was given none."""
    for seed in range(6):
        values = world(seed, **CAUSED)
        given, none = (studied(values, controls).verdicts.iloc[0] for controls in (["control"], []))
        assert letter_without(given) == none["code"]


def test_its_p_is_that_of_the_outcomes_own_test_on_the_records_on_file():
    values = world(3, **CAUSED)
    panel = panel_of(values)
    then = values["kpi"] - np.random.default_rng(1).poisson(0.3, values["kpi"].shape)
    asof = panel_of({"kpi": then})
    asked = {"outcome": "result", "kpis": ["kpi"], "asof": asof, "with_depth": False}
    found = study(panel, negative_controls=["control", "another"], **asked)
    tests = found.findings[found.findings["test"] == "negative_control"].set_index("outcome")
    by_hand = {name: fit_lags(values[name], then, 3).joint.p for name in ("control", "another")}
    assert tests["p"].to_dict() == pytest.approx(by_hand, rel=1e-9)
    (row,) = found.verdicts.to_dict("records")
    assert row["negative_control"] == "control", "the one that shows"
    assert row["placebo_p"] == pytest.approx(2 * by_hand["control"], rel=1e-9), "Holm: the smaller of two, twice"


def test_a_kpi_that_does_not_go_with_the_result_is_held_against_nothing():
    found = studied(world(1), ["control"])
    assert not found.findings["test"].eq("negative_control").any()
    (row,) = found.verdicts.to_dict("records")
    assert np.isnan(row["placebo_p"]) and row["negative_control"] == "" and row["code"] not in "BC"


def test_controls_are_not_of_the_family_and_change_nothing_else():
    values = world(2, **CAUSED)
    with_them, without = studied(values, ["control"], kpis=None), studied(values, [], kpis=["another", "kpi"])
    assert with_them.verdicts["kpi"].tolist() == ["another", "kpi"]
    same = [
        name for name in without.verdicts if not name.startswith(("sentence", "placebo", "negative", "gate", "code"))
    ]
    pd.testing.assert_frame_equal(with_them.verdicts[same], without.verdicts[same])
    assert with_them.fingerprint != without.fingerprint
    order = studied(values, ["control", "another"]).fingerprint, studied(values, ["another", "control"]).fingerprint
    assert order[0] == order[1]


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        (np.ones((40, 24)), "within_share"),
        (np.where(np.arange(40)[:, None] < 5, world(1)["control"], np.nan), "people"),
        (np.where(np.arange(24) < 6, world(1)["control"], np.nan), "periods"),
        (np.where((np.arange(24) % 2).astype(bool), world(1)["control"], np.nan), "people"),
    ],
)
def test_a_control_that_cannot_be_asked_is_said_and_passes_nothing(control, reason):
    values = {**world(2, **CAUSED), "control": control}
    (row,) = (found := studied(values, ["control"])).verdicts.to_dict("records")
    assert row["code"] == "B" and np.isnan(row["placebo_p"]) and row["negative_control"] == ""
    (test,) = found.findings[found.findings["test"] == "negative_control"].to_dict("records")
    assert (test["outcome"], test["status"], test["reason"]) == ("control", "not_applicable", reason)
    both = studied({**values, "good": world(2, **CAUSED)["control"]}, ["control", "good"]).verdicts.iloc[0]
    assert (both["gate"], both["negative_control"]) == ("placebo", "good")
    assert both["placebo_p"] == pytest.approx(studied(world(2, **CAUSED), ["control"]).verdicts["placebo_p"].iloc[0])


def test_a_control_with_gaps_is_asked_of_the_rows_that_it_has():
    values = world(2, **CAUSED)
    values["control"][np.random.default_rng(0).random((40, 24)) < 0.2] = np.nan
    values["control"][:6] = np.nan
    (row,) = studied(values, ["control"]).verdicts.to_dict("records")
    assert (row["code"], row["gate"]) == ("C", "placebo")


def test_the_sentence_names_the_control():
    labels = {"control": Bilingual("自助下单额", "Customers' own orders")}
    (row,) = studied(world(2, **CAUSED), ["control"], labels=labels).verdicts.to_dict("records")
    assert "“自助下单额”" in row["sentence_zh"] and "“Customers' own orders”" in row["sentence_en"]
    (unnamed,) = studied(world(2, **CAUSED), ["control"]).verdicts.to_dict("records")
    assert "“control”" in unnamed["sentence_en"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"negative_controls": ["contorl"]}, "Did you mean control?"),
        ({"negative_controls": ["result"]}, "'result' is the outcome"),
        ({"negative_controls": ["control"], "lineage": ["control"]}, "'control' is the outcome"),
        ({"negative_controls": ["doubled"]}, "'doubled' is the outcome"),
        ({"negative_controls": ["control"], "kpis": ["kpi", "control"]}, "'control' is among the KPIs that are tested"),
        ({"negative_controls": ["again"]}, "'again' always tells the same as the KPI 'kpi'"),
    ],
)
def test_what_is_no_control_is_refused(asked, said):
    values = world(1)
    values |= {"doubled": 2 * values["result"] + 1, "again": values["kpi"] / 7}
    with pytest.raises(InputError) as raised:
        study(panel_of(values), outcome="result", **{"kpis": ["kpi"], **asked})
    assert said in raised.value.text("en") and raised.value.text("zh")


def test_the_plan_is_of_its_controls_too():
    assert Plan().fingerprint("result", ["kpi"], ["control"]) != Plan().fingerprint("result", ["kpi"])
