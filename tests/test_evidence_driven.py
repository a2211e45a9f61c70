"""Only a change of the scheme makes a driver, and only of what goes with results in everyday data."""

from dataclasses import replace

import numpy as np
import pytest

from kpi_research.evidence.driven import driven
from kpi_research.evidence.plan import Plan
from kpi_research.evidence.study import study
from kpi_research.evidence.verdict import CODES
from kpi_research.evidence.worlds import World, draw


@pytest.fixture(scope="module")
def seen():
    drawn = draw(World(people=12, periods=16, noise=2), np.random.default_rng(1))
    return study(drawn.panel, outcome=drawn.outcome, plan=Plan(lags=1), lineage=drawn.lineage, with_depth=False)


def lettered(seen, code):
    verdicts = seen.verdicts.assign(code=code, gate="forecast")
    return replace(seen, verdicts=verdicts)


@pytest.mark.parametrize("code", sorted(set(CODES) - {"A"}))
def test_a_change_lifts_what_goes_with_results_and_nothing_else(seen, code):
    kpi = seen.verdicts["kpi"].iloc[0]
    found = driven(lettered(seen, code), [kpi]).verdicts.set_index("kpi")
    assert found.loc[kpi, "code"] == ("A" if code in "BC" else code)
    assert set(found.drop(kpi)["code"]) == {code}


def test_the_sentence_says_why(seen):
    kpi = seen.verdicts["kpi"].iloc[0]
    found = driven(lettered(seen, "B"), [kpi]).verdicts.set_index("kpi").loc[kpi]
    assert found["gate"] == "change" and found["sentence_en"].startswith("Drives:") and "能驱动" in found["sentence_zh"]
    assert driven(seen, []) is seen
