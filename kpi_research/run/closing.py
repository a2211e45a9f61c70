"""Closing a period: what it rests on and what came out is written once.

A closed period's reports are not made again with other figures unless that is asked for (`run --force`).
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from kpi_research.appraisal.events import flaws_of, unanswered
from kpi_research.errors import InputError, Problem
from kpi_research.language import Language, say
from kpi_research.periods import Period
from kpi_research.run.after_closing import changes_since, told
from kpi_research.run.client import Client
from kpi_research.run.closed import RECORD, Closed, closed_folder, closed_period, digests_of, read_closed, scores_of_all
from kpi_research.run.closed_rows import rows_of, write_rows
from kpi_research.run.code import code_fingerprint
from kpi_research.run.definitions import definitions_of
from kpi_research.run.event_file import local_time, names_of, read_events
from kpi_research.run.store import stored


@dataclass(frozen=True)
class Closing:
    """What `close_period` did.

    Parameters
    ----------
    is_new
        False where the period had been closed before and nothing changed since.
    appeals
        How many appeals of the period had no answer.
    """

    closed: Closed
    is_new: bool
    appeals: int

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return {**self.closed.record, "is_new": self.is_new, "unanswered_appeals": self.appeals}


def close_period(
    client: Client, name: str, *, by: str = "", reason: str = "", now: dt.datetime | None = None
) -> Closing:
    """Write down what a quarter rests on and what came out, once.

    Parameters
    ----------
    by
        Id of who closes it.
    now
        The tenant's local time; by default it is looked up.

    Raises
    ------
    InputError
        If the quarter is not over, its events are wrong, `by` is unknown, the data change while they are read, or the
        quarter was closed before and something changed since.
    """
    now = now or local_time(client)
    period = client.known_period(name)
    if period not in client.periods("quarter"):
        values = {"period": name, "until": client.data.parts.until.isoformat()}
        raise InputError(Problem("closing.not_over", values=values))
    file = read_events(client, now)
    known = names_of(client, file.outsiders)
    problems = [*flaws_of(reason, "--reason")]
    if by and by not in known:
        problems.append(Problem("closing.by", "--by", {"by": by}, by, sorted(known)))
    if problems:
        raise InputError(problems)
    events = [event for event in file.events if event.period == period.name]
    appeals = len(unanswered(events))
    if before := closed_period(client, period):
        if found := changes_since(client, period, before):
            raise InputError([*told(found, before), Problem("closing.closed_before", values=_when(before))])
        return Closing(before, is_new=False, appeals=appeals)
    record = {
        "client": client.settings.client,
        "period": period.name,
        "closed_at": now.isoformat(),
        "closed_by": by,
        "reason": reason,
        "version": version("kpi-research"),
        "code": code_fingerprint(),
        "data_until": client.data.parts.until.isoformat(),
        "data": client.data.folder.name,
        "inputs": dict(client.data.inputs),
        "definitions": definitions_of(client, period),
        "events": {event.id: event.digest for event in events},
    }
    return Closing(_write(client, period, record), is_new=True, appeals=appeals)


def _write(client: Client, period: Period, record: dict[str, Any]) -> Closed:
    """Write beside the final folder and rename, so that a folder that is there is whole."""
    from kpi_research.run.studies import study_of

    folder = closed_folder(client, period)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix="part-", dir=folder.parent))
    try:
        rows, _ = rows_of(client, period)
        again = stored(client.settings, client.path.parent, client.data.folder.parent.parent)
        if again.folder.name != record["data"]:
            raise InputError(Problem("closing.moving", values={"period": period.name}))
        write_rows(rows, building / "rows")
        for part, frame in scores_of_all(client, period).items():
            frame.to_parquet(building / f"score_{part}.parquet")
        verdicts = study_of(client, period).verdicts.drop(columns=["sentence_zh", "sentence_en"])
        verdicts.to_parquet(building / "verdicts.parquet")
        whole = {**record, "rows": {name: len(frame) for name, frame in rows.items()}, "files": digests_of(building)}
        text = json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True)
        (building / RECORD).write_text(text + "\n", encoding="utf-8")
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return read_closed(folder)


def _when(closed: Closed) -> dict[str, Any]:
    return {"period": closed.record["period"], "day": closed.at.date().isoformat(), "folder": closed.folder.as_posix()}


def print_closing(done: Closing, language: Language) -> None:
    """Say what was done, for the terminal."""
    console = Console()
    totals = done.closed.scores("totals")
    values = {
        **_when(done.closed),
        "records": sum(done.closed.record["rows"].values()),
        "people": int(((totals["level"] == "person") & totals["score"].notna()).sum()),
    }
    lines = [say("closing.done" if done.is_new else "closing.already", language, **values)]
    if done.appeals:
        lines.append(say("closing.appeals", language, period=done.closed.record["period"], count=done.appeals))
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
