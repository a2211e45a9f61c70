"""A run as seen on the terminal: a progress bar over reports, and which were left as they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kpi_research.language import Language, say
from kpi_research.periods import Period
from kpi_research.run.client import Client, project_folder
from kpi_research.run.job import JobResult
from kpi_research.run.reports import Report, reports
from kpi_research.run.site import SiteRun, make_site
from kpi_research.run.workers import ForkingExecutor


def make_periods(
    client: Client,
    periods: Sequence[str],
    *,
    out: Path | None,
    jobs: int,
    force: bool,
    teams: Collection[str],
    notebooks: Collection[str],
    language: Language,
) -> tuple[list[JobResult], list[Path]]:
    """Make the sites of several periods, with progress on the terminal.

    Returns
    -------
    The reports that failed, and the index pages.

    Raises
    ------
    InputError
        If a period, team or notebook is unknown; before anything is made.
    """
    console = Console(stderr=True)
    base = (out or project_folder(client.path) / "reports") / client.settings.client
    planned = []
    for name in periods:
        period = client.known_period(name)
        planned.append((period, reports(client, period, base / period.name, notebooks=notebooks, teams=teams)))
    runs: list[SiteRun] = []
    with _progress(console) as progress:
        for period, wanted in planned:
            runs.append(_with_bar(client, period, base, wanted, progress, jobs, force))
    failed = [result for run in runs for result in run.results if result.status == "failed"]
    made = sum(len(run.results) for run in runs) - len(failed)
    unchanged = sum(run.unchanged for run in runs)
    console.print(say("cli.summary", language, made=made, unchanged=unchanged, failed=len(failed)))
    return failed, [run.index for run in runs]


def _with_bar(
    client: Client, period: Period, base: Path, wanted: list[Report], progress: Progress, jobs: int, force: bool
) -> SiteRun:
    bar = progress.add_task(period.name, total=None)
    return make_site(
        client,
        period,
        base / period.name,
        wanted=wanted,
        force=force,
        make_executor=lambda: ForkingExecutor(jobs),
        on_start=lambda changed, _: progress.update(bar, total=changed, completed=0),
        on_done=lambda _: progress.advance(bar),
    )


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
