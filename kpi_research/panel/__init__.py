"""F4: KPIs x entities x periods; its faces are `contributions` and `panel`."""

from kpi_research.kpis.definition import LEVELS, Level
from kpi_research.panel.as_of import contributions_as_of, recorded_kpis
from kpi_research.panel.build import contributions, last_day
from kpi_research.panel.contributions import Contributions, Part, contributions_in
from kpi_research.panel.machine import COMPANY, PANEL_COLUMNS, panel

__all__ = [
    "COMPANY",
    "LEVELS",
    "PANEL_COLUMNS",
    "Contributions",
    "Level",
    "Part",
    "contributions",
    "contributions_as_of",
    "contributions_in",
    "last_day",
    "panel",
    "recorded_kpis",
]
