"""Every KPI gives the same contributions wherever its rows are: in DuckDB, and in place in PostgreSQL."""

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest
from servers import postgres, run_sql, sql_engine  # noqa: F401 - a fixture

from kpi_research.crm.tables import TABLES
from kpi_research.kpis.catalogue import catalogue
from kpi_research.kpis.crm import Crm
from kpi_research.panel import _covered, _daily, _on_an_engine, last_day
from kpi_research.sources.database import open_database
from kpi_research.sources.mapping import DatabaseSource
from kpi_research.sources.simulated import Company, simulate
from kpi_research.sources.workspace import Workspace

KPIS = catalogue()
NATIVE = {"id": "varchar(80)", "text": "text", "choice": "varchar(40)", "date": "timestamp", "time": "timestamp",
          "money": "numeric(18, 2)", "number": "double precision", "share": "double precision", "flag": "boolean"}  # fmt: skip
SIMULATED = "simulated"


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    return simulate(Company(people=8, teams=2, months=9)).tables


@pytest.fixture(scope="module")
def in_duckdb(frames) -> dict[str, ibis.Table]:
    return _on_an_engine(frames)


@pytest.fixture(scope="module")
def in_postgres(frames, postgres):  # noqa: F811
    """The tables as a client's own PostgreSQL has them: each KPI's example as a schema, the simulated client as one."""
    write(postgres, SIMULATED, frames)
    for name, kpi in KPIS.items():
        write(postgres, name, {table: example_frame(table, rows) for table, rows in kpi.example.given.items()})
    with pytest.MonkeyPatch.context() as patch, Workspace() as workspace:
        patch.setenv("TEST_DB", postgres)
        source = DatabaseSource.model_validate({"kind": "database", "address": "TEST_DB", "tables": {}})
        with open_database(source, workspace) as database:
            assert database.in_place
            yield database


def write(address: str, schema: str, frames: dict[str, pd.DataFrame]) -> None:
    """Tables of PostgreSQL's own types in a schema of their own."""
    tables = [
        f'create table "{schema}"."{name}" ({", ".join(f"{c} {NATIVE[spec.kind]}" for c, spec in TABLES[name].columns.items())})'
        for name in frames
    ]
    run_sql(address, f'drop schema if exists "{schema}" cascade', f'create schema "{schema}"', *tables)
    engine = sql_engine(address)
    for name, frame in frames.items():
        frame.to_sql(name, engine, schema=schema, if_exists="append", index=False, chunksize=1000, method="multi")
    engine.dispose()


def example_frame(table: str, rows) -> pd.DataFrame:
    columns = TABLES[table].columns
    frame = pd.DataFrame(list(rows), columns=list(columns))
    times = [name for name, spec in columns.items() if spec.kind in ("date", "time")]
    return frame.assign(
        **{name: pd.to_datetime(frame[name], format="mixed").astype("datetime64[us]") for name in times}
    )


def in_place(database, schema: str, names) -> dict[str, ibis.Table]:
    return {name: database.export(f"{schema}.{name}").rows for name in names}


def daily(tables: dict[str, ibis.Table], kpi, until: dt.date) -> pd.DataFrame:
    crm = Crm({name: _covered(name, table, until) for name, table in tables.items()})
    found = _daily(crm, kpi, until).to_pyarrow().to_pandas()
    return found.sort_values(["person_id", "day"], ignore_index=True)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found.columns) == list(expected.columns)
    for column in ("kpi", "person_id", "n"):
        assert found[column].tolist() == expected[column].tolist()
    assert pd.to_datetime(found["day"]).tolist() == pd.to_datetime(expected["day"]).tolist()
    for column in ("numerator", "denominator"):
        np.testing.assert_array_equal(found[column].astype(float), expected[column].astype(float))


@pytest.mark.parametrize("name", KPIS)
def test_a_simulated_client_gives_the_same_contributions(name, frames, in_duckdb, in_postgres):
    until = last_day(in_duckdb)
    tables = in_place(in_postgres, SIMULATED, frames)
    assert last_day(tables) == until
    expected = daily(in_duckdb, KPIS[name], until)
    assert len(expected), "nothing to compare"
    assert_same(daily(tables, KPIS[name], until), expected)


@pytest.mark.parametrize("name", KPIS)
def test_the_example_worked_by_hand_comes_out_in_place(name, in_postgres):
    kpi = KPIS[name]
    tables = in_place(in_postgres, name, kpi.example.given)
    found = daily(tables, kpi, dt.date(2027, 6, 30))
    month = pd.to_datetime(found["day"]).dt.strftime("%Y-%m") == kpi.example.period
    mine = found[month & (found["person_id"] == kpi.example.person_id)]
    assert mine["numerator"].sum() == pytest.approx(kpi.example.numerator)
    if kpi.example.denominator is not None:
        assert mine["denominator"].sum() == pytest.approx(kpi.example.denominator)
