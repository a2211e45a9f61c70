"""A client file as YAML: what it says, and on which line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import YAMLError

from kpi_research.errors import InputError, Problem


class _TextualDates(RoundTripConstructor):
    """Dates stay as they are written, so that an impossible one is our complaint and not a crash."""


_TextualDates.add_constructor("tag:yaml.org,2002:timestamp", lambda self, node: self.construct_scalar(node))


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.Constructor = _TextualDates
    return yaml


def load_yaml(path: Path) -> Any:
    """The document of a file, with the lines on which its keys stand; dates as they are written.

    Raises
    ------
    InputError
        If it is not in UTF-8, no YAML, no mapping, or names a key twice.
    """
    try:
        document = _yaml().load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise InputError(Problem("source.encoding", path.name, {"tried": "utf-8"})) from None
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1
        reason = str(error.problem).split(" with ")[0].removeprefix("found duplicate key ")
        raise InputError(Problem("settings.key_twice", f"{path.name}:{line}", {"key": reason})) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}:{mark.line + 1}" if mark else path.name
        raise InputError(Problem("settings.not_yaml", where, {"reason": getattr(error, "problem", error)})) from None
    if not isinstance(document, dict):
        raise InputError(Problem("settings.not_a_mapping", path.name))
    return document


def plain(node: Any) -> Any:
    """YAML's own containers as plain ones."""
    if isinstance(node, dict):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    return node


def line_of(document: Any, keys: list[Any]) -> int:
    """The line of the deepest key that the document has."""
    line = 1
    node: Any = document
    for key in keys:
        if isinstance(node, CommentedMap) and key in node:
            line = node.lc.key(key)[0] + 1
        elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
            line = node.lc.item(key)[0] + 1
        elif isinstance(node, CommentedMap) and key == 0:
            continue  # one where several may stand
        else:
            break
        node = node[key]
    return line


def written(document: Any, keys: list[Any]) -> Iterator[str]:
    """The keys as they stand in the file: without the place of one where several may stand."""
    node: Any = document
    for key in keys:
        if isinstance(node, CommentedMap) and key == 0:
            continue
        yield str(key)
        node = node[key] if isinstance(node, CommentedMap | CommentedSeq) and _has(node, key) else None


def _has(node: Any, key: Any) -> bool:
    return key in node if isinstance(node, CommentedMap) else isinstance(key, int) and key < len(node)
