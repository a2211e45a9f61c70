"""Which sales KPIs really predict results, and appraisals that can be defended.

Rows from a CRM become canonical tables, tables become a KPI panel, the panel becomes scores and findings, scores and
findings become the blocks of a page. Data flow one way:

- ``open_client("params/acme.yaml")`` reads a client and holds its tables to the contract (`crm`, `sources`);
- ``client.panel(every="month", level="person")`` is the long table of KPIs (`kpis`, `panel`);
- ``study(panel, outcome="signed_amount")`` says which process KPIs predict results, and when
  it cannot tell (`evidence`); ``plot(study, "visits")`` shows one KPI by lag;
- ``client.score(period="2026Q3")`` scores people or teams against the client's scheme (`appraisal`);
- ``open_page(...)`` is what a report notebook calls, one block a cell (`report`, `run`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kpi_research.evidence.study import Plan, Study, study
    from kpi_research.report.lag_picture import plot
    from kpi_research.run.client import Client, open_client
    from kpi_research.run.pages import open_page

__version__ = "0.1.0"
__all__ = ["Client", "Plan", "Study", "open_client", "open_page", "plot", "study"]

_HOMES = {
    "Client": "kpi_research.run.client",
    "open_client": "kpi_research.run.client",
    "open_page": "kpi_research.run.pages",
    "plot": "kpi_research.report.lag_picture",
    "Plan": "kpi_research.evidence.study",
    "Study": "kpi_research.evidence.study",
    "study": "kpi_research.evidence.study",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `--help` does not wait for pandas."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
