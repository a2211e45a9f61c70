"""What is said of KPIs that go with results, and of no others."""

import numpy as np
import pandas as pd
import pytest
from golden.planted_worlds import panel_of, world

from kpi_research.evidence.depth import COLUMNS
from kpi_research.evidence.study import Study, study


def studied(arrays: dict[str, np.ndarray]) -> Study:
    rows = panel_of(arrays)
    return study(rows, outcome="revenue", asof=rows[rows["kpi"] != "revenue"], lineage=["contracts"])


@pytest.fixture(scope="module")
def strong() -> dict[str, np.ndarray]:
    return world(np.random.default_rng(3), beta=0.5)


@pytest.fixture(scope="module")
def found(strong) -> Study:
    return studied(strong)


def test_only_what_goes_with_results_has_a_share_and_a_shape(found):
    going = found.verdicts.loc[found.verdicts["code"].isin(["B", "C"]), "kpi"]
    assert list(found.depth["kpi"]) == list(going) and "driver" in set(going)
    assert "contracts" not in set(found.depth["kpi"])


def test_a_planted_effect_carries_the_share_that_its_size_makes(found):
    """.5 x an AR(.4) KPI of unit variance beside errors of variance 1 and demand of variance .25: about .16."""
    driver = found.depth.set_index("kpi").loc["driver"]
    assert driver["share_low"] < 0.25 / (0.25 + 1.25) < driver["share_high"]
    assert 0.2 < driver["to_doubt"] < driver["to_erase"] < 0.6
    assert driver["shape"] in {"linear", "unknown"}


def test_where_an_effect_ends_it_is_said(strong):
    rng = np.random.default_rng(8)
    x = rng.gamma(4.0, 2.0, (80, 36))
    y = rng.standard_normal((80, 1)) + rng.standard_normal((80, 36))
    y[:, 1:] += 0.6 * np.minimum(x[:, :-1], 8.0)
    deep = studied({"revenue": y, "visits": x}).depth.set_index("kpi").loc["visits"]
    assert deep["shape"] == "plateau" and deep["break_low"] <= 8.0 <= deep["break_high"]
    assert deep["break_at"] == pytest.approx(8.0, abs=1.0)


def test_without_any_such_kpi_the_table_is_empty_and_has_its_columns():
    rng = np.random.default_rng(1)
    quiet = studied({"revenue": rng.standard_normal((10, 12)), "noise": rng.standard_normal((10, 12))})
    assert quiet.depth.empty and list(quiet.depth.columns) == [*COLUMNS]


def test_asking_for_no_depth_changes_no_verdict(strong, found):
    rows = panel_of(strong)
    asked = {"outcome": "revenue", "asof": rows[rows["kpi"] != "revenue"], "lineage": ["contracts"]}
    plain = study(rows, **asked, with_depth=False)
    assert plain.depth.empty
    beside_q = ["q_by", "familywise_p", "permutation_p"]
    pd.testing.assert_frame_equal(plain.verdicts.drop(columns=beside_q), found.verdicts.drop(columns=beside_q))
