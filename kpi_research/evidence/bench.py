"""Worlds of known truth through the same study, many times: how often is each kind of KPI called what?

What a verdict is worth depends on people, periods and how things hang over from month to month; `World.like` takes
them from a client's own panel, and these rates are then that client's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from kpi_research.evidence.plan import DEFAULT_PLAN, Plan
from kpi_research.evidence.study import study
from kpi_research.evidence.verdict import CODES
from kpi_research.evidence.worlds import TRUTHS, Drawn, Truth, World, draw

Letters = Mapping[Truth, Sequence[str]]
"""The letters that the KPIs of each truth were given in one draw."""


CLAIMS = ("B",)
"""Letters that say that a KPI predicts the result."""

REAL: frozenset[Truth] = frozenset({"driver", "proxy", "alias"})
"""What may truly be called a predictor: the driver, and what shows it. Demand is not in it: it predicts for a while,
but work that is only done where demand is must not be recommended."""

FALSE_DISCOVERY = "false_discovery"
COLUMNS = ["truth", "code", "share", "mc_error", "draws"]


def bench(
    world: World,
    draws: int,
    *,
    seed: int = 0,
    plan: Plan = DEFAULT_PLAN,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """How often each kind of KPI of `world` is called what.

    Parameters
    ----------
    draws
        Panels to draw and study; each has its own random numbers, so the first ones stay the same when there are more.
    progress
        Called after each with how many are done and how many are wanted.

    Returns
    -------
    As `tabulated`. To stop early, take what is wanted of `called` and tabulate that.
    """
    seen = []
    for letters in called(world, draws, seed=seed, plan=plan):
        seen.append(letters)
        if progress:
            progress(len(seen), draws)
    return tabulated(seen)


def called(world: World, draws: int, *, seed: int = 0, plan: Plan = DEFAULT_PLAN) -> Iterator[Letters]:
    """The letters of one draw after the other."""
    for number in range(draws):
        yield _letters(draw(world, np.random.default_rng([seed, number])), plan)


def tabulated(seen: Sequence[Letters]) -> pd.DataFrame:
    """Shares of letters by truth over draws.

    Returns
    -------
    `truth, code, share, mc_error, draws`: a row for each truth of the world and each letter, with the share of KPIs of
    that truth that got it (0-1) and its Monte Carlo standard error, where KPIs of one panel count as one observation.
    The error is 0 where all draws agree; the true rate may then still be 3 / draws away. The last row, with the truth
    `false_discovery` and the code B, is the mean over the draws of the share of false ones among the KPIs called B,
    0 where there are none (Benjamini & Hochberg 1995).
    """
    found = [truth for truth in TRUTHS if any(truth in letters for letters in seen)]
    rows: list[tuple[str, str, float, float, int]] = [
        (truth, code, *_mean([list(letters[truth]).count(code) / len(letters[truth]) for letters in seen]), len(seen))
        for truth in found
        for code in CODES
    ]
    if seen:
        rows.append((FALSE_DISCOVERY, "B", *_mean([_false_share(letters) for letters in seen]), len(seen)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _letters(drawn: Drawn, plan: Plan) -> Letters:
    found = study(
        drawn.panel,
        outcome=drawn.outcome,
        plan=plan,
        lineage=drawn.lineage,
        asof=drawn.asof,
        teams=drawn.teams,
        with_depth=False,
    ).verdicts
    by_truth: dict[Truth, list[str]] = {}
    for kpi, code in zip(found["kpi"], found["code"], strict=True):
        by_truth.setdefault(drawn.truth[kpi], []).append(code)
    return by_truth


def _false_share(letters: Letters) -> float:
    claims = {truth: sum(code in CLAIMS for code in codes) for truth, codes in letters.items()}
    false = sum(count for truth, count in claims.items() if truth not in REAL)
    return false / max(1, sum(claims.values()))


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and its standard error; the error of a single value is unknown."""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(np.mean(values)), float(error)
