"""`bench`: what each kind of KPI would be called, at a client's own size, where the truth is known."""

from __future__ import annotations

import math
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from kpi_research.evidence.bench import CLAIMS, FALSE_DISCOVERY, called, tabulated
from kpi_research.evidence.plan import Plan
from kpi_research.evidence.verdict import CODES
from kpi_research.evidence.worlds import BESIDE_NOISE, Kind, World
from kpi_research.language import Language, say
from kpi_research.run.client import Client, open_client
from kpi_research.sources.workspace import Progress as Copied


@dataclass(frozen=True)
class Benched:
    """A client's bench.

    Parameters
    ----------
    world, plan
        What was simulated, and how it was studied: as the client's own data are.
    wanted
        Simulations that were asked for; fewer were done if somebody stopped it.
    rates
        As `bench.tabulated`.
    """

    client: str
    world: World
    plan: Plan
    wanted: int
    done: int
    rates: pd.DataFrame

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        rates = self.rates.astype(object).where(self.rates.notna(), None).to_dict("records")
        return {**asdict(self), "rates": rates}


def bench_client(
    path: Path,
    draws: int,
    language: Language,
    *,
    seed: int = 1,
    kind: Kind = "published",
    progress: Copied | None = None,
) -> Benched:
    """Bench the study at a client's people, periods, gaps and autocorrelations, with a bar on the terminal.

    An interrupt stops it; what was done until then is the result.

    Parameters
    ----------
    progress
        Called while a database's rows are copied (see `open_client`).

    Raises
    ------
    InputError
        If the client file or its source is wrong, or there is too little data to take a size from.
    KeyboardInterrupt
        If it was interrupted before the first simulation was done.
    """
    client = open_client(path, progress)
    world, plan = world_of(client, kind), client.plan()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    seen = []
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(say("bench.progress", language), total=draws)
        try:
            for letters in called(world, draws, seed=seed, plan=plan):
                seen.append(letters)
                bar.advance(task)
        except KeyboardInterrupt:
            if not seen:
                raise
    if len(seen) < draws:
        print(say("bench.stopped", language, done=len(seen), wanted=draws), file=sys.stderr)  # noqa: T201
    return Benched(client.settings.client, world, plan, draws, len(seen), tabulated(seen))


def world_of(client: Client, kind: Kind = "published") -> World:
    """The world of a kind at the client's size, measured on the panel that its study uses.

    Raises
    ------
    InputError
        If there is too little data to take a size from.
    """
    family = {client.settings.outcome, *(kpi.name for kpi in client.predictors())}
    rows = client.panel(every=client.settings.plan.grain, level="person")
    world = World.like(rows[rows["kpi"].isin(family)], outcome=client.settings.outcome, kind=kind)
    return replace(world, recorded=client.data.on_file is not None)


def print_bench(found: Benched, language: Language) -> None:
    """The same for the terminal: a row a kind of KPI, a column a letter."""
    console = Console()
    console.print(say("bench.size", language, **_size(found.world, language)))
    if not found.world.recorded:
        console.print(say("bench.unrecorded", language))
    letters = found.rates[found.rates["truth"] != FALSE_DISCOVERY]
    shares = letters.pivot_table(index="truth", columns="code", values="share", sort=False)
    codes = [code for code in CODES if shares[code].any()]
    table = Table(title=say("bench.title", language, client=found.client, draws=found.done))
    table.add_column(say("bench.column.truth", language), overflow="fold")
    for code in codes:
        table.add_column(code, justify="right")
    for truth, row in shares.iterrows():
        table.add_row(say(f"bench.truth.{truth}", language), *(f"{row[code]:.0%}" for code in codes))
    console.print(table)
    console.print("  ".join(f"{code} {say(f'verdict_name.{code}', language)}" for code in codes))
    false = found.rates[found.rates["truth"] == FALSE_DISCOVERY].iloc[0]
    if set(codes).isdisjoint(CLAIMS):
        console.print(say("bench.no_claims", language))
    else:
        error = _twice(false["mc_error"])
        console.print(say("bench.false", language, share=f"{false['share']:.0%}", error=error))
    if found.done > 1:
        console.print(say("bench.error", language, error=_twice(letters["mc_error"].max())))


def _twice(error: float) -> str:
    """Two standard errors; a single simulation has none."""
    return f"{2 * error:.0%}" if math.isfinite(error) else "?"


def _size(world: World, language: Language) -> dict[str, str]:
    shares = {name: f"{getattr(world, name):.0%}" for name in ("missing", "joiners", "leavers")}
    correlations = {name: f"{getattr(world, name):.2f}" for name in ("kpi_rho", "error_rho", "beta")}
    return {
        "world": say(f"bench.world.{world.kind}", language),
        "people": str(world.people),
        "periods": str(world.periods),
        "kpis": str(BESIDE_NOISE[world.kind] + world.noise),
        **shares,
        **correlations,
    }
