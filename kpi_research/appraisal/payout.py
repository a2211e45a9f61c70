"""From scores to money, to the cent, each amount with the arithmetic that gives it.

    base bonus = bonus base * share of the score's place on the pay curve
    stretch    = bonus base * part of the way from base to stretch target * share, up to a cap
    process    = bonus base * share, for a KPI that reached its mark
    penalties  = what was earned * shares, together at most so much of it; none without data, none that may be chance
    team pot   = amount * share of the team's score, shared out so that the parts add up
    awards     = as decided

What is missing is never nought: the amount then is null, its row says why, and so is the person's total.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import pandas as pd

from kpi_research.appraisal.awards import Decision
from kpi_research.appraisal.incentives import (
    SHARE_DECIMALS,
    BonusRule,
    IncentivePlan,
    PayCurve,
    Process,
    Stretch,
    rounded,
)
from kpi_research.appraisal.largest_remainder import exact
from kpi_research.appraisal.pay_words import (
    Line,
    amount_text,
    cents_of,
    curve_words,
    figure_text,
    paid_score,
    share_text,
    worded,
)
from kpi_research.appraisal.score import Score
from kpi_research.appraisal.team_pot import pots
from kpi_research.kpis.definition import Kpi

STAFF_COLUMNS = ["person_id", "team_id", "role", "level", "bonus_base"]
PAYOUT_COLUMNS = ["person_id", "component", "item", "cents", "status", "reason_zh", "reason_en"]
FIGURES = ("actual", "target", "attainment", "attainment_high")
TOTAL_COLUMNS = ["person_id", "cents", "known_cents", "status"]


@dataclass(frozen=True)
class PayBasis:
    """What a period's pay is reckoned from.

    Parameters
    ----------
    score, team_score
        Of people and of teams; the latter only for a team pot.
    staff
        In `STAFF_COLUMNS`, a row a person: `bonus_base` is what all of the bonus would be for the period, in the
        client's currency, null where not known.
    stretch
        (person_id, kpi) -> stretch target in the KPI's unit.
    awards
        What was decided of each award.
    """

    score: Score
    staff: pd.DataFrame
    stretch: Mapping[tuple[str, str], float] = field(default_factory=dict)
    team_score: Score | None = None
    awards: Sequence[Decision] = ()


@dataclass(frozen=True)
class Payouts:
    """What everybody earned.

    Parameters
    ----------
    rows
        In `PAYOUT_COLUMNS`, a row a person and component (`base`, `stretch`, `process`, `penalty`, `team`, `award`) and
        its `item`; `cents` hundredths of the currency, null where not known. `status`: `ok`; `provisional` (a part of
        the weight could not be scored); `not_scored`, `no_bonus_base`, `no_rule`, `no_target`, `no_data`.
    totals
        One row a person: `cents` null where any part but a penalty is not known, `known_cents` the sum of what is;
        `status` is `ok`, `provisional` or `open`.
    """

    rows: pd.DataFrame
    totals: pd.DataFrame

    @property
    def cents(self) -> int:
        """The whole bill, as far as it is known."""
        return int(self.totals["known_cents"].sum())


@dataclass(frozen=True)
class _Figure:
    actual: float
    target: float
    attainment: float
    attainment_high: float
    status: str
    kpi: Kpi


def payouts(basis: PayBasis, plan: IncentivePlan, kpis: Mapping[str, Kpi]) -> Payouts:
    """What everybody of the staff earned, part by part.

    Parameters
    ----------
    kpis
        Definitions by name; the plan was held to the scheme by `incentives.check_plan`.
    """
    figures = {
        (str(row.entity_id), str(row.kpi)): _Figure(
            float(row.actual), float(row.target), float(row.attainment), float(row.attainment_high), str(row.status),
            kpis[str(row.kpi)],
        )
        for row in basis.score.rows.astype(dict.fromkeys(FIGURES, float)).itertuples()
    }  # fmt: skip
    totals = basis.score.totals.set_index(basis.score.totals["entity_id"].astype(str))
    of_teams = {name: (line,) for name, line in pots(basis.staff, basis.team_score, plan.team_pot).items()}
    found = []
    for person in basis.staff.itertuples(index=False):
        name = str(person.person_id)
        lines = [
            *_own(name, person, basis, plan, totals, figures),
            *of_teams.get(name, ()),
            *_awards(name, basis.awards),
        ]
        found += [
            (name, line.component, line.item, line.cents, line.status, line.words["zh"], line.words["en"])
            for line in lines
        ]
    rows = pd.DataFrame(found, columns=PAYOUT_COLUMNS).astype({"cents": "Int64"})
    return Payouts(rows, _totals(rows))


def _own(
    name: str,
    person: object,
    basis: PayBasis,
    plan: IncentivePlan,
    totals: pd.DataFrame,
    figures: Mapping[tuple[str, str], _Figure],
) -> Iterator[Line]:
    """The parts that hang on the person's own figures."""
    base = float(getattr(person, "bonus_base"))  # noqa: B009 - a row of staff, whose fields are named in STAFF_COLUMNS
    rule = plan.rule_of(*(_text(getattr(person, each)) for each in ("role", "level")))
    if base != base or rule is None:
        status = "no_rule" if rule is None else "no_bonus_base"
        yield Line("base", "", None, status, worded(f"pay.missing.{status}"))
        return
    money = exact(base)
    lines = [_base(name, money, rule.curve, totals)]
    for stretch in rule.stretch:
        aim = basis.stretch.get((name, stretch.kpi), float("nan"))
        lines.append(_stretch(figures.get((name, stretch.kpi)), aim, money, stretch))
    lines += [_process(figures.get((name, each.kpi)), money, each) for each in rule.process]
    yield from lines
    yield from _penalties(name, rule, sum(line.cents or 0 for line in lines), figures)


def _base(name: str, money: Fraction, curve: PayCurve, totals: pd.DataFrame) -> Line:
    row = totals.loc[name] if name in totals.index else None
    if row is None or row["status"] == "not_scored":
        return Line("base", "", None, "not_scored", worded("pay.missing.not_scored"))
    score = paid_score(row["score"])
    share = curve.share(score)
    cents = cents_of(money * share)
    words = worded(
        "pay.reason.base",
        base=amount_text(cents_of(money)),
        share=share_text(share),
        amount=amount_text(cents),
        curve=curve_words(curve, score),
    )
    if row["status"] != "partial_weight":
        return Line("base", "", cents, "ok", words)
    words = worded("pay.reason.provisional", sentence=words, weight=share_text(exact(float(row["scored_weight"]))))
    return Line("base", "", cents, "provisional", words)


def _stretch(found: _Figure | None, aim: float, money: Fraction, stretch: Stretch) -> Line:
    if found is None or found.status != "ok":
        return _unknown("stretch", stretch.kpi, found)
    if aim != aim or aim == found.target:
        return Line("stretch", stretch.kpi, None, "no_target", worded("pay.missing.no_stretch", kpi=found.kpi.label))
    way = (exact(found.actual) - exact(found.target)) / (exact(aim) - exact(found.target))
    part = rounded(max(Fraction(0), way), SHARE_DECIMALS)
    share = min(rounded(part * exact(stretch.share), SHARE_DECIMALS), exact(stretch.most))
    cents = cents_of(money * share)
    words = worded(
        "pay.reason.stretch" if part else "pay.reason.no_stretch",
        kpi=found.kpi.label,
        actual=figure_text(found.actual, found.kpi.unit),
        target=figure_text(found.target, found.kpi.unit),
        stretch=figure_text(aim, found.kpi.unit),
        part=share_text(part),
        each=share_text(exact(stretch.share)),
        most=share_text(exact(stretch.most)),
        share=share_text(share),
        base=amount_text(cents_of(money)),
        amount=amount_text(cents),
    )
    return Line("stretch", stretch.kpi, cents, "ok", words)


def _process(found: _Figure | None, money: Fraction, process: Process) -> Line:
    if found is None or found.status != "ok" or found.attainment != found.attainment:
        return _unknown("process", process.kpi, found)
    reached = rounded(exact(found.attainment), SHARE_DECIMALS) >= exact(process.from_attainment)
    cents = cents_of(money * exact(process.share)) if reached else 0
    words = worded(
        "pay.reason.process" if reached else "pay.reason.no_process",
        kpi=found.kpi.label,
        reached=share_text(rounded(exact(found.attainment), SHARE_DECIMALS)),
        mark=share_text(exact(process.from_attainment)),
        base=amount_text(cents_of(money)),
        share=share_text(exact(process.share)),
        amount=amount_text(cents),
    )
    return Line("process", process.kpi, cents, "ok", words)


def _penalties(name: str, rule: BonusRule, earned: int, figures: Mapping[tuple[str, str], _Figure]) -> Iterator[Line]:
    """What is taken off, in the plan's order, until the most that may be taken is reached.

    A figure that other weeks might have lifted to the mark is no ground for a penalty.
    """
    left = int(earned * exact(rule.penalties_at_most))
    for penalty in rule.penalties:
        found = figures.get((name, penalty.kpi))
        if found is None or found.status != "ok" or found.attainment != found.attainment:
            words = worded("pay.missing.no_penalty", kpi=found.kpi.label if found else penalty.kpi)
            yield Line("penalty", penalty.kpi, 0, "no_data", words)
            continue
        reached = rounded(exact(found.attainment), SHARE_DECIMALS)
        is_under = reached < exact(penalty.below_attainment)
        is_due = is_under and not found.attainment_high >= penalty.below_attainment
        taken = min(left, cents_of(Fraction(earned, 100) * exact(penalty.share))) if is_due else 0
        left -= taken
        words = worded(
            f"pay.reason.penalty_{'due' if is_due else 'unsure' if is_under else 'none'}",
            kpi=found.kpi.label,
            reached=share_text(reached),
            mark=share_text(exact(penalty.below_attainment)),
            earned=amount_text(earned),
            share=share_text(exact(penalty.share)),
            most=share_text(exact(rule.penalties_at_most)),
            amount=amount_text(taken),
        )
        yield Line("penalty", penalty.kpi, -taken, "ok", words)


def _unknown(component: str, kpi: str, found: _Figure | None) -> Line:
    """A part that cannot be reckoned: of a KPI without a target, or without data."""
    status = "no_target" if found is not None and found.status == "no_target" else "no_data"
    return Line(component, kpi, None, status, worded(f"pay.missing.{status}", kpi=found.kpi.label if found else kpi))


def _awards(name: str, decisions: Sequence[Decision]) -> Iterator[Line]:
    for decision in decisions:
        if name in decision.cents:
            cents = decision.cents[name]
            words = worded(
                f"pay.reason.award_{decision.award.form}",
                award=decision.award.label,
                count=decision.count,
                amount=amount_text(cents),
            )
            yield Line("award", decision.award.name, cents, "ok", words)


def _totals(rows: pd.DataFrame) -> pd.DataFrame:
    found = []
    for name, own in rows.groupby("person_id", sort=False):
        known = int(own["cents"].sum())
        is_open, provisional = own["cents"].isna().any(), own["status"].eq("provisional").any()
        status = "open" if is_open else "provisional" if provisional else "ok"
        found.append((name, None if is_open else known, known, status))
    return pd.DataFrame(found, columns=TOTAL_COLUMNS).astype({"cents": "Int64", "known_cents": "Int64"})


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
