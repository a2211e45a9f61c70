"""Of a client: how much of a period's scores is luck, and which weights would have gone best with later results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kpi_research.appraisal.luck import ScoreLuck, score_luck
from kpi_research.appraisal.scheme import Scheme, SchemeItem
from kpi_research.appraisal.score import Score
from kpi_research.appraisal.suggested_weights import STEP, suggest
from kpi_research.appraisal.weight_candidates import WeightAdvice, candidates, earned, kind_bands, well_known
from kpi_research.crm.roster import UNASSIGNED
from kpi_research.panel import panel
from kpi_research.periods import Period, as_intervals, weekly_slices
from kpi_research.run.customers import team_members
from kpi_research.run.scheme_choice import scheme_of
from kpi_research.run.scores import score_of
from kpi_research.run.studies import study_of

if TYPE_CHECKING:
    from kpi_research.run.client import Client

SEED = 20260201
"""Fixed, so that the same data give the same sentences."""
ADDED = frozenset("ABC")
"""Letters of KPIs outside the scheme that may be suggested: they go with results."""


def luck_of(client: Client, period: Period, team: str | None = None) -> ScoreLuck | None:
    """Luck in the scores of those who were in a team at the period's end; None without a scheme or anybody there.

    Parameters
    ----------
    team
        The whole company without it.
    """
    members, scheme = team_members(client, period, team), scheme_of(client, period, team=team)
    if scheme is None or not members:
        return None
    before = period.shift(-1)
    known = before in client.periods(period.grain)
    return score_luck(
        _scored(client, period, members),
        _scored(client, before, members) if known else None,
        scheme,
        client.kpis,
        rng=np.random.default_rng(SEED),
    )


def _scored(client: Client, period: Period, members: list[str]) -> tuple[Score, int]:
    return score_of(client, period, "person", members), len(weekly_slices(period))


def weights_of(client: Client, period: Period) -> WeightAdvice | None:
    """Weights from all whole quarters up to a period; None without a scheme or without KPIs whose weight may move.

    Notes
    -----
    Only KPIs that a person has an own figure for by a plain rule move: those of the team, those that raters give and
    those with steps over the value keep their weight.
    """
    scheme = scheme_of(client, period)
    quarters = [quarter for quarter in client.periods("quarter") if quarter.end <= period.end]
    if scheme is None or not quarters:
        return None
    verdicts = study_of(client, period).verdicts
    letters = dict(zip(verdicts["kpi"], verdicts["code"], strict=True))
    items = _items(client, scheme, letters)
    if not items:
        return None
    outcome = client.settings.outcome
    rows = panel(client.data.parts.only({*items, outcome}), as_intervals(quarters), "person")
    # who had left earned nothing, whatever the weights
    rows = rows[(rows["entity_id"] != UNASSIGNED) & (rows["working_days"] > 0)]
    targets = {
        (quarter.name, person, kpi): target
        for quarter in quarters
        for (person, kpi), target in client.targets(quarter, "person").items()
    }
    found = earned(rows, items, client.kpis, targets, outcome)
    known = well_known(found)
    choice = candidates(scheme, client.kpis, letters, known)
    if not choice:
        return None
    order = [found.kpis.index(each.kpi) for each in choice]
    made = suggest(
        found.reached[..., order],
        found.result,
        choice,
        kind_bands(scheme, client.kpis, known),
        rng=np.random.default_rng(SEED),
    )
    unchanged = tuple(item.kpi for item in scheme.items if item.kpi not in known)
    return WeightAdvice(made, unchanged, tuple(kpi for kpi in found.by_median if kpi in {*made.present, *made.weights}))


def _items(client: Client, scheme: Scheme, letters: dict[str, str]) -> dict[str, SchemeItem]:
    own = {
        item.kpi: item
        for item in scheme.weighted
        if item.scope == "person"
        and not item.raters
        and not (item.steps and item.steps_on == "value")
        and "person" in client.kpis[item.kpi].levels
    }
    taken = {item.kpi for item in scheme.items}
    added = [kpi for kpi, letter in letters.items() if letter in ADDED and kpi not in taken]
    return own | {kpi: SchemeItem.model_validate({"kpi": kpi, "weight": STEP}) for kpi in added if own}
