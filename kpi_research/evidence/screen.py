"""A look at the whole map: every KPI at every lag, alone. It is no verdict.

The best cell of a map of noise looks good, too: of 60 cells without any effect three have p <= .05. How often chance
alone makes a map with a cell as strong as this one is the family-wise p of that cell (`stepdown`). What stands out even
so is still an association at one lag only, and a KPI that goes with a driver stands out beside it: whether there is
more to it is asked by the tests behind a verdict (`study`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import special

from kpi_research.evidence.batch import Batch, fit_each
from kpi_research.evidence.fixed_effects import Codes, FloatArray
from kpi_research.evidence.multiplicity import family_q
from kpi_research.evidence.peers import beyond_peers
from kpi_research.evidence.stepdown import DRAWS, SEED, by_results, familywise_p

SCREEN_COLUMNS = [
    "kpi", "lag", "effect", "se", "ci_low", "ci_high", "p", "q", "q_by", "familywise_p", "n_people", "n_periods",
]  # fmt: skip


def screen(
    y: FloatArray,
    kpis: Mapping[str, FloatArray],
    lags: int,
    *,
    peers: Codes | None = None,
    draws: int = DRAWS,
    seed: int = SEED,
) -> pd.DataFrame:
    """The result on every KPI alone, at each lag alone, with person and period effects.

    The best cell of a map of noise looks good, too; only `familywise_p` allows for having chosen it.

    Parameters
    ----------
    y
        N x T, the result in the form that is tested (`outcome.Outcome.tested`).
    kpis
        By name N x T each. A KPI made of the result's own records, or a second name of another, does not belong here.
    lags
        At least 1.
    peers
        N codes of those whose periods share an effect (`peers.peers_of`); everybody's do if None.
    draws, seed
        Of the bootstrap (`stepdown.familywise_p`).

    Returns
    -------
    One row a KPI and lag: `kpi, lag`; `effect` with its error `se` and 95 % interval `ci_low, ci_high`, in
    within-person standard deviations of the result for one of the KPI, both over the rows of the cell; `p` of that cell
    alone. Over the whole map: `q` (Benjamini & Hochberg 1995), `q_by` (Benjamini & Yekutieli 2001, whatever the tests
    have to do with one another) and `familywise_p` (never less than `p`). Then `n_people, n_periods`. NaN where a cell
    cannot be estimated.

    Raises
    ------
    ValueError
        If a KPI has another shape than the result, or there is no lag.
    """
    if any(x.shape != y.shape for x in kpis.values()):
        raise ValueError
    y = beyond_peers(y, peers)
    cube = np.stack([beyond_peers(x, peers) for x in kpis.values()]) if kpis else np.empty((0, *y.shape))
    batch = fit_each(y, cube, lags, peers)
    columns = {name: values.ravel() for name, values in _numbers(batch).items()}
    q, tested = family_q(columns["p"]), np.isfinite(columns["p"]).sum()
    order = by_results(y)
    cells = (scores[order, None] for of_kpi in batch.scores for scores in of_kpi)
    strict = familywise_p(cells, batch.left.ravel(), draws=draws, seed=seed)
    made = {
        "kpi": np.repeat(np.array(list(kpis), dtype=object), lags),
        "lag": np.tile(np.arange(1, lags + 1), len(kpis)),
        **columns,
        "q": q,
        "q_by": np.minimum(1.0, q * np.sum(1 / np.arange(1, tested + 1))),
        "familywise_p": np.maximum(strict, columns["p"]),
    }
    return pd.DataFrame(made)[SCREEN_COLUMNS]


def _numbers(batch: Batch) -> dict[str, FloatArray]:
    """K x L each: effects per within-person standard deviation, their intervals and p."""
    scale, df = batch.sd_x / batch.sd_y, np.maximum(batch.n_people - 1, 1)
    effect, se = batch.coef * scale, batch.se * scale
    half = special.stdtrit(df, 0.975) * se
    return {
        "effect": effect,
        "se": se,
        "ci_low": effect - half,
        "ci_high": effect + half,
        "p": 2 * special.stdtr(df, -np.abs(effect / se)),
        "n_people": batch.n_people,
        "n_periods": batch.n_periods,
    }
