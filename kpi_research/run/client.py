"""One client: its file, its data, and the questions that may be asked of them."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kpi_research.appraisal.goal import check_goals
from kpi_research.appraisal.goals import base_targets
from kpi_research.appraisal.incentives import check_plan
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.score import Score
from kpi_research.appraisal.versions import SchemeVersion
from kpi_research.crm.roster import UNASSIGNED, days_in
from kpi_research.customers.overview import CustomerValue
from kpi_research.errors import InputError, Problem
from kpi_research.evidence.study import Plan, Study, study
from kpi_research.funnel.forecast import Forecast
from kpi_research.funnel.steps import Windows
from kpi_research.kpis.catalogue import FROM_RECENT_DEALS, find_kpis, sharing_records
from kpi_research.kpis.definition import Kpi
from kpi_research.panel import LEVELS, Level, panel
from kpi_research.periods import GRAINS, Grain, Period, as_intervals, whole_periods
from kpi_research.run.customers import customers_of, team_members
from kpi_research.run.funnels import View, forecast_of, funnel_of
from kpi_research.run.known_people import known_of
from kpi_research.run.kpi_names import problems_of_names
from kpi_research.run.on_file import latest_teams, predictors_of
from kpi_research.run.scheme_choice import read_versions
from kpi_research.run.scores import score_of
from kpi_research.run.settings import ClientFile, kpis_of, read_client_file, read_scheme
from kpi_research.run.store import Stored, stored
from kpi_research.sources.workspace import Progress


@dataclass(frozen=True)
class Client:
    """A client whose file and data were checked.

    Parameters
    ----------
    path
        The client file.
    settings, scheme
        What it says; `scheme` is None where nothing is scored.
    data
        What was read from its source.
    versions
        In place of `scheme`, several with the days they hold from and whom they are for (see `run.scheme_choice`).
    """

    path: Path
    settings: ClientFile
    scheme: Scheme | None
    data: Stored
    versions: tuple[SchemeVersion, ...] = ()

    @functools.cached_property
    def kpis(self) -> dict[str, Kpi]:
        """The KPIs by name, the client's own included."""
        return kpis_of(self.settings)

    def periods(self, grain: Grain) -> list[Period]:
        """All whole periods of a grain that the data cover; the first may lack up to a week."""
        parts = self.data.parts
        if parts.since is None:
            return []
        return whole_periods(parts.since, parts.until, grain, self.settings.fiscal_year_starts)

    def reported_quarters(self) -> list[Period]:
        """The whole quarters; where there is none, that in which the data end: only their quality is reported then."""
        until, starts = self.data.parts.until, self.settings.fiscal_year_starts
        return self.periods("quarter") or [Period.containing(until, "quarter", starts)]

    def known_period(self, name: str) -> Period:
        """The quarter of this name, one of those that are reported.

        Raises
        ------
        InputError
            If the name names no period, or no quarter that is reported.
        """
        period = Period.parse(name, self.settings.fiscal_year_starts)
        known = self.reported_quarters()
        if period not in known:
            values = {"period": name, "until": self.data.parts.until.isoformat()}
            allowed = tuple(quarter.name for quarter in reversed(known))
            raise InputError(Problem("report.no_such_period", values=values, given=name, allowed=allowed))
        return period

    def teams(self, period: Period) -> list[str]:
        """Ids of the teams in which anybody worked in the period."""
        return sorted(set(days_in(self.data.parts.roster, period)["team_id"]) - {UNASSIGNED})

    def panel(self, *, every: Grain = "month", level: Level = "person", upto: Period | None = None) -> pd.DataFrame:
        """The KPIs of every entity of a level in every whole period.

        Parameters
        ----------
        upto
            Leave out what lies after this period.

        Returns
        -------
        `level, entity_id, period, kpi, value, numerator, denominator, n, status, working_days, additive` (see
        `panel.panel`).

        Raises
        ------
        InputError
            If grain or level is unknown.
        """
        allowed: list[tuple[str, str, Sequence[str]]] = [("every", every, GRAINS), ("level", level, LEVELS)]
        problems = [
            Problem("client.not_allowed", values={"name": name, "given": given}, given=given, allowed=tuple(among))
            for name, given, among in allowed
            if given not in among
        ]
        if problems:
            raise InputError(problems)
        periods = [period for period in self.periods(every) if upto is None or period.end <= upto.end]
        return panel(self.data.parts, as_intervals(periods), level)

    def score(self, *, period: str | Period, level: Level = "person", entities: Collection[str] | None = None) -> Score:
        """Scores of a level in one period, against the client's scheme and targets.

        Parameters
        ----------
        entities
            Ids of the people or teams to be scored; all if None.

        Raises
        ------
        InputError
            If the client has no scheme, or the period is unknown.
        """
        return score_of(self, self._period(period), level, entities)

    def funnel(
        self,
        *,
        period: str | Period,
        view: View = "cohort",
        team: str | None = None,
        person: str | None = None,
        by: str | None = None,
        windows: Windows | None = None,
    ) -> pd.DataFrame:
        """The funnel of the company, of a team or of a person.

        Parameters
        ----------
        view
            `cohort`: what became of what was opened in the period; `snapshot`: what stood where at its end.
        by
            A row for each `team`, `person`, `segment`, `source`, `industry`, `region` or `product` as well.
        windows
            Stage -> days in which the next stage must be reached to count.

        Returns
        -------
        One row a stage, in `cohort.COHORT_COLUMNS` or `snapshot.SNAPSHOT_COLUMNS` of `kpi_research.funnel`.

        Raises
        ------
        InputError
            If the client has no opportunities, or an argument is unknown.
        """
        return funnel_of(self, self._period(period), view=view, team=team, person=person, by=by, windows=windows)

    def forecast(self, *, period: str | Period, team: str | None = None) -> Forecast:
        """What of the deals open at a period's end will be won in the 13 weeks after, and how such forecasts did
        before.

        Raises
        ------
        InputError
            If the client has no opportunities, or there is no such team.
        """
        return forecast_of(self, self._period(period), team)

    def customer_value(self, *, period: str | Period, team: str | None = None) -> CustomerValue:
        """What is known of customers at a period's end: who stays, what may be expected of them, what they say.

        Parameters
        ----------
        team
            Only the customers of those who are in the team then; everybody's without it.

        Raises
        ------
        InputError
            If the client has neither contracts nor customers' surveys, or nobody was in the team.
        """
        period = self._period(period)
        owners = team_members(self, period, team) if team else None
        if owners == []:
            values = {"name": "team", "given": team}
            raise InputError(
                Problem("client.not_allowed", values=values, given=team, allowed=tuple(self.teams(period)))
            )
        found = customers_of(self, period, owners)
        if found is None:
            raise InputError(Problem("client.no_customers", self.path.name))
        return found

    def _period(self, period: str | Period) -> Period:
        return Period.parse(period, self.settings.fiscal_year_starts) if isinstance(period, str) else period

    def study(self, *, upto: Period | None = None) -> Study:
        """Which of the client's predictors predict its outcome, on all whole months up to a period's end.

        Without one whole month it says of every KPI that nothing can be said, on the month that the data end in. This
        is one look: reports call a KPI predictive only when it passed a quarter before as well (`run.studies`).
        """
        names, data = [kpi.name for kpi in self.predictors()], self.data
        grain = self.settings.plan.grain
        periods = [each for each in self.periods(grain) if upto is None or each.end <= upto.end]
        rows = panel(data.parts, as_intervals(periods), "person")
        if rows.empty:
            month = Period.containing(data.parts.until, grain, self.settings.fiscal_year_starts)
            rows = panel(data.parts, as_intervals([month]), "person")
        return study(
            rows,
            outcome=self.settings.outcome,
            kpis=names,
            plan=self.plan(),
            lineage=sharing_records(self.settings.outcome, names, among=self.kpis),
            asof=panel(data.on_file, as_intervals(periods), "person") if data.on_file and periods else None,
            teams=latest_teams(data.parts, upto),
            recent=FROM_RECENT_DEALS.get(self.settings.outcome) if grain == "month" else None,
            negative_controls=self.settings.negative_controls,
            labels={name: self.kpis[name].label for name in self.settings.negative_controls},
            known=known_of(data, self.predictors(), periods),
        )

    def plan(self) -> Plan:
        """The analysis plan that the client file fixes."""
        return Plan(**self.settings.plan.model_dump())

    def predictors(self) -> list[Kpi]:
        """The KPIs that the study asks about: those named, or those of the named kind, less the outcome."""
        return predictors_of(self.settings)

    def targets(self, period: Period, level: Level) -> dict[tuple[str, str], float]:
        """(entity_id, kpi) -> base target of a period (see `goals.base_targets`)."""
        return base_targets(self.data.targets, period, level)


def open_client(path: str | Path, progress: Progress | None = None) -> Client:
    """Read a client file and its data, and hold both to what they must be.

    Parameters
    ----------
    progress
        Called while a database's rows are copied: with the table, the rows so far and how many there are, if known.

    Raises
    ------
    InputError
        Everything that is wrong with the file or its source.
    """
    path = Path(path)
    settings = read_client_file(path)
    problems = [*problems_of_names(settings, path.name)]
    scheme: Scheme | None = None
    versions: tuple[SchemeVersion, ...] = ()
    try:
        scheme, versions = read_scheme(settings.scheme, path), read_versions(settings, path)
        for each in (scheme, *(version.scheme for version in versions)):
            find_kpis(each.kpis if isinstance(each, Scheme) else [], path.name, among=kpis_of(settings))
        check_goals(settings.goals, kpis_of(settings), path.name)
        if settings.incentives and scheme:
            check_plan(settings.incentives, scheme, path.name)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    data = stored(settings, path.parent, project_folder(path) / "data" / "interim", progress)
    return Client(path, settings, scheme, data, versions)


def project_folder(path: Path) -> Path:
    """The folder that holds `params/`, or that of the client file where it lies elsewhere."""
    folder = path.resolve().parent
    return folder.parent if folder.name == "params" else folder


def notebook_folder(path: Path) -> Path:
    """The project's notebooks, or those beside the package where the project has none."""
    own = project_folder(path) / "notebooks"
    return own if own.is_dir() else Path(__file__).parents[2] / "notebooks"
