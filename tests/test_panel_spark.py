"""Every KPI gives the same contributions in Spark, where the rows are, as in DuckDB; needs Java and the extra `spark`."""

import shutil

import duckdb
import ibis
import pandas as pd
import pytest

from kpi_research.kpis.catalogue import catalogue
from kpi_research.panel import contributions, contributions_as_of, last_day, recorded_kpis
from kpi_research.panel.build import on_an_engine
from kpi_research.periods import Period
from kpi_research.sources.simulated import Company, simulate

pyspark = pytest.importorskip("pyspark")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark runs on Java"),
]
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",  # canonical times have no zone
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
MONTHS = [Period.parse(name) for name in ("2024-11", "2024-12")]
SEEN_LATE = ("visits", "calls", "second_contact_rate", "stalled_share")


@pytest.fixture(scope="module")
def in_duckdb():
    return on_an_engine(simulate(Company(people=6, teams=2, months=6)).tables)


@pytest.fixture(scope="module")
def in_spark(in_duckdb, tmp_path_factory):
    folder = tmp_path_factory.mktemp("spark")
    builder = pyspark.sql.SparkSession.builder.master("local[2]")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    engine = ibis.pyspark.connect(session)
    tables = {}
    for name, rows in in_duckdb.items():
        rows.to_parquet(folder / f"{name}.parquet")
        tables[name] = engine.read_parquet(folder / f"{name}.parquet", table_name=name)
    yield tables
    session.stop()


def assert_same(one, other):
    assert [part.kpis for part in one.parts] == [part.kpis for part in other.parts]
    for part in one.parts:
        here, there = (duckdb.sql(each.rows_of(part)).df() for each in (one, other))
        pd.testing.assert_frame_equal(here, there, check_dtype=False, obj=str(part.kpis))
    pd.testing.assert_frame_equal(one.roster, other.roster)


def test_all_kpis_of_a_simulated_client_are_the_same(in_duckdb, in_spark):
    until, kpis = last_day(in_duckdb), tuple(catalogue().values())
    assert last_day(in_spark) == until
    assert_same(*(contributions(tables, kpis, until=until) for tables in (in_duckdb, in_spark)))


def test_what_was_on_file_is_the_same(in_duckdb, in_spark):
    kpis = [catalogue()[name] for name in SEEN_LATE]
    assert recorded_kpis(in_spark, kpis) == recorded_kpis(in_duckdb, kpis) != frozenset()
    assert_same(*(contributions_as_of(tables, kpis, MONTHS) for tables in (in_duckdb, in_spark)))
