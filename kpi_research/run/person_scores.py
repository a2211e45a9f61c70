"""Everybody's score of a period, made once and kept beside the client's data: each page takes its own from it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from kpi_research.appraisal.reliability import measured, reliability
from kpi_research.appraisal.score import Score
from kpi_research.crm.roster import UNASSIGNED, days_in
from kpi_research.panel.records import no_records
from kpi_research.periods import Period, weekly_slices
from kpi_research.report.data import Position
from kpi_research.run.client import Client
from kpi_research.run.customers import team_members
from kpi_research.run.scheme_choice import scheme_of
from kpi_research.run.score_rows import own_records
from kpi_research.run.scores import known_score

FRAMES = ("rows", "totals", "adjustments")
LUCK = "luck.json"
POSITIONS = "positions.json"
SMALLEST_RANKED = 5
"""Among fewer a place would tell nearly as much of the others as of oneself."""


def people_in(client: Client, period: Period) -> list[str]:
    """Ids of those who worked in a team in the period."""
    days = days_in(client.data.parts.roster, period)
    return sorted(set(days.loc[days["team_id"] != UNASSIGNED, "person_id"].astype(str)))


def person_scores(client: Client, period: Period) -> Score | None:
    """Scores of everybody; None where there is no scheme or there are no targets."""
    folder = _folder(client, period)
    if folder is None:
        return None
    frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in FRAMES}
    no_luck = json.loads((folder / LUCK).read_text(encoding="utf-8"))
    return Score(**frames, no_luck=np.nan if no_luck is None else no_luck)


def own_score(client: Client, period: Period, person: str, *, with_records: bool = True) -> Score | None:
    """The score of one person, with the records behind it if wanted; None where they were not there, or no scheme."""
    whole = person_scores(client, period)
    if whole is None or person not in set(whole.totals["entity_id"]):
        return None
    frames = {name: getattr(whole, name) for name in FRAMES}
    own = {name: frame[frame["entity_id"] == person].reset_index(drop=True) for name, frame in frames.items()}
    records = own_records(client, period, person) if with_records else no_records()
    return Score(**own, no_luck=whole.no_luck, records=records)


def own_position(client: Client, period: Period, person: str) -> Position | None:
    """Where a person stands in the team they ended the period in; None where the scheme keeps it to itself."""
    folder, scheme = _folder(client, period), scheme_of(client, period, person=person)
    if folder is None or scheme is None or scheme.rankings == "none":
        return None
    found = json.loads((folder / POSITIONS).read_text(encoding="utf-8")).get(person)
    return Position(**found) if found else None


def _folder(client: Client, period: Period) -> Path | None:
    """Where the scores are kept; made if they are not there yet."""
    if client.data.targets.empty or (client.scheme is None and not client.versions):
        return None
    asked = client.settings.model_dump_json(include={"scheme", "schemes", "window"})
    folder = client.data.derived / "scores" / f"{period.name}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"
    if not (folder / POSITIONS).is_file():
        made = known_score(client, period, "person")
        if made is None:
            return None
        _write(made, no_luck_in(made, period), _positions(client, period), folder)
    return folder


def no_luck_in(made: Score, period: Period) -> float | None:
    """`Score.no_luck`; None of few people, of scores all alike, and of people whose KPIs are not the same."""
    if made.likeness.reason == "nothing_in_common":
        return None
    found = reliability(measured(made, len(weekly_slices(period))))
    return None if found.reason else found.share


def _write(made: Score, no_luck: float | None, positions: dict[str, dict[str, int | str | None]], folder: Path) -> None:
    """Each file appears whole, the one that is looked for last: several reports may make the same at once."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FRAMES:
        building = folder / f"{name}.{os.getpid()}.part"
        getattr(made, name).to_parquet(building)
        building.replace(folder / f"{name}.parquet")
    for file, kept in ((LUCK, no_luck), (POSITIONS, positions)):
        building = folder / f"{file}.{os.getpid()}.part"
        building.write_text(json.dumps(kept), encoding="utf-8")
        building.replace(folder / file)


def _positions(client: Client, period: Period) -> dict[str, dict[str, int | str | None]]:
    """Person -> what their `Position` says."""
    found: dict[str, dict[str, int | str | None]] = {}
    for team in client.teams(period):
        members = team_members(client, period, team)
        if len(members) < SMALLEST_RANKED:
            found |= {person: {"place": None, "of": len(members), "reason": "few"} for person in members}
            continue
        made = client.score(period=period, level="person", entities=members)
        compared = made.compared_scores
        for person in members:
            reason = "not_compared" if person not in compared.index else ""
            reason = reason or made.likeness.reason or ("" if made.likeness.distinguishable else "alike")
            place = None if reason else int((compared > compared[person]).sum()) + 1
            kept = reason if reason in ("", "alike", "not_compared") else "not_compared"
            found[person] = {"place": place, "of": len(compared), "reason": kept}
    return found
