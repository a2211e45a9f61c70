"""A stretch of a text file, checked byte by byte and, where asked, written as UTF-8.

Also runs as a program. Decoding holds the interpreter's lock, so large files need several processes; a plain
interpreter that imports next to nothing starts in 20 ms, and a fork would copy the engine's threads half-way.
"""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

CHUNK = 1 << 18
"""Bytes in memory at a time."""


class Verdict(NamedTuple):
    """What was found in a stretch.

    Parameters
    ----------
    bad
        Offset in the file of the first byte that is no text in the encoding.
    nul
        Offset of the first zero character, or of the piece that holds it.
    """

    bad: int | None = None
    nul: int | None = None


def transcode(path: str, encoding: str, *, start: int, end: int, target: str | None = None) -> Verdict:
    """Check the bytes from `start` to `end`; write them to `target` as UTF-8."""
    with open(path, "rb") as source:  # noqa: PTH123
        if target is None:
            return _run(source, encoding, start, end, None)
        with open(target, "wb") as written:  # noqa: PTH123
            return _run(source, encoding, start, end, written)


def _run(source: BinaryIO, encoding: str, start: int, end: int, written: BinaryIO | None) -> Verdict:
    decoder = codecs.getincrementaldecoder(encoding)()
    for position, chunk, is_last in _chunks(source, start, end):
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, is_last)
        except UnicodeDecodeError as error:
            return Verdict(bad=position - pending + error.start)
        if "\0" in text:
            return Verdict(nul=position + max(chunk.find(b"\0"), 0))
        if written:
            written.write(text.encode())
    return Verdict()


def _chunks(source: BinaryIO, start: int, end: int) -> Iterator[tuple[int, bytes, bool]]:
    source.seek(start)
    while start < end:
        chunk = source.read(min(CHUNK, end - start))
        if not chunk:
            return
        yield start, chunk, start + len(chunk) >= end
        start += len(chunk)


if __name__ == "__main__":
    path, encoding, start, end, target = sys.argv[1:]
    sys.stdout.write(json.dumps(transcode(path, encoding, start=int(start), end=int(end), target=target)))
