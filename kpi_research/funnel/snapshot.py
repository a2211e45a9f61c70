"""The snapshot view: what stands where at the end of a day, for how long, and what has stalled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpi_research.funnel.records import BREAKDOWNS, Records
from kpi_research.funnel.steps import DAY, Windows
from kpi_research.funnel.steps import windows as usual_windows

SNAPSHOT_COLUMNS = [
    "view", "group", "part", "place", "stage", "kind", "standing", "amount", "amount_unknown", "days_median",
    "limit_days", "stalled", "stalled_amount", "undated", "status",
]  # fmt: skip
STANDING_COLUMNS = [
    "part",
    "case_id",
    "place",
    "stage",
    "kind",
    "entered_at",
    "days",
    "opened_at",
    "owner_id",
    "team_id",
    "amount",
]


def standing(records: Records, day: dt.date | None = None) -> pd.DataFrame:
    """The cases that were neither won, lost nor converted at the end of a day, and where they stood.

    Returns
    -------
    In `STANDING_COLUMNS`; `days` in the stage. A deal whose opening is not dated stands at its first stage with null
    `days`; it is known of on the last day only, since nothing tells since when it was there.
    """
    known = records.as_of(day or records.until)
    cases = known.cases[known.cases["outcome"] == "open"]
    if known.until < records.until:
        cases = cases[cases["opened_at"].notna()]
    passages = known.passages.drop_duplicates(["part", "case_id"], keep="last")
    context = [
        "part",
        "case_id",
        "opened_at",
        "owner_id",
        "team_id",
        "amount",
        *sorted({*BREAKDOWNS.values()} - {"owner_id", "team_id"}),
    ]
    rows = cases[context].merge(passages, on=["part", "case_id"], how="left")
    first = {part: records.model.of(part)[0] for part in records.parts if records.model.of(part)}
    undated = rows["place"].isna()
    rows["place"] = rows["place"].fillna(0).astype(int)
    for column in ("stage", "kind"):
        given = rows["part"].map(
            {part: stage.name if column == "stage" else stage.kind for part, stage in first.items()}
        )
        rows[column] = rows[column].where(~undated, given)
    rows = rows[~rows["kind"].isin(["won", "converted", "collected"])]
    return rows.assign(days=(known.end - rows["entered_at"]) / DAY)


def snapshot_view(
    records: Records,
    *,
    day: dt.date | None = None,
    windows: Windows | None = None,
    by: str | None = None,
    reference: Records | None = None,
) -> pd.DataFrame:
    """What stood in each stage at the end of a day.

    Parameters
    ----------
    day
        By default the last that the data cover.
    windows
        Stage -> days after which a case there has stalled; others are held to their usual window (`steps.windows`):
        nine in ten of the cases that went on had done so by then.
    by
        As in `cohort_view`.
    reference
        Whose history tells the usual windows; by default `records`.

    Returns
    -------
    In `SNAPSHOT_COLUMNS`. `amount` in the client's currency over the deals whose amount is on file, `amount_unknown`
    how many have none, `undated` how many stand there since nobody knows when; `status` is `ok`, `no_cases` or
    `no_limit` (nothing tells how long is too long).
    """
    usual = usual_windows(reference or records, windows)
    rows = standing(records, day)
    rows["limit"] = rows["stage"].map(usual).astype(float)
    if by is None:
        groups: Iterator[tuple[str, pd.DataFrame]] = iter([("", rows)])
    else:
        filled = rows.assign(group=rows[BREAKDOWNS[by]].fillna(""))
        groups = ((str(name), found) for name, found in filled.groupby("group", sort=True))
    found = [row for name, group in groups for row in _rows(records, name, group, usual)]
    return pd.DataFrame(found, columns=SNAPSHOT_COLUMNS)


def _rows(records: Records, group: str, rows: pd.DataFrame, usual: Windows) -> Iterator[dict[str, object]]:
    for part in records.parts:
        stages = [stage for stage in records.model.of(part) if stage.kind not in ("won", "converted", "collected")]
        for place, stage in enumerate(stages):
            here = rows[(rows["part"] == part) & (rows["place"] == place)]
            stalled = here[here["days"] > here["limit"]]
            limit = float(usual.get(stage.name, np.nan))
            yield {
                "view": "snapshot", "group": group, "part": part, "place": place, "stage": stage.name,
                "kind": stage.kind, "standing": len(here), "amount": here["amount"].sum(),
                "amount_unknown": int(_unknown(here).sum()),
                "days_median": here["days"].median(), "limit_days": limit, "stalled": len(stalled),
                "stalled_amount": stalled["amount"].sum(), "undated": int(here["days"].isna().sum()),
                "status": "no_cases" if here.empty else "no_limit" if np.isnan(limit) else "ok",
            }  # fmt: skip


def _unknown(rows: pd.DataFrame) -> pd.Series:
    return rows["amount"].isna() | (rows["amount"] <= 0)
