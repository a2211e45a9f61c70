"""What a result earns, as the client decides it: the plan is data, checked before anything is paid by it.

The base bonus hangs on the score, and the score on base targets only. What lies beyond them is paid apart, for named
KPIs and up to a cap, so that nobody is punished for a high stretch target. The package computes and explains; it pays
nobody.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kpi_research.appraisal.largest_remainder import exact
from kpi_research.appraisal.scheme import Scheme
from kpi_research.errors import InputError, Problem
from kpi_research.kpis.custom import Label

AwardKind = Literal["progress", "collaboration", "breakthrough", "mentor"]
Form = Literal["cash", "promotion", "training", "honour"]
SHARE_DECIMALS = 4
"""Shares are rounded to a hundredth of a percent, so that what is printed is what is multiplied."""
SCORE_DECIMALS = 1
"""Scores are paid as they are printed."""

Share = Annotated[float, Field(ge=0, le=5, allow_inf_nan=False)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CurvePoint(_Strict):
    """With this score, so much of the bonus base; 1 is all of it."""

    score: float = Field(ge=0, le=1000, allow_inf_nan=False)
    share: Share


class PayCurve(_Strict):
    """From a score to a share of the bonus base.

    Parameters
    ----------
    points
        Rising in both. Under the first nothing is earned, above the last no more than there.
    shape
        `linear` between the points, or `steps`: each point's share from its score on.
    """

    points: tuple[CurvePoint, ...] = Field(min_length=1)
    shape: Literal["linear", "steps"] = "linear"

    @model_validator(mode="after")
    def _rises(self) -> PayCurve:
        for low, high in itertools.pairwise(self.points):
            if not (low.score < high.score and low.share <= high.share):
                raise ValueError(f"the points of a pay curve must rise: {low.score:g} is followed by {high.score:g}")
        return self

    def around(self, score: Fraction) -> tuple[CurvePoint | None, CurvePoint | None]:
        """The last point at or under a score and the first above it."""
        below = [point for point in self.points if exact(point.score) <= score]
        above = [point for point in self.points if exact(point.score) > score]
        return (below[-1] if below else None), (above[0] if above else None)

    def share(self, score: Fraction) -> Fraction:
        """The share of the bonus base, to `SHARE_DECIMALS`."""
        low, high = self.around(score)
        if low is None:
            return Fraction(0)
        share = exact(low.share)
        if high is not None and self.shape == "linear":
            way = (score - exact(low.score)) / (exact(high.score) - exact(low.score))
            share += way * (exact(high.share) - share)
        return rounded(share, SHARE_DECIMALS)


class Stretch(_Strict):
    """Reward beyond the base target of a KPI: in proportion to the way from base to stretch, at most `most`.

    Parameters
    ----------
    share
        Of the bonus base, at the stretch target.
    """

    kpi: str
    share: Share
    most: Share

    @model_validator(mode="after")
    def _is_bounded(self) -> Stretch:
        if self.most < self.share:
            raise ValueError(f"{self.kpi}: most {self.most:g} is less than what the stretch target earns")
        return self


class Process(_Strict):
    """A share of the bonus base for a KPI that reached so much of its base target: how results come about is paid."""

    kpi: str
    from_attainment: float = Field(1.0, gt=0, le=5)
    share: Share


class Penalty(_Strict):
    """A share of what was earned is taken off where a KPI reached less than this of its base target."""

    kpi: str
    below_attainment: float = Field(gt=0, le=1)
    share: float = Field(gt=0, le=1)


class BonusRule(_Strict):
    """What is paid to people of some roles and levels; the first rule that fits a person is theirs.

    Parameters
    ----------
    roles, levels
        Whom it is for; everybody where empty.
    penalties_at_most
        Share of what a person earned that all penalties together may take.
    """

    roles: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    curve: PayCurve
    stretch: tuple[Stretch, ...] = ()
    process: tuple[Process, ...] = ()
    penalties: tuple[Penalty, ...] = ()
    penalties_at_most: float = Field(0.2, ge=0, le=1)

    def fits(self, role: str, level: str) -> bool:
        """Whether it is for this role and level."""
        return (not self.roles or role in self.roles) and (not self.levels or level in self.levels)


class TeamPot(_Strict):
    """Money of each team, by its score, shared among its people equally or by their bonus bases."""

    amount: Money
    curve: PayCurve
    shared: Literal["equally", "by_base"] = "equally"


class Award(_Strict):
    """An award for what one person did beyond what chance brings.

    Parameters
    ----------
    amount
        For each of at most `winners` people; where more earned it they share that sum.
    form
        What it is; anything but cash may have no amount.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    label: Label
    kind: AwardKind
    form: Form = "cash"
    amount: Money = 0.0
    winners: int = Field(1, ge=1, le=100)


class IncentivePlan(_Strict):
    """All that may be earned in one appraisal cycle.

    Parameters
    ----------
    rules
        In order; the first that fits a person is theirs.
    """

    rules: tuple[BonusRule, ...] = Field(min_length=1)
    team_pot: TeamPot | None = None
    awards: tuple[Award, ...] = ()

    @model_validator(mode="after")
    def _awards_differ(self) -> IncentivePlan:
        names = [award.name for award in self.awards]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"an award stands twice: {', '.join(twice)}")
        return self

    def rule_of(self, role: str, level: str) -> BonusRule | None:
        """The first rule for this role and level."""
        return next((rule for rule in self.rules if rule.fits(role, level)), None)


def check_plan(plan: IncentivePlan, scheme: Scheme, where: str = "") -> None:
    """Hold a plan to the scheme whose figures it pays.

    Raises
    ------
    InputError
        Every KPI that the scheme does not appraise, and every award in cash without an amount.
    """
    known = tuple(item.kpi for item in scheme.items)
    problems = [
        Problem("pay.no_such_kpi", f"{where} {place}".strip(), {"kpi": kpi}, given=kpi, allowed=known)
        for place, kpi in _named(plan)
        if kpi not in known
    ]
    problems += [
        Problem("pay.award_without_amount", f"{where} awards.{award.name}".strip(), {"award": award.name})
        for award in plan.awards
        if award.form == "cash" and award.amount == 0
    ]
    if problems:
        raise InputError(problems)


def _named(plan: IncentivePlan) -> Iterator[tuple[str, str]]:
    for number, rule in enumerate(plan.rules):
        for part in ("stretch", "process", "penalties"):
            for each in getattr(rule, part):
                yield f"rules[{number}].{part}", each.kpi


def rounded(number: Fraction, decimals: int) -> Fraction:
    """To so many decimals, halves away from zero, as people round money."""
    unit = Fraction(10) ** decimals
    steps = (abs(number) * unit + Fraction(1, 2)) // 1
    return (steps if number >= 0 else -steps) / unit
