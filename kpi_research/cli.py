"""The command line `kpi-research`: each command a thin call. Heavy imports wait until a command needs them."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpi_research import __version__
from kpi_research.errors import InputError, KpiResearchError
from kpi_research.language import LANGUAGES, Language, say

if TYPE_CHECKING:
    from kpi_research.run.client import Client
    from kpi_research.run.job import JobResult

OK, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
WORLDS = ("published", "heavy", "movers", "spread", "proxy_alias")
LISTED = ("kpis", "presets", "rules", "schemes", "sections")
DEMO_QUARTERS = 2


Command = Callable[[str, Callable[[argparse.Namespace, Language], int]], argparse.ArgumentParser]
"""Adds a command by its name and what it does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    0 all well; 1 something failed while running; 2 the input is wrong; 130 interrupted.
    """
    _write_utf8()
    language = system_language()
    given = parser(language).parse_args(arguments)
    language = given.language or language
    try:
        return int(given.run(given, language))
    except KeyboardInterrupt:
        print(say("cli.interrupted", language), file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except KpiResearchError as error:
        if given.debug:
            raise
        print(error.text(language), file=sys.stderr)  # noqa: T201
        return WRONG_INPUT if isinstance(error, InputError) else FAILED
    except OSError as error:
        if given.debug:
            raise
        reason = error.strerror or type(error).__name__
        print(say("cli.cannot_write", language, path=error.filename or "", reason=reason), file=sys.stderr)  # noqa: T201
        return WRONG_INPUT
    except Exception as error:
        if given.debug:
            raise
        _say_unexpected(error, language)
        return FAILED


def parser(language: Language) -> argparse.ArgumentParser:
    """The grammar of the command line, its help in one language."""

    def help_of(key: str) -> str:
        return say(f"cli.help.{key}", language)

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--language", choices=LANGUAGES, help=help_of("language"))
    common.add_argument("--debug", action="store_true", help=help_of("debug"))
    top = argparse.ArgumentParser("kpi-research", description=help_of("top"))
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace, Language], int]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_of(name), description=help_of(name), parents=[common])
        made.set_defaults(run=run)
        return made

    demo = command("demo", _demo)
    demo.add_argument("--out", type=Path, help=help_of("out"))
    init = command("init", _init)
    init.add_argument("client", metavar="CLIENT", help=help_of("slug"))
    where = init.add_mutually_exclusive_group(required=True)
    where.add_argument("--source", type=Path, help=help_of("source"))
    where.add_argument("--database", metavar="VARIABLE", help=help_of("database"))
    init.add_argument("--preset", metavar="NAME", help=help_of("preset"))
    init.add_argument("--params", type=Path, default=Path("params"), help=help_of("params"))
    init.add_argument("--json", action="store_true", help=help_of("json"))
    check = command("check", _check)
    check.add_argument("client", type=Path, help=help_of("client"))
    check.add_argument("--json", action="store_true", help=help_of("json"))
    run = command("run", _run)
    run.add_argument("client", type=Path, help=help_of("client"))
    run.add_argument("--period", action="append", default=[], help=help_of("period"))
    run.add_argument("--team", nargs="+", default=[], metavar="ID", help=help_of("team"))
    run.add_argument("--notebook", nargs="+", default=[], metavar="NAME", help=help_of("notebook"))
    run.add_argument("--out", type=Path, help=help_of("out"))
    for made in (demo, run):
        made.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, metavar="N", help=help_of("jobs"))
        made.add_argument("--force", action="store_true", help=help_of("force"))
    _add_bench(command, help_of)
    _add_settled(command, help_of)
    listing = command("list", _list)
    listing.add_argument("what", choices=LISTED, help=help_of("what"))
    listing.add_argument("--json", action="store_true", help=help_of("json"))
    return top


def _add_bench(command: Command, help_of: Callable[[str], str]) -> None:
    """The command that says what verdicts are worth."""
    bench = command("bench", _bench)
    bench.add_argument("client", type=Path, help=help_of("client"))
    bench.add_argument("--draws", type=_positive, default=200, metavar="N", help=help_of("draws"))
    bench.add_argument("--seed", type=_positive, default=1, metavar="N", help=help_of("seed"))
    bench.add_argument("--world", choices=WORLDS, default="published", help=help_of("world"))
    bench.add_argument("--json", action="store_true", help=help_of("json"))


def _add_settled(command: Command, help_of: Callable[[str], str]) -> None:
    """The commands of what is settled: goals, closing a period, and comparing two."""
    goals = command("goals", _goals)
    goals.add_argument("client", type=Path, help=help_of("client"))
    goals.add_argument("--out", type=Path, metavar="FILE", help=help_of("goals_out"))
    close = command("close", _close)
    close.add_argument("client", type=Path, help=help_of("client"))
    close.add_argument("--period", required=True, help=help_of("closed_quarter"))
    close.add_argument("--by", default="", metavar="ID", help=help_of("by"))
    close.add_argument("--reason", default="", metavar="TEXT", help=help_of("reason"))
    diff = command("diff", _diff)
    diff.add_argument("before", metavar="A", help=help_of("run_before"))
    diff.add_argument("after", metavar="B", help=help_of("run_after"))
    for made in (close, diff):
        made.add_argument("--json", action="store_true", help=help_of("json"))


def system_language() -> Language:
    """Chinese where the system speaks Chinese, otherwise English."""
    names = (os.environ.get(name, "") for name in ("KPI_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"))
    return "zh" if next((name for name in names if name), "").lower().startswith("zh") else "en"


def _demo(given: argparse.Namespace, language: Language) -> int:
    from kpi_research.run.client import open_client

    path = Path(__file__).parent.parent / "params" / "demo.yaml"
    print(say("cli.reading", language, client=path.name), file=sys.stderr)  # noqa: T201
    client = open_client(path)
    periods = [period.name for period in client.periods("quarter")[-DEMO_QUARTERS:]]
    return _make(client, periods, given, language)


def _run(given: argparse.Namespace, language: Language) -> int:
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


def _init(given: argparse.Namespace, language: Language) -> int:
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


def _check(given: argparse.Namespace, language: Language) -> int:
    from kpi_research.run.checkup import checkup, print_checkup

    print(say("cli.reading", language, client=given.client.name), file=sys.stderr)  # noqa: T201
    found = checkup(given.client, _say_copied)
    return _shown(given, found, lambda: print_checkup(found, language))


def _bench(given: argparse.Namespace, language: Language) -> int:
    from kpi_research.run.benching import bench_client, print_bench

    print(say("cli.reading", language, client=given.client.name), file=sys.stderr)  # noqa: T201
    found = bench_client(given.client, given.draws, language, seed=given.seed, kind=given.world, progress=_say_copied)
    return _shown(given, found.as_dict(), lambda: print_bench(found, language))


def _close(given: argparse.Namespace, language: Language) -> int:
    from kpi_research.run.client import open_client
    from kpi_research.run.closing import close_period, print_closing

    print(say("cli.reading", language, client=given.client.name), file=sys.stderr)  # noqa: T201
    client = open_client(given.client, _say_copied)
    done = close_period(client, given.period, by=given.by, reason=given.reason)
    return _shown(given, done.as_dict(), lambda: print_closing(done, language))


def _diff(given: argparse.Namespace, language: Language) -> int:
    from kpi_research.run.comparing import compare, folder_of
    from kpi_research.run.comparing_terminal import print_comparison

    found = compare(folder_of(given.before), folder_of(given.after))
    return _shown(given, found, lambda: print_comparison(found, language))


def _goals(given: argparse.Namespace, language: Language) -> int:
    from kpi_research.run.goal_targets import print_split, split_goals, write_goals

    print(say("cli.reading", language, client=given.client.name), file=sys.stderr)  # noqa: T201
    client, splits = split_goals(given.client, _say_copied)
    if given.out:
        write_goals(client, splits, given.out)
    for split in splits:
        print_split(client, split, language, given.out)
    return OK


def _list(given: argparse.Namespace, language: Language) -> int:
    from kpi_research.run.listing import listing, print_listing

    rows = listing(given.what)
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


def _say_unexpected(error: Exception, language: Language) -> None:
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    told = f"{type(error).__name__}: {error}"
    print(say("cli.unexpected", language, error=told, place=place), file=sys.stderr)  # noqa: T201


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(text)
    return number


def _write_utf8() -> None:
    """Chinese must not stop a terminal or a pipe that was set up for something else."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(encoding="utf-8", errors="replace")
