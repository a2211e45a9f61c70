"""The last bench of a client, kept beside its stored data for the analyst's report."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from pathlib import Path

from kpi_research import evidence
from kpi_research.evidence.benched import Benched
from kpi_research.evidence.worlds import Kind
from kpi_research.run.client import Client

KEPT = "bench.json"
"""Beside a client's stored data: what it says depends on their size, on the plan and on the evidence room's code."""
EVIDENCE = Path(evidence.__file__).parent


def keep(found: Benched, client: Client) -> None:
    """Keep a bench for the analyst's report; of each kind of world the last one."""
    path = client.data.folder.parent / KEPT
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    building = path.with_suffix(f".{os.getpid()}.part")
    made = {**found.as_dict(), "code": _evidence_code()}
    building.write_text(json.dumps({**kept, found.world.kind: made}, indent=1), encoding="utf-8")
    building.replace(path)


def kept_bench(client: Client, kind: Kind = "published") -> Benched | None:
    """The client's last bench in one kind of world; None if there is none, or the study has changed since."""
    path = client.data.folder.parent / KEPT
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if kind not in kept or kept[kind].pop("code") != _evidence_code():
        return None
    found = Benched.from_dict(kept[kind])
    return found if found.plan == client.plan() else None


def bench_digest(client: Client) -> str:
    """SHA-256 of what is kept, by which a report sees that it is no longer current; empty without a bench."""
    path = client.data.folder.parent / KEPT
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


@functools.cache
def _evidence_code() -> str:
    """SHA-256 of the files by which KPIs are judged."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(EVIDENCE.glob("*.py")))).hexdigest()
