"""What to change in a scheme's weights so that a rule is kept: points move, and the total stays 100."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kpi_research.appraisal.rules import Checked, Mend, listed, percent
from kpi_research.kpis.definition import Kind
from kpi_research.language import LANGUAGES, Bilingual, sentence

LEAST_WEIGHT = 5.0
"""Percent: what a mend leaves every KPI it takes from; no band of the articles begins lower."""

ENOUGH = 1e-9
STEP = 5.0
"""Points that are taken at a time: weights stay round, and no KPI pays for all."""

EXAMPLES: Mapping[Kind, tuple[str, ...]] = {
    "result": ("signed_amount", "signed_contracts"),
    "process": ("effective_visits", "follow_ups", "first_contact_rate"),
    "customer_value": ("customer_satisfaction", "repurchase_rate", "renewal_rate"),
    "digital": ("crm_completeness", "entry_timeliness"),
    "collaboration": ("team_attainment", "peer_rating"),
}
"""What to take in where a kind is missing: the first for which the client has data."""


def moved(checked: Checked, points: float, *, to: Sequence[str], take_from: Sequence[str] = ()) -> Mend:
    """Give points to one of the KPIs `to`, taken step by step from the heaviest of `take_from`, or of all others.

    No KPI that has a usual weight is moved out of it: one mend must not break another rule.
    """
    weights = checked.weights
    donors = [name for name in take_from or weights if name not in to]
    new = _taken(weights, donors, points, {name: max(LEAST_WEIGHT, _band(checked, name)[0]) for name in donors})
    receiver = next((name for name in to if _room(checked, name) >= points - ENOUGH), "")
    if not new or not receiver:
        return Mend({}, sentence("scheme_remark.no_room"))
    return as_mend(checked, {receiver: weights.get(receiver, 0.0) + points, **new})


def set_to(checked: Checked, kpi: str, weight: float) -> Mend:
    """Give one KPI this weight: the heaviest others share what that costs, or one of them gets what is over."""
    points = weight - checked.weights[kpi]
    if points > 0:
        return moved(checked, points, to=[kpi])
    others = sorted((name for name in checked.weights if name != kpi), key=lambda name: -checked.weights[name])
    receiver = next((name for name in others if _room(checked, name) >= -points - ENOUGH), "")
    if not receiver:
        return Mend({}, sentence("scheme_remark.no_room"))
    return as_mend(checked, {kpi: weight, receiver: checked.weights[receiver] - points})


def example_of(checked: Checked, kind: Kind) -> str:
    """A KPI of a kind to take in: one that the client has data for, if there is one, and the scheme has not."""
    new = [name for name in EXAMPLES[kind] if name not in checked.weights]
    with_data = [name for name in new if checked.tables is None or set(checked.kpis[name].needs) <= {*checked.tables}]
    return (with_data or new or EXAMPLES[kind])[0]


def as_mend(checked: Checked, new: Mapping[str, float]) -> Mend:
    """New weights with their words: `visits 10 → 20`."""
    old = checked.weights
    steps = {name: f"{percent(old.get(name, 0.0))} → {percent(weight)}" for name, weight in new.items()}
    words = (Bilingual(*(f"{checked.label(name)[each]} {step}" for each in LANGUAGES)) for name, step in steps.items())
    return Mend(new, listed(words))


def _taken(
    weights: Mapping[str, float], donors: Sequence[str], points: float, leave: Mapping[str, float]
) -> dict[str, float]:
    """The donors' weights after so many points were taken, in steps from whoever is heaviest then; empty where they
    have not enough.
    """
    new = {name: weights[name] for name in donors}
    while points > ENOUGH:
        able = [name for name in donors if new[name] - leave[name] > ENOUGH]
        if not able:
            return {}
        heaviest = max(able, key=new.__getitem__)
        given = min(STEP, points, new[heaviest] - leave[heaviest])
        new[heaviest] -= given
        points -= given
    return {name: weight for name, weight in new.items() if weight != weights[name]}


def _band(checked: Checked, kpi: str) -> tuple[float, float]:
    band = checked.kpis[kpi].weight_band
    return (band.lowest, band.highest) if band else (0.0, 100.0)


def _room(checked: Checked, kpi: str) -> float:
    return _band(checked, kpi)[1] - checked.weights.get(kpi, 0.0)
