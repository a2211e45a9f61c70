"""How long people were employed: what an average headcount is made of."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.stacked import stacked

MONTHS_OF_A_YEAR = 12


def months_of_people(crm: Crm) -> ir.Table:
    """`person_id, day, months`: of each person and month the first day employed, and how much of it the days are.

    A full month is 1, whatever its length, so that a full year is 12. Months are those of the years in which contracts
    were signed, from the first contract on: what was before is not in the data.
    """
    months = _months(crm)
    people = crm.people.select("person_id", "hired_on", "left_on")
    pairs = people.cross_join(months)
    begins = ibis.greatest(pairs.month, pairs.hired_on.fill_null(pairs.month).truncate("D"))
    gone = pairs.left_on.truncate("D") + ibis.interval(days=1)
    ends = ibis.least(pairs.following, gone.fill_null(pairs.following))
    times = pairs.select("person_id", "month", "following", day=begins, ends=ends)
    times = times.filter(times.day < times.ends)
    days = times.ends.delta(times.day, unit="day").cast("float64")
    in_month = times.following.delta(times.month, unit="day").cast("float64")
    return times.select("person_id", "day", months=days / in_month)


def first_month(crm: Crm) -> ir.TimestampValue:
    """The month of the first contract on file."""
    return crm.contracts.signed_at.min().truncate("M").as_scalar()


def _months(crm: Crm) -> ir.Table:
    """`month, following`: the first days of months and of the ones after them."""
    years = crm.contracts.select(year=crm.contracts.signed_at.truncate("Y")).distinct()
    each = (
        years.select(
            month=years.year + ibis.interval(months=number), following=years.year + ibis.interval(months=number + 1)
        )
        for number in range(MONTHS_OF_A_YEAR)
    )
    months = stacked(*each)
    return months.filter(months.month >= first_month(crm))
