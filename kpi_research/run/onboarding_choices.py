"""The lines of a client file besides its source: chosen from what the exports hold, each with the reason beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import ibis

from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import Language, say
from kpi_research.run.settings import Notebook
from kpi_research.sources.proposal import Doubt, Look, Proposal, cells_of
from kpi_research.sources.recognise import Recognised
from kpi_research.sources.synonyms import in_order, named, outcome_of, synonyms

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH = re.compile(r"[A-Za-z]{2}[A-Za-z ,.'&-]*")
"""Words; no numbers of records, addresses or codes."""
CURRENCY_CODE = re.compile(r"[A-Z]{3}")
MOSTLY = 0.5
BY_LANGUAGE: dict[Language, dict[str, str]] = {
    "zh": {"currency": "CNY", "timezone": "Asia/Shanghai", "calendar": "CN"},
    "en": {"currency": "USD", "timezone": "UTC", "calendar": "US"},
}
REPORTS = {
    "appraisal": ("team", "manager"),
    "scorecard": ("person", "person"),
    "evidence": ("company", "analyst"),
    "data_quality": ("company", "analyst"),
}
"""Notebook -> for each of what, for whom."""
DEFAULT_OUTCOME = "signed_amount"
NEXT_OUTCOMES = ("win_rate", "nps", "customer_satisfaction")
"""What comes nearest to a result where there is no money."""
MANY_STAGES = 20
"""A column with more different values than this is no column of stages."""


@dataclass(frozen=True)
class Choice:
    """A line of the client file, and the reason beside it."""

    value: Any
    reason: str = ""


def language_of(looks: Iterable[Look]) -> Language:
    """The language of most headers, or of most words in the cells: databases have English columns everywhere."""
    looks = list(looks)
    headers = [header for look in looks for header in look.headers]
    values = [value for look in looks for profile in look.profiles.values() for value in profile.values]
    words = [value for value in values if CHINESE.search(value) or ENGLISH.fullmatch(value)]
    return "zh" if _mostly_chinese(headers) or _mostly_chinese(words) else "en"


def _mostly_chinese(texts: Sequence[str]) -> bool:
    return bool(texts) and sum(bool(CHINESE.search(text)) for text in texts) / len(texts) >= MOSTLY


def choices(client: str, found: Recognised, language: Language) -> tuple[dict[str, Choice], list[Doubt]]:
    """Every line besides the source, and what could not be chosen.

    Parameters
    ----------
    client
        Its slug.
    language
        That of the reports and of the reasons.
    """
    whole = [each for each in found.proposals if not each.missing]
    tables = {each.table for each in whole}
    assumed = BY_LANGUAGE[language]
    currency = _currency(whole)
    stages, doubts = _stages(whole, language)
    outcome = _outcome(tables)
    kind = "signed" if outcome == DEFAULT_OUTCOME else "other"
    lines = {
        "client": Choice(client),
        "title": Choice({"zh": client, "en": client}),
        "language": Choice(language, say("init.comment.language", language)),
        "currency": Choice(
            currency or assumed["currency"],
            say("init.comment.currency_seen" if currency else "init.comment.currency_assumed", language),
        ),
        "timezone": Choice(assumed["timezone"], say("init.comment.timezone", language)),
        "calendar": Choice(assumed["calendar"], say("init.comment.calendar", language)),
        "stages": stages,
        "outcome": Choice(outcome, say(f"init.comment.outcome_{kind}", language)),
        "predictors": Choice(_predictors(tables, outcome)),
        "reports": Choice(_reports(tables)),
    }
    return {name: line for name, line in lines.items() if line.value}, doubts


def _currency(whole: Sequence[Proposal]) -> str | None:
    """What a column of currencies names most often, or the sign at most amounts."""
    for each in whole:
        if (header := each.header("currency")) and (values := each.look.profiles[header].values):
            name = synonyms().currencies.get(values[0], values[0].upper())
            if CURRENCY_CODE.fullmatch(name):
                return name
    amounts = [
        each.look.profiles[head] for each in whole if (head := each.header("amount")) in each.look.profiles and head
    ]
    signed = [profile for profile in amounts if profile.is_form("signed")]
    signs = synonyms().currencies
    return next((signs[sign] for profile in signed for sign in signs if sign in profile.values[0]), None)


def _outcome(tables: set[str]) -> str:
    """Signings where there are any, else the first KPI that has data: results, what comes near them, any other."""
    fed = {kpi.name: kpi.kind for kpi in _fed(tables)}
    results = [name for name, kind in fed.items() if kind == "result"]
    wanted = [DEFAULT_OUTCOME, *results, *NEXT_OUTCOMES, *fed]
    return next((name for name in wanted if name in fed), DEFAULT_OUTCOME)


def _predictors(tables: set[str], outcome: str) -> Any:
    """The process KPIs that have data; where there are none, whatever else has."""
    fed = [kpi for kpi in _fed(tables) if kpi.name != outcome]
    process = [kpi.name for kpi in fed if kpi.kind == "process"]
    return process or [kpi.name for kpi in fed] or "process"


def _fed(tables: set[str]) -> list[Any]:
    return [kpi for kpi in catalogue().values() if set(kpi.needs) <= tables]


def _reports(tables: set[str]) -> list[dict[str, str]]:
    there = get_args(Notebook)
    return [
        {
            "notebook": notebook,
            "per": per if "assignments" in tables else "company",
            "every": "quarter",
            "audience": audience,
        }
        for notebook, (per, audience) in REPORTS.items()
        if notebook in there and (per != "person" or "assignments" in tables)
    ]


def _stages(whole: Sequence[Proposal], language: Language) -> tuple[Choice, list[Doubt]]:
    """Stages in their order: by probability, by the time of entering them, or by what their names mean."""
    deals = next((each for each in whole if each.table == "opportunities" and each.header("stage")), None)
    header = deals.header("stage") if deals else None
    profile = deals.look.profiles.get(header) if deals and header else None
    if not (deals and header and profile and profile.filled and profile.distinct <= MANY_STAGES):
        return Choice([]), []
    stages = [value for value in profile.values if outcome_of(value) not in ("lost", "void")]
    probable = next((hit.header for hit in named(deals.look.headers, "opportunities").get("probability", [])), None)
    history = next((each for each in whole if each.table == "stage_changes"), None)
    ordered: tuple[tuple[str, list[str] | None], ...] = (
        ("init.comment.by_probability", _by_probability(deals.look, header, probable) if probable else None),
        ("init.comment.by_time", _by_time(history) if history else None),
        ("init.comment.by_words", in_order(stages)),
    )
    for reason, order in ordered:
        if order and set(stages) <= set(order):
            kept = [stage for stage in order if stage in stages]
            return Choice(kept, say("init.comment.stages", language, by=say(reason, language))), []
    return Choice([]), [Doubt("stage_order", deals.look.name, "opportunities", "stage", tuple(stages))]


def _by_probability(look: Look, stage: str, probability: str) -> list[str] | None:
    """Stages by their median probability; None where two have the same, so that it does not order them."""
    number = cells_of(look, probability).replace("%", "").try_cast("float64")
    rows = look.rows.select(stage=cells_of(look, stage), place=number)
    return _ordered(rows)


def _by_time(history: Proposal) -> list[str] | None:
    """Stages by their usual place in the history of a deal."""
    deal, stage, entered = (history.header(column) for column in ("opportunity_id", "stage", "entered_at"))
    if not (deal and stage and entered):
        return None
    cells = cells_of(history.look, entered)
    rows = history.look.rows.select(deal=cells_of(history.look, deal), stage=cells_of(history.look, stage), at=cells)
    moment = ibis.coalesce(rows.at.try_cast("timestamp").epoch_seconds().cast("float64"), rows.at.try_cast("float64"))
    place = ibis.rank().over(group_by=rows.deal, order_by=moment)
    return _ordered(rows.select("stage", place=place.cast("float64")))


def _ordered(rows: Any) -> list[str] | None:
    known = rows.filter(rows.stage.notnull() & rows.place.notnull())
    places = known.group_by("stage").aggregate(place=known.place.median()).order_by("place").to_pyarrow().to_pylist()
    distinct = {row["place"] for row in places}
    return [row["stage"] for row in places] if len(distinct) == len(places) else None
