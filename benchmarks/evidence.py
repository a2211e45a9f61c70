"""Regressions a second: every KPI at every lag with person and period effects, beside a loop of pyfixest.

    python benchmarks/evidence.py                      # 40 KPIs x 6 lags, 200 people x 12 quarters
    python benchmarks/evidence.py --large              # and 2,000 people x 156 weeks
    python benchmarks/evidence.py --at-least 100       # exit status 1 if the small panel is less than 100 times faster
    python benchmarks/evidence.py --draws 9999         # wild bootstraps beside wildboottest, where that is installed

All routes give the same coefficients and clustered errors to 1e-8, or nothing is printed. Each runs on one core; seconds
are those of the processor, and the best of several runs counts. The floor is one read of the same numbers, every KPI's
grid once a lag: no method that looks at them at all is faster than memory.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = "1"

import argparse
import itertools
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeVar

import numpy as np
import pandas as pd

from kpi_research.evidence.batch import Batch, fit_each
from kpi_research.evidence.few_teams import wild_bootstrap
from kpi_research.evidence.fixed_effects import fit, within
from kpi_research.evidence.grid import Rows, lagged, rows_of
from kpi_research.evidence.simulate import autoregressive
from kpi_research.evidence.stepdown import familywise_p

AGREE = 1e-8
HOLES = 0.05
SMALL, LARGE = (200, 12), (2000, 156)
PATTERNS = ("complete", "holes in common", "holes of each KPI")
Answer = TypeVar("Answer")


def main() -> int:
    arguments = parse()
    slowest = compare(SMALL, arguments)
    if arguments.large:
        compare(LARGE, arguments)
    if arguments.draws:
        bootstraps(arguments.draws)
    return int(slowest < arguments.at_least)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="also 2,000 people x 156 periods")
    parser.add_argument("--kpis", type=int, default=40)
    parser.add_argument("--lags", type=int, default=6)
    parser.add_argument("--sample", type=int, default=8, help="how many regressions in a loop of single ones")
    parser.add_argument("--runs", type=int, default=5, help="the best of so many counts")
    parser.add_argument("--at-least", type=float, default=0, help="times pyfixest's loop, on the small panel")
    parser.add_argument("--draws", type=int, default=0, help="draws of the wild bootstraps; 0 for none")
    return parser.parse_args()


def compare(shape: tuple[int, int], arguments: argparse.Namespace) -> float:
    """A table a pattern of holes; how many times faster the batch is, at least, where KPIs have their holes in common."""
    ratios = {pattern: measure(shape, pattern, arguments) for pattern in PATTERNS}
    return min(ratios["complete"], ratios["holes in common"])


def measure(shape: tuple[int, int], pattern: str, arguments: argparse.Namespace) -> float:
    """Print what a regression costs by each route; how many times faster than pyfixest the batch is."""
    y, kpis = panel(shape, arguments.kpis, pattern)
    lags, sample = range(1, arguments.lags + 1), pairs_of(arguments)
    public, theirs = best(lambda: [by_pyfixest(rows) for rows in sample_rows(y, kpis, sample)], arguments.runs)
    single, mine = best(lambda: [by_fit(rows) for rows in sample_rows(y, kpis, sample)], arguments.runs)
    batched, found = best(lambda: fit_each(y, kpis, len(lags)), arguments.runs)
    read, _ = best(lambda: [kpis[:, :, :-lag].sum() for lag in lags], arguments.runs)
    apart = max(difference(found, sample, theirs), difference(found, sample, mine))
    if apart > AGREE:
        raise SystemExit(f"the routes differ by {apart:.1e}")
    count = len(kpis) * len(lags)
    each = {
        "pyfixest, feols in a loop": public / len(sample),
        "kpi_research, fit in a loop": single / len(sample),
        "kpi_research, batched": batched / count,
        "one read": read / count,
    }
    print(f"\n{shape[0]:,} people x {shape[1]} periods, {count} regressions, {pattern}; they differ by {apart:.0e}")
    print(f"{'route':30s} {'ms each':>9s} {'x pyfixest':>11s} {'x one read':>11s}")
    for name, seconds in each.items():
        times = public / len(sample) / seconds
        print(f"{name:30s} {1000 * seconds:9.4f} {times:11.1f} {seconds * count / read:11.1f}")
    print(f"one read: {sum(kpis[:, :, :-lag].nbytes for lag in lags) / read / 1e9:.1f} GB/s")
    return public / len(sample) / batched * count


def panel(shape: tuple[int, int], kpis: int, pattern: str) -> tuple[np.ndarray, np.ndarray]:
    """A result and its KPIs, with 5 % of cells missing: in all of them, or in each KPI others."""
    rng = np.random.default_rng(1)
    y = autoregressive(rng, shape, 0.3) + rng.normal(size=(shape[0], 1))
    x = autoregressive(rng, (kpis, *shape), 0.4)
    if pattern == "holes in common":
        holes = rng.random(shape) < HOLES
        return np.where(holes, np.nan, y), np.where(holes, np.nan, x)
    return y, np.where(rng.random(x.shape) < HOLES, np.nan, x) if pattern == "holes of each KPI" else x


def pairs_of(arguments: argparse.Namespace) -> list[tuple[int, int]]:
    """Some pairs of a KPI and a lag, spread over all of them."""
    pairs = list(itertools.product(range(arguments.kpis), range(1, arguments.lags + 1)))
    return pairs[:: max(1, len(pairs) // arguments.sample)]


def sample_rows(y: np.ndarray, kpis: np.ndarray, sample: list[tuple[int, int]]) -> list[Rows]:
    """Their rows: a loop has to make them, too."""
    return [rows_of(y, lagged(kpis[kpi], lag)) for kpi, lag in sample]


def by_fit(rows: Rows) -> tuple[float, float]:
    """Coefficient and clustered error by this package, one at a time."""
    found = fit(rows.y, rows.X, person=rows.person, period=rows.period).at(0)
    return found.value, found.se


def by_pyfixest(rows: Rows) -> tuple[float, float]:
    """The same by pyfixest with its leanest options, data frame included: that is what a loop over KPIs has to build."""
    import pyfixest

    frame = pd.DataFrame({"y": rows.y, "x": rows.X[:, 0], "i": rows.person, "t": rows.period})
    lean = {"lean": True, "store_data": False, "copy_data": False}
    made = pyfixest.feols("y ~ x | i + t", frame, vcov={"CRV1": "i"}, **lean)
    return float(made.coef()["x"]), float(made.se()["x"])


def difference(found: Batch, sample: list[tuple[int, int]], others: list[tuple[float, float]]) -> float:
    ours = [(found.coef[kpi, lag - 1], found.se[kpi, lag - 1]) for kpi, lag in sample]
    return float(np.abs(np.array(ours) - np.array(others)).max())


def best(run: Callable[[], Answer], runs: int) -> tuple[float, Answer]:
    """Processor seconds of the fastest run, after one that does not count, and what it gave."""
    answer, seconds = run(), []
    for _ in range(runs):
        start = time.process_time()
        answer = run()
        seconds.append(time.process_time() - start)
    return min(seconds), answer


def bootstraps(draws: int) -> None:
    """One coefficient with 8 teams of 30 people and 24 periods, and the whole map of 40 KPIs x 6 lags on 200 people."""
    rng = np.random.default_rng(1)
    rows = rows_of(*(autoregressive(rng, (240, 24), 0.5) for _ in range(2)))
    team = rows.person // 30
    given = {"person": rows.person, "period": rows.period, "cluster": team, "seed": 1, "draws": draws}
    ours, exact = best(lambda: wild_bootstrap(rows.y, rows.X, 0, **given), 7)
    print(f"\nwild bootstrap, {draws} draws")
    print(f"{'kpi_research, 8 teams, exact':42s} {1000 * ours:8.2f} ms  p {exact.p:.4f}")
    y, kpis = panel(SMALL, 40, "complete")
    scores = fit_each(y, kpis, 6).scores.reshape(-1, len(y), 1)
    whole, _ = best(lambda: familywise_p(scores, draws=draws), 3)
    print(f"{'kpi_research, 240 cells of 200 people':42s} {1000 * whole:8.2f} ms, {1000 * whole / 240:.2f} ms a cell")
    if find_spec("wildboottest") is None:
        print("wildboottest: not installed")
        return
    for name, asked, cluster, mine in (
        ("8 teams", rows, team, ours),
        ("one cell of 200 people", rows_of(y, lagged(kpis[0], 1)), None, whole / 240),
    ):
        public, p = best(lambda a=asked, c=cluster: by_wildboottest(a, a.person if c is None else c, draws), 3)
        print(
            f"{f'wildboottest, {name}':42s} {1000 * public:8.2f} ms  p {p:.4f}; ours is {public / mine:.0f} times faster"
        )


def by_wildboottest(rows: Rows, cluster: np.ndarray, draws: int) -> float:
    """Webb's weights, null imposed; persons swept out before, which changes nothing, and periods as dummies."""
    import statsmodels.api as sm
    from wildboottest.wildboottest import wildboottest

    dummies = np.eye(rows.n_periods)[rows.period][:, 1:]
    left = within(np.column_stack([rows.y, rows.X, dummies]), rows.person)
    names = ["x", *(f"period_{number}" for number in range(1, rows.n_periods))]
    model = sm.OLS(left[:, 0], pd.DataFrame(left[:, 1:], columns=names))
    asked = {"param": "x", "cluster": pd.Series(cluster.astype(np.int64)), "weights_type": "webb"}
    found = wildboottest(model, B=draws, seed=1, show=False, parallel=False, **asked)
    return float(found["p-value"].iloc[0])


if __name__ == "__main__":
    raise SystemExit(main())
