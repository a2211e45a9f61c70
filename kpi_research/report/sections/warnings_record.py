"""What early warnings were worth in the client's own past: how many came true, what they foresaw and how early."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.appraisal.early_warning import EarlyWarnings
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnFormat, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.format import is_missing
from kpi_research.report.page import Section
from kpi_research.report.words import listed


def build(page: PageData) -> Iterator[Block]:
    """A row a kind of warning, where the page was given warnings."""
    if page.warnings is not None and page.audience != "person":
        yield record_of(page, page.warnings)


SECTION = Section("warnings_record", build)


def record_of(page: PageData, found: EarlyWarnings) -> Block:
    """The table of kinds with what they were worth."""
    language = page.language
    units: dict[str, ColumnFormat] = {
        "kind": "text", "warned": "count", "came_true": "count", "cases": "count", "foreseen": "count",
        "lead_days": "days",
    }  # fmt: skip
    frame = pd.DataFrame(
        {"kind": say(f"warn.kind.{kind}", language)}
        | {key: getattr(tuned, key) for key in ("warned", "came_true", "cases", "foreseen", "lead_days")}
        for kind, tuned in found.tuned.items()
    )
    by_default = [say(f"warn.kind.{kind}", language) for kind, tuned in found.tuned.items() if tuned.basis == "default"]
    notes = [say("warn.worth.note", language)]
    if by_default:
        notes.insert(0, say("warn.worth.default", language, kinds=listed(by_default, language)))
    columns = tuple(ColumnView(key, say(f"warn.column.{key}", language), unit) for key, unit in units.items())
    return Block(
        "warnings_record",
        say("warn.worth.title", language),
        text=(say("warn.worth.lead", language, budget=f"{found.false_alarms:g}"),),
        table=DataTable(frame, columns, say("warn.worth.caption", language)),
        notes=tuple(notes),
        facts={
            kind: {"threshold": tuned.threshold, "basis": tuned.basis, "manager_months": tuned.manager_months,
                   "false_alarms": None if is_missing(tuned.false_alarms) else tuned.false_alarms}
            for kind, tuned in found.tuned.items()
        },
    )  # fmt: skip
