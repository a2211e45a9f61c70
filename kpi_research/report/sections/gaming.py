"""Whether a KPI's numbers look as if people worked to the number: a pattern worth a look, never about anybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from kpi_research.integrity.signs import DETECTORS, GamingSigns, Sign, gamed, is_seen
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnFormat, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.gaming_charts import around_target
from kpi_research.report.page import Section
from kpi_research.report.words import listed, value_of

LEAST_PEOPLE, LEAST_FOUND = 10, 3
"""Of fewer people, and of fewer who show a pattern, no number is told: it would be a hunt for who they are."""
COLUMNS: dict[str, ColumnFormat] = {
    "label": "text", "what": "text", "rate": "share", "expected": "share", "n": "count", "chance": "probability",
    "people": "text", "seen": "text",
}  # fmt: skip


def build(page: PageData) -> Iterator[Block]:
    """The blocks of `shown`, where the page was given signs."""
    if page.gaming is not None:
        yield from shown(page, page.gaming)


def shown(page: PageData, found: GamingSigns) -> Iterator[Block]:
    """For managers one sentence of each KPI that shows signs; for analysts everything that was looked at as well."""
    if page.audience == "person":
        return
    marked = gamed(found)
    sentences = [_sentence(page, kpi, found) for kpi in marked]
    if page.audience == "manager":
        if sentences:
            text = (*sentences, say("gaming.care", page.language))
            yield Block("gaming", say("gaming.title", page.language), text=text, status="warning")
        return
    tested = [sign for sign in found.signs if not sign.reason]
    yield Block(
        "gaming",
        say("gaming.title", page.language),
        text=(*_lead(page, found, tested), *sentences),
        table=_table(page, tested) if tested else None,
        notes=(*_rush_alone(page, tested), *_not_looked_at(page, found)),
        facts={"gamed": marked, "signs": [_told(page, sign) for sign in found.signs]},
        status="warning" if marked else "ok" if tested else "no_data",
    )
    yield from _pictures(page, found)


SECTION = Section("gaming", build)


def _lead(page: PageData, found: GamingSigns, tested: list[Sign]) -> Iterator[str]:
    if not tested:
        yield say("gaming.nothing", page.language)
        return
    yield say("gaming.lead", page.language, signs=len(tested), kpis=len({sign.kpi for sign in tested}))
    yield say("gaming.care", page.language)
    if not gamed(found):
        single = [page.inline(sign.kpi) for sign in tested if is_seen(sign)]
        key = "gaming.single" if single else "gaming.none"
        yield say(key, page.language, **({"kpis": listed(dict.fromkeys(single), page.language)} if single else {}))


def _sentence(page: PageData, kpi: str, found: GamingSigns) -> str:
    seen = [sign for sign in found.signs_of(kpi) if is_seen(sign)]
    evidence = say("gaming.semicolon", page.language).join(_evidence(page, sign) for sign in seen)
    key = "diluted" if any(sign.detector == "dilution" for sign in seen) else "patterns"
    return say(f"gaming.m.{key}", page.language, kpi=page.label(kpi), evidence=evidence)


def _evidence(page: PageData, sign: Sign) -> str:
    name = sign.detector if sign.measure == "share" else f"{sign.detector}_{sign.measure}"
    rate, expected = (value_of(page, value, "share") for value in (sign.rate, sign.expected))
    return say(f"gaming.evidence.{name}", page.language, rate=rate, expected=expected, n=f"{sign.n:,}")


def _table(page: PageData, tested: list[Sign]) -> DataTable:
    rows = [
        {
            "label": page.label(sign.kpi),
            "what": say(f"gaming.detector.{sign.detector}", page.language),
            "rate": sign.rate, "rate_low": sign.low, "rate_high": sign.high, "expected": sign.expected, "n": sign.n,
            "chance": sign.p if sign.detector == "dilution" else sign.q,
            "people": _people(page, sign),
            "seen": say(f"gaming.seen.{'yes' if is_seen(sign) else 'no'}", page.language),
        }
        for sign in sorted(tested, key=lambda sign: not is_seen(sign))
    ]  # fmt: skip
    columns = tuple(ColumnView(key, say(f"gaming.column.{key}", page.language), unit) for key, unit in COLUMNS.items())
    return DataTable(pd.DataFrame(rows), columns, say("gaming.caption", page.language))


def _people(page: PageData, sign: Sign) -> str:
    """How many people show it, without telling so few that one would know who."""
    if sign.n_people < LEAST_PEOPLE:
        return ""
    key = "few" if sign.n_people_found < LEAST_FOUND else "some"
    given = {"some": {"found": sign.n_people_found}, "few": {"least": LEAST_FOUND}}[key]
    return say(f"gaming.people.{key}", page.language, people=sign.n_people, **given)


def _told(page: PageData, sign: Sign) -> dict[str, Any]:
    """A sign for the file beside the page: of people no more than the page says."""
    numbers = {name: value for name, value in vars(sign).items() if name not in ("n_people", "n_people_found")}
    return {**numbers, "people": _people(page, sign)}


def _rush_alone(page: PageData, tested: list[Sign]) -> Iterator[str]:
    """Why more before an end than expected may yet be no sign."""
    rushes = [sign for sign in tested if sign.detector == "period_end" and sign.low > sign.expected]
    if alone := [page.inline(sign.kpi) for sign in rushes if not is_seen(sign)]:
        yield say("gaming.rush_alone", page.language, kpis=listed(alone, page.language))


def _not_looked_at(page: PageData, found: GamingSigns) -> Iterator[str]:
    """Of each detector, the KPIs that it could not look at, by reason."""
    for detector in DETECTORS:
        by_reason: dict[str, list[str]] = {}
        for sign in found.signs:
            if sign.detector == detector and sign.reason:
                by_reason.setdefault(sign.reason, []).append(page.inline(sign.kpi))
        reasons = []
        for reason, kpis in by_reason.items():
            why = say(f"gaming.reason.{reason}", page.language)
            reasons.append(say("gaming.of", page.language, kpis=listed(kpis, page.language), reason=why))
        if reasons:
            what = say(f"gaming.detector.{detector}", page.language)
            told = say("gaming.semicolon", page.language).join(reasons)
            yield say("gaming.not_looked_at", page.language, what=what, reasons=told)


def _pictures(page: PageData, found: GamingSigns) -> Iterator[Block]:
    """Results around the target, of every KPI that bunches there; of the nearest to it where none does."""
    tested = [sign for sign in found.signs if sign.detector == "bunching" and sign.kpi in found.histograms]
    chosen = [sign for sign in tested if is_seen(sign)] or sorted(tested, key=lambda sign: sign.p)[:1]
    for number, sign in enumerate(chosen, start=1):
        title = say("gaming.picture.title", page.language, kpi=page.label(sign.kpi))
        said = _evidence(page, sign)
        result = say(f"gaming.picture.{'seen' if is_seen(sign) else 'not_seen'}", page.language, said=said)
        caption = say(f"gaming.picture.caption_{found.histograms[sign.kpi].unit}", page.language)
        yield Block(
            f"gaming_target_{number}",
            title,
            text=(result,),
            figure=around_target(found.histograms[sign.kpi], page.language, caption=caption),
            facts={"sign": _told(page, sign)},
        )
