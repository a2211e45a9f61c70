"""What a client file says of changed schemes and of claims, and what its data say to them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.change_effects import change_effect
from kpi_research.evidence.changes import Change, ChangeEffect, Drive, Reason, drives
from kpi_research.evidence.claims import Answer, Claim, Form, answer
from kpi_research.evidence.study import Study
from kpi_research.periods import Period

COMPANY = "company"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChangeSettings(_Strict):
    """A KPI was given weight or a target: in which team from which day, and why there and then."""

    kpi: str
    teams: dict[str, str] = Field(min_length=1)
    reason: Reason = "routine"
    note: str = ""


class ClaimSettings(_Strict):
    """What somebody says a product has done, such as +30 % in half a year.

    Parameters
    ----------
    change
        0.30 for +30 %, as for +30 percentage points.
    form
        Which of the two; it has to be said.
    before, after
        The periods compared, such as 2024H2 and 2025H1.
    """

    kpi: str
    change: float
    form: Form
    before: str
    after: str
    who: str = COMPANY
    source: str = ""


def changes_of(
    written: Sequence[ChangeSettings], *, kpis: Collection[str], teams: Collection[str], outcome: str, where: str
) -> list[Change]:
    """The changes as the client file has them, held to its KPIs and teams.

    Parameters
    ----------
    where
        The client file's name, for messages.

    Raises
    ------
    InputError
        Everything that is wrong with them.
    """
    problems, made = [], []
    for number, one in enumerate(written):
        place = f"{where}: changes[{number}]"
        problems += _unknown("changes.unknown_kpi", place, [one.kpi], kpis)
        problems += _unknown("changes.unknown_team", place, one.teams, teams)
        if one.kpi == outcome:
            problems.append(Problem("changes.outcome_itself", place, {"given": one.kpi}))
        days = {team: _day(day) for team, day in one.teams.items()}
        problems += [
            Problem("changes.no_day", place, {"given": one.teams[team]}) for team, day in days.items() if day is None
        ]
        made.append(Change(one.kpi, {team: day for team, day in days.items() if day}, one.reason, one.note))
    if problems:
        raise InputError(problems)
    return made


def claims_of(
    written: Sequence[ClaimSettings],
    *,
    kpis: Collection[str],
    teams: Collection[str],
    fiscal_year_starts: int,
    where: str,
) -> list[Claim]:
    """The claims as the client file has them, held to its KPIs and teams.

    Raises
    ------
    InputError
        Everything that is wrong with them.
    """
    problems, made = [], []
    for number, one in enumerate(written):
        place = f"{where}: claims[{number}]"
        problems += _unknown("claims.unknown_kpi", place, [one.kpi], kpis)
        problems += _unknown("claims.unknown_who", place, [one.who], [COMPANY, *teams])
        try:
            before, after = (Period.parse(name, fiscal_year_starts) for name in (one.before, one.after))
            made.append(Claim(one.kpi, one.change, one.form, before, after, one.who, one.source))
        except InputError as wrong:
            problems += [Problem(each.key, place, each.values, each.given, each.allowed) for each in wrong.problems]
    if problems:
        raise InputError(problems)
    return made


def effects_of(
    changes: Sequence[Change], panel: pd.DataFrame, *, teams: Mapping[str, str], outcome: str, study: Study
) -> list[tuple[ChangeEffect, Drive]]:
    """What happened after each change, and whether it shows that the KPI drives the outcome.

    Parameters
    ----------
    panel
        Person level by month, as the study used.
    study
        Of that outcome; a KPI that it does not ask about cannot earn an A.
    """
    verdicts = study.verdicts.set_index("kpi")
    found = []
    for change in changes:
        letter, effect = verdicts.loc[change.kpi, ["code", "effect"]] if change.kpi in verdicts.index else ("", 0.0)
        seen = change_effect(panel, change, teams=teams, outcome=outcome, others=changes)
        found.append((seen, drives(seen, verdict=letter, observed_sign=int(effect > 0) - int(effect < 0))))
    return found


def answers_of(claims: Sequence[Claim], panels: Mapping[Literal["company", "team"], pd.DataFrame]) -> list[Answer]:
    """What the client's months say to each claim, by the panel of the company or of its teams."""
    return [answer(claim, panels["company" if claim.who == COMPANY else "team"]) for claim in claims]


def _unknown(key: str, place: str, given: Collection[str], known: Collection[str]) -> list[Problem]:
    return [Problem(key, place, {"given": each}, each, sorted(known)) for each in given if each not in known]


def _day(written: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(written)
    except ValueError:
        return None
