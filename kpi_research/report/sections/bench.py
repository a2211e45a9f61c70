"""What each kind of KPI would be called at the client's own size: how far the verdicts above can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterator

from kpi_research.evidence.bench import CLAIMS
from kpi_research.evidence.benched import Benched
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section


def build(page: PageData) -> Iterator[Block]:
    """Of each kind of KPI with known truth, how often it got which letter; or how to find out."""
    title = say("bench_section.title", page.language)
    if page.bench is None:
        yield Block("bench", title, text=(say("bench_section.none", page.language),), status="no_data")
        return
    yield Block(
        "bench",
        title,
        text=(say("bench_section.lead", page.language), *_sentences(page, page.bench)),
        table=_table(page, page.bench),
        notes=tuple(_notes(page, page.bench)),
        facts={"bench": page.bench.as_dict()},
    )


SECTION = Section("bench", build)


def _sentences(page: PageData, found: Benched) -> Iterator[str]:
    """The two rates that a reader of verdicts needs most."""
    letters = found.letters
    if "driver" in letters.index:
        seen = sum(float(letters.loc["driver"].get(code, 0.0)) for code in CLAIMS)
        yield say("bench_section.driver", page.language, share=f"{seen:.0%}")
    if set(CLAIMS) & set(letters.columns):
        share, error = found.false_share
        yield say("bench.false", page.language, share=f"{share:.0%}", error=_twice(error))
    else:
        yield say("bench.no_claims", page.language)


def _table(page: PageData, found: Benched) -> DataTable:
    letters = found.letters
    frame = letters.reset_index()
    frame["truth"] = [say(f"bench.truth.{truth}", page.language) for truth in letters.index]
    columns = (
        ColumnView("truth", say("bench.column.truth", page.language)),
        *(ColumnView(code, f"{say(f'verdict_name.{code}', page.language)} ({code})", "share") for code in letters),
    )
    return DataTable(frame, columns, say("bench_section.caption", page.language, draws=found.done))


def _notes(page: PageData, found: Benched) -> Iterator[str]:
    world = found.world
    yield say(
        "bench_section.size",
        page.language,
        people=world.people,
        periods=world.periods,
        beta=f"{world.beta:.2f}",
        missing=f"{world.missing:.0%}",
    )
    if not world.recorded:
        yield say("bench.unrecorded", page.language)
    if found.done > 1:
        yield say("bench.error", page.language, error=_twice(found.largest_error))


def _twice(error: float) -> str:
    """Two standard errors; a single simulation has none."""
    return f"{2 * error:.0%}" if math.isfinite(error) else "?"
