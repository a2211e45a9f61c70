"""One query, asked again and again for other moments: written once, with markers where the moments belong.

Ibis takes longer to write a query than DuckDB to answer it, and a panel of what was on file asks each of its queries
once a period.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from ibis.backends.sql.compilers.base import SQLGlotCompiler

from kpi_research.crm.engine import selections_apart

Marker = dt.date
"""A day that stands for another one: far off, so that no definition has it for its own."""


class Replay:
    """A query that is asked for many moments.

    Parameters
    ----------
    rows
        Has literals of the markers' midnights.
    """

    def __init__(self, rows: ir.Table) -> None:
        self._engine, self._schema = rows.get_backend(), rows.schema().to_pyarrow()
        with selections_apart():
            self._text = self._engine.compile(rows)

    def at(self, moments: Mapping[Marker, dt.date]) -> pa.Table:
        """The rows with each marker replaced by a day; markers that the query does not have are passed over."""
        text = self._text
        for marker, day in moments.items():
            text = text.replace(_written(self._engine.compiler, marker), _written(self._engine.compiler, day))
        if self._engine.name == "duckdb":
            found = self._engine.con.execute(text).to_arrow_table()
        else:
            found = self._engine.sql(text).to_pyarrow()
        return found.select(self._schema.names).cast(self._schema)


@functools.lru_cache(maxsize=4096)
def _written(compiler: SQLGlotCompiler, day: dt.date) -> str:
    """How an engine's language writes the midnight that a day begins with."""
    literal = ibis.literal(pd.Timestamp(day))
    return str(compiler.to_sqlglot(literal).expressions[0].this.sql(compiler.dialect))
