"""Pipelines for the funnel's tests: canonical tables from a few rows, and made-up ones whose truth is known."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd

from kpi_research.crm.tables import TABLES
from kpi_research.funnel.records import Records, read_records

SINCE, UNTIL = dt.date(2024, 1, 1), dt.date(2025, 12, 31)
STAGES = ("need", "offer", "talks")
NOBODY = pd.DataFrame({"person_id": [], "team_id": [], "day": pd.to_datetime([])})


def tables(**rows: list[dict] | pd.DataFrame) -> dict[str, ibis.Table]:
    """Canonical tables in a DuckDB of their own; columns that are not given are empty."""
    engine, made = ibis.duckdb.connect(), {}
    for name, given in rows.items():
        schema = TABLES[name].schema
        frame = pd.DataFrame(given).reindex(columns=list(schema))
        times = [column for column, kind in schema.items() if "timestamp" in str(kind) or "date" in str(kind)]
        frame[times] = frame[times].apply(pd.to_datetime)
        made[name] = engine.create_table(name, schema=ibis.schema(schema))
        if len(frame):
            engine.insert(name, frame.astype(object).where(frame.notna(), None))
    return made


def read(
    stages: Sequence[str] = STAGES,
    *,
    roster: pd.DataFrame = NOBODY,
    since: dt.date = SINCE,
    until: dt.date = UNTIL,
    **rows: list[dict] | pd.DataFrame,
) -> Records:
    """The funnel's rows of some canonical rows."""
    records = read_records(tables(**rows), stages=stages, roster=roster, since=since, until=until)
    assert records is not None
    return records


def deal(
    number: int, created: str | None, outcome: str = "open", closed: str | None = None, **more: object
) -> dict[str, object]:
    """A row of `opportunities`."""
    named = {"opportunity_id": f"O{number}", "created_at": created, "outcome": outcome, "closed_at": closed}
    return {**named, "owner_id": "P1", "amount": 1000.0, **more}


def entry(number: int, stage: str, at: str) -> dict[str, object]:
    """A row of `stage_changes`."""
    return {"opportunity_id": f"O{number}", "stage": stage, "entered_at": at}


@dataclass(frozen=True)
class Truth:
    """Every deal goes on from stage `i` at the rate `on[i]` a day and is lost at the rate `lost[i]`."""

    on: tuple[float, ...] = (1 / 40, 1 / 30, 1 / 25)
    lost: tuple[float, ...] = (1 / 80, 1 / 60, 1 / 50)

    def share(self, stage: int, window: float) -> float:
        """The share that goes on from a stage within a window: exponential competing risks."""
        total = self.on[stage] + self.lost[stage]
        return self.on[stage] / total * (1 - float(np.exp(-total * window)))

    def drawn(self, deals: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(deals, stages + 1): days from opening until each stage and winning, infinite where never; days until lost."""
        reached, lost = np.zeros((deals, len(self.on) + 1)), np.full(deals, np.inf)
        for stage, (on, gone) in enumerate(zip(self.on, self.lost, strict=True)):
            there = reached[:, stage]
            go, leave = rng.exponential(1 / on, deals), rng.exponential(1 / gone, deals)
            alive = np.isfinite(there)
            reached[:, stage + 1] = np.where(alive & (go < leave), there + go, np.inf)
            lost = np.where(alive & (go >= leave), there + leave, lost)
        return reached, lost


def pipeline(deals: int, rng: np.random.Generator, truth: Truth = Truth()) -> Records:
    """A company whose deals are opened evenly from `SINCE` to `UNTIL`, seen at the end of `UNTIL`."""
    start, end = pd.Timestamp(SINCE), pd.Timestamp(UNTIL) + pd.Timedelta(days=1)
    opened = start + pd.to_timedelta(np.sort(rng.random(deals)) * (end - start).days, unit="D").floor("s")
    reached, lost = truth.drawn(deals, rng)
    at = [opened + pd.to_timedelta(np.where(np.isfinite(days), days, 1e4), unit="D").floor("s") for days in reached.T]
    lost_at = opened + pd.to_timedelta(np.where(np.isfinite(lost), lost, 1e4), unit="D").floor("s")
    ids = np.array([f"O{number:06d}" for number in range(deals)])
    won, gone = at[-1] < end, lost_at < end
    opportunities = pd.DataFrame(
        {
            "opportunity_id": ids,
            "owner_id": "P1",
            "created_at": opened,
            "amount": np.exp(rng.normal(9, 0.5, deals)).round(2),
            "outcome": np.select([won, gone], ["won", "lost"], "open"),
            "closed_at": at[-1].where(won, lost_at.where(gone)),
        }
    )
    changes = [
        pd.DataFrame({"opportunity_id": ids[seen], "stage": name, "entered_at": times[seen]})
        for name, times in zip(STAGES, at, strict=False)
        for seen in [np.asarray(times < end)]
    ]
    return read(opportunities=opportunities, stage_changes=pd.concat(changes, ignore_index=True))
