"""What all the pay comes to: how far chance may move it, what it would be if, and what another rule would move."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kpi_research.appraisal.adjusting import adjusted
from kpi_research.appraisal.attainment import FloatArray, attainment, share_earned
from kpi_research.appraisal.awards import Decision
from kpi_research.appraisal.incentives import IncentivePlan, PayCurve
from kpi_research.appraisal.payout import PayBasis, Payouts, payouts
from kpi_research.appraisal.resampling import interval
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.score import Score
from kpi_research.kpis.definition import Kpi

Scenario = Literal["ten_percent_more", "at_target", "at_stretch"]
SCENARIOS: tuple[Scenario, ...] = ("ten_percent_more", "at_target", "at_stretch")
MORE = 1.1


@dataclass(frozen=True)
class Bill:
    """The whole of what is paid, in hundredths of the currency.

    Parameters
    ----------
    cents
        As it stands, of what is known.
    low, high
        Between which it might be had the period's weeks fallen otherwise, at `policy.INTERVAL_LEVEL`: base bonuses and
        team pots move with the scores, everything else stays; null where no score can be resampled.
    people, open
        On the staff, and of them those of whom a part is not known.
    scenarios
        What it would be if everybody had 10 % more, were exactly at target, or at the stretch target where there is
        one.
    """

    cents: int
    low: float
    high: float
    people: int
    open: int
    scenarios: Mapping[Scenario, int]


@dataclass(frozen=True)
class PayView:
    """What those who may see pay are shown.

    Parameters
    ----------
    decisions
        Of each award, those without a winner included.
    moved
        Hundredths that other weights would move to other people; None where no others were held beside.
    """

    paid: Payouts
    bill: Bill
    decisions: tuple[Decision, ...] = ()
    moved: int | None = None


def bill(basis: PayBasis, paid: Payouts, plan: IncentivePlan, scheme: Scheme, kpis: Mapping[str, Kpi]) -> Bill:
    """The bill of a plan. Awards are the same in every scenario: they are given for what happened.

    Parameters
    ----------
    paid
        What `payout.payouts` made of the same.
    """
    low, high = interval(_drawn(basis, plan, paid))
    scenarios = {
        scenario: payouts(
            dataclasses.replace(
                basis,
                score=rescored(basis.score, scheme, kpis, scenario, basis.stretch),
                team_score=basis.team_score and rescored(basis.team_score, scheme, kpis, scenario, {}),
            ),
            plan,
            kpis,
        ).cents
        for scenario in SCENARIOS
    }
    count = int((paid.totals["status"] == "open").sum())
    return Bill(paid.cents, low, high, len(paid.totals), count, scenarios)


def changes_hands(before: Payouts, after: Payouts) -> int:
    """Hundredths of the currency that go to other people: half of all differences; what is open in either stays out.

    Where the sums differ too, that difference is not in it: only what moves between people.
    """
    joined = before.totals.merge(after.totals, on="person_id", suffixes=("_before", "_after"))
    joined = joined.dropna(subset=["cents_before", "cents_after"])
    moved = (joined["cents_after"] - joined["cents_before"]).astype("int64")
    return int(min(moved[moved > 0].sum(), -moved[moved < 0].sum()))


def rescored(
    score: Score, scheme: Scheme, kpis: Mapping[str, Kpi], scenario: Scenario, stretch: Mapping[tuple[str, str], float]
) -> Score:
    """Scores as they would be in a scenario; what could not be scored stays so, adjustments stay as they are.

    A share cannot rise above 1.
    """
    items = {item.kpi: item for item in scheme.weighted}
    figures = []
    for row in score.rows.itertuples():
        if row.status != "ok":
            figures.append((row.actual, row.attainment, row.points))
            continue
        kpi, item = kpis[str(row.kpi)], items[str(row.kpi)]
        actual = _actual(float(row.actual), float(row.target), kpi, scenario, stretch.get((row.entity_id, row.kpi)))
        reached = attainment(np.array([actual]), float(row.target), kpi.direction, item)
        points = item.weight * share_earned(np.array([actual]), reached, item)
        figures.append((actual, reached[0], points[0]))
    rows = score.rows.copy()
    rows[["actual", "attainment", "points"]] = np.array(figures, dtype=float).reshape(-1, 3)
    totals = score.totals.copy()
    scored = rows[rows["status"] == "ok"].groupby("entity_id")[["points", "weight"]].sum()
    plain = (scored["points"] / scored["weight"] * 100).reindex(totals["entity_id"]).to_numpy(dtype=float)
    known = totals["status"] != "not_scored"
    own = [score.adjustments[score.adjustments["entity_id"] == entity] for entity in totals["entity_id"]]
    moved = [float(adjusted(np.array([each]), of)[0]) for each, of in zip(plain, own, strict=True)]
    totals["score"] = np.where(known, moved, np.nan)
    return dataclasses.replace(score, rows=rows, totals=totals)


def _actual(actual: float, target: float, kpi: Kpi, scenario: Scenario, stretch: float | None) -> float:
    if scenario == "ten_percent_more":
        more = actual * MORE if kpi.direction == "up" else actual / MORE
        return min(1.0, more) if kpi.unit == "share" and actual <= 1 else more
    has_stretch = scenario == "at_stretch" and stretch is not None and stretch == stretch
    # steps over the value itself need no target: the figure then stays
    wanted = float(stretch) if has_stretch and stretch is not None else target
    return wanted if wanted == wanted else actual


def _drawn(basis: PayBasis, plan: IncentivePlan, paid: Payouts) -> FloatArray:
    """The bill in each resample, in hundredths."""
    fixed = float(paid.rows.loc[~paid.rows["component"].isin(["base", "team"]), "cents"].sum())
    parts: list[FloatArray] = []
    staff = basis.staff.assign(person_id=basis.staff["person_id"].astype(str)).set_index("person_id")
    for row in paid.rows[paid.rows["component"] == "base"].dropna(subset="cents").itertuples():
        person = staff.loc[row.person_id]
        rule = plan.rule_of(*(each if isinstance(each, str) else "" for each in (person["role"], person["level"])))
        drawn = basis.score.draws.get(str(row.person_id))
        if rule is None or drawn is None:
            fixed += float(row.cents)
        else:
            parts.append(100 * float(person["bonus_base"]) * shares_at(rule.curve, drawn))
    pots = paid.rows[paid.rows["component"] == "team"].dropna(subset="cents").groupby("item")["cents"].sum()
    for team, cents in pots.items():
        drawn = basis.team_score.draws.get(str(team)) if basis.team_score else None
        if plan.team_pot is None or drawn is None:
            fixed += float(cents)
        else:
            parts.append(100 * plan.team_pot.amount * shares_at(plan.team_pot.curve, drawn))
    return fixed + np.sum(parts, axis=0) if parts else np.full(1, np.nan)


def shares_at(curve: PayCurve, scores: FloatArray) -> FloatArray:
    """Shares of the bonus base at many scores; one at a time `PayCurve.share` is exact."""
    at = np.array([point.score for point in curve.points])
    shares = np.array([point.share for point in curve.points])
    if curve.shape == "steps":
        return np.asarray(np.concatenate([[0.0], shares])[np.searchsorted(at, scores, side="right")])
    return np.interp(scores, at, shares, left=0.0)
