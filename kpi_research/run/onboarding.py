"""`init`: looks at exports, recognises what it can, and writes a client file with reasons and open questions."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from ruamel.yaml.comments import CommentedMap

from kpi_research.errors import InputError, Problem
from kpi_research.language import LANGUAGES, Language, say
from kpi_research.run.onboarding_choices import choices, language_of
from kpi_research.run.onboarding_yaml import client_file, files_source, merged_source, shown, unused
from kpi_research.run.settings import ClientFile, read_client_file
from kpi_research.sources.exports import find_exports, open_export
from kpi_research.sources.proposal import Doubt, Look, Proposal
from kpi_research.sources.recognise import Recognised, look_at, recognise
from kpi_research.sources.workspace import Workspace

SLUG = re.compile(ClientFile.model_json_schema()["properties"]["client"]["pattern"])
CANDIDATES_SHOWN = 8


@dataclass(frozen=True)
class Onboarding:
    """What was found, and the file that was written.

    Parameters
    ----------
    client
        Its slug.
    path
        The client file.
    language
        That of its comments and of its reports.
    found
        What the exports are.
    doubts
        What is to be decided, the needed first.
    unread
        Why some of the exports could not be read.
    """

    client: str
    path: Path
    language: Language
    found: Recognised
    doubts: tuple[Doubt, ...]
    unread: tuple[Problem, ...] = ()

    @property
    def written(self) -> list[Proposal]:
        """The tables that are in the client file."""
        return [each for each in self.found.proposals if not each.missing]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "client": self.client,
            "file": self.path.name,
            "language": self.language,
            "systems": list(self.found.systems),
            "tables": [
                {
                    "table": each.table,
                    "export": each.look.name,
                    "system": each.system,
                    "columns": [vars(guess) for guess in each.guesses],
                    "not_used": list(unused(each, self.written)),
                }
                for each in self.written
            ],
            "not_used": [look.name for look in self.found.unused],
            "not_read": [
                {f"text_{language}": problem.text(language) for language in LANGUAGES} for problem in self.unread
            ],
            "to_decide": [
                {
                    **vars(doubt),
                    "candidates": list(doubt.candidates),
                    "values": dict(doubt.values),
                    **{f"text_{language}": sentence(doubt, language) for language in LANGUAGES},
                }
                for doubt in self.doubts
            ],
        }


def onboard(client: str, source: Path, preset: str | None = None, *, params_folder: Path) -> Onboarding:
    """Look at exports and write `params_folder/<client>.yaml`.

    Parameters
    ----------
    client
        Slug of the client; names the file.
    source
        Folder of the exports, or one export.
    preset
        The system that made them, where it is known.
    params_folder
        Where client files lie; it is made if need be.

    Returns
    -------
    What was found, and what is to be decided by somebody who knows the client.

    Raises
    ------
    InputError
        If the name is no slug, the file is there already, the source holds no export, or an export cannot be read.
    """
    path = params_folder / f"{client}.yaml"
    if problems := [*_problems_of_names(client, source, path)]:
        raise InputError(problems)
    folder = source if source.is_dir() else source.parent
    with Workspace() as workspace:
        looks, unread = _looks(source, folder, workspace)
        found = recognise(looks, preset)
        language = language_of([each.look for each in found.proposals] or looks)
        lines, open_choices = choices(client, found, language)
        doubts = [*found.doubts, *(doubt for each in found.proposals for doubt in each.doubts), *open_choices]
        doubts.sort(key=lambda doubt: not doubt.essential)
        made = Onboarding(client, path, language, found, tuple(doubts), tuple(unread))
        written = _source(made, _relative(folder, params_folder))
        head = say("init.comment.head", language, path=folder.name, n=len(looks))
        text = client_file(lines, written, head=head, tail=_tail(made))
    _write(path, text)
    return made


def print_onboarding(found: Onboarding, language: Language) -> None:
    """The same for the terminal."""
    console = Console()
    systems = ", ".join(found.found.systems)
    key = "init.recognised" if systems else "init.unknown_system"
    _print(console, say(key, language, systems=systems))
    table = Table(title=say("init.title", language))
    for name in ("table", "export", "columns", "leftover"):
        table.add_column(say(f"init.column.{name}", language), overflow="fold")
    for each in found.written:
        columns = ", ".join(
            f"{guess.column} ({shown(guess.header)})" if guess.header else guess.column for guess in each.guesses
        )
        left = unused(each, found.written)
        table.add_row(each.table, shown(each.look.name), columns, ", ".join(map(shown, left[:CANDIDATES_SHOWN])))
    console.print(table, markup=False)
    key = "init.decide_title" if found.doubts else "init.nothing_to_decide"
    _print(console, say(key, language, n=len(found.doubts)))
    for line in _numbered(found.doubts, language):
        _print(console, line)
    for problem in found.unread:
        _print(console, say("init.not_read", language, reason=problem.text(language)))
    _print(console, say("init.written", language, path=found.path.as_posix()))


def sentence(doubt: Doubt, language: Language) -> str:
    """A doubt in words, its candidates named."""
    given = [shown(candidate) for candidate in doubt.candidates[:CANDIDATES_SHOWN]]
    more = " …" if len(doubt.candidates) > CANDIDATES_SHOWN else ""
    values = {name: shown(str(value)) for name, value in doubt.values.items()}
    return say(
        f"init.doubt.{doubt.topic}",
        language,
        export=shown(doubt.export),
        table=doubt.table,
        column=doubt.column,
        candidates=", ".join(given) + more if given else say("init.no_candidate", language),
        **values,
    )


def _problems_of_names(client: str, source: Path, path: Path) -> list[Problem]:
    if not SLUG.fullmatch(client):
        return [Problem("init.bad_name", values={"client": shown(client)})]
    problems = [Problem("init.file_exists", values={"path": path.as_posix()})] if path.exists() else []
    if not source.exists():
        beside = tuple(sorted(other.name for other in source.parent.iterdir())) if source.parent.is_dir() else ()
        problems.append(
            Problem("source.missing", values={"path": source.as_posix()}, given=source.name, allowed=beside)
        )
    return problems


def _looks(source: Path, folder: Path, workspace: Workspace) -> tuple[list[Look], list[Problem]]:
    """Every export with its profile, and why others cannot be read; one that can is enough to go on."""
    there = [(path, sheet) for path, sheet in find_exports(folder) if source.is_dir() or path == source]
    looks: list[Look] = []
    problems: list[Problem] = []
    for path, sheet in there:
        try:
            export = open_export(path, workspace, sheet=sheet)
            looks.append(look_at(export, path.relative_to(folder).as_posix(), sheet))
        except InputError as error:
            problems += error.problems
    if problems and not looks:
        raise InputError(problems)
    if not looks:
        raise InputError(Problem("init.no_exports", values={"path": source.as_posix()}))
    return looks, problems


def _source(found: Onboarding, path: str) -> CommentedMap:
    """One source; several where several systems each have a list of people of their own."""
    written, systems = found.written, found.found.systems
    lists = [each.system for each in written if each.table == "people"]
    if len(set(lists)) < 2:
        return files_source(path, written, found.language)
    main = systems[0]
    by_system = {system: [each for each in written if (each.system or main) == system] for system in systems}
    sources = {
        system: files_source(path, parts, found.language, depth=3) for system, parts in by_system.items() if parts
    }
    return merged_source(sources, main if main in lists else lists[0])


def _tail(found: Onboarding) -> list[str]:
    """What is to be decided, and what was not used, as the last lines of the file."""
    language = found.language
    lines: list[str] = []
    if found.found.unused:
        exports = ", ".join(shown(look.name) for look in found.found.unused)
        lines.append(say("init.comment.unused", language, exports=exports))
    lines += [say("init.not_read", language, reason=problem.text(language)) for problem in found.unread]
    if found.doubts:
        lines += [say("init.decide_title", language, n=len(found.doubts)), *_numbered(found.doubts, language)]
    return lines


def _numbered(doubts: Sequence[Doubt], language: Language) -> list[str]:
    marks = {True: say("init.essential", language) + " ", False: ""}
    return [f"{n}. {marks[doubt.essential]}{sentence(doubt, language)}" for n, doubt in enumerate(doubts, 1)]


def _relative(folder: Path, params_folder: Path) -> str:
    try:
        return Path(os.path.relpath(folder.resolve(), params_folder.resolve())).as_posix()
    except ValueError:
        # on Windows nothing leads from one drive to another
        return folder.resolve().as_posix()


def _write(path: Path, text: str) -> None:
    """Write a file that was not there, and read it as every command will."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(Problem("init.file_exists", values={"path": path.as_posix()})) from None
    read_client_file(path)


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
