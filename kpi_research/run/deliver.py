"""What leaves the machine: a notebook without its maker's traces, and files that appear whole or not at all."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from papermill.execute import ERROR_MARKER_TAG

TRACES = ("papermill", "execution", "widgets")


def clean(notebook: NotebookNode) -> NotebookNode:
    """The notebook as it may be handed on: the same inputs give the same bytes on every machine.

    Papermill's record (paths, times, environment) and error banners are gone, cells are numbered instead of randomly
    named, and tracebacks and warnings name files from the package's or the interpreter's folder on.
    """
    cells = [cell for cell in notebook.cells if ERROR_MARKER_TAG not in cell.metadata.get("tags", ())]
    for number, cell in enumerate(cells, start=1):
        cell.id = f"cell-{number}"
        cell.metadata = _without_traces(cell.metadata)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        for output in cell.get("outputs", ()):
            _hide_folders(output)
    metadata = _without_traces(notebook.metadata)
    metadata.get("language_info", {}).pop("version", None)
    return NotebookNode(cells=cells, metadata=metadata, nbformat=4, nbformat_minor=5)


def publish(part: Path, folder: Path) -> tuple[str, ...]:
    """Move every file made in `part` to its place in `folder`, each in one step; their names, sorted."""
    names = sorted(path.relative_to(part).as_posix() for path in part.rglob("*") if path.is_file())
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (part / name).replace(target)
    shutil.rmtree(part)
    return tuple(names)


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as UTF-8.

    Raises
    ------
    nbformat.ValidationError
        If an output is not valid in a notebook.
    """
    nbformat.validate(notebook)
    path.write_text(nbformat.v4.writes(notebook) + "\n", encoding="utf-8")


def _without_traces(metadata: NotebookNode) -> NotebookNode:
    return NotebookNode({key: value for key, value in metadata.items() if key not in TRACES})


def _hide_folders(output: NotebookNode) -> None:
    if output.output_type == "stream":
        output.text = hide_folders(output.text)
    elif output.output_type == "error":
        output.traceback = [hide_folders(line) for line in output.traceback]


def hide_folders(text: str) -> str:
    """The text with this machine's folders replaced by what they stand for."""
    for folder, name in _folders():
        text = text.replace(folder, name)
    return text


def _folders() -> Iterator[tuple[str, str]]:
    """Longest first: one may lie in another."""
    known: dict[str, Any] = {
        str(Path(__file__).parents[2]): "<project>",
        sys.prefix: "<python>",
        sys.base_prefix: "<python>",
        str(Path.home()): "~",
    }
    for folder in sorted(known, key=len, reverse=True):
        if len(folder) > 1:
            yield folder, known[folder]
