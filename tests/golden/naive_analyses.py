"""What simpler analyses than the study call significant, for many simulated panels at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import special

from kpi_research.evidence.fixed_effects import FloatArray
from kpi_research.evidence.simulate import simulate
from kpi_research.evidence.worlds import TRUTHS, World, truth_of

ALPHA = 0.05
NAIVE = (
    "same_pooled", "lag_pooled", "same_within", "lag_within", "lag_dynamic", "lead", "lag_and_clean_lead",
)  # fmt: skip
"""Columns of `naive_table`, in the order of section 0."""


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
