"""The KPIs that a client file names for its study: that there are such, and that none stands where it says nothing."""

from __future__ import annotations

from collections.abc import Iterator

from kpi_research.errors import InputError, Problem
from kpi_research.kpis.catalogue import find_kpis, sharing_records
from kpi_research.run.on_file import predictors_of
from kpi_research.run.settings import ClientFile, kpis_of


def problems_of_names(settings: ClientFile, where: str) -> list[Problem]:
    """What is wrong with outcome, predictors and negative controls; unknown names alone where there are any."""
    predictors = settings.predictors if isinstance(settings.predictors, list) else []
    try:
        find_kpis([settings.outcome, *predictors, *settings.negative_controls], where, among=kpis_of(settings))
    except InputError as error:
        return error.problems
    return [*_problems_of_controls(settings, where)]


def _problems_of_controls(settings: ClientFile, where: str) -> Iterator[Problem]:
    """A control that shares fields with a KPI or the outcome moves with it by definition, or by how it is recorded."""
    if not settings.negative_controls:
        return
    known, family = kpis_of(settings), [kpi.name for kpi in predictors_of(settings)]
    for control in dict.fromkeys(settings.negative_controls):
        values = {"given": control, "outcome": settings.outcome}
        shared = sharing_records(control, [settings.outcome, *family], among=known)
        if control == settings.outcome or settings.outcome in shared:
            yield Problem("study.control_shares_records", where, values)
        elif control in family:
            yield Problem("study.control_in_family", where, values)
        elif shared:
            yield Problem("study.control_shares_with_kpis", where, {**values, "kpis": ", ".join(shared)})
