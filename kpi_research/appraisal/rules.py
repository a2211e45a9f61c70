"""Rules that a scheme is held to: each a record with a number, how grave a breach is, and a function that looks.

A rule whose input is not there says so; it never passes in silence. The rules stand in the files `rules_*.py`, what
each asks and where it comes from in `text/schemes.toml`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import pandas as pd

from kpi_research.appraisal.scheme import Scheme, SchemeItem
from kpi_research.appraisal.season import Season
from kpi_research.appraisal.versions import SchemeVersion, Window
from kpi_research.kpis.definition import Kind, Kpi
from kpi_research.language import Bilingual, Language, say, sentence

Severity = Literal["error", "warning", "note", "not_checked"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
Business = Literal["fast_moving", "project", "short_cycle", "b2b", "service", "mixed"]
PROCESS: tuple[Kind, ...] = ("process", "efficiency")
"""What the articles' two-way table calls process: how fast one answers stands in it beside visits and proposals."""

TEAM_KPIS = frozenset({"team_attainment"})
"""Figures of the team that each of its people is credited with."""


@dataclass(frozen=True)
class PayTerms:
    """What the score does to pay.

    Parameters
    ----------
    reward_at_most, penalty_at_most
        Share of the base pay; None where nothing bounds it.
    reward_on
        Which target the extra reward hangs on.
    """

    reward_at_most: float | None = None
    penalty_at_most: float | None = None
    reward_on: Literal["base", "stretch"] = "stretch"


@dataclass(frozen=True)
class Checked:
    """A scheme and what is known of its use; None is what nobody has told.

    Parameters
    ----------
    kpis
        Definitions by name.
    previous
        The scheme before.
    period
        Whose targets are looked at; empty for the latest of each KPI.
    day
        The day of the check.
    tables
        Canonical tables that the client has.
    targets, ratings
        Canonical tables.
    not_kept, not_of_late
        KPIs that count records of which the company never had one, or had none within a year.
    history
        Panel rows over periods as long as the scheme's cycle.
    attainability
        `kpi, entity_id, probability`: 0-1, that the target is reached; null where it is not known.
    letters
        KPI -> letter of its verdict.
    goals
        Goal -> KPIs that it is followed by.
    versions, window, fiscal_year_starts
        Schemes with the days they hold from, when they may change, and the month in which the fiscal year starts.
    business
        What the client sells how; decides which kinds of KPI fit.
    differences
        Field of `versions.AppliesTo` -> the different values among those appraised; without those that no data tell.
    season
        How the result falls on the months of a year.
    """

    scheme: Scheme
    kpis: Mapping[str, Kpi]
    previous: Scheme | None = None
    period: str = ""
    day: dt.date | None = None
    tables: Collection[str] | None = None
    targets: pd.DataFrame | None = None
    ratings: pd.DataFrame | None = None
    not_kept: Collection[str] = ()
    not_of_late: Collection[str] = ()
    history: pd.DataFrame | None = None
    attainability: pd.DataFrame | None = None
    letters: Mapping[str, str] | None = None
    goals: Mapping[str, Collection[str]] | None = None
    versions: Sequence[SchemeVersion] | None = None
    window: Window | None = None
    fiscal_year_starts: int = 1
    business: Business | None = None
    differences: Mapping[str, Collection[str]] | None = None
    season: Season | None = None
    pay: PayTerms | None = None

    @property
    def weights(self) -> dict[str, float]:
        """Percent of the total by KPI."""
        return {item.kpi: item.weight for item in self.scheme.weighted}

    def kind(self, item: SchemeItem) -> Kind:
        """What an item counts as: what the scheme says, otherwise what the catalogue says."""
        return item.kind or self.kpis[item.kpi].kind

    def of_kinds(self, *kinds: Kind) -> list[str]:
        """The KPIs of these kinds."""
        return [item.kpi for item in self.scheme.items if self.kind(item) in kinds]

    def share(self, *kinds: Kind) -> float:
        """Percent of the total that KPIs of these kinds have."""
        return sum(self.weights[name] for name in self.of_kinds(*kinds))

    def label(self, kpi: str) -> Bilingual:
        """The KPI's name in both languages."""
        return self.kpis[kpi].label

    def labels(self, kpis: Iterable[str]) -> Bilingual:
        """Several names as one list."""
        return listed(self.label(kpi) for kpi in kpis)


@dataclass(frozen=True)
class Bound:
    """What some KPIs weigh together where a rule is kept.

    Parameters
    ----------
    kpis
        Of the scheme.
    low, high
        Percent of the total, both included.
    """

    kpis: tuple[str, ...]
    low: float
    high: float


@dataclass(frozen=True)
class Found:
    """What one check found.

    Parameters
    ----------
    key
        Its sentences `scheme_remark.<key>.found` and `.mend`.
    subject
        The KPI, kind or group that it is about; empty for the scheme.
    values
        What the sentences' placeholders are filled with.
    severity
        Where it differs from the rule's.
    """

    key: str
    subject: str = ""
    values: Mapping[str, Bilingual | str] = field(default_factory=dict)
    severity: Severity | None = None


@dataclass(frozen=True)
class Rule:
    """One rule.

    Parameters
    ----------
    severity
        Of a breach. What an article recommends is a warning; what makes a score wrong or impossible is an error.
    check
        From what is known to what was found; nothing where the scheme keeps the rule.
    needs
        Fields of `Checked` without which nothing can be said.
    from_data
        Whether it speaks from the client's own data: of equally grave breaches these come before what articles advise.
    applies
        Whether the rule asks anything of such a scheme at all.
    bounds
        Weights for which `check` finds neither errors nor warnings, for a rule that weights can keep.
    """

    id: str
    severity: Severity
    check: Callable[[Checked], Iterable[Found]]
    needs: tuple[str, ...] = ()
    from_data: bool = False
    applies: Callable[[Checked], bool] = lambda checked: True  # noqa: ARG005
    bounds: Callable[[Checked], Iterable[Bound]] = lambda checked: ()  # noqa: ARG005

    def what(self, language: Language) -> str:
        """What it asks."""
        return say(f"scheme_rule.{self.id}.what", language)

    def source(self, language: Language) -> str:
        """Who says so, with the numbers."""
        return say(f"scheme_rule.{self.id}.source", language)


def not_known(checked: Checked, *inputs: str) -> Iterator[Found]:
    """One finding that names those of the inputs that nobody has given; none if all are there."""
    if missing := [name for name in inputs if getattr(checked, name) is None]:
        words = listed(sentence(f"scheme_input.{name}") for name in missing)
        yield Found("not_checked", values={"missing": words}, severity="not_checked")


def listed(words: Iterable[Bilingual]) -> Bilingual:
    """Several names as one list, in both languages."""
    all_words = list(words)
    return Bilingual("、".join(word.zh for word in all_words), ", ".join(word.en for word in all_words))


def percent(number: float) -> str:
    """Percent as a reader has it: no more digits than say something."""
    return f"{round(number, 1):g}"
