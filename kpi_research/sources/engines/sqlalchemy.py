"""MySQL, MariaDB and SQL Server through SQLAlchemy: rows are fetched from the server in batches and copied.

MySQL and MariaDB are tested; SQL Server is written the same way and **has not been tested** against a server.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, ClassVar

import ibis.expr.types as ir
import pyarrow as pa

from kpi_research.sources.engines.generic import by_table
from kpi_research.sources.engines.words import text_of

DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mysql+pymysql", "mssql": "mssql+pymssql"}
CONNECT: dict[str, dict[str, Any]] = {
    "mysql": {"connect_timeout": 10},
    "mssql": {"login_timeout": 10, "read_only": True},
}
"""What SQL Server is told is what a session is meant for; there the account must be one that may only read."""
SESSION: dict[str, tuple[str, ...]] = {
    # a TIMESTAMP is a moment, shown in the session's zone
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION time_zone = '+00:00'"),
    "mssql": (),
}
HIDDEN = frozenset({"information_schema", "mysql", "performance_schema", "sys", "guest"})
Cells = tuple[pa.DataType, Callable[[Any], Any]]


class SQLAlchemyEngine:
    """A server that SQLAlchemy has a dialect for."""

    in_place: ClassVar[bool] = False

    def __init__(self, address: str) -> None:
        import sqlalchemy as sa

        kind, rest = address.split("://", 1)
        url = sa.make_url(f"{DRIVERS[kind.split('+')[0].lower()]}://{rest}")
        server = url.get_backend_name()
        if server == "mysql" and "charset" not in url.query:
            url = url.update_query_dict({"charset": "utf8mb4"})
        self.emptied: Counter[str] = Counter()
        self.engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=CONNECT[server])
        sa.event.listen(self.engine, "connect", _begins_with(SESSION[server]))
        self.connection = self.engine.connect()
        self.home = sa.inspect(self.engine).default_schema_name or ""
        self.names = self._names()

    def _names(self) -> dict[str, tuple[str | None, str]]:
        """Shown name -> schema, or none if it is the first, and table."""
        import sqlalchemy as sa

        found = sa.inspect(self.engine)
        others = [name for name in found.get_schema_names() if name.lower() not in HIDDEN and name != self.home]
        names: dict[str, tuple[str | None, str]] = {}
        for schema in [None, *others] if self.home else others:
            for table in sorted({*found.get_table_names(schema), *found.get_view_names(schema)}):
                names[f"{schema}.{table}" if schema else table] = (schema, table)
        return names

    def tables(self) -> tuple[str, ...]:
        """Names of tables and views; those of other databases as `database.table`."""
        return tuple(self.names)

    def bare(self, name: str) -> str:
        """A table's name without its schema."""
        return self.names[name][1]

    def columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of every table and view, in one question instead of one a table."""
        import sqlalchemy as sa

        fields: list[Any] = [sa.column(name) for name in ("TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME")]
        place = sa.table("COLUMNS", *fields, schema="INFORMATION_SCHEMA")
        query = sa.select(*fields).select_from(place).order_by(*fields[:2], sa.column("ORDINAL_POSITION"))
        with self.connection.begin():
            rows = [(schema, table, column) for schema, table, column in self.connection.execute(query)]
        return by_table(rows, {shown: (schema or self.home, table) for shown, (schema, table) in self.names.items()})

    def table(self, name: str) -> ir.Table:
        """Never asked for: its rows are copied."""
        raise NotImplementedError(name)

    def count(self, name: str) -> int | None:
        """Its rows."""
        import sqlalchemy as sa

        schema, table = self.names[name]
        query = sa.select(sa.func.count()).select_from(sa.table(table, schema=schema))
        with self.connection.begin():
            return self.connection.execute(query).scalar()

    def batches(self, name: str, rows: int, most: int | None = None) -> Generator[pa.Table]:
        """Its rows, some at a time.

        Whole numbers and times stay what they are, moments are text with their offset, everything else is text.
        """
        import sqlalchemy as sa

        self.emptied.clear()
        schema, table = self.names[name]
        kinds = self._kinds(schema, table)
        # columns without types: the driver's own values, which SQLAlchemy would round or unpack
        query: Any = sa.select(*map(sa.column, kinds)).select_from(sa.table(table, schema=schema))
        query = query if most is None else query.limit(most)
        with self.connection.begin():
            result = self.connection.execute(query, execution_options={"yield_per": rows})
            try:
                empty = True
                for found in result.partitions():
                    empty = False
                    yield self._batch(kinds, list(zip(*found, strict=True)))
                if empty:
                    yield self._batch(kinds, [()] * len(kinds))
            except BaseException:
                self._stop(result)
                raise

    def _kinds(self, schema: str | None, table: str) -> dict[str, Cells]:
        """What becomes of each column."""
        import sqlalchemy as sa

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sa.exc.SAWarning)  # types that it does not know are text like many others
            columns = sa.inspect(self.engine).get_columns(table, schema)
        return {column["name"]: _cells_of(column["type"]) for column in columns}

    def _batch(self, kinds: dict[str, Cells], columns: list[tuple[Any, ...]]) -> pa.Table:
        arrays = []
        for (name, (type_, read)), column in zip(kinds.items(), columns, strict=True):
            cells = [read(value) for value in column]
            arrays.append(pa.array(cells, type_))
            if read in (_time, _moment) and (lost := cells.count(None) - column.count(None)):
                self.emptied[name] += lost
        return pa.table(arrays, names=list(kinds))

    def _stop(self, result: Any) -> None:
        """Have the server stop sending: otherwise the driver waits for a table's last row before it lets go."""
        if self.engine.dialect.name != "mysql":
            return
        number = int(self.connection.connection.dbapi_connection.thread_id())  # type: ignore[union-attr]
        with suppress(Exception), self.engine.connect() as other:
            other.exec_driver_sql(f"KILL QUERY {number}")
        with suppress(Exception):
            result.cursor.close()

    def close(self) -> None:
        """Let go of the connection."""
        self.connection.close()
        self.engine.dispose()


def _begins_with(statements: tuple[str, ...]) -> Callable[[Any, Any], None]:
    def begin(connection: Any, _: Any) -> None:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    return begin


def _cells_of(type_: Any) -> Cells:
    """The Arrow type of a column, and how a driver's value becomes one."""
    import sqlalchemy as sa

    if isinstance(type_, sa.Boolean):
        return pa.bool_(), _same
    if isinstance(type_, sa.Integer) and not getattr(type_, "unsigned", False):
        return pa.int64(), _same
    if isinstance(type_, sa.Float):
        return pa.float64(), _same
    if isinstance(type_, sa.TIMESTAMP) or type_.__visit_name__ == "DATETIMEOFFSET":
        return pa.string(), _moment
    if isinstance(type_, sa.DateTime | sa.Date):
        return pa.timestamp("us") if isinstance(type_, sa.DateTime) else pa.date32(), _time
    return pa.string(), _bits if type_.__visit_name__ == "BIT" else text_of


def _same(value: Any) -> Any:
    return value


def _time(value: Any) -> Any:
    """A driver hands a date that is none (0000-00-00, 2024-02-00) over as text."""
    return None if isinstance(value, str) else value


def _moment(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return None
    return value.isoformat(sep=" ") + ("" if value.tzinfo else "+00:00")


def _bits(value: bytes | None) -> str | None:
    return None if value is None else str(int.from_bytes(value, "big"))


ENGINE = SQLAlchemyEngine
