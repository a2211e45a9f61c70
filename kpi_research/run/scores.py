"""A client's scores: the panel of a period with the team's figures where they count, and what raters said."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kpi_research.appraisal.ranking import Homogeneity
from kpi_research.appraisal.ratings import leniency, on_full_scale, rated
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.score import Score, score
from kpi_research.crm.roster import UNASSIGNED, days_in
from kpi_research.errors import InputError, Problem
from kpi_research.panel import COMPANY, Level, panel
from kpi_research.periods import Period, as_intervals, weekly_slices
from kpi_research.policy import MEASURED
from kpi_research.run.on_file import latest_teams
from kpi_research.run.scheme_choice import schemes_of

if TYPE_CHECKING:
    from kpi_research.run.client import Client

NOT_KEPT = "not_kept"
"""Status of a score whose KPI counts records of which the company never had one."""

EVER = pd.Timestamp("1990-01-01")
"""Before any record of a CRM."""

RESAMPLING_SEED = 20260101
"""Fixed, so that the same data give the same intervals."""


def score_of(client: Client, period: Period, level: Level, entities: Collection[str] | None = None) -> Score:
    """Scores of a level in one period, each entity by the scheme that holds for it; see `Client.score`.

    Raises
    ------
    InputError
        If no scheme holds for anybody.
    """
    if client.scheme is not None:
        return score_by(client, client.scheme, period, level, entities)
    asked = sorted(_entities(client, period, level) if entities is None else entities)
    whom = [(each if level == "team" else None, each if level == "person" else None) for each in asked]
    groups: dict[str, tuple[Scheme, list[str]]] = {}
    for each, scheme in zip(asked, schemes_of(client, period, whom), strict=True):
        if scheme is not None:
            groups.setdefault(scheme.model_dump_json(), (scheme, []))[1].append(each)
    if not groups:
        raise InputError(Problem("client.no_scheme", client.path.name))
    return _together([score_by(client, scheme, period, level, own) for scheme, own in groups.values()])


def known_score(client: Client, period: Period, level: Level, entities: Collection[str] | None = None) -> Score | None:
    """The same; None where nothing is scored: no scheme holds for anybody, or there are no targets."""
    if client.data.targets.empty or (client.scheme is None and not client.versions):
        return None
    try:
        return score_of(client, period, level, entities)
    except InputError as error:
        if all(problem.key == "client.no_scheme" for problem in error.problems):
            return None
        raise


def _entities(client: Client, period: Period, level: Level) -> Collection[str]:
    """Everybody, or every team, that was there in the period."""
    if level == "company":
        return [COMPANY]
    if level == "team":
        return client.teams(period)
    return set(days_in(client.data.parts.roster, period)["person_id"].astype(str))


def _together(scores: Sequence[Score]) -> Score:
    """Scores by several schemes: nobody is compared across them."""
    if len(scores) == 1:
        return scores[0]
    rows, totals, adjustments = (
        pd.concat([getattr(each, name) for each in scores if len(getattr(each, name))] or [getattr(scores[0], name)])
        for name in ("rows", "totals", "adjustments")
    )
    apart = Homogeneity(np.nan, 0, np.nan, len(totals), "nothing_in_common")
    draws = {entity: drawn for each in scores for entity, drawn in each.draws.items()}
    return Score(
        rows.reset_index(drop=True),
        totals.sort_values("entity_id").reset_index(drop=True),
        adjustments.reset_index(drop=True),
        apart,
        draws=draws,
    )


def score_by(
    client: Client, scheme: Scheme, period: Period, level: Level, entities: Collection[str] | None = None
) -> Score:
    """Scores of a level in one period by a scheme, which may be another than the client's."""
    kpis = {name: client.kpis[name] for name in scheme.kpis}
    parts = client.data.parts.only(kpis)
    own = parts if entities is None else parts.of(level, entities)
    teams = latest_teams(parts, period) if level == "person" else {}
    intervals, slices = as_intervals([period]), weekly_slices(period)
    rows, weeks = panel(own, intervals, level), panel(own, slices, level)
    rows = rows[rows["entity_id"] != UNASSIGNED]
    targets = client.targets(period, level)
    shared = [item.kpi for item in scheme.items if item.scope == "team"]
    if shared and level == "person":
        of_teams = parts.only(shared)
        rows = _with_team_figures(rows, panel(of_teams, intervals, "team"), teams, shared)
        weeks = _with_team_figures(weeks, panel(of_teams, slices, "team"), teams, shared)
        targets = _with_team_targets(targets, client.targets(period, "team"), teams, shared)
    rows = _without_what_is_not_kept(rows, not_kept(client, kpis, period))
    if level == "person":
        rows = _with_ratings(rows, client, period, scheme)
    rng = np.random.default_rng(RESAMPLING_SEED)
    return score(rows, weeks, scheme=scheme, kpis=kpis, targets=targets, rng=rng)


def not_kept(client: Client, kpis: Collection[str], period: Period, *, since: pd.Timestamp = EVER) -> frozenset[str]:
    """Of these KPIs the counts and sums of which nobody in the company had a record up to a period's end.

    Then such records are not kept, and the zero that everybody would have says nothing of anybody. Where there ever was
    one they are kept, and a zero stays a zero, also in a period in which nobody has any: that nobody won a new customer
    is true of some quarters, and whether it was not done or not written down then, no record tells.

    Parameters
    ----------
    since
        Only records from this moment on.
    """
    asked = [
        name
        for name in kpis
        if (kpi := client.kpis[name]).denominator is None
        and kpi.aggregation in ("sum", "distinct")
        and COMPANY in kpi.levels
    ]
    if not asked:
        return frozenset()
    stretch = pd.DataFrame({"period": ["ever"], "start": [since], "end": [pd.Timestamp(period.end)]})
    rows = panel(client.data.parts.only(asked), stretch, "company")
    return frozenset(rows.loc[(rows["n"] == 0) & (rows["numerator"] == 0), "kpi"])


def _without_what_is_not_kept(rows: pd.DataFrame, kpis: Collection[str]) -> pd.DataFrame:
    said = rows["kpi"].isin(kpis) & rows["status"].isin(MEASURED)
    return rows.assign(value=rows["value"].mask(said), status=rows["status"].mask(said, NOT_KEPT))


def _with_team_figures(
    rows: pd.DataFrame, of_teams: pd.DataFrame, teams: Mapping[str, str], kpis: Collection[str]
) -> pd.DataFrame:
    """People's rows, in which some KPIs have the figures of the team that the person was in last."""
    people = rows.loc[rows["kpi"].isin(kpis), ["entity_id", "period", "kpi"]]
    people = people.assign(team=people["entity_id"].map(teams))
    figures = of_teams.rename(columns={"entity_id": "team"})
    joined = people.merge(figures, on=["team", "period", "kpi"], how="inner")
    taken = joined.drop(columns="team").assign(level="person")[list(rows.columns)]
    # without a team, or a week in which it has no row, the person's own row stands as what is not known
    key = ["entity_id", "period", "kpi"]
    placed = pd.MultiIndex.from_frame(rows[key]).isin(pd.MultiIndex.from_frame(taken[key]))
    return pd.concat([rows[~placed], taken.astype(rows.dtypes.to_dict())], ignore_index=True)


def _with_team_targets(
    targets: Mapping[tuple[str, str], float],
    of_teams: Mapping[tuple[str, str], float],
    teams: Mapping[str, str],
    kpis: Collection[str],
) -> dict[tuple[str, str], float]:
    taken = {
        (person, kpi): of_teams[team, kpi] for person, team in teams.items() for kpi in kpis if (team, kpi) in of_teams
    }
    return {**{key: value for key, value in targets.items() if key[1] not in kpis}, **taken}


def _with_ratings(rows: pd.DataFrame, client: Client, period: Period, scheme: Scheme) -> pd.DataFrame:
    """People's rows, in which soft KPIs have what the raters that the scheme names gave."""
    soft = [item for item in scheme.items if item.raters]
    if not soft:
        return rows
    ratings = ratings_in(client, period)
    mild = leniency(ratings)
    found = pd.concat([rated(ratings, item, mild) for item in soft]).set_index(["entity_id", "kpi"])
    rows = rows.set_index(["entity_id", "kpi"])
    for item in soft:
        at = rows.index.get_level_values("kpi") == item.kpi
        given = found.reindex(rows.index[at])
        status = given["status"].where(given["status"].notna(), "no_cases").to_numpy()
        rows.loc[at, ["value", "n"]] = given[["value", "n"]].to_numpy()
        rows.loc[at, ["numerator", "denominator"]] = np.column_stack([given["value"], np.ones(at.sum())])
        rows.loc[at, "status"] = status
    return rows.reset_index()


def ratings_in(client: Client, period: Period) -> pd.DataFrame:
    """Ratings of this period and of periods that end in it, with `points` of a hundred."""
    ratings = client.data.ratings
    if ratings.empty:
        return pd.DataFrame(columns=["person_id", "kpi", "rater", "rater_id", "points"])
    starts = client.settings.fiscal_year_starts
    last = {name: Period.parse(name, starts).end for name in ratings["period"].unique()}
    inside = ratings["period"].map(lambda name: period.start < last[name] <= period.end)
    return on_full_scale(ratings[inside])
