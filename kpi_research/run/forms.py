"""`appraisal.xlsx`: the appraisal form of everybody who is scored in a period, for HR alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from kpi_research.appraisal.form import forms_of
from kpi_research.appraisal.goals import held_targets
from kpi_research.appraisal.scheme import Rater, Scheme
from kpi_research.appraisal.score import Score
from kpi_research.language import Language, say
from kpi_research.periods import Period
from kpi_research.report.score_words import Words
from kpi_research.report.words import period_title
from kpi_research.run.client import Client
from kpi_research.run.code import code_fingerprint
from kpi_research.run.form_sheets import Signed, write_forms
from kpi_research.run.on_file import latest_teams
from kpi_research.run.person_scores import people_in, person_scores
from kpi_research.run.scheme_choice import schemes_of
from kpi_research.run.scores import ratings_in

FORM = "appraisal_form"
"""How the manifest and the index call it."""


def has_forms(client: Client, period: Period) -> bool:
    """Whether anybody can be scored in a period: there is a scheme, a target of a person, and the quarter is over."""
    targets = client.data.targets
    if (client.scheme is None and not client.versions) or targets.empty or period not in client.periods("quarter"):
        return False
    return bool(((targets["scope"] == "person") & (targets["period"] == period.name)).any())


def file_name(language: Language, first: Language) -> str:
    """`appraisal.xlsx`; in a client's second language `appraisal-en.xlsx`."""
    return "appraisal.xlsx" if language == first else f"appraisal-{language}.xlsx"


def write_form(client: Client, period: Period, language: Language, path: Path) -> int:
    """Write the workbook of everybody who is scored in a period; how many they are."""
    people = signed_forms(client, period, language)
    words = Words(language, client.settings.currency)
    title = say(
        "forms.title",
        language,
        client=client.settings.title.model_dump()[language],
        period=period_title(period, language),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f".{path.name}.part")
    write_forms(people, building, words, title=title, author=f"kpi-research {version('kpi-research')}")
    building.replace(path)
    return len(people)


def signed_forms(client: Client, period: Period, language: Language) -> list[Signed]:
    """Forms of those who worked in a team in the period, by team and name; none where nothing is scored."""
    score = person_scores(client, period)
    if score is None:
        return []
    teams = latest_teams(client.data.parts, period)
    marks = _marks(ratings_in(client, period))
    forms = [
        form
        for scheme, own in _by_scheme(client, period, score)
        for form in forms_of(own, scheme, client.kpis, stretch=_stretch(client, period, teams, scheme), marks=marks)
    ]
    names, roles = _column(client.data.people, "person_id", "name"), _column(client.data.people, "person_id", "role")
    called = _column(client.data.teams, "team_id", "name")
    shown = period_title(period, language)
    signed, there = [], set(people_in(client, period))
    for form in forms:
        if form.person_id not in there:
            continue
        team, person = teams.get(form.person_id, ""), form.person_id
        signed.append(Signed(form, names.get(person, person), called.get(team, team), roles.get(person, ""), shown))
    return sorted(signed, key=lambda each: (each.team, each.name, each.form.person_id))


def form_fingerprint(client: Client, period: Period, language: Language) -> str:
    """Of everything that the workbook depends on."""
    parts = [
        client.data.folder.name,
        code_fingerprint(),
        client.settings.model_dump_json(exclude={"source"}),
        client.scheme.model_dump_json() if client.scheme else "",
        json.dumps([FORM, period.name, language, version("openpyxl")]),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _by_scheme(client: Client, period: Period, score: Score) -> list[tuple[Scheme, Score]]:
    """The scores of those who are appraised by the same scheme."""
    people = sorted(score.totals["entity_id"].astype(str))
    held: dict[str, tuple[Scheme, list[str]]] = {}
    for person, scheme in zip(people, schemes_of(client, period, [(None, each) for each in people]), strict=True):
        if scheme is not None:
            held.setdefault(scheme.model_dump_json(), (scheme, []))[1].append(person)
    frames = (score.rows, score.totals, score.adjustments)
    return [
        (scheme, Score(*(frame[frame["entity_id"].isin(own)].reset_index(drop=True) for frame in frames)))
        for scheme, own in held.values()
    ]


def _stretch(client: Client, period: Period, teams: Mapping[str, str], scheme: Scheme) -> dict[tuple[str, str], float]:
    """(person, kpi) -> stretch target, the team's where the scheme takes the team's figure."""
    targets = client.data.targets
    if targets.empty or "stretch" not in targets:
        return {}
    found = held_targets(targets, period, "person")["stretch"].astype(float).to_dict()
    of_teams = held_targets(targets, period, "team")["stretch"].astype(float).to_dict()
    shared = [item.kpi for item in scheme.items if item.scope == "team"]
    own = {key: value for key, value in found.items() if key[1] not in shared}
    taken = {(person, kpi): of_teams.get((team, kpi), np.nan) for person, team in teams.items() for kpi in shared}
    return own | taken


def _marks(ratings: pd.DataFrame) -> dict[tuple[str, str], dict[Rater, float]]:
    found: dict[tuple[str, str], dict[Rater, float]] = {}
    for (person, kpi, rater), points in ratings.groupby(["person_id", "kpi", "rater"])["points"].mean().items():
        found.setdefault((str(person), str(kpi)), {})[rater] = float(points)
    return found


def _column(table: pd.DataFrame, key: str, value: str) -> dict[str, str]:
    if table.empty or value not in table:
        return {}
    known = table[table[value].notna()]
    return dict(zip(known[key].astype(str), known[value].astype(str), strict=True))
