"""The panel machine: KPIs x (person, team, company) x period, as one long table.

Every KPI's rows become daily contributions of a person (numerator, denominator, number of rows) in one Ibis query each;
every panel is then sums of contributions. A team's value comes from the rows of those who were in it on the day, so a
person who changes team is split by days and never counted twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from kpi_research.crm.engine import selections_apart
from kpi_research.crm.roster import UNASSIGNED, roster
from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError, Problem
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Kpi
from kpi_research.periods import ONE_DAY
from kpi_research.policy import MIN_DENOMINATOR

Level = Literal["person", "team", "company"]
LEVELS: tuple[Level, ...] = get_args(Level)
COMPANY = "company"

PANEL_COLUMNS = [
    "level", "entity_id", "period", "kpi", "value", "numerator", "denominator", "n", "status", "working_days",
]  # fmt: skip
SUM_DECIMALS = 6
ROSTER_TABLES = ("people", "assignments")
SILENCE_IS_MISSING = frozenset({"activities"})
"""Tables without any row of a person in a period mean that they were not kept, rather than that nothing was done. Who
recorded nothing of any kind did not use the system at all: then every KPI is missing rather than zero."""
EVENT_TIMES = {
    "contracts": "signed_at",
    "opportunities": "closed_at",
    "activities": "occurred_at",
    "payments": "paid_at",
}


@dataclass(frozen=True)
class Contributions:
    """What every panel is summed from.

    Parameters
    ----------
    daily
        `kpi, person_id, day, numerator, denominator, n`: sums over the rows of a person's day.
    roster
        `person_id, team_id, day, working`: who was in which team on which day; `working` is 1.0 on working days.
    kpis
        The definitions that panels are asked for, those without data included.
    base_tables
        For every KPI in `daily`, asked for or not, the table whose rows it counts: it tells who recorded anything.
    tables
        Canonical tables that the client has.
    until
        The last day that the data cover.
    """

    daily: pd.DataFrame
    roster: pd.DataFrame
    kpis: tuple[Kpi, ...]
    base_tables: Mapping[str, str]
    tables: frozenset[str]
    until: dt.date

    def only(self, names: Collection[str]) -> Contributions:
        """The same, asked for some of the KPIs."""
        return replace(self, kpis=tuple(kpi for kpi in self.kpis if kpi.name in names))

    def of(self, level: Level, entity_ids: Collection[str]) -> Contributions:
        """What some of the people did, or what was done by those who were in some of the teams on the day."""
        if level == "company":
            return self
        if level == "person":
            daily, days = (frame[frame["person_id"].isin(entity_ids)] for frame in (self.daily, self.roster))
        else:
            days = self.roster[self.roster["team_id"].isin(entity_ids)]
            daily = self.daily.merge(days[["person_id", "day"]])
        return replace(self, daily=daily, roster=days)

    @property
    def until_end(self) -> dt.date:
        """The day after the last that the data cover."""
        return self.until + ONE_DAY


def contributions(
    tables: Mapping[str, ir.Table] | Mapping[str, pd.DataFrame],
    kpis: Sequence[Kpi],
    *,
    country: str = "CN",
    since: dt.date | None = None,
    until: dt.date | None = None,
) -> Contributions:
    """Compute what each person's day adds to each KPI.

    Parameters
    ----------
    tables
        Canonical tables, as kept by the contract: on any engine, where the work is then done, or as frames.
    country
        Whose working days count as exposure.
    since
        First day covered; earlier rows are known (who was a customer already) but count in no period.
    until
        Last day covered; by default that of the last signing, closing, payment or activity.
    """
    rows = _on_an_engine(tables)
    until = until or last_day(rows)
    crm = Crm({name: _covered(name, table, until) for name, table in rows.items()})
    measured = [kpi for kpi in kpis if all(table in crm for table in kpi.needs)]
    with selections_apart():
        parts = [_daily(crm, kpi, until).to_pyarrow().to_pandas() for kpi in measured]
    daily = pd.concat(parts, ignore_index=True) if parts else _NO_CONTRIBUTIONS.copy()
    if since:
        daily = daily[daily["day"] >= pd.Timestamp(since)]
    daily = daily.sort_values(["kpi", "person_id", "day"], ignore_index=True)
    days = roster({name: rows[name].to_pandas() for name in ROSTER_TABLES if name in rows}, daily,
                  country=country, until=until)  # fmt: skip
    return Contributions(daily, days, tuple(kpis), base_tables(kpis), frozenset(tables), until)


def base_tables(kpis: Sequence[Kpi]) -> dict[str, str]:
    """KPI -> the table whose rows it counts."""
    return {kpi.name: kpi.needs[0] for kpi in kpis}


def last_day(tables: Mapping[str, ir.Table]) -> dt.date:
    """The day of the last signing, closing, payment or activity on file.

    Raises
    ------
    InputError
        If there is none.
    """
    days = [tables[name][column].max().to_pyarrow().as_py() for name, column in EVENT_TIMES.items() if name in tables]
    known = [day for day in days if day is not None]
    if not known:
        raise InputError(Problem("panel.no_events", values={"tables": ", ".join(EVENT_TIMES)}))
    return max(known).date()


def panel(parts: Contributions, intervals: pd.DataFrame, level: Level) -> pd.DataFrame:
    """The KPIs of every entity of one level in every interval.

    Parameters
    ----------
    intervals
        `period, start, end` (half open), as made by `periods.as_intervals`.

    Returns
    -------
    One row for every KPI and entity with working days or rows in the interval, in `PANEL_COLUMNS`. `status` is `ok`;
    `partial` (rows too young to be judged were left out); or why `value` is missing: `no_data` (the client lacks a
    table), `no_record` (nothing was recorded, so that nothing is known), `no_cases` (nothing to divide by), `too_few`
    (a ratio over fewer than `policy.MIN_DENOMINATOR` rows).
    """
    day_in = _days_in(intervals)
    sums = _sum_contributions(parts, day_in, level)
    grid = _grid(parts, day_in, sums, level)
    if grid.empty:
        return pd.DataFrame(columns=PANEL_COLUMNS)
    anything, in_table = _who_recorded(parts, sums)
    frame = grid.merge(sums, on=["entity_id", "period", "kpi"], how="left")
    frame = frame.merge(anything, on=["entity_id", "period"], how="left")
    frame = frame.merge(in_table, on=["entity_id", "period", "kpi"], how="left")
    frame = _with_values(frame, parts, intervals).assign(level=level)
    order = pd.Categorical(frame["kpi"], [kpi.name for kpi in parts.kpis], ordered=True)
    frame = frame.assign(order=order).sort_values(["entity_id", "period", "order"], ignore_index=True)
    return frame[PANEL_COLUMNS]


def _on_an_engine(tables: Mapping[str, ir.Table] | Mapping[str, pd.DataFrame]) -> dict[str, ir.Table]:
    """The tables as they are, or frames in a DuckDB of their own, which lives as long as its tables."""
    engine: ibis.BaseBackend | None = None
    found: dict[str, ir.Table] = {}
    for name, table in tables.items():
        if isinstance(table, pd.DataFrame):
            engine = engine or ibis.duckdb.connect()
            schema = TABLES[name].schema
            found[name] = engine.create_table(name, schema=ibis.schema(schema))
            if len(table):
                engine.insert(name, table[list(schema)])
        else:
            found[name] = table
    return found


def _covered(name: str, table: ir.Table, until: dt.date) -> ir.Table:
    """A canonical table without rows of events after the last day."""
    if name not in EVENT_TIMES:
        return table
    time = table[EVENT_TIMES[name]]
    return table.filter(time.isnull() | (time < pd.Timestamp(until + ONE_DAY)))


def _daily(crm: Crm, kpi: Kpi, until: dt.date) -> ir.Table:
    rows = kpi.rows(crm)
    denominator = kpi.denominator(rows) if kpi.denominator else ibis.null()
    parts = rows.select(
        person_id=rows[kpi.who],
        day=rows[kpi.when].truncate("D"),
        numerator=kpi.numerator(rows).cast("float64"),
        denominator=denominator.cast("float64"),
    )
    last = pd.Timestamp(until - ONE_DAY * kpi.matures_after_days)
    parts = parts.filter(parts.day.notnull() & parts.person_id.notnull() & (parts.day <= last))
    # rounded, since the engine's threads add in no fixed order and the last bits of a sum would differ from run to run
    sums = parts.group_by(["person_id", "day"]).aggregate(
        numerator=parts.numerator.sum().round(SUM_DECIMALS),
        denominator=parts.denominator.sum().round(SUM_DECIMALS),
        n=parts.count().cast("float64"),
    )
    return sums.mutate(kpi=ibis.literal(kpi.name)).select("kpi", "person_id", "day", "numerator", "denominator", "n")


def _days_in(intervals: pd.DataFrame) -> pd.DataFrame:
    """`day, period`: every day of every interval; a day may lie in several."""
    days = [
        pd.DataFrame({"day": pd.date_range(start, end, inclusive="left"), "period": period})
        for period, start, end in intervals[["period", "start", "end"]].itertuples(index=False)
    ]
    return pd.concat(days, ignore_index=True) if days else pd.DataFrame({"day": pd.to_datetime([]), "period": []})


def _with_entity(frame: pd.DataFrame, parts: Contributions, level: Level) -> pd.DataFrame:
    if level == "person":
        return frame.assign(entity_id=frame["person_id"])
    if level == "company":
        return frame.assign(entity_id=COMPANY)
    if "team_id" not in frame:
        frame = frame.merge(parts.roster[["person_id", "day", "team_id"]], on=["person_id", "day"], how="left")
    return frame.assign(entity_id=frame["team_id"].fillna(UNASSIGNED))


def _sum_contributions(parts: Contributions, day_in: pd.DataFrame, level: Level) -> pd.DataFrame:
    rows = _with_entity(parts.daily.merge(day_in, on="day"), parts, level)
    keys = ["entity_id", "period", "kpi"]
    return rows.groupby(keys, as_index=False)[["numerator", "denominator", "n"]].sum(min_count=1)


def _grid(parts: Contributions, day_in: pd.DataFrame, sums: pd.DataFrame, level: Level) -> pd.DataFrame:
    """Everyone with working days or with any row in an interval, times every KPI."""
    days = _with_entity(parts.roster.merge(day_in, on="day"), parts, level)
    exposure = days.groupby(["entity_id", "period"], as_index=False).agg(working_days=("working", "sum"))
    exposure = exposure[exposure["working_days"] > 0]
    present = pd.concat([exposure, sums[["entity_id", "period"]].assign(working_days=0.0)])
    present = present.drop_duplicates(["entity_id", "period"], keep="first")
    return present.merge(pd.DataFrame({"kpi": [kpi.name for kpi in parts.kpis]}), how="cross")


def _who_recorded(parts: Contributions, sums: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Whether an entity recorded anything in a period, and whether in the table that a KPI counts."""
    seen = sums[["entity_id", "period"]].assign(table=sums["kpi"].map(parts.base_tables)).drop_duplicates()
    wanted = pd.DataFrame({"kpi": [kpi.name for kpi in parts.kpis], "table": [kpi.needs[0] for kpi in parts.kpis]})
    in_table = seen.merge(wanted, on="table").drop(columns="table").assign(in_table=True)
    return seen[["entity_id", "period"]].drop_duplicates().assign(anything=True), in_table


def _with_values(frame: pd.DataFrame, parts: Contributions, intervals: pd.DataFrame) -> pd.DataFrame:
    kpis = {kpi.name: kpi for kpi in parts.kpis}
    has_data = frame["kpi"].map({n: all(t in parts.tables for t in kpi.needs) for n, kpi in kpis.items()})
    ratio = frame["kpi"].map({name: kpi.denominator is not None for name, kpi in kpis.items()})
    silent = frame["kpi"].map({name: kpi.needs[0] in SILENCE_IS_MISSING for name, kpi in kpis.items()})
    mature = frame["kpi"].map({name: pd.Timedelta(days=kpi.matures_after_days) for name, kpi in kpis.items()})
    ends = frame["period"].map(dict(zip(intervals["period"], intervals["end"], strict=True)))
    young = ends + mature > pd.Timestamp(parts.until + ONE_DAY)
    frame["n"] = frame["n"].fillna(0.0)
    frame["numerator"] = frame["numerator"].where(frame["n"] > 0, 0.0).where(has_data)
    frame["denominator"] = frame["denominator"].where(frame["n"] > 0, 0.0).where(ratio & has_data)
    frame["status"] = np.select(
        [
            ~has_data,
            frame["anything"].isna() | (silent & frame["in_table"].isna()),
            ratio & ~(frame["denominator"] > 0),
            ratio & (frame["n"] < MIN_DENOMINATOR),
            young,
        ],
        ["no_data", "no_record", "no_cases", "too_few", "partial"],
        default="ok",
    )
    value = frame["numerator"] / frame["denominator"].where(ratio, 1.0)
    frame["value"] = value.where(frame["status"].isin(["ok", "partial"]))
    return frame


_NO_CONTRIBUTIONS = pd.DataFrame(
    {"kpi": [], "person_id": [], "day": pd.to_datetime([]), "numerator": [], "denominator": [], "n": []}
)
