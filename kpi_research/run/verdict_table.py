"""`evidence`: what the study says of each KPI, on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from kpi_research.evidence.study import Study
from kpi_research.evidence.verdict import CODES
from kpi_research.language import Language, say
from kpi_research.periods import Period
from kpi_research.report.control_words import controls_not_asked
from kpi_research.report.format import Unit, format_interval, format_value
from kpi_research.report.words import listed
from kpi_research.run.client import Client


def verdict_rows(study: Study) -> list[dict[str, Any]]:
    """The verdicts as JSON can say them; what is not known is null."""
    rows = study.verdicts.astype(object)
    found = rows.where(rows.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in found]


def print_verdicts(client: Client, study: Study, period: Period, language: Language) -> None:
    """A row a KPI, what can be acted upon first: its letter, the effect and its range, what it rests on, and why."""
    console, verdicts = Console(), study.verdicts
    outcome = client.kpis[client.settings.outcome].label[language]
    table = Table(title=say("evidence_command.title", language, outcome=outcome, period=period.name), show_lines=True)
    for name in ("kpi", "verdict", "effect", "base", "sentence"):
        table.add_column(say(f"evidence_command.column.{name}", language), overflow="fold")
    ladder = sorted(verdicts.to_dict("records"), key=lambda row: (-CODES.index(row["code"]), row["kpi"]))
    for row in ladder:
        table.add_row(
            client.kpis[row["kpi"]].label[language],
            f"{row['code']} {say('verdict_name.' + row['code'], language)}",
            _effect(row, client, language),
            say("evidence_command.base", language, people=int(row["n_people"]), periods=int(row["n_periods"])),
            _sentence(row, client, language),
        )
    console.print(table)
    for told in controls_not_asked(study, lambda kpi: client.kpis[kpi].label[language], language):
        console.print(told, highlight=False)
    console.print(say("evidence_command.plan", language, fingerprint=study.fingerprint[:16]), highlight=False)
    if len(verdicts):
        console.print(say(f"findings.note.unit_{verdicts['effect_unit'].iloc[0]}", language), highlight=False)


def _sentence(row: dict[str, Any], client: Client, language: Language) -> str:
    """The verdict in words; that a table is missing says more than that there are no months."""
    asked = (client.kpis[row["kpi"]], client.kpis[client.settings.outcome])
    absent = [table for kpi in asked for table in kpi.needs if table not in client.data.parts.tables]
    if not absent:
        return str(row[f"sentence_{language}"])
    names = listed((say(f"table.{table}", language) for table in dict.fromkeys(absent)), language)
    return say("activities.no_table", language, tables=names)


def _effect(row: dict[str, Any], client: Client, language: Language) -> str:
    """The effect for one usual swing of the KPI, and its 95 % interval; empty where it was not measured."""
    unit: Unit = "share" if row["effect_unit"] == "share" else "number"
    currency = client.settings.currency
    if row["effect"] is None or row["effect"] != row["effect"]:
        return ""
    ends = format_interval(row["ci_low"], row["ci_high"], unit, language, currency=currency)
    return f"{format_value(row['effect'], unit, language, currency=currency)} ({ends})"
