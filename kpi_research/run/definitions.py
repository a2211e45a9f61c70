"""What numbers were made by, so that two runs can tell whether they mean the same: the scheme, and each KPI."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from pydantic import ValidationError

from kpi_research.appraisal.scheme import Scheme
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Kpi
from kpi_research.periods import Period
from kpi_research.run.client import Client

DATA_FIELDS = (
    "kind", "unit", "direction", "aggregation", "who", "when", "until", "matures_after_days", "history_days", "levels",
    "min_cases",
)  # fmt: skip


def definitions_of(client: Client, period: Period) -> dict[str, Any]:
    """The scheme, or its versions that had begun by a period's end, in full; and a fingerprint of each KPI that is
    scored, studied, their outcome or a negative control.
    """
    begun = [version for version in client.versions if version.effective_from < period.end]
    schemes = [client.scheme, *(version.scheme for version in begun)]
    scored = [kpi for scheme in schemes if isinstance(scheme, Scheme) for kpi in scheme.kpis]
    names = [*scored, *(kpi.name for kpi in client.predictors())]
    wanted = sorted({*names, client.settings.outcome, *client.settings.negative_controls})
    return {
        "scheme": client.scheme.model_dump(mode="json") if client.scheme else None,
        "versions": [version.model_dump(mode="json") for version in begun],
        "kpis": {name: fingerprint_of(client.kpis[name]) for name in wanted},
        "ibis": version("ibis-framework"),
    }


def is_same_scheme(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> bool:
    """Whether two schemes, as `definitions_of` keeps them, say the same: what a later version of the package asks
    beside counts as left out.
    """
    if before is None or after is None:
        return before is after
    try:
        return Scheme.model_validate(before) == Scheme.model_validate(after)
    except ValidationError:
        return False


def kpis_that_differ(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str] | None:
    """KPIs of two `definitions_of` that count something else; those of one only are none of them.

    None where it cannot be told: another version of Ibis writes the same expression otherwise.
    """
    if before.get("ibis") is None or before["ibis"] != after.get("ibis"):
        return None
    old, new = before["kpis"], after["kpis"]
    return sorted(name for name in {*old} & {*new} if old[name] != new[name])


def fingerprint_of(kpi: Kpi) -> str:
    """Of what a KPI counts, in 16 hexadecimal digits: its expressions written out, and what else decides its value."""
    rows = kpi.rows(Crm.unbound())
    parts = [kpi.numerator(rows), *([kpi.denominator(rows)] if kpi.denominator else [])]
    counted = rows.mutate(**{f"part{number}": part for number, part in enumerate(parts)})
    told = [repr(counted), *(f"{name}={getattr(kpi, name)}" for name in DATA_FIELDS)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
