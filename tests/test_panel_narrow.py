"""What a later month asks for is all that a whole build has from its first day on, for every KPI and whatever the data."""

import datetime as dt

import ibis
import ibis.expr.operations as ops
import pandas as pd
import pytest
from random_crm import UNTIL, random_crm

from kpi_research.crm.engine import selections_apart
from kpi_research.kpis.catalogue import catalogue
from kpi_research.kpis.crm import Crm
from kpi_research.panel.build import covered, on_an_engine
from kpi_research.panel.narrow import narrowed
from kpi_research.panel.queries import queries

LAST_DAY = (UNTIL - pd.Timedelta(days=1)).date()
FIRST = dt.date(2026, 5, 18)
slow = pytest.mark.slow
CASES = [
    pytest.param(1, [FIRST]),
    *(pytest.param(seed, [dt.date(2026, 6, 20), dt.date(2026, 2, 1), dt.date(2025, 3, 9)], marks=slow) for seed in (2, 3, 4, 5)),
]  # fmt: skip
TABLE = ibis.table({"key": "string", "at": "timestamp(6)", "over": "timestamp(6)", "size": "float64"}, name="rows")
OTHER = ibis.table({"key": "string", "later": "timestamp(6)"}, name="others")


@pytest.mark.parametrize(("seed", "days"), CASES)
def test_every_kpi_adds_from_a_day_on_what_the_whole_build_adds(seed, days):
    tables = on_an_engine(random_crm(seed))
    crm = Crm({name: covered(name, table, LAST_DAY) for name, table in tables.items()})
    kpis = list(catalogue().values())
    compared, differing = 0, []
    with selections_apart():
        whole = [(query.kpis, query.rows.to_pandas()) for query in queries(crm, kpis, LAST_DAY)]
        for day in days:
            since = queries(crm, kpis, LAST_DAY, since=lambda _, day=day: day, are_few=True)
            for (shared, rows), query in zip(whole, since, strict=True):
                assert shared == query.kpis
                wanted = rows[rows["day"] >= pd.Timestamp(day)]
                one, two = (in_order(each) for each in (wanted, query.rows.to_pandas()))
                compared += len(one) > 0
                if not one.equals(two):
                    differing.append((day, [kpi.name for kpi in shared]))
    assert not differing
    assert compared > 50 * len(days), "or there is nothing to compare"


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(list(rows.columns), ignore_index=True)


def test_most_definitions_that_compare_rows_with_others_are_asked_by_key():
    crm = Crm.unbound()
    others = (ops.Aggregate, ops.JoinChain)
    definitions = [(kpi, kpi.rows(crm)) for kpi in catalogue().values()]
    comparing = [(kpi, rows) for kpi, rows in definitions if rows.op().find(others)]
    by_key = [
        kpi.name
        for kpi, rows in comparing
        if len(semi_joins(narrowed(rows, times(kpi), FIRST))) > len(semi_joins(rows))
    ]
    assert len(by_key) > len(comparing) / 2, "the test above would say nothing if none were"


def times(kpi) -> list[str]:
    return [name for name in (kpi.when, kpi.until) if name]


def semi_joins(rows: ibis.Table) -> list[ops.JoinLink]:
    return [link for link in rows.op().find(ops.JoinLink) if link.how == "semi"]


def ages(**columns) -> pd.DataFrame:
    rows = pd.DataFrame({"size": 1.0, "over": pd.NaT, **columns})
    return rows.astype({"at": "datetime64[us]", "over": "datetime64[us]"})[list(TABLE.columns)]


def asked_of(rows: ibis.Table, given: pd.DataFrame) -> list[list]:
    engine = ibis.duckdb.connect()
    engine.create_table("rows", schema=TABLE.schema())
    engine.insert("rows", given)
    found = engine.to_pandas(rows).fillna({"key": "none"}).sort_values(["key", "at"])
    return found.to_numpy().tolist()


def test_a_row_before_the_day_stays_where_it_is_a_later_ones_neighbour():
    earlier = TABLE["at"].lag().over(group_by=TABLE["key"], order_by=TABLE["at"])
    rows = TABLE.select("key", "at", earlier=earlier)
    given = ages(key=["a", "a", "b", "b", None, None], at=["2026-01-01", "2026-06-01", "2026-01-01", "2026-02-01", "2026-01-03", "2026-06-02"])  # fmt: skip
    found = asked_of(narrowed(rows, ["at"], FIRST), given)
    assert {key for key, *_ in found} == {"a", "none"}, "nothing of b is late enough; no key is a key too"
    assert found[1] == ["a", pd.Timestamp("2026-06-01"), pd.Timestamp("2026-01-01")]
    assert found[3][1:] == [pd.Timestamp("2026-06-02"), pd.Timestamp("2026-01-03")]


def test_a_time_that_lies_days_after_a_row_keeps_the_row_that_it_comes_from():
    rows = TABLE.select("key", "size", at=ibis.least(TABLE["at"] + ibis.interval(days=30), TABLE["over"]))
    given = ages(key=["a", "b", "c"], at=["2026-04-18", "2026-04-17", "2026-01-01"], over=[None, None, "2026-06-01"])
    found = asked_of(narrowed(rows, ["at"], FIRST).select("key", "size", "at"), given)
    assert [key for key, *_ in found] == ["a", "c"], (
        "a's time is the day itself; c's is in January, but one of two is late"
    )


def test_what_is_late_by_a_row_with_another_key_is_still_wanted_by_its_own():
    both = TABLE.view().inner_join(TABLE.view(), "key")
    first = both.op().first.to_expr()
    late_by_others = first["at"].lead().over(group_by=first["size"], order_by=first["at"])
    late = both.select("key", at=late_by_others)
    rows = TABLE.select("key", "size").inner_join(late, "key").select("key", late["at"], "size")
    given = ages(key=["a", "b", "c"], size=[1.0, 1.0, 2.0], at=["2026-01-01", "2026-06-01", "2026-01-01"])
    found = asked_of(narrowed(rows, ["at"], FIRST), given)
    assert [each for each in found if each[1] >= pd.Timestamp(FIRST)] == [["a", pd.Timestamp("2026-06-01"), 1.0]]


def test_keys_are_learned_from_the_tables_and_not_from_their_join():
    joined = TABLE.inner_join(OTHER, "key").select("key", "at", "size", "later")
    rows = joined.mutate(next_at=joined["at"].lead().over(group_by=joined["key"], order_by=joined["at"]))
    asked = narrowed(rows, ["next_at", "later"], FIRST)
    assert len(asked.op().find(ops.JoinLink)) - len(semi_joins(asked)) == 1, "one join, of what is left"
    assert semi_joins(asked)


@pytest.mark.parametrize(
    "rows",
    [
        TABLE.mutate(place=ibis.row_number().over(order_by=TABLE["at"])),
        TABLE.mutate(total=TABLE["size"].sum().over(group_by=TABLE["size"])),
        TABLE.mutate(at=(TABLE["size"].cast("int64") * 86400).as_timestamp("s")),
        TABLE.order_by("at").limit(3),
        TABLE.filter(TABLE["at"] > TABLE["at"].max()),
        TABLE.join(TABLE.view(), "key").select("at", place=ibis.row_number().over(group_by=TABLE["key"])),
        TABLE.left_join(OTHER, "key").select("key", at=OTHER["later"]),
    ],
    ids=[
        "a window over all",
        "no key of text",
        "a time from a figure",
        "the first rows",
        "a figure of all rows",
        "a window over a join",
        "the time of a row that need not be there",
    ],
)
def test_where_it_cannot_be_told_which_rows_are_needed_all_stay(rows):
    assert narrowed(rows, ["at"], FIRST).equals(rows)
