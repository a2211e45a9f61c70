"""Whatever types and names a database has, every table can be read, and what stands in it stays what it is."""

import sqlite3

import duckdb
import pytest
from servers import mariadb, postgres, run_sql  # noqa: F401 - fixtures

from kpi_research.errors import InputError
from kpi_research.sources.database import distinct, open_database
from kpi_research.sources.mapping import DatabaseSource
from kpi_research.sources.workspace import Workspace

STAGES = pytest.mark.parametrize("stage", [None, True], ids=["in place", "copied"])


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Open an address."""
    with Workspace(tmp_path / "work") as workspace:

        def open_it(address: str, stage: bool | None = None):
            monkeypatch.setenv("TEST_DB", address)
            given = {"kind": "database", "address": "TEST_DB", "tables": {}, "stage": stage}
            return workspace.enter(open_database(DatabaseSource.model_validate(given), workspace))

        yield open_it


def first(database, table: str) -> dict:
    rows = database.export(table).rows
    # what cannot be fetched as it is: moments, whose zone would have to be loaded, and figures of any number of digits
    texts = [name for name, type_ in rows.schema().items() if type_.is_decimal() or getattr(type_, "timezone", None)]
    return rows.mutate(**{name: rows[name].cast("string") for name in texts}).to_pyarrow().to_pylist()[0]


@STAGES
def test_types_of_postgresql(stage, postgres, opened):  # noqa: F811
    run_sql(
        postgres,
        "drop schema if exists kinds cascade",
        "create schema kinds",
        "create type kinds.stage as enum ('新建', 'won')",
        """create table kinds.t (id uuid, e kinds.stage, es kinds.stage[], j jsonb, bytes bytea, iv interval, m money,
            tz timestamptz, never timestamp, day date, clock time, n numeric, big bigint, flag boolean, code varchar(4))""",
        """insert into kinds.t values ('3ee0924c-8c38-4aec-a495-b5415b4d078c', '新建', '{won}', '{"a": "王"}', '\\xff00',
            '2 hours', 1234.5, '2024-03-01 08:00+08', 'infinity', '-infinity', '08:00',
            1234567890123456789.0123456789, 9007199254740993, true, '0012')""",
    )
    found = first(opened(postgres, stage), "kinds.t")
    assert found.pop("tz").startswith("2024-03-01 00:00:00+00")
    assert found == {
        "id": "3ee0924c-8c38-4aec-a495-b5415b4d078c", "e": "新建", "es": "{won}", "j": '{"a": "王"}',
        "bytes": "\\377\\000", "iv": "02:00:00", "m": "$1,234.50", "never": None, "day": None, "clock": "08:00:00",
        "n": "1234567890123456789.0123456789", "big": 9007199254740993, "flag": True, "code": "0012",
    }  # fmt: skip


@STAGES
def test_functions_of_text_take_an_enumeration(stage, postgres, opened):  # noqa: F811
    run_sql(
        postgres, "drop table if exists e", "drop type if exists s", "create type s as enum ('won')",
        "create table e (a s)", "insert into e values ('won')",
    )  # fmt: skip
    rows = opened(postgres, stage).export("e").rows
    assert rows.select(a=rows.a.strip().upper()).to_pyarrow().to_pylist() == [{"a": "WON"}]


def test_types_of_mariadb(mariadb, opened):  # noqa: F811
    run_sql(
        mariadb,
        "set time_zone = '+08:00'",
        """create or replace table kinds (id bigint unsigned, yes tinyint(1), b bit(1), b9 bit(9), exact decimal(30, 10),
            d double, at datetime(6), moment timestamp null, day date, clock time, y year, e enum('x', '王'),
            s set('a', 'b'), j json, bn binary(4), tx longtext, code varchar(10), big bigint)""",
        """insert into kinds values (18446744073709551615, 1, b'1', b'100000001', 12345678901234567890.0123456789,
            0.1, '2024-03-01 08:00:00.123456', '2024-03-01 08:00:00', '2024-03-01', '33:05:06', 2024, '王', 'a,b',
            '{"a": "王"}', unhex('ff00ff00'), '𠮷😀', '0012', 9007199254740993)""",
    )
    found = first(opened(mariadb), "kinds")
    assert (str(found.pop("at")), str(found.pop("day"))) == ("2024-03-01 08:00:00.123456", "2024-03-01")
    assert found == {
        "id": "18446744073709551615", "yes": 1, "b": "1", "b9": "257", "exact": "12345678901234567890.0123456789",
        "d": 0.1, "moment": "2024-03-01 00:00:00+00:00", "clock": "33:05:06", "y": "2024", "e": "王", "s": "a,b",
        "j": '{"a": "王"}', "bn": "ff00ff00", "tx": "𠮷😀", "code": "0012", "big": 9007199254740993,
    }  # fmt: skip


@STAGES
def test_names_of_postgresql(stage, postgres, opened):  # noqa: F811
    run_sql(
        postgres,
        'drop schema if exists "odd.Schema" cascade',
        'create schema "odd.Schema"',
        """create table "odd.Schema"."我的 ""T"";--" ("Name" text, name text, source_row text, "a:b(c)" text, "é'" text)""",
        """insert into "odd.Schema"."我的 ""T"";--" values ('1', '2', '3', '4', '5')""",
        'create materialized view "odd.Schema".seen as select 1 as one',
        "create table if not exists here (a text)",
        "create table if not exists months (a int, d date) partition by range (d)",
        "create table if not exists month_1 partition of months for values from ('2024-01-01') to ('2024-02-01')",
    )
    database = opened(postgres, stage)
    name = 'odd.Schema.我的 "T";--'
    assert {name, "odd.Schema.seen", "here", "months"} <= set(database.tables())
    assert "month_1" not in database.tables() and not any("pg_" in one for one in database.tables())
    assert first(database, name) == {"Name": "1", "name_2": "2", "source_row_2": "3", "a:b(c)": "4", "é'": "5"}
    assert database.export(name).headers == ("Name", "name_2", "source_row_2", "a:b(c)", "é'")
    assert database.export("here").rows.count().to_pyarrow().as_py() == 0
    assert database.export("public.here").headers == ("a",)


def test_names_of_mariadb(mariadb, opened):  # noqa: F811
    run_sql(
        mariadb,
        "create database if not exists `other db`",
        'create or replace table `other db`.`表 "1"; drop`` x` (`a%%b:c(d)` int, `N"m\'` text)',
        "insert into `other db`.`表 \"1\"; drop`` x` values (1, 'x')",
        "create or replace table gone (a int)",
        "create or replace view broken as select * from gone",
        "drop table gone",
    )
    database = opened(mariadb)
    assert first(database, 'other db.表 "1"; drop` x') == {"a%b:c(d)": 1, "N\"m'": "x"}
    with pytest.raises(InputError, match=r"did not hand over the rows of broken \(") as caught:
        database.export("broken")
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_a_table_that_may_not_be_read_is_not_offered(postgres, opened):  # noqa: F811
    run_sql(
        postgres, "drop table if exists secret, shown", "create table secret (a int)", "create table shown (a int)",
        "do $$ begin create role reader login; exception when duplicate_object then null; end $$",
        "grant select on shown to reader",
    )  # fmt: skip
    database = opened(postgres.replace("postgres:@", "reader:@"))
    assert "shown" in database.tables() and "secret" not in database.tables()
    with pytest.raises(InputError, match="no table or view 'secret'"):
        database.export("secret")


@STAGES
def test_a_duckdb_file_is_only_read(stage, tmp_path, opened):
    path = tmp_path / "x.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            'create schema s; create table s."T 1" (a decimal(30, 12), h hugeint); create view v as select 1 as a'
        )
        connection.execute('insert into s."T 1" values (1.000000000001, 170141183460469231731687303715884105727)')
    before = path.read_bytes()
    database = opened(f"duckdb://{path}", stage)
    assert database.tables() == ("v", "s.T 1")
    found = first(database, "s.T 1")
    assert found == {"a": "1.000000000001", "h": "170141183460469231731687303715884105727"}
    with pytest.raises(Exception, match=r"(?i)read-only"):
        database.engine.backend.raw_sql("create table t (a int)")
    assert path.read_bytes() == before and {one.name for one in tmp_path.iterdir()} == {"work", "x.duckdb"}


def test_a_sqlite_file_is_only_read_and_its_cells_are_text(tmp_path, opened):
    path = tmp_path / "客户 #1?.db"
    connection = sqlite3.connect(path)
    connection.execute('create table "T ""1""" (a, b integer, c text)')
    rows = [("0012", 2**62, b"\xff\x00"), (None, "words", "王"), (1.5, None, b"text")]
    connection.executemany('insert into "T ""1""" values (?, ?, ?)', rows)
    connection.commit()
    connection.close()
    database = opened(f"sqlite://{path}")
    assert database.export('T "1"').rows.to_pyarrow().to_pylist() == [
        {"a": "0012", "b": str(2**62), "c": "ff00"}, {"a": None, "b": "words", "c": "王"},
        {"a": "1.5", "b": None, "c": "text"},
    ]  # fmt: skip
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database.engine.connection.execute("create table t (a)")


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path, opened):
    for kind in ("sqlite", "duckdb"):
        path = tmp_path / f"words.{kind}"
        path.write_text("these are words and no database at all " * 100)
        with pytest.raises(InputError, match="cannot be opened"):
            opened(f"{kind}://{path}")


def test_columns_that_differ_in_capitals_get_numbers():
    assert distinct(["Name", "name", "NAME", "name_2", "source_row"]) == (
        "Name",
        "name_2",
        "NAME_3",
        "name_2_2",
        "source_row_2",
    )
