"""Worked examples as canonical tables, and what they must give."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from kpi_research.crm.tables import TABLES
from kpi_research.kpis.definition import LEVELS, Example, Kpi
from kpi_research.panel import Contributions, panel
from kpi_research.periods import Period, as_intervals

ALL_OLD_ENOUGH = dt.date(2027, 6, 30)


def tables_of(example: Example) -> dict[str, pd.DataFrame]:
    """The example's rows as canonical tables, fields that it does not name being empty."""
    return {name: example_frame(name, rows) for name, rows in example.given.items()}


def example_frame(table: str, rows: tuple[Mapping[str, Any], ...]) -> pd.DataFrame:
    columns = TABLES[table].columns
    frame = pd.DataFrame(list(rows), columns=list(columns))
    times = [name for name, spec in columns.items() if spec.kind in ("date", "time")]
    return frame.assign(
        **{name: pd.to_datetime(frame[name], format="mixed").astype("datetime64[us]") for name in times}
    )


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
