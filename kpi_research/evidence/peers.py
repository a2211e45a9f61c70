"""With whom a person is compared in a month: the colleagues of the team.

What a team has in common in a month (a campaign, a lost account manager, a region's demand) moves the KPIs and results
of all its people at once. With effects of the months alone, people of a team are taken for independent witnesses of
such a month, and a KPI without any effect is called significant too often; with effects of every team's own months it
is not. Figures, and why small teams are compared with one another: `docs/decisions/0027-compared-within-the-team.md`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kpi_research.evidence.fixed_effects import Codes, FloatArray
from kpi_research.evidence.grid import rows_of, within_spread

LEAST_PEERS = 4
"""People of a team, in the mean of its months, from which its months have effects of their own."""

NOTHING = 1e-9
"""A share of the variance under this is rounding."""


def peers_of(teams: Codes, active: npt.NDArray[np.bool_]) -> Codes:
    """Groups whose months have effects of their own: teams, and one group of all who are in small ones or in none.

    Parameters
    ----------
    teams
        N codes, -1 for people without a team.
    active
        N x T: who is there when.

    Returns
    -------
    N codes 0, 1, 2 ... without gaps.
    """
    own = np.full(len(teams), -1)
    for team in np.unique(teams[teams >= 0]):
        there = active[teams == team].sum(axis=0)
        if there.any() and there[there > 0].mean() >= LEAST_PEERS:
            own[teams == team] = team
    return np.unique(own, return_inverse=True)[1].astype(np.intp)


def beyond_peers(values: FloatArray, peers: Codes | None) -> FloatArray:
    """Values (N x T) less the mean of the person's peers in the period; as they are where all are peers.

    For tests that know no effects of groups' own periods. Where everybody has a value this is what such effects leave;
    with holes it is nearly that. NaN where a person has no peer in the period.
    """
    if peers is None or not peers.max(initial=0):
        return values
    left = np.full(values.shape, np.nan)
    for group in range(int(peers.max()) + 1):
        own = values[peers == group]
        known = np.isfinite(own)
        count = known.sum(axis=0)
        mean = np.where(known, own, 0.0).sum(axis=0) / np.maximum(count, 1)
        left[peers == group] = np.where(known & (count > 1), own - mean, np.nan)
    return left


def moves_as_one(y: FloatArray, x: FloatArray, peers: Codes) -> bool:
    """Whether x moves for all peers at once, but not for everybody: nothing of it is left to compare colleagues by.

    Parameters
    ----------
    y, x
        Result and KPI, N x T each.
    peers
        As from `peers_of`. Who has no peer in a period is not asked there.
    """
    known = np.where(np.isfinite(y), x, np.nan)
    compared = np.where(np.isfinite(beyond_peers(known, peers)), x, np.nan)
    of_peers, of_all = (within_spread(rows_of(compared, y, peers=each))[1] for each in (peers, None))
    return of_peers < NOTHING <= of_all
