"""The first screen of a person's own page: their total, what cost most, and what to do if a number is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.language import say
from kpi_research.report.block import Block, Callout, Tone
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.score_words import Words
from kpi_research.report.sections.headline import BY_CHANCE, NEAR_TARGET, ON_TARGET
from kpi_research.report.sections.score_luck import tenths
from kpi_research.report.words import period_title, range_of, value_of

PLACED = "placed"


def build(page: PageData) -> Iterator[Block]:
    """One callout; beneath it the place in the team, if the scheme lets people know it."""
    total = page.score.totals.iloc[0] if page.score is not None and len(page.score.totals) else None
    scored = total is not None and pd.notna(total["score"])
    yield Block(
        "scorecard_headline",
        say("headline.title", page.language),
        callout=_scored(page, total) if scored and total is not None else _not_scored(page),
        facts=dict(total) | {"place": _place(page)} if total is not None else {},
        notes=(*_position(page), *_next_quarter(page, total)) if scored and total is not None else (),
    )


SECTION = Section("scorecard_headline", build)


def _scored(page: PageData, total: pd.Series) -> Callout:
    tone = _tone(total["score"])
    unsure = tone == "poor" and not total["score_high"] < NEAR_TARGET
    return Callout(
        tone=tone,
        figure=value_of(page, total["score"], "points"),
        figure_label=say("headline.figure", page.language),
        figure_range=range_of(page, total["score_low"], total["score_high"], "points"),
        stands=say(
            f"scorecard.stands.{'poor_unsure' if unsure else tone}",
            page.language,
            period=period_title(page.period, page.language),
            score=value_of(page, total["score"], "points"),
        )
        + _change(page, total),
        why=_why(page),
        next_step=say("scorecard.next.check", page.language),
    )


def _tone(score: float) -> Tone:
    return "good" if score >= ON_TARGET else "fair" if score >= NEAR_TARGET else "poor"


def _change(page: PageData, total: pd.Series) -> str:
    """Whether the total moved since the quarter before by more than such totals move by chance."""
    before = _before(page)
    if before is None:
        return ""
    kind = ("up" if total["score"] > before["score"] else "down") + ("" if _is_far(total, before) else "_by_chance")
    values = {
        "moved": value_of(page, abs(total["score"] - before["score"]), "points"),
        "before": value_of(page, before["score"], "points"),
    }
    return say(f"headline.change.{kind}", page.language, **values)


def _before(page: PageData) -> pd.Series | None:
    """The total of the quarter before, if there was one."""
    found = page.previous_score.totals if page.previous_score is not None else pd.DataFrame()
    return None if found.empty or pd.isna(found.iloc[0]["score"]) else found.iloc[0]


def _is_far(total: pd.Series, before: pd.Series) -> bool:
    """By more than chance; where an error is not known, no move is claimed."""
    by_chance = BY_CHANCE * (total["score_se"] ** 2 + before["score_se"] ** 2) ** 0.5
    return bool(abs(total["score"] - before["score"]) > by_chance)


def _next_quarter(page: PageData, total: pd.Series) -> Iterator[str]:
    """After a quarter far from the one before: that some of it is luck, so that the next will be nearer to usual."""
    before = _before(page)
    if before is None or not _is_far(total, before):
        return
    yield say(f"scorecard.usual.{'up' if total['score'] > before['score'] else 'down'}", page.language)
    no_luck = page.score.no_luck  # type: ignore[union-attr]
    if pd.notna(no_luck):
        yield say("scorecard.usual.luck", page.language, luck=tenths(1 - no_luck))


def _why(page: PageData) -> str:
    rows, words = page.score.rows, Words(page.language, page.currency)  # type: ignore[union-attr]
    scored = rows[rows["status"] == "ok"].assign(lost=lambda frame: frame["weight"] - frame["points"])
    most = scored[scored["lost"] > 0].nlargest(1, "lost")
    if most.empty:
        return say("scorecard.why.all_reached", page.language)
    row = most.iloc[0]
    kpi = page.kpis[row["kpi"]]
    return say(
        "scorecard.why.most_lost",
        page.language,
        kpi=page.inline(row["kpi"]),
        points=words.points(row["points"]),
        weight=words.points(row["weight"]),
        actual=words.figure(row["actual"], kpi),
    )


def _not_scored(page: PageData) -> Callout:
    reason = "no_scheme" if page.scheme is None else "no_targets" if not page.targets else "too_little"
    period = period_title(page.period, page.language)
    return Callout(
        tone="unknown",
        stands=say("scorecard.stands.not_scored", page.language, period=period),
        why=say(f"headline.why.{reason}", page.language),
        next_step=say("scorecard.next.not_scored", page.language),
    )


def _place(page: PageData) -> int | None:
    return page.position.place if page.position is not None else None


def _position(page: PageData) -> Iterator[str]:
    if page.position is not None:
        kind = page.position.reason or PLACED
        yield say(f"scorecard.position.{kind}", page.language, place=page.position.place, of=page.position.of)
