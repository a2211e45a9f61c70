"""A scheme: which KPIs are appraised, with which weights and bounds. Schemes are data, one YAML file each."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kpi_research.kpis.custom import Label
from kpi_research.kpis.definition import Kind

TEMPLATES = Path(__file__).parent / "templates"
Phase = Literal["general", "expansion", "mature", "special"]
Cycle = Literal["month", "quarter", "half_year", "year"]
Rankings = Literal["none", "own_position", "team", "all"]
Rater = Literal["self", "superior", "peer", "hr"]
RATERS: tuple[Rater, ...] = get_args(Rater)
WEIGHTS_AGREE = 1e-9
"""How far a sum of weights may be off 100: what is written in decimals is not exact in binary."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Strict):
    """From this figure on, included, so much of the weight is earned; 1 is all of it."""

    at_least: float
    share: float = Field(ge=0, le=5)


class SchemeItem(_Strict):
    """One appraised KPI.

    Parameters
    ----------
    weight
        Percent of the total, or of the group.
    group
        One of the scheme's groups, where weights are written on two levels.
    scope
        Whose figure counts for a person: their own, or that of the team.
    kind
        What the scheme takes the KPI for, where that is not what the catalogue says.
    cap, floor
        Attainment above and below which points do not change (1.0 is the target).
    zero_below
        Attainment under which nothing is earned.
    band
        Elastic band: within this share above and under the target all points are earned, and no more.
    falling
        Attainment of a KPI of which less is better: 2 - actual / target (`mirror`) or target / actual (`inverse`).
    steps, steps_on
        Points by steps instead of in proportion, of the attainment or of the value itself; under the first step
        nothing is earned.
    raters
        Percent of a soft KPI's figure that each kind of rater has; they sum to 100.
    owner
        Who sees to it that the figure is there.
    """

    kpi: str
    weight: float = Field(gt=0, le=100)
    group: str = ""
    scope: Literal["person", "team"] = "person"
    kind: Kind | None = None
    cap: float = Field(1.2, ge=1, le=5)
    floor: float = Field(0.0, ge=0, lt=1)
    zero_below: float = Field(0.0, ge=0, lt=1)
    band: float = Field(0.0, ge=0, le=0.5)
    falling: Literal["mirror", "inverse"] = "mirror"
    steps: tuple[Step, ...] = ()
    steps_on: Literal["attainment", "value"] = "attainment"
    raters: dict[Rater, float] = {}
    owner: str = ""

    @model_validator(mode="after")
    def _is_one_rule(self) -> SchemeItem:
        at = [step.at_least for step in self.steps]
        if at != sorted(set(at)):
            raise ValueError(f"the steps of {self.kpi} must rise: {', '.join(f'{each:g}' for each in at)}")
        if self.steps and (self.band or self.floor or self.zero_below):
            raise ValueError(f"{self.kpi} has steps; band, floor and zero_below belong to points in proportion")
        if self.raters and abs(sum(self.raters.values()) - 100) > WEIGHTS_AGREE:
            raise ValueError(f"the raters of {self.kpi} sum to {sum(self.raters.values()):g}, not to 100")
        return self


class Adjustment(_Strict):
    """What is taken off, put on or forbidden outside the weights.

    Parameters
    ----------
    effect
        `deduction` and `bonus` take or give `points` for every whole `per` beyond the limit, at most `most` points;
        `veto` holds the total to `score_at_most`.
    above, below
        The limit, one of the two; the limit itself is still harmless.
    """

    kpi: str
    effect: Literal["deduction", "bonus", "veto"]
    above: float | None = None
    below: float | None = None
    points: float = Field(0.0, ge=0)
    per: float = Field(1.0, gt=0)
    most: float = Field(0.0, ge=0)
    score_at_most: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _is_whole(self) -> Adjustment:
        if (self.above is None) == (self.below is None):
            raise ValueError(f"{self.kpi}: either above or below, one of the two")
        if self.effect != "veto" and not 0 < self.points <= self.most:
            raise ValueError(f"{self.kpi}: a {self.effect} needs points, and most of at least as much")
        return self


class Scheme(_Strict):
    """A weighted scheme; its weights sum to 100, on every level on which they are written.

    Parameters
    ----------
    template
        Its number among the articles' templates (T01 ...), if it is one.
    phase
        Of the business; decides which share of process and result is usual.
    cycle
        What one appraisal covers.
    groups
        Percent of each group in the total; the items' weights are then percent of their group.
    rankings
        Who sees the order of people.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    label: Label
    source: str = ""
    template: str = Field("", pattern=r"^(T\d\d)?$")
    phase: Phase = "general"
    cycle: Cycle = "quarter"
    rankings: Rankings = "team"
    groups: dict[str, float] = {}
    items: tuple[SchemeItem, ...] = Field(min_length=1)
    adjustments: tuple[Adjustment, ...] = ()

    @model_validator(mode="after")
    def _adds_up(self) -> Scheme:
        names = [item.kpi for item in self.items]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"a KPI stands twice: {', '.join(twice)}")
        if stray := sorted({item.group for item in self.items} ^ ({*self.groups} or {""})):
            raise ValueError(f"groups and the items' groups differ: {', '.join(each or 'no group' for each in stray)}")
        sums = {"the weights": sum(self.groups.values()) if self.groups else 100.0}
        for group in self.groups or [""]:
            written = f"the weights of group {group}" if group else "the weights"
            sums[written] = sum(item.weight for item in self.items if item.group == group)
        if wrong := [f"{which} sum to {total:g}, not to 100" for which, total in sums.items() if _off(total)]:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def weighted(self) -> tuple[SchemeItem, ...]:
        """The items with their weights as percent of the total."""
        if not self.groups:
            return self.items
        return tuple(
            item.model_copy(update={"weight": item.weight * self.groups[item.group] / 100}) for item in self.items
        )

    @property
    def kpis(self) -> tuple[str, ...]:
        """All KPIs that a score needs, those of adjustments included, each once."""
        return tuple(dict.fromkeys([*(item.kpi for item in self.items), *(each.kpi for each in self.adjustments)]))


def _off(total: float) -> bool:
    return abs(total - 100) > WEIGHTS_AGREE


def template_names() -> tuple[str, ...]:
    """The schemes that come with the package."""
    return tuple(sorted(path.stem for path in TEMPLATES.glob("*.yaml")))
