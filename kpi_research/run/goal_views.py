"""What a page says of goals: each target of an entity in a period beside its results, its past and its funnel."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kpi_research.appraisal.decompose import Split
from kpi_research.appraisal.goal import Goal, links, spread_of
from kpi_research.appraisal.reachable import Outlook, chance_of, outlook
from kpi_research.appraisal.reconcile import Reconciliation, reconcile
from kpi_research.appraisal.season import Season, season_of
from kpi_research.appraisal.standing import GoalNeed, GoalView, Standing, due_by
from kpi_research.kpis.definition import Kpi
from kpi_research.panel import COMPANY, Level, panel
from kpi_research.periods import MONTHS_IN, ONE_DAY, Grain, Period, working_days
from kpi_research.run.goals import SEED, expected_roster, history, need_of

if TYPE_CHECKING:
    from kpi_research.run.client import Client

MONTHS_OF_A_YEAR = 12
SIGNED = "signed_amount"
"""The measure whose parts are deals of the funnel."""


def goals_of(client: Client, period: Period, *, team: str | None = None, goals: Sequence[Goal] = ()) -> GoalView | None:
    """What a page says of the goals of the company or of a team in a period, None where it has no target.

    Parameters
    ----------
    goals
        Of the client: their indicators are shown beside.
    """
    level: Level = "team" if team else "company"
    entity = team or COMPANY
    standings = standings_of(client, period, level, entity)
    if not standings:
        return None
    as_of = standings[0].as_of
    beside = indicators_of(client, goals, period, level=level, entity=entity, as_of=as_of)
    return GoalView(standings, beside, _need(client, period.shift(1), level, entity))


def offers_of(
    client: Client, split: Split, offers: pd.DataFrame, period: Period, *, team: str | None = None
) -> Reconciliation:
    """People's own numbers beside what the goal asks of them in a period; of a team's members only, if one is named.

    Parameters
    ----------
    offers
        `person_id, amount`.

    Raises
    ------
    InputError
        If the goal has no parts of people in the period, or an offer is no number or stands twice.
    """
    roster = expected_roster(client, period.start, period.end - ONE_DAY)
    teams = dict(zip(roster["person_id"], roster["team_id"], strict=True))
    if team is not None:
        teams = {person: own for person, own in teams.items() if own == team}
        rows = split.rows[(split.rows["scope"] != "person") | split.rows["scope_id"].isin(teams)]
        split, offers = replace(split, rows=rows), offers[offers["person_id"].isin(teams)]
    return reconcile(split, offers, period=period.name, teams=teams)


def standings_of(client: Client, period: Period, level: Level, entity: str) -> tuple[Standing, ...]:
    """Where each target of an entity stands, from the targets that the client's tables hold.

    A chance is reckoned from what was before the period where that is over, and otherwise from what was before today.
    """
    targets = {kpi: base for (who, kpi), base in client.targets(period, level).items() if who == entity}
    targets = {kpi: base for kpi, base in targets.items() if kpi in client.kpis}
    if not targets:
        return ()
    as_of = min(period.end - ONE_DAY, client.data.parts.until)
    is_over = as_of == period.end - ONE_DAY
    seen_until = period.start - ONE_DAY if is_over else max(as_of, period.start - ONE_DAY)
    reached = _reached(client, list(targets), period, as_of, level, entity)
    outlooks = _outlooks(client, targets, period, seen_until, level, entity)
    dues = _dues(client, targets, period, as_of)
    found = []
    for kpi, base in targets.items():
        definition, grain = client.kpis[kpi], _grain(client.kpis[kpi], period)
        stretch, band = _beside(client.data.targets, period, level, entity, kpi, base)
        so_far = 0.0 if is_over or grain != "month" or np.isnan(reached[kpi]) else reached[kpi]
        base_chance, stretch_chance = (
            chance_of(
                outlooks[kpi], target, direction=definition.direction, so_far=so_far,
                whole=definition.unit == "count" and definition.denominator is None,
            )
            for target in (base, stretch)
        )  # fmt: skip
        found.append(
            Standing(
                kpi, spread_of(definition), definition.direction, period, as_of, base, stretch, band, reached[kpi],
                dues.get(kpi, base), outlooks[kpi], base_chance, stretch_chance, grain,
            )
        )  # fmt: skip
    return tuple(found)


def _grain(kpi: Kpi, period: Period) -> Grain:
    """Sums are forecast month by month; what is no sum, by periods as long as the goal's."""
    return "month" if spread_of(kpi) == "split" else period.grain


def _beside(
    targets: pd.DataFrame, period: Period, level: Level, entity: str, kpi: str, base: float
) -> tuple[float, float]:
    """Stretch and band of the version whose base holds; null and zero without."""
    rows = targets[(targets["scope"] == level) & (targets["period"] == period.name) & (targets["kpi"] == kpi)]
    rows = rows[(rows["base"] == base) & ((level == "company") | (rows["scope_id"] == entity))]
    held = rows.sort_values("effective_from", na_position="first").iloc[-1]
    return float(held["stretch"]), float(held["band"]) if pd.notna(held["band"]) else 0.0


def _reached(
    client: Client, kpis: Sequence[str], period: Period, as_of: dt.date, level: Level, entity: str
) -> dict[str, float]:
    """What the period has brought up to a day; null without data."""
    if as_of < period.start:
        return dict.fromkeys(kpis, float("nan"))
    upto = {"period": [period.name], "start": [pd.Timestamp(period.start)], "end": [pd.Timestamp(as_of + ONE_DAY)]}
    rows = panel(client.data.parts.only(kpis).of(level, [entity]), pd.DataFrame(upto), level)
    values = rows[rows["entity_id"] == entity].set_index("kpi")["value"].astype(float)
    return {kpi: float(values.get(kpi, float("nan"))) for kpi in kpis}


def _outlooks(
    client: Client, kpis: Mapping[str, float], period: Period, last: dt.date, level: Level, entity: str
) -> dict[str, Outlook]:
    """By KPI, what the months after a day may bring together, or the next period of what is no sum."""
    found: dict[str, Outlook] = {}
    ahead = [month for month in period.split("month") if month.end > last + ONE_DAY]
    days = _person_days(client, [(max(month.start, last + ONE_DAY), month.end) for month in ahead], last, level, entity)
    for grain in ("month", period.grain):
        names = [kpi for kpi in kpis if _grain(client.kpis[kpi], period) == grain and kpi not in found]
        for kpi, past in history(client, names, level=level, entity=entity, last=last, grain=grain).items():
            is_sum = spread_of(client.kpis[kpi]) == "split"
            found[kpi] = outlook(
                past["value"].to_numpy(),
                ahead=len(ahead) if is_sum else 1,
                rng=np.random.default_rng(SEED),
                cycle=MONTHS_OF_A_YEAR // MONTHS_IN[grain],
                exposure=past["working_days"].to_numpy() if is_sum else None,
                exposure_ahead=days if is_sum else None,
                positive=is_sum and bool((past["value"] >= 0).all()),
            )
    return found


def _person_days(
    client: Client, spans: Sequence[tuple[dt.date, dt.date]], last: dt.date, level: Level, entity: str
) -> np.ndarray:
    """Person-days of an entity in each span (its last day apart), as expected on a day."""
    if not spans:
        return np.empty(0)
    roster = expected_roster(client, spans[0][0], spans[-1][1] - ONE_DAY, as_of=last)
    own = roster if level == "company" else roster[roster[f"{level}_id"] == entity]
    inside = [(own["day"] >= pd.Timestamp(start)) & (own["day"] < pd.Timestamp(end)) for start, end in spans]
    return np.array([float(own.loc[each, "working"].sum()) for each in inside])


def _dues(client: Client, kpis: Mapping[str, float], period: Period, as_of: dt.date) -> dict[str, float]:
    """By KPI that is a sum, what of its target should have come by a day, by the company's season before the period."""
    sums = [kpi for kpi in kpis if spread_of(client.kpis[kpi]) == "split"]
    past = history(client, sums, level="company", entity=COMPANY, last=period.start - ONE_DAY)
    days = pd.DatetimeIndex(working_days(client.settings.calendar, period.start, period.end - ONE_DAY))
    seasons: dict[str, Season] = {kpi: season_of(rows["value"]) for kpi, rows in past.items()}
    return {kpi: due_by(kpis[kpi], period, as_of, seasons[kpi].weights, days) for kpi in sums}


def indicators_of(
    client: Client, goals: Sequence[Goal], period: Period, *, level: Level, entity: str, as_of: dt.date
) -> pd.DataFrame:
    """Monthly targets beside the goals of a period, and what an average month has brought: see `GoalView.indicators`.

    A sum is divided by the months so far, begun months by their days, and for a target of each person by the people
    who were there; anything else is shown as it is.
    """
    starts = client.settings.fiscal_year_starts
    meant = [
        goal for goal in goals
        if Period.parse(goal.period, starts).start <= period.start < Period.parse(goal.period, starts).end
    ]  # fmt: skip
    rows = links(meant)
    rows = rows[rows["monthly"].notna() & rows["per"].isin({level, "person"})].reset_index(drop=True)
    if rows.empty:
        return rows.assign(actual=pd.Series(dtype=float))
    reached = _reached(client, sorted(set(rows["indicator"])), period, as_of, level, entity)
    months = sum(_done(month, as_of) for month in period.split("month"))
    roster = expected_roster(client, period.start, as_of)
    own = roster if level == "company" else roster[roster[f"{level}_id"] == entity]
    people = own["working"].sum() / max(1, own.loc[own["working"] > 0, "day"].nunique())
    actual = [
        reached[row.indicator] / (months * (people if row.per == "person" else 1))
        if spread_of(client.kpis[row.indicator]) == "split" and months > 0 and people > 0
        else reached[row.indicator]
        for row in rows.itertuples()
    ]
    return rows.assign(actual=actual)


def _done(month: Period, as_of: dt.date) -> float:
    days = (month.end - month.start).days
    return min(max((as_of + ONE_DAY - month.start).days, 0), days) / days


def _need(client: Client, following: Period, level: Level, entity: str) -> GoalNeed | None:
    """What the next period's target of signed amounts takes of the funnel; None where there is none."""
    base = client.targets(following, level).get((entity, SIGNED))
    if client.data.funnel is None or base is None or not base > 0:
        return None
    team = None if level == "company" else entity
    share = _share_of_deals(client, following.start - ONE_DAY, level, entity)
    if not share > 0:
        return None
    return GoalNeed(need_of(client, base * share, following, team=team), following, base, share)


def _share_of_deals(client: Client, last: dt.date, level: Level, entity: str) -> float:
    """Which part of the amounts signed in the last twelve months were won deals; the rest is renewals and the like."""
    signed = history(client, [SIGNED], level=level, entity=entity, last=last)[SIGNED]["value"].tail(MONTHS_OF_A_YEAR)
    if client.data.funnel is None or not signed.sum() > 0:
        return float("nan")
    cases = client.data.funnel.cases
    won = cases[(cases["part"] == "deals") & (cases["outcome"] == "won") & cases["closed_at"].notna()]
    won = won if level == "company" else won[won["team_id"] == entity]
    inside = won["closed_at"].dt.strftime("%Y-%m").isin(signed.index)
    return min(1.0, float(won.loc[inside, "amount"].sum()) / float(signed.sum()))
