"""What a page is made from: already cut to what its reader may see, so that no section can show more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from kpi_research.appraisal.bill import PayView
from kpi_research.appraisal.early_warning import EarlyWarnings
from kpi_research.appraisal.events import Told
from kpi_research.appraisal.luck import ScoreLuck
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.score import Score
from kpi_research.appraisal.standing import GoalView
from kpi_research.appraisal.weight_candidates import WeightAdvice
from kpi_research.customers.overview import CustomerValue
from kpi_research.evidence.benched import Benched
from kpi_research.evidence.changes import ChangeEffect, Drive
from kpi_research.evidence.claims import Answer
from kpi_research.evidence.deal_study import DealStudy
from kpi_research.evidence.study import Study
from kpi_research.funnel.summary import Summary
from kpi_research.integrity.signs import GamingSigns, gamed
from kpi_research.kpis.definition import Kpi
from kpi_research.language import Language
from kpi_research.panel import Level
from kpi_research.periods import Period

RATE = "win_rate"
"""What people are compared by where nothing is scored."""
Audience = Literal["manager", "analyst", "person"]


@dataclass(frozen=True)
class Quality:
    """What the contract found, in numbers only; never the values of the rows.

    Parameters
    ----------
    row_counts
        `table, file, read, left_out, rejected, kept`; for managers one row of the last four, summed.
    rules
        `table, rule, severity` (`reject` or `count`), `rows`, `most_frequent` (the commonest value; analysts only).
    missing
        Canonical tables that the client does not have.
    observations, coverage, grade
        As in `integrity.quality.Quality`; people by month for those whom the reader may see.
    """

    row_counts: pd.DataFrame
    rules: pd.DataFrame
    missing: tuple[str, ...]
    observations: pd.DataFrame = field(default_factory=pd.DataFrame)
    coverage: pd.DataFrame = field(default_factory=pd.DataFrame)
    grade: str = "N"


@dataclass(frozen=True)
class Position:
    """Where a person stands among those of their team, without saying who or what the others are.

    Parameters
    ----------
    place
        1 is the highest; None where the scores do not tell people apart, or were not enough to compare them.
    of
        How many were compared, the person included.
    reason
        Why there is no place: `alike`, `few` or `not_compared`; empty if there is one.
    """

    place: int | None
    of: int
    reason: str = ""


@dataclass(frozen=True)
class PageData:
    """Everything that the sections of one page may use.

    Parameters
    ----------
    level, entity_id, entity_name
        Whom the page is about.
    kpis
        Definitions by name, those without data included.
    history
        Panel rows of the entity by quarter, oldest first, up to the page's period.
    score, previous_score, people_score
        Of the entity now and a quarter before, and of its people now; None where there is no scheme.
    people
        Panel rows of its people in the period.
    whole
        Level -> panel rows over all data up to the period's end; for analysts only.
    targets
        (period, kpi) -> the entity's target.
    names
        Entity id -> name, for all that appear.
    study
        The study over all people, up to the period's end.
    truth
        What a simulated client was made with; for analysts only.
    customers
        What is known of the entity's customers; None where the client has neither contracts nor surveys of customers,
        or the report does not show it.
    deals, changes, claims
        What goes with the win of single deals; what happened after KPIs were given weight; what somebody says that a
        product has done. Nothing where nobody asked or the client has no such rows.
    goals, luck, weights, told
        The entity's goals; how much of its people's scores is luck; weights that would have gone better with results;
        what was said, approved and appealed. None where the report does not show it.
    warnings, pay
        What a manager should look at; what the people earn by the client's incentive plan, if it has one.
    gaming
        Signs of working to the number, of the whole company's KPIs; None where the report does not show it.
    bench
        What KPIs of known truth would be called at the client's size; None where that was not simulated.
    funnel
        The entity's funnel; None where the client has no opportunities, or the report does not show it.
    months
        Panel rows of the entity by month of the period; on a person's page.
    position
        Of the person in their team; None where the scheme does not allow it, or the page is of nobody.
    """

    client_title: str
    language: Language
    audience: Audience
    currency: str
    period: Period
    level: Level
    entity_id: str
    entity_name: str
    outcome: str
    kpis: Mapping[str, Kpi]
    history: pd.DataFrame
    people: pd.DataFrame
    names: Mapping[str, str]
    study: Study
    quality: Quality
    until: dt.date
    scheme: Scheme | None = None
    score: Score | None = None
    previous_score: Score | None = None
    people_score: Score | None = None
    targets: Mapping[tuple[str, str], float] = field(default_factory=dict)
    whole: Mapping[Level, pd.DataFrame] = field(default_factory=dict)
    truth: tuple[Mapping[str, Any], ...] = ()
    funnel: Summary | None = None
    customers: CustomerValue | None = None
    bench: Benched | None = None
    deals: DealStudy | None = None
    changes: tuple[tuple[ChangeEffect, Drive], ...] = ()
    claims: tuple[Answer, ...] = ()
    goals: GoalView | None = None
    luck: ScoreLuck | None = None
    weights: WeightAdvice | None = None
    told: Told | None = None
    gaming: GamingSigns | None = None
    warnings: EarlyWarnings | None = None
    pay: PayView | None = None
    months: pd.DataFrame = field(default_factory=pd.DataFrame)
    position: Position | None = None

    def label(self, kpi: str) -> str:
        """A KPI's name in the page's language."""
        return self.kpis[kpi].label[self.language]

    def inline(self, kpi: str) -> str:
        """The same inside a sentence: English names lose their capital, abbreviations keep it."""
        label = self.label(kpi)
        return label[:1].lower() + label[1:] if label[1:2].islower() else label

    def letter(self, kpi: str, code: str) -> str:
        """A verdict's letter, with M behind it where the KPI shows signs of working to the number."""
        return f"{code}·M" if self.gaming and kpi in gamed(self.gaming) else code

    def now(self) -> pd.DataFrame:
        """The entity's KPIs in the page's period, by name."""
        return self.history[self.history["period"] == self.period.name].set_index("kpi")

    def before(self) -> pd.DataFrame:
        """The entity's KPIs in the period before, by name."""
        return self.history[self.history["period"] == self.period.shift(-1).name].set_index("kpi")
