"""`check`: everything that can be known of a client before a report is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError
from kpi_research.language import Language, say
from kpi_research.run.client import Client, open_client
from kpi_research.run.parameters import check_parameters
from kpi_research.run.reports import reports

RULES_SHOWN = 20
ALPHA, POWER = 0.05, 0.80


def checkup(path: Path) -> dict[str, Any]:
    """What a client's file and data are good for, as plain values.

    Raises
    ------
    InputError
        If the client file, its source or the parameters of its notebooks are wrong.
    """
    client = open_client(path)
    planned = _planned_reports(client)
    daily = client.data.parts.daily
    results = daily[daily["kpi"] == client.settings.outcome]
    people = int(results["person_id"].nunique())
    months = int(results["day"].dt.to_period("M").nunique())
    return {
        "client": client.settings.client,
        "until": client.data.parts.until.isoformat(),
        "quarters": [period.name for period in client.periods("quarter")],
        "tables": client.data.row_counts.to_dict("records"),
        "missing_tables": [name for name in TABLES if name not in client.data.parts.tables],
        "rules": _rules(client),
        "kpis_without_data": [
            kpi.name for kpi in client.data.parts.kpis if not set(kpi.needs) <= client.data.parts.tables
        ],
        "reports": planned,
        "people": people,
        "months": months,
        "smallest_visible_effect": smallest_visible_effect(people, months, client.settings.plan.lags),
    }


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
    for row in found["rules"][:RULES_SHOWN]:
        reason = say(f"contract.rule.{row['rule']}", language)
        console.print(say(f"check.{row['severity']}", language, reason=reason, **row), markup=False, highlight=False)
    for key in ("missing_tables", "kpis_without_data"):
        if found[key]:
            console.print(say(f"check.{key}", language, names=", ".join(found[key])), highlight=False)
    console.print(
        say("check.span", language, until=found["until"], quarters=", ".join(found["quarters"])), highlight=False
    )
    effect = found["smallest_visible_effect"]
    key = "check.power" if effect else "check.no_power"
    console.print(say(key, language, people=found["people"], months=found["months"], effect=effect), highlight=False)


def _planned_reports(client: Client) -> list[str]:
    """The reports of the last whole quarter, once every notebook takes the parameters it would be given."""
    quarters = client.periods("quarter")[-1:]
    jobs = [report.job for quarter in quarters for report in reports(client, quarter, Path())]
    if problems := [problem for job in jobs for problem in check_parameters(job.notebook, job.parameters)]:
        raise InputError(problems)
    return [job.name for job in jobs]


def _rules(client: Client) -> list[dict[str, Any]]:
    rows = []
    for frame, severity in ((client.data.rejected, "reject"), (client.data.counted, "count")):
        for (table, rule, column), found in frame.groupby(["table", "rule", "column"]) if len(frame) else ():
            first = found.iloc[0]
            rows.append(
                {
                    "table": table, "rule": rule, "column": column, "severity": severity,
                    "rows": int(found["source_row"].nunique()), "file": first["file"],
                    "first_row": int(first["source_row"]), "value": str(first["value"]),
                }
            )  # fmt: skip
    return rows
