"""A DuckDB file, opened for reading only; the work is done there."""

from __future__ import annotations

import tempfile
from typing import ClassVar

import ibis
import ibis.expr.types as ir

from kpi_research.sources.engines.generic import IbisEngine, by_table
from kpi_research.sources.engines.sqlite import file_of


class DuckDBEngine(IbisEngine):
    """A DuckDB database file: `duckdb:///folder/file.duckdb`."""

    in_place: ClassVar[bool] = True

    def connect(self, address: str) -> ibis.BaseBackend:
        """Open the file; what does not fit into memory goes elsewhere than beside it."""
        self.spill = tempfile.TemporaryDirectory(prefix="kpi-spill-")
        backend = ibis.duckdb.connect(file_of(address), read_only=True, temp_directory=self.spill.name)
        self.home = backend.current_database
        schemas = [self.home, *(name for name in backend.list_databases() if name not in (self.home, *HIDDEN))]
        self.names = {
            table if schema == self.home else f"{schema}.{table}": (schema, table)
            for schema in schemas
            for table in sorted(backend.list_tables(database=(backend.current_catalog, schema)))
        }
        return backend

    def tables(self) -> tuple[str, ...]:
        """Names of tables and views; those outside the first schema as `schema.table`."""
        return tuple(self.names)

    def bare(self, name: str) -> str:
        """A table's name without its schema."""
        return self.names[name][1]

    def columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of every table and view, from the catalogue."""
        rows = self.backend.con.execute(COLUMNS).fetchall()
        return by_table(rows, self.names)

    def find(self, name: str) -> ir.Table:
        """A table as the file describes it."""
        schema, table = self.names[name]
        return self.backend.table(table, database=(self.backend.current_catalog, schema))

    def close(self) -> None:
        """Let go of the file."""
        super().close()
        self.spill.cleanup()


COLUMNS = """
select schema_name, table_name, column_name from duckdb_columns()
where database_name = current_database() order by schema_name, table_name, column_index
"""
HIDDEN = ("information_schema", "pg_catalog")
ENGINE = DuckDBEngine
