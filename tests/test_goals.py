"""Which version of a target holds, in scores and in the KPIs that count targets alike."""

import pandas as pd
import pytest
from random_crm import random_crm

from kpi_research.appraisal.goals import base_targets, held_targets
from kpi_research.kpis.catalogue import catalogue
from kpi_research.panel import contributions, panel
from kpi_research.periods import Period, as_intervals

QUARTER = Period.parse("2026Q1")


def versions(*rows: tuple[str | None, str | None, float]) -> pd.DataFrame:
    made = [
        {"scope": "person", "scope_id": "P1", "kpi": "visits", "period": "2026Q1", "version": version,
         "effective_from": pd.Timestamp(since) if since else pd.NaT, "base": base}
        for version, since, base in rows
    ]  # fmt: skip
    return pd.DataFrame(made).astype({"effective_from": "datetime64[us]"})


@pytest.mark.parametrize(
    ("rows", "held"),
    [
        ([("9", None, 1.0), ("10", None, 2.0)], 2.0),
        ([("2", "2026-01-01", 1.0), ("1", "2026-02-01", 2.0)], 2.0),
        ([("1", None, 1.0), ("2", "2026-04-01", 2.0)], 1.0),
        ([("1", "2026-03-31", 3.0), (None, None, 1.0)], 3.0),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_latest_version_holds_unless_the_period_was_over(rows, held, turned):
    given = versions(*(reversed(rows) if turned else rows))
    assert base_targets(given, QUARTER, "person") == {("P1", "visits"): held}


def test_base_and_stretch_are_of_one_row_also_where_the_latest_has_no_stretch():
    given = versions(("1", None, 1.0), ("2", "2026-02-01", 2.0)).assign(stretch=[5.0, None], reason=["first", "second"])
    (row,) = held_targets(given, QUARTER, "person").to_dict("records")
    assert (row["base"], row["version"], row["reason"]) == (2.0, "2", "second") and pd.isna(row["stretch"])
    assert list(held_targets(given, QUARTER, "person").index) == [("P1", "visits")]
    company = given.assign(scope="company", scope_id="any")
    assert list(held_targets(company, QUARTER, "company").index) == [("company", "visits")]


def test_without_targets_none_holds():
    assert held_targets(pd.DataFrame(), QUARTER, "person").empty and base_targets(pd.DataFrame(), QUARTER, "team") == {}
    other = versions(("1", None, 1.0)).assign(period="2025Q4")
    assert held_targets(other, QUARTER, "person").empty and base_targets(other, QUARTER, "person") == {}


def test_scores_and_kpis_take_the_same_version():
    tables = random_crm(5)
    late = tables["targets"]["version"] == "2"
    when = pd.to_datetime("2026-06-15")
    tables["targets"] = tables["targets"].assign(effective_from=pd.Series(pd.NaT, late.index).where(~late, when))
    mine = tables["targets"]["kpi"].eq("signed_amount") & tables["targets"]["period"].str.contains("Q")
    tables["targets"] = tables["targets"][mine | tables["targets"]["kpi"].ne("signed_amount")]
    rows = panel(contributions(tables, [catalogue()["attainment"]]), as_intervals([QUARTER]), "person")
    found = rows[rows["denominator"] > 0].set_index("entity_id")["denominator"].to_dict()
    targets = base_targets(tables["targets"], QUARTER, "person")
    assert found == {who: base for (who, kpi), base in targets.items() if kpi == "signed_amount" and base > 0}
    assert found
