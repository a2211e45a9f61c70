"""Names and shares of the funnel's sections, in the page's language."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.funnel.summary import Summary
from kpi_research.language import say
from kpi_research.report.data import PageData


def stage_label(page: PageData, stage: str, kind: str) -> str:
    """The client's own word for a stage; where it has none, ours."""
    return say(f"funnel.stage.{kind}", page.language) if stage == kind else stage


def labelled(page: PageData, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with `label`, their stage as the page calls it."""
    names = [stage_label(page, stage, kind) for stage, kind in zip(rows["stage"], rows["kind"], strict=True)]
    return rows.assign(label=names)


def step_label(page: PageData, row: pd.Series, funnel: Summary) -> str:
    """A step by both of its stages: `报价 → 签约`."""
    stages = funnel.model.of(row["part"])
    following = stages[int(row["place"]) + 1]
    ends = (stage_label(page, row["stage"], row["kind"]), stage_label(page, following.name, following.kind))
    return " → ".join(ends)


def out_of_hundred(share: float) -> str:
    """A share as a number of a hundred, whole."""
    return f"{share * 100:.0f}"


def caveats(page: PageData, funnel: Summary) -> Iterator[str]:
    """What the records leave unsaid of the stages."""
    model, comma = funnel.model, say("words.comma", page.language)
    if model.order == "none":
        named = comma.join(model.unmeasured)
        yield say("funnel.no_history" if named else "funnel.no_history_plain", page.language, stages=named)
    elif model.unmeasured:
        yield say("funnel.unmeasured", page.language, stages=comma.join(model.unmeasured))
    if model.order == "observed":
        yield say("funnel.observed", page.language, stages=comma.join(stage.name for stage in model.open))
    if model.unlisted:
        yield say("funnel.unlisted", page.language, stages=comma.join(model.unlisted))
    if not model.has_collection:
        yield say("funnel.no_collection", page.language)
    undated_open = int(funnel.standing["undated"].sum())
    if undated_open:
        yield say("funnel.undated_open", page.language, count=f"{undated_open:,}")
    if funnel.undated:
        yield say("funnel.undated", page.language, count=f"{funnel.undated:,}")
