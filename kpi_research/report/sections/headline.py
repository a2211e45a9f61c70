"""The first screen of the manager's page: how the team stands, why, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist

import pandas as pd

from kpi_research.language import say
from kpi_research.policy import INTERVAL_LEVEL
from kpi_research.report.block import Block, Callout, Tone
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.words import listed, period_title, range_of, value_of

BY_CHANCE = NormalDist().inv_cdf(0.5 + INTERVAL_LEVEL / 2)
"""Standard errors within which two scores may differ by chance, at the level of the intervals beside them."""
ON_TARGET, NEAR_TARGET = 100.0, 85.0
"""From here on a score is good; from here on it needs attention; under it the team is behind."""


def build(page: PageData) -> Iterator[Block]:
    """One callout, and the numbers that it uses."""
    total = _total(page)
    callout = _scored(page, total) if total is not None else _not_scored(page)
    facts = {} if total is None else _facts(page, total)
    yield Block("headline", say("headline.title", page.language), callout=callout, facts=facts)


SECTION = Section("headline", build)


def _facts(page: PageData, total: pd.Series) -> dict[str, object]:
    before = page.previous_score.totals if page.previous_score is not None else pd.DataFrame()
    earlier = float(before.iloc[0]["score"]) if len(before) else float("nan")
    numbers = {key: total[key] for key in ("score", "score_low", "score_high", "score_se", "scored_weight")}
    return {**numbers, "previous_score": earlier, "change": total["score"] - earlier}


def _total(page: PageData) -> pd.Series | None:
    if page.score is None or page.score.totals.empty:
        return None
    total = page.score.totals.iloc[0]
    return None if total["status"] == "not_scored" else total


def _scored(page: PageData, total: pd.Series) -> Callout:
    rows = page.score.rows  # type: ignore[union-attr]
    scored = rows[rows["status"] == "ok"].assign(lost=lambda frame: frame["weight"] - frame["points"])
    return Callout(
        tone=_tone(total["score"]),
        figure=value_of(page, total["score"], "points"),
        figure_label=say("headline.figure", page.language),
        figure_range=range_of(page, total["score_low"], total["score_high"], "points"),
        stands=_stands(page, total),
        why=_why(page, scored),
        next_step=_next_step(page, scored),
    )


def _tone(score: float) -> Tone:
    return "good" if score >= ON_TARGET else "fair" if score >= NEAR_TARGET else "poor"


def _stands(page: PageData, total: pd.Series) -> str:
    values = {"name": page.entity_name, "period": period_title(page.period, page.language)}
    score = value_of(page, total["score"], "points")
    unsure = _tone(total["score"]) == "poor" and not total["score_high"] < NEAR_TARGET
    kind = "poor_unsure" if unsure else _tone(total["score"])
    return say(f"headline.stands.{kind}", page.language, score=score, **values) + _change(page, total)


def _change(page: PageData, total: pd.Series) -> str:
    """Whether the score moved since the quarter before by more than such scores move by chance."""
    if page.previous_score is None or page.previous_score.totals.empty:
        return ""
    before = page.previous_score.totals.iloc[0]
    if pd.isna(before["score"]):
        return ""
    moved = total["score"] - before["score"]
    by_chance = BY_CHANCE * (total["score_se"] ** 2 + before["score_se"] ** 2) ** 0.5
    # where an error is not known, no move is claimed
    kind = ("up" if moved > 0 else "down") + ("" if abs(moved) > by_chance else "_by_chance")
    return say(
        f"headline.change.{kind}",
        page.language,
        moved=value_of(page, abs(moved), "points"),
        before=value_of(page, before["score"], "points"),
    )


def _why(page: PageData, scored: pd.DataFrame) -> str:
    def named(rows: pd.DataFrame) -> str:
        each = [
            say("headline.kpi_at", page.language, kpi=page.inline(kpi), attainment=value_of(page, reached, "share"))
            for kpi, reached in zip(rows["kpi"], rows["attainment"], strict=True)
        ]
        return listed(each, page.language)

    behind = scored[scored["lost"] > 0].nlargest(2, "lost")
    best = scored.nlargest(1, "attainment")
    if behind.empty:
        return say("headline.why.all_reached", page.language, best=named(best))
    return say("headline.why.behind", page.language, behind=named(behind), best=named(best))


def _next_step(page: PageData, scored: pd.DataFrame) -> str:
    behind = scored[scored["lost"] > 0].nlargest(1, "lost")
    parts = [_close_the_gap(page, behind.iloc[0])] if len(behind) else [say("headline.next.hold", page.language)]
    idle = _shown_to_be_idle(page)
    if len(idle):
        kpis = listed(map(page.inline, idle["kpi"]), page.language)
        given = {"kpis": kpis, "outcome": page.inline(page.outcome), "lags": int(idle["lags"].min())}
        parts.append(say("headline.next.not_more", page.language, **given))
    return "".join(parts)


def _close_the_gap(page: PageData, row: pd.Series) -> str:
    kpi = page.kpis[row["kpi"]]
    gap = abs(row["target"] - row["actual"])
    return say(
        "headline.next.gap",
        page.language,
        kpi=page.inline(row["kpi"]),
        gap=say("headline.share_points", page.language, points=f"{gap * 100:.1f}")
        if kpi.unit == "share"
        else value_of(page, gap, "points" if kpi.unit == "nps" else kpi.unit),
        target=value_of(page, row["target"], kpi.unit),
    )


def _shown_to_be_idle(page: PageData) -> pd.DataFrame:
    """Verdicts on process KPIs of which the data show that they matter too little."""
    verdicts = page.study.verdicts
    process = verdicts["kpi"].map(lambda kpi: page.kpis[kpi].kind == "process").astype(bool)
    return verdicts[process & (verdicts["code"] == "F")]


def _not_scored(page: PageData) -> Callout:
    now, before = page.now(), page.before()
    unit = page.kpis[page.outcome].unit
    value = now["value"].get(page.outcome, float("nan"))
    earlier = before["value"].get(page.outcome, float("nan"))
    reason = "no_scheme" if page.scheme is None else "no_targets" if not page.targets else "too_little"
    values = {"name": page.entity_name, "period": period_title(page.period, page.language)}
    kind = "nothing" if pd.isna(value) else "not_scored"
    stands = say(
        f"headline.stands.{kind}",
        page.language,
        outcome=page.inline(page.outcome),
        value=value_of(page, value, unit),
        change=_against_before(page, value, earlier),
        **values,
    )
    return Callout(
        tone="unknown",
        figure="" if pd.isna(value) else value_of(page, value, unit),
        figure_label="" if pd.isna(value) else page.label(page.outcome),
        stands=stands,
        why=say(f"headline.why.{reason}", page.language),
        next_step=say(f"headline.next.{reason}", page.language),
    )


def _against_before(page: PageData, value: float, earlier: float) -> str:
    if pd.isna(value) or pd.isna(earlier) or earlier == 0:
        return ""
    share = value / earlier - 1
    kind = "up" if share >= 0 else "down"
    return say(f"headline.outcome_{kind}", page.language, share=value_of(page, abs(share), "share"))
