"""Work on deals: whether those that are worked on more are won sooner, and what cannot be said."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.evidence.deal_study import ANY, LEAST_OWNERS, LEAST_TOUCHED, LEAST_WINS, DealStudy
from kpi_research.language import catalogue, say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.deal_charts import FOUND, change_rows, window_changes
from kpi_research.report.format import Unit
from kpi_research.report.page import Section
from kpi_research.report.words import listed, range_of, value_of

CHANGES = {"ratio": "change", "last_week": "last_week_change", "earlier": "earlier_change", "lost": "lost_change"}
Columns = tuple[tuple[str, Unit], ...]
PLAIN: Columns = (("deals", "count"), ("change", "share"), ("says", "text"))
DETAIL: Columns = (
    ("deals", "count"), ("change", "share"), ("earlier_change", "share"), ("lost_change", "share"),
    ("p", "probability"), ("q", "probability"), ("mde", "share"), ("says", "text"),
)  # fmt: skip
LANDMARK: Columns = (
    ("deals", "count"), ("wins", "count"), ("change", "share"), ("p", "probability"), ("q", "probability"),
    ("mde", "share"), ("says", "text"),
)  # fmt: skip
SECOND: Columns = (
    ("deals", "count"), ("contacted", "share"), ("wins", "count"), ("change", "share"), ("p", "probability"),
    ("says", "text"),
)  # fmt: skip


def build(page: PageData) -> Iterator[Block]:
    """The blocks of the page's own study."""
    yield from blocks(page, page.deals)


SECTION = Section("deals", build)


def blocks(page: PageData, study: DealStudy | None) -> Iterator[Block]:
    """For managers one block: a sentence, the kinds of contact, a picture; for analysts a block an analysis."""
    title = say("deals.title", page.language)
    if study is None:
        yield Block("deals", title, text=(say("deals.none_on_file", page.language),), status="no_data")
        return
    analyst = page.audience == "analyst"
    kinds = _shown(page, study.kinds).assign(label=[_row_label(page, kind) for kind in study.kinds["kind"]])
    second = () if analyst or study.windows.empty else (_second(page, study),)
    tested = kinds[kinds["change"].notna()]
    caption = say("deals.caption", page.language)
    yield Block(
        "deals",
        title,
        text=(_lead(page, study), *_by_kind(page, study), *second, say("deals.no_cause", page.language)),
        table=_table(page, kinds, DETAIL if analyst else PLAIN, ("kind", caption)),
        figure=change_rows(tested, page.language, caption=caption) if len(tested) else None,
        notes=_notes(page, study),
        facts={"counted": vars(study.counted), "kinds": study.kinds.to_dict("records")},
        status="ok" if len(tested) else "no_data",
    )
    if analyst:
        yield from _landmarks(page, study)
        yield from _windows(page, study)


def _lead(page: PageData, study: DealStudy) -> str:
    """What is found of all contacts, and on how much that rests."""
    row = study.kinds.iloc[0]
    first = say(
        f"deals.lead.{row['status']}",
        page.language,
        kind=_kind(page, row["kind"]),
        deals=value_of(page, row["deals"], "count"),
        wins=value_of(page, study.wins, "count"),
        need=_about(page, row["wins_needed"]),
        least=LEAST_WINS,
        least_owners=LEAST_OWNERS,
        least_deals=LEAST_TOUCHED,
        owners=study.owners,
        **_words_of(page, row),
    )
    counted = study.counted
    base = say(
        "deals.based_on",
        page.language,
        owners=study.owners,
        deals=value_of(page, counted.deals, "count"),
        wins=value_of(page, study.wins, "count"),
    )
    return f"{first}{' ' if page.language == 'en' else ''}{base}"


def _by_kind(page: PageData, study: DealStudy) -> Iterator[str]:
    """Which kinds stand out, where there are several."""
    single = study.kinds[study.kinds["kind"] != ANY]
    if len(single) < 2:
        return
    for status in FOUND:
        names = [_kind(page, kind) for kind in single.loc[single["status"] == status, "kind"]]
        if names:
            yield say(f"deals.kinds.{status}", page.language, kinds=listed(names, page.language))


def _second(page: PageData, study: DealStudy) -> str:
    """What is found of the house rule, and at which other time limits a difference is seen."""
    rule = study.windows[study.windows["is_rule"]].iloc[0]
    known = rule["status"] if rule["status"] in (*FOUND, "none", "cannot_tell") else "too_few"
    opener = _kind(page, study.opener)
    sentence = say(
        f"deals.second.{known}", page.language, opener=opener, days=int(rule["day"]), **_words_of(page, rule)
    )
    others = study.windows[study.windows["status"].isin(FOUND) & ~study.windows["is_rule"]]["day"]
    if others.empty:
        return sentence
    return sentence + say("deals.second.others", page.language, days=listed(map(str, others), page.language))


def _landmarks(page: PageData, study: DealStudy) -> Iterator[Block]:
    if study.landmarks.empty:
        return
    rows = _shown(page, study.landmarks).assign(label=study.landmarks["day"].astype("str"))
    found = rows[rows["status"].isin(FOUND)]
    sentences = [
        say(f"deals.landmark.{row['status']}", page.language, days=row["day"]) for row in found.to_dict("records")
    ]
    if not sentences:
        seen = "nothing" if (rows["status"] == "none").any() else "cannot_tell"
        sentences = [say(f"deals.landmark.{seen}", page.language)]
    yield Block(
        "deals_landmark",
        say("deals.title_landmark", page.language),
        text=tuple(sentences),
        table=_table(page, rows, LANDMARK, ("day", say("deals.caption_landmark", page.language))),
        facts={"landmarks": study.landmarks.to_dict("records")},
    )


def _windows(page: PageData, study: DealStudy) -> Iterator[Block]:
    if study.windows.empty:
        return
    rows = _shown(page, study.windows).assign(label=study.windows["day"].astype("str"))
    caption = say("deals.caption_second", page.language, opener=_kind(page, study.opener))
    yield Block(
        "deals_second_contact",
        say("deals.title_second", page.language),
        text=(_second(page, study),),
        table=_table(page, rows, SECOND, ("day", caption)),
        figure=window_changes(rows, page.language, caption=caption) if rows["change"].notna().any() else None,
        facts={"windows": study.windows.to_dict("records")},
    )


def _shown(page: PageData, rows: pd.DataFrame) -> pd.DataFrame:
    """Ratios as changes, and each status as words."""
    made: dict[str, pd.Series] = {}
    for ratio, change in CHANGES.items():
        ends = ("low", "high") if ratio == "ratio" else (f"{ratio}_low", f"{ratio}_high")
        if ratio in rows:
            made |= {change: rows[ratio] - 1, f"{change}_low": rows[ends[0]] - 1, f"{change}_high": rows[ends[1]] - 1}
    words = [say(f"deals.status.{status}", page.language) for status in rows["status"]]
    # `low` and `high` are the ends of `ratio`; charts and tables know them by the name of what they show
    kept = rows.drop(columns=["low", "high"])
    return kept.assign(**made, says=words, mde=rows["mde"] - 1)


def _table(page: PageData, rows: pd.DataFrame, columns: Columns, first: tuple[str, str]) -> DataTable:
    name, caption = first
    views = [ColumnView("label", say(f"deals.column.{name}", page.language))]
    for key, unit in columns:
        header = "window_change" if key == "change" and "is_rule" in rows else key
        views.append(ColumnView(key, say(f"deals.column.{header}", page.language), unit))
    return DataTable(rows.reset_index(drop=True), tuple(views), caption)


def _notes(page: PageData, study: DealStudy) -> tuple[str, ...]:
    counted = study.counted
    left_out = {"after": counted.after_closing, "entered": counted.entered_after_closing}
    left_out |= {"before": counted.before_opening, "total": counted.touches}
    notes = []
    if counted.after_closing or counted.entered_after_closing or counted.before_opening:
        shown = {name: value_of(page, number, "count") for name, number in left_out.items()}
        notes.append(say("deals.left_out", page.language, **shown))
    if not counted.has_records:
        notes.append(say("deals.no_records", page.language, share=value_of(page, counted.timed_share, "share")))
    return (*notes, say("deals.whole_life_note", page.language))


def _kind(page: PageData, kind: str) -> str:
    """A kind of contact in the page's language, or in the client's own word."""
    key = f"deals.kind.{kind or 'any'}"
    return say(key, page.language) if key in catalogue() else kind


def _row_label(page: PageData, kind: str) -> str:
    return say("deals.all_kinds", page.language) if kind == ANY else _kind(page, kind).capitalize()


def _words_of(page: PageData, row: pd.Series) -> dict[str, str]:
    """The change and its range: sizes where the sentence says the direction, signed ends where it does not."""
    change, low, high = row["ratio"] - 1, row["low"] - 1, row["high"] - 1
    if row["status"] in FOUND:
        low, high = sorted((abs(low), abs(high)))
        change = abs(change)
    return {"change": value_of(page, change, "share"), "range": range_of(page, low, high, "share")}


def _about(page: PageData, wins: float) -> str:
    """A number of wins, two digits of it: more are not known."""
    return value_of(page, float(f"{wins:.2g}"), "count") if wins == wins else value_of(page, wins, "count")
