"""The first screen of the analyst's page: what the company's own history says about its KPIs."""

from __future__ import annotations

from collections.abc import Iterator

from kpi_research.language import say
from kpi_research.report.block import Block, Callout, Tone
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.words import listed, period_title

UNTESTED = "HN"
"""Verdicts that need no test of an effect."""


def build(page: PageData) -> Iterator[Block]:
    """How many KPIs were asked about, which go with results, and what remains open."""
    verdicts = page.study.verdicts
    by_code = {code: list(rows["kpi"]) for code, rows in verdicts.groupby("code")}
    tested = sum(len(kpis) for code, kpis in by_code.items() if code not in UNTESTED)
    found = "drives" if "A" in by_code else "pilot" if "B" in by_code else "watch" if "C" in by_code else "nothing"
    kind = found if tested else "untested"
    tone: Tone = "info" if tested else "unknown"
    callout = Callout(
        tone=tone,
        figure=f"{len([*by_code.get('A', []), *by_code.get('B', [])])} / {tested}",
        figure_label=say("evidence.figure", page.language),
        stands=_stands(page, by_code),
        why=_why(page, by_code),
        next_step=say(f"evidence.next.{kind}", page.language),
    )
    facts = {"codes": dict(by_code.items()), "n_kpis": len(verdicts)}
    yield Block("evidence_headline", say("evidence.title", page.language), callout=callout, facts=facts)


SECTION = Section("evidence_headline", build)


def _stands(page: PageData, by_code: dict[str, list[str]]) -> str:
    verdicts = page.study.verdicts
    base = say(
        "evidence.base",
        page.language,
        outcome=page.inline(page.outcome),
        people=int(verdicts["n_people"].max()) if len(verdicts) else 0,
        periods=int(verdicts["n_periods"].max()) if len(verdicts) else 0,
        period=period_title(page.period, page.language),
    )
    found = [
        say(f"evidence.stands.{kind}", page.language, kpis=listed(map(page.inline, by_code[code]), page.language))
        for code, kind in (("A", "drives"), ("B", "predicts"), ("C", "some"))
        if code in by_code
    ]
    if found:
        return base + "".join(found)
    tested = any(code not in UNTESTED for code in by_code)
    return base + say(f"evidence.stands.{'none' if tested else 'untested'}", page.language)


def _why(page: PageData, by_code: dict[str, list[str]]) -> str:
    parts = [
        say(f"evidence.why.{code}", page.language, kpis=listed(map(page.inline, by_code[code]), page.language))
        for code in "IRHDFGEN"
        if code in by_code
    ]
    return "".join(parts) or say("evidence.why.nothing", page.language)
