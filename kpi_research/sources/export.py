"""One export as it was opened: its rows and headers as they stand, and what was recognised and cut on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import ibis.expr.types as ir

from kpi_research.crm.raw import Step


@dataclass(frozen=True)
class Export:
    """Rows of a file, a sheet or a database table, before any mapping.

    Parameters
    ----------
    name
        For messages: `opps.csv`, `opps.xlsx[Sheet1]`, `crm.opportunity`.
    rows
        Columns are named like the headers. Text, but for Parquet and databases, whose types are kept. May have the
        column `source_row`.
    headers
        Without `source_row`.
    first_row
        Number of the first row in the file, where there is no `source_row`.
    steps
        What was cut: title rows, blank rows, footers.
    details
        What was recognised: encoding, delimiter, sheet.
    """

    name: str
    rows: ir.Table
    headers: tuple[str, ...]
    first_row: int = 2
    steps: tuple[Step, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
