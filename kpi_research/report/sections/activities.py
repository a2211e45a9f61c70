"""For managers: which activities go with better results, in one sentence each, and on how much that rests."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.language import catalogue, say
from kpi_research.report.block import Block, ColumnFormat, ColumnView, DataTable
from kpi_research.report.control_words import controls_not_asked
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.words import listed, period_title, range_of, value_of

SHARE_STEP = 0.01
FACTS = ["kpi", "code", "gate", "effect", "ci_low", "ci_high", "n_people", "n_periods", "lags"]
PASSED = ("A", "B")
"""Letters whose size may be told to everybody."""
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
    frame = _frame(page)
    yield Block(
        "activities",
        say("activities.title", page.language),
        text=(
            say("activities.lead", page.language, outcome=page.inline(page.outcome)),
            say(
                "activities.base",
                page.language,
                people=int(verdicts["n_people"].max()),
                periods=int(verdicts["n_periods"].max()),
                period=period_title(page.period, page.language),
            ),
        ),
        table=DataTable(frame, _columns(page, frame), say("activities.caption", page.language)),
        notes=(say("activities.limits", page.language), *controls_not_asked(page.study, page.label, page.language)),
        facts={"verdicts": frame[FACTS].to_dict("records")},
    )


SECTION = Section("activities", build)


def _frame(page: PageData) -> pd.DataFrame:
    """Verdicts with their words, what can be acted upon first."""
    verdicts = page.study.verdicts
    return verdicts.assign(
        label=verdicts["kpi"].map(page.label),
        verdict=[_named(page, kpi, code) for kpi, code in zip(verdicts["kpi"], verdicts["code"], strict=True)],
        advice=[say(f"verdict_advice.{code}", page.language) for code in verdicts["code"]],
        sentence=[sentence_of(page, row) for _, row in verdicts.iterrows()],
        rank=verdicts["code"].map(ORDER.index),
        weight=verdicts["kpi"].map(_weights(page)),
    ).sort_values(["rank", "label"])


def _columns(page: PageData, frame: pd.DataFrame) -> tuple[ColumnView, ...]:
    """What is shown; weights only where the scheme has one of these KPIs."""
    shown: dict[str, ColumnFormat] = {
        "label": "text",
        "weight": "share",
        "advice": "text",
        "verdict": "text",
        "sentence": "text",
    }
    if frame["weight"].isna().all():
        del shown["weight"]
    return tuple(ColumnView(key, say(f"activities.column.{key}", page.language), unit) for key, unit in shown.items())


def _weights(page: PageData) -> dict[str, float]:
    """Share of the present scheme's points by KPI: whether a verdict touches what people are appraised on."""
    return {item.kpi: item.weight / 100 for item in page.scheme.weighted} if page.scheme else {}


def _named(page: PageData, kpi: str, code: str) -> str:
    """The verdict's name; its letter for analysts only, since anybody else reads letters as grades."""
    name = say(f"verdict_name.{code}", page.language)
    return f"{name} ({page.letter(kpi, code)})" if page.audience == "analyst" else name


def sentence_of(page: PageData, verdict: pd.Series) -> str:
    """The verdict in words; a missing table by its name.

    The size of what is associated only is for analysts: it may be that of something else.
    """
    kpi = page.kpis[verdict["kpi"]]
    needed = dict.fromkeys([*kpi.needs, *page.kpis[page.outcome].needs])
    if absent := [table for table in needed if table in page.quality.missing]:
        names = listed((say(f"table.{table}", page.language) for table in absent), page.language)
        return say("activities.no_table", page.language, tables=names)
    sentence = str(verdict[f"sentence_{page.language}"])
    sized = verdict["code"] in PASSED or (verdict["code"] == "C" and page.audience == "analyst")
    if sized and pd.notna(verdict["effect_per_unit"]):
        sentence += _size(page, verdict)
    if verdict["code"] in PASSED:
        sentence += _limit(page, verdict["kpi"])
    if verdict["alias_of"]:
        sentence += say("activities.alias", page.language, kpi=page.inline(verdict["alias_of"]))
    return sentence


def _limit(page: PageData, kpi: str) -> str:
    """From where on more of the KPI adds nothing, if it has been seen to end."""
    found = page.study.depth.set_index("kpi")
    if kpi not in found.index or found.loc[kpi, "shape"] != "plateau":
        return ""
    unit = page.kpis[kpi].unit
    at, low, high = (value_of(page, found.loc[kpi, name], unit) for name in ("break_at", "break_low", "break_high"))
    return say("activities.plateau", page.language, at=at, low=low, high=high)


def _size(page: PageData, verdict: pd.Series) -> str:
    """How much more of the outcome goes with one more of the KPI."""
    unit, outcome = page.kpis[verdict["kpi"]].unit, page.kpis[page.outcome].unit
    if f"activities.one.{unit}" not in catalogue():
        return ""
    one = SHARE_STEP if unit == "share" else 1.0
    low, high = verdict["effect_per_unit_low"] * one, verdict["effect_per_unit_high"] * one
    return say(
        "activities.effect_seen" if verdict["code"] in PASSED else "activities.effect",
        page.language,
        unit=say(f"activities.one.{unit}", page.language),
        lags=int(verdict["lags"]),
        outcome=page.inline(page.outcome),
        effect=value_of(page, verdict["effect_per_unit"] * one, outcome),
        range=range_of(page, low, high, outcome),
    )
