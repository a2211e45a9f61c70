"""The simulated client: what is planted is there, and nothing else.

The regressions are written out here (dummies and least squares, errors clustered by person), apart from the study.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest

from kpi_research.sources.simulated import Company, Simulation, simulate

DEFAULT = Company()
CRITICAL_T = 1.97
KINDS = {"demos": "demo", "calls": "call", "visits": "visit", "need_surveys": "survey", "proposals": "proposal"}


@functools.cache
def simulated(company: Company = DEFAULT) -> Simulation:
    return simulate(company)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return simulated().tables


def month_number(times: pd.Series) -> np.ndarray:
    return (times.dt.year * 12 + times.dt.month).to_numpy()


def monthly(rows: pd.DataFrame, who: str, when: str, index: pd.MultiIndex, value: str | None = None) -> pd.Series:
    groups = rows.groupby([rows[who].to_numpy(), month_number(rows[when])])
    return (groups[value].sum() if value else groups.size()).reindex(index, fill_value=0).astype(float)


def person_months(tables: dict[str, pd.DataFrame]) -> pd.MultiIndex:
    stays = (
        tables["assignments"].groupby("person_id").agg(since=("since", "min"), until=("until", lambda u: u.iloc[-1]))
    )
    stays["until"] = stays["until"].fillna(tables["activities"]["occurred_at"].max())
    pairs = [
        (person, month)
        for person, first, last in zip(
            stays.index, month_number(stays["since"]), month_number(stays["until"]), strict=True
        )
        for month in range(first, last + 1)
    ]
    return pd.MultiIndex.from_tuples(pairs)


def panel(company: Company) -> pd.DataFrame:
    """One row a person and month: results, and every KPI of the truth; `_recorded` by the time of entry."""
    tables = simulated(company).tables
    index = person_months(tables)
    contracts, learning = tables["contracts"], tables["learning"]
    columns = {
        "signed_amount": monthly(contracts, "owner_id", "signed_at", index, "amount"),
        "signed_contracts": monthly(contracts, "owner_id", "signed_at", index),
        "sharing_sessions": monthly(learning[learning["kind"] == "sharing"], "person_id", "occurred_at", index),
    }
    for name, kind in KINDS.items():
        rows = tables["activities"][tables["activities"]["kind"] == kind]
        columns[name] = monthly(rows, "person_id", "occurred_at", index)
        columns[f"{name}_recorded"] = monthly(rows, "person_id", "recorded_at", index)
    return pd.DataFrame(columns)


def lagged_t(outcome: pd.Series, kpi: pd.Series, lag: int = 1) -> float:
    """t of the KPI `lag` months before, with person and month dummies and errors clustered by person."""
    person, month = kpi.index.get_level_values(0), kpi.index.get_level_values(1)
    earlier = kpi.set_axis(pd.MultiIndex.from_arrays([person, month + lag]))
    rows = pd.concat([outcome, earlier], axis=1, join="inner")
    people, months = (pd.factorize(rows.index.get_level_values(level))[0] for level in (0, 1))
    dummies = np.hstack([np.eye(people.max() + 1)[people], np.eye(months.max() + 1)[months][:, 1:]])
    values = rows.to_numpy()
    y, x = (values - dummies @ np.linalg.lstsq(dummies, values, rcond=None)[0]).T
    slope = x @ y / (x @ x)
    scores = np.bincount(people, x * (y - slope * x))
    clusters = len(scores)
    return float(slope / (np.sqrt(scores @ scores * clusters / (clusters - 1)) / (x @ x)))


def significant(kpi: str, companies: list[Company], *, outcome: str = "signed_amount") -> float:
    """Share of the companies in which the KPI one month before is significant."""
    panels = [panel(company) for company in companies]
    return float(np.mean([abs(lagged_t(rows[outcome], rows[kpi])) > CRITICAL_T for rows in panels]))


def seeds(count: int, **settings: float) -> list[Company]:
    return [dataclasses.replace(DEFAULT, seed=seed, **settings) for seed in range(1, count + 1)]


def test_visits_are_about_five_a_week_for_everybody():
    visits = panel(DEFAULT)["visits"].groupby(level=0).filter(lambda own: len(own) >= 12)
    visits = visits.groupby(level=0).mean() / (365.25 / 12 / 7)
    assert visits.between(4.0, 5.6).all()


def test_the_driver_is_found_one_month_before_the_result():
    rows = panel(DEFAULT)
    assert lagged_t(rows["signed_amount"], rows["demos"]) > 5
    assert lagged_t(rows["signed_contracts"], rows["demos"]) > 5
    assert abs(lagged_t(rows["signed_amount"], rows["demos"], lag=0)) < 3
    assert lagged_t(rows["signed_amount"], rows["demos_recorded"]) > 5


@pytest.mark.parametrize("kpi", ["calls", "visits", "need_surveys", "proposals_recorded", "sharing_sessions"])
def test_nothing_else_is(kpi: str):
    rows = panel(DEFAULT)
    assert abs(lagged_t(rows["signed_amount"], rows[kpi])) < CRITICAL_T


def test_calls_tell_the_able_from_the_others():
    means = panel(DEFAULT).groupby(level=0).filter(lambda own: len(own) >= 12).groupby(level=0).mean()
    assert means["calls"].corr(means["signed_contracts"]) > 0.7
    assert abs(means["visits"].corr(means["signed_contracts"])) < 0.45


def test_proposals_seem_to_come_before_the_wins_but_were_typed_in_after_them(tables: dict[str, pd.DataFrame]):
    rows = panel(DEFAULT)
    assert lagged_t(rows["signed_amount"], rows["proposals"]) > 5
    proposals = tables["activities"].query("kind == 'proposal'")
    signed = tables["contracts"].dropna(subset="opportunity_id").set_index("opportunity_id")["signed_at"]
    signed = proposals["opportunity_id"].map(signed)
    after = (proposals["occurred_at"] < signed) & (proposals["recorded_at"] > signed)
    assert 0.10 < after.mean() < 0.60
    others = tables["activities"].query("kind == 'demo'")
    late = (others["recorded_at"] - others["occurred_at"]) > pd.Timedelta(days=3)
    assert late.mean() < 0.25


def test_sharing_follows_results():
    rows = panel(DEFAULT)
    assert lagged_t(rows["sharing_sessions"], rows["signed_contracts"]) > 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "kpi, most", [("calls", 0.25), ("visits", 0.25), ("need_surveys", 0.25), ("proposals_recorded", 0.3)]
)
def test_what_has_no_effect_is_significant_by_chance_only(kpi: str, most: float):
    # 20 data sets at 5 %: more than 5 significant ones have a chance below .0004
    assert significant(kpi, seeds(20)) <= most


def test_without_effect_the_driver_is_noise():
    silent = seeds(6, driver_effect=0.0)
    # 6 data sets at 5 %: 3 or more significant ones have a chance below .003
    assert significant("demos", silent) <= 2 / 6
    truth = {truth.kpi: truth for truth in simulated(silent[0]).truth}
    assert truth["demos"].role == "noise" and truth["demos"].lag_months is None


def test_the_truth_names_every_kpi_once():
    truth = simulated().truth
    roles = {entry.kpi: entry.role for entry in truth}
    assert len(roles) == len(truth) == 7
    assert [entry.kpi for entry in truth if entry.effect] == ["demos"]
    assert roles["signed_contracts"] == "mechanical" and roles["proposals"] == "back_dated"
