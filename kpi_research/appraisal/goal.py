"""A goal: what is to be reached. What one does for it is measured by indicators, which are other objects, linked to it.

A goal belongs to a quarter or a year, to a measure of results and to somebody who answers for it. Its indicators are
counted by day, week or month, mostly of processes, and may have targets of their own that stand beside the goal and are
never added to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kpi_research.appraisal.largest_remainder import apportion, exact, steps_in
from kpi_research.errors import InputError, Problem
from kpi_research.kpis.custom import Label
from kpi_research.kpis.definition import Kpi, Level
from kpi_research.periods import Grain, Period

Spread = Literal["split", "same", "whole"]
"""`split`: parts add up to the whole; `same`: everybody's goal is the same; `whole`: only the company has one."""
SeasonChoice = Literal["history", "flat", "working_days"]
GRAINS_OF_GOALS: tuple[Grain, ...] = ("year", "half_year", "quarter", "month")
LINK_COLUMNS = ["goal", "measure", "indicator", "per", "monthly"]
Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class MonthlyTarget(BaseModel):
    """What an indicator should come to in each month: 30 visits a person, 100 records a team."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    base: float = Field(allow_inf_nan=False)
    per: Level = "person"


class Goal(BaseModel):
    """A goal of the company in one period.

    Parameters
    ----------
    measure
        Name of the KPI that it is counted by.
    base, stretch
        What appraisal is tied to, and what earns more beyond it; in the unit of the measure.
    step
        The smallest unit that the goal is shared out in; base and stretch are whole numbers of it.
    band
        Share of the base by which a result may differ from it and still count as on target.
    indicators
        KPIs that serve it.
    monthly
        Of some indicators, what each month should bring.
    season
        How a year falls into months: as in the client's own past, in equal parts, by the working days of those who are
        there, or twelve weights from the first month of the fiscal year on.
    shares
        Weights for parts of a named kind: teams (`team`), which then take the place of their size, or territories,
        products, customers (any other name), which are listed beside.
    ramp_months
        Time after hiring in which a person's part grows from nothing to full; 0: full from the first day.
    owner
        `person_id` of who answers for it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    label: Label
    measure: str
    period: str
    base: float = Field(allow_inf_nan=False)
    stretch: float | None = Field(None, allow_inf_nan=False)
    step: float = Field(1, gt=0, allow_inf_nan=False)
    band: float = Field(0.1, ge=0, lt=1)
    indicators: tuple[str, ...] = ()
    monthly: dict[str, MonthlyTarget] = {}
    season: SeasonChoice | tuple[Share, ...] = "history"
    shares: dict[str, dict[str, Share]] = {}
    ramp_months: int = Field(0, ge=0, le=24)
    owner: str = ""

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        period = Period.parse(self.period)
        if period.grain not in GRAINS_OF_GOALS:
            raise ValueError(f"a goal is for a year, half-year, quarter or month, not for a {period.grain}")
        for amount in (self.base, self.base if self.stretch is None else self.stretch):
            steps_in(amount, self.step)
        if stray := sorted(set(self.monthly) - set(self.indicators)):
            raise ValueError(f"monthly targets of what is no indicator of the goal: {', '.join(stray)}")
        if self.measure in self.indicators:
            raise ValueError(f"{self.measure} is what the goal is counted by; it cannot be its own indicator")
        if not isinstance(self.season, str) and (len(self.season) != 12 or not sum(self.season) > 0):
            raise ValueError("a season is twelve weights, not all of them zero")
        for kind, parts in self.shares.items():
            if not sum(parts.values()) > 0:
                raise ValueError(f"the shares by {kind} are all zero")
        return self


def spread_of(kpi: Kpi) -> Spread:
    """Whether parts of a goal in this KPI add up to it.

    A share, a score or a median is the same for everybody: four quarters of 20 points are no satisfaction of 80. What
    holds at a period's end, or counts different things, adds up over neither months nor people.
    """
    if kpi.denominator is not None or kpi.aggregation == "median" or kpi.unit not in ("money", "count"):
        return "same"
    return "split" if kpi.aggregation == "sum" else "whole"


def check_goals(goals: Sequence[Goal], kpis: Mapping[str, Kpi], where: str = "") -> None:
    """Hold goals to the KPIs that there are.

    Raises
    ------
    InputError
        Every measure and indicator that is no KPI, every name that stands twice, every stretch on the wrong side.
    """
    problems, seen = [], set()
    for goal in goals:
        place = f"{where}:goals.{goal.name}" if where else f"goals.{goal.name}"
        for named in (goal.measure, *goal.indicators):
            if named not in kpis:
                problems.append(Problem("goals.no_such_kpi", place, {"kpi": named}, given=named, allowed=tuple(kpis)))
        if goal.name in seen:
            problems.append(Problem("goals.twice", place, {"name": goal.name}))
        seen.add(goal.name)
        if goal.measure in kpis and _stretches_back(goal, kpis[goal.measure]):
            problems.append(Problem("goals.stretch_behind_base", place, {"base": goal.base, "stretch": goal.stretch}))
    if problems:
        raise InputError(problems)


def _stretches_back(goal: Goal, kpi: Kpi) -> bool:
    if goal.stretch is None:
        return False
    return goal.stretch < goal.base if kpi.direction == "up" else goal.stretch > goal.base


def links(goals: Sequence[Goal]) -> pd.DataFrame:
    """Which indicators serve which goal: a row a pair in `LINK_COLUMNS`; a goal without indicators has none.

    `per` and `monthly` are the indicator's own monthly target, null where it has none.
    """
    rows = [
        {
            "goal": goal.name,
            "measure": goal.measure,
            "indicator": indicator,
            "per": own.per if own else None,
            "monthly": own.base if own else float("nan"),
        }
        for goal in goals
        for indicator in goal.indicators
        for own in [goal.monthly.get(indicator)]
    ]
    return pd.DataFrame(rows, columns=LINK_COLUMNS)


def steps_of(goal: Goal) -> tuple[int, int]:
    """Steps of the base, and those that the stretch has more: shared out apart, so that no part's stretch is less."""
    base = steps_in(goal.base, goal.step)
    return base, (0 if goal.stretch is None else steps_in(goal.stretch, goal.step) - base)


def shared_by(goal: Goal) -> pd.DataFrame:
    """The goal by territory, product line or another kind: `kind, part, base, stretch`, exact in each kind.

    Teams are left out: their parts stand in the split, month by month.
    """
    rows = []
    for kind, weights in goal.shares.items():
        if kind == "team":
            continue
        given = {part: exact(weight) for part, weight in weights.items()}
        steps, more = steps_of(goal)
        base, beyond = apportion(steps, given), apportion(more, given)
        for part in weights:
            amounts = (float(count * exact(goal.step)) for count in (base[part], base[part] + beyond[part]))
            rows.append({"kind": kind, "part": part, **dict(zip(("base", "stretch"), amounts, strict=True))})
    found = pd.DataFrame(rows, columns=["kind", "part", "base", "stretch"])
    return found if goal.stretch is not None else found.assign(stretch=float("nan"))
