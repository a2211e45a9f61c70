"""The single records behind a value: which rows of the CRM a KPI counted, by the numbers that they have there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

import ibis
import ibis.expr.types as ir
import pandas as pd

from kpi_research.crm.engine import selections_apart
from kpi_research.crm.tables import TABLES
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Kpi
from kpi_research.periods import ONE_DAY, Period

RECORD_TYPES = {
    "kpi": "str", "person_id": "str", "table": "str", "record_id": "str", "day": "datetime64[us]",
    "gone": "datetime64[us]", "numerator": "float64", "denominator": "float64",
}  # fmt: skip
RECORD_COLUMNS = [*RECORD_TYPES]
VISITED = "visited"
"""Stands for a table where visits to a customer on a day are one: they are named by the customer and the day, a visit
to no customer by its own number."""


def no_records() -> pd.DataFrame:
    """No record, in `RECORD_COLUMNS` of their types."""
    return pd.DataFrame(columns=RECORD_COLUMNS).astype(RECORD_TYPES)


def records_behind(crm: Crm, kpis: Iterable[Kpi], until: dt.date) -> pd.DataFrame:
    """Every row that counts in one of the KPIs, on whatever day.

    Parameters
    ----------
    until
        The last day covered.

    Returns
    -------
    One row a record and KPI in `RECORD_COLUMNS`, in a fixed order: whose it is, the canonical table and the number that
    it has there, the day it counts on and, of what is held, that from which on it no longer does; what it adds to the
    numerator and the denominator (null where the KPI is no ratio, and for the number of different things both). A KPI
    whose rows are no records of one table, but sums over several, has none.
    """
    with selections_apart():
        found = [rows.to_pandas() for kpi in kpis for rows in _records(crm, kpi, until)]
    frame = pd.concat(found, ignore_index=True) if found else no_records()
    frame = frame[RECORD_COLUMNS].astype(RECORD_TYPES)
    return frame.sort_values(["person_id", "kpi", "day", "record_id"], ignore_index=True)


def counted_in(records: pd.DataFrame, kpi: Kpi, period: Period, until: dt.date) -> pd.DataFrame:
    """Those of a KPI's records that its value of a period rests on.

    Parameters
    ----------
    until
        The last day covered.
    """
    own, start, end = records[records["kpi"] == kpi.name], pd.Timestamp(period.start), pd.Timestamp(period.end)
    if kpi.aggregation != "at_end":
        return own[(own["day"] >= start) & (own["day"] < end)]
    last = min(end, pd.Timestamp(until + ONE_DAY)) - ONE_DAY
    is_held = own["gone"].isna() | ((own["gone"] > last) & (own["gone"] > own["day"]))
    return own[(own["day"] <= last) & is_held]


def cases(records: pd.DataFrame) -> pd.Series:
    """Whether each record is one of the cases that `n` counts; others of a ratio add to the numerator alone."""
    return records["denominator"].isna() | (records["denominator"] != 0)


def _records(crm: Crm, kpi: Kpi, until: dt.date) -> Iterator[ir.Table]:
    if not all(table in crm for table in kpi.needs):
        return
    rows = kpi.rows(crm)
    table, key = _key(kpi, rows)
    if not table:
        return
    value = kpi.numerator(rows)
    last = pd.Timestamp(until - ONE_DAY * kpi.matures_after_days)
    shown = rows.select(
        kpi=ibis.literal(kpi.name),
        person_id=rows[kpi.who].cast("string"),
        table=ibis.literal(table),
        record_id=rows[key].cast("string"),
        day=rows[kpi.when].truncate("D"),
        gone=rows[kpi.until].truncate("D") if kpi.until else ibis.null("timestamp"),
        is_known=value.notnull() if kpi.aggregation in ("median", "distinct") else ibis.literal(True),
        numerator=ibis.null("float64") if kpi.aggregation == "distinct" else value.cast("float64"),
        denominator=kpi.denominator(rows).cast("float64") if kpi.denominator else ibis.null("float64"),
    )
    yield shown.filter(shown.person_id.notnull(), shown.day.notnull(), shown.day <= last, shown.is_known)


def _key(kpi: Kpi, rows: ir.Table) -> tuple[str, str]:
    """The table that the rows are records of, and the column with their number; empty where they are of none."""
    for table in kpi.needs:
        if len(TABLES[table].key) == 1 and TABLES[table].key[0] in rows.columns:
            return table, TABLES[table].key[0]
    return (VISITED, VISITED) if VISITED in rows.columns else ("", "")
