"""A period named inside the data ends where the calendar of periods says, in both engines; other texts name none."""

import datetime as dt

import ibis
import pandas as pd
import pytest
from servers import postgres, run_sql  # noqa: F401 - a fixture

from kpi_research.kpis.named_periods import last_day_of
from kpi_research.periods import GRAINS, ONE_DAY, periods_between

PERIODS = [period for grain in GRAINS for period in periods_between(dt.date(2019, 12, 30), dt.date(2027, 1, 3), grain)]
LAST_DAYS = {period.name: period.end - ONE_DAY for period in PERIODS}
NONE = ["", "2026-13", "2026Q5", "2026H3", "2025-W53", "2026-W54", "2026-02-30", "2023-02-29", "26Q3", "2026 Q3",
        "2026q3", "年度", "2026-07-15T00:00", "0000", "x2026", "2026-7"]  # fmt: skip


def ends(rows: ibis.Table) -> dict[str, dt.date | None]:
    frame = rows.select("text", day=last_day_of(rows.text)).to_pandas()
    assert frame["day"].dropna().equals(frame["day"].dropna().dt.normalize())
    return {text: None if pd.isna(day) else day.date() for text, day in zip(frame["text"], frame["day"])}


@pytest.fixture(scope="module")
def texts() -> pd.DataFrame:
    return pd.DataFrame({"text": [*LAST_DAYS, *NONE]}, dtype="string")


def test_in_duckdb(texts):
    assert ends(ibis.duckdb.connect().create_table("texts", texts)) == LAST_DAYS | dict.fromkeys(NONE)


def test_in_postgres(texts, postgres):  # noqa: F811
    values = ", ".join(f"('{text}')" for text in texts["text"])
    run_sql(
        postgres,
        "create schema if not exists named",
        "drop table if exists named.texts",
        "create table named.texts (text text)",
        f"insert into named.texts values {values}",
    )
    engine = ibis.connect(postgres)
    assert ends(engine.table("texts", database="named")) == LAST_DAYS | dict.fromkeys(NONE)


def test_spark_can_be_asked():
    rows = ibis.table({"text": "string"}, name="texts")
    assert "MAKE_DATE" in ibis.to_sql(last_day_of(rows.text), dialect="pyspark").upper()
