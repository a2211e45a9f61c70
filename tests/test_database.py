"""Databases: only read, exact, without an address in any message; and the same panel from wherever the rows are."""

import sqlite3
import sys

import duckdb
import ibis
import pandas as pd
import pytest
from servers import load_tables, mariadb, postgres, run_sql, sql_engine  # noqa: F401 - fixtures

from kpi_research.crm.contract import hold_to_contract
from kpi_research.errors import InputError
from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import say
from kpi_research.panel import contributions
from kpi_research.sources.database import open_database, untested
from kpi_research.sources.mapping import DatabaseSource
from kpi_research.sources.read import raw_frames, read_source
from kpi_research.sources.simulated import Company, simulate
from kpi_research.sources.workspace import Workspace

NASTY = 'Kunden "α"; drop table x--'


def source(tables=None, **more) -> DatabaseSource:
    return DatabaseSource.model_validate({"kind": "database", "address": "TEST_DB", "tables": tables or {}, **more})


@pytest.fixture
def workspace(tmp_path):
    with Workspace(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def simulated() -> dict[str, pd.DataFrame]:
    return simulate(Company(people=8, teams=2, months=9)).tables


def same_names(frames: dict[str, pd.DataFrame]) -> dict:
    return {name: {"table": name, "columns": {c: c for c in frame.columns}} for name, frame in frames.items()}


def panel_parts(tables) -> list[pd.DataFrame]:
    parts = contributions(tables, tuple(catalogue().values()))
    return [*(duckdb.sql(parts.rows_of(part)).df() for part in parts.parts), parts.roster]


@pytest.fixture(scope="module")
def expected(simulated):
    with Workspace() as opened:
        contract = hold_to_contract(raw_frames(simulated, opened))
        return panel_parts(contract.tables), contract.row_counts.drop(columns="file")


@pytest.mark.parametrize(("server", "stage"), [("postgres", None), ("postgres", True), ("mariadb", None)])
def test_the_same_client_gives_the_same_panel(server, stage, request, simulated, expected, workspace, monkeypatch):
    address = request.getfixturevalue(server)
    load_tables(address, simulated)
    monkeypatch.setenv("TEST_DB", address)
    raw = read_source(source(same_names(simulated), stage=stage), workspace.folder, workspace)
    stays = server == "postgres" and stage is None
    assert {part.in_place for parts in raw.values() for part in parts} == {stays}
    contract = hold_to_contract(raw)
    parts, counts = expected
    for found, wanted in zip(panel_parts(contract.tables), parts, strict=True):
        pd.testing.assert_frame_equal(found, wanted)
    pd.testing.assert_frame_equal(contract.row_counts.drop(columns="file"), counts)


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
def test_nothing_can_be_written(server, request, workspace, monkeypatch):
    address = request.getfixturevalue(server)
    load_tables(address, {"t": pd.DataFrame({"a": ["1"]})})
    monkeypatch.setenv("TEST_DB", address)
    with open_database(source(), workspace) as database, pytest.raises(Exception, match=r"(?i)read.only"):
        if server == "postgres":
            database.engine.backend.raw_sql("insert into t values ('2')")
        else:
            database.engine.connection.exec_driver_sql("insert into t values ('2')")


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
def test_values_stay_what_they_are(server, request, workspace, monkeypatch):
    address = request.getfixturevalue(server)
    frame = pd.DataFrame(
        {"person_id": ["0012", "9007199254740993", "p"], "name": ["王芳😀", NASTY, "𠮷"], "big": [2**53 + 1, 2**62, -1]}
    )
    load_tables(address, {NASTY: frame, "people": frame})
    monkeypatch.setenv("TEST_DB", address)
    with open_database(source(stage=True), workspace) as database:
        assert NASTY in database.tables()
        rows = database.export(NASTY).rows.to_pandas()
        assert rows.astype(str).to_numpy().tolist() == frame.astype(str).to_numpy().tolist()
        with pytest.raises(InputError, match="Did you mean people"):
            database.export("peple")


def test_batches_report_progress(mariadb, workspace, monkeypatch):  # noqa: F811
    seen = []
    with big_table(mariadb, monkeypatch, workspace, lambda *given: seen.append(given)) as database:
        assert database.export("big").rows.count().execute() == 1 << 18
    assert seen == [("big", done, 1 << 18) for done in (50_000, 100_000, 150_000, 200_000, 250_000, 1 << 18)]


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_leaves_nothing_behind(mariadb, workspace, monkeypatch):  # noqa: F811
    def stop(*_):
        if not stopped:
            stopped.append(True)
            raise KeyboardInterrupt

    stopped: list[bool] = []
    before, killed = set(workspace.engine.list_tables()), kills(mariadb)
    with big_table(mariadb, monkeypatch, workspace, stop) as database:
        with pytest.raises(KeyboardInterrupt):
            database.export("big")
        assert set(workspace.engine.list_tables()) == before
        with sql_engine(mariadb).connect() as other:
            running = other.exec_driver_sql(
                "select info from information_schema.processlist where info like 'SELECT n%%'"
            )
            assert running.fetchall() == []
        assert kills(mariadb) == killed + 1, "the driver waited for the rows that nobody wanted"
        assert database.export("big").rows.n.max().execute() == (1 << 18) - 1


def kills(address: str) -> int:
    with sql_engine(address).connect() as connection:
        return int(connection.exec_driver_sql("show global status like 'Com_kill'").one()[1])


def big_table(address, monkeypatch, workspace, progress):
    """A table of 2 ** 18 rows, filled by the server."""
    doubled = "insert into big select n + {0} from big"
    run_sql(
        address,
        "create or replace table big (n int)",
        "insert into big values (0)",
        *(doubled.format(1 << bit) for bit in range(18)),
    )
    monkeypatch.setenv("TEST_DB", address)
    return open_database(source(), workspace, progress)


def test_dates_of_zeros_are_no_dates(mariadb, workspace, monkeypatch):  # noqa: F811
    values = "('0000-00-00', '0000-00-00'), ('2024-02-00', null), ('2024-03-01 08:00:00', '2024-03-01')"
    run_sql(
        mariadb, "set sql_mode=''", "create or replace table z (d datetime, y date)", f"insert into z values {values}"
    )
    monkeypatch.setenv("TEST_DB", mariadb)
    with open_database(source(), workspace) as database:
        export = database.export("z")
        rows = export.rows
        assert rows.filter(rows.d.isnull() & rows.y.isnull()).count().execute() == 2
        assert [(step.before, step.after, step.detail) for step in export.steps] == [(3, 3, "d: 2"), (3, 3, "y: 1")]
        for language in ("zh", "en"):
            assert say(f"step.{export.steps[0].name}", language)
        assert str(rows.d.max().execute()) == "2024-03-01 08:00:00"


def test_text_in_typed_columns_is_copied_or_refused(postgres, workspace, monkeypatch):  # noqa: F811
    people = pd.DataFrame({"person_id": ["1"], "name": ["王"], "hired_on": ["2024年3月1日"]})
    load_tables(postgres, {"people": people})
    monkeypatch.setenv("TEST_DB", postgres)
    tables = {"people": {"table": "people", "columns": {c: c for c in people.columns}}}
    raw = read_source(source(tables), workspace.folder, workspace)
    assert not raw["people"][0].in_place
    assert hold_to_contract(raw).frame("people")["hired_on"].tolist() == [pd.Timestamp("2024-03-01")]
    with pytest.raises(InputError, match=r"hired_on of people .* drop `stage: false`"):
        read_source(source(tables, stage=False), workspace.folder, workspace)


def test_rejected_rows_in_place_are_named_by_their_record(postgres, workspace, monkeypatch):  # noqa: F811
    opportunities = pd.DataFrame(
        {
            "opportunity_id": ["1", "2", "2", "3", "4"],
            "outcome": ["won", "won", "won", "gewonnen", "open"],
            "created_at": pd.to_datetime(["2024-01-01"] * 5),
            "closed_at": pd.to_datetime(["2024-02-01", "2024-02-01", "2024-02-01", "2024-02-01", None]),
            "amount": [1.0, 2.0, 2.0, 3.0, 4.0],
        }
    )
    load_tables(postgres, {"opportunities": opportunities})
    monkeypatch.setenv("TEST_DB", postgres)
    contract = hold_to_contract(
        read_source(source(same_names({"opportunities": opportunities})), workspace.folder, workspace)
    )
    assert sorted(contract.frame("opportunities")["opportunity_id"]) == ["1", "2", "4"]
    assert sorted(zip(contract.rejected["rule"], contract.rejected["record"], contract.rejected["value"])) == [
        ("duplicate_key", "2", "2"), ("not_a_choice", "3", "gewonnen"),
    ]  # fmt: skip
    assert contract.rejected["source_row"].isna().all()


def test_duckdb_and_sqlite_files(tmp_path, workspace, monkeypatch):
    ibis.duckdb.connect(tmp_path / "x.duckdb").create_table(
        "people", pd.DataFrame({"person_id": ["001"], "name": ["a"]})
    )
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute('create table "people" (person_id, name)')
        connection.execute("insert into people values ('001', 'a')")
        connection.execute("create table empty (a)")
    connection.close()
    for address, stays in ((f"duckdb://{tmp_path}/x.duckdb", True), (f"sqlite://{tmp_path}/x.db", False)):
        monkeypatch.setenv("TEST_DB", address)
        raw = read_source(
            source({"people": {"table": "people", "columns": {"person_id": "person_id", "name": "name"}}}),
            tmp_path,
            workspace,
        )
        assert raw["people"][0].in_place == stays
        assert hold_to_contract(raw).frame("people")["person_id"].tolist() == ["001"]
    with open_database(source(), workspace) as database:
        assert database.export("empty").rows.count().execute() == 0


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (None, "is not set"),
        ("just words", "no address of a database"),
        ("postgresql://u:s3cret@127.0.0.1:1/x", "cannot be reached"),
        ("mysql://u:s3cret@127.0.0.1:1/x", "cannot be reached"),
        ("sqlite:///nowhere/s3cret.db", "does not exist"),
        ("nosuch://u:s3cret@h/x", "cannot be opened"),
        ("postgresql://u:s3cret@[x/y", "cannot be opened"),
        ("host=h password=s3cret", "no address of a database"),
        ("://u:s3cret@h", "no address of a database"),
        ("mssql://u:s3cret@h/x", r'pip install "kpi-research\[mssql\]"'),
    ],
)
def test_what_goes_wrong_is_said_without_the_address(address, said, workspace, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymssql", None)
    if address is None:
        monkeypatch.delenv("TEST_DB", raising=False)
    else:
        monkeypatch.setenv("TEST_DB", address)
    with pytest.raises(InputError, match=said) as caught, open_database(source(), workspace):
        pass
    for language in ("zh", "en"):
        assert "TEST_DB" in caught.value.text(language) and "s3cret" not in caught.value.text(language)
    assert "s3cret" not in repr(caught.value.problems)
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize(
    ("address", "module", "extra"),
    [("postgresql://u@h/x", "psycopg", "postgres"), ("mysql://u@h/x", "pymysql", "mysql")],
)
def test_a_missing_driver_is_named_with_what_to_install(address, module, extra, workspace, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("TEST_DB", address)
    with pytest.raises(InputError) as caught, open_database(source(), workspace):
        pass
    assert module in str(caught.value) and f'pip install "kpi-research[{extra}]"' in str(caught.value)


def test_what_has_not_been_tested_says_so(monkeypatch):
    monkeypatch.setenv("TEST_DB", "mssql+pymssql://u:s3cret@h/x")
    said = untested(source())
    assert said is not None and "mssql" in said.text("en") and "s3cret" not in said.text("zh")
    monkeypatch.setenv("TEST_DB", "mysql://u@h/x")
    assert untested(source()) is None


def test_wrong_logins_are_told_apart(mariadb, workspace, monkeypatch):  # noqa: F811
    monkeypatch.setenv("TEST_DB", mariadb.replace("root@", "somebody:s3cret@"))
    with pytest.raises(InputError, match="refused the login"), open_database(source(), workspace):
        pass
    monkeypatch.setenv("TEST_DB", mariadb.removesuffix("crm") + "nowhere")
    with pytest.raises(InputError, match="does not exist"), open_database(source(), workspace):
        pass


def test_mysql_cannot_stay(mariadb, workspace, monkeypatch):  # noqa: F811
    monkeypatch.setenv("TEST_DB", mariadb)
    with pytest.raises(InputError, match="drop `stage: false`"), open_database(source(stage=False), workspace):
        pass
