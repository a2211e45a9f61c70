"""What the scheme itself does against the rules for schemes, most important first, each with what may be done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from kpi_research.appraisal.lint import Remark, lint
from kpi_research.appraisal.rules import Checked
from kpi_research.appraisal.scheme import Scheme
from kpi_research.crm.tables import TABLES
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section

MOST_SHOWN = 5
COLUMNS = ("found", "mend", "source")


def build(page: PageData) -> Iterator[Block]:
    """What can be checked with what the page holds; nothing where there is no scheme."""
    if page.scheme is not None:
        yield block_of(page, lint(_checked(page, page.scheme)))


def block_of(page: PageData, remarks: Sequence[Remark]) -> Block:
    """The gravest breaches of a scheme's rules; one line where there are none.

    Parameters
    ----------
    remarks
        Gravest first, as `appraisal.lint.lint` gives them.
    """
    breaches = [each for each in remarks if each.severity in ("error", "warning")]
    unchecked = len({each.rule.id for each in remarks if each.severity == "not_checked"})
    notes = [say("scheme_rules.unchecked", page.language, count=unchecked)] if unchecked else []
    if len(breaches) > MOST_SHOWN:
        notes.insert(0, say("scheme_rules.more", page.language, count=len(breaches) - MOST_SHOWN))
    return Block(
        "scheme_rules",
        say("scheme_rules.title", page.language),
        text=(say("scheme_rules.lead" if breaches else "scheme_rules.clean", page.language),),
        table=_table(page, breaches[:MOST_SHOWN]) if breaches else None,
        notes=tuple(notes),
        facts={"rules": [{"rule": each.rule.id, "severity": each.severity} for each in remarks]},
        status="warning" if any(each.severity == "error" for each in breaches) else "ok",
    )


SECTION = Section("scheme_rules", build)


def _checked(page: PageData, scheme: Scheme) -> Checked:
    verdicts = page.study.verdicts
    return Checked(
        scheme,
        page.kpis,
        period=page.period.name,
        day=page.period.start,
        tables=frozenset(TABLES) - set(page.quality.missing),
        letters=dict(zip(verdicts["kpi"], verdicts["code"], strict=True)),
    )


def _table(page: PageData, breaches: Sequence[Remark]) -> DataTable:
    rows = [
        (each.text(page.language), each.mend(page.language), f"{each.rule.id} {each.rule.source(page.language)}")
        for each in breaches
    ]
    columns = tuple(ColumnView(key, say(f"scheme_rules.column.{key}", page.language)) for key in COLUMNS)
    return DataTable(pd.DataFrame(rows, columns=list(COLUMNS)), columns, say("scheme_rules.caption", page.language))
