"""The panel machine: KPIs x (person, team, company) x period, as one long table.

Every panel is sums of contributions. A team's value comes from the rows of those who were in it on the day, so a person
who changes team is split by days and never counted twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pandas as pd

from kpi_research.crm.roster import UNASSIGNED
from kpi_research.kpis.definition import Level
from kpi_research.panel.contributions import PRESENCE, ROSTER, Contributions, Part
from kpi_research.panel.queries import COUNT, DENOMINATOR, NUMERATOR, SUM_DECIMALS, column

COMPANY = "company"
PANEL_COLUMNS = [
    "level", "entity_id", "period", "kpi", "value", "numerator", "denominator", "n", "status", "working_days",
]  # fmt: skip
SILENCE_IS_MISSING = frozenset({"activities"})
"""Tables without any row of a person in a period mean that they were not kept, rather than that nothing was done. Who
recorded nothing of any kind did not use the system at all: then every KPI is missing rather than zero."""


def panel(parts: Contributions, intervals: pd.DataFrame, level: Level) -> pd.DataFrame:
    """The KPIs of every entity of one level in every interval.

    Parameters
    ----------
    intervals
        `period, start, end` (half open), as made by `periods.as_intervals`.

    Returns
    -------
    One row for every KPI and entity with working days or rows in the interval, in `PANEL_COLUMNS`. `numerator` of a
    median or a number of different things is that figure itself. `status` is `ok`; `partial` (rows too young to be
    judged were left out, or the interval is not over); or why `value` is missing: `no_data` (the client lacks a table),
    `no_record` (nothing was recorded, so that nothing is known), `no_history` (the data begin too late to know what was
    before), `no_cases` (nothing to divide by), `too_few` (a ratio or a median of fewer rows than its `min_cases`).
    """
    with duckdb.connect() as engine:
        asked = _asked(parts, level)
        for part in asked:
            engine.sql(parts.rows_of(part)).create_view(part.name)
        engine.read_parquet(str(parts.folder / ROSTER)).create_view("roster")
        engine.read_parquet(str(parts.folder / PRESENCE)).create_view("presence")
        engine.register("intervals", intervals[["period", "start", "end"]])
        engine.register("kpis", _about(parts, level))
        engine.register("chosen", pd.DataFrame({"id": parts.only_entities}, dtype="string"))
        engine.execute(
            'CREATE TABLE day_in AS SELECT day, period FROM intervals, range(start, "end", INTERVAL 1 DAY) days(day)'
        )
        engine.execute(f"CREATE TABLE members AS {_members(parts)}")
        engine.execute(f"CREATE TABLE sums AS {_sums(asked, parts, level)}")
        engine.execute(f"CREATE TABLE seen AS {_seen(parts, level)}")
        rows = engine.execute(_PANEL.format(entity=_entity(level, "members")), {
            "level": level, "ends": pd.Timestamp(parts.until_end),
        })  # fmt: skip
        return rows.to_arrow_table().select(PANEL_COLUMNS).to_pandas()


def _about(parts: Contributions, level: Level) -> pd.DataFrame:
    """What the panel must know of each KPI that is asked for at this level."""
    rows = [
        {
            "kpi": kpi.name,
            "place": place,
            "base": kpi.needs[0],
            "has_data": all(table in parts.tables for table in kpi.needs),
            "is_ratio": kpi.denominator is not None,
            "is_median": kpi.aggregation == "median",
            "is_silent": kpi.needs[0] in SILENCE_IS_MISSING,
            "least_cases": kpi.min_cases,
            "mature": kpi.matures_after_days,
            "history": kpi.history_days,
            "begins": parts.begins.get(kpi.needs[0]),
        }
        for place, kpi in enumerate(parts.kpis)
        if level in kpi.levels
    ]
    return pd.DataFrame(rows, columns=[*_ABOUT]).astype(_ABOUT)


_ABOUT = {
    "kpi": "string", "place": "int64", "base": "string", "has_data": "bool", "is_ratio": "bool", "is_median": "bool",
    "is_silent": "bool", "least_cases": "int64", "mature": "int64", "history": "int64", "begins": "datetime64[us]",
}  # fmt: skip


def _members(parts: Contributions) -> str:
    """Who was where on which day, of those that the contributions are narrowed to."""
    if parts.only_level == "company":
        return "SELECT * FROM roster"
    return f"SELECT * FROM roster WHERE {parts.only_level}_id IN (SELECT id FROM chosen)"


def _entity(level: Level, rows: str) -> str:
    if level == "person":
        return f"{rows}.person_id"
    return f"'{COMPANY}'" if level == "company" else f"coalesce({rows}.team_id, '{UNASSIGNED}')"


def _asked(parts: Contributions, level: Level) -> list[Part]:
    """The parts that hold a KPI that is asked for."""
    names = {kpi.name for kpi in parts.kpis if level in kpi.levels}
    return [part for part in parts.parts if not names.isdisjoint(part.kpis)]


def _seen(parts: Contributions, level: Level) -> str:
    """`entity_id, period, base`: who has any row in a period, and in which table."""
    presence = f"SELECT {_entity(level, 'own')} AS entity_id, period, base FROM {_own('presence', parts, level)}"
    return f"SELECT DISTINCT * FROM ({presence})"


def _sums(asked: list[Part], parts: Contributions, level: Level) -> str:
    """`entity_id, period, kpi, numerator, denominator, n`."""
    selected = [*_selections(asked, parts, level)]
    none = "SELECT '' AS entity_id, '' AS period, '' AS kpi, 0.0 AS numerator, 0.0 AS denominator, 0.0 AS n"
    return " UNION ALL ".join(selected) if selected else f"{none} WHERE false"


def _selections(asked: list[Part], parts: Contributions, level: Level) -> Iterator[str]:
    for part in asked:
        if part.aggregation == "sum":
            rows = f"SELECT {_entity(level, 'own')} AS entity_id, period, {_added(part)} FROM {_own(part.name, parts, level)} GROUP BY ALL"
            yield f"SELECT * FROM ({_unpivoted(rows, part)}) WHERE {_ANYTHING}"
        elif part.aggregation == "at_end":
            yield f"SELECT * FROM ({_unpivoted(_held(part, parts, level), part)}) WHERE {_ANYTHING}"
        else:
            figure = "median(value)" if part.aggregation == "median" else "count(DISTINCT value)::DOUBLE"
            yield (
                f"SELECT {_entity(level, 'own')} AS entity_id, period, '{part.kpis[0]}' AS kpi, {figure} AS numerator, "
                f"NULL::DOUBLE AS denominator, count(*)::DOUBLE AS n FROM {_own(part.name, parts, level)} "
                "GROUP BY ALL"
            )


def _own(name: str, parts: Contributions, level: Level) -> str:
    """A table's rows with their period, and their team where it is needed."""
    narrowed = parts.only_level
    if level != "team" and narrowed != "team":
        where = " WHERE person_id IN (SELECT id FROM chosen)" if narrowed == "person" else ""
        return f"(SELECT * FROM {name} JOIN day_in USING (day){where}) own"
    kind = "JOIN" if narrowed == "team" else "LEFT JOIN"
    where = " WHERE person_id IN (SELECT id FROM chosen)" if narrowed == "person" else ""
    return f"(SELECT * FROM {name} JOIN day_in USING (day) {kind} members USING (person_id, day){where}) own"


def _added(part: Part) -> str:
    return ", ".join(f"round(sum({name}), {SUM_DECIMALS}) AS {name}" for name in _columns(part))


def _columns(part: Part) -> list[str]:
    places = range(len(part.kpis))
    return [column(each, place) for place in places for each in (NUMERATOR, DENOMINATOR, COUNT)]


def _unpivoted(rows: str, part: Part) -> str:
    """One row a KPI instead of three columns."""
    each = ", ".join(
        f"({column(NUMERATOR, place)}, {column(DENOMINATOR, place)}, {column(COUNT, place)}) AS '{kpi}'"
        for place, kpi in enumerate(part.kpis)
    )
    parts = f"({NUMERATOR}, {DENOMINATOR}, {COUNT})"
    return f"SELECT * FROM ({rows}) UNPIVOT INCLUDE NULLS ({parts} FOR kpi IN ({each}))"


def _held(part: Part, parts: Contributions, level: Level) -> str:
    """What holds at each period's end: the changes up to then, by whose they are and the team that they are in then."""
    columns = _columns(part)
    so_far = ", ".join(f'sum({name}) OVER (PARTITION BY person_id ORDER BY "end") AS {name}' for name in columns)
    where = {
        "company": "", "person": "WHERE own.person_id IN (SELECT id FROM chosen)",
        "team": "WHERE members.team_id IN (SELECT id FROM chosen)",
    }[parts.only_level]  # fmt: skip
    entity = _entity(level, "members" if level == "team" else "own")
    last = f"least(own.\"end\", TIMESTAMP '{parts.until_end}') - INTERVAL 1 DAY"
    return f"""
        WITH ends AS (SELECT DISTINCT "end" FROM intervals),
        changes AS (
            SELECT person_id, "end", {_added(part)} FROM {part.name} ASOF JOIN ends ON {part.name}.day < ends."end"
            GROUP BY ALL
        ),
        held AS (
            SELECT person_id, "end", {so_far}
            FROM (SELECT DISTINCT person_id FROM changes) CROSS JOIN ends LEFT JOIN changes USING (person_id, "end")
        )
        SELECT {entity} AS entity_id, period, {_added(part)}
        FROM held own JOIN intervals USING ("end")
        LEFT JOIN members ON members.person_id = own.person_id AND members.day = {last} {where} GROUP BY ALL
    """


_ANYTHING = f"{COUNT} > 0 OR {NUMERATOR} <> 0"
_PANEL = """
    WITH exposure AS (
        SELECT {entity} AS entity_id, period, sum(working) AS working_days FROM members JOIN day_in USING (day)
        GROUP BY ALL HAVING sum(working) > 0
    ),
    active AS (SELECT DISTINCT entity_id, period FROM seen),
    present AS (
        SELECT * FROM exposure
        UNION ALL SELECT entity_id, period, 0.0 FROM active ANTI JOIN exposure USING (entity_id, period)
    ),
    grid AS (
        SELECT present.*, kpis.*, start, "end", active.entity_id IS NOT NULL AS is_active,
            seen.entity_id IS NOT NULL AS is_seen
        FROM present JOIN intervals USING (period) CROSS JOIN kpis
        LEFT JOIN active USING (entity_id, period)
        LEFT JOIN seen ON seen.entity_id = present.entity_id AND seen.period = present.period AND seen.base = kpis.base
    ),
    judged AS (
        SELECT grid.* EXCLUDE (is_active, is_seen), coalesce(n, 0.0) AS n,
            CASE WHEN has_data THEN coalesce(numerator, 0.0) END AS numerator,
            CASE WHEN has_data AND is_ratio THEN coalesce(denominator, 0.0) END AS denominator,
            CASE
                WHEN NOT has_data THEN 'no_data'
                WHEN NOT is_active OR (is_silent AND NOT is_seen) THEN 'no_record'
                WHEN history > 0 AND (begins IS NULL OR start < begins + to_days(history)) THEN 'no_history'
                WHEN (is_ratio AND NOT coalesce(denominator, 0.0) > 0) OR (is_median AND n IS NULL) THEN 'no_cases'
                WHEN (is_ratio OR is_median) AND n < least_cases THEN 'too_few'
                WHEN "end" + to_days(mature) > $ends THEN 'partial'
                ELSE 'ok'
            END AS status
        FROM grid LEFT JOIN sums USING (entity_id, period, kpi)
    )
    SELECT $level AS level, entity_id, period, kpi, numerator, denominator, n, status, working_days,
        CASE WHEN status IN ('ok', 'partial') THEN CASE WHEN is_ratio THEN numerator / denominator ELSE numerator END END
            AS value
    FROM judged ORDER BY entity_id, period, place
"""
