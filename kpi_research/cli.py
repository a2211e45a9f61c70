"""The command line `kpi-research`: its grammar, and what becomes of errors."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kpi_research import __version__, commands
from kpi_research.commands import FAILED, INTERRUPTED, WRONG_INPUT
from kpi_research.errors import InputError, KpiResearchError
from kpi_research.language import LANGUAGES, Language, say

WORLDS = ("published", "heavy", "movers", "spread", "proxy_alias", "teams")
LISTED = ("kpis", "presets", "rules", "schemes", "sections")

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
    known = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace, Language], int]) -> argparse.ArgumentParser:
        made = known.add_parser(name, help=help_of(name), description=help_of(name), parents=[common])
        made.set_defaults(run=run)
        return made

    demo = command("demo", commands.demo)
    demo.add_argument("--out", type=Path, help=help_of("out"))
    _add_jobs(demo, help_of)
    init = command("init", commands.init)
    init.add_argument("client", metavar="CLIENT", help=help_of("slug"))
    where = init.add_mutually_exclusive_group(required=True)
    where.add_argument("--source", type=Path, help=help_of("source"))
    where.add_argument("--database", metavar="VARIABLE", help=help_of("database"))
    init.add_argument("--preset", metavar="NAME", help=help_of("preset"))
    init.add_argument("--params", type=Path, default=Path("params"), help=help_of("params"))
    init.add_argument("--json", action="store_true", help=help_of("json"))
    check = command("check", commands.check)
    check.add_argument("client", type=Path, help=help_of("client"))
    check.add_argument("--json", action="store_true", help=help_of("json"))
    _add_reports(command, help_of)
    _add_bench(command, help_of)
    _add_settled(command, help_of)
    listing = command("list", commands.listing)
    listing.add_argument("what", choices=LISTED, help=help_of("what"))
    listing.add_argument("--json", action="store_true", help=help_of("json"))
    return top


def _add_reports(command: Command, help_of: Callable[[str], str]) -> None:
    """The commands that make a client's pages."""
    run = command("run", commands.run)
    run.add_argument("client", type=Path, help=help_of("client"))
    run.add_argument("--period", action="append", default=[], help=help_of("period"))
    run.add_argument("--team", nargs="+", default=[], metavar="ID", help=help_of("team"))
    run.add_argument("--notebook", nargs="+", default=[], metavar="NAME", help=help_of("notebook"))
    run.add_argument("--out", type=Path, help=help_of("out"))
    evidence = command("evidence", commands.evidence)
    evidence.add_argument("client", type=Path, help=help_of("client"))
    evidence.add_argument("--period", help=help_of("studied_quarter"))
    evidence.add_argument("--json", action="store_true", help=help_of("json"))
    evidence.add_argument("--out", type=Path, help=help_of("out"))
    for made in (run, evidence):
        _add_jobs(made, help_of)


def _add_jobs(made: argparse.ArgumentParser, help_of: Callable[[str], str]) -> None:
    """How pages are made."""
    made.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, metavar="N", help=help_of("jobs"))
    made.add_argument("--force", action="store_true", help=help_of("force"))


def _add_bench(command: Command, help_of: Callable[[str], str]) -> None:
    """The command that says what verdicts are worth."""
    bench = command("bench", commands.bench)
    bench.add_argument("client", type=Path, help=help_of("client"))
    bench.add_argument("--draws", type=_positive, default=200, metavar="N", help=help_of("draws"))
    bench.add_argument("--seed", type=_positive, default=1, metavar="N", help=help_of("seed"))
    bench.add_argument("--world", choices=WORLDS, default="published", help=help_of("world"))
    bench.add_argument("--json", action="store_true", help=help_of("json"))


def _add_settled(command: Command, help_of: Callable[[str], str]) -> None:
    """The commands of what is settled: goals, closing a period, comparing two runs, taking several clients together."""
    goals = command("goals", commands.goals)
    goals.add_argument("client", type=Path, help=help_of("client"))
    goals.add_argument("--out", type=Path, metavar="FILE", help=help_of("goals_out"))
    close = command("close", commands.close)
    close.add_argument("client", type=Path, help=help_of("client"))
    close.add_argument("--period", required=True, help=help_of("closed_quarter"))
    close.add_argument("--by", default="", metavar="ID", help=help_of("by"))
    close.add_argument("--reason", default="", metavar="TEXT", help=help_of("reason"))
    diff = command("diff", commands.diff)
    diff.add_argument("before", metavar="A", help=help_of("run_before"))
    diff.add_argument("after", metavar="B", help=help_of("run_after"))
    pool = command("pool", commands.pool)
    pool.add_argument("runs", nargs="+", metavar="RUN", help=help_of("runs"))
    for made in (close, diff, pool):
        made.add_argument("--json", action="store_true", help=help_of("json"))


def system_language() -> Language:
    """Chinese where the system speaks Chinese, otherwise English."""
    names = (os.environ.get(name, "") for name in ("KPI_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"))
    return "zh" if next((name for name in names if name), "").lower().startswith("zh") else "en"


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
