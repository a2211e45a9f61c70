"""A client's predictors as they stood on file at the end of each period: what the study holds late records against."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from kpi_research.crm.contract import Contract
from kpi_research.crm.roster import UNASSIGNED
from kpi_research.kpis.definition import Kpi
from kpi_research.panel import Contributions, contributions_as_of, contributions_in, recorded_kpis
from kpi_research.panel.as_of import RECORDED, RECORDED_AT
from kpi_research.periods import Period, whole_periods
from kpi_research.policy import LEAST_TIMED
from kpi_research.run.settings import ClientFile, kpis_of


def predictors_of(settings: ClientFile) -> list[Kpi]:
    """The KPIs that the study asks about: those named, or those of the named kind, less outcome and controls."""
    known, wanted = kpis_of(settings), settings.predictors
    if isinstance(wanted, list):
        return [known[name] for name in wanted]
    apart = {settings.outcome, *settings.negative_controls}
    return [kpi for kpi in known.values() if kpi.kind == wanted and kpi.name not in apart]


def compute_on_file(
    settings: ClientFile, contract: Contract, full: Contributions, folder: Path
) -> dict[str, Any] | None:
    """Compute into a folder what `read_on_file` needs beside it; None where no predictor's records carry their time.

    Parameters
    ----------
    full
        Contributions of the same rows, whenever recorded.
    """
    predictors, tables = predictors_of(settings), _timed(contract.tables)
    recorded = recorded_kpis(tables, predictors)
    if full.since is None or not recorded:
        return None
    periods = whole_periods(full.since, full.until, settings.plan.grain, settings.fiscal_year_starts)
    if not periods:
        return None
    kpis = [kpi for kpi in predictors if kpi.name in recorded]
    made = contributions_as_of(tables, kpis, periods, country=settings.calendar, until=full.until, folder=folder)
    return {**made.meta, "kpis": [kpi.name for kpi in kpis]}


def _timed(tables: Mapping[str, ir.Table]) -> dict[str, ir.Table]:
    """The tables, without the time of recording where too many rows lack it."""
    found = dict(tables)
    for name in set(RECORDED) & set(found):
        rows = found[name]
        counts = rows.aggregate(all=rows.count(), timed=rows[RECORDED_AT].count()).to_pyarrow().to_pylist()[0]
        if counts["timed"] < LEAST_TIMED * counts["all"]:
            found[name] = rows.mutate(**{RECORDED_AT: ibis.null("timestamp")})
    return found


def read_on_file(settings: ClientFile, folder: Path, meta: dict[str, Any] | None) -> Contributions | None:
    """What `compute_on_file` left in a folder."""
    if meta is None:
        return None
    known = kpis_of(settings)
    return contributions_in(folder, meta, [known[name] for name in meta["kpis"]])


def latest_teams(parts: Contributions, upto: Period | None) -> dict[str, str]:
    """Of each person, the team of their last day up to a period's end."""
    days = parts.roster if upto is None else parts.roster[parts.roster["day"] < pd.Timestamp(upto.end)]
    last = days[days["team_id"] != UNASSIGNED].sort_values("day").groupby("person_id")["team_id"].last()
    return {str(person): str(team) for person, team in last.items()}
