"""A text file as UTF-8: its encoding seen from its bytes, every byte checked, other encodings written anew.

Memory is bounded: the file passes in pieces of `transcode.CHUNK` bytes.
"""

from __future__ import annotations

import codecs
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kpi_research.errors import InputError, Problem
from kpi_research.sources.exports import transcode
from kpi_research.sources.exports.transcode import Verdict
from kpi_research.sources.workspace import Workspace

HEAD = 1 << 16
"""Bytes from which the kind of a file is seen."""
LARGE = 1 << 26
"""Bytes from which on several processes pay."""
PROCESSES = 4
SURE = 20
"""So many characters beyond ASCII are valid UTF-8 by no accident: a bad byte after them is a fault of the file."""
GB = ("gb18030", "gbk", "gb2312")
BINARY = {
    b"PK\x03\x04": "xlsx",
    b"\xd0\xcf\x11\xe0": "xls",
    b"PAR1": "parquet",
    b"\x1f\x8b": "gzip",
    b"%PDF": "pdf",
    b"SQLite format 3": "sqlite",
}


@dataclass(frozen=True)
class TextFile:
    """A file that is UTF-8 throughout.

    Parameters
    ----------
    path
        The file itself, or a copy of it.
    name
        Of the original, for messages.
    encoding
        What the original was written in.
    """

    path: Path
    name: str
    encoding: str


def open_text(path: Path, workspace: Workspace, *, encoding: str | None = None) -> TextFile:
    """A text file as UTF-8, a copy in the workspace where it is something else.

    Parameters
    ----------
    encoding
        Tried alone when given; otherwise UTF-8, UTF-16 where a mark or the zeros show it, then GB18030.

    Raises
    ------
    InputError
        If the file is binary, holds zero characters, or bytes that are no text.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if kind := binary_kind(head):
        raise InputError(Problem("export.binary", path.name, {"kind": kind}))
    tried = [encoding] if encoding else _candidates(head)
    for name in tried:
        target = workspace.folder / f"{workspace.new_name('text')}.utf8"
        try:
            verdict, copy = _checked(path, name, target)
        except LookupError:
            raise InputError(Problem("export.no_encoding", path.name, {"encoding": name})) from None
        if verdict == Verdict():
            return TextFile(copy, path.name, name)
        target.unlink(missing_ok=True)
        if verdict.nul is not None:
            raise InputError(Problem("export.nul", path.name, {"row": _line(path, verdict.nul)}))
        if verdict.bad is not None and (encoding or _is_utf8_so_far(path, name, verdict.bad)):
            values = {"row": _line(path, verdict.bad), "encoding": name}
            raise InputError(Problem("export.bad_byte", path.name, values))
    raise InputError(Problem("source.encoding", path.name, {"tried": ", ".join(tried)}))


def binary_kind(head: bytes) -> str | None:
    """What a file that is no text is, by its first bytes."""
    return next((kind for mark, kind in BINARY.items() if head.startswith(mark)), None)


def _candidates(head: bytes) -> list[str]:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ["utf-16"]
    zeros = [head[parity::2].count(0) for parity in (0, 1)]
    for here, line_break, name in ((1, b"\n\0", "utf-16-le"), (0, b"\0\n", "utf-16-be")):
        # commas, digits and line breaks have a zero byte, always on the same side
        if zeros[here] > len(head) // 32 and not zeros[1 - here] and line_break in head:
            return [name, "utf-8"]
    return ["utf-8", "gb18030"]


def _checked(path: Path, encoding: str, target: Path) -> tuple[Verdict, Path]:
    size = path.stat().st_size
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        return transcode.transcode(str(path), "utf-8", start=0, end=size), path
    if size < LARGE or encoding.lower() not in GB:
        return transcode.transcode(str(path), encoding, start=0, end=size, target=str(target)), target
    return _in_processes(path, size, target), target


def _in_processes(path: Path, size: int, target: Path) -> Verdict:
    """GB18030 in several processes; a line break is never part of a longer character there."""
    borders = [0, *_line_starts(path, size, min(PROCESSES, os.cpu_count() or 1)), size]
    parts = [target, *(target.with_suffix(f".{i}") for i in range(1, len(borders) - 1))]
    program = [sys.executable, "-I", "-S", transcode.__file__, str(path), "gb18030"]
    running = [
        subprocess.Popen([*program, str(start), str(end), str(part)], stdout=subprocess.PIPE)  # noqa: S603
        for start, end, part in zip(borders, borders[1:], parts, strict=False)
    ]
    verdicts = [Verdict(*json.loads(process.communicate()[0])) for process in running]
    with target.open("ab") as whole:
        for part in parts[1:]:
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole, 1 << 20)
            part.unlink()
    return next((verdict for verdict in verdicts if verdict != Verdict()), Verdict())


def _line_starts(path: Path, size: int, parts: int) -> Iterator[int]:
    with path.open("rb") as file:
        for i in range(1, parts):
            file.seek(size * i // parts)
            while (piece := file.readline(transcode.CHUNK)) and not piece.endswith(b"\n"):
                pass
            yield file.tell()


def _is_utf8_so_far(path: Path, encoding: str, end: int) -> bool:
    if encoding != "utf-8":
        return False
    with path.open("rb") as file:
        file.seek(max(0, end - (1 << 20)))
        before = file.read(min(end, 1 << 20)).decode("utf-8", "ignore")
    return sum(not character.isascii() for character in before) >= SURE


def _line(path: Path, offset: int) -> int:
    """The number of the line that holds a byte."""
    count = 1
    with path.open("rb") as file:
        while offset > 0 and (piece := file.read(min(offset, 1 << 20))):
            count += piece.count(b"\n")
            offset -= len(piece)
    return count
