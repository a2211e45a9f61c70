"""What became of a closed period: every record, figure, definition and event that is not as it was."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from kpi_research.appraisal.events import SinceClosing, edited
from kpi_research.errors import InputError, Problem
from kpi_research.kpis.definition import Level
from kpi_research.periods import Period
from kpi_research.run.client import Client, project_folder
from kpi_research.run.closed import FIGURES, Closed, closed_period, scores_of_all
from kpi_research.run.closed_rows import changes_between, read_rows, rows_of
from kpi_research.run.code import code_fingerprint
from kpi_research.run.definitions import definitions_of, is_same_scheme, kpis_that_differ
from kpi_research.run.event_file import names_of, read_events

SAME_POINTS = 1e-6
"""Sums in another order differ in their last digits; such figures count as equal."""
FIGURE_COLUMNS = ["level", "entity_id", "kpi", "figure", "before", "after"]
SHOWN = 10
FILE = "changed_after_closing.csv"
STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Changes:
    """What is different from when a period was closed.

    Parameters
    ----------
    records
        As `closed_rows.changes_between` returns it.
    figures
        `level, entity_id, kpi, figure, before, after`, a row a figure that is another one now; `kpi` is empty for
        totals.
    definitions
        `scheme` and names of KPIs that are defined otherwise.
    events
        Ids of events that are gone or were edited.
    """

    records: pd.DataFrame
    figures: pd.DataFrame
    definitions: tuple[str, ...]
    events: tuple[str, ...]

    @property
    def n_records(self) -> int:
        """How many records changed, appeared or are gone."""
        return len(self.records[["table", "record"]].drop_duplicates())

    def __bool__(self) -> bool:
        return bool(len(self.records) or len(self.figures) or self.definitions or self.events)


def changes_since(client: Client, period: Period, closed: Closed) -> Changes:
    """What is different now; the source is read again only if something of it, or the package, is.

    Notes
    -----
    Records that are dated elsewhere can matter too, such as a customer's first order of years ago. They are not
    listed; that a figure is another one is found whatever the reason.
    """
    was, now = closed.record["definitions"], definitions_of(client, period)
    definitions = (
        *([] if _is_same_rule(was, now) else ["scheme"]),
        *(kpis_that_differ(was, now) or ()),
    )
    events = [event for event in read_events(client).events if event.period == period.name]
    altered = edited(closed.record["events"], events)
    same_data = client.data.folder.name == closed.record["data"]
    if same_data and not definitions and closed.record["code"] == code_fingerprint():
        return Changes(changes_between({}, {}), pd.DataFrame(columns=FIGURE_COLUMNS), (), altered)
    home = client.data.folder / "closed" / f"{period.name}-{_stamp(closed.record)}"
    make_records = functools.partial(_changed_records, client, period, closed)
    make_figures = functools.partial(_changed_figures, client, period, closed)
    records = changes_between({}, {}) if same_data else _kept(home / "records.parquet", make_records)
    figures = _kept(home / f"figures-{_stamp({**now, 'code': code_fingerprint()})}.parquet", make_figures)
    return Changes(records, figures, definitions, altered)


def since_closing_of(client: Client, period: Period, level: Level, entity: str) -> SinceClosing | None:
    """A closed period as the page of one entity says it; None where the period is not closed."""
    closed = closed_period(client, period)
    if closed is None:
        return None
    found = changes_since(client, period, closed)
    totals = closed.scores("totals")
    own = totals[(totals["level"] == level) & (totals["entity_id"] == entity)]
    score = float(own["score"].iloc[0]) if len(own) else float("nan")
    figures = found.figures
    now = figures[(figures["level"] == level) & (figures["entity_id"] == entity) & (figures["figure"] == "score")]
    score_now = float(now["after"].iloc[0]) if len(now) else score
    names = names_of(client, read_events(client).outsiders)
    return SinceClosing(closed.at, names.get(closed.by, closed.by), score, score_now, found.n_records)


def told(found: Changes, closed: Closed) -> Iterator[Problem]:
    """The differences, one sentence each: the first records, the totals that moved, and how many more there are."""
    day = closed.at.date().isoformat()
    for row in found.records.head(SHOWN).itertuples():
        told_of = pd.notna(row.before) or pd.notna(row.after)
        kind = f"record_{row.change}" if row.change != "changed" or told_of else "record_text"
        values = {"table": row.table, "record": row.record, "column": row.column, "day": day}
        values |= {"before": _cell(row.before), "after": _cell(row.after)}
        yield Problem(f"closing.{kind}", values=values)
        if pd.notna(row.changed_at):
            yield Problem("closing.changed_by", values={"who": _cell(row.changed_by), "at": _cell(row.changed_at)})
    if len(found.records) > SHOWN:
        yield Problem("closing.more_records", values={"more": len(found.records) - SHOWN})
    totals = found.figures[found.figures["figure"] == "score"]
    for row in totals.head(SHOWN).itertuples():
        values = {"entity": row.entity_id, "before": _points(row.before), "after": _points(row.after)}
        yield Problem(f"closing.score_{row.level}", values=values)
    if len(totals) > SHOWN:
        yield Problem("closing.more_scores", values={"more": len(totals) - SHOWN})
    if others := len(found.figures) - len(totals):
        yield Problem("closing.other_figures", values={"count": others})
    if len(found.figures) and not len(found.records) and not found.definitions:
        values = {"before": closed.record["version"], "after": version("kpi-research")}
        yield Problem("closing.other_cause", values=values)
    for name in found.definitions:
        yield Problem("closing.scheme" if name == "scheme" else "closing.kpi", values={"kpi": name})
    for name in found.events:
        yield Problem("closing.event", values={"id": name})


def hold_closed(client: Client, names: Sequence[str], out: Path | None = None, *, force: bool = False) -> list[Problem]:
    """Refuse to make a closed quarter's reports again where something changed since, and list all of it in a file.

    Parameters
    ----------
    names
        Of quarters.
    out
        Folder of all clients' reports; the project's own if None. The list is written beside the quarter's reports.
    force
        They are made all the same: what changed is returned instead.

    Raises
    ------
    InputError
        What changed, of all quarters together; if a quarter is unknown, or the client's events are wrong.
    """
    read_events(client)  # closed or not: pages show events, and none is made before all is known to be right
    found: list[Problem] = []
    for name in dict.fromkeys(names):
        period = client.known_period(name)
        closed = closed_period(client, period)
        changes = changes_since(client, period, closed) if closed else None
        if closed is None or not changes:
            continue
        path = (out or project_folder(client.path) / "reports") / client.settings.client / name / FILE
        write_changes(changes, path)
        values = {"period": name, "day": closed.at.date().isoformat(), "file": path.as_posix()}
        found += [Problem("closing.changed", values=values), *told(changes, closed)]
    if found and not force:
        raise InputError([*found, Problem("closing.refused")])
    return found


def changed_closings(client: Client) -> list[Problem]:
    """What changed in every closed quarter since its closing, one sentence each."""
    found: list[Problem] = []
    for period in client.periods("quarter"):
        closed = closed_period(client, period)
        if closed is not None and (changes := changes_since(client, period, closed)):
            values = {"period": period.name, "day": closed.at.date().isoformat(), "count": changes.n_records}
            found += [Problem("closing.changed_since", values=values), *told(changes, closed)]
    return found


def write_changes(changes: Changes, path: Path) -> None:
    """Every change, a line each, as a file that opens in a spreadsheet and holds no formula."""
    figures = changes.figures.assign(
        table="score", change="changed", record=changes.figures["level"] + " " + changes.figures["entity_id"],
        column=(changes.figures["figure"] + " " + changes.figures["kpi"]).str.strip(),
    )  # fmt: skip
    columns = list(changes.records.columns)
    lines = pd.concat([changes.records, figures.reindex(columns=columns)], ignore_index=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines.map(_harmless).to_csv(path, index=False, encoding="utf-8-sig")


def _harmless(cell: object) -> object:
    """Text that a spreadsheet would compute begins with an apostrophe; numbers stay numbers."""
    if not isinstance(cell, str) or not cell.startswith(STARTS_FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _changed_records(client: Client, period: Period, closed: Closed) -> pd.DataFrame:
    before = read_rows(closed.folder / "rows")
    after, log = rows_of(client, period, before)
    late = log[pd.to_datetime(log["changed_at"]) > pd.Timestamp(closed.at)]
    return changes_between(before, after, late)


def _changed_figures(client: Client, period: Period, closed: Closed) -> pd.DataFrame:
    now = scores_of_all(client, period)
    found = []
    for part, figures in FIGURES.items():
        key = ["level", "entity_id", *(["kpi"] if part == "rows" else [])]
        both = closed.scores(part)[[*key, *figures]].merge(
            now[part][[*key, *figures]], on=key, how="outer", suffixes=("", "_now")
        )
        for figure in figures:
            was, is_now = both[figure].astype(float), both[f"{figure}_now"].astype(float)
            differs = ((was - is_now).abs() > SAME_POINTS) | (was.isna() != is_now.isna())
            moved = both.loc[differs, key].assign(figure=figure, before=was[differs], after=is_now[differs])
            found.append(moved.reindex(columns=FIGURE_COLUMNS))
    together = pd.concat(found, ignore_index=True)
    return together.assign(kpi=together["kpi"].fillna(""))


def _is_same_rule(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the scheme and its versions say the same, and hold for the same people from the same days on."""
    if not is_same_scheme(was["scheme"], now["scheme"]) or len(was["versions"]) != len(now["versions"]):
        return False
    return all(
        is_same_scheme(old["scheme"], new["scheme"])
        and all(old[name] == new[name] for name in ("effective_from", "applies_to"))
        for old, new in zip(was["versions"], now["versions"], strict=True)
    )


def _stamp(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def _kept(path: Path, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """A frame made once; the file appears whole, as several reports may ask at once."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            part = Path(folder) / path.name
            make().to_parquet(part)
            part.replace(path)
    return pd.read_parquet(path)


def _cell(value: object) -> str:
    return "—" if pd.isna(value) else str(value)


def _points(value: float) -> str:
    return "—" if pd.isna(value) else f"{value:.1f}"
