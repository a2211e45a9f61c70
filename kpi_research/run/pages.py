"""From a client to the data of one page, cut to what its reader may see before any section is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError, Problem
from kpi_research.language import Language
from kpi_research.panel import COMPANY, Level, panel
from kpi_research.periods import Period, as_intervals
from kpi_research.report.data import RATE, Audience, PageData, Quality
from kpi_research.report.page import Page
from kpi_research.run.client import Client, open_client
from kpi_research.run.customers import team_members
from kpi_research.run.page_parts import with_parts
from kpi_research.run.person_scores import own_position, own_score, people_in
from kpi_research.run.scheme_choice import scheme_of
from kpi_research.run.scores import known_score
from kpi_research.run.settings import Notebook
from kpi_research.run.studies import study_of

HISTORY_QUARTERS = 8


def open_page(
    client: str | Path,
    *,
    period: str,
    team: str | None = None,
    person: str | None = None,
    language: Language = "zh",
    audience: Audience = "manager",
    report: Notebook | None = None,
) -> Page:
    """The page of one team, of one person or of the whole company in one quarter: what a report notebook begins with.

    Parameters
    ----------
    client
        Path of the client file.
    team
        `team_id`; the whole company without it.
    person
        `person_id`: a page of this person alone, whatever the audience.
    audience
        Managers see their own team and its people; the whole company's people are for analysts.
    report
        Which report it is; by default the appraisal of a team, the scorecard of a person, or the evidence of the
        company.

    Raises
    ------
    InputError
        If the client file, the period, the team or the person is wrong.
    """
    opened = open_client(client)
    if person:
        data = person_data(opened, opened.known_period(period), person, language)
        return Page(with_parts(data, opened, report or "scorecard"), report or "scorecard")
    data = page_data(opened, opened.known_period(period), team or None, language, audience)
    report = report or ("appraisal" if team else "evidence")
    return Page(with_parts(data, opened, report), report)


def page_data(client: Client, period: Period, team: str | None, language: Language, audience: Audience) -> PageData:
    """Everything that the page's reader may see, and nothing else."""
    level: Level = "team" if team else "company"
    entity = team or COMPANY
    if team is not None and team not in _entity_names(client):
        allowed = tuple(_entity_names(client))
        raise InputError(Problem("report.no_such_team", values={"team": team}, given=team, allowed=allowed))
    members = team_members(client, period, team)
    quarters = [quarter for quarter in client.reported_quarters() if quarter <= period][-HISTORY_QUARTERS:]
    history = panel(client.data.parts.of(level, [entity]), as_intervals(quarters), level)
    analyst = audience == "analyst"
    before = period.shift(-1)
    has_before = before in client.periods("quarter")
    return PageData(
        client_title=client.settings.title.model_dump()[language],
        language=language,
        audience=audience,
        currency=client.settings.currency,
        period=period,
        level=level,
        entity_id=entity,
        entity_name=_entity_names(client).get(entity, client.settings.title.model_dump()[language]),
        outcome=client.settings.outcome,
        kpis=client.kpis,
        history=history[history["entity_id"] == entity],
        people=_people(client, period, members),
        # who is told of teams is told their names: on the company's page all, on a team's none but its people
        names=_names(client, None if analyst else members) | ({} if analyst or team else _entity_names(client)),
        study=study_of(client, period),
        quality=_quality(client, None if analyst else members),
        until=client.data.parts.until,
        scheme=scheme_of(client, period, team=team),
        score=known_score(client, period, level, [entity]),
        previous_score=known_score(client, before, level, [entity]) if has_before else None,
        people_score=known_score(client, period, "person", members),
        targets=_targets(client, quarters, level, entity),
        whole=_whole(client, period) if analyst else {},
        truth=client.data.truth if analyst else (),
    )


def person_data(client: Client, period: Period, person: str, language: Language) -> PageData:
    """What a person may see: their own figures, and where the scheme allows it their place in the team."""
    if person not in people_in(client, period):
        # whose page else there is would be told to one who may not know
        raise InputError(Problem("report.no_such_person", values={"person": person}, given=person))
    quarters = [quarter for quarter in client.reported_quarters() if quarter <= period][-HISTORY_QUARTERS:]
    scheme = scheme_of(client, period, person=person)
    kpis = {client.settings.outcome, *(scheme.kpis if scheme else ())}
    parts = client.data.parts.of("person", [person]).only(kpis)
    names = _names(client, [person])
    before = period.shift(-1)
    return PageData(
        client_title=client.settings.title.model_dump()[language],
        language=language,
        audience="person",
        currency=client.settings.currency,
        period=period,
        level="person",
        entity_id=person,
        entity_name=names[person],
        outcome=client.settings.outcome,
        kpis=client.kpis,
        history=_own(panel(parts, as_intervals(quarters), "person"), person),
        people=pd.DataFrame(),
        names=names,
        study=study_of(client, period),
        quality=_quality(client, [person]),
        until=client.data.parts.until,
        scheme=scheme,
        score=own_score(client, period, person),
        previous_score=own_score(client, before, person, with_records=False)
        if before in client.periods("quarter")
        else None,
        targets=_targets(client, quarters, "person", person),
        months=_own(panel(parts, as_intervals(period.split("month")), "person"), person),
        position=own_position(client, period, person),
    )


def _own(rows: pd.DataFrame, person: str) -> pd.DataFrame:
    return rows[rows["entity_id"] == person].reset_index(drop=True)


def _people(client: Client, period: Period, members: Collection[str]) -> pd.DataFrame:
    """The few KPIs of its people that a page shows beside each other."""
    parts = client.data.parts.of("person", members).only({client.settings.outcome, RATE})
    return panel(parts, as_intervals([period]), "person")


def _entity_names(client: Client) -> dict[str, str]:
    teams = client.data.teams
    return {} if teams.empty else dict(zip(teams["team_id"], teams["name"], strict=True))


def _names(client: Client, people: Collection[str] | None) -> dict[str, str]:
    """Names of these people, of everybody and of all teams if None; behind a name that two have stands the id."""
    known = client.data.people
    names = {} if known.empty else dict(zip(known["person_id"], known["name"], strict=True))
    shown = names if people is None else {person: names.get(person, person) for person in people}
    twice = {name for name, count in Counter(shown.values()).items() if count > 1}
    told_apart = {person: f"{name} ({person})" if name in twice else name for person, name in shown.items()}
    return {**told_apart, **_entity_names(client)} if people is None else told_apart


def _targets(client: Client, quarters: list[Period], level: Level, entity: str) -> dict[tuple[str, str], float]:
    return {
        (quarter.name, kpi): target
        for quarter in quarters
        for (scope, kpi), target in client.targets(quarter, level).items()
        if scope == entity
    }


def _quality(client: Client, members: Collection[str] | None) -> Quality:
    """What a reader may know of the data: without `members` everything, otherwise no values, ids or other people."""
    data, analyst = client.data, members is None
    observations, coverage = data.quality.observations, data.quality.coverage
    found = [
        frame.groupby(["table", "rule"], as_index=False)
        .agg(rows=("rule", "size"), most_frequent=("value", lambda values: values.mode().iloc[0]))
        .assign(severity=severity)
        for frame, severity in ((data.rejected, "reject"), (data.counted, "count"))
        if len(frame)
    ]
    columns = ["table", "rule", "severity", "rows", "most_frequent"]
    rules = pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)
    counts = data.row_counts
    if not analyst:
        rules = rules.assign(most_frequent="")
        counts = counts.drop(columns=["table", "file"]).sum().to_frame().T
        observations = observations.assign(example="")
        coverage = coverage[coverage["person_id"].isin(members)]
    missing = tuple(name for name in TABLES if name not in data.parts.tables)
    return Quality(counts, rules, missing, observations, coverage, data.quality.grade)


def _whole(client: Client, period: Period) -> dict[Level, pd.DataFrame]:
    """Every level's KPIs over one stretch: from the first day of the data to the period's end."""
    start = pd.Timestamp(client.data.parts.since or period.start)
    stretch = pd.DataFrame({"period": ["whole"], "start": [start], "end": [pd.Timestamp(period.end)]})
    levels: tuple[Level, ...] = ("company", "team", "person")
    return {level: panel(client.data.parts, stretch, level) for level in levels}
