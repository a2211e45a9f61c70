"""Ratings and audits, which are given for a whole period: rows of the table `ratings` by the last day of theirs."""

from __future__ import annotations

from collections.abc import Callable

import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.named_periods import last_day_of


def ratings_of(kpi: str) -> Callable[[Crm], ir.Table]:
    """What others than the person rated gave for one KPI, with `rated_on`; without a highest mark it says nothing.

    Nobody's own rating counts: who is appraised by a figure does not set it.
    """

    def rows(crm: Crm) -> ir.Table:
        given = crm.ratings.mutate(rated_on=last_day_of(crm.ratings.period))
        return given.filter(given.kpi == kpi, given.rater != "self", given.scale_max > 0)

    return rows


def rating_on_scale_of_100(rows: ir.Table) -> ir.NumericValue:
    """A rating as points of a hundred."""
    return rows.score / rows.scale_max * 100.0
