"""What people earned by the incentive plan, with the arithmetic of each amount; on managers' pages only."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.appraisal.awards import Decision
from kpi_research.appraisal.bill import PayView
from kpi_research.appraisal.pay_words import amount_text
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.format import is_missing
from kpi_research.report.page import Section
from kpi_research.report.words import listed, value_of

COMPONENTS = ("base", "stretch", "process", "team", "award", "penalty")


def build(page: PageData) -> Iterator[Block]:
    """The blocks of `shown`, where the page was given pay."""
    if page.pay is not None:
        yield from shown(page, page.pay)


def shown(page: PageData, view: PayView) -> Iterator[Block]:
    """The bill, then the arithmetic of each amount; nothing at all for anybody but the manager of those people."""
    if page.audience != "manager":
        return
    language = page.language
    parts = [each for each in COMPONENTS if each in set(view.paid.rows["component"])]
    columns = [
        ColumnView("label", say("pay.column.label", language)),
        ColumnView("total", say("pay.column.total", language)),
        *(ColumnView(each, say(f"pay.component.{each}", language)) for each in parts),
    ]
    caption = say("pay.caption", language, currency=page.currency)
    yield Block(
        "incentives",
        say("pay.title", language),
        text=tuple(_sentences(page, view)),
        table=DataTable(_people(page, view, parts), tuple(columns), caption),
        notes=(say("pay.note.base", language), say("pay.note.computed", language)),
        facts={
            "cents": view.bill.cents, "low": view.bill.low, "high": view.bill.high, "people": view.bill.people,
            "open": view.bill.open, "scenarios": dict(view.bill.scenarios), "moved": view.moved,
        },
        status="warning" if view.bill.open else "ok",
    )  # fmt: skip
    yield _reasons(page, view)


SECTION = Section("incentives", build)


def _sentences(page: PageData, view: PayView) -> Iterator[str]:
    language, bill = page.language, view.bill
    values = {"people": bill.people, "amount": _money(page, bill.cents)}
    if bill.low == bill.low:
        ends = {"low": _money(page, bill.low), "high": _money(page, bill.high)}
        yield say("pay.bill.range", language, **values, **ends)
    else:
        yield say("pay.bill.plain", language, **values)
    if bill.open:
        yield say("pay.bill.open", language, count=bill.open)
    if provisional := int((view.paid.totals["status"] == "provisional").sum()):
        yield say("pay.bill.provisional", language, count=provisional)
    scenarios = {name: _money(page, cents) for name, cents in bill.scenarios.items()}
    yield say("pay.bill.scenarios", language, **scenarios)
    if view.moved is not None:
        yield say("pay.bill.moved", language, amount=_money(page, view.moved))
    for decision in view.decisions:
        yield _award(page, decision)


def _award(page: PageData, decision: Decision) -> str:
    label = decision.award.label.zh if page.language == "zh" else decision.award.label.en
    if decision.reason:
        return say(f"pay.award.{decision.reason}", page.language, award=label)
    if not decision.cents:
        return say("pay.award.elsewhere", page.language, award=label)
    names = listed([_name(page, person) for person in decision.cents], page.language)
    kind = "shared" if decision.is_shared else "given"
    return say(f"pay.award.{kind}", page.language, award=label, names=names, winners=decision.award.winners)


def _people(page: PageData, view: PayView, parts: list[str]) -> pd.DataFrame:
    """A row a person, amounts as text to the cent; empty where a part could not be reckoned."""
    rows = view.paid.rows
    sums = {key: own["cents"].sum(skipna=False) for key, own in rows.groupby(["person_id", "component"])}
    unknown = set(rows.loc[rows["component"].eq("base") & rows["cents"].isna(), "person_id"])
    frame = pd.DataFrame(
        {
            "label": _name(page, person),
            "total": _cents(total),
            # who has no line of a part gets nothing by it, unless nothing at all could be reckoned
            **{each: _cents(sums.get((person, each), None if person in unknown else 0)) for each in parts},
        }
        for person, total in zip(view.paid.totals["person_id"], view.paid.totals["cents"], strict=True)
    )
    return frame.sort_values("label", ignore_index=True)


def _reasons(page: PageData, view: PayView) -> Block:
    language = page.language
    rows = view.paid.rows
    frame = pd.DataFrame(
        {
            "label": [_name(page, person) for person in rows["person_id"]],
            "component": [say(f"pay.component.{each}", language) for each in rows["component"]],
            "amount": rows["cents"].map(_cents),
            "reason": rows[f"reason_{language}"],
        }
    )
    columns = tuple(ColumnView(key, say(f"pay.column.{key}", language)) for key in frame)
    frame = frame.sort_values("label", kind="stable", ignore_index=True)
    table = DataTable(frame, columns, say("pay.reasons_caption", language))
    return Block("incentives_reasons", say("pay.reasons_title", language), table=table)


def _cents(cents: object) -> str:
    return "" if is_missing(cents) else amount_text(int(str(cents)))


def _money(page: PageData, cents: float) -> str:
    return value_of(page, cents / 100, "money")


def _name(page: PageData, person: str) -> str:
    return page.names.get(person, person)
