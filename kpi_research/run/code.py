"""Fingerprints of the package's own files: what was made by other code is made again."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
DATA_CODE = (
    "crm", "sources", "kpis", "panel", "funnel", "customers", "integrity", "errors.py", "periods.py", "policy.py",
    "proportion.py", "run/store.py", "run/on_file.py", "run/deal_rows.py", "run/entry_rows.py", "evidence/deals.py",
    "evidence/fixed_effects.py", "evidence/parts.py",
)  # fmt: skip
"""What decides of stored data; who changes a report, a scheme or a test reads nothing again."""


@functools.cache
def code_fingerprint() -> str:
    """SHA-256 of all of the package's files."""
    return _digest([PACKAGE])


@functools.cache
def data_code_fingerprint() -> str:
    """SHA-256 of the files by which a client's rows become stored data."""
    return _digest([PACKAGE / name for name in DATA_CODE])


def _digest(places: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for place in places for path in (place.rglob("*") if place.is_dir() else [place])):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
