"""Versions of a client's schemes: which one holds for whom in which period, and whether it may change then.

A change takes effect at the beginning of a cycle, in the window that was agreed on, with a reason, with somebody who
approved it and when, and announced before. Whoever is appraised has one scheme from a cycle's first day to its last.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kpi_research.appraisal.scheme import Cycle, Scheme
from kpi_research.errors import InputError, Problem
from kpi_research.periods import MONTHS_IN, ONE_DAY, Period

ATTRIBUTES = ("role", "level", "region", "customer_type", "product_line")
TOLD_OF_PEOPLE = ("role", "region")
"""What a client's tables say of a person, by which a version can be chosen: their role, their team's region."""

ALL_MONTHS = tuple(range(1, 13))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AppliesTo(_Strict):
    """Whom a version is for; what is left empty does not matter.

    Parameters
    ----------
    season
        Months, 1-12, of which a period must consist.
    teams
        Ids; being in one of them is enough.
    """

    role: str = ""
    level: str = ""
    region: str = ""
    customer_type: str = ""
    product_line: str = ""
    season: tuple[int, ...] = ()
    teams: tuple[str, ...] = ()

    @field_validator("season")
    @classmethod
    def _are_months(cls, months: tuple[int, ...]) -> tuple[int, ...]:
        if wrong := [month for month in months if month not in ALL_MONTHS]:
            raise ValueError(f"months are 1 to 12, not {', '.join(map(str, wrong))}")
        return tuple(sorted(set(months)))

    @property
    def narrowness(self) -> int:
        """How many things it asks for: the narrower of two versions holds."""
        return sum(1 for name in type(self).model_fields if getattr(self, name))

    def fits(self, period: Period, person: Mapping[str, str]) -> bool:
        """Whether it is for this person in this period."""
        return (
            all(not (asked := getattr(self, name)) or person.get(name) == asked for name in ATTRIBUTES)
            and (not self.teams or person.get("team_id") in self.teams)
            and (not self.season or _months(period) <= set(self.season))
        )

    def overlaps(self, other: AppliesTo) -> bool:
        """Whether somebody can be meant by both, in the same months."""
        return (
            all(
                not (mine := getattr(self, name)) or not (theirs := getattr(other, name)) or mine == theirs
                for name in ATTRIBUTES
            )
            and _meet(self.teams, other.teams)
            and _meet(self.season, other.season)
        )


class SchemeVersion(_Strict):
    """A scheme from a day on.

    Parameters
    ----------
    scheme
        Written out, or the name of a template.
    reason
        Why it takes the place of the one before; those who are appraised read it.
    approved_by, approved_at
        Who agreed to the change, and when.
    announced_on
        When those whom it is for were told.
    """

    scheme: str | Scheme
    effective_from: dt.date
    applies_to: AppliesTo = AppliesTo()
    reason: str = ""
    approved_by: str = ""
    approved_at: dt.datetime | None = None
    announced_on: dt.date | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.scheme if isinstance(self.scheme, str) else self.scheme.name} ({self.effective_from})"


class Window(_Strict):
    """When schemes may change.

    Parameters
    ----------
    months
        In which a change may take effect.
    days
        So many days from the first of those months, and from a cycle's first day, are still its beginning.
    months_apart
        At least so many months between two changes for the same people.
    """

    months: tuple[int, ...] = ALL_MONTHS
    days: int = Field(1, ge=1, le=31)
    months_apart: int = Field(3, ge=0, le=24)

    @field_validator("months")
    @classmethod
    def _are_months(cls, months: tuple[int, ...]) -> tuple[int, ...]:
        if not months or (wrong := [month for month in months if month not in ALL_MONTHS]):
            raise ValueError(f"months are 1 to 12, not {', '.join(map(str, wrong)) if months else 'none'}")
        return months


ANY_CYCLE = Window.model_validate({})


@dataclass(frozen=True)
class SchemeChange:
    """One version in the place of another.

    Parameters
    ----------
    before, after
        The versions.
    weights
        KPI -> (percent before, percent after), for those that differ; empty where a scheme is only named.
    """

    before: SchemeVersion
    after: SchemeVersion
    weights: Mapping[str, tuple[float, float]]


def in_force(
    versions: Sequence[SchemeVersion], period: Period, person: Mapping[str, str], *, window: Window = ANY_CYCLE
) -> SchemeVersion:
    """The version by which a person is appraised in a period: the narrowest that fits, of several the latest.

    Parameters
    ----------
    period
        One cycle.
    person
        `role, level, region, customer_type, product_line, team_id`, as far as known.
    window
        A version that takes effect in the cycle's first `window.days` days holds for the whole of it.

    Raises
    ------
    InputError
        If no version fits, or two that ask for equally much.
    """
    beginning = period.start + ONE_DAY * (window.days - 1)
    latest: dict[AppliesTo, SchemeVersion] = {}
    for version in sorted(versions, key=lambda version: version.effective_from):
        if version.effective_from <= beginning and version.applies_to.fits(period, person):
            latest[version.applies_to] = version
    values = {"period": period.name, "person": ", ".join(f"{name} {value}" for name, value in person.items())}
    if not latest:
        raise InputError(Problem("scheme_version.none", "schemes", values))
    narrowest = max(applies_to.narrowness for applies_to in latest)
    held = [version for applies_to, version in latest.items() if applies_to.narrowness == narrowest]
    if len(held) > 1:
        names = ", ".join(version.name for version in held)
        raise InputError(Problem("scheme_version.ambiguous", "schemes", {**values, "versions": names}))
    return held[0]


def changes(
    versions: Sequence[SchemeVersion], window: Window, cycle: Cycle, *, fiscal_year_starts: int = 1
) -> tuple[SchemeChange, ...]:
    """Every change of a scheme, in order, once all keep the rules.

    Raises
    ------
    InputError
        Every change that lies inside a cycle or outside the window, follows another too soon, has no reason, was
        approved by nobody or after it took effect, or was not announced before; and every season that ends in a cycle.
    """
    found = [change for version in versions for change in _change_to(version, versions)]
    found.sort(key=lambda change: change.after.effective_from)
    problems = [problem for change in found for problem in _problems(change, window, cycle, fiscal_year_starts)] + [
        problem for version in versions for problem in _season_problems(version, cycle, fiscal_year_starts)
    ]
    if problems:
        raise InputError(problems)
    return tuple(found)


def _change_to(version: SchemeVersion, versions: Sequence[SchemeVersion]) -> Iterator[SchemeChange]:
    """What held, for some of those whom the version is for, before it took effect; nothing where it is the first."""
    earlier = [
        other
        for other in versions
        if other.effective_from < version.effective_from
        and other.applies_to.overlaps(version.applies_to)
        and other.applies_to.narrowness <= version.applies_to.narrowness
    ]
    if earlier:
        before = max(earlier, key=lambda other: (other.applies_to.narrowness, other.effective_from))
        if before.scheme != version.scheme:
            yield SchemeChange(before, version, _weights_changed(before.scheme, version.scheme))


def _weights_changed(before: str | Scheme, after: str | Scheme) -> dict[str, tuple[float, float]]:
    if isinstance(before, str) or isinstance(after, str):
        return {}
    old, new = ({item.kpi: item.weight for item in scheme.weighted} for scheme in (before, after))
    pairs = {kpi: (old.get(kpi, 0.0), new.get(kpi, 0.0)) for kpi in {**old, **new}}
    return {kpi: (was, now) for kpi, (was, now) in pairs.items() if was != now}


def _problems(change: SchemeChange, window: Window, cycle: Cycle, starts: int) -> Iterator[Problem]:
    after, day = change.after, change.after.effective_from
    current = Period.containing(day, cycle, starts)
    values = {
        "version": after.name,
        "before": change.before.name,
        "cycle": current.name,
        "next": current.shift(1).start.isoformat(),
        "months": ", ".join(map(str, window.months)),
        "days": window.days,
        "apart": window.months_apart,
    }
    broken = {
        "inside_cycle": (day - current.start).days >= window.days,
        "outside_window": day.month not in window.months or day.day > window.days,
        "too_soon": _months_between(change.before.effective_from, day) < window.months_apart,
        "no_reason": not after.reason.strip(),
        "not_approved": not after.approved_by.strip() or after.approved_at is None,
        "approved_late": after.approved_at is not None and after.approved_at.date() > day,
        "not_announced": after.announced_on is None or after.announced_on > day,
    }
    yield from (Problem(f"scheme_version.{name}", "schemes", values) for name, is_so in broken.items() if is_so)


def _season_problems(version: SchemeVersion, cycle: Cycle, starts: int) -> Iterator[Problem]:
    """A season that begins or ends within a cycle would change the KPIs there."""
    season = set(version.applies_to.season)
    year = Period.containing(version.effective_from, "year", starts)
    cut = [part for part in year.split(cycle) if season & _months(part) and not _months(part) <= season]
    if cut:
        values = {"version": version.name, "cycle": cut[0].name}
        yield Problem("scheme_version.season_inside_cycle", "schemes", values)


def _months(period: Period) -> set[int]:
    """The months of the calendar in which a period lies."""
    count = MONTHS_IN.get(period.grain, 1)
    return {(period.start.month - 1 + step) % 12 + 1 for step in range(count)}


def _months_between(earlier: dt.date, later: dt.date) -> int:
    return (later.year - earlier.year) * 12 + later.month - earlier.month


def _meet(mine: Sequence[object], theirs: Sequence[object]) -> bool:
    return not mine or not theirs or bool(set(mine) & set(theirs))
