"""How far the effects can be believed: who left, what repeats from week to week, and what short changes show."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas as pd

from kpi_research.evidence.attrition import ALPHA, BOUNDS, LEAST_LEAVERS
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnFormat, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.words import value_of

LEAVING: dict[str, ColumnFormat] = {
    "n_leavers": "count", "leave_odds": "number", "leave_p": "probability", "weighted_ratio": "share",
    "weighted_p": "probability",
}  # fmt: skip
WEEKS: dict[str, ColumnFormat] = {"reliability": "share"}
CHANGES: dict[str, ColumnFormat] = {
    "slope_differences": "number", "slope_long": "number", "long_periods": "count", "slope_within": "number",
    "differ_p": "probability",
}  # fmt: skip


def build(page: PageData) -> Iterator[Block]:
    """One block a question, a row a KPI; the columns are those of `evidence.trust`."""
    frame = page.study.beside.trust
    if frame.empty:
        title = say("trust.title_leaving", page.language)
        yield Block("trust", title, text=(say("trust.none", page.language),), status="no_data")
        return
    low, high = (value_of(page, bound, "share") for bound in BOUNDS)
    bounds = say("trust.note.bounds", page.language, low=low, high=high)
    yield _block(page, frame, "leaving", LEAVING, leaving_words, ("assumption",), bounds)
    yield _block(page, frame, "weeks", WEEKS, weeks_words, ("weeks", "not_divided"))
    yield _block(page, frame, "changes", CHANGES, changes_words, ())


SECTION = Section("trust", build)


def leaving_words(page: PageData, row: pd.Series) -> str:
    """What is said of one KPI and those who left."""
    if row["leaving_reason"]:
        values = {"count": row["n_leavers"], "least": LEAST_LEAVERS} if row["leaving_reason"] == "few_leavers" else {}
        return say(f"trust.leaving.{row['leaving_reason']}", page.language, **values)
    if pd.isna(row["moves"]):
        return say("trust.leaving.no_effect", page.language)
    if pd.isna(row["weighted_ratio"]):
        return say("trust.leaving.hidden", page.language)
    found = "moves" if row["moves"] else "some" if row["weighted_p"] <= ALPHA else "same"
    return say(f"trust.leaving.{found}", page.language, ratio=value_of(page, row["weighted_ratio"], "share"))


def weeks_words(page: PageData, row: pd.Series) -> str:
    """What is said of one KPI's odd and even weeks."""
    if row["reliability_reason"]:
        return say(f"trust.weeks.{row['reliability_reason']}", page.language)
    value, low, high = (value_of(page, row[f"reliability{end}"], "share") for end in ("", "_low", "_high"))
    return say("trust.weeks.known", page.language, value=value, low=low, high=high)


def changes_words(page: PageData, row: pd.Series) -> str:
    """What is said of one KPI's effect by changes over short and long times."""
    if row["slopes_reason"]:
        return say(f"trust.changes.{row['slopes_reason']}", page.language)
    found = "no_effect" if pd.isna(row["grows"]) else "grows" if row["grows"] else "flat"
    return say(f"trust.changes.{found}", page.language)


def _block(
    page: PageData,
    frame: pd.DataFrame,
    name: str,
    numbers: dict[str, ColumnFormat],
    words: Callable[[PageData, pd.Series], str],
    notes: tuple[str, ...],
    *more: str,
) -> Block:
    shown = frame.assign(label=frame["kpi"].map(page.label), sentence=[words(page, row) for _, row in frame.iterrows()])
    formats: dict[str, ColumnFormat] = {"label": "text", **numbers, "sentence": "text"}
    columns = tuple(
        ColumnView(key, say(f"trust.column.{key}", page.language), format_) for key, format_ in formats.items()
    )
    return Block(
        f"trust_{name}",
        say(f"trust.title_{name}", page.language),
        text=(say(f"trust.lead_{name}", page.language),),
        table=DataTable(shown, columns, say(f"trust.caption_{name}", page.language)),
        notes=(*(say(f"trust.note.{note}", page.language) for note in notes), *more),
        facts={name: frame[["kpi", *numbers]].to_dict("records")},
    )
