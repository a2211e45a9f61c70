"""A simulated client: a Chinese B2B software company as canonical tables, and the truth that was planted in it.

The rooms of the machine are in `simulation/`. The roster starts with the data; a few yearly contracts are older, so
that renewals fall due from the first quarter on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpi_research.sources.simulation.calendar import Calendar
from kpi_research.sources.simulation.causes import draw_causes
from kpi_research.sources.simulation.company import Company, PlantedTruth, planted
from kpi_research.sources.simulation.deals import draw_deals
from kpi_research.sources.simulation.diary import activities_table
from kpi_research.sources.simulation.feedback import learning_table, surveys_table
from kpi_research.sources.simulation.pipeline import (
    accounts_table,
    entered_stages,
    leads_table,
    opportunities_table,
    products_table,
    stage_changes_table,
)
from kpi_research.sources.simulation.revenue import contracts_table, draw_contracts, money_tables
from kpi_research.sources.simulation.roster import (
    assignments_table,
    draw_roster,
    draw_traits,
    people_table,
    teams_table,
)
from kpi_research.sources.simulation.targets import targets_table

__all__ = ["Company", "PlantedTruth", "Simulation", "simulate"]


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated client.

    Parameters
    ----------
    tables
        Canonical tables by name; those that such a company does not keep are absent.
    truth
        What is true of its KPIs.
    """

    tables: dict[str, pd.DataFrame]
    truth: tuple[PlantedTruth, ...]


def simulate(company: Company = Company()) -> Simulation:  # noqa: B008 - frozen
    """The tables of a company and the truth about it; the same company gives the same rows."""
    rng = np.random.default_rng(company.seed)
    calendar = Calendar.of(company)
    roster = draw_roster(company, rng)
    traits = draw_traits(roster, rng)
    causes = draw_causes(company, calendar, roster=roster, traits=traits, rng=rng)
    deals = draw_deals(calendar, causes, roster=roster, traits=traits, rng=rng)
    stages = entered_stages(deals, calendar, rng=rng)
    contracts = draw_contracts(deals, calendar, roster=roster, traits=traits, rng=rng)
    receivables, payments = money_tables(contracts, calendar, rng=rng)
    tables = {
        "people": people_table(roster, calendar, rng=rng),
        "teams": teams_table(roster),
        "assignments": assignments_table(roster, calendar),
        "accounts": accounts_table(deals, calendar, roster=roster, rng=rng),
        "products": products_table(),
        "leads": leads_table(deals, calendar, roster=roster, rng=rng),
        "opportunities": opportunities_table(deals, stages, calendar=calendar, roster=roster, traits=traits, rng=rng),
        "stage_changes": stage_changes_table(deals, stages, calendar=calendar, rng=rng),
        "activities": activities_table(deals, causes, calendar=calendar, roster=roster, traits=traits, rng=rng),
        "contracts": contracts_table(contracts, deals, calendar=calendar, roster=roster, rng=rng),
        "receivables": receivables,
        "payments": payments,
        "surveys": surveys_table(deals, calendar, roster=roster, traits=traits, rng=rng),
        "learning": learning_table(causes, calendar, roster=roster, rng=rng),
        "targets": targets_table(company, contracts, calendar=calendar, roster=roster, traits=traits, rng=rng),
    }
    return Simulation(tables, planted(company))
