"""The KPI panel: 12 KPIs of every person and week, by this package, hand-written DuckDB SQL, and pandas.

    python benchmarks/panel.py                   # 10 million activities
    python benchmarks/panel.py --activities 1000000 --routes ours sql
    python benchmarks/panel.py --routes ours month   # what one more month costs

A million activities come with 100,000 opportunities and 500,000 stage changes; 2,000 people, three years by week. Each
route runs in a process of its own, all in turns, from the same Parquet files, and ends with the long panel as a frame.
`floor` reads the same columns for one trivial aggregate.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

PEOPLE, SINCE, DAYS = 2_000, dt.date(2023, 1, 2), 1_092
UNTIL = SINCE + dt.timedelta(days=DAYS - 1)
KINDS = ("visit", "call", "message", "meeting", "demo", "proposal")
MONTH_BEFORE = UNTIL - dt.timedelta(days=28)
STALLED_DAYS, NEXT_STAGE_DAYS = 30, 30


def main() -> int:
    arguments = parse()
    if arguments.route:
        print(json.dumps(measured(arguments.route, arguments.folder)))
        return 0
    with tempfile.TemporaryDirectory(dir=arguments.folder) as made_in:
        folder = Path(made_in)
        make(folder, arguments.activities)
        found: dict[str, list[dict[str, float]]] = {}
        for _ in range(arguments.rounds):
            for route in arguments.routes:
                found.setdefault(route, []).append(in_a_process(route, folder))
        check_the_same(folder, [route for route in arguments.routes if route in ("ours", "sql", "pandas")])
    print(f"{arguments.activities:,} activities, {PEOPLE:,} people, {DAYS // 7} weeks, 12 KPIs")
    print(f"{'route':10s} {'wall s':>7s} {'CPU s':>7s} {'peak MB':>8s} {'rows':>11s}")
    for route, runs in found.items():
        wall, cpu, peak, rows = (
            statistics.median(run[name] for run in runs) for name in ("wall", "cpu", "peak", "rows")
        )
        print(f"{route:10s} {wall:7.1f} {cpu:7.1f} {peak:8.0f} {rows:11,.0f}")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--activities", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="how often all routes take turns")
    parser.add_argument("--routes", nargs="+", choices=ROUTES, default=["floor", "sql", "ours", "month", "pandas"])
    parser.add_argument(
        "--folder", type=Path, help="where the files are made; the system's temporary folder by default"
    )
    parser.add_argument("--route", choices=ROUTES, help=argparse.SUPPRESS)
    return parser.parse_args()


def make(folder: Path, activities: int) -> None:
    """Tables as the contract keeps them, in order of time as a CRM exports them."""
    opportunities = activities // 10
    engine = duckdb.connect()
    engine.execute("SET preserve_insertion_order = true; SELECT setseed(0.5)")
    write = "COPY ({rows}) TO '{path}'"
    person = f"format('P{{:04d}}', (random() * {PEOPLE - 1})::INT)"
    kinds = f"[{', '.join(repr(kind) for kind in KINDS)}]"
    moment = f"TIMESTAMP '{SINCE}' + to_seconds((random() * {DAYS * 86400 - 1})::INT)"
    engine.execute(
        write.format(
            path=folder / "people.parquet",
            rows=f"""
        SELECT format('P{{:04d}}', i) AS person_id, format('P{{:04d}}', i) AS name, NULL::VARCHAR AS role,
            NULL::VARCHAR AS employee_no, NULL::VARCHAR AS user_id, NULL::VARCHAR AS email,
            NULL::TIMESTAMP AS hired_on, NULL::TIMESTAMP AS left_on FROM range({PEOPLE}) numbers(i)""",
        )
    )
    engine.execute(
        write.format(
            path=folder / "opportunities.parquet",
            rows=f"""
        SELECT format('O{{:08d}}', row_number() OVER (ORDER BY created_at)) AS opportunity_id,
            format('C{{:06d}}', (random() * 200000)::INT) AS account_id, {person} AS owner_id, NULL::VARCHAR AS product,
            (1000 + random() * 99000)::DECIMAL(18, 2) AS amount, 'CNY' AS currency, created_at, NULL::VARCHAR AS stage,
            NULL::TIMESTAMP AS expected_close_on,
            CASE WHEN closed_at < TIMESTAMP '{UNTIL}' THEN closed_at END AS closed_at,
            CASE WHEN closed_at >= TIMESTAMP '{UNTIL}' THEN 'open' WHEN random() < .3 THEN 'won' ELSE 'lost' END AS outcome
        FROM (SELECT created_at, created_at + to_seconds((86400 * (5 + 115 * random()))::INT) AS closed_at
            FROM (SELECT {moment} AS created_at FROM range({opportunities}))) ORDER BY created_at""",
        )
    )
    engine.execute(
        write.format(
            path=folder / "stage_changes.parquet",
            rows=f"""
        SELECT opportunity_id, format('S{{}}', k) AS stage,
            created_at + to_seconds((86400 * (k * 18 + 6 * random()))::INT) AS entered_at, NULL::TIMESTAMP AS recorded_at
        FROM '{folder}/opportunities.parquet', range(5) stages(k) ORDER BY entered_at""",
        )
    )
    engine.execute(
        write.format(
            path=folder / "activities.parquet",
            rows=f"""
        SELECT format('A{{:09d}}', row_number() OVER (ORDER BY occurred_at)) AS activity_id, {person} AS person_id,
            {kinds}[1 + (random() * 600)::INT % {len(KINDS)}] AS kind,
            format('C{{:06d}}', (random() * 200000)::INT) AS account_id, NULL::VARCHAR AS lead_id,
            format('O{{:08d}}', 1 + (random() * {opportunities - 1})::INT) AS opportunity_id, occurred_at,
            NULL::TIMESTAMP AS recorded_at, NULL::DOUBLE AS minutes, NULL::BOOLEAN AS effective,
            NULL::DOUBLE AS longitude, NULL::DOUBLE AS latitude, NULL::VARCHAR AS note_hash
        FROM (SELECT {moment} AS occurred_at FROM range({activities})) ORDER BY occurred_at""",
        )
    )


def in_a_process(route: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--route", route, "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measured(route: str, folder: Path) -> dict[str, float]:
    """Wall and processor seconds of a route after its imports, and the peak of its process in megabytes."""
    run = ROUTES[route](folder)
    before, started = processor_seconds(), time.perf_counter()
    rows = run()
    wall = time.perf_counter() - started
    peak = peak_megabytes()
    for path, panel in KEPT:
        panel.to_parquet(path)  # type: ignore[attr-defined]
    return {"wall": wall, "cpu": processor_seconds() - before, "peak": peak, "rows": len(rows)}  # type: ignore[arg-type]


def peak_megabytes() -> float:
    """Of this process alone: what the system's accounting calls its peak begins with that of the process it came from."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def check_the_same(folder: Path, routes: list[str]) -> None:
    """All routes' panels agree, cell by cell."""
    import pandas as pd

    panels = [pd.read_parquet(folder / f"panel_{route}.parquet") for route in routes]
    keys = ["entity_id", "period", "kpi"]
    sorted_panels = [
        panel[panel["n"] > 0].sort_values(keys, ignore_index=True)[[*keys, "numerator", "denominator", "n"]]
        for panel in panels
    ]
    for other in sorted_panels[1:]:
        pd.testing.assert_frame_equal(sorted_panels[0], other, check_dtype=False, rtol=1e-6, atol=1e-4)


def floor(folder: Path) -> Callable[[], object]:
    def run() -> object:
        engine = duckdb.connect()
        return [
            engine.execute(f"SELECT count(*), {columns} FROM '{folder}/{table}.parquet'").fetchall()
            for table, columns in {
                "activities": "max(person_id), max(kind), max(account_id), max(opportunity_id), max(occurred_at)",
                "opportunities": "max(opportunity_id), max(owner_id), max(amount), max(created_at), max(closed_at), max(outcome)",
                "stage_changes": "max(opportunity_id), max(stage), max(entered_at)",
            }.items()
        ]

    return run


def hand_written(folder: Path) -> Callable[[], object]:
    text = (Path(__file__).parent / "panel.sql").read_text(encoding="utf-8")
    for name, value in {"folder": folder, "since": SINCE, "until": UNTIL}.items():
        text = text.replace(f"{{{name}}}", str(value))
    return lambda: kept(folder, "sql", duckdb.connect().execute(text).to_arrow_table().to_pandas())


def in_pandas(folder: Path) -> Callable[[], object]:
    from panel_in_pandas import read_and_count

    return lambda: kept(folder, "pandas", read_and_count(folder, SINCE, UNTIL, NEXT_STAGE_DAYS, STALLED_DAYS))


def kept(folder: Path, route: str, panel: object) -> object:
    """The panel itself; beside the clock's time it is written for the comparison."""
    KEPT.append((folder / f"panel_{route}.parquet", panel))
    return panel


KEPT: list[tuple[Path, object]] = []


def ours(folder: Path) -> Callable[[], object]:
    import holidays  # noqa: F401

    from kpi_research.panel import contributions

    kpis = definitions()

    def run() -> object:
        parts = contributions(opened(folder), kpis, until=UNTIL, folder=folder / "ours", in_order=False)
        return kept(folder, "ours", weekly_panel(parts))

    return run


def one_more_month(folder: Path) -> Callable[[], object]:
    """The contributions of three years are there but for four weeks; the clock runs for these and their panel."""
    from kpi_research.panel import contributions

    kpis = definitions()
    before = contributions(opened(folder), kpis, until=MONTH_BEFORE, folder=folder / "before", in_order=False)
    given = {"until": UNTIL, "folder": folder / "after", "before": before, "in_order": False}
    return lambda: weekly_panel(contributions(opened(folder), kpis, **given), MONTH_BEFORE + dt.timedelta(days=1))


def opened(folder: Path) -> dict[str, object]:
    import ibis

    engine = ibis.duckdb.connect(memory_limit="2GB", temp_directory=str(folder / "spill"))
    names = ("people", "opportunities", "stage_changes", "activities")
    return {name: engine.read_parquet(folder / f"{name}.parquet", table_name=name) for name in names}


def weekly_panel(parts: object, since: dt.date = SINCE) -> object:
    from kpi_research.panel import panel
    from kpi_research.periods import as_intervals, periods_between

    return panel(parts, as_intervals(periods_between(since, UNTIL, "week")), "person")


def definitions() -> list[object]:
    """The 12 KPIs, written as the catalogue's are."""
    import ibis

    from kpi_research.kpis.catalogue import catalogue
    from kpi_research.kpis.parts import activities_of, each_row, share_of
    from kpi_research.language import Bilingual

    like = catalogue()["calls"]
    words = Bilingual("如其名", "as named")

    def kpi(name: str, **given: object) -> object:
        from dataclasses import replace

        counted = words if given.get("denominator") else None
        return replace(like, id="", name=name, counted_over=counted, **given)

    def responses(crm: object) -> object:
        answered = crm.activities.group_by("opportunity_id").aggregate(answered_at=crm.activities.occurred_at.min())
        both = crm.opportunities.join(answered, "opportunity_id")
        return both.filter(both.answered_at >= both.created_at)

    def moves(crm: object) -> object:
        owned = crm.opportunities.select("opportunity_id", "owner_id", "closed_at")
        rows = crm.stage_changes.join(owned, "opportunity_id")
        return rows.mutate(next_at=rows.entered_at.lead().over(group_by=rows.opportunity_id, order_by=rows.entered_at))

    def standing(crm: object) -> object:
        stage = moves(crm)
        stalled = stage.select(
            "owner_id", comes=stage.entered_at + ibis.interval(days=STALLED_DAYS),
            goes=ibis.least(stage.next_at.fill_null(stage.closed_at), stage.closed_at), over=ibis.literal(1.0), of=ibis.literal(0.0),
        )  # fmt: skip
        crm_open = crm.opportunities
        return stalled.union(crm_open.select(
            "owner_id", comes="created_at", goes="closed_at", over=ibis.literal(0.0), of=ibis.literal(1.0)))  # fmt: skip

    def decided(crm: object) -> object:
        return crm.opportunities.filter(crm.opportunities.outcome.isin(["won", "lost"]))

    def won(crm: object) -> object:
        return crm.opportunities.filter(crm.opportunities.outcome == "won")

    deals = {"needs": ("opportunities",), "who": "owner_id", "when": "closed_at"}
    return [
        *(kpi(f"{kind}s", rows=activities_of(kind)) for kind in KINDS[:5]),
        kpi("accounts", rows=lambda crm: crm.activities, numerator=lambda rows: rows.account_id, aggregation="distinct"),
        kpi("response_hours", needs=("opportunities", "activities"), rows=responses, who="owner_id", when="created_at",
            numerator=lambda rows: (rows.answered_at.epoch_seconds() - rows.created_at.epoch_seconds()) / 3600.0, aggregation="median"),
        kpi("won_amount", rows=won, numerator=lambda rows: rows.amount, **deals),
        kpi("win_rate", rows=decided, numerator=share_of(lambda rows: rows.outcome == "won"), denominator=each_row, **deals),
        kpi("cycle_days", rows=won, numerator=lambda rows: (rows.closed_at.epoch_seconds() - rows.created_at.epoch_seconds()) / 86400.0,
            aggregation="median", **deals),
        kpi("stage_conversion", needs=("stage_changes", "opportunities"), rows=moves, who="owner_id", when="entered_at",
            numerator=share_of(lambda rows: rows.next_at <= rows.entered_at + ibis.interval(days=NEXT_STAGE_DAYS)),
            denominator=each_row, matures_after_days=NEXT_STAGE_DAYS),
        kpi("stalled_share", needs=("opportunities", "stage_changes"), rows=standing, who="owner_id", when="comes", until="goes",
            numerator=lambda rows: rows.over, denominator=lambda rows: rows.of, aggregation="at_end"),
    ]  # fmt: skip


ROUTES = {
    "floor": floor, "sql": hand_written, "ours": ours, "month": one_more_month, "pandas": in_pandas,
}  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
