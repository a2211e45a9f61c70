"""Since when a KPI has more weight for each person: by the versions of the schemes and the changes of a client file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kpi_research.appraisal.scheme import Scheme
from kpi_research.evidence.fixed_effects import Codes
from kpi_research.periods import Period
from kpi_research.run.change_studies import changes_asked
from kpi_research.run.on_file import latest_teams
from kpi_research.run.scheme_choice import schemes_of

if TYPE_CHECKING:
    from kpi_research.run.client import Client

LEAST_RISE = 5.0
"""Percentage points of weight; for less than that nobody works otherwise."""
Rise = tuple[str, int, dt.date]
"""KPI, place of the person, and day."""


def weight_starts(
    client: Client, kpis: Sequence[str], people: Sequence[str], months: Sequence[Period], upto: Period
) -> dict[str, Codes]:
    """By KPI, for each person the place of the first whole month with more weight; as many as there are months if none.

    Parameters
    ----------
    months
        All whole months up to the end of `upto`.
    """
    starts = {kpi: np.full(len(people), len(months), dtype=np.intp) for kpi in kpis}
    for kpi, person, day in [*_by_version(client, people, upto), *_by_change(client, people, upto)]:
        if kpi in starts:
            place = sum(month.start < day for month in months)
            starts[kpi][person] = min(starts[kpi][person], place)
    return starts


def _by_version(client: Client, people: Sequence[str], upto: Period) -> list[Rise]:
    """Every rise of a weight; a first scheme is none, as nothing is known of what was before."""
    cycles = [each.scheme.cycle for each in client.versions if isinstance(each.scheme, Scheme)]
    if not cycles:
        return []
    found: list[Rise] = []
    before: list[dict[str, float] | None] = [None] * len(people)
    for cycle in [each for each in client.periods(cycles[0]) if each.end <= upto.end]:
        held = schemes_of(client, cycle, [(None, person) for person in people])
        now = [{item.kpi: item.weight for item in scheme.weighted} if scheme else None for scheme in held]
        for person, (was, has) in enumerate(zip(before, now, strict=True)):
            if was is not None and has is not None:
                found += [
                    (kpi, person, cycle.start)
                    for kpi, weight in has.items()
                    if weight >= was.get(kpi, 0.0) + LEAST_RISE
                ]
        before = now
    return found


def _by_change(client: Client, people: Sequence[str], upto: Period) -> list[Rise]:
    teams = latest_teams(client.data.parts, upto)
    return [
        (change.kpi, place, change.starts[teams[person]])
        for change in changes_asked(client)
        for place, person in enumerate(people)
        if teams.get(person) in change.starts
    ]
