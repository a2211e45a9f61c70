"""The sheets of the appraisal form: one of all people by team, and one of each, laid out as HR knows it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openpyxl import Workbook

from kpi_research.appraisal.form import Form, FormChange, FormItem
from kpi_research.language import say
from kpi_research.report.score_words import Words, change_words, rule_words
from kpi_research.report.words import listed
from kpi_research.run.form_formulas import (
    attainment_formula,
    change_formula,
    plain_formula,
    points_formula,
    scored_weight_formula,
    total_formula,
)
from kpi_research.run.workbook import GROUP_FILL, HEAD_FILL, Sheet, link, new_sheet, save, sheet_names

COLUMNS = {
    "number": 6, "group": 11, "kpi": 16, "definition": 34, "weight": 8, "target": 13, "stretch": 13, "actual": 13,
    "attainment": 9, "rule": 34, "self": 8, "superior": 9, "full": 7, "points": 9, "note": 26,
}  # fmt: skip
LETTER = {name: chr(ord("A") + place) for place, name in enumerate(COLUMNS)}
SUMMARY = {"name": 16, "person_id": 14, "team": 18, "role": 16, "score": 10, "adjusted": 10, "scored": 12, "note": 46}
FULL_MARK = 100.0
NUMBERS = {
    "money": "#,##0.00", "count": "#,##0", "share": "0.00%", "days": "#,##0.00", "hours": "#,##0.00",
    "points": "#,##0.00", "nps": "+0.00;-0.00;0",
}  # fmt: skip
FIRST = 5
"""Row of the first item."""


@dataclass(frozen=True)
class Signed:
    """A form and what stands in its head.

    Parameters
    ----------
    period
        As the reader writes it.
    """

    form: Form
    name: str
    team: str
    role: str
    period: str


def write_forms(people: Sequence[Signed], path: Path, words: Words, *, title: str, author: str) -> None:
    """Write the workbook of a period.

    Parameters
    ----------
    title
        Of every sheet.
    author
        What the file's properties name as its maker.
    """
    book = Workbook()
    del book["Sheet"]
    names = sheet_names([words.say("sheet.summary"), *(each.name for each in people)])
    summary = new_sheet(book, names[0], list(SUMMARY.values()))
    sheets = [new_sheet(book, name, list(COLUMNS.values())) for name in names[1:]]
    totals = [_person(sheet, each, words, title) for sheet, each in zip(sheets, people, strict=True)]
    _summary(summary, list(zip(people, names[1:], totals, strict=True)), words, title)
    save(book, [summary, *sheets], path, author=author)


def _summary(sheet: Sheet, rows: Sequence[tuple[Signed, str, tuple[str, str, str]]], words: Words, title: str) -> None:
    """Everybody with the total of their sheet. It is in the order of teams and names, not of scores."""
    sheet.text("A1", title, bold=True, framed=False)
    sheet.merge("A1:H1")
    sheet.sheet.row_dimensions[1].height = 24
    sheet.text("A2", words.say("sheet.order"))
    sheet.merge("A2:H2")
    sheet.sheet.row_dimensions[3].height = 34
    letters = dict(zip(SUMMARY, "ABCDEFGH", strict=True))
    for key, letter in letters.items():
        sheet.text(f"{letter}3", words.say(f"summary.{key}"), bold=True, centred=True)
    sheet.fill("A3:H3", HEAD_FILL)
    for number, (each, name, (plain, total, scored)) in enumerate(rows, start=4):
        form = each.form
        for key, shown in (
            ("name", each.name),
            ("person_id", form.person_id),
            ("team", each.team),
            ("role", each.role),
        ):
            sheet.text(f"{letters[key]}{number}", shown)
        link(sheet, f"A{number}", name)
        score, moved = f"'{name}'!{total}", f"'{name}'!{total}-'{name}'!{plain}"
        sheet.formula(f"E{number}", f"={score}", form.total, "0.00", bold=True)
        sheet.formula(f"F{number}", f'=IF(ISNUMBER({score}),{moved},"")', form.total - form.plain, "+0.00;-0.00;0")
        sheet.formula(f"G{number}", f"='{name}'!{scored}", form.scored_weight, "0.0%")
        note = _left_out(form, words)
        sheet.text(f"H{number}", note)
        sheet.fit_row(number, [(note, SUMMARY["note"]), (each.name, SUMMARY["name"]), (each.team, SUMMARY["team"])])
    sheet.sheet.freeze_panes = "B4"
    sheet.sheet.print_title_rows = "1:3"


def _left_out(form: Form, words: Words) -> str:
    names = [item.kpi.label[words.language] for item in form.items if item.status != "ok"]
    if form.status == "not_scored":
        return words.say("note.not_scored", kpis=listed(names, words.language))
    return words.say("note.left_out", kpis=listed(names, words.language)) if names else ""


def _person(sheet: Sheet, each: Signed, words: Words, title: str) -> tuple[str, str, str]:
    """One person's form; the cells of the total by weights, of the total, and of the weight that was scored."""
    _head(sheet, each, words, title)
    items, changes = each.form.items, each.form.changes
    for number, item in enumerate(items, start=FIRST):
        _item(sheet, number, item, words)
    _groups(sheet, items, words)
    below = FIRST + len(items)
    for number, change in enumerate(changes, start=below):
        _change(sheet, number, change, words)
    return _totals(sheet, each.form, below + len(changes), words)


def _head(sheet: Sheet, each: Signed, words: Words, title: str) -> None:
    last = LETTER["note"]
    sheet.text("A1", title, bold=True, framed=False, centred=True)
    sheet.merge(f"A1:{last}1")
    heads = (
        {"name": each.name, "person_id": each.form.person_id, "team": each.team, "role": each.role},
        {"period": each.period, "superior": "", "filled_on": ""},
    )
    for row, pairs in enumerate(heads, start=2):
        for (key, value), cells in zip(pairs.items(), ("A:C", "D:D", "E:I", "J:O"), strict=False):
            start, end = cells.split(":")
            sheet.text(f"{start}{row}", words.say("head.pair", label=words.say(f"head.{key}"), value=value))
            sheet.merge(f"{start}{row}:{end}{row}")
        sheet.sheet.row_dimensions[row].height = 20
    for key, letter in LETTER.items():
        sheet.text(f"{letter}{FIRST - 1}", words.say(f"column.{key}"), bold=True, centred=True)
    sheet.fill(f"A{FIRST - 1}:{last}{FIRST - 1}", HEAD_FILL)
    sheet.sheet.row_dimensions[1].height = 24
    sheet.sheet.row_dimensions[FIRST - 1].height = 34
    sheet.sheet.freeze_panes = f"D{FIRST}"


def _item(sheet: Sheet, row: int, item: FormItem, words: Words) -> None:
    at = {name: f"{letter}{row}" for name, letter in LETTER.items()}
    shown = NUMBERS[item.kpi.unit]
    sheet.number(at["number"], row - FIRST + 1, "0")
    definition = words.say(
        "definition",
        meaning=item.kpi.meaning[words.language],
        tables=listed((say(f"table.{name}", words.language) for name in item.kpi.needs), words.language),
    )
    texts = {
        "kpi": item.kpi.label[words.language],
        "definition": definition,
        "rule": rule_words(item.item, item.kpi, words),
        "note": _note(item, words),
    }
    for key, text in texts.items():
        sheet.text(at[key], text)
    measured = item.status in ("ok", "no_target")
    sheet.number(at["weight"], item.item.weight / 100, _percent(item.item.weight))
    sheet.number(at["target"], item.target, shown)
    sheet.number(at["stretch"], item.stretch, shown)
    sheet.number(at["actual"], item.actual if measured else math.nan, shown)
    attained = attainment_formula(item.item, item.kpi.direction, actual=at["actual"], target=at["target"])
    sheet.formula(at["attainment"], attained, item.attainment, "0.00%")
    points = points_formula(item.item, weight=at["weight"], actual=at["actual"], attainment=at["attainment"])
    sheet.formula(at["points"], points, item.points, "0.00")
    sheet.number(at["self"], item.marks.get("self", math.nan), "0.0")
    sheet.number(at["superior"], item.marks.get("superior", math.nan), "0.0")
    sheet.number(at["full"], FULL_MARK, "0")
    sheet.fit_row(row, [(text, COLUMNS[key]) for key, text in texts.items()])


def _percent(percent: float) -> str:
    return "0%" if float(percent).is_integer() else "0.00%"


def _note(item: FormItem, words: Words) -> str:
    """On how many records the figure rests and how far it could be off, or why there is none."""
    if item.status != "ok":
        return words.say("note.item_left_out", reason=say(f"status_reason.{item.status}", words.language))
    records = "" if math.isnan(item.n) else words.say("note.records", n=f"{item.n:,.0f}")
    if not item.low < item.high:
        return records
    low, high = words.figure(item.low, item.kpi), words.figure(item.high, item.kpi)
    return records + words.say("note.range", low=low, high=high)


def _groups(sheet: Sheet, items: Sequence[FormItem], words: Words) -> None:
    """One cell for neighbours of one group, or of one kind where the scheme has no groups."""
    row = FIRST
    for label, same in itertools.groupby(items, key=lambda item: _group_label(item, words)):
        end = row + len(list(same)) - 1
        sheet.text(f"B{row}", label, bold=True, centred=True)
        sheet.fill(f"B{row}:B{end}", GROUP_FILL)
        sheet.merge(f"B{row}:B{end}")
        row = end + 1


def _group_label(item: FormItem, words: Words) -> str:
    if math.isnan(item.group_weight):
        return say(f"indicators.kind.{item.item.kind or item.kpi.kind}", words.language)
    return words.say("group", group=item.item.group, weight=words.share(item.group_weight / 100))


def _change(sheet: Sheet, row: int, made: FormChange, words: Words) -> None:
    at = {name: f"{letter}{row}" for name, letter in LETTER.items()}
    for key in LETTER:
        sheet.number(at[key], math.nan, "General")
    sheet.text(at["group"], words.say(f"effect.{made.change.effect}"), bold=True, centred=True)
    rule, label = change_words(made.change, made.kpi, words), made.kpi.label[words.language]
    sheet.text(at["kpi"], label)
    sheet.text(at["rule"], rule)
    reason = "" if made.status in ("applied", "harmless") else say(f"status_reason.{made.status}", words.language)
    note = words.say("note.no_change", reason=reason) if reason else ""
    sheet.text(at["note"], note)
    sheet.number(at["actual"], math.nan if reason else made.value, NUMBERS[made.kpi.unit])
    veto = made.change.effect == "veto"
    result = made.score_at_most if veto else math.nan if reason else made.points
    sheet.formula(
        at["points"], change_formula(made.change, at["actual"]), result, '"≤ "0.00' if veto else "+0.00;-0.00;0"
    )
    sheet.fit_row(row, [(rule, COLUMNS["rule"]), (label, COLUMNS["kpi"]), (note, COLUMNS["note"])])


def _totals(sheet: Sheet, form: Form, row: int, words: Words) -> tuple[str, str, str]:
    first, last = FIRST, FIRST + len(form.items) - 1
    weights, points = f"$E${first}:$E${last}", f"$N${first}:$N${last}"
    plain, total, scored = f"N{row}", f"N{row + 1}", f"E{row}"
    moved = [f"N{last + 1 + place}" for place, each in enumerate(form.changes) if each.change.effect != "veto"]
    vetoes = [f"N{last + 1 + place}" for place, each in enumerate(form.changes) if each.change.effect == "veto"]
    for place, key in enumerate(("plain", "total")):
        sheet.text(f"A{row + place}", words.say(f"total.{key}"), bold=True)
        sheet.merge(f"A{row + place}:D{row + place}")
        sheet.text(f"F{row + place}", words.say(f"total.{key}_how"))
        sheet.merge(f"F{row + place}:M{row + place}")
        sheet.number(f"O{row + place}", math.nan, "General")
        sheet.fill(f"A{row + place}:O{row + place}", GROUP_FILL)
    sheet.formula(scored, scored_weight_formula(weights, points), form.scored_weight, "0.0%")
    sheet.formula(plain, plain_formula(weights, points, scored), form.plain, "0.00", bold=True)
    sheet.number(f"E{row + 1}", math.nan, "General")
    sheet.formula(total, total_formula(plain, moved, vetoes), form.total, "0.00", bold=True)
    note = _left_out(form, words)
    sheet.text(f"O{row}", note)
    sheet.fit_row(row, [(note, COLUMNS["note"])])
    sheet.sheet.row_dimensions[row + 1].height = 22
    _by_hand(sheet, row + 2, words)
    return plain, total, scored


def _by_hand(sheet: Sheet, row: int, words: Words) -> None:
    """What is filled in with a pen: the grade, words, signatures."""
    for place, key in enumerate(("grade", "comment", "improvement")):
        sheet.text(f"A{row + place}", words.say(f"hand.{key}"), bold=True)
        sheet.merge(f"A{row + place}:C{row + place}")
        sheet.text(f"D{row + place}", "")
        sheet.merge(f"D{row + place}:O{row + place}")
        sheet.sheet.row_dimensions[row + place].height = 24 if key == "grade" else 48
    for key, cells in zip(("person", "superior", "head", "hr"), ("A:D", "E:H", "I:J", "K:O"), strict=True):
        start, end = cells.split(":")
        sheet.text(f"{start}{row + 3}", words.say(f"hand.signed_{key}"))
        sheet.merge(f"{start}{row + 3}:{end}{row + 3}")
    sheet.sheet.row_dimensions[row + 3].height = 36
