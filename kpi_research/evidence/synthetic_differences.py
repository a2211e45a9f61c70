"""One team changed, compared another way: synthetic difference in differences, beside the synthetic control.

Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021, American Economic Review 111(12), algorithms 1 and 4): other teams
are weighted so that they moved like the changed one before, with a penalty on leaning on few of them, and months before
the change so that the other teams' results in them were like those after it. The effect is the difference in
differences with both weights. Its error is how much the same comparison shows of teams where nothing changed.

It is told beside the synthetic control and not in its place. With a dozen or two of months before the change the
weights of months lean on two or three of them, whose noise is then the estimate's. Why, with figures:
`docs/decisions/0028-synthetic-differences-beside.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpi_research.evidence.fixed_effects import FloatArray, NotEstimableError, t_quantile
from kpi_research.evidence.synthetic_control import (
    EFFECT_MONTHS,
    LEAST_AFTER,
    LEAST_BEFORE,
    LEAST_DONORS,
    simplex_weights,
)

MONTHS_PENALTY = 1e-6
"""Of the weights of months, in units of the noise: it only decides between weights that are as good (section II)."""


@dataclass(frozen=True)
class SyntheticDifferences:
    """A team beside weighted others, from weighted months before to the months after.

    Parameters
    ----------
    effect
        In the outcome's unit.
    se
        Standard deviation of the placebos.
    low, high
        95 % interval: t with one degree of freedom fewer than there are others.
    team_weights, month_weights
        Shares of the J others, and of the months before the change; 1 in all, each.
    placebos
        J effects of the others, as if each had changed and the team had not been there.
    """

    effect: float
    se: float
    low: float
    high: float
    team_weights: FloatArray
    month_weights: FloatArray
    placebos: FloatArray


def synthetic_differences(
    treated: FloatArray, donors: FloatArray, start: int, *, after: int = EFFECT_MONTHS
) -> SyntheticDifferences:
    """Compare a team's results (T) with those of J others (J x T), the change coming in month `start`.

    Parameters
    ----------
    after
        Months after the change whose mean counts.

    Raises
    ------
    NotEstimableError
        If there are fewer than 6 others, 12 months before or 3 after, a value is missing, or the others do not vary.
    """
    short = len(donors) < LEAST_DONORS or start < LEAST_BEFORE or donors.shape[1] - start < LEAST_AFTER
    if short or not np.isfinite(donors).all() or not np.isfinite(treated).all():
        raise NotEstimableError
    end = min(start + after, donors.shape[1])
    before, mean_after = (
        np.vstack([treated, donors])[:, :start],
        np.vstack([treated, donors])[:, start:end].mean(axis=1),
    )
    effect, of_teams, of_months = _effect(before, mean_after, end - start)
    others = [np.r_[i, np.delete(np.arange(1, len(donors) + 1), i - 1)] for i in range(1, len(donors) + 1)]
    placebos = np.array([_effect(before[who], mean_after[who], end - start)[0] for who in others])
    se = float(placebos.std(ddof=1))
    reach = t_quantile(0.975, len(donors) - 1) * se
    return SyntheticDifferences(effect, se, effect - reach, effect + reach, of_teams, of_months, placebos)


def _effect(before: FloatArray, after: FloatArray, months: int) -> tuple[float, FloatArray, FloatArray]:
    """The effect on the first team, and the weights of the other teams and of the months.

    Parameters
    ----------
    before, after
        Teams x months before, and each team's mean of the `months` after.
    """
    donors, length = before[1:], before.shape[1]
    noise = float(np.diff(donors, axis=1).std(ddof=1))
    if noise == 0:
        raise NotEstimableError
    moves = before - before.mean(axis=1, keepdims=True)
    of_teams = _penalised(moves[0], moves[1:], months**0.25 * noise * np.sqrt(length))
    lines = np.column_stack([donors, after[1:]])
    lines = (lines - lines.mean(axis=0)).T
    of_months = _penalised(lines[-1], lines[:-1], MONTHS_PENALTY * noise * np.sqrt(len(donors)))
    change = after - before @ of_months
    return float(change[0] - of_teams @ change[1:]), of_teams, of_months


def _penalised(target: FloatArray, donors: FloatArray, size: float) -> FloatArray:
    """Weights of the simplex that minimise |target - w donors|^2 + (size |w|)^2."""
    own = size * np.eye(len(donors))
    return simplex_weights(np.append(target, np.zeros(len(donors))), np.hstack([donors, own]))
