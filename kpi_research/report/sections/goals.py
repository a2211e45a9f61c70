"""Goals: where each stands, what each week must bring, how likely it was from the past, and what the next one takes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from kpi_research.appraisal.backward_funnel import LEAST_WINS, Need
from kpi_research.appraisal.reachable import LEAST_PERIODS, Chance
from kpi_research.appraisal.reconcile import Reconciliation
from kpi_research.appraisal.standing import GoalNeed, GoalView, Standing, words_of
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnFormat, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.format import format_day
from kpi_research.report.funnel_words import stage_label
from kpi_research.report.page import Section
from kpi_research.report.words import listed, period_title, range_of, value_of

DETAILED = 2
"""Goals that get a sentence of their own; the table has all."""


def build(page: PageData) -> Iterator[Block]:
    """The blocks of `shown`, where the page was given goals."""
    view = page.goals
    if view is not None:
        yield from shown(page, view)


def shown(page: PageData, view: GoalView) -> Iterator[Block]:
    """The goals of the page's entity, the monthly targets beside them, and what the next period takes."""
    yield _standings(page, view)
    if len(view.indicators):
        yield _indicators(page, view.indicators)
    if view.offers is not None:
        yield _offers(page, view.offers)
    if view.ahead is not None:
        yield _ahead(page, view.ahead)


SECTION = Section("goals", build)


def _standings(page: PageData, view: GoalView) -> Block:
    sums = [each for each in view.standings if each.spread == "split"]
    over = not any(each.days_left for each in view.standings)
    columns: list[tuple[str, ColumnFormat]] = [("label", "text"), ("base", "number"), ("reached", "number")]
    columns += [] if over else [("due", "number"), ("per_week", "number")]
    columns += [("chance", "text"), ("stretch_chance", "text")]
    heads = {"reached": "reached" if over else "so_far", "chance": "was_chance" if over else "chance"}
    views = tuple(ColumnView(key, say(f"goals.column.{heads.get(key, key)}", page.language), unit)
                  for key, unit in columns)  # fmt: skip
    frame = pd.DataFrame([_row(page, each) for each in view.standings])
    return Block(
        "goals",
        say("goals.title", page.language),
        text=tuple(_sentence(page, each) for each in (sums or view.standings)[:DETAILED]),
        table=DataTable(frame, views, say("goals.caption", page.language)),
        notes=tuple(_notes(page, view, over)),
        facts={"goals": [_facts(each) for each in view.standings]},
    )


def _sentence(page: PageData, one: Standing) -> str:
    unit = page.kpis[one.kpi].unit
    return say(
        f"goals.state.{one.state}",
        page.language,
        goal=page.label(one.kpi),
        base=value_of(page, one.base, unit),
        reached=value_of(page, one.reached, unit),
        missing=value_of(page, abs(one.base - one.reached), unit),
        due=value_of(page, one.due, unit),
        per_week=value_of(page, one.per_week, unit),
        day=format_day(one.as_of, page.language),
    )


def _row(page: PageData, one: Standing) -> dict[str, Any]:
    unit = page.kpis[one.kpi].unit
    figures = {"base": one.base, "reached": one.reached, "due": one.due, "per_week": one.per_week}
    return {
        "label": page.label(one.kpi),
        **figures,
        **{f"{key}_format": unit for key in figures},
        "chance": _chance(page, one, one.base_chance),
        "stretch_chance": _stretch(page, one),
    }


def _stretch(page: PageData, one: Standing) -> str:
    """The stretch target and its chance; empty where there is none."""
    chance = _chance(page, one, one.stretch_chance)
    if not chance:
        return ""
    return say(
        "goals.stretch", page.language, target=value_of(page, one.stretch, page.kpis[one.kpi].unit), chance=chance
    )


def _chance(page: PageData, one: Standing, chance: Chance) -> str:
    """The probability as a word, as a number of a hundred, and on how many periods it rests."""
    if math.isnan(chance.target):
        return ""
    if math.isnan(chance.probability):
        return say("goals.chance.unknown", page.language, n=chance.periods, unit=_unit(page, one))
    times = chance.probability * 100
    bound = "under" if times < 1 else "over" if times > 99 else "about"
    count = say(f"goals.times.{bound}", page.language, times=f"{times:.0f}")
    word = say(f"goals.word.{words_of(chance)}", page.language)
    return say("goals.chance.known", page.language, word=word, times=count, n=chance.periods, unit=_unit(page, one))


def _unit(page: PageData, one: Standing) -> str:
    return say(f"goals.unit.{one.grain}", page.language)


def _notes(page: PageData, view: GoalView, over: bool) -> Iterator[str]:
    for flag in ("too_high", "too_low"):
        named = [page.inline(each.kpi) for each in view.standings if each.base_chance.flag == flag]
        if named:
            yield say(f"goals.flag.{flag}", page.language, goals=listed(named, page.language))
    if any(each.base_chance.flag == "unknown" for each in view.standings):
        yield say("goals.note.unknown", page.language, least=LEAST_PERIODS)
    yield say("goals.note.was_chance" if over else "goals.note.chance", page.language)
    if not over:
        yield say("goals.note.due", page.language)


def _facts(one: Standing) -> dict[str, Any]:
    low, middle, high = one.outlook.range
    return {
        "kpi": one.kpi, "period": one.period.name, "as_of": one.as_of.isoformat(), "state": one.state, "base": one.base,
        "stretch": one.stretch, "reached": one.reached, "due": one.due, "per_week": one.per_week,
        "probability": one.base_chance.probability, "stretch_probability": one.stretch_chance.probability,
        "flag": one.base_chance.flag, "periods": one.base_chance.periods, "grain": one.grain,
        "outlook_low": low, "outlook_middle": middle, "outlook_high": high,
    }  # fmt: skip


def _indicators(page: PageData, rows: pd.DataFrame) -> Block:
    frame = rows.assign(
        label=[page.label(kpi) for kpi in rows["indicator"]],
        whose=[say(f"goals.per.{per}", page.language) for per in rows["per"]],
        monthly_format=[page.kpis[kpi].unit for kpi in rows["indicator"]],
        actual_format=[page.kpis[kpi].unit for kpi in rows["indicator"]],
    )
    columns: tuple[tuple[str, ColumnFormat], ...] = (
        ("label", "text"), ("whose", "text"), ("monthly", "number"), ("actual", "number"),
    )  # fmt: skip
    views = tuple(ColumnView(key, say(f"goals.column.{key}", page.language), unit) for key, unit in columns)
    return Block(
        "goal_indicators",
        say("goals.indicators.title", page.language),
        text=(say("goals.indicators.lead", page.language),),
        table=DataTable(frame, views, say("goals.indicators.caption", page.language)),
        facts={"indicators": rows.to_dict("records")},
    )


def _offers(page: PageData, found: Reconciliation) -> Block:
    """People's own numbers: of a team its people, of the company its teams."""
    rows, of_people = (found.people, True) if page.level == "team" else (found.teams, False)
    names = rows["person_id" if of_people else "team_id"]
    frame = rows.assign(
        label=[page.names.get(name, name) for name in names],
        side=[say(f"goals.side.{side}", page.language) for side in rows["side"]],
    )
    units: dict[str, ColumnFormat] = {"label": "text", "asked": "number", "offered": "number", "gap": "number",
                                      "side": "text"}  # fmt: skip
    views = tuple(ColumnView(key, say(f"goals.offer.{key}", page.language), unit) for key, unit in units.items())
    total, text = found.total, []
    if total["side"] != "silent":
        figures = {key: f"{total[key]:,.10g}" for key in ("offered", "asked_of_speakers")}
        gap = f"{abs(total['gap']):,.10g}"
        text.append(say(f"goals.offers.{total['side']}", page.language, gap=gap, **figures))
    if total["silent"]:
        silent, people = int(total["silent"]), int(total["people"])
        text.append(say("goals.offers.silent", page.language, silent=silent, people=people))
    return Block(
        "goals_offers",
        say("goals.offers.title", page.language),
        text=tuple(text),
        table=DataTable(frame, views, say("goals.offers.caption", page.language)),
        notes=(say("goals.offers.note", page.language),),
        facts={"offers": rows.to_dict("records")},
    )


def _ahead(page: PageData, ahead: GoalNeed) -> Block:
    need, title = ahead.need, say("goals.ahead.title", page.language)
    facts = {"need": need.rows.to_dict("records"), "rates": need.rates.to_dict("records"), "wins": need.wins,
             "amount": need.amount, "mean_deal": need.mean_deal, "share_of_deals": ahead.share_of_deals}  # fmt: skip
    if need.status != "ok":
        text = say(f"goals.ahead.{need.status}", page.language, wins=need.wins, least=LEAST_WINS)
        return Block("goals_ahead", title, text=(text,), facts=facts, status="no_data")
    units: dict[str, ColumnFormat] = {"label": "text", "needed": "count", "per_week": "number",
                                      "per_person_week": "number"}  # fmt: skip
    rows = need.rows.assign(
        label=[_what(page, row) for _, row in need.rows.iterrows()],
        needed=need.rows["needed"].map(math.ceil, na_action="ignore"),
    )
    rows = rows[rows["status"] == "ok"].rename(columns={"low": "needed_low", "high": "needed_high"})
    views = tuple(ColumnView(key, say(f"goals.need.{key}", page.language), unit) for key, unit in units.items())
    return Block(
        "goals_ahead",
        title,
        text=(_asks(page, ahead), _in_time(page, need)),
        table=DataTable(rows, views, say("goals.ahead.caption", page.language)),
        notes=(*_ahead_notes(page, need),),
        facts=facts,
    )


def _what(page: PageData, row: pd.Series) -> str:
    if row["kind"] in ("won", "lead"):
        return say(f"goals.what.{row['kind']}", page.language)
    if row["kind"] == "work":
        return page.label(row["what"])
    kind = "opened" if row["what"] == "opened" else row["kind"]
    return say("goals.what.stage", page.language, stage=stage_label(page, row["what"], kind))


def _asks(page: PageData, ahead: GoalNeed) -> str:
    need = ahead.need
    wins, first = need.rows.iloc[0], need.rows[need.rows["kind"] == "stage"].iloc[-1]
    return say(
        "goals.ahead.asks",
        page.language,
        period=period_title(ahead.period, page.language),
        base=value_of(page, ahead.base, "money"),
        share=value_of(page, ahead.share_of_deals, "share"),
        amount=value_of(page, need.amount, "money"),
        mean=value_of(page, need.mean_deal, "money"),
        mean_range=range_of(page, need.mean_low, need.mean_high, "money"),
        n=value_of(page, need.wins, "count"),
        wins=value_of(page, math.ceil(wins["needed"]), "count"),
        wins_range=range_of(page, wins["low"], wins["high"], "count"),
        deals=value_of(page, math.ceil(first["needed"]), "count"),
        deals_range=range_of(page, first["low"], first["high"], "count"),
    )


def _in_time(page: PageData, need: Need) -> str:
    if need.open_by is None or need.open_by_late is None:
        raise ValueError("a need that is known has its days")
    return say(
        "goals.ahead.in_time",
        page.language,
        median=value_of(page, need.days_median, "days"),
        late=value_of(page, need.days_late, "days"),
        open_by=format_day(need.open_by, page.language),
        open_by_late=format_day(need.open_by_late, page.language),
    )


def _ahead_notes(page: PageData, need: Need) -> Iterator[str]:
    best = need.rates.sort_values("opened_if_better").iloc[0]
    opened = float(need.rows[need.rows["kind"] == "stage"].iloc[-1]["needed"])
    yield say(
        "goals.ahead.better",
        page.language,
        stage=stage_label(page, best["step"], "opened" if best["step"] == "opened" else "stage"),
        rate=value_of(page, best["rate"], "share"),
        fewer=value_of(page, opened - best["opened_if_better"], "count"),
    )
    if (need.rows["kind"] == "work").any():
        yield say("goals.ahead.work", page.language)
    yield say("goals.ahead.open", page.language)
    if need.without_amount:
        yield say("goals.ahead.without_amount", page.language, count=value_of(page, need.without_amount, "count"))
