"""Signs of working to the number in a client's rows: every detector of every KPI that is appraised or studied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import duckdb
import ibis.expr.operations as ops
import numpy as np
import pandas as pd

from kpi_research.appraisal.goals import base_targets
from kpi_research.appraisal.scheme import Scheme
from kpi_research.evidence.dilution import dilution
from kpi_research.evidence.fixed_effects import Codes
from kpi_research.evidence.grid import Grid, grid_of
from kpi_research.integrity.bunching import bunching
from kpi_research.integrity.entry_bursts import entry_bursts
from kpi_research.integrity.heaping import heaping
from kpi_research.integrity.period_end import period_end
from kpi_research.integrity.signs import LEAST_PEOPLE, FloatArray, GamingSigns, Histogram, IntArray, Sign, together
from kpi_research.kpis.catalogue import sharing_records
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Kpi
from kpi_research.panel import Contributions, panel
from kpi_research.panel.queries import COUNT, column
from kpi_research.periods import ONE_DAY, Grain, Period, as_intervals, working_days
from kpi_research.run import entry_rows
from kpi_research.run.weight_starts import weight_starts

if TYPE_CHECKING:
    from kpi_research.run.client import Client

SEED = 20260701
"""Fixed and of each KPI anew, so that the same data give the same intervals whatever else is looked at."""
LOOKED_BACK_MONTHS = 36
"""Longer ago than this, people and ways of working were others; dilution alone looks at everything."""
EFFECTIVE_SHARE = {"visits": "effective_visit_rate"}
"""Of counted KPIs, the KPI that says which share of them is effective."""


@dataclass(frozen=True)
class _Rows:
    """A client's rows, once for all KPIs.

    Parameters
    ----------
    grid
        KPIs, the outcome and shares of effective ones by person and month.
    months
        Panel rows of the same.
    """

    client: Client
    period: Period
    grain: Grain
    grid: Grid
    months: pd.DataFrame
    starts: Mapping[str, Codes]
    mechanical: frozenset[str]
    entries: pd.DataFrame
    daily: pd.DataFrame
    targeted: pd.DataFrame


def signs_for(client: Client, period: Period) -> GamingSigns:
    """What every detector sees of every KPI that is appraised or studied, from rows up to the period's end.

    A detector that cannot look says why. Nothing is said of single people.
    """
    kpis = _watched(client)
    months = [month for month in client.periods("month") if month.end <= period.end]
    if not months:
        return GamingSigns()
    rows = _rows(client, period, kpis, months)
    signs: list[Sign] = []
    histograms: dict[str, Histogram] = {}
    for kpi in kpis:
        rng = np.random.default_rng(SEED)
        at_target, histogram = _bunching(rows, kpi)
        if histogram is not None:
            histograms[kpi.name] = histogram
        found = (_period_end(rows, kpi, rng), _bursts(rows, kpi, rng), _heaping(rows, kpi), _dilution(rows, kpi))
        signs += [replace(sign, kpi=kpi.name) for sign in (at_target, *found)]
    return GamingSigns(together(signs), histograms)


def _watched(client: Client) -> list[Kpi]:
    """The KPIs that people may work to: those of every scheme, and those that the study asks about."""
    schemes = [client.scheme, *(version.scheme for version in client.versions)]
    names = [kpi for scheme in schemes if isinstance(scheme, Scheme) for kpi in scheme.kpis]
    return [client.kpis[name] for name in dict.fromkeys([*names, *(kpi.name for kpi in client.predictors())])]


def _rows(client: Client, period: Period, kpis: Sequence[Kpi], months: list[Period]) -> _Rows:
    names, outcome = [kpi.name for kpi in kpis], client.settings.outcome
    shares = {EFFECTIVE_SHARE[name] for name in names if name in EFFECTIVE_SHARE}
    parts = client.data.parts
    frame = panel(parts.only({*names, outcome, *shares}), as_intervals(months), "person")
    grid = grid_of(frame)
    since = max(parts.since or parts.until, months[max(0, len(months) - LOOKED_BACK_MONTHS)].start)
    entries = entry_rows.read(client.data.folder)
    seen = (entries["recorded_at"] < pd.Timestamp(period.end)) & (entries["occurred_at"] >= pd.Timestamp(since))
    daily = _daily(parts, names)
    inside = (daily["day"] >= pd.Timestamp(since)) & (daily["day"] < pd.Timestamp(period.end))
    schemes = [client.scheme, *(version.scheme for version in client.versions)]
    cycles = [scheme.cycle for scheme in schemes if isinstance(scheme, Scheme)]
    return _Rows(
        client, period, cycles[0] if cycles else "month", grid, frame,
        weight_starts(client, names, grid.people, months, period),
        frozenset([outcome, *sharing_records(outcome, names, among=client.kpis)]), entries[seen], daily[inside],
        _targeted(client, names, period),
    )  # fmt: skip


def _daily(parts: Contributions, names: Sequence[str]) -> pd.DataFrame:
    """`kpi, person_id, day, n`: how many rows of each KPI a person's day has."""
    found = [pd.DataFrame({"kpi": [], "person_id": [], "day": pd.to_datetime([]), "n": []})]
    for part in parts.parts:
        for number, kpi in enumerate(part.kpis):
            if part.aggregation == "sum" and kpi in names:
                count = column(COUNT, number)
                rows = duckdb.sql(parts.rows_of(part)).filter(f"{count} > 0").order("person_id, day")
                found.append(rows.project(f"person_id, day, {count} AS n").df().assign(kpi=kpi))
    return pd.concat(found, ignore_index=True)


def _is_counted(kpi: Kpi) -> bool:
    """Whether it adds rows up, rather than being a share, a median or a state."""
    return kpi.denominator is None and kpi.aggregation == "sum"


def _bunching(rows: _Rows, kpi: Kpi) -> tuple[Sign, Histogram | None]:
    if kpi.direction == "down":
        return Sign("bunching", reason="less_is_better"), None
    if not _is_counted(kpi):
        return Sign("bunching", reason="lumpy"), None
    held = rows.targeted[rows.targeted["kpi"] == kpi.name]
    if held.empty:
        return Sign("bunching", reason="no_targets"), None
    if held["entity_id"].nunique() < LEAST_PEOPLE:
        return Sign("bunching", reason="few_people"), None
    person = pd.factorize(held["entity_id"])[0].astype(np.intp)
    actual, target = (held[name].to_numpy(dtype=float) for name in ("value", "target"))
    return bunching(actual, target, person, is_count=kpi.unit == "count")


def _targeted(client: Client, names: Sequence[str], upto: Period) -> pd.DataFrame:
    """`kpi, entity_id, value, target` of people and whole periods that have a target and a value."""
    made = [pd.DataFrame({"kpi": [], "entity_id": [], "value": [], "target": []})]
    targets, starts = client.data.targets, client.settings.fiscal_year_starts
    if targets.empty:
        return made[0]
    own = targets[targets["kpi"].isin(names) & (targets["scope"] == "person")]
    asked = [Period.parse(name, starts) for name in own["period"].unique()]
    for grain in sorted({each.grain for each in asked}):
        known = set(client.periods(grain))
        whole = sorted(each for each in asked if each in known and each.end <= upto.end)
        if not whole:
            continue
        rows = panel(client.data.parts.only(set(own["kpi"])), as_intervals(whole), "person")
        held = {
            (period.name, *key): base for period in whole for key, base in base_targets(own, period, "person").items()
        }
        keys = zip(rows["period"], rows["entity_id"], rows["kpi"], strict=True)
        rows = rows.assign(target=[held.get(key, np.nan) for key in keys])
        made.append(rows.loc[rows["status"] == "ok", ["kpi", "entity_id", "value", "target"]].dropna())
    return pd.concat(made, ignore_index=True)


def _period_end(rows: _Rows, kpi: Kpi, rng: np.random.Generator) -> Sign:
    if not _is_counted(kpi):
        return Sign("period_end", reason="not_a_count")
    own = rows.daily[rows.daily["kpi"] == kpi.name]
    if own.empty:
        return Sign("period_end", reason="too_few")
    if own["person_id"].nunique() < LEAST_PEOPLE:
        return Sign("period_end", reason="few_people")
    counts, ends = _around(rows, own)
    return period_end(counts, ends, rng=rng)


def _around(rows: _Rows, own: pd.DataFrame) -> tuple[FloatArray, IntArray]:
    """Counts by person and working day, and the first working day after each end.

    What was done on a day of rest counts on the working day before, or on the next where that lies in another period.
    """
    starts = rows.client.settings.fiscal_year_starts
    first, last = own["day"].min().date(), rows.period.end - ONE_DAY
    begin = Period.containing(first, rows.grain, starts)
    periods = [begin]
    while periods[-1].end <= last:
        periods.append(periods[-1].shift(1))
    begins = np.array([each.start for each in periods], dtype="datetime64[D]")
    days = working_days(rows.client.settings.calendar, begin.start, rows.period.end)
    at = own["day"].to_numpy().astype("datetime64[D]")
    before = np.maximum(np.searchsorted(days, at, side="right") - 1, 0)
    own_begin = begins[np.searchsorted(begins, at, side="right") - 1]
    place = np.where(days[before] >= own_begin, before, np.searchsorted(days, at))
    person, people = pd.factorize(own["person_id"])
    counts = np.zeros((len(people), len(days)))
    np.add.at(counts, (person, np.minimum(place, len(days) - 1)), own["n"].to_numpy(dtype=float))
    ends = np.searchsorted(days, begins[1:]).astype(np.intp)
    # nothing is known of days before the first row, so that an end is looked at only where the data reach around it
    known = np.searchsorted(days, np.datetime64(first))
    return counts[:, known:], ends[ends > known] - known


def _bursts(rows: _Rows, kpi: Kpi, rng: np.random.Generator) -> Sign:
    kinds = kinds_of(kpi)
    if not kinds:
        return Sign("entry_bursts", reason="not_a_kind")
    own = rows.entries[rows.entries["kind"].isin(kinds)].dropna(subset="person_id")
    person = pd.factorize(own["person_id"])[0].astype(np.intp)
    occurred, recorded = (own[name].to_numpy().astype("datetime64[s]") for name in ("occurred_at", "recorded_at"))
    return entry_bursts(person, occurred, recorded, rng=rng)


def kinds_of(kpi: Kpi) -> tuple[str, ...]:
    """The kinds of activities that a KPI adds up, read from its definition; none where it rests on more than these."""
    if not _is_counted(kpi) or kpi.needs != ("activities",):
        return ()
    made = kpi.rows(Crm.unbound()).op()
    told = [
        {str(each.value) for each in condition.find(ops.Literal)}
        for condition in made.find((ops.Equals, ops.InValues))
        if any(isinstance(part, ops.Field) and part.name == "kind" for part in condition.args)
    ]
    return tuple(sorted(told[0])) if len(told) == 1 else ()


def _heaping(rows: _Rows, kpi: Kpi) -> Sign:
    if not _is_counted(kpi) or kpi.unit != "count":
        return Sign("heaping", reason="not_a_count")
    own = rows.months[(rows.months["kpi"] == kpi.name) & (rows.months["status"] == "ok")]
    if own["entity_id"].nunique() < LEAST_PEOPLE:
        return Sign("heaping", reason="few_people")
    targets = rows.client.data.targets
    if len(targets):
        set_ = targets[(targets["kpi"] == kpi.name) & (targets["scope"] == "person")]
        has_target = pd.MultiIndex.from_frame(own[["entity_id", "period"]]).isin(
            pd.MultiIndex.from_frame(set_[["scope_id", "period"]])
        )
        own = own[~has_target]
    return heaping(own["value"].to_numpy(dtype=float))


def _dilution(rows: _Rows, kpi: Kpi) -> Sign:
    if not _is_counted(kpi):
        return Sign("dilution", reason="not_a_count")
    if kpi.name in rows.mechanical:
        return Sign("dilution", reason="shares_records")
    grid, outcome = rows.grid, rows.client.settings.outcome
    found = dilution(
        grid.values[outcome], grid.values[kpi.name], rows.starts[kpi.name],
        lags=rows.client.settings.plan.lags, effective=_effective(rows, kpi),
    )  # fmt: skip
    if found.p_share < found.p_slope:
        before, after = found.share_before, found.share_after
        return Sign("dilution", rate=after, expected=before, p=found.p, n=found.n, measure="effective")
    usual = 1.0 if np.isfinite(found.worth) else np.nan
    ends = (found.worth, found.worth_low, found.worth_high)
    return Sign("dilution", *ends, usual, found.p, found.n, reason=found.reason, measure="worth")


def _effective(rows: _Rows, kpi: Kpi) -> tuple[FloatArray, FloatArray] | None:
    """Effective ones and all that were judged, by person and month; None where that is not recorded."""
    share = rows.months[rows.months["kpi"] == EFFECTIVE_SHARE.get(kpi.name, "")]
    share = share[(share["denominator"] > 0) & share["entity_id"].isin(rows.grid.people)]
    if share.empty:
        return None
    people, periods = pd.Index(rows.grid.people), pd.Index(rows.grid.periods)
    where = people.get_indexer(share["entity_id"]), periods.get_indexer(share["period"])
    made = [np.full((len(people), len(periods)), np.nan) for _ in range(2)]
    for cells, name in zip(made, ("numerator", "denominator"), strict=True):
        cells[where] = share[name].to_numpy(dtype=float)
    return made[0], made[1]
