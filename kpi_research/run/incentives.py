"""What a client's people earn in a period by its incentive plan, and to whom its awards go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kpi_research.appraisal.awards import CANDIDATE_COLUMNS, breakthroughs, decide
from kpi_research.appraisal.bill import PayView, bill, changes_hands
from kpi_research.appraisal.goals import held_targets
from kpi_research.appraisal.incentives import Award, AwardKind, IncentivePlan, check_plan
from kpi_research.appraisal.payout import PayBasis, payouts
from kpi_research.appraisal.reliability import MIN_PEOPLE
from kpi_research.appraisal.score import Score
from kpi_research.errors import InputError, Problem
from kpi_research.panel import panel
from kpi_research.periods import Period, weekly_slices
from kpi_research.run.customers import team_members
from kpi_research.run.luck import luck_of
from kpi_research.run.on_file import latest_teams
from kpi_research.run.scheme_choice import scheme_of
from kpi_research.run.scores import score_of

if TYPE_CHECKING:
    from kpi_research.run.client import Client

SEED = 20261001
"""Fixed, so that the same data give the same awards."""
PAST_PERIODS = 4
"""Own periods that a breakthrough is held against: a year's, whose season the company's own takes out."""
GIVEN_COLUMNS = ("person_id", "bonus_base")


def pay_of(
    client: Client,
    plan: IncentivePlan,
    period: Period,
    bases: pd.DataFrame,
    *,
    team: str | None = None,
    candidates: Mapping[AwardKind, pd.DataFrame] | None = None,
    other_score: Score | None = None,
) -> PayView:
    """What everybody in a team at the period's end earned; in the company, without one.

    Parameters
    ----------
    bases
        `person_id, bonus_base` and, where the plan asks for them, `role` (otherwise that on file) and `level`; a row a
        person, the base being all of the period's bonus in the client's currency. Who has no row has no known base.
    candidates
        In `awards.CANDIDATE_COLUMNS`, by kind of award: collaboration and mentors are known from nowhere else; progress
        and breakthroughs are looked up where not given.
    other_score
        The members' scores by other weights, to see what these would move.

    Raises
    ------
    InputError
        If the client has no scheme; everything that is wrong with the plan or the bases.
    """
    scheme = scheme_of(client, period, team=team)
    if scheme is None:
        raise InputError(Problem("pay.no_plan", client.path.name))
    check_plan(plan, scheme, client.path.name)
    if problems := [*problems_of(bases)]:
        raise InputError(problems)
    members = team_members(client, period, team)
    known = dict(candidates or {})
    decisions = tuple(decide(award, _candidates(client, period, award, known)) for award in plan.awards)
    here = tuple(
        replace(each, cents={name: cents for name, cents in each.cents.items() if name in members})
        for each in decisions
    )
    basis = PayBasis(
        score_of(client, period, "person", members),
        staff_of(client, period, members, bases),
        held_targets(client.data.targets, period, "person")["stretch"].astype(float).to_dict(),
        score_of(client, period, "team", [team] if team else None) if plan.team_pot else None,
        here,
    )
    paid = payouts(basis, plan, client.kpis)
    moved = None
    if other_score is not None:
        moved = changes_hands(paid, payouts(replace(basis, score=other_score), plan, client.kpis))
    return PayView(paid, bill(basis, paid, plan, scheme, client.kpis), here, moved)


def staff_of(client: Client, period: Period, members: list[str], bases: pd.DataFrame) -> pd.DataFrame:
    """The members with their team, role, level and bonus base, in `payout.STAFF_COLUMNS`; null what is not known."""
    given = bases.assign(person_id=bases["person_id"].astype(str)).set_index("person_id").reindex(members)
    people = client.data.people
    on_file = people.set_index("person_id")["role"] if "role" in people else pd.Series(dtype=object)
    teams = latest_teams(client.data.parts, period)
    return pd.DataFrame(
        {
            "person_id": members,
            "team_id": [teams.get(name) for name in members],
            "role": (given["role"] if "role" in given else on_file.reindex(members)).to_numpy(),
            "level": given["level"].to_numpy() if "level" in given else "",
            "bonus_base": pd.to_numeric(given["bonus_base"]).to_numpy(dtype=float),
        }
    )


def problems_of(bases: pd.DataFrame) -> Iterator[Problem]:
    """What is wrong with a frame of bonus bases."""
    missing = [column for column in GIVEN_COLUMNS if column not in bases]
    for column in missing:
        yield Problem("pay.staff_column", values={"column": column}, given=column, allowed=tuple(map(str, bases)))
    if missing:
        return
    names = bases["person_id"].astype(str)
    for name in sorted(set(names[names.duplicated()])):
        yield Problem("pay.staff_twice", values={"person": name})
    for name in names[pd.to_numeric(bases["bonus_base"], errors="coerce") < 0]:
        yield Problem("pay.staff_negative", values={"person": name})
    amounts = pd.to_numeric(bases["bonus_base"], errors="coerce")
    for name, written in bases.loc[
        amounts.isna() & bases["bonus_base"].notna(), ["person_id", "bonus_base"]
    ].to_numpy():
        yield Problem("pay.staff_no_number", values={"person": name, "given": written})


def _candidates(
    client: Client, period: Period, award: Award, known: Mapping[AwardKind, pd.DataFrame]
) -> pd.DataFrame | None:
    """Who may get an award, in `awards.CANDIDATE_COLUMNS`; None where nothing is known of it."""
    if award.kind in known:
        return known[award.kind]
    if award.kind == "progress":
        return _progress(client, period)
    return _breakthroughs(client, period) if award.kind == "breakthrough" else None


def _progress(client: Client, period: Period) -> pd.DataFrame | None:
    """Changes of scores since the period before, held against what regression to the mean explains."""
    if len(team_members(client, period, None)) < MIN_PEOPLE:
        return None
    luck = luck_of(client, period)
    found = luck.progress if luck else None
    if found is None or found.reason == "too_few":
        return None
    frame = pd.DataFrame({"entity_id": found.people, "expected": found.expected_change, "actual": found.change})
    return frame.assign(beyond_chance=frame["entity_id"] == found.winner)[CANDIDATE_COLUMNS]


def _breakthroughs(client: Client, period: Period) -> pd.DataFrame | None:
    """Own bests in the client's outcome, where that adds up over weeks."""
    kpi = client.kpis[client.settings.outcome]
    if kpi.denominator is not None or kpi.aggregation != "sum":
        return None
    periods = [each for each in client.periods(period.grain) if each.end <= period.end][-1 - PAST_PERIODS :]
    own = client.data.parts.only([kpi.name]).of("person", team_members(client, period, None))
    frames = [panel(own, weekly_slices(each), "person").assign(of=each.name) for each in periods]
    rows = pd.concat(frames).dropna(subset="value") if frames else pd.DataFrame()
    if rows.empty:
        return None
    weeks = rows[["entity_id", "of", "value"]].rename(columns={"of": "period"})
    return breakthroughs(weeks, period.name, np.random.default_rng(SEED))
