"""For managers: which activities go with better results, in one sentence each, and on how much that rests."""

from __future__ import annotations

from collections.abc import Iterator

from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.words import period_title

ORDER = "ABCDEFGIRHN"
"""What can be acted upon first, what cannot be judged last."""


def build(page: PageData) -> Iterator[Block]:
    """A table of verdicts in words; no p-value stands here."""
    verdicts = page.study.verdicts
    if verdicts.empty:
        yield Block(
            "activities",
            say("activities.title", page.language),
            text=(say("activities.none", page.language),),
            status="no_data",
        )
        return
    frame = verdicts.assign(
        label=verdicts["kpi"].map(page.label),
        verdict=[f"{say(f'verdict_name.{code}', page.language)} ({code})" for code in verdicts["code"]],
        sentence=verdicts[f"sentence_{page.language}"],
        rank=verdicts["code"].map(ORDER.index),
    ).sort_values(["rank", "label"])
    columns = tuple(
        ColumnView(key, say(f"activities.column.{key}", page.language)) for key in ("label", "verdict", "sentence")
    )
    yield Block(
        "activities",
        say("activities.title", page.language),
        text=(
            say("activities.lead", page.language, outcome=page.label(page.outcome)),
            say(
                "activities.base",
                page.language,
                people=int(verdicts["n_people"].max()),
                periods=int(verdicts["n_periods"].max()),
                period=period_title(page.period, page.language),
            ),
        ),
        table=DataTable(frame, columns, say("activities.caption", page.language)),
        notes=(say("activities.limits", page.language),),
        facts={
            "verdicts": frame[["kpi", "code", "gate", "effect", "ci_low", "ci_high", "n_people", "n_periods"]].to_dict(
                "records"
            )
        },
    )


SECTION = Section("activities", build)
