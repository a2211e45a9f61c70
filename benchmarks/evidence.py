"""Regressions a second: every KPI at every lag with person and period effects, beside a loop of pyfixest.

    python benchmarks/evidence.py                                   # 40 KPIs x 6 lags, 200 people x 12 quarters
    python benchmarks/evidence.py --people 2000 --periods 156       # and three years of weeks
    python benchmarks/evidence.py --draws 9999                      # the wild bootstrap of a few teams beside them

Both routes give the same coefficients and clustered errors to 1e-8, which is checked before the clock counts. The floor
is one pass over the same numbers: the within transformation of one KPI at one lag, for all of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpi_research.evidence.few_teams import wild_bootstrap
from kpi_research.evidence.fixed_effects import fit, within
from kpi_research.evidence.grid import Rows, lagged, rows_of
from kpi_research.evidence.simulate import autoregressive

AGREE = 1e-8


def main() -> int:
    arguments = parse()
    rng = np.random.default_rng(1)
    shape = (arguments.people, arguments.periods)
    y = autoregressive(rng, shape, 0.3) + rng.normal(size=(arguments.people, 1))
    kpis = [autoregressive(rng, shape, 0.4) for _ in range(arguments.kpis)]
    tasks = list(rows_at(y, kpis, arguments.lags))
    ours, mine = timed(one, tasks)
    theirs, public = timed(by_pyfixest, tasks[: arguments.public])
    floor, _ = timed(lambda rows: within(np.column_stack([rows.y, rows.X]), rows.person, rows.period), tasks)
    apart = max(abs(a - b).max() for a, b in zip(mine[: len(public)], public, strict=True))
    print(f"{len(tasks)} regressions of {len(tasks[0].y):,} rows; largest difference {apart:.1e}")
    if apart > AGREE:
        return 1
    per_task = theirs / len(public)
    print(f"{'route':28s} {'regressions':>11s} {'ms each':>9s} {'x pyfixest':>11s} {'x floor':>8s}")
    for name, count, seconds in (
        ("pyfixest, feols in a loop", len(public), theirs),
        ("kpi_research, fit in a loop", len(tasks), ours),
        ("floor: within alone", len(tasks), floor),
    ):
        each = seconds / count
        print(f"{name:28s} {count:11d} {1000 * each:9.2f} {per_task / each:11.1f} {each * len(tasks) / floor:8.2f}")
    if arguments.draws:
        bootstrap(arguments.draws, rng)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--periods", type=int, default=12)
    parser.add_argument("--kpis", type=int, default=40)
    parser.add_argument("--lags", type=int, default=6)
    parser.add_argument("--public", type=int, default=24, help="how many of them by pyfixest")
    parser.add_argument("--draws", type=int, default=0, help="draws of the wild bootstrap; 0 for none")
    return parser.parse_args()


def rows_at(y: np.ndarray, kpis: list[np.ndarray], lags: int) -> Iterator[Rows]:
    """The rows of every KPI at every lag."""
    for x in kpis:
        for lag in range(1, lags + 1):
            yield rows_of(y, lagged(x, lag))


def one(rows: Rows) -> np.ndarray:
    """Coefficient and clustered error by this package."""
    found = fit(rows.y, rows.X, person=rows.person, period=rows.period).at(0)
    return np.array([found.value, found.se])


def by_pyfixest(rows: Rows) -> np.ndarray:
    """The same by pyfixest, data frame included: that is what a loop over KPIs has to build."""
    import pyfixest

    frame = pd.DataFrame({"y": rows.y, "x": rows.X[:, 0], "i": rows.person, "t": rows.period})
    made = pyfixest.feols("y ~ x | i + t", frame, vcov={"CRV1": "i"})
    return np.array([float(made.coef()["x"]), float(made.se()["x"])])


def timed(run, tasks: list[Rows]) -> tuple[float, list[np.ndarray]]:  # type: ignore[no-untyped-def]
    """Seconds for all tasks, after one that does not count, and what they gave."""
    run(tasks[0])
    start = time.perf_counter()
    found = [run(task) for task in tasks]
    return time.perf_counter() - start, found


def bootstrap(draws: int, rng: np.random.Generator) -> None:
    """Time of the wild bootstrap over 8 teams of 30 people and 24 periods; the public package is not pinned here."""
    rows = rows_of(*(autoregressive(rng, (240, 24), 0.5) for _ in range(2)))
    team = rows.person // 30
    start = time.perf_counter()
    wild_bootstrap(rows.y, rows.X, 0, person=rows.person, period=rows.period, cluster=team, seed=1, draws=draws)
    print(f"wild bootstrap, {draws} draws, 8 teams: {1000 * (time.perf_counter() - start):.0f} ms")


if __name__ == "__main__":
    raise SystemExit(main())
