"""Worked examples as canonical tables, and what they must give."""

import datetime as dt
from dataclasses import replace

import ibis
import ibis.expr.types as ir
import pandas as pd
import pytest

from kpi_research.crm.raw import RawTable
from kpi_research.crm.reading import read_part
from kpi_research.crm.tables import TABLES
from kpi_research.kpis.definition import LEVELS, Example, Kpi
from kpi_research.panel import Contributions, panel
from kpi_research.periods import Period, as_intervals

ALL_OLD_ENOUGH = dt.date(2027, 6, 30)


def tables_of(example: Example) -> dict[str, ir.Table]:
    """The example's rows as canonical tables, fields that it does not name being empty."""
    engine = ibis.duckdb.connect()
    tables = {}
    for name, given in example.given.items():
        columns = TABLES[name].columns
        frame = pd.DataFrame([{column: row.get(column) for column in columns} for row in given], dtype="string")
        text = engine.create_table(name, frame, schema=ibis.schema(dict.fromkeys(columns, "string")))
        rows = read_part(TABLES[name], RawTable(text, name), 0, "Asia/Shanghai").rows
        tables[name] = engine.create_table(f"{name}_typed", rows.select(list(columns)))
    return tables


def assert_as_worked(parts: Contributions, kpi: Kpi) -> None:
    """The panel of the example's person and period has the parts that were worked by hand."""
    example = kpi.example
    # what a person adds is worked by hand also where only teams are shown
    parts = replace(parts, kpis=tuple(replace(each, levels=LEVELS) for each in parts.kpis))
    rows = panel(parts, as_intervals([Period.parse(example.period)]), "person").set_index("entity_id")
    row = rows.loc[example.person_id]
    assert row["numerator"] == pytest.approx(example.numerator), example.because
    if example.denominator is None:
        assert pd.isna(row["denominator"])
    else:
        assert row["denominator"] == pytest.approx(example.denominator), example.because
