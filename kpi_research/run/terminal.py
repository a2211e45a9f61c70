"""A run as seen on the terminal: a progress bar over reports, and which were left as they are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kpi_research.language import Language, say
from kpi_research.periods import Period
from kpi_research.run.asked import check_asked
from kpi_research.run.client import Client, project_folder
from kpi_research.run.job import JobResult
from kpi_research.run.reports import reports
from kpi_research.run.site import make_site
from kpi_research.run.store import pinned
from kpi_research.run.workers import ForkingExecutor


@dataclass(frozen=True)
class Wanted:
    """What a run is asked for.

    Parameters
    ----------
    periods
        Names of quarters.
    out
        Folder of all clients' reports; the project's own if None.
    jobs
        How many reports are made at once.
    force
        Make them though nothing changed.
    teams, notebooks
        Only these; all if empty.
    """

    periods: Sequence[str]
    out: Path | None = None
    jobs: int = 1
    force: bool = False
    teams: Collection[str] = ()
    notebooks: Collection[str] = ()


def make_periods(client: Client, wanted: Wanted, language: Language) -> tuple[list[JobResult], list[Path]]:
    """Make the sites of several periods, with progress on the terminal.

    Returns
    -------
    The reports that failed, and the index pages.

    Raises
    ------
    InputError
        If a period, team or notebook is unknown, or what the client file asks for is wrong; before anything is made.
    """
    check_asked(client)
    console = Console(stderr=True)
    base = (wanted.out or project_folder(client.path) / "reports").resolve() / client.settings.client
    periods = [client.known_period(name) for name in dict.fromkeys(wanted.periods)]
    planned = [
        reports(client, period, base / period.name, notebooks=wanted.notebooks, teams=wanted.teams)
        for period in periods
    ]
    with ExitStack() as stack, _progress(console) as progress, pinned(client.settings, client.data):
        # made with the first report, so that a run in which nothing changed does not wait for it
        executor = functools.cache(lambda: stack.enter_context(ForkingExecutor(wanted.jobs)))
        runs = [
            make_site(client, period, base / period.name, wanted=todo, executor=executor, force=wanted.force,
                      **_bar(progress, period))
            for period, todo in zip(periods, planned, strict=True)
        ]  # fmt: skip
    if not client.data.teams.empty and not any(client.teams(period) for period in periods):
        console.print(say("cli.no_team_reports", language, teams=len(client.data.teams)))
    failed = [result for run in runs for result in run.results if result.status == "failed"]
    made = sum(len(run.results) for run in runs) - len(failed)
    unchanged = sum(run.unchanged for run in runs)
    console.print(say("cli.summary", language, made=made, unchanged=unchanged, failed=len(failed)))
    return failed, [run.index for run in runs]


def _bar(progress: Progress, period: Period) -> dict[str, Callable[..., None]]:
    """What `make_site` calls to move this period's bar."""
    bar = progress.add_task(period.name, total=None)
    return {
        "on_start": lambda changed, _: progress.update(bar, total=changed, completed=0),
        "on_done": lambda _: progress.advance(bar),
    }


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
