"""What each command does: a thin call. Heavy imports wait until a command needs them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpi_research.language import Language, say

if TYPE_CHECKING:
    from kpi_research.run.client import Client
    from kpi_research.run.job import JobResult

OK, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses: all well; something failed while running; the input is wrong; interrupted."""

DEMO_QUARTERS = 2


def demo(given: argparse.Namespace, language: Language) -> int:
    """The reports of the simulated client."""
    from kpi_research.run.client import open_client

    path = Path(__file__).parent.parent / "params" / "demo.yaml"
    print(say("cli.reading", language, client=path.name), file=sys.stderr)  # noqa: T201
    client = open_client(path)
    periods = [period.name for period in client.periods("quarter")[-DEMO_QUARTERS:]]
    return _make(client, periods, given, language)


def run(given: argparse.Namespace, language: Language) -> int:
    """The reports that changed."""
    from kpi_research.run.after_closing import hold_closed
    from kpi_research.run.client import open_client

    print(say("cli.reading", language, client=given.client.name), file=sys.stderr)  # noqa: T201
    client = open_client(given.client, _say_copied)
    if not client.periods("quarter"):
        only = any(report.notebook == "data_quality" for report in client.settings.reports)
        key = "cli.only_quality" if only else "cli.no_quarter"
        print(say(key, language, until=client.data.parts.until.isoformat()), file=sys.stderr)  # noqa: T201
        if not only:
            return WRONG_INPUT
    periods = given.period or [period.name for period in client.reported_quarters()[-1:]]
    for change in hold_closed(client, periods, given.out, force=given.force):
        print(change.text(language), file=sys.stderr)  # noqa: T201
    return _make(client, periods, given, language)


def _make(client: Client, periods: Sequence[str], given: argparse.Namespace, language: Language) -> int:
    from kpi_research.run.terminal import Wanted, make_periods

    teams, notebooks = getattr(given, "team", ()), getattr(given, "notebook", ())
    wanted = Wanted(periods, given.out, given.jobs, given.force, teams, notebooks)
    failed, indexes = make_periods(client, wanted, language)
    for result in failed:
        _say_failed(result, language)
    for index in indexes:
        print(index)  # noqa: T201
    return FAILED if failed else OK


def init(given: argparse.Namespace, language: Language) -> int:
    """A client file from exports or a database."""
    from kpi_research.run.onboarding import onboard, print_onboarding
    from kpi_research.run.onboarding_sources import InDatabase

    source = InDatabase(given.database) if given.database is not None else given.source
    if given.database is not None:
        print(say("cli.looking", language), file=sys.stderr)  # noqa: T201
    found = onboard(given.client, source, given.preset, params_folder=given.params, progress=_say_copied)
    if given.json:
        print(json.dumps(found.as_dict(), ensure_ascii=False, indent=1))  # noqa: T201
    else:
        print_onboarding(found, language)
    return OK


def check(given: argparse.Namespace, language: Language) -> int:
    """Everything about a client but its reports."""
    from kpi_research.run.checkup import checkup, print_checkup

    print(say("cli.reading", language, client=given.client.name), file=sys.stderr)  # noqa: T201
    found = checkup(given.client, _say_copied)
    return _shown(given, found, lambda: print_checkup(found, language))


def evidence(given: argparse.Namespace, language: Language) -> int:
    """The study alone: the verdicts on the terminal, and the page of the analyst where the client file names one."""
    from kpi_research.run.client import open_client
    from kpi_research.run.studies import study_of
    from kpi_research.run.verdict_table import print_verdicts, verdict_rows

    print(say("cli.reading", language, client=given.client.name), file=sys.stderr)  # noqa: T201
    client = open_client(given.client, _say_copied)
    period = client.known_period(given.period) if given.period else client.reported_quarters()[-1]
    found = study_of(client, period)
    _shown(given, verdict_rows(found), lambda: print_verdicts(client, found, period, language))
    if given.json:
        return OK
    if not any(report.notebook == "evidence" for report in client.settings.reports):
        print(say("evidence_command.no_report", language), file=sys.stderr)  # noqa: T201
        return OK
    given.notebook = ["evidence"]
    return _make(client, [period.name], given, language)


def bench(given: argparse.Namespace, language: Language) -> int:
    """What verdicts are worth at a client's size."""
    from kpi_research.run.benching import bench_client, print_bench

    print(say("cli.reading", language, client=given.client.name), file=sys.stderr)  # noqa: T201
    found = bench_client(given.client, given.draws, language, seed=given.seed, kind=given.world, progress=_say_copied)
    return _shown(given, found.as_dict(), lambda: print_bench(found, language))


def close(given: argparse.Namespace, language: Language) -> int:
    """A quarter is written down."""
    from kpi_research.run.client import open_client
    from kpi_research.run.closing import close_period, print_closing

    print(say("cli.reading", language, client=given.client.name), file=sys.stderr)  # noqa: T201
    client = open_client(given.client, _say_copied)
    done = close_period(client, given.period, by=given.by, reason=given.reason)
    return _shown(given, done.as_dict(), lambda: print_closing(done, language))


def diff(given: argparse.Namespace, language: Language) -> int:
    """What changed between two runs."""
    from kpi_research.run.comparing import compare, folder_of
    from kpi_research.run.comparing_terminal import print_comparison

    found = compare(folder_of(given.before), folder_of(given.after))
    return _shown(given, found, lambda: print_comparison(found, language))


def pool(given: argparse.Namespace, language: Language) -> int:
    """The studies of several clients, taken together."""
    from kpi_research.run.pooling import pool_runs, print_pooled

    found = pool_runs(given.runs)
    return _shown(given, [each.as_dict() for each in found], lambda: print_pooled(found, language))


def goals(given: argparse.Namespace, language: Language) -> int:
    """The client file's goals, split."""
    from kpi_research.run.goal_targets import print_split, split_goals, write_goals

    print(say("cli.reading", language, client=given.client.name), file=sys.stderr)  # noqa: T201
    client, splits = split_goals(given.client, _say_copied)
    if given.out:
        write_goals(client, splits, given.out)
    for split in splits:
        print_split(client, split, language, given.out)
    return OK


def listing(given: argparse.Namespace, language: Language) -> int:
    """KPIs, presets, rules, schemes or sections."""
    from kpi_research.run.listing import listing as rows_of
    from kpi_research.run.listing import print_listing

    rows = rows_of(given.what)
    return _shown(given, rows, lambda: print_listing(given.what, rows, language))


def _shown(given: argparse.Namespace, found: Any, for_people: Callable[[], None]) -> int:
    """What was found, as JSON where that was asked for."""
    if given.json:
        print(json.dumps(found, ensure_ascii=False, indent=1))  # noqa: T201
    else:
        for_people()
    return OK


def _say_copied(table: str, done: int, total: int | None) -> None:
    """One line that counts on, where somebody watches."""
    if sys.stderr.isatty():
        last = total is not None and done >= total
        of = "" if total is None else f" / {total:,}"
        print(f"\r{table} {done:,}{of}", end="\n" if last else "", file=sys.stderr)  # noqa: T201


def _say_failed(result: JobResult, language: Language) -> None:
    reason = result.error.text(language) if result.error else ""
    print(say("cli.failed", language, report=result.name, reason=reason), file=sys.stderr)  # noqa: T201
