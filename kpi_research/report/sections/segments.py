"""For whom a KPI that goes with results does, and whether all months together say the opposite of each person's own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpi_research.evidence.heterogeneity import (
    LEAST_PEOPLE,
    LEAST_PERSON_ROWS,
    LEAST_PERSONS,
    LEAST_ROWS,
)
from kpi_research.evidence.segments import PERSON, TEAM, VIEWS
from kpi_research.evidence.simpson import BINS, PAIRS
from kpi_research.language import catalogue, say
from kpi_research.report.block import Block, ColumnFormat, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.format import Unit
from kpi_research.report.page import Section
from kpi_research.report.sections.activities import PASSED
from kpi_research.report.segment_charts import Views, direction, group_forest, views_picture
from kpi_research.report.words import listed, range_of

MOST_GROUPS = 12
"""A kind with more groups is told by its table: a picture of them all is longer than a phone is patient."""
PICTURES_SHOWN = 4
NEARLY_ALL = 0.95
"""From this share of people on, the ten in ten that it rounds to are told as nearly everybody."""
Columns = tuple[tuple[str, ColumnFormat], ...]
KINDS: Columns = (
    ("kpi", "text"), ("kind", "text"), ("p_differ", "probability"), ("q_differ", "probability"), ("i2", "share"),
    ("other", "text"),
)  # fmt: skip


def build(page: PageData) -> Iterator[Block]:
    """For managers a sentence where groups differ or points of view contradict; for analysts everything."""
    groups, views = page.study.beside.segments, page.study.beside.simpson
    if page.audience != "analyst":
        if page.level == "team":
            # what was found of other teams is not this one's to read
            groups = groups[groups["kind"] != TEAM]
        said = (*_differences(page, groups), *_limits(page, groups), *_alerts(page, views))
        if said:
            yield Block("segments", say("segments.title", page.language), text=said)
        return
    title = say("segments.title", page.language)
    if groups.empty:
        none = say("segments.none", page.language, outcome=page.inline(page.outcome))
        yield Block("segments", title, text=(none,), status="no_data")
        return
    yield _whether(page, groups)
    for kpi, rows in groups.groupby("kpi", sort=False):
        yield _of_kpi(page, str(kpi), rows)
    yield from _views(page, views)


SECTION = Section("segments", build)


def _whether(page: PageData, groups: pd.DataFrame) -> Block:
    """Whether groups differ, a row a KPI and kind."""
    unit = _unit(groups)
    tested = groups[groups["p_differ"].notna()].drop_duplicates(["kpi", "kind"])
    frame = tested.assign(
        kpi=tested["kpi"].map(page.label),
        kind=[_kind(page, kind) for kind in tested["kind"]],
        other=[range_of(page, *ends, unit) for ends in zip(tested["predict_low"], tested["predict_high"], strict=True)],
    )
    lead = say("segments.lead", page.language, outcome=page.inline(page.outcome))
    return Block(
        "segments",
        say("segments.title", page.language),
        text=(lead, *_differences(page, groups), *_limits(page, groups)),
        table=_table(page, frame, KINDS, say("segments.caption_kinds", page.language)) if len(frame) else None,
        notes=(say("segments.note.i2", page.language),) if len(frame) else (),
        facts={"segments": groups.to_dict("records")},
    )


def _of_kpi(page: PageData, kpi: str, rows: pd.DataFrame) -> Block:
    """The groups of one KPI, and how far people differ."""
    unit = _unit(rows)
    known = rows[rows["kind"] != PERSON]
    frame = known.assign(
        kind=[_capital(_kind(page, kind)) for kind in known["kind"]],
        label=[_group(page, group) for group in known["group"]],
        effect_low=known["low"],
        effect_high=known["high"],
        differs=known["q_differ"] <= page.study.plan.q,
    )
    shown: Columns = (
        ("kind", "text"), ("label", "text"), ("effect", unit), ("raw", unit), ("n_people", "count"),
        ("n_rows", "count"),
    )  # fmt: skip
    drawn = frame[frame["effect"].notna() & (frame.groupby("kind")["group"].transform("size") <= MOST_GROUPS)]
    caption = say("segments.caption", page.language, kpi=page.inline(kpi), outcome=page.inline(page.outcome))
    marks = say("segments.chart.forest_caption", page.language)
    return Block(
        f"segments_{kpi}",
        say("segments.title_kpi", page.language, kpi=page.label(kpi)),
        text=(*_alike(page, known), *_people(page, kpi, rows)),
        table=_table(page, frame, shown, caption) if len(frame) else None,
        figure=group_forest(drawn, page.language, unit=unit, caption=marks) if len(drawn) else None,
        notes=(
            say(f"segments.note.unit_{rows['effect_unit'].iloc[0]}", page.language, kpi=page.inline(kpi)),
            say("segments.note.small", page.language, people=LEAST_PEOPLE),
        ),
    )


def _differences(page: PageData, groups: pd.DataFrame) -> Iterator[str]:
    """A sentence for each KPI and kind whose groups differ."""
    for (kpi, kind), rows in groups[groups["q_differ"] <= page.study.plan.q].groupby(["kpi", "kind"], sort=False):
        yield _difference(page, str(kpi), str(kind), rows[rows["status"] == "ok"])


def _difference(page: PageData, kpi: str, kind: str, rows: pd.DataFrame) -> str:
    """Where the link is seen and where not, by intervals; no sizes, since these may be those of something else."""
    up, down = rows[rows["low"] > 0], rows[rows["high"] < 0]
    seen = rows[(rows["low"] > 0) | (rows["high"] < 0)]
    unseen, size = rows.drop(seen.index), rows["effect"].abs()
    key = "opposite" if len(up) and len(down) else "unclear" if seen.empty else "some" if len(unseen) else "all"
    return say(
        f"segments.differs.{key}",
        page.language,
        kpi=page.inline(kpi),
        outcome=page.inline(page.outcome),
        kind=_kind(page, kind),
        up=_listed(page, up),
        down=_listed(page, down),
        seen=_listed(page, seen),
        unseen=_listed(page, unseen),
        most=_group(page, rows.loc[size.idxmax(), "group"]),
        least=_group(page, rows.loc[size.idxmin(), "group"]),
    )


def _limits(page: PageData, groups: pd.DataFrame) -> tuple[str, ...]:
    """What follows from a difference, and what does not: of what is associated only, nothing yet."""
    differing = groups.loc[groups["q_differ"] <= page.study.plan.q, "kpi"].unique()
    codes = page.study.verdicts.set_index("kpi")["code"].reindex(differing)
    if not len(codes):
        return ()
    return (say(f"segments.advice{'' if codes.isin(PASSED).any() else '_watch'}", page.language),)


def _alike(page: PageData, rows: pd.DataFrame) -> Iterator[str]:
    """Kinds whose groups show no difference, and those of which nothing can be said."""
    of_kind = rows.drop_duplicates("kind")
    alike = of_kind[of_kind["q_differ"] > page.study.plan.q]
    if len(alike):
        yield say("segments.alike", page.language, kinds=_kinds(page, alike))
    unknown = of_kind[of_kind["p_differ"].isna()]
    if len(unknown):
        least = {"people": LEAST_PEOPLE, "rows": LEAST_ROWS}
        yield say("segments.too_few", page.language, kinds=_kinds(page, unknown), **least)


def _people(page: PageData, kpi: str, rows: pd.DataFrame) -> Iterator[str]:
    """For how many people in ten the link has the direction that it mostly has."""
    for _, row in rows[rows["kind"] == PERSON].iterrows():
        if row["status"] != "ok":
            yield say("segments.people.too_few", page.language, people=LEAST_PERSONS, rows=LEAST_PERSON_ROWS)
            continue
        low, high = row["above_low"], row["above_high"]
        down = high < 0.5
        key = "down" if down else "up" if low > 0.5 else "unclear"
        share = 1 - row["above"] if down else row["above"]
        if key != "unclear" and share >= NEARLY_ALL:
            key += "_all"
        ends = (1 - high, 1 - low) if down else (low, high)
        yield say(
            f"segments.people.{key}",
            page.language,
            kpi=page.inline(kpi),
            outcome=page.inline(page.outcome),
            share=f"{10 * share:.0f}",
            low=f"{np.floor(10 * ends[0]):.0f}",
            high=f"{np.ceil(10 * ends[1]):.0f}",
        )


def _views(page: PageData, views: pd.DataFrame) -> Iterator[Block]:
    """The four slopes of every KPI, and a picture of those that contradict, then of the others."""
    known = views[views["n_rows"] > 0]
    if known.empty:
        return
    unit: ColumnFormat = "money" if page.kpis[page.outcome].unit == "money" else "number"
    frame = known.assign(
        label=known["kpi"].map(page.label),
        says=[say(f"segments.views.{'opposite' if alert else 'agree'}", page.language) for alert in known["alert"]],
    )
    columns = (
        ColumnView("label", say("segments.column.kpi", page.language)),
        *(ColumnView(view, say(f"segments.views.column.{view}", page.language), unit) for view in VIEWS),
        ColumnView("says", say("segments.views.column.says", page.language)),
    )
    caption = say("segments.views.caption", page.language, outcome=page.inline(page.outcome))
    yield Block(
        "simpson",
        say("segments.views.title", page.language),
        text=tuple(_alerts(page, known)) or (say("segments.views.agree_text", page.language),),
        table=DataTable(frame, columns, caption),
        notes=(say("segments.views.note", page.language),),
        facts={"simpson": known.to_dict("records")},
    )
    pictured = known[known["x_2"].notna() & known["within"].notna() & known["people"].notna()]
    order = pictured["alert"].eq("").sort_values(kind="stable").index
    for _, row in pictured.loc[order[:PICTURES_SHOWN]].iterrows():
        yield _picture(page, row)


def _alerts(page: PageData, views: pd.DataFrame) -> Iterator[str]:
    """What and why, of each KPI of which two points of view say the opposite; then what to make of it."""
    alerts = views[views["alert"] != ""]
    for _, row in alerts.iterrows():
        one, other = PAIRS[row["alert"]]
        names = {"kpi": page.inline(row["kpi"]), "outcome": page.inline(page.outcome)}
        opposite = {name: direction(row[view], page.language) for name, view in {"one": one, "other": other}.items()}
        parts = [say(f"segments.alert.{row['alert']}", page.language, **names, **opposite)]
        if row["alert"] == "pooled_within":
            parts.append(say(f"segments.reason.{_reason(row)}", page.language, **names))
        yield (" " if page.language == "en" else "").join(parts)
    if len(alerts):
        known = any("within" in PAIRS[alert] for alert in alerts["alert"])
        yield say(f"segments.advice_views.{'within' if known else 'other'}", page.language)


def _reason(row: pd.Series) -> str:
    """Whether people's averages explain what all months together show: only where their own range leaves out zero."""
    if row["pooled"] < 0 and row["people_high"] < 0:
        return "strong_have_less"
    return "strong_have_more" if row["pooled"] > 0 and row["people_low"] > 0 else "unknown"


def _picture(page: PageData, row: pd.Series) -> Block:
    numbers = [number for number in range(1, BINS + 1) if pd.notna(row[f"x_{number}"])]
    kpi = row["kpi"]
    views = Views(
        x=[float(row[f"x_{number}"]) for number in numbers],
        y=[float(row[f"y_{number}"]) for number in numbers],
        between=row["people"],
        within=row["within"],
        swing=row["swing"],
        x_name=page.label(kpi),
        y_name=page.label(page.outcome),
        x_unit=_of_means(page.kpis[kpi].unit),
        y_unit=_of_means(page.kpis[page.outcome].unit),
        currency=page.currency,
    )
    caption = say("segments.chart.views_caption", page.language, kpi=page.inline(kpi))
    return Block(
        f"simpson_{kpi}",
        say("segments.views.title_kpi", page.language, kpi=page.label(kpi)),
        figure=views_picture(views, page.language, caption=caption),
    )


def _of_means(unit: Unit) -> Unit:
    """How means are written: that of counts is no whole number, and ticks at 2.5 and 7.5 must not read 2 and 8."""
    return "number" if unit == "count" else unit


def _table(page: PageData, frame: pd.DataFrame, shown: Columns, caption: str) -> DataTable:
    columns = tuple(ColumnView(key, say(f"segments.column.{key}", page.language), unit) for key, unit in shown)
    return DataTable(frame, columns, caption)


def _unit(rows: pd.DataFrame) -> Unit:
    """How effects are written; all KPIs of a study have the same result."""
    return "share" if rows["effect_unit"].iloc[0] == "share" else "number"


def _kind(page: PageData, kind: str) -> str:
    """A kind of groups in the page's words; one that the client named, by its own."""
    key = f"segments.kind.{kind}"
    return say(key, page.language) if key in catalogue() else kind


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _kinds(page: PageData, rows: pd.DataFrame) -> str:
    return listed((_kind(page, kind) for kind in rows["kind"]), page.language)


def _group(page: PageData, group: str) -> str:
    key = f"segments.group.{group}"
    return say(key, page.language) if key in catalogue() else page.names.get(group, group)


def _listed(page: PageData, rows: pd.DataFrame) -> str:
    return listed((_group(page, group) for group in rows["group"]), page.language)
