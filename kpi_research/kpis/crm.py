"""The canonical tables of one client, as Ibis tables a KPI can be written over."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.crm.tables import TABLES


class Crm:
    """Attribute access to canonical tables: `crm.contracts`, `crm.activities` ...

    Parameters
    ----------
    tables
        Ibis tables by canonical name; those that the client lacks are absent.
    """

    def __init__(self, tables: dict[str, ir.Table]) -> None:
        self._tables = tables

    def __getattr__(self, name: str) -> ir.Table:
        try:
            return self.__dict__["_tables"][name]
        except KeyError:
            raise AttributeError(f"this client has no table {name!r}") from None

    def __contains__(self, name: str) -> bool:
        return name in self._tables

    @classmethod
    def unbound(cls) -> Crm:
        """The schema alone, without rows: what lineage is read from."""
        return cls({name: ibis.table(table.schema, name=name) for name, table in TABLES.items()})
