"""`check`: everything that can be known of a client before a report is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError, Problem
from kpi_research.language import LANGUAGES, Language, say
from kpi_research.run.after_closing import changed_closings
from kpi_research.run.asked import check_asked
from kpi_research.run.client import Client, open_client
from kpi_research.run.parameters import check_parameters
from kpi_research.run.reports import reports
from kpi_research.run.schemes import lint_client, supplied_by
from kpi_research.sources.database import untested
from kpi_research.sources.mapping import DatabaseSource, MergedSource, Source
from kpi_research.sources.workspace import Progress

RULES_SHOWN, VALUE_SHOWN = 20, 60
ALPHA, POWER = 0.05, 0.80


def checkup(path: Path, progress: Progress | None = None) -> dict[str, Any]:
    """What a client's file and data are good for, as plain values.

    Parameters
    ----------
    progress
        Called while a database's rows are copied (see `open_client`).

    Raises
    ------
    InputError
        If the client file, its source or the parameters of its notebooks are wrong.
    """
    client = open_client(path, progress)
    planned = _planned_reports(client)
    check_asked(client)
    daily = client.data.parts.daily
    results = daily[daily["kpi"] == client.settings.outcome]
    people = int(results["person_id"].nunique())
    months = int(results["day"].dt.to_period("M").nunique())
    return {
        "client": client.settings.client,
        "until": client.data.parts.until.isoformat(),
        "quarters": [period.name for period in client.periods("quarter")],
        "tables": client.data.row_counts.to_dict("records"),
        "steps": client.data.steps.to_dict("records"),
        "missing_tables": [name for name in TABLES if name not in client.data.parts.tables],
        "rules": [_plain(row) for row in client.data.rules.to_dict("records")],
        "rejected_rows": (client.data.folder / "rejected.parquet").as_posix() if len(client.data.rejected) else None,
        "data_grade": client.data.quality.grade,
        "notes": [{each: note.text(each) for each in LANGUAGES} for note in _untested(client.settings.source)],
        "closed": [{each: found.text(each) for each in LANGUAGES} for found in changed_closings(client)],
        "kpis_without_data": [
            kpi.name for kpi in client.data.parts.kpis if not set(kpi.needs) <= client.data.parts.tables
        ],
        "scheme": lint_client(client, supplied=supplied_by(client)).to_dict("records") if _is_scored(client) else [],
        "reports": planned,
        "people": people,
        "months": months,
        "smallest_visible_effect": smallest_visible_effect(people, months, client.settings.plan.lags),
    }


def _is_scored(client: Client) -> bool:
    return client.scheme is not None or bool(client.versions)


def smallest_visible_effect(people: int, months: int, lags: int) -> float | None:
    """At best the smallest effect, in within-person standard deviations, that this many people and months show.

    One KPI, independent months, the joint F test over the lags at 5 %, power 80 %, equal parts on all lags; results
    that hang over from month to month make it larger.
    """
    from scipy.special import fdtri, ncfdtrinc

    rows = (people - 1) * (months - lags - 1)
    if rows <= 0 or people <= lags + 1:
        return None
    noncentrality = ncfdtrinc(lags, people - lags, 1 - POWER, fdtri(lags, people - lags, 1 - ALPHA))
    return round(float(noncentrality * lags / rows) ** 0.5, 3)


def print_checkup(found: dict[str, Any], language: Language) -> None:
    """The same for the terminal."""
    console = Console()
    table = Table(title=say("check.tables", language))
    for key in ("table", "file", "read", "left_out", "rejected", "kept"):
        justify: Any = "left" if key in ("table", "file") else "right"
        table.add_column(say(f"quality.column.{key}", language), justify=justify)
    for row in found["tables"]:
        table.add_row(*(str(row[key]) for key in ("table", "file", "read", "left_out", "rejected", "kept")))
    console.print(table)
    for note in (*found["notes"], *found["closed"]):
        console.print(note[language], markup=False, highlight=False)
    for row in found["steps"]:
        if (row["before"] != row["after"] or row["step"] == "zero_dates") and row["step"] != "contract":
            name = say(f"step.{row['step']}", language)
            console.print(say("check.step", language, **{**row, "step": name}), markup=False, highlight=False)
    for row in found["rules"][:RULES_SHOWN]:
        reason = say(f"contract.rule.{row['rule']}", language)
        place = "check.place" if row["first_row"] else "check.place_without_row"
        where = say(place, language, file=row["file"], row=row["first_row"])
        told = {**row, "reason": reason, "where": where, "value": _short(row["value"])}
        console.print(say(f"check.{row['severity']}", language, **told), markup=False, highlight=False)
    if found["rejected_rows"]:
        console.print(say("check.rejected_rows", language, path=found["rejected_rows"]), markup=False, highlight=False)
    for key in ("missing_tables", "kpis_without_data"):
        if found[key]:
            console.print(say(f"check.{key}", language, names=", ".join(found[key])), highlight=False)
    for line in _scheme_lines(found["scheme"], language):
        console.print(line, markup=False, highlight=False)
    console.print(
        say("check.span", language, until=found["until"], quarters=", ".join(found["quarters"])), highlight=False
    )
    effect = found["smallest_visible_effect"]
    key = "check.power" if effect else "check.no_power"
    console.print(say(key, language, people=found["people"], months=found["months"], effect=effect), highlight=False)


def _scheme_lines(remarks: list[dict[str, Any]], language: Language) -> Iterator[str]:
    """Errors and warnings in full; of the rest how many there are."""
    breaches = [each for each in remarks if each["severity"] in ("error", "warning")]
    if breaches:
        yield say("check.scheme.head", language)
    for each in breaches:
        told = {"severity": say(f"scheme_severity.{each['severity']}", language), "rule": each["rule"]}
        told |= {"sentence": each[f"sentence_{language}"], "mend": each[f"mend_{language}"]}
        yield say("check.scheme.breach", language, **told)
    notes = sum(each["severity"] == "note" for each in remarks)
    if remarks:
        yield say("check.scheme.rest", language, notes=notes, unchecked=len(remarks) - len(breaches) - notes)


def _planned_reports(client: Client) -> list[str]:
    """The reports of the last whole quarter, once every notebook takes the parameters it would be given."""
    quarters = client.periods("quarter")[-1:]
    jobs = [report.job for quarter in quarters for report in reports(client, quarter, Path())]
    if problems := [problem for job in jobs for problem in check_parameters(job.notebook, job.parameters)]:
        raise InputError(problems)
    return [job.name for job in jobs]


def _short(value: str) -> str:
    return value if len(value) <= VALUE_SHOWN else value[:VALUE_SHOWN] + "…"


def _untested(source: Source) -> Iterator[Problem]:
    """Which of a client's databases are of a kind that no test has run against."""
    for part in source.sources.values() if isinstance(source, MergedSource) else [source]:
        if isinstance(part, DatabaseSource) and (note := untested(part)):
            yield note


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A rule's row as JSON can say it: rows of a database have no number."""
    return {
        **row,
        "first_row": None if pd.isna(row["first_row"]) else int(row["first_row"]),
        "value": str(row["value"]),
    }
