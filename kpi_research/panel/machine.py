"""The panel machine: KPIs x (person, team, company) x period, as one long table.

Every panel is sums of contributions. A team's value comes from the rows of those who were in it on the day, so a person
who changes team is split by days and never counted twice. DuckDB adds up, one part after the other; what the sums say of
each cell is decided over whole arrays: a row for every entity and period, a column for every KPI.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from kpi_research.crm.engine import MEMORY_LIMIT
from kpi_research.crm.roster import UNASSIGNED
from kpi_research.kpis.definition import Kpi, Level
from kpi_research.panel.contributions import ROSTER, WORKING_DAYS, Contributions, Part
from kpi_research.panel.queries import COUNT, DENOMINATOR, NUMERATOR, SUM_DECIMALS, column

COMPANY = "company"
PANEL_COLUMNS = [
    "level", "entity_id", "period", "kpi", "value", "numerator", "denominator", "n", "status", "working_days", "additive",
]  # fmt: skip
SILENCE_IS_MISSING = frozenset({"activities"})
"""Tables without any row of a person in a period mean that they were not kept, rather than that nothing was done. Who
recorded nothing of any kind did not use the system at all: then every KPI is missing rather than zero."""
STATUSES = ("ok", "no_data", "no_record", "no_history", "no_cases", "too_few", "partial")
"""In the order in which they are asked after; the first is that of all others."""


@dataclass(frozen=True)
class _Sums:
    """Of every entity and period (rows) and KPI (columns); zero where there is nothing to add."""

    numerator: np.ndarray
    denominator: np.ndarray
    n: np.ndarray


def panel(parts: Contributions, intervals: pd.DataFrame, level: Level) -> pd.DataFrame:
    """The KPIs of every entity of one level in every interval.

    Parameters
    ----------
    intervals
        `period, start, end` (half open), as made by `periods.as_intervals`.

    Returns
    -------
    One row for every KPI and entity with working days or rows in the interval, in `PANEL_COLUMNS`. `numerator` of a
    median or a number of different things is that figure itself. `additive`: whether values of shorter stretches add
    up to that of a longer one (`Kpi.is_additive`). `status` is `ok`; `partial` (rows too young to be
    judged were left out, or the interval is not over); or why `value` is missing: `no_data` (the client lacks a table),
    `no_record` (nothing was recorded, so that nothing is known), `no_history` (the data begin too late to know what was
    before), `no_cases` (nothing to divide by), `too_few` (a ratio or a median of fewer rows than its `min_cases`).
    """
    kpis = [kpi for kpi in parts.kpis if level in kpi.levels]
    with (
        tempfile.TemporaryDirectory(prefix="kpi-panel-") as spill,
        duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": spill}) as engine,
    ):
        _prepare(engine, parts, intervals, level)
        present = engine.execute("SELECT * FROM present ORDER BY line").df()
        sums = _sums(engine, parts, kpis, level, len(present))
        seen = _seen(engine, kpis, len(present))
    status = _status(parts, kpis, present, sums, seen)
    return _long(kpis, level, present, sums, status)


def _prepare(engine: duckdb.DuckDBPyConnection, parts: Contributions, intervals: pd.DataFrame, level: Level) -> None:
    """What every part is joined to: the days of the periods, who was where, and the rows of the panel."""
    engine.read_parquet(str(parts.folder / WORKING_DAYS)).create_view("working_days")
    engine.read_parquet(str(parts.folder / ROSTER)).create_view("roster")
    engine.sql(parts.presence).create_view("presence")
    engine.register("intervals", intervals[["period", "start", "end"]].assign(place=range(len(intervals))))
    engine.execute("SET VARIABLE first = (SELECT min(start) FROM intervals)")
    engine.register("chosen", pd.DataFrame({"id": parts.only_entities}, dtype="string"))
    engine.execute(
        'CREATE TABLE day_in AS SELECT day, place FROM intervals, range(start, "end", INTERVAL 1 DAY) days(day)'
    )
    engine.execute(f"CREATE TABLE times AS {_times(parts)}")
    if "team" in (level, parts.only_level):
        engine.execute(_MEMBERS)
    engine.execute(
        f"CREATE TABLE seen AS SELECT DISTINCT {_entity(level, 'own')} AS entity_id, place, base "
        f"FROM {_own('presence', parts, level)}"
    )
    engine.execute(_CALENDAR)
    engine.execute(_PRESENT.format(entity=_entity(level, "times")))


_MEMBERS = """
    CREATE TABLE members AS
    SELECT person_id, team_id, unnest(range(start, "end" + INTERVAL 1 DAY, INTERVAL 1 DAY)) AS day FROM times
"""
"""Who was in which team on which day."""
_CALENDAR = """
    CREATE TABLE calendar AS
    SELECT day, count(working_days.day) OVER (ORDER BY day) AS working
    FROM (SELECT unnest(generate_series(min(start) - INTERVAL 1 DAY, max("end"), INTERVAL 1 DAY)) AS day FROM intervals)
    LEFT JOIN working_days USING (day)
"""
"""How many working days there were up to each day."""
_PRESENT = """
    CREATE TABLE present AS
    WITH exposure AS (
        SELECT {entity} AS entity_id, place, sum(upto.working - before.working)::DOUBLE AS working_days
        FROM times JOIN intervals ON times.start < intervals."end" AND times."end" >= intervals.start
        JOIN calendar upto ON upto.day = least(times."end", intervals."end" - INTERVAL 1 DAY)
        JOIN calendar before ON before.day = greatest(times.start, intervals.start) - INTERVAL 1 DAY
        GROUP BY ALL HAVING working_days > 0
    ),
    active AS (SELECT DISTINCT entity_id, place, true AS is_active FROM seen)
    SELECT entity_id, place, period, intervals.start, intervals."end", coalesce(working_days, 0.0) AS working_days,
        coalesce(is_active, false) AS is_active, row_number() OVER (ORDER BY entity_id, period) - 1 AS line
    FROM exposure FULL JOIN active USING (entity_id, place) JOIN intervals USING (place)
"""


def _times(parts: Contributions) -> str:
    """SQL that gives from when until when who was where, of those that the contributions are narrowed to."""
    if parts.only_level == "company":
        return "SELECT * FROM roster"
    return f"SELECT * FROM roster WHERE {parts.only_level}_id IN (SELECT id FROM chosen)"


def _entity(level: Level, rows: str) -> str:
    if level == "person":
        return f"{rows}.person_id"
    return f"'{COMPANY}'" if level == "company" else f"coalesce({rows}.team_id, '{UNASSIGNED}')"


def _sums(
    engine: duckdb.DuckDBPyConnection, parts: Contributions, kpis: Sequence[Kpi], level: Level, lines: int
) -> _Sums:
    """What the parts add up to, part by part, so that one of them is in memory at a time."""
    found = _Sums(*(np.zeros((lines, len(kpis))) for _ in range(3)))
    places = {kpi.name: place for place, kpi in enumerate(kpis)}
    for part in parts.parts:
        asked = {number: places[name] for number, name in enumerate(part.kpis) if name in places}
        if not asked:
            continue
        engine.sql(parts.rows_of(part)).create_view(part.name)
        names = [column(each, number) for number in asked for each in (NUMERATOR, DENOMINATOR, COUNT)]
        known = ", ".join(f"coalesce({name}, 0.0) AS {name}" for name in names)
        rows = _rows(part, names, parts, level)
        sums = _arrays(engine, f"SELECT line, {known} FROM ({rows}) JOIN present USING (entity_id, place)")
        for number, place in asked.items():
            numerator, denominator, n = (sums[column(each, number)] for each in (NUMERATOR, DENOMINATOR, COUNT))
            is_any = (n > 0) | (numerator != 0)
            at = sums["line"][is_any], place
            found.numerator[at], found.denominator[at], found.n[at] = (
                numerator[is_any], denominator[is_any], n[is_any]
            )  # fmt: skip
    return found


def _arrays(engine: duckdb.DuckDBPyConnection, query: str) -> dict[str, np.ndarray]:
    """The columns that a query gives, which are numbers without a gap; by way of Arrow, which copies them least."""
    found = engine.execute(query).to_arrow_table()
    return {name: found[name].to_numpy() for name in found.column_names}


def _rows(part: Part, names: Sequence[str], parts: Contributions, level: Level) -> str:
    """SQL that gives `entity_id, place` and a part's columns of these names."""
    if part.aggregation == "at_end":
        return _held(part, names, parts, level)
    entity = f"{_entity(level, 'own')} AS entity_id, place"
    if part.aggregation == "sum":
        figures = _added(names)
    else:
        figure = "median(value)" if part.aggregation == "median" else "count(DISTINCT value)::DOUBLE"
        figures = f"{figure} AS {names[0]}, NULL::DOUBLE AS {names[1]}, count(*)::DOUBLE AS {names[2]}"
    return f"SELECT {entity}, {figures} FROM {_own(part.name, parts, level)} GROUP BY ALL"


def _own(name: str, parts: Contributions, level: Level) -> str:
    """A table's rows with their period, and their team where it is needed."""
    narrowed = parts.only_level
    if level != "team" and narrowed != "team":
        where = " WHERE person_id IN (SELECT id FROM chosen)" if narrowed == "person" else ""
        return f"(SELECT * FROM {name} JOIN day_in USING (day){where}) own"
    kind = "JOIN" if narrowed == "team" else "LEFT JOIN"
    where = " WHERE person_id IN (SELECT id FROM chosen)" if narrowed == "person" else ""
    return f"(SELECT * FROM {name} JOIN day_in USING (day) {kind} members USING (person_id, day){where}) own"


def _added(names: Sequence[str]) -> str:
    return ", ".join(f"round(sum({name}), {SUM_DECIMALS}) AS {name}" for name in names)


def _held(part: Part, names: Sequence[str], parts: Contributions, level: Level) -> str:
    """What holds at each period's end: the changes up to then, by whose they are and the team that they are in then."""
    so_far = ", ".join(f'sum({name}) OVER (PARTITION BY person_id ORDER BY "end") AS {name}' for name in names)
    where = {
        "company": "", "person": "WHERE own.person_id IN (SELECT id FROM chosen)",
        "team": "WHERE members.team_id IN (SELECT id FROM chosen)",
    }[parts.only_level]  # fmt: skip
    entity = _entity(level, "members" if level == "team" else "own")
    last = f"least(own.\"end\", TIMESTAMP '{parts.until_end}') - INTERVAL 1 DAY"
    is_joined = "team" in (level, parts.only_level)
    joined = f"LEFT JOIN members ON members.person_id = own.person_id AND members.day = {last}" if is_joined else ""
    return f"""
        WITH ends AS (SELECT DISTINCT "end" FROM intervals),
        end_of AS (
            SELECT day, "end" FROM (SELECT unnest(range(getvariable('first'), max("end"), INTERVAL 1 DAY)) AS day FROM ends)
            ASOF JOIN ends ON day < "end"
        ),
        changes AS (
            SELECT person_id, "end", {_added(names)}
            FROM {part.name} own JOIN end_of ON greatest(own.day, getvariable('first')) = end_of.day GROUP BY ALL
        ),
        held AS (
            SELECT person_id, "end", {so_far}
            FROM (SELECT DISTINCT person_id FROM changes) CROSS JOIN ends LEFT JOIN changes USING (person_id, "end")
        )
        SELECT {entity} AS entity_id, place, {_added(names)}
        FROM held own JOIN intervals USING ("end") {joined} {where} GROUP BY ALL
    """


def _seen(engine: duckdb.DuckDBPyConnection, kpis: Sequence[Kpi], lines: int) -> np.ndarray:
    """Whether an entity has any row in a period (rows) in the table that a KPI (columns) counts first."""
    bases = sorted({kpi.needs[0] for kpi in kpis})
    number = f"list_position({bases}::VARCHAR[], base)"
    known = (
        f"SELECT line, {number} AS number FROM seen JOIN present USING (entity_id, place) WHERE {number} IS NOT NULL"
    )
    found = _arrays(engine, known)
    is_seen = np.zeros((lines, len(bases)), dtype=bool)
    is_seen[found["line"], found["number"] - 1] = True
    return is_seen[:, [bases.index(kpi.needs[0]) for kpi in kpis]]


def _status(
    parts: Contributions, kpis: Sequence[Kpi], present: pd.DataFrame, sums: _Sums, is_seen: np.ndarray
) -> np.ndarray:
    """The place in `STATUSES` of every cell."""
    status = np.zeros(sums.n.shape, dtype=np.int8)
    is_active = present["is_active"].to_numpy(bool)
    start, end = (present[name].to_numpy("datetime64[D]") for name in ("start", "end"))
    never = np.zeros(len(present), dtype=bool)
    for place, kpi in enumerate(kpis):
        denominator, n = sums.denominator[:, place], sums.n[:, place]
        is_ratio, is_median = kpi.denominator is not None, kpi.aggregation == "median"
        begins = parts.begins.get(kpi.needs[0])
        known_from = np.datetime64(begins, "D") + kpi.history_days if begins else np.datetime64("NaT", "D")
        is_silent = kpi.needs[0] in SILENCE_IS_MISSING
        asked_after = {
            "no_data": never if all(table in parts.tables for table in kpi.needs) else ~never,
            "no_record": ~is_active | ~is_seen[:, place] if is_silent else ~is_active,
            # not "earlier than": nothing is earlier than a day that is not known
            "no_history": ~(start >= known_from) if kpi.history_days else never,
            "no_cases": ~(denominator > 0) if is_ratio else n == 0 if is_median else never,
            "too_few": n < kpi.min_cases if is_ratio or is_median else never,
            "partial": end + kpi.matures_after_days > np.datetime64(parts.until_end),
        }
        status[:, place] = np.select([asked_after[name] for name in STATUSES[1:]], range(1, len(STATUSES)), 0)
    return status


def _long(kpis: Sequence[Kpi], level: Level, present: pd.DataFrame, sums: _Sums, status: np.ndarray) -> pd.DataFrame:
    lines, width = status.shape
    has_data = status != STATUSES.index("no_data")
    is_ratio = np.array([kpi.denominator is not None for kpi in kpis], dtype=bool)
    has_value = (status == STATUSES.index("ok")) | (status == STATUSES.index("partial"))
    numerator = np.where(has_data, sums.numerator, np.nan)
    denominator = np.where(has_data & is_ratio, sums.denominator, np.nan)
    value = np.where(has_value, numerator, np.nan)
    np.divide(value, denominator, out=value, where=has_value & is_ratio)
    (entity, entities), (period, periods) = (pd.factorize(present[name]) for name in ("entity_id", "period"))
    words = {
        "level": (np.zeros(lines * width, dtype=np.int8), [level]),
        "entity_id": (entity.repeat(width), entities),
        "period": (period.repeat(width), periods),
        "kpi": (np.tile(np.arange(width), lines), [kpi.name for kpi in kpis]),
        "status": (status.ravel(), STATUSES),
    }
    with ThreadPoolExecutor() as pool:
        texts = dict(zip(words, pool.map(_text, *zip(*words.values(), strict=True)), strict=True))
    columns = {
        **texts,
        "value": value.ravel(),
        "numerator": numerator.ravel(),
        "denominator": denominator.ravel(),
        "n": sums.n.ravel(),
        "working_days": present["working_days"].to_numpy(float).repeat(width),
        "additive": np.tile([kpi.is_additive for kpi in kpis], lines).astype(bool),
    }
    return pd.DataFrame({name: columns[name] for name in PANEL_COLUMNS}, copy=False)


def _text(numbers: np.ndarray, words: Sequence[str]) -> pd.Series:
    """The words with these numbers, written out once and not as objects of Python."""
    coded = pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), pa.array(words, pa.large_string()))
    return pd.Series(coded.cast(pa.large_string()), dtype="str")
