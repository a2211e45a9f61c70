"""One proposal for all that weights can mend: the nearest weights that keep every rule on weights at once.

A mend for each breach by itself would have one KPI go up by one rule and down by another. Weights are whole steps, so
that all of them can be tried; where none will do, the rules that cannot be kept together are named.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from kpi_research.appraisal.lint import Remark, as_frame, lint, rules
from kpi_research.appraisal.rules import Checked, listed, percent
from kpi_research.appraisal.rules_content import EXAMPLES, MOST_WITHOUT_REMARK, examples_of
from kpi_research.appraisal.scheme import WEIGHTS_AGREE, SchemeItem
from kpi_research.language import LANGUAGES, Bilingual, Language, say

STEP = 5.0
"""Points; no band of the articles begins lower, so that it is also the least that a KPI has."""

STEPS = int(100 / STEP)
ADDED_BY = {"S17": ("no_result", "no_process"), "S18": ("no_customer_value",)}
"""Rules that a KPI more can mend, with what they find then."""

FEWER = ("S02", "many_kpis")
"""The rule that a KPI less can mend, with what it finds then."""

CONSIDERED = 10
"""Of a scheme of more KPIs only the heaviest are tried; the lightest would be the first to go anyway."""

ASKS_NEW = frozenset({"no_target", "no_data_source"})
"""What a KPI that is taken in lacks of necessity."""


@dataclass(frozen=True)
class Proposal:
    """Weights that mend all that weights can mend.

    Parameters
    ----------
    now, weights
        KPI -> percent of the total now and as proposed, the same KPIs in both; 0 of one that is taken in or left out.
        `weights` is empty where none keep all rules.
    heals
        Numbers of the rules that are broken now; with `weights` none of them is.
    contradict
        Numbers of rules that cannot be kept together, none of which could be left out of the list; empty where weights
        were found.
    """

    now: Mapping[str, float]
    weights: Mapping[str, float]
    heals: tuple[str, ...]
    contradict: tuple[str, ...] = ()

    @property
    def moved(self) -> float:
        """Points of 100 that change places."""
        return sum(abs(weight - self.now[name]) for name, weight in self.weights.items()) / 2

    @property
    def taken_in(self) -> tuple[str, ...]:
        """KPIs that the scheme does not have now."""
        return tuple(name for name, weight in self.weights.items() if weight and not self.now[name])


def proposal(checked: Checked) -> Proposal | None:
    """The nearest weights, in steps of `STEP`, that keep all rules on weights; None where no such rule is broken.

    KPIs are taken in where a kind is missing, and left out where there are too many; nearest is what moves the fewest
    points, and of equals what changes the fewest KPIs. Another rule is newly broken only if that cannot be helped.
    """
    broken = sorted({remark.rule.id for remark in lint(checked) if mended_by_weights(checked, remark)})
    if not broken:
        return None
    held = [*ADDED_BY, FEWER[0], *(rule.id for rule in rules().values() if rule.id not in (*ADDED_BY, FEWER[0]))]
    found = sorted(_candidates(checked, held), key=lambda each: each[0])
    if not found:
        return Proposal(checked.weights, {}, tuple(broken), _contradiction(checked, held))
    chosen = next((each for _, each in found if not _newly_broken(checked, each)), found[0][1])
    names = list(dict.fromkeys([*checked.weights, *chosen.weights]))
    now, new = ({name: given.get(name, 0.0) for name in names} for given in (checked.weights, chosen.weights))
    return Proposal(now, new, tuple(broken))


def mended_by_weights(checked: Checked, remark: Remark) -> bool:
    """Whether a remark is a breach that other weights, or a KPI more or less, can mend."""
    key, by_kpis = remark.found.key, {*itertools.chain(*ADDED_BY.values()), FEWER[1]}
    return remark.severity in ("error", "warning") and (key in by_kpis or any(remark.rule.bounds(checked)))


def in_words(checked: Checked, found: Proposal, language: Language) -> str:
    """The whole proposal as one sentence; where no weights will do, which rules stand against each other."""
    names = listed(Bilingual(each, each) for each in found.contradict or found.heals)[language]
    if found.contradict:
        return say("scheme_proposal.contradict", language, rules=names, step=percent(STEP))
    changes = listed(_change(checked.label(name), found.now[name], new) for name, new in found.weights.items())
    return say("scheme_proposal.weights", language, rules=names, changes=changes[language])


def _change(label: Bilingual, now: float, new: float) -> Bilingual:
    step = percent(new) if abs(new - now) <= WEIGHTS_AGREE else f"{percent(now)} → {percent(new)}"
    return Bilingual(f"{label.zh} {step}", f"{label.en} {step}")


def as_mended_frame(checked: Checked, remarks: Sequence[Remark]) -> pd.DataFrame:
    """One row a remark, in `REMARK_COLUMNS`; the proposal stands with the first that weights can mend."""
    frame, found, first = as_frame(remarks), proposal(checked), ""
    for place, remark in enumerate(remarks):
        if found is None or not mended_by_weights(checked, remark):
            continue
        see = "see" if found.weights else "see_contradiction"
        for language in LANGUAGES:
            there = say(f"scheme_proposal.{see}", language, rule=first)
            weights = there if first else in_words(checked, found, language)
            frame.loc[place, f"mend_{language}"] = f"{remark.mend(language)} {weights}"
        first = first or remark.rule.id
    return frame


def with_weights(checked: Checked, weights: Mapping[str, float]) -> Checked:
    """The same with these weights, of the total, and these KPIs alone; those that are new follow the usual rules."""
    own = {item.kpi: item for item in checked.scheme.weighted}
    items = [
        own[name].model_copy(update={"weight": weight, "group": ""})
        if name in own
        else SchemeItem.model_validate({"kpi": name, "weight": weight})
        for name, weight in weights.items()
        if weight
    ]
    return replace(checked, scheme=checked.scheme.model_copy(update={"items": tuple(items), "groups": {}}))


def _newly_broken(before: Checked, after: Checked) -> bool:
    """Whether other rules are broken that were not; what hangs on data and targets stays as it is."""
    old, new = (
        {
            (remark.rule.id, remark.found.key)
            for remark in lint(replace(each, targets=None, history=None, ratings=None, attainability=None))
            if remark.severity in ("error", "warning") and remark.found.key not in ASKS_NEW
        }
        for each in (before, after)
    )
    return bool(new - old)


def _candidates(checked: Checked, held: Sequence[str]) -> Iterator[tuple[tuple[float, int, float], Checked]]:
    """For each choice of KPIs the nearest weights that keep the rules of `held`, with what decides between them."""
    for choice in _choices(checked, held):
        names = list(choice.weights)
        rows = _divisions(len(names)) * STEP
        rows = rows[_keeps(choice, rows, held)]
        if len(rows):
            steps = np.abs(rows - [checked.weights.get(name, 0.0) for name in names])
            gone = [weight for name, weight in checked.weights.items() if name not in names]
            moved, changed, most = steps.sum(axis=1), (steps > WEIGHTS_AGREE).sum(axis=1), steps.max(axis=1)
            best = np.lexsort((most, changed, moved))[0]
            cost = (round(float(moved[best]) + sum(gone), 6), int(changed[best]) + len(gone), float(most[best]))
            yield cost, with_weights(choice, dict(zip(names, map(float, rows[best]), strict=True)))


def _choices(checked: Checked, held: Sequence[str]) -> Iterator[Checked]:
    """The scheme with the KPIs that it lacks; where that makes too many, with as few as need be left out."""
    names = sorted(checked.weights, key=lambda name: -checked.weights[name])[:CONSIDERED]
    most = MOST_WITHOUT_REMARK if FEWER[0] in held else STEPS
    for left_out in range(len(names)):
        found = []
        for gone in itertools.combinations(names, left_out):
            kept = with_weights(checked, {name: checked.weights[name] for name in checked.weights if name not in gone})
            for new in itertools.product(*_lacking(kept, held)):
                choice = with_weights(kept, {**kept.weights, **dict.fromkeys(new, STEP)})
                if len(choice.weights) <= most:
                    found.append(choice)
        if found:
            yield from found
            return


def _lacking(checked: Checked, held: Iterable[str]) -> list[list[str]]:
    """For each kind that rules miss, the KPIs of which one may be taken in, first what is usual."""
    missing = [
        found.subject
        for rule, keys in ADDED_BY.items()
        if rule in held
        for found in rules()[rule].check(checked)
        if found.key in keys
    ]
    return [examples_of(checked, kind) for kind in EXAMPLES if kind in missing]


def _keeps(checked: Checked, rows: npt.NDArray[np.float64], held: Iterable[str]) -> npt.NDArray[np.bool_]:
    """Which of R rows of weights, in the order of the scheme's KPIs, keep the rules."""
    places = {name: place for place, name in enumerate(checked.weights)}
    kept = np.ones(len(rows), dtype=bool)
    for rule in (rules()[each] for each in held):
        for bound in rule.bounds(checked) if rule.applies(checked) else ():
            share = rows[:, [places[name] for name in bound.kpis]].sum(axis=1)
            kept &= (share >= bound.low - WEIGHTS_AGREE) & (share <= bound.high + WEIGHTS_AGREE)
    return kept


@functools.cache
def _divisions(parts: int) -> npt.NDArray[np.float64]:
    """Every way to divide `STEPS` into so many parts of at least one, R x parts; none into more than there are."""
    fences = [(0, *cuts, STEPS) for cuts in itertools.combinations(range(1, STEPS), parts - 1)]
    return np.diff(np.array(fences, dtype=float).reshape(-1, parts + 1), axis=1)


def _contradiction(checked: Checked, held: Sequence[str]) -> tuple[str, ...]:
    """The rules of a set that cannot all be kept, without those that it would be so without."""
    left = list(held)
    for rule in held:
        without = [each for each in left if each != rule]
        if next(_candidates(checked, without), None) is None:
            left = without
    return tuple(sorted(left))
