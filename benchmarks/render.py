"""Reports a minute: the shell loop that people write, this package's runner, and the same content as plain functions.

    python benchmarks/render.py                      # 20 reports by (b) and (c), all 20 by (a) as well
    python benchmarks/render.py --shell-reports 3    # the slow loop on three of them

All routes run in one go on the demonstration's appraisals, (b) and (c) in turns; what the reports start from is read
and stored before the clock starts, as in a run. The bar: (b) is at least 10 times as fast as (a) and takes at most
1.25 times as long as (c).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plain_sections import appraisal

from kpi_research.run.batch import Job, run_jobs
from kpi_research.run.client import open_client
from kpi_research.run.reports import EXPORT
from kpi_research.run.studies import study_of
from kpi_research.run.workers import ForkingExecutor

ROOT = Path(__file__).parents[1]
CLIENT = ROOT / "params" / "demo.yaml"
NOTEBOOK = ROOT / "notebooks" / "appraisal.ipynb"
QUARTERS = 4


def main() -> int:
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        sets = parameter_sets(arguments.reports)
        shell = [shell_report(one, Path(folder)) for one in sets[: arguments.shell_reports]]
        ours, floor, peak = in_turns(arguments, sets, Path(folder))
    rows = [("(a) papermill, then nbconvert, in a shell loop", statistics.mean(shell) if shell else None, len(shell))]
    rows += [
        ("(b) kpi_research, 2 workers", ours, len(sets)),
        ("(c) plain functions, warm forks, 2 workers", floor, len(sets)),
    ]
    print(f"{'route':46s} {'reports':>7s} {'s/report':>9s} {'a minute':>9s} {'x (a)':>7s} {'x time of (c)':>13s}")
    for name, seconds, count in rows:
        if seconds is not None:
            ratio = f"{rows[0][1] / seconds:7.1f}" if rows[0][1] else f"{'-':>7s}"
            print(f"{name:46s} {count:7d} {seconds:9.3f} {60 / seconds:9.1f} {ratio} {seconds / floor:13.2f}")
    print(f"peak memory of a worker: {peak:.0f} MB (pages shared with the warm parent included)")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=20)
    parser.add_argument("--shell-reports", type=int, default=20, help="how many of them by route (a); 0 for none")
    parser.add_argument("--rounds", type=int, default=3, help="how often (b) and (c) take turns")
    return parser.parse_args()


def parameter_sets(reports: int) -> list[dict[str, Any]]:
    """Parameters of this many appraisals: every team in the last quarters, in turn."""
    client = open_client(CLIENT)
    periods = client.periods("quarter")[-QUARTERS:]
    for period in periods:
        study_of(client, period)
    rest = {"client": f"../params/{CLIENT.name}", "language": "zh", "audience": "manager"}
    given = [{**rest, "period": period.name, "team": team} for period in periods for team in client.teams(period)]
    return [given[i % len(given)] for i in range(reports)]


def shell_report(parameters: dict[str, Any], folder: Path) -> float:
    """Seconds of `papermill` followed by `jupyter nbconvert`, each a process of its own."""
    out = folder / "shell.ipynb"
    values = [word for name, value in parameters.items() for word in ("-p", name, str(value))]
    started = time.perf_counter()
    commands = (
        ["papermill", str(NOTEBOOK), str(out), *values, "--no-progress-bar", "--cwd", str(NOTEBOOK.parent)],
        ["nbconvert", "--to", "html", str(out)],
    )
    for module, *words in commands:
        subprocess.run([sys.executable, "-m", module, *words], check=True, capture_output=True)
    return time.perf_counter() - started


def in_turns(arguments: argparse.Namespace, sets: list[dict[str, Any]], folder: Path) -> tuple[float, float, float]:
    """Median seconds a report of (b) and of (c), and the highest peak in megabytes."""
    jobs = [job(i, parameters, folder) for i, parameters in enumerate(sets)]
    ours, floor, peaks = [], [], []

    with ForkingExecutor(2) as executor:

        def render_all() -> None:
            results = run_jobs(jobs, executor, on_done=lambda _: None)
            failed = [result for result in results if result.status == "failed"]
            assert not failed, failed[0]
            peaks.append(max(result.peak_mb or 0.0 for result in results))

        def call_all() -> None:
            for future in [executor.submit(appraisal, **parameters) for parameters in sets]:
                future.result()

        executor.submit(time.sleep, 0).result()
        for _ in range(arguments.rounds):
            ours.append(timed(render_all) / len(jobs))
            floor.append(timed(call_all) / len(jobs))
    return statistics.median(ours), statistics.median(floor), max(peaks)


def job(number: int, parameters: dict[str, Any], folder: Path) -> Job:
    target = folder / "out" / f"report-{number}"
    return Job(target.name, NOTEBOOK, parameters, target, folder / f"{number}.log", EXPORT)


def timed(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    raise SystemExit(main())
