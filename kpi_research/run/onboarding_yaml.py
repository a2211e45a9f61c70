"""The client file that onboarding writes: valid YAML whatever headers hold, with a reason beside each column."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from kpi_research.language import Language, say
from kpi_research.run.onboarding_choices import Choice
from kpi_research.sources.mapping import TableMapping
from kpi_research.sources.proposal import Guess, Proposal, as_list, mentioned

LINE = 116
SHOWN = 60
"""Longest header or value in a comment."""
SIMPLE_KEY = 60
"""Longer keys may be written on lines of their own, where no comment can follow them."""
_MISREAD = re.compile("^[:?]|[\x85\u2028\u2029\ufeff]")
"""What YAML reads otherwise unless escaped: marks that open a key or value inside brackets, other line ends."""
_UNSHOWN = re.compile(
    r"[^\x20-\x7e\xa0-\u200a\u2010-\u2027\u2030-\u205e\u2070-\ud7ff\uf900-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]+"
)
"""What a comment may not hold: control characters, line ends, and marks that turn the direction of what follows."""


def client_file(lines: Mapping[str, Choice], source: CommentedMap, *, head: str, tail: Sequence[str]) -> str:
    """The text of a client file.

    Parameters
    ----------
    lines
        Everything besides the source, which stands before `stages`.
    source
        See `plain_source` and `merged_source`.
    head, tail
        Comments before and after everything.
    """
    document = CommentedMap()
    before = ("client", "title", "language", "currency", "timezone", "calendar")
    for name in [*before, "source", *(name for name in lines if name not in before)]:
        if name == "source":
            document[name] = source
        elif name in lines:
            document[name] = (
                _flow(lines[name].value) if name != "reports" else [_flow(row) for row in lines[name].value]
            )
            if lines[name].reason:
                document.yaml_add_eol_comment(shown(lines[name].reason, LINE), name, column=0)
    yaml = YAML()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(document, stream)
    return "".join([*_commented([head]), stream.getvalue(), "\n" if tail else "", *_commented(tail)])


def plain_source(
    head: Mapping[str, str], proposals: Sequence[Proposal], language: Language, *, depth: int = 1
) -> CommentedMap:
    """A source of kind `files` or `database` with its tables.

    Parameters
    ----------
    head
        Its keys before the tables: kind, and path or address.
    depth
        How deep it stands in the document, for its comments.
    """
    source = CommentedMap(head)
    tables = CommentedMap()
    last = {each.look.name: each for each in proposals}
    for name in dict.fromkeys(each.table for each in proposals):
        parts = [each for each in proposals if each.table == name]
        indent = 2 * (depth + 2) + (2 if len(parts) > 1 else 0)
        made = [
            _table(each, unused(each, proposals) if last[each.look.name] is each else (), language, indent=indent)
            for each in parts
        ]
        tables[name] = made[0] if len(made) == 1 else CommentedSeq(made)
    source["tables"] = tables
    return source


def merged_source(sources: Mapping[str, CommentedMap], people: str) -> CommentedMap:
    """Several systems, one of which has the list of people."""
    return CommentedMap({"kind": "merged", "sources": CommentedMap(sources), "people": people})


def unused(given: Proposal, proposals: Iterable[Proposal]) -> tuple[str, ...]:
    """The headers of an export that none of its tables mention."""
    said = {header for each in proposals if each.look.name == given.look.name for header in mentioned(each.mapping)}
    return tuple(header for header in given.look.headers if header not in said)


def shown(text: str, longest: int = SHOWN) -> str:
    """Text on one line of a comment, cut where it is long, without what a line may not hold."""
    line = " ".join(_UNSHOWN.sub(" ", text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _table(given: Proposal, leftover: Sequence[str], language: Language, *, indent: int) -> CommentedMap:
    plain = given.mapping.model_dump(exclude_none=True, exclude_defaults=True)
    order = [name for name in TableMapping.model_fields if name in plain]
    table = CommentedMap({name: _flow(plain[name]) if name != "columns" else CommentedMap() for name in order})
    guesses = {guess.column: guess for guess in given.guesses}
    for header, targets in plain.get("columns", {}).items():
        said = _why([guesses[column] for column in as_list(targets) if column in guesses], language)
        table["columns"][_flow(header)] = _flow(targets)
        if said and len(header) <= SIMPLE_KEY and shown(header) == header:
            table["columns"].yaml_add_eol_comment(said, header, column=0)
        elif said:
            table["columns"].yaml_set_comment_before_after_key(header, before=said, indent=indent + 2)
    lists = {"leftover": ", ".join(map(shown, leftover)), "dropped": "; ".join(map(shown, given.dropped))}
    texts = [say(f"init.beside.{name}", language, names=names) for name, names in lists.items() if names]
    if texts and "columns" in table:
        before = "\n".join(line for text in texts for line in _wrapped(text, indent))
        table.yaml_set_comment_before_after_key("columns", before=before, indent=indent)
    return table


def _why(guesses: Sequence[Guess], language: Language) -> str:
    """Why a header is taken for these columns, and how sure that is; columns are named where reasons differ."""
    columns: dict[str, list[str]] = {}
    for guess in guesses:
        columns.setdefault(say(f"init.reason.{guess.reason}", language), []).append(guess.column)
    if len(columns) < 2:
        return "".join(columns)
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in columns.items())


def _flow(value: Any) -> Any:
    """Plain containers as YAML's own; short ones on one line."""
    made: CommentedMap | CommentedSeq
    if isinstance(value, dict):
        made = CommentedMap({_flow(key): _flow(child) for key, child in value.items()})
    elif isinstance(value, list):
        made = CommentedSeq([_flow(child) for child in value])
    else:
        return DoubleQuotedScalarString(value) if isinstance(value, str) and _MISREAD.search(value) else value
    if len(repr(value)) < LINE and "\n" not in str(value):
        made.fa.set_flow_style()
    return made


def _commented(texts: Iterable[str]) -> list[str]:
    return [f"# {line}\n" for text in texts for line in _wrapped(shown(text, 4000), 0)]


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(text, LINE - indent, break_long_words=False) or [""]
