"""`pool`: the studies of several clients taken together, from what their runs left; no row of their data is read."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.fixed_effects import t_quantile
from kpi_research.evidence.outcome import MOST
from kpi_research.evidence.pooling import LEAST_CLIENTS, Pooled, pool
from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import Language, say
from kpi_research.report.format import MISSING, Unit, format_interval, format_value
from kpi_research.run.comparing import RunFolder, folder_of, not_a_run, read_run

UNTOLD = "HNI"
"""Letters of KPIs whose effect is true by definition, was not measured, or came with late records."""


@dataclass(frozen=True)
class OverClients:
    """One KPI, as defined alike, against one result of several clients.

    Parameters
    ----------
    clients
        Name and letter of each whose effect was measured.
    unit
        `within_sd`, or `share` (of the result).
    pooled
        In that unit; None where only one client has it, or all but one define it otherwise.
    """

    kpi: str
    outcome: str
    unit: str
    clients: tuple[tuple[str, str], ...]
    pooled: Pooled | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values; what is not known is null."""
        numbers = asdict(self.pooled) if self.pooled else {}
        told = {name: None if value != value else value for name, value in numbers.items()}
        return {
            "kpi": self.kpi,
            "outcome": self.outcome,
            "unit": self.unit,
            "clients": [*map(list, self.clients)],
            **told,
        }


def pool_runs(given: Sequence[str]) -> list[OverClients]:
    """Take the evidence of several runs together, one a client.

    KPIs are taken together only where clients define KPI and result alike (`run.definitions`), and tell effects in the
    same unit.

    Parameters
    ----------
    given
        Folders of runs, or `CLIENT/PERIOD` under `reports/`.

    Raises
    ------
    InputError
        If a folder holds no run or no evidence report, a client is there twice, or there is only one.
    """
    folders = [folder_of(each) for each in given]
    if problems := [problem for folder in folders for problem in not_a_run(folder)]:
        raise InputError(problems)
    runs = [read_run(folder) for folder in folders]
    if problems := [*_not_poolable(runs)]:
        raise InputError(problems)
    alike: dict[tuple[str, ...], list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for run in runs:
        for key, row in _measured(run):
            alike[key].append((str(run.manifest["client"]), row))
    return [_together(key, rows) for key, rows in sorted(alike.items())]


def _not_poolable(runs: Collection[RunFolder]) -> Iterator[Problem]:
    names = [str(run.manifest["client"]) for run in runs]
    if len(set(names)) < LEAST_CLIENTS:
        yield Problem("pool.one_client", values={"clients": ", ".join(sorted(set(names)))})
    for name in sorted({name for name in names if names.count(name) > 1} if len(set(names)) > 1 else ()):
        yield Problem("pool.twice", values={"client": name})
    for run in runs:
        if not run.verdicts:
            yield Problem("pool.no_evidence", values={"folder": run.folder.as_posix()})


def _measured(run: RunFolder) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Each effect of a run that may be taken together with others, and what must be alike for that."""
    definitions = run.manifest["definitions"]
    for row in run.verdicts.values():
        known = None not in (row.get("effect"), row.get("ci_low"), row.get("ci_high"))
        if row["code"] in UNTOLD or row.get("alias_of") or not known or not _has_ends(row):
            continue
        versions = [definitions["kpis"].get(row[name], "") for name in ("kpi", "outcome")]
        lags = str(row["lags"])
        yield (row["kpi"], row["outcome"], row["effect_unit"], lags, definitions.get("ibis", ""), *versions), row


def _has_ends(row: dict[str, Any]) -> bool:
    """Whether the interval has a width and both its ends; shares end where they are told as everything or nothing."""
    if row["effect_unit"] == "share" and (row["ci_low"] <= -1 or row["ci_high"] >= MOST - 1):
        return False
    return bool(row["ci_low"] < row["ci_high"])


def _together(key: tuple[str, ...], rows: Sequence[tuple[str, dict[str, Any]]]) -> OverClients:
    kpi, outcome, unit = key[:3]
    clients = tuple((client, str(row["code"])) for client, row in rows)
    if len(rows) < LEAST_CLIENTS:
        return OverClients(kpi, outcome, unit, clients, None)
    df = np.array([row["n_people"] - 1.0 for _, row in rows])
    # shares are pooled as the log points that they were estimated as
    scaled = math.log1p if unit == "share" else float
    effects, low, high = (np.array([scaled(row[name]) for _, row in rows]) for name in ("effect", "ci_low", "ci_high"))
    errors = (high - low) / 2 / np.array([t_quantile(0.975, int(each)) for each in df])
    found = pool(effects, errors, df)
    return OverClients(kpi, outcome, unit, clients, _as_shares(found) if unit == "share" else found)


def _as_shares(found: Pooled) -> Pooled:
    return replace(
        found,
        mean=math.expm1(found.mean),
        low=math.expm1(found.low),
        high=math.expm1(found.high),
        predict_low=math.expm1(found.predict_low),
        predict_high=math.expm1(found.predict_high),
    )


def print_pooled(found: Sequence[OverClients], language: Language) -> None:
    """A row a KPI: the mean over clients with its range, what the next client would see, and each client's letter."""
    console = Console()
    table = Table(title=say("pool.title", language), show_lines=True)
    for name in ("kpi", "clients", "mean", "next"):
        table.add_column(say(f"pool.column.{name}", language), overflow="fold")
    for each in sorted(found, key=lambda one: (one.pooled is None, one.kpi)):
        table.add_row(*_cells(each, language))
    console.print(table)
    for note in ("unit", "next", "alike"):
        console.print(say(f"pool.note.{note}", language), highlight=False, markup=False)


def _cells(each: OverClients, language: Language) -> tuple[str, ...]:
    known = catalogue().get(each.kpi)
    clients = ", ".join(f"{client} {code}" for client, code in each.clients)
    label = known.label[language] if known else each.kpi
    if each.pooled is None:
        return label, clients, say("pool.alone", language), MISSING
    unit: Unit = "share" if each.unit == "share" else "number"
    found = each.pooled
    mean = format_value(found.mean, unit, language, currency="")
    ends = format_interval(found.low, found.high, unit, language, currency="")
    following = format_interval(found.predict_low, found.predict_high, unit, language, currency="")
    return label, clients, f"{mean} ({ends})", following or say("pool.too_few", language)
