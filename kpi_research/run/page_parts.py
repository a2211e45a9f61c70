"""What a report shows beside scores and verdicts; each part is made for the reports that show it, and for no other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from kpi_research.customers.overview import CustomerValue
from kpi_research.periods import ONE_DAY, Period
from kpi_research.report.data import PageData
from kpi_research.run.bench_file import kept_bench
from kpi_research.run.change_studies import changes_seen, claims_answered
from kpi_research.run.client import Client
from kpi_research.run.customers import WITH_CUSTOMERS, customers_of, models_of, team_members
from kpi_research.run.deals import deals_of
from kpi_research.run.funnels import summary_of
from kpi_research.run.gaming_file import gaming_of
from kpi_research.run.goal_views import goals_of
from kpi_research.run.luck import luck_of, weights_of
from kpi_research.run.pay_file import pay_on_file
from kpi_research.run.person_scores import person_scores
from kpi_research.run.settings import Notebook
from kpi_research.run.studies import study_of
from kpi_research.run.told import told_of
from kpi_research.run.warnings import warnings_of


def make_ahead(client: Client, period: Period, notebooks: Collection[str]) -> None:
    """What several pages share, made once before several processes would make it at the same time."""
    study_of(client, period)
    if {"appraisal", "evidence"} & set(notebooks):
        deals_of(client, period)
        gaming_of(client, period)
    if set(WITH_CUSTOMERS) & set(notebooks):
        models_of(client, period)
    if "appraisal" in notebooks:
        warnings_of(client, _looked_on(client, period))
    if "scorecard" in notebooks:
        for each in (period.shift(-1), period):
            person_scores(client, each)


def with_parts(data: PageData, client: Client, report: Notebook) -> PageData:
    """The page's data with the parts of its report, cut to its reader."""
    team = data.entity_id if data.level == "team" else None
    analyst = data.audience == "analyst"
    parts: dict[str, Any] = {}
    if report == "appraisal":
        parts = {
            "funnel": summary_of(client, data.period, team, data.audience),
            "customers": _customers(client, data, team),
            "goals": goals_of(client, data.period, team=team, goals=client.settings.goals),
            "luck": luck_of(client, data.period, team) if team or analyst else None,
            "told": told_of(client, data.period, data.level, data.entity_id),
            "deals": deals_of(client, data.period),
            "gaming": gaming_of(client, data.period),
            "warnings": warnings_of(client, _looked_on(client, data.period), team=team) if team else None,
            "pay": pay_on_file(client, data.period, team) if team else None,
        }
    elif report == "scorecard":
        parts = {"told": told_of(client, data.period, data.level, data.entity_id)}
    elif report == "evidence":
        parts = {
            "bench": kept_bench(client) if analyst else None,
            "deals": deals_of(client, data.period),
            "changes": changes_seen(client, data.period, data.study),
            "claims": claims_answered(client, data.period),
            "gaming": gaming_of(client, data.period),
            "weights": weights_of(client, data.period),
        }
    return replace(data, **parts)


def _looked_on(client: Client, period: Period) -> dt.date:
    """The day that warnings are of: of the last period reported that of the latest data, of others their own last."""
    last = client.reported_quarters()[-1]
    return client.data.parts.until if period == last else period.end - ONE_DAY


def _customers(client: Client, data: PageData, team: str | None) -> CustomerValue | None:
    """Customers of the team's members; single ones of the whole company are for analysts only."""
    found = customers_of(client, data.period, team_members(client, data.period, team) if team else None)
    if found is None or team or data.audience == "analyst":
        return found
    return replace(found, customers=found.customers.iloc[:0])
