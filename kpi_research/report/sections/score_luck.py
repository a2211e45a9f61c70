"""How much of the differences between people's scores is luck, and between which places each may truly stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from kpi_research.appraisal.luck import ScoreLuck
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.luck_charts import place_ranges
from kpi_research.report.page import Section
from kpi_research.report.words import listed, value_of


def build(page: PageData) -> Iterator[Block]:
    """The block of `shown`, where the page was given luck."""
    found = page.luck
    if found is not None:
        yield shown(page, found)


def shown(page: PageData, found: ScoreLuck) -> Block:
    """How much is luck, in one sentence; then people with their places, as far as the scheme allows to see them."""
    title, reason = say("luck.title", page.language), found.reliability.reason
    if reason:
        text = say(f"luck.unknown.{reason}", page.language, count=found.reliability.n_people)
        return Block("score_luck", title, text=(text,), facts=_facts(found), status="no_data")
    # where all may be luck there is no order to show
    named, ranked = _may_name(page), _may_rank(page) and found.reliability.low > 0
    frame = _frame(page, found, ranked)
    table = DataTable(frame, tuple(_columns(page, ranked)), say("luck.caption", page.language))
    places = say("luck.figure", page.language)
    return Block(
        "score_luck",
        title,
        text=tuple(_sentences(page, found, named, ranked)),
        table=table if named else None,
        figure=place_ranges(frame, page.language, caption=places) if ranked else None,
        notes=tuple(_notes(page, found, named, ranked)),
        facts=_facts(found),
        status="warning" if found.reliability.low <= 0 else "ok",
    )


SECTION = Section("score_luck", build)


def _may_name(page: PageData) -> bool:
    """A team's people on its page; those of the whole company are for analysts only."""
    return page.level == "team" or page.audience == "analyst"


def _may_rank(page: PageData) -> bool:
    """As the scheme says; where it is `own_position`, each sees their own place on their own page only."""
    rankings = page.scheme.rankings if page.scheme else "none"
    return _may_name(page) and (rankings == "all" or (rankings == "team" and page.level == "team"))


def tenths(share: float) -> str:
    """A share as parts of ten; what is not nothing or all never reads 0 or 10."""
    nearest = round(share * 10)
    return str(nearest if share in (0.0, 1.0) else min(9, max(1, nearest)))


def _sentences(page: PageData, found: ScoreLuck, named: bool, ranked: bool) -> Iterator[str]:
    language, share = page.language, found.reliability
    luck = {"luck": tenths(1 - share.share), "low": tenths(1 - share.high), "high": tenths(1 - share.low)}
    unclear = share.low <= 0
    yield say("luck.may_be_all" if unclear else "luck.share", language, count=share.n_people, **luck)
    yield _first(page, found, unclear)
    if ranked:
        yield _sides(page, found)
    if not unclear:
        yield from _weights(page, found)
    if named:
        yield from _progress(page, found)


def _weights(page: PageData, found: ScoreLuck) -> Iterator[str]:
    """Whether other usual weights would put somebody else first."""
    if found.moves.stays_first < 1:
        yield say("luck.weights", page.language, times=tenths(found.moves.stays_first))
    elif found.moves.stays_first == 1:
        yield say("luck.weights_firm", page.language)


def _first(page: PageData, found: ScoreLuck, unclear: bool) -> str:
    sure = float(found.firsts.is_first[found.given.scores.argmax()])  # type: ignore[union-attr]
    if unclear:
        # where all may be luck the probability itself is not known: anybody may be the best
        return say("luck.first_unclear", page.language, times=tenths(sure), count=len(found.given.people))
    return say("luck.first", page.language, times=tenths(sure))


def _sides(page: PageData, found: ScoreLuck) -> str:
    names = {side: listed(sorted(_name(page, each) for each in _on(found, side)), page.language) for side in (1, -1)}
    if not any(names.values()):
        return say("luck.sides.none", page.language)
    kind = "both" if all(names.values()) else "above" if names[1] else "below"
    return say(f"luck.sides.{kind}", page.language, above=names[1], below=names[-1])


def _on(found: ScoreLuck, side: int) -> list[str]:
    return [person for person, own in zip(found.given.people, found.ranks.side, strict=True) if own == side]


def _progress(page: PageData, found: ScoreLuck) -> Iterator[str]:
    progress = found.progress
    if progress is None:
        return
    if not progress.winner:
        yield say(f"luck.progress.{progress.reason}", page.language, count=len(progress.people))
        return
    at = progress.people.index(progress.winner)
    yield say(
        "luck.progress.winner",
        page.language,
        name=_name(page, progress.winner),
        change=value_of(page, progress.change[at], "points"),
        expected=value_of(page, progress.expected_change[at], "points"),
    )


def _frame(page: PageData, found: ScoreLuck, ranked: bool) -> pd.DataFrame:
    scores = found.given.scores
    frame = pd.DataFrame(
        {
            "label": [_name(page, person) for person in found.given.people],
            "score": scores,
            "shrunk": found.shrunk,
            "place": 1 + (scores[None, :] > scores[:, None]).sum(axis=1),
            "place_low": found.ranks.low,
            "place_high": found.ranks.high,
            "side": found.ranks.side,
        }
    )
    if not ranked:
        return frame[["label", "score", "shrunk"]].sort_values("label", ignore_index=True)
    return frame.sort_values(["place", "label"], ignore_index=True)


def _columns(page: PageData, ranked: bool) -> Iterator[ColumnView]:
    yield ColumnView("label", say("people.column.label", page.language))
    yield ColumnView("score", say("luck.column.score", page.language), "points")
    yield ColumnView("shrunk", say("luck.column.shrunk", page.language), "points")
    if ranked:
        yield ColumnView("place", say("luck.column.place", page.language), "count")


def _notes(page: PageData, found: ScoreLuck, named: bool, ranked: bool) -> Iterator[str]:
    yield say("luck.note.luck", page.language)
    if not found.same_kpis:
        yield say("luck.note.other_kpis", page.language)
    if named:
        yield say("luck.note.shrunk", page.language)
        order = "places" if ranked else "no_order" if not _may_rank(page) else "no_order_luck"
        yield say(f"luck.note.{order}", page.language)
    if len(found.given.people) < len(found.moves.people):
        yield say("luck.note.left_out", page.language, count=len(found.moves.people) - len(found.given.people))


def _name(page: PageData, person: str) -> str:
    return page.names.get(person, person)


def _facts(found: ScoreLuck) -> dict[str, Any]:
    share, progress = found.reliability, found.progress
    return {
        "reliability": share.share,
        "reliability_low": share.low,
        "reliability_high": share.high,
        "n_people": share.n_people,
        "reason": share.reason,
        "factor": found.ranks.factor,
        "first_is_first": float(np.max(found.firsts.is_first)) if found.firsts else None,
        "stays_first": found.moves.stays_first,
        "progress_p": float(progress.p.min()) if progress and len(progress.p) else None,
    }
