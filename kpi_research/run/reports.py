"""Which reports a client file asks for in a period, as jobs."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from kpi_research.errors import InputError, Problem
from kpi_research.language import LANGUAGES, Language
from kpi_research.panel import Level
from kpi_research.periods import Period
from kpi_research.run.bench_file import bench_digest
from kpi_research.run.client import Client, notebook_folder, project_folder
from kpi_research.run.code import code_fingerprint
from kpi_research.run.job import Job
from kpi_research.run.on_file import latest_teams
from kpi_research.run.pay_file import pay_digest
from kpi_research.run.person_scores import people_in
from kpi_research.run.settings import ReportSettings
from kpi_research.run.told import told_fingerprint

EXPORT = "kpi_research.run.export:write_page"
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
OF_ANY_PERIOD = ("data_quality",)
"""Notebooks that say something true of a quarter that is not over."""
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
"""Names that Windows keeps for devices."""
PACKAGES = (
    "pandas",
    "numpy",
    "duckdb",
    "ibis-framework",
    "scipy",
    "statsmodels",
    "matplotlib",
    "papermill",
    "nbconvert",
)


@dataclass(frozen=True)
class Report:
    """One report to be made.

    Parameters
    ----------
    level, entity_id, label
        Whom it is about.
    fingerprint
        Of everything it depends on: the same fingerprint gives the same bytes.
    """

    job: Job
    level: Level
    entity_id: str
    label: str
    fingerprint: str


@dataclass(frozen=True)
class _About:
    """Whom one report is about, the folder of their pages, and what they are called in each language."""

    level: Level
    entity_id: str
    place: str
    label: Mapping[Language, str]


def reports(
    client: Client, period: Period, out: Path, *, notebooks: Collection[str] = (), teams: Collection[str] = ()
) -> list[Report]:
    """Every report that the client file asks for in a period, or those of some notebooks and teams.

    Parameters
    ----------
    out
        The period's folder.

    Raises
    ------
    InputError
        If a notebook or a team is named that the client does not have in this period.
    """
    present = client.teams(period)
    asked = [report.notebook for report in client.settings.reports]
    problems = [_not_there("run.no_such_notebook", name, sorted(set(asked))) for name in notebooks if name not in asked]
    problems += [_not_there("report.no_such_team", name, present) for name in teams if name not in present]
    if problems:
        raise InputError(problems)
    whole = period in client.periods("quarter")
    wanted = [each for each in client.settings.reports if not notebooks or each.notebook in notebooks]
    wanted = [each for each in wanted if whole or each.notebook in OF_ANY_PERIOD]
    found = []
    for report in wanted:
        found += [
            _report(client, report, period, out, language=language, about=about)
            for about in _abouts(client, report, period, teams)
            for language in languages(client)
        ]
    return found


def _abouts(client: Client, report: ReportSettings, period: Period, teams: Collection[str]) -> list[_About]:
    """Whom a report is made of: all of its level, those of some teams, or the company unless teams are named."""
    titles: dict[Language, str] = {lang: client.settings.title.model_dump()[lang] for lang in LANGUAGES}
    if report.per == "company":
        return [] if teams else [_About("company", "", "company", titles)]
    if report.per == "team":
        table, ids = client.data.teams, client.teams(period)
        ids = [team for team in ids if not teams or team in teams]
    else:
        table, last = client.data.people, latest_teams(client.data.parts, period)
        ids = [person for person in people_in(client, period) if not teams or last.get(person) in teams]
    known = [] if table.empty else [str(each) for each in table[f"{report.per}_id"]]
    names = {} if table.empty else dict(zip(known, table["name"].astype(str), strict=True))
    places, folder = safe_names({*known, *ids}), {"team": "teams", "person": "people"}[report.per]
    found = []
    for each in ids:
        called: dict[Language, str] = {language: names.get(each, each) for language in LANGUAGES}
        found.append(_About(report.per, each, f"{folder}/{places[each]}", called))
    return found


def safe_names(ids: Iterable[str]) -> dict[str, str]:
    """A folder name for each id: the id itself where it is harmless, otherwise what is harmless of it and a hash."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for identifier in sorted(ids):
        name = identifier
        if not SAFE_NAME.fullmatch(name) or RESERVED.fullmatch(name) or name.casefold() in taken:
            harmless = re.sub(r"[^A-Za-z0-9_-]+", "-", identifier).strip("-")[:30] or "id"
            name = f"{harmless}-{hashlib.sha256(identifier.encode()).hexdigest()[:8]}"
        names[identifier] = name
        taken.add(name.casefold())
    return names


def package_versions() -> dict[str, str]:
    """Versions of the packages that the numbers and pages are made with."""
    return {name: version(name) for name in PACKAGES}


def _report(
    client: Client, report: ReportSettings, period: Period, out: Path, *, language: Language, about: _About
) -> Report:
    notebook = notebook_folder(client.path) / f"{report.notebook}.ipynb"
    place = about.place if language == languages(client)[0] else f"{about.place}/{language}"
    # a notebook from elsewhere runs beside the client file, so that no delivered page names this machine's folders
    beside = notebook.parent if notebook.parent.parent == project_folder(client.path) else client.path.resolve().parent
    parameters: dict[str, str] = {
        "client": Path(os.path.relpath(client.path.resolve(), beside)).as_posix(),
        "period": period.name,
        "language": language,
        "audience": report.audience,
    }
    if about.level != "company":
        parameters[about.level] = about.entity_id
    name = f"{place}/{report.notebook}"
    log = out / "logs" / f"{name.replace('/', '-')}.log"
    job = Job(name, notebook, parameters, out / place, log, EXPORT, working_folder=beside)
    return Report(job, about.level, about.entity_id, about.label[language], _fingerprint(client, job, period))


def _fingerprint(client: Client, job: Job, period: Period) -> str:
    parts = [
        client.data.folder.name,
        code_fingerprint(),
        client.settings.model_dump_json(exclude={"source"}),
        told_fingerprint(client, period),
        pay_digest(client),
        client.scheme.model_dump_json() if client.scheme else "",
        hashlib.sha256(job.notebook.read_bytes()).hexdigest() if job.notebook.is_file() else "",
        bench_digest(client) if job.name.endswith("evidence") else "",
        json.dumps([job.name, dict(job.parameters), package_versions()], sort_keys=True, ensure_ascii=False),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def languages(client: Client) -> tuple[Language, ...]:
    """The languages that a client's reports are made in; the first is that of the pages without a folder of its own."""
    return LANGUAGES if client.settings.language == "both" else (client.settings.language,)


def _not_there(key: str, given: str, allowed: list[str]) -> Problem:
    return Problem(key, values={"team": given, "notebook": given}, given=given, allowed=allowed)
