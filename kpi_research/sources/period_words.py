"""Periods as forms write them (`2026年7月`, `第三季度` under a title with the year) by the names that targets go by."""

from __future__ import annotations

import dataclasses
import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from kpi_research.crm.raw import COUNTED, RawTable
from kpi_research.crm.typing import blank_to_null
from kpi_research.errors import InputError
from kpi_research.periods import Period
from kpi_research.sources.export import Export
from kpi_research.sources.exports import shape

PERIOD = "period"
UNREAD = "not_a_period"
"""What is noted of a row whose period is none: a rule of the contract by its sentence."""


def with_periods(raw: RawTable, export: Export) -> RawTable:
    """A table with its periods by their names; those that name none stay, and are noted.

    Parameters
    ----------
    export
        What the table was taken out of: its title, or its name, may hold the year.
    """
    if PERIOD not in raw.rows.columns:
        return raw
    text = blank_to_null(raw.rows[PERIOD], raw.forms.nulls)
    given = _texts(raw.rows.select(text=text))
    year = _year(export)
    names = {each: period_named(each, year) for each in given}
    unread = [each for each, name in names.items() if name is None]
    meant = [(each, ibis.literal(name)) for each, name in names.items() if name and name != each]
    columns: dict[str, ir.Value] = {PERIOD: text.cases(*meant, else_=text)} if meant else {}
    if unread:
        none = ibis.null("string")
        before = raw.rows[COUNTED] if COUNTED in raw.rows.columns else none
        columns[COUNTED] = ibis.coalesce(before, text.isin(unread).ifelse(ibis.literal(UNREAD), none))
    return dataclasses.replace(raw, rows=raw.rows.mutate(**columns)) if columns else raw


def period_named(text: str, year: int | None = None) -> str | None:
    """The name of the period that a text means, such as 2026Q3; None if it means none, or no certain one.

    Parameters
    ----------
    text
        A name, or what people write on a form.
    year
        Of a period that is written without one, where something else has told it.
    """
    words = _words()
    given = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).upper()
    given = re.sub(words["purpose"], "", given)
    with suppress(InputError):
        return Period.parse(given).name
    numbers = words["numbers"]
    for letter, pattern in words["letters"].items():
        if found := re.search(pattern, given):
            given = given.replace(found[0], f"{letter}{numbers.get(found[1], found[1])}", 1)
    for name, forms in words["forms"].items():
        for form in forms:
            match = re.fullmatch(form.replace("YEAR", words["year"]), given)
            if match and (said := match["year"] or year):
                number = match["number"]
                return str(name.format(year=said, number=numbers.get(number) or int(number or 0)))
    return None


@functools.cache
def _words() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _year(export: Export) -> int | None:
    """The only year that the titles of a form say; where they say none, that in the name of its file or sheet."""
    title = str(shape.words()["form"]["title"])
    titles = _texts(export.rows.select(text=export.rows[title].cast("string"))) if title in export.headers else []
    for texts, pattern in ((titles, _words()["year_of"]["title"]), ([export.name], _words()["year_of"]["name"])):
        years = {found for text in texts for found in re.findall(pattern, text)}
        if years:
            return int(years.pop()) if len(years) == 1 else None
    return None


def _texts(rows: ir.Table) -> Iterable[str]:
    """The different texts of the column `text`."""
    return [text for text in rows.distinct().to_pyarrow()["text"].to_pylist() if text]
