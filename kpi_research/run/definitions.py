"""What numbers were made by, so that two runs can tell whether they mean the same: the scheme, and each KPI."""

from __future__ import annotations

import hashlib
from typing import Any

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Kpi
from kpi_research.run.client import Client

DATA_FIELDS = (
    "kind", "unit", "direction", "aggregation", "who", "when", "until", "matures_after_days", "history_days", "levels",
    "min_cases",
)  # fmt: skip


def definitions_of(client: Client) -> dict[str, Any]:
    """The scheme in full, and a fingerprint of each KPI that is scored, studied or their outcome."""
    names = [*(client.scheme.kpis if client.scheme else ()), *(kpi.name for kpi in client.predictors())]
    wanted = sorted({*names, client.settings.outcome})
    return {
        "scheme": client.scheme.model_dump(mode="json") if client.scheme else None,
        "kpis": {name: fingerprint_of(client.kpis[name]) for name in wanted},
    }


def fingerprint_of(kpi: Kpi) -> str:
    """Of what a KPI counts, in 16 hexadecimal digits: its expressions written out, and what else decides its value."""
    rows = kpi.rows(Crm.unbound())
    parts = [kpi.numerator(rows), *([kpi.denominator(rows)] if kpi.denominator else [])]
    counted = rows.mutate(**{f"part{number}": part for number, part in enumerate(parts)})
    told = [repr(counted), *(f"{name}={getattr(kpi, name)}" for name in DATA_FIELDS)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
