"""`init` on a database: the client that it writes is the one that the same records in files give, and runs as it is."""

import csv
import io
import json
import sqlite3
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from servers import load_tables, mariadb, postgres, run_sql  # noqa: F401 - fixtures

import kpi_research as kr
from kpi_research import cli
from kpi_research.crm.contract import hold_to_contract
from kpi_research.errors import InputError
from kpi_research.language import LANGUAGES
from kpi_research.run.checkup import checkup
from kpi_research.run.onboarding import onboard, print_onboarding, sentence
from kpi_research.run.onboarding_sources import InDatabase
from kpi_research.run.settings import read_client_file
from kpi_research.sources import database as databases
from kpi_research.sources.database import open_database
from kpi_research.sources.mapping import DatabaseSource, TableMapping
from kpi_research.sources.read import read_source
from kpi_research.sources.workspace import Workspace

pytestmark = pytest.mark.slow

EXPORTS = Path(__file__).with_name("exports")
RECORDED = sorted(path.parent for path in EXPORTS.glob("*/expected.json") if list(path.parent.glob("*.csv")))
WUKONG = EXPORTS / "wukong"
VARIABLE = "KPI_DATABASE_ACME"
HERE = InDatabase(VARIABLE)


def as_text(folder: Path) -> dict[str, pd.DataFrame]:
    """The recorded CSV files as tables of nothing but text, empty cells null."""
    return {path.stem: pd.read_csv(path, dtype="string") for path in sorted(folder.glob("*.csv"))}


def as_typed(folder: Path) -> dict[str, pd.DataFrame]:
    """The same in the types that a server has: numbers whole or not, times, and text where a zero leads."""
    frames = as_text(folder)
    for frame in frames.values():
        for name in frame.columns:
            if name.endswith(("_time", "_date")):
                frame[name] = pd.to_datetime(frame[name])
            elif name.endswith(("_id", "_status", "is_end", "pid")) or name in ("type", "status", "activity_type"):
                frame[name] = pd.to_numeric(frame[name]).astype("Int64")
            elif "money" in name or name in ("lng", "lat"):
                frame[name] = pd.to_numeric(frame[name]).astype("float64")
    return frames


def into_sqlite(path: Path, frames: dict[str, pd.DataFrame]) -> str:
    connection = sqlite3.connect(path)
    for name, frame in frames.items():
        frame.to_sql(name, connection, index=False)
    connection.close()
    return f"sqlite://{path}"


def into_duckdb(path: Path, frames: dict[str, pd.DataFrame]) -> str:
    with duckdb.connect(str(path)) as connection:
        for name, frame in frames.items():
            connection.register("given", frame)
            connection.execute(f'create table "{name}" as select * from given')
            connection.unregister("given")
    return f"duckdb://{path}"


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The recorded database of a CRM as a SQLite file, its address in the variable; a function that adds to it."""
    path = tmp_path / "crm.db"
    monkeypatch.setenv(VARIABLE, into_sqlite(path, as_text(WUKONG)))

    def more(*statements: str) -> None:
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return more


def copied(folder: Path, target: Path) -> Path:
    """The CSV files of a recorded export alone."""
    target.mkdir()
    for path in folder.glob("*.csv"):
        (target / path.name).write_bytes(path.read_bytes())
    return target


def canonical(path: Path, only: str | None = None) -> dict[str, list[tuple]]:
    """The canonical tables that a client file gives, whatever order their rows come in."""
    settings = read_client_file(path)
    tables = {name: parts for name, parts in settings.source.tables.items() if only in (None, name)}
    source = settings.source.model_copy(update={"tables": tables})
    with Workspace() as workspace:
        contract = hold_to_contract(read_source(source, path.parent, workspace), timezone=settings.timezone)
        frames = {name: contract.frame(name) for name in contract.tables}
    return {
        name: sorted((tuple(str(cell) for cell in row) for row in frame.itertuples(index=False)), key=str)
        for name, frame in frames.items()
    }


def monthly(path: Path) -> pd.DataFrame:
    return kr.open_client(path).panel(every="month", level="person")


@pytest.fixture(scope="module")
def from_files(tmp_path_factory) -> tuple[dict[str, list[tuple]], pd.DataFrame]:
    """Canonical tables and panel of the client file that the recorded CSV files give."""
    folder = tmp_path_factory.mktemp("files")
    onboard("acme", copied(WUKONG, folder / "exports"), params_folder=folder)
    return canonical(folder / "acme.yaml"), monthly(folder / "acme.yaml")


@pytest.mark.parametrize("kind", ["sqlite", "duckdb", "postgres", "mariadb"])
def test_a_database_gives_what_the_same_files_give(kind, request, tmp_path, from_files, monkeypatch):
    frames = as_typed(WUKONG)
    if kind in ("sqlite", "duckdb"):
        address = {"sqlite": into_sqlite, "duckdb": into_duckdb}[kind](tmp_path / "crm.file", frames)
    else:
        address = request.getfixturevalue(kind)
        load_tables(address, frames)
    monkeypatch.setenv(VARIABLE, address)
    found = onboard("acme", HERE, params_folder=tmp_path)
    path = tmp_path / "acme.yaml"
    text = path.read_text(encoding="utf-8")
    assert found.found.systems == ("wukong",) and not [doubt for doubt in found.doubts if doubt.essential]
    assert f"address: {VARIABLE}\n" in text and address not in text
    # columns are English, what stands in them is not
    assert (found.language, read_client_file(path).calendar) == ("zh", "CN")
    tables, panel = from_files
    assert canonical(path) == tables
    if kind == "postgres":
        # the panel is computed there; where rows are copied the same tables give the same panel
        pd.testing.assert_frame_equal(monthly(path), panel)


@pytest.mark.slow
def test_init_check_and_run_need_no_edit(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "acme", "--database", VARIABLE, "--language", "en"]) == 0
    said = capsys.readouterr().out
    assert (
        "Recognised: wukong." in said and f"The database ({VARIABLE}) has 12 tables and views, in: main (12)." in said
    )
    assert cli.main(["check", "params/acme.yaml", "--language", "en"]) == 0
    assert cli.main(["run", "params/acme.yaml", "--language", "en", "--jobs", "1"]) == 0
    assert (tmp_path / "reports" / "acme" / "2026Q1" / "index.html").is_file()
    heard = capsys.readouterr()
    assert "crm.db" not in said + heard.out + heard.err


@pytest.mark.parametrize("folder", RECORDED, ids=lambda path: path.name)
def test_every_recorded_system_is_recognised_in_a_database_too(folder, tmp_path, monkeypatch):
    files = onboard("files", copied(folder, tmp_path / "exports"), params_folder=tmp_path)
    monkeypatch.setenv(VARIABLE, into_sqlite(tmp_path / "crm.db", as_text(folder)))
    tables = onboard("tables", HERE, params_folder=tmp_path)

    def maps(found) -> list[tuple]:
        plain = [
            (each.table, each.look.stem, each.mapping.model_copy(update={"file": None, "table": None}))
            for each in found.written
        ]
        return sorted(((table, stem, mapping.model_dump_json()) for table, stem, mapping in plain), key=str)

    assert tables.found.systems == files.found.systems
    assert maps(tables) == maps(files)
    assert {doubt.topic for doubt in tables.doubts} == {doubt.topic for doubt in files.doubts}


def test_the_four_kinds_of_activities_are_taken_without_being_written_out(small, tmp_path):
    onboard("acme", HERE, params_folder=tmp_path)
    source = read_client_file(tmp_path / "acme.yaml").source
    written = source.model_copy(update={"tables": {"activities": source.tables["activities"]}})
    short = {"preset": "wukong", "tables": {"activities": [TableMapping(table="wk_crm_activity")]}}
    with Workspace() as workspace:
        one, other = (
            hold_to_contract(read_source(each, tmp_path, workspace)).frame("activities")
            for each in (written, source.model_copy(update=short))
        )
    assert len(written.tables["activities"]) == 4 and len(one) == 5
    pd.testing.assert_frame_equal(*(frame.sort_values("activity_id", ignore_index=True) for frame in (one, other)))


def test_a_preset_that_reshapes_is_not_worked_out_in_the_database(tmp_path, monkeypatch):
    """What a preset says is looked at as well as what the client file says."""
    monkeypatch.setenv(VARIABLE, into_duckdb(tmp_path / "crm.duckdb", as_typed(WUKONG)))
    tables = {"accounts": {"table": "wk_crm_customer"}}
    given = {"kind": "database", "address": VARIABLE, "preset": "wukong", "tables": tables}
    with Workspace() as workspace:
        assert not read_source(DatabaseSource.model_validate(given), tmp_path, workspace)["accounts"][0].in_place
    with Workspace() as workspace, pytest.raises(InputError, match="pick"):
        read_source(DatabaseSource.model_validate(given | {"stage": False}), tmp_path, workspace)


# --- what a database has besides ---


def test_copies_logs_and_tables_without_rows_are_named_and_not_taken(small, tmp_path):
    small(
        "create table customer_backup as select * from wk_crm_customer",
        "create table wk_crm_achievement (obj_id, type, year, status, january, december)",
        "create table settings (name, value)",
        "create view broken as select * from nowhere",
    )
    found = onboard("acme", HERE, params_folder=tmp_path)
    assert [each.look.name for each in found.written if each.table == "accounts"] == ["wk_crm_customer"]
    (beside,) = [doubt for doubt in found.doubts if doubt.topic == "beside"]
    assert (beside.table, beside.candidates) == ("accounts", ("customer_backup",))
    text = (tmp_path / "acme.yaml").read_text(encoding="utf-8")
    assert "# 没有数据、因此没有写入的表:wk_crm_achievement\n" in text
    assert "# 看过但未使用的表:customer_backup\n" in text
    states = {each["table"]: each["state"] for each in found.as_dict()["database"]["tables"]}
    assert {states[name] for name in ("wk_crm_business", "customer_backup")} == {"looked_at"}
    assert (states["wk_crm_achievement"], states["settings"]) == ("empty", "not_looked_at")
    assert all(sentence(doubt, language) for doubt in found.doubts for language in LANGUAGES)
    assert json.dumps(found.as_dict())


def test_what_is_not_looked_at_is_counted(small, tmp_path, monkeypatch):
    for module in ("kpi_research.sources.catalogue", "kpi_research.run.onboarding_sources"):
        monkeypatch.setattr(f"{module}.MOST_TABLES", 8)
    found = onboard("acme", HERE, params_folder=tmp_path)
    assert len(found.there.looks) == 8
    (note,) = found.as_dict()["notes"]
    assert "4 more tables may be of use" in note["text_en"]
    assert "还有 4 张表" in note["text_zh"] and "还有 4 张表" in (tmp_path / "acme.yaml").read_text(encoding="utf-8")


def test_a_table_of_the_same_name_in_another_schema_is_named_and_not_added(postgres, tmp_path, monkeypatch):  # noqa: F811
    load_tables(postgres, as_typed(WUKONG))
    run_sql(
        postgres,
        "drop schema if exists trial cascade",
        "create schema trial",
        "create table trial.wk_crm_business as select * from wk_crm_business",
    )
    monkeypatch.setenv(VARIABLE, postgres)
    found = onboard("acme", HERE, params_folder=tmp_path)
    run_sql(postgres, "drop schema trial cascade")
    (doubt,) = [doubt for doubt in found.doubts if doubt.topic == "elsewhere"]
    assert (doubt.export, doubt.candidates) == ("wk_crm_business", ("trial.wk_crm_business",))
    assert len([each for each in found.written if each.table == "opportunities"]) == 1
    assert "trial (1)" in str(found.there.place["schemas"]) and "public (" in str(found.there.place["schemas"])


def test_a_table_outside_the_first_schema_is_read_by_its_whole_name(postgres, tmp_path, monkeypatch):  # noqa: F811
    load_tables(postgres, {"wk_admin_user": as_text(WUKONG)["wk_admin_user"]})
    run_sql(
        postgres,
        "drop schema if exists hr cascade",
        "create schema hr",
        "create table hr.wk_admin_dept (dept_id text, name text, pid text)",
        "insert into hr.wk_admin_dept values ('101', 'East', '100'), ('102', 'South', '100')",
        "drop table if exists wk_admin_dept",
    )
    monkeypatch.setenv(VARIABLE, postgres)
    onboard("acme", HERE, params_folder=tmp_path)
    assert read_client_file(tmp_path / "acme.yaml").source.tables["teams"][0].table == "hr.wk_admin_dept"
    found = canonical(tmp_path / "acme.yaml", only="teams")
    run_sql(postgres, "drop schema hr cascade")
    assert [row[:2] for row in found["teams"]] == [("101", "East"), ("102", "South")]


def test_a_database_that_nobody_knows_is_read_by_its_words(tmp_path, monkeypatch, capsys):
    deals = "deal id,sales rep,stage,amount,created at,closed at\nD1,Ann,Won,100,2025-01-02,2025-02-01\nD2,Bob,Lost,5,2025-01-05,2025-02-11\n"
    frames = {"deals": pd.read_csv(io.StringIO(deals)), "rain": pd.DataFrame({"day": ["1"]})}
    monkeypatch.setenv(VARIABLE, into_sqlite(tmp_path / "crm.db", frames))
    found = onboard("acme", HERE, params_folder=tmp_path)
    assert set(read_client_file(tmp_path / "acme.yaml").source.tables) == {"opportunities", "contracts", "people"}
    print_onboarding(found, "zh")
    assert "共有 2 张表和视图" in capsys.readouterr().out


# --- how much is read ---


def test_a_sample_is_no_more_than_was_asked_for(mariadb, tmp_path, monkeypatch):  # noqa: F811
    doubled = "insert into big select n + {0}, repeat('x', 200) from big"
    run_sql(
        mariadb,
        "create or replace table big (n int, words text)",
        "insert into big values (0, 'x')",
        *(doubled.format(1 << bit) for bit in range(14)),
    )
    monkeypatch.setenv(VARIABLE, mariadb)
    seen = []
    source = DatabaseSource(kind="database", address=VARIABLE, tables={})
    with Workspace(tmp_path) as workspace, open_database(source, workspace, lambda *given: seen.append(given)) as given:
        assert given.columns()["big"] == ("n", "words")
        assert given.sample("big", 5_000).rows.count().execute() == 5_000
        assert seen == [("big", 2_000, None), ("big", 4_000, None), ("big", 5_000, None), ("big", 5_000, 5_000)]
        monkeypatch.setattr(databases, "SAMPLE_BYTES", 500_000)
        assert given.sample("big", 16_000).rows.count().execute() == 4_000
    run_sql(mariadb, "drop table big")


@pytest.mark.parametrize("kind", ["sqlite", "duckdb", "postgres"])
def test_every_engine_lists_columns_and_stops_where_it_is_told(kind, request, tmp_path, monkeypatch):
    frame = pd.DataFrame({"n": range(100), 'we"ird': ["x"] * 100})
    if kind == "postgres":
        address = request.getfixturevalue("postgres")
        load_tables(address, {"hundred": frame})
    else:
        address = {"sqlite": into_sqlite, "duckdb": into_duckdb}[kind](tmp_path / "x.file", {"hundred": frame})
    monkeypatch.setenv(VARIABLE, address)
    source = DatabaseSource(kind="database", address=VARIABLE, tables={})
    with Workspace(tmp_path) as workspace, open_database(source, workspace) as given:
        assert given.columns()["hundred"] == ("n", 'we"ird')
        assert given.sample("hundred", 7).rows.count().execute() == 7
        assert given.export("hundred").rows.count().execute() == 100


def test_init_and_check_say_how_far_they_are(tmp_path, monkeypatch):
    frames = {name: frame for name, frame in as_text(WUKONG).items() if name in ("wk_admin_user", "wk_crm_activity")}
    monkeypatch.setenv(VARIABLE, into_sqlite(tmp_path / "crm.db", frames))
    seen: list[tuple] = []
    onboard("acme", HERE, params_folder=tmp_path, progress=lambda *given: seen.append(given))
    assert ("wk_crm_activity", 7, 7) in seen
    seen.clear()
    checkup(tmp_path / "acme.yaml", lambda *given: seen.append(given))
    assert ("wk_crm_activity", 7, 7) in seen
    assert [name for name, _, _ in seen].count("wk_crm_activity") == 1, "copied once for all that is taken out of it"


# --- what goes wrong ---


def refused(database: str, tmp_path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        onboard("acme", InDatabase(database), params_folder=tmp_path / "params")
    assert not (tmp_path / "params").exists()
    assert all("s3cret" not in caught.value.text(language) for language in LANGUAGES)
    return caught.value


def test_a_variable_that_is_not_set_is_answered_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.setenv("KPI_DATABASE_ACME", "postgresql://u:s3cret@h/x")
    monkeypatch.setenv("SOME_PROXY", "http://u:s3cret@h/x")
    error = refused("KPI_DATABASE_ACNE", tmp_path)
    assert "KPI_DATABASE_ACNE is not set" in str(error) and "Did you mean KPI_DATABASE_ACME" in str(error)
    assert "SOME_PROXY" not in str(error)


@pytest.mark.parametrize("given", ["postgresql://u:s3cret@h/x", "s3cret word", "", "1A"])
def test_an_address_in_the_place_of_a_variable_is_not_repeated(given, tmp_path):
    assert "name of an environment variable" in str(refused(given, tmp_path))


@pytest.mark.parametrize("given", ["postgresql://u:s3cret@h/x", "mysql+pymysql://u:s3cret@h/x"])
def test_an_address_in_the_place_of_a_folder_is_not_repeated(given, tmp_path, capsys):
    assert (
        cli.main(["init", "acme", "--source", given, "--params", str(tmp_path), "--language", "en"]) == cli.WRONG_INPUT
    )
    heard = capsys.readouterr()
    assert "--database ACME_CRM" in heard.err and "s3cret" not in heard.out + heard.err


def test_a_server_that_cannot_be_reached_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "postgresql://u:s3cret@127.0.0.1:1/x")
    assert "cannot be reached" in str(refused(VARIABLE, tmp_path))


def test_a_database_without_tables_and_one_without_rows_are_said(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, into_sqlite(tmp_path / "none.db", {}))
    assert "sees no table" in str(refused(VARIABLE, tmp_path))
    empty = {name: frame.head(0) for name, frame in as_text(WUKONG).items()}
    monkeypatch.setenv(VARIABLE, into_sqlite(tmp_path / "empty.db", empty))
    error = refused(VARIABLE, tmp_path)
    assert "has a row" in str(error) and "wk_crm_business" in str(error) and VARIABLE in str(error)


def test_tables_that_may_not_be_read_are_said(small, tmp_path, monkeypatch):
    def refuse(self, name, rows, most=None):
        if name in barred:
            raise PermissionError("s3cret")
        yield from read(self, name, rows, most)

    from kpi_research.sources.engines.sqlite import SQLiteEngine

    read, barred = SQLiteEngine.batches, {"wk_crm_business"}
    monkeypatch.setattr(SQLiteEngine, "batches", refuse)
    found = onboard("acme", HERE, params_folder=tmp_path)
    (told,) = found.as_dict()["not_read"]
    assert "wk_crm_business" in told["text_zh"] and "s3cret" not in told["text_en"]
    barred |= set(as_text(WUKONG))
    assert "did not hand over" in str(refused(VARIABLE, tmp_path))


def test_a_file_or_a_database_never_both(tmp_path, capsys):
    for given in ([], ["--source", "x", "--database", "Y"]):
        with pytest.raises(SystemExit):
            cli.main(["init", "acme", *given])
        assert "--database" in capsys.readouterr().err


def test_recorded_tables_have_the_rows_of_their_files():
    """The two ways of reading that the tests compare begin with the same records."""
    for path in WUKONG.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            assert len(as_text(WUKONG)[path.stem]) == len(list(csv.reader(file))) - 1
