"""How far the data can be trusted: one grade, and the three things that matter most."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.language import say
from kpi_research.report.block import Block, Callout, Tone
from kpi_research.report.data import PageData
from kpi_research.report.faults import fix_of, found_of, meaning_of, name_of, person_in_charge, to_mend
from kpi_research.report.page import Section
from kpi_research.report.words import value_of

POINTS = 3
TONES: dict[str, Tone] = {"A": "good", "B": "good", "C": "fair", "D": "poor", "N": "unknown"}


def build(page: PageData) -> Iterator[Block]:
    """The grade, why, what first; each point with what was found, what it means and what to mend."""
    grade, faults = page.quality.grade, to_mend(page)
    points = faults.drop_duplicates("check").head(POINTS) if len(faults) else faults
    yield Block(
        "data_quality_headline",
        say("data_quality.headline.title", page.language),
        callout=Callout(
            TONES[grade],
            say(f"data_quality.stands.{grade}", page.language),
            _why(page, faults),
            _next(page, points),
            figure="" if grade == "N" else grade,
            figure_label="" if grade == "N" else say("data_quality.headline.figure", page.language),
        ),
        text=tuple(_point(page, number, row) for number, (_, row) in enumerate(points.iterrows(), start=1)),
        facts={"grade": grade, "points": [*points["check"]] if len(points) else []},
        status="no_data" if grade == "N" else "ok",
    )


SECTION = Section("data_quality_headline", build)


def _why(page: PageData, faults: pd.DataFrame) -> str:
    observations = page.quality.observations
    checked = int((observations["grade"] != "N").sum()) if len(observations) else 0
    counts = {"checked": checked, "good": checked - len(faults), "mend": len(faults)}
    shown = {key: value_of(page, count, "count") for key, count in counts.items()}
    return say("data_quality.headline.why", page.language, **shown)


def _next(page: PageData, points: pd.DataFrame) -> str:
    if page.quality.grade == "N":
        return say("data_quality.headline.unknown", page.language)
    if points.empty:
        return say("data_quality.headline.nothing", page.language)
    first = points.iloc[0]
    who = person_in_charge(page, first["in_charge"])
    return say("data_quality.headline.next", page.language, who=who, name=name_of(page, first))


def _point(page: PageData, number: int, row: pd.Series) -> str:
    parts = {"found": found_of(page, row), "effect": meaning_of(page, row), "fix": fix_of(page, row)}
    return say("data_quality.headline.point", page.language, number=number, **parts)
