"""Every KPI's worked example is its test; so is what it is made of."""

import datetime as dt

import ibis
import ibis.expr.types as ir
import pandas as pd
import pytest

from kpi_research.crm.raw import RawTable
from kpi_research.crm.reading import read_part
from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError
from kpi_research.kpis.catalogue import catalogue, find_kpis, lineage, sharing_records
from kpi_research.kpis.definition import Example
from kpi_research.panel import contributions, panel
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


@pytest.mark.parametrize("kpi", catalogue().values(), ids=catalogue())
def test_worked_example(kpi):
    example = kpi.example
    parts = contributions(tables_of(example), [kpi], until=ALL_OLD_ENOUGH)
    rows = panel(parts, as_intervals([Period.parse(example.period)]), "person").set_index("entity_id")
    row = rows.loc[example.person_id]
    assert row["numerator"] == pytest.approx(example.numerator), example.because
    if example.denominator is None:
        assert pd.isna(row["denominator"])
    else:
        assert row["denominator"] == pytest.approx(example.denominator), example.because


def test_lineage_names_the_fields_of_the_definition():
    assert lineage("signed_amount") == {"contracts.amount", "contracts.cancelled_at", "contracts.signed_at"}
    assert lineage("calls") == {"activities.kind", "activities.occurred_at"}


def test_what_shares_records_with_revenue():
    assert set(sharing_records("signed_amount", catalogue())) == {
        "signed_contracts", "new_customers", "renewal_rate", "win_rate", "won_cycle_days",
    }  # fmt: skip


def test_unknown_names_are_all_reported_with_the_nearest_one():
    with pytest.raises(InputError) as caught:
        find_kpis(["visit", "signed_amount", "np"])
    text = str(caught.value)
    assert "'visit'" in text and "Did you mean visits?" in text and "'np'" in text and "Did you mean nps?" in text
