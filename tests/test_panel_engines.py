"""Every KPI gives the same contributions wherever its rows are: in DuckDB, and in place in PostgreSQL."""

import duckdb
import ibis
import pandas as pd
import pytest
from examples import ALL_OLD_ENOUGH, assert_as_worked, example_frame
from servers import postgres, run_sql, sql_engine  # noqa: F401 - a fixture

from kpi_research.crm.tables import TABLES
from kpi_research.kpis.catalogue import catalogue
from kpi_research.panel import contributions, last_day
from kpi_research.panel.build import on_an_engine
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
    return on_an_engine(frames)


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


def _columns(name: str) -> str:
    return ", ".join(f'"{c}" {NATIVE[spec.kind]}' for c, spec in TABLES[name].columns.items())


def write(address: str, schema: str, frames: dict[str, pd.DataFrame]) -> None:
    """Tables of PostgreSQL's own types in a schema of their own."""
    tables = [f'create table "{schema}"."{name}" ({_columns(name)})' for name in frames]
    run_sql(address, f'drop schema if exists "{schema}" cascade', f'create schema "{schema}"', *tables)
    engine = sql_engine(address)
    for name, frame in frames.items():
        frame.to_sql(name, engine, schema=schema, if_exists="append", index=False, chunksize=1000, method="multi")
    engine.dispose()


def in_place(database, schema: str, names) -> dict[str, ibis.Table]:
    return {name: database.export(f"{schema}.{name}").rows for name in names}


@pytest.fixture(scope="module")
def both(frames, in_duckdb, in_postgres):
    """The same contributions from both engines, all KPIs at once."""
    until = last_day(in_duckdb)
    tables = in_place(in_postgres, SIMULATED, frames)
    assert last_day(tables) == until
    return [contributions(each, tuple(KPIS.values()), until=until) for each in (in_duckdb, tables)]


def test_a_simulated_client_gives_the_same_contributions(both):
    here, there = both
    assert [part.kpis for part in here.parts] == [part.kpis for part in there.parts]
    for part in here.parts:
        one, two = (duckdb.sql(each.rows_of(part)).df() for each in both)
        pd.testing.assert_frame_equal(one, two, check_dtype=False, obj=str(part.kpis))


@pytest.mark.parametrize("name", KPIS)
def test_the_example_worked_by_hand_comes_out_in_place(name, in_postgres):
    kpi = KPIS[name]
    parts = contributions(in_place(in_postgres, name, kpi.example.given), [kpi], until=ALL_OLD_ENOUGH)
    assert_as_worked(parts, kpi)
