"""How a year falls into months: the client's own past, trusted as far as it repeats itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
SeasonStatus = Literal["repeated", "one_year", "short", "not_positive", "given", "flat", "working_days"]
MONTHS = 12
ONE_YEAR_TRUSTED = 0.5
"""One year cannot tell season from chance, so half of what it shows is believed."""


@dataclass(frozen=True)
class Season:
    """Which part of a year falls on each month.

    Parameters
    ----------
    weights
        Calendar month (1-12) -> weight; 1 is an average month.
    years
        Whole years that it was learnt from.
    trusted
        Share (0-1) of the seen differences between months that is believed; the rest is levelled out.
    status
        `repeated` (two years and more), `one_year`, `short` (no whole year: level), `not_positive` (a year summed to
        nothing or a month to less: level), or as the goal says: `given`, `flat`, `working_days`.
    """

    weights: dict[int, float]
    years: int
    trusted: float
    status: SeasonStatus


def level_season(status: SeasonStatus) -> Season:
    """All months alike."""
    return Season(dict.fromkeys(range(1, MONTHS + 1), 1.0), 0, 0.0, status)


def given_season(weights: tuple[float, ...], first_month: int) -> Season:
    """Twelve weights, the first of them for the month (1-12) in which the fiscal year starts."""
    mean = sum(weights) / MONTHS
    months = [(first_month - 1 + place) % MONTHS + 1 for place in range(MONTHS)]
    return Season({month: weight / mean for month, weight in zip(months, weights, strict=True)}, 0, 1.0, "given")


def season_of(months: pd.Series) -> Season:
    """The season in a client's own past.

    Parameters
    ----------
    months
        Totals of whole months without a gap, oldest first, indexed by name (`2026-07`).

    Notes
    -----
    A month's weight is its mean share of the twelve months that it lies in, counted back from the last month. With two
    years and more it is shrunk towards a level year by how far months differ from year to year (positive-part
    estimator of W. James and C. Stein (1961), Estimation with quadratic loss, Proc. 4th Berkeley Symposium 1, 361-379,
    towards the common mean as in B. Efron and C. Morris (1975), Data analysis using Stein's estimator and its
    generalizations, JASA 70(350), 311-319). Growth within a year is part of the share: it is expected again.
    """
    years = len(months) // MONTHS
    if not years:
        return level_season("short")
    last = months.iloc[len(months) - years * MONTHS :]
    table = last.to_numpy(dtype=float).reshape(years, MONTHS)
    totals = table.sum(axis=1, keepdims=True)
    if not (totals > 0).all():
        return level_season("not_positive")
    ratios = table / totals * MONTHS
    mean = ratios.mean(axis=0)
    trusted = ONE_YEAR_TRUSTED if years == 1 else _repeated(ratios, mean)
    weights = 1 + trusted * (mean - 1)
    if (weights < 0).any():
        return level_season("not_positive")
    names = [int(str(name)[-2:]) for name in last.index[:MONTHS]]
    found = {month: float(weight) for month, weight in zip(names, weights, strict=True)}
    return Season(dict(sorted(found.items())), years, trusted, "one_year" if years == 1 else "repeated")


def _repeated(ratios: FloatArray, mean: FloatArray) -> float:
    """Share of the differences between months that is no chance; ratios of a year sum to 12, so 11 of them are free."""
    years, free = len(ratios), MONTHS - 1
    chance = float(((ratios - mean) ** 2).sum()) / ((years - 1) * free) / years
    seen = float(((mean - 1) ** 2).sum())
    return max(0.0, 1 - (free - 2) * chance / seen) if seen > 0 else 0.0
