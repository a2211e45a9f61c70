"""Does work on a client's deals go with their wins? Asked of everything that was on file at a period's end."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.deal_study import ANY, COUNTINGS, DealStudy, checked, study_deals
from kpi_research.evidence.deals import Counted, Deals, known_deals
from kpi_research.periods import Period
from kpi_research.run import deal_rows

if TYPE_CHECKING:
    from kpi_research.run.client import Client

META, FRAMES = "meta.json", ("kinds", "landmarks", "windows")
OPENER = "visit"
"""The rule of the second contact counts from the first visit, where visits are on file."""


def deal_study(client: Client, *, period: Period, countings: Sequence[str] = COUNTINGS) -> DealStudy:
    """What goes with the win of a client's deals, from what was on file at a period's end.

    Parameters
    ----------
    countings
        Ways of counting contacts, of `evidence.deal_study.COUNTINGS`.

    Raises
    ------
    InputError
        If the client has no opportunities, no activity names one, or a way of counting is unknown or refused.
    """
    checked(countings)
    known = _known(client, period)
    if lacking := _lacking(known):
        raise InputError(Problem(lacking, client.path.name))
    return _study(client, known, countings)


def deals_of(client: Client, period: Period) -> DealStudy | None:
    """What a page says of deals; None where the client has no opportunities or no activity names one."""
    known = _known(client, period)
    return None if _lacking(known) else _study(client, known, COUNTINGS)


def _known(client: Client, period: Period) -> Deals:
    rows = deal_rows.read(client.data.folder / deal_rows.FOLDER)
    until = pd.Timestamp(min(period.end, client.data.parts.until_end))
    since = pd.Timestamp(client.data.parts.since or until)
    return known_deals(rows.deals, rows.touches, since=since, until=until)


def _lacking(known: Deals) -> str:
    """The key of the sentence that says what there is none of; empty where there is everything."""
    if known.deals.empty:
        return "deals.no_opportunities"
    return "" if known.counted.touches else "deals.no_touches"


def _study(client: Client, known: Deals, countings: Sequence[str]) -> DealStudy:
    """Made once for a moment, a set of ways of counting and a false discovery rate: every team's page asks for it."""
    q = client.settings.plan.q
    opener = OPENER if (known.touches["kind"] == OPENER).any() else ANY
    folder = client.data.folder / deal_rows.FOLDER / f"{known.until:%Y-%m-%d}-{'-'.join(sorted(countings))}-{q:g}"
    if not (folder / META).is_file():
        _keep(study_deals(known, countings=countings, opener=opener, q=q), folder)
    frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in FRAMES}
    meta = json.loads((folder / META).read_text(encoding="utf-8"))
    return DealStudy(**frames, counted=Counted(**meta.pop("counted")), **meta)


def _keep(study: DealStudy, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # several reports may make the same at once: each file appears whole, and the one that is looked for comes last
    for name in FRAMES:
        getattr(study, name).to_parquet(building := folder / f"{name}.{os.getpid()}.part")
        building.replace(folder / f"{name}.parquet")
    meta = {name: value for name, value in dataclasses.asdict(study).items() if name not in FRAMES}
    building = folder / f"{META}.{os.getpid()}.part"
    building.write_text(json.dumps(meta), encoding="utf-8")
    building.replace(folder / META)
