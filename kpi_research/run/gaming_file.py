"""A client's signs of working to the number, kept beside its stored data: every page of a run shows the same ones."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from kpi_research.integrity.signs import GamingSigns, Histogram, Sign
from kpi_research.periods import Period
from kpi_research.run.gaming import signs_for

if TYPE_CHECKING:
    from kpi_research.run.client import Client

ASKED = {
    "outcome", "predictors", "negative_controls", "plan", "scheme", "schemes", "window", "changes", "kpis", "calendar",
}  # fmt: skip
"""What of a client file decides on the signs, beside the stored data."""


def gaming_of(client: Client, period: Period) -> GamingSigns:
    """The signs of `gaming.signs_for`, made once for a period.

    Raises
    ------
    InputError
        If the client file names a change of a KPI or a team that there is not, or two schemes hold for somebody.
    """
    asked = client.settings.model_dump_json(include=ASKED)
    name = f"{period.name}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}.json"
    path = client.data.derived / "gaming" / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        building = path.with_suffix(f".{os.getpid()}.part")
        building.write_text(json.dumps(_as_json(signs_for(client, period))), encoding="utf-8")
        building.replace(path)
    return _from_json(json.loads(path.read_text(encoding="utf-8")))


def _as_json(found: GamingSigns) -> dict[str, Any]:
    histograms = {
        kpi: asdict(each) | {name: getattr(each, name).tolist() for name in ("edges", "counts", "smooth")}
        for kpi, each in found.histograms.items()
    }
    return {"signs": [asdict(sign) for sign in found.signs], "histograms": histograms}


def _from_json(kept: dict[str, Any]) -> GamingSigns:
    histograms = {
        kpi: Histogram(
            np.array(each["edges"]), np.array(each["counts"]), np.array(each["smooth"]),
            (each["window"][0], each["window"][1]), each["unit"],
        )
        for kpi, each in kept["histograms"].items()
    }  # fmt: skip
    return GamingSigns(tuple(Sign(**sign) for sign in kept["signs"]), histograms)
