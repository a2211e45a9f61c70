"""Every score with its reason: figure, target, range, and the arithmetic written out so that it can be done by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.appraisal.scheme import SchemeItem
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.charts import attainment_bars
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.score_words import Words, arithmetic, change_words
from kpi_research.report.sections.scores import SCORED, shown_rows


def build(page: PageData) -> Iterator[Block]:
    """The table of scores, then how each came about; nothing where nothing is scored."""
    if page.score is None or page.score.rows.empty or page.scheme is None:
        return
    yield _items(page)
    yield _by_hand(page)


SECTION = Section("score_reason", build)


def _items(page: PageData) -> Block:
    rows = page.score.rows  # type: ignore[union-attr]
    frame = shown_rows(page, rows)
    bars = frame.assign(low=frame["attainment_low"], high=frame["attainment_high"], status=frame["state"])
    return Block(
        "score_items",
        say("scores.title", page.language),
        table=DataTable(
            frame,
            tuple(ColumnView(key, say(f"scores.column.{key}", page.language), unit) for key, unit in SCORED.items()),
            say("scores.caption", page.language),
        ),
        figure=attainment_bars(bars, page.language, caption=say("scores.figure", page.language)),
        notes=(say("scorecard.note_range", page.language),),
        facts={"totals": page.score.totals.to_dict("records"), "rows": rows.to_dict("records")},  # type: ignore[union-attr]
    )


def _by_hand(page: PageData) -> Block:
    frame = pd.DataFrame([*_reasons(page), *_changes(page)], columns=["label", "reason", "points"])
    columns = (
        ColumnView("label", say("scores.column.label", page.language)),
        ColumnView("reason", say("scorecard.column.reason", page.language)),
        ColumnView("points", say("scores.column.points", page.language), "points"),
    )
    return Block(
        "score_reason",
        say("scorecard.title_reason", page.language),
        text=(say("scorecard.reason_lead", page.language),),
        table=DataTable(frame, columns, say("scorecard.caption_reason", page.language)),
        notes=(say("scorecard.note_object", page.language),),
        facts={"adjustments": page.score.adjustments.to_dict("records")},  # type: ignore[union-attr]
    )


def _reasons(page: PageData) -> Iterator[tuple[str, str, float]]:
    rules = {item.kpi: item for item in page.scheme.weighted}  # type: ignore[union-attr]
    words = Words(page.language, page.currency)
    for row in page.score.rows.to_dict("records"):  # type: ignore[union-attr]
        kpi, item = page.kpis[row["kpi"]], rules[row["kpi"]]
        if row["status"] != "ok":
            yield page.label(kpi.name), _left_out(page, item, row["status"], row["n"]), float("nan")
            continue
        figures = {key: float(row[key]) for key in ("actual", "target", "attainment", "points")}
        sentence = arithmetic(item, kpi, **figures, words=words)
        is_kept = kpi.aggregation in ("sum", "distinct") and kpi.denominator is None
        if figures["actual"] == 0 and not row["n"] and is_kept and not item.raters:
            sentence += say("scorecard.zero", page.language)
        if item.scope == "team":
            sentence += say("scorecard.of_team", page.language)
        sentence += _bounds(page, item, words)
        yield page.label(kpi.name), sentence, figures["points"]


def _left_out(page: PageData, item: SchemeItem, status: str, records: float) -> str:
    """Why there is no score; of too few cases also how many there were and how many are enough."""
    sentence = say("scorecard.left_out", page.language, reason=say(f"status_reason.{status}", page.language))
    if status in ("too_few", "no_cases"):
        # what raters gave counts from the first mark on
        least = 1 if item.raters else page.kpis[item.kpi].min_cases
        sentence += say("scorecard.enough", page.language, count=0 if pd.isna(records) else int(records), least=least)
    return sentence


def _bounds(page: PageData, item: SchemeItem, words: Words) -> str:
    """The most and the least that may be earned, whether it was reached or not."""
    if item.steps:
        most, least = max(step.share for step in item.steps), 0.0
    else:
        most, least = item.cap, 0.0 if item.zero_below else item.floor
    return say("scorecard.bounds", page.language, most=words.share(most), least=words.share(least))


def _changes(page: PageData) -> Iterator[tuple[str, str, float]]:
    """What was added, taken off or forbidden, with the figure that did it."""
    words, rows = Words(page.language, page.currency), page.score.adjustments.to_dict("records")  # type: ignore[union-attr]
    for change, row in zip(page.scheme.adjustments, rows, strict=True):  # type: ignore[union-attr]
        kpi = page.kpis[change.kpi]
        rule, label = change_words(change, kpi, words), say(f"forms.effect.{change.effect}", page.language)
        if row["status"] in ("applied", "harmless"):
            kind = f"{change.effect if row['status'] == 'applied' else 'harmless'}"
            values = {"actual": words.figure(row["value"], kpi), "points": words.points(abs(row["points"]))}
            effect = say(f"scorecard.change.{kind}", page.language, **values)
        else:
            effect = words.say("note.no_change", reason=say(f"status_reason.{row['status']}", page.language))
        points = float("nan") if change.effect == "veto" else float(row["points"])
        yield (
            say("scorecard.change_label", page.language, effect=label, kpi=page.label(kpi.name)),
            rule + effect,
            points,
        )
