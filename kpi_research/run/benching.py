"""`bench`: what each kind of KPI would be called, at a client's own size, where the truth is known."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from kpi_research.evidence.bench import CLAIMS, called, tabulated
from kpi_research.evidence.benched import Benched
from kpi_research.evidence.staff import USUAL_SIZE
from kpi_research.evidence.worlds import BESIDE_NOISE, Kind, World
from kpi_research.language import Language, say
from kpi_research.run.bench_file import keep
from kpi_research.run.client import Client, open_client
from kpi_research.run.on_file import latest_teams
from kpi_research.sources.workspace import Progress as Copied


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
        If the client file or its source is wrong, or there is too little data to take a size from, or too few teams.
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
    found = Benched(client.settings.client, world, plan, draws, len(seen), tabulated(seen))
    keep(found, client)
    return found


def world_of(client: Client, kind: Kind = "published") -> World:
    """The world of a kind at the client's size, measured on the panel that its study uses.

    Raises
    ------
    InputError
        If there is too little data to take a size from, or too few teams for the world `teams`.
    """
    family = {client.settings.outcome, *(kpi.name for kpi in client.predictors())}
    rows = client.panel(every=client.settings.plan.grain, level="person")
    own, teams = rows[rows["kpi"].isin(family)], latest_teams(client.data.parts, None)
    world = World.like(own, outcome=client.settings.outcome, kind=kind, teams=teams, plan=client.plan())
    return replace(world, recorded=client.data.on_file is not None)


def print_bench(found: Benched, language: Language) -> None:
    """The same for the terminal: a row a kind of KPI, a column a letter."""
    console = Console()
    console.print(say("bench.size", language, **_size(found.world, language)))
    if told := _teams(found.world, language):
        console.print(told)
    if not found.world.recorded:
        console.print(say("bench.unrecorded", language))
    shares = found.letters
    table = Table(title=say("bench.title", language, client=found.client, draws=found.done))
    table.add_column(say("bench.column.truth", language), overflow="fold")
    for code in shares.columns:
        table.add_column(code, justify="right")
    for truth, row in shares.iterrows():
        table.add_row(say(f"bench.truth.{truth}", language), *(f"{share:.0%}" for share in row))
    console.print(table)
    console.print("  ".join(f"{code} {say(f'verdict_name.{code}', language)}" for code in shares.columns))
    if set(shares.columns).isdisjoint(CLAIMS):
        console.print(say("bench.no_claims", language))
    else:
        share, error = found.false_share
        console.print(say("bench.false", language, share=f"{share:.0%}", error=_twice(error)))
    if found.done > 1:
        console.print(say("bench.error", language, error=_twice(found.largest_error)))


def _twice(error: float) -> str:
    """Two standard errors; a single simulation has none."""
    return f"{2 * error:.0%}" if math.isfinite(error) else "?"


def _teams(world: World, language: Language) -> str:
    """What teams the world has and whether they are the client's; empty where it has none."""
    if not world.sizes:
        return ""
    known = {"teams": str(len(world.sizes)), "team_share": f"{world.team_share:.0%}"}
    if world.teams:
        return say("bench.teams_measured", language, **known)
    return say("bench.teams_assumed", language, usual=str(USUAL_SIZE), **known)


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
