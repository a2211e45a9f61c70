"""The people of a team beside each other, after asking whether they may be ranked at all."""

from __future__ import annotations

from collections.abc import Iterator

from kpi_research.appraisal.ranking import Homogeneity, rates_differ
from kpi_research.appraisal.score import Score
from kpi_research.language import say
from kpi_research.policy import MIN_PEOPLE_IN_GROUP
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.charts import people_dots
from kpi_research.report.data import RATE, PageData
from kpi_research.report.page import Section
from kpi_research.report.sections.league import with_intervals
from kpi_research.report.words import listed


def build(page: PageData) -> Iterator[Block]:
    """Scores of people where they are scored, otherwise their results."""
    if page.people.empty or page.people["entity_id"].nunique() < MIN_PEOPLE_IN_GROUP:
        kind = "nobody" if page.people.empty else "one"
        yield Block(
            "people", say("people.title", page.language), text=(say(f"people.{kind}", page.language),), status="no_data"
        )
        return
    scored = page.people_score is not None and page.people_score.totals["score"].notna().any()
    yield _scored(page) if scored else _measured(page)


SECTION = Section("people", build)


def _scored(page: PageData) -> Block:
    """Everybody's own total; in order of what all are scored on, if that tells people apart, otherwise of names."""
    score: Score = page.people_score  # type: ignore[assignment]
    apart, compared = score.likeness, score.compared_scores
    frame = score.totals.assign(
        label=score.totals["entity_id"].map(page.names), scored_share=score.totals["scored_weight"]
    )
    frame = frame.assign(compared=frame["entity_id"].map(compared))
    frame = frame.sort_values("compared" if apart.distinguishable else "label", ascending=not apart.distinguishable)
    frame = frame.assign(value=frame["score"], low=frame["score_low"], high=frame["score_high"], highlighted=False)
    outcome = page.people[page.people["kpi"] == page.outcome].set_index("entity_id")["value"]
    frame = frame.assign(outcome=frame["entity_id"].map(outcome))
    columns = (
        ColumnView("label", say("people.column.label", page.language)),
        ColumnView("score", say("people.column.score", page.language), "points"),
        ColumnView("scored_share", say("people.column.scored_share", page.language), "share"),
        ColumnView("compared", say("people.column.compared", page.language), "points"),
        ColumnView("outcome", page.label(page.outcome), page.kpis[page.outcome].unit),
    )
    mean = float(frame["score"].mean())
    return Block(
        "people",
        say("people.title", page.language),
        text=(_may_be_ranked(page, apart), *_compared_on(page, score), say("people.members", page.language)),
        table=DataTable(frame, columns, say("people.caption", page.language)),
        figure=people_dots(frame, page.language, reference=mean, caption=say("people.figure", page.language)),
        facts=_facts(apart) | {"mean_score": mean, "compared_kpis": list(score.compared_kpis)},
    )


def _compared_on(page: PageData, score: Score) -> Iterator[str]:
    """Which KPIs the comparison rests on, where that is not all that somebody is scored on."""
    scored = set(score.rows.loc[score.rows["status"] == "ok", "kpi"])
    if score.compared_kpis and scored != set(score.compared_kpis):
        kpis = listed((page.inline(kpi) for kpi in score.compared_kpis), page.language)
        yield say("people.compared", page.language, kpis=kpis)


def _measured(page: PageData) -> Block:
    wide = page.people[page.people["kpi"].isin([RATE, page.outcome])]
    rates = wide[wide["kpi"] == RATE].set_index("entity_id")
    outcome = wide[wide["kpi"] == page.outcome].set_index("entity_id")["value"]
    apart = rates_differ(rates["numerator"].fillna(0), rates["denominator"].fillna(0))
    frame = rates.reset_index().assign(label=lambda rows: rows["entity_id"].map(page.names))
    frame = with_intervals(frame.assign(outcome=frame["entity_id"].map(outcome)).sort_values("label"))
    columns = (
        ColumnView("label", say("people.column.label", page.language)),
        ColumnView("outcome", page.label(page.outcome), page.kpis[page.outcome].unit),
        ColumnView("value", page.label(RATE), "share"),
        ColumnView("numerator", say("people.column.won", page.language), "count"),
        ColumnView("denominator", say("people.column.closed", page.language), "count"),
    )
    counted = page.kpis[RATE].counted_over
    return Block(
        "people",
        say("people.title", page.language),
        text=(_may_be_ranked(page, apart, kpi=page.inline(RATE)),),
        table=DataTable(frame, columns, say("people.caption", page.language)),
        notes=(
            say(
                "people.denominator",
                page.language,
                kpi=page.inline(RATE),
                over=counted[page.language] if counted else "",
            ),
        ),
        facts=_facts(apart),
    )


def _may_be_ranked(page: PageData, apart: Homogeneity, kpi: str | None = None) -> str:
    kind = apart.reason or ("apart" if apart.distinguishable else "alike")
    what = kpi or say("people.score", page.language)
    return say(f"people.{kind}", page.language, what=what, n=apart.n_entities)


def _facts(apart: Homogeneity) -> dict[str, float | int | str | bool]:
    return {
        "statistic": apart.statistic,
        "df": apart.df,
        "p": apart.p,
        "n_people": apart.n_entities,
        "distinguishable": apart.distinguishable,
        "reason": apart.reason,
    }
