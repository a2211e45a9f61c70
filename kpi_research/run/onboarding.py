"""`init`: looks at exports or a database, recognises what it can, and writes a client file with reasons and doubts."""

from __future__ import annotations

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
from kpi_research.run.onboarding_sources import Found, InDatabase, look, problems_of_place
from kpi_research.run.onboarding_yaml import client_file, merged_source, plain_source, shown, unused
from kpi_research.run.settings import ClientFile, read_client_file
from kpi_research.sources.proposal import Doubt, Proposal
from kpi_research.sources.recognise import Recognised, recognise
from kpi_research.sources.workspace import Progress, Workspace

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
    there
        Where was looked, and what is there.
    found
        What it is.
    doubts
        What is to be decided, the needed first.
    """

    client: str
    path: Path
    language: Language
    there: Found
    found: Recognised
    doubts: tuple[Doubt, ...]

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
                    "dropped": list(each.dropped),
                    "not_used": list(unused(each, self.written)),
                }
                for each in self.written
            ],
            "not_used": [look.name for look in self.found.unused],
            "not_read": [_texts(problem) for problem in self.there.problems],
            "notes": [_texts(note) for note in self.there.notes],
            **({"database": self._database()} if self.there.kind == "database" else {}),
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

    def _database(self) -> dict[str, Any]:
        """Every table with its columns, and how far it was looked at."""
        state = {look.name: "looked_at" for look in self.there.looks} | dict.fromkeys(self.there.empty, "empty")
        return {
            "address": self.there.source["address"],
            "tables": [
                {"table": name, "columns": list(headers), "state": state.get(name, "not_looked_at")}
                for name, headers in self.there.columns.items()
            ],
        }


def onboard(
    client: str,
    source: Path | InDatabase,
    preset: str | None = None,
    *,
    params_folder: Path,
    progress: Progress | None = None,
) -> Onboarding:
    """Look at exports, or at a database, and write `params_folder/<client>.yaml`.

    Parameters
    ----------
    client
        Slug of the client; names the file.
    source
        Folder of the exports, one export, or a database; that is only read, and of its tables only some rows.
    preset
        The system that made them, where it is known.
    params_folder
        Where client files lie; it is made if need be.
    progress
        Called while rows of a database are copied (see `Workspace`).

    Returns
    -------
    What was found, and what is to be decided by somebody who knows the client.

    Raises
    ------
    InputError
        If the name is no slug, the file is there already, the source holds nothing that can be read, or the database
        cannot be opened.
    """
    path = params_folder / f"{client}.yaml"
    if problems := _problems(client, source, path):
        raise InputError(problems)
    with Workspace(progress=progress) as workspace:
        there = look(source, workspace, preset, params_folder)
        found = recognise(there.looks, preset, picked=there.kind == "files")
        language = language_of([each.look for each in found.proposals] or there.looks)
        lines, open_choices = choices(client, found, language)
        of_tables = [doubt for each in found.proposals for doubt in each.doubts]
        doubts = [*there.doubts, *found.doubts, *of_tables, *open_choices]
        doubts.sort(key=lambda doubt: not doubt.essential)
        made = Onboarding(client, path, language, there, found, tuple(doubts))
        head = say(f"init.head.{there.kind}", language, **there.place)
        text = client_file(lines, _source(made), head=head, tail=_tail(made))
    _write(path, text)
    return made


def print_onboarding(found: Onboarding, language: Language) -> None:
    """The same for the terminal."""
    console = Console()
    systems = ", ".join(found.found.systems)
    key = "init.recognised" if systems else "init.unknown_system"
    _print(console, say(key, language, systems=systems))
    if found.there.kind == "database":
        _print(console, say("init.seen", language, **found.there.place))
    for note in found.there.notes:
        _print(console, note.text(language))
    table = Table(title=say(f"init.title.{found.there.kind}", language))
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
    for problem in found.there.problems:
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


def _problems(client: str, source: Path | InDatabase, path: Path) -> list[Problem]:
    if not SLUG.fullmatch(client):
        return [Problem("init.bad_name", values={"client": shown(client)})]
    problems = [Problem("init.file_exists", values={"path": path.as_posix()})] if path.exists() else []
    return problems + problems_of_place(source)


def _source(found: Onboarding) -> CommentedMap:
    """One source; several where several systems each have a list of people of their own."""
    written, systems, head = found.written, found.found.systems, found.there.source
    lists = [each.system for each in written if each.table == "people"]
    if len(set(lists)) < 2:
        return plain_source(head, written, found.language)
    main = systems[0]
    by_system = {system: [each for each in written if (each.system or main) == system] for system in systems}
    sources = {
        system: plain_source(head, parts, found.language, depth=3) for system, parts in by_system.items() if parts
    }
    return merged_source(sources, main if main in lists else lists[0])


def _tail(found: Onboarding) -> list[str]:
    """What is to be decided, and what was not used, as the last lines of the file."""
    language = found.language
    lines: list[str] = []
    if found.found.unused:
        exports = ", ".join(shown(look.name) for look in found.found.unused)
        lines.append(say(f"init.unused.{found.there.kind}", language, exports=exports))
    if found.there.empty:
        lines.append(say("init.comment.empty", language, tables=", ".join(map(shown, found.there.empty))))
    lines += [note.text(language) for note in found.there.notes]
    lines += [say("init.not_read", language, reason=problem.text(language)) for problem in found.there.problems]
    if found.doubts:
        lines += [say("init.decide_title", language, n=len(found.doubts)), *_numbered(found.doubts, language)]
    return lines


def _texts(problem: Problem) -> dict[str, str]:
    return {f"text_{language}": problem.text(language) for language in LANGUAGES}


def _numbered(doubts: Sequence[Doubt], language: Language) -> list[str]:
    marks = {True: say("init.essential", language) + " ", False: ""}
    return [f"{n}. {marks[doubt.essential]}{sentence(doubt, language)}" for n, doubt in enumerate(doubts, 1)]


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
