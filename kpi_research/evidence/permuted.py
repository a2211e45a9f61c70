"""A placebo by chance: the KPI dealt out anew among the people of each period, and asked the same question.

Where teams are known it is dealt out among the people of a team.

What a period did to everybody stays, and so does how the KPI is spread; whose it was does not. A KPI that says
something of a person's later results must say more than nearly all of these (randomisation test). All of them are
fitted in one pass (`batch`). The strongest lag is compared with the strongest of each deal, so that having chosen it is
allowed for.

Of 400 simulated panels each (40 people x 24 months, results AR(.3), a KPI AR(.4) of able people without any effect)
4.8 % had a p of at most 5 %; of KPIs with an effect of .15, 92 % (`tests/test_evidence_permuted.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kpi_research.evidence.batch import Batch, fit_each
from kpi_research.evidence.fixed_effects import Codes, FloatArray
from kpi_research.evidence.outcome import outcome_of
from kpi_research.evidence.peers import beyond_peers
from kpi_research.evidence.stepdown import by_results

DEALS = 199
SEED = 20260103
"""Fixed, so that the same data give the same p."""


def permutation_p(
    y: FloatArray, x: FloatArray, lags: int, *, peers: Codes | None = None, deals: int = DEALS, seed: int = SEED
) -> float:
    """Share of the deals whose strongest lag is at least as strong as the KPI's own, itself included.

    Parameters
    ----------
    y, x
        The result in the form that is tested, and the KPI; N x T each.
    peers
        N codes of those among whom it is dealt out, and with whom results are compared; everybody if None.
    deals
        How often it is dealt out anew; the smallest p is 1 / (deals + 1).

    Returns
    -------
    NaN where no lag of the KPI can be estimated.
    """
    y, x = beyond_peers(y, peers), beyond_peers(x, peers)
    own = _strongest(fit_each(y, x[None], lags))[0]
    if np.isnan(own):
        return float("nan")
    dealt = _strongest(fit_each(y, np.stack([*_dealt(x, deals, np.random.default_rng(seed), peers)]), lags))
    return float(1 + np.sum(dealt >= own)) / (deals + 1)


def permutation_ps(
    y: FloatArray, kpis: Mapping[str, FloatArray], lags: int, peers: Codes | None = None
) -> dict[str, float]:
    """The same for each KPI of a family and the outcome y as it is (N x T each); whoever is called what."""
    tested = outcome_of(y).tested
    order = by_results(tested)
    ordered = None if peers is None else peers[order]
    return {kpi: permutation_p(tested[order], x[order], lags, peers=ordered) for kpi, x in kpis.items()}


def _dealt(x: FloatArray, deals: int, rng: np.random.Generator, peers: Codes | None = None) -> list[FloatArray]:
    """The values of each period among those peers who have one; who has none still has none."""
    known = np.isfinite(x)
    group = np.zeros((len(x), 1)) if peers is None else peers[:, None].astype(float)
    last = group.max(initial=0.0) + 2
    made = []
    for _ in range(deals):
        # unknown values are drawn last, and so the known ones come first in a random order
        order = np.argsort(np.where(known, group + rng.random(x.shape), last), axis=0)
        places = np.argsort(np.where(known, group, last), axis=0, kind="stable")
        values = np.take_along_axis(x, order, axis=0)
        new = np.full_like(x, np.nan)
        np.put_along_axis(new, places, values, axis=0)
        made.append(new)
    return made


def _strongest(batch: Batch) -> FloatArray:
    """K largest absolute t over the lags; NaN where none can be estimated."""
    t = np.abs(np.divide(batch.coef, batch.se, out=np.full_like(batch.coef, np.nan), where=batch.se > 0))
    seen = np.isfinite(t).any(axis=1)
    return np.where(seen, np.where(np.isfinite(t), t, -np.inf).max(axis=1), np.nan)
