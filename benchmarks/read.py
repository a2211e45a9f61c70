"""Reading activities into one typed table: this package, pandas, and DuckDB's own readers.

    python benchmarks/read.py                  # 5 million rows
    python benchmarks/read.py --rows 1000000 --rounds 1

Each route runs in a process of its own, all in turns; the clock starts after the imports. `ours` opens the export, maps
its columns and types every cell by the contract's rules (dates in all their forms, ids rounded by a spreadsheet, marks
of emptiness, broken cells kept for the report), and ends with a table on disk. GBK is what DuckDB cannot read by
itself: its route starts from the same rows in UTF-8.
"""

from __future__ import annotations

import argparse
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

COLUMNS = {
    "编号": "activity_id", "负责人": "person_id", "类型": "kind", "客户": "account_id", "发生时间": "occurred_at",
    "录入时间": "recorded_at", "时长": "minutes",
}  # fmt: skip
CHUNK = 200_000
Route = tuple[str, str, str]


def main() -> int:
    arguments = parse()
    if arguments.route:
        print(json.dumps(measured(arguments.route, arguments.file)))
        return 0
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        files = made(Path(folder), arguments.rows)
        found: dict[Route, list[dict[str, float]]] = {}
        for _ in range(arguments.rounds):
            for what, route, form in ROWS:
                found.setdefault((what, route, form), []).append(in_a_process(route, files[form]))
    for form, path in files.items():
        print(f"{form:14s} {path[1] / 1e6:7.0f} MB, {arguments.rows:,} rows")
    print(f"{'route':46s} {'file':14s} {'wall s':>7s} {'CPU s':>7s} {'peak MB':>8s}")
    for (what, _, form), runs in found.items():
        wall, cpu, peak = (statistics.median(run[name] for run in runs) for name in ("wall", "cpu", "peak"))
        print(f"{what:46s} {form:14s} {wall:7.1f} {cpu:7.1f} {peak:8.0f}")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="how often all routes take turns")
    parser.add_argument(
        "--folder", type=Path, help="where the files are made; the system's temporary folder by default"
    )
    parser.add_argument("--route", choices=ROUTES, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def made(folder: Path, rows: int) -> dict[str, tuple[Path, int]]:
    """The same rows in three forms of a file, with their sizes."""
    utf8, gbk, parquet = (folder / name for name in ("utf8.csv", "gbk.csv", "typed.parquet"))
    duckdb.execute("SELECT setseed(0.5)")
    duckdb.execute(f"""COPY (
        SELECT format('A{{:08d}}', i) AS 编号, format('EMP{{:04d}}', (random() * 2000)::INT) AS 负责人,
            ['拜访', '电话', '会议', '微信'][1 + (random() * 3.99)::INT % 4] AS 类型,
            format('C{{:06d}}', (random() * 200000)::INT) AS 客户, start AS 发生时间,
            start + to_seconds((random() * 86400)::INT) AS 录入时间, 1 + (random() * 119)::INT AS 时长,
            '客户反馈良好继续跟进' AS 备注
        FROM (
            SELECT i, TIMESTAMP '2024-01-01 08:00' + to_seconds((random() * 77760000)::INT) AS start
            FROM range({rows}) numbers(i)
        )
    ) TO '{parquet}'""")
    duckdb.execute(f"COPY (FROM '{parquet}') TO '{utf8}' (HEADER, DELIMITER ',')")
    with utf8.open(encoding="utf-8") as source, gbk.open("w", encoding="gbk") as target:
        while piece := source.read(1 << 20):
            target.write(piece)
    return {path.name: (path, path.stat().st_size) for path in (gbk, utf8, parquet)}


def in_a_process(route: str, file: tuple[Path, int]) -> dict[str, float]:
    command = [sys.executable, __file__, "--route", route, "--file", str(file[0])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measured(route: str, path: Path) -> dict[str, float]:
    """Wall and processor seconds of a route, its helpers included, and the peak of the largest process in megabytes."""
    run = ROUTES[route](path)
    before, started = processor_seconds(), time.perf_counter()
    run()
    wall = time.perf_counter() - started
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(one).ru_maxrss for one in who) / 1024
    return {"wall": wall, "cpu": processor_seconds() - before, "peak": peak}


def processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def ours(path: Path) -> Callable[[], object]:
    from kpi_research.crm.reading import read_part
    from kpi_research.crm.tables import TABLES
    from kpi_research.sources.apply import apply_mapping
    from kpi_research.sources.exports import open_export
    from kpi_research.sources.mapping import TableMapping
    from kpi_research.sources.workspace import Workspace

    mapping = TableMapping(file=path.name, columns=COLUMNS)

    def run() -> None:
        with Workspace(path.parent) as workspace:
            raw = apply_mapping("activities", open_export(path, workspace), mapping)
            part = read_part(TABLES["activities"], raw, 0, "Asia/Shanghai")
            assert part.read and not part.unreadable

    return run


def pandas_plain(path: Path) -> Callable[[], object]:
    import pandas as pd

    return lambda: pd.read_csv(path, encoding=path.stem)


def pandas_typed(path: Path) -> Callable[[], object]:
    import pandas as pd

    texts = dict.fromkeys(("编号", "负责人", "类型", "客户", "备注"), "string")
    times = ["发生时间", "录入时间"]
    return lambda: pd.read_csv(
        path, encoding=path.stem, dtype=texts, parse_dates=times, date_format="%Y-%m-%d %H:%M:%S"
    )


def pandas_parquet(path: Path) -> Callable[[], object]:
    import pandas as pd

    return lambda: pd.read_parquet(path)


def duckdb_reader(path: Path) -> Callable[[], object]:
    def run() -> None:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder, duckdb.connect(f"{folder}/rows.duckdb") as engine:
            engine.execute(f"CREATE TABLE activities AS FROM '{path}'")

    return run


ROUTES = {
    "ours": ours,
    "pandas_plain": pandas_plain,
    "pandas_typed": pandas_typed,
    "pandas_parquet": pandas_parquet,
    "duckdb": duckdb_reader,
}
ROWS: tuple[Route, ...] = (
    ("ours: open, map, type, one table on disk", "ours", "gbk.csv"),
    ("pandas.read_csv, types guessed, in memory", "pandas_plain", "gbk.csv"),
    ("pandas.read_csv, the same types, in memory", "pandas_typed", "gbk.csv"),
    ("ours: open, map, type, one table on disk", "ours", "utf8.csv"),
    ("DuckDB's reader, types guessed, table on disk", "duckdb", "utf8.csv"),
    ("pandas.read_csv, the same types, in memory", "pandas_typed", "utf8.csv"),
    ("ours: open, map, type, one table on disk", "ours", "typed.parquet"),
    ("DuckDB's reader, table on disk", "duckdb", "typed.parquet"),
    ("pandas.read_parquet, in memory", "pandas_parquet", "typed.parquet"),
)


if __name__ == "__main__":
    raise SystemExit(main())
