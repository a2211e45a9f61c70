"""A team's money, shared among its people so that the parts add up to the cent."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd

from kpi_research.appraisal.incentives import TeamPot
from kpi_research.appraisal.largest_remainder import apportion, exact
from kpi_research.appraisal.pay_words import (
    Line,
    Words,
    amount_text,
    cents_of,
    curve_words,
    paid_score,
    share_text,
    worded,
)
from kpi_research.appraisal.score import Score


def pots(staff: pd.DataFrame, team_score: Score | None, pot: TeamPot | None) -> dict[str, Line]:
    """Person -> their part of their team's pot; nobody's without a pot, none for those without a team.

    Parameters
    ----------
    staff
        In `payout.STAFF_COLUMNS`.
    """
    if pot is None:
        return {}
    scores = _scores(team_score)
    found: dict[str, Line] = {}
    for team, people in staff.dropna(subset="team_id").groupby("team_id", sort=True):
        weights = _weights(people, pot)
        if weights is None or str(team) not in scores:
            status = "no_bonus_base" if str(team) in scores else "not_scored"
            line = Line("team", str(team), None, status, worded(f"pay.missing.team_{status}"))
            found |= dict.fromkeys(people["person_id"].astype(str), line)
            continue
        score = paid_score(scores[str(team)])
        whole = cents_of(exact(pot.amount) * pot.curve.share(score))
        parts = apportion(whole, weights)
        found |= {
            name: Line("team", str(team), cents, "ok", _words(pot, score, whole, len(parts), cents))
            for name, cents in parts.items()
        }
    return found


def _scores(team_score: Score | None) -> dict[str, float]:
    if team_score is None:
        return {}
    scored = team_score.totals[team_score.totals["status"] != "not_scored"]
    return dict(zip(scored["entity_id"].astype(str), scored["score"].astype(float), strict=True))


def _weights(people: pd.DataFrame, pot: TeamPot) -> dict[str, Fraction] | None:
    """What the pot is shared by; None where somebody's bonus base is asked for and not known."""
    names = people["person_id"].astype(str)
    if pot.shared == "equally":
        return dict.fromkeys(names, Fraction(1))
    if people["bonus_base"].isna().any() or not people["bonus_base"].sum() > 0:
        return None
    return {name: exact(float(base)) for name, base in zip(names, people["bonus_base"], strict=True)}


def _words(pot: TeamPot, score: Fraction, whole: int, count: int, cents: int) -> Words:
    return worded(
        f"pay.reason.team_{pot.shared}",
        pot=amount_text(cents_of(exact(pot.amount))),
        share=share_text(pot.curve.share(score)),
        whole=amount_text(whole),
        curve=curve_words(pot.curve, score),
        count=count,
        amount=amount_text(cents),
    )
