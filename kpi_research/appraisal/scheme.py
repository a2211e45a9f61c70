"""A scheme: which KPIs are appraised, with which weights and bounds. Schemes are data, one YAML file each."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kpi_research.kpis.custom import Label

TEMPLATES = Path(__file__).parent / "templates"


class SchemeItem(BaseModel):
    """One appraised KPI.

    Parameters
    ----------
    weight
        Percent of the total.
    cap, floor
        Attainment above and below which points do not change (1.0 is the target).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kpi: str
    weight: float = Field(gt=0, le=100)
    cap: float = Field(1.2, ge=1, le=5)
    floor: float = Field(0.0, ge=0, lt=1)


class Scheme(BaseModel):
    """A weighted scheme; its weights sum to 100."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    label: Label
    source: str = ""
    items: tuple[SchemeItem, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _adds_up(self) -> Scheme:
        total = sum(item.weight for item in self.items)
        if abs(total - 100) > 1e-9:
            raise ValueError(f"the weights sum to {total:g}, not to 100")
        names = [item.kpi for item in self.items]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"a KPI stands twice: {', '.join(twice)}")
        return self


def template_names() -> tuple[str, ...]:
    """The schemes that come with the package."""
    return tuple(sorted(path.stem for path in TEMPLATES.glob("*.yaml")))
