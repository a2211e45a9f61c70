"""Worlds of known truth through the same study, many times: how often is each kind of KPI called what?

What a verdict is worth depends on people, periods and how things hang over from month to month; `World.like` takes
them from a client's own panel, and these rates are then that client's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import special

from kpi_research.evidence.fixed_effects import FloatArray
from kpi_research.evidence.plan import DEFAULT_PLAN, Plan
from kpi_research.evidence.simulate import simulate
from kpi_research.evidence.study import study
from kpi_research.evidence.worlds import TRUTHS, Drawn, Truth, World, draw, truth_of

Letters = Mapping[Truth, Sequence[str]]
"""The letters that the KPIs of each truth were given in one draw."""

LETTERS = "HNRDFGEICBA"
"""Every letter of the ladder, in the order of its gates."""

CLAIMS = "BA"
"""Letters that say that a KPI predicts the result."""

REAL: frozenset[Truth] = frozenset({"driver", "proxy", "alias"})
"""What may truly be called a predictor: the driver, and what shows it. Demand is not in it: it predicts for a while,
but work that is only done where demand is must not be recommended."""

FALSE_DISCOVERY = "false_discovery"
COLUMNS = ["truth", "code", "share", "mc_error", "draws"]

ALPHA = 0.05
NAIVE = (
    "same_pooled", "lag_pooled", "same_within", "lag_within", "lag_dynamic", "lead", "lag_and_clean_lead",
)  # fmt: skip
"""Columns of `naive_table`, in the order of section 0."""


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
    `false_discovery` and the code B, is the mean over the draws of the share of false ones among the KPIs called B or
    better, 0 where there are none (Benjamini & Hochberg 1995).
    """
    found = [truth for truth in TRUTHS if any(truth in letters for letters in seen)]
    rows: list[tuple[str, str, float, float, int]] = [
        (truth, code, *_mean([list(letters[truth]).count(code) / len(letters[truth]) for letters in seen]), len(seen))
        for truth in found
        for code in LETTERS
    ]
    if seen:
        rows.append((FALSE_DISCOVERY, "B", *_mean([_false_share(letters) for letters in seen]), len(seen)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _letters(drawn: Drawn, plan: Plan) -> Letters:
    found = study(
        drawn.panel, outcome=drawn.outcome, plan=plan, lineage=drawn.lineage, asof=drawn.asof, with_depth=False
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


def naive_table(world: World, draws: int, seed: int = 0) -> pd.DataFrame:
    """What simpler analyses would call significant at 5 %: the table of the methodology, section 0.

    Nobody comes, goes or is missing here, whatever the world says.

    Returns
    -------
    By truth (index) the share of draws, 0-1, in which a KPI of that truth is significant: `same_pooled, lag_pooled`
    pooled correlation with the result of the same and of the next month; `same_within, lag_within` with person and
    period effects and errors clustered by person; `lag_dynamic` the latter beside y_{t-1}; `lead` x_{t+1} beside x_t
    and x_{t-1}; `lag_and_clean_lead` when `lag_dynamic` is and `lead` is not.
    """
    made = simulate(replace(world, noise=1), np.random.default_rng(seed), draws)
    rows = {truth_of(kpi): _naive_shares(made.result, x) for kpi, x in made.kpis.items()}
    return pd.DataFrame([rows[truth] for truth in TRUTHS if truth in rows],
                        index=pd.Index([truth for truth in TRUTHS if truth in rows], name="truth"))  # fmt: skip


def _naive_shares(y: FloatArray, x: FloatArray) -> dict[str, float]:
    now, before, middle = y[..., 1:], x[..., :-1], slice(1, -1)
    dynamic = within_p(now, before, y[..., :-1]) < ALPHA
    lead = within_p(y[..., middle], x[..., 2:], x[..., middle], x[..., :-2]) < ALPHA
    significant = (
        pooled_p(y, x) < ALPHA, pooled_p(now, before) < ALPHA, within_p(y, x) < ALPHA, within_p(now, before) < ALPHA,
        dynamic, lead, dynamic & ~lead,
    )  # fmt: skip
    return {name: float(found.mean()) for name, found in zip(NAIVE, significant, strict=True)}


def pooled_p(y: FloatArray, x: FloatArray) -> FloatArray:
    """p-values (draws) of the plain correlation over all person-periods, arrays draws x N x T."""
    draws, n = len(y), y[0].size
    a, b = (values.reshape(draws, n) - values.reshape(draws, n).mean(axis=1, keepdims=True) for values in (y, x))
    r = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.asarray(2 * special.stdtr(n - 2, -np.abs(r) * np.sqrt((n - 2) / (1 - r**2))))


def within_p(y: FloatArray, *regressors: FloatArray) -> FloatArray:
    """p-values (draws) of the first regressor with person and period effects, arrays draws x N x T without gaps.

    The same as `fixed_effects.fit` clustered by person, for all draws at once.
    """
    outcome, X = _demeaned(y), np.stack([_demeaned(values) for values in regressors], axis=-1)
    _, people, periods, k = X.shape
    bread = np.linalg.inv(np.einsum("dntk,dntl->dkl", X, X))
    coef = np.einsum("dkl,dl->dk", bread, np.einsum("dntk,dnt->dk", X, outcome))
    residuals = outcome - np.einsum("dntk,dk->dnt", X, coef)
    scores = np.einsum("dntk,dnt->dnk", X, residuals)
    n = people * periods
    factor = people / (people - 1) * (n - 1) / (n - k - periods)
    cov = factor * bread @ np.einsum("dnk,dnl->dkl", scores, scores) @ bread
    t = coef[:, 0] / np.sqrt(cov[:, 0, 0])
    return np.asarray(2 * special.stdtr(people - 1, -np.abs(t)))


def _demeaned(values: FloatArray) -> FloatArray:
    over = values - values.mean(axis=-1, keepdims=True)
    return np.asarray(over - over.mean(axis=-2, keepdims=True))
