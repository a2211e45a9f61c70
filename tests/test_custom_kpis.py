"""KPIs of a client file: the same figures as the catalogue's from the same words, and errors that help."""

import datetime as dt

import pandas as pd
import pytest
from pydantic import ValidationError
from random_crm import random_crm
from ruamel.yaml import YAML

from kpi_research.errors import InputError
from kpi_research.kpis.catalogue import catalogue, sharing_records
from kpi_research.kpis.custom import CustomKpi, custom_kpis
from kpi_research.panel import contributions, panel
from kpi_research.periods import Period, as_intervals
from kpi_research.run.client import open_client

LAST_DAY = dt.date(2026, 6, 30)
PERIODS = as_intervals([Period.parse(name) for name in ("2026Q1", "2026Q2")])
WORDS = {"label": {"zh": "\u6211\u7684", "en": "Mine"}, "meaning": {"zh": "\u8bf4\u660e", "en": "What it says."}}


def custom(**given: object) -> CustomKpi:
    return CustomKpi.model_validate({**WORDS, **given})


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return random_crm(3)


@pytest.mark.parametrize(
    ("own", "same"),
    [
        ({"table": "activities", "where": {"kind": ["call"]}}, "calls"),
        ({"table": "contracts", "where": {"cancelled_at": {"filled": False}}, "sum": "amount"}, "signed_amount"),
        ({"table": "opportunities", "where": {"outcome": ["won", "lost"]}, "share": {"outcome": ["won"]}}, "win_rate"),
        (
            {"table": "activities", "where": {"recorded_at": {"filled": True}},
             "share": {"recorded_at": {"within_days": 1, "of": "occurred_at"}}},
            "entry_timeliness",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("level", ["person", "team", "company"])
def test_the_catalogues_own_kpis_written_in_yaml_give_the_same(tables, own, same, level):
    mine = custom_kpis({"mine": custom(**own)})["mine"]
    rows = panel(contributions(tables, [mine, catalogue()[same]], until=LAST_DAY), PERIODS, level)
    one, two = (rows[rows["kpi"] == name].drop(columns="kpi").reset_index(drop=True) for name in ("mine", same))
    assert one["n"].sum() > 0
    pd.testing.assert_frame_equal(one, two)


def test_means_medians_different_values_limits_and_what_stands_at_the_end(tables):
    own = custom_kpis({
        "mean_minutes": custom(table="activities", mean="minutes"),
        "median_amount": custom(table="contracts", median="amount"),
        "accounts": custom(table="activities", where={"kind": {"none_of": ["call"]}}, distinct="account_id"),
        "large": custom(table="contracts", where={"amount": {"at_least": 5000, "at_most": 12000}}),
        "running": custom(table="contracts", where={"ends_on": {"filled": True}}, until="ends_on"),
    })  # fmt: skip
    rows = panel(contributions(tables, list(own.values()), until=LAST_DAY), PERIODS, "company")
    found = rows[rows["period"] == "2026Q2"].set_index("kpi")["value"]
    start, end = pd.Timestamp("2026-04-01"), pd.Timestamp("2026-07-01")
    acts, contracts = tables["activities"], tables["contracts"]
    acts = acts[acts["occurred_at"].between(start, end, inclusive="left") & acts["person_id"].notna()]
    owned = contracts[contracts["owner_id"].notna()]
    signed = owned[owned["signed_at"].between(start, end, inclusive="left")]
    assert found["mean_minutes"] == pytest.approx(acts["minutes"].mean())
    assert found["median_amount"] == signed["amount"].median()
    assert found["accounts"] == acts.loc[acts["kind"] != "call", "account_id"].nunique()
    assert found["large"] == signed["amount"].between(5000, 12000).sum()
    running = owned[(owned["signed_at"] < end) & (owned["ends_on"] >= end)]
    assert found["running"] == len(running)


def test_all_wrong_names_are_reported_with_the_nearest_one():
    given = {
        "a": custom(table="activites"),
        "b": custom(table="contracts", sum="amout", where={"kidn": ["new"]}),
        "c": custom(table="contracts", sum="kind", when="owner_id"),
    }
    with pytest.raises(InputError) as caught:
        custom_kpis(given, "acme.yaml")
    text = str(caught.value)
    assert len(caught.value.problems) == 5
    for near in ("activities", "amount", "kind"):
        assert near in text


@pytest.mark.parametrize(
    "wrong",
    [
        {"table": "activities", "sum": "minutes", "median": "minutes"},
        {"table": "contracts", "distinct": "account_id", "until": "ends_on"},
        {"table": "activities", "where": {"recorded_at": {"within_days": 1}}},
        {"table": "activities", "where": {"minutes": {}}},
        {"table": "activities", "formula": "__import__('os')"},
    ],
)
def test_what_is_no_definition_is_refused(wrong):
    with pytest.raises(ValidationError):
        custom(**wrong)


def test_a_client_sees_its_own_kpi_everywhere_and_its_name_shows_it(tmp_path):
    document = {
        "client": "own", "title": {"zh": "\u81ea", "en": "Own"}, "predictors": ["long_visits", "calls"],
        "source": {"kind": "simulated", "people": 6, "teams": 2, "months": 8},
        "kpis": {
            "long_visits": {**WORDS, "table": "activities", "where": {"kind": ["visit"], "minutes": {"at_least": 30}}},
            "calls": {**WORDS, "table": "activities", "where": {"kind": ["call", "message"]}},
            "mine": {**WORDS, "table": "contracts", "sum": "amount", "unit": "money"},
        },
        "reports": [{"notebook": "evidence", "per": "company", "every": "quarter", "audience": "analyst"}],
    }  # fmt: skip
    path = tmp_path / "own.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML().dump(document, file)
    client = open_client(path)
    rows = client.panel(level="company")
    assert {"long_visits", "mine", "signed_amount"} <= set(rows["kpi"])
    assert client.kpis["calls"].label.en == "Mine (own definition)", "it takes the place of the catalogue's, visibly"
    assert [kpi.name for kpi in client.predictors()] == ["long_visits", "calls"]
    assert set(client.study().verdicts["kpi"]) == {"long_visits", "calls"}
    assert sharing_records("mine", ["signed_amount", "long_visits"], among=client.kpis) == ["signed_amount"]
