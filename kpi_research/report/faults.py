"""What was found in the data, in words: what it is, what it means for the verdicts, what to mend."""

from __future__ import annotations

import pandas as pd

from kpi_research.integrity.check import NO_ROWS
from kpi_research.integrity.standards import VALIDITY, weight
from kpi_research.language import catalogue, say
from kpi_research.report.data import PageData
from kpi_research.report.words import value_of


def to_mend(page: PageData) -> pd.DataFrame:
    """The observations that are not in order, the worst first."""
    observations = page.quality.observations
    if observations.empty:
        return observations
    found = observations[~observations["grade"].isin(["A", "N"])]
    return found.assign(
        weight=[weight(grade, effect) for grade, effect in zip(found["grade"], found["effect"], strict=True)],
        valid=found["effect"].isin(VALIDITY),
        times=found["share"] / found["limit"],
    ).sort_values(["weight", "valid", "times", "check", "table"], ascending=[False, False, False, True, True])


def name_of(page: PageData, row: pd.Series) -> str:
    """What a check is called."""
    return say(f"data_quality.check.{row['check']}.name", page.language)


def found_of(page: PageData, row: pd.Series) -> str:
    """What a check found, with its numbers; or what it lacked."""
    if row["missing"]:
        return _missing(page, row["missing"])
    key = f"data_quality.check.{row['check']}.found"
    kind = f"{key}_none" if not row["affected"] else f"{key}_shift" if row["detail"] else key
    return say(
        kind if kind in catalogue() else key,
        page.language,
        n=value_of(page, row["n"], "count"),
        affected=value_of(page, row["affected"], "count"),
        share=value_of(page, row["share"], "share"),
        value=value_of(page, row["value"], "number"),
        table=table_of(page, row["table"]),
        detail=_detail(page, row["detail"]),
    )


def meaning_of(page: PageData, row: pd.Series) -> str:
    """What it does to the verdicts."""
    return say(f"data_quality.effect.{row['effect']}.sentence", page.language)


def fix_of(page: PageData, row: pd.Series) -> str:
    """What to mend in the CRM."""
    return say(f"data_quality.check.{row['check']}.fix", page.language)


def person_in_charge(page: PageData, who: str) -> str:
    """Who mends it."""
    return say(f"data_quality.in_charge.{who}", page.language)


def table_of(page: PageData, table: str) -> str:
    """The name of a canonical table; nothing for all of them."""
    return say(f"table.{table}", page.language) if table else ""


def _missing(page: PageData, missing: str) -> str:
    if missing == NO_ROWS:
        return say("data_quality.missing.rows", page.language)
    table, _, column = missing.partition(".")
    name = table_of(page, table)
    if column:
        return say("data_quality.missing.column", page.language, table=name, column=column)
    return say("data_quality.missing.table", page.language, table=name)


def _detail(page: PageData, detail: str) -> str:
    """A rule of the contract in words; anything else as it is."""
    rule = f"contract.rule.{detail}"
    return say(rule, page.language).rstrip(".。") if rule in catalogue() else detail
