"""PostgreSQL: every transaction is read-only, and the work is done there."""

from __future__ import annotations

from typing import Any, ClassVar

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir

from kpi_research.sources.engines.generic import IbisEngine, by_table, is_time

READABLE = """
select n.nspname, c.relname, n.nspname = current_schema()
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and c.relnatts > 0
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and has_schema_privilege(n.oid, 'usage') and has_any_column_privilege(c.oid, 'select')
order by 3 desc, 1, 2
"""
"""Tables, views, materialised views and foreign tables that this user may read; no parts of a divided table."""
PLANS = "select set_config('enable_nestloop', 'off', false), set_config('jit', 'off', false)"
"""The checks filter by expressions whose yield the server guesses at one row; it would then compare every row of one
table with every row of another, and compile programs for it that take longer than the query."""
COLUMNS = """
select n.nspname, c.relname, a.attname
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped
order by n.nspname, c.relname, a.attnum
"""
OWN_TYPES = """
select a.attname from pg_catalog.pg_attribute a
join pg_catalog.pg_type t on t.oid = a.atttypid
join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = %s and (t.typtype = 'e' or t.typname = 'money') and not a.attisdropped
"""


class PostgresEngine(IbisEngine):
    """A PostgreSQL server."""

    in_place: ClassVar[bool] = True

    def connect(self, address: str) -> ibis.BaseBackend:
        """Connect, and have the server refuse every writing."""
        import psycopg

        self.connection = psycopg.connect(f"postgresql://{address.split('://', 1)[1]}", connect_timeout=10)
        # of every transaction rather than of the session: poolers in front of a server refuse options of a session
        self.connection.read_only = True
        self._answers(PLANS)
        self.names = {
            table if at_home else f"{schema}.{table}": (schema, table)
            for schema, table, at_home in self._answers(READABLE)
        }
        self.home = next(iter(self._answers("select current_schema()")))[0] or ""
        return ibis.postgres.from_connection(self.connection)

    def tables(self) -> tuple[str, ...]:
        """Names of tables and views; those outside the first schema as `schema.table`."""
        return tuple(self.names)

    def bare(self, name: str) -> str:
        """A table's name without its schema."""
        return self.names[name][1]

    def columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of every table and view, from the catalogue."""
        return by_table(self._answers(COLUMNS), self.names)

    def table(self, name: str) -> ir.Table:
        """A table where it is; the time that comes after all others is none, as no program outside can hold it."""
        found = super().table(name)
        ends = {column: found[column] for column, type_ in found.schema().items() if is_time(type_)}
        for column, time in ends.items():
            for end in ("infinity", "-infinity"):
                ends[column] = ends[column].nullif(ibis.literal(end).cast(time.type()))
        return found.mutate(**ends) if ends else found

    def find(self, name: str) -> ir.Table:
        """A table as the server describes it.

        Ibis takes an enumeration for text and `money` for a figure; the functions of text and of figures refuse them.
        """
        schema, table = self.names[name]
        own = {column for (column,) in self._answers(OWN_TYPES, (schema, table))}
        found = self.backend.get_schema(table, database=schema)
        types = {column: dt.unknown if column in own else type_ for column, type_ in found.items()}
        place = ops.Namespace(database=schema)
        return ops.DatabaseTable(table, ibis.schema(types), self.backend, place).to_expr()

    def _answers(self, query: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor, self.connection.transaction():
            return cursor.execute(query, values or None).fetchall()


ENGINE = PostgresEngine
