"""How a total is made up of its KPIs, and which of them moved it since the quarter before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpi_research.appraisal.score import Score
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnFormat, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.score_charts import Step, waterfall
from kpi_research.report.score_words import Words
from kpi_research.report.words import period_title, value_of

ADJUSTED, TOTAL = "(adjusted)", "(total)"
SHOWN: dict[str, ColumnFormat] = {"label": "text", "weight": "share", "points": "points", "part": "points"}
COMPARED: dict[str, ColumnFormat] = {"before": "points", "change": "points"}


def build(page: PageData) -> Iterator[Block]:
    """The parts of the total, and what changed; nothing where there is no total."""
    if page.score is None or _total(page.score) is None:
        return
    now, before = parts_of(page.score), None
    if page.previous_score is not None and _total(page.previous_score) is not None:
        before = parts_of(page.previous_score)
    frame = _frame(page, now, before)
    yield _made_up(page, frame, compared=before is not None)
    if before is not None:
        yield _moved(page, frame)


SECTION = Section("score_waterfall", build)


def parts_of(score: Score) -> pd.Series:
    """What each KPI gives to the total of one entity, what adjustments gave, and the total that both sum to.

    Returns
    -------
    Points of the total by KPI, then `ADJUSTED` and `TOTAL`; null for what was not scored.
    """
    total, rows = score.totals.iloc[0], score.rows.set_index("kpi")
    scored = rows["status"] == "ok"
    parts = (rows["points"] / rows.loc[scored, "weight"].sum() * 100).where(scored)
    return pd.concat([parts, pd.Series({ADJUSTED: total["adjusted"], TOTAL: total["score"]})]).astype(float)


def _total(score: Score) -> float | None:
    found = score.totals["score"].dropna()
    return float(found.iloc[0]) if len(found) else None


def _frame(page: PageData, now: pd.Series, before: pd.Series | None) -> pd.DataFrame:
    rows = page.score.rows.set_index("kpi")  # type: ignore[union-attr]
    names = {ADJUSTED: say("scorecard.adjusted", page.language), TOTAL: say("scorecard.total", page.language)}
    frame = pd.DataFrame({"part": now, "before": np.nan if before is None else before.reindex(now.index)})
    # what was not scored in one of the two quarters gave nothing to that total
    known = frame[["part", "before"]].notna().any(axis=1)
    frame["change"] = (frame["part"].fillna(0.0) - frame["before"].fillna(0.0)).where(known)
    adjusts = bool(frame.loc[ADJUSTED, ["part", "before"]].fillna(0.0).any()) or len(page.score.adjustments) > 0  # type: ignore[union-attr]
    frame = frame if adjusts else frame.drop(index=ADJUSTED)
    return frame.assign(
        kpi=frame.index,
        label=[names.get(kpi) or page.label(kpi) for kpi in frame.index],
        weight=rows["weight"].reindex(frame.index) / 100,
        points=rows["points"].reindex(frame.index).where(rows["status"].reindex(frame.index) == "ok"),
    ).reset_index(drop=True)


def _made_up(page: PageData, frame: pd.DataFrame, *, compared: bool) -> Block:
    shown = SHOWN | (COMPARED if compared else {})
    table = DataTable(
        frame,
        tuple(ColumnView(key, say(f"scorecard.column.{key}", page.language), unit) for key, unit in shown.items()),
        say("scorecard.caption_parts", page.language),
    )
    steps = [
        Step(row.label, float(row.part), "level" if row.kpi == TOTAL else "part")
        for row in frame[frame["part"].notna()].itertuples()
    ]
    return Block(
        "score_waterfall",
        say("scorecard.title_parts", page.language),
        text=tuple(_sum_by_hand(page)),
        table=table,
        figure=waterfall(
            steps, page.language, signed=False, key="scorecard.chart_parts",
            caption=say("scorecard.figure_parts", page.language),
        ),
        facts={"parts": frame[["kpi", "part", "before", "change"]].to_dict("records")},
    )  # fmt: skip


def _sum_by_hand(page: PageData) -> Iterator[str]:
    """The total as one sum that anybody can do again."""
    score, words = page.score, Words(page.language, page.currency)
    assert score is not None  # noqa: S101 - `build` has asked
    total, scored = score.totals.iloc[0], score.rows[score.rows["status"] == "ok"]
    plain = total["score"] - total["adjusted"]
    yield say(
        "scorecard.sum",
        page.language,
        points=" + ".join(words.points(each) for each in scored["points"]),
        weight=words.points(scored["weight"].sum()),
        # parts rounded to the hundredth give the total to the tenth
        total=value_of(page, plain, "points"),
    )
    if total["adjusted"]:
        shown = {"plain": plain, "moved": total["adjusted"], "total": total["score"]}
        values = {key: value_of(page, value, "points") for key, value in shown.items()}
        yield say("scorecard.sum_adjusted", page.language, **values)
    if total["status"] == "partial_weight":
        yield say("scores.weight", page.language, share=value_of(page, total["scored_weight"], "share"))


def _moved(page: PageData, frame: pd.DataFrame) -> Block:
    ends, parts = frame[frame["kpi"] == TOTAL].iloc[0], frame[frame["kpi"] != TOTAL]
    earlier, later = (period_title(each, page.language) for each in (page.period.shift(-1), page.period))
    known = parts[parts["part"].notna() | parts["before"].notna()]
    steps = [
        Step(earlier, float(ends["before"]), "level"),
        *(Step(row.label, float(row.change)) for row in known.itertuples()),
        Step(later, float(ends["part"]), "level"),
    ]
    once = known[known["part"].isna() ^ known["before"].isna()]
    text = [
        say("scorecard.scored_once", page.language, kpi=label, period=later if pd.isna(before) else earlier)
        for label, before in zip(once["label"], once["before"], strict=True)
    ]
    return Block(
        "score_change",
        say("scorecard.title_change", page.language),
        text=tuple(text),
        figure=waterfall(
            steps, page.language, signed=True, key="scorecard.chart_change", start=float(ends["before"]),
            caption=say("scorecard.figure_change", page.language),
        ),
        notes=(say("scorecard.note_change", page.language),),
    )  # fmt: skip
