"""Which reports a client file asks for in a period, as jobs."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from kpi_research.errors import InputError, Problem
from kpi_research.language import LANGUAGES, Language
from kpi_research.panel import Level
from kpi_research.periods import Period
from kpi_research.run.bench_file import bench_digest
from kpi_research.run.client import Client, notebook_folder, project_folder
from kpi_research.run.job import Job
from kpi_research.run.settings import ReportSettings

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
        if report.per == "team":
            ids = [team for team in present if not teams or team in teams]
            found += [
                _report(client, report, period, out, language=lang, team=t) for t in ids for lang in _languages(client)
            ]
        elif not teams:
            found += [_report(client, report, period, out, language=lang, team=None) for lang in _languages(client)]
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
    client: Client, report: ReportSettings, period: Period, out: Path, *, language: Language, team: str | None
) -> Report:
    notebook = notebook_folder(client.path) / f"{report.notebook}.ipynb"
    place = f"teams/{safe_names(_all_teams(client))[team]}" if team else "company"
    if language != _languages(client)[0]:
        place += f"/{language}"
    # a notebook from elsewhere runs beside the client file, so that no delivered page names this machine's folders
    beside = notebook.parent if notebook.parent.parent == project_folder(client.path) else client.path.resolve().parent
    parameters = {
        "client": Path(os.path.relpath(client.path.resolve(), beside)).as_posix(),
        "period": period.name,
        "language": language,
        "audience": report.audience,
        **({"team": team} if team else {}),
    }
    name = f"{place}/{report.notebook}"
    log = out / "logs" / f"{name.replace('/', '-')}.log"
    job = Job(name, notebook, parameters, out / place, log, EXPORT, working_folder=beside)
    label = _label(client, team, language)
    return Report(job, "team" if team else "company", team or "", label, _fingerprint(client, job))


def _fingerprint(client: Client, job: Job) -> str:
    parts = [
        client.data.folder.name,
        client.settings.model_dump_json(exclude={"source"}),
        client.scheme.model_dump_json() if client.scheme else "",
        hashlib.sha256(job.notebook.read_bytes()).hexdigest() if job.notebook.is_file() else "",
        bench_digest(client) if job.name.endswith("evidence") else "",
        json.dumps([job.name, dict(job.parameters), package_versions()], sort_keys=True, ensure_ascii=False),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _languages(client: Client) -> tuple[Language, ...]:
    return LANGUAGES if client.settings.language == "both" else (client.settings.language,)


def _all_teams(client: Client) -> list[str]:
    return list(client.data.teams["team_id"]) if not client.data.teams.empty else []


def _label(client: Client, team: str | None, language: Language) -> str:
    teams = client.data.teams
    title = client.settings.title.model_dump()[language]
    return str(teams.set_index("team_id")["name"].get(team, team)) if team else title


def _not_there(key: str, given: str, allowed: list[str]) -> Problem:
    return Problem(key, values={"team": given, "notebook": given}, given=given, allowed=allowed)
