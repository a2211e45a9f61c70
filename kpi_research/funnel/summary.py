"""Everything that a page says of one entity's funnel in one period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from kpi_research.funnel.bottleneck import worth_of_a_point
from kpi_research.funnel.cohort import cohort_view, past_of
from kpi_research.funnel.contact import second_contact_curve
from kpi_research.funnel.duration import stage_durations
from kpi_research.funnel.forecast import Forecast, forecast
from kpi_research.funnel.records import Records
from kpi_research.funnel.snapshot import snapshot_view
from kpi_research.funnel.stages import StageModel
from kpi_research.periods import ONE_DAY, Period

YEAR = pd.DateOffset(years=1)


@dataclass(frozen=True)
class Summary:
    """One entity's funnel in one period.

    Parameters
    ----------
    model
        The stages.
    period_cohort, year_cohort
        `cohort.cohort_view` of what was opened in the period, and in the year up to its end.
    groups
        Breakdown -> `cohort_view` of the year's deals by it.
    standing
        `snapshot.snapshot_view` at the period's end.
    durations
        `duration.stage_durations` of what entered a stage in the year up to the period's end.
    worth
        `bottleneck.worth_of_a_point` in the period; held against the other teams, or a company's own year before.
    forecast
        `forecast.forecast` at the period's end.
    contact
        `contact.second_contact_curve` of first visits in the year up to the period's end.
    undated
        Deals in no view, since their opening or closing has no day.
    """

    model: StageModel
    period_cohort: pd.DataFrame
    year_cohort: pd.DataFrame
    groups: Mapping[str, pd.DataFrame]
    standing: pd.DataFrame
    durations: pd.DataFrame
    worth: pd.DataFrame
    forecast: Forecast
    contact: pd.DataFrame
    has_contacts: bool
    undated: int = 0
    against: str = field(default="past")


def summary(
    records: Records, period: Period, *, team: str | None, breakdowns: tuple[str, ...], rng: np.random.Generator
) -> Summary:
    """The funnel of a team, or of the whole company, in a period.

    Parameters
    ----------
    records
        Of the whole company: its history tells how unfinished cases go on.
    team
        `team_id`; the company without it.
    breakdowns
        By what the year's deals are broken down (`records.BREAKDOWNS`).
    """
    start, end = pd.Timestamp(period.start), pd.Timestamp(period.end)
    own = records.of(teams=[team]) if team else records
    rest = records.cases["team_id"]
    others = records.of(teams=[each for each in rest.unique() if each != team]) if team else None
    others = others if others is not None and len(others.cases) else None
    last = min(period.end - ONE_DAY, records.until)
    past = past_of(records)
    windows = past.windows
    deals_only = replace(own, parts=("deals",))
    return Summary(
        model=records.model,
        period_cohort=cohort_view(own, start=start, end=end, rng=rng, past=past),
        year_cohort=cohort_view(own, start=end - YEAR, end=end, rng=rng, past=past),
        groups={by: cohort_view(deals_only, start=end - YEAR, end=end, rng=rng, past=past, by=by) for by in breakdowns},
        standing=snapshot_view(own, day=last, windows=windows, reference=records),
        durations=stage_durations(own, since=end - YEAR, windows=windows, reference=records),
        worth=worth_of_a_point(own, start=start, end=end, rng=rng, others=others, windows=windows),
        forecast=forecast(own, day=last, rng=rng, reference=records),
        contact=second_contact_curve(own, start=end - YEAR, end=end),
        has_contacts=len(records.contacts) > 0,
        undated=records.undated,
        against="teams" if others is not None else "past",
    )
