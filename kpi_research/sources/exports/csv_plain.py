"""Files without quotes, proved by their bytes: every line a record, every record as wide as the header, none blank.

Then no reader can understand the file differently, and its records are its lines. Looking at bytes costs a tenth of
having the engine count rows. Memory is bounded by `PIECE` and the longest line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kpi_research.crm.engine import SPACE

PIECE = 1 << 20
LONGEST = 1 << 20
"""Bytes of a line; the engine refuses lines of twice as many."""
NEWLINE, RETURN = b"\n\r"
BLANK_STARTS = np.array(sorted({mark.encode()[0] for mark in SPACE}), dtype=np.uint8)
"""First bytes of what surrounds text without being part of it."""


def plain_records(path: Path, skip: int, delimiter: str, width: int) -> int | None:
    """How many records follow the skipped lines, or None where quotes, ends or blanks need another look.

    Parameters
    ----------
    path
        A file in UTF-8.
    width
        Number of columns.
    """
    end = _end_of_lines(path, skip)
    if end is None:
        return None
    count = 0
    for lines in _whole_lines(path, skip, end):
        if b'"' in lines or len(lines) > PIECE + LONGEST:
            return None
        codes = np.frombuffer(lines, np.uint8)
        breaks = np.flatnonzero(codes == NEWLINE)
        if not _ends_alike(codes, breaks, end) or not _is_rectangular(codes, breaks, delimiter, width):
            return None
        if _has_blank(lines, codes, breaks, delimiter):
            return None
        count += len(breaks)
    return count


def _end_of_lines(path: Path, skip: int) -> bytes | None:
    """What the skipped lines end with; None where they differ or have a return within them."""
    with path.open("rb") as file:
        skipped = [file.readline(LONGEST) for _ in range(skip)]
    ends = {line[len(line.rstrip(b"\r\n")) :] for line in skipped}
    is_known = ends <= {b"\n"} or ends == {b"\r\n"}
    return ends.pop() if is_known and ends and not any(b"\r" in line.rstrip(b"\r\n") for line in skipped) else None


def _whole_lines(path: Path, skip: int, end: bytes) -> Iterator[bytes]:
    """The file in pieces that end with a line; the last line gets an end if it has none."""
    with path.open("rb") as file:
        for _ in range(skip):
            file.readline()
        rest = b""
        while piece := file.read(PIECE):
            head, found, tail = piece.rpartition(b"\n")
            if found:
                yield rest + head + found
                rest = tail
            else:
                rest += piece
            if len(rest) > LONGEST:
                break
        if rest:
            yield rest + end


def _ends_alike(codes: npt.NDArray[np.uint8], breaks: npt.NDArray[np.intp], end: bytes) -> bool:
    """Whether every line of a piece ends so, and none has a return within it."""
    returns = int(np.count_nonzero(codes == RETURN))
    if end == b"\n":
        return returns == 0
    return returns == len(breaks) and breaks[0] > 0 and bool((codes[breaks - 1] == RETURN).all())


def _is_rectangular(codes: npt.NDArray[np.uint8], breaks: npt.NDArray[np.intp], delimiter: str, width: int) -> bool:
    """Whether each line has as many cells as the header."""
    borders = np.flatnonzero((codes == ord(delimiter)) | (codes == NEWLINE))
    return len(borders) == width * len(breaks) and bool((borders[width - 1 :: width] == breaks).all())


def _has_blank(lines: bytes, codes: npt.NDArray[np.uint8], breaks: npt.NDArray[np.intp], delimiter: str) -> bool:
    """Whether a line has nothing but delimiters and space; only those that begin so are read."""
    starts = np.concatenate(([0], breaks[:-1] + 1))
    first = codes[starts]
    nothing = SPACE + delimiter
    doubtful = np.flatnonzero((first == ord(delimiter)) | np.isin(first, BLANK_STARTS))
    return any(not lines[starts[i] : breaks[i]].decode().strip(nothing) for i in doubtful)
