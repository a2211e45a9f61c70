"""What an association must stand up to before it may be called a prediction.

Records made in time: the same regression on what was on file at each period's end. A visit that is typed in after the
contract and dated before it predicts the contract perfectly; no other gate can see that. Then, on those same records:
the KPI's past must say something of each person's result beyond that result's own past (Granger), must make forecasts
better that were really made before (out of sample), and must not rest on one person or one team.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from kpi_research.evidence.fixed_effects import Codes, FloatArray, NotEstimableError
from kpi_research.evidence.forecast import Gain, fit_gain
from kpi_research.evidence.granger import Granger, juodis_karavias_sarafidis
from kpi_research.evidence.lags import LagFit, fit_lags_of
from kpi_research.evidence.outcome import Outcome
from kpi_research.evidence.stability import Stability, leave_one_out

LEAST_TEAMS = 3
"""With two teams, leaving out one leaves only the other: that is no test of stability."""

Fitted = TypeVar("Fitted")


def attempted(run: Callable[[], Fitted]) -> Fitted | None:
    """What a fit gives; None where the data cannot carry it."""
    try:
        return run()
    except NotEstimableError:
        return None


@dataclass(frozen=True)
class Gates:
    """What the gates of one KPI and outcome gave; None where the data cannot carry a fit.

    Parameters
    ----------
    on_file
        The lags of the KPI as it was on file at each period's end.
    by_person, by_team
        Left out one at a time; `by_team` also None where there are fewer than `LEAST_TEAMS` teams.
    rests_on_a_team
        Whether there are so many teams, and nothing can be told without one of them.
    """

    on_file: LagFit | None = None
    granger: Granger | None = None
    gain: Gain | None = None
    by_person: Stability | None = None
    by_team: Stability | None = None
    rests_on_a_team: bool = False


def gates(
    outcome: Outcome,
    x: FloatArray,
    x_on_file: FloatArray | None,
    full: LagFit,
    *,
    teams: Codes | None = None,
    peers: Codes | None = None,
) -> Gates:
    """Run every gate; results that move by shares in their relative form, with which the association was found.

    Parameters
    ----------
    x, x_on_file
        The KPI, and the KPI as it was on file at each period's end (N x T each); None where its records do not say when
        they were made. The other gates then run on the KPI as it is.
    full
        The lags of the KPI as it is.
    teams
        N codes, -1 for people without a team; None where no teams are known.
    peers
        N codes of those whose periods share an effect (`peers.peers_of`); everybody's do if None.
    """
    used, lags = x if x_on_file is None else x_on_file, len(full.profile)
    several = teams is not None and len({*teams.tolist()} - {-1}) >= LEAST_TEAMS
    on_file: LagFit | None = None
    if x_on_file is not None:
        same = np.array_equal(x, x_on_file, equal_nan=True)
        on_file = full if same else attempted(lambda: fit_lags_of(outcome, x_on_file, lags, peers))
    by_team = attempted(lambda: leave_one_out(outcome.tested, used, lags, teams, peers)) if several else None
    return Gates(
        on_file=on_file,
        granger=_granger(outcome.tested, used, lags, peers),
        gain=attempted(lambda: fit_gain(outcome.as_known, used, lags)),
        by_person=attempted(lambda: leave_one_out(outcome.tested, used, lags, peers=peers)),
        by_team=by_team,
        rests_on_a_team=several and by_team is None,
    )


def _granger(y: FloatArray, x: FloatArray, lags: int, peers: Codes | None) -> Granger | None:
    """The test with one lag, with two and so on, by Simes's rule (1986): the smallest of L p_(k) / k.

    It is not known after how long a KPI works, and superfluous lags cost power.
    """
    made = [attempted(functools.partial(juodis_karavias_sarafidis, y, x, order, peers)) for order in range(1, lags + 1)]
    found = sorted((each for each in made if each is not None), key=lambda each: each.p)
    if not found:
        return None
    p = min(len(found) * each.p / rank for rank, each in enumerate(found, start=1))
    return replace(found[0], p=min(1.0, p))
