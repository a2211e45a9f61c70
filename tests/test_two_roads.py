"""Two roads to every KPI: the panel machine, and what it means worked out row by row in plain Python."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from random_crm import UNTIL, random_crm

from kpi_research.crm.roster import UNASSIGNED
from kpi_research.kpis.catalogue import catalogue
from kpi_research.panel import LEVELS, contributions, contributions_as_of, panel, recorded_kpis
from kpi_research.panel.as_of import on_file_until
from kpi_research.panel.build import on_an_engine
from kpi_research.periods import ONE_DAY, Period, as_intervals, periods_between

LAST_DAY = (UNTIL - pd.Timedelta(days=1)).date()
NAIVE = {
    name: road
    for path in sorted((Path(__file__).parent / "naive").glob("*.py"))
    for name, road in importlib.import_module(f"naive.{path.stem}").NAIVE.items()
}
SEEDS = (1, pytest.param(5, marks=pytest.mark.slow))
"""Two at which every KPI has something to compare."""
MONTHS, QUARTERS = (periods_between(Period.parse("2025-07").start, LAST_DAY, grain) for grain in ("month", "quarter"))
AS_OF = MONTHS[-2:]
"""Two are enough to see a row recorded a month later; plain Python is slow."""
COUNTED_OTHERWISE = {"repeat_buyers_growth"}
"""The machine's n are customers who come or go; those of one evening are one change on the other road."""


@pytest.fixture(scope="module", params=SEEDS)
def given(request):
    tables = random_crm(request.param)
    kpis = list(catalogue().values())
    full = contributions(tables, kpis, until=LAST_DAY)
    then = contributions_as_of(tables, kpis, AS_OF, until=LAST_DAY)
    return tables, full, then, recorded_kpis(on_an_engine(tables), kpis)


@pytest.fixture(scope="module")
def panels(given):
    _, full, then, _ = given
    made = {
        (level, grain): panel(full, as_intervals(periods), level)
        for level in LEVELS for grain, periods in (("month", MONTHS), ("quarter", QUARTERS))
    } | {(level, "as of"): panel(then, as_intervals(AS_OF), level) for level in LEVELS}  # fmt: skip
    return {key: rows.set_index(["kpi", "entity_id", "period"]) for key, rows in made.items()}


def entities(rows: pd.DataFrame, level: str, roster: pd.DataFrame) -> pd.Series:
    if level == "company":
        return pd.Series("company", index=rows.index)
    if level == "person":
        return rows["who"]
    teams = rows[["who", "day"]].merge(roster, how="left", left_on=["who", "day"], right_on=["person_id", "day"])[
        "team_id"
    ]
    return pd.Series(teams.fillna(UNASSIGNED).to_numpy(), index=rows.index)


def in_period(rows: pd.DataFrame, period: Period, aggregation: str) -> pd.DataFrame:
    """The rows that a period reads, each with the day on which its team is looked up."""
    start, end = pd.Timestamp(period.start), pd.Timestamp(period.end)
    if aggregation == "at_end":
        since, until = (pd.to_datetime(rows[name]).dt.normalize() for name in ("since", "until"))
        return rows[(since < end) & (until.isna() | (until >= end))].assign(day=end - pd.Timedelta(days=1))
    day = pd.to_datetime(rows["when"]).dt.normalize()
    return rows.assign(day=day)[(day >= start) & (day < end)]


def expected(rows: pd.DataFrame, kpi, level: str, roster: pd.DataFrame) -> pd.DataFrame:
    keys = entities(rows, level, roster)
    if kpi.aggregation in ("median", "distinct"):
        how = "median" if kpi.aggregation == "median" else "nunique"
        sums = rows.groupby(keys)["value"].agg([how, "size"])
        return sums.set_axis(["numerator", "n"], axis=1).assign(denominator=np.nan)
    is_case = rows["denominator"].isna() | (rows["denominator"] != 0)
    return rows.assign(n=is_case * 1.0).groupby(keys)[["numerator", "denominator", "n"]].sum(min_count=1)


def on_file(tables: dict[str, pd.DataFrame], period: Period, wait: int) -> dict[str, pd.DataFrame]:
    then = pd.Timestamp(on_file_until(period.end + wait * ONE_DAY, "CN") + ONE_DAY)
    timed = {name: tables[name][tables[name]["recorded_at"] < then] for name in ("activities", "stage_changes")}
    return {**tables, **timed}


@pytest.mark.parametrize("name", catalogue())
def test_both_roads_lead_to_the_same_number(name, given, panels):
    tables, full, _, recorded = given
    kpi = catalogue()[name]
    compared = 0
    whole = NAIVE[name](tables, UNTIL)
    for grain, periods in (
        ("month", MONTHS),
        ("quarter", QUARTERS),
        ("as of", AS_OF if name in recorded else []),
    ):
        for period in periods:
            rows = NAIVE[name](on_file(tables, period, kpi.matures_after_days), UNTIL) if grain == "as of" else whole
            rows = in_period(rows, period, kpi.aggregation)
            for level in kpi.levels:
                found = panels[level, grain].xs((name, period.name), level=("kpi", "period"))
                wanted = expected(rows, kpi, level, full.roster)
                for entity, row in wanted.iterrows():
                    here = entity, period.name, grain
                    if entity not in found.index:
                        assert kpi.aggregation == "at_end", (*here, "only what is held may be without anybody at work")
                        continue
                    cell = found.loc[entity]
                    assert cell["numerator"] == pytest.approx(row["numerator"], abs=1e-5), here
                    if kpi.denominator is not None:
                        assert cell["denominator"] == pytest.approx(row["denominator"], abs=1e-5), here
                    assert cell["n"] == row["n"] or name in COUNTED_OTHERWISE, here
                    compared += 1
                others = found[~found.index.isin(wanted.index)]
                assert not others["n"].any() or name in COUNTED_OTHERWISE, (
                    period.name,
                    level,
                    grain,
                    "nothing there on the other road",
                )
    assert compared, "nothing to compare"


def test_every_kpi_has_its_second_road():
    assert set(NAIVE) == set(catalogue())
