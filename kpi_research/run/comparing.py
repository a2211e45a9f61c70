"""`diff`: what is different between two runs, from what the runs left; nothing is read that is not in their folders.

A figure of another period may have moved by chance; a figure of the same period that is another one now was made from
other data or by other rules, and chance has no part in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

from kpi_research.errors import InputError, Problem
from kpi_research.policy import INTERVAL_LEVEL
from kpi_research.run.closed import Closed, read_closed
from kpi_research.run.closed_rows import changes_between, read_rows
from kpi_research.run.definitions import kpis_that_differ
from kpi_research.run.manifest import NAME

Moved = Literal["beyond_chance", "within_chance", "unknown", "not_chance"]
HALF_WIDTHS = NormalDist().inv_cdf(0.5 + INTERVAL_LEVEL / 2)
"""Standard errors from the middle to the end of an interval beside a figure."""
SAME = 1e-9
"""Relative difference under which two figures are one figure, summed in another order."""
FROM_SCORE = ("weight", "target", "points")
CATALOGUE = "catalogue"
Row = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A figure of an entity with its interval, as a page has it; what is not known is None."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def error(self) -> float | None:
        """The standard error that its interval stands for."""
        return None if self.low is None or self.high is None else (self.high - self.low) / (2 * HALF_WIDTHS)


@dataclass(frozen=True)
class RunFolder:
    """What a run of one period left.

    Parameters
    ----------
    figures
        (level, entity, KPI) -> actual; the KPI `score` is the total.
    items
        (level, entity, KPI) -> weight, target and points.
    verdicts
        KPI -> letter, gate and effect.
    closed
        The period as it was closed, where the folder lies beside the project's `data/closed`.
    """

    folder: Path
    manifest: Mapping[str, Any]
    figures: Mapping[tuple[str, str, str], Figure]
    items: Mapping[tuple[str, str, str], Row]
    verdicts: Mapping[str, Row]
    closed: Closed | None

    @property
    def period(self) -> str:
        """Name of its period."""
        return str(self.manifest["period"])


def folder_of(given: str) -> Path:
    """The folder that is meant: the path itself, or `CLIENT/PERIOD` under `reports/`."""
    path, in_reports = Path(given), Path("reports") / given
    return in_reports if not path.is_dir() and in_reports.is_dir() else path


def compare(a: Path, b: Path) -> dict[str, Any]:
    """What is different in `b`, as plain values.

    Returns
    -------
    `before, after` (client, period, code version, last day of data), `same_period`; `figures, weights, targets,
    scheme, kpis, verdicts, rows, records`: a row each that differs; `is_same`.

    Raises
    ------
    InputError
        If one of the folders holds no run, or they are of two clients.
    """
    problems = [problem for folder in (a, b) for problem in not_a_run(folder)]
    if problems:
        raise InputError(problems)
    before, after = read_run(a), read_run(b)
    clients = [str(run.manifest["client"]) for run in (before, after)]
    if clients[0] != clients[1]:
        raise InputError(Problem("diff.two_clients", values={"a": clients[0], "b": clients[1]}))
    found: dict[str, list[Row]] = {
        "figures": [*_figures(before, after)],
        "weights": [*_items(before, after, "weight")],
        "targets": [*_items(before, after, "target")],
        "scheme": [*_scheme(before, after)],
        "kpis": [*_kpis(before, after)],
        "verdicts": [*_verdicts(before, after)],
        "rows": [*_row_counts(before, after)],
        "records": [*_records(before, after)],
    }
    return {
        "before": _head(before),
        "after": _head(after),
        "same_period": before.period == after.period,
        **found,
        "is_same": not any(found.values()),
    }


def not_a_run(folder: Path) -> Iterator[Problem]:
    """What to say of a folder that holds no run; nothing if it does."""
    try:
        manifest = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if {"client", "period", "parameters", "code", "row_counts"} <= set(manifest):
            return
    except (OSError, ValueError, TypeError):
        pass  # nothing there, or nothing that a run wrote: the same complaint
    beside = sorted(path.parent.name for path in folder.parent.glob(f"*/{NAME}")) if folder.parent.is_dir() else []
    yield Problem("diff.no_run", values={"folder": folder.as_posix()}, given=folder.name, allowed=beside)


def read_run(folder: Path) -> RunFolder:
    """What a run left in its folder."""
    manifest = json.loads((folder / NAME).read_text(encoding="utf-8"))
    figures: dict[tuple[str, str, str], Figure] = {}
    items: dict[tuple[str, str, str], Row] = {}
    verdicts: dict[str, Row] = {}
    for job in sorted(manifest["jobs"], key=lambda job: job["name"]):
        for name in sorted(name for name in job["files"] if name.endswith(".json")):
            blocks = json.loads((folder / name).read_text(encoding="utf-8"))["blocks"]
            facts = {block: found["facts"] for block, found in blocks.items()}
            _take_scores(facts, job["level"], figures, items)
            verdicts |= {row["kpi"]: row for row in facts.get("findings", {}).get("verdicts", ())}
    return RunFolder(folder, manifest, figures, items, verdicts, _closed_beside(folder, manifest))


def _take_scores(
    facts: Mapping[str, Any],
    level: str,
    figures: dict[tuple[str, str, str], Figure],
    items: dict[tuple[str, str, str], Row],
) -> None:
    """The figures of a page: those of whom it is about, and of its people."""
    own = facts.get("scores", {})
    of_people = facts.get("people_detail", {}).get("rows", ())
    for of, rows in ((level, own.get("rows", ())), ("person", of_people)):
        for row in rows:
            key = (of, str(row["entity_id"]), str(row["kpi"]))
            figures[key] = Figure(row["actual"], row["actual_low"], row["actual_high"])
            items[key] = {name: row[name] for name in FROM_SCORE}
    for total in own.get("totals", ()):
        key = (level, str(total["entity_id"]), "score")
        figures[key] = Figure(total["score"], total["score_low"], total["score_high"])


def _closed_beside(folder: Path, manifest: Mapping[str, Any]) -> Closed | None:
    at = folder.resolve()
    if len(at.parents) < 3:
        return None
    closed = at.parents[2] / "data" / "closed" / str(manifest["client"]) / str(manifest["period"])
    return read_closed(closed) if closed.is_dir() else None


def _head(run: RunFolder) -> Row:
    return {
        "folder": run.folder.as_posix(),
        "client": run.manifest["client"],
        "period": run.period,
        "version": run.manifest["code"]["version"],
        "data_until": run.manifest["data_until"],
        "closed_at": run.closed.at.isoformat() if run.closed else None,
    }


def _figures(before: RunFolder, after: RunFolder) -> Iterator[Row]:
    for key in sorted({*before.figures, *after.figures}):
        was, now = before.figures.get(key), after.figures.get(key)
        old, new = (None if each is None else each.value for each in (was, now))
        if _equal(old, new):
            continue
        moved = "not_chance" if before.period == after.period else _moved(was, now)
        yield {**_named(key), "before": old, "after": new, "moved": moved}


def _moved(was: Figure | None, now: Figure | None) -> Moved:
    """Whether two figures lie further apart than chance puts such figures, at the level of their intervals."""
    if was is None or now is None or was.value is None or now.value is None:
        return "unknown"
    if was.error is None or now.error is None:
        return "unknown"
    by_chance = HALF_WIDTHS * (was.error**2 + now.error**2) ** 0.5
    return "beyond_chance" if abs(now.value - was.value) > by_chance else "within_chance"


def _items(before: RunFolder, after: RunFolder, what: str) -> Iterator[Row]:
    for key in sorted({*before.items} & {*after.items}):
        was, now = before.items[key][what], after.items[key][what]
        if not _equal(was, now):
            yield {**_named(key), "before": was, "after": now}


def _named(key: tuple[str, str, str]) -> Row:
    return dict(zip(("level", "entity", "kpi"), key, strict=True))


def _scheme(before: RunFolder, after: RunFolder) -> Iterator[Row]:
    """What differs in the scheme, item by item where both runs have it in full."""
    old, new = _definitions(before).get("scheme"), _definitions(after).get("scheme")
    if old is None or new is None:
        old, new = (run.manifest["parameters"].get("scheme") for run in (before, after))
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        if old != new:
            yield {"part": "", "before": _name_of(old), "after": _name_of(new)}
        return
    flat = [dict(_flat(scheme)) for scheme in (old, new)]
    for part in dict.fromkeys([*flat[0], *flat[1]]):
        was, now = flat[0].get(part), flat[1].get(part)
        if was != now:
            yield {"part": part, "before": was, "after": now}


def _flat(scheme: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a scheme under the names that lead to it; an item goes by its KPI."""
    for name, value in scheme.items():
        at = f"{under}.{name}" if under else name
        if isinstance(value, Mapping):
            yield from _flat(value, at)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping) and "kpi" in value[0]:
            for each in value:
                yield from _flat(each, f"{at}.{each['kpi']}")
        else:
            yield at, value


def _name_of(scheme: Any) -> Any:
    return scheme.get("name") if isinstance(scheme, Mapping) else scheme


def _definitions(run: RunFolder) -> Mapping[str, Any]:
    """What the run, or the closed period, kept of its definitions."""
    kept = run.manifest.get("definitions") or (run.closed.record["definitions"] if run.closed else None)
    return kept or {}


def _kpis(before: RunFolder, after: RunFolder) -> Iterator[Row]:
    """KPIs that are defined otherwise; of the catalogue's only that they may be, where no fingerprints were kept."""
    own = [run.manifest["parameters"].get("kpis") or {} for run in (before, after)]
    changed = kpis_that_differ(_definitions(before), _definitions(after))
    if changed is None and before.manifest["code"] != after.manifest["code"]:
        yield {"kpi": CATALOGUE, "change": "perhaps"}
    for name in sorted({*own[0], *own[1], *(changed or ())}):
        is_there = [name in own[side] or name in (changed or ()) for side in (0, 1)]
        if not all(is_there):
            yield {"kpi": name, "change": "added" if is_there[1] else "removed"}
        elif name in (changed or ()) or own[0][name] != own[1][name]:
            yield {"kpi": name, "change": "changed"}


def _verdicts(before: RunFolder, after: RunFolder) -> Iterator[Row]:
    for kpi in sorted({*before.verdicts, *after.verdicts}):
        was, now = (run.verdicts.get(kpi, {}) for run in (before, after))
        if was.get("code") != now.get("code"):
            sides = {"before": was, "after": now}
            kept = {f"{name}_{side}": row.get(name) for side, row in sides.items() for name in ("gate", "effect")}
            yield {"kpi": kpi, "before": was.get("code"), "after": now.get("code"), **kept}


def _row_counts(before: RunFolder, after: RunFolder) -> Iterator[Row]:
    counts = [{(row["table"], row["file"]): row for row in run.manifest["row_counts"]} for run in (before, after)]
    for key in sorted({*counts[0], *counts[1]}, key=str):
        was, now = (each.get(key, {}) for each in counts)
        for what in ("kept", "rejected", "left_out"):
            if was.get(what) != now.get(what):
                place = dict(zip(("table", "file"), key, strict=True))
                yield {**place, "what": what, "before": was.get(what), "after": now.get(what)}


def _records(before: RunFolder, after: RunFolder) -> Iterator[Row]:
    """Records that differ between two closed periods; of two different ones only those that both rest on."""
    if before.closed is None or after.closed is None or before.closed.folder == after.closed.folder:
        return
    changes = changes_between(*(read_rows(closed.folder / "rows") for closed in (before.closed, after.closed)))
    if before.period != after.period:
        changes = changes[changes["change"] == "changed"]
    yield from changes.astype(object).where(changes.notna(), None).to_dict("records")


def _equal(was: float | None, now: float | None) -> bool:
    if was is None or now is None:
        return was is now
    return abs(was - now) <= SAME * max(abs(was), abs(now))
