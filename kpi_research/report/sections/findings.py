"""The verdicts in numbers: effect, interval, p, q, lead placebo and what these data could have shown at all."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.language import say
from kpi_research.report.block import Block, ColumnFormat, ColumnView, DataTable
from kpi_research.report.charts import lag_profile, verdict_overview
from kpi_research.report.control_words import controls_not_asked
from kpi_research.report.data import PageData
from kpi_research.report.lag_picture import profile_of
from kpi_research.report.page import Section
from kpi_research.report.sections.activities import sentence_of
from kpi_research.report.words import listed

NUMBERS: dict[str, ColumnFormat] = {
    "effect": "number", "p": "probability", "q": "probability", "lead_p": "probability", "mde": "number",
}  # fmt: skip
GATES: dict[str, ColumnFormat] = {
    "familywise_p": "probability", "permutation_p": "probability", "late_share": "share", "left_on_file": "share",
    "on_file_p": "probability", "placebo_p": "probability", "granger_p": "probability", "gain_p": "probability",
    "r2_oos": "share", "between_q": "probability",
}  # fmt: skip
PROFILES_SHOWN = 4


def build(page: PageData) -> Iterator[Block]:
    """The overview, the table of numbers, and the profile over lags of the tested KPIs with the smallest p."""
    verdicts = page.study.verdicts
    if verdicts.empty:
        yield Block(
            "findings",
            say("findings.title", page.language),
            text=(say("activities.none", page.language),),
            status="no_data",
        )
        return
    yield _overview(page)
    yield _sentences(page)
    yield _gates(page)
    if page.study.findings["test"].eq("negative_control").any():
        yield _controls(page)
    if len(page.study.depth):
        yield _depth(page)
    shown = verdicts[verdicts["q"].notna()].nsmallest(PROFILES_SHOWN, "p")
    for kpi in shown["kpi"]:
        yield _profile(page, kpi)


SECTION = Section("findings", build)


def _overview(page: PageData) -> Block:
    verdicts = page.study.verdicts
    frame = verdicts.assign(
        label=verdicts["kpi"].map(page.label),
        effect_low=verdicts["ci_low"],
        effect_high=verdicts["ci_high"],
        low=verdicts["ci_low"],
        high=verdicts["ci_high"],
        people=verdicts["n_people"],
        periods=verdicts["n_periods"],
    )
    columns = (
        ColumnView("label", say("findings.column.label", page.language)),
        ColumnView("code", say("findings.column.code", page.language)),
        *(ColumnView(key, say(f"findings.column.{key}", page.language), unit) for key, unit in NUMBERS.items()),
        ColumnView("people", say("findings.column.people", page.language), "count"),
        ColumnView("periods", say("findings.column.periods", page.language), "count"),
    )
    drawn = frame[frame["effect"].notna()]
    return Block(
        "findings",
        say("findings.title", page.language),
        text=(say("findings.lead", page.language, outcome=page.inline(page.outcome)),),
        table=DataTable(frame, columns, say("findings.caption", page.language)),
        figure=verdict_overview(
            drawn, page.language, sesoi=page.study.plan.sesoi, caption=say("findings.figure", page.language)
        )
        if len(drawn)
        else None,
        notes=(
            say(f"findings.note.unit_{verdicts['effect_unit'].iloc[0]}", page.language),
            say("findings.note.errors", page.language),
            say("findings.note.history", page.language),
            *_changes_of_plan(page),
        ),
        facts={"verdicts": verdicts.drop(columns=["sentence_zh", "sentence_en"]).to_dict("records")},
    )


def _changes_of_plan(page: PageData) -> Iterator[str]:
    """Why some tests were not run, or not as planned."""
    reasons = {reason for reason in page.study.findings["reason"] if isinstance(reason, str) and reason}
    if reasons:
        words = listed((say(f"study.reason.{reason}", page.language) for reason in sorted(reasons)), page.language)
        yield say("findings.note.reasons", page.language, reasons=words)


def _sentences(page: PageData) -> Block:
    verdicts = page.study.verdicts
    frame = pd.DataFrame(
        {
            "label": verdicts["kpi"].map(page.label),
            "verdict": [
                f"{say(f'verdict_name.{code}', page.language)} ({page.letter(kpi, code)})"
                for kpi, code in zip(verdicts["kpi"], verdicts["code"], strict=True)
            ],
            "sentence": [sentence_of(page, row) for _, row in verdicts.iterrows()],
        }
    )
    columns = tuple(ColumnView(key, say(f"activities.column.{key}", page.language)) for key in frame.columns)
    return Block(
        "sentences",
        say("findings.title_sentences", page.language),
        table=DataTable(frame, columns, say("activities.caption", page.language)),
    )


def _gates(page: PageData) -> Block:
    """What each KPI was held to beyond the joint test."""
    frame = page.study.verdicts.assign(label=page.study.verdicts["kpi"].map(page.label))
    # what is left of no effect is no share of anything
    frame["left_on_file"] = frame["left_on_file"].where(frame["q"] <= page.study.plan.q)
    frame["same_sign"] = [_yes_or_no(page, value) for value in frame["same_sign"]]
    shown = {key: unit for key, unit in GATES.items() if key != "placebo_p" or frame[key].notna().any()}
    columns = (
        ColumnView("label", say("findings.column.label", page.language)),
        ColumnView("code", say("findings.column.code", page.language)),
        *(ColumnView(key, say(f"findings.column.{key}", page.language), unit) for key, unit in shown.items()),
        ColumnView("same_sign", say("findings.column.same_sign", page.language)),
    )
    notes = tuple(
        say(f"findings.note.{key}", page.language) for key in ("family", "shuffled", "on_file", "granger", "forecast")
    )
    return Block(
        "gates",
        say("findings.title_gates", page.language),
        table=DataTable(frame, columns, say("findings.caption_gates", page.language)),
        notes=notes,
    )


def _controls(page: PageData) -> Block:
    """What each KPI that goes with the result shows on results that it cannot bring about."""
    found = page.study.findings[page.study.findings["test"] == "negative_control"]
    frame = found.assign(
        label=found["kpi"].map(page.label),
        control=found["outcome"].map(page.label),
        effect_low=found["ci_low"],
        effect_high=found["ci_high"],
        people=found["n_people"],
        periods=found["n_periods"],
    )
    shown: dict[str, ColumnFormat] = {"effect": "number", "p": "probability", "people": "count", "periods": "count"}
    columns = (
        ColumnView("label", say("findings.column.label", page.language)),
        ColumnView("control", say("findings.column.control", page.language)),
        *(ColumnView(key, say(f"findings.column.{key}", page.language), unit) for key, unit in shown.items()),
    )
    return Block(
        "controls",
        say("findings.title_controls", page.language),
        table=DataTable(frame, columns, say("findings.caption_controls", page.language)),
        notes=(
            say("findings.note.placebo", page.language),
            *controls_not_asked(page.study, page.label, page.language),
        ),
    )


def _yes_or_no(page: PageData, value: object) -> str:
    return "" if pd.isna(value) else say(f"findings.{'yes' if value else 'no'}", page.language)


def _depth(page: PageData) -> Block:
    """Of the KPIs that go with results: how much they carry, what could undo it, and their shape."""
    deep = page.study.depth
    frame = deep.assign(
        label=deep["kpi"].map(page.label),
        share_text=[
            _range(page, *row) for row in zip(deep["share"], deep["share_low"], deep["share_high"], strict=True)
        ],
        shape_text=[_shape_of(page, row) for _, row in deep.iterrows()],
    )
    columns = (
        ColumnView("label", say("findings.column.label", page.language)),
        ColumnView("share_text", say("findings.column.share", page.language)),
        ColumnView("to_erase", say("findings.column.to_erase", page.language), "share"),
        ColumnView("to_doubt", say("findings.column.to_doubt", page.language), "share"),
        ColumnView("shape_text", say("findings.column.shape", page.language)),
    )
    return Block(
        "depth",
        say("findings.title_depth", page.language),
        table=DataTable(frame, columns, say("findings.caption_depth", page.language)),
        notes=(say("findings.note.share", page.language), say("findings.note.unseen", page.language)),
        facts={"depth": deep.to_dict("records")},
    )


def _range(page: PageData, value: float, low: float, high: float) -> str:
    if pd.isna(value):
        return ""
    return say("findings.share_range", page.language, value=f"{value:.0%}", low=f"{low:.0%}", high=f"{high:.0%}")


def _shape_of(page: PageData, row: pd.Series) -> str:
    at, low, high = (f"{row[name]:.3g}" for name in ("break_at", "break_low", "break_high"))
    return say(f"findings.shape.{row['shape']}", page.language, at=at, low=low, high=high)


def _profile(page: PageData, kpi: str) -> Block:
    frame = profile_of(page.study, kpi)
    verdict = page.study.verdicts.set_index("kpi", drop=False).loc[kpi]
    return Block(
        f"profile_{kpi}",
        say("findings.title_profile", page.language, kpi=page.label(kpi)),
        text=(sentence_of(page, verdict),),
        figure=lag_profile(frame, page.language, caption=say("findings.figure_profile", page.language)),
        facts={"profile": frame.to_dict("records")},
    )
