"""A KPI was given weight for some and not for others, or earlier: the only road from "predicts" to "drives"."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from kpi_research.evidence import interrupted, synthetic_control
from kpi_research.evidence.chance_rise import ChanceRise
from kpi_research.evidence.event_study import EventStudy
from kpi_research.evidence.fixed_effects import Codes
from kpi_research.evidence.grid import Grid
from kpi_research.evidence.interrupted import Interrupted
from kpi_research.evidence.synthetic_control import SyntheticControl
from kpi_research.evidence.synthetic_differences import SyntheticDifferences
from kpi_research.evidence.wild_interval import Contrast
from kpi_research.periods import Period

Reason = Literal["routine", "poor_results"]
REASONS: tuple[Reason, ...] = get_args(Reason)
"""Why these teams and not others. Who was chosen for poor results rises anyway."""

Design = Literal["staggered", "synthetic", "interrupted", "none"]

LEAST_BEFORE = 6
"""Months before a change without which a team's own usual level is not known."""

LEAST_AFTER = 3
"""Months after a change, and months in which somebody had not changed yet, to be compared at all."""

STRONG_F = 10.0
"""Squared t of the KPI's own change from which results may be divided by it (Staiger & Stock 1997)."""

TOGETHER_DAYS = 184
"""Changes of two KPIs in a team within half a year of each other cannot be told apart."""


@dataclass(frozen=True)
class Change:
    """A KPI was given weight or a target.

    Parameters
    ----------
    kpi
        Which.
    starts
        Team -> first day under the new rule.
    reason
        Why these teams, and then.
    note
        The client's own words.
    """

    kpi: str
    starts: Mapping[str, dt.date]
    reason: Reason = "routine"
    note: str = ""

    def together_with(self, others: Sequence[Change]) -> tuple[str, ...]:
        """KPIs that were changed in one of its teams at about the same time."""
        found = {
            other.kpi
            for other in others
            for team in self.starts.keys() & other.starts.keys()
            if other.kpi != self.kpi and abs(other.starts[team] - self.starts[team]).days <= TOGETHER_DAYS
        }
        return tuple(sorted(found))


@dataclass(frozen=True)
class Timing:
    """A change on a grid of N persons and T months.

    Parameters
    ----------
    start
        N: the person's first whole month under the change; T where there is none.
    team, names
        N codes of teams, and their names.
    usable
        N x T: people of a known team, without the month in which a change came after its first day, and without teams
        that had changed before there were six months to know them by.
    """

    start: Codes
    team: Codes
    names: tuple[str, ...]
    usable: npt.NDArray[np.bool_]

    @property
    def length(self) -> int:
        """T."""
        return self.usable.shape[1]

    def team_starts(self) -> Codes:
        """By team its start, T where it has none; of teams with usable people."""
        there = self.usable.any(axis=1)
        return np.array([self.start[self.team == t][0] for t in np.unique(self.team[there])], dtype=np.intp)


def timing_of(change: Change, grid: Grid, teams: Mapping[str, str]) -> Timing:
    """When the change came for each person of a monthly grid; `teams` is each person's team."""
    months = [Period.parse(name) for name in grid.periods]
    names = tuple(sorted({teams[person] for person in grid.people if person in teams}))
    starts = {team: _start(months, change.starts[team]) if team in change.starts else len(months) for team in names}
    own = [starts.get(teams.get(person, ""), len(months)) for person in grid.people]
    usable = np.ones((len(own), len(months)), dtype=bool)
    for row, person in enumerate(grid.people):
        start, day = own[row], change.starts.get(teams.get(person, ""))
        if day and start and months[start - 1].start < day < months[start - 1].end:
            usable[row, start - 1] = False
        if person not in teams or start < LEAST_BEFORE:
            usable[row] = False
        elif start > len(months) - LEAST_AFTER:
            # too short to be judged, and no longer unchanged either
            usable[row, start:] = False
            own[row] = len(months)
    codes = [names.index(teams[person]) if person in teams else 0 for person in grid.people]
    return Timing(np.array(own, dtype=np.intp), np.array(codes, dtype=np.intp), names, usable)


def _start(months: list[Period], day: dt.date) -> int:
    """Place of the first month that lies wholly under the change; as many as there are months if none does."""
    return sum(month.start < day for month in months)


def design_of(timing: Timing) -> tuple[Design, str]:
    """How the change can be judged, and what is missing where it cannot: `not_seen`, `too_short`, `one_team`.

    Some teams changed and others not, or later: staggered. One team alone, with at least six others and a year before:
    synthetic. All within three months of one another: interrupted.
    """
    starts, length = timing.team_starts(), timing.length
    changed = starts[starts < length]
    if not len(changed):
        return "none", "not_seen"
    never = len(starts) - len(changed)
    if not never and changed.max() - changed.min() < LEAST_AFTER:
        is_long = changed.min() >= interrupted.LEAST_BEFORE
        return ("interrupted", "") if is_long else ("none", "too_short")
    if len(changed) > 1:
        return "staggered", ""
    is_enough = never >= synthetic_control.LEAST_DONORS and changed[0] >= synthetic_control.LEAST_BEFORE
    return ("synthetic", "") if is_enough else ("none", "one_team")


@dataclass(frozen=True)
class ChangeEffect:
    """What happened after a change of a KPI.

    Parameters
    ----------
    outcome
        The result asked about.
    design, reason
        How it was judged, and why it could not be judged (a key under `changes.reason`).
    effect, first_stage
        Change of the outcome and of the KPI itself, per person and month; None where they could not be estimated.
    honest_low, honest_high
        The effect's interval with an allowance for what the comparison may get wrong; see `event_study.honest_ends` and
        `SyntheticControl.honest`.
    per_unit, per_unit_low, per_unit_high
        Outcome for one unit of the KPI; NaN unless the change moved the KPI strongly.
    together
        KPIs that changed with it.
    chance
        How much of a rise other teams, as low before, had as well; None where there is none to ask.
    donors
        Other teams of a synthetic control, with each one's share in the mixture.
    differences
        The same compared another way, beside a synthetic control; it decides nothing.
    """

    change: Change
    outcome: str
    design: Design
    reason: str = ""
    effect: Contrast | None = None
    first_stage: Contrast | None = None
    honest_low: float = np.nan
    honest_high: float = np.nan
    per_unit: float = np.nan
    per_unit_low: float = np.nan
    per_unit_high: float = np.nan
    together: tuple[str, ...] = ()
    chance: ChanceRise | None = None
    event: EventStudy | None = None
    synthetic: SyntheticControl | None = None
    differences: SyntheticDifferences | None = None
    series: Interrupted | None = None
    periods: tuple[str, ...] = ()
    n_teams: int = 0
    n_changed_teams: int = 0
    n_people: int = 0
    donors: Mapping[str, float] = field(default_factory=dict)

    @property
    def n_donors(self) -> int:
        """Other teams of a synthetic control."""
        return len(self.donors)

    @property
    def is_chance_asked(self) -> bool:
        """Whether these teams were chosen for, or in fact had, the poorest results."""
        return self.change.reason == "poor_results" or (self.chance is not None and self.chance.were_lowest)


@dataclass(frozen=True)
class Drive:
    """Whether a change shows that the KPI drives results.

    Parameters
    ----------
    code
        `A`, or empty.
    gate
        The first condition that failed; `change` for an A. Key of the sentence under `changes.gate`.
    """

    code: Literal["A", ""]
    gate: str


def drives(found: ChangeEffect, *, verdict: str, observed_sign: int) -> Drive:
    """Whether a KPI earns an A: only if every condition holds, asked in this order. Pure.

    An A is rare by intent. Simulated companies of 96 people in 12 teams, 8 of which changed at three dates, one unit
    being the error of a person-month (team shocks of .3 besides): a change that raised results in the first half-year
    by .25 earned it in 0 of 20, by .83 in 3 (in 18 with 200 people in 20 teams), by 1.67 in 20. Where the KPI only went
    with results, and the change moved it by one unit without moving them, no more than 1 % of 400 companies of 36
    people did.

    Parameters
    ----------
    found
        What happened after its change.
    verdict, observed_sign
        The letter that the study gave to the KPI, and the sign of its effect there.
    """
    effect, first = found.effect, found.first_stage
    moved = first.sign if first is not None else 0
    changed = effect.sign if effect is not None else 0
    failed = {
        "verdict": verdict not in ("B", "C"),
        "design": found.design not in ("staggered", "synthetic") or effect is None,
        "donors": found.design == "synthetic" and found.n_donors < synthetic_control.ENOUGH_DONORS,
        "teams": effect is not None and not np.isfinite(effect.p),
        "fit": found.synthetic is not None and found.synthetic.is_poor_fit,
        "together": bool(found.together),
        "first_stage": moved == 0,
        "effect": changed == 0,
        "sign": changed * moved != observed_sign,
        "honest": not (found.honest_low > 0 if changed > 0 else found.honest_high < 0),
        "chance": found.is_chance_asked and (found.chance is None or found.chance.beyond.sign != changed),
    }
    gate = next((name for name, is_so in failed.items() if is_so), "")
    return Drive("", gate) if gate else Drive("A", "change")
