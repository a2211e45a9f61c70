"""Weights that would have gone best with later results, what they would have been worth, and what speaks against
them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from kpi_research.appraisal.suggested_weights import Comparison, Suggestion
from kpi_research.appraisal.weight_candidates import WeightAdvice
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.words import listed, range_of, value_of


def build(page: PageData) -> Iterator[Block]:
    """The block of `shown`, where the page was given weights."""
    found = page.weights
    if found is not None:
        yield shown(page, found)


def shown(page: PageData, found: WeightAdvice) -> Block:
    """What to do with the weights; the suggested ones only where they are worth it, or for analysts."""
    made = found.suggestion
    visible = made.advice == "suggest" or (page.audience == "analyst" and made.advice != "too_few")
    return Block(
        "weights_suggested",
        say("weights.title", page.language),
        text=tuple(_sentences(page, made)),
        table=_table(page, made) if visible else None,
        notes=tuple(_notes(page, found)),
        facts=_facts(made),
        status="no_data" if made.advice == "too_few" else "ok",
    )


SECTION = Section("weights_suggested", build)


def _sentences(page: PageData, made: Suggestion) -> Iterator[str]:
    yield say(f"weights.advice.{made.advice}", page.language)
    if made.advice == "too_few":
        return
    yield say(
        "weights.tested",
        page.language,
        quarters=len(made.by_quarter),
        people=made.n_people,
        suggested=value_of(page, made.mean, "number"),
        present=value_of(page, made.to_present.mean, "number"),
        results=value_of(page, made.to_results.mean, "number"),
    )
    yield say("weights.gain", page.language, **_gain(page, made.to_present))
    if made.advice == "suggest" and not made.to_results.low > 0:
        yield say("weights.not_beyond_results", page.language, **_gain(page, made.to_results))


def _gain(page: PageData, one: Comparison) -> dict[str, str]:
    return {"gain": value_of(page, one.gain, "number"), "range": range_of(page, one.low, one.high, "number")}


def _table(page: PageData, made: Suggestion) -> DataTable:
    kpis = dict.fromkeys([*made.present, *made.weights])
    frame = pd.DataFrame(
        {
            "label": [page.label(kpi) for kpi in kpis],
            "present": [made.present.get(kpi, 0) / 100 for kpi in kpis],
            "suggested": [made.weights.get(kpi, 0) / 100 for kpi in kpis],
        }
    )
    columns = (
        ColumnView("label", say("weights.column.label", page.language)),
        ColumnView("present", say("weights.column.present", page.language), "share"),
        ColumnView("suggested", say("weights.column.suggested", page.language), "share"),
    )
    return DataTable(frame, columns, say("weights.caption", page.language))


def _notes(page: PageData, found: WeightAdvice) -> Iterator[str]:
    language = page.language
    if found.suggestion.advice != "too_few":
        yield say("weights.note.agreement", language, outcome=page.inline(page.outcome))
        yield say("weights.note.risk", language)
    if found.unchanged:
        yield say("weights.note.unchanged", language, kpis=listed(map(page.inline, found.unchanged), language))
    if found.by_median:
        yield say("weights.note.median", language, kpis=listed(map(page.inline, found.by_median), language))


def _facts(made: Suggestion) -> dict[str, Any]:
    return {
        "advice": made.advice,
        "present": dict(made.present),
        "weights": dict(made.weights),
        "mean": made.mean,
        "to_present": vars(made.to_present),
        "to_results": vars(made.to_results),
        "by_quarter": made.by_quarter.tolist(),
        "n_people": made.n_people,
    }
